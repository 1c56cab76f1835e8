//! A run as OpenAI's Responses API makes it: created in the background, looked at until it ends, cancelled when late.

use std::collections::BTreeMap;
use std::fmt;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::SMALL_CALL_LIMIT;
use crate::http::reply::exchange;
use crate::http::value::{Fields, text};

use super::Error;
use super::client::{Call, Client, Extra, STARTING};
use super::conversation::ConversationId;
use super::failure::Failure;
use super::output::Output;
use super::request::NewResponse;

/// The id of a response, such as `resp_abc123`. Opaque.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResponseId(pub String);

impl fmt::Display for ResponseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A run as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    pub id: ResponseId,
    pub status: Status,
    /// Why it failed.
    pub error: Option<Failure>,
    /// Why it is incomplete: `max_output_tokens`, `content_filter`, or a word that came later.
    pub incomplete: Option<String>,
    /// What it has answered. Of an incomplete one, in part.
    pub output: Output,
    pub usage: Option<Usage>,
    /// The model that answered, which may be a dated name of the one asked for.
    pub model: Option<String>,
    /// How it was processed, which may be otherwise than was asked for.
    pub service_tier: Option<String>,
    pub conversation: Option<ConversationId>,
    pub metadata: BTreeMap<String, String>,
    /// Unix seconds.
    pub created_at: Option<i64>,
    /// Unix seconds.
    pub completed_at: Option<i64>,
}

/// Where a run is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Queued,
    InProgress,
    Completed,
    Failed,
    Incomplete,
    Cancelled,
    /// A word that came after this was written. Taken as not ended: a deadline ends it.
    Unknown(String),
}

impl Status {
    pub fn is_terminal(&self) -> bool {
        match self {
            Status::Completed | Status::Failed | Status::Incomplete | Status::Cancelled => true,
            Status::Queued | Status::InProgress | Status::Unknown(_) => false,
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Status::Queued => "queued",
            Status::InProgress => "in_progress",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Incomplete => "incomplete",
            Status::Cancelled => "cancelled",
            Status::Unknown(word) => word,
        }
    }
}

impl From<String> for Status {
    fn from(word: String) -> Self {
        match word.as_str() {
            "queued" => Status::Queued,
            "in_progress" => Status::InProgress,
            "completed" => Status::Completed,
            "failed" => Status::Failed,
            "incomplete" => Status::Incomplete,
            "cancelled" => Status::Cancelled,
            _ => Status::Unknown(word),
        }
    }
}

/// Tokens, as far as the service says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub input_tokens: u64,
    /// Part of the input.
    pub cached_tokens: u64,
    pub output_tokens: u64,
    /// Part of the output.
    pub reasoning_tokens: u64,
    pub total_tokens: u64,
}

impl Usage {
    /// Under the names of the Responses API or those of the assistants.
    pub(super) fn read(fields: Fields<'_>) -> Self {
        let count = |names: [&str; 2]| names.into_iter().find_map(|name| fields.unsigned(name)).unwrap_or(0);
        let part = |of: [&str; 2], name| {
            of.into_iter().find_map(|of| fields.object(of)?.unsigned(name)).unwrap_or(0)
        };
        let input_tokens = count(["input_tokens", "prompt_tokens"]);
        let output_tokens = count(["output_tokens", "completion_tokens"]);
        Usage {
            input_tokens,
            cached_tokens: part(["input_tokens_details", "prompt_token_details"], "cached_tokens"),
            output_tokens,
            reasoning_tokens: part(
                ["output_tokens_details", "completion_tokens_details"],
                "reasoning_tokens",
            ),
            total_tokens: fields.unsigned("total_tokens").unwrap_or(input_tokens + output_tokens),
        }
    }
}

