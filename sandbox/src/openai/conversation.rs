//! `/conversations` and their items. Responses made in a conversation append to it when they complete.

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::item;
use super::read::{Fields, Query};
use super::shelf::{self, PageRequest, Shelf};
use super::state::{State, World, seconds};

/// OpenAI's OpenAPI document: at most 20 items at a time.
const MAX_NEW_ITEMS: usize = 20;

#[derive(Debug)]
pub struct Conversation {
    id: String,
    created_ms: i64,
    metadata: Map<String, Value>,
    pub items: Shelf<Value>,
}

impl Conversation {
    fn show(&self) -> Value {
        json!({
            "id": self.id, "object": "conversation", "created_at": seconds(self.created_ms),
            "metadata": self.metadata,
        })
    }

    pub fn inspect(&self) -> Value {
        let mut shown = self.show();
        shown["items"] = self.items.iter().cloned().collect();
        shown
    }

    pub fn append(&mut self, items: impl IntoIterator<Item = Value>) {
        for item in items {
            self.items.put(&item::id(&item), item);
        }
    }
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/conversations", post(create))
        .route("/v1/conversations/{conversation}", get(look).post(change).delete(remove))
        .route("/v1/conversations/{conversation}/items", get(list).post(append))
        .route("/v1/conversations/{conversation}/items/{item}", get(look_at_item).delete(remove_item))
}

pub fn find<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Conversation, ApiError> {
    ApiError::check_id("conversation_id", id, "conv_")?;
    let message = format!("Conversation with id '{id}' not found.");
    world.conversations.get_mut(id).ok_or_else(|| ApiError::missing("conversation_id", message))
}

fn new_items(fields: &Fields, world: &mut World) -> Result<Vec<Value>, ApiError> {
    let items = fields.array("items")?.cloned().unwrap_or_default();
    if items.len() > MAX_NEW_ITEMS {
        return Err(ApiError::too_many("items", MAX_NEW_ITEMS));
    }
    item::read_all(items, "items", &mut world.ids)
}

async fn create(Shared(state): Shared<State>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["metadata", "items"])?;
    let metadata = fields.metadata()?;
    let (mut world, now) = state.world();
    let items = new_items(&fields, &mut world)?;
    let id = world.ids.hex("conv_");
    let mut made = Conversation { id: id.clone(), created_ms: now, metadata, items: Shelf::default() };
    made.append(items);
    let shown = made.show();
    world.conversations.put(&id, made);
    Ok(Json(shown))
}

async fn look(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, _) = state.world();
    find(&mut world, &id).map(|found| Json(found.show()))
}

async fn change(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["metadata"])?;
    let metadata = fields.metadata()?;
    let (mut world, _) = state.world();
    let found = find(&mut world, &id)?;
    found.metadata = metadata;
    Ok(Json(found.show()))
}

async fn remove(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, _) = state.world();
    find(&mut world, &id)?;
    world.conversations.take(&id);
    Ok(Json(json!({ "id": id, "object": "conversation.deleted", "deleted": true })))
}

async fn list(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let ask = PageRequest::usual(&query)?;
    let (mut world, _) = state.world();
    find(&mut world, &id)?.items.page(&ask, |item| Some(item.clone())).map(Json)
}

async fn append(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["items"])?;
    fields.required("items")?;
    let (mut world, _) = state.world();
    find(&mut world, &id)?;
    let items = new_items(&fields, &mut world)?;
    find(&mut world, &id)?.append(items.clone());
    Ok(Json(shelf::list(items, false)))
}

fn no_item(conversation: &str, item: &str) -> ApiError {
    ApiError::missing("item_id", format!("No item found with id '{item}' in conversation '{conversation}'."))
}

async fn look_at_item(
    Shared(state): Shared<State>,
    Path((id, item)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (mut world, _) = state.world();
    find(&mut world, &id)?.items.get(&item).cloned().map(Json).ok_or_else(|| no_item(&id, &item))
}

async fn remove_item(
    Shared(state): Shared<State>,
    Path((id, item)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (mut world, _) = state.world();
    let found = find(&mut world, &id)?;
    found.items.take(&item).ok_or_else(|| no_item(&id, &item))?;
    Ok(Json(found.show()))
}
