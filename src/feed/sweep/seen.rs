//! What was on a list, in eight bytes each: 8 MB for a million files.

use std::hash::{BuildHasher, RandomState};

/// A set of texts that is filled, closed, and then asked. It keeps hashes with a key of this process: two texts of a
/// million collide once in thirty thousand years of sweeps, and then one file that is gone is found by the next one.
#[derive(Debug, Default)]
pub struct Seen {
    hashes: Vec<u64>,
    key: RandomState,
}

impl Seen {
    pub fn add(&mut self, text: &str) {
        self.hashes.push(self.key.hash_one(text));
    }

    /// To be called once all are added.
    pub fn close(&mut self) {
        self.hashes.sort_unstable();
        self.hashes.dedup();
    }

    pub fn has(&self, text: &str) -> bool {
        self.hashes.binary_search(&self.key.hash_one(text)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_found_and_nothing_else() {
        let mut seen = Seen::default();
        (0..1_000).rev().for_each(|n| seen.add(&format!("workspace:1:{n}")));
        seen.close();
        assert!(seen.has("workspace:1:0") && seen.has("workspace:1:999"));
        assert!(!seen.has("workspace:1:1000"));
    }
}
