//! From what a response left to a result: read, checked against the document, and put on record in one piece.

use serde_json::{Value, json};

use super::Runs;
use super::draft;
use super::ended::spent;
use super::engine::Ended;
use super::frame;
use super::row::{Outcome, Run};
use super::settings::{Attach, Definition, PartialQuotes, Scope};
use super::store::{self, Change};
use crate::database::Connection;
use crate::http::Retry;
use crate::openai::{ContainerId, Error, Output};
use crate::queue::Verdict;
use crate::result::answer::{self, Judged};
use crate::result::plain::plain;

/// Files of a code interpreter that are taken; more is not a result but a dump.
const MOST_FILES: usize = 20;

/// Pages of a container's files that are read. What was put in stands first and is one page at most; a listing that goes on
/// without files that code made does not end.
const MOST_PAGES: usize = 10;

/// The longest answer that is one: several times what a model writes at most, and little to compute with.
const MOST_TEXT: usize = 4 * 1024 * 1024;

/// A file that a run made, as it was found.
struct Made {
    container: String,
    file_id: String,
    filename: String,
}

/// What an answer stands on, besides the document.
#[derive(Default)]
pub(super) struct Basis {
    /// Why nothing that is said of the document can be relied upon.
    pub unread: Option<String>,
    /// The document was searched, because it is too large to be read whole.
    pub searched: bool,
    /// What is cited, where that is not OpenAI's files.
    pub citations: Option<Value>,
}

impl Runs {
    /// The response has completed: its answer becomes the run's result.
    pub(super) async fn answer(
        &self,
        run: &Run,
        definition: &Definition,
        mut ended: Ended,
    ) -> Result<(), Verdict> {
        if ended.output.text.len() > MOST_TEXT {
            let length = std::mem::take(&mut ended.output.text).len();
            let reason = format!("the answer has {length} bytes, and at most {MOST_TEXT} are read");
            return self.end_without(run, (&ended, Outcome::Failed), &reason).await;
        }
        let output = &ended.output;
        if output.text.trim().is_empty() {
            let Some(refusal) = &output.refusal else {
                return self.broken((run, definition), &ended, "the model answered nothing").await;
            };
            let reason = format!("the model refused: {refusal}");
            return self.end_without(run, (&ended, Outcome::Refused), &reason).await;
        }
        let judged = match self.judge(run, definition, output).await? {
            Ok(judged) => judged,
            Err(reason) => return self.broken((run, definition), &ended, &reason).await,
        };
        let unread = self.unread((run, definition)).await?;
        let basis = Basis { unread, searched: frame::is_searched_instead(definition, run), citations: None };
        self.judged((run, definition), ended, judged, basis).await
    }

    /// What a reader has to know where a search of the rule's stores left some out.
    async fn partly_searched(
        &self,
        (run, definition): (&Run, &Definition),
    ) -> Result<Option<String>, Verdict> {
        let is_searched =
            matches!(frame::attached(definition, run), Ok(ways) if ways.contains(&Attach::FileSearch));
        if !is_searched || definition.scope != Scope::Store {
            return Ok(None);
        }
        let stores = self.stores(definition).await?;
        let (searched, left_out) = frame::searched(definition, run, &stores);
        let words = format!("{PARTLY_SEARCHED}: {} were searched, and {left_out} not.", searched.len());
        Ok((left_out > 0).then_some(words))
    }

    /// An answer that can be a result is put on record, with all that a reader has to know.
    pub(super) async fn judged(
        &self,
        (run, definition): (&Run, &Definition),
        ended: Ended,
        mut judged: Judged,
        basis: Basis,
    ) -> Result<(), Verdict> {
        let (output, Basis { unread, searched, citations }) = (&ended.output, basis);
        let made = self.made(definition, output, &mut judged.notes).await?;
        let mut doubts = match &unread {
            Some(why) => vec![why.clone()],
            None => doubts(&judged, definition, output.refusal.as_deref()),
        };
        judged.notes.splice(0..0, self.stand_in(run).await?.map(str::to_owned));
        if let Some(draft) = self.draft(run).await? {
            judged.notes.insert(0, draft::note(draft));
            doubts.insert(0, draft::in_words(draft));
        }
        if searched {
            judged.notes.insert(0, SEARCHED.to_owned());
            doubts.insert(0, WAS_SEARCHED.to_owned());
        }
        judged.notes.extend(self.partly_searched((run, definition)).await?);
        let way = self.way((run, definition)).await?;
        if let Some((_, note)) = &way {
            judged.notes.push(note.clone());
        }
        let outcome = if doubts.is_empty() { Outcome::Completed } else { Outcome::NeedsReview };
        let reason = (!doubts.is_empty()).then(|| doubts.join("; "));
        let mut result = self.result(run, definition, &ended);
        result["outcome"] = outcome.as_str().into();
        result["unread"] = unread.into();
        result["quotes"] = judged.checks.len().into();
        result["unverified"] = judged.unverified().into();
        result["partial"] = judged.partial().into();
        result["checks"] = serde_json::to_value(&judged.checks).expect("a check is texts and numbers");
        result["data"] = judged.data.unwrap_or_default();
        result["notes"] = judged.notes.into();
        if let Some(citations) = citations {
            result["citations"] = citations;
        }
        if let Some((Value::Object(way), _)) = way {
            result.as_object_mut().expect("a result is an object").extend(way);
        }
        let changes =
            [Change::Spent(spent(&ended, definition)), Change::Answered { outcome, reason, result }];
        let (id, now) = (run.id, self.clock.now());
        let write = move |tx: &mut Connection| {
            changes.iter().try_for_each(|change| change.write(tx, id, now))?;
            made.iter().try_for_each(|Made { container, file_id, filename }| {
                store::made::produced(tx, id, (container, file_id, filename))
            })
        };
        self.database.write(write).await?;
        tracing::info!(
            run.id = run.id.0,
            rule = run.rule,
            path = run.path,
            outcome = outcome.as_str(),
            "run answered"
        );
        Ok(())
    }

