use axum::http::HeaderValue;
use proptest::prelude::*;

use super::*;

const SECRET: &str = "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==";
const AT: &str = "1694206100";
const NOW: i64 = 1_694_206_100_000;
const BODY: &[u8] = br#"{"event_id":"evt_1","event":"workspace_storage_file_added","created":"2026-09-25 21:40:11 UTC","workspace_id":"4829105738291047362","object_id":"2abcd-efghj-kmnpq-rstuv-wxyz3-4567"}"#;
const WHOLE_BASE64: &str = "8RWQedacQ1/xUQP1btadHXojORLIXw6hFKogKSBguuA=";
const WHOLE_HEX: &str = "f1159079d69c435ff15103f56ed69d1d7a233912c85f0ea114aa20292060bae0";
const DECODED_BASE64: &str = "WxzUcqqmZVxRxQec5TkQHfl1ZphRREcTUBbu/OTVyfM=";
const DECODED_HEX: &str = "5b1cd472aaa6655c51c5079ce539101df9756698514447135016eefce4d5c9f3";
const TEXT_BASE64: &str = "UENteVfAO7cubkpogypfZVlspSJENXMSwF+qYslX9eI=";
const TEXT_HEX: &str = "50436d7957c03bb72e6e4a68832a5f65596ca52244357312c05faa62c957f5e2";
const BODY_ONLY_HEX: &str = "ea6b759103629ce140a6cc88b3cac66d3bd0a00e699f4c00634346fb6866944d";

fn verifier(secrets: &[&str], accept: Accept) -> Verifier {
    let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
    let timestamp_header = HeaderName::from_static("x-fastio-timestamp");
    Verifier::new(&secrets, Policy { accept, tolerance_seconds: 300, timestamp_header }).unwrap()
}

fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn check(pairs: &[(&'static str, String)]) -> Result<Signed, Rejected> {
    verifier(&[SECRET], Accept::Auto).verify(&headers(pairs), BODY, NOW)
}

#[test]
fn every_reading_of_the_secret_is_accepted_in_both_documented_schemes() {
    use KeyForm::{AsGiven, TailDecoded, TailText};
    let vectors = [
        (WHOLE_BASE64, WHOLE_HEX, AsGiven),
        (DECODED_BASE64, DECODED_HEX, TailDecoded),
        (TEXT_BASE64, TEXT_HEX, TailText),
    ];
    for (base64, hex, key_form) in vectors {
        let in_one = [("fastio-signature", format!("t={AT},v1={base64}"))];
        let scheme = Scheme::FastioV1Base64;
        assert_eq!(
            check(&in_one),
            Ok(Signed { by: Verified { scheme, secret_index: 0, key_form }, at: NOW, is_late: false })
        );
        let apart = [("x-fastio-signature", format!("sha256={hex}")), ("x-fastio-timestamp", AT.into())];
        let scheme = Scheme::XFastioSha256Hex;
        assert_eq!(
            check(&apart),
            Ok(Signed { by: Verified { scheme, secret_index: 0, key_form }, at: NOW, is_late: false })
        );
    }
}

#[test]
fn variants_that_the_guides_leave_open_are_accepted() {
    let url_safe = WHOLE_BASE64.replace('/', "_").replace('+', "-");
    let unpadded = url_safe.trim_end_matches('=');
    for (value, time) in [
        (format!("t={AT},v1={WHOLE_HEX}"), None),
        (format!("t={AT}, v1={unpadded}"), None),
        (format!("v1={WHOLE_BASE64},t={AT}"), None),
        (format!("t={AT},v1=AAAA,v1={TEXT_BASE64},v0=x"), None),
        (WHOLE_HEX.to_owned(), Some("fastio-timestamp")),
        (WHOLE_BASE64.to_owned(), Some("x-fastio-request-timestamp")),
        (format!("v1={WHOLE_BASE64}"), Some("x-fastio-timestamp")),
        (format!("sha256={}", WHOLE_HEX.to_uppercase()), Some("x-fastio-timestamp")),
    ] {
        for name in ["fastio-signature", "x-fastio-signature"] {
            let mut pairs = vec![(name, value.clone())];
            pairs.extend(time.map(|time| (time, AT.to_owned())));
            assert!(check(&pairs).is_ok(), "{name}: {value}");
        }
    }
}

#[test]
fn the_second_secret_of_a_rotation_is_told_apart() {
    let both = verifier(&["the-new-secret-of-the-rotation", SECRET], Accept::Auto);
    let signed = headers(&[("fastio-signature", format!("t={AT},v1={WHOLE_BASE64}"))]);
    assert_eq!(both.verify(&signed, BODY, NOW).unwrap().by.secret_index, 1);
}

#[test]
fn a_secret_declared_as_hex_is_decoded_and_a_short_one_is_not() {
    let declared = format!("hex:{}", hex::encode(b"test-secret-1234567890"));
    let signed = headers(&[("fastio-signature", format!("t={AT},v1={DECODED_BASE64}"))]);
    let verified = verifier(&[&declared], Accept::Auto).verify(&signed, BODY, NOW).unwrap();
    assert_eq!(verified.by.key_form, KeyForm::Declared);
    let short = keys::all(&["whsec_dGVzdA==".into()]).unwrap();
    assert!(short.iter().all(|key| key.form != KeyForm::TailDecoded));
}

#[test]
fn the_body_alone_is_not_what_must_be_signed() {
    let pairs =
        [("x-fastio-signature", format!("sha256={BODY_ONLY_HEX}")), ("x-fastio-timestamp", AT.into())];
    assert_eq!(check(&pairs), Err(Rejected::Mismatch));
}

#[test]
fn a_time_may_be_milliseconds_and_must_be_near() {
    let at = |now_seconds: i64| {
        let signed = headers(&[("fastio-signature", format!("t={AT},v1={WHOLE_BASE64}"))]);
        verifier(&[SECRET], Accept::Auto).verify(&signed, BODY, now_seconds * 1000)
    };
    assert!(at(1_694_206_100 + 300).is_ok());
    assert_eq!(at(1_694_206_100 + 301), Err(Rejected::TooOld));
    assert!(at(1_694_206_100 - 300).is_ok());
    assert_eq!(at(1_694_206_100 - 301), Err(Rejected::TooNew));
    let secret = SecretString::from(SECRET);
    let in_ms: Vec<_> = sign(Scheme::FastioV1Base64, &secret, NOW, BODY);
    assert!(check(&in_ms).is_ok());
}

#[test]
fn what_is_missing_or_unreadable_has_its_reason() {
    let value = |text: &str| check(&[("fastio-signature", text.to_owned())]);
    assert_eq!(check(&[]), Err(Rejected::MissingSignature));
    assert_eq!(value(""), Err(Rejected::UnreadableSignature));
    assert_eq!(value(&format!("t={AT},v1=abc123")), Err(Rejected::UnreadableSignature));
    assert_eq!(value(&format!("sha256={WHOLE_HEX}")), Err(Rejected::MissingTimestamp));
    assert_eq!(value(&format!("t=-1,v1={WHOLE_BASE64}")), Err(Rejected::UnreadableTimestamp));
    assert_eq!(value(&format!("t=,v1={WHOLE_BASE64}")), Err(Rejected::UnreadableTimestamp));
    let many = format!("v1={WHOLE_BASE64},").repeat(MAX_CLAIMS + 1);
    assert_eq!(value(&format!("t={AT},{many}")), Err(Rejected::TooManySignatures));
}

#[test]
fn a_pinned_scheme_refuses_the_other_one() {
    let in_one = headers(&[("fastio-signature", format!("t={AT},v1={WHOLE_BASE64}"))]);
    let pinned = |accept| verifier(&[SECRET], accept).verify(&in_one, BODY, NOW);
    assert!(pinned(Accept::FastioV1Base64).is_ok());
    assert_eq!(pinned(Accept::XFastioSha256Hex), Err(Rejected::SchemeNotAccepted));
}

#[test]
fn a_time_header_of_another_name_can_be_configured() {
    let secrets = [SecretString::from(SECRET)];
    let timestamp_header = HeaderName::from_static("x-sent-at");
    let policy = Policy { accept: Accept::Auto, tolerance_seconds: 300, timestamp_header };
    let signed = headers(&[("x-fastio-signature", format!("sha256={WHOLE_HEX}")), ("x-sent-at", AT.into())]);
    assert!(Verifier::new(&secrets, policy).unwrap().verify(&signed, BODY, NOW).is_ok());
}

#[test]
fn without_a_secret_there_is_no_verifier_and_the_error_says_what_to_set() {
    for secrets in [vec![], vec![SecretString::from("  ")], vec![SecretString::from("whsec_")]] {
        let timestamp_header = HeaderName::from_static("x-fastio-timestamp");
        let policy = Policy { accept: Accept::Auto, tolerance_seconds: 300, timestamp_header };
        let error = Verifier::new(&secrets, policy).err().unwrap().to_string();
        assert!(error.contains("FASTIO_WEBHOOK_SECRET"), "{error}");
    }
}

fn scheme() -> impl Strategy<Value = Scheme> {
    prop_oneof![Just(Scheme::FastioV1Base64), Just(Scheme::XFastioSha256Hex)]
}

proptest! {
    #[test]
    fn any_headers_and_body_give_a_verdict(
        values in prop::collection::vec((0..5_usize, prop::collection::vec(any::<u8>(), 0..80)), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let names = ["fastio-signature", "x-fastio-signature", "x-fastio-timestamp", "fastio-timestamp", "other"];
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(names[name], value);
            }
        }
        prop_assert!(verifier(&[SECRET], Accept::Auto).verify(&headers, &body, NOW).is_err());
    }

    #[test]
    fn what_is_signed_is_accepted_and_one_changed_bit_of_the_body_is_not(
        scheme in scheme(),
        mut body in prop::collection::vec(any::<u8>(), 1..200),
        place in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let signed = headers(&sign(scheme, &SECRET.into(), NOW / 1000, &body));
        let verifier = verifier(&[SECRET], Accept::Auto);
        prop_assert!(verifier.verify(&signed, &body, NOW).is_ok());
        let place = place.index(body.len());
        body[place] ^= 1_u8 << bit;
        prop_assert_eq!(verifier.verify(&signed, &body, NOW), Err(Rejected::Mismatch));
    }

    #[test]
    fn one_changed_bit_of_the_signature_or_a_changed_time_is_refused(
        byte in 0..32_usize,
        bit in 0..8_u32,
        seconds in 1..300_i64,
    ) {
        let mut signature = hex::decode(WHOLE_HEX).unwrap();
        signature[byte] ^= 1_u8 << bit;
        let changed = [
            ("x-fastio-signature", format!("sha256={}", hex::encode(signature))),
            ("x-fastio-timestamp", AT.to_owned()),
        ];
        prop_assert_eq!(check(&changed), Err(Rejected::Mismatch));
        let at = NOW / 1000 + seconds;
        let moved = [("fastio-signature", format!("t={at},v1={WHOLE_BASE64}"))];
        prop_assert_eq!(check(&moved), Err(Rejected::Mismatch));
    }

    #[test]
    fn one_right_signature_among_wrong_ones_is_enough(
        wrong in prop::collection::vec(any::<[u8; 32]>(), 0..8),
        place in any::<prop::sample::Index>(),
    ) {
        use base64::Engine;
        let mut items: Vec<String> =
            wrong.iter().map(|w| format!("v1={}", base64::engine::general_purpose::STANDARD.encode(w))).collect();
        items.insert(place.index(items.len() + 1), format!("v1={WHOLE_BASE64}"));
        let value = format!("t={AT},{}", items.join(","));
        prop_assert!(check(&[("fastio-signature", value)]).is_ok());
    }
}
