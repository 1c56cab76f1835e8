//! `/responses/input_tokens` and `/responses/compact`: what a request would cost, and what was said made short.
//!
//! A compaction is of the documented form: all messages of the user, then one item with a content that only the service
//! reads. The stand-in's holds nothing.

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::routing::post;
use serde_json::{Value, json};

use super::ask;
use super::conversation;
use super::error::ApiError;
use super::item;
use super::model::Document;
use super::read::Fields;
use super::state::{State, World, seconds};
use super::tool;

/// OpenAI's OpenAPI document 2.3.0.
const COUNTED: [&str; 13] = [
    "conversation",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "personality",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
    "metadata",
];

/// The same, and the SDK of November 2026 for those of the cache.
const COMPACTED: [&str; 8] = [
    "model",
    "input",
    "instructions",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "service_tier",
];

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/responses/input_tokens", post(count))
        .route("/v1/responses/compact", post(compact))
}

/// Four characters are taken as one token.
pub fn tokens<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(str::len).sum::<usize>() / 4 + 1
}

/// The usage of a response that read and wrote so many tokens.
pub fn usage(read: usize, written: usize) -> Value {
    json!({
        "input_tokens": read, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    })
}

/// The items that the request is about, with what went before them.
fn items(fields: &Fields, world: &mut World) -> Result<Vec<Value>, ApiError> {
    fields.text("model")?.map(ask::check_model).transpose()?;
    let mut items = ask::history(fields, world)?;
    if let Some(id) = ask::conversation_id(fields)? {
        items.extend(conversation::find(world, &id)?.items.iter().cloned());
    }
    items.extend(ask::input(fields, world)?);
    Ok(items)
}

async fn count(Shared(state): Shared<State>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &COUNTED)?;
    let (mut world, now) = state.world();
    let items = items(&fields, &mut world)?;
    let tools = fields.array("tools")?.cloned().unwrap_or_default();
    tools.iter().enumerate().try_for_each(|(place, tool)| tool::check(tool, place, &mut world, now))?;
    let documents = item::file_ids(&items).map(|id| ask::document(&world, id, now));
    let documents: Vec<Document> = documents.collect::<Result<_, _>>()?;
    let texts = fields.text("instructions")?.into_iter().chain(item::texts(&items));
    let read = tokens(texts.chain(documents.iter().map(|document| document.text.as_str())));
    Ok(Json(json!({"object": "response.input_tokens", "input_tokens": read})))
}

async fn compact(Shared(state): Shared<State>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &COMPACTED)?;
    fields.required_text("model")?;
    let (mut world, now) = state.world();
    let items = items(&fields, &mut world)?;
    let read = tokens(item::texts(&items));
    let mut output: Vec<Value> = items.into_iter().filter(|item| item["role"] == "user").collect();
    let id = world.ids.hex("cmp_");
    output.push(json!({"id": id, "type": "compaction", "encrypted_content": "c2FuZGJveA=="}));
    Ok(Json(json!({
        "id": world.ids.hex("resp_"), "object": "response.compaction", "created_at": seconds(now),
        "output": output, "usage": usage(read, 1),
    })))
}
