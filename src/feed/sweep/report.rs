//! What a sweep says: to a person as it goes, and at its end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::difference::Kind;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub kind: Kind,
    /// In words.
    pub why: String,
    pub source_id: String,
    pub path: String,
    pub vector_store: Option<String>,
    pub file_id: Option<String>,
}

impl Finding {
    pub fn new(kind: Kind, why: &str, source_id: &str, path: &str) -> Self {
        Finding {
            kind,
            why: why.to_owned(),
            source_id: source_id.to_owned(),
            path: path.to_owned(),
            vector_store: None,
            file_id: None,
        }
    }
}

/// What is told while a sweep goes on.
#[derive(Debug)]
pub enum Tell<'a> {
    /// Entries read so far, of all lists.
    Read(u64),
    Found(&'a Finding),
}

/// A list that could not be read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub what: String,
    pub error: String,
}

/// A rule whose ghosts stay, because they are too many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    pub rule: String,
    /// Files whose copies would go.
    pub would_lose: u64,
    /// Files of the rule that have copies.
    pub of: u64,
}

/// How many files one vector store is about, as each side counts them: numbers that should agree, but for what is skipped, on the way, or
/// a stranger's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Fastio lists so many that rules send there.
    pub fastio: u64,
    /// The store lists so many.
    pub listed: u64,
    /// The store says in its `file_counts` that it has so many; none where it was not asked.
    pub told: Option<u64>,
    /// Our tables have so many there that can be searched.
    pub ours: u64,
}

/// What a sweep did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub sweep: String,
    pub dry_run: bool,
    /// Unix milliseconds.
    pub started_at: i64,
    pub ended_at: i64,
    /// Entries of each list.
    pub files_listed: u64,
    pub held_listed: u64,
    pub objects_listed: u64,
    /// Differences of each kind.
    pub found: BTreeMap<String, u64>,
    /// Jobs that were asked for, or would be.
    pub queued: u64,
    /// Differences that a job has in hand already.
    pub in_hand: u64,
    /// Differences whose job is dead: it needs a person, not a sweep.
    pub dead: u64,
    /// Entries of our vector stores that we cannot prove to be ours. They are left alone.
    pub strangers: u64,
    /// Entries of the lists that cannot be read. What they stand for is left as it is.
    #[serde(default)]
    pub unreadable: u64,
    /// Conversations that may be at OpenAI, empty, and that cannot be found.
    #[serde(default)]
    pub unanswered: u64,
    /// Of each rule, the files that were there before it ran anything, and are not run over unless a person says so.
    #[serde(default)]
    pub spared: BTreeMap<String, u64>,
    /// File objects that look like a lost upload of ours, and too many of them to tell which.
    pub ambiguous: u64,
    pub stopped: Vec<Stopped>,
    pub incomplete: Vec<Gap>,
    /// By vector store.
    #[serde(default)]
    pub counted: BTreeMap<String, Counted>,
}

impl Report {
    pub fn new(sweep: &str, dry_run: bool, started_at: i64) -> Self {
        let found = Kind::ALL.map(|kind| (kind.as_str().to_owned(), 0));
        Report {
            sweep: sweep.to_owned(),
            dry_run,
            started_at,
            ended_at: started_at,
            files_listed: 0,
            held_listed: 0,
            objects_listed: 0,
            found: found.into(),
            queued: 0,
            in_hand: 0,
            dead: 0,
            strangers: 0,
            unreadable: 0,
            unanswered: 0,
            spared: BTreeMap::new(),
            ambiguous: 0,
            stopped: Vec::new(),
            incomplete: Vec::new(),
            counted: BTreeMap::new(),
        }
    }

    pub fn count(&mut self, kind: Kind) {
        *self.found.entry(kind.as_str().to_owned()).or_default() += 1;
    }

    /// How many of a kind were found.
    pub fn of(&self, kind: Kind) -> u64 {
        self.found.get(kind.as_str()).copied().unwrap_or(0)
    }

    pub fn log(&self) {
        for stopped in &self.stopped {
            tracing::error!(
                rule = stopped.rule,
                would_lose = stopped.would_lose,
                of = stopped.of,
                "a sweep would remove more of a rule's files than its limit allows; look at `docket sweep --dry-run`"
            );
        }
        for (rule, files) in &self.spared {
            tracing::info!(
                rule,
                files,
                "files that were there before the rule are not run over; `docket runs again --rule` would"
            );
        }
        if self.unreadable > 0 {
            let entries = self.unreadable;
            tracing::warn!(
                entries,
                "entries of the sweep's lists cannot be read; what they stand for is left as it is"
            );
        }
        tracing::info!(
            sweep = self.sweep,
            outcome = self.outcome().as_str(),
            duration_ms = self.ended_at - self.started_at,
            files = self.files_listed,
            held = self.held_listed,
            objects = self.objects_listed,
            queued = self.queued,
            "sweep ended"
        );
    }
}

impl Report {
    /// Entries read so far, of all lists.
    pub fn read(&self) -> u64 {
        self.files_listed + self.held_listed + self.objects_listed
    }
}
