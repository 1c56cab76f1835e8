//! A delivery's headers and body: nobody but a holder of the secret gets in, and whatever comes gives a verdict.
#![no_main]

use docket::receive::signature::{Accept, Policy, Scheme, Verifier, sign};
use ground::pieces;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_790_000_000_000;

fuzz_target!(|data: &[u8]| {
    let [head, body] = pieces(data);
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n').take(50) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii()))
        {
            headers.append(name, value);
        }
    }
    let secret = "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==".into();
    let policy = Policy {
        accept: Accept::Auto,
        tolerance_seconds: 300,
        timestamp_header: HeaderName::from_static("x-fastio-timestamp"),
    };
    let verifier = Verifier::new(std::slice::from_ref(&secret), policy).expect("there is a secret");
    assert!(verifier.verify(&headers, body, NOW).is_err(), "a forged delivery got in");
    for scheme in [Scheme::FastioV1Base64, Scheme::XFastioSha256Hex] {
        let mut signed = HeaderMap::new();
        for (name, value) in sign(scheme, &secret, NOW / 1000, body) {
            signed.append(
                HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                value.parse().expect("a value"),
            );
        }
        verifier.verify(&signed, body, NOW).expect("what is signed gets in");
    }
});
