use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::fastio::{Extraction, NodeId, NodeKind, Profile, VersionId};
use crate::openai::FileId;
use crate::sync::copy::{Segment, Source};

fn key() -> FileKey {
    FileKey::new(Profile::workspace("1"), NodeId::new("2a"))
}

fn source(version: u8) -> Source {
    Source { version: Some(VersionId(format!("v{version}"))), hash: None, size: 3, modified_at: Some(1000) }
}

fn present(version: u8, path: &str) -> Present {
    Present {
        name: "a.txt".to_owned(),
        path: path.to_owned(),
        is_placed: true,
        ancestors: vec![],
        kind: NodeKind::File,
        mime_type: None,
        extraction: Extraction::default(),
        share: None,
        source: source(version),
        created_at: None,
        withheld: None,
        agent: None,
    }
}

fn id(store: u8) -> VectorStoreId {
    VectorStoreId(format!("vs_{store}"))
}

/// The number of the store that continues this one.
fn next(store: u8) -> u8 {
    store + 10
}

fn place(store: u8) -> Place {
    Place { stores: Chain::new(vec![id(store), id(next(store))]), rule: "rule".to_owned() }
}

pub(in crate::sync) fn copy(number: i64, store: u8, version: u8, state: CopyState) -> Copy {
    Copy {
        id: CopyId(number),
        store: id(store),
        state,
        source: source(version),
        content_hash: Some(format!("hash of v{version}")),
        filename: "a.txt".to_owned(),
        bytes: 3,
        claim: None,
        segment: None,
        reading: None,
        file_id: (state != CopyState::Uploading).then(|| FileId(format!("file-{number}"))),
        attributes: None,
        attaches: 0,
        given: None,
        unanswered_at: None,
        deleted_at: None,
        awaits: None,
        batch: None,
        since: 0,
    }
}

fn labelled(copy: Copy, present: &Present) -> Copy {
    let attributes = attributes(&key(), (present, &claimed(present)), "rule", &copy);
    Copy { attributes: Some(attributes), ..copy }
}

fn claimed(present: &Present) -> Claim {
    crate::sync::form::claim(&present.offer()).unwrap()
}

fn steps(present: Option<&Present>, places: &[Place], copies: &[Copy]) -> Vec<Step> {
    let claim = present.map(claimed);
    plan(&key(), present.zip(claim.as_ref()), places, copies).into_iter().map(|(_, step)| step).collect()
}

#[test]
fn a_new_file_is_uploaded_to_each_of_its_stores() {
    let found = steps(Some(&present(1, "/a.txt")), &[place(1), place(2)], &[]);
    assert_eq!(found, [Step::Upload(place(1)), Step::Upload(place(2))]);
}

#[test]
fn an_edited_file_keeps_its_old_copy_until_the_new_one_answers() {
    let now = present(2, "/a.txt");
    let old = labelled(copy(1, 1, 1, CopyState::Indexed), &present(1, "/a.txt"));
    let new = |state| labelled(copy(2, 1, 2, state), &now);
    let with = |state| steps(Some(&now), &[place(1)], &[old.clone(), new(state)]);
    assert!(matches!(with(CopyState::Uploaded)[..], [Step::Attach(CopyId(2), _)]));
    assert_eq!(with(CopyState::Attached), [Step::Await(CopyId(2))]);
    assert_eq!(with(CopyState::Indexed), [Step::Retire(CopyId(1))]);
}

#[test]
fn a_touched_or_moved_file_is_relabelled_and_not_uploaded() {
    let before = present(1, "/a.txt");
    let held = labelled(copy(1, 1, 1, CopyState::Indexed), &before);
    let found = steps(Some(&present(1, "/b/a.txt")), &[place(1)], std::slice::from_ref(&held));
    assert!(matches!(&found[..], [Step::Relabel(CopyId(1), _)]), "{found:?}");
    assert_eq!(steps(Some(&before), &[place(1)], &[held]), []);
}

