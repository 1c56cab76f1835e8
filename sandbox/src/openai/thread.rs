//! Threads and runs of the Assistants API, version 2, for a stand-in that plays a compatible server
//! ([`super::super::Options::assistants`]). OpenAI itself answers these paths with 404 since 2026-08-26, and so does the
//! stand-in unless it is told otherwise.
//!
//! After OpenAI's OpenAPI document 2.3.0, as far as an unattended run needs it. Every assistant's id is taken.

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State as Shared};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde_json::{Map, Value, json};

use super::super::faults::FaultKind;
use super::super::journal::Trace;
use super::ask::document;
use super::compose::bad_ending;
use super::error::ApiError;
use super::model::{self, Document, Ending, Prompt};
use super::read::{Fields, Query};
use super::response::SLOW_RUN;
use super::shelf::{self, PageRequest, Shelf};
use super::state::{State, World, seconds};

/// OpenAI's OpenAPI document and, for `tool_resources` of a run, its guide.
const RUN_FIELDS: [&str; 8] = [
    "assistant_id",
    "model",
    "instructions",
    "additional_instructions",
    "max_completion_tokens",
    "max_prompt_tokens",
    "metadata",
    "response_format",
];

/// One thread with the user's message and the runs made in it.
#[derive(Debug)]
pub struct Thread {
    id: String,
    created_ms: i64,
    metadata: Map<String, Value>,
    text: String,
    documents: Vec<Document>,
    runs: Shelf<Run>,
}

#[derive(Debug)]
struct Run {
    id: String,
    assistant: String,
    metadata: Map<String, Value>,
    created_ms: i64,
    ended_ms: i64,
    cancelled: bool,
    ending: Ending,
    message: String,
}

impl Run {
    fn status(&self, now: i64) -> &'static str {
        match &self.ending {
            _ if self.cancelled => "cancelled",
            _ if now < self.ended_ms => "in_progress",
            Ending::Completed { .. } | Ending::Refused { .. } => "completed",
            Ending::Incomplete { .. } => "incomplete",
            Ending::Failed { .. } => "failed",
        }
    }

    fn show(&self, thread: &str, now: i64) -> Value {
        let status = self.status(now);
        let (error, incomplete) = match &self.ending {
            Ending::Failed { code, message } if status == "failed" => {
                (json!({"code": code, "message": message}), Value::Null)
            }
            Ending::Incomplete { .. } if status == "incomplete" => {
                (Value::Null, json!({"reason": "max_completion_tokens"}))
            }
            _ => (Value::Null, Value::Null),
        };
        let usage = (status == "completed")
            .then(|| json!({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}));
        json!({
            "id": self.id, "object": "thread.run", "thread_id": thread, "assistant_id": self.assistant,
            "created_at": seconds(self.created_ms), "status": status, "last_error": error,
            "incomplete_details": incomplete, "model": "sandbox-rules", "metadata": self.metadata, "usage": usage,
        })
    }

    /// What the assistant said, with a mark for each file it cites.
    fn message(&self, thread: &str) -> Option<Value> {
        let (text, cited): (&String, &[Document]) = match &self.ending {
            Ending::Completed { text, cited } => (text, cited),
            Ending::Incomplete { text, .. } | Ending::Refused { refusal: text } => (text, &[]),
            Ending::Failed { .. } => return None,
        };
        let annotations: Vec<Value> = cited
            .iter()
            .map(|document| {
                json!({"type": "file_citation", "text": "", "start_index": 0, "end_index": 0,
                       "file_citation": {"file_id": document.file_id}})
            })
            .collect();
        let part = match &self.ending {
            Ending::Refused { refusal } => json!({"type": "refusal", "refusal": refusal}),
            _ => json!({"type": "text", "text": {"value": text, "annotations": annotations}}),
        };
        Some(json!({
            "id": self.message, "object": "thread.message", "thread_id": thread, "run_id": self.id, "role": "assistant",
            "created_at": seconds(self.ended_ms), "content": [part], "attachments": [], "metadata": {},
        }))
    }
}

impl Thread {
    pub fn inspect(&self, now: i64) -> Value {
        let runs: Vec<Value> = self.runs.iter().map(|run| run.show(&self.id, now)).collect();
        json!({"id": self.id, "metadata": self.metadata, "runs": runs})
    }
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/threads", post(create))
        .route("/v1/threads/{thread}", delete(remove))
        .route("/v1/threads/{thread}/runs", post(start).get(runs))
        .route("/v1/threads/{thread}/runs/{run}", get(look))
        .route("/v1/threads/{thread}/runs/{run}/cancel", post(cancel))
        .route("/v1/threads/{thread}/messages", get(messages))
        .layer(from_fn(beta))
}

