//! Fastio's own AI is asked about a file, alone or before OpenAI is (`engine = "fastio"`).
//!
//! ```text
//!   asked, under a key on record ──▶ pending, running ──▶ complete ──▶ checked like every answer
//!                                                    ├──▶ needs_input: the question goes to a person
//!                                                    └──▶ failed, cancelled, lost
//! ```
//!
//! The run is `wanted` meanwhile. Its question is asked once, whatever is lost: Fastio takes a key, and a key told again is the same turn.
//! What Fastio cannot answer, by the rule's `escalate`, goes the way of every other run from here: nothing of it was sent to OpenAI
//! before. When the run ends its thread goes into the ledger ([`crate::outside`]), whose job removes it, so that nothing derived from the file
//! is left in it.

pub(super) mod store;

use std::time::Duration;

use serde_json::{Value, json};

use super::Runs;
use super::admit::FileState;
use super::answer::Basis;
use super::engine::{Ended, How};
use super::frame;
use super::limit;
use super::row::{Outcome, Run};
use super::settings::{Attach, Definition, Engine, Scope, When};
use super::steps::LOOK_AGAIN;
use crate::database::Connection;
use crate::fastio::{
    FileKey, LONGEST_QUESTION, NodeId, Question, Subject, TalkId, TurnAnswer, TurnState, VersionId,
};
use crate::http::Retry;
use crate::job::verdict::fastio_verdict;
use crate::openai::{Failure, Output};
use crate::queue::Verdict;
use store::Turn;

/// What answers, as results name it.
const FASTIO: &str = "Fastio's AI";

/// Why a run waits that Fastio was asked about.
const WORKING: &str = "Fastio's AI is working on it";

impl Runs {
    /// Goes on with asking Fastio, where the rule says so. False when it is OpenAI's turn.
    pub(super) async fn asks_fastio(
        &self,
        run: &Run,
        definition: &Definition,
        standing: &FileState,
    ) -> Result<bool, Verdict> {
        if !matches!(definition.engine, Engine::Fastio { .. }) {
            return Ok(false);
        }
        match self.turn(run).await? {
            None => self.begin_turn(run, definition, standing).await?,
            Some(Turn { escalated: Some(_), .. }) => return Ok(false),
            Some(Turn { id: Some(id), begun_at, .. }) => {
                self.look_at_turn((run, definition), &id, begun_at).await?
            }
            Some(turn) => self.ask(run, definition, &turn).await?,
        }
        Ok(true)
    }

    async fn turn(&self, run: &Run) -> Result<Option<Turn>, Verdict> {
        let id = run.id;
        self.database.read(move |connection| store::get(connection, id)).await.map_err(Verdict::from)
    }

    /// Writes down that Fastio is about to be asked, unless a limit of the rule or a lock keeps the run from beginning.
    async fn begin_turn(
        &self,
        run: &Run,
        definition: &Definition,
        standing: &FileState,
    ) -> Result<(), Verdict> {
        if let FileState::Present(indexed) = standing
            && self.withdrawn((run, definition), indexed).await?
        {
            return Ok(());
        }
        if definition.attach.contains(&Attach::CodeInterpreter) && definition.escalates(When::CodeInterpreter)
        {
            return self.escalate(run, "code has to be run over the document").await;
        }
        let (its, of, now) = (run.clone(), definition.clone(), self.clock.now());
        let over = move |connection: &mut Connection| limit::over(connection, (&its, &of, 0), now);
        if let Some(held) = self.database.read(over).await? {
            return self.hold(run, held).await;
        }
        if definition.lock && !self.locks.is_held(&run.holder()).await? {
            return self.lock(run).await;
        }
        let (id, key, now) = (run.id, uuid::Uuid::now_v7().to_string(), self.clock.now());
        self.database.write(move |tx| store::begin(tx, id, &key, now)).await.map_err(Verdict::from)
    }

