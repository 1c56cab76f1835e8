//! What differs between a file as Fastio lists it and what we know and hold of it. Pure: no clock, no network, no database.

use serde::Serialize;

use crate::openai::VectorStoreId;
use crate::sync::copy::{Copy, CopyState, Source};
use crate::sync::survey::FileRow;

/// A kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// In Fastio and covered by a rule, and not searchable.
    Missing,
    /// Searchable in an older version.
    Stale,
    /// Held, and not in Fastio any more, or covered by no rule.
    Ghost,
    /// Held twice in one vector store.
    Duplicate,
    /// A File object of ours in no vector store and no table.
    Orphan,
    /// The attributes in the vector store are not what they should be.
    Drift,
    /// In a vector store, ours, and in no table.
    Unknown,
    /// A vector store that was made twice for one rule, and is empty.
    Stray,
    /// No job has looked at the file yet, and OpenAI may well hold nothing of it.
    Unseen,
    /// Something of a run at Fastio or OpenAI that nobody needs and nobody takes away.
    Leftover,
    /// A run that has not ended and has no job.
    Stalled,
}

impl Kind {
    pub const ALL: [Kind; 11] = [
        Kind::Missing,
        Kind::Stale,
        Kind::Ghost,
        Kind::Duplicate,
        Kind::Orphan,
        Kind::Drift,
        Kind::Unknown,
        Kind::Stray,
        Kind::Unseen,
        Kind::Leftover,
        Kind::Stalled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Missing => "missing",
            Kind::Stale => "stale",
            Kind::Ghost => "ghost",
            Kind::Duplicate => "duplicate",
            Kind::Orphan => "orphan",
            Kind::Drift => "drift",
            Kind::Unknown => "unknown",
            Kind::Stray => "stray",
            Kind::Unseen => "unseen",
            Kind::Leftover => "leftover",
            Kind::Stalled => "stalled",
        }
    }
}

/// A file as Fastio lists it and the rules want it.
#[derive(Debug)]
pub struct Listed<'a> {
    pub source: &'a Source,
    pub path: &'a str,
    /// The rules that cover it, comma-separated, at least one.
    pub rules: &'a str,
    /// Where they send it; `None` for a store that is yet to be made.
    pub places: &'a [Option<VectorStoreId>],
    /// Why OpenAI would hold nothing of it, in words.
    pub skipped: Option<&'a str>,
}

/// The most important difference, and what it is in words.
pub fn compare(listed: &Listed<'_>, row: Option<&FileRow>, copies: &[Copy]) -> Option<(Kind, &'static str)> {
    let held = copies.iter().any(|copy| copy.state == CopyState::Indexed);
    let Some(row) = row.filter(|row| row.state != "gone") else {
        return Some(match listed.skipped {
            Some(_) if copies.is_empty() => (Kind::Unseen, "no job has looked at it"),
            Some(_) => (Kind::Ghost, "it is held, and should not be"),
            None if held => (Kind::Stale, "what is held of it is not known to be its content"),
            None => (Kind::Missing, "it is new"),
        });
    };
    if !row.source.same_content(listed.source) {
        return Some(match (held, row.state.as_str()) {
            (true, _) => (Kind::Stale, "its content changed"),
            (false, "present") => (Kind::Missing, "its content changed before it was held"),
            (false, _) => (Kind::Unseen, "its content changed, and may be one that can be held"),
        });
    }
    match (row.state.as_str(), listed.skipped) {
        ("present", Some(_)) => return Some((Kind::Ghost, "it is held, and should not be")),
        // What OpenAI refused stays refused; any other reason may have gone.
        ("skipped", None) if row.refused.is_none() => {
            return Some((Kind::Missing, "what kept it from being held is gone"));
        }
        ("skipped", _) if copies.is_empty() => return None,
        ("skipped", _) => return Some((Kind::Ghost, "it is held, and should not be")),
        _ => {}
    }
    compare_copies(listed, copies).or_else(|| {
        if row.path != listed.path || row.rules != listed.rules {
            return Some((Kind::Drift, "it was moved or renamed, or its rules changed"));
        }
        (!row.was_seen()).then_some((Kind::Unseen, "no job has looked at it since the tables were rebuilt"))
    })
}

