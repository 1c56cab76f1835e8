//! `/vector_stores/{id}/files`: attach, list, look, relabel, detach, content. Indexing takes the time that
//! [`super::super::Options::index_delay`] says; faults make it stick or fail.

use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderName, Response};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use super::super::content::Content;
use super::super::faults::FaultKind;
use super::super::journal::Trace;
use super::error::ApiError;
use super::file::{self, fresh};
use super::history::Interval;
use super::kinds;
use super::read::{Fields, Query};
use super::search::chunk_count;
use super::shelf::PageRequest;
use super::state::{PendingRemoval, State, World, seconds};
use super::store::{find, live};
use super::text::{self, Failure};

/// How long after its creation something may still be answered with 404; users report seconds, a minute is generous.
pub const FRESH_MS: i64 = 60_000;

/// How long a slowed delete takes when the fault does not say.
pub const SLOW_DELETE: Duration = Duration::from_secs(3);

/// How long a slowed attach takes when the fault does not say; a text of 20 MB took OGX this long.
const SLOW_ATTACH: Duration = Duration::from_secs(5 * 60);

/// How often a slowed attach looks at the stand-in's clock, which tests move.
const CLOCK_LOOK: Duration = Duration::from_millis(5);

/// Where `openai-poll-after-ms` stays: the SDKs' own default at most, and never a busy loop.
const POLL_AFTER_MS: (i64, i64) = (10, 1_000);

/// OpenAI's OpenAPI document: the limits and the defaults of the static chunking strategy.
const CHUNK_TOKENS: (i64, i64) = (100, 4_096);
const DEFAULT_CHUNKING: (i64, i64) = (800, 400);

/// One file in one store.
#[derive(Debug)]
pub struct StoreFile {
    pub file_id: String,
    pub filename: String,
    pub attributes: Option<Map<String, Value>>,
    pub content: Content,
    /// How indexing ends: with how many bytes of text, or why not.
    ending: Result<u64, Failure>,
    /// Tokens per chunk, and how many of them the next chunk repeats.
    pub chunking: (i64, i64),
    attached_ms: i64,
    /// None while it is stuck.
    ready_ms: Option<i64>,
    pub cancelled: bool,
    pub batch: Option<String>,
    /// It was deleted, although a fault lets it linger.
    deleted: bool,
}

/// What an attach asks for.
#[derive(Debug, Clone)]
pub struct Attach {
    pub file_id: String,
    pub attributes: Option<Map<String, Value>>,
    pub chunking: (i64, i64),
    pub batch: Option<String>,
}

impl StoreFile {
    /// A file that is indexed.
    pub fn indexed(
        (file_id, filename): (&str, &str),
        attributes: Map<String, Value>,
        content: Content,
        now: i64,
    ) -> StoreFile {
        StoreFile {
            file_id: file_id.to_owned(),
            filename: filename.to_owned(),
            attributes: Some(attributes),
            ending: text_bytes(filename, &content),
            content,
            chunking: DEFAULT_CHUNKING,
            attached_ms: now,
            ready_ms: Some(now),
            cancelled: false,
            batch: None,
            deleted: false,
        }
    }

    pub fn status(&self, now: i64) -> &'static str {
        match &self.ending {
            _ if self.cancelled => "cancelled",
            _ if self.ready_ms.is_none_or(|ready| now < ready) => "in_progress",
            Ok(_) => "completed",
            Err(_) => "failed",
        }
    }

    pub fn usage_bytes(&self, now: i64) -> u64 {
        // What the index takes, not what the file has (OpenAI's OpenAPI document): nothing without text. How much it is with
        // text is not documented, and is taken as that.
        match self.ending {
            Ok(bytes) if self.status(now) == "completed" => bytes,
            _ => 0,
        }
    }

    pub fn show(&self, store: &str, now: i64) -> Value {
        let status = self.status(now);
        let failure = self.ending.as_ref().err().filter(|_| status == "failed");
        json!({
            "id": self.file_id, "object": "vector_store.file", "usage_bytes": self.usage_bytes(now),
            "created_at": seconds(self.attached_ms), "vector_store_id": store, "status": status,
            "last_error": failure.map(|failure| json!({"code": failure.code, "message": failure.message})),
            "chunking_strategy": {"type": "static", "static": {
                "max_chunk_size_tokens": self.chunking.0, "chunk_overlap_tokens": self.chunking.1,
            }},
            "attributes": self.attributes.clone().unwrap_or_default(),
        })
    }

    /// With what only the sandbox knows.
    pub fn inspect(&self, store: &str, now: i64) -> Value {
        let mut shown = self.show(store, now);
        shown["filename"] = json!(self.filename);
        shown["bytes"] = json!(self.content.size);
        shown["sha256"] = json!(self.content.sha256);
        shown["chunks"] = json!(if self.status(now) == "completed" { chunk_count(self) } else { 0 });
        shown["deleted"] = json!(self.deleted);
        shown
    }

    /// When it could be found, if it ends at `until`.
    pub fn interval(&self, store: &str, until: i64) -> Interval {
        let found = self.ending.is_ok() && !self.cancelled;
        Interval {
            vector_store_id: store.to_owned(),
            file_id: self.file_id.clone(),
            filename: self.filename.clone(),
            attributes: json!(self.attributes),
            attached_ms: self.attached_ms,
            from_ms: self.ready_ms.filter(|ready| found && *ready <= until),
            until_ms: Some(until),
        }
    }

    /// The text that was indexed; nothing of a failed file.
    pub fn text(&self) -> String {
        text::read(&self.filename, &self.content).unwrap_or_default()
    }
}

