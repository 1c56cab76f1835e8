//! `/batches`: many requests in one file, worked through within a day at a lower price. After OpenAI's OpenAPI document and its guide; that a
//! request of one may not be in the background, nor streamed, is inferred: the guide has neither.
//!
//! What each request comes to is decided when the batch is made; when that is to be seen follows from the clock. A cancelled or expired batch
//! has half of its answers.

use std::collections::HashSet;
use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::super::content::Content;
use super::super::faults::FaultKind;
use super::super::journal::Trace;
use super::error::ApiError;
use super::file::File;
use super::read::{Fields, Query, known_value};
use super::response;
use super::shelf::PageRequest;
use super::state::{State, World, seconds};

/// OpenAI's OpenAPI document.
const MAX_REQUESTS: usize = 50_000;
const MAX_BYTES: u64 = 200 * 1000 * 1000;
const ENDPOINTS: [&str; 5] =
    ["/v1/responses", "/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/v1/moderations"];

/// How much longer a slowed batch takes when the fault does not say.
const SLOW: Duration = Duration::from_secs(3_600);

/// The only window that the document has, in milliseconds.
const WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

/// A batch, by when it comes into which state.
#[derive(Debug)]
pub struct RequestBatch {
    id: String,
    input_file: String,
    metadata: Value,
    created_ms: i64,
    ended_ms: i64,
    /// `completed`, `failed` or `expired`.
    ending: &'static str,
    errors: Vec<Value>,
    cancelled_ms: Option<i64>,
    /// Lines of the output and of the error file.
    output: Vec<Value>,
    failed: Vec<Value>,
    files: Option<[Option<String>; 2]>,
}

impl RequestBatch {
    fn status(&self, now: i64) -> &'static str {
        match self.cancelled_ms {
            Some(at) if now > at => "cancelled",
            Some(_) => "cancelling",
            None if now >= self.ended_ms => self.ending,
            None if now > self.created_ms => "in_progress",
            None => "validating",
        }
    }

    fn is_over(&self, now: i64) -> bool {
        matches!(self.status(now), "cancelled" | "completed" | "failed" | "expired")
    }

    pub fn show(&self, now: i64) -> Value {
        let status = self.status(now);
        let at = |word: &str| (status == word).then(|| seconds(self.ended_ms.min(now)));
        let [output, errors] = self.files.clone().unwrap_or_default();
        let mut shown = json!({
            "id": self.id, "object": "batch", "endpoint": "/v1/responses", "input_file_id": self.input_file,
            "completion_window": "24h", "status": status, "created_at": seconds(self.created_ms),
            "expires_at": seconds(self.created_ms + WINDOW_MS), "metadata": self.metadata,
            "output_file_id": output, "error_file_id": errors,
            "completed_at": at("completed"), "failed_at": at("failed"), "expired_at": at("expired"), "cancelled_at": at("cancelled"),
            "request_counts": {
                "total": self.output.len() + self.failed.len(), "completed": self.output.len(), "failed": self.failed.len(),
            },
        });
        if status == "failed" {
            shown["errors"] = json!({"object": "list", "data": self.errors});
        }
        shown
    }
}

/// Makes the files of batches that have ended.
pub fn settle(world: &mut World, now: i64) {
    let over = world.batches.iter_mut().filter(|batch| batch.files.is_none() && batch.is_over(now));
    let mut ended = Vec::new();
    for batch in over {
        if batch.cancelled_ms.is_some() {
            leave_half(
                batch,
                "batch_cancelled",
                "This request was not executed, because the batch was cancelled.",
            );
        }
        let lines = |lines: &[Value]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        ended.push((batch.id.clone(), [lines(&batch.output), lines(&batch.failed)]));
    }
    for (id, texts) in ended {
        let files = texts.map(|text| {
            let made = (!text.is_empty()).then(|| world.ids.file())?;
            let file = File {
                id: made.clone(),
                filename: format!("{id}_output.jsonl"),
                purpose: "batch_output".to_owned(),
                content_type: None,
                content: Content::of(text.as_bytes()),
                created_ms: now,
                expires_at_ms: None,
            };
            world.files.put(&made, file);
            Some(made)
        });
        if let Some(batch) = world.batches.get_mut(&id) {
            batch.files = Some(files);
        }
    }
}

/// The second half was not come to.
fn leave_half(batch: &mut RequestBatch, code: &str, message: &str) {
    let left = batch.output.split_off(batch.output.len() / 2);
    batch.failed.extend(left.into_iter().map(|line| {
        json!({
            "id": line["id"], "custom_id": line["custom_id"], "response": null,
            "error": {"code": code, "message": message},
        })
    }));
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/batches", post(create).get(list))
        .route("/v1/batches/{batch}", get(look))
        .route("/v1/batches/{batch}/cancel", post(cancel))
}

