//! Delivers a result: written beside the source file, in the form that its name asks for. What a code interpreter made
//! goes beside it.

use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::Value;

use super::admit::Standing;
use super::pattern::Pattern;
use super::quote::Check;
use super::render::{self, Answer, Provenance, Report};
use super::row::{Outcome, Run};
use super::settings::Definition;
use super::store::Change;
use super::store::made::{self, Produced};
use super::write::{Output, Written};
use super::{Runs, failed};
use crate::fastio::{Node, NodeId};
use crate::http::Retry;
use crate::openai::{ContainerId, Error, Usage};
use crate::queue::Verdict;
use crate::sync::copy::Source;
use crate::sync::verdict::{fastio_verdict, openai_verdict};

/// The most of one file that code made. It is held in memory and in the database until it is delivered.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

impl Runs {
    /// Writes the result down where the rule says, then the run ends.
    pub(super) async fn deliver(
        &self,
        run: &Run,
        definition: &Definition,
        standing: &Standing,
    ) -> Result<(), Verdict> {
        // First of all: a container dies 20 minutes after it was last used.
        let produced = self.fetch_produced(run).await?;
        let Some(pattern) = &definition.write_back else {
            let notes = produced.iter().map(not_written).collect();
            return self.delivered(run, Delivered { notes, written: None }).await;
        };
        let Some(source) = self.source(run).await? else {
            return self.ending(run, Outcome::Cancelled, "the file is gone").await;
        };
        if let Standing::Present(indexed) = standing
            && !indexed.source.same_content(&content(&source))
        {
            return self.ending(run, Outcome::Superseded, "the file has a newer version").await;
        }
        if definition.lock && !run.is_locked() {
            return self.lock(run).await;
        }
        let folder = source.parent.clone().unwrap_or_else(NodeId::root);
        let (mut written, notes) = self.put_produced(run, (&source.name, &folder), &produced).await?;
        let name = pattern.name_for(&source.name);
        let mut result = run.result.clone().unwrap_or_default();
        add_notes(&mut result, &notes);
        let body = body(run, definition, (&name, &result));
        let made = self.put(run, (&folder, &name, owner(run, None)), Bytes::from(body)).await?;
        written.insert(0, made);
        let written = Some((pattern, source.name.as_str(), written));
        self.delivered(run, Delivered { notes, written }).await
    }

    /// Writes what code made beside the source, and says of each file what became of it.
    async fn put_produced(
        &self,
        run: &Run,
        (source, folder): (&str, &NodeId),
        produced: &[Produced],
    ) -> Result<(Vec<Written>, Vec<String>), Verdict> {
        let (mut written, mut notes) = (Vec::new(), Vec::new());
        for (place, file) in produced.iter().enumerate() {
            let bytes =
                made::content(&mut *self.reader().await?, (run.id, &file.file_id)).await.map_err(failed)?;
            match (bytes, &file.reason) {
                (Some(bytes), _) => {
                    // Two files may have one name, in two folders or containers.
                    let before =
                        produced[..place].iter().filter(|other| name_of(other) == name_of(file)).count();
                    let called = match before {
                        0 => file.filename.clone(),
                        before => format!("{}#{}", file.filename, before + 1),
                    };
                    let name = beside(source, &file.filename);
                    let made =
                        self.put(run, (folder, &name, owner(run, Some(&called))), bytes.into()).await?;
                    notes.push(format!("The run made the file {}.", made.name));
                    written.push(made);
                }
                (None, Some(reason)) => {
                    notes.push(format!(
                        "The run made the file {}, which could not be had: {reason}.",
                        name_of(file)
                    ));
                }
                (None, None) => {}
            }
        }
        Ok((written, notes))
    }

    async fn put(
        &self,
        run: &Run,
        (folder, name, owner): (&NodeId, &str, String),
        content: Bytes,
    ) -> Result<Written, Verdict> {
        let output = Output { owner: &owner, profile: &run.key.profile, folder, name, content };
        self.write(&output).await
    }

