//! A run's life, one step at a time, for every engine. Each step can be done again by whoever finds it half done.

use std::time::Duration;

use super::admit::Standing;
use super::engine::{Ended, Found, How, Traced};
use super::frame;
use super::row::{Outcome, Run, RunId, State};
use super::settings::{Definition, Engine};
use super::store::{self, Change};
use super::{Runs, failed};
use crate::event::{self, FileKey, Task};
use crate::openai::{Error, ErrorKind};
use crate::queue::{Priority, Verdict};
use crate::sync::verdict::openai_verdict;

/// Steps of one run in one go. A life without a wait takes ten; more means that a step and its record disagree.
const MOST_STEPS: usize = 60;

/// Between looks at a response: OpenAI's guide looks each 2 s, and a long one need not be asked for as often.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(15));

/// Between looks for a response whose creation was not answered.
const TRACE_AGAIN: Duration = Duration::from_secs(20);

/// How long after its creation OpenAI may still say that something does not exist. Seen in the issue trackers of two of
/// its clients; nothing documents it.
const FRESH_MS: i64 = 60 * 1000;

/// Added to the deadline before a creation that left no trace is taken to have made nothing: the clocks of two services
/// and the time an answer may take.
const TRACE_MARGIN_MS: i64 = 60 * 1000;

/// Responses that may fail for reasons that pass, before the run has.
const MOST_TRIES: u16 = 3;

/// How long a run waits at most before it looks again whether its rule's limits allow it.
const HELD: Duration = Duration::from_secs(15 * 60);

/// How long a run waits for the copy of a file that is just being replaced.
const UNINDEXED: Duration = Duration::from_secs(10);

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

impl Runs {
    /// Brings the runs of one rule over one file further. `attempt` counts the job's failures.
    pub async fn file(&self, key: &FileKey, rule: &str, attempt: u16) -> Verdict {
        self.try_file(key, rule, attempt).await.unwrap_or_else(|verdict| verdict)
    }

    async fn try_file(&self, key: &FileKey, rule: &str, attempt: u16) -> Result<Verdict, Verdict> {
        let definition = self.definition(rule);
        let standing = self.standing(key, definition).await?;
        if let Some(definition) = definition {
            self.admit(key, definition, &standing).await?;
        }
        let runs = store::of_file(&mut *self.reader().await?, key, rule).await.map_err(failed)?;
        // The older one first: the lock can be had only when it has let go.
        for run in runs.iter().filter(|run| run.state != State::Ended) {
            match self.follow(run.id, (definition, &standing), attempt).await? {
                Verdict::Done => {}
                waits => return Ok(waits),
            }
        }
        Ok(Verdict::Done)
    }

    /// Does the steps of one run until it has ended or has to wait.
    async fn follow(
        &self,
        id: RunId,
        (definition, standing): (Option<&Definition>, &Standing),
        attempt: u16,
    ) -> Result<Verdict, Verdict> {
        for _ in 0..MOST_STEPS {
            let run = store::get(&mut *self.reader().await?, id).await.map_err(failed)?;
            let Some(run) = run.filter(|run| run.state != State::Ended) else { return Ok(Verdict::Done) };
            let step = match definition {
                _ if run.state == State::Ending => self.end(&run, definition).await,
                None => self.stop(&run, standing).await,
                Some(definition) => self.step(&run, definition, standing).await,
            };
            match step {
                Ok(()) => {}
                Err(verdict) => self.give_up_or(&run, verdict, attempt).await?,
            }
        }
        Err(Verdict::Retry { after: None, reason: format!("the run did not end after {MOST_STEPS} steps") })
    }

    /// A run that cannot go on ends as failed, so that it lets go of its lock; everything else is the job's.
    async fn give_up_or(&self, run: &Run, verdict: Verdict, attempt: u16) -> Result<(), Verdict> {
        let reason = match verdict {
            Verdict::Dead { reason } => reason,
            Verdict::Retry { reason, .. } | Verdict::Unavailable { reason, .. }
                if attempt >= self.max_attempts =>
            {
                format!("gave up after {attempt} attempts: {reason}")
            }
            other => return Err(other),
        };
        if run.state == State::Ending {
            // The lock runs out by itself; nothing else is held.
            tracing::warn!(run.id = run.id.0, reason, "the run ended without letting go of everything");
            return self.record(run.id, &[Change::LockGone, Change::Quiet, Change::Ended]).await;
        }
        self.ending(run, Outcome::Failed, &reason).await
    }

