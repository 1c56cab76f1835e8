//! What can go wrong in a call to OpenAI, and what it means for a job.

use std::time::Duration;

use serde_json::Value;

use crate::http::call_error::Words;
use crate::http::reply::{Cause, excerpt};
use crate::http::value::Fields;
use crate::http::wait::{rate_limit_reset, server_now, wait_in};
use crate::http::{CallError, CallErrorKind, Head, Reply, Retry, Speaker, retry_after};

use super::failure;

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
    /// No token is given for the workload's identity.
    Identity,
    /// 403: this key may not, from here or in this project.
    Forbidden,
    /// The account has no credit left: 429 with `insufficient_quota`, and the like. Waiting does not help.
    QuotaExhausted,
    /// The project holds as many bytes of files as it may.
    StorageFull,
    /// A vector store holds as many files as it may.
    StoreFull,
    /// 429 for going too fast.
    RateLimited { wait: Option<Duration> },
    /// 409, as in "File is still processing. Check back later." on a delete.
    StillProcessing,
    /// A permanent error of input: 400, 415, 422 and other 4xx. `code` is OpenAI's word, such as `unsupported_file`.
    Rejected { code: Option<String> },
    /// 413.
    TooLarge,
    /// More than the model can read, or than the account may send at once. It never passes, though it may come as 429.
    InputTooLarge,
    /// The bytes to upload broke off or were not as many as announced; OpenAI is not to blame and holds nothing.
    Content,
    /// 5xx, 408, and everything below HTTP: no connection, a broken one, silence.
    Unavailable { wait: Option<Duration> },
    /// An answer that is not what was asked for: no JSON, a field missing, too large, a redirect.
    Unreadable,
    /// Any other 4xx that is not in OpenAI's form: something on the way refused, and what it says is final for nothing.
    Stranger,
}

/// OpenAI's error object. Every part of it may be missing.
#[derive(Debug, Default)]
struct Refusal {
    message: String,
    kind: Option<String>,
    code: Option<String>,
    param: Option<String>,
    /// It has members that OpenAI's has not.
    is_foreign: bool,
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
            | ErrorKind::Identity
            | ErrorKind::Forbidden
            | ErrorKind::QuotaExhausted
            | ErrorKind::StorageFull => Retry::Pause,
            ErrorKind::RateLimited { wait: Some(wait) } => Retry::After(*wait),
            ErrorKind::Unavailable { wait } => Retry::Unavailable(*wait),
            ErrorKind::RateLimited { wait: None }
            | ErrorKind::StillProcessing
            | ErrorKind::Content
            | ErrorKind::Stranger
            | ErrorKind::Unreadable => Retry::Backoff,
            ErrorKind::NotFound
            | ErrorKind::Rejected { .. }
            | ErrorKind::StoreFull
            | ErrorKind::TooLarge
            | ErrorKind::InputTooLarge => Retry::Never,
        }
    }

    fn is_about_us(&self) -> bool {
        matches!(
            self,
            ErrorKind::Unauthorized | ErrorKind::Identity | ErrorKind::Forbidden | ErrorKind::QuotaExhausted
        )
    }

    fn does(&self) -> &'static str {
        match self {
            ErrorKind::NotFound => "has no such thing",
            ErrorKind::Unauthorized => "does not accept the API key",
            ErrorKind::Identity => "gives no token for the workload's identity",
            ErrorKind::Forbidden => "refuses access",
            ErrorKind::QuotaExhausted => "says the account has no credit left",
            ErrorKind::StorageFull => "says the project's file storage is full",
            ErrorKind::StoreFull => "says the vector store is full",
            ErrorKind::RateLimited { .. } => "asks us to slow down",
            ErrorKind::StillProcessing => "is still busy with it",
            ErrorKind::Rejected { .. } => "does not take the request",
            ErrorKind::TooLarge => "says it is too large",
            ErrorKind::InputTooLarge => "says it is more than it takes at once",
            ErrorKind::Content => "was not sent the whole content",
            ErrorKind::Unavailable { .. } => "is not available",
            ErrorKind::Unreadable => "sent an answer we cannot use",
            ErrorKind::Stranger => "was not reached",
        }
    }
}

