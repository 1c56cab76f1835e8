//! When which file could be found in which vector store, so that a test can prove that a file never became unsearchable
//! in between. Bounded like the journal.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::{Value, json};

/// Closed intervals kept: one per version of a file, so a run of a hundred thousand changes fits.
const MAX_INTERVALS: usize = 200_000;

/// One file in one store, from when it was indexed until it was gone (or not yet).
#[derive(Debug, Clone, Serialize)]
pub struct Interval {
    pub vector_store_id: String,
    pub file_id: String,
    pub filename: String,
    /// As they were last.
    pub attributes: Value,
    pub attached_ms: i64,
    /// None: it never was.
    pub from_ms: Option<i64>,
    /// None: it still is.
    pub until_ms: Option<i64>,
}

#[derive(Debug, Default)]
pub struct History {
    closed: VecDeque<Interval>,
    dropped: u64,
}

impl History {
    pub fn add(&mut self, interval: Interval) {
        self.closed.push_back(interval);
        if self.closed.len() > MAX_INTERVALS {
            self.closed.pop_front();
            self.dropped += 1;
        }
    }

    /// Closed ones first, then `open`.
    pub fn show(&self, open: Vec<Interval>) -> Value {
        let all: Vec<&Interval> = self.closed.iter().chain(&open).collect();
        json!({ "dropped": self.dropped, "intervals": all })
    }
}
