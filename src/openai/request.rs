//! What is asked of a model through the Responses API: the document, the tools, the form of the answer.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::attributes::Attributes;
use super::container::ContainerId;
use super::conversation::ConversationId;
use super::file::FileId;
use super::ordered::{Ordered, With};
use super::store::VectorStoreId;

/// What is asked of the model.
#[derive(Debug, Clone, Default)]
pub struct NewResponse<'a> {
    pub model: &'a str,
    pub instructions: Option<&'a str>,
    /// What the run is made in. Without it a lost reply cannot be found again.
    pub conversation: Option<&'a ConversationId>,
    /// The user's message.
    pub text: &'a str,
    /// Whole documents beside the text; the guide on files allows 50 MB for all of them together.
    pub files: &'a [FileId],
    pub tools: &'a [Tool],
    pub mcp: Option<RemoteMcp<'a>>,
    pub format: Option<Format<'a>>,
    /// Counts the tokens of reasoning too.
    pub max_output_tokens: Option<u64>,
    pub max_tool_calls: Option<u64>,
    /// How it is processed, such as `flex`; as the project is set without one.
    pub service_tier: Option<&'a str>,
    /// At most 16 entries, keys of 64 and values of 512 characters; comes back on each look.
    pub metadata: BTreeMap<String, String>,
}

/// Vector stores that one file search may name. OpenAI's documents give no number; a project that met the refusal reports "maximum of 2
/// vector stores allowed", with a 400 (dimagi/open-chat-studio#3815, July 2026).
pub const MOST_SEARCHED: usize = 2;

/// What the model may use.
#[derive(Debug, Clone, PartialEq)]
pub enum Tool {
    /// Search in these stores, at most [`MOST_SEARCHED`], among the files that have all of `matching`; with none, among all.
    FileSearch { stores: Vec<VectorStoreId>, matching: Attributes, max_results: u8 },
    /// Run code in a new container with these files (at most 50), without a network.
    CodeInterpreter { files: Vec<FileId> },
    /// Run code in this container.
    CodeIn(ContainerId),
}

/// The tools of a server that OpenAI asks by the Model Context Protocol.
#[derive(Debug, Clone, Copy)]
pub struct RemoteMcp<'a> {
    /// What its calls are known by.
    pub label: &'a str,
    pub url: &'a Url,
    pub key: &'a SecretString,
    /// The only ones that the model is shown. They are used without asking anybody; for anything else OpenAI asks.
    pub tools: &'a [String],
}

/// A JSON schema that the answer must fit.
#[derive(Debug, Clone, Copy)]
pub struct Format<'a> {
    /// Letters, digits, `_` and `-`, at most 64.
    pub name: &'a str,
    pub schema: &'a Value,
}

impl NewResponse<'_> {
    /// As it is asked for in the background.
    pub(super) fn body(&self) -> String {
        // Said in full: with some retention settings a background response is kept only when it is to be stored.
        self.text_of(json!({"background": true, "store": true}))
    }

    /// As it stands in a file of requests, which has the answer in another file and nothing to be stored for it.
    pub(super) fn body_for_a_batch(&self) -> String {
        self.text_of(json!({"store": false}))
    }

    fn text_of(&self, mut body: Value) -> String {
        let mut content = vec![json!({"type": "input_text", "text": self.text})];
        content.extend(self.files.iter().map(|id| json!({"type": "input_file", "file_id": id})));
        let fields = body.as_object_mut().expect("an object was just made");
        fields.insert("model".to_owned(), self.model.into());
        fields.insert("input".to_owned(), json!([{"role": "user", "content": content}]));
        fields.insert("metadata".to_owned(), json!(self.metadata));
        let mut put = |name: &str, value: Option<Value>| {
            fields.extend(value.map(|value| (name.to_owned(), value)));
        };
        put("instructions", self.instructions.map(Value::from));
        put("conversation", self.conversation.map(|id| json!(id)));
        put("service_tier", self.service_tier.map(Value::from));
        put("max_output_tokens", self.max_output_tokens.map(Value::from));
        put("max_tool_calls", self.max_tool_calls.map(Value::from));
        let tools: Vec<Value> =
            self.tools.iter().map(Tool::body).chain(self.mcp.map(|mcp| mcp.body())).collect();
        put("tools", (!tools.is_empty()).then(|| Value::from(tools)));
        let shown: Vec<&str> = self.tools.iter().map(Tool::shown).collect();
        put("include", (!shown.is_empty()).then(|| Value::from(shown)));
        let text = self.format.map(|format| Text { format: JsonSchema::of(format) });
        With { object: &body, name: "text", value: text }.text()
    }
}

/// `text` of a request.
#[derive(Serialize)]
struct Text<'a> {
    format: JsonSchema<'a>,
}

/// A schema to answer in.
#[derive(Serialize)]
struct JsonSchema<'a> {
    r#type: &'static str,
    name: &'a str,
    strict: bool,
    schema: Ordered<'a>,
}

