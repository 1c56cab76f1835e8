//! The kinds of fault there are, which stand-in knows each, and what each may be told. The list is closed so that a
//! misspelt fault is refused instead of silently testing nothing.

use serde::{Deserialize, Serialize};

/// Which stand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StandIn {
    Fastio,
    OpenAi,
}

/// One way to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    // General: played by the server, for any request.
    /// Waits `delay_ms` first; other faults and the handler follow.
    Latency,
    /// 429 with `Retry-After`, or with `x-ratelimit-*` headers that say when there is room again (`reset`).
    RateLimit,
    /// A 5xx (`status`), as HTML when `html`.
    ServerError,
    /// 401, as for a wrong key.
    Unauthorized,
    /// 403.
    Forbidden,
    /// Any other 4xx (`status`): in the service's words (`message`, and at OpenAI `code` and `param`), as a page that
    /// something on the way made (`html`), or with a `body` of JSON that something on the way made.
    Refusal,
    /// OpenAI's permanent 429.
    InsufficientQuota,
    /// 404 with `body`, as a proxy before the service may word it; without one an HTML page.
    NotFound,
    /// 200 with `body`, in which `{n}` is how often this fault has struck.
    CannedReply,
    /// The request takes effect; in the reply's body each `find` becomes `put`. What follows may change it too.
    ChangedReply,
    /// The request takes effect; the reply comes without the headers whose names begin with `find`.
    HeadersDropped,
    /// The connection is reset when the headers are in; nothing is read of the body and nothing happens.
    ResetBeforeBody,
    /// The connection is reset in the middle of the body (after `after_bytes`, else half); nothing happens.
    ResetDuringBody,
    /// The whole body is read, then the connection is reset; nothing happens.
    ResetAfterBody,
    /// The whole request is taken in and held back for `delay_ms`, or for as long as the client waits; then the connection
    /// is reset, and nothing ever happens: the place to kill a client that is about to do something.
    HeldRequest,
    /// The request takes effect, then the connection is reset without a reply.
    LostReply,
    /// The request takes effect, and its reply is held back for `delay_ms`, or for as long as the client waits: the place
    /// to kill a client that has done something and does not know it.
    HeldReply,
    /// The request takes effect; the connection is reset in the middle of the reply's body.
    ResetDuringReply,
    // Played by the server, for contents being downloaded.
    /// The connection closes in the middle of a download that announced its length.
    TruncatedDownload,
    /// A download announces no length and ends early in good order: only the file's known size or hash can tell.
    WrongLength,
    // In the handlers, where they mean something.
    /// What was created less than `window_ms` ago is answered with 404.
    NotFoundAfterCreate,
    /// The project's or plan's storage is full: uploads are refused.
    StorageFull,
    /// A file attached now stays `in_progress` for good, or for `delay_ms`.
    StuckInProgress,
    /// A response created now takes `delay_ms` longer.
    SlowRun,
    /// A response created now ends badly: `code` is `refusal`, `max_output_tokens`, `content_filter`, `invented_quote` (the
    /// answer quotes what no document says), `answer` (the answer is `message`), `doubled` (its message comes twice),
    /// `doubled_text` (its text does), `broken_json`, `empty`, `no_message`, `unknown_items` (it comes among items that
    /// OpenAI's documents do not name), `many_files`, `large_file` or `hostile_files` (its code makes them), `approval` (it
    /// asks whether it may use a tool of a server), or the code of
    /// an error such as `server_error` (the default). `containing` is looked for in the documents.
    BadRun,
    /// A batch of requests that is made now does not end as it should: `code` is `failed` (the default, with `message`),
    /// `token_limit_exceeded`, `expired` (half of it was not come to), `missing_line` or `other_order`.
    BadBatch,
    /// Deleting a file is answered with 409.
    DeleteConflict,
    /// A file attached now ends `failed` with `code` and `message`.
    IndexFailure,
    /// Deleting a file takes it out of its vector stores, as OpenAI's documents say.
    DeleteDetaches,
    /// What is deleted now is still listed and served for `delay_ms`.
    SlowDelete,
    /// What is not there under `/v1/vector_stores/` is answered with 400, without type or code, and the next request on that
    /// connection is cut, as at OGX 1.5.
    #[serde(rename = "absent_as_400")]
    AbsentAs400,
    /// An attach takes effect, and is answered, only after `delay_ms`; it goes on when the client has left. So do servers
    /// that index while the client waits (OGX 1.5).
    SlowAttach,
    /// Of a file's attributes only the texts are kept, as the LiteLLM proxy does; with `put` numbers become that text.
    AttributesDropped,
    /// Numbers in attributes come back as numbers with a fraction, as at OGX 1.5.
    AttributesAsFloats,
    /// A file's name is kept in plain letters, digits, `-`, `_` and `.`: anything else becomes `_`, as at OGX 1.5. With `put`
    /// the name becomes that text.
    NamesSanitised,
    // In Fastio's replies.
    /// Nodes are shown with the hash `put`, or with one of zeros.
    WrongHash,
    /// An import by address that is asked for now does not end as it should: `code` is `silent` (it says that it is complete,
    /// and there is no file), `stuck`, `canceled`, or `failed` (the default), then with `message`.
    BadImport,
    /// A question asked of Fastio's AI now ends badly: `code` is `failed` (the default, with `message`), `cancelled`, `lost`,
    /// `needs_input` (it asks `message` back), `answer` (the answer is `message`) or `invented_quote`.
    BadTurn,
    // In the webhook sender.
    WebhookDropped,
    WebhookDuplicated,
    /// The webhook is sent after the one that follows it.
    WebhookReordered,
    /// The webhook is sent `delay_ms` late.
    WebhookDelayed,
}

