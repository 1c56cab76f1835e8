//! `/vector_stores`: make, list, look, change, delete. What is in a store belongs to its neighbours [`super::store_file`]
//! and [`super::batch`].

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use super::super::journal::Trace;
use super::batch::Batch;
use super::chunking::Chunking;
use super::error::ApiError;
use super::history::Interval;
use super::indexing::{Attach, StoreFile};
use super::read::{Fields, Query};
use super::shelf::{PageRequest, Shelf};
use super::state::{State, World, seconds};

/// OpenAI's OpenAPI document: at most 500 files when a store is made.
const MAX_FIRST_FILES: usize = 500;
const DAY_MS: i64 = 86_400_000;

#[derive(Debug)]
pub struct Store {
    pub id: String,
    name: Option<String>,
    description: Option<String>,
    metadata: Map<String, Value>,
    expires_after_days: Option<i64>,
    created_ms: i64,
    pub last_active_ms: i64,
    pub files: Shelf<StoreFile>,
    pub batches: Shelf<Batch>,
}

impl Store {
    fn expires_at_ms(&self) -> Option<i64> {
        self.expires_after_days.map(|days| self.last_active_ms + days * DAY_MS)
    }

    fn expired(&self, now: i64) -> bool {
        self.expires_at_ms().is_some_and(|at| at <= now)
    }

    /// Until when what is in here could be found, as seen from now: expiry ends it earlier.
    pub fn searchable_until(&self, now: i64) -> i64 {
        self.expires_at_ms().unwrap_or(now).min(now)
    }

    pub fn show(&self, now: i64) -> Value {
        let expired = self.expired(now);
        // Expiry deletes all files of a store (OpenAI's guide on retrieval).
        let entries = || self.files.iter().filter(|_| !expired);
        let counts = counts(entries(), now);
        let usage: u64 = entries().map(|entry| entry.usage_bytes(now)).sum();
        let status = match (expired, counts["in_progress"] != 0) {
            (true, _) => "expired",
            (false, true) => "in_progress",
            (false, false) => "completed",
        };
        let mut store = json!({
            "id": self.id, "object": "vector_store", "created_at": seconds(self.created_ms), "name": self.name,
            "description": self.description, "usage_bytes": usage, "file_counts": counts, "status": status,
            "expires_at": self.expires_at_ms().map(seconds), "last_active_at": seconds(self.last_active_ms),
            "metadata": self.metadata,
        });
        if let Some(days) = self.expires_after_days {
            store["expires_after"] = json!({"anchor": "last_active_at", "days": days});
        }
        store
    }

    /// With everything in it and what only the sandbox knows.
    pub fn inspect(&self, now: i64, file_exists: impl Fn(&str) -> bool) -> Value {
        let mut store = self.show(now);
        let files = self.files.iter().map(|entry| {
            let mut shown = entry.inspect(&self.id, now);
            shown["file_exists"] = file_exists(&entry.file_id).into();
            shown
        });
        store["files"] = files.collect();
        store["batches"] = self.batches.iter().map(|batch| batch.show(self, now)).collect();
        store
    }

    pub fn searchable(&self, now: i64) -> Vec<Interval> {
        let interval = |entry: &StoreFile| {
            let mut interval = entry.interval(&self.id, now);
            interval.until_ms = self.expired(now).then(|| self.searchable_until(now));
            interval
        };
        self.files.iter().map(interval).collect()
    }
}

/// How many of these stand where.
pub fn counts<'a>(entries: impl Iterator<Item = &'a StoreFile>, now: i64) -> Value {
    let mut counts = json!({"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0});
    for entry in entries {
        for name in [entry.status(now), "total"] {
            counts[name] = json!(counts[name].as_u64().unwrap_or(0) + 1);
        }
    }
    counts
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/vector_stores", post(create).get(list))
        .route("/v1/vector_stores/{store}", get(look).post(change).delete(remove))
}

/// The store, whether it has expired or not.
pub fn find<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Store, ApiError> {
    ApiError::check_id("vector_store_id", id, "vs_")?;
    world.stores.get_mut(id).ok_or_else(|| ApiError::no_store(id))
}

/// The store, if something can still be done with it. The status of the refusal is inferred.
pub fn live<'a>(world: &'a mut World, now: i64, id: &str) -> Result<&'a mut Store, ApiError> {
    let store = find(world, id)?;
    match store.expired(now) {
        true => Err(ApiError::invalid("vector_store_id", format!("Vector store '{id}' has expired."))),
        false => Ok(store),
    }
}

async fn create(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let known = ["file_ids", "name", "description", "expires_after", "chunking_strategy", "metadata"];
    let fields = Fields::parse(&body, &known)?;
    let file_ids = fields.texts("file_ids")?.unwrap_or_default();
    if file_ids.len() > MAX_FIRST_FILES {
        return Err(ApiError::too_many("file_ids", MAX_FIRST_FILES));
    }
    let chunking = Chunking::read(&fields)?;
    let expires_after_days = expires_after(&fields)?;
    let (mut world, now) = state.world();
    let id = world.ids.hex("vs_");
    let store = Store {
        id: id.clone(),
        name: fields.text("name")?.map(str::to_owned),
        description: fields.text("description")?.map(str::to_owned),
        metadata: fields.metadata()?,
        expires_after_days,
        created_ms: now,
        last_active_ms: now,
        files: Shelf::default(),
        batches: Shelf::default(),
    };
    for file in &file_ids {
        world.file(file, now).ok_or_else(|| ApiError::no_file(file))?;
    }
    world.stores.put(&id, store);
    for file in file_ids {
        let attach = Attach { file_id: file, attributes: None, chunking, batch: None };
        state.attach(&mut world, now, &id, attach, &trace)?;
    }
    find(&mut world, &id).map(|store| Json(store.show(now)))
}

fn expires_after(fields: &Fields) -> Result<Option<i64>, ApiError> {
    let Some(value) = fields.value("expires_after") else { return Ok(None) };
    let rule = Fields::of(value.clone(), "expires_after.".to_owned(), &["anchor", "days"])?;
    rule.one_of_required("anchor", ["last_active_at"])?;
    rule.required("days")?;
    rule.integer("days", 1, 365)
}

async fn list(Shared(state): Shared<State>, query: Query) -> Result<Json<Value>, ApiError> {
    let ask = PageRequest::usual(&query)?;
    let (world, now) = state.world();
    world.stores.page(&ask, |store| Some(store.show(now))).map(Json)
}

async fn look(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    find(&mut world, &id).map(|store| Json(store.show(now)))
}

async fn change(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["name", "expires_after", "metadata"])?;
    let (name, days, metadata) = (fields.text("name")?, expires_after(&fields)?, fields.metadata()?);
    let (mut world, now) = state.world();
    let store = find(&mut world, &id)?;
    if fields.sent("name") {
        store.name = name.map(str::to_owned);
    }
    if fields.sent("expires_after") {
        store.expires_after_days = days;
    }
    if fields.sent("metadata") {
        store.metadata = metadata;
    }
    store.last_active_ms = now;
    Ok(Json(store.show(now)))
}

/// The files themselves stay.
async fn remove(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    let store = find(&mut world, &id)?;
    let files: Vec<String> = store.files.iter().map(|entry| entry.file_id.clone()).collect();
    files.iter().for_each(|file| world.detach(&id, file, now));
    world.stores.take(&id);
    Ok(Json(json!({ "id": id, "object": "vector_store.deleted", "deleted": true })))
}
