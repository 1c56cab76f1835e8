//! Signatures of webhooks, in each way that a guide on fast.io describes. None of the ways is authoritative: Fastio's API
//! reference describes no file webhook at all.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use crate::{Scheme, Webhook};

/// Shorter decoded secrets are no secrets; a verifier refuses them as keys.
const MIN_KEY_BYTES: usize = 16;

/// A signature of the right form and the wrong key, such as the other secret of a rotation leaves.
const OTHER: [u8; 32] = [0x5a; 32];

/// How one delivery is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `Fastio-Signature: t=…,v1=<base64>`
    V1Base64,
    /// `Fastio-Signature: t=…,v1=<hex>`
    V1Hex,
    /// `Fastio-Signature: t=…,v1=<of another secret>,v1=<base64>`
    V1Rotated,
    /// `X-Fastio-Signature: sha256=<hex>` with the time in `X-Fastio-Timestamp` (that name is inferred).
    Sha256Hex,
    /// The same in base64.
    Sha256Base64,
}

/// The ways that a mixed subscription takes turns in.
const STYLES: [Style; 5] =
    [Style::V1Base64, Style::Sha256Hex, Style::V1Hex, Style::Sha256Base64, Style::V1Rotated];

/// The headers of the delivery of event `seq`, sent at `now` (Unix seconds).
pub fn headers(webhook: &Webhook, seq: u64, now: i64, body: &str) -> HeaderMap {
    let mixed = webhook.scheme == Scheme::Mixed;
    let style = match webhook.scheme {
        Scheme::FastioBase64 | Scheme::Guide => Style::V1Base64,
        Scheme::FastioHex => Style::V1Hex,
        Scheme::XFastioSha256 => Style::Sha256Hex,
        Scheme::Mixed => STYLES[usize::try_from(seq % STYLES.len() as u64).expect("less than five")],
    };
    let key = key(webhook.secret.expose_secret(), mixed && seq % 3 == 2);
    let mac = mac(&key, now, body);
    let (base64, hex) = (STANDARD.encode(mac), hex::encode(mac));
    let other = STANDARD.encode(OTHER);
    let pairs = match style {
        Style::V1Base64 => vec![("fastio-signature", format!("t={now},v1={base64}"))],
        Style::V1Hex => vec![("fastio-signature", format!("t={now},v1={hex}"))],
        Style::V1Rotated => vec![("fastio-signature", format!("t={now},v1={other},v1={base64}"))],
        Style::Sha256Hex => {
            vec![("x-fastio-signature", format!("sha256={hex}")), ("x-fastio-timestamp", now.to_string())]
        }
        Style::Sha256Base64 => {
            vec![("x-fastio-signature", format!("sha256={base64}")), ("x-fastio-timestamp", now.to_string())]
        }
    };
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("user-agent", HeaderValue::from_static("docket-sandbox"));
    for (name, value) in pairs {
        let value = HeaderValue::from_str(&value).expect("digits and base64 make a header");
        headers.insert(HeaderName::from_static(name), value);
    }
    headers
}

/// The secret as it is given or, of a `whsec_` secret, its tail decoded.
fn key(secret: &str, decoded: bool) -> Vec<u8> {
    let tail = secret.strip_prefix("whsec_").filter(|_| decoded);
    let tail = tail.and_then(|tail| STANDARD.decode(tail).ok()).filter(|key| key.len() >= MIN_KEY_BYTES);
    tail.unwrap_or_else(|| secret.as_bytes().to_vec())
}

fn mac(key: &[u8], now: i64, body: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(now.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::{Scheme, Webhook, headers};

    const BODY: &str = r#"{"event_id":"evt_1","event":"workspace_storage_file_added","created":"2026-09-25 21:40:11 UTC","workspace_id":"4829105738291047362","object_id":"2abcd-efghj-kmnpq-rstuv-wxyz3-4567"}"#;

    fn signed(scheme: Scheme, seq: u64) -> String {
        let url = "http://127.0.0.1/".parse().unwrap();
        let secret = "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==".to_owned().into();
        format!("{:?}", headers(&Webhook { url, secret, scheme }, seq, 1_694_206_100, BODY))
    }

    #[test]
    fn signatures_agree_with_vectors_computed_elsewhere() {
        let whole = "8RWQedacQ1/xUQP1btadHXojORLIXw6hFKogKSBguuA=";
        assert!(signed(Scheme::FastioBase64, 1).contains(&format!("t=1694206100,v1={whole}")));
        let hex = "f1159079d69c435ff15103f56ed69d1d7a233912c85f0ea114aa20292060bae0";
        assert!(signed(Scheme::XFastioSha256, 1).contains(&format!("sha256={hex}")));
        // The decoded tail of the secret is one of the keys of a mixed subscription.
        assert!(signed(Scheme::Mixed, 5).contains("WxzUcqqmZVxRxQec5TkQHfl1ZphRREcTUBbu/OTVyfM="));
    }
}