#[test]
fn a_file_that_is_gone_or_left_a_rule_loses_its_copies() {
    let copies = [copy(1, 1, 1, CopyState::Indexed), copy(2, 2, 1, CopyState::Uploading)];
    assert_eq!(steps(None, &[], &copies), [Step::Retire(CopyId(1)), Step::Settle(CopyId(2))]);
    let kept = present(1, "/a.txt");
    let found = steps(Some(&kept), &[place(2)], &copies[..1]);
    assert_eq!(found, [Step::Retire(CopyId(1)), Step::Upload(place(2))]);
}

#[test]
fn an_edit_in_flight_drops_the_copy_that_never_answered() {
    let copies = [copy(1, 1, 1, CopyState::Indexed), copy(2, 1, 2, CopyState::Attached)];
    let found = steps(Some(&present(3, "/a.txt")), &[place(1)], &copies);
    assert_eq!(found, [Step::Retire(CopyId(2)), Step::Upload(place(1))]);
}

#[test]
fn a_copy_that_may_answer_unseen_stays_while_nothing_else_answers() {
    let now = present(2, "/a.txt");
    let found = steps(Some(&now), &[place(1)], &[copy(1, 1, 1, CopyState::Attached)]);
    assert_eq!(found, [Step::Upload(place(1))]);
    let told = Copy { attaches: 1, ..copy(1, 1, 1, CopyState::Uploaded) };
    assert_eq!(steps(Some(&now), &[place(1)], &[told]), [Step::Upload(place(1))]);
    let never_told = copy(1, 1, 1, CopyState::Uploaded);
    assert_eq!(
        steps(Some(&now), &[place(1)], &[never_told]),
        [Step::Retire(CopyId(1)), Step::Upload(place(1))]
    );
}

/// The segment `number` of the two of a version.
fn half(id: i64, version: u8, number: u32, state: CopyState) -> Copy {
    Copy { segment: Some(Segment { number, count: Some(2) }), ..copy(id, 1, version, state) }
}

#[test]
fn what_is_left_of_a_text_that_was_cut_goes_before_a_part_of_the_next_version_comes() {
    let now = present(2, "/a.txt");
    let new = || [3, 4].map(|id| half(id, 2, id as u32 - 2, CopyState::Uploaded));
    let with = |old: [Copy; 2]| steps(Some(&now), &[place(1)], &[old, new()].concat());
    let old = |second| [half(1, 1, 1, CopyState::Indexed), half(2, 1, 2, second)];
    assert!(matches!(
        with(old(CopyState::Indexed))[..],
        [Step::Attach(CopyId(3), _), Step::Attach(CopyId(4), _)]
    ));
    assert_eq!(with(old(CopyState::Attached)), [Step::Look(CopyId(2))], "all of it may be found by now");
    let found = with(old(CopyState::Uploaded));
    assert_eq!(found[..2], [Step::Retire(CopyId(1)), Step::Retire(CopyId(2))]);
    assert_eq!(with(old(CopyState::Retiring))[..2], found[..2]);
    let alone = steps(Some(&now), &[place(1)], &[&[half(1, 1, 1, CopyState::Indexed)][..], &new()].concat());
    assert_eq!(alone[0], Step::Retire(CopyId(1)));
}

#[test]
fn a_file_is_in_line_in_any_store_of_its_place_and_an_edit_swaps_across_them() {
    let now = present(2, "/a.txt");
    let held = labelled(copy(1, next(1), 2, CopyState::Indexed), &now);
    assert_eq!(steps(Some(&now), &[place(1)], std::slice::from_ref(&held)), []);
    let old = labelled(copy(2, 1, 1, CopyState::Indexed), &present(1, "/a.txt"));
    assert_eq!(steps(Some(&now), &[place(1)], &[old.clone(), held]), [Step::Retire(CopyId(2))]);
    let new = labelled(copy(3, next(1), 2, CopyState::Attached), &now);
    assert_eq!(
        steps(Some(&now), &[place(1)], &[old, new]),
        [Step::Await(CopyId(3))],
        "the old one answers still"
    );
    let twice = [copy(1, 1, 2, CopyState::Indexed), copy(2, next(1), 2, CopyState::Indexed)]
        .map(|copy| labelled(copy, &now));
    assert_eq!(steps(Some(&now), &[place(1)], &twice), [Step::Retire(CopyId(2))]);
}

