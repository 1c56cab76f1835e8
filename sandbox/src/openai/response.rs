//! `/responses`: make (in the foreground or background), look, cancel, delete, input items. What the model says is decided
//! when the response is made; when it is to be seen follows from the clock.

use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State as Shared};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use super::super::faults::{FaultHit, FaultKind};
use super::super::journal::Trace;
use super::ask::{self, ResponseRequest};
use super::container::{Container, HOSTILE_FILES, LARGE_FILE, MANY_FILES};
use super::error::ApiError;
use super::item;
use super::model::{self, Document, Ending, Prompt};
use super::read::Query;
use super::shelf::{PageRequest, Shelf};
use super::state::{State, World, seconds};

/// How much longer a slowed run takes when the fault does not say: longer than any deadline a test sets.
pub const SLOW_RUN: Duration = Duration::from_secs(3_600);

/// One response.
#[derive(Debug)]
pub struct Run {
    pub id: String,
    asked: ResponseRequest,
    created_ms: i64,
    /// From queued to in progress, and from there to the end.
    started_ms: i64,
    ended_ms: i64,
    cancelled: bool,
    /// Its end was seen, and its items were added to the conversation.
    settled: bool,
    ending: Ending,
    output: Vec<Value>,
    input: Shelf<Value>,
}

impl Run {
    fn status(&self, now: i64) -> &'static str {
        if self.cancelled {
            return "cancelled";
        }
        if now < self.started_ms {
            return "queued";
        }
        if now < self.ended_ms {
            return "in_progress";
        }
        match self.ending {
            Ending::Completed { .. } | Ending::Refused { .. } => "completed",
            Ending::Incomplete { .. } => "incomplete",
            Ending::Failed { .. } => "failed",
        }
    }

    pub fn show(&self, now: i64) -> Value {
        let status = self.status(now);
        let mut shown = self.asked.echo();
        let ended = !matches!(status, "queued" | "in_progress" | "cancelled");
        let (error, incomplete) = match &self.ending {
            Ending::Failed { code, message } if ended => {
                (json!({"code": code, "message": message}), Value::Null)
            }
            Ending::Incomplete { reason, .. } if ended => (Value::Null, json!({ "reason": reason })),
            _ => (Value::Null, Value::Null),
        };
        let facts = json!({
            "id": self.id, "object": "response", "created_at": seconds(self.created_ms), "status": status,
            "error": error, "incomplete_details": incomplete,
            "output": if ended { self.output.clone() } else { Vec::new() },
            "completed_at": (status == "completed").then(|| seconds(self.ended_ms)),
        });
        merge(&mut shown, facts);
        if ended {
            shown.insert("usage".to_owned(), self.usage());
        }
        Value::Object(shown)
    }

    /// Four characters are taken as one token.
    fn usage(&self) -> Value {
        let read: usize = self
            .asked
            .prompt
            .texts
            .iter()
            .map(String::len)
            .chain(self.documents().map(|text| text.len()))
            .sum();
        let written: usize = item::texts(&self.output).map(str::len).sum();
        let (read, written) = (read / 4 + 1, written / 4 + 1);
        json!({
            "input_tokens": read, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": written, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + written,
        })
    }

    fn documents(&self) -> impl Iterator<Item = &String> {
        self.asked.prompt.documents.iter().map(|document| &document.text)
    }
}

fn merge(into: &mut Map<String, Value>, from: Value) {
    if let Value::Object(members) = from {
        into.extend(members);
    }
}

/// Adds what ended runs said to their conversations, once.
pub fn settle(world: &mut World, now: i64) {
    let ended: Vec<(String, Vec<Value>)> = world
        .runs
        .iter_mut()
        .filter(|run| !run.settled && !run.cancelled && run.ended_ms <= now)
        .filter_map(|run| {
            run.settled = true;
            let items = run.input.iter().chain(&run.output).cloned().collect();
            run.asked.conversation.clone().map(|conversation| (conversation, items))
        })
        .collect();
    for (conversation, items) in ended {
        world.conversations.get_mut(&conversation).into_iter().for_each(|found| found.append(items.clone()));
    }
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/responses", post(create))
        .route("/v1/responses/{response}", get(look).delete(remove))
        .route("/v1/responses/{response}/cancel", post(cancel))
        .route("/v1/responses/{response}/input_items", get(input_items))
}

