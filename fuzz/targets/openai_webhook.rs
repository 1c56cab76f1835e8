//! OpenAI's webhook: headers and body, as for Fastio's; and what the body says.
#![no_main]

use docket::receive::hint;
use docket::receive::signature::standard::{TOLERANCE_SECONDS, Verifier};
use ground::pieces;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_790_000_000_000;

fuzz_target!(|data: &[u8]| {
    let [id, time, signature, body] = pieces(data);
    let mut headers = HeaderMap::new();
    for (name, value) in [("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", signature)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    let secret = ["whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==".into()];
    let verifier = Verifier::new(&secret, TOLERANCE_SECONDS).expect("the secret is right");
    assert!(verifier.verify(&headers, body, NOW).is_err(), "a forged webhook got in");
    if let Ok(Some(response)) = hint::response(body) {
        assert!(!response.is_empty());
    }
});
