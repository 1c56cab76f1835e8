//! Events: what a delivery (or the change feed, or a sweep) says happened to one file, and the job each one makes.
//!
//! Every source of change records its events here and nowhere else. Recording is one transaction of the caller's: an
//! event that is already known makes nothing, a new one is kept and makes its job.

pub mod payload;
pub mod store;

use crate::fastio::{NodeId, Profile};
use crate::job::Task;
use crate::queue::Priority;

pub use store::{Recorded, Row, Wanted, record, record_wanted};

/// How an id begins that was made from the hash of the bytes, because the payload had none.
pub const MADE_ID: &str = "sha256:";

/// Why a download asks for no work. Docket's own, which are nearly all there are, are told of like any other.
pub const DOWNLOAD: &str = "a download changes no file";

/// What is said to have happened. The job looks for itself; this is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Added,
    Modified,
    Moved,
    Deleted,
    Ignored,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Added => "added",
            Kind::Modified => "modified",
            Kind::Moved => "moved",
            Kind::Deleted => "deleted",
            Kind::Ignored => "ignored",
        }
    }
}

/// What the event's node is, as far as the event's name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    File,
    Folder,
}

impl Subject {
    pub fn as_str(self) -> &'static str {
        match self {
            Subject::File => "file",
            Subject::Folder => "folder",
        }
    }
}

/// Who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Webhook,
    Feed,
    Sweep,
    Operator,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Webhook => "webhook",
            Source::Feed => "feed",
            Source::Sweep => "sweep",
            Source::Operator => "operator",
        }
    }

    /// A sweep looks at what was there all along; everything else is a change that a person waits for.
    pub fn priority(self) -> Priority {
        match self {
            Source::Webhook | Source::Feed | Source::Operator => Priority::Live,
            Source::Sweep => Priority::Backfill,
        }
    }
}

/// One event, whatever shape it arrived in.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// From the payload, else made from the hash of the bytes: the same event told twice has the same id.
    pub id: String,
    pub kind: Kind,
    pub subject: Subject,
    /// The name Fastio gave it, such as `workspace_storage_file_added`.
    pub name: String,
    pub profile: Option<Profile>,
    pub node: Option<NodeId>,
    /// Unix milliseconds, by Fastio's clock.
    pub occurred_at: Option<i64>,
    /// Why it asks for no work, in words; only for [`Kind::Ignored`].
    pub ignored_because: Option<String>,
}

impl Event {
    /// The work this event asks for; none when it is ignored.
    pub fn task(&self) -> Option<Task> {
        if self.kind == Kind::Ignored {
            return None;
        }
        let (profile, node) = (self.profile.clone()?, self.node.clone()?);
        Some(match self.subject {
            Subject::File => Task::File { profile, node },
            Subject::Folder => Task::Folder { profile, node },
        })
    }

    /// The same event, as one that asks for no work.
    pub fn ignored(self, because: impl Into<String>) -> Event {
        Event { kind: Kind::Ignored, ignored_because: Some(because.into()), ..self }
    }

    /// Whether the id says nothing but "the same bytes". A delivery adds to such an id when it was signed.
    pub fn has_made_id(&self) -> bool {
        self.id.starts_with(MADE_ID)
    }
}

/// An event and where it came from: what [`record`] takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub event: Event,
    /// What it asks for besides the event's own task.
    pub also: Vec<Task>,
    pub source: Source,
    /// Unix milliseconds, by our clock.
    pub received_at: i64,
    /// Which signature scheme and secret let it in; only for a webhook.
    pub proof: Option<Proof>,
    /// The event's own JSON, already cut to a size worth keeping.
    pub payload: Option<String>,
    /// The id of the request that it came by; else that is told of for what the teller works for.
    pub request_id: Option<String>,
}

impl Report {
    pub fn new(event: Event, source: Source, received_at: i64) -> Self {
        Report { event, also: Vec::new(), source, received_at, proof: None, payload: None, request_id: None }
    }
}

/// How a webhook proved where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub scheme: String,
    /// Counted from 0, in the order of the configuration.
    pub secret_index: u32,
}
