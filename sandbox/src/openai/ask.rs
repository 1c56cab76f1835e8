//! Reads what a response is asked for, and plays the tools that show the model documents.

use serde_json::{Map, Value, json};

use super::catalog;
use super::conversation;
use super::error::ApiError;
use super::filter::Filter;
use super::item;
use super::model::{Document, Prompt};
use super::read::{Fields, wrong_type};
use super::search::Search;
use super::state::World;
use super::store;

/// OpenAI's OpenAPI document 2.3.0 and, for `background_options`, the SDK of November 2026.
const KNOWN: [&str; 32] = [
    "background",
    "background_options",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// Results of one file search when the tool does not say.
const DEFAULT_HITS: i64 = 10;

/// A response as it was asked for.
#[derive(Debug)]
pub struct ResponseRequest {
    pub background: bool,
    pub store: bool,
    pub conversation: Option<String>,
    /// The items as they are kept.
    pub input: Vec<Value>,
    pub prompt: Prompt,
    include: Vec<String>,
    tools: Vec<Value>,
    echo: Map<String, Value>,
}

impl ResponseRequest {
    /// Whether code may be run.
    pub fn runs_code(&self) -> bool {
        self.tools.iter().any(|tool| tool["type"] == "code_interpreter")
    }

    /// The members of a response that repeat its request.
    pub fn echo(&self) -> Map<String, Value> {
        self.echo.clone()
    }
}

/// Reads and checks a request.
pub fn read(body: &[u8], world: &mut World, now: i64) -> Result<ResponseRequest, ApiError> {
    let fields = Fields::parse(body, &KNOWN)?;
    let model = fields.required_text("model")?.to_owned();
    if !catalog::serves(&model) {
        let message = format!("The requested model '{model}' does not exist.");
        return Err(ApiError::invalid("model", message).code("model_not_found"));
    }
    for (name, why) in [
        ("stream", "The sandbox does not stream responses."),
        ("prompt", "Reusable prompts are shut down on 2026-11-30; the sandbox never had them."),
    ] {
        if fields.value(name).is_some_and(|value| *value != Value::Bool(false)) {
            return Err(ApiError::invalid(name, why).code("unsupported_parameter"));
        }
    }
    let background = fields.flag("background")?.unwrap_or(false);
    let store = fields.flag("store")?.unwrap_or(true);
    if background && !store {
        let message = "Background responses require 'store' to be true.";
        return Err(ApiError::invalid("store", message).code("invalid_value"));
    }
    fields.integer("max_output_tokens", 16, i64::MAX)?;
    let conversation = conversation_id(&fields)?;
    if let Some(id) = &conversation {
        conversation::find(world, id)?;
    }
    let input = input(&fields, world)?;
    let mut prompt = Prompt { schema: schema(&fields)?, ..Prompt::default() };
    prompt.texts.extend(fields.text("instructions")?.map(str::to_owned));
    prompt.texts.extend(item::texts(&input).map(str::to_owned));
    for id in item::file_ids(&input) {
        prompt.documents.push(document(world, id, now)?);
    }
    let tools = fields.array("tools")?.cloned().unwrap_or_default();
    for tool in &tools {
        check_tool(tool, world, now)?;
        let mounted =
            tool["container"]["file_ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for id in mounted {
            if !prompt.documents.iter().any(|document| document.file_id == id) {
                prompt.documents.push(document(world, id, now)?);
            }
        }
    }
    let echo = echo(&fields, &conversation)?;
    let include = fields.texts("include")?.unwrap_or_default();
    Ok(ResponseRequest { background, store, conversation, input, prompt, include, tools, echo })
}

/// A File object, as the model sees it.
pub fn document(world: &World, id: &str, now: i64) -> Result<Document, ApiError> {
    let file = world.file(id, now).ok_or_else(|| {
        ApiError::invalid("input", format!("No such File object: {id}")).code("invalid_value")
    })?;
    let text = super::text::read(&file.filename, &file.content).unwrap_or_default();
    Ok(Document { file_id: id.to_owned(), filename: file.filename.clone(), text })
}

fn conversation_id(fields: &Fields) -> Result<Option<String>, ApiError> {
    let id = match fields.value("conversation") {
        None => return Ok(None),
        Some(Value::String(id)) => id.clone(),
        Some(Value::Object(object)) => {
            object.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        Some(other) => return Err(wrong_type("conversation", "a string or an object", other)),
    };
    if fields.value("previous_response_id").is_some() {
        let message = "'conversation' and 'previous_response_id' cannot be used together.";
        return Err(ApiError::invalid("conversation", message).code("mutually_exclusive_parameters"));
    }
    Ok(Some(id))
}

fn input(fields: &Fields, world: &mut World) -> Result<Vec<Value>, ApiError> {
    match fields.value("input") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => {
            Ok(vec![item::read(json!({"role": "user", "content": text}), &mut world.ids)?])
        }
        Some(Value::Array(items)) => {
            items.iter().cloned().map(|given| item::read(given, &mut world.ids)).collect()
        }
        Some(other) => Err(wrong_type("input", "a string or an array", other)),
    }
}

/// The JSON schema of `text.format`, if one is asked for.
fn schema(fields: &Fields) -> Result<Option<Value>, ApiError> {
    let Some(format) = fields.value("text").and_then(|text| text.get("format")) else { return Ok(None) };
    match format["type"].as_str() {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(json!({"type": "object"}))),
        Some("json_schema") => {
            let known = ["type", "name", "description", "schema", "strict"];
            let format = Fields::of(format.clone(), "text.format.".to_owned(), &known)?;
            let name = format.required_text("name")?;
            let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
            if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
                let message =
                    "Invalid 'text.format.name': expected a string that matches '^[a-zA-Z0-9_-]{1,64}$'.";
                return Err(ApiError::invalid("text.format.name", message).code("invalid_value"));
            }
            let schema = format.required("schema")?.clone();
            if format.flag("strict")? == Some(true) {
                strict(&schema)?;
            }
            Ok(Some(schema))
        }
        _ => {
            let message = "Supported values are: 'text', 'json_object', and 'json_schema'.";
            Err(ApiError::invalid("text.format.type", message).code("invalid_value"))
        }
    }
}

