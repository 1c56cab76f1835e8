//! What can go wrong in a call to OpenAI, and what it means for a job.

use std::time::Duration;

use serde_json::Value;

use crate::http::reply::{Cause, excerpt};
use crate::http::value::Fields;
use crate::http::wait::server_now;
use crate::http::{CallError, CallErrorKind, Head, Reply, Retry, retry_after};

/// A failed call to OpenAI. Where OpenAI gave the request no name, `request_id` is the one we gave it, by which OpenAI's
/// support finds it too (its API reference on `X-Client-Request-Id`).
pub type Error = CallError<ErrorKind>;

/// What callers tell apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// 404 in OpenAI's documented words. Right after a create it may be untrue (seen in issue threads): the caller knows when.
    NotFound,
    /// 401.
    Unauthorized,
    /// 403: this key may not, from here or in this project.
    Forbidden,
    /// The account has no credit left: 429 with `insufficient_quota`, and the like. Waiting does not help.
    QuotaExhausted,
    /// The project holds as many bytes of files as it may.
    StorageFull,
    /// 429 for going too fast.
    RateLimited { wait: Option<Duration> },
    /// 409, as in "File is still processing. Check back later." on a delete.
    StillProcessing,
    /// A permanent error of input: 400, 415, 422 and other 4xx. `code` is OpenAI's word, such as `unsupported_file`.
    Rejected { code: Option<String> },
    /// 413.
    TooLarge,
    /// The bytes to upload broke off or were not as many as announced; OpenAI is not to blame and holds nothing.
    Content,
    /// 5xx, 408, and everything below HTTP: no connection, a broken one, silence.
    Unavailable { wait: Option<Duration> },
    /// An answer that is not what was asked for: no JSON, a field missing, too large, a redirect.
    Unreadable,
}

/// OpenAI's error object. Every part of it may be missing.
#[derive(Debug, Default)]
struct Refusal {
    message: String,
    kind: Option<String>,
    code: Option<String>,
}

impl CallErrorKind for ErrorKind {
    const SERVICE: &'static str = "OpenAI";
    const REQUEST_ID: &'static str = "x-request-id";
    const NOT_FOUND: ErrorKind = ErrorKind::NotFound;
    const UNREADABLE: ErrorKind = ErrorKind::Unreadable;

    fn of(cause: Cause) -> Self {
        match cause {
            Cause::Request => ErrorKind::Rejected { code: None },
            Cause::Transport => ErrorKind::Unavailable { wait: None },
            Cause::Oversize => ErrorKind::Unreadable,
            Cause::Content => ErrorKind::Content,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            ErrorKind::Unauthorized
            | ErrorKind::Forbidden
            | ErrorKind::QuotaExhausted
            | ErrorKind::StorageFull => Retry::Pause,
            ErrorKind::RateLimited { wait: Some(wait) } => Retry::After(*wait),
            ErrorKind::Unavailable { wait } => Retry::Unavailable(*wait),
            ErrorKind::RateLimited { wait: None }
            | ErrorKind::StillProcessing
            | ErrorKind::Content
            | ErrorKind::Unreadable => Retry::Backoff,
            ErrorKind::NotFound | ErrorKind::Rejected { .. } | ErrorKind::TooLarge => Retry::Never,
        }
    }

    fn does(&self) -> &'static str {
        match self {
            ErrorKind::NotFound => "has no such thing",
            ErrorKind::Unauthorized => "does not accept the API key",
            ErrorKind::Forbidden => "refuses access",
            ErrorKind::QuotaExhausted => "says the account has no credit left",
            ErrorKind::StorageFull => "says the project's file storage is full",
            ErrorKind::RateLimited { .. } => "asks us to slow down",
            ErrorKind::StillProcessing => "is still busy with it",
            ErrorKind::Rejected { .. } => "does not take the request",
            ErrorKind::TooLarge => "says it is too large",
            ErrorKind::Content => "was not sent the whole content",
            ErrorKind::Unavailable { .. } => "is not available",
            ErrorKind::Unreadable => "sent an answer we cannot use",
        }
    }
}

