//! What is wrong with a secret or key as it is written, told without it. Pure.
//!
//! A secret that is public or can be guessed lets strangers in, and one with a quotation mark or a byte order mark in it
//! lets no sender in: both look well until the first delivery.

use crate::hidden::is_hidden;
use crate::receive::signature::{LEAST_KEY_BYTES, key_bytes};

/// The webhook secret of the stand-ins, which `docket sandbox` prints: `whsec_` and a fixed text in base64.
pub const PUBLIC_SECRET: &str = "whsec_ZG9ja2V0LXNhbmRib3gtaXMtbm90LXNlY3JldA==";

/// Secrets that stand in public documents and sources: ours, and the examples of Standard Webhooks.
const PUBLISHED: [&str; 6] = [
    PUBLIC_SECRET,
    "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "whsec_plJ3nmyCDGBKInavdOK15jsl",
    "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ=",
];

/// What people and documents write where a secret is to be put in.
const PLACEHOLDERS: [&str; 15] = [
    "…",
    "...",
    "***",
    "<",
    ">",
    "xxxx",
    "changeme",
    "change-me",
    "change_me",
    "replace-me",
    "replace_me",
    "your-",
    "your_",
    "placeholder",
    "dummy",
];

/// A key of random bytes has more different characters, however it is written.
const LEAST_DIFFERENT: usize = 6;

const QUOTES: [char; 9] = ['"', '\'', '`', '“', '”', '„', '‘', '’', '«'];

/// Why a secret or key cannot be used, with the cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("has a quotation mark at its beginning or end, which would be part of it: write it without")]
    Quoted,
    #[error(
        "has a blank, a byte order mark or another character in it that does not show: copy it once more, into a file \
         that is saved as UTF-8 without a byte order mark"
    )]
    Unseen,
    #[error("begins with `Bearer`, which Docket writes before it: write the key alone")]
    Bearer,
    #[error("begins with a name and an equals sign or a colon: write what stands behind that")]
    Named,
    #[error("is written as a list of JSON: write the secrets as they are, with a comma between two")]
    Listed,
    #[error(
        "holds the escape of a line break or a quotation mark (a backslash and a letter): write it without"
    )]
    Escaped,
    #[error(
        "is the name of a variable, or a command, whose value was not put in its place: put the value itself there"
    )]
    Unfilled,
    #[error("is a placeholder from the documents: put the real one in its place")]
    Placeholder,
    #[error("has a character in it that no key has: copy it once more")]
    NotAscii,
    #[error(
        "is published, so every stranger can sign with it: take the one that was made for your webhook alone"
    )]
    Published,
    #[error(
        "can be guessed: it must hold at least {LEAST_KEY_BYTES} bytes made by chance; have another one made where it \
         comes from"
    )]
    Weak,
}

/// What is wrong with an API key. How long one is, is its service's affair.
pub fn of_key(key: &str) -> Option<Fault> {
    written(key).or_else(|| (!key.is_ascii()).then_some(Fault::NotAscii))
}

/// What is wrong with a webhook's signing secret. The published ones will do between stand-ins on this machine.
pub fn of_webhook_secret(secret: &str, is_at_home: bool) -> Option<Fault> {
    if let Some(fault) = written(secret) {
        return Some(fault);
    }
    if !secret.is_ascii() {
        return Some(Fault::NotAscii);
    }
    if PUBLISHED.contains(&secret) {
        return (!is_at_home).then_some(Fault::Published);
    }
    let mut different: Vec<char> = secret.chars().collect();
    different.sort_unstable();
    different.dedup();
    let is_weak = key_bytes(secret) < LEAST_KEY_BYTES || different.len() < LEAST_DIFFERENT;
    is_weak.then_some(Fault::Weak)
}

/// What is wrong with how it is written.
pub fn written(secret: &str) -> Option<Fault> {
    let small = secret.to_ascii_lowercase();
    let begins_with_bearer =
        small.strip_prefix("bearer").is_some_and(|rest| rest.starts_with([' ', ':', '=', '\t', '\u{a0}']));
    if begins_with_bearer {
        return Some(Fault::Bearer);
    }
    if ["[\"", "['"].iter().any(|begin| secret.starts_with(begin))
        || ["\"]", "']"].iter().any(|end| secret.ends_with(end))
    {
        return Some(Fault::Listed);
    }
    if secret.starts_with(QUOTES) || secret.ends_with(QUOTES) || secret.ends_with('»') {
        return Some(Fault::Quoted);
    }
    // `export` and a blank may stand before the name.
    let plain = small.trim_start_matches("export ");
    if NAMES
        .iter()
        .any(|name| plain.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(['=', ':'])))
    {
        return Some(Fault::Named);
    }
    let is_variable = |rest: &str| {
        rest.starts_with(['{', '('])
            || rest.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    if secret.starts_with("{{") || secret.strip_prefix('$').is_some_and(is_variable) {
        return Some(Fault::Unfilled);
    }
    if ["\\n", "\\r", "\\t", "\\\"", "\\'"]
        .iter()
        .any(|escape| secret.starts_with(escape) || secret.ends_with(escape))
    {
        return Some(Fault::Escaped);
    }
    if secret.chars().any(|c| c.is_whitespace() || is_hidden(c)) {
        return Some(Fault::Unseen);
    }
    PLACEHOLDERS.iter().any(|placeholder| small.contains(placeholder)).then_some(Fault::Placeholder)
}