    async fn ask(&self, run: &Run, definition: &Definition, turn: &Turn) -> Result<(), Verdict> {
        let text = question(definition, run);
        if text.chars().count() > LONGEST_QUESTION {
            let why = format!("the question with its schema has more than {LONGEST_QUESTION} characters");
            return self.unanswered_by_fastio((run, definition), &why).await;
        }
        let version = run.version.clone().map(VersionId);
        let folder = match definition.scope {
            Scope::File => None,
            Scope::Store => Some(self.folder_of(definition).await?),
        };
        let about = match &folder {
            Some(folder) => Subject::Folder(folder),
            None => Subject::File(&run.key.node, version.as_ref()),
        };
        let question = Question { text: &text, name: &turn.key, key: &turn.key, about };
        match self.fastio.ask(&run.key.profile, &question).await {
            Ok(at) => {
                let id = run.id;
                let write = self.database.write(move |tx| store::is_at(tx, id, &at)).await;
                write.map_err(Verdict::from)
            }
            // Fastio will not answer this, whenever it is asked.
            Err(error) if error.retry() == Retry::Never => {
                self.unanswered_by_fastio((run, definition), &error.to_string()).await
            }
            Err(error) => Err(fastio_verdict(&error)),
        }
    }

    /// The rule's own folder, which every glob of it begins with.
    async fn folder_of(&self, definition: &Definition) -> Result<NodeId, Verdict> {
        let (profile, path) = (definition.profile(), definition.folder.join("/"));
        let found = self.fastio.folder_at(profile, &path).await.map_err(|error| fastio_verdict(&error))?;
        let reason = || format!("there is no folder /{path} in {profile}");
        found.ok_or_else(|| Verdict::Retry { after: None, reason: reason() })
    }

    async fn look_at_turn(
        &self,
        (run, definition): (&Run, &Definition),
        id: &TalkId,
        begun_at: i64,
    ) -> Result<(), Verdict> {
        let profile = &run.key.profile;
        let state = match self.fastio.turn(profile, id).await {
            Ok(state) => state,
            Err(error) if error.is_not_found() => TurnState::Ended("lost: its thread is gone".to_owned()),
            Err(error) => return Err(fastio_verdict(&error)),
        };
        let age = self.clock.since(begun_at);
        match state {
            TurnState::Complete(answer) => self.answered_by_fastio((run, definition), answer).await,
            TurnState::NeedsInput(question) => self.asked_back((run, definition), &question).await,
            TurnState::Ended(why) => {
                let why = format!("Fastio's AI did not answer ({why})");
                self.unanswered_by_fastio((run, definition), &why).await
            }
            TurnState::Going if age >= definition.deadline_ms => {
                let stopped = self.fastio.stop_talk(profile, &id.thread).await;
                stopped.map_err(|error| fastio_verdict(&error))?;
                let why = format!("Fastio's AI took longer than {} s", definition.deadline_ms / 1000);
                self.unanswered_by_fastio((run, definition), &why).await
            }
            TurnState::Going => {
                let wait = Duration::from_millis(u64::try_from(age / 10).unwrap_or(0));
                Err(Verdict::later(wait.clamp(LOOK_AGAIN.0, LOOK_AGAIN.1), WORKING))
            }
        }
    }

    async fn answered_by_fastio(
        &self,
        (run, definition): (&Run, &Definition),
        answer: TurnAnswer,
    ) -> Result<(), Verdict> {
        let TurnAnswer { text, citations, truncated } = answer;
        if text.trim().is_empty() || truncated {
            let why = if truncated { "Fastio's AI cut its answer" } else { "Fastio's AI answered nothing" };
            return self.unanswered_by_fastio((run, definition), why).await;
        }
        let ended = ended(How::Completed, text);
        let judged = match self.judge(run, definition, &ended.output).await? {
            Ok(judged) => judged,
            Err(why) => {
                return self.unanswered_by_fastio((run, definition), &format!("Fastio's AI: {why}")).await;
            }
        };
        let (all, unverified) = (judged.checks.len(), judged.unverified());
        if unverified > 0 && definition.escalates(When::Unverified) {
            let why =
                format!("{unverified} of {all} quotes of Fastio's AI are not proven to be in the document");
            return self.escalate(run, &why).await;
        }
        let citations: Vec<Value> = citations.into_iter().map(|cited| self::cited(run, cited)).collect();
        let basis = Basis { citations: Some(citations.into()), ..Basis::default() };
        self.judged((run, definition), ended, judged, basis).await
    }