impl Error {
    /// Whether OpenAI names this object in its refusal of a request: it is about the object, and not about the request.
    pub fn names(&self, id: &str) -> bool {
        matches!(self.kind, ErrorKind::Rejected { .. } | ErrorKind::NotFound) && names(&self.message, id)
    }

    /// Whether it is about this model, whatever the status: OpenAI's documents have 404 with `model_not_found`, people
    /// report 400 and 403 too, and compatible servers only name it.
    pub fn is_about_model(&self, model: &str) -> bool {
        let refuses = matches!(
            self.kind,
            ErrorKind::Rejected { .. } | ErrorKind::NotFound | ErrorKind::Forbidden | ErrorKind::Unreadable
        );
        let says = |text: Option<&str>, word: &str| text.is_some_and(|text| text == word);
        let by_word = ["model_not_found", "invalid_model", "model_not_available", "model_not_supported"]
            .iter()
            .any(|word| says(self.code_word(), word));
        let message = self.message.to_lowercase();
        let by_name =
            !model.is_empty() && message.contains("model") && message.contains(&model.to_lowercase());
        let invalid = message.contains("invalid model") || message.contains("unknown model");
        refuses
            && self.speaker != Speaker::Stranger
            && (by_word || says(self.param(), "model") || by_name || invalid)
    }

    fn code_word(&self) -> Option<&str> {
        self.words.as_ref()?.code.as_deref()
    }

    fn param(&self) -> Option<&str> {
        self.words.as_ref()?.param.as_deref()
    }

    /// The part of the request that is refused because of how a rule is set, whatever document it is about.
    pub fn refused_setting(&self) -> Option<&str> {
        let param = self.param()?;
        let first = param.split(['.', '[']).next().unwrap_or_default();
        let is_rejected = matches!(self.kind, ErrorKind::Rejected { .. });
        (is_rejected && SETTINGS.contains(&first)).then_some(first)
    }

    /// Whether responses in the background are refused, which some projects and models do not have.
    pub fn is_about_background(&self) -> bool {
        let refuses = matches!(self.kind, ErrorKind::Rejected { .. } | ErrorKind::Forbidden);
        let named = self.param() == Some("background");
        refuses && (named || self.message.to_lowercase().contains("background"))
    }

    /// Whether the server has no such path or method at all, by its status: 404 in other words than those for an object that is not
    /// there, 405 or 501.
    pub fn lacks_the_path(&self) -> bool {
        match self.status {
            Some(404) => self.kind != ErrorKind::NotFound,
            status => matches!(status, Some(405 | 501)),
        }
    }

    /// An answer that is not a success. `path` is what the request was made to, in which ids are every second part.
    pub(super) fn refused(operation: &'static str, reply: &Reply, path: &[String]) -> Self {
        let refusal = Refusal::read(reply);
        let speaker = speaker(reply, refusal.as_ref(), path);
        let kind = kind(&reply.head, refusal.as_ref(), (path, speaker));
        let page = speaker == Speaker::Stranger && reply.is_page();
        let refusal = refusal.unwrap_or_default();
        let message = match speaker {
            Speaker::Stranger if page => "it sent a page".to_owned(),
            Speaker::Stranger => format!("its answer is not in OpenAI's form{}", words(reply)),
            _ => refusal.message.clone(),
        };
        let error = Error::answered(operation, kind, &reply.head, &excerpt(&message)).said_by(speaker);
        let short = |text: Option<String>| text.map(|text| excerpt(&text));
        let words = Words { code: short(refusal.code), param: short(refusal.param) };
        let has_words = words.code.is_some() || words.param.is_some();
        Error { words: has_words.then(|| Box::new(words)), ..error }
    }