/// What people copy together with a value.
const NAMES: [&str; 8] = [
    "fastio_api_key",
    "openai_api_key",
    "fastio_webhook_secret",
    "openai_webhook_secret",
    "docket_admin_token",
    "docket_view_token",
    "authorization",
    "x-api-key",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_anybody_knows_or_can_guess_is_a_fault() {
        let away = |secret: &str| of_webhook_secret(secret, false);
        for weak in
            ["a", "whsec_", "whsec_YQ==", "short", "whsec_bm9uZQ==", "hex:00112233", "fifteen-letters"]
        {
            assert_eq!(away(weak), Some(Fault::Weak), "{weak}");
        }
        assert_eq!(away(&"a".repeat(64)), Some(Fault::Weak));
        assert_eq!(away("whsec_MTIzNDU2Nzg5MDEyMzQ1"), Some(Fault::Weak), "15 bytes");
        assert_eq!(away("whsec_MTIzNDU2Nzg5MDEyMzQ1Ng=="), None, "16 bytes");
        assert_eq!(away("sixteen-letters!"), None);
        for published in PUBLISHED {
            assert_eq!(away(published), Some(Fault::Published), "{published}");
            assert_eq!(of_webhook_secret(published, true), None, "{published}");
        }
        for placeholder in
            ["whsec_…", "whsec_...", "whsec_***", "<secret>", "CHANGEME-changeme-1", "your-webhook-secret"]
        {
            assert_eq!(of_webhook_secret(placeholder, true), Some(Fault::Placeholder), "{placeholder}");
            assert_eq!(of_key(placeholder), Some(Fault::Placeholder), "{placeholder}");
        }
    }

    #[test]
    fn a_secret_that_is_not_what_its_owner_sees_is_a_fault() {
        const GOOD: &str = "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4";
        assert_eq!((of_webhook_secret(GOOD, false), of_key(GOOD)), (None, None));
        for (spoilt, fault) in [
            (format!("\"{GOOD}\""), Fault::Quoted),
            (format!("'{GOOD}"), Fault::Quoted),
            (format!("“{GOOD}”"), Fault::Quoted),
            (format!("\u{feff}{GOOD}"), Fault::Unseen),
            (format!("{GOOD}\u{200b}"), Fault::Unseen),
            (GOOD.replace('z', " "), Fault::Unseen),
            (GOOD.replace('z', "\n"), Fault::Unseen),
            (GOOD.replace('z', "\u{2028}"), Fault::Unseen),
            (format!("\u{202d}{GOOD}"), Fault::Unseen),
            (format!("\"{GOOD}"), Fault::Quoted),
            (format!("‘{GOOD}’"), Fault::Quoted),
            (format!("Bearer {GOOD}"), Fault::Bearer),
            (format!("bearer:{GOOD}"), Fault::Bearer),
            (format!("FASTIO_WEBHOOK_SECRET={GOOD}"), Fault::Named),
            (format!("export OPENAI_API_KEY={GOOD}"), Fault::Named),
            (format!("Authorization: Bearer {GOOD}"), Fault::Named),
            (format!("[\"{GOOD}\"]"), Fault::Listed),
            (format!("{GOOD}\\n"), Fault::Escaped),
            (format!("\\\"{GOOD}\\\""), Fault::Quoted),
            ("${FASTIO_WEBHOOK_SECRET_FROM_THE_VAULT}".to_owned(), Fault::Unfilled),
            ("$(cat /run/secrets/fastio-webhook-1)".to_owned(), Fault::Unfilled),
            (GOOD.replace('z', "\u{456}"), Fault::NotAscii),
        ] {
            assert_eq!(of_webhook_secret(&spoilt, false), Some(fault), "{spoilt:?}");
            assert_eq!(of_key(&spoilt), Some(fault), "{spoilt:?}");
        }
        assert_eq!(of_key("sk-schlüssel"), Some(Fault::NotAscii));
    }
}
