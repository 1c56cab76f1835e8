//! How a run begins: it takes what it needs, its response is created, and one whose creation was not answered is looked
//! for until it is found or cannot be there.

use std::time::Duration;

use super::admit::FileState;
use super::engine::LostResponse;
use super::frame;
use super::limit::Held;
use super::original::Without;
use super::pace::Turn;
use super::pace::room::Wanted;
use super::row::{Outcome, Run};
use super::settings::{Definition, Engine, ServiceTier};
use super::steps::LOOK_AGAIN;
use super::store::tries::NewTry;
use super::store::{self, Change};
use super::{Runs, existing, limit, pace};
use crate::database::{self, Connection};
use crate::fastio::FileKey;
use crate::job::verdict::{OPENAI, begin_verdict, call_cause, model_cause, rule_cause};
use crate::job::{self, Task};
use crate::openai::{self, Error, ErrorKind, ModelLimits};
use crate::outside::store::Conversation;
use crate::outside::{self, FRESH_MS, Kind};
use crate::queue::trail::{self, What};
use crate::queue::{Priority, Verdict};
use crate::sync::budget;
use crate::sync::store::{self as files, Chain, Indexed, chain};

/// Between looks for a response whose creation was not answered.
const TRACE_AGAIN: Duration = Duration::from_secs(20);

/// Added to the deadline before a creation that left no trace is taken to have made nothing: the clocks of two services
/// and the time an answer may take.
const TRACE_MARGIN_MS: i64 = 60 * 1000;

/// Between tries for a lock that another user holds. People keep one for minutes.
const HELD_BY_OTHER: Duration = Duration::from_secs(30);

/// How long a run waits for the copy of a file that is just being replaced.
const UNINDEXED: Duration = Duration::from_secs(10);

impl Runs {
    /// Takes what the run needs and creates its response.
    pub(super) async fn begin(
        &self,
        run: &Run,
        definition: &Definition,
        standing: &FileState,
    ) -> Result<(), Verdict> {
        let indexed = match standing {
            FileState::Present(indexed) => indexed,
            FileState::Unindexed(row) if row.is_out(&run.rule) => return Err(self.bring(run).await?),
            _ => return Err(Verdict::later(UNINDEXED, "OpenAI is being given the file anew")),
        };
        if let Some(copy) = &indexed.copy {
            if let Some(file_id) = copy.file_id.as_ref().filter(|id| id.0 != run.file_id) {
                return self.record(run.id, [Change::File(file_id.0.clone(), copy.bytes)]).await;
            }
            if copy.store.0 != run.vector_store {
                return self.record(run.id, [Change::Store(copy.store.0.clone())]).await;
            }
        }
        if definition.in_batches
            && (self.withdrawn((run, definition), indexed).await?
                || self.joins_batch(run, definition, indexed).await?)
        {
            return Ok(());
        }
        if let Some(gate) = self.gate((run, definition)).await? {
            return self.wait_at(run, gate).await;
        }
        if run.held_until.is_some() {
            return self.record(run.id, [Change::Waits(None)]).await;
        }
        if self.withdrawn((run, definition), indexed).await? {
            return Ok(());
        }
        if indexed.copy.is_none() {
            return self.bring_in(run).await;
        }
        if definition.lock && !self.locks.is_held(&run.holder()).await? {
            return self.lock(run).await;
        }
        let stores = self.stores(definition).await?;
        let shown = match frame::shown(definition, run, &stores) {
            Ok(shown) => {
                frame::Shown { service_tier: self.service_tier(definition, indexed).await?, ..shown }
            }
            Err(reason) => return self.ending(run, Outcome::Failed, &reason).await,
        };
        self.may_begin(run, definition)?;
        let ask = (definition, run, &shown);
        let Some(conversation) = run.made_in() else { return self.prepare(ask).await };
        let shown = match self.with_original((run, definition), indexed, shown).await {
            Ok(shown) => shown,
            Err(Without::Ever(reason)) => return self.ending(run, Outcome::Failed, &reason).await,
            Err(Without::Refused(error)) => return Err(self.refused((run, definition), &error).await),
            Err(Without::Verdict(verdict)) => return Err(verdict),
        };
        let ask = (definition, run, &shown);
        if let Some(gate) = self.begun((run, definition)).await? {
            return self.wait_at(run, gate).await;
        }
        let began_at = self.clock.now();
        match definition.engine.start(&self.openai, ask, conversation).await {
            Ok(response) => {
                let model = pace::model(definition);
                trail::done(What::Asked, (began_at, self.clock.now()), model);
                self.created((run, definition), response).await
            }
            Err(error) if error.may_have_happened() => {
                tracing::warn!(run.id = run.id.0, error = %error, "no answer to a run's creation; looking whether it runs");
                Err(Verdict::later(
                    LOOK_AGAIN.0,
                    "OpenAI did not answer to its creation; looking whether it runs",
                ))
            }
            Err(error) => self.not_begun((run, definition), &error).await,
        }
    }