fn compare_copies(listed: &Listed<'_>, copies: &[Copy]) -> Option<(Kind, &'static str)> {
    for place in listed.places {
        let here: Vec<&Copy> = copies.iter().filter(|copy| Some(&copy.store) == place.as_ref()).collect();
        let current =
            |copy: &&Copy| copy.state == CopyState::Indexed && copy.source.same_content(listed.source);
        match here.iter().filter(|copy| current(copy)).count() {
            0 if here.iter().any(|copy| copy.state == CopyState::Indexed) => {
                return Some((Kind::Stale, "what is held of it is an older version"));
            }
            0 => return Some((Kind::Missing, "nothing of it is searchable")),
            _ if here.len() > 1 => return Some((Kind::Duplicate, "it is held more than once")),
            _ => {}
        }
    }
    let elsewhere =
        copies.iter().any(|copy| !listed.places.iter().any(|place| place.as_ref() == Some(&copy.store)));
    elsewhere.then_some((Kind::Ghost, "it is held in a vector store that no rule sends it to"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fastio::VersionId;
    use crate::sync::copy::CopyId;

    fn source(version: &str) -> Source {
        Source { version: Some(VersionId(version.to_owned())), hash: None, size: 1, modified_at: None }
    }

    fn copy(id: i64, store: &str, version: &str, state: CopyState) -> Copy {
        Copy {
            id: CopyId(id),
            store: VectorStoreId(store.to_owned()),
            state,
            source: source(version),
            content_hash: None,
            filename: String::new(),
            bytes: 1,
            file_id: None,
            attributes: None,
            attaches: 1,
            since: 0,
        }
    }

    fn kind(version: &str, copies: &[Copy], row: Option<&FileRow>) -> Option<Kind> {
        let source = source(version);
        let places = [Some(VectorStoreId("vs_1".to_owned()))];
        let listed = Listed { source: &source, path: "/a.txt", rules: "r", places: &places, skipped: None };
        compare(&listed, row, copies).map(|(kind, _)| kind)
    }

    #[test]
    fn each_difference_has_its_kind() {
        let row = FileRow::seen("present", "/a.txt", "r", &source("v1"));
        let good = copy(1, "vs_1", "v1", CopyState::Indexed);
        assert_eq!(kind("v1", std::slice::from_ref(&good), Some(&row)), None);
        assert_eq!(kind("v1", &[], None), Some(Kind::Missing));
        assert_eq!(kind("v1", &[], Some(&row)), Some(Kind::Missing));
        assert_eq!(kind("v2", std::slice::from_ref(&good), Some(&row)), Some(Kind::Stale));
        let old = copy(2, "vs_1", "v0", CopyState::Indexed);
        assert_eq!(kind("v1", std::slice::from_ref(&old), Some(&row)), Some(Kind::Stale));
        assert_eq!(kind("v1", &[good.clone(), old], Some(&row)), Some(Kind::Duplicate));
        let elsewhere = copy(3, "vs_2", "v1", CopyState::Indexed);
        assert_eq!(kind("v1", &[good.clone(), elsewhere], Some(&row)), Some(Kind::Ghost));
        let moved = FileRow::seen("present", "/b.txt", "r", &source("v1"));
        assert_eq!(kind("v1", &[good], Some(&moved)), Some(Kind::Drift));
    }

    #[test]
    fn what_is_rightly_not_held_is_no_difference() {
        let mut row = FileRow::seen("skipped", "/a.txt", "r", &source("v1"));
        row.refused = Some("version:v1".to_owned());
        assert_eq!(kind("v1", &[], Some(&row)), None);
        assert_eq!(kind("v2", &[], Some(&row)), Some(Kind::Unseen));
    }
}
