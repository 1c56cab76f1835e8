//! Restores our tables from what the vector stores say of themselves, as far as Fastio and the File objects bear it out,
//! when the database was lost. Nothing is uploaded and nothing is removed; a backfill and a sweep afterwards make the rest right.
//!
//! It restores the stores that rules had made, the copies, and the files as far as their copies tell of them. What only
//! the database knew is gone: events, refusals, and uploads that were under way.

use std::collections::{BTreeMap, HashMap};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::adopt::{adopted, is_borne_out, owner};
use super::objects::Objects;
use super::patience::{first, patiently};
use super::{Error, Feed};
use crate::contain::catch;
use crate::database::Connection;
use crate::fastio::{self, ErrorKind, FileKey, MAX_NODES_PER_CALL, Node, NodeId, Profile};
use crate::http::pages::Pages;
use crate::openai::{self, FileId, StoreFile, VectorStore, VectorStoreId};
use crate::rule::{Rule, Target};
use crate::sync::founding::{self, How};
use crate::sync::{CONTINUES, INTENT, NUMBER, survey};

/// Entries written in one transaction, some 5 MB. A page has a hundred, and to sync the disk for each took most of the time; and what
/// lies close together in an index is written once for all of them.
const AT_ONCE: usize = 5_000;

/// Calls to Fastio at a time: half as many as there are workers, by default.
const CALLS: usize = 4;

/// What was restored.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rebuilt {
    /// Vector stores that rules had made, found again by name.
    pub stores: BTreeMap<String, String>,
    /// Vector stores that rules had made and that are gone at OpenAI.
    pub gone: Vec<String>,
    /// Entries of the vector stores.
    pub listed: u64,
    pub copies: u64,
    /// Entries that we cannot prove to be ours. They are left alone.
    pub strangers: u64,
    /// Entries that say they are ours, and that Fastio or their File object does not bear out. They are left to a sweep.
    pub unverified: u64,
    /// Entries that cannot be read.
    pub unreadable: u64,
}

/// How far a store's list was read.
struct StoreList<'a> {
    store: &'a VectorStoreId,
    after: Option<FileId>,
    pages: Pages,
    ended: bool,
    /// Entries of it that cannot be read.
    unreadable: u64,
}

impl<'a> StoreList<'a> {
    fn of(store: &'a VectorStoreId) -> Self {
        StoreList { store, after: None, pages: Pages::default(), ended: false, unreadable: 0 }
    }
}

impl Feed {
    /// Restores the tables. Doing it twice, or over tables that are there, does no harm.
    ///
    /// # Errors
    /// OpenAI's, Fastio's, our database's, or two stores that could be one.
    pub async fn rebuild(&self, tell: &mut (dyn FnMut(u64) + Send + Sync)) -> Result<Rebuilt, Error> {
        catch(self.restore_all(tell)).await.unwrap_or_else(|panicked| Err(panicked.into()))
    }

    async fn restore_all(&self, tell: &mut (dyn FnMut(u64) + Send + Sync)) -> Result<Rebuilt, Error> {
        let mut rebuilt = Rebuilt::default();
        self.find_stores(&mut rebuilt).await?;
        let objects = self.objects(&mut rebuilt).await?;
        let places = self.places().await?;
        let stores = places.stores();
        for store in &stores {
            let mut list = StoreList::of(store);
            let mut read = match self.some(&mut list).await {
                // Of a store that is gone nothing can be read. A server makes it anew where a rule creates it.
                Err(Error::Openai(error)) if error.is_not_found() && places.is_made(store, &self.rules) => {
                    rebuilt.gone.push(store.to_string());
                    continue;
                }
                read => read?,
            };
            while !read.is_empty() {
                // The next ones are read while these are looked into.
                let restore = self.restore((store, &objects), &read, &mut rebuilt);
                let (next, restored) = tokio::join!(self.some(&mut list), restore);
                restored?;
                read = next?;
                tell(rebuilt.listed);
            }
            rebuilt.unreadable += list.unreadable;
        }
        let now = self.clock.now();
        self.database.write(move |tx| founding::store::found(tx, How::Rebuilt, now)).await?;
        Ok(rebuilt)
    }

