//! Download tokens: with one, one version of one file can be read without a key.

use std::collections::HashMap;

use crate::fastio::profile::Profile;

use super::tree::Key;

/// Inferred: the documents do not say how long a file's token lives.
const LIFETIME_MS: i64 = 60 * 60 * 1000;

/// How many are kept; the oldest go first.
const MAX_TOKENS: usize = 100_000;

#[derive(Debug, Clone)]
pub struct Grant {
    pub profile: Profile,
    pub key: Key,
    /// The version asked for with the token; without one the token reads whatever is current.
    pub version: Option<String>,
    expires: i64,
}

#[derive(Default)]
pub struct Tokens {
    granted: HashMap<String, Grant>,
    order: std::collections::VecDeque<String>,
}

impl std::fmt::Debug for Tokens {
    /// Without the tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("granted", &self.granted.len()).finish()
    }
}

impl Tokens {
    pub fn grant(&mut self, token: String, profile: Profile, key: Key, version: Option<String>, now: i64) {
        self.granted.insert(token.clone(), Grant { profile, key, version, expires: now + LIFETIME_MS });
        self.order.push_back(token);
        if self.order.len() > MAX_TOKENS
            && let Some(oldest) = self.order.pop_front()
        {
            self.granted.remove(&oldest);
        }
    }

    pub fn find(&self, token: &str, now: i64) -> Option<&Grant> {
        self.granted.get(token).filter(|grant| grant.expires > now)
    }
}