async fn create(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let known = ["input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"];
    let fields = Fields::parse(&body, &known)?;
    known_value("endpoint", fields.required_text("endpoint")?, ENDPOINTS)?;
    known_value("completion_window", fields.required_text("completion_window")?, ["24h"])?;
    let input_file = fields.required_text("input_file_id")?.to_owned();
    let metadata = json!(fields.metadata()?);
    let (mut world, now) = state.world();
    let file = world.file(&input_file, now).ok_or_else(|| ApiError::no_file(&input_file))?;
    if file.purpose != "batch" {
        let message = "Invalid input file purpose. Expected 'batch'.";
        return Err(ApiError::invalid("input_file_id", message).code("invalid_file_purpose"));
    }
    let bytes = file.content.bytes().cloned().unwrap_or_default();
    let (mut output, mut failed, mut errors) = (Vec::new(), Vec::new(), check(&bytes));
    let bad = trace.hit(FaultKind::BadBatch);
    let code = bad.as_ref().map(|hit| hit.details.code.clone().unwrap_or_else(|| "failed".to_owned()));
    if errors.is_empty() && matches!(code.as_deref(), Some("failed" | "token_limit_exceeded")) {
        let message = bad.as_ref().and_then(|hit| hit.details.message.clone());
        let message = message.unwrap_or_else(|| "The batch was refused (sandbox fault).".to_owned());
        errors.push(json!({"code": code, "message": message, "param": null, "line": null}));
    }
    if errors.is_empty() {
        for line in lines(&bytes) {
            let id = world.ids.hex("batch_req_");
            match response::of_a_batch(&mut world, (&line["body"], &trace), now) {
                Ok(body) => output.push(json!({
                    "id": id, "custom_id": line["custom_id"], "error": null,
                    "response": {"status_code": 200, "request_id": world.ids.hex("req_"), "body": body},
                })),
                Err(error) => failed.push(json!({
                    "id": id, "custom_id": line["custom_id"], "error": null,
                    "response": {
                        "status_code": error.status.as_u16(), "request_id": world.ids.hex("req_"), "body": error.body(),
                    },
                })),
            }
        }
    }
    let slow = trace.hit(FaultKind::SlowRun).map_or(0, |hit| hit.delay_ms_or(SLOW));
    let mut batch = RequestBatch {
        id: world.ids.hex("batch_"),
        input_file,
        metadata,
        created_ms: now,
        ended_ms: now.saturating_add(state.index_delay_ms).saturating_add(slow),
        ending: if errors.is_empty() { "completed" } else { "failed" },
        errors,
        cancelled_ms: None,
        output,
        failed,
        files: None,
    };
    match code.as_deref() {
        Some("expired") => {
            batch.ending = "expired";
            let message = "This request could not be executed before the completion window expired.";
            leave_half(&mut batch, "batch_expired", message);
        }
        Some("missing_line") => drop(batch.output.pop()),
        Some("other_order") => batch.output.reverse(),
        _ => {}
    }
    let mut shown = batch.show(now);
    shown["status"] = "validating".into();
    shown["output_file_id"] = Value::Null;
    shown["error_file_id"] = Value::Null;
    world.batches.put(&batch.id.clone(), batch);
    Ok(Json(shown))
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = Value> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap_or(Value::Null))
}

/// What is wrong with the file, line by line.
fn check(bytes: &[u8]) -> Vec<Value> {
    let mut errors = Vec::new();
    let mut wrong = |code: &str, message: &str, line: usize| {
        errors.push(json!({"code": code, "message": message, "param": null, "line": line}));
    };
    let (mut seen, mut count) = (HashSet::new(), 0);
    for (number, line) in lines(bytes).enumerate() {
        count += 1;
        if !line.is_object() {
            wrong("invalid_json_line", "This line is not parseable as valid JSON.", number + 1);
            continue;
        }
        let custom_id = line["custom_id"].as_str().unwrap_or_default().to_owned();
        if custom_id.is_empty() {
            wrong("missing_required_parameter", "Missing required parameter: 'custom_id'.", number + 1);
        } else if !seen.insert(custom_id) {
            wrong(
                "duplicate_custom_id",
                "The custom_id for this request is a duplicate of another one.",
                number + 1,
            );
        }
        if line["method"] != "POST" || line["url"] != "/v1/responses" {
            wrong(
                "mismatched_endpoint",
                "The URL provided for this request does not match the batch endpoint.",
                number + 1,
            );
        }
    }
    if count == 0 {
        wrong("empty_file", "The input file is empty.", 0);
    }
    if count > MAX_REQUESTS || bytes.len() as u64 > MAX_BYTES {
        wrong("too_many_tasks", "The batch input file contains too many requests.", 0);
    }
    errors
}

fn missing(id: &str) -> ApiError {
    ApiError::plain(format!("No batch found with id '{id}'.")).status(StatusCode::NOT_FOUND)
}

async fn list(Shared(state): Shared<State>, query: Query) -> Result<Json<Value>, ApiError> {
    let ask = PageRequest::usual(&query)?;
    let (world, now) = state.world();
    world.batches.page(&ask, |batch| Some(batch.show(now))).map(Json)
}

async fn look(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (world, now) = state.world();
    world.batches.get(&id).map(|batch| Json(batch.show(now))).ok_or_else(|| missing(&id))
}

async fn cancel(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    let batch = world.batches.get_mut(&id).ok_or_else(|| missing(&id))?;
    if batch.is_over(now) {
        let message = format!("Cannot cancel a batch with status '{}'.", batch.status(now));
        return Err(ApiError::plain(message).status(StatusCode::CONFLICT));
    }
    batch.cancelled_ms.get_or_insert(now);
    Ok(Json(batch.show(now)))
}
