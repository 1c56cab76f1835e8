//! Webhooks: who is told what, how it is signed, and what becomes of a delivery that fails.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use docket_sandbox::{Scheme, Webhook};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::{Fastio, WS, good};

const SECRET: &str = "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==";

#[derive(Clone, Default)]
struct Inbox {
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    /// How many deliveries are still refused.
    refuse: Arc<Mutex<u32>>,
}

impl Inbox {
    async fn listen(&self, scheme: Scheme) -> Webhook {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks/fastio", listener.local_addr().unwrap()).parse().unwrap();
        let router = Router::new().route("/webhooks/fastio", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Webhook { url, secret: SECRET.to_owned().into(), scheme }
    }

    fn bodies(&self) -> Vec<Value> {
        self.got.lock().unwrap().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }

    fn names(&self) -> Vec<String> {
        let name = |body: Value| body["event"].as_str().unwrap().replace("workspace_storage_", "");
        self.bodies().into_iter().map(name).collect()
    }
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    inbox.got.lock().unwrap().push((headers, body));
    let mut refuse = inbox.refuse.lock().unwrap();
    if *refuse > 0 {
        *refuse -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    StatusCode::ACCEPTED
}

/// HMAC-SHA-256 from its definition, not from the crate that the stand-in uses.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0u8; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::digest([&pad(0x36)[..], message].concat());
    Sha256::digest([&pad(0x5c)[..], &inner[..]].concat()).to_vec()
}

/// The MACs that a delivery presents, its time, and its body.
fn presented(headers: &HeaderMap) -> (Vec<Vec<u8>>, String) {
    let decode = |text: &str| hex::decode(text).or_else(|_| STANDARD.decode(text)).unwrap();
    if let Some(value) = headers.get("fastio-signature") {
        let pairs: Vec<(&str, &str)> =
            value.to_str().unwrap().split(',').map(|pair| pair.split_once('=').unwrap()).collect();
        let macs = pairs.iter().filter(|(name, _)| *name == "v1").map(|(_, value)| decode(value)).collect();
        return (macs, pairs.iter().find(|(name, _)| *name == "t").unwrap().1.to_owned());
    }
    let value = headers["x-fastio-signature"].to_str().unwrap().strip_prefix("sha256=").unwrap();
    (vec![decode(value)], headers["x-fastio-timestamp"].to_str().unwrap().to_owned())
}

fn verified(headers: &HeaderMap, body: &[u8], key: &[u8]) -> bool {
    let (macs, time) = presented(headers);
    let expected = hmac(key, &[time.as_bytes(), b".", body].concat());
    macs.contains(&expected)
}

#[tokio::test]
async fn each_change_is_told_in_order_and_signed() {
    for scheme in [Scheme::FastioBase64, Scheme::XFastioSha256] {
        let inbox = Inbox::default();
        let fastio = Fastio::with(Some(inbox.listen(scheme).await)).await;
        let node = fastio.put_id("a.txt", "one").await;
        fastio.put("a.txt", "two").await;
        let moved = json!({"workspace": WS, "from": "a.txt", "to": "Done/a.txt"});
        good(fastio.control(reqwest::Method::POST, "move").json(&moved)).await;
        fastio.sandbox.flush_webhooks().await;
        assert_eq!(inbox.names(), ["file_added", "file_updated", "folder_created", "file_moved"]);
        let first = &inbox.bodies()[0];
        assert_eq!((&first["workspace_id"], &first["object_id"]), (&json!(WS), &json!(node)));
        for (headers, body) in inbox.got.lock().unwrap().iter() {
            assert!(verified(headers, body, SECRET.as_bytes()));
            assert!(!verified(headers, b"{}", SECRET.as_bytes()));
        }
    }
}

#[tokio::test]
async fn a_mixed_subscription_shows_every_shape_and_each_verifies_with_a_documented_key() {
    let inbox = Inbox::default();
    let fastio = Fastio::with(Some(inbox.listen(Scheme::Mixed).await)).await;
    for number in 0..40 {
        fastio.put(&format!("{number}.txt"), "x").await;
    }
    fastio.sandbox.flush_webhooks().await;
    let got = inbox.got.lock().unwrap();
    assert_eq!(got.len(), 40);
    let mut forms = std::collections::BTreeSet::new();
    for (headers, body) in got.iter() {
        let keys: [&[u8]; 2] = [SECRET.as_bytes(), b"test-secret-1234567890"];
        assert!(keys.iter().any(|key| verified(headers, body, key)));
        let body: Value = serde_json::from_slice(body).unwrap();
        let shape: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        forms.insert((shape, headers.contains_key("fastio-signature")));
    }
    assert_eq!(forms.len(), 2 * 8, "{forms:?}");
}

#[tokio::test]
async fn the_guides_form_is_the_payload_that_fastio_prints() {
    let inbox = Inbox::default();
    let fastio = Fastio::with(Some(inbox.listen(Scheme::Guide).await)).await;
    let node = fastio.put_id("Done/a.txt", "one").await;
    good(fastio.control(reqwest::Method::DELETE, &format!("files/{WS}/Done"))).await;
    fastio.sandbox.flush_webhooks().await;
    let bodies = inbox.bodies();
    let told: Vec<&str> = bodies.iter().map(|body| body["eventType"].as_str().unwrap()).collect();
    assert_eq!(told, ["upload", "upload", "delete"]);
    assert_eq!((&bodies[1]["workspaceId"], &bodies[1]["fileId"]), (&json!(WS), &json!(node)));
    assert!(bodies[2]["folderId"].is_string() && bodies[2]["eventId"].is_string());
}

#[tokio::test]
async fn a_refused_delivery_comes_again_with_the_same_bytes() {
    let inbox = Inbox::default();
    *inbox.refuse.lock().unwrap() = 2;
    let fastio = Fastio::with(Some(inbox.listen(Scheme::FastioBase64).await)).await;
    fastio.put("a.txt", "one").await;
    fastio.sandbox.flush_webhooks().await;
    let bodies = inbox.bodies();
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let state = fastio.state().await;
    assert_eq!(state["webhooks"]["recent"][0]["attempts"], 3);
    assert_eq!(state["webhooks"]["pending"], json!([]));
    assert!(!state.to_string().contains(SECRET) && !format!("{:?}", fastio.sandbox).contains(SECRET));
}

#[tokio::test]
async fn the_stand_in_knows_which_events_were_acknowledged() {
    let inbox = Inbox::default();
    *inbox.refuse.lock().unwrap() = 1;
    let fastio = Fastio::with(Some(inbox.listen(Scheme::FastioBase64).await)).await;
    fastio.fault(json!({"kind": "webhook_dropped", "skip": 1, "count": 1})).await;
    for name in ["told.txt", "dropped.txt", "told too.txt"] {
        fastio.put(name, "x").await;
    }
    fastio.sandbox.flush_webhooks().await;
    let acknowledged = |since: u64| {
        let path = format!("webhooks/acknowledged?since={since}");
        good(fastio.control(reqwest::Method::GET, &path))
    };
    let bodies = inbox.bodies();
    let (first, last) = (&bodies[0]["event_id"], &bodies.last().unwrap()["event_id"]);
    let all = acknowledged(0).await;
    assert_eq!((&all["newest"], all["events"].as_array().unwrap().len()), (&json!(2), 2));
    assert!([first, last].iter().all(|event| all["events"].as_array().unwrap().contains(event)), "{all}");
    assert_eq!(acknowledged(1).await["events"].as_array().unwrap().len(), 1);
    assert_eq!(acknowledged(2).await["events"], json!([]));
}

#[tokio::test]
async fn webhooks_are_dropped_doubled_reordered_and_delayed_on_request() {
    let inbox = Inbox::default();
    let fastio = Fastio::with(Some(inbox.listen(Scheme::FastioBase64).await)).await;
    fastio.fault(json!({"kind": "webhook_dropped", "count": 1})).await;
    fastio.put("dropped.txt", "x").await;
    fastio.sandbox.flush_webhooks().await;
    assert!(inbox.names().is_empty());

    fastio.fault(json!({"kind": "webhook_duplicated", "count": 1})).await;
    fastio.put("doubled.txt", "x").await;
    good(fastio.control(reqwest::Method::GET, "webhooks/idle")).await;
    let bodies = inbox.bodies();
    assert_eq!((bodies.len(), &bodies[0]), (2, &bodies[1]));

    fastio.fault(json!({"kind": "webhook_reordered", "count": 1})).await;
    fastio.put("first.txt", "x").await;
    fastio.put("first.txt", "y").await;
    fastio.sandbox.flush_webhooks().await;
    assert_eq!(inbox.names()[2..], ["file_updated", "file_added"]);

    fastio.fault(json!({"kind": "webhook_delayed", "count": 1, "delay_ms": 300})).await;
    fastio.put("late.txt", "x").await;
    good(fastio.control(reqwest::Method::DELETE, &format!("files/{WS}/late.txt"))).await;
    fastio.sandbox.flush_webhooks().await;
    assert_eq!(inbox.names()[4..], ["file_deleted", "file_added"]);
}