    /// Has the file come back that had left OpenAI to make room.
    async fn bring(&self, run: &Run) -> Result<Verdict, Verdict> {
        let (file, now) = ([run.key.to_string()], self.clock.now());
        self.database.write(move |tx| budget::store::bring(tx, &file, now)).await?;
        self.wake.notify_waiters();
        Ok(Verdict::later(UNINDEXED, "its file had left OpenAI to make room, and comes back for it"))
    }

    /// The vector stores of the rule.
    pub(super) async fn stores(&self, definition: &Definition) -> Result<Chain, Verdict> {
        let rule = definition.rule.clone();
        Ok(self.database.read(move |connection| chain(connection, &rule)).await?)
    }

    /// Has the file brought to OpenAI, which its rule keeps out as long as no run needs it there. When it is indexed the run is looked at
    /// again.
    async fn bring_in(&self, run: &Run) -> Result<(), Verdict> {
        let (key, rule, now) = (run.key.clone(), run.rule.clone(), self.clock.now());
        let write = move |tx: &mut Connection| {
            if files::want_in(tx, &key, &rule, now)? {
                let FileKey { profile, node } = key.clone();
                job::enqueue(tx, &Task::File { profile, node }, Priority::Live, now)?;
            }
            // A budget may have no room for it but by another one's leaving.
            budget::store::bring(tx, &[key.to_string()], now).map(drop)
        };
        self.database.write(write).await?;
        self.wake.notify_waiters();
        Err(Verdict::later(
            UNINDEXED,
            "OpenAI is being given the file, because Fastio's answer was not enough",
        ))
    }

    /// How OpenAI is to process the run: what was there before the rule may be processed otherwise than what comes now.
    async fn service_tier(
        &self,
        definition: &Definition,
        indexed: &Indexed,
    ) -> Result<Option<ServiceTier>, Verdict> {
        if definition.backfill_service_tier == definition.service_tier {
            return Ok(definition.service_tier);
        }
        let (rule, indexed, now) = (definition.rule.name.clone(), indexed.clone(), self.clock.now());
        let read =
            move |connection: &mut Connection| existing::is_backfill(connection, (&rule, &indexed), now);
        let is_backfill = self.database.read(read).await?;
        Ok(if is_backfill { definition.backfill_service_tier } else { definition.service_tier })
    }

    /// What keeps the run from beginning now, if anything does.
    async fn gate(&self, (run, definition): (&Run, &Definition)) -> Result<Option<Gate>, Verdict> {
        let (heard, run) = (self.heard(definition), run.clone());
        let (definition, now) = (definition.clone(), self.clock.now());
        let read = move |connection: &mut Connection| {
            let expected = limit::expected(connection, &run, &definition.rule.name)?;
            gate(connection, (&run, &definition, expected), heard, now)
        };
        self.database.read(read).await.map_err(Verdict::from)
    }

