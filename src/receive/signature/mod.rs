//! Decides whether a delivery was signed with one of our secrets. It looks at exact bytes and never parses the body.
//!
//! No official text describes the signature. Guides on fast.io describe two, which differ, and both are accepted:
//!
//! - `Fastio-Signature: t=<unix time>,v1=<base64>`,
//! - `X-Fastio-Signature: sha256=<hex>`, with the time in a header of its own whose name the guide does not show.
//!
//! Both sign the time, a dot and the raw body with HMAC-SHA256. Other services sign the body alone; no page documents that
//! for Fastio, and without a signed time a captured delivery could be replayed for ever, so it is not supported. Everything else is tolerated: either header name, either encoding, several `v1=`.
//!
//! How the secret becomes a key is not documented either, so each reading that a guide allows is tried ([`KeyForm`]).
//! Trying more keys and encodings does not weaken the check: each is still 32 bytes that only the secret's holder can make.

mod header;
mod keys;
mod mac;
pub mod standard;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use axum::http::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use header::Claim;
pub use keys::{KeyForm, LEAST_KEY_BYTES, NoSecret, key_bytes};
use mac::{State, near};

/// The first is documented; the others are guesses at the name that the guide does not show.
const TIMESTAMP_HEADERS: [&str; 3] = ["x-fastio-timestamp", "fastio-timestamp", "x-fastio-request-timestamp"];

/// More signatures than a rotation of secrets could need. Each costs a comparison per key.
const MAX_CLAIMS: usize = 16;

/// Each distinct time costs one pass over the body per key.
const MAX_TIMESTAMPS: usize = 4;

/// A number above this is milliseconds: as seconds it would be the year 5138.
const LARGEST_SECONDS: i64 = 100_000_000_000;

/// How a delivery was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// `t=…,v1=…`
    FastioV1Base64,
    /// `sha256=…`, or the bare signature.
    XFastioSha256Hex,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::FastioV1Base64 => "fastio_v1_base64",
            Scheme::XFastioSha256Hex => "x_fastio_sha256_hex",
        }
    }
}

/// The setting that pins the scheme, once the counters have shown which one Fastio uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    #[default]
    Auto,
    FastioV1Base64,
    XFastioSha256Hex,
}

impl Accept {
    fn takes(self, scheme: Scheme) -> bool {
        match self {
            Accept::Auto => true,
            Accept::FastioV1Base64 => scheme == Scheme::FastioV1Base64,
            Accept::XFastioSha256Hex => scheme == Scheme::XFastioSha256Hex,
        }
    }
}

/// Proof that a delivery came from a holder of one of our secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    pub by: Verified,
    /// When it was signed, in Unix milliseconds. Together with the body it tells a replay from a delivery that reads
    /// the same: only the secret's holder can make another time.
    pub at: i64,
    /// Its time is farther from ours than is usual. It is as right as any other, and worth a look.
    pub is_late: bool,
}

/// What let a delivery in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verified {
    pub scheme: Scheme,
    /// Counted from 0, in the order of the configuration.
    pub secret_index: usize,
    pub key_form: KeyForm,
}

/// Why a delivery was not let in: for logs and counters, never for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejected {
    MissingSignature,
    UnreadableSignature,
    TooManySignatures,
    SchemeNotAccepted,
    MissingId,
    MissingTimestamp,
    UnreadableTimestamp,
    TooOld,
    TooNew,
    Mismatch,
}

impl Rejected {
    pub fn as_str(self) -> &'static str {
        match self {
            Rejected::MissingSignature => "missing_signature",
            Rejected::UnreadableSignature => "unreadable_signature",
            Rejected::TooManySignatures => "too_many_signatures",
            Rejected::SchemeNotAccepted => "scheme_not_accepted",
            Rejected::MissingId => "missing_id",
            Rejected::MissingTimestamp => "missing_timestamp",
            Rejected::UnreadableTimestamp => "unreadable_timestamp",
            Rejected::TooOld => "timestamp_too_old",
            Rejected::TooNew => "timestamp_too_new",
            Rejected::Mismatch => "signature_mismatch",
        }
    }
}

/// What the settings say about signatures.
#[derive(Debug, Clone)]
pub struct Policy {
    pub accept: Accept,
    pub tolerance_seconds: u32,
    /// Looked at before the names above.
    pub timestamp_header: HeaderName,
}

/// Checks deliveries against a list of secrets. Holds keyed states only, and prints none of them.
pub struct Verifier {
    keys: Vec<keys::Key>,
    policy: Policy,
    late_seconds: u32,
    timestamp_headers: Vec<HeaderName>,
}

