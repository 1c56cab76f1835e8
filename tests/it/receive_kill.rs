//! Ten thousand deliveries from 64 connections while workers run, and the server killed in the middle of them: every
//! delivery that was acknowledged is in the database, none twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use docket::clock::Clock;
use docket::database::Database;
use docket::receive::drain::drain_once;
use docket::receive::signature::{Scheme, sign};
use docket_sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::harness::database::DatabaseFile;
use crate::harness::program::{KEYS, Place, SECRET, WORKSPACE};

const DELIVERIES: usize = 10_000;
const CONNECTIONS: usize = 64;
const FILES: usize = 500;

/// The files that the deliveries are about, so that the workers have work.
async fn files(sandbox: &Sandbox) -> Vec<String> {
    let client = reqwest::Client::new();
    let mut nodes = Vec::new();
    for number in 0..FILES {
        let path = format!("/_sandbox/files/{WORKSPACE}/{number}.txt");
        let url = sandbox.fastio_url().join(&path).unwrap();
        let answer = client.put(url).body(format!("file {number}")).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        nodes.push(answer["node_id"].as_str().unwrap().to_owned());
    }
    nodes
}

/// Sends deliveries until there are no more or the server is gone, and says which were acknowledged.
async fn send(
    url: String,
    nodes: Arc<Vec<String>>,
    (next, acknowledged): (Arc<AtomicUsize>, watch::Sender<usize>),
) -> Vec<String> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
    let mut kept = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= DELIVERIES {
            return kept;
        }
        let id = format!("evt_{number}");
        let body =
            json!({"event_id": id, "event": "workspace_storage_file_updated", "workspace_id": WORKSPACE,
                          "object_id": nodes[number % FILES]})
            .to_string();
        let now = Clock::default().now() / 1000;
        let mut request = client.post(&url).body(body.clone());
        for (name, value) in sign(Scheme::FastioV1Base64, &SECRET.into(), now, body.as_bytes()) {
            request = request.header(name, value);
        }
        match request.send().await {
            Ok(response) if response.status() == 202 => {
                kept.push(id);
                acknowledged.send_modify(|count| *count += 1);
            }
            Ok(response) => assert_eq!(response.status(), 503),
            Err(_) => return kept,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_delivery_survives_a_kill_and_none_is_there_twice() {
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let sandbox = docket_sandbox::start(docket_sandbox::Options::default(), stop).await.unwrap();
    let nodes = Arc::new(files(&sandbox).await);
    let place = Place::beside(&sandbox);
    let at = place.with(&KEYS);
    let (next, (acknowledged, mut count)) = (Arc::new(AtomicUsize::new(0)), watch::channel(0));
    let mut kept = BTreeSet::new();
    for kill_after in [DELIVERIES / 4, DELIVERIES / 2, usize::MAX] {
        let (server, listens) = at.serve(&["--config", "docket.toml"]);
        let url = listens.url("/webhooks/fastio");
        let mut senders = JoinSet::new();
        for _ in 0..CONNECTIONS {
            senders.spawn(send(url.clone(), nodes.clone(), (next.clone(), acknowledged.clone())));
        }
        let enough = async { count.wait_for(|count| *count >= kill_after).await.map(|_| ()) };
        let all = async {
            let mut sent = Vec::new();
            while let Some(kept) = senders.join_next().await {
                sent.extend(kept.unwrap());
            }
            sent
        };
        tokio::pin!(all);
        let done = tokio::select! { _ = enough => None, sent = &mut all => Some(sent) };
        server.kill();
        kept.extend(match done {
            Some(sent) => sent,
            None => all.await,
        });
    }
    assert_eq!(kept.len(), *acknowledged.borrow());
    assert!(kept.len() > DELIVERIES / 2, "only {} were acknowledged", kept.len());
    check(&place.database_url(), &kept).await;
}

async fn check(url: &str, kept: &BTreeSet<String>) {
    let database = Database::open(url).await.unwrap();
    while drain_once(&database, 0).await.unwrap().rows > 0 {}
    let ids = DatabaseFile::of(url).texts("SELECT event_id FROM event").await;
    let known: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(known.len(), ids.len(), "an event is there twice");
    let lost: Vec<&String> = kept.difference(&known).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}