impl Response {
    /// None where `value` is not an object with an id.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        // An id alone in newer answers, an object in the OpenAPI document.
        let conversation = fields.id("conversation").or_else(|| fields.object("conversation")?.id("id"));
        let metadata = fields.object("metadata").into_iter().flat_map(Fields::entries);
        Some(Response {
            id: ResponseId(fields.id("id")?),
            status: Status::from(fields.text("status").unwrap_or_default()),
            error: fields.object("error").map(Failure::read),
            incomplete: fields.object("incomplete_details").and_then(|details| details.id("reason")),
            output: Output::read(fields.list("output").unwrap_or_default()),
            usage: fields.object("usage").map(Usage::read),
            model: fields.id("model"),
            service_tier: fields.id("service_tier"),
            conversation: conversation.map(ConversationId),
            metadata: metadata.filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect(),
            created_at: fields.signed("created_at"),
            completed_at: fields.signed("completed_at"),
        })
    }
}

/// How [`Client::done`] begins what counts responses that were begun; behind it stands the model's name.
pub const MODEL_DONE: &str = "model ";

impl Client {
    /// Creates a response in the background. There is no idempotency key and no list of responses: when
    /// [`Error::may_have_happened`], the conversation tells later whether it ran.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn create_response(&self, new: &NewResponse<'_>) -> Result<Response, Error> {
        let Call { request, sent, timed } = self.request(STARTING, Method::POST, &["responses"]).await?;
        let request = Extra::Text(new.body()).put_on(request).timeout(SMALL_CALL_LIMIT);
        let reply = exchange(request, timed).await;
        if let Ok(reply) = &reply {
            self.heard.hear(new.model, &reply.head);
        }
        let answer = self.accept(STARTING, reply, sent)?;
        let begun = answer.required(Response::read)?;
        self.did(&format!("{MODEL_DONE}{}", new.model));
        Ok(begun)
    }

    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is no such response: of one that was created it means that it has
    /// expired, for good. And those of every call.
    pub async fn response(&self, id: &ResponseId) -> Result<Response, Error> {
        let path = ["responses", &id.0];
        self.call("looking at a run", Method::GET, &path, Extra::None).await?.required(Response::read)
    }

    /// Cancels a response that was made in the background; one that has ended stays as it ended. Cancelling twice is
    /// cancelling once.
    ///
    /// # Errors
    /// As [`Client::response`].
    pub async fn cancel_response(&self, id: &ResponseId) -> Result<Response, Error> {
        let path = ["responses", &id.0, "cancel"];
        self.call("cancelling a run", Method::POST, &path, Extra::None).await?.required(Response::read)
    }

    /// Deletes a response with what was asked and answered in it. What stands in a conversation as well stays there.
    ///
    /// # Errors
    /// As [`Client::response`].
    pub async fn delete_response(&self, id: &ResponseId) -> Result<(), Error> {
        let path = ["responses", &id.0];
        self.call("deleting a run", Method::DELETE, &path, Extra::None).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_status_is_not_an_end() {
        let read = |status: &str| Response::read(&json!({"id": "resp_1", "status": status})).unwrap().status;
        for end in ["completed", "failed", "incomplete", "cancelled"] {
            assert!(read(end).is_terminal(), "{end}");
            assert_eq!(read(end).as_str(), end);
        }
        for going_on in ["queued", "in_progress", "steering", ""] {
            assert!(!read(going_on).is_terminal(), "{going_on}");
        }
    }

    #[test]
    fn an_end_carries_its_reason_and_its_cost() {
        let value = json!({
            "id": "resp_1", "object": "response", "status": "incomplete", "error": null, "model": "m-2026",
            "incomplete_details": {"reason": "max_output_tokens"}, "conversation": {"id": "conv_1"},
            "metadata": {"docket": "1"}, "output": [{"type": "message", "role": "assistant",
                "content": [{"type": "output_text", "text": "In pa"}]}],
            "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5,
                "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 15},
        });
        let response = Response::read(&value).unwrap();
        assert_eq!(response.incomplete.as_deref(), Some("max_output_tokens"));
        assert_eq!(response.output.text, "In pa");
        assert_eq!(response.conversation, Some(ConversationId("conv_1".into())));
        let usage = Usage {
            input_tokens: 10,
            cached_tokens: 4,
            output_tokens: 5,
            reasoning_tokens: 2,
            total_tokens: 15,
        };
        assert_eq!(response.usage, Some(usage));
        assert_eq!(Response::read(&json!({"status": "completed"})), None);
    }
}
