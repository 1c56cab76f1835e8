//! The limits that a rule sets to its runs: so many a day, so many tokens a day, and so many over one file in an hour. Reaching
//! one holds a run and says so; it does not fail it.

use std::time::Duration;

use super::Runs;
use super::again::{BYTES_PER_TOKEN, GUESSED_OUTPUT_TOKENS};
use super::row::Run;
use super::settings::Definition;
use super::store::tries::{self, Took};
use super::store::{self, Change};
use crate::database::{Connection, Error};
use crate::queue::Verdict;

/// How long a run waits at most before it looks again whether its rule's limits allow it.
const HELD: Duration = Duration::from_secs(15 * 60);

/// The most that is expected of a document of which only its bytes are known: pictures and layout are bytes too.
const MOST_GUESSED: u64 = 25_000;

const HOUR_MS: i64 = 60 * 60 * 1000;
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// Why a run may not begin now, and until when at most.
#[derive(Debug)]
pub(super) struct Held {
    reason: String,
    until: i64,
}

/// Why the rule's limits do not allow this run, which takes so many tokens, now.
pub(super) fn over(
    connection: &mut Connection,
    (run, definition, expected): (&Run, &Definition, u64),
    now: i64,
) -> Result<Option<Held>, Error> {
    let rule = definition.rule.name.as_str();
    let hour = store::begun_since(connection, rule, Some(&run.key), now - HOUR_MS)?;
    let most = definition.max_runs_per_file_hour;
    if let Some(until) = room(&hour, most).map(|begun| begun + HOUR_MS) {
        let reason = format!(
            "{} runs over this file were begun within an hour, which looks like a loop with another program that \
             changes the file after each; held until there are fewer (max_runs_per_file_hour = {most})",
            hour.len()
        );
        return Ok(Some(Held { reason, until }));
    }
    let most = definition.max_runs_per_day;
    let day = store::begun_since(connection, rule, None, now - DAY_MS)?;
    if let Some(begun) = room(&day, most) {
        return Ok(Some(Held { reason: reached("max_runs_per_day", most.into()), until: begun + DAY_MS }));
    }
    let most = definition.max_tokens_per_day;
    let took = tries::since(connection, rule, now - DAY_MS)?;
    let until = tokens_until(&took, (expected, most)).map(|begun| begun + DAY_MS);
    Ok(until.map(|until| Held { reason: reached("max_tokens_per_day", most), until }))
}

fn reached(limit: &str, most: u64) -> String {
    format!(
        "{limit} = {most} is reached; held until there is room within 24 hours. To begin sooner, raise it in [rule.run] and \
         restart the server"
    )
}

/// What a response that reads the document is expected to take, by what the rule's others took.
pub(super) fn expected(connection: &mut Connection, run: &Run, rule: &str) -> Result<u64, Error> {
    let (input, output, _) = tries::mean(connection, rule)?;
    let of_rule = input.map(|input| (input + output.unwrap_or(0.0)).max(0.0) as u64);
    Ok(of_rule.unwrap_or((run.bytes / BYTES_PER_TOKEN).clamp(GUESSED_OUTPUT_TOKENS, MOST_GUESSED)))
}

impl Runs {
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

/// When the one was begun that must pass out of the window before another may begin; none while there is room.
fn room(begun: &[i64], most: u32) -> Option<i64> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    begun.len().checked_sub(most).and_then(|over| begun.get(over).copied())
}

/// When the last one was begun that must pass out of the window before there is room for as many tokens as are expected; none
/// while there is. A run that takes more than the limit alone begins when nothing else was taken.
fn tokens_until(took: &[Took], (expected, most): (u64, u64)) -> Option<i64> {
    let signed = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
    let room = signed(most).saturating_sub(signed(expected)).max(0);
    let mut sum: i64 = took.iter().map(|one| one.tokens).sum();
    let mut until = None;
    for one in took {
        if sum <= room {
            break;
        }
        sum -= one.tokens;
        until = Some(one.begun_at);
    }
    until
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

    #[test]
    fn there_are_tokens_again_when_enough_have_passed_out_of_the_window() {
        let took: Vec<Took> =
            [(1, 40), (2, 0), (3, 30)].map(|(begun_at, tokens)| Took { begun_at, tokens }).to_vec();
        assert_eq!(tokens_until(&took, (30, 100)), None);
        assert_eq!(tokens_until(&took, (31, 100)), Some(1));
        assert_eq!(tokens_until(&took, (80, 100)), Some(3));
        assert_eq!(tokens_until(&took, (500, 100)), Some(3), "when nothing else was taken");
        assert_eq!(tokens_until(&[], (500, 100)), None);
    }
}
