//! A run's life, one step at a time, for every engine. Each step that was left half done can be done again.

use std::sync::Arc;
use std::time::Duration;

use super::Runs;
use super::action;
use super::admit::FileState;
use super::batch;
use super::engine::ResponseState;
use super::row::{Outcome, Run, RunId, State};
use super::settings::Definition;
use super::store::{self, Change};
use crate::database::Connection;
use crate::fastio::FileKey;
use crate::job::{self, Task};
use crate::openai::ErrorKind;
use crate::outside::FRESH_MS;
use crate::queue::trail::{self, What};
use crate::queue::{Priority, Verdict};
use crate::sync::store as files;

/// Steps of one run in one go. A life without a wait takes ten; more means that a step and its record disagree.
const MOST_STEPS: usize = 60;

/// Between looks at a response: OpenAI's guide looks each 2 s, and a long one need not be asked for as often.
pub(super) const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(15));

/// Why a run waits that was begun.
pub const WORKING: &str = "OpenAI is working on it";

/// Why a run over what is not there is cancelled.
pub(super) const GONE: &str = "the file is gone";

impl Runs {
    /// Brings the runs of one rule over one file further. `attempt` counts the job's failures.
    pub async fn file(&self, key: &FileKey, rule: &str, attempt: u16) -> Verdict {
        self.try_file(key, rule, attempt).await.unwrap_or_else(|verdict| verdict)
    }

    async fn try_file(&self, key: &FileKey, rule: &str, attempt: u16) -> Result<Verdict, Verdict> {
        let definition = self.definition(rule);
        let standing = self.standing(key, definition).await?;
        if let Some(definition) = definition {
            self.admit(definition, &standing).await?;
        }
        let (of, rule, named) = (key.clone(), rule.to_owned(), rule.to_owned());
        let runs = self.database.read(move |connection| store::of_file(connection, &of, &rule)).await;
        let runs = runs?;
        let followed = self.follow_all(&runs, (definition, &standing), attempt).await;
        let Some(definition) = definition else {
            let left = self.leave_to_itself(key, &named).await;
            return followed.and_then(|verdict| left.map(|()| verdict));
        };
        let told = self.tell(key, definition, &standing).await;
        match (&followed, told) {
            (Ok(Verdict::Done), Err(verdict)) => Err(verdict),
            (_, Err(verdict)) => {
                // The run's own job comes again.
                tracing::debug!(?verdict, "what stands beside the file is looked at later");
                followed
            }
            _ => followed,
        }
    }

    /// Sees to it that what stands beside the file, and what the rule's table says of it, is so.
    async fn tell(&self, key: &FileKey, definition: &Definition, file: &FileState) -> Result<(), Verdict> {
        self.ask_for_table(key, definition, file).await?;
        self.publish(key, definition, file).await
    }