async fn create(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    let mut asked = ask::read(&body, &mut world, now)?;
    let (shown_items, hits) = ask::use_tools(&mut asked, &world, now);
    let slow = trace
        .hit(FaultKind::SlowRun)
        .map_or(0, |hit| i64::try_from(hit.delay_or(SLOW_RUN).as_millis()).unwrap_or(i64::MAX));
    let bad = trace.hit(FaultKind::BadRun);
    let ending =
        bad.as_ref().map_or_else(|| model::answer(&asked.prompt), |hit| bad_ending(hit, &asked.prompt));
    let mut output = Vec::new();
    let told = bad.as_ref().and_then(|hit| hit.details.code.as_deref());
    if told == Some(UNKNOWN_ITEMS) {
        output.push(json!({"type": "hologram", "id": world.ids.hex("holo_"), "beams": [1, 2, 3]}));
    }
    for mut shown in shown_items {
        shown["id"] = world.ids.hex("fs_").into();
        output.push(shown);
    }
    let mut said = message(&ending, &hits, world.ids.hex("msg_"));
    if asked.runs_code() {
        let container = Container::run(&mut world, &asked.prompt.documents, (told, now));
        output.push(container.call(world.ids.hex("ci_")));
        if let Some(annotations) =
            said.as_mut().and_then(|said| said["content"][0]["annotations"].as_array_mut())
        {
            annotations.push(container.citation());
        }
        let id = container.id().to_owned();
        world.containers.put(&id, container);
    }
    output.extend(said);
    let mut input = Shelf::default();
    asked.input.iter().for_each(|given| input.put(&item::id(given), given.clone()));
    // A run in the background takes as long as indexing does; one in the foreground answers at once.
    let taken = if asked.background { state.index_delay_ms.saturating_add(slow) } else { 0 };
    let run = Run {
        id: world.ids.hex("resp_"),
        created_ms: now,
        started_ms: now + taken.min(state.index_delay_ms) / 2,
        ended_ms: now.saturating_add(taken),
        cancelled: false,
        settled: false,
        ending,
        output,
        input,
        asked,
    };
    let mut shown = run.show(now);
    if run.asked.background {
        // The reply says so even when the run takes no time: a client must look again.
        shown = run.show(run.started_ms.min(now) - 1);
        shown["status"] = "queued".into();
    }
    let id = run.id.clone();
    world.runs.put(&id, run);
    settle(&mut world, now);
    Ok(Json(shown))
}

/// The code of a spoiled run whose answer comes among items of a type that OpenAI's documents do not name.
const UNKNOWN_ITEMS: &str = "unknown_items";

/// How a run ends that a fault spoils: `code` is `refusal`, a reason to be incomplete, what is wrong with the answer, or
/// the code of an error.
pub fn bad_ending(hit: &FaultHit, prompt: &Prompt) -> Ending {
    let message = |default: &str| hit.details.message.clone().unwrap_or_else(|| default.to_owned());
    match hit.details.code.as_deref().unwrap_or("server_error") {
        UNKNOWN_ITEMS | MANY_FILES | LARGE_FILE | HOSTILE_FILES => model::answer(prompt),
        "invented_quote" => model::invent(model::answer(prompt)),
        "answer" => {
            Ending::Completed { text: message("I have nothing to say."), cited: prompt.documents.clone() }
        }
        "refusal" => Ending::Refused { refusal: message("I'm sorry, but I can't help with that.") },
        reason @ ("max_output_tokens" | "content_filter") => Ending::Incomplete {
            text: message("This is the sandbox's stand-in for"),
            reason: reason.to_owned(),
        },
        code => {
            let message = message("The model failed to generate a response. (sandbox fault)");
            Ending::Failed { code: code.to_owned(), message }
        }
    }
}

/// The output message of an ending; a failed run has none.
fn message(ending: &Ending, hits: &[Document], id: String) -> Option<Value> {
    let (status, part) = match ending {
        Ending::Completed { text, cited } => {
            let mut cited: Vec<&Document> = cited.iter().chain(hits).collect();
            cited.dedup_by(|one, other| one.file_id == other.file_id);
            let annotations: Vec<Value> = cited
                .into_iter()
                .map(|document| {
                    json!({
                        "type": "file_citation", "index": text.len(), "file_id": document.file_id,
                        "filename": document.filename,
                    })
                })
                .collect();
            (
                "completed",
                json!({"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}),
            )
        }
        Ending::Incomplete { text, .. } => {
            ("incomplete", json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}))
        }
        Ending::Refused { refusal } => ("completed", json!({"type": "refusal", "refusal": refusal})),
        Ending::Failed { .. } => return None,
    };
    Some(json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": [part]}))
}

fn find<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Run, ApiError> {
    ApiError::check_id("response_id", id, "resp")?;
    let message = format!("Response with id '{id}' not found.");
    let missing = ApiError { param: None, ..ApiError::missing("", message) };
    world.runs.get_mut(id).filter(|run| run.asked.store).ok_or(missing)
}

async fn look(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    find(&mut world, &id).map(|run| Json(run.show(now)))
}

/// Idempotent; what has ended stays as it ended.
async fn cancel(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    let run = find(&mut world, &id)?;
    if !run.asked.background {
        let message = "Cannot cancel a synchronous response.";
        return Err(ApiError { param: None, ..ApiError::invalid("", message) });
    }
    run.cancelled |= now < run.ended_ms;
    Ok(Json(run.show(now)))
}

async fn remove(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, _) = state.world();
    find(&mut world, &id)?;
    world.runs.take(&id);
    Ok(Json(json!({ "id": id, "object": "response", "deleted": true })))
}

async fn input_items(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let ask = PageRequest::read(&Query::parse(&query.unwrap_or_default()), 20, 100)?;
    let (mut world, _) = state.world();
    find(&mut world, &id)?.input.page(&ask, |item| Some(item.clone())).map(Json)
}
