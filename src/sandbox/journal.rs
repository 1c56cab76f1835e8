//! The journal: every request a stand-in received, what it carried and how it ended, for tests and for people who ask
//! "what did it do?".
//!
//! Secrets never enter it: the `Authorization` header and the values of fields named in [`SECRET_FIELDS`] are replaced.
//! File contents never enter it either, only their measure. Requests to `/_sandbox/` are not in it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use axum::http::request::Parts;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Core;
use super::content::Content;
use super::faults::{Hit, Kind};

/// How many requests are kept. A test of a thousand changes makes a few times that many requests; longer runs read
/// along with `?since=`.
const MAX_ENTRIES: usize = 20_000;

/// How many bytes of bodies are kept over all entries, so that the journal stays small beside what it watches.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// How much of one JSON or form body is kept; a batch of two thousand files with attributes fits.
const MAX_ONE_BODY_BYTES: usize = 1024 * 1024;

/// Query parameters, form fields and JSON members whose values are not for other eyes.
const SECRET_FIELDS: [&str; 8] = [
    "token",
    "lock_token",
    "access_token",
    "refresh_token",
    "api_key",
    "secret",
    "password",
    "authorization",
];

const REDACTED: &str = "[redacted]";

/// One request. `seq` grows by one with each request of this stand-in.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub seq: u64,
    pub at_ms: i64,
    pub method: String,
    pub path: String,
    /// In the order they were sent.
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    /// How many bytes of the body arrived.
    pub body_bytes: u64,
    /// The body, when it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// The fields, when it is a form.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub form: Vec<(String, String)>,
    /// The parts as far as a handler read them, when it is multipart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    pub outcome: Outcome,
    /// The kinds of the faults that struck.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// Until the head of the reply was ready.
    pub duration_ms: u64,
}

/// How a request ended, as far as the stand-in knows: a status, or a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Still being answered.
    Open,
    /// A fault reset the connection.
    Reset,
    /// The client went away first.
    Abandoned,
    #[serde(untagged)]
    Status(u16),
}

/// One part of a multipart body.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Part {
    Text { name: String, value: String },
    File { name: String, filename: String, content_type: Option<String>, bytes: u64, sha256: Option<String> },
}

/// What `GET /_sandbox/requests` answers.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// Entries that are gone because newer ones needed the room; requests cleared on purpose do not count.
    pub dropped: u64,
    /// The newest `seq` given out so far: the next `?since=`.
    pub newest: u64,
    pub requests: Vec<Entry>,
}

/// The requests of one stand-in, oldest first.
#[derive(Debug, Default)]
pub struct Journal {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<(Entry, usize)>,
    body_bytes: usize,
    newest: u64,
    dropped: u64,
}

impl Journal {
    /// The entries with a `seq` above `since`.
    pub fn since(&self, since: u64) -> Page {
        let kept = self.lock();
        let requests =
            kept.entries.iter().map(|(entry, _)| entry).filter(|entry| entry.seq > since).cloned().collect();
        Page { dropped: kept.dropped, newest: kept.newest, requests }
    }

    /// Everything kept, oldest first.
    pub fn requests(&self) -> Vec<Entry> {
        self.since(0).requests
    }

    pub fn clear(&self) {
        let mut kept = self.lock();
        kept.entries.clear();
        kept.body_bytes = 0;
        kept.dropped = 0;
    }

    fn open(&self, mut entry: Entry) -> u64 {
        let mut kept = self.lock();
        kept.newest += 1;
        entry.seq = kept.newest;
        kept.entries.push_back((entry, 0));
        kept.trim();
        kept.newest
    }

