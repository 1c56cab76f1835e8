//! File Shares: links to one file for people outside its workspace. The paths, fields and limits are those of the official command-line
//! client; whom a link is for when nothing is said is Fastio's guide for agents'.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use crate::fastio::profile::Profile;

use super::id::shown;
use super::time::written;

/// How many are kept; the oldest go first.
const MAX_SHARES: usize = 10_000;

#[derive(Debug, Clone)]
pub struct FileShare {
    pub id: String,
    pub profile: Profile,
    /// The node's id, without hyphens.
    pub node: String,
    pub title: Option<String>,
    pub access_option: String,
    pub created: i64,
    pub expires: Option<i64>,
    /// Who may follow it, by address, and what they may do.
    pub grants: BTreeMap<String, String>,
}

impl FileShare {
    /// The names of the fields are inferred but for `id` and `title`.
    pub fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "title": self.title,
            "node_id": shown(&self.node),
            "access_option": self.access_option,
            "created": written(self.created),
            "expires": self.expires.map(written),
        })
    }

    /// With who may follow it.
    pub fn whole(&self) -> Value {
        let mut whole = self.shown();
        whole["grants"] = self.grants().into();
        whole
    }

    pub fn grants(&self) -> Vec<Value> {
        self.grants
            .iter()
            .map(|(email, capability)| json!({"email": email, "capability": capability}))
            .collect()
    }
}

/// How their ids begin: 19 digits, as those of workspaces and shares.
const FIRST: u64 = 5_700_000_000_000_000_001;

#[derive(Debug, Default)]
pub struct FileShares {
    all: VecDeque<FileShare>,
    made: u64,
}

impl FileShares {
    pub fn next_id(&mut self) -> String {
        self.made += 1;
        (FIRST + self.made).to_string()
    }

    pub fn add(&mut self, share: FileShare) {
        if self.all.len() == MAX_SHARES {
            self.all.pop_front();
        }
        self.all.push_back(share);
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut FileShare> {
        self.all.iter_mut().find(|share| share.id == id)
    }

    pub fn remove(&mut self, id: &str) {
        self.all.retain(|share| share.id != id);
    }

    pub fn all(&self) -> impl Iterator<Item = &FileShare> {
        self.all.iter()
    }

    /// Oldest first.
    pub fn of<'a>(&'a self, profile: &'a Profile) -> impl Iterator<Item = &'a FileShare> {
        self.all.iter().filter(move |share| share.profile == *profile)
    }
}
