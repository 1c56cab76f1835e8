//! Threads and runs of the Assistants API, version 2, for compatible servers that still serve it.
//!
//! OpenAI itself shut it down on 2026-08-26. Facts are from its OpenAPI document 2.3.0, which still describes it.

use std::collections::BTreeMap;
use std::fmt;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::SMALL_CALL_LIMIT;
use crate::http::reply::exchange;
use crate::http::value::Fields;

use super::Error;
use super::client::{Answer, Call, Client, Extra, STARTING, THREADING};
use super::failure::Failure;
use super::file::{FileId, Page};
use super::message::Message;
use super::ordered::{Ordered, With};
use super::output::Output;
use super::request::Format;
use super::response::Usage;

/// What asks for this protocol.
const BETA: (&str, &str) = ("openai-beta", "assistants=v2");

/// The least that a limit on tokens may be (OpenAPI document).
pub const LEAST_TOKENS: u64 = 256;

/// Runs and messages asked for at once: the most the OpenAPI document allows.
const PER_PAGE: &str = "100";

/// More pages of messages than an unattended run can write.
const MAX_PAGES: usize = 100;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// The id of an assistant, such as `asst_abc123`. Opaque.
    AssistantId
}
id! {
    /// The id of a thread, such as `thread_abc123`. Opaque.
    ThreadId
}
id! {
    /// The id of a run in a thread, such as `run_abc123`. Opaque.
    RunId
}

/// A thread with the user's message.
#[derive(Debug, Clone, Default)]
pub struct NewThread<'a> {
    pub text: &'a str,
    pub attachments: &'a [Attachment],
    pub metadata: BTreeMap<String, String>,
}

/// A file with a message, for the tools that may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub file: FileId,
    /// Puts it into the thread's own store. A run waits up to a minute for that one to be indexed.
    pub file_search: bool,
    /// Puts it where code runs.
    pub code_interpreter: bool,
}

/// What is asked of the assistant.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    pub assistant: &'a AssistantId,
    /// Instead of the one the assistant has.
    pub model: Option<&'a str>,
    /// After those the assistant has.
    pub additional_instructions: Option<&'a str>,
    pub format: Option<Format<'a>>,
    /// At least [`LEAST_TOKENS`].
    pub max_completion_tokens: Option<u64>,
    pub metadata: BTreeMap<String, String>,
}

/// A run as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub id: RunId,
    pub status: RunStatus,
    pub error: Option<Failure>,
    /// Why it is incomplete.
    pub incomplete: Option<String>,
    pub usage: Option<Usage>,
    pub model: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

/// Where a run is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStatus {
    Queued,
    InProgress,
    /// Waits for the output of a tool of ours, which we have not: cancel it.
    RequiresAction,
    Cancelling,
    Cancelled,
    Failed,
    Completed,
    Incomplete,
    /// Some ten minutes after its creation.
    Expired,
    /// A word that came after this was written. Taken as not ended: a deadline ends it.
    Unknown(String),
}

impl RunStatus {
    pub fn is_terminal(&self) -> bool {
        match self {
            RunStatus::Cancelled
            | RunStatus::Failed
            | RunStatus::Completed
            | RunStatus::Incomplete
            | RunStatus::Expired => true,
            RunStatus::Queued
            | RunStatus::InProgress
            | RunStatus::RequiresAction
            | RunStatus::Cancelling
            | RunStatus::Unknown(_) => false,
        }
    }
}

impl From<String> for RunStatus {
    fn from(word: String) -> Self {
        match word.as_str() {
            "queued" => RunStatus::Queued,
            "in_progress" => RunStatus::InProgress,
            "requires_action" => RunStatus::RequiresAction,
            "cancelling" => RunStatus::Cancelling,
            "cancelled" => RunStatus::Cancelled,
            "failed" => RunStatus::Failed,
            "completed" => RunStatus::Completed,
            "incomplete" => RunStatus::Incomplete,
            "expired" => RunStatus::Expired,
            _ => RunStatus::Unknown(word),
        }
    }
}

