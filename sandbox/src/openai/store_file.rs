//! `/vector_stores/{id}/files`: attach, list, look, relabel, detach, content.

use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderName, Response};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::super::faults::FaultKind;
use super::super::journal::Trace;
use super::chunking::Chunking;
use super::error::ApiError;
use super::file::{self, SLOW_DELETE, fresh};
use super::indexing::{Attach, StoreFile};
use super::read::{Fields, Query};
use super::shelf::PageRequest;
use super::state::{PendingRemoval, State, World};
use super::store::live;

/// How long a slowed attach takes when the fault does not say; a text of 20 MB took OGX this long.
const SLOW_ATTACH: Duration = Duration::from_secs(5 * 60);

/// How often a slowed attach looks at the stand-in's clock, which tests move.
const CLOCK_LOOK: Duration = Duration::from_millis(5);

/// Where `openai-poll-after-ms` stays: the SDKs' own default at most, and never a busy loop.
const POLL_AFTER_MS: (i64, i64) = (10, 1_000);

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/vector_stores/{store}/files", post(attach).get(list))
        .route("/v1/vector_stores/{store}/files/{file}", get(look).post(relabel).delete(detach))
        .route("/v1/vector_stores/{store}/files/{file}/content", get(content))
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
        chunking: Chunking::read(&fields)?,
        batch: None,
    };
    ApiError::check_id("file_id", &attach.file_id, "file")?;
    {
        let (mut world, now) = state.world();
        world.counts.attach(&state.limits, now, (&store, 1))?;
    }
    let Some(hit) = trace.hit(FaultKind::SlowAttach) else {
        return attach_now(&state, &store, attach, &trace);
    };
    let delay = hit.delay_ms_or(SLOW_ATTACH);
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
                let delay = hit.delay_ms_or(SLOW_DELETE);
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