    async fn step(&self, run: &Run, definition: &Definition, standing: &Standing) -> Result<(), Verdict> {
        let objection = standing.objection(&run.content_hash);
        if run.cancel || objection.is_some() {
            return self.stop(run, standing).await;
        }
        self.keep_lock(run).await?;
        match run.state {
            State::Wanted => self.begin(run, definition, standing).await,
            State::Starting => self.trace(run, definition).await,
            State::Running => self.look(run, definition).await,
            State::Answered => self.deliver(run, definition, standing).await,
            State::Ending | State::Ended => Ok(()),
        }
    }

    /// The run has lost its object, or a person stopped it.
    async fn stop(&self, run: &Run, standing: &Standing) -> Result<(), Verdict> {
        let (outcome, reason) = match standing.objection(&run.content_hash) {
            _ if run.cancel => (Outcome::Cancelled, "a person stopped it"),
            Some(objection) => objection,
            None => (Outcome::Cancelled, "nothing is run over the file any more"),
        };
        self.ending(run, outcome, reason).await
    }

    pub(super) async fn ending(&self, run: &Run, outcome: Outcome, reason: &str) -> Result<(), Verdict> {
        self.ending_with(run, Vec::new(), (outcome, reason)).await
    }

    /// Writes `changes` down, and with them that the run ends.
    pub(super) async fn ending_with(
        &self,
        run: &Run,
        mut changes: Vec<Change<'_>>,
        (outcome, reason): (Outcome, &str),
    ) -> Result<(), Verdict> {
        tracing::info!(
            run.id = run.id.0,
            rule = run.rule,
            path = run.path,
            outcome = outcome.as_str(),
            reason,
            "run ends"
        );
        changes.push(Change::Ending { outcome, reason: Some(reason) });
        self.record(run.id, &changes).await
    }

    /// Takes what the run needs and creates its response.
    async fn begin(&self, run: &Run, definition: &Definition, standing: &Standing) -> Result<(), Verdict> {
        let Standing::Present(indexed) = standing else {
            return Err(later(UNINDEXED, "OpenAI is being given the file anew"));
        };
        if let Some(file_id) = indexed.copy.file_id.as_ref().filter(|id| id.0 != run.file_id) {
            let bytes = indexed.copy.bytes;
            return self.record(run.id, &[Change::File(&file_id.0, bytes)]).await;
        }
        if let Some(held) = self.over_limit(run, definition).await? {
            return self.hold(run, held).await;
        }
        if definition.lock && !run.is_locked() {
            return self.lock(run).await;
        }
        let shown = match frame::shown(definition, run) {
            Ok(shown) => shown,
            Err(reason) => return self.ending(run, Outcome::Failed, &reason).await,
        };
        let ask = (definition, run, &shown);
        let Some(conversation) = &run.conversation else {
            let made =
                definition.engine.prepare(&self.openai, ask).await.map_err(|error| openai_verdict(&error))?;
            return self.record(run.id, &[Change::Conversation(&made)]).await;
        };
        self.record(run.id, &[Change::Begun]).await?;
        match definition.engine.start(&self.openai, ask, conversation).await {
            Ok(response) => self.record(run.id, &[Change::Response(&response)]).await,
            Err(error) if error.may_have_happened() => {
                tracing::warn!(run.id = run.id.0, error = %error, "no answer to a run's creation; looking whether it runs");
                Err(later(LOOK_AGAIN.0, "OpenAI did not answer to its creation; looking whether it runs"))
            }
            Err(error) => self.not_begun(run, &error).await,
        }
    }

    /// OpenAI says that it made nothing.
    async fn not_begun(&self, run: &Run, error: &Error) -> Result<(), Verdict> {
        if error.is_not_found() {
            // The conversation, which is new, or was deleted by somebody.
            self.record(run.id, &[Change::Unbegun, Change::Again("its conversation was not found")]).await?;
            return Err(Verdict::Retry { after: None, reason: error.to_string() });
        }
        self.record(run.id, &[Change::Unbegun]).await?;
        if error.names(&run.file_id) {
            // The copy was replaced meanwhile, or somebody deleted it. Its file's job or a sweep brings another.
            return Err(Verdict::Retry { after: None, reason: error.to_string() });
        }
        Err(openai_verdict(error))
    }