impl Attachment {
    fn body(&self) -> Value {
        let tools = [(self.file_search, "file_search"), (self.code_interpreter, "code_interpreter")];
        let tools: Vec<Value> = tools
            .into_iter()
            .filter(|(wanted, _)| *wanted)
            .map(|(_, kind)| json!({ "type": kind }))
            .collect();
        json!({"file_id": self.file, "tools": tools})
    }
}

impl NewThread<'_> {
    fn body(&self) -> Value {
        let attachments: Vec<Value> = self.attachments.iter().map(Attachment::body).collect();
        let message = json!({"role": "user", "content": self.text, "attachments": attachments});
        json!({"messages": [message], "metadata": self.metadata})
    }
}

impl NewRun<'_> {
    fn body(&self) -> String {
        let mut body = json!({"assistant_id": self.assistant, "metadata": self.metadata});
        let fields = body.as_object_mut().expect("an object was just made");
        let mut put = |name: &str, value: Option<Value>| {
            fields.extend(value.map(|value| (name.to_owned(), value)));
        };
        put("model", self.model.map(Value::from));
        put("additional_instructions", self.additional_instructions.map(Value::from));
        put("max_completion_tokens", self.max_completion_tokens.map(|most| most.max(LEAST_TOKENS).into()));
        let format = self.format.map(|format| ResponseFormat {
            r#type: "json_schema",
            json_schema: JsonSchema { name: format.name, strict: true, schema: Ordered(format.schema) },
        });
        With { object: &body, name: "response_format", value: format }.text()
    }
}

/// A schema to answer in, nested deeper than in a response.
#[derive(Serialize)]
struct ResponseFormat<'a> {
    r#type: &'static str,
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'a str,
    strict: bool,
    schema: Ordered<'a>,
}

impl Run {
    fn read(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        let metadata = fields.object("metadata").into_iter().flat_map(Fields::entries);
        Some(Run {
            id: RunId(fields.id("id")?),
            status: RunStatus::from(fields.text("status").unwrap_or_default()),
            error: fields.object("last_error").map(Failure::read),
            incomplete: fields.object("incomplete_details").and_then(|details| details.id("reason")),
            usage: fields.object("usage").map(Usage::read),
            model: fields.id("model"),
            metadata: metadata
                .filter_map(|(key, value)| Some((key.clone(), crate::http::value::text(value)?)))
                .collect(),
        })
    }
}

/// The calls of the Assistants API. Made by [`Client::threads`].
#[derive(Debug, Clone, Copy)]
pub struct Threads<'a>(&'a Client);

impl Client {
    /// The Assistants API, version 2, where the server still serves it.
    pub fn threads(&self) -> Threads<'_> {
        Threads(self)
    }
}

