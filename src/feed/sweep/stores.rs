//! The first list: what each vector store holds, each page against our copies.

use super::difference::Kind;
use super::repair::{Correction, Repair, task};
use super::{Finding, Sweeper, Tell};

use crate::database::Connection;
use crate::fastio::{self, FileKey};
use crate::feed::Error;
use crate::feed::adopt::{adopted, is_borne_out, owner, was_version};
use crate::feed::patience::{first, patiently};
use crate::http::pages::Pages;
use crate::job;
use crate::openai::{self, File, FileId, IndexStatus, Listed, StoreFile, VectorStoreId};
use crate::queue::Priority;
use crate::sync::copy::{Copy, CopyState};
use crate::sync::store::some_objects;
use crate::sync::survey;

/// Copies that a store says something else of, put right in one sweep. Each is held until Fastio's list is known, some
/// 400 bytes; what is more waits for the next sweep.
const MOST_DEFERRED: usize = 10_000;

/// Files of a store that is gone that get a job.
const ASKED_FOR: u32 = 5;

impl Sweeper<'_> {
    /// Lists the vector stores in scope: those of the rules and, in a full sweep, those that only old copies are in.
    pub async fn all_stores(&mut self) -> Result<(), Error> {
        let rules = self.feed.rules.iter().filter(|rule| {
            self.scope.rule.as_ref().is_none_or(|name| rule.name == *name)
                && self.scope.profile.as_ref().is_none_or(|profile| rule.profile == *profile)
        });
        let mut stores: Vec<VectorStoreId> =
            rules.flat_map(|rule| self.places.of(rule).iter()).cloned().collect();
        if self.scope.rule.is_none() && self.scope.profile.is_none() {
            stores.extend(self.feed.database.read(survey::store::stores).await?);
        }
        stores.sort();
        stores.dedup();
        for store in stores {
            self.store(&store).await?;
        }
        Ok(())
    }

    async fn store(&mut self, store: &VectorStoreId) -> Result<(), Error> {
        let feed = self.feed;
        let list = async |after: Option<FileId>| {
            let call = || feed.openai.store_files(store, after.as_ref());
            patiently(feed.sweeps.page_tries, openai::Error::retry, call).await
        };
        let (mut pages, mut page) = (Pages::default(), list(None).await);
        loop {
            let (items, next) = match page {
                Ok(page) => {
                    self.report.unreadable += page.unreadable;
                    (page.items, page.next)
                }
                Err(error) if error.is_not_found() => return self.absent(store, &error).await,
                Err(error) => {
                    self.incomplete(format!("vector store {store}"), &error);
                    return Ok(());
                }
            };
            if let (Some(_), Err(endless)) =
                (&next, pages.turn(items.len(), first(&items, |held| &held.id.0)))
            {
                self.incomplete(format!("vector store {store}"), &endless);
                return Ok(());
            }
            let Some(next) = next else {
                self.store_page(store, items).await?;
                self.stores.insert(store.clone());
                return Ok(());
            };
            let (following, compared) = tokio::join!(list(Some(next)), self.store_page(store, items));
            compared?;
            page = following;
        }
    }

    /// OpenAI says that there is no such store. One that no person named is made anew by the first job that needs it, which also asks
    /// for all its files. So some of them get their jobs now: one alone may belong to a file that is just going.
    async fn absent(&mut self, store: &VectorStoreId, error: &openai::Error) -> Result<(), Error> {
        let is_listed = self.feed.openai.lists_store(store).await;
        if !matches!(is_listed, Ok(Listed::NotThere)) {
            self.incomplete(format!("vector store {store}"), error);
            return Ok(());
        }
        let what = format!("vector store {store}");
        if !self.places.is_made(store, &self.feed.rules) {
            let cure = "it is gone, or not this key's: put the right id into the rule, or use another key";
            self.incomplete(what, &cure);
            return Ok(());
        }
        self.incomplete(what, &"it is gone at OpenAI; a server makes it anew and puts all its files into it");
        if self.scope.dry_run {
            return Ok(());
        }
        let (store, now) = (store.clone(), self.feed.clock.now());
        let ask = move |tx: &mut Connection| {
            let objects = some_objects(tx, &store, ASKED_FOR)?;
            let copies = survey::store::copies_by_object(tx, &objects)?;
            let keys = copies.values().filter_map(|(source_id, _)| source_id.parse().ok());
            keys.map(|key| task(&key))
                .try_for_each(|task| job::enqueue(tx, &task, Priority::Backfill, now).map(drop))
        };
        self.feed.database.write(ask).await?;
        self.feed.wake.notify_waiters();
        Ok(())
    }

    async fn store_page(&mut self, store: &VectorStoreId, items: Vec<StoreFile>) -> Result<(), Error> {
        self.report.held_listed += items.len() as u64;
        self.counted(store).listed += items.len() as u64;
        let ids: Vec<FileId> = items.iter().map(|held| held.id.clone()).collect();
        let copies = self.feed.database.read(move |c| survey::store::copies_by_object(c, &ids)).await?;
        let mut repairs = Vec::new();
        for held in &items {
            self.held.add(&place(store, &held.id));
            match copies.get(&held.id) {
                Some((source_id, copy)) if copy.store == *store => {
                    let repair = known(source_id, copy, held);
                    let room = MOST_DEFERRED.saturating_sub(self.deferred.len());
                    self.deferred.extend(repair.into_iter().take(room));
                }
                // A File object of ours was put into another store, where it does no harm.
                Some(_) => {}
                None => repairs.extend(self.unknown(store, held).await?),
            }
        }
        self.repair(repairs).await?;
        let read = self.report.read();
        (self.tell)(Tell::Read(read));
        Ok(())
    }

    /// A file in the store that is in no table of ours.
    async fn unknown(&mut self, store: &VectorStoreId, held: &StoreFile) -> Result<Option<Repair>, Error> {
        let sends = |rule: &crate::rule::Rule| self.places.of(rule).has(store);
        let Some(key) = owner(&held.attributes, &self.feed.rules, sends) else {
            self.report.strangers += 1;
            return Ok(None);
        };
        let mut adopted = adopted(&key, store, held, None);
        let why = "it is ours by its attributes, and in none of our tables";
        let mut finding = Finding {
            vector_store: Some(store.to_string()),
            file_id: Some(held.id.to_string()),
            ..Finding::new(Kind::Unknown, why, &key.to_string(), &adopted.path)
        };
        if !self.scope.dry_run {
            let call = || self.feed.openai.file(&held.id);
            match patiently(self.feed.sweeps.page_tries, openai::Error::retry, call).await {
                Ok(object) if !self.is_borne_out(&key, held, &object).await? => {
                    self.report.strangers += 1;
                    return Ok(None);
                }
                Ok(object) => {
                    adopted.filename = object.filename;
                    adopted.bytes = object.bytes.unwrap_or(0);
                    adopted.source.size = adopted.bytes;
                }
                // One that is listed is not gone, whatever is said of it alone.
                Err(error) if error.is_not_found() => match self.feed.openai.lists_file(&held.id).await {
                    Ok(Listed::NotThere) => {
                        adopted.state = "retiring";
                        finding.why = "it is ours by its attributes, and its File object is gone".to_owned();
                    }
                    Ok(Listed::There | Listed::Unreadable) => {
                        self.incomplete(format!("File object {}", held.id), &error);
                        return Ok(None);
                    }
                    Err(error) => {
                        self.incomplete(format!("File object {}", held.id), &error);
                        return Ok(None);
                    }
                },
                Err(error) => {
                    self.incomplete(format!("File object {}", held.id), &error);
                    return Ok(None);
                }
            }
        }
        // Its job, if it needs one, comes when Fastio's list is compared with our tables, or the ghosts are counted.
        let correction = Some(Correction::Adopt(Box::new(adopted), None));
        Ok(Some(Repair { finding, key, correction, job: false }))
    }
}