    /// The next entries of a store; none at its end.
    async fn some(&self, list: &mut StoreList<'_>) -> Result<Vec<StoreFile>, Error> {
        let mut read = Vec::new();
        while read.len() < AT_ONCE && !list.ended {
            let call = || self.openai.store_files(list.store, list.after.as_ref());
            let page = patiently(self.sweeps.page_tries, openai::Error::retry, call).await?;
            list.unreadable += page.unreadable;
            let turned = list.pages.turn(page.items.len(), first(&page.items, |held| &held.id.0));
            read.extend(page.items);
            list.after = page.next;
            list.ended = list.after.is_none();
            if !list.ended {
                turned?;
            }
        }
        Ok(read)
    }

    /// Finds the stores that rules had made, by the name they gave it and the mark we left on it, and those that continue a store.
    async fn find_stores(&self, rebuilt: &mut Rebuilt) -> Result<(), Error> {
        let places = self.places().await?;
        let mut wanted: Vec<String> = Vec::new();
        for rule in self.rules.iter().filter(|rule| places.of(rule).is_empty()) {
            if let Target::Create { create } = &rule.target
                && !wanted.contains(create)
            {
                wanted.push(create.clone());
            }
        }
        let mut found: Vec<(String, VectorStore)> = Vec::new();
        let mut continuing: Vec<VectorStore> = Vec::new();
        let (mut pages, mut after) = (Pages::default(), None::<VectorStoreId>);
        loop {
            let call = || self.openai.vector_stores(after.as_ref());
            let page = patiently(self.sweeps.page_tries, openai::Error::retry, call).await?;
            rebuilt.unreadable += page.unreadable;
            let turned = pages.turn(page.items.len(), first(&page.items, |store| &store.id.0));
            for store in page.items {
                let name = store.name.clone().unwrap_or_default();
                let is_made = store.metadata.contains_key(INTENT);
                if is_made && store.metadata.contains_key(CONTINUES) {
                    continuing.push(store);
                } else if is_made && wanted.contains(&name) {
                    found.push((name, store));
                }
            }
            let Some(next) = page.next else { break };
            turned?;
            after = Some(next);
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
            rebuilt.stores.insert(name.clone(), store.id.to_string());
            let (id, intent, now) = (store.id.clone(), store.metadata[INTENT].clone(), self.clock.now());
            self.database.write(move |tx| survey::store::remake(tx, (&name, &intent), &id, now)).await?;
        }
        self.find_continuing(continuing, rebuilt).await
    }

    /// Takes those of these stores into the tables that continue the first store of a rule.
    async fn find_continuing(
        &self,
        continuing: Vec<VectorStore>,
        rebuilt: &mut Rebuilt,
    ) -> Result<(), Error> {
        let places = self.places().await?;
        for store in continuing {
            let number = store.metadata.get(NUMBER).and_then(|number| number.parse::<u32>().ok());
            let first = VectorStoreId(store.metadata[CONTINUES].clone());
            let Some(number) = number else { continue };
            // The first may have been made anew since.
            let is_called = |rule: &&Rule| store.name.as_ref() == Some(&rule.target.continued(number));
            let rule = self.rules.iter().find(|rule| places.of(rule).first() == Some(&first));
            let rule = rule.or(self.rules.iter().find(is_called));
            let Some((rule, first)) = rule.and_then(|rule| Some((rule, places.of(rule).first()?.clone())))
            else {
                continue;
            };
            let name = rule.target.continued(number);
            if let Some(other) = rebuilt.stores.insert(name.clone(), store.id.to_string()) {
                return Err(Error::Refused(format!(
                    "the vector stores {} and {other} both continue {first} with the number {number}: delete the one that is empty",
                    store.id
                )));
            }
            let (id, intent, now) = (store.id, store.metadata[INTENT].clone(), self.clock.now());
            let write = move |tx: &mut Connection| {
                survey::store::recontinue(tx, (&name, &intent), (&id, &first, number), now)
            };
            self.database.write(write).await?;
        }
        Ok(())
    }

