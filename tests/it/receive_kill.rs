//! Ten thousand deliveries from 64 connections while workers run, and the server killed in the middle of them: every
//! delivery that was acknowledged is in the database, none twice.
//!
//! The server that is killed is this test binary, started again for one ignored test.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use docket::clock::Clock;
use docket::database::Database;
use docket::queue::{self, Claimed, Handler, Queue, Verdict};
use docket::receive::drain::drain_once;
use docket::receive::signature::{Scheme, sign};
use docket::receive::{self, Parts, Settings};
use secrecy::SecretString;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "a-secret-for-the-kill-test";
const DELIVERIES: usize = 10_000;
const CONNECTIONS: usize = 64;
const FILES: usize = 500;
const DATABASE: &str = "DOCKET_KILL_TEST_DATABASE";

struct Nothing;

impl Handler for Nothing {
    async fn handle(&self, _: &Claimed) -> Verdict {
        Verdict::Done
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the server that another test starts and kills"]
async fn server_to_be_killed() {
    let Ok(url) = std::env::var(DATABASE) else { return };
    let database = Database::open(&url).await.unwrap();
    let queue = Queue::new(database.clone(), Clock::default(), queue::Settings::default());
    let parts = Parts { database, clock: Clock::default(), workers: queue.wake() };
    let receive = receive::open(Settings::default(), &[SecretString::from(SECRET)], parts).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\nlistening on {}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(receive.writer.run(stop.clone()));
    tasks.spawn(receive.drain.run(stop.clone()));
    for _ in 0..4 {
        let (queue, stop) = (queue.clone(), stop.clone());
        tasks.spawn(async move { queue.work(&Nothing, stop, CancellationToken::new()).await });
    }
    receive.public.serve(listener, stop).await;
}

/// The server's process, killed with SIGKILL when this goes.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(database: &str) -> (Server, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["receive_kill::server_to_be_killed", "--exact", "--ignored", "--nocapture"])
        .env(DATABASE, database)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let server = Server(child);
    let mut addresses = lines.map_while(Result::ok).filter_map(|line| {
        line.strip_prefix("listening on ").map(|address| format!("http://{address}/webhooks/fastio"))
    });
    let url = addresses.next().expect("the server says where it listens");
    (server, url)
}

/// Sends deliveries until there are no more or the server is gone, and says which were acknowledged.
async fn send(url: String, next: Arc<AtomicUsize>, acknowledged: watch::Sender<usize>) -> Vec<String> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
    let mut kept = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= DELIVERIES {
            return kept;
        }
        let id = format!("evt_{number}");
        let body = json!({"event_id": id, "event": "workspace_storage_file_updated", "workspace_id": "77",
                          "object_id": format!("2node{}", number % FILES)})
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
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}/docket.db", folder.path().display());
    let (next, (acknowledged, mut count)) = (Arc::new(AtomicUsize::new(0)), watch::channel(0));
    let mut kept = BTreeSet::new();
    for kill_after in [DELIVERIES / 4, DELIVERIES / 2, usize::MAX] {
        let (server, url) = start(&database);
        let mut senders = JoinSet::new();
        for _ in 0..CONNECTIONS {
            senders.spawn(send(url.clone(), next.clone(), acknowledged.clone()));
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
        drop(server);
        kept.extend(match done {
            Some(sent) => sent,
            None => all.await,
        });
    }
    assert_eq!(kept.len(), *acknowledged.borrow());
    assert!(kept.len() > DELIVERIES / 2, "only {} were acknowledged", kept.len());
    check(&database, &kept, folder.path()).await;
}

async fn check(url: &str, kept: &BTreeSet<String>, folder: &Path) {
    let database = Database::open(url).await.unwrap();
    while drain_once(&database, 0).await.unwrap().rows > 0 {}
    let ids: Vec<String> =
        sqlx::query_scalar("SELECT event_id FROM event").fetch_all(database.read()).await.unwrap();
    let known: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(known.len(), ids.len(), "an event is there twice in {}", folder.display());
    let lost: Vec<&String> = kept.difference(&known).collect();
    assert!(lost.is_empty(), "acknowledged and not in {}: {lost:?}", folder.display());
}
