//! What runs left at Fastio and OpenAI, and runs that no job works on any more.
//!
//! Each has a job from the moment it was left. One that lost its job, as when a person discarded it, gets another here.
//! Only what is on record as ours is looked at, whatever else the services list.

use super::difference::Kind;
use super::{Finding, Sweeper};
use crate::feed::Error;
use crate::job::{self, Task};
use crate::own::SETTLES_WITHIN_MS;
use crate::queue::Priority;
use crate::{outside, run};

/// Looked at by one sweep; what is beyond is for the next one.
const MOST: u32 = 10_000;

impl Sweeper<'_> {
    pub async fn leftovers(&mut self) -> Result<(), Error> {
        if self.scope.rule.is_some() || self.scope.profile.is_some() || self.scope.fastio_only {
            // They belong to no list.
            return Ok(());
        }
        let now = self.feed.clock.now();
        let read = self.feed.database.read(move |c| {
            let left = outside::store::left(c, MOST, now - SETTLES_WITHIN_MS)?;
            let stalled = run::store::unfinished(c, MOST)?;
            Ok((left, stalled, outside::store::counts(c)?.1.unsigned_abs()))
        });
        let (left, stalled, unanswered) = read.await?;
        self.report.unanswered = unanswered;
        let mut found: Vec<(Finding, Task)> = Vec::new();
        for left in &left {
            found.push((Finding::new(Kind::Leftover, left.words(), &left.owner, ""), left.task()));
        }
        for row in &stalled {
            let why = "its run has not ended, and has no job";
            found.extend(
                row.task().map(|task| (Finding::new(Kind::Stalled, why, &row.source_id, &row.path), task)),
            );
        }
        let found = self.not_in_hand(found, |(_, task)| task.clone()).await?;
        for (finding, _) in &found {
            self.found(finding, true);
        }
        if self.scope.dry_run {
            return Ok(());
        }
        let lost_before = now - self.feed.sweeps.keep_lost_ms();
        let write = self.feed.database.write(move |tx| {
            outside::store::leave_old_writes(tx, now - SETTLES_WITHIN_MS, now)?;
            outside::store::forget_unanswered(tx, lost_before)?;
            for (_, task) in &found {
                job::enqueue(tx, task, Priority::Backfill, now)?;
            }
            Ok(())
        });
        write.await?;
        self.feed.wake.notify_waiters();
        Ok(())
    }
}