    /// Nobody is there to answer what Fastio asks back: a person sees the question in the result.
    async fn asked_back(&self, (run, definition): (&Run, &Definition), asks: &str) -> Result<(), Verdict> {
        if definition.escalates(When::NoAnswer) {
            return self.escalate(run, &format!("Fastio's AI asks back: {asks}")).await;
        }
        let ended = ended(How::Completed, String::new());
        self.asks_a_person((run, definition), &ended, &format!("Fastio's AI asks: {asks}")).await
    }

    /// There is no answer of Fastio's: it is OpenAI's turn, where the rule says so.
    async fn unanswered_by_fastio(
        &self,
        (run, definition): (&Run, &Definition),
        why: &str,
    ) -> Result<(), Verdict> {
        if definition.escalates(When::NoAnswer) {
            return self.escalate(run, why).await;
        }
        let failure = Failure { code: String::new(), message: why.to_owned() };
        self.end_without(run, (&ended(How::Failed(failure), String::new()), Outcome::Failed), why).await
    }

    async fn escalate(&self, run: &Run, why: &str) -> Result<(), Verdict> {
        tracing::info!(
            run.id = run.id.0,
            rule = run.rule,
            path = run.path,
            why,
            "OpenAI is asked instead of Fastio"
        );
        let (id, why, now) = (run.id, why.to_owned(), self.clock.now());
        self.database.write(move |tx| store::escalate(tx, id, &why, now)).await.map_err(Verdict::from)
    }

    /// Which way the answer came, and what that saved, for the result and who reads it.
    pub(super) async fn way(
        &self,
        (run, definition): (&Run, &Definition),
    ) -> Result<Option<(Value, String)>, Verdict> {
        let Engine::Fastio { model } = &definition.engine else { return Ok(None) };
        if let Some(Turn { escalated: Some(why), .. }) = self.turn(run).await? {
            let note = format!("Fastio's AI was asked first, and OpenAI after that: {why}.");
            return Ok(Some((json!({"way": ["fastio", "responses"], "escalated": why}), note)));
        }
        if model.is_none() {
            let note = "Fastio's AI answered; OpenAI was not asked.".to_owned();
            return Ok(Some((json!({"way": ["fastio"]}), note)));
        }
        let (its, rule) = (run.clone(), run.rule.clone());
        let expected = move |connection: &mut Connection| limit::expected(connection, &its, &rule);
        let tokens = self.database.read(expected).await?;
        let note = format!("Fastio's AI answered; OpenAI was not asked, which saved about {tokens} tokens.");
        Ok(Some((json!({"way": ["fastio"], "saved_tokens": tokens}), note)))
    }
}

fn ended(how: How, text: String) -> Ended {
    let output = Output { text, ..Output::default() };
    Ended { how, output, usage: None, model: Some(FASTIO.to_owned()), service_tier: None }
}

/// A file that Fastio cites, with its version: of the run's own file the one that the run is over.
fn cited(run: &Run, (node, version): (NodeId, Option<VersionId>)) -> Value {
    let is_own = node == run.key.node;
    let version = version.map(|version| version.0).or(run.version.clone().filter(|_| is_own));
    let path = is_own.then_some(&run.path);
    json!({"source_id": FileKey::new(run.key.profile.clone(), node).to_string(), "version": version, "path": path})
}

/// All that is asked, in one text: Fastio's AI takes no instructions and no schema beside it.
fn question(definition: &Definition, run: &Run) -> String {
    let (instructions, text) = frame::words(definition, run);
    let schema = definition.schema.as_ref().map(|schema| {
        format!("\n\nAnswer with JSON alone, which fits this schema:\n```json\n{}\n```", schema.sent())
    });
    format!("{instructions}\n\n{text}{}", schema.unwrap_or_default())
}
