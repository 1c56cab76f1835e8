//! The work an event asks for: look at a file, or at everything under a folder.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fastio::{NodeId, Profile};

/// What a job holds. Every source of change makes these and nothing else, so there is one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "lowercase")]
pub enum Task {
    /// Bring OpenAI in line with what this file is now.
    File { profile: Profile, node: NodeId },
    /// Look at every file that is, or was, under this folder: Fastio sends no event for each of them.
    Folder { profile: Profile, node: NodeId },
    /// Look at what this one folder lists, and list the folders in it: a part of the former.
    Listing { profile: Profile, node: NodeId },
}

impl Task {
    /// Equal for two tasks that must never run at once.
    pub fn key(&self) -> String {
        match self {
            Task::File { profile, node } => format!("file:{profile}:{}", node.canonical()),
            Task::Folder { profile, node } => format!("folder:{profile}:{}", node.canonical()),
            Task::Listing { profile, node } => format!("listing:{profile}:{}", node.canonical()),
        }
    }

    /// The targets that a job for this cannot do without.
    pub fn needs(&self) -> &'static [&'static str] {
        match self {
            Task::File { .. } => &["fastio", "openai"],
            Task::Folder { .. } | Task::Listing { .. } => &["fastio"],
        }
    }
}

/// One file, for ever: its version, name and place may change. Written `workspace:4829105738291047362:2abcd…`, which is
/// also the attribute `source_id` of its copies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileKey {
    pub profile: Profile,
    pub node: NodeId,
}

impl FileKey {
    pub fn new(profile: Profile, node: NodeId) -> Self {
        FileKey { profile, node }
    }
}

impl fmt::Display for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.profile, self.node.canonical())
    }
}
