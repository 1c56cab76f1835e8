//! Strangers who take what a sender needs: connections, memory, processor time. A sender of valid deliveries is
//! not kept out by clients that send none.

use std::net::SocketAddr;
use std::time::Duration;

use docket::receive::Settings;
use docket::receive::signature::{Scheme, sign};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{SECRET, World, claiming, event, rest, settings};
use crate::harness::Harness;

/// A machine that is busy with other tests: what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Few places, and no other limit that ends a connection while a test runs.
async fn small(places: u32) -> World {
    World::with(Settings {
        max_connections: places,
        header_timeout_seconds: 60,
        body_timeout_seconds: 60,
        ..settings()
    })
    .await
}

/// A connection from another address of this machine.
async fn from(address: &str, world: &World) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse::<SocketAddr>().unwrap()).unwrap();
    socket.connect(world.address).await.unwrap()
}

/// Sends `request` and answers the first line of what comes back.
async fn asked(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 4096];
    let length = timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap_or(0);
    String::from_utf8_lossy(&answer[..length]).lines().next().unwrap_or_default().to_owned()
}

fn delivery(world: &World, id: &str) -> String {
    let body = event(id, "2a").to_string();
    let (name, value) = world.signed(body.as_bytes()).remove(0);
    let length = body.len();
    format!(
        "POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// A question that needs no key. The connection stays open after its answer.
const ALIVE: &str = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";

/// A connection from `address` that is served and asks nothing more.
async fn idle_from(address: &str, world: &World) -> TcpStream {
    let mut stream = from(address, world).await;
    assert_eq!(asked(&mut stream, ALIVE).await, "HTTP/1.1 200 OK");
    stream
}

/// Has `many` connections of `address` served one after the other, and sees that all but the newest `left` gave way.
async fn crowd_in(address: &str, world: &World, many: usize, left: usize) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for _ in 0..many {
        crowd.push(idle_from(address, world).await);
    }
    let newest = crowd.split_off(many - left);
    for pressed_out in crowd {
        assert_eq!(rest(pressed_out).await, "");
    }
    newest
}

#[tokio::test]
async fn what_claims_no_readable_and_timely_signature_is_refused_before_its_body_comes() {
    let world = World::start().await;
    let now = world.clock.now() / 1000;
    let signed = |at: i64| sign(Scheme::FastioV1Base64, &SECRET.into(), at, b"{}").remove(0).1;
    let hex = sign(Scheme::XFastioSha256Hex, &SECRET.into(), now, b"{}").remove(0).1;
    let many = signed(now) + &format!(",v1={}", "A".repeat(43)).repeat(20);
    let (mut texts, mut reasons) = (Vec::new(), Vec::new());
    for (line, why) in [
        ("x: y".to_owned(), "missing_signature"),
        ("fastio-signature: t=1,v1=abc".to_owned(), "unreadable_signature"),
        (format!("x-fastio-signature: {hex}"), "missing_timestamp"),
        (format!("x-fastio-signature: {hex}\r\nx-fastio-timestamp: now"), "unreadable_timestamp"),
        (format!("fastio-signature: {}", signed(now - 72 * 3600 - 2)), "timestamp_too_old"),
        (format!("fastio-signature: {}", signed(now + 72 * 3600 + 2)), "timestamp_too_new"),
        (format!("fastio-signature: {many}"), "too_many_signatures"),
    ] {
        for length in ["content-length: 1000000", "transfer-encoding: chunked"] {
            let mut stream = world.connect().await;
            let head = format!("POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\n{line}\r\n{length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let answer = rest(stream).await;
            assert!(answer.starts_with("HTTP/1.1 401"), "{why}: {answer}");
            assert!(answer.to_lowercase().contains("connection: close"), "{why}: {answer}");
            texts.push(answer.split("\r\n\r\n").nth(1).unwrap().to_owned());
        }
        reasons.push(why);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "the answer tells which check failed: {texts:?}");
    let counted = world.counts().await;
    for why in reasons {
        assert!(counted.contains(&("rejected".into(), why.into(), 2)), "{why}: {counted:?}");
    }
}

#[tokio::test]
async fn openais_webhooks_are_refused_by_their_head_too() {
    let h = Harness::start().await;
    let address = h.webhook_url.socket_addrs(|| None).unwrap()[0];
    let signed = "webhook-id: x\r\nwebhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n";
    for claimed in ["", signed, &format!("{signed}webhook-timestamp: 1614265330\r\n")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let line =
            format!("POST /webhooks/openai HTTP/1.1\r\nhost: x\r\n{claimed}content-length: 1000000\r\n\r\n");
        assert_eq!(asked(&mut stream, &line).await, "HTTP/1.1 401 Unauthorized", "{claimed}");
    }
    h.finish().await;
}

#[tokio::test]
async fn when_every_place_is_taken_the_oldest_idle_connection_gives_way() {
    let world = small(1).await;
    let first = idle_from("127.0.0.1", &world).await;
    assert_eq!(world.send(&event("evt_1", "2a")).await, 202);
    assert_eq!(rest(first).await, "");
}

#[tokio::test]
async fn who_has_not_asked_anything_yet_takes_nobodys_place() {
    let world = small(1).await;
    let (mut silent, mut slow) = (world.connect().await, world.connect().await);
    slow.write_all(&ALIVE.as_bytes()[..20]).await.unwrap();
    for id in ["evt_1", "evt_2", "evt_3"] {
        let mut sender = from("127.0.0.2", &world).await;
        assert_eq!(asked(&mut sender, &delivery(&world, id)).await, "HTTP/1.1 202 Accepted");
    }
    assert_eq!(asked(&mut slow, &ALIVE[20..]).await, "HTTP/1.1 200 OK");
    assert_eq!(asked(&mut silent, ALIVE).await, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_connection_that_delivered_outlives_all_that_only_hold_one() {
    let world = small(8).await;
    let mut sender = world.connect().await;
    assert_eq!(asked(&mut sender, &delivery(&world, "evt_1")).await, "HTTP/1.1 202 Accepted");
    let _crowd = crowd_in("127.0.0.1", &world, 40, 7).await;
    assert_eq!(asked(&mut sender, &delivery(&world, "evt_2")).await, "HTTP/1.1 202 Accepted");
    // And so does one that comes only now.
    assert_eq!(world.send(&event("evt_3", "2a")).await, 202);
}

#[tokio::test]
async fn strangers_leave_a_quarter_of_the_places_to_known_senders() {
    let world = small(8).await;
    let mut sender = from("127.0.0.2", &world).await;
    assert_eq!(asked(&mut sender, &delivery(&world, "evt_1")).await, "HTTP/1.1 202 Accepted");
    drop(sender);
    let mut idle = idle_from("127.0.0.2", &world).await;
    let _crowd = crowd_in("127.0.0.1", &world, 40, 6).await;
    assert_eq!(asked(&mut idle, &delivery(&world, "evt_2")).await, "HTTP/1.1 202 Accepted");
}

#[tokio::test]
async fn one_address_presses_out_itself_only() {
    let world = small(8).await;
    let mut other = idle_from("127.0.0.3", &world).await;
    let _crowd = crowd_in("127.0.0.1", &world, 40, 5).await;
    assert_eq!(asked(&mut other, ALIVE).await, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn bodies_that_nobody_vouched_for_give_way_to_a_delivery_and_to_a_question_of_health() {
    let world = small(8).await;
    let begin = claiming(&world, "expect: 100-continue\r\ncontent-length: 100000");
    let mut slow = Vec::new();
    for _ in 0..6 {
        let mut stream = world.connect().await;
        // It is asked for its body: the request is in hand.
        assert_eq!(asked(&mut stream, &begin).await, "HTTP/1.1 100 Continue");
        slow.push(stream);
    }
    for id in ["evt_1", "evt_2"] {
        let mut sender = world.connect().await;
        assert_eq!(asked(&mut sender, &delivery(&world, id)).await, "HTTP/1.1 202 Accepted");
        let mut monitor = world.connect().await;
        let ask = "GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        assert_eq!(asked(&mut monitor, ask).await, "HTTP/1.1 200 OK");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_fill_the_memory_give_way_to_smaller_ones() {
    let world = small(1024).await;
    let begin = claiming(&world, "content-length: 1048576");
    let piece = vec![b'x'; 1024 * 1024 - 1];
    let mut large = JoinSet::new();
    for _ in 0..80 {
        let mut stream = world.connect().await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        // Some are cut off on the way.
        let _ = stream.write_all(&piece).await;
        large.spawn(rest(stream));
    }
    // Sixty-three fit in.
    for _ in 0..10 {
        let answer = large.join_next().await.unwrap().unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
    for n in 0..20 {
        assert_eq!(world.send(&event(&format!("evt_{n}"), "2a")).await, 202);
    }
    let counted = world.counts().await;
    let cut = counted.iter().find(|(name, label, _)| name == "unavailable" && label == "memory");
    assert!(cut.is_some_and(|(_, _, many)| *many >= 10), "{counted:?}");
}
