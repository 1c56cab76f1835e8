//! Restores our tables from what the vector stores say of themselves, when the database was lost. Nothing is uploaded and
//! nothing is removed; a backfill and a sweep afterwards make the rest right.
//!
//! It restores the stores that rules had made, the copies, and the files as far as their copies tell of them. What only
//! the database knew is gone: events, refusals, and uploads that were under way.

use std::collections::BTreeMap;

use super::adopt::{adopted, owner};
use super::patience::patiently;
use super::{Error, Feed};
use crate::contain::catch;
use crate::openai::{self, FileId, StoreFile, VectorStore, VectorStoreId};
use crate::sync::founding::{self, How};
use crate::sync::{INTENT, Target, survey};

/// Entries written in one transaction. A page has a hundred, and to sync the disk for each took most of the time.
const AT_ONCE: usize = 1_000;

/// What was restored.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rebuilt {
    /// Vector stores that rules had made, found again by name.
    pub stores: BTreeMap<String, String>,
    /// Entries of the vector stores.
    pub listed: u64,
    pub copies: u64,
    /// Entries that we cannot prove to be ours. They are left alone.
    pub strangers: u64,
}

impl Feed {
    /// Restores the tables. Doing it twice, or over tables that are there, does no harm.
    ///
    /// # Errors
    /// OpenAI's, our database's, or two stores that could be one.
    pub async fn rebuild(&self, tell: &mut (dyn FnMut(u64) + Send + Sync)) -> Result<Rebuilt, Error> {
        catch(self.restore_all(tell)).await.unwrap_or_else(|panicked| Err(panicked.into()))
    }

    async fn restore_all(&self, tell: &mut (dyn FnMut(u64) + Send + Sync)) -> Result<Rebuilt, Error> {
        let mut rebuilt = Rebuilt::default();
        self.find_stores(&mut rebuilt).await?;
        let mut stores: Vec<VectorStoreId> =
            self.places().await?.into_iter().filter_map(|(_, store)| store).collect();
        stores.sort();
        stores.dedup();
        for store in &stores {
            let (mut after, mut read): (Option<FileId>, Vec<StoreFile>) = (None, Vec::new());
            loop {
                let call = || self.openai.store_files(store, after.as_ref());
                let page = patiently(self.sweeps.page_tries, openai::Error::retry, call).await?;
                read.extend(page.items);
                if read.len() >= AT_ONCE || page.next.is_none() {
                    self.restore(store, &read, &mut rebuilt).await?;
                    read.clear();
                    tell(rebuilt.listed);
                }
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        self.complete().await?;
        let mut transaction = self.database.begin().await?;
        founding::store::found(&mut transaction, How::Rebuilt, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(rebuilt)
    }

    /// Finds the stores that rules had made, by the name they gave it and the mark we left on it.
    async fn find_stores(&self, rebuilt: &mut Rebuilt) -> Result<(), Error> {
        let wanted: Vec<String> = self
            .places()
            .await?
            .into_iter()
            .filter_map(|(target, store)| match (target, store) {
                (Target::Create { create }, None) => Some(create),
                _ => None,
            })
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut found: Vec<(String, VectorStore)> = Vec::new();
        let mut after: Option<VectorStoreId> = None;
        loop {
            let call = || self.openai.vector_stores(after.as_ref());
            let page = patiently(self.sweeps.page_tries, openai::Error::retry, call).await?;
            for store in page.items {
                let name = store.name.clone().unwrap_or_default();
                if wanted.contains(&name) && store.metadata.contains_key(INTENT) {
                    found.push((name, store));
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        for name in wanted {
            let mut here = found.iter().filter(|(found, _)| *found == name).map(|(_, store)| store);
            let (Some(store), other) = (here.next(), here.next()) else { continue };
            if let Some(other) = other {
                return Err(Error::Refused(format!(
                    "the vector stores {} and {} are both called `{name}` and made by a Docket: put the right one's id \
                     into the rule",
                    store.id, other.id
                )));
            }
            let mut transaction = self.database.begin().await?;
            let made = (name.as_str(), store.metadata[INTENT].as_str());
            survey::store::remake(&mut transaction, made, &store.id, self.clock.now()).await?;
            transaction.commit().await?;
            rebuilt.stores.insert(name, store.id.to_string());
        }
        Ok(())
    }

    async fn restore(
        &self,
        store: &VectorStoreId,
        items: &[StoreFile],
        rebuilt: &mut Rebuilt,
    ) -> Result<(), Error> {
        let places = self.places().await?;
        let sends = |rule: &crate::sync::Rule| {
            places.iter().any(|(target, id)| *target == rule.target && id.as_ref() == Some(store))
        };
        let now = self.clock.now();
        let mut transaction = self.database.begin().await?;
        for held in items {
            rebuilt.listed += 1;
            match owner(&held.attributes, &self.rules, sends) {
                None => rebuilt.strangers += 1,
                Some(key) => {
                    let adopted = adopted(&key, store, held, None);
                    let new = survey::store::adopt(&mut transaction, &adopted, now).await?;
                    rebuilt.copies += u64::from(new);
                }
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Fills in what only the File objects tell: their names and sizes.
    async fn complete(&self) -> Result<(), Error> {
        let mut after: Option<FileId> = None;
        loop {
            let call = || self.openai.files(after.as_ref());
            let page = patiently(self.sweeps.page_tries, openai::Error::retry, call).await?;
            let mut transaction = self.database.begin().await?;
            for file in &page.items {
                let bytes = file.bytes.unwrap_or(0);
                survey::store::complete(&mut transaction, (&file.id, &file.filename, bytes)).await?;
            }
            transaction.commit().await?;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }
}
