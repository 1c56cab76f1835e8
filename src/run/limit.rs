//! The limits that a rule sets to its runs: so many a day, and so many over one file in an hour. Reaching one holds a run
//! and says so; it does not fail it.

use std::time::Duration;

use super::row::Run;
use super::settings::Definition;
use super::store::{self, Change};
use super::{Runs, failed};
use crate::fastio::FileKey;
use crate::queue::Verdict;

/// How long a run waits at most before it looks again whether its rule's limits allow it.
const HELD: Duration = Duration::from_secs(15 * 60);

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

impl Runs {
    /// Why the rule's limits do not allow this run now, and for how long at most.
    pub(super) async fn over_limit(
        &self,
        run: &Run,
        definition: &Definition,
    ) -> Result<Option<Held>, Verdict> {
        let now = self.clock.now();
        let begun = |file: Option<FileKey>, since| {
            let rule = run.rule.clone();
            self.database.read(move |connection| store::begun_since(connection, &rule, file.as_ref(), since))
        };
        let hour = begun(Some(run.key.clone()), now - HOUR_MS).await.map_err(failed)?;
        let most = definition.max_runs_per_file_hour;
        if let Some(until) = room(&hour, most).map(|begun| begun + HOUR_MS) {
            let reason = format!(
                "{} runs over this file were begun within an hour, which looks like a loop with another program that \
                 changes the file after each; held until there are fewer (max_runs_per_file_hour = {most})",
                hour.len()
            );
            return Ok(Some(Held { reason, until }));
        }
        let Some(most) = definition.max_runs_per_day else { return Ok(None) };
        let day = begun(None, now - DAY_MS).await.map_err(failed)?;
        let until = room(&day, most).map(|begun| begun + DAY_MS);
        Ok(until.map(|until| Held {
            reason: format!("max_runs_per_day = {most} is reached; held until there is room"),
            until,
        }))
    }

    /// The run waits, without the lock, and says why.
    pub(super) async fn hold(&self, run: &Run, held: Held) -> Result<(), Verdict> {
        self.locks.release(&run.holder(), &run.key).await?;
        if run.held_until != Some(held.until) {
            tracing::warn!(
                run.id = run.id.0,
                rule = run.rule,
                path = run.path,
                reason = held.reason,
                "run held"
            );
            self.record(run.id, [Change::Held(held.reason.clone(), held.until)]).await?;
        }
        let wait = Duration::from_millis(u64::try_from(held.until - self.clock.now()).unwrap_or(0));
        Err(Verdict::Later { after: wait.clamp(Duration::from_secs(1), HELD), reason: held.reason })
    }
}

/// Why a run may not begin now.
pub(super) struct Held {
    reason: String,
    until: i64,
}

/// When the one was begun that must pass out of the window before another may begin; none while there is room.
fn room(begun: &[i64], most: u32) -> Option<i64> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    begun.len().checked_sub(most).and_then(|over| begun.get(over).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_again_when_enough_have_passed_out_of_the_window() {
        assert_eq!(room(&[1, 2], 3), None);
        assert_eq!(room(&[1, 2, 3], 3), Some(1));
        assert_eq!(room(&[1, 2, 3, 4], 3), Some(2));
        assert_eq!(room(&[], 1), None);
    }
}
