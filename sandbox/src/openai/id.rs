//! Ids shaped like OpenAI's, from a seeded generator: the same seed and the same requests give the same ids.

use fastrand::Rng;

/// Letters and digits, as OpenAI's file ids have them.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

#[derive(Debug)]
pub struct Ids(Rng);

impl Ids {
    pub fn new(seed: u64) -> Ids {
        // Apart from the generators that faults and contents make from the same seed.
        Ids(Rng::with_seed(seed ^ 0x6f70_656e_6169))
    }

    /// `file-` and 22 letters and digits.
    pub fn file(&mut self) -> String {
        let tail: String = (0..22).map(|_| char::from(ALPHABET[self.0.usize(..ALPHABET.len())])).collect();
        format!("file-{tail}")
    }

    /// `prefix` and 48 hex digits, as the newer objects have them: `vs_`, `resp_`, `conv_`, `msg_`, …
    pub fn hex(&mut self, prefix: &str) -> String {
        format!("{prefix}{:032x}{:016x}", self.0.u128(..), self.0.u64(..))
    }
}
