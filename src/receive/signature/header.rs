//! Reads the signatures that a delivery claims out of its headers. Says nothing about whether they are right.

use axum::http::{HeaderMap, HeaderName};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::mac::SIGNATURE_BYTES;
use super::{Rejected, Scheme};

/// Either may carry either scheme: the guides disagree about the names, and a wrong guess would refuse every delivery.
const SIGNATURE_HEADERS: [&str; 2] = ["fastio-signature", "x-fastio-signature"];

/// One signature that a header presents, and the time it says it was made, exactly as written: that text is signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim<'h> {
    pub scheme: Scheme,
    pub signature: [u8; SIGNATURE_BYTES],
    pub timestamp: &'h str,
}

/// Every readable signature, paired with its own time or, where it has none, with each time that another header gives.
pub fn claims<'h>(
    headers: &'h HeaderMap,
    timestamp_headers: &[HeaderName],
) -> Result<Vec<Claim<'h>>, Rejected> {
    let outside: Vec<&str> = timestamp_headers
        .iter()
        .flat_map(|name| headers.get_all(name))
        .filter_map(|value| value.to_str().ok().map(str::trim))
        .collect();
    let mut claims = Vec::new();
    let mut why = Rejected::MissingSignature;
    for value in SIGNATURE_HEADERS.iter().flat_map(|name| headers.get_all(*name)) {
        let presented = value.to_str().map(Presented::read).unwrap_or_default();
        if presented.signatures.is_empty() {
            why = why.max(Rejected::UnreadableSignature);
            continue;
        }
        let timestamps = match &presented.timestamp {
            Some(own) => std::slice::from_ref(own),
            None => outside.as_slice(),
        };
        if timestamps.is_empty() {
            why = why.max(Rejected::MissingTimestamp);
        }
        for (scheme, signature) in &presented.signatures {
            for timestamp in timestamps {
                claims.push(Claim { scheme: *scheme, signature: *signature, timestamp });
            }
        }
    }
    if claims.is_empty() { Err(why) } else { Ok(claims) }
}

/// One header value, taken apart.
#[derive(Default)]
struct Presented<'h> {
    timestamp: Option<&'h str>,
    signatures: Vec<(Scheme, [u8; SIGNATURE_BYTES])>,
}

impl<'h> Presented<'h> {
    /// Splits each item at its first `=` only: base64 ends in `=`, which trips the guide's own example.
    fn read(value: &'h str) -> Presented<'h> {
        let mut presented = Presented::default();
        for item in value.split(',').map(str::trim) {
            let (scheme, text) = match item.split_once('=') {
                Some(("t", timestamp)) => {
                    presented.timestamp.get_or_insert(timestamp.trim());
                    continue;
                }
                Some(("v1", signature)) => (Scheme::FastioV1Base64, signature),
                Some(("sha256", signature)) => (Scheme::XFastioSha256Hex, signature),
                // Without a name in front, the `=` can only be padding.
                _ => (Scheme::XFastioSha256Hex, item),
            };
            if let Some(signature) = decode(text.trim()) {
                presented.signatures.push((scheme, signature));
            }
        }
        presented
    }
}

/// Hex or either base64, told apart by length.
fn decode(text: &str) -> Option<[u8; SIGNATURE_BYTES]> {
    let bytes =
        if text.len() == 2 * SIGNATURE_BYTES { hex::decode(text).ok()? } else { decode_base64(text)? };
    bytes.try_into().ok()
}

/// Standard or URL-safe alphabet, with or without padding.
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}
