//! What can answer for a file as one: a copy of the whole file, or all segments of a text that was cut.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::sync::copy::{Copy, CopyState, Segment};

/// Copies of one content in one vector store that are brought forward together.
#[derive(Debug)]
pub(super) struct Whole<'a> {
    /// In the order of the file.
    pub parts: Vec<&'a Copy>,
    /// Nothing of it is missing.
    pub is_complete: bool,
}

impl<'a> Whole<'a> {
    /// The best of `fitting`, which are of the file's present content: the one that has come farthest.
    pub fn best(fitting: &[&'a Copy]) -> Option<Self> {
        let copies = fitting.iter().filter(|copy| copy.segment.is_none());
        let copy = copies.max_by_key(|copy| further(copy));
        let mut cuts: BTreeMap<Option<&str>, Vec<(&'a Copy, Segment)>> = BTreeMap::new();
        for copy in fitting {
            if let Some(segment) = copy.segment {
                cuts.entry(copy.claim.as_deref()).or_default().push((*copy, segment));
            }
        }
        let cuts = cuts.into_values().map(Whole::of);
        let all = copy.map(|copy| Whole { parts: vec![copy], is_complete: true }).into_iter().chain(cuts);
        all.max_by_key(|whole| (whole.is_complete, whole.state(), Reverse(whole.parts[0].id)))
    }

    /// Everything among these that could answer as one, whatever content it is of.
    pub fn all(copies: &[&'a Copy]) -> Vec<Self> {
        let mut all = Vec::new();
        let mut cuts: BTreeMap<_, Vec<(&'a Copy, Segment)>> = BTreeMap::new();
        for copy in copies {
            match copy.segment {
                None => all.push(Whole { parts: vec![*copy], is_complete: true }),
                // All segments of one content have its hash once there is no more to come.
                Some(segment) => {
                    let of = (copy.claim.as_deref(), copy.content_hash.as_deref());
                    cuts.entry(of).or_default().push((*copy, segment));
                }
            }
        }
        all.extend(cuts.into_values().map(Whole::of));
        all
    }

    /// Of segments that were cut at the same places the best of each number.
    fn of(segments: Vec<(&'a Copy, Segment)>) -> Self {
        let count = segments.iter().filter_map(|(_, segment)| segment.count).max();
        let mut parts: BTreeMap<u32, (&'a Copy, bool)> = BTreeMap::new();
        for (copy, segment) in segments {
            let is_sealed = segment.count.is_some() && segment.count == count;
            let better = |known: &(&Copy, bool)| (is_sealed, further(copy)) > (known.1, further(known.0));
            if parts.get(&segment.number).is_none_or(better) {
                parts.insert(segment.number, (copy, is_sealed));
            }
        }
        // Numbers go from 1 to the count, so that many sealed ones are all.
        let sealed = parts.values().filter(|(_, is_sealed)| *is_sealed).count();
        let is_complete = count.is_some_and(|count| sealed == count as usize) && sealed == parts.len();
        Whole { parts: parts.into_values().map(|(copy, _)| copy).collect(), is_complete }
    }

    /// How far all of it has come.
    pub fn state(&self) -> CopyState {
        self.parts.iter().map(|part| part.state).min().expect("there is one part at least")
    }

    pub fn is_cut(&self) -> bool {
        self.parts.iter().any(|part| part.segment.is_some())
    }

    /// Whether a search may find all of it.
    pub fn may_answer(&self) -> bool {
        self.parts.iter().all(|part| part.may_answer())
    }

    pub fn has(&self, copy: &Copy) -> bool {
        self.parts.iter().any(|part| part.id == copy.id)
    }
}

fn further(copy: &Copy) -> (CopyState, Reverse<crate::sync::copy::CopyId>) {
    (copy.state, Reverse(copy.id))
}
