use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{Answer, Error, ErrorKind, Retry};
use crate::http::{Failure, Head, Phase, Reply};

fn refused(status: u16, body: &str, headers: &[(&'static str, &str)]) -> Error {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    let headers: HeaderMap = headers.iter().map(pair).collect();
    let head = Head { status: StatusCode::from_u16(status).unwrap(), headers };
    let reply = Reply { head, body: body.to_owned().into(), room: None };
    Error::refused("listing a folder", &Answer::read(reply))
}

fn said(status: u16, error: Value) -> Error {
    refused(status, &json!({"result": false, "error": error}).to_string(), &[])
}

#[test]
fn every_status_means_one_thing() {
    let cases = [
        (400, ErrorKind::Rejected, Retry::Never),
        (401, ErrorKind::Unauthorized, Retry::Pause),
        (402, ErrorKind::PaymentRequired, Retry::Pause),
        (403, ErrorKind::Forbidden { reason: None }, Retry::Never),
        (404, ErrorKind::NotFound, Retry::Never),
        (406, ErrorKind::Rejected, Retry::Never),
        (408, ErrorKind::Unavailable { wait: None }, Retry::Unavailable(None)),
        (409, ErrorKind::Conflict, Retry::Backoff),
        (410, ErrorKind::Rejected, Retry::Never),
        (412, ErrorKind::Rejected, Retry::Never),
        (422, ErrorKind::Rejected, Retry::Never),
        (423, ErrorKind::Locked, Retry::Backoff),
        (429, ErrorKind::RateLimited { wait: None }, Retry::After(Duration::from_secs(60))),
        (500, ErrorKind::Unavailable { wait: None }, Retry::Unavailable(None)),
        (503, ErrorKind::Unavailable { wait: None }, Retry::Unavailable(None)),
        (200, ErrorKind::Unreadable, Retry::Backoff),
        (302, ErrorKind::Unreadable, Retry::Backoff),
    ];
    for (status, kind, retry) in cases {
        let error = said(status, json!({"code": 1, "text": "x"}));
        assert_eq!((&error.kind, error.retry()), (&kind, retry), "{status}");
    }
}

#[test]
fn only_fastio_itself_can_say_that_something_is_not_there() {
    assert!(said(404, json!({"code": 133123, "text": "Not found."})).is_not_found());
    assert_eq!(said(404, json!({"code": 9992, "text": "No such route."})).kind, ErrorKind::Rejected);
    assert_eq!(
        said(404, json!({"code": 146256, "text": "Later."})).kind,
        ErrorKind::Unavailable { wait: None }
    );
    for body in crate::http::reply::OTHERS_404 {
        assert_eq!(refused(404, body, &[]).kind, ErrorKind::Unreadable, "{body}");
    }
    for body in [
        r#"{"result": false}"#,
        r#"{"result": false, "error": "Not Found"}"#,
        r#"{"result": false, "error_message": "Not Found"}"#,
        r#"{"result": false, "error": {"code": "NOT_FOUND", "text": "Not found."}}"#,
        r#"{"result": false, "error": {"code": 133123}}"#,
        r#"{"result": true, "error": {"code": 133123, "text": "Not found."}}"#,
        r#"{"error": {"code": 133123, "text": "Not found."}}"#,
    ] {
        assert_eq!(refused(404, body, &[]).kind, ErrorKind::Unreadable, "{body}");
    }
}

#[test]
fn a_refusal_of_the_key_pauses_and_a_refusal_of_one_file_does_not() {
    let forbidden = |reason: &str| said(403, json!({"code": 1, "text": "No.", "params": {"reason": reason}}));
    for reason in ["credential_policy_scope", "credential_policy_mode", "sso_required", "geo_restricted"] {
        assert_eq!(forbidden(reason).retry(), Retry::Pause, "{reason}");
    }
    let error = forbidden("dmca");
    assert_eq!(error.kind, ErrorKind::Forbidden { reason: Some("dmca".into()) });
    assert_eq!(error.retry(), Retry::Never);
    assert!(error.to_string().contains("dmca"), "{error}");
}

#[test]
fn a_rate_limit_says_when_it_ends() {
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let wait = |header| refused(429, "", &[date, header]).retry();
    assert_eq!(wait(("x-ve-limit-expires", "784111807")), Retry::After(Duration::from_secs(30)));
    assert_eq!(wait(("x-rate-limit-expiry", "784111780")), Retry::After(Duration::from_secs(3)));
    assert_eq!(wait(("retry-after", "7")), Retry::After(Duration::from_secs(7)));
    assert_eq!(wait(("x-ve-limit-expires", "1")), Retry::After(Duration::from_secs(60)));
}

#[test]
fn trouble_that_says_how_long_is_waited_out() {
    let error = refused(503, "<html>", &[("retry-after", "7")]);
    assert_eq!(error.retry(), Retry::Unavailable(Some(Duration::from_secs(7))));
}

#[test]
fn an_error_reads_as_one_sentence() {
    let body = json!({"result": false, "error": {"code": 205516, "text": "Invalid\ninput near b.",
        "params": [{"name": "page_size", "message": "must be 100, 250 or 500"}]}});
    let error = refused(406, &body.to_string(), &[("x-ve-reqid", "r-1")]);
    insta::assert_snapshot!(error, @"Fastio does not take the request (listing a folder): Invalid input near b; page_size: must be 100, 250 or 500 [status 406, code 205516, request r-1]");
}

#[test]
fn a_refusal_did_not_happen_and_a_failure_may_have() {
    assert!(!said(406, json!({"text": "x"})).may_have_happened());
    assert!(said(500, json!({"text": "x"})).may_have_happened());
    assert!(said(408, json!({"text": "x"})).may_have_happened());
    let lost = |phase| Error::failed("x", Failure::transport(phase, String::new())).may_have_happened();
    assert!(!lost(Phase::BeforeBody));
    assert!(lost(Phase::BodySent));
    assert!(lost(Phase::ResponseStarted));
}