impl<'a> JsonSchema<'a> {
    fn of(format: Format<'a>) -> Self {
        JsonSchema { r#type: "json_schema", name: format.name, strict: true, schema: Ordered(format.schema) }
    }
}

impl RemoteMcp<'_> {
    /// That OpenAI sends `authorization` as a bearer token is inferred; its document calls it an access token for the server.
    fn body(self) -> Value {
        json!({
            "type": "mcp",
            "server_label": self.label,
            "server_url": self.url,
            "authorization": self.key.expose_secret(),
            "allowed_tools": self.tools,
            "require_approval": {"never": {"tool_names": self.tools}},
        })
    }
}

impl Tool {
    fn body(&self) -> Value {
        match self {
            Tool::FileSearch { stores, matching, max_results } => {
                let mut tool = json!({"type": "file_search", "vector_store_ids": stores, "max_num_results": max_results});
                if let Some(filter) = filter(matching) {
                    tool["filters"] = filter;
                }
                tool
            }
            Tool::CodeIn(container) => json!({"type": "code_interpreter", "container": container}),
            Tool::CodeInterpreter { files } => json!({
                "type": "code_interpreter",
                "container": {"type": "auto", "file_ids": files, "network_policy": {"type": "disabled"}},
            }),
        }
    }

    /// What must be asked for to see what the tool did.
    fn shown(&self) -> &'static str {
        match self {
            Tool::FileSearch { .. } => "file_search_call.results",
            Tool::CodeInterpreter { .. } | Tool::CodeIn(_) => "code_interpreter_call.outputs",
        }
    }
}

/// A filter for files that have all of `attributes`; none for none.
fn filter(attributes: &Attributes) -> Option<Value> {
    let mut equal: Vec<Value> =
        attributes.iter().map(|(key, value)| json!({"type": "eq", "key": key, "value": value})).collect();
    match equal.len() {
        0 => None,
        1 => equal.pop(),
        _ => Some(json!({"type": "and", "filters": equal})),
    }
}

#[cfg(test)]
mod tests {
    use super::super::attributes::AttributeValue;
    use super::*;

    #[test]
    fn a_whole_request_reads_as_documented() {
        let (conversation, schema) = (ConversationId("conv_1".into()), json!({"type": "object"}));
        let node = ("node".to_owned(), AttributeValue::Text("2abc".into()));
        let version = ("n".to_owned(), AttributeValue::Number(3.0));
        let store = VectorStoreId("vs_1".into());
        let (url, key) = ("https://mcp.fast.io/mcp/tools".parse().unwrap(), "a-key".to_owned().into());
        let new = NewResponse {
            model: "m",
            instructions: Some("Be exact."),
            conversation: Some(&conversation),
            text: "Read it.",
            files: &[FileId("file-1".into())],
            tools: &[
                Tool::FileSearch { stores: vec![store], matching: [node, version].into(), max_results: 10 },
                Tool::CodeInterpreter { files: vec![FileId("file-1".into())] },
            ],
            mcp: Some(RemoteMcp { label: "fastio", url: &url, key: &key, tools: &["find".to_owned()] }),
            format: Some(Format { name: "liability", schema: &schema }),
            max_output_tokens: Some(4000),
            max_tool_calls: Some(20),
            service_tier: Some("flex"),
            metadata: [("docket".to_owned(), "1".to_owned())].into(),
        };
        let expected = json!({
            "model": "m", "background": true, "store": true, "instructions": "Be exact.",
            "conversation": "conv_1", "max_output_tokens": 4000, "max_tool_calls": 20, "service_tier": "flex",
            "metadata": {"docket": "1"},
            "input": [{"role": "user", "content": [
                {"type": "input_text", "text": "Read it."}, {"type": "input_file", "file_id": "file-1"}]}],
            "tools": [
                {"type": "file_search", "vector_store_ids": ["vs_1"], "max_num_results": 10,
                 "filters": {"type": "and", "filters": [
                    {"type": "eq", "key": "n", "value": 3}, {"type": "eq", "key": "node", "value": "2abc"}]}},
                {"type": "code_interpreter", "container": {
                    "type": "auto", "file_ids": ["file-1"], "network_policy": {"type": "disabled"}}},
                {"type": "mcp", "server_label": "fastio", "server_url": "https://mcp.fast.io/mcp/tools", "authorization": "a-key",
                 "allowed_tools": ["find"], "require_approval": {"never": {"tool_names": ["find"]}}},
            ],
            "include": ["file_search_call.results", "code_interpreter_call.outputs"],
            "text": {"format": {"type": "json_schema", "name": "liability", "schema": {"type": "object"}, "strict": true}},
        });
        assert_eq!(serde_json::from_str::<Value>(&new.body()).unwrap(), expected);
    }

    #[test]
    fn a_bare_request_says_nothing_it_need_not() {
        let body = NewResponse { model: "m", text: "Hi", ..NewResponse::default() }.body();
        let body: Value = serde_json::from_str(&body).unwrap();
        let mut names: Vec<&String> = body.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["background", "input", "metadata", "model", "store"]);
    }

    #[test]
    fn one_attribute_is_one_comparison() {
        let one: Attributes = [("a".to_owned(), AttributeValue::Flag(true))].into();
        assert_eq!(filter(&one), Some(json!({"type": "eq", "key": "a", "value": true})));
        assert_eq!(filter(&Attributes::new()), None);
    }
}
