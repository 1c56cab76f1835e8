use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{Error, ErrorKind, Retry};
use crate::http::{Head, Reply};

fn refused(status: u16, body: &str, headers: &[(&'static str, &str)]) -> Error {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    let headers: HeaderMap = headers.iter().map(pair).collect();
    let head = Head { status: StatusCode::from_u16(status).unwrap(), headers };
    let reply = Reply { head, body: body.to_owned().into(), room: None };
    Error::refused("attaching a file", &reply, &["files".to_owned(), "file-1".to_owned()])
}

fn said(status: u16, message: &str, code: Value) -> Error {
    let error = json!({"message": message, "type": "invalid_request_error", "param": null, "code": code});
    refused(status, &json!({ "error": error }).to_string(), &[])
}

#[test]
fn every_status_means_one_thing() {
    let cases = [
        (400, ErrorKind::Rejected { code: None }, Retry::Never),
        (401, ErrorKind::Unauthorized, Retry::Pause),
        (402, ErrorKind::QuotaExhausted, Retry::Pause),
        (403, ErrorKind::Forbidden, Retry::Pause),
        (404, ErrorKind::NotFound, Retry::Never),
        (408, ErrorKind::Unavailable { wait: None }, Retry::Unavailable(None)),
        (409, ErrorKind::StillProcessing, Retry::Backoff),
        (413, ErrorKind::TooLarge, Retry::Never),
        (415, ErrorKind::Rejected { code: None }, Retry::Never),
        (422, ErrorKind::Rejected { code: None }, Retry::Never),
        (429, ErrorKind::RateLimited { wait: None }, Retry::Backoff),
        (500, ErrorKind::Unavailable { wait: None }, Retry::Unavailable(None)),
        (503, ErrorKind::Unavailable { wait: None }, Retry::Unavailable(None)),
        (302, ErrorKind::Unreadable, Retry::Backoff),
    ];
    for (status, kind, retry) in cases {
        let error = said(status, "x", Value::Null);
        assert_eq!((&error.kind, error.retry()), (&kind, retry), "{status}");
    }
}

#[test]
fn errors_seen_in_the_field_are_told_apart() {
    let unsupported =
        "Files with extensions [.csv] are not supported for retrieval. Supported file types include: [.c]";
    let rejected = |code: &str| ErrorKind::Rejected { code: Some(code.into()) };
    assert_eq!(said(400, unsupported, json!("unsupported_file")).kind, rejected("unsupported_file"));
    assert_eq!(said(400, "x", json!(17)).kind, rejected("17"));
    assert_eq!(
        said(401, "Incorrect API key provided", json!("invalid_api_key")).kind,
        ErrorKind::Unauthorized
    );
    assert_eq!(said(404, "No such File object: file-1", Value::Null).kind, ErrorKind::NotFound);
    assert_eq!(
        said(404, "No file found with id 'file-1' in vector store 'vs_1'.", Value::Null).kind,
        ErrorKind::NotFound
    );
    let busy = said(409, "File is still processing. Check back later.", Value::Null);
    assert_eq!((busy.kind.clone(), busy.may_have_happened()), (ErrorKind::StillProcessing, false));
    let full = "You have exceeded your file storage quota. Projects are limited to 2.5 TB of files.";
    for status in [400, 403, 413, 429] {
        assert_eq!(said(status, full, Value::Null).kind, ErrorKind::StorageFull, "{status}");
    }
    assert_eq!(said(400, full, Value::Null).retry(), Retry::Pause);
}

#[test]
fn a_full_store_is_told_from_a_limit_that_passes_and_from_a_file_that_is_too_large() {
    let attach = |status, message: &str| {
        let error = json!({"message": message, "type": "invalid_request_error", "param": null, "code": null});
        let reply = Reply {
            head: Head { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new() },
            body: json!({ "error": error }).to_string().into(),
            room: None,
        };
        Error::refused("attaching a file", &reply, &["vector_stores", "vs_1", "files"].map(str::to_owned))
            .kind
    };
    for message in [
        "Vector store 'vs_1' has reached the maximum number of files (10000).",
        "This vector store exceeds the file limit of 10000.",
        "Too many files in vector store vs_1.",
    ] {
        assert_eq!(attach(400, message), ErrorKind::StoreFull, "{message}");
        assert_eq!(attach(422, message), ErrorKind::StoreFull, "{message}");
        assert_ne!(said(400, message, Value::Null).kind, ErrorKind::StoreFull, "elsewhere: {message}");
    }
    for message in [
        "Rate limit reached for this vector store on requests per min (RPM): Limit 300 files.",
        "The file exceeds the maximum of 5000000 tokens for files in a vector store.",
        "Files with extensions [.csv] are not supported for retrieval. The vector store takes at most .txt",
        "You have exceeded your file storage quota. Projects are limited to 2.5 TB of files.",
    ] {
        assert_ne!(attach(400, message), ErrorKind::StoreFull, "{message}");
    }
}

#[test]
fn an_empty_account_is_no_rate_limit() {
    let by_code = r#"{"error": {"message": "You exceeded your current quota.", "type": "x", "code": "insufficient_quota"}}"#;
    let by_type = r#"{"error": {"message": "You exceeded your current quota.", "type": "insufficient_quota", "code": null}}"#;
    for body in [by_code, by_type] {
        let error = refused(429, body, &[("retry-after", "1")]);
        assert_eq!((error.kind.clone(), error.retry()), (ErrorKind::QuotaExhausted, Retry::Pause));
    }
    let page = refused(403, "<html>403 Forbidden</html>", &[]);
    assert_eq!((page.kind.clone(), page.retry()), (ErrorKind::Stranger, Retry::Backoff));
    let limited = refused(429, "", &[("retry-after", "1"), ("retry-after-ms", "700")]);
    assert_eq!(limited.retry(), Retry::After(Duration::from_millis(700)));
}

#[test]
fn wrapped_and_bare_errors_are_read_and_pages_of_html_are_not_quoted() {
    let bare = refused(
        404,
        r#"{"message": "Response not found.", "type": "invalid_request_error", "param": null}"#,
        &[],
    );
    assert!(bare.is_not_found());
    let html = refused(502, "<html><h1>Bad Gateway</h1></html>", &[("retry-after", "3")]);
    assert_eq!(html.retry(), Retry::Unavailable(Some(Duration::from_secs(3))));
    assert!(!html.to_string().contains("html"));
}

#[test]
fn only_openai_itself_can_say_that_something_is_not_there() {
    for body in crate::http::reply::OTHERS_404 {
        assert_eq!(refused(404, body, &[]).kind, ErrorKind::Unreadable, "{body}");
    }
    for body in [
        r#"{"error": {"message": "No such File object: file-2", "type": "x"}}"#,
        r#"{"error": {"message": "not found", "type": "not_found", "code": 404}}"#,
        r#"{"error": "file-1"}"#,
    ] {
        let named = body.contains("file-1");
        assert_eq!(refused(404, body, &[]).is_not_found(), named, "{body}");
    }
    let no_path = said(404, "Invalid URL (POST /files)", Value::Null);
    assert_eq!(no_path.kind, ErrorKind::Rejected { code: None });
    assert!(!said(404, "x", json!("unknown_url")).is_not_found());
}

/// What gateways, portals and firewalls answer.
const OTHERS: [&str; 7] = [
    "",
    "<html>403 Forbidden</html>",
    r#"{"message": "Forbidden"}"#,
    r#"{"error": "Forbidden"}"#,
    r#"{"detail": "Forbidden"}"#,
    r#"{"success": false, "errors": [{"code": 1020, "message": "Access denied"}]}"#,
    r#"{"error": {"code": 403, "message": "The caller may not.", "status": "PERMISSION_DENIED"}}"#,
];

#[test]
fn what_a_stranger_says_is_no_word_of_openais() {
    for status in [400, 401, 402, 403, 405, 406, 407, 409, 411, 413, 414, 415, 418, 422, 451] {
        for body in OTHERS {
            let error = refused(status, body, &[]);
            assert_eq!(
                (error.kind.clone(), error.retry()),
                (ErrorKind::Stranger, Retry::Backoff),
                "{status} {body}"
            );
            assert!(error.to_string().starts_with("something between Docket and OpenAI"), "{error}");
        }
        assert_ne!(said(status, "No.", Value::Null).kind, ErrorKind::Stranger, "{status}");
    }
}

#[test]
fn a_400_that_names_what_is_not_there_is_a_not_found() {
    let ogx = |message: &str| refused(400, &json!({"error": {"message": message}}).to_string(), &[]);
    for message in [
        "File file-1 not found in vector store vs_1",
        "No such file: 'file-1'",
        "The file file-1 does not exist.",
    ] {
        assert!(ogx(message).is_not_found(), "{message}");
        assert!(said(400, message, Value::Null).is_not_found(), "{message}");
    }
    for message in
        ["File file-2 not found", "No file was found", "file-1 is busy", "GET /files/file-1 not found"]
    {
        assert!(!ogx(message).is_not_found(), "{message}");
    }
}

#[test]
fn a_model_is_refused_in_many_ways() {
    let with = |status, message: &str, code: Value, param: Value| {
        let error =
            json!({"message": message, "type": "invalid_request_error", "param": param, "code": code});
        refused(status, &json!({ "error": error }).to_string(), &[])
    };
    for error in [
        with(
            404,
            "The model `old` does not exist or you do not have access to it.",
            json!("model_not_found"),
            Value::Null,
        ),
        with(400, "The requested model 'old' does not exist.", json!("model_not_found"), json!("model")),
        with(403, "Project `p` does not have access to model `old`", json!("model_not_found"), Value::Null),
        with(400, "invalid model ID", Value::Null, Value::Null),
        with(400, "The model old was retired.", Value::Null, Value::Null),
    ] {
        assert!(error.is_about_model("old"), "{error}");
    }
    let conversation = with(404, "Conversation with id 'conv_1' not found.", Value::Null, Value::Null);
    assert!(!conversation.is_about_model("old"));
    let background = with(400, "Background mode is not enabled.", Value::Null, json!("background"));
    assert!(background.is_about_background() && !background.is_about_model("old"));
    let tools = with(400, "Unsupported.", Value::Null, json!("tools[0].type"));
    assert_eq!(tools.refused_setting(), Some("tools"));
    assert_eq!(with(400, "Too long.", Value::Null, json!("input[0].content")).refused_setting(), None);
}

#[test]
fn an_error_reads_as_one_sentence() {
    let body =
        r#"{"error": {"message": "Incorrect API key\r\nprovided.", "type": "x", "code": "invalid_api_key"}}"#;
    let error = refused(401, body, &[("x-request-id", "req_1")]);
    insta::assert_snapshot!(error, @"OpenAI does not accept the API key (attaching a file): Incorrect API key provided. [status 401, request req_1]");
    assert_eq!(error.sent_as("ours".into()).request_id.as_deref(), Some("req_1"));
    assert!(refused(500, "", &[]).sent_as("ours".into()).to_string().ends_with("[status 500, request ours]"));
}
