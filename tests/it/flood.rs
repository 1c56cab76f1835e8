//! Senders get through to the real program while strangers hold more connections than it serves, come back whenever one is
//! cut off, and send bodies all the time.
//!
//! A plain run is small enough for a busy machine. `DOCKET_FLOOD=5000,100` makes it what is promised, on a quiet machine:
//! 5,000 connections, 100 MB a second, and each delivery has the time that a sender gives it (docs/testing.md).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use docket::receive::signature::{Scheme, sign};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::harness::program::{KEYS, Place, SECRET};

/// How hard it comes.
struct Flood {
    connections: u32,
    idle: usize,
    megabytes_a_second: u32,
    deliveries: usize,
    /// How long a sender waits for its answer.
    patience: Duration,
}

const SMALL: Flood = Flood {
    connections: 64,
    idle: 300,
    megabytes_a_second: 5,
    deliveries: 50,
    patience: Duration::from_secs(30),
};

impl Flood {
    /// What `DOCKET_FLOOD=CONNECTIONS,MEGABYTES` says, with the default settings and a sender's real patience.
    fn asked_for(text: &str) -> Flood {
        let (idle, megabytes) = text.split_once(',').expect("DOCKET_FLOOD=5000,100");
        Flood {
            connections: 1024,
            idle: idle.parse().unwrap(),
            megabytes_a_second: megabytes.parse().unwrap(),
            deliveries: 100,
            patience: Duration::from_millis(2_500),
        }
    }
}

/// Senders, every other of which keeps its connection.
const SENDERS: usize = 8;

const MEGABYTE: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_always_come_back_and_bodies_without_end_keep_no_sender_out() {
    let flood = std::env::var("DOCKET_FLOOD").map_or(SMALL, |text| Flood::asked_for(&text));
    // What is delivered is about no rule.
    let place = Place::alone();
    let connections = format!("receive.max_connections={}", flood.connections);
    let (mut server, listens) = place.with(&KEYS).serve(&["--set", &connections]);
    let address = listens.public;

    let mut strangers = JoinSet::new();
    for stranger in 0..flood.idle {
        strangers.spawn(holds_a_connection(address, BEGINNINGS[stranger % BEGINNINGS.len()]));
    }
    for stranger in 0..flood.megabytes_a_second {
        strangers.spawn(sends_bodies(address, stranger.is_multiple_of(2)));
    }
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        senders.spawn(delivers(address, sender, (flood.deliveries, flood.patience)));
    }
    let mut took: Vec<Option<Duration>> = senders.join_all().await.into_iter().flatten().collect();
    let alive = reqwest::get(format!("http://{address}/livez")).await.unwrap().status();
    strangers.shutdown().await;
    took.sort();
    let late = took.iter().filter(|took| took.is_none()).count();
    println!(
        "{late} of {} were not acknowledged; half took {:?}, the slowest {:?}",
        took.len(),
        took[took.len() / 2],
        took.last()
    );
    assert_eq!(alive, 200);
    assert!(late * 100 <= took.len(), "{late} of {} deliveries were not acknowledged", took.len());
    assert_eq!(server.stop(), 0);
}

/// What those say who only hold a connection: nothing, a part of a head, and a question after which they stay.
const BEGINNINGS: [&str; 3] =
    ["", "POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\n", "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"];

/// Holds a connection for as long as it may, again and again.
async fn holds_a_connection(address: SocketAddr, begin: &str) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await
            && stream.write_all(begin.as_bytes()).await.is_ok()
        {
            while stream.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
        }
    }
}

/// Sends a megabyte a second without a signature, or with one that only the whole body proves wrong.
async fn sends_bodies(address: SocketAddr, claims: bool) {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let body = vec![b'x'; MEGABYTE];
    loop {
        seconds.tick().await;
        let signature = if claims { signature(b"another body") } else { String::new() };
        let head = format!(
            "POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\n{signature}content-length: {MEGABYTE}\r\n\r\n"
        );
        let Ok(mut stream) = TcpStream::connect(address).await else { continue };
        let send = async {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await?;
            stream.read(&mut [0; 1024]).await
        };
        // Hung up on, as a rule.
        let _ = timeout(Duration::from_secs(1), send).await;
    }
}

fn signature(body: &[u8]) -> String {
    let now = docket::clock::Clock::default().now() / 1000;
    let (name, value) = sign(Scheme::FastioV1Base64, &SECRET.into(), now, body).remove(0);
    format!("{name}: {value}\r\n")
}

/// Delivers one after the other, and answers how long each took to be acknowledged, if it was in time.
async fn delivers(
    address: SocketAddr,
    sender: usize,
    (deliveries, patience): (usize, Duration),
) -> Vec<Option<Duration>> {
    let keeps = usize::from(sender.is_multiple_of(2));
    let client = reqwest::Client::builder().pool_max_idle_per_host(keeps).build().unwrap();
    let mut took = Vec::new();
    for delivery in 0..deliveries {
        let body = json!({"event_id": format!("evt_{sender}_{delivery}"), "event": "workspace_storage_file_added",
                          "workspace_id": "1", "object_id": format!("2n{delivery}")});
        let body = body.to_string();
        let signature = signature(body.as_bytes());
        let (name, value) = signature.trim_end().split_once(": ").unwrap();
        let request = client.post(format!("http://{address}/webhooks/fastio")).header(name, value).body(body);
        let begun = Instant::now();
        let answer = request.timeout(patience).send().await;
        let in_time = answer.is_ok_and(|answer| answer.status() == 202);
        took.push(in_time.then(|| begun.elapsed()));
    }
    took
}
