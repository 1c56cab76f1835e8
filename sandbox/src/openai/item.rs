//! Items of conversations and responses: what goes into a model and what comes out of it.

use serde_json::{Value, json};

use super::error::ApiError;
use super::id::Ids;
use super::read::{known_value, wrong_type};

pub fn id(item: &Value) -> String {
    item["id"].as_str().unwrap_or_default().to_owned()
}

/// Items of the member `name` of a request.
pub fn read_all(items: Vec<Value>, name: &str, ids: &mut Ids) -> Result<Vec<Value>, ApiError> {
    let read = |(place, item): (usize, Value)| read(item, &format!("{name}[{place}]"), ids);
    items.into_iter().enumerate().map(read).collect()
}

/// An input item as it is kept: with an id, a type and a list of contents. Items that are no messages are kept as they
/// are sent. `at` is where it stands in the request.
pub fn read(mut item: Value, at: &str, ids: &mut Ids) -> Result<Value, ApiError> {
    if !item.is_object() {
        return Err(wrong_type(at, "an object", &item));
    }
    let kind = item["type"].as_str().unwrap_or("message").to_owned();
    if kind != "message" {
        if item["id"].as_str().is_none() {
            item["id"] = ids.hex("item_").into();
        }
        return Ok(item);
    }
    let role = item["role"].as_str().unwrap_or_default().to_owned();
    known_value(&format!("{at}.role"), &role, ["assistant", "system", "developer", "user"])?;
    let content = match item["content"].take() {
        Value::String(text) if role == "assistant" => {
            json!([{"type": "output_text", "text": text, "annotations": [], "logprobs": []}])
        }
        Value::String(text) => json!([{"type": "input_text", "text": text}]),
        Value::Array(parts) => Value::Array(parts),
        other => return Err(wrong_type(&format!("{at}.content"), "a string or an array", &other)),
    };
    Ok(json!({
        "id": ids.hex("msg_"), "type": "message", "status": "completed", "role": role, "content": content,
    }))
}

/// What the items say: the text of their parts.
pub fn texts(items: &[Value]) -> impl Iterator<Item = &str> {
    parts(items).filter_map(|part| part["text"].as_str())
}

/// The files that are part of the input.
pub fn file_ids(items: &[Value]) -> impl Iterator<Item = &str> {
    parts(items).filter(|part| part["type"] == "input_file").filter_map(|part| part["file_id"].as_str())
}

fn parts(items: &[Value]) -> impl Iterator<Item = &Value> {
    items.iter().filter_map(|item| item["content"].as_array()).flatten()
}
