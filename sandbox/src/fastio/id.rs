//! Ids in the form Fastio gives them, made from the seed: the same changes in the same order have the same ids.

use std::fmt::Write;

/// What an id is of. The first character of a real id says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    Node,
    Version,
    Upload,
    /// Inferred: the official classifier has no code for events; `a` is that of general ids.
    Event,
    Comment,
    /// Not an id Fastio shows: lock and download tokens, request ids.
    Token,
}

/// Characters of a real id, as far as the samples in Fastio's documents show them.
const ALPHABET: &[u8] = b"abcdefghjklmnpqrstuvwxyz23456789";

/// A type character, 26 characters of KSUID and two of checksum. A comment's type has two characters.
const LENGTH: usize = 29;

/// Fastio shows its ids in groups of this many characters.
const GROUP: usize = 5;

/// Makes ids. Each kind counts for itself, so that a download does not change the ids of later files.
#[derive(Debug)]
pub struct Ids {
    seed: u64,
    made: [u64; 6],
}

impl Ids {
    pub fn new(seed: u64) -> Ids {
        Ids { seed, made: [0; 6] }
    }

    /// A fresh id without hyphens: how this stand-in keeps them.
    pub fn make(&mut self, of: IdKind) -> String {
        let kind = of as usize;
        self.made[kind] += 1;
        let mut random = fastrand::Rng::with_seed(mix(self.seed, kind as u64, self.made[kind]));
        let code = ["2", "3", "5", "a", "ca", "k"][kind];
        let mut id = String::with_capacity(LENGTH + 1);
        id.push_str(code);
        id.extend((1..LENGTH).map(|_| char::from(ALPHABET[random.usize(..ALPHABET.len())])));
        id
    }
}

/// One number from three, spread over all bits (the finaliser of SplitMix64).
pub fn mix(seed: u64, kind: u64, number: u64) -> u64 {
    let mut x = seed ^ kind.wrapping_mul(0xa076_1d64_78bd_642f) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// How Fastio writes an id in an answer: a hyphen after every fifth character.
pub fn shown(id: &str) -> String {
    let mut text = String::with_capacity(id.len() + id.len() / GROUP);
    for (index, character) in id.chars().enumerate() {
        if index > 0 && index % GROUP == 0 {
            text.push('-');
        }
        text.push(character);
    }
    text
}

/// How an id in a request is looked up: any case, with or without hyphens.
pub fn canonical(id: &str) -> String {
    id.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether Fastio would take `id` for an id at all; otherwise its error is another than "not found".
pub fn is_well_formed(id: &str) -> bool {
    let bare = canonical(id);
    (LENGTH..=LENGTH + 1).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The numeric user id that stands for a key: the same key is the same user.
pub fn user_of(key: &str) -> String {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut id = String::from("1");
    write!(id, "{:018}", mix(hash, 0, 0) % 1_000_000_000_000_000_000)
        .expect("writing to a String cannot fail");
    id
}

#[cfg(test)]
mod tests {
    use super::{IdKind, Ids, canonical, is_well_formed, shown, user_of};

    #[test]
    fn ids_have_the_documented_form_and_follow_from_the_seed() {
        let (mut one, mut two) = (Ids::new(7), Ids::new(7));
        let id = one.make(IdKind::Node);
        assert_eq!(id, two.make(IdKind::Node));
        assert_ne!(id, one.make(IdKind::Node));
        assert_eq!(shown(&id).len(), 34);
        assert!(shown(&id).starts_with('2') && is_well_formed(&shown(&id)));
        assert_eq!(canonical(&shown(&id).to_uppercase()), id);
        assert!(!is_well_formed("root"));
    }

    #[test]
    fn a_user_has_a_number_of_nineteen_digits() {
        assert_eq!(user_of("key").len(), 19);
        assert_ne!(user_of("key"), user_of("another"));
    }
}
