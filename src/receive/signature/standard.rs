//! Standard Webhooks (standardwebhooks.com, version 1.0.0), by which OpenAI signs its webhooks.
//!
//! Signed are the id, the time and the raw body with dots between them: `webhook-id`, `webhook-timestamp` (Unix seconds)
//! and `webhook-signature`, a list of `v1,<base64>` parted by spaces. A secret is `whsec_` and base64; without the prefix
//! OpenAI's official library takes its bytes as they are, and so does this. Other versions of signatures in the list are
//! passed over, as the specification wants.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::header::decode_base64;
use super::mac::{SIGNATURE_BYTES, State, near};
use super::{LEAST_KEY_BYTES, MAX_CLAIMS, Rejected};

pub const ID: &str = "webhook-id";
pub const TIMESTAMP: &str = "webhook-timestamp";
pub const SIGNATURE: &str = "webhook-signature";

/// How far a delivery's time may be from ours, in seconds: what OpenAI's official library allows.
pub const TOLERANCE_SECONDS: u32 = 300;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// Ids are a few dozen characters. They are kept to tell duplicates, so they must not be a way to fill a disk.
const MAX_ID_BYTES: usize = 256;

/// A secret that cannot be used. Names no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    #[error("no webhook secret is configured")]
    None,
    #[error("webhook secret number {0} is not base64 after `whsec_`")]
    NotBase64(usize),
    #[error("webhook secret number {0} is shorter than {LEAST_KEY_BYTES} bytes")]
    TooShort(usize),
}

/// Proof that a delivery came from a holder of one of our secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The delivery's id. The same again is the same delivery again.
    pub id: String,
    /// Counted from 0, in the order of the configuration.
    pub secret_index: usize,
    /// Its time is farther from ours than is usual. It is as right as any other, and worth a look.
    pub is_late: bool,
}

/// What the headers of a delivery claim.
struct Claimed<'h> {
    id: &'h str,
    timestamp: &'h str,
    is_late: bool,
    signatures: Vec<[u8; SIGNATURE_BYTES]>,
}

/// Checks deliveries against a list of secrets: two while one replaces the other. Holds keyed states only, and prints none
/// of them.
pub struct Verifier {
    keys: Vec<State>,
    tolerance_seconds: u32,
    late_seconds: u32,
}

impl Verifier {
    /// # Errors
    /// When there is no secret, or one of them cannot be used: a typing error must not be found out by lost deliveries.
    pub fn new(secrets: &[SecretString], tolerance_seconds: u32) -> Result<Verifier, BadSecret> {
        if secrets.is_empty() {
            return Err(BadSecret::None);
        }
        let key = |(place, secret): (usize, &SecretString)| Ok(State::new(&bytes(secret, place + 1)?));
        let keys = secrets.iter().enumerate().map(key).collect::<Result<_, _>>()?;
        Ok(Verifier { keys, tolerance_seconds, late_seconds: 0 })
    }

    /// The same, but what was signed up to `seconds` before or after now is let in too, as late.
    pub fn taking_late(self, seconds: u32) -> Verifier {
        Verifier { late_seconds: seconds, ..self }
    }

    /// Whether a delivery with these headers can be let in at all, whatever its body is. `now` is Unix milliseconds.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn precheck(&self, headers: &HeaderMap, now: i64) -> Result<(), Rejected> {
        self.claimed(headers, now).map(drop)
    }

    /// Looks at every pair of key and signature and only then answers, so that the time taken tells nothing about which
    /// pair matched. `now` is Unix milliseconds.
    ///
    /// # Errors
    /// Why it was not let in: for logs and counters, never for the sender.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: i64) -> Result<Signed, Rejected> {
        let Claimed { id, timestamp, is_late, signatures } = self.claimed(headers, now)?;
        let mut matched = None;
        for (secret_index, key) in self.keys.iter().enumerate() {
            let tag = key.over(&[id.as_bytes(), timestamp.as_bytes(), body]);
            for signature in &signatures {
                let matches = tag.is(signature);
                if matches && matched.is_none() {
                    matched = Some(secret_index);
                }
            }
        }
        let secret_index = matched.ok_or(Rejected::Mismatch)?;
        Ok(Signed { id: id.to_owned(), secret_index, is_late })
    }

    fn claimed<'h>(&self, headers: &'h HeaderMap, now: i64) -> Result<Claimed<'h>, Rejected> {
        let one = |name| {
            let mut values = headers.get_all(name).iter();
            // With two of them it would not be clear which is signed.
            values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok())
        };
        let signatures = signatures(headers)?;
        let id =
            one(ID).filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES).ok_or(Rejected::MissingId)?;
        let timestamp = one(TIMESTAMP).ok_or(Rejected::MissingTimestamp)?;
        let at = seconds(timestamp)?.saturating_mul(1000);
        let is_late = near(at, now, self.tolerance_seconds).is_ne();
        match near(at, now, self.tolerance_seconds.max(self.late_seconds)) {
            std::cmp::Ordering::Less => Err(Rejected::TooOld),
            std::cmp::Ordering::Greater => Err(Rejected::TooNew),
            std::cmp::Ordering::Equal => Ok(Claimed { id, timestamp, is_late, signatures }),
        }
    }
}

