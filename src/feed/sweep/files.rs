//! The second list: Fastio's files, each page against what we know of its files.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::difference::{Kind, Listed, difference};
use super::repair::Repair;
use super::{Finding, Sweeper, Tell};
use crate::erasure;
use crate::fastio::{FileKey, Inventoried, NodeId, Profile};
use crate::feed::walk::Walk;
use crate::feed::{Error, Feed};
use crate::openai::VectorStoreId;
use crate::own::{self, Seen, Whose};
use crate::run::existing::{Since, store::run_over};
use crate::sync::copy::{Copy, Source};
use crate::sync::store::{self, Chains, FileRow, KeptOut};
use crate::sync::survey::is_holdable;
use crate::sync::{Keeping, Present};

/// What our tables say of one page's files.
pub struct Known {
    pub rows: HashMap<String, FileRow>,
    pub copies: HashMap<String, Vec<Copy>>,
    pub kept_out: HashMap<String, Vec<KeptOut>>,
}

impl Feed {
    pub async fn known(&self, source_ids: Vec<String>) -> Result<Known, Error> {
        let known = self.database.read(move |c| {
            Ok(Known {
                rows: store::files(c, &source_ids)?,
                copies: store::copies_of(c, &source_ids)?,
                kept_out: store::kept_out_of(c, &source_ids)?,
            })
        });
        Ok(known.await?)
    }
}

impl Sweeper<'_> {
    /// Walks through all files of `profile`. The next page is fetched while one is compared.
    pub async fn files(&mut self, profile: &Profile) -> Result<(), Error> {
        let feed = self.feed;
        let mut walk = Walk::new(&feed.fastio, profile, feed.sweeps.page_tries, None);
        let mut page = walk.next().await;
        loop {
            match page {
                Ok(Some(rows)) => {
                    let (next, compared) = tokio::join!(walk.next(), self.files_page(profile, rows));
                    compared?;
                    page = next;
                }
                Ok(None) => {
                    self.report.unreadable += walk.unreadable;
                    self.profiles.insert(profile.clone());
                    return Ok(());
                }
                Err(error) => {
                    self.incomplete(profile.to_string(), &error);
                    return Ok(());
                }
            }
        }
    }

    async fn files_page(&mut self, profile: &Profile, rows: Vec<Inventoried>) -> Result<(), Error> {
        self.report.files_listed += rows.len() as u64;
        // A job may have begun another store meanwhile, because the others are full.
        self.places = self.feed.places().await?;
        let found = self.feed.differences(profile, &rows, &self.places).await?;
        for key in &found.covered {
            self.files.add(key);
        }
        for (store, files) in found.sent {
            self.counted(&store).fastio += files;
        }
        for (rule, files) in found.spared {
            *self.report.spared.entry(rule).or_default() += files;
        }
        self.repair(found.repairs).await?;
        let read = self.report.read();
        (self.tell)(Tell::Read(read));
        Ok(())
    }
}

/// What a page of the inventory comes to.
pub struct Found {
    /// The files that a rule covers, or may cover.
    pub covered: Vec<String>,
    pub repairs: Vec<Repair>,
    /// How many of them rules send to each vector store that there is.
    pub sent: HashMap<VectorStoreId, u64>,
    /// Of each rule, the files that were there before it and are not run over.
    pub spared: BTreeMap<String, u64>,
}

