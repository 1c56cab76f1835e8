//! What happened: the events a change leaves, which event search, the change feed, the long poll and the webhooks read.

use std::collections::{HashMap, VecDeque};

use crate::fastio::profile::Profile;

use super::tree::NodeKind;

/// How many events are kept; an older cursor has expired. A long crash test makes a tenth of this.
pub const MAX_EVENTS: usize = 1_000_000;

/// The documented event names, without `workspace_storage_` or `share_storage_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    Added,
    Updated,
    Moved,
    Deleted,
    Restored,
    Copied,
    VersionRestored,
    LockOverridden,
    DownloadTokenCreated,
}

#[derive(Debug, Clone)]
pub struct Event {
    /// Its place among all events; never shown.
    pub seq: u64,
    pub id: String,
    pub what: EventKind,
    pub kind: NodeKind,
    pub profile: Profile,
    /// The node, without hyphens.
    pub object: String,
    pub at: i64,
    pub user: String,
    /// The version that is current after it, for a file.
    pub version: Option<String>,
    pub acknowledged: bool,
}

impl Event {
    /// As the API names it, such as `workspace_storage_file_added`.
    pub fn name(&self) -> String {
        let subject = if self.kind == NodeKind::Folder { "folder" } else { "file" };
        let rest = match self.what {
            // The documents name a new folder differently from a new file.
            EventKind::Added if self.kind == NodeKind::Folder => "folder_created".to_owned(),
            EventKind::Added if self.kind == NodeKind::Link => "link_added".to_owned(),
            EventKind::Added => "file_added".to_owned(),
            EventKind::Updated => format!("{subject}_updated"),
            EventKind::Moved => format!("{subject}_moved"),
            EventKind::Deleted => format!("{subject}_deleted"),
            EventKind::Restored => format!("{subject}_restored"),
            EventKind::Copied => format!("{subject}_copied"),
            EventKind::VersionRestored => "file_version_restored".to_owned(),
            EventKind::LockOverridden => "lock_overridden".to_owned(),
            EventKind::DownloadTokenCreated => "download_token_created".to_owned(),
        };
        format!("{}_storage_{rest}", self.profile.kind.as_str())
    }

    /// As Fastio's guides name it, such as `file.uploaded`; None where no guide has a name for it.
    pub fn guide_name(&self) -> Option<&'static str> {
        match self.what {
            _ if self.kind == NodeKind::Folder => None,
            EventKind::Added | EventKind::Copied | EventKind::Restored => Some("file.uploaded"),
            EventKind::Updated | EventKind::VersionRestored => Some("file.modified"),
            EventKind::Deleted => Some("file.deleted"),
            EventKind::DownloadTokenCreated => Some("file.accessed"),
            EventKind::Moved | EventKind::LockOverridden => None,
        }
    }

    pub fn category(&self) -> &'static str {
        self.profile.kind.as_str()
    }

    pub fn subcategory(&self) -> &'static str {
        match self.what {
            EventKind::Added | EventKind::Updated if self.kind != NodeKind::Folder => "transfer",
            EventKind::DownloadTokenCreated => "transfer",
            _ => "storage",
        }
    }

    /// Whether the change feed tells it. Inferred: it tells what changes the storage, and reading does not.
    pub fn in_feed(&self) -> bool {
        !matches!(self.what, EventKind::DownloadTokenCreated | EventKind::LockOverridden)
    }
}

/// All events, in order. `seq` starts at 1.
#[derive(Debug, Default)]
pub struct Log {
    events: VecDeque<Event>,
    head: u64,
    by_id: HashMap<String, u64>,
}

impl Log {
    /// The newest `seq`.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// The oldest `seq` that is kept, or the one that comes next.
    pub fn tail(&self) -> u64 {
        self.head + 1 - self.events.len() as u64
    }

    pub fn push(&mut self, make: impl FnOnce(u64) -> Event) {
        self.head += 1;
        let event = make(self.head);
        self.by_id.insert(event.id.clone(), self.head);
        self.events.push_back(event);
        if self.events.len() > MAX_EVENTS
            && let Some(gone) = self.events.pop_front()
        {
            self.by_id.remove(&gone.id);
        }
    }

    pub fn get(&self, seq: u64) -> Option<&Event> {
        self.events.get(usize::try_from(seq.checked_sub(self.tail())?).ok()?)
    }

    pub fn find(&self, id: &str) -> Option<&Event> {
        self.get(*self.by_id.get(id)?)
    }

    /// Marks an event as seen; false when there is none of that id.
    pub fn acknowledge(&mut self, id: &str) -> bool {
        let place = self.by_id.get(id).and_then(|seq| usize::try_from(seq - self.tail()).ok());
        match place.and_then(|place| self.events.get_mut(place)) {
            Some(event) => {
                event.acknowledged = true;
                true
            }
            None => false,
        }
    }

    /// Those after `seq`, oldest first.
    pub fn after(&self, seq: u64) -> impl DoubleEndedIterator<Item = &Event> {
        let skipped = (seq + 1).saturating_sub(self.tail());
        let from = usize::try_from(skipped).unwrap_or(usize::MAX).min(self.events.len());
        self.events.range(from..)
    }
}
