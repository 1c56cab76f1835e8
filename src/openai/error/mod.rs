//! What can go wrong in a call to OpenAI, and what it means for a job.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::http::reply::{Cause, excerpt};
use crate::http::value::Fields;
use crate::http::wait::server_now;
use crate::http::{Failure, Head, Phase, Reply, Retry, Unusable, retry_after};

/// A failed call to OpenAI. Displays as one sentence for a person, without URL, key or body.
#[derive(Debug, Clone)]
pub struct Error {
    pub kind: ErrorKind,
    /// What we were doing, as in "uploading a file".
    pub operation: &'static str,
    /// The HTTP status, if an answer came.
    pub status: Option<u16>,
    /// OpenAI's name for the request (`x-request-id`), or where none came the one we gave it, by which OpenAI's support
    /// finds it too (its API reference on `X-Client-Request-Id`).
    pub request_id: Option<String>,
    pub phase: Phase,
    message: Box<str>,
}

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

impl Error {
    /// What this failure means for a job.
    pub fn retry(&self) -> Retry {
        match &self.kind {
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

    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    /// Whether OpenAI names this object in its refusal of a request: it is about the object, and not about the request.
    pub fn names(&self, id: &str) -> bool {
        matches!(self.kind, ErrorKind::Rejected { .. } | ErrorKind::NotFound) && self.message.contains(id)
    }

    /// Whether OpenAI may have done what was asked in spite of this error.
    pub fn may_have_happened(&self) -> bool {
        self.phase.may_have_happened(self.status)
    }

    /// An answer that is not a success.
    /// `object` is what the request was about, by its id.
    pub(super) fn refused(
        operation: &'static str,
        reply: &Reply,
        (secrets, object): (&[&str], Option<&str>),
    ) -> Self {
        let refusal = Refusal::read(reply);
        let kind = kind(&reply.head, (refusal.as_ref(), object));
        let message = refusal.unwrap_or_default().message;
        Error::answered(operation, kind, &reply.head, &excerpt(&message, secrets))
    }

    /// A success that does not hold what it must.
    pub(super) fn unreadable(operation: &'static str, head: &Head, what: &str) -> Self {
        Error::answered(operation, ErrorKind::Unreadable, head, what)
    }

    pub(super) fn answered(operation: &'static str, kind: ErrorKind, head: &Head, message: &str) -> Self {
        Error {
            kind,
            operation,
            status: Some(head.status.as_u16()),
            request_id: request_id(head),
            phase: Phase::ResponseStarted,
            message: message.into(),
        }
    }

    pub(super) fn failed(operation: &'static str, failure: Failure) -> Self {
        let kind = match failure.cause {
            Cause::Request => ErrorKind::Rejected { code: None },
            Cause::Transport => ErrorKind::Unavailable { wait: None },
            Cause::Oversize => ErrorKind::Unreadable,
            Cause::Content => ErrorKind::Content,
        };
        Error {
            kind,
            operation,
            status: failure.head.as_ref().map(|head| head.status.as_u16()),
            request_id: failure.head.as_deref().and_then(request_id),
            phase: failure.phase,
            message: failure.detail.into(),
        }
    }

    /// We stopped asking.
    pub(super) fn gave_up(operation: &'static str, why: &str) -> Self {
        let detail = why.to_owned();
        Error {
            kind: ErrorKind::Unreadable,
            ..Error::failed(operation, Failure::transport(Phase::ResponseStarted, detail))
        }
    }

    pub(super) fn unusable(operation: &'static str, error: Unusable) -> Self {
        Error::failed(operation, error.into())
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
fn kind(head: &Head, (refusal, object): (Option<&Refusal>, Option<&str>)) -> ErrorKind {
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

fn request_id(head: &Head) -> Option<String> {
    head.header("x-request-id").map(|id| excerpt(id, &[])).filter(|id| !id.is_empty())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
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
        };
        write!(f, "OpenAI {what} ({})", self.operation)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        match (self.status, &self.request_id) {
            (Some(status), Some(id)) => write!(f, " [status {status}, request {id}]"),
            (Some(status), None) => write!(f, " [status {status}]"),
            (None, Some(id)) => write!(f, " [request {id}]"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests;