    /// Writes down that the run begins, unless something keeps it from that: looked at once more in the same transaction, so that
    /// runs that come together do not all pass.
    async fn begun(&self, (run, definition): (&Run, &Definition)) -> Result<Option<Gate>, Verdict> {
        let (heard, run) = (self.heard(definition), run.clone());
        let (definition, now) = (definition.clone(), self.clock.now());
        let write = move |tx: &mut Connection| {
            let expected = limit::expected(tx, &run, &definition.rule.name)?;
            let gate = gate(tx, (&run, &definition, expected), heard, now)?;
            if gate.is_none() {
                let model = pace::model(&definition).to_owned();
                Change::Begun(NewTry { model, expected }).write(tx, run.id, now)?;
                budget::store::used(tx, &[run.key.to_string()], now)?;
            }
            Ok(gate)
        };
        self.database.write(write).await.map_err(Verdict::from)
    }

    /// Writes down the response that was created, and what OpenAI said with it of the model's limits: for other servers, and for people.
    async fn created(&self, (run, definition): (&Run, &Definition), response: String) -> Result<(), Verdict> {
        let (heard, model) = (self.heard(definition), pace::model(definition).to_owned());
        let (id, now) = (run.id, self.clock.now());
        let write = move |tx: &mut Connection| {
            if let Some(limits) = heard
                && pace::store::told(tx, &model)? != heard
            {
                pace::store::tell(tx, &model, limits)?;
            }
            Change::Response(response.clone()).write(tx, id, now)
        };
        self.database.write(write).await.map_err(Verdict::from)
    }

    /// What is known of the limits of the definition's model. Assistants tell nothing of theirs.
    fn heard(&self, definition: &Definition) -> Option<ModelLimits> {
        match definition.engine {
            Engine::Responses { .. } | Engine::Fastio { .. } => {
                self.openai.model_limits(pace::model(definition))
            }
            Engine::Assistants { .. } => Some(ModelLimits::default()),
        }
    }

    async fn wait_at(&self, run: &Run, gate: Gate) -> Result<(), Verdict> {
        match gate {
            Gate::Turn(turn) => self.await_turn(run, turn).await,
            Gate::Limit(held) => self.hold(run, held).await,
        }
    }

    /// Whether nothing is held that the run needs now: a model that is gone costs no conversation for each file.
    ///
    /// # Errors
    /// The verdict on the job, which waits with those that found out.
    fn may_begin(&self, run: &Run, definition: &Definition) -> Result<(), Verdict> {
        self.needed(run, definition).iter().try_for_each(|cause| self.causes.pass(cause))
    }

    /// What a run cannot begin without, besides OpenAI.
    fn needed(&self, run: &Run, definition: &Definition) -> Vec<String> {
        let prepares = run.made_in().is_none().then(|| definition.engine.preparing());
        let calls = prepares.into_iter().chain([openai::STARTING]);
        let calls = calls.map(|operation| call_cause(OPENAI, operation));
        let model = definition.engine.model().map(model_cause);
        calls.chain(model).chain([rule_cause(&run.rule)]).collect()
    }

    /// Takes over the conversation of another run of the rule that waits with an empty one, since what it was to be begun
    /// with is refused: those that try whether it still is make none of their own.
    async fn take_over(&self, run: &Run) -> Result<bool, Verdict> {
        let (id, rule, now) = (run.id, run.rule.clone(), self.clock.now());
        let take = move |tx: &mut Connection| store::take_conversation(tx, id, &rule, now);
        self.database.write(take).await.map_err(Verdict::from)
    }