impl Error {
    /// Whether OpenAI names this object in its refusal of a request: it is about the object, and not about the request.
    pub fn names(&self, id: &str) -> bool {
        matches!(self.kind, ErrorKind::Rejected { .. } | ErrorKind::NotFound) && self.message.contains(id)
    }

    /// An answer that is not a success. `object` is what the request was about, by its id.
    pub(super) fn refused(operation: &'static str, reply: &Reply, object: Option<&str>) -> Self {
        let refusal = Refusal::read(reply);
        let kind = kind(&reply.head, refusal.as_ref(), object);
        let message = refusal.unwrap_or_default().message;
        Error::answered(operation, kind, &reply.head, &excerpt(&message))
    }

    /// Names the request by the id we gave it, unless OpenAI named it.
    pub(super) fn sent_as(mut self, client_request_id: String) -> Self {
        self.request_id.get_or_insert(client_request_id);
        self
    }
}

impl Refusal {
    /// `{"error": {…}}` as documented, or the bare object (OpenAPI document: DELETE /responses). None for anything else,
    /// such as a proxy's HTML page or another framework's `{"detail": "Not Found"}`.
    fn read(reply: &Reply) -> Option<Self> {
        let body = reply.json()?;
        let root = Fields::of(&body)?;
        let error = match root.get("error") {
            Some(Value::String(message)) => {
                return Some(Refusal { message: message.clone(), ..Refusal::default() });
            }
            Some(error) => Fields::of(error)?,
            None => root,
        };
        Some(Refusal { message: error.id("message")?, kind: error.id("type"), code: error.id("code") })
    }

    fn is(&self, word: &str) -> bool {
        self.code.as_deref() == Some(word) || self.kind.as_deref() == Some(word)
    }

    /// `insufficient_quota` is documented as type and as code; the other two are seen in issue threads.
    fn is_about_money(&self) -> bool {
        ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active"]
            .iter()
            .any(|word| self.is(word))
    }

    /// Known only by its sentence, "You have exceeded your file storage quota." (OpenAI's help centre; the status was
    /// not found).
    fn is_about_storage(&self) -> bool {
        self.message.to_ascii_lowercase().contains("storage quota")
    }

    /// No such object, as OpenAI says it: with the type that its documents show, or naming the very object, as every server
    /// compatible with it was seen to do. A gateway that knows no such path, tenant or service does neither.
    fn is_about_an_object(&self, object: Option<&str>) -> bool {
        self.kind.as_deref() == Some("invalid_request_error")
            || object.is_some_and(|id| self.message.contains(id))
    }

    /// No such path, rather than no such object: a base URL that lacks `/v1`, or a compatible server without vector
    /// stores. Sentences and code as seen in issue threads.
    fn is_about_the_path(&self) -> bool {
        self.is("unknown_url")
            || self.message.starts_with("Invalid URL")
            || self.message.starts_with("Unknown request URL")
    }
}

/// The one place that says what a status means. `refusal` is what OpenAI says of it; None where something else spoke.
fn kind(head: &Head, refusal: Option<&Refusal>, object: Option<&str>) -> ErrorKind {
    let wait = retry_after(&head.headers, server_now(&head.headers));
    let code = || ErrorKind::Rejected { code: refusal.and_then(|refusal| refusal.code.clone()) };
    match head.status.as_u16() {
        401 => ErrorKind::Unauthorized,
        400..=499 if refusal.is_some_and(Refusal::is_about_money) => ErrorKind::QuotaExhausted,
        400..=499 if refusal.is_some_and(Refusal::is_about_storage) => ErrorKind::StorageFull,
        402 => ErrorKind::QuotaExhausted,
        403 => ErrorKind::Forbidden,
        404 => match refusal {
            Some(refusal) if refusal.is_about_the_path() => code(),
            Some(refusal) if refusal.is_about_an_object(object) => ErrorKind::NotFound,
            // A 404 ends a delete well, so it counts only in OpenAI's words.
            _ => ErrorKind::Unreadable,
        },
        408 | 500..=599 => ErrorKind::Unavailable { wait },
        409 => ErrorKind::StillProcessing,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited { wait },
        400..=499 => code(),
        _ => ErrorKind::Unreadable,
    }
}

#[cfg(test)]
mod tests;
