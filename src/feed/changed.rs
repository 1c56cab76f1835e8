//! Rules that are not what they were at the last start: what they mean for the files that we know, from our own tables and
//! before anything is listed. A sweep reads every list first and takes its time over it, and what left a rule must not
//! answer that long. The sweep that follows finds the files that we do not know.

use std::collections::HashSet;

use super::losses::{Holder, Losses};
use super::{Error, Feed, store};
use crate::fastio::FileKey;
use crate::job::{self, Task};
use crate::queue::{self, Priority};
use crate::sync::copy::Copy;
use crate::sync::store::{Chains, FileRow};
use crate::sync::survey;

/// Files looked at, and jobs added, in one transaction: the drain and the workers get their turn in between.
const PAGE: u32 = 500;

/// What changed rules ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Followed {
    /// Files that no rule covers any more, and that have copies.
    pub leaving: u64,
    /// Files that are covered otherwise than before.
    pub otherwise: u64,
    /// Of the first, those that stay because they are more than the sweep's limit allows.
    pub stopped: u64,
}

/// What a file's job would do.
enum Turn {
    /// It would take its copies away.
    Leaving,
    Otherwise,
}

/// A file that the rules treat otherwise than when it was last looked at.
struct Turned {
    key: FileKey,
    holder: Holder,
    turn: Turn,
}

impl Feed {
    /// Asks for the jobs of the files that changed rules concern. Those that would lose their copies come first in the
    /// queue; where they are too many of one rule they stay, and the sweep that follows says so.
    ///
    /// # Errors
    /// Our database's.
    pub async fn follow_rules(&self) -> Result<Followed, Error> {
        let (changed, now) = (self.changed_rules().await?, self.clock.now());
        if changed.is_empty() {
            return Ok(Followed::default());
        }
        // Before the first job is there: what was begun with these rules is not in line with those of the last sweep.
        self.database.write(move |tx| store::rules_followed(tx, &changed, now)).await?;
        let places = self.places().await?;
        let stopped = self.rules_with_too_many(&places).await?;
        let (mut followed, mut after) = (Followed::default(), String::new());
        while let Some(turned) = self.turned(&places, &mut after).await? {
            let mut wanted = Vec::with_capacity(turned.len());
            for Turned { key, holder, turn } in turned {
                let priority = match turn {
                    Turn::Leaving if stopped.contains(&holder.rule) => {
                        followed.stopped += 1;
                        continue;
                    }
                    Turn::Leaving => {
                        followed.leaving += 1;
                        Priority::Live
                    }
                    Turn::Otherwise => {
                        followed.otherwise += 1;
                        Priority::Backfill
                    }
                };
                wanted.push((Task::File { profile: key.profile, node: key.node }, priority));
            }
            self.ask_for(wanted).await?;
        }
        let Followed { leaving, otherwise, stopped } = followed;
        tracing::info!(
            leaving,
            otherwise,
            stopped,
            "rules changed: the known files that they concern have their jobs"
        );
        Ok(followed)
    }

    /// The rules of which more files would lose their copies than may before a person has looked.
    async fn rules_with_too_many(&self, places: &Chains) -> Result<HashSet<String>, Error> {
        let mut losses = Losses::of(self.database.read(survey::store::held_by_rules).await?);
        let mut after = String::new();
        while let Some(turned) = self.turned(places, &mut after).await? {
            for one in turned.into_iter().filter(|one| matches!(one.turn, Turn::Leaving)) {
                losses.add(&one.holder, true);
            }
        }
        Ok(losses.too_many(&self.sweeps).map(|(rule, _)| rule).collect())
    }

    /// Those of the next known files that the rules treat otherwise. None when there are no more files.
    async fn turned(&self, places: &Chains, after: &mut String) -> Result<Option<Vec<Turned>>, Error> {
        let from = after.clone();
        let ids = self.database.read(move |c| survey::store::page(c, &from, PAGE)).await?;
        let Some(last) = ids.last() else { return Ok(None) };
        last.clone_into(after);
        let known = self.known(ids).await?;
        let turned = known.rows.iter().filter_map(|(id, row)| {
            let copies = known.copies.get(id).map_or(&[][..], Vec::as_slice);
            self.turn(places, row, copies)
        });
        Ok(Some(turned.collect()))
    }

    fn turn(&self, places: &Chains, row: &FileRow, copies: &[Copy]) -> Option<Turned> {
        let key: FileKey = row.source_id.parse().ok()?;
        // Where it is, only its job can find out.
        let covering = (!row.path.is_empty()).then(|| self.rules.covering(&key.profile, &row.path))?;
        let names: Vec<&str> = covering.iter().map(|rule| rule.name.as_str()).collect();
        let is_in_its_places =
            copies.iter().all(|copy| covering.iter().any(|rule| places.of(rule).has(&copy.store)));
        let turn = match (covering.is_empty(), copies.is_empty()) {
            (true, false) => Turn::Leaving,
            _ if names.join(",") != row.rules || !is_in_its_places => Turn::Otherwise,
            _ => return None,
        };
        Some(Turned { key, holder: Holder::of(Some(row), copies), turn })
    }

    /// Asks for the jobs that are not there yet. One that waits or runs sees for itself; a dead one waits for a person.
    async fn ask_for(&self, wanted: Vec<(Task, Priority)>) -> Result<(), Error> {
        if wanted.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let write = self.database.write(move |tx| {
            let keys: Vec<String> = wanted.iter().map(|(task, _)| task.key()).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let there = queue::presence::states(tx, &keys)?;
            for (task, priority) in wanted.iter().filter(|(task, _)| !there.contains_key(&task.key())) {
                job::enqueue(tx, task, *priority, now)?;
            }
            Ok(())
        });
        write.await?;
        self.wake.notify_waiters();
        Ok(())
    }
}