    /// Makes what the run is made in. One that was made and not answered cannot be found, so that it was asked for stays
    /// on record.
    async fn prepare(&self, ask: (&Definition, &Run, &frame::Shown)) -> Result<(), Verdict> {
        let (definition, run, _) = ask;
        // A thread holds the question about one file; a conversation that nothing was begun in holds nothing.
        let tries = self.needed(run, definition).iter().any(|cause| self.causes.tries(cause));
        if tries && !matches!(definition.engine, Engine::Assistants { .. }) && self.take_over(run).await? {
            return Ok(());
        }
        let kind = match definition.engine {
            Engine::Responses { .. } | Engine::Fastio { .. } => Kind::Conversation,
            Engine::Assistants { .. } => Kind::Thread,
        };
        let (id, now) = (run.id, self.clock.now());
        let intended = Conversation { kind, owner: run.holder(), patience_ms: traceless_ms(definition) };
        let intend = self.database.write(move |tx| outside::store::intend_conversation(tx, &intended, now));
        let intended = intend.await?;
        match definition.engine.prepare(&self.openai, ask).await {
            Ok(made) => {
                let now = self.clock.now();
                let write = self.database.write(move |tx| {
                    outside::store::exists(tx, intended, &made, now)?;
                    Change::Conversation(made.clone()).write(tx, id, now)
                });
                write.await.map_err(Verdict::from)
            }
            Err(error) if kind == Kind::Conversation && error.lacks_the_path() => {
                self.go_alone((run, definition), intended, &error).await
            }
            Err(error) => {
                if !error.may_have_happened() {
                    let forget = self.database.write(move |tx| outside::store::forget(tx, intended));
                    forget.await?;
                }
                Err(self.refused((run, definition), &error).await)
            }
        }
    }

    /// The server has no conversations: the run is made without one. OpenAI itself has them, so that something on the way hides
    /// them there, and every run would meet the same.
    async fn go_alone(
        &self,
        (run, definition): (&Run, &Definition),
        intended: i64,
        error: &Error,
    ) -> Result<(), Verdict> {
        let (id, now, has_them) = (run.id, self.clock.now(), self.openai.is_openai());
        let write = move |tx: &mut Connection| {
            outside::store::forget(tx, intended)?;
            if has_them { Ok(()) } else { Change::Alone.write(tx, id, now) }
        };
        self.database.write(write).await?;
        if has_them {
            let reason =
                format!("runs need /conversations, and what answers for OpenAI does not have it: {error}");
            let cause = call_cause(OPENAI, definition.engine.preparing());
            return Err(Verdict::Refused { service: OPENAI.to_owned(), cause, several: false, reason });
        }
        tracing::warn!(run.id = id.0, error = %error, "the server has no conversations; the run is made without one");
        Ok(())
    }

    /// Acquires the lock on the file. Held by another user, the run waits without losing an attempt.
    pub(super) async fn lock(&self, run: &Run) -> Result<(), Verdict> {
        if self.locks.acquire(&run.holder(), &run.key).await? {
            return self.record(run.id, [Change::Waits(None)]).await;
        }
        let reason = "another user holds the lock on the file";
        self.record(run.id, [Change::Waits(Some(reason.to_owned()))]).await?;
        Err(Verdict::later(HELD_BY_OTHER, reason))
    }

    /// What it means that the run could not begin. A limit of the account is waited for, and is no try.
    async fn refused(&self, (run, definition): (&Run, &Definition), error: &Error) -> Verdict {
        match error.kind {
            ErrorKind::RateLimited { .. } => self.unanswered(definition, error).await,
            _ => begin_verdict(error, (&run.rule, definition.engine.model())),
        }
    }

    /// OpenAI says that it made nothing.
    async fn not_begun(&self, (run, definition): (&Run, &Definition), error: &Error) -> Result<(), Verdict> {
        if matches!(error.kind, ErrorKind::InputTooLarge | ErrorKind::TooLarge) {
            self.record(run.id, [Change::Unbegun]).await?;
            return self.too_large((run, definition), &error.to_string(), None).await;
        }
        let verdict = self.refused((run, definition), error).await;
        if matches!(verdict, Verdict::Refused { .. }) {
            // Its conversation stays: nothing was begun in it.
            self.record(run.id, [Change::Unbegun]).await?;
            return Err(verdict);
        }
        if error.is_not_found() {
            // The conversation, which is new, or was deleted at OpenAI.
            let again = Change::Again("its conversation was not found".to_owned());
            self.record(run.id, [Change::Unbegun, again]).await?;
            return Err(Verdict::Retry { after: None, reason: error.to_string() });
        }
        self.record(run.id, [Change::Unbegun]).await?;
        if error.names(&run.file_id) {
            // The copy was replaced meanwhile, or deleted at OpenAI. Its file's job or a sweep brings another.
            return Err(Verdict::Retry { after: None, reason: error.to_string() });
        }
        Err(verdict)
    }