fn bytes(secret: &SecretString, number: usize) -> Result<Vec<u8>, BadSecret> {
    let secret = secret.expose_secret().trim();
    let bytes = match secret.strip_prefix(PREFIX) {
        Some(tail) => decode_base64(tail).ok_or(BadSecret::NotBase64(number))?,
        None => secret.as_bytes().to_vec(),
    };
    if bytes.len() < LEAST_KEY_BYTES { Err(BadSecret::TooShort(number)) } else { Ok(bytes) }
}

fn signatures(headers: &HeaderMap) -> Result<Vec<[u8; SIGNATURE_BYTES]>, Rejected> {
    let mut why = Rejected::MissingSignature;
    let mut signatures = Vec::new();
    for value in headers.get_all(SIGNATURE) {
        why = Rejected::UnreadableSignature;
        for item in value.to_str().unwrap_or_default().split_ascii_whitespace() {
            let Some(("v1", text)) = item.split_once(',') else { continue };
            signatures.extend(
                STANDARD.decode(text).ok().and_then(|bytes| <[u8; SIGNATURE_BYTES]>::try_from(bytes).ok()),
            );
        }
    }
    match signatures.len() {
        0 => Err(why),
        many if many > MAX_CLAIMS => Err(Rejected::TooManySignatures),
        _ => Ok(signatures),
    }
}

/// Unix seconds in plain digits: what is signed is the text, so it must have one reading only.
fn seconds(timestamp: &str) -> Result<i64, Rejected> {
    let digits = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    timestamp.parse().ok().filter(|_| digits).ok_or(Rejected::UnreadableTimestamp)
}