/// The protocol must be asked for.
async fn beta(headers: HeaderMap, request: Request, next: Next) -> Response {
    if headers.get("openai-beta").is_some_and(|value| value == "assistants=v2") {
        return next.run(request).await;
    }
    let message = "You must provide the 'OpenAI-Beta' header to access the Assistants API.";
    ApiError::plain(message).code("invalid_beta").into_response()
}

fn find<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Thread, ApiError> {
    let missing = || ApiError::missing("thread_id", format!("No thread found with id '{id}'."));
    world.threads.get_mut(id).ok_or_else(missing)
}

async fn create(Shared(state): Shared<State>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["messages", "metadata", "tool_resources"])?;
    let metadata = fields.metadata()?;
    let (mut world, now) = state.world();
    let (mut text, mut documents) = (String::new(), Vec::new());
    for message in fields.array("messages")?.into_iter().flatten() {
        text.push_str(message["content"].as_str().unwrap_or_default());
        for attachment in message["attachments"].as_array().into_iter().flatten() {
            documents.push(document(&world, attachment["file_id"].as_str().unwrap_or_default(), now)?);
        }
    }
    let id = world.ids.hex("thread_");
    let shown = json!({
        "id": id, "object": "thread", "created_at": seconds(now), "metadata": metadata, "tool_resources": {},
    });
    let made = Thread { id: id.clone(), created_ms: now, metadata, text, documents, runs: Shelf::default() };
    world.threads.put(&id, made);
    Ok(Json(shown))
}

async fn remove(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, _) = state.world();
    find(&mut world, &id)?;
    world.threads.take(&id);
    Ok(Json(json!({"id": id, "object": "thread.deleted", "deleted": true})))
}

async fn start(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &RUN_FIELDS)?;
    let (assistant, metadata) = (fields.required_text("assistant_id")?.to_owned(), fields.metadata()?);
    let (mut world, now) = state.world();
    let (run_id, message) = (world.ids.hex("run_"), world.ids.hex("msg_"));
    let thread = find(&mut world, &id)?;
    if thread.runs.iter().any(|run| run.status(now) == "in_progress") {
        return Err(ApiError::invalid("thread_id", format!("Thread {id} already has an active run.")));
    }
    let schema = fields.value("response_format").map(|format| format["json_schema"]["schema"].clone());
    let prompt = Prompt {
        texts: vec![thread.text.clone()],
        documents: thread.documents.clone(),
        schema: schema.filter(|schema| !schema.is_null()),
    };
    let slow = trace.hit(FaultKind::SlowRun).map_or(0, |hit| hit.delay_ms_or(SLOW_RUN));
    let ending = match trace.hit(FaultKind::BadRun) {
        Some(hit) => bad_ending(&hit, &prompt),
        None => model::answer(&prompt),
    };
    let ended_ms = now.saturating_add(state.index_delay_ms).saturating_add(slow);
    let (created_ms, cancelled) = (now.max(thread.created_ms), false);
    let run =
        Run { id: run_id.clone(), assistant, metadata, created_ms, ended_ms, cancelled, ending, message };
    let mut shown = run.show(&id, now);
    shown["status"] = "queued".into();
    thread.runs.put(&run_id, run);
    Ok(Json(shown))
}

async fn runs(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let ask = PageRequest::usual(&query)?;
    let (mut world, now) = state.world();
    find(&mut world, &id)?.runs.page(&ask, |run| Some(run.show(&id, now))).map(Json)
}

fn run<'a>(world: &'a mut World, thread: &str, id: &str) -> Result<&'a mut Run, ApiError> {
    let missing = || ApiError::missing("run_id", format!("No run found with id '{id}'."));
    find(world, thread)?.runs.get_mut(id).ok_or_else(missing)
}

async fn look(
    Shared(state): Shared<State>,
    Path((thread, id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    run(&mut world, &thread, &id).map(|run| Json(run.show(&thread, now)))
}

async fn cancel(
    Shared(state): Shared<State>,
    Path((thread, id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    let run = run(&mut world, &thread, &id)?;
    let status = run.status(now);
    if status != "in_progress" {
        return Err(ApiError::invalid("run_id", format!("Cannot cancel run with status '{status}'.")));
    }
    run.cancelled = true;
    Ok(Json(run.show(&thread, now)))
}

async fn messages(
    Shared(state): Shared<State>,
    Path(thread): Path<String>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let wanted = query.get("run_id").map(str::to_owned);
    let (mut world, now) = state.world();
    let found = find(&mut world, &thread)?;
    let said: Vec<Value> = found
        .runs
        .iter()
        .filter(|run| wanted.as_ref().is_none_or(|wanted| *wanted == run.id))
        .filter(|run| matches!(run.status(now), "completed" | "incomplete"))
        .filter_map(|run| run.message(&thread))
        .collect();
    Ok(Json(shelf::list(said, false)))
}