impl Sweeper<'_> {
    /// Whether Fastio and the File object bear out what a copy says of itself.
    async fn is_borne_out(&mut self, key: &FileKey, held: &StoreFile, object: &File) -> Result<bool, Error> {
        let call = || self.feed.fastio.node(&key.profile, &key.node);
        match patiently(self.feed.sweeps.page_tries, fastio::Error::retry, call).await {
            Ok(node) if is_borne_out(held, object, Some(&node)) => Ok(true),
            Ok(_) => self.was_version(key, held, object).await,
            Err(error) if error.is_not_found() => Ok(is_borne_out(held, object, None)),
            Err(error) => {
                self.incomplete(format!("the file {key}"), &error);
                Ok(false)
            }
        }
    }

    async fn was_version(&mut self, key: &FileKey, held: &StoreFile, object: &File) -> Result<bool, Error> {
        let call = || self.feed.fastio.versions(&key.profile, &key.node);
        match patiently(self.feed.sweeps.page_tries, fastio::Error::retry, call).await {
            Ok(versions) => Ok(was_version(held, object, &versions)),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => {
                self.incomplete(format!("the versions of {key}"), &error);
                Ok(false)
            }
        }
    }
}

/// A copy that we know: does the store say of it what we believe?
fn known(source_id: &str, copy: &Copy, held: &StoreFile) -> Option<Repair> {
    if copy.state != CopyState::Indexed {
        return None;
    }
    let key: FileKey = source_id.parse().ok()?;
    let repair = |kind, why: &str, correction| {
        let finding = finding(kind, why, &key, copy);
        Some(Repair { finding, key: key.clone(), correction: Some(correction), job: true })
    };
    if held.status != IndexStatus::Completed {
        let why = "the vector store does not find it any more";
        return repair(Kind::Missing, why, Correction::Index(copy.id));
    }
    if !copy.is_shown_as(&held.attributes) {
        let why = "its attributes in the vector store are not ours";
        return repair(Kind::Drift, why, Correction::Attributes(copy.id, held.attributes.clone()));
    }
    None
}

/// An entry of a store's list, for [`super::Seen`].
pub fn place(store: &VectorStoreId, file: &FileId) -> String {
    format!("{store}/{file}")
}

pub fn finding(kind: Kind, why: &str, key: &FileKey, copy: &Copy) -> Finding {
    let path = copy.attributes.as_ref().and_then(|all| crate::feed::adopt::text(all, "path"));
    Finding {
        vector_store: Some(copy.store.to_string()),
        file_id: copy.file_id.as_ref().map(ToString::to_string),
        ..Finding::new(kind, why, &key.to_string(), path.unwrap_or_default())
    }
}