impl Feed {
    /// The differences between a page of the inventory and our tables.
    pub async fn differences(
        &self,
        profile: &Profile,
        rows: &[Inventoried],
        places: &Chains,
    ) -> Result<Found, Error> {
        let mut covered: Vec<(FileKey, String, &Inventoried, Vec<&crate::rule::Rule>)> = Vec::new();
        for row in rows.iter().filter(|row| is_file(row)) {
            let rules = match &row.path {
                Some(path) => self.rules.covering(profile, path),
                // Where it is, only its job can find out.
                None => Vec::new(),
            };
            if rules.is_empty() && row.path.is_some() {
                continue;
            }
            let key = FileKey::new(profile.clone(), row.node.id.clone());
            covered.push((key.clone(), key.to_string(), row, rules));
        }
        let ids: Vec<String> = covered.iter().map(|(_, id, ..)| id.clone()).collect();
        let asked = ids.clone();
        let withheld = self.database.read(move |c| erasure::store::withheld(c, &asked)).await?;
        covered.retain(|(_, id, ..)| !withheld.contains(id));
        let known = self.known(ids).await?;
        let (mut repairs, mut sent) = (Vec::new(), HashMap::new());
        for (key, id, row, rules) in &covered {
            let kept_out = known.kept_out.get(id).map_or(&[][..], Vec::as_slice);
            let keeping = Keeping::of(rules, kept_out, self.clock.now());
            let file = known.rows.get(id);
            let is_out = |rule: &&&crate::rule::Rule| file.is_some_and(|file| file.is_out(&rule.name));
            let copies = known.copies.get(id).map_or(&[][..], Vec::as_slice);
            // Where it is, of those it may be in.
            let is_there = |store: &&VectorStoreId| copies.iter().any(|copy| copy.store == **store);
            let stores: HashSet<&VectorStoreId> = keeping
                .filling
                .iter()
                .filter(|rule| !is_out(rule))
                .filter_map(|rule| places.of(rule).iter().find(is_there).or(places.of(rule).first()))
                .collect();
            stores.into_iter().for_each(|store| *sent.entry(store.clone()).or_default() += 1);
            let Some(path) = &row.path else {
                if file.is_none_or(|file| !file.source.same_content(&Source::of(&row.node))) {
                    let why = "Fastio does not say where it is";
                    repairs.push((*row, repair(key, Kind::Unseen, why, &row.node.name)));
                }
                continue;
            };
            let above = row.node.parent.iter().cloned().collect();
            let listed = Listed {
                key,
                present: Present::new(&row.node, path.clone(), above),
                rules,
                stores: keeping.filling.iter().map(|rule| places.of(rule).clone()).collect(),
                keeping,
            };
            if let Some((kind, why)) = difference(listed, file, copies) {
                repairs.push((*row, repair(key, kind, why, path)));
            }
        }
        let repairs = self.without_own(profile, repairs).await?;
        let spared = self.spared(profile, rows).await?;
        Ok(Found { covered: covered.into_iter().map(|(_, id, ..)| id).collect(), repairs, sent, spared })
    }

    /// How many of a page's files each rule does not run over, because they were there before it.
    async fn spared(&self, profile: &Profile, rows: &[Inventoried]) -> Result<BTreeMap<String, u64>, Error> {
        let files: Vec<(String, &Inventoried)> = rows
            .iter()
            .filter(|row| is_file(row) && is_holdable(&row.node))
            .map(|row| (FileKey::new(profile.clone(), row.node.id.clone()).to_string(), row))
            .collect();
        let (rules, ids) = (self.rules.clone(), files.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>());
        let read = self.database.read(move |c| {
            let since = Since::read(c, &rules)?;
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let run_over = if since.is_empty() { HashSet::new() } else { run_over(c, &ids)? };
            Ok((since, run_over))
        });
        let (since, run_over) = read.await?;
        let mut spared = BTreeMap::new();
        for (id, row) in &files {
            let times = [row.node.created_at, row.node.modified_at];
            for rule in self.rules.running(profile, row.path.as_deref().unwrap_or_default()) {
                if since.is_before(&rule.name, times) && !run_over.contains(&(id.clone(), rule.name.clone()))
                {
                    *spared.entry(rule.name.clone()).or_default() += 1;
                }
            }
        }
        Ok(spared)
    }

    /// Those of files that Docket neither wrote nor is writing: its own are in no vector store, whatever covers them.
    async fn without_own(
        &self,
        profile: &Profile,
        repairs: Vec<(&Inventoried, Repair)>,
    ) -> Result<Vec<Repair>, Error> {
        if repairs.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<Inventoried> = repairs.iter().map(|(row, _)| (*row).clone()).collect();
        let (profile, root, now) = (profile.clone(), NodeId::root(), self.clock.now());
        let whose = self.database.read(move |c| {
            let seen: Vec<Seen<'_>> = rows.iter().map(|row| seen(&profile, row, &root)).collect();
            own::recognise_all(c, &profile, &seen, now)
        });
        let theirs = repairs.into_iter().zip(whose.await?).filter(|(_, whose)| *whose == Whose::Theirs);
        Ok(theirs.map(|((_, repair), _)| repair).collect())
    }
}

fn is_file(row: &Inventoried) -> bool {
    row.node.kind.has_content() && !row.node.trashed
}

fn seen<'a>(profile: &'a Profile, row: &'a Inventoried, root: &'a NodeId) -> Seen<'a> {
    Seen {
        profile,
        folder: row.node.parent.as_ref().unwrap_or(root),
        name: &row.node.name,
        node: &row.node.id,
        version: row.node.version.as_ref(),
        content: row.node.hash.as_ref().zip(row.node.size).map(|(hash, size)| own::Content { hash, size }),
    }
}

fn repair(key: &FileKey, kind: Kind, why: &str, path: &str) -> Repair {
    let finding = Finding::new(kind, why, &key.to_string(), path);
    Repair { finding, key: key.clone(), correction: None, job: true }
}
