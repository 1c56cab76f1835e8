//! Delivers a result: written beside the source file, in the form that its name asks for. What a code interpreter made
//! goes beside it afterwards, and decides nothing about the result.

use bytes::Bytes;
use serde_json::Value;

use super::Runs;
use super::admit::FileState;
use super::row::{Outcome, Run};
use super::settings::Definition;
use super::store::Change;
use super::store::made::{self, Produced};
use super::write::{Output, Written};
use crate::fastio::{Node, NodeId};
use crate::hidden::escaped;
use crate::job::verdict::fastio_verdict;
use crate::openai::Usage;
use crate::queue::Verdict;
use crate::result::quote::Check;
use crate::result::render::{self, Answer, Provenance, ResultPage, Tokens};
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
            return self.ending(run, Outcome::Cancelled, "the file is gone").await;
        };
        if let FileState::Present(indexed) = standing
            && !indexed.source.same_content(&Source::of(&source))
        {
            return self.ending(run, Outcome::Superseded, "the file has a newer version").await;
        }
        if definition.lock && !self.locks.is_held(&run.holder()).await? {
            return self.lock(run).await;
        }
        let folder = source.parent.clone().unwrap_or_else(NodeId::root);
        let name = pattern.name_for(&source.name);
        let mut notes: Vec<String> = produced.iter().map(|file| file.note(&source.name)).collect();
        let mut result = run.result.clone().unwrap_or_default();
        add_notes(&mut result, &notes);
        let page = Page { run: run.clone(), definition: definition.clone(), name: name.clone() };
        let body = self.compute.run(move || page.body(result)).await;
        let mut written = vec![self.put(run, (&folder, &name, owner(run, None)), Bytes::from(body)).await?];
        if produced.iter().any(|file| file.bytes.is_some()) {
            // From here on the run has its result, whatever becomes of the other files.
            self.record(run.id, [Change::Result(with_written(run, &written))]).await?;
        }
        let beside = self.put_produced(run, (&source.name, &folder), &produced).await?;
        written.extend(beside.written);
        notes.extend(beside.refused);
        let written = Some((pattern.name_for(&source.name), written));
        self.delivered(run, Delivered { notes, written }).await
    }

    /// Writes one file of the run.
    pub(super) async fn put(
        &self,
        run: &Run,
        (folder, name, owner): (&NodeId, &str, String),
        content: Bytes,
    ) -> Result<Written, Verdict> {
        let output = Output { owner: &owner, profile: &run.key.profile, folder, name, content };
        self.publisher.write(&output).await
    }

    /// The run has its result, and the rest cannot be done.
    pub(super) async fn delivered_in_part(&self, run: &Run, reason: &str) -> Result<(), Verdict> {
        let note = format!("Not every file that the run made could be written beside it: {reason}.");
        self.delivered(run, Delivered { notes: vec![note], written: None }).await
    }

    async fn source(&self, run: &Run) -> Result<Option<Node>, Verdict> {
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
        add_notes(&mut result, &delivered.notes);
        if let Some((wanted, written)) = delivered.written {
            result["written"] = named(&written);
            // The name of an earlier result stays when its source is renamed; `… (2)` means that there is another's.
            if let Some(first) = written.first().filter(|first| first.name != wanted) {
                let beside = format!(
                    "the result is in {}, because {wanted} holds what Docket did not write",
                    first.name
                );
                reason = Some(reason.map_or(beside.clone(), |reason| format!("{reason}; {beside}")));
            }
        }
        let outcome = run.outcome.unwrap_or(Outcome::Completed);
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

fn add_notes(result: &mut Value, notes: &[String]) {
    if let Some(known) = result["notes"].as_array_mut() {
        known.extend(notes.iter().cloned().map(Value::from));
    }
}

/// What it is a result of: one file of ours for each rule and source file, and one for each file that code made of it.
pub(super) fn owner(run: &Run, made: Option<&str>) -> String {
    let owner = format!("run:{}:{}", run.rule, run.key);
    made.map_or(owner.clone(), |made| format!("{owner}:{made}"))
}

/// What a result is written from.
struct Page {
    run: Run,
    definition: Definition,
    name: String,
}

impl Page {
    /// The result in the form that its file's name asks for. The same result makes the same bytes.
    fn body(&self, mut result: Value) -> String {
        let Page { run, definition, name } = self;
        // What was written says nothing to a reader of the result, and is on record only from the second time on.
        result.as_object_mut().map(|fields| fields.remove("written"));
        let checks = checks(&result);
        let unread = result["unread"].as_str();
        let text = result["text"].as_str().unwrap_or_default();
        let data = Some(&result["data"]).filter(|data| !data.is_null());
        let notes: Vec<String> = result["notes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|note| note.as_str().map(str::to_owned))
            .collect();
        let schema = definition.schema.as_deref();
        match (name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str(), schema.zip(data)) {
            ("json", _) => return escaped(&format!("{result:#}\n")),
            ("csv", Some((schema, data))) => {
                if let Some(table) = render::csv(schema, data, &checks) {
                    return unread.map_or(table.clone(), |unread| table + &render::unread_row(unread));
                }
            }
            _ => {}
        }
        let answer = match schema.zip(data) {
            Some((schema, result)) => Answer::Data { schema, result, checks: &checks },
            None => Answer::Text(text),
        };
        let word = |name: &str| result[name].as_str();
        let provenance = Provenance {
            file: &run.path,
            version: run.version.as_deref().unwrap_or(&run.content_hash),
            rule: &run.rule,
            engine: definition.engine.as_str(),
            model: word("model").unwrap_or("not told"),
            definition: &run.definition,
            response: word("response"),
            started_at: result["begun_at"].as_i64().unwrap_or(run.created_at),
            finished_at: result["answered_at"].as_i64().unwrap_or(run.created_at),
            tokens: serde_json::from_value::<Option<Usage>>(result["usage"].clone())
                .ok()
                .flatten()
                .map(tokens),
        };
        render::markdown(&ResultPage { provenance, answer, notes: &notes, unread })
    }
}

fn tokens(usage: Usage) -> Tokens {
    let Usage { input_tokens: read, output_tokens: written, total_tokens: all, .. } = usage;
    Tokens { read, written, all }
}

/// The quotes of a result on record that are not proven to be in the document.
pub fn unproven(result: &Value) -> Vec<Check> {
    checks(result).into_iter().filter(|check| !check.proof.is_verified()).collect()
}

/// The checks of a result on record.
pub(super) fn checks(result: &Value) -> Vec<Check> {
    serde_json::from_value::<Vec<Check>>(result["checks"].clone()).unwrap_or_default()
}