    /// Finds out whether a response exists whose creation nobody saw answered.
    async fn trace(&self, run: &Run, definition: &Definition) -> Result<(), Verdict> {
        let begun_at = run.begun_at.unwrap_or(run.created_at);
        let age = self.clock.now() - begun_at;
        let conversation = run.conversation.as_deref().unwrap_or_default();
        match definition.engine.trace(&self.openai, conversation).await {
            Ok(Traced::Exists(response)) => self.record(run.id, &[Change::Response(&response)]).await,
            Ok(Traced::Ended(ended)) => self.ended(run, definition, *ended).await,
            Ok(Traced::Nothing) if age < traceless_ms(definition) => {
                Err(later(TRACE_AGAIN, "OpenAI did not answer to its creation; looking whether it runs"))
            }
            Ok(Traced::Nothing) => {
                tracing::warn!(run.id = run.id.0, "a run's creation left no trace; creating it once more");
                self.record(run.id, &[Change::Again("its creation was not answered and left no trace")]).await
            }
            Err(error) if error.is_not_found() && age < FRESH_MS => {
                Err(later(LOOK_AGAIN.0, "OpenAI does not show its conversation yet"))
            }
            Err(error) => Err(openai_verdict(&error)),
        }
    }

    async fn look(&self, run: &Run, definition: &Definition) -> Result<(), Verdict> {
        let (Some(conversation), Some(response)) = (run.conversation.as_deref(), run.response.as_deref())
        else {
            return self.ending(run, Outcome::Failed, "its response is not on record").await;
        };
        let found = definition.engine.look(&self.openai, conversation, response).await;
        let age = self.clock.now() - run.begun_at.unwrap_or(run.created_at);
        match found.map_err(|error| openai_verdict(&error))? {
            Found::Ended(ended) => self.ended(run, definition, *ended).await,
            Found::Lost if age < FRESH_MS => {
                Err(later(LOOK_AGAIN.0, "OpenAI does not show the new response yet"))
            }
            Found::Lost => {
                let reason =
                    format!("OpenAI no longer has response {response}: it expired, or somebody deleted it");
                self.record(run.id, &[Change::Quiet]).await?;
                self.ending(run, Outcome::Failed, &reason).await
            }
            Found::Going if age >= definition.deadline_ms => {
                let cancelled = definition.engine.cancel(&self.openai, conversation, response).await;
                cancelled.map_err(|error| openai_verdict(&error))?;
                // What it wrote up to its last moment may be the answer.
                match definition.engine.look(&self.openai, conversation, response).await {
                    Ok(Found::Ended(ended)) => self.ended(run, definition, *ended).await,
                    Ok(Found::Lost | Found::Going) => {
                        Err(later(LOOK_AGAIN.0, "it was cancelled and has not ended yet"))
                    }
                    Err(error) => Err(openai_verdict(&error)),
                }
            }
            Found::Going => {
                let wait = Duration::from_millis(u64::try_from(age / 10).unwrap_or(0));
                Err(later(wait.clamp(LOOK_AGAIN.0, LOOK_AGAIN.1), "OpenAI is at it"))
            }
        }
    }

    /// The response has ended, in one of many ways.
    async fn ended(&self, run: &Run, definition: &Definition, ended: Ended) -> Result<(), Verdict> {
        let seconds = definition.deadline_ms / 1000;
        match &ended.how {
            How::Completed => self.answer(run, definition, ended).await,
            How::Incomplete(reason) => {
                let (outcome, reason) = match (reason.as_str(), definition.max_output_tokens) {
                    ("max_output_tokens", Some(limit)) => (
                        Outcome::Held,
                        format!(
                            "the answer needs more than max_output_tokens = {limit}: raise it in the rule, then \
                             `docket runs again --rule {}`",
                            run.rule
                        ),
                    ),
                    ("max_output_tokens", None) => {
                        (Outcome::Failed, "the answer is longer than the model can write".to_owned())
                    }
                    (reason, _) => (Outcome::Failed, format!("the answer is incomplete: {reason}")),
                };
                self.end_without(run, (&ended, outcome), &reason).await
            }
            How::Failed(failure) if failure.may_pass() && run.tries < MOST_TRIES => {
                let reason = format!("OpenAI: {} ({})", failure.message, failure.code);
                self.record(run.id, &[Change::Again(&reason)]).await?;
                Err(Verdict::Retry { after: None, reason })
            }
            How::Failed(failure) => {
                let reason =
                    format!("OpenAI: {} ({}), after {} tries", failure.message, failure.code, run.tries);
                self.end_without(run, (&ended, Outcome::Failed), &reason).await
            }
            How::Cancelled => {
                let late = self.clock.now() - run.begun_at.unwrap_or(0) >= definition.deadline_ms;
                let reason = if late {
                    format!("it took longer than {seconds} s and was cancelled")
                } else {
                    "somebody cancelled it at OpenAI".to_owned()
                };
                self.end_without(run, (&ended, Outcome::Failed), &reason).await
            }
            How::Stuck(what) => {
                if let (Some(conversation), Some(response)) = (&run.conversation, &run.response) {
                    let cancelled = definition.engine.cancel(&self.openai, conversation, response).await;
                    cancelled.map_err(|error| openai_verdict(&error))?;
                }
                let reason = format!("it waits for {what}, which nobody is there to give");
                self.end_without(run, (&ended, Outcome::Failed), &reason).await
            }
        }
    }