#[test]
fn segments_follow_the_one_that_had_to_go_to_the_next_store() {
    let now = present(1, "/a.txt");
    let part = |number: u32, store: u8, state| {
        let segment = Some(crate::sync::copy::Segment { number, count: Some(2) });
        labelled(Copy { segment, ..copy(number.into(), store, 1, state) }, &now)
    };
    let apart = [part(1, 1, CopyState::Attached), part(2, next(1), CopyState::Uploaded)];
    assert_eq!(steps(Some(&now), &[place(1)], &apart), [Step::Move(CopyId(1), id(next(1)))]);
    let beside = [part(1, next(1), CopyState::Uploaded), part(2, next(1), CopyState::Uploaded)];
    assert!(matches!(steps(Some(&now), &[place(1)], &beside)[..], [Step::Attach(..), Step::Attach(..)]));
}

#[test]
fn a_name_that_says_something_else_of_the_same_bytes_makes_a_new_copy() {
    let now = Present { name: "a.pdf".to_owned(), ..present(1, "/a.pdf") };
    let as_text = labelled(Copy { claim: Some("txt".to_owned()), ..copy(1, 1, 1, CopyState::Indexed) }, &now);
    assert_eq!(steps(Some(&now), &[place(1)], std::slice::from_ref(&as_text)), [Step::Upload(place(1))]);
    let as_pdf = Copy { filename: "a.pdf".to_owned(), ..as_text };
    assert_eq!(steps(Some(&now), &[place(1)], &[as_pdf]), []);
}

/// What a store would hold if each step did what it says.
fn carry_out(step: &Step, copies: &mut Vec<Copy>, (present, next_id): (&Present, &mut i64)) {
    let state = |copies: &mut Vec<Copy>, id: CopyId, state: CopyState| {
        for copy in copies.iter_mut().filter(|copy| copy.id == id) {
            copy.state = state;
        }
    };
    let label = |copies: &mut Vec<Copy>, id: CopyId, attributes: &Attributes| {
        for copy in copies.iter_mut().filter(|copy| copy.id == id) {
            copy.attributes = Some(attributes.clone());
            copy.source = present.source.clone();
        }
    };
    match step {
        // Both ends of an unsettled upload, by turns.
        Step::Settle(id) if id.0 % 2 == 0 => state(copies, *id, CopyState::Uploaded),
        Step::Settle(id) | Step::Retire(id) => copies.retain(|copy| copy.id != *id),
        Step::Upload(place) => {
            *next_id += 1;
            let mut made = copy(*next_id, 0, 0, CopyState::Uploaded);
            // Wherever there is room.
            made.store = place.stores.iter().nth((*next_id % 2) as usize).unwrap().clone();
            made.source = present.source.clone();
            copies.push(made);
        }
        Step::Attach(id, attributes) => {
            label(copies, *id, attributes);
            state(copies, *id, CopyState::Attached);
        }
        Step::Move(id, store) => {
            for copy in copies.iter_mut().filter(|copy| copy.id == *id) {
                (copy.store, copy.state) = (store.clone(), CopyState::Uploaded);
            }
        }
        Step::Await(id) => state(copies, *id, CopyState::Indexed),
        // Both answers, by turns.
        Step::Look(id) if id.0 % 2 == 0 => state(copies, *id, CopyState::Indexed),
        Step::Look(id) => state(copies, *id, CopyState::Retiring),
        Step::Relabel(id, attributes) => label(copies, *id, attributes),
    }
}

fn any_copy() -> impl Strategy<Value = (u8, u8, CopyState)> {
    (
        prop::sample::select(vec![0, 1, 2, next(0), next(1), next(2)]),
        0..3u8,
        prop::sample::select(CopyState::ALL.to_vec()),
    )
}