    async fn follow_all(
        &self,
        runs: &[Run],
        (definition, standing): (Option<&Arc<Definition>>, &FileState),
        attempt: u16,
    ) -> Result<Verdict, Verdict> {
        // The older one first: the lock can be had only when it has let go.
        for run in runs.iter().filter(|run| run.state != State::Ended) {
            match self.follow(run.id, (definition, standing), attempt).await? {
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
        (definition, standing): (Option<&Arc<Definition>>, &FileState),
        attempt: u16,
    ) -> Result<Verdict, Verdict> {
        for _ in 0..MOST_STEPS {
            let run = self.database.read(move |connection| store::get(connection, id)).await;
            let Some(run) = run?.filter(|run| run.state != State::Ended) else {
                return Ok(Verdict::Done);
            };
            let step = match definition {
                _ if run.state == State::Ending => self.end(&run, definition.map(Arc::as_ref)).await,
                None => self.stop(&run, standing).await,
                Some(definition) => self.step(&run, definition, standing).await,
            };
            match step {
                Ok(()) => {}
                Err(verdict) => {
                    let definition = definition.map(Arc::as_ref);
                    self.give_up_or(&run, definition, (verdict, attempt)).await?;
                }
            }
        }
        Err(Verdict::Retry { after: None, reason: format!("the run did not end after {MOST_STEPS} steps") })
    }

    /// A run that cannot go on ends as failed, so that it lets go of its lock; everything else is the job's.
    async fn give_up_or(
        &self,
        run: &Run,
        definition: Option<&Definition>,
        (verdict, attempt): (Verdict, u16),
    ) -> Result<(), Verdict> {
        let reason = match verdict {
            Verdict::Dead { reason } => reason,
            Verdict::Retry { reason, .. }
            | Verdict::Refused { reason, .. }
            | Verdict::Unavailable { reason, .. }
                if attempt >= self.max_attempts =>
            {
                format!("gave up after {attempt} attempts: {reason}")
            }
            other => return Err(other),
        };
        if run.state == State::Ending {
            tracing::warn!(
                run.id = run.id.0,
                reason,
                "the run ended without letting go of everything; it is left to jobs"
            );
            return self.record_end(run, vec![Change::LockLeft, Change::Ended], definition).await;
        }
        if run.state == State::Answered && run.is_written() {
            return self.delivered_in_part(run, &reason).await;
        }
        // What is refused may be refused because the file has gone, of which its own job has yet to hear.
        if let Ok(None) = self.source(run).await {
            return self.look_first(run).await;
        }
        self.ending(run, Outcome::Failed, &reason).await
    }

    /// The file is not there, and its own job has yet to hear of it. That job is asked to look: if the file is gone, the run ends, and is
    /// wanted again when the file is back. If it is back by then, nothing else would ever say that it was away, and the run goes on.
    pub(super) async fn look_first(&self, run: &Run) -> Result<(), Verdict> {
        let (FileKey { profile, node }, now) = (run.key.clone(), self.clock.now());
        let look = Task::File { profile, node };
        let ask = move |tx: &mut Connection| job::enqueue(tx, &look, Priority::Live, now).map(drop);
        self.database.write(ask).await?;
        self.wake.notify_waiters();
        Err(Verdict::later(LOOK_AGAIN.0, "the file is not there, which a look at it has to confirm"))
    }

    async fn step(&self, run: &Run, definition: &Definition, standing: &FileState) -> Result<(), Verdict> {
        let obsolete = standing.obsolete_because(&run.content_hash);
        if run.cancel || obsolete.is_some() {
            return self.stop(run, standing).await;
        }
        self.locks.keep(&run.holder(), &run.key).await?;
        match run.state {
            State::Wanted => match self.asks_fastio(run, definition, standing).await? {
                true => Ok(()),
                false => self.begin(run, definition, standing).await,
            },
            State::Starting => match self.goes_on_in_batch(run, definition).await? {
                true => Ok(()),
                false => self.find_lost(run, definition).await,
            },
            State::Running => self.look(run, definition).await,
            State::Answered => self.deliver(run, definition, standing).await,
            State::Ending | State::Ended => Ok(()),
        }
    }

    /// The run has lost its object, or a person stopped it.
    async fn stop(&self, run: &Run, standing: &FileState) -> Result<(), Verdict> {
        let (outcome, reason) = match standing.obsolete_because(&run.content_hash) {
            _ if run.cancel => (Outcome::Cancelled, "a person stopped it"),
            Some(obsolete) => obsolete,
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
        mut changes: Vec<Change>,
        (outcome, reason): (Outcome, &str),
    ) -> Result<(), Verdict> {
        let (run_id, rule, path, outcome_name) = (run.id.0, &run.rule, &run.path, outcome.as_str());
        match outcome {
            // What was to be found out is not, and nothing else says so.
            Outcome::Failed | Outcome::Refused | Outcome::Held => {
                tracing::warn!(
                    run.id = run_id,
                    rule,
                    path,
                    outcome = outcome_name,
                    reason,
                    "run ends without a result"
                );
            }
            _ => tracing::info!(run.id = run_id, rule, path, outcome = outcome_name, reason, "run ends"),
        }
        let now = self.clock.now();
        trail::done(What::Analysed, (now, now), format!("{outcome_name}: {reason}"));
        changes.push(Change::Ending { outcome, reason: Some(reason.to_owned()) });
        self.record(run.id, changes).await
    }

    async fn look(&self, run: &Run, definition: &Definition) -> Result<(), Verdict> {
        let (Some(conversation), Some(response)) = (run.made_in(), run.response.as_deref()) else {
            return self.ending(run, Outcome::Failed, "its response is not on record").await;
        };
        let found = definition.engine.look(&self.openai, conversation, response).await;
        let age = self.clock.since(run.begun_at.unwrap_or(run.created_at));
        let found = match found {
            Ok(found) => found,
            Err(error) => return Err(self.unanswered(definition, &error).await),
        };
        match found {
            ResponseState::Ended(ended) => self.ended(run, definition, *ended).await,
            ResponseState::Lost if age < FRESH_MS => {
                Err(Verdict::later(LOOK_AGAIN.0, "OpenAI does not show the new response yet"))
            }
            ResponseState::Lost => {
                let reason =
                    format!("OpenAI no longer has response {response}: it expired, or it was deleted");
                self.record(run.id, [Change::Quiet]).await?;
                self.ending(run, Outcome::Failed, &reason).await
            }
            ResponseState::Going if age >= definition.deadline_ms => {
                let cancelled = definition.engine.cancel(&self.openai, conversation, response).await;
                if let Err(error) = cancelled {
                    return Err(self.unanswered(definition, &error).await);
                }
                // What it wrote up to its last moment may be the answer.
                match definition.engine.look(&self.openai, conversation, response).await {
                    Ok(ResponseState::Ended(ended)) => self.ended(run, definition, *ended).await,
                    Ok(ResponseState::Lost | ResponseState::Going) => {
                        Err(Verdict::later(LOOK_AGAIN.0, "it was cancelled and has not ended yet"))
                    }
                    Err(error) => Err(self.unanswered(definition, &error).await),
                }
            }
            ResponseState::Going => {
                let wait = Duration::from_millis(u64::try_from(age / 10).unwrap_or(0));
                Err(Verdict::later(wait.clamp(LOOK_AGAIN.0, LOOK_AGAIN.1), WORKING))
            }
        }
    }

    /// Lets go of everything, then the run has ended.
    async fn end(&self, run: &Run, definition: Option<&Definition>) -> Result<(), Verdict> {
        self.locks.release(&run.holder(), &run.key).await?;
        if run.live
            && let (Some(definition), Some(conversation), Some(response)) =
                (definition, run.made_in(), &run.response)
        {
            let cancelled = definition.engine.cancel(&self.openai, conversation, response).await;
            match cancelled {
                Ok(()) => self.record(run.id, [Change::Quiet]).await?,
                Err(error) if error.kind == ErrorKind::NotFound => {
                    self.record(run.id, [Change::Quiet]).await?
                }
                Err(error) => return Err(self.unanswered(definition, &error).await),
            }
        }
        self.record_end(run, vec![Change::Ended], definition).await
    }

    /// Writes down that the run has ended. OpenAI needs a file no longer that its rule keeps out.
    async fn record_end(
        &self,
        run: &Run,
        changes: Vec<Change>,
        definition: Option<&Definition>,
    ) -> Result<(), Verdict> {
        let (run, now) = (run.clone(), self.clock.now());
        let stays_ms = definition.map_or(0, |definition| definition.rule.leaves_after_ms);
        let actions = definition.map(|definition| definition.actions.clone()).unwrap_or_default();
        let write = move |tx: &mut Connection| {
            changes.iter().try_for_each(|change| change.write(tx, run.id, now))?;
            batch::store::leave(tx, run.id)?;
            if run.outcome == Some(Outcome::Completed) {
                action::want(tx, &run, &actions, now)?;
            }
            if files::let_go(tx, &run.key, &run.rule, now + stays_ms)? && stays_ms == 0 {
                let FileKey { profile, node } = run.key.clone();
                job::enqueue(tx, &Task::File { profile, node }, Priority::Live, now)?;
            }
            Ok(())
        };
        self.database.write(write).await?;
        self.wake.notify_waiters();
        Ok(())
    }
}
