//! One request on its way through a stand-in: what the journal will say of it is gathered here, secrets left out.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use axum::http::request::Parts;
use serde_json::{Map, Value};

use super::Core;
use super::content::Content;
use super::faults::{FaultHit, FaultKind};
use super::journal::{Entry, Part, RequestEnd};

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
    body_ms: u64,
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
            body_ms: 0,
            json: None,
            form: Vec::new(),
            parts: Vec::new(),
            outcome: RequestEnd::Open,
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
    pub fn hit(&self, kind: FaultKind) -> Option<FaultHit> {
        let hit = self.inner.core.faults.hit(kind, self.method(), self.path());
        hit.inspect(|hit| self.struck(hit))
    }

    /// The same where it may depend on what the request is about.
    pub fn hit_about(&self, kind: FaultKind, about: &str) -> Option<FaultHit> {
        let hit = self.inner.core.faults.hit_about(kind, (self.method(), self.path()), about);
        hit.inspect(|hit| self.struck(hit))
    }

    /// Notes a fault that was decided elsewhere.
    pub fn struck(&self, hit: &FaultHit) {
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
        let body_ms = self.elapsed_ms();
        let mut draft = self.draft();
        draft.body_bytes += bytes.len() as u64;
        draft.body_ms = body_ms;
        if self.inner.content_type != Body::Other && draft.body_bytes <= MAX_ONE_BODY_BYTES as u64 {
            draft.kept.extend_from_slice(bytes);
        }
    }

    /// Since the request's head arrived.
    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.inner.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn end(&self, outcome: RequestEnd) {
        self.inner.end(outcome);
    }

    fn draft(&self) -> MutexGuard<'_, Draft> {
        self.inner.draft.lock().expect("nothing panics while it holds a draft")
    }
}

impl Inner {
    fn end(&self, outcome: RequestEnd) {
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
        let (body_bytes, body_ms) = (draft.body_bytes, draft.body_ms);
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let fill = |entry: &mut Entry| {
            match self.content_type {
                Body::Json if whole => entry.json = serde_json::from_slice(&kept).ok().map(without_secrets),
                Body::Form if whole => entry.form = fields(&kept),
                _ => {}
            }
            (entry.body_bytes, entry.body_ms, entry.duration_ms) = (body_bytes, body_ms, duration_ms);
            (entry.outcome, entry.parts, entry.faults) = (outcome, parts, faults);
        };
        self.core.journal.close(self.seq, fill, kept.len());
    }
}

impl Drop for Inner {
    /// The last holder of the request drops it, and it was not answered.
    fn drop(&mut self) {
        self.end(RequestEnd::Abandoned);
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