    async fn restore(
        &self,
        (store, objects): (&VectorStoreId, &Objects),
        items: &[StoreFile],
        rebuilt: &mut Rebuilt,
    ) -> Result<(), Error> {
        let places = self.places().await?;
        let sends = |rule: &Rule| places.of(rule).has(store);
        let owned = |held: &StoreFile| owner(&held.attributes, &self.rules, sends);
        let ours: Vec<(FileKey, &StoreFile)> =
            items.iter().filter_map(|held| Some((owned(held)?, held))).collect();
        rebuilt.listed += items.len() as u64;
        rebuilt.strangers += (items.len() - ours.len()) as u64;
        let nodes = self.nodes(ours.iter().map(|(key, _)| key)).await?;
        let mut proven = Vec::with_capacity(ours.len());
        for (key, held) in ours {
            let node = nodes.get(&key.to_string());
            match objects.get(&held.id).filter(|object| is_borne_out(held, object, node)) {
                Some(object) => proven.push(adopted(&key, store, held, Some(&object))),
                None => rebuilt.unverified += 1,
            }
        }
        let now = self.clock.now();
        let adopted = self.database.write(move |tx| {
            let mut new = 0;
            for adopted in &proven {
                new += u64::from(survey::store::adopt(tx, adopted, now)?);
            }
            Ok(new)
        });
        rebuilt.copies += adopted.await?;
        Ok(())
    }

    /// What Fastio knows of these files, by their id.
    async fn nodes(&self, keys: impl Iterator<Item = &FileKey>) -> Result<HashMap<String, Node>, Error> {
        let mut wanted: BTreeMap<&Profile, BTreeMap<String, &NodeId>> = BTreeMap::new();
        for key in keys {
            wanted.entry(&key.profile).or_default().insert(key.node.canonical(), &key.node);
        }
        let calls: Vec<(&Profile, Vec<NodeId>)> = wanted
            .into_iter()
            .flat_map(|(profile, ids)| {
                let ids: Vec<NodeId> = ids.into_values().cloned().collect();
                ids.chunks(MAX_NODES_PER_CALL).map(|ids| (profile, ids.to_vec())).collect::<Vec<_>>()
            })
            .collect();
        let calls = stream::iter(calls).map(|(profile, ids)| self.nodes_of(profile, ids));
        let found: Vec<Vec<(String, Node)>> = calls.buffer_unordered(CALLS).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn nodes_of(&self, profile: &Profile, ids: Vec<NodeId>) -> Result<Vec<(String, Node)>, Error> {
        let call = || self.fastio.nodes(profile, &ids);
        let found = match patiently(self.sweeps.page_tries, fastio::Error::retry, call).await {
            Ok(found) => found,
            // The workspace is not shown to us, and so bears nothing out.
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Forbidden { .. }) => {
                Vec::new()
            }
            Err(error) => return Err(error.into()),
        };
        let keyed = |node: Node| (FileKey::new(profile.clone(), node.id.clone()).to_string(), node);
        Ok(found.into_iter().map(keyed).collect())
    }

    /// The project's File objects, for as long as the command runs.
    async fn objects(&self, rebuilt: &mut Rebuilt) -> Result<Objects, Error> {
        let (mut objects, mut pages, mut after) = (Objects::default(), Pages::default(), None::<FileId>);
        loop {
            let call = || self.openai.files(after.as_ref());
            let page = patiently(self.sweeps.page_tries, openai::Error::retry, call).await?;
            rebuilt.unreadable += page.unreadable;
            let turned = pages.turn(page.items.len(), first(&page.items, |file| &file.id.0));
            page.items.iter().for_each(|file| objects.add(file));
            let Some(next) = page.next else {
                objects.close();
                return Ok(objects);
            };
            turned?;
            after = Some(next);
        }
    }
}
