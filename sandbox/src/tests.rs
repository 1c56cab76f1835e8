//! A stand-in's server, over real connections: what a client sees of each fault that concerns any request.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Multipart;
use axum::http::{HeaderMap, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

use super::Core;
use super::content::Generated;
use super::faults::StandIn;
use super::form::Form;
use super::journal::{Entry, RequestEnd, Trace};
use super::server::{Download, FaultRefusal, Service, Stamp, serve};

/// What takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(60);

struct Server {
    core: Core,
    base: String,
    stop: CancellationToken,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn server() -> Server {
    let core = Core::new(StandIn::OpenAi, Clock::default(), 3);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let api = Router::new()
        .route("/echo", post(|body: String| async move { body }))
        .route("/form", post(form))
        .route("/download", get(download));
    let service = Service { core: core.clone(), api, control: Router::new(), refuse, stamp };
    tokio::spawn(serve(listener, service, stop.clone()));
    Server { core, base, stop }
}

async fn form(Extension(trace): Extension<Trace>, multipart: Multipart) -> String {
    let form = Form::read(multipart, &trace, 1_000_000, |_| {}).await.unwrap();
    form.file("file").unwrap().content.size.to_string()
}

async fn download() -> Response<Body> {
    let chunks = Generated::new(200_000, 1).chunks().map(Ok::<_, std::io::Error>);
    let mut response = Response::new(Body::from_stream(futures_util::stream::iter(chunks)));
    response.headers_mut().insert("content-length", 200_000.into());
    response.extensions_mut().insert(Download);
    response
}

fn refuse(refusal: &FaultRefusal) -> Response<Body> {
    let mut response = Response::new(Body::from("refused"));
    *response.status_mut() = refusal.status;
    response
}

fn stamp(stamp: &Stamp, headers: &mut HeaderMap) {
    headers.insert("x-request-id", stamp.seq.into());
}

impl Server {
    async fn set(&self, fault: Value) -> StatusCode {
        reqwest::Client::new()
            .post(format!("{}/_sandbox/faults", self.base))
            .json(&fault)
            .send()
            .await
            .unwrap()
            .status()
    }

    async fn echo(&self) -> reqwest::Result<reqwest::Response> {
        // A new client for each: no connection that a fault has cut is used again.
        let body = json!({"text": "x".repeat(5_000), "token": "tkn-secret"});
        reqwest::Client::new().post(format!("{}/echo", self.base)).json(&body).send().await
    }

    fn last(&self) -> Entry {
        self.core.journal.requests().pop().unwrap()
    }

    /// Waits until the newest request is on record so.
    async fn notes(&self, is_so: impl Fn(&Entry) -> bool) {
        let noted = tokio::time::timeout(PATIENCE, self.core.journal.until(is_so)).await;
        assert!(noted.is_ok(), "{:?}", self.core.journal.requests().last());
    }
}

#[tokio::test]
async fn a_refused_request_carries_its_status_and_when_to_come_back() {
    let server = server().await;
    let faults = json!([
        {"kind": "rate_limit", "count": 1, "retry_after_seconds": 7},
        {"kind": "server_error", "count": 1, "status": 503, "html": true}
    ]);
    assert_eq!(server.set(faults).await, 201);
    let refused = server.echo().await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(refused.headers()["x-request-id"], "1");
    let broken = server.echo().await.unwrap();
    assert_eq!(broken.status(), 503);
    assert!(broken.text().await.unwrap().starts_with("<html>"));
    assert_eq!(server.echo().await.unwrap().status(), 200);
    assert_eq!(server.last().json.unwrap()["token"], "[redacted]");
    assert_eq!(server.set(json!({"kind": "flood"})).await, 400);
}

#[tokio::test]
async fn a_connection_is_cut_where_the_fault_says() {
    let server = server().await;
    for (kind, least, most) in [
        ("reset_before_body", 0, 0),
        ("reset_during_body", 1, 5_100),
        ("reset_after_body", 5_001, 6_000),
        ("lost_reply", 5_001, 6_000),
    ] {
        server.set(json!({"kind": kind, "count": 1})).await;
        assert!(server.echo().await.is_err(), "{kind}");
        let entry = server.last();
        assert_eq!((entry.outcome, &entry.faults[..]), (RequestEnd::Reset, &[kind.to_owned()][..]));
        assert!((least..=most).contains(&entry.body_bytes), "{kind} read {} bytes", entry.body_bytes);
    }
    server.set(json!({"kind": "reset_during_reply", "count": 1})).await;
    assert!(server.echo().await.unwrap().bytes().await.is_err());
}

#[tokio::test]
async fn a_request_is_held_before_it_does_anything_and_a_reply_after_it_has() {
    let server = server().await;
    for (before, (kind, outcome)) in
        [("held_request", RequestEnd::Open), ("held_reply", RequestEnd::Status(200))].into_iter().enumerate()
    {
        server.set(json!({"kind": kind, "count": 1})).await;
        let held = reqwest::get(format!("{}/_sandbox/faults/held?more_than={before}", server.base));
        tokio::select! {
            _ = server.echo() => panic!("{kind} did not hold it"),
            held = held => assert_eq!(held.unwrap().json::<Value>().await.unwrap(), json!({"held": before + 1})),
        }
        assert_eq!(server.last().outcome, outcome);
    }
    server.set(json!({"kind": "held_request", "count": 1, "delay_ms": 1})).await;
    assert!(server.echo().await.is_err());
    assert_eq!(server.last().outcome, RequestEnd::Reset);
    server.set(json!({"kind": "held_reply", "count": 1, "delay_ms": 1})).await;
    assert_eq!(server.echo().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_download_is_truncated_or_silently_short() {
    let server = server().await;
    let get = || async { reqwest::get(format!("{}/download", server.base)).await.unwrap().bytes().await };
    assert_eq!(get().await.unwrap().len(), 200_000);
    server.set(json!({"kind": "truncated_download", "count": 1})).await;
    assert!(get().await.is_err());
    server.set(json!({"kind": "wrong_length", "count": 1, "after_bytes": 1234})).await;
    assert_eq!(get().await.unwrap().len(), 1234);
    assert_eq!(get().await.unwrap().len(), 200_000);
}

#[tokio::test]
async fn a_file_is_measured_as_it_arrives() {
    let server = server().await;
    let part = reqwest::multipart::Part::bytes(vec![b'x'; 300_000]).file_name("a.txt");
    let form = reqwest::multipart::Form::new().text("purpose", "assistants").part("file", part);
    let reply = reqwest::Client::new().post(format!("{}/form", server.base)).multipart(form).send().await;
    assert_eq!(reply.unwrap().text().await.unwrap(), "300000");
    let parts = serde_json::to_value(server.last().parts).unwrap();
    assert_eq!(parts[0], json!({"name": "purpose", "value": "assistants"}));
    assert_eq!((&parts[1]["filename"], &parts[1]["bytes"]), (&json!("a.txt"), &json!(300_000)));
}

#[tokio::test]
async fn a_client_that_leaves_is_noted() {
    let server = server().await;
    server.set(json!({"kind": "latency", "delay_ms": 60_000})).await;
    tokio::select! {
        _ = server.echo() => panic!("it was answered"),
        () = server.notes(|_| true) => {}
    }
    server.notes(|entry| entry.outcome == RequestEnd::Abandoned).await;
}

#[tokio::test]
async fn stopping_ends_idle_connections_and_frees_the_ports() {
    let stop = CancellationToken::new();
    let sandbox = super::start(super::Options::default(), stop.clone()).await.unwrap();
    let client = reqwest::Client::new();
    client.get(sandbox.openai_url().join("models").unwrap()).bearer_auth("k").send().await.unwrap();
    let address = sandbox.openai_url().socket_addrs(|| None).unwrap()[0];
    stop.cancel();
    let ended = tokio::time::timeout(Duration::from_millis(500), sandbox.run_until_stopped());
    assert!(ended.await.is_ok());
    assert!(TcpListener::bind(address).await.is_ok());
}