impl State {
    /// Puts a file into a store and starts to index it. A file that is already there stays as it is: what the real service
    /// does is not documented.
    pub fn attach(
        &self,
        world: &mut World,
        now: i64,
        store: &str,
        attach: Attach,
        trace: &Trace,
    ) -> Result<Value, ApiError> {
        let file = world.file(&attach.file_id, now).ok_or_else(|| ApiError::no_file(&attach.file_id))?;
        if !kinds::supported(&file.filename) && attach.batch.is_none() {
            let message = kinds::unsupported(&file.filename);
            return Err(ApiError::invalid("file_id", message).code("unsupported_file"));
        }
        let (filename, content) = (file.filename.clone(), file.content.clone());
        let entries = &find(world, store)?.files;
        if let Some(entry) = entries.get(&attach.file_id).filter(|entry| !entry.deleted) {
            return Ok(entry.show(store, now));
        }
        let delay = match trace.hit(FaultKind::StuckInProgress) {
            Some(hit) => hit.details.delay_ms.map(|delay| i64::try_from(delay).unwrap_or(i64::MAX)),
            None => Some(self.index_delay_ms),
        };
        let entry = StoreFile {
            ending: ending(&filename, &content, trace),
            file_id: attach.file_id.clone(),
            filename,
            attributes: attach.attributes,
            content,
            chunking: attach.chunking,
            attached_ms: now,
            ready_ms: delay.map(|delay| now.saturating_add(delay)),
            cancelled: false,
            batch: attach.batch,
            deleted: false,
        };
        // The reply says so even when indexing takes no time: a client must look again.
        let mut shown = entry.show(store, now.min(entry.attached_ms) - 1);
        shown["status"] = "in_progress".into();
        world.detach(store, &attach.file_id, now);
        world.spare(store, &attach.file_id);
        let store = find(world, store)?;
        store.files.put(&attach.file_id, entry);
        store.last_active_ms = now;
        Ok(shown)
    }
}

/// How much text is read out of a file. Of a large one only the opening is held, and the rest is taken to be like it.
fn text_bytes(filename: &str, content: &Content) -> Result<u64, Failure> {
    let text = text::read(filename, content)?;
    let is_all = content.bytes().is_some() || text.is_empty();
    Ok(if is_all { text.len() as u64 } else { content.size })
}

/// How indexing will end. The messages are those that users report.
fn ending(filename: &str, content: &Content, trace: &Trace) -> Result<u64, Failure> {
    if !kinds::supported(filename) {
        let code = "unsupported_file".to_owned();
        return Err(Failure { code, message: "The file type is not supported.".to_owned() });
    }
    let Some(hit) = trace.hit(FaultKind::IndexFailure) else { return text_bytes(filename, content) };
    let code = hit.details.code.unwrap_or_else(|| "server_error".to_owned());
    let message = hit.details.message.unwrap_or_else(|| {
        let message = match code.as_str() {
            "unsupported_file" => "The file type is not supported.",
            "invalid_file" => "The file could not be parsed because it is too large.",
            _ => "An internal error occurred.",
        };
        message.to_owned()
    });
    Err(Failure { code, message })
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/vector_stores/{store}/files", post(attach).get(list))
        .route("/v1/vector_stores/{store}/files/{file}", get(look).post(relabel).delete(detach))
        .route("/v1/vector_stores/{store}/files/{file}/content", get(content))
}

/// Reads `chunking_strategy`.
pub fn chunking(fields: &Fields) -> Result<(i64, i64), ApiError> {
    let Some(value) = fields.value("chunking_strategy") else { return Ok(DEFAULT_CHUNKING) };
    let at = format!("{}.", fields.param("chunking_strategy"));
    let strategy = Fields::of(value.clone(), at.clone(), &["type", "static"])?;
    match strategy.one_of_required("type", ["auto", "static"])? {
        "auto" => Ok(DEFAULT_CHUNKING),
        _ => {
            let sizes = Fields::of(
                strategy.required("static")?.clone(),
                format!("{at}static."),
                &["max_chunk_size_tokens", "chunk_overlap_tokens"],
            )?;
            let (low, high) = CHUNK_TOKENS;
            sizes.required("max_chunk_size_tokens")?;
            let size = sizes.integer("max_chunk_size_tokens", low, high)?.unwrap_or(low);
            sizes.required("chunk_overlap_tokens")?;
            let overlap = sizes.integer("chunk_overlap_tokens", 0, size / 2)?.unwrap_or(0);
            Ok((size, overlap))
        }
    }
}

