//! Delivers a run: its result is published beside the source file. What a code interpreter made goes beside it afterwards, and
//! decides nothing about the result.

use bytes::Bytes;
use serde_json::Value;

use super::Runs;
use super::admit::FileState;
use super::publish::{Output, Written};
use super::row::{Outcome, Run};
use super::settings::Definition;
use super::store::Change;
use super::store::made::{self, Produced};
use crate::fastio::{Node, NodeId};
use crate::job::verdict::fastio_verdict;
use crate::queue::Verdict;
use crate::queue::trail::{self, What};
use crate::result::quote::Check;
use crate::sync::copy::Source;

impl Runs {
    /// Writes the result down where the rule says, then the run ends.
    pub(super) async fn deliver(
        &self,
        run: &Run,
        definition: &Definition,
        standing: &FileState,
    ) -> Result<(), Verdict> {
        // First of all: a container dies 20 minutes after it was last used.
        let produced = self.fetch_produced(run).await?;
        let Some(pattern) = &definition.write_back else {
            let notes = produced.iter().map(Produced::not_written).collect();
            return self.delivered(run, Delivered { notes, written: None }).await;
        };
        let Some(source) = self.source(run).await? else {
            return self.look_first(run).await;
        };
        if let FileState::Present(indexed) = standing
            && !indexed.source.same_content(&Source::of(&source))
        {
            return self.ending(run, Outcome::Superseded, "the file has a newer version").await;
        }
        if definition.lock && !self.locks.is_held(&run.holder()).await? {
            return self.lock(run).await;
        }
        let run = &self.noted(run, produced.iter().map(|file| file.note(&source.name))).await?;
        self.publish(&run.key, definition, standing).await?;
        // None where there is a better answer by now, or the file's own job has something to do first.
        let mut written: Vec<Written> = self.stands(run).await?.into_iter().collect();
        if produced.iter().any(|file| file.bytes.is_some()) {
            // From here on the run has its result, whatever becomes of the other files.
            self.record(run.id, [Change::Result(with_written(run, &written))]).await?;
        }
        let folder = source.parent.clone().unwrap_or_else(NodeId::root);
        let beside = self.put_produced(run, (&source.name, &folder), &produced).await?;
        written.extend(beside.written);
        let written = Some((pattern.name_for(&source.name), written));
        self.delivered(run, Delivered { notes: beside.refused, written }).await
    }

    /// The run with what a reader must know of the files that it made, which is on record before anything is written.
    async fn noted(&self, run: &Run, notes: impl Iterator<Item = String>) -> Result<Run, Verdict> {
        let mut noted = run.clone();
        let mut result = noted.result.take().unwrap_or_default();
        if add_notes(&mut result, notes) {
            self.record(run.id, [Change::Result(result.clone())]).await?;
        }
        Ok(Run { result: Some(result), ..noted })
    }

    /// Writes one file of the run.
    pub(super) async fn put(
        &self,
        run: &Run,
        (folder, name, owner): (&NodeId, &str, String),
        content: Bytes,
    ) -> Result<Written, Verdict> {
        let output = Output {
            owner: &owner,
            of: None,
            profile: &run.key.profile,
            folder,
            name,
            content,
            only_over_ours: false,
            stays: false,
        };
        let written = self.publisher.write(&output).await?;
        written.ok_or_else(|| Verdict::Dead { reason: format!("{name} was left to a person") })
    }

    /// The run has its result, and the rest cannot be done.
    pub(super) async fn delivered_in_part(&self, run: &Run, reason: &str) -> Result<(), Verdict> {
        let note = format!("Not every file that the run made could be written beside it: {reason}.");
        self.delivered(run, Delivered { notes: vec![note], written: None }).await
    }

    /// The file, unless it is gone or in the trash.
    pub(super) async fn source(&self, run: &Run) -> Result<Option<Node>, Verdict> {
        match self.fastio.node(&run.key.profile, &run.key.node).await {
            Ok(node) => Ok(Some(node).filter(|node| !node.trashed)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(fastio_verdict(&error)),
        }
    }

    /// The result stands where it belongs: the run ends, and releases what it holds.
    async fn delivered(&self, run: &Run, delivered: Delivered) -> Result<(), Verdict> {
        let mut result = run.result.clone().unwrap_or_default();
        let mut reason = run.reason.clone();
        add_notes(&mut result, delivered.notes.into_iter());
        if let Some((wanted, written)) = delivered.written {
            result["written"] = named(&written);
            // `… (2)` means that there is another's.
            if let Some(first) = written.first().filter(|first| first.name != wanted) {
                let beside = format!(
                    "the result is in {}, because {wanted} is the result of another file, or holds what Docket did not write",
                    first.name
                );
                reason = Some(reason.map_or(beside.clone(), |reason| format!("{reason}; {beside}")));
            }
        }
        let outcome = run.outcome.unwrap_or(Outcome::Completed);
        let now = self.clock.now();
        trail::done(What::Analysed, (now, now), outcome.as_str());
        let names = delivered_names(&result);
        self.record(run.id, [Change::Result(result), Change::Ending { outcome, reason }]).await?;
        tracing::info!(
            run.id = run.id.0,
            rule = run.rule,
            path = run.path,
            outcome = outcome.as_str(),
            written = names,
            duration_ms = self.clock.since(run.created_at),
            "result ready"
        );
        let id = run.id;
        self.database.write(move |tx| made::forget_produced(tx, id)).await.map_err(Verdict::from)
    }
}

/// What was delivered.
struct Delivered {
    /// What a reader must know besides, as sentences.
    notes: Vec<String>,
    /// The name that the result was to have, and the files; none where nothing was written just now.
    written: Option<(String, Vec<Written>)>,
}

/// The run's result with what is written of it.
fn with_written(run: &Run, written: &[Written]) -> Value {
    let mut result = run.result.clone().unwrap_or_default();
    result["written"] = named(written);
    result
}

fn named(written: &[Written]) -> Value {
    let one =
        |file: &Written| serde_json::json!({"name": file.name, "node": file.node, "version": file.version});
    written.iter().map(one).collect()
}

/// The names of what was written into Fastio.
fn delivered_names(result: &Value) -> Option<String> {
    let names: Vec<&str> =
        result["written"].as_array()?.iter().filter_map(|file| file["name"].as_str()).collect();
    Some(names.join(", "))
}

/// Adds what is not noted yet. Whether there was any.
fn add_notes(result: &mut Value, notes: impl Iterator<Item = String>) -> bool {
    let Some(known) = result["notes"].as_array_mut() else { return false };
    let before = known.len();
    for note in notes.map(Value::from) {
        if !known.contains(&note) {
            known.push(note);
        }
    }
    known.len() > before
}

/// What a result on record says: the data where there is some, else the text.
pub fn said(result: &Value) -> String {
    match (&result["data"], result["text"].as_str()) {
        (Value::Null, Some(text)) => text.to_owned(),
        (Value::Null, None) => format!("{result:#}"),
        (data, _) => format!("{data:#}"),
    }
}

/// The quotes of a result on record that are not proven to be in the document, or only without words that say otherwise.
pub fn doubtful(result: &Value) -> Vec<Check> {
    let doubtful = |check: &Check| !check.proof.is_verified() || check.proof.left_out().is_some();
    checks(result).into_iter().filter(doubtful).collect()
}

/// The checks of a result on record.
pub fn checks(result: &Value) -> Vec<Check> {
    serde_json::from_value::<Vec<Check>>(result["checks"].clone()).unwrap_or_default()
}
