//! An end to every listing, whatever its cursor does. A service in trouble, or a proxy before it, may give a new cursor
//! for ever: with empty pages, with pages it gave before, or with entries that it makes up.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// Entries of one listing: five times the million files that a workspace is planned for. What is kept of each is eight
/// bytes, so a listing that is made up costs 40 MB before it is given up.
const MOST_ENTRIES: usize = 5_000_000;

/// Pages of one listing: as many as that are of the smallest size asked for, a hundred.
const MOST_PAGES: u32 = 50_000;

/// Pages without an entry, one after the other. What a key may not see is taken out of a page, seldom all of it.
const MOST_BARREN: u32 = 100;

/// Pages that begin with an entry with which an earlier page began. A file that is renamed during a listing may come
/// twice, and may happen to stand first both times.
const MOST_REPEATED: u32 = 100;

/// A listing that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the listing does not end: {0}")]
pub struct Endless(&'static str);

/// How far a listing has come.
#[derive(Debug, Default)]
pub struct Pages {
    pages: u32,
    entries: usize,
    barren: u32,
    repeated: u32,
    /// What each page began with. Two texts that share a hash cost one repeat.
    firsts: HashSet<u64>,
    key: RandomState,
}

impl Pages {
    /// Takes note of a page that another one follows. `first` is what it began with.
    ///
    /// # Errors
    /// The listing has gone on for longer than any does.
    pub fn turn(&mut self, entries: usize, first: Option<&str>) -> Result<(), Endless> {
        self.pages += 1;
        self.entries = self.entries.saturating_add(entries);
        self.barren = if first.is_none() { self.barren + 1 } else { 0 };
        let again = first.is_some_and(|first| !self.firsts.insert(self.key.hash_one(first)));
        self.repeated += u32::from(again);
        match () {
            () if self.barren > MOST_BARREN => Err(Endless("its pages are empty")),
            () if self.repeated > MOST_REPEATED => Err(Endless("its pages come again")),
            () if self.entries > MOST_ENTRIES => Err(Endless("it has more than five million entries")),
            () if self.pages >= MOST_PAGES => Err(Endless("it has more than 50,000 pages")),
            () => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many pages pass.
    fn pages(entries: usize, first: impl Fn(u32) -> Option<String>) -> (u32, &'static str) {
        let mut pages = Pages::default();
        let mut turned = 0;
        loop {
            if let Err(Endless(why)) = pages.turn(entries, first(turned).as_deref()) {
                return (turned, why);
            }
            turned += 1;
        }
    }

    #[test]
    fn every_listing_ends() {
        assert_eq!(pages(0, |_| None), (100, "its pages are empty"));
        assert_eq!(pages(500, |_| Some("2a".to_owned())), (101, "its pages come again"));
        assert_eq!(pages(500, |page| Some((page % 7).to_string())), (107, "its pages come again"));
        assert_eq!(
            pages(500, |page| Some(page.to_string())),
            (10_000, "it has more than five million entries")
        );
        assert_eq!(pages(1, |page| Some(page.to_string())), (49_999, "it has more than 50,000 pages"));
    }

    #[test]
    fn a_workspace_of_a_million_files_is_listed() {
        let mut pages = Pages::default();
        for page in 0..10_000 {
            pages.turn(100, Some(&page.to_string())).unwrap();
        }
    }
}