async fn attach(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    Path(store): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["file_id", "attributes", "chunking_strategy"])?;
    let attach = Attach {
        file_id: fields.required_text("file_id")?.to_owned(),
        attributes: fields.attributes()?,
        chunking: chunking(&fields)?,
        batch: None,
    };
    ApiError::check_id("file_id", &attach.file_id, "file")?;
    let Some(hit) = trace.hit(FaultKind::SlowAttach) else {
        return attach_now(&state, &store, attach, &trace);
    };
    let delay = i64::try_from(hit.delay_or(SLOW_ATTACH).as_millis()).unwrap_or(i64::MAX);
    let due = state.world().1.saturating_add(delay);
    // In a task of its own, which goes on when the client has left.
    let attached = tokio::spawn(async move {
        while state.world().1 < due {
            tokio::time::sleep(CLOCK_LOOK).await;
        }
        attach_now(&state, &store, attach, &trace)
    });
    attached.await.expect("an attach does not panic")
}

fn attach_now(state: &State, store: &str, attach: Attach, trace: &Trace) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    live(&mut world, now, store)?;
    let file = world.file(&attach.file_id, now).ok_or_else(|| ApiError::no_file(&attach.file_id))?;
    // Users report the 404 of a fresh file on the attach itself in these words.
    if fresh(now - file.created_ms, trace) {
        return Err(ApiError::no_store_file(store, &attach.file_id));
    }
    state.attach(&mut world, now, store, attach, trace).map(Json)
}

/// Reads `filter`.
pub fn status_filter(query: &Query) -> Result<Option<&'static str>, ApiError> {
    query.one_of("filter", ["in_progress", "completed", "failed", "cancelled"])
}

async fn list(
    Shared(state): Shared<State>,
    Path(store): Path<String>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let (ask, filter) = (PageRequest::usual(&query)?, status_filter(&query)?);
    let (mut world, now) = state.world();
    let store = live(&mut world, now, &store)?;
    let show = |entry: &StoreFile| {
        filter.is_none_or(|wanted| entry.status(now) == wanted).then(|| entry.show(&store.id, now))
    };
    store.files.page(&ask, show).map(Json)
}

/// The entry, unless it is not there or a fault hides it while it is fresh.
fn entry<'a>(
    world: &'a mut World,
    now: i64,
    (store, file): (&str, &str),
    trace: &Trace,
) -> Result<&'a mut StoreFile, ApiError> {
    let live = live(world, now, store)?;
    ApiError::check_id("file_id", file, "file")?;
    match live.files.get_mut(file) {
        Some(entry) if !fresh(now - entry.attached_ms, trace) => Ok(entry),
        _ => Err(ApiError::no_store_file(store, file)),
    }
}

async fn look(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    Path((store, file)): Path<(String, String)>,
) -> Result<Response<Body>, ApiError> {
    let (mut world, now) = state.world();
    let entry = entry(&mut world, now, (&store, &file), &trace)?;
    let (least, most) = POLL_AFTER_MS;
    let wait = entry.ready_ms.map_or(most, |ready| ready - now).clamp(least, most);
    let poll_after = (HeaderName::from_static("openai-poll-after-ms"), wait.to_string());
    Ok(([poll_after], Json(entry.show(&store, now))).into_response())
}

/// Replaces the attributes; null clears them (inferred: the documents only name the member).
async fn relabel(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    Path((store, file)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["attributes"])?;
    if !fields.sent("attributes") {
        fields.required("attributes")?;
    }
    let attributes = fields.attributes()?;
    let (mut world, now) = state.world();
    let entry = entry(&mut world, now, (&store, &file), &trace)?;
    entry.attributes = attributes;
    Ok(Json(entry.show(&store, now)))
}

/// Allowed while it is being indexed (no rule was found). The file itself stays.
async fn detach(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    Path((store, file)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    ApiError::check_id("file_id", &file, "file")?;
    let entry = live(&mut world, now, &store)?
        .files
        .get_mut(&file)
        .ok_or_else(|| ApiError::no_store_file(&store, &file))?;
    if !entry.deleted {
        match trace.hit(FaultKind::SlowDelete) {
            Some(hit) => {
                entry.deleted = true;
                let delay = i64::try_from(hit.delay_or(SLOW_DELETE).as_millis()).unwrap_or(i64::MAX);
                let doomed = PendingRemoval::StoreFile { store, file: file.clone() };
                world.doom(doomed, now.saturating_add(delay));
            }
            None => world.detach(&store, &file, now),
        }
    }
    Ok(Json(json!({ "id": file, "object": "vector_store.file.deleted", "deleted": true })))
}

async fn content(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    Path((store, id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    let entry = entry(&mut world, now, (&store, &id), &trace)?;
    let (text, filename, attributes) = (entry.text(), entry.filename.clone(), entry.attributes.clone());
    file::find(&world, now, &trace, &id)?;
    Ok(Json(json!({
        "object": "vector_store.file_content.page", "file_id": id, "filename": filename,
        "attributes": attributes.unwrap_or_default(), "data": [{"type": "text", "text": text}],
        "content": [{"type": "text", "text": text}], "has_more": false, "next_page": null,
    })))
}