/// OpenAI's guide on structured outputs: every object forbids further members and requires all it has.
fn strict(schema: &Value) -> Result<(), ApiError> {
    let refuse = |why: &str| {
        let message = format!("Invalid schema for response_format: {why}");
        Err(ApiError::invalid("text.format.schema", message).code("invalid_json_schema"))
    };
    match schema {
        Value::Object(members) => {
            if let Some(properties) = members.get("properties").and_then(Value::as_object) {
                if members.get("additionalProperties") != Some(&Value::Bool(false)) {
                    return refuse("'additionalProperties' is required to be supplied and to be false.");
                }
                let required = members.get("required").and_then(Value::as_array);
                let has = |name: &String| required.is_some_and(|all| all.iter().any(|one| one == name));
                if !properties.keys().all(has) {
                    return refuse("'required' must include every key in properties.");
                }
            }
            members.values().try_for_each(strict)
        }
        Value::Array(items) => items.iter().try_for_each(strict),
        _ => Ok(()),
    }
}

fn check_tool(tool: &Value, world: &mut World, now: i64) -> Result<(), ApiError> {
    let Some(kind) = tool["type"].as_str() else {
        return Err(ApiError::invalid("tools[].type", "Missing required parameter: 'tools[].type'.")
            .code("missing_required_parameter"));
    };
    if kind != "file_search" {
        return Ok(());
    }
    let known = ["type", "vector_store_ids", "max_num_results", "ranking_options", "filters"];
    let tool = Fields::of(tool.clone(), "tools[].".to_owned(), &known)?;
    tool.required("vector_store_ids")?;
    for id in tool.texts("vector_store_ids")?.unwrap_or_default() {
        store::live(world, now, &id)?;
    }
    tool.integer("max_num_results", 1, 50)?;
    tool.value("filters").map(Filter::read).transpose().map(drop)
}

/// Plays the tools of this request: a file search shows the model what it finds. Returns the calls as output items, and the
/// documents found.
pub fn use_tools(asked: &mut ResponseRequest, world: &World, now: i64) -> (Vec<Value>, Vec<Document>) {
    let (mut calls, mut found) = (Vec::new(), Vec::new());
    let queries: Vec<String> = item::texts(&asked.input).map(str::to_owned).collect();
    for tool in asked.tools.iter().filter(|tool| tool["type"] == "file_search") {
        let filter = Some(&tool["filters"]).filter(|filter| !filter.is_null());
        // Checked when the request was read.
        let filter = filter.and_then(|filter| Filter::read(filter).ok());
        let most = usize::try_from(tool["max_num_results"].as_i64().unwrap_or(DEFAULT_HITS)).unwrap_or(1);
        let stores = tool["vector_store_ids"].as_array().into_iter().flatten();
        let stores = stores.filter_map(|id| world.stores.get(id.as_str()?));
        let hits = Search::new(&queries, filter, most).run(stores, now);
        let mut call =
            json!({"type": "file_search_call", "status": "completed", "queries": queries, "results": null});
        if asked.include.iter().any(|name| name == "file_search_call.results") {
            let result = |hit: &super::search::SearchHit| {
                json!({
                    "file_id": hit.file_id, "filename": hit.filename, "score": hit.score, "text": hit.text,
                    "attributes": hit.attributes,
                })
            };
            call["results"] = hits.iter().map(result).collect();
        }
        calls.push(call);
        found.extend(hits.into_iter().map(|hit| Document {
            file_id: hit.file_id,
            filename: hit.filename,
            text: hit.text,
        }));
    }
    asked.prompt.documents.extend(found.iter().cloned());
    (calls, found)
}

/// What the response repeats of its request, with OpenAI's defaults for what was not said.
fn echo(fields: &Fields, conversation: &Option<String>) -> Result<Map<String, Value>, ApiError> {
    let defaults = json!({
        "background": false, "instructions": null, "max_output_tokens": null, "max_tool_calls": null, "model": null,
        "parallel_tool_calls": true, "previous_response_id": null, "prompt_cache_key": null,
        "reasoning": {"effort": null, "summary": null}, "safety_identifier": null, "service_tier": "default",
        "store": true, "temperature": 1.0, "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto", "tools": [], "top_logprobs": 0, "top_p": 1.0, "truncation": "disabled",
    });
    let Value::Object(mut echo) = defaults else { return Ok(Map::new()) };
    for (name, value) in &mut echo {
        if let Some(asked) = fields.value(name) {
            *value = asked.clone();
        }
    }
    if let Some(format) = fields.value("text").and_then(|text| text.get("format")) {
        echo["text"]["format"] = format.clone();
    }
    echo.insert("metadata".to_owned(), Value::Object(fields.metadata()?));
    if let Some(id) = conversation {
        echo.insert("conversation".to_owned(), json!({ "id": id }));
    }
    Ok(echo)
}