    /// The run ends without a result; what there is of an answer is kept for people.
    pub(super) async fn end_without(
        &self,
        run: &Run,
        (ended, outcome): (&Ended, Outcome),
        reason: &str,
    ) -> Result<(), Verdict> {
        let mut changes = vec![Change::Quiet];
        if let Some(definition) = self.definition(&run.rule) {
            let mut result = self.result(run, definition, ended);
            result["refusal"] = ended.output.refusal.clone().into();
            changes.extend([Change::Spent(spent(ended, definition)), Change::Kept(result)]);
        }
        self.ending_with(run, changes, (outcome, reason)).await
    }

    /// Reads the answer and looks its quotes up. The inner error says why it cannot be a result.
    pub(super) async fn judge(
        &self,
        run: &Run,
        definition: &Definition,
        output: &Output,
    ) -> Result<Result<Judged, String>, Verdict> {
        let Some(schema) = definition.schema.clone() else { return Ok(Ok(Judged::free_text())) };
        let (by, text) = (schema.clone(), output.text.clone());
        let data = match self.compute.run(move || answer::read(&by, &text)).await {
            Ok(data) => data,
            Err(why) => return Ok(Err(why)),
        };
        let document = self.text((run, definition)).await?;
        Ok(Ok(self.compute.run(move || answer::judge(&schema, data, document)).await))
    }

    /// The files that code made: those that the text names, and those that stand in its containers. What cannot be had
    /// is said in `notes`, and is no reason for the run to fail.
    async fn made(
        &self,
        definition: &Definition,
        output: &Output,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Made>, Verdict> {
        let mut made: Vec<Made> = output
            .files
            .iter()
            .map(|file| Made {
                container: file.container.0.clone(),
                file_id: file.file_id.clone(),
                filename: file.filename.clone(),
            })
            .collect();
        for container in &output.containers {
            match self.made_in(container, &mut made).await {
                Ok(()) => {}
                // It died, or has expired; what the text names says so when it is fetched.
                Err(error) if error.retry() == Retry::Never => notes.push(format!(
                    "The files in the container that code ran in could not be listed: {error}. Those that the answer does \
                     not name are lost."
                )),
                Err(error) => return Err(self.unanswered(definition, &error).await),
            }
        }
        if made.len() > MOST_FILES {
            notes.push(format!(
                "The run made more than {MOST_FILES} files; the first {MOST_FILES} were taken."
            ));
            made.truncate(MOST_FILES);
        }
        Ok(made)
    }

    /// Adds the files that code made in a container, until there are more than are taken.
    async fn made_in(&self, container: &ContainerId, made: &mut Vec<Made>) -> Result<(), Error> {
        let mut after = None;
        for _ in 0..MOST_PAGES {
            let page = self.openai.container_files(container, after.as_deref()).await?;
            let by_code = page.items.into_iter().filter(|file| file.source.as_deref() == Some("assistant"));
            for file in by_code {
                if !made.iter().any(|known| known.file_id == file.id) {
                    let (container, filename) = (container.0.clone(), file.name().to_owned());
                    made.push(Made { container, filename, file_id: file.id });
                }
            }
            after = page.next;
            if after.is_none() || made.len() > MOST_FILES {
                break;
            }
        }
        Ok(())
    }

    /// What is kept of every response that ended.
    pub(super) fn result(&self, run: &Run, definition: &Definition, ended: &Ended) -> Value {
        json!({
            "run_id": run.id, "rule": run.rule, "source_id": run.key.to_string(), "path": run.path,
            "version": run.version, "content_hash": run.content_hash, "definition": run.definition,
            "engine": definition.engine.as_str(), "model": ended.model.as_deref().or(definition.engine.model()),
            "conversation": run.conversation, "response": run.response, "usage": ended.usage,
            "service_tier": ended.service_tier,
            "begun_at": run.begun_at, "answered_at": self.clock.now(),
            "text": plain(&ended.output.text), "citations": ended.output.citations,
        })
    }
}

/// What stands at the top of a result over a document that was too large.
const SEARCHED: &str = "The document is too large to be read whole: the model was shown only what a search found in it. What the \
                        search did not find is not in this result.";

/// The same as a reason why a person has to look at it.
const WAS_SEARCHED: &str = "the document is too large to be read whole, so it was searched";

/// The model could not search all that it was to.
const PARTLY_SEARCHED: &str = "The rule's files are in more vector stores than one search may name";

/// Why a person has to look at an answer, if there is anything.
fn doubts(judged: &Judged, definition: &Definition, refusal: Option<&str>) -> Vec<String> {
    let (all, unverified, partial) = (judged.checks.len(), judged.unverified(), judged.partial());
    let mut doubts = Vec::new();
    if unverified > 0 {
        doubts.push(format!("{unverified} of {all} quotes are not proven to be in the document"));
        doubts.extend(judged.unchecked.clone());
    }
    if partial > 0 && definition.partial_quotes == PartialQuotes::Review {
        doubts
            .push(format!("{partial} of {all} quotes leave out words of their sentence that say otherwise"));
    }
    doubts.extend(refusal.map(|refusal| format!("the model refused a part: {refusal}")));
    doubts
}
