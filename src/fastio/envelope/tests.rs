use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::json;

use super::{Envelope, Refusal, time};
use crate::http::value::text;
use crate::http::{Head, Reply};

fn envelope(value: serde_json::Value) -> Envelope {
    let head = Head { status: StatusCode::OK, headers: HeaderMap::new() };
    Envelope::open(&Reply { head, body: value.to_string().into(), room: None }).unwrap()
}

fn refusal(value: serde_json::Value) -> Option<Refusal> {
    envelope(value).refusal()
}

#[test]
fn a_payload_is_found_at_the_root_and_under_response() {
    for value in [
        json!({"result": true, "status": "ok", "token": "t"}),
        json!({"result": "yes", "response": {"token": "t"}}),
        json!({"token": "t"}),
    ] {
        let envelope = envelope(value);
        assert_eq!(envelope.refusal(), None);
        assert_eq!(envelope.get("token").and_then(text).as_deref(), Some("t"));
    }
}

#[test]
fn the_documented_error_is_read() {
    let error = refusal(json!({"result": false, "error": {"code": 195654, "text": "Human-readable message",
        "documentation_url": "https://api.fast.io/llms.txt", "resource": "POST /current/user/"}}));
    let message = Some("Human-readable message".to_owned());
    let documented = true;
    assert_eq!(
        error,
        Some(Refusal { code: Some("195654".into()), message, documented, ..Refusal::default() })
    );
}

#[test]
fn every_dress_of_an_error_is_read() {
    let plain = |code: &str, message: &str| {
        Some(Refusal { code: Some(code.into()), message: Some(message.into()), ..Refusal::default() })
    };
    assert_eq!(
        refusal(json!({"result": "no", "error": {"code": "9992", "message": "x"}})),
        plain("9992", "x").map(|refusal| Refusal { documented: true, ..refusal })
    );
    assert_eq!(refusal(json!({"result": false, "error_message": "x", "error_id": 7})), plain("7", "x"));
    assert_eq!(refusal(json!({"error": {"code": 158008, "text": "x"}})), plain("158008", "x"));
    assert_eq!(refusal(json!({"result": false, "error": "x"})).unwrap().message.as_deref(), Some("x"));
    assert_eq!(refusal(json!({"result": false})), Some(Refusal::default()));
}

#[test]
fn the_reason_is_found_in_both_forms_of_params() {
    let error = refusal(json!({"result": false, "error": {"code": 187907, "text": "Old.",
        "params": {"reason": "cursor_expired"}}}));
    assert_eq!(error.unwrap().reason.as_deref(), Some("cursor_expired"));
    let error = refusal(json!({"result": false, "error": {"code": 1, "text": "Conflict.", "params": [
        {"name": "x", "kind": "y"},
        {"reason": "conflict_version_mismatch", "current_version_id": "3abc"}]}}));
    assert_eq!(error.unwrap().reason.as_deref(), Some("conflict_version_mismatch"));
}

#[test]
fn the_message_names_the_parameter_that_is_wrong() {
    let error =
        refusal(json!({"result": false, "error": {"code": 205516, "text": "Invalid input.", "params": [
        {"name": "lock_token", "kind": "missing", "message": "lock_token: This field is missing.", "code": 1},
        {"name": "page_size", "message": "must be 100, 250 or 500"}]}}));
    let expected = "Invalid input; lock_token: This field is missing; page_size: must be 100, 250 or 500";
    assert_eq!(error.unwrap().message.as_deref(), Some(expected));
}

#[test]
fn what_failed_of_several_is_heard() {
    let errors = json!([{"node_id": "2a", "code": 133123, "message": "Not found."},
        {"node_id": "2b", "code": "146256", "message": "Try again."}]);
    let error = refusal(json!({"result": false, "errors": errors})).unwrap();
    assert_eq!((error.code.as_deref(), error.message.as_deref()), (Some("133123"), Some("Not found.")));
    assert!(error.passing);
    let error = refusal(json!({"result": false, "error": {"code": 146256, "text": "Try again."}})).unwrap();
    assert!(error.passing);
}

#[test]
fn a_body_that_is_no_object_is_no_envelope() {
    let head = Head { status: StatusCode::BAD_GATEWAY, headers: HeaderMap::new() };
    for body in ["<html>Bad Gateway</html>", "", "[]", "\"ok\""] {
        assert!(
            Envelope::open(&Reply { head: head.clone(), body: body.into(), room: None }).is_none(),
            "{body}"
        );
    }
}

#[test]
fn a_time_is_read_in_every_form() {
    let expected = Some(1_790_372_411_000);
    for value in [
        json!("2026-09-25 21:40:11 UTC"),
        json!("2026-09-25T21:40:11Z"),
        json!("2026-09-25T23:40:11+02:00"),
        json!("2026-09-25 21:40:11"),
        json!("2026-09-25T21:40:11.000000"),
        json!(1_790_372_411),
        json!("1790372411"),
        json!(1_790_372_411_000i64),
    ] {
        assert_eq!(time(&value), expected, "{value}");
    }
    for value in [json!("yesterday"), json!(""), json!(null), json!({}), json!("1e300")] {
        assert_eq!(time(&value), None, "{value}");
    }
}