/// What a store shows of a text that was cut: whether all of one version is there, and how many versions have a part there.
fn shown(copies: &[Copy]) -> (bool, usize) {
    let mut parts: BTreeMap<Option<&str>, BTreeSet<u32>> = BTreeMap::new();
    for copy in copies.iter().filter(|copy| copy.state == CopyState::Indexed) {
        let number = copy.segment.expect("all of them are segments").number;
        parts.entry(copy.content_hash.as_deref()).or_default().insert(number);
    }
    (parts.values().any(|numbers| numbers.len() == 2), parts.len())
}

proptest! {
    /// From any state of the records of one version: while the next one comes, no part of it is handed to the store beside a part of the one
    /// before, unless that is whole.
    #[test]
    fn no_half_of_a_version_is_found_beside_half_of_another(
        held in prop::collection::vec((1..=2u32, prop::sample::select(CopyState::ALL.to_vec())), 0..4),
        edited_after in 0..6,
    ) {
        let mut copies: Vec<Copy> = (0..).zip(&held).map(|(id, (number, state))| half(id, 0, *number, *state)).collect();
        let (mut next_id, mut left) = (100, 200);
        loop {
            // A third version comes while the second is on its way.
            let version = if left > 200 - edited_after { 1 } else { 2 };
            let now = present(version, "/a.txt");
            let found = plan(&key(), Some((&now, &claimed(&now))), &[place(1)], &copies).into_iter().next();
            let Some((_, step)) = found else { break };
            let (was_whole, _) = shown(&copies);
            match step {
                Step::Upload(_) => {
                    copies.extend([1, 2].map(|number| half(next_id + i64::from(number), version, number, CopyState::Uploaded)));
                    next_id += 2;
                }
                ref step => carry_out(step, &mut copies, (&now, &mut next_id)),
            }
            let (is_whole, versions) = shown(&copies);
            prop_assert!(is_whole || versions < 2, "after {step:?}: {copies:?}");
            prop_assert!(is_whole || !was_whole, "{step:?} left a gap");
            left -= 1;
            prop_assert!(left > 0, "the plan does not end");
        }
        prop_assert_eq!((shown(&copies), copies.len()), ((true, 1), 2));
    }

    /// From any state of the records: the plan ends, with one indexed copy of the present content in the stores of each place that
    /// should have it and nothing elsewhere, and no place that answered stops answering on the way.
    #[test]
    fn every_plan_converges_without_a_gap(
        held in prop::collection::vec(any_copy(), 0..8),
        version in 0..3u8,
        is_there in any::<bool>(),
        stores in prop::collection::btree_set(0..3u8, 0..3),
    ) {
        let now = present(version, "/a.txt");
        let places: Vec<Place> = if is_there { stores.iter().map(|store| place(*store)).collect() } else { vec![] };
        let mut copies: Vec<Copy> = held
            .iter()
            .enumerate()
            .map(|(id, (store, version, state))| copy(i64::try_from(id).unwrap(), *store, *version, *state))
            .collect();
        let mut next_id = 100;
        let answering = |copies: &[Copy]| -> BTreeSet<VectorStoreId> {
            let first = |copy: &Copy| {
                let place = (0..3u8).map(place).find(|place| place.stores.has(&copy.store));
                place.and_then(|place| place.stores.first().cloned()).expect("all stores are in a place")
            };
            copies.iter().filter(|copy| copy.may_answer()).map(first).collect()
        };
        let wanted: BTreeSet<VectorStoreId> = places.iter().filter_map(|place| place.stores.first().cloned()).collect();
        let mut left = 200;
        while let Some((_, step)) = plan(&key(), is_there.then_some((&now, &claimed(&now))), &places, &copies).into_iter().next() {
            let before = answering(&copies);
            carry_out(&step, &mut copies, (&now, &mut next_id));
            let after = answering(&copies);
            for store in before.intersection(&wanted) {
                prop_assert!(after.contains(store), "{step:?} left a gap in {store}");
            }
            left -= 1;
            prop_assert!(left > 0, "the plan does not end");
        }
        prop_assert_eq!(copies.len(), wanted.len());
        prop_assert_eq!(answering(&copies), wanted);
        prop_assert!(copies.iter().all(|copy| copy.holds(&now, &claimed(&now))));
    }
}