/// The headers that a delivery of `body` carries when it is signed with `secret`.
///
/// # Errors
/// When the secret cannot be used.
pub fn sign(
    secret: &SecretString,
    id: &str,
    at_seconds: i64,
    body: &[u8],
) -> Result<[(&'static str, String); 3], BadSecret> {
    let at = at_seconds.to_string();
    let tag = State::new(&bytes(secret, 1)?).over(&[id.as_bytes(), at.as_bytes(), body]);
    let signature = format!("v1,{}", STANDARD.encode(tag.bytes()));
    Ok([(ID, id.to_owned()), (TIMESTAMP, at), (SIGNATURE, signature)])
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    /// The example in the specification's own libraries and its web page.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const MESSAGE: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn verifier(secrets: &[&str]) -> Verifier {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        Verifier::new(&secrets, TOLERANCE_SECONDS).unwrap()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn check(signature: &str) -> Result<Signed, Rejected> {
        let headers = headers(&[(ID, MESSAGE), (TIMESTAMP, "1614265330"), (SIGNATURE, signature)]);
        verifier(&[SECRET]).verify(&headers, BODY, AT * 1000)
    }

    #[test]
    fn the_published_example_is_accepted_and_made() {
        assert_eq!(check(SIGNED), Ok(Signed { id: MESSAGE.into(), secret_index: 0, is_late: false }));
        let made = sign(&SECRET.into(), MESSAGE, AT, BODY).unwrap();
        assert_eq!(made, [(ID, MESSAGE.into()), (TIMESTAMP, AT.to_string()), (SIGNATURE, SIGNED.into())]);
    }

    #[test]
    fn one_right_signature_in_the_list_is_enough() {
        let wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
        for list in [
            format!("{wrong} {SIGNED}"),
            format!("{SIGNED} {wrong}"),
            format!("v1a,AAAA v2,{} {SIGNED}", &SIGNED[3..]),
        ] {
            assert!(check(&list).is_ok(), "{list}");
        }
        assert_eq!(check(wrong), Err(Rejected::Mismatch));
    }

    #[test]
    fn either_secret_of_a_rotation_is_accepted_and_told_apart() {
        let both = verifier(&["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SECRET]);
        let headers = headers(&[(ID, MESSAGE), (TIMESTAMP, "1614265330"), (SIGNATURE, SIGNED)]);
        assert_eq!(both.verify(&headers, BODY, AT * 1000).unwrap().secret_index, 1);
    }

    #[test]
    fn a_secret_without_the_prefix_is_taken_as_it_is() {
        let raw = "a secret that is not base64";
        let made = sign(&raw.into(), MESSAGE, AT, BODY).unwrap();
        let pairs = made.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert!(verifier(&[raw]).verify(&headers(&pairs), BODY, AT * 1000).is_ok());
    }

    #[test]
    fn a_secret_that_cannot_be_used_is_told_by_its_number() {
        let new = |secrets: &[&str]| {
            let secrets: Vec<SecretString> =
                secrets.iter().map(|secret| SecretString::from(*secret)).collect();
            Verifier::new(&secrets, TOLERANCE_SECONDS).err()
        };
        assert_eq!(new(&[]), Some(BadSecret::None));
        assert_eq!(new(&[SECRET, "whsec_***"]), Some(BadSecret::NotBase64(2)));
        for short in ["whsec_", "whsec_dGVzdA==", "", "short"] {
            assert_eq!(new(&[short]), Some(BadSecret::TooShort(1)), "{short}");
        }
    }

    #[test]
    fn what_is_missing_or_doubled_or_unreadable_has_its_reason() {
        let at = AT * 1000;
        let check = |pairs: &[(&'static str, &str)]| verifier(&[SECRET]).verify(&headers(pairs), BODY, at);
        let (id, time, signed) = ((ID, MESSAGE), (TIMESTAMP, "1614265330"), (SIGNATURE, SIGNED));
        assert_eq!(check(&[id, time]), Err(Rejected::MissingSignature));
        assert_eq!(check(&[id, time, (SIGNATURE, "v1")]), Err(Rejected::UnreadableSignature));
        assert_eq!(check(&[id, time, (SIGNATURE, "v1,AAAA")]), Err(Rejected::UnreadableSignature));
        assert_eq!(check(&[time, signed]), Err(Rejected::MissingId));
        assert_eq!(check(&[id, (ID, "other"), time, signed]), Err(Rejected::MissingId));
        assert_eq!(check(&[id, signed]), Err(Rejected::MissingTimestamp));
        for time in ["", "+1614265330", "1614265330.0", " ", "now", "99999999999999999999"] {
            assert_eq!(check(&[id, (TIMESTAMP, time), signed]), Err(Rejected::UnreadableTimestamp), "{time}");
        }
        let many = format!("{SIGNED} ").repeat(MAX_CLAIMS + 1);
        assert_eq!(check(&[id, time, (SIGNATURE, &many)]), Err(Rejected::TooManySignatures));
    }

    #[test]
    fn a_delivery_must_be_fresh() {
        let headers = headers(&[(ID, MESSAGE), (TIMESTAMP, "1614265330"), (SIGNATURE, SIGNED)]);
        let at = |seconds: i64| verifier(&[SECRET]).verify(&headers, BODY, seconds * 1000);
        assert!(at(AT + 300).is_ok() && at(AT - 300).is_ok());
        assert_eq!(at(AT + 301), Err(Rejected::TooOld));
        assert_eq!(at(AT - 301), Err(Rejected::TooNew));
        let late = verifier(&[SECRET]).taking_late(3600);
        let at = |seconds: i64| late.verify(&headers, BODY, seconds * 1000).map(|signed| signed.is_late);
        assert_eq!(
            (at(AT + 300), at(AT + 301), at(AT + 3600), at(AT - 301)),
            (Ok(false), Ok(true), Ok(true), Ok(true))
        );
        assert_eq!((at(AT + 3601), at(AT - 3601)), (Err(Rejected::TooOld), Err(Rejected::TooNew)));
    }

    proptest! {
        #[test]
        fn one_changed_bit_of_anything_signed_is_refused(
            mut body in prop::collection::vec(any::<u8>(), 1..200),
            place in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let made = sign(&SECRET.into(), MESSAGE, AT, &body).unwrap();
            let pairs = made.each_ref().map(|(name, value)| (*name, value.as_str()));
            let (verifier, signed) = (verifier(&[SECRET]), headers(&pairs));
            prop_assert!(verifier.verify(&signed, &body, AT * 1000).is_ok());
            let mut moved = signed.clone();
            moved.insert(TIMESTAMP, HeaderValue::from(AT + 1));
            prop_assert_eq!(verifier.verify(&moved, &body, AT * 1000), Err(Rejected::Mismatch));
            let mut other = signed.clone();
            other.insert(ID, HeaderValue::from_static("msg_other"));
            prop_assert_eq!(verifier.verify(&other, &body, AT * 1000), Err(Rejected::Mismatch));
            let place = place.index(body.len());
            body[place] ^= 1_u8 << bit;
            prop_assert_eq!(verifier.verify(&signed, &body, AT * 1000), Err(Rejected::Mismatch));
        }
    }
}
