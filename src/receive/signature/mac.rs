//! HMAC-SHA256 over parts joined by dots, with several keys at once. Every scheme here signs that way.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The length of an HMAC-SHA256.
pub const SIGNATURE_BYTES: usize = 32;

/// A key, already mixed into a hash state. Prints nothing.
#[derive(Clone)]
pub struct State(Hmac<Sha256>);

impl State {
    pub fn new(key: &[u8]) -> State {
        State(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }

    /// The signature of `parts` with dots between them, yet to be compared or written down.
    pub fn over(&self, parts: &[&[u8]]) -> Tag {
        let mut mac = self.0.clone();
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                mac.update(b".");
            }
            mac.update(part);
        }
        Tag(mac)
    }
}

/// A signature that only a holder of the key can make.
pub struct Tag(Hmac<Sha256>);

impl Tag {
    /// In constant time.
    pub fn is(&self, signature: &[u8]) -> bool {
        self.0.clone().verify_slice(signature).is_ok()
    }

    pub fn bytes(self) -> [u8; SIGNATURE_BYTES] {
        self.0.finalize().into_bytes().into()
    }
}

/// Whether a time is near enough to `now`; both in Unix milliseconds.
pub fn near(at: i64, now: i64, tolerance_seconds: u32) -> std::cmp::Ordering {
    let tolerance = i64::from(tolerance_seconds) * 1000;
    if at < now.saturating_sub(tolerance) {
        std::cmp::Ordering::Less
    } else if at > now.saturating_add(tolerance) {
        std::cmp::Ordering::Greater
    } else {
        std::cmp::Ordering::Equal
    }
}
