//! One request and its answer, read under a limit.

use std::error::Error as _;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream};
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::credential::Credentials;
use super::{Phase, SILENCE_LIMIT, Unusable, upload, witness};
use crate::lenient;
use crate::telemetry::Call;

/// The largest JSON answer that is read. The largest one asked for is a page of 500 Fastio nodes with all their
/// details, a few kilobytes each; this leaves 32 KiB for each.
pub const MAX_REPLY_BYTES: usize = 16 * 1024 * 1024;

/// How much of an error's body is read: an error object is a few hundred bytes, a proxy's HTML page some kilobytes.
/// What is beyond is left unread.
pub const MAX_ERROR_BYTES: usize = 64 * 1024;

/// How much of a service's message is kept, in characters: a sentence or two for a person, not a body.
pub const MAX_EXCERPT_CHARS: usize = 300;

/// An answer's status and headers.
#[derive(Debug, Clone)]
pub struct Head {
    pub status: StatusCode,
    pub headers: HeaderMap,
}

impl Head {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An answer, read whole. The body of an answer that is not a success may be cut.
#[derive(Debug)]
pub struct Reply {
    pub head: Head,
    pub body: Bytes,
    /// To be kept for as long as the body, or what was read out of it as JSON.
    pub room: Option<Room>,
}

/// The room for one long answer.
pub type Room = SemaphorePermit<'static>;

/// Long answers that are held at once. As JSON an answer may take fifteen times its bytes, and all workers may get one.
static ROOMS: Semaphore = Semaphore::const_new(2);

/// From here on an answer is long. Nearly none is: a page of a thousand File objects has a quarter of this.
const LONG_BYTES: usize = 1024 * 1024;

/// An answer of which the head is there.
pub struct Begun {
    response: Response,
    sent: Credentials,
}

impl Begun {
    pub fn head(&self) -> Head {
        Head { status: self.response.status(), headers: self.response.headers().clone() }
    }

    /// How many bytes are announced, if that is said.
    pub fn content_length(&self) -> Option<u64> {
        self.response.content_length()
    }
}

impl Reply {
    /// Whether it is a page for people, as proxies and portals send.
    pub fn is_page(&self) -> bool {
        let html = |kind: &str| kind.trim_start().to_ascii_lowercase().starts_with("text/html");
        let body = self.body.trim_ascii_start();
        self.head.header("content-type").is_some_and(html) || body.starts_with(b"<")
    }

    /// The body as JSON, whatever its content type says.
    pub fn json(&self) -> Option<Value> {
        // Names are others' text, and one that no strict reader takes must not hide what stands beside it.
        serde_json::from_slice(&self.body).or_else(|_| lenient::parse(&self.body)).ok()
    }
}

/// Why no complete answer came. It holds no URL, header value or body, so it can be printed.
#[derive(Debug)]
pub struct Failure {
    pub phase: Phase,
    pub cause: Cause,
    /// A clause for a person.
    pub detail: String,
    /// The answer's head, if one came.
    pub head: Option<Box<Head>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The request could not even be written down.
    Request,
    /// The network, or a time limit.
    Transport,
    /// The answer is larger than what is read.
    Oversize,
    /// The bytes to upload broke off or were not as many as announced.
    Content,
}

impl Failure {
    /// From an error of sending. Whether the body had left cannot be told, so it is assumed to have.
    pub fn sending(error: reqwest::Error) -> Self {
        let (phase, cause) = match () {
            () if error.is_builder() => (Phase::BeforeBody, Cause::Request),
            () if error.is_connect() => (Phase::BeforeBody, Cause::Transport),
            () => (Phase::BodySent, Cause::Transport),
        };
        Failure { phase, cause, detail: describe(&error), head: None }
    }

    /// From an error of reading the answer whose head is `head`.
    pub fn reading(error: &reqwest::Error, head: Head) -> Self {
        Failure { head: Some(Box::new(head)), ..Failure::transport(Phase::ResponseStarted, describe(error)) }
    }

