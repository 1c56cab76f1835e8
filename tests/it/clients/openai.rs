//! The OpenAI client over the wire.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use docket::http::{Phase, Retry};
use docket::openai::{
    AttributeValue, Attributes, Client, Error, ErrorKind, File, FileId, IndexStatus, NewFile, VectorStoreId,
};
use futures_util::stream::{self, Stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use super::server::{Act, Request, Server, answer, cut_answer};

const KEY: &str = "sk-never-printed";

/// Larger than what sockets buffer, so that a server which stops reading is noticed.
const LARGE: u64 = 32 * 1024 * 1024;

fn client(url: &Url) -> Client {
    Client::new(url, KEY.into(), Some("org-1"), Some("proj-1")).unwrap()
}

fn store() -> VectorStoreId {
    VectorStoreId("vs_1".into())
}

fn file() -> FileId {
    FileId("file-1".into())
}

/// `length` bytes in pieces of 64 KiB.
fn content(length: u64) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::iter((0..length.div_ceil(65_536)).map(move |piece| {
        let size = (length - piece * 65_536).min(65_536);
        Ok(Bytes::from(vec![b'x'; size as usize]))
    }))
}

async fn upload(url: &Url, length: u64) -> Result<File, Error> {
    let file = NewFile { filename: "a.txt", mime_type: "text/plain", length };
    client(url).upload(file, content(length)).await
}

#[tokio::test]
async fn calls_are_the_documented_ones() {
    let body = json!({"id": "x", "data": [], "deleted": true}).to_string();
    let server = Server::answering(200, &[], body).await;
    let client = client(server.url());
    let attributes: Attributes = [
        ("path".to_owned(), AttributeValue::Text("/a.txt".into())),
        ("modified_at".to_owned(), AttributeValue::Number(1_790_372_411.0)),
    ]
    .into();
    client.file(&file()).await.unwrap();
    client.files(None).await.unwrap();
    client.files(Some(&file())).await.unwrap();
    client.delete_file(&file()).await.unwrap();
    client.create_vector_store("contracts", &[("docket".to_owned(), "1".to_owned())].into()).await.unwrap();
    client.vector_store(&store()).await.unwrap();
    client.vector_stores(Some(&store())).await.unwrap();
    client.attach(&store(), &file(), &attributes).await.unwrap();
    client.store_file(&store(), &file()).await.unwrap();
    client.relabel(&store(), &file(), &attributes).await.unwrap();
    client.detach(&store(), &file()).await.unwrap();
    client.search(&store(), "liability", 5).await.unwrap();
    let shown: Vec<String> =
        server.requests().iter().map(|r| format!("{} {}", r.line, r.text()).trim_end().to_owned()).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    GET /base/files/file-1
    GET /base/files?purpose=assistants&order=desc&limit=1000
    GET /base/files?purpose=assistants&order=desc&limit=1000&after=file-1
    DELETE /base/files/file-1
    POST /base/vector_stores {"metadata":{"docket":"1"},"name":"contracts"}
    GET /base/vector_stores/vs_1
    GET /base/vector_stores?order=desc&limit=100&after=vs_1
    POST /base/vector_stores/vs_1/files {"attributes":{"modified_at":1790372411,"path":"/a.txt"},"file_id":"file-1"}
    GET /base/vector_stores/vs_1/files/file-1
    POST /base/vector_stores/vs_1/files/file-1 {"attributes":{"modified_at":1790372411,"path":"/a.txt"}}
    DELETE /base/vector_stores/vs_1/files/file-1
    POST /base/vector_stores/vs_1/search {"max_num_results":5,"query":"liability"}
    "#);

    let requests = server.requests();
    let id = |request: &Request| request.header("x-client-request-id").unwrap().to_owned();
    let ids: std::collections::HashSet<_> = requests.iter().map(id).collect();
    assert_eq!(ids.len(), requests.len());
    for request in &requests {
        assert_eq!(request.header("authorization"), Some("Bearer sk-never-printed"));
        assert_eq!(request.header("openai-organization"), Some("org-1"));
        assert_eq!(request.header("openai-project"), Some("proj-1"));
    }
}

#[tokio::test]
async fn an_upload_announces_exactly_its_length() {
    let body = json!({"id": "file-1", "object": "file", "bytes": 200_001, "filename": "a b.txt"}).to_string();
    let server = Server::answering(200, &[], body).await;
    let new = NewFile { filename: "a\r\n b.txt", mime_type: "no media type", length: 200_001 };
    let uploaded = client(server.url()).upload(new, content(200_001)).await.unwrap();
    assert_eq!((uploaded.id, uploaded.bytes), (file(), Some(200_001)));

    let request = &server.requests()[0];
    assert_eq!(request.header("transfer-encoding"), None);
    assert_eq!(request.header("content-length").unwrap().parse(), Ok(request.body.len()));
    let text = request.text();
    assert!(text.ends_with("--\r\n"));
    assert_eq!(text.matches('x').count(), 200_001 + text.split("xxxxx").next().unwrap().matches('x').count());
    assert!(text.contains("name=\"purpose\"\r\n\r\nassistants\r\n"));
    assert!(
        text.contains(
            "name=\"file\"; filename=\"a b.txt\"\r\nContent-Type: application/octet-stream\r\n\r\nxx"
        )
    );
}

