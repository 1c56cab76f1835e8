//! A sweep: Fastio's inventory, our tables, the vector stores and OpenAI's File objects, compared with each other.
//!
//! ```text
//!   stores     each page of a vector store ──▶ our copies with those ids ──▶ unknown, drift, missing
//!   files      each page of the inventory ──▶ our rows of those files ──▶ missing, stale, duplicate, drift, unseen
//!   objects    each page of File objects ──▶ the uploads we gave up ──▶ orphan
//!   strays     each page of the project's vector stores ──▶ the stores we made ──▶ stray
//!   tables     our rows in their order ──▶ what was on no list ──▶ ghost, missing
//!   purged     each file that is in the trash as far as we know ──▶ Fastio's nodes of those ids
//!   leftovers  what runs left elsewhere, and runs, without a job ──▶ leftover, stalled
//! ```
//!
//! Pages stream; what is kept of each entry is eight bytes, to know afterwards what was on no list. What differs gets a
//! file's job, the same that a webhook makes, and the job looks for itself. So whatever changes while a sweep runs costs
//! a look. What no job could see is first taken into our tables ([`super::adopt`]).
//!
//! Nothing is concluded from a list that is not complete. And when more of a rule's files would lose their copies than
//! its limit allows, none does, and a person is asked.

mod asked;
mod difference;
mod files;
mod leftovers;
mod objects;
pub mod periodic;
mod purged;
mod repair;
mod report;
mod seen;
pub mod store;
mod stores;
mod strays;
mod tables;

use std::collections::{BTreeMap, HashSet};

use super::store::rules_swept;
use super::{Error, Feed};
use crate::contain::catch;
use crate::database::Connection;
use crate::fastio::Profile;
use crate::openai::VectorStoreId;
use crate::sync::copy::CopyState;
use crate::sync::store::{Chains, chains, copies_by_store};
use crate::sync::survey;

pub use asked::{Pending, ask, decide, pending};
pub use difference::Kind;
use repair::Repair;
pub(super) use repair::task;
pub use report::{Counted, Finding, Report, Stopped, Tell};
use seen::Seen;
use store::Outcome;

/// Differences that are kept with a sweep. Who needs more asks for one rule.
const FINDINGS_KEPT: usize = 1_000;

/// What a sweep looks at, and what it may do.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// One rule's workspace and vector store only.
    pub rule: Option<String>,
    /// One workspace or share only.
    pub profile: Option<Profile>,
    /// Only what Fastio and our tables say; OpenAI is not asked.
    pub fastio_only: bool,
    /// Only say what would be done.
    pub dry_run: bool,
    /// A person has seen that the limit stops it, and wants it all the same.
    pub beyond_limit: bool,
    /// Of these rules a person approved that so many files lose their copies, and no more.
    pub approved: BTreeMap<String, u64>,
    /// Somebody asked a server for it: what it found is kept for them, whatever it was about.
    pub is_asked: bool,
}

/// A sweep under way.
struct Sweeper<'a> {
    feed: &'a Feed,
    scope: Scope,
    id: String,
    started_at: i64,
    /// Events of this sweep so far; part of their ids.
    told: u64,
    /// The stores of each rule.
    places: Chains,
    /// What Fastio lists and a rule covers, what vector stores list, and what OpenAI lists of File objects.
    files: Seen,
    held: Seen,
    objects: Seen,
    /// Whose lists are complete.
    profiles: HashSet<Profile>,
    stores: HashSet<VectorStoreId>,
    has_objects: bool,
    /// Found before it was known what Fastio lists.
    deferred: Vec<Repair>,
    report: Report,
    /// The first differences.
    findings: Vec<Finding>,
    tell: &'a mut (dyn FnMut(Tell<'_>) + Send + Sync),
}