impl Verifier {
    pub fn new(secrets: &[SecretString], policy: Policy) -> Result<Verifier, NoSecret> {
        let mut timestamp_headers = vec![policy.timestamp_header.clone()];
        for name in TIMESTAMP_HEADERS.map(HeaderName::from_static) {
            if !timestamp_headers.contains(&name) {
                timestamp_headers.push(name);
            }
        }
        Ok(Verifier { keys: keys::all(secrets)?, policy, late_seconds: 0, timestamp_headers })
    }

    /// The same, but what was signed up to `seconds` before or after now is let in too, as late.
    pub fn taking_late(self, seconds: u32) -> Verifier {
        Verifier { late_seconds: seconds, ..self }
    }

    /// Whether a delivery with these headers can be let in at all, whatever its body is: it claims a readable signature of a
    /// time near enough to `now` (Unix milliseconds). They are no secret, so this gives nothing away and spares the body.
    pub fn precheck(&self, headers: &HeaderMap, now: i64) -> Result<(), Rejected> {
        self.claims(headers, now).map(drop)
    }

    /// Looks at every pair of key and signature and only then answers, so that the time taken tells nothing about which
    /// pair matched.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: i64) -> Result<Signed, Rejected> {
        let (claims, timestamps) = self.claims(headers, now)?;
        let mut signed = None;
        for key in &self.keys {
            for timestamp in &timestamps {
                let tag = key.state.over(&[timestamp.as_bytes(), body]);
                for claim in claims.iter().filter(|claim| claim.timestamp == *timestamp) {
                    let matches = tag.is(&claim.signature);
                    if matches && signed.is_none() {
                        let (secret_index, key_form) = (key.secret_index, key.form);
                        let by = Verified { scheme: claim.scheme, secret_index, key_form };
                        signed = milliseconds(claim.timestamp).map(|at| {
                            let is_late = near(at, now, self.policy.tolerance_seconds).is_ne();
                            Signed { by, at, is_late }
                        });
                    }
                }
            }
        }
        signed.ok_or(Rejected::Mismatch)
    }

    /// What the headers claim, and each distinct time in it.
    fn claims<'h>(
        &self,
        headers: &'h HeaderMap,
        now: i64,
    ) -> Result<(Vec<Claim<'h>>, Vec<&'h str>), Rejected> {
        let claims = self.timely(header::claims(headers, &self.timestamp_headers)?, now)?;
        let mut timestamps: Vec<&str> = claims.iter().map(|claim| claim.timestamp).collect();
        timestamps.sort_unstable();
        timestamps.dedup();
        if timestamps.len() > MAX_TIMESTAMPS {
            return Err(Rejected::TooManySignatures);
        }
        Ok((claims, timestamps))
    }

    /// The claims that the settings accept and whose time is near enough to now. A time is no secret, so looking at it
    /// first gives nothing away and spares the hashing of a stale delivery.
    fn timely<'h>(&self, claims: Vec<Claim<'h>>, now: i64) -> Result<Vec<Claim<'h>>, Rejected> {
        let mut accepted: Vec<Claim<'h>> =
            claims.into_iter().filter(|claim| self.policy.accept.takes(claim.scheme)).collect();
        if accepted.is_empty() {
            return Err(Rejected::SchemeNotAccepted);
        }
        if accepted.len() > MAX_CLAIMS {
            return Err(Rejected::TooManySignatures);
        }
        let mut why = Rejected::UnreadableTimestamp;
        accepted.retain(|claim| {
            let Some(at) = milliseconds(claim.timestamp) else { return false };
            match near(at, now, self.policy.tolerance_seconds.max(self.late_seconds)) {
                Ordering::Less => why = Rejected::TooOld,
                Ordering::Greater => why = Rejected::TooNew,
                Ordering::Equal => return true,
            }
            false
        });
        if accepted.is_empty() { Err(why) } else { Ok(accepted) }
    }
}

/// Unix seconds or milliseconds, in plain digits.
fn milliseconds(timestamp: &str) -> Option<i64> {
    if !timestamp.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i64 = timestamp.parse().ok()?;
    if number > LARGEST_SECONDS { Some(number) } else { Some(number * 1000) }
}

/// The headers that a delivery of `body` carries when it is signed with `secret` as given: what `docket send` posts.
pub fn sign(
    scheme: Scheme,
    secret: &SecretString,
    at_seconds: i64,
    body: &[u8],
) -> Vec<(&'static str, String)> {
    use base64::Engine;
    let state = State::new(secret.expose_secret().as_bytes());
    let tag = state.over(&[at_seconds.to_string().as_bytes(), body]).bytes();
    match scheme {
        Scheme::FastioV1Base64 => {
            let signature = base64::engine::general_purpose::STANDARD.encode(tag);
            vec![("fastio-signature", format!("t={at_seconds},v1={signature}"))]
        }
        Scheme::XFastioSha256Hex => vec![
            ("x-fastio-signature", format!("sha256={}", hex::encode(tag))),
            (TIMESTAMP_HEADERS[0], at_seconds.to_string()),
        ],
    }
}
