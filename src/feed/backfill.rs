//! Lists what was there before Docket and asks for a job for each file that OpenAI lacks or holds otherwise, behind live
//! traffic. How far it came stands in the database with the jobs, so it goes on where it was stopped.
//!
//! It removes nothing: what is not listed is the sweep's business.

use std::collections::BTreeMap;

use super::store::{self, Progress};
use super::sweep::task;
use super::walk::{Incomplete, Walk};
use super::{Error, Feed};
use crate::contain::catch;
use crate::fastio::{ErrorKind, Inventoried, Profile};
use crate::job::{self, Task};
use crate::queue;
use crate::rule::Rule;

/// What a backfill did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Backfilled {
    /// Files that Fastio listed, with those of an earlier try that was stopped.
    pub listed: u64,
    /// Jobs that were asked for.
    pub queued: u64,
    /// Of each rule, the files that were there before it ran anything, and are not run over unless a person says so.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub spared: BTreeMap<String, u64>,
    /// Entries that cannot be read, and so have no job.
    pub unreadable: u64,
    /// Listings that could not be read to their end, with the reason. Run it again to go on there.
    pub incomplete: Vec<String>,
}

/// What is told while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A workspace or share begins, or is taken up again after `listed` files. `expected` is what it came to last time.
    Begun { profile: String, listed: u64, expected: Option<u64> },
    /// One more page.
    Page { listed: u64, queued: u64 },
}

impl Feed {
    /// Lists the workspaces of all rules, or of one.
    ///
    /// # Errors
    /// Our database's, or a rule that there is not.
    pub async fn backfill(
        &self,
        rule: Option<&str>,
        tell: &mut (dyn FnMut(Told) + Send + Sync),
    ) -> Result<Backfilled, Error> {
        catch(self.fill_all(rule, tell)).await.unwrap_or_else(|panicked| Err(panicked.into()))
    }

    async fn fill_all(
        &self,
        rule: Option<&str>,
        tell: &mut (dyn FnMut(Told) + Send + Sync),
    ) -> Result<Backfilled, Error> {
        let mut sum = Backfilled::default();
        for profile in self.profiles(rule)? {
            let name = match rule {
                Some(rule) => format!("{profile} {rule}"),
                None => profile.to_string(),
            };
            let known = {
                let name = name.clone();
                self.database.read(move |c| store::backfill(c, &name)).await?.unwrap_or_default()
            };
            let mut progress = Progress { total: known.total, ..Progress::default() };
            if known.ended_at.is_none() {
                progress = known;
            }
            let expected = progress.total.and_then(|total| u64::try_from(total).ok());
            tell(Told::Begun { profile: profile.to_string(), listed: positive(progress.listed), expected });
            let subject = Subject { profile: &profile, rule, name: &name };
            let mut going = Going { progress: &mut progress, spared: &mut sum.spared };
            match self.fill(&subject, &mut going, tell).await? {
                Ok(unreadable) => sum.unreadable += unreadable,
                Err(error) => sum.incomplete.push(format!("{profile}: {error}")),
            }
            sum.listed += positive(progress.listed);
            sum.queued += positive(progress.queued);
        }
        Ok(sum)
    }

    async fn fill(
        &self,
        subject: &Subject<'_>,
        going: &mut Going<'_>,
        tell: &mut (dyn FnMut(Told) + Send + Sync),
    ) -> Result<Result<u64, Incomplete>, Error> {
        let tries = self.sweeps.page_tries;
        let mut walk = Walk::new(&self.fastio, subject.profile, tries, going.progress.cursor.clone());
        let mut page = walk.next().await;
        if going.progress.cursor.is_some()
            && matches!(&page, Err(Incomplete::Fastio(error)) if error.kind == ErrorKind::Rejected)
        {
            // The place is no longer known: from the beginning, where most has its job by now.
            *going.progress = Progress { total: going.progress.total, ..Progress::default() };
            walk = Walk::new(&self.fastio, subject.profile, tries, None);
            page = walk.next().await;
        }
        loop {
            let rows = match page {
                Ok(Some(rows)) => rows,
                Ok(None) => break,
                Err(error) => return Ok(Err(error)),
            };
            going.progress.cursor = walk.cursor().map(str::to_owned);
            let (next, done) = tokio::join!(walk.next(), self.fill_page(subject, &rows, going));
            done?;
            let progress = &going.progress;
            tell(Told::Page { listed: positive(progress.listed), queued: positive(progress.queued) });
            page = next;
        }
        let progress = &mut *going.progress;
        progress.cursor = None;
        progress.ended_at = Some(self.clock.now());
        progress.total = Some(progress.listed);
        let (name, ended) = (subject.name.to_owned(), progress.clone());
        self.database.write(move |tx| store::set_backfill(tx, &name, &ended)).await?;
        Ok(Ok(walk.unreadable))
    }

    async fn fill_page(
        &self,
        subject: &Subject<'_>,
        rows: &[Inventoried],
        going: &mut Going<'_>,
    ) -> Result<(), Error> {
        let places = self.places().await?;
        let found = self.differences(subject.profile, rows, &places).await?;
        let covers = |path: &str| self.rules.iter().any(|one| covers_as(one, subject, path));
        let named = |rule: &str| subject.rule.is_none_or(|name| name == rule);
        for (rule, files) in found.spared.into_iter().filter(|(rule, _)| named(rule)) {
            *going.spared.entry(rule).or_default() += files;
        }
        let wanted =
            found.repairs.into_iter().filter(|repair| subject.rule.is_none() || covers(&repair.finding.path));
        let of = |path: &str| {
            let covers = |one: &&Rule| covers_as(one, subject, path);
            self.rules.iter().find(covers).map_or(String::new(), |one| one.name.clone())
        };
        let (tasks, rules): (Vec<Task>, Vec<String>) =
            wanted.map(|repair| (task(&repair.key), of(&repair.finding.path))).unzip();
        let keys: Vec<String> = tasks.iter().map(Task::key).collect();
        let (name, before, now) = (subject.name.to_owned(), going.progress.clone(), self.clock.now());
        let listed = before.listed + i64::try_from(rows.len()).unwrap_or(0);
        let filled = self.database.write(move |tx| {
            let asked: Vec<&str> = keys.iter().map(String::as_str).collect();
            let there = queue::presence::states(tx, &asked)?;
            let mut progress = Progress { listed, ..before.clone() };
            let all = tasks.iter().zip(&rules).zip(&keys);
            for ((task, rule), _) in all.filter(|(_, key)| !there.contains_key(*key)) {
                job::enqueue_in_turn(tx, task, rule, now)?;
                progress.queued += 1;
            }
            store::set_backfill(tx, &name, &progress)?;
            Ok(progress)
        });
        *going.progress = filled.await?;
        self.wake.notify_waiters();
        Ok(())
    }
}

fn covers_as(rule: &Rule, subject: &Subject<'_>, path: &str) -> bool {
    subject.rule.is_none_or(|name| rule.name == name) && rule.covers(subject.profile, path)
}

/// How far a listing is, and what it has come to.
struct Going<'a> {
    progress: &'a mut Progress,
    spared: &'a mut BTreeMap<String, u64>,
}

struct Subject<'a> {
    profile: &'a Profile,
    rule: Option<&'a str>,
    name: &'a str,
}

fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