    pub fn transport(phase: Phase, detail: String) -> Self {
        Failure { phase, cause: Cause::Transport, detail, head: None }
    }
}

impl From<Unusable> for Failure {
    fn from(error: Unusable) -> Self {
        Failure { phase: Phase::BeforeBody, cause: Cause::Request, detail: error.to_string(), head: None }
    }
}

/// A clause for a person: the innermost cause, which names no URL; reqwest's own text would.
fn describe(error: &reqwest::Error) -> String {
    let mut innermost = None;
    let mut source = error.source();
    while let Some(inner) = source {
        if !inner.is::<reqwest::Error>() {
            innermost = Some(inner.to_string());
        }
        source = inner.source();
    }
    let cause = excerpt(&innermost.unwrap_or_default());
    match () {
        () if error.is_connect() => format!("no connection ({cause})"),
        () if error.is_timeout() => "no complete answer in time".to_owned(),
        () if error.is_builder() => format!("the request cannot be built ({cause})"),
        () => format!("the connection broke ({cause})"),
    }
}

/// Sends `request` and reads its answer, which ends `call`. Any status is an answer.
///
/// The caller has set a total time limit on `request`.
///
/// # Errors
/// When no complete answer came. A refusal whose body breaks off is still an answer: its status says what matters.
pub async fn exchange(request: RequestBuilder, call: Call) -> Result<Reply, Failure> {
    let reply = async { read(send(request).await?).await }.await;
    call.ended(match &reply {
        Ok(reply) => Some(reply.head.status.as_u16()),
        Err(failure) => failure.head.as_ref().map(|head| head.status.as_u16()),
    });
    reply
}

/// Sends `request`, and keeps what lets it in, to redact it in the answer.
async fn send(request: RequestBuilder) -> Result<Begun, Failure> {
    let (client, request) = request.build_split();
    let request = request.map_err(Failure::sending)?;
    let sent = Credentials::of(&request);
    witness::asked(&request);
    let mut response = client.execute(request).await.map_err(Failure::sending)?;
    sent.redact_headers(response.headers_mut());
    let begun = Begun { response, sent };
    witness::began(&begun);
    Ok(begun)
}

/// Reads the answer that has begun.
///
/// # Errors
/// As [`exchange`].
pub async fn read(begun: Begun) -> Result<Reply, Failure> {
    let head = begun.head();
    let Begun { mut response, sent } = begun;
    let success = head.status.is_success();
    let (mut body, mut room) = (BytesMut::new(), None);
    loop {
        if room.is_none() && body.len() > LONG_BYTES {
            room = Some(ROOMS.acquire().await.expect("the semaphore is never closed"));
        }
        match response.chunk().await {
            Ok(Some(piece)) if success && body.len() + piece.len() > MAX_REPLY_BYTES => {
                let detail = format!("the answer is larger than {MAX_REPLY_BYTES} bytes");
                let head = Some(Box::new(head));
                return Err(Failure { phase: Phase::ResponseStarted, cause: Cause::Oversize, detail, head });
            }
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Ok(None) => break,
            Err(error) if success => return Err(Failure::reading(&error, head)),
            Err(_) => break,
        }
        if !success && body.len() >= MAX_ERROR_BYTES {
            body.truncate(MAX_ERROR_BYTES);
            break;
        }
    }
    let reply = Reply { head, body: sent.redact_body(body.freeze()), room };
    witness::answered(&reply);
    Ok(reply)
}

/// Sends a request for a long body and returns once the head is there, which ends `call`.
///
/// # Errors
/// When no head came within [`SILENCE_LIMIT`].
pub async fn open(request: RequestBuilder, call: Call) -> Result<Begun, Failure> {
    let begun = match tokio::time::timeout(SILENCE_LIMIT, send(request)).await {
        Ok(begun) => begun,
        Err(_) => Err(Failure::transport(Phase::BodySent, silence(SILENCE_LIMIT))),
    };
    call.ended(begun.as_ref().ok().map(|begun| begun.response.status().as_u16()));
    begun
}

/// The body of `response` as it comes. It ends with an error when the connection breaks, nothing comes for
/// [`SILENCE_LIMIT`], it drips, or fewer bytes come than `Content-Length` announced (hyper checks that).
pub fn pieces(begun: Begun) -> impl Stream<Item = Result<Bytes, Failure>> + Send + 'static {
    let head = begun.head();
    stream::try_unfold((begun.response, head, Pace::default()), |(mut response, head, mut pace)| async move {
        let (patience, asked) = (pace.patience(), Instant::now());
        match tokio::time::timeout(patience, response.chunk()).await {
            Ok(Ok(piece)) => {
                pace.came(piece.as_ref().map_or(0, Bytes::len), asked.elapsed());
                Ok(piece.map(|piece| (piece, (response, head, pace))))
            }
            Ok(Err(error)) => Err(Failure::reading(&error, head)),
            Err(_) => {
                let detail = if patience < SILENCE_LIMIT { drip() } else { silence(SILENCE_LIMIT) };
                let failure = Failure::transport(Phase::ResponseStarted, detail);
                Err(Failure { head: Some(Box::new(head)), ..failure })
            }
        }
    })
}

