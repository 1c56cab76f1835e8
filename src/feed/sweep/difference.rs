//! What kinds of difference there are, and of which kind a file's is. A file is in line when its job would do nothing, so
//! this asks for the job's own plan. Pure: no clock, no network, no database.

use serde::{Deserialize, Serialize};

use crate::fastio::FileKey;
use crate::rule::Rule;
use crate::sync::copy::{Copy, CopyState};
use crate::sync::plan::{Place, Step, plan};
use crate::sync::store::{Chain, FileRow, OUT};
use crate::sync::{Keeping, Present, judge};

/// A kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// In Fastio and covered by a rule, and not searchable.
    Missing,
    /// Searchable in an older version.
    Stale,
    /// Held, and not in Fastio any more, or covered by no rule.
    Ghost,
    /// Held twice in the vector stores of one rule.
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
    /// Something of a run at Fastio or OpenAI that is not needed and that no job takes away.
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
    pub key: &'a FileKey,
    pub present: Present,
    /// The rules that cover it, at least one.
    pub rules: &'a [&'a Rule],
    /// Those of them that have it in OpenAI now, and those that keep it out.
    pub keeping: Keeping<'a>,
    /// Where the former send it; none where the first store is yet to be made.
    pub stores: Vec<Chain>,
}

/// Of which kind the first thing is that a job would do about the file, and why it would, in words.
pub fn difference(
    mut listed: Listed<'_>,
    row: Option<&FileRow>,
    copies: &[Copy],
) -> Option<(Kind, &'static str)> {
    let row = row.filter(|row| row.state != "gone");
    // Of the content that a job saw, what it saw is the better account.
    let same = row.filter(|row| row.source.same_content(&listed.present.source));
    if let Some(row) = same {
        listed.present.source = listed.present.source.or(&row.source);
    }
    listed.present.keep_extract(copies);
    let refused = row.and_then(|row| row.refused.as_ref());
    let claim = judge(&listed.present, listed.rules, refused).ok();
    let wanted = claim.as_ref().map(|claim| (&listed.present, claim));
    let is_wanted = wanted.is_some();
    // What has left to make room is where it should be.
    let is_out = |rule: &Rule| row.is_some_and(|row| row.is_out(&rule.name));
    let held = listed.keeping.filling.iter().zip(&listed.stores).filter(|(rule, _)| !is_out(rule));
    let mut places: Vec<Place> = Vec::new();
    for (rule, stores) in held.clone() {
        Place::add(&mut places, stores.clone(), rule);
    }
    let steps = plan(listed.key, wanted, &places, copies);
    if let Some((store, step)) = steps.into_iter().next() {
        if !is_wanted {
            return Some((Kind::Ghost, "it is held, and should not be"));
        }
        let Some(place) = places.iter().find(|place| place.is_named(&store)) else {
            if listed.stores.iter().any(|stores| stores.has(&store)) {
                return Some((Kind::Ghost, "it is to leave to make room, and is still held"));
            }
            return Some((Kind::Ghost, "it is held in a vector store that no rule sends it to"));
        };
        let is_answering = |copy: &&Copy| place.stores.has(&copy.store) && copy.state == CopyState::Indexed;
        let mut answering = copies.iter().filter(is_answering).peekable();
        return Some(match step {
            Step::Relabel(..) => (Kind::Drift, "it was moved, renamed or touched, or its rules changed"),
            _ if answering.peek().is_none() => missing(row, same),
            Step::Upload(_) if answering.any(|copy| copy.segment.is_some()) => {
                (Kind::Missing, "a part of it is not searchable")
            }
            _ if wanted.is_some_and(|(present, claim)| answering.any(|copy| copy.holds(present, claim))) => {
                (Kind::Duplicate, "it is held more than once")
            }
            _ => (Kind::Stale, "what is held of it is an older version, or in another form"),
        });
    }
    if is_wanted && held.clone().any(|(_, stores)| stores.is_empty()) {
        return Some(missing(row, same));
    }
    let Some(row) = row else { return Some((Kind::Unseen, "no job has looked at it")) };
    let state = match is_wanted {
        true if listed.keeping.filling.is_empty() => OUT,
        true => "present",
        false => "skipped",
    };
    let names: Vec<&str> = listed.rules.iter().map(|rule| rule.name.as_str()).collect();
    if same.is_none() {
        Some((Kind::Unseen, "its content changed, and may be one that can be held"))
    } else if state != row.state {
        Some((Kind::Unseen, "whether OpenAI can hold it, or is to, has changed"))
    } else if is_wanted && (row.path != listed.present.path || row.rules != names.join(",")) {
        Some((Kind::Drift, "it was moved or renamed, or its rules changed"))
    } else if is_wanted && !row.was_seen() {
        Some((Kind::Unseen, "no job has looked at it since the tables were rebuilt"))
    } else {
        None
    }
}