impl Threads<'_> {
    /// Creates a thread with the user's message. There is no idempotency key; a thread whose id was lost runs nothing.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn create(&self, new: &NewThread<'_>) -> Result<ThreadId, Error> {
        let body = new.body();
        let answer = self.call(THREADING, Method::POST, &["threads"], Extra::Json(&body)).await?;
        answer.required(|value| Fields::of(value)?.id("id").map(ThreadId))
    }

    /// Starts a run. When [`Error::may_have_happened`], [`Threads::runs`] tells whether it has.
    ///
    /// # Errors
    /// [`super::ErrorKind::Rejected`] also while another run of the thread goes on; and those of every call.
    pub async fn start(&self, thread: &ThreadId, new: &NewRun<'_>) -> Result<Run, Error> {
        let path = ["threads", &thread.0, "runs"];
        self.call(STARTING, Method::POST, &path, Extra::Text(new.body())).await?.required(Run::read)
    }

    /// The newest runs of a thread, at most 100.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is no such thread, and those of every call.
    pub async fn runs(&self, thread: &ThreadId) -> Result<Vec<Run>, Error> {
        let (path, query) = (["threads", &thread.0, "runs"], [("order", "desc"), ("limit", PER_PAGE)]);
        let answer = self.call("listing runs", Method::GET, &path, Extra::Query(&query)).await?;
        answer.page(|fields| {
            let runs = fields.list("data").ok_or("no list")?.iter();
            runs.map(|run| Run::read(run).ok_or("a run without an id")).collect()
        })
    }

    /// Deletes a thread.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is no such thread, and those of every call.
    pub async fn delete(&self, thread: &ThreadId) -> Result<(), Error> {
        let path = ["threads", &thread.0];
        self.call("deleting a thread", Method::DELETE, &path, Extra::None).await.map(drop)
    }

    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is no such run, and those of every call.
    pub async fn run(&self, thread: &ThreadId, run: &RunId) -> Result<Run, Error> {
        let path = ["threads", &thread.0, "runs", &run.0];
        self.call("looking at a run", Method::GET, &path, Extra::None).await?.required(Run::read)
    }

    /// # Errors
    /// [`super::ErrorKind::Rejected`] when the run has ended, and those of every call.
    pub async fn cancel(&self, thread: &ThreadId, run: &RunId) -> Result<Run, Error> {
        let path = ["threads", &thread.0, "runs", &run.0, "cancel"];
        self.call("cancelling a run", Method::POST, &path, Extra::None).await?.required(Run::read)
    }

    /// What the assistant answered in a run: its messages one after the other, with the marks of citations as `[1]`.
    /// Numbers count anew in each message.
    ///
    /// # Errors
    /// [`super::ErrorKind::Unreadable`] also when the listing cannot go on; and those of every call.
    pub async fn output(&self, thread: &ThreadId, run: &RunId) -> Result<Output, Error> {
        let path = ["threads", &thread.0, "messages"];
        let (mut output, mut after) = (Output::default(), None::<String>);
        for _ in 0..MAX_PAGES {
            let mut query = vec![("run_id", run.0.as_str()), ("order", "asc"), ("limit", PER_PAGE)];
            query.extend(after.as_deref().map(|id| ("after", id)));
            let answer =
                self.call("reading a run's messages", Method::GET, &path, Extra::Query(&query)).await?;
            let page = answer.page(|fields| {
                Page::read(fields, after.as_ref(), Message::read, |message| &message.id)?.whole()
            })?;
            for message in page.items {
                output.text.push_str(&message.output.text);
                output.refusal = output.refusal.or(message.output.refusal);
                output.citations.extend(message.output.citations);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(output)
    }

    async fn call(
        &self,
        operation: &'static str,
        method: Method,
        path: &[&str],
        extra: Extra<'_>,
    ) -> Result<Answer, Error> {
        let Call { request, sent, timed } = self.0.request(operation, method, path).await?;
        let request = extra.put_on(request).header(BETA.0, BETA.1).timeout(SMALL_CALL_LIMIT);
        self.0.accept(operation, exchange(request, timed).await, sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_read_as_documented() {
        let attachment =
            Attachment { file: FileId("file-1".into()), file_search: true, code_interpreter: false };
        let thread = NewThread { text: "Read it.", attachments: &[attachment], metadata: BTreeMap::new() };
        assert_eq!(
            thread.body(),
            json!({"metadata": {}, "messages": [{"role": "user", "content": "Read it.",
                "attachments": [{"file_id": "file-1", "tools": [{"type": "file_search"}]}]}]})
        );
        let (assistant, schema) = (AssistantId("asst_1".into()), json!({}));
        let run = NewRun {
            assistant: &assistant,
            model: None,
            additional_instructions: Some("Be exact."),
            format: Some(Format { name: "f", schema: &schema }),
            max_completion_tokens: Some(1),
            metadata: BTreeMap::new(),
        };
        assert_eq!(
            serde_json::from_str::<Value>(&run.body()).unwrap(),
            json!({"assistant_id": "asst_1", "additional_instructions": "Be exact.", "metadata": {},
                "max_completion_tokens": 256, "response_format": {"type": "json_schema",
                    "json_schema": {"name": "f", "schema": {}, "strict": true}}})
        );
    }

    #[test]
    fn a_run_ends_in_five_ways_and_in_no_other() {
        let ends = ["cancelled", "failed", "completed", "incomplete", "expired"];
        assert!(ends.iter().all(|word| RunStatus::from((*word).to_owned()).is_terminal()));
        let others = ["queued", "in_progress", "requires_action", "cancelling", "new", ""];
        assert!(!others.iter().any(|word| RunStatus::from((*word).to_owned()).is_terminal()));
    }
}