/// How fast a body has come. Only the time in which we waited for it counts, because what takes it on may be slow.
#[derive(Debug, Default)]
struct Pace {
    bytes: u64,
    waited: Duration,
}

impl Pace {
    /// How long the next piece is waited for. A body may take as long as an upload of what has come of it so far.
    fn patience(&self) -> Duration {
        upload::total_limit(self.bytes).saturating_sub(self.waited).min(SILENCE_LIMIT)
    }

    fn came(&mut self, bytes: usize, after: Duration) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.waited += after;
    }
}

fn drip() -> String {
    format!("it came at less than {} KiB a second", upload::MIN_BYTES_PER_SECOND / 1024)
}

fn silence(limit: Duration) -> String {
    format!("nothing came for {} s", limit.as_secs())
}

/// What is kept of a service's message: at most [`MAX_EXCERPT_CHARS`] characters on one line.
pub fn excerpt(message: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let line = message.chars().map(printable).collect::<String>();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_EXCERPT_CHARS) {
        Some((end, _)) => line[..end].to_owned(),
        None => line,
    }
}

/// What gateways, proxies and frameworks answer to a path that they do not know or cannot reach.
#[cfg(test)]
pub const OTHERS_404: [&str; 18] = [
    "",
    "Not Found",
    "<html><h1>404 Not Found</h1></html>",
    "{}",
    "[]",
    "null",
    r#"{"error":"Not Found"}"#,
    r#"{"error":"Not Found","status":404,"path":"/v1/files","timestamp":"2026-11-26T00:00:00Z"}"#,
    r#"{"message":"Not Found"}"#,
    r#"{"message":"no Route matched with those values","request_id":"0a"}"#,
    r#"{"detail":"Not Found"}"#,
    r#"{"error":{}}"#,
    r#"{"error":{"message":"tenant unknown"}}"#,
    r#"{"error":{"code":"404","message":"Resource not found"}}"#,
    r#"{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND"}}"#,
    r#"{"code":"NoSuchKey","message":"The specified key does not exist."}"#,
    r#"{"errors":[{"code":7003,"message":"Could not route to /v1/files"}],"success":false,"result":null}"#,
    r#"{"kind":"Status","status":"Failure","message":"not found","reason":"NotFound","code":404}"#,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_drips_ends() {
        let mut pace = Pace::default();
        let mut pieces = 0;
        while pace.patience() > Duration::from_secs(59) {
            pace.came(1, Duration::from_secs(59));
            pieces += 1;
        }
        assert_eq!(pieces, 5, "a byte a minute");
        assert!(upload::total_limit(pace.bytes) - pace.waited < Duration::from_secs(60));
    }

    #[test]
    fn a_slow_body_of_any_size_comes_through() {
        let mut pace = Pace::default();
        for _ in 0..512 * 1024 {
            assert_eq!(pace.patience(), SILENCE_LIMIT);
            pace.came(1024, Duration::from_millis(15));
        }
    }

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt("a\r\n\tb\u{1b}[31m  c"), "a b [31m c");
        let long = excerpt(&"ü".repeat(1000));
        assert_eq!(long.chars().count(), MAX_EXCERPT_CHARS);
    }
}