    fn close(&self, seq: u64, fill: impl FnOnce(&mut Entry), bytes: usize) {
        let mut kept = self.lock();
        let found = kept.entries.binary_search_by_key(&seq, |(entry, _)| entry.seq);
        // It may be gone by now: cleared, or pushed out by newer ones.
        if let Ok(place) = found {
            let (entry, size) = &mut kept.entries[place];
            fill(entry);
            *size = bytes;
            kept.body_bytes += bytes;
            kept.trim();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it holds the journal")
    }
}

impl Kept {
    fn trim(&mut self) {
        while self.entries.len() > MAX_ENTRIES || self.body_bytes > MAX_BODY_BYTES {
            let Some((_, size)) = self.entries.pop_front() else { return };
            self.body_bytes -= size;
            self.dropped += 1;
        }
    }
}

/// One request on its way through a stand-in. Handlers get it as an axum `Extension<Trace>`: to ask for faults that only
/// they can play, and to tell the journal what they read. Clones are the same request.
#[derive(Debug, Clone)]
pub struct Trace {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Core,
    seq: u64,
    method: String,
    path: String,
    content_type: Body,
    started: Instant,
    draft: Mutex<Draft>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Json,
    Form,
    Other,
}

#[derive(Debug, Default)]
struct Draft {
    kept: Vec<u8>,
    body_bytes: u64,
    parts: Vec<Part>,
    faults: Vec<String>,
    closed: bool,
}

impl Trace {
    pub(super) fn begin(core: &Core, head: &Parts) -> Trace {
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| {
                (name.to_string(), shown(name.as_str(), &String::from_utf8_lossy(value.as_bytes())))
            })
            .collect();
        let query = head.uri.query().unwrap_or_default();
        let entry = Entry {
            seq: 0,
            at_ms: core.clock.now(),
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: fields(query.as_bytes()),
            headers,
            body_bytes: 0,
            json: None,
            form: Vec::new(),
            parts: Vec::new(),
            outcome: Outcome::Open,
            faults: Vec::new(),
            duration_ms: 0,
        };
        let (method, path) = (entry.method.clone(), entry.path.clone());
        let seq = core.journal.open(entry);
        let content_type = match head.headers.get("content-type").and_then(|value| value.to_str().ok()) {
            Some(kind) if kind.starts_with("application/json") => Body::Json,
            Some(kind) if kind.starts_with("application/x-www-form-urlencoded") => Body::Form,
            _ => Body::Other,
        };
        let (core, started, draft) = (core.clone(), Instant::now(), Mutex::default());
        Trace { inner: Arc::new(Inner { core, seq, method, path, content_type, started, draft }) }
    }

    /// This request's number in the journal.
    pub fn seq(&self) -> u64 {
        self.inner.seq
    }

    pub fn method(&self) -> &str {
        &self.inner.method
    }

    pub fn path(&self) -> &str {
        &self.inner.path
    }

    /// Whether a fault of this kind strikes here; the journal then says so.
    pub fn hit(&self, kind: Kind) -> Option<Hit> {
        let hit = self.inner.core.faults.hit(kind, self.method(), self.path());
        hit.inspect(|hit| self.struck(hit))
    }

    /// Notes a fault that was decided elsewhere.
    pub fn struck(&self, hit: &Hit) {
        self.draft().faults.push(hit.kind.name());
    }

    /// Notes a text field of a multipart body.
    pub fn text_part(&self, name: &str, value: &str) {
        let value = shown(name, value);
        self.draft().parts.push(Part::Text { name: name.to_owned(), value });
    }

    /// Notes a file of a multipart body.
    pub fn file_part(&self, name: &str, filename: &str, content_type: Option<&str>, content: &Content) {
        let part = Part::File {
            name: name.to_owned(),
            filename: filename.to_owned(),
            content_type: content_type.map(str::to_owned),
            bytes: content.size,
            sha256: content.sha256.clone(),
        };
        self.draft().parts.push(part);
    }

    pub(super) fn body_arrived(&self, bytes: &[u8]) {
        let mut draft = self.draft();
        draft.body_bytes += bytes.len() as u64;
        if self.inner.content_type != Body::Other && draft.body_bytes <= MAX_ONE_BODY_BYTES as u64 {
            draft.kept.extend_from_slice(bytes);
        }
    }

    /// Since the request's head arrived.
    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.inner.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn end(&self, outcome: Outcome) {
        self.inner.end(outcome);
    }

    fn draft(&self) -> MutexGuard<'_, Draft> {
        self.inner.draft.lock().expect("nothing panics while it holds a draft")
    }
}