impl Feed {
    /// Compares everything in `scope` and repairs what differs. A listing that fails makes the sweep incomplete, not
    /// fail.
    ///
    /// # Errors
    /// When our own database fails, the scope names no rule of ours, or something panics.
    pub async fn sweep(
        &self,
        scope: Scope,
        tell: &mut (dyn FnMut(Tell<'_>) + Send + Sync),
    ) -> Result<Report, Error> {
        catch(self.sweep_lists(scope, tell)).await.unwrap_or_else(|panicked| Err(panicked.into()))
    }

    async fn sweep_lists(
        &self,
        scope: Scope,
        tell: &mut (dyn FnMut(Tell<'_>) + Send + Sync),
    ) -> Result<Report, Error> {
        let profiles = match &scope.profile {
            Some(profile) => vec![profile.clone()],
            None => self.profiles(scope.rule.as_deref())?,
        };
        let (id, started_at) = (uuid::Uuid::now_v7().to_string(), self.clock.now());
        let report = Report::new(&id, scope.dry_run, started_at);
        let mut sweeper = Sweeper {
            feed: self,
            places: self.places().await?,
            scope,
            id,
            started_at,
            told: 0,
            files: Seen::default(),
            held: Seen::default(),
            objects: Seen::default(),
            profiles: HashSet::new(),
            stores: HashSet::new(),
            has_objects: false,
            deferred: Vec::new(),
            report,
            findings: Vec::new(),
            tell,
        };
        // The stores first: a copy that is only missing in our tables is taken in, and needs no upload then.
        if !sweeper.scope.fastio_only {
            sweeper.all_stores().await?;
            sweeper.held.close();
        }
        for profile in &profiles {
            sweeper.files(profile).await?;
        }
        sweeper.files.close();
        sweeper.repair_deferred().await?;
        if !sweeper.scope.fastio_only {
            sweeper.all_objects().await?;
            sweeper.strays().await?;
        }
        sweeper.tables().await?;
        for profile in &profiles {
            sweeper.purged(profile).await?;
        }
        sweeper.leftovers().await?;
        sweeper.finish().await
    }

    /// The stores of each rule, without making one that is yet to be made.
    pub(super) async fn places(&self) -> Result<Chains, Error> {
        let rules = self.rules.clone();
        Ok(self.database.read(move |c| chains(c, rules.iter())).await?)
    }
}

impl Sweeper<'_> {
    /// What the stores' lists told, of files that Fastio lists. The others may be ghosts, and those are counted first.
    async fn repair_deferred(&mut self) -> Result<(), Error> {
        let mut deferred = std::mem::take(&mut self.deferred);
        deferred.retain(|repair| self.files.has(&repair.finding.source_id));
        self.repair(deferred).await
    }

    /// What is counted of a vector store.
    fn counted(&mut self, store: &VectorStoreId) -> &mut Counted {
        self.report.counted.entry(store.0.clone()).or_default()
    }

    /// A list that could not be read to its end: nothing is concluded from it.
    fn incomplete(&mut self, what: String, error: &dyn std::fmt::Display) {
        tracing::warn!(what, error = %error, "a listing of the sweep is not complete; nothing is removed for it");
        self.report.incomplete.push(report::Gap { what, error: error.to_string() });
    }

    async fn finish(mut self) -> Result<Report, Error> {
        let now = self.feed.clock.now();
        self.report.ended_at = now;
        for (store, state, copies) in self.feed.database.read(copies_by_store).await? {
            if state == CopyState::Indexed.as_str()
                && let Some(counted) = self.report.counted.get_mut(&store)
            {
                counted.ours = copies.unsigned_abs();
            }
        }
        if self.scope.dry_run {
            if self.scope.is_asked {
                let (scope, report, findings) = (self.scope, self.report.clone(), self.findings);
                let write = move |tx: &mut Connection| store::record(tx, (&scope, &report), &findings);
                self.feed.database.write(write).await?;
            }
            return Ok(self.report);
        }
        let before = now - self.feed.sweeps.keep_lost_ms();
        // What looked at a part says nothing of the whole.
        let is_whole = self.scope.rule.is_none() && self.scope.profile.is_none() && !self.scope.fastio_only;
        // What its limit stopped is still to be done.
        let marks = (self.report.outcome() == Outcome::Done).then(|| self.feed.rule_marks());
        let (scope, report, findings) = (self.scope, self.report.clone(), self.findings);
        let write = self.feed.database.write(move |tx| {
            survey::store::forget_lost(tx, None, before)?;
            if is_whole || scope.is_asked {
                store::record(tx, (&scope, &report), &findings)?;
            }
            if is_whole {
                marks.iter().try_for_each(|marks| rules_swept(tx, marks, now))?;
            }
            Ok(())
        });
        write.await?;
        self.report.log();
        Ok(self.report)
    }
}

impl Report {
    /// How it ended, in one word.
    pub fn outcome(&self) -> Outcome {
        if !self.stopped.is_empty() {
            Outcome::Stopped
        } else if !self.incomplete.is_empty() {
            Outcome::Incomplete
        } else {
            Outcome::Done
        }
    }
}
