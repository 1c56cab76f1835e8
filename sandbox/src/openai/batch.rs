//! `/vector_stores/{id}/file_batches`: many files attached at once. One that fails does not fail the others.

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::super::journal::Trace;
use super::chunking::Chunking;
use super::error::ApiError;
use super::indexing::{Attach, StoreFile, store_is_full};
use super::read::{Fields, Query};
use super::shelf::PageRequest;
use super::state::{State, World, seconds};
use super::store::{Store, counts, find, live};
use super::store_file::status_filter;

/// OpenAI's OpenAPI document; the guides still say 500.
const MAX_FILES: usize = 2_000;

#[derive(Debug)]
pub struct Batch {
    id: String,
    created_ms: i64,
    cancelled: bool,
}

impl Batch {
    pub fn show(&self, store: &Store, now: i64) -> Value {
        let counts = counts(self.files(store), now);
        let status = match (self.cancelled, counts["in_progress"] != 0) {
            (true, _) => "cancelled",
            (false, true) => "in_progress",
            (false, false) => "completed",
        };
        json!({
            "id": self.id, "object": "vector_store.files_batch", "created_at": seconds(self.created_ms),
            "vector_store_id": store.id, "status": status, "file_counts": counts,
        })
    }

    fn files<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = &'a StoreFile> {
        store.files.iter().filter(|entry| entry.batch.as_ref() == Some(&self.id))
    }
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/vector_stores/{store}/file_batches", post(create))
        .route("/v1/vector_stores/{store}/file_batches/{batch}", get(look))
        .route("/v1/vector_stores/{store}/file_batches/{batch}/cancel", post(cancel))
        .route("/v1/vector_stores/{store}/file_batches/{batch}/files", get(list))
}

/// What is to be attached: `file_ids` with what they share, or `files` each with its own.
fn wanted(fields: &Fields) -> Result<Vec<Attach>, ApiError> {
    let shared = (fields.attributes()?, Chunking::read(fields)?);
    let attach =
        |file_id: String| Attach { file_id, attributes: shared.0.clone(), chunking: shared.1, batch: None };
    let wanted: Vec<Attach> = match (fields.texts("file_ids")?, fields.array("files")?) {
        (Some(ids), None) => ids.into_iter().map(attach).collect(),
        (None, Some(files)) => files
            .iter()
            .enumerate()
            .map(|(number, file)| {
                let known = ["file_id", "attributes", "chunking_strategy"];
                let file = Fields::of(file.clone(), format!("files[{number}]."), &known)?;
                let file_id = file.required_text("file_id")?.to_owned();
                let (attributes, chunking) = (file.attributes()?, Chunking::read(&file)?);
                Ok(Attach { file_id, attributes, chunking, batch: None })
            })
            .collect::<Result<_, ApiError>>()?,
        _ => {
            let message = "Exactly one of 'file_ids' and 'files' must be provided.";
            return Err(ApiError::invalid("file_ids", message).code("missing_required_parameter"));
        }
    };
    if wanted.is_empty() || wanted.len() > MAX_FILES {
        let message = format!("Expected between 1 and {MAX_FILES} files, but got {}.", wanted.len());
        return Err(ApiError::invalid("file_ids", message).code("invalid_value"));
    }
    Ok(wanted)
}

async fn create(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    Path(store): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["file_ids", "files", "attributes", "chunking_strategy"])?;
    let wanted = wanted(&fields)?;
    let (mut world, now) = state.world();
    world.counts.attach(&state.limits, now, (&store, wanted.len() as u64))?;
    live(&mut world, now, &store)?;
    for attach in &wanted {
        ApiError::check_id("file_id", &attach.file_id, "file")?;
        world.file(&attach.file_id, now).ok_or_else(|| ApiError::no_file(&attach.file_id))?;
    }
    // All of them or none; which it is in the real service is not documented.
    let entries = &find(&mut world, &store)?.files;
    let new = wanted.iter().filter(|attach| entries.get(&attach.file_id).is_none()).count() as u64;
    if new > 0 && store_is_full(entries, new, state.limits.store_files) {
        return Err(ApiError::store_full(&store, state.limits.store_files));
    }
    let id = world.ids.hex("vsfb_");
    for attach in wanted {
        let attach = Attach { batch: Some(id.clone()), ..attach };
        state.attach(&mut world, now, &store, attach, &trace)?;
    }
    let store = find(&mut world, &store)?;
    let batch = Batch { id: id.clone(), created_ms: now, cancelled: false };
    let mut shown = batch.show(store, now);
    shown["status"] = "in_progress".into();
    store.batches.put(&id, batch);
    Ok(Json(shown))
}

fn batch<'a>(world: &'a mut World, store: &str, id: &str) -> Result<&'a mut Store, ApiError> {
    let found = find(world, store)?;
    ApiError::check_id("batch_id", id, "vsfb_")?;
    found.batches.get(id).ok_or_else(|| {
        let message = format!("No file batch found with id '{id}' in vector store '{store}'.");
        ApiError::missing("batch_id", message)
    })?;
    Ok(found)
}

fn shown(store: &Store, id: &str, now: i64) -> Json<Value> {
    Json(store.batches.get(id).map(|batch| batch.show(store, now)).unwrap_or_default())
}

async fn look(
    Shared(state): Shared<State>,
    Path((store, id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    batch(&mut world, &store, &id).map(|store| shown(store, &id, now))
}

/// Files that are still being indexed end `cancelled`; the others stay as they are.
async fn cancel(
    Shared(state): Shared<State>,
    Path((store, id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    let store = batch(&mut world, &store, &id)?;
    let open = |entry: &&StoreFile| entry.batch.as_deref() == Some(&id) && entry.status(now) == "in_progress";
    let open: Vec<String> = store.files.iter().filter(open).map(|entry| entry.file_id.clone()).collect();
    for file in &open {
        store.files.get_mut(file).into_iter().for_each(|entry| entry.cancelled = true);
    }
    if let Some(batch) = store.batches.get_mut(&id) {
        batch.cancelled |= !open.is_empty();
    }
    Ok(shown(store, &id, now))
}

async fn list(
    Shared(state): Shared<State>,
    Path((store, id)): Path<(String, String)>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let (ask, filter) = (PageRequest::usual(&query)?, status_filter(&query)?);
    let (mut world, now) = state.world();
    let store = batch(&mut world, &store, &id)?;
    let show = |entry: &StoreFile| {
        let wanted =
            entry.batch.as_deref() == Some(&id) && filter.is_none_or(|wanted| entry.status(now) == wanted);
        wanted.then(|| entry.show(&store.id, now))
    };
    store.files.page(&ask, show).map(Json)
}