/// Nothing of it is searchable where it should be. `same` is its row when that tells of the content that it has now.
fn missing(row: Option<&FileRow>, same: Option<&FileRow>) -> (Kind, &'static str) {
    match (row.map(|row| row.state.as_str()), same) {
        (None, _) => (Kind::Missing, "it is new"),
        (Some("skipped"), None) => (Kind::Unseen, "its content changed, and may be one that can be held"),
        (Some("skipped"), Some(_)) => (Kind::Missing, "what kept it from being held is gone"),
        (Some(_), None) => (Kind::Missing, "its content changed before it was held"),
        (Some(_), Some(_)) => (Kind::Missing, "nothing of it is searchable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fastio::{Extraction, Hash, Node, NodeId, NodeKind, Profile, VersionId};
    use crate::openai::VectorStoreId;
    use crate::rule::Rules;
    use crate::sync::copy::{CopyId, Source};
    use crate::sync::form::claim;

    fn present(version: &str) -> Present {
        let node = Node {
            id: NodeId::new("2a"),
            kind: NodeKind::File,
            name: "a.txt".to_owned(),
            parent: None,
            size: Some(1),
            hash: None,
            mimetype: None,
            version: Some(VersionId(version.to_owned())),
            created_at: None,
            modified_at: None,
            trashed: false,
            restricted: false,
            dmca: false,
            infected: false,
            locked: false,
            agent: None,
            extraction: Extraction::default(),
            share: None,
        };
        Present::new(&node, "/a.txt".to_owned(), vec![])
    }

    fn key() -> FileKey {
        FileKey::new(Profile::workspace("1"), NodeId::new("2a"))
    }

    /// A copy as the job for that version leaves it.
    fn copy(id: i64, store: &str, version: &str) -> Copy {
        let bare = Copy {
            id: CopyId(id),
            store: VectorStoreId(store.to_owned()),
            state: CopyState::Indexed,
            source: source(version),
            content_hash: None,
            filename: "a.txt".to_owned(),
            bytes: 1,
            claim: None,
            segment: None,
            reading: None,
            file_id: None,
            attributes: None,
            attaches: 1,
            given: None,
            unanswered_at: None,
            deleted_at: None,
            awaits: None,
            batch: None,
            since: 0,
        };
        labelled(&present(version), bare)
    }

    fn labelled(present: &Present, copy: Copy) -> Copy {
        let place = Place { stores: Chain::new(vec![copy.store.clone()]), rule: "r".to_owned() };
        let bare = Copy { attributes: None, source: present.source.clone(), ..copy };
        let claim = claim(&present.offer()).unwrap();
        let steps = plan(&key(), Some((present, &claim)), &[place], std::slice::from_ref(&bare));
        let [(_, Step::Relabel(_, attributes))] = &steps[..] else { panic!("{steps:?}") };
        Copy { attributes: Some(attributes.clone()), ..bare }
    }

    fn hash(value: &str) -> Option<Hash> {
        Some(Hash { algorithm: "md5".to_owned(), value: value.to_owned() })
    }

    fn source(version: &str) -> Source {
        present(version).source
    }

    fn kind(version: &str, copies: &[Copy], row: Option<&FileRow>) -> Option<Kind> {
        let settings = "name = 'r'\nworkspace = '1'\nvector_store = 'vs_1'";
        let rules = Rules::new(vec![toml::from_str(settings).unwrap()]).unwrap();
        let rules: Vec<&Rule> = rules.iter().collect();
        let stores = vec![Chain::new(vec![VectorStoreId("vs_1".to_owned())])];
        let keeping = Keeping::of(&rules, &[], 0);
        let listed = Listed { key: &key(), present: present(version), rules: &rules, keeping, stores };
        difference(listed, row, copies).map(|(kind, _)| kind)
    }

    #[test]
    fn each_difference_has_its_kind() {
        let row = FileRow::seen("present", "/a.txt", "r", &source("v1"));
        let good = copy(1, "vs_1", "v1");
        assert_eq!(kind("v1", std::slice::from_ref(&good), Some(&row)), None);
        assert_eq!(kind("v1", &[], None), Some(Kind::Missing));
        assert_eq!(kind("v1", &[], Some(&row)), Some(Kind::Missing));
        assert_eq!(kind("v2", std::slice::from_ref(&good), Some(&row)), Some(Kind::Stale));
        let old = copy(2, "vs_1", "v0");
        assert_eq!(kind("v1", std::slice::from_ref(&old), Some(&row)), Some(Kind::Stale));
        assert_eq!(kind("v1", &[good.clone(), old], Some(&row)), Some(Kind::Duplicate));
        let elsewhere = copy(3, "vs_2", "v1");
        assert_eq!(kind("v1", &[good.clone(), elsewhere], Some(&row)), Some(Kind::Ghost));
        let moved = FileRow::seen("present", "/b.txt", "r", &source("v1"));
        assert_eq!(kind("v1", std::slice::from_ref(&good), Some(&moved)), Some(Kind::Drift));
        let bare = Copy { attributes: None, ..good };
        assert_eq!(kind("v1", &[bare], Some(&row)), Some(Kind::Drift));
    }

    #[test]
    fn a_list_that_says_less_of_what_a_job_saw_makes_no_difference() {
        let seen = Source { hash: hash("aa"), modified_at: Some(2_000), ..source("v1") };
        let job = Present { source: seen.clone(), ..present("v1") };
        let held = Copy { source: seen.clone(), ..labelled(&job, copy(1, "vs_1", "v1")) };
        let row = FileRow::seen("present", "/a.txt", "r", &seen);
        assert_eq!(kind("v1", &[held], Some(&row)), None);
    }

    #[test]
    fn what_has_left_to_make_room_is_no_difference() {
        let mut row = FileRow::seen("present", "/a.txt", "r", &source("v1"));
        row.out_rules = Some("other,r".to_owned());
        assert_eq!(kind("v1", &[], Some(&row)), None);
        assert_eq!(kind("v2", &[], Some(&row)), Some(Kind::Unseen), "it was changed");
        assert_eq!(kind("v1", &[copy(1, "vs_1", "v1")], Some(&row)), Some(Kind::Ghost));
        row.out_rules = Some("other".to_owned());
        assert_eq!(kind("v1", &[], Some(&row)), Some(Kind::Missing));
    }

    #[test]
    fn what_is_rightly_not_held_is_no_difference() {
        let mut row = FileRow::seen("skipped", "/a.txt", "r", &source("v1"));
        row.refused = Some(("version:v1 as txt".to_owned(), "OpenAI could not index it".to_owned()));
        assert_eq!(kind("v1", &[], Some(&row)), None);
        assert_eq!(kind("v2", &[], Some(&row)), Some(Kind::Unseen));
    }
}
