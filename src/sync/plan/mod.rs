//! From what a file is now, what we hold of it and where it belongs, to the steps that are left. Pure: no clock, no
//! network, no database. After each step the plan is made anew, so a step has only to be right for this moment.
//!
//! For each rule that covers the file, in one of that rule's vector stores, one copy, or all segments of one, is brought forward, uploading → uploaded → attached →
//! indexed, and only when it is indexed do the others go. So a file that is edited never stops being searchable, and
//! a crash at any point leaves rows from which the same plan goes on. All segments of a text end in one store: where the one that
//! they were meant for was full in the middle, those that are in it follow the others.
//! Of a text that was cut a search finds one version whole, or parts of one alone: never half of one and half of another.

mod whole;

use super::attributes::attributes;
use super::copy::{Copy, CopyId, CopyState};
use super::form::Claim;
use super::look::Present;
use super::store::Chain;
use crate::fastio::FileKey;
use crate::openai::{Attributes, VectorStoreId};
use crate::rule::Rule;

use whole::Whole;

/// Where a file belongs: into one of these stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Of which the first names the place.
    pub stores: Chain,
    /// The rule that says so.
    pub rule: String,
}

impl Place {
    /// Adds the stores that `rule` fills, unless an earlier rule fills them.
    pub fn add(places: &mut Vec<Place>, stores: Chain, rule: &Rule) {
        if !stores.is_empty() && places.iter().all(|place| place.name() != stores.first()) {
            places.push(Place { stores, rule: rule.name.clone() });
        }
    }

    fn name(&self) -> Option<&VectorStoreId> {
        self.stores.first()
    }

    /// Whether a step that goes by the name `store` is one here.
    pub fn is_named(&self, store: &VectorStoreId) -> bool {
        self.name() == Some(store)
    }

    /// The store that all of `parts` belong into: the farthest of those they are in. One part is where it should be.
    fn home<'a>(&'a self, parts: &[&Copy]) -> Option<&'a VectorStoreId> {
        self.stores.iter().rev().find(|store| parts.iter().any(|part| part.store == **store))
    }
}

/// One idempotent thing to do. Doing it twice, or dying in the middle, does no harm.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It is not known how an upload ended: find the File object it made, or forget it.
    Settle(CopyId),
    /// Make a new copy: write the intent down, then stream the file from Fastio to OpenAI.
    Upload(Place),
    /// Take a copy out of its store, if it is there, so that it can be put into this one.
    Move(CopyId, VectorStoreId),
    /// Put an uploaded File object into its vector store, with these attributes.
    Attach(CopyId, Attributes),
    /// Look whether it is indexed.
    Await(CopyId),
    /// Find out whether this one, which is of an earlier content, is found; it is not waited for.
    Look(CopyId),
    /// Bring the attributes in line; the content is right already.
    Relabel(CopyId, Attributes),
    /// Detach, delete, verify, forget.
    Retire(CopyId),
}

/// What is left to do, the most urgent first, each with the first store of its place, or the one that it is to go from. `present` is `None` when the file is gone, left every rule, or is of a
/// kind that OpenAI cannot hold; `places` is then not looked at.
pub fn plan(
    key: &FileKey,
    present: Option<(&Present, &Claim)>,
    places: &[Place],
    copies: &[Copy],
) -> Vec<(VectorStoreId, Step)> {
    let mut steps = Vec::new();
    let (wanted, unwanted): (Vec<&Copy>, Vec<&Copy>) = copies
        .iter()
        .partition(|copy| present.is_some() && places.iter().any(|place| place.stores.has(&copy.store)));
    // What must not answer any more goes first.
    steps.extend(unwanted.into_iter().map(|copy| (copy.store.clone(), remove(copy))));
    let Some(present) = present else { return steps };
    for place in places {
        let Some(name) = place.name() else { continue };
        let here: Vec<&Copy> = wanted.iter().copied().filter(|copy| place.stores.has(&copy.store)).collect();
        steps.extend(plan_place(key, present, place, &here).into_iter().map(|step| (name.clone(), step)));
    }
    steps
}

fn plan_place(
    key: &FileKey,
    (present, claim): (&Present, &Claim),
    place: &Place,
    here: &[&Copy],
) -> Vec<Step> {
    if let Some(unsettled) = here.iter().find(|copy| copy.state == CopyState::Uploading) {
        return vec![Step::Settle(unsettled.id)];
    }
    let fitting: Vec<&Copy> = here
        .iter()
        .copied()
        .filter(|copy| copy.state != CopyState::Retiring && copy.holds(present, claim))
        .collect();
    let best = Whole::best(&fitting);
    let others: Vec<&Copy> =
        here.iter().copied().filter(|copy| best.as_ref().is_none_or(|best| !best.has(copy))).collect();
    // What answers goes only when the new copy does. Where no old copy is known to be indexed, one that was handed to the
    // store may be, unseen by us. What never got there hinders nothing, and of a text that was cut only all of it is an answer.
    let ready = best.as_ref().is_some_and(|best| best.is_complete && best.state() == CopyState::Indexed);
    let mut earlier = Whole::all(&others);
    earlier.retain(|whole| !ready && whole.is_complete && whole.may_answer());
    if earlier.iter().any(|whole| whole.state() == CopyState::Indexed) {
        earlier.retain(|whole| whole.state() == CopyState::Indexed);
    }
    let is_kept = |copy: &Copy| earlier.iter().any(|whole| whole.has(copy));
    let mut steps: Vec<Step> =
        others.iter().filter(|copy| !is_kept(copy)).map(|copy| Step::Retire(copy.id)).collect();
    let Some(best) = best.filter(|best| best.is_complete) else {
        steps.push(Step::Upload(place.clone()));
        return steps;
    };
    let home = place.home(&best.parts);
    let strays = best.parts.iter().filter(|part| Some(&part.store) != home);
    let moves: Vec<Step> =
        strays.zip(home.into_iter().cycle()).map(|(part, home)| Step::Move(part.id, home.clone())).collect();
    if !moves.is_empty() {
        steps.extend(moves);
        return steps;
    }
    // Before a part of it is handed to the store, it has to be known of each part of another version whether that is found.
    let unknown =
        earlier.iter().filter(|whole| whole.is_cut() && best.is_cut()).flat_map(|whole| &whole.parts);
    let unknown: Vec<Step> =
        unknown.filter(|part| part.state != CopyState::Indexed).map(|part| Step::Look(part.id)).collect();
    if !unknown.is_empty() {
        steps.extend(unknown);
        return steps;
    }
    // All are handed to the store before any is waited for.
    let mut forward: Vec<(CopyState, Step)> = Vec::new();
    for part in best.parts {
        let attributes = attributes(key, (present, claim), &place.rule, part);
        match part.state {
            CopyState::Uploaded => forward.push((part.state, Step::Attach(part.id, attributes))),
            CopyState::Attached => forward.push((part.state, Step::Await(part.id))),
            CopyState::Indexed if part.attributes.as_ref() != Some(&attributes) => {
                steps.insert(0, Step::Relabel(part.id, attributes));
            }
            CopyState::Indexed | CopyState::Uploading | CopyState::Retiring => {}
        }
    }
    forward.sort_by_key(|(state, _)| *state);
    steps.extend(forward.into_iter().map(|(_, step)| step));
    steps
}

fn remove(copy: &Copy) -> Step {
    match copy.state {
        CopyState::Uploading => Step::Settle(copy.id),
        _ => Step::Retire(copy.id),
    }
}

#[cfg(test)]
pub(super) mod tests;
