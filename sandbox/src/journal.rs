//! The journal: every request a stand-in received, what it carried and how it ended, for tests and for people who ask
//! "what did it do?".
//!
//! Secrets never enter it: the `Authorization` header and the values of fields such as `token` are replaced.
//! File contents never enter it either, only their measure. Requests to `/_sandbox/` are not in it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;

pub use super::trace::Trace;

/// How many requests are kept. A test of a thousand changes makes a few times that many requests; longer runs read
/// along with `?since=`.
const MAX_ENTRIES: usize = 20_000;

/// How many bytes of bodies are kept over all entries, so that the journal stays small beside what it watches.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

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
    /// How long after its head the last of them arrived.
    pub body_ms: u64,
    /// The body, when it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// The fields, when it is a form.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub form: Vec<(String, String)>,
    /// The parts as far as a handler read them, when it is multipart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    pub outcome: RequestEnd,
    /// The kinds of the faults that struck.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// Until the head of the reply was ready.
    pub duration_ms: u64,
}

/// How a request ended, as far as the stand-in knows: a status, or a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestEnd {
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
    /// Notified when an entry is made or ends.
    changed: Notify,
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

    /// The newest `seq` given out so far.
    pub fn newest(&self) -> u64 {
        self.lock().newest
    }

    pub fn clear(&self) {
        let mut kept = self.lock();
        kept.entries.clear();
        kept.body_bytes = 0;
        kept.dropped = 0;
    }

    pub(super) fn open(&self, mut entry: Entry) -> u64 {
        let mut kept = self.lock();
        kept.newest += 1;
        entry.seq = kept.newest;
        kept.entries.push_back((entry, 0));
        kept.trim();
        self.changed.notify_waiters();
        kept.newest
    }

    /// Waits until the newest entry is so.
    #[cfg(test)]
    pub(super) async fn until(&self, is_so: impl Fn(&Entry) -> bool) {
        loop {
            let changed = self.changed.notified();
            if self.requests().last().is_some_and(&is_so) {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn close(&self, seq: u64, fill: impl FnOnce(&mut Entry), bytes: usize) {
        let mut kept = self.lock();
        let found = kept.entries.binary_search_by_key(&seq, |(entry, _)| entry.seq);
        // It may be gone by now: cleared, or pushed out by newer ones.
        if let Ok(place) = found {
            let (entry, size) = &mut kept.entries[place];
            fill(entry);
            *size = bytes;
            kept.body_bytes += bytes;
            kept.trim();
            self.changed.notify_waiters();
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

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::json;

    use super::super::Core;
    use super::super::clock::Clock;
    use super::super::faults::StandIn;
    use super::{MAX_ENTRIES, RequestEnd, Trace};

    fn core() -> Core {
        Core::new(StandIn::Fastio, Clock::default(), 0)
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
        trace.end(RequestEnd::Status(200));
        let text = serde_json::to_string(&core.journal.since(0)).unwrap();
        assert!(!text.contains("secret\""), "{text}");
        let entry = &core.journal.requests()[0];
        assert_eq!(entry.json, Some(json!({"name": "a", "inner": [{"lock_token": "[redacted]"}]})));
        assert_eq!(entry.query[1], ("page".to_owned(), "2".to_owned()));
    }

    #[test]
    fn an_outcome_is_a_number_or_a_word() {
        let core = core();
        begin(&core, "/a").end(RequestEnd::Status(404));
        begin(&core, "/b").end(RequestEnd::Reset);
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
            begin(&core, "/a").end(RequestEnd::Status(200));
        }
        let page = core.journal.since(MAX_ENTRIES as u64);
        assert_eq!((page.dropped, page.requests.len()), (5, 5));
        core.journal.clear();
        assert!(core.journal.requests().is_empty());
    }
}