    /// Lets go of everything, then the run has ended.
    async fn end(&self, run: &Run, definition: Option<&Definition>) -> Result<(), Verdict> {
        self.unlock(run).await?;
        if run.live
            && let (Some(definition), Some(conversation), Some(response)) =
                (definition, &run.conversation, &run.response)
        {
            let cancelled = definition.engine.cancel(&self.openai, conversation, response).await;
            match cancelled {
                Ok(()) => self.record(run.id, &[Change::Quiet]).await?,
                Err(error) if error.kind == ErrorKind::NotFound => {
                    self.record(run.id, &[Change::Quiet]).await?
                }
                Err(error) => return Err(openai_verdict(&error)),
            }
        }
        let write = async {
            let mut transaction = self.database.begin().await?;
            let now = self.clock.now();
            Change::Ended.write(&mut transaction, run.id, now).await?;
            if definition.is_some_and(|definition| definition.digest.is_some()) {
                let task = Task::Digest { rule: run.rule.clone() };
                event::ask(&mut transaction, &task, (Priority::Live, now)).await?;
            }
            transaction.commit().await
        };
        write.await.map_err(failed)?;
        self.wake.notify_waiters();
        Ok(())
    }

    /// Why the rule's limits do not allow this run now, and for how long at most.
    async fn over_limit(&self, run: &Run, definition: &Definition) -> Result<Option<Held>, Verdict> {
        let now = self.clock.now();
        let mut reader = self.reader().await?;
        let (rule, file) = (run.rule.as_str(), Some(&run.key));
        let hour = store::begun_since(&mut reader, (rule, file), now - HOUR_MS).await.map_err(failed)?;
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
        let day = store::begun_since(&mut reader, (rule, None), now - DAY_MS).await.map_err(failed)?;
        let until = room(&day, most).map(|begun| begun + DAY_MS);
        Ok(until.map(|until| Held {
            reason: format!("max_runs_per_day = {most} is reached; held until there is room"),
            until,
        }))
    }

    /// The run waits, without the lock, and says why.
    async fn hold(&self, run: &Run, held: Held) -> Result<(), Verdict> {
        self.unlock(run).await?;
        if run.reason.as_deref() != Some(&held.reason) {
            tracing::warn!(
                run.id = run.id.0,
                rule = run.rule,
                path = run.path,
                reason = held.reason,
                "run held"
            );
            self.record(run.id, &[Change::Waits(Some(&held.reason))]).await?;
        }
        let wait = Duration::from_millis(u64::try_from(held.until - self.clock.now()).unwrap_or(0));
        Err(Verdict::Later { after: wait.clamp(Duration::from_secs(1), HELD), reason: held.reason })
    }
}

/// How long a creation that was not answered may leave no trace before it is taken to have made nothing. A conversation
/// shows a response when that has completed, a thread at once.
fn traceless_ms(definition: &Definition) -> i64 {
    match definition.engine {
        Engine::Responses { .. } => definition.deadline_ms + TRACE_MARGIN_MS,
        Engine::Assistants { .. } => FRESH_MS,
    }
}

struct Held {
    reason: String,
    until: i64,
}

/// When the one was begun that must pass out of the window before another may begin; none while there is room.
fn room(begun: &[i64], most: u32) -> Option<i64> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    begun.len().checked_sub(most).and_then(|over| begun.get(over).copied())
}

pub(super) fn later(after: Duration, reason: &str) -> Verdict {
    Verdict::Later { after, reason: reason.to_owned() }
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