    /// Finds out whether a response exists whose creation was not answered.
    pub(super) async fn find_lost(&self, run: &Run, definition: &Definition) -> Result<(), Verdict> {
        let begun_at = run.begun_at.unwrap_or(run.created_at);
        let age = self.clock.since(begun_at);
        if run.alone {
            return self.find_alone(run, definition).await;
        }
        let conversation = run.conversation.as_deref().unwrap_or_default();
        match definition.engine.find_lost(&self.openai, conversation).await {
            Ok(LostResponse::Exists(response)) => self.record(run.id, [Change::Response(response)]).await,
            Ok(LostResponse::Ended(ended)) => self.ended(run, definition, *ended).await,
            Ok(LostResponse::Nothing) if age < traceless_ms(definition) => Err(Verdict::later(
                TRACE_AGAIN,
                "OpenAI did not answer to its creation; looking whether it runs",
            )),
            Ok(LostResponse::Nothing) => {
                tracing::warn!(run.id = run.id.0, "a run's creation left no trace; creating it once more");
                let reason = "its creation was not answered and left no trace".to_owned();
                self.record(run.id, [Change::Again(reason)]).await
            }
            Err(error) if error.is_not_found() && age < FRESH_MS => {
                Err(Verdict::later(LOOK_AGAIN.0, "OpenAI does not show its conversation yet"))
            }
            Err(error) => Err(self.unanswered(definition, &error).await),
        }
    }

    /// There is nothing to look into: OpenAI's webhook may tell of the response until the deadline. It is not made again by itself,
    /// because the first one may have been made, and paid for.
    async fn find_alone(&self, run: &Run, definition: &Definition) -> Result<(), Verdict> {
        let age = self.clock.since(run.begun_at.unwrap_or(run.created_at));
        if age < traceless_ms(definition) {
            return Err(Verdict::later(
                TRACE_AGAIN,
                "its creation was not answered, and the server has no conversations to look into",
            ));
        }
        let reason = format!(
            "its creation was not answered, and the server has no conversations to look for it in; it may have been made and paid \
             for, so it is not made again by itself: `docket runs again --rule {}`",
            run.rule
        );
        self.ending(run, Outcome::Failed, &reason).await
    }
}

/// What keeps a run from beginning.
enum Gate {
    /// Runs of its model are paced, and it is not its turn.
    Turn(Turn),
    /// A limit of its rule.
    Limit(Held),
}

fn gate(
    connection: &mut Connection,
    asked: (&Run, &Definition, u64),
    limits: Option<ModelLimits>,
    now: i64,
) -> Result<Option<Gate>, database::Error> {
    if let Some(held) = limit::over(connection, asked, now)? {
        return Ok(Some(Gate::Limit(held)));
    }
    let (_, definition, tokens) = asked;
    let model = pace::model(definition);
    if let Some(turn) = pace::store::turn(connection, model, now)? {
        return Ok(Some(Gate::Turn(turn)));
    }
    let limits = match limits {
        Some(heard) => Some(heard),
        None => pace::store::told(connection, model)?,
    };
    Ok(pace::store::room(connection, &Wanted { model, limits, tokens }, now)?.map(Gate::Turn))
}

/// How long a creation that was not answered may leave no trace before it is taken to have made nothing. A conversation
/// shows a response when that has completed, a thread at once.
pub(super) fn traceless_ms(definition: &Definition) -> i64 {
    match definition.engine {
        Engine::Responses { .. } | Engine::Fastio { .. } => definition.deadline_ms + TRACE_MARGIN_MS,
        Engine::Assistants { .. } => FRESH_MS,
    }
}