    /// A success that is no answer of OpenAI's.
    pub(super) fn no_json(operation: &'static str, reply: &Reply) -> Self {
        if reply.is_page() {
            return Error::page(operation, &reply.head);
        }
        Error::unreadable(operation, &reply.head, "not JSON")
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
                return Some(Refusal { message: message.clone(), is_foreign: true, ..Refusal::default() });
            }
            Some(error) => Fields::of(error)?,
            None => root,
        };
        let wrapped = root.get("error").is_some();
        let known = |name: &str| ["message", "type", "param", "code"].contains(&name);
        Some(Refusal {
            message: error.id("message")?,
            kind: error.id("type"),
            code: error.id("code"),
            param: error.id("param"),
            is_foreign: !wrapped || error.entries().any(|(name, _)| !known(name)),
        })
    }

    fn is(&self, word: &str) -> bool {
        self.code.as_deref() == Some(word) || self.kind.as_deref() == Some(word)
    }

    fn is_about_money(&self) -> bool {
        [&self.code, &self.kind].into_iter().flatten().any(|word| failure::is_about_money(word))
    }

    fn is_about_size(&self) -> bool {
        failure::is_too_large(self.code.as_deref(), &self.message)
    }

    /// Known only by its sentence, "You have exceeded your file storage quota." (OpenAI's help centre; the status was
    /// not found).
    fn is_about_storage(&self) -> bool {
        self.message.to_ascii_lowercase().contains("storage quota")
    }

    /// The limit on a store's files is documented (OpenAI's OpenAPI document and guide on retrieval); neither status nor words of the
    /// refusal were found. What it has to say is inferred: something of a limit, of files, and of the store. A limit per minute passes.
    fn is_about_a_full_store(&self, path: &[String]) -> bool {
        let lower = self.message.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        path.first().is_some_and(|first| first == "vector_stores")
            && lower.contains("vector store")
            && says(&["files", "file limit", "file count"])
            && says(&["maximum", "limit", "too many", "is full", "exceed"])
            && !says(&["per min", "per day", "rate limit", "tokens", "extension", "bytes", " mb"])
    }

    /// No such object, as OpenAI says it: with the type that its documents show, or naming the very object, as every server
    /// compatible with it was seen to do. A gateway that knows no such path, tenant or service does neither.
    fn is_about_an_object(&self, path: &[String]) -> bool {
        self.kind.as_deref() == Some("invalid_request_error")
            || object(path).is_some_and(|id| names(&self.message, id))
    }

    /// That something in the path of the request is not there, said under another status than 404: OGX 1.5 answers so for a
    /// vector store and for a file in one. It has to name it.
    fn says_absent(&self, path: &[String]) -> bool {
        let message = self.message.to_lowercase();
        let absent = ABSENT.iter().any(|words| message.contains(words));
        absent && path.chunks_exact(2).any(|part| names(&self.message, &part[1]))
    }

    /// No such path, rather than no such object: a base URL that lacks `/v1`, or a compatible server without vector
    /// stores. Sentences and code as seen in issue threads.
    fn is_about_the_path(&self) -> bool {
        self.is("unknown_url")
            || self.message.starts_with("Invalid URL")
            || self.message.starts_with("Unknown request URL")
    }
}

/// Words for what is not there, of OpenAI and of servers like it.
const ABSENT: [&str; 10] = [
    "not found",
    "no such",
    "does not exist",
    "doesn't exist",
    "do not exist",
    "no longer exists",
    "could not find",
    "couldn't find",
    "cannot find",
    "not in vector store",
];

/// Parts of a request for a response that a rule sets, and no document.
const SETTINGS: [&str; 15] = [
    "tools",
    "tool_choice",
    "text",
    "response_format",
    "reasoning",
    "instructions",
    "additional_instructions",
    "max_output_tokens",
    "max_completion_tokens",
    "max_tool_calls",
    "temperature",
    "include",
    "metadata",
    "store",
    "assistant_id",
];

