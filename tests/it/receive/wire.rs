//! What a stranger may send to the public listener, slowly, wrongly or in masses.

use std::time::{Duration, Instant};

use docket::receive::Settings;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{World, claiming, event, rest, settings};
use crate::harness::Harness;

#[tokio::test]
async fn what_is_wrong_with_a_request_has_its_status() {
    let world = World::with(Settings { max_body_bytes: 1000, ..settings() }).await;
    let answer = async |headers: &[(&str, String)], body: &[u8]| {
        let response = world.post(headers, body).await;
        let status = response.status().as_u16();
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["status"], status, "{problem}");
        status
    };
    for garbage in [&b"{\"event\":"[..], b"\xff\xfe\x00", b"42", b""] {
        assert_eq!(answer(&world.signed(garbage), garbage).await, 400);
    }
    let long = vec![b'x'; 1001];
    assert_eq!(answer(&world.signed(&long), &long).await, 413);
    let get = world.client.get(world.path("/webhooks/fastio")).send().await.unwrap();
    assert_eq!((get.status().as_u16(), get.headers()["allow"].to_str().unwrap()), (405, "POST"));
    assert_eq!(get.headers()["content-type"], "application/problem+json");
    let nothing = world.client.get(world.path("/metrics")).send().await.unwrap();
    assert_eq!(
        (nothing.status().as_u16(), &nothing.headers()["content-type"] == "application/problem+json"),
        (404, true)
    );
    assert_eq!(world.level.rows(), 0);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_cut_off_at_the_limit() {
    let world = World::with(Settings { max_body_bytes: 1000, ..settings() }).await;
    let mut stream = world.connect().await;
    stream.write_all(claiming(&world, "transfer-encoding: chunked").as_bytes()).await.unwrap();
    for _ in 0..3 {
        stream.write_all(format!("{:x}\r\n{}\r\n", 500, "x".repeat(500)).as_bytes()).await.unwrap();
    }
    assert!(rest(stream).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn too_long_a_head_is_431() {
    let world = World::with(Settings { max_header_bytes: 8192, ..settings() }).await;
    let mut stream = world.connect().await;
    let head = format!("GET /livez HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(10_000));
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(rest(stream).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_sender_that_dawdles_is_cut_off() {
    let world = World::start().await;
    let mut head = world.connect().await;
    head.write_all(b"POST /webhooks/fastio HTTP/1.1\r\nhost").await.unwrap();
    let mut body = world.connect().await;
    let begin = claiming(&world, "content-length: 100") + "{";
    body.write_all(begin.as_bytes()).await.unwrap();
    let silent = world.connect().await;
    let (head, body, silent) = tokio::join!(rest(head), rest(body), rest(silent));
    assert_eq!((head.as_str(), silent.as_str()), ("", ""));
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    assert!(body.to_lowercase().contains("connection: close"), "{body}");
}

#[tokio::test]
async fn a_body_that_is_cut_off_leaves_nothing() {
    let world = World::start().await;
    let body = event("evt_1", "2a").to_string();
    let (name, value) = world.signed(body.as_bytes()).remove(0);
    let mut stream = world.connect().await;
    let head = format!(
        "POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\ncontent-length: {}\r\n\r\n",
        body.len() + 1
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = rest(stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(world.level.rows(), 0);
}

#[tokio::test]
async fn a_sender_that_closes_its_side_still_gets_its_answer() {
    let world = World::start().await;
    let body = event("evt_1", "2a").to_string();
    let (name, value) = world.signed(body.as_bytes()).remove(0);
    let mut stream = world.connect().await;
    let length = body.len();
    let request = format!(
        "POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(rest(stream).await.starts_with("HTTP/1.1 202"));
}

#[tokio::test]
async fn a_sender_that_hangs_up_before_its_answer_is_counted() {
    let settings = Settings { ack_timeout_milliseconds: 100, ..settings() };
    // Nothing is written, so that the answer comes when the sender is gone.
    let mut world = World::with(settings).await;
    let _lock = world.database_file().inbox().lock("BEGIN IMMEDIATE").await;
    let mut stream = world.connect().await;
    stream.write_all(request(&world, "evt_1").as_bytes()).await.unwrap();
    drop(stream);
    // One that waits is answered after it, and does not count.
    assert_eq!(world.client.get(world.path("/livez")).send().await.unwrap().status(), 200);
    world.stop.cancel();
    world.tasks.join_next().await.unwrap().unwrap();
    let counts = world.counts().await;
    assert!(counts.contains(&("hung_up".to_owned(), String::new(), 1)), "{counts:?}");
}

/// A request that is signed as it must be, as it goes over the wire.
fn request(world: &World, id: &str) -> String {
    let body = event(id, "2a").to_string();
    let (name, value) = world.signed(body.as_bytes()).remove(0);
    let length = body.len();
    format!(
        "POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Sends a byte now and then until the server ends the connection. Answers how long that took and what the server said.
async fn drip(mut stream: TcpStream, begin: &str) -> (Duration, String) {
    stream.write_all(begin.as_bytes()).await.unwrap();
    let (begun, mut answer) = (Instant::now(), [0; 1024]);
    let mut drops = tokio::time::interval(Duration::from_millis(50));
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => {
                let said = String::from_utf8_lossy(&answer[..read.unwrap_or(0)]).into_owned();
                return (begun.elapsed(), said);
            }
            _ = drops.tick() => { let _ = stream.write_all(b"x").await; }
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "it goes on for ever");
    }
}

#[tokio::test]
async fn a_head_or_body_that_comes_byte_by_byte_has_no_more_time_than_another() {
    let world = World::start().await;
    let head = drip(world.connect().await, "POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\nx-slow: ");
    let begin = claiming(&world, "content-length: 5000");
    let body = drip(world.connect().await, &begin);
    let ((head_took, head), (body_took, body)) = tokio::join!(head, body);
    assert_eq!(head, "");
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    assert!(head_took >= Duration::from_millis(900) && body_took >= Duration::from_millis(900));
    assert_eq!(world.level.rows(), 0);
}

#[tokio::test]
async fn too_long_a_length_is_refused_before_any_of_it_comes() {
    let world = World::start().await;
    for length in ["1048577", "99999999999"] {
        let mut stream = world.connect().await;
        let head = format!("POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn a_length_that_is_wrong_lets_nothing_in() {
    let world = World::start().await;
    let right = request(&world, "evt_1");
    let length = right.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
    let with = |lengths: &str| right.replace(&format!("content-length: {length}"), lengths);
    let short: usize = length.parse::<usize>().unwrap() - 3;
    for (lengths, status) in [
        // What is left over is no request, and the connection ends with it.
        (format!("content-length: {short}"), "HTTP/1.1 401"),
        (format!("content-length: {length}\r\ncontent-length: {short}"), "HTTP/1.1 400"),
        ("content-length: -1".to_owned(), "HTTP/1.1 400"),
        (format!("content-length: {length}x"), "HTTP/1.1 400"),
        ("content-length: 99999999999999999999999".to_owned(), "HTTP/1.1 400"),
        ("transfer-encoding: gzip".to_owned(), "HTTP/1.1 400"),
    ] {
        let mut stream = world.connect().await;
        stream.write_all(with(&lengths).as_bytes()).await.unwrap();
        let answer = rest(stream).await;
        assert!(answer.starts_with(status), "{lengths}: {answer}");
        assert_eq!(world.level.rows(), 0, "{lengths}");
    }
    // It was the length.
    let mut stream = world.connect().await;
    stream
        .write_all(with(&format!("connection: close\r\ncontent-length: {length}")).as_bytes())
        .await
        .unwrap();
    assert!(rest(stream).await.starts_with("HTTP/1.1 202"));
}

#[tokio::test]
async fn requests_that_come_at_once_on_one_connection_are_answered_in_their_order() {
    let world = World::start().await;
    let mut stream = world.connect().await;
    let unsigned = "POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
    let last = "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let all = [&request(&world, "evt_1"), unsigned, &request(&world, "evt_2"), last].concat();
    stream.write_all(all.as_bytes()).await.unwrap();
    let answers = rest(stream).await;
    let status = |answer: &str| answer[..3].to_owned();
    let statuses: Vec<String> = answers.split("HTTP/1.1 ").skip(1).map(status).collect();
    assert_eq!(statuses, ["202", "401", "202", "200"], "{answers}");
    assert_eq!(world.drain().await, (2, 0, 1));
}

#[tokio::test]
async fn many_idle_connections_hold_up_nobody_and_are_cut_off() {
    let world = World::with(Settings { max_connections: 300, ..settings() }).await;
    let mut idle = Vec::new();
    for _ in 0..250 {
        idle.push(world.connect().await);
    }
    let begun = Instant::now();
    assert_eq!(world.send(&event("evt_1", "2a")).await, 202);
    assert!(begun.elapsed() < Duration::from_secs(1), "it waited for a connection to end");
    for answer in futures_util::future::join_all(idle.into_iter().map(rest)).await {
        assert_eq!(answer, "");
    }
}

#[tokio::test]
async fn the_world_is_shown_four_paths_and_nothing_else() {
    let h = Harness::start().await;
    let ask = async |method: &str, path: &str| {
        let mut url = h.webhook_url.clone();
        url.set_path(path);
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        client.request(method, url).send().await.unwrap().status().as_u16()
    };
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];
    for path in [
        "/",
        "/metrics",
        "/api/v1/status",
        "/api/v1/openapi.json",
        "/healthz",
        "/status",
        "/debug",
        "/favicon.ico",
        "/.env",
        "/webhooks",
        "/webhooks/",
        "/webhooks/fastio/x",
        "/webhooks/Fastio",
        "/livez/",
        "/readyz/x",
        "//livez",
        "/webhooks/%66astio/..",
        "/_sandbox/state",
        "/docket.db",
    ] {
        for method in methods {
            assert_eq!(ask(method, path).await, 404, "{method} {path}");
        }
    }
    for (path, allowed) in [
        ("/webhooks/fastio", &["POST"][..]),
        ("/webhooks/openai", &["POST"]),
        // The same with a slash too many, and with what a proxy puts before it.
        ("/webhooks/fastio/", &["POST"]),
        ("//webhooks//fastio", &["POST"]),
        ("/docket/webhooks/fastio", &["POST"]),
        ("/webhooks/openai/", &["POST"]),
        ("/livez", &["GET", "HEAD"]),
        ("/readyz", &["GET", "HEAD"]),
    ] {
        for method in methods {
            let wanted: &[u16] = if allowed.contains(&method) { &[200, 400, 401] } else { &[405] };
            let status = ask(method, path).await;
            assert!(wanted.contains(&status), "{method} {path}: {status}");
        }
    }
    h.finish().await;
}