impl Inner {
    fn end(&self, outcome: Outcome) {
        let mut draft = self.draft.lock().expect("nothing panics while it holds a draft");
        if std::mem::replace(&mut draft.closed, true) {
            return;
        }
        let (kept, parts, faults) = (
            std::mem::take(&mut draft.kept),
            std::mem::take(&mut draft.parts),
            std::mem::take(&mut draft.faults),
        );
        let whole = kept.len() as u64 == draft.body_bytes && !kept.is_empty();
        let body_bytes = draft.body_bytes;
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let fill = |entry: &mut Entry| {
            match self.content_type {
                Body::Json if whole => entry.json = serde_json::from_slice(&kept).ok().map(without_secrets),
                Body::Form if whole => entry.form = fields(&kept),
                _ => {}
            }
            (entry.body_bytes, entry.parts, entry.faults) = (body_bytes, parts, faults);
            (entry.outcome, entry.duration_ms) = (outcome, duration_ms);
        };
        self.core.journal.close(self.seq, fill, kept.len());
    }
}

impl Drop for Inner {
    /// Nobody holds the request any more and nobody answered it.
    fn drop(&mut self) {
        self.end(Outcome::Abandoned);
    }
}

fn fields(encoded: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(encoded)
        .map(|(name, value)| (name.to_string(), shown(&name, &value)))
        .collect()
}

fn secret(name: &str) -> bool {
    SECRET_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field))
}

fn shown(name: &str, value: &str) -> String {
    if secret(name) { REDACTED.to_owned() } else { value.to_owned() }
}

fn without_secrets(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let clean = members.into_iter().map(|(name, value)| {
                let hide = secret(&name) && value.is_string();
                let value = if hide { Value::from(REDACTED) } else { without_secrets(value) };
                (name, value)
            });
            Value::Object(clean.collect::<Map<String, Value>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_secrets).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::json;

    use super::super::faults::Which;
    use super::{Core, MAX_ENTRIES, Outcome, Trace};

    fn core() -> Core {
        Core::new(Which::Fastio, crate::clock::Clock::default(), 0)
    }

    fn begin(core: &Core, uri: &str) -> Trace {
        let request = Request::post(uri)
            .header("authorization", "Bearer sk-very-secret")
            .header("content-type", "application/json")
            .body(())
            .unwrap();
        Trace::begin(core, &request.into_parts().0)
    }

    #[test]
    fn secrets_do_not_enter_the_journal() {
        let core = core();
        let trace = begin(&core, "/current/read/?token=tkn-secret&page=2");
        trace.body_arrived(br#"{"name": "a", "inner": [{"lock_token": "lck-secret"}]}"#);
        trace.text_part("token", "part-secret");
        trace.end(Outcome::Status(200));
        let text = serde_json::to_string(&core.journal.since(0)).unwrap();
        assert!(!text.contains("secret\""), "{text}");
        let entry = &core.journal.requests()[0];
        assert_eq!(entry.json, Some(json!({"name": "a", "inner": [{"lock_token": "[redacted]"}]})));
        assert_eq!(entry.query[1], ("page".to_owned(), "2".to_owned()));
    }

    #[test]
    fn an_outcome_is_a_number_or_a_word() {
        let core = core();
        begin(&core, "/a").end(Outcome::Status(404));
        begin(&core, "/b").end(Outcome::Reset);
        drop(begin(&core, "/c"));
        let open = begin(&core, "/d");
        let shown: Vec<_> = core
            .journal
            .requests()
            .iter()
            .map(|entry| serde_json::to_value(entry.outcome).unwrap())
            .collect();
        assert_eq!(shown, [json!(404), json!("reset"), json!("abandoned"), json!("open")]);
        drop(open);
    }

    #[test]
    fn the_newest_are_kept_and_the_dropped_are_counted() {
        let core = core();
        for _ in 0..MAX_ENTRIES + 5 {
            begin(&core, "/a").end(Outcome::Status(200));
        }
        let page = core.journal.since(MAX_ENTRIES as u64);
        assert_eq!((page.dropped, page.requests.len()), (5, 5));
        core.journal.clear();
        assert!(core.journal.requests().is_empty());
    }
}