    async fn source(&self, run: &Run) -> Result<Option<Node>, Verdict> {
        match self.fastio.node(&run.key.profile, &run.key.node).await {
            Ok(node) => Ok(Some(node).filter(|node| !node.trashed)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(fastio_verdict(&error)),
        }
    }

    /// Nothing is left but to let go.
    async fn delivered(&self, run: &Run, delivered: Delivered<'_>) -> Result<(), Verdict> {
        let mut result = run.result.clone().unwrap_or_default();
        let mut reason = run.reason.clone();
        add_notes(&mut result, &delivered.notes);
        if let Some((pattern, source, written)) = delivered.written {
            result["written"] = written
                .iter()
                .map(|file| {
                    serde_json::json!({
                        "name": file.name, "node": file.node, "version": file.version,
                    })
                })
                .collect();
            // The name of an earlier result stays when its source is renamed; `… (2)` means that there is another's.
            let wanted = pattern.name_for(source);
            if let Some(first) = written.first().filter(|first| first.name != wanted) {
                let beside =
                    format!("the result is in {}, because {wanted} is not ours to write over", first.name);
                reason = Some(reason.map_or(beside.clone(), |reason| format!("{reason}; {beside}")));
            }
        }
        let outcome = run.outcome.unwrap_or(Outcome::Completed);
        let changes = [Change::Result(&result), Change::Ending { outcome, reason: reason.as_deref() }];
        self.record(run.id, &changes).await?;
        let write = async {
            let mut transaction = self.database.begin().await?;
            made::forget_produced(&mut transaction, run.id).await?;
            transaction.commit().await
        };
        write.await.map_err(failed)
    }

    /// The files that the run made, downloaded.
    async fn fetch_produced(&self, run: &Run) -> Result<Vec<Produced>, Verdict> {
        let found = made::all_produced(&mut *self.reader().await?, run.id).await.map_err(failed)?;
        for file in found.iter().filter(|file| !file.fetched && file.reason.is_none()) {
            let (content, reason) = match self.fetch(file).await {
                Ok(content) => (Some(content), None),
                Err(error) if error.retry() == Retry::Never => (None, Some(error.to_string())),
                Err(error) => return Err(openai_verdict(&error)),
            };
            let write = async {
                let mut transaction = self.database.begin().await?;
                let kept = (content.as_deref(), reason.as_deref());
                made::keep_produced(&mut transaction, (run.id, &file.file_id), kept).await?;
                transaction.commit().await
            };
            write.await.map_err(failed)?;
        }
        made::all_produced(&mut *self.reader().await?, run.id).await.map_err(failed)
    }

    async fn fetch(&self, file: &Produced) -> Result<Vec<u8>, Error> {
        let container = ContainerId(file.container.clone());
        let mut download = self.openai.container_file(&container, &file.file_id, MOST_BYTES).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = download.body.next().await {
            bytes.extend_from_slice(&piece?);
        }
        Ok(bytes)
    }
}

/// What was delivered.
struct Delivered<'a> {
    /// What a reader must know besides, as sentences.
    notes: Vec<String>,
    /// By which pattern, beside which file; none where the rule writes nothing.
    written: Option<(&'a Pattern, &'a str, Vec<Written>)>,
}

fn add_notes(result: &mut Value, notes: &[String]) {
    if let Some(known) = result["notes"].as_array_mut() {
        known.extend(notes.iter().cloned().map(Value::from));
    }
}

/// What becomes of a file that code made where the rule writes nothing.
fn not_written(file: &Produced) -> String {
    let name = name_of(file);
    match &file.reason {
        Some(reason) => format!("The run made the file {name}, which could not be had: {reason}."),
        None => format!("The run made the file {name}; it was not kept, because the rule has no write_back."),
    }
}

/// The last part of its path.
fn name_of(file: &Produced) -> &str {
    file.filename.rsplit(['/', '\\']).next().unwrap_or(&file.filename)
}

/// What it is a result of: one file of ours for each rule and source file, and one for each file that code made of it.
fn owner(run: &Run, made: Option<&str>) -> String {
    let owner = format!("run:{}:{}", run.rule, run.key);
    made.map_or(owner.clone(), |made| format!("{owner}:{made}"))
}

/// `nda.pdf` and `/mnt/data/caps.csv` make `nda.caps.csv`.
fn beside(source: &str, made: &str) -> String {
    let stem = source.rsplit_once('.').map_or(source, |(stem, _)| stem);
    let made = made.rsplit(['/', '\\']).next().unwrap_or(made);
    let made: String = made.chars().filter(|c| !c.is_control()).collect();
    format!("{stem}.{}", if made.is_empty() { "file" } else { &made })
}

fn content(node: &Node) -> Source {
    Source {
        version: node.version.clone(),
        hash: node.hash.clone(),
        size: node.size.unwrap_or(0),
        modified_at: node.modified_at,
    }
}

/// The result in the form that its file's name asks for. The same result makes the same bytes.
fn body(run: &Run, definition: &Definition, (name, result): (&str, &Value)) -> String {
    let checks = checks(result);
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
        ("json", _) => return format!("{result:#}\n"),
        ("csv", Some((schema, data))) => {
            if let Some(table) = render::csv(schema, data, &checks) {
                return table;
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
        usage: serde_json::from_value::<Option<Usage>>(result["usage"].clone()).ok().flatten(),
    };
    render::markdown(&Report { provenance, answer, notes: &notes })
}

/// The checks of a result on record.
pub(super) fn checks(result: &Value) -> Vec<Check> {
    serde_json::from_value::<Vec<Check>>(result["checks"].clone()).unwrap_or_default()
}
