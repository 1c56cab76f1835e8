//! Events: what a delivery (or the change feed, or a sweep) says happened to one file, and the job each one makes.
//!
//! Every source of change records its events here and nowhere else. Recording is one transaction of the caller's: an
//! event that is already known makes nothing, a new one is kept and makes its job.

mod task;

use crate::fastio::{NodeId, Profile};

pub use task::{FileKey, Task};

/// What is said to have happened. The job looks for itself; this is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Added,
    Modified,
    Moved,
    Deleted,
    Ignored,
}

/// What the event's node is, as far as the event's name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    File,
    Folder,
}

/// Who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Webhook,
    Feed,
    Sweep,
    Operator,
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