#[tokio::test]
async fn an_upload_that_cannot_have_arrived_says_so() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/", nobody.local_addr().unwrap()).parse().unwrap();
    drop(nobody);
    let error = upload(&url, 10).await.unwrap_err();
    assert_eq!((error.phase, error.may_have_happened()), (Phase::BeforeBody, false));
    assert_eq!((error.retry(), error.status), (Retry::Unavailable(None), None));

    let server = Server::start(|_| Act::HangUpBeforeBody).await;
    let error = upload(server.url(), LARGE).await.unwrap_err();
    assert_eq!((error.phase, error.may_have_happened()), (Phase::BeforeBody, false), "{error}");
}

#[tokio::test]
async fn an_upload_whose_answer_is_lost_may_have_happened() {
    let server = Server::start(|_| Act::HangUpAfterBody).await;
    let error = upload(server.url(), 200_000).await.unwrap_err();
    assert_eq!((error.phase, error.may_have_happened()), (Phase::BodySent, true), "{error}");
    assert_eq!(error.kind, ErrorKind::Unavailable { wait: None });
    assert_eq!(error.request_id.as_deref(), server.requests()[0].header("x-client-request-id"));

    let server = Server::start(|_| Act::Answer(cut_answer(100, "{\"id\":"))).await;
    let error = upload(server.url(), 200_000).await.unwrap_err();
    assert_eq!((error.phase, error.may_have_happened()), (Phase::ResponseStarted, true), "{error}");
    assert_eq!(error.status, Some(200));

    let server = Server::answering(500, &[], "").await;
    assert!(upload(server.url(), 10).await.unwrap_err().may_have_happened());
}

#[tokio::test]
async fn content_that_is_not_what_was_announced_is_never_a_file() {
    let server = Server::answering(200, &[], r#"{"id": "file-1"}"#).await;
    let broken = stream::iter([Ok(Bytes::from_static(b"xx")), Err(io::Error::other("Fastio hung up"))]);
    let short = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"xx"))]);
    let long = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"xx")), Ok(Bytes::from_static(b"xxx"))]);
    let new = NewFile { filename: "a.txt", mime_type: "text/plain", length: 4 };
    let client = client(server.url());
    let errors = [
        (client.upload(new, broken).await.unwrap_err(), "Fastio hung up"),
        (client.upload(new, short).await.unwrap_err(), "ended after 2 of 4"),
        (client.upload(new, long).await.unwrap_err(), "longer than the 4"),
    ];
    for (error, words) in errors {
        assert_eq!(
            (&error.kind, error.phase, error.retry()),
            (&ErrorKind::Content, Phase::BeforeBody, Retry::Backoff)
        );
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(server.requests().is_empty(), "none of them arrived whole");
}

#[tokio::test]
async fn a_small_call_whose_answer_is_lost_may_have_happened() {
    let server = Server::start(|_| Act::HangUpAfterBody).await;
    let error = client(server.url()).attach(&store(), &file(), &Attributes::new()).await.unwrap_err();
    assert_eq!((error.phase, error.retry()), (Phase::BodySent, Retry::Unavailable(None)));
    assert_eq!(server.requests().len(), 1, "a client never repeats a call");
}

#[tokio::test]
async fn an_answer_without_end_is_refused() {
    let large = json!({"id": "vs_1", "name": "x".repeat(17 * 1024 * 1024)}).to_string();
    let server = Server::answering(200, &[("x-request-id", "req_1")], large).await;
    let error = client(server.url()).vector_store(&store()).await.unwrap_err();
    assert_eq!((&error.kind, error.phase), (&ErrorKind::Unreadable, Phase::ResponseStarted));
    assert_eq!(error.request_id.as_deref(), Some("req_1"));
    // An error's page may be as long as it likes: its status says what matters.
    let server = Server::answering(502, &[], "<html>".repeat(100_000)).await;
    let error = client(server.url()).vector_store(&store()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable { wait: None });
    assert!(!error.to_string().contains("html"));
}

#[tokio::test]
async fn a_poll_says_when_to_look_again() {
    let body = json!({"id": "file-1", "status": "in_progress", "attributes": {"n": 64.0}}).to_string();
    let server = Server::answering(200, &[("openai-poll-after-ms", "2500")], body).await;
    let polled = client(server.url()).store_file(&store(), &file()).await.unwrap();
    assert_eq!(polled.poll_after, Some(Duration::from_millis(2500)));
    assert_eq!(polled.file.status, IndexStatus::InProgress);
    assert_eq!(polled.file.attributes["n"], AttributeValue::Number(64.0));
}

#[tokio::test]
async fn a_delete_that_deleted_nothing_is_no_success() {
    let server = Server::answering(200, &[], r#"{"id": "file-1", "deleted": false}"#).await;
    assert_eq!(client(server.url()).delete_file(&file()).await.unwrap_err().kind, ErrorKind::Unreadable);
    let gone = json!({"error": {"message": "No such File object: file-1", "type": "invalid_request_error",
        "param": "id", "code": Value::Null}});
    let server = Server::answering(404, &[], gone.to_string()).await;
    assert!(client(server.url()).delete_file(&file()).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_refusal_that_comes_before_the_upload_ends_is_heard() {
    let refusal = json!({"error": {"message": "Incorrect API key provided: sk-never-printed", "type": "x",
        "code": "invalid_api_key"}});
    let refusal = answer(401, &[], refusal.to_string());
    let server = Server::start(move |_| Act::AnswerBeforeBody(refusal.clone())).await;
    let error = upload(server.url(), LARGE).await.unwrap_err();
    assert_eq!((&error.kind, error.retry()), (&ErrorKind::Unauthorized, Retry::Pause), "{error}");
    assert!(!error.may_have_happened());
    assert!(!format!("{error} {error:?} {:?}", client(server.url())).contains(KEY));
}