/// The object that a request to `path` is about, by its id.
fn object(path: &[String]) -> Option<&str> {
    path.chunks_exact(2).next_back().map(|part| part[1].as_str())
}

/// Whether `message` names `id`, and does not only repeat the path that was asked for.
fn names(message: &str, id: &str) -> bool {
    message.match_indices(id).any(|(at, _)| !id.is_empty() && !message[..at].ends_with('/'))
}

/// What a stranger on the way says in a form of its own, such as `{"detail": "Not Found"}`.
fn words(reply: &Reply) -> String {
    match String::from_utf8_lossy(&reply.body).trim() {
        "" => String::new(),
        text => format!(": {text}"),
    }
}

/// Who speaks in a refusal.
fn speaker(reply: &Reply, refusal: Option<&Refusal>, path: &[String]) -> Speaker {
    let Some(refusal) = refusal.filter(|_| !reply.is_page()) else { return Speaker::Stranger };
    let worded = refusal.kind.is_some() || refusal.is_about_money() || refusal.is_about_storage();
    if worded || path.chunks_exact(2).any(|part| names(&refusal.message, &part[1])) {
        return Speaker::Service;
    }
    if refusal.is_foreign { Speaker::Stranger } else { Speaker::Likely }
}

/// Who speaks in any answer.
pub(super) fn speaks(reply: &Reply, path: &[String]) -> Speaker {
    if !reply.head.status.is_success() {
        return speaker(reply, Refusal::read(reply).as_ref(), path);
    }
    if reply.is_page() { Speaker::Stranger } else { Speaker::Service }
}

/// The one place that says what a status means. `refusal` is what OpenAI says of it; None where something else spoke.
fn kind(head: &Head, refusal: Option<&Refusal>, (path, speaker): (&[String], Speaker)) -> ErrorKind {
    let wait = retry_after(&head.headers, server_now(&head.headers))
        .or_else(|| rate_limit_reset(&head.headers))
        .or_else(|| wait_in(&refusal?.message));
    let code = || ErrorKind::Rejected { code: refusal.and_then(|refusal| refusal.code.clone()) };
    match head.status.as_u16() {
        400..=403 | 405..=407 | 409..=428 | 430..=499 if speaker == Speaker::Stranger => ErrorKind::Stranger,
        401 => ErrorKind::Unauthorized,
        400..=499 if refusal.is_some_and(Refusal::is_about_money) => ErrorKind::QuotaExhausted,
        400..=499 if refusal.is_some_and(Refusal::is_about_storage) => ErrorKind::StorageFull,
        400 | 403 | 409 | 413 | 422 if refusal.is_some_and(|refusal| refusal.is_about_a_full_store(path)) => {
            ErrorKind::StoreFull
        }
        400 | 422 | 429 if refusal.is_some_and(Refusal::is_about_size) => ErrorKind::InputTooLarge,
        402 => ErrorKind::QuotaExhausted,
        403 => ErrorKind::Forbidden,
        404 => match refusal {
            Some(refusal) if refusal.is_about_the_path() => code(),
            Some(refusal) if refusal.is_about_an_object(path) => ErrorKind::NotFound,
            // A 404 ends a delete well, so it counts only in OpenAI's words.
            _ => ErrorKind::Unreadable,
        },
        408 | 500..=599 => ErrorKind::Unavailable { wait },
        409 => ErrorKind::StillProcessing,
        413 => ErrorKind::TooLarge,
        400 | 410 | 422 if refusal.is_some_and(|refusal| refusal.says_absent(path)) => ErrorKind::NotFound,
        429 => ErrorKind::RateLimited { wait },
        400..=499 => code(),
        _ => ErrorKind::Unreadable,
    }
}

#[cfg(test)]
mod tests;