impl FaultKind {
    /// Decided for every request before a handler sees it.
    pub fn is_general(self) -> bool {
        matches!(
            self,
            FaultKind::Latency
                | FaultKind::RateLimit
                | FaultKind::ServerError
                | FaultKind::Unauthorized
                | FaultKind::Forbidden
                | FaultKind::Refusal
                | FaultKind::InsufficientQuota
                | FaultKind::NotFound
                | FaultKind::CannedReply
                | FaultKind::ChangedReply
                | FaultKind::HeadersDropped
                | FaultKind::ResetBeforeBody
                | FaultKind::ResetDuringBody
                | FaultKind::ResetAfterBody
                | FaultKind::HeldRequest
                | FaultKind::LostReply
                | FaultKind::HeldReply
                | FaultKind::ResetDuringReply
        )
    }

    /// Whether other faults may strike the same request.
    pub fn leaves_room(self) -> bool {
        matches!(self, FaultKind::Latency | FaultKind::ChangedReply | FaultKind::HeadersDropped)
    }

    /// Whether the stand-in `which` can do this at all.
    pub fn known_to(self, which: StandIn) -> bool {
        match self {
            FaultKind::InsufficientQuota
            | FaultKind::StuckInProgress
            | FaultKind::IndexFailure
            | FaultKind::SlowRun
            | FaultKind::BadRun
            | FaultKind::BadBatch
            | FaultKind::DeleteConflict
            | FaultKind::DeleteDetaches
            | FaultKind::AbsentAs400
            | FaultKind::SlowAttach
            | FaultKind::AttributesDropped
            | FaultKind::AttributesAsFloats
            | FaultKind::NamesSanitised
            | FaultKind::SlowDelete => which == StandIn::OpenAi,
            FaultKind::WrongHash
            | FaultKind::BadImport
            | FaultKind::BadTurn
            | FaultKind::WebhookReordered => which == StandIn::Fastio,
            _ => true,
        }
    }

    /// The fields it understands besides those of every fault.
    pub fn takes(self) -> &'static [&'static str] {
        match self {
            FaultKind::Latency
            | FaultKind::HeldRequest
            | FaultKind::HeldReply
            | FaultKind::StuckInProgress
            | FaultKind::SlowDelete
            | FaultKind::SlowRun
            | FaultKind::SlowAttach
            | FaultKind::WebhookDelayed => &["delay_ms"],
            FaultKind::Refusal => &["status", "message", "code", "param", "html", "body"],
            FaultKind::AttributesDropped | FaultKind::NamesSanitised | FaultKind::WrongHash => &["put"],
            FaultKind::RateLimit => &["retry_after_seconds", "reset", "message"],
            FaultKind::ServerError => &["status", "html", "retry_after_seconds", "message"],
            FaultKind::Unauthorized
            | FaultKind::Forbidden
            | FaultKind::InsufficientQuota
            | FaultKind::StorageFull => &["message"],
            FaultKind::ResetDuringBody
            | FaultKind::ResetDuringReply
            | FaultKind::TruncatedDownload
            | FaultKind::WrongLength => &["after_bytes"],
            FaultKind::NotFoundAfterCreate => &["window_ms"],
            FaultKind::NotFound | FaultKind::CannedReply => &["body"],
            FaultKind::ChangedReply => &["find", "put"],
            FaultKind::HeadersDropped => &["find"],
            FaultKind::IndexFailure
            | FaultKind::BadRun
            | FaultKind::BadBatch
            | FaultKind::BadImport
            | FaultKind::BadTurn => &["code", "message"],
            _ => &[],
        }
    }

    /// Its name as the control API writes it.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => unreachable!("a unit variant serialises as its name"),
        }
    }
}
