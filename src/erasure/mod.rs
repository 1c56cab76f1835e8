//! The record of erasures: which files' derived data was erased, why, how much of it, and what could not be; and which files are not
//! to be synced again. The work itself is in [`crate::erase`].
//!
//! A record has the file's id at Fastio, and no name and no path. The id is kept as it is: a hash of it would say as much to those
//! who can ask Fastio, and would keep a person who has a request in hand from finding its record.

pub mod store;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Why it is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// A person asked for it.
    Asked,
    /// Fastio has purged the file.
    Purged,
    /// The file is in the trash for longer than it is remembered.
    Forgotten,
}

impl Because {
    const ALL: [(Because, &'static str); 3] =
        [(Because::Asked, "asked"), (Because::Purged, "purged"), (Because::Forgotten, "forgotten")];

    pub fn as_str(self) -> &'static str {
        Because::ALL.iter().find(|(because, _)| *because == self).expect("all are there").1
    }
}

/// One erasure.
#[derive(Debug, Clone, Serialize)]
pub struct Erasure {
    pub erasure_id: i64,
    pub source_id: String,
    pub because: Because,
    /// Every time is Unix milliseconds.
    pub asked_at: i64,
    /// Since when no job of the file is under way.
    #[serde(skip)]
    pub settled_at: Option<i64>,
    /// Since when our rows are gone.
    pub cleared_at: Option<i64>,
    pub ended_at: Option<i64>,
    /// Since when the file may be synced again.
    pub undone_at: Option<i64>,
    /// How many of each kind.
    pub erased: BTreeMap<String, u64>,
    pub remains: Vec<Remains>,
}

impl Erasure {
    /// Whether its file is kept from being synced.
    pub fn withholds(&self) -> bool {
        self.because == Because::Asked && self.undone_at.is_none()
    }
}

/// What could not be erased, or is not ours to erase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remains {
    pub what: String,
    /// Its id at Fastio or OpenAI; empty where it is not known.
    pub id: String,
    pub why: String,
}
