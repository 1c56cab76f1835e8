//! Reads what a response is asked for.

use serde_json::{Map, Value, json};

use super::catalog;
use super::container_file;
use super::conversation;
use super::error::ApiError;
use super::item;
use super::model::{Document, Prompt};
use super::read::{Fields, known_value, wrong_type};
use super::state::World;
use super::tool;

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

/// What a response may be asked to show besides, by OpenAI's OpenAPI document 2.3.0.
const INCLUDABLE: [&str; 8] = [
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
];

/// How a response may be processed, by OpenAI's OpenAPI document 2.3.0.
const SERVICE_TIERS: [&str; 7] = ["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"];

/// A response as it was asked for.
#[derive(Debug)]
pub struct ResponseRequest {
    pub background: bool,
    pub store: bool,
    /// Whether the answer is to come as it is made.
    pub stream: bool,
    pub conversation: Option<String>,
    /// What was said before, by `previous_response_id`.
    pub history: Vec<Value>,
    /// The items as they are kept.
    pub input: Vec<Value>,
    pub prompt: Prompt,
    pub tools: Vec<Value>,
    include: Vec<String>,
    echo: Map<String, Value>,
}

impl ResponseRequest {
    /// The model that is asked.
    pub fn model(&self) -> &str {
        self.echo["model"].as_str().unwrap_or_default()
    }

    /// The tool that runs code, if one was given.
    pub fn code_interpreter(&self) -> Option<&Value> {
        self.tools.iter().find(|tool| tool["type"] == "code_interpreter")
    }

    /// The files that the model is shown, each once: those of the items, and those that are put into its container.
    pub fn shown_files(&self) -> Vec<&str> {
        shown_files(&self.history, &self.input, &self.tools)
    }

    /// Whether the response is to show this besides.
    pub fn includes(&self, what: &str) -> bool {
        self.include.iter().any(|name| name == what)
    }

    /// The members of a response that repeat its request.
    pub fn echo(&self) -> Map<String, Value> {
        self.echo.clone()
    }
}

/// Reads and checks a request.
pub fn read(body: &[u8], world: &mut World, now: i64) -> Result<ResponseRequest, ApiError> {
    let fields = Fields::parse(body, &KNOWN)?;
    check_model(fields.required_text("model")?)?;
    if fields.value("prompt").is_some() {
        let why = "Reusable prompts are shut down on 2026-11-30; the sandbox never had them.";
        return Err(ApiError::invalid("prompt", why).code("unsupported_parameter"));
    }
    let background = fields.flag("background")?.unwrap_or(false);
    let store = fields.flag("store")?.unwrap_or(true);
    if background && !store {
        let message = "Background responses require 'store' to be true.";
        return Err(ApiError::invalid("store", message).code("invalid_value"));
    }
    check_ranges(&fields)?;
    if let Some(tier) = fields.text("service_tier")? {
        known_value("service_tier", tier, SERVICE_TIERS)?;
    }
    let include = include(&fields)?;
    let conversation = conversation_id(&fields)?;
    if let Some(id) = &conversation {
        conversation::find(world, id)?;
    }
    let history = history(&fields, world)?;
    let input = input(&fields, world)?;
    let mut prompt = Prompt { schema: schema(&fields)?, ..Prompt::default() };
    prompt.texts.extend(fields.text("instructions")?.map(str::to_owned));
    prompt.texts.extend(item::texts(&history).chain(item::texts(&input)).map(str::to_owned));
    let tools = fields.array("tools")?.cloned().unwrap_or_default();
    tools.iter().enumerate().try_for_each(|(place, tool)| tool::check(tool, place, world, now))?;
    for id in shown_files(&history, &input, &tools) {
        prompt.documents.push(document(world, id, now)?);
    }
    for id in tools.iter().filter_map(|tool| tool["container"].as_str()) {
        let lie = world.containers.get(id).into_iter().flat_map(|container| container.files.iter());
        prompt.documents.extend(lie.map(container_file::File::document));
    }
    let stream = fields.flag("stream")?.unwrap_or(false);
    let echo = echo(&fields, &conversation)?;
    Ok(ResponseRequest {
        background,
        store,
        stream,
        conversation,
        history,
        input,
        prompt,
        tools,
        include,
        echo,
    })
}

