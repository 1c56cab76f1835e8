//! Turns each configured secret into the keys it may stand for.
//!
//! The guides show secrets of the form `whsec_…` and say "hex or base64" without saying of what. So a secret is tried as
//! it is written, and behind `whsec_` also as base64 (the Standard Webhooks convention) and as text. A secret written
//! `hex:…` or `base64:…` in the configuration is tried decoded too. Nothing is decoded on a guess alone: a short text
//! that happens to be valid base64 would make a weak key.

use secrecy::{ExposeSecret, SecretString};

use super::header::decode_base64;
use super::mac::State;

/// A key shorter than this could be guessed. The specification of Standard Webhooks asks for 24; Fastio does not say how
/// long its secrets are.
pub const LEAST_KEY_BYTES: usize = 16;

/// How many bytes of key a secret holds: decoded where it says that it is encoded, else as it is written.
pub fn key_bytes(secret: &str) -> usize {
    let decoded = match secret.split_once([':', '_']) {
        Some(("whsec", tail)) => Some(decode_base64(tail).map_or(tail.len(), |bytes| bytes.len())),
        Some(("hex", tail)) => hex::decode(tail).ok().map(|bytes| bytes.len()),
        Some(("base64", tail)) => decode_base64(tail).map(|bytes| bytes.len()),
        _ => None,
    };
    decoded.unwrap_or(secret.len())
}

/// Which reading of a secret made the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyForm {
    /// The secret's text, as it is configured.
    AsGiven,
    /// What follows `whsec_`, decoded from base64.
    TailDecoded,
    /// What follows `whsec_`, as text.
    TailText,
    /// What follows `hex:` or `base64:`, decoded.
    Declared,
}

impl KeyForm {
    pub fn as_str(self) -> &'static str {
        match self {
            KeyForm::AsGiven => "as_given",
            KeyForm::TailDecoded => "tail_decoded",
            KeyForm::TailText => "tail_text",
            KeyForm::Declared => "declared",
        }
    }
}

/// There is nothing to check signatures with, and deliveries that were not checked go nowhere.
#[derive(Debug, thiserror::Error)]
#[error(
    "no webhook secret is configured: set FASTIO_WEBHOOK_SECRET (or FASTIO_WEBHOOK_SECRET_FILE) to the signing secret \
     that Fastio shows for the webhook"
)]
pub struct NoSecret;

/// One key, already mixed into a hash state.
pub struct Key {
    pub secret_index: usize,
    pub form: KeyForm,
    pub state: State,
}

/// The keys of all secrets. An empty secret is a mistake in the configuration and counts as none at all, because anyone
/// could sign with it.
pub fn all(secrets: &[SecretString]) -> Result<Vec<Key>, NoSecret> {
    let mut keys = Vec::new();
    for (secret_index, secret) in secrets.iter().enumerate() {
        let secret = secret.expose_secret().trim();
        if secret.is_empty() || secret == "whsec_" {
            return Err(NoSecret);
        }
        for (form, bytes) in readings(secret) {
            keys.push(Key { secret_index, form, state: State::new(&bytes) });
        }
    }
    if keys.is_empty() { Err(NoSecret) } else { Ok(keys) }
}

fn readings(secret: &str) -> Vec<(KeyForm, Vec<u8>)> {
    let mut readings = vec![(KeyForm::AsGiven, secret.as_bytes().to_vec())];
    let mut add_decoded = |form, bytes: Option<Vec<u8>>| {
        readings.extend(bytes.filter(|b| b.len() >= LEAST_KEY_BYTES).map(|b| (form, b)));
    };
    if let Some(tail) = secret.strip_prefix("whsec_") {
        add_decoded(KeyForm::TailDecoded, decode_base64(tail));
    }
    if let Some(tail) = secret.strip_prefix("hex:") {
        add_decoded(KeyForm::Declared, hex::decode(tail).ok());
    }
    if let Some(tail) = secret.strip_prefix("base64:") {
        add_decoded(KeyForm::Declared, decode_base64(tail));
    }
    if let Some(tail) = secret.strip_prefix("whsec_") {
        readings.push((KeyForm::TailText, tail.as_bytes().to_vec()));
    }
    readings
}