pub fn check_model(model: &str) -> Result<(), ApiError> {
    if catalog::serves(model) {
        return Ok(());
    }
    let message = format!("The requested model '{model}' does not exist.");
    Err(ApiError::invalid("model", message).code("model_not_found"))
}

/// Numbers outside of the document's ranges.
fn check_ranges(fields: &Fields) -> Result<(), ApiError> {
    fields.decimal("temperature", 0.0, 2.0)?;
    fields.decimal("top_p", 0.0, 1.0)?;
    fields.integer("top_logprobs", 0, 20)?;
    fields.integer("max_output_tokens", 16, i64::MAX)?;
    // The document gives no least; none at all is inferred to be wrong.
    fields.integer("max_tool_calls", 1, i64::MAX).map(drop)
}

fn include(fields: &Fields) -> Result<Vec<String>, ApiError> {
    let include = fields.texts("include")?.unwrap_or_default();
    for (place, name) in include.iter().enumerate() {
        known_value(&format!("include[{place}]"), name, INCLUDABLE)?;
    }
    Ok(include)
}

/// What the response before this one was asked and answered, with all that went before it. That `input_items` shows it too is
/// inferred; the words of the refusal are those that users of the SDKs report.
pub fn history(fields: &Fields, world: &World) -> Result<Vec<Value>, ApiError> {
    let Some(id) = fields.text("previous_response_id")? else { return Ok(Vec::new()) };
    let missing = || {
        let message = format!("Previous response with id '{id}' not found.");
        ApiError::invalid("previous_response_id", message).code("previous_response_not_found")
    };
    Ok(world.runs.get(id).filter(|run| run.is_stored()).ok_or_else(missing)?.said())
}

/// See [`ResponseRequest::shown_files`].
fn shown_files<'a>(history: &'a [Value], input: &'a [Value], tools: &'a [Value]) -> Vec<&'a str> {
    let mounted = tools.iter().filter_map(|tool| tool["container"]["file_ids"].as_array()).flatten();
    let items = item::file_ids(history).chain(item::file_ids(input));
    let mut files: Vec<&str> = Vec::new();
    for id in items.chain(mounted.filter_map(Value::as_str)) {
        if !files.contains(&id) {
            files.push(id);
        }
    }
    files
}

/// A File object, as the model sees it.
pub fn document(world: &World, id: &str, now: i64) -> Result<Document, ApiError> {
    let file = world.file(id, now).ok_or_else(|| {
        ApiError::invalid("input", format!("No such File object: {id}")).code("invalid_value")
    })?;
    let text = super::text::read(&file.filename, &file.content).unwrap_or_default();
    Ok(Document { file_id: id.to_owned(), filename: file.filename.clone(), text })
}

pub fn conversation_id(fields: &Fields) -> Result<Option<String>, ApiError> {
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

/// The items of `input`, which may be a text.
pub fn input(fields: &Fields, world: &mut World) -> Result<Vec<Value>, ApiError> {
    match fields.value("input") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => {
            Ok(vec![item::read(json!({"role": "user", "content": text}), "input", &mut world.ids)?])
        }
        Some(Value::Array(items)) => item::read_all(items.clone(), "input", &mut world.ids),
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
        other => {
            let known = ["text", "json_object", "json_schema"];
            known_value("text.format.type", other.unwrap_or_default(), known).map(|_| None)
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
    // OpenAI's guide on remote MCP servers: what lets it in there is in no answer.
    for tool in echo["tools"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        tool.remove("authorization");
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
