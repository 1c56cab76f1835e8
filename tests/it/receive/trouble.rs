//! Our own trouble: a full disk, a lock, an inbox that is full, a stop. The sender is told to come again, and nothing that
//! was acknowledged is lost.

use std::fs;

use docket::receive::Settings;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{World, event, rest, settings};
use crate::harness::beside::again;
use crate::harness::database::{bytes, fill_disk, free_disk};

#[tokio::test]
async fn what_was_acknowledged_before_a_crash_is_drained_after_it() {
    let world = World::start().await;
    for index in 0..300 {
        assert_eq!(world.send(&event(&format!("evt_{index}"), "2a")).await, 202);
    }
    let folder = world.folder.clone();
    // A crash: nothing is stopped or closed in order.
    drop(world);
    let world = World::on(folder, settings()).await;
    assert_eq!(world.level.rows(), 300);
    let (new, duplicate, _) = world.drain().await;
    assert_eq!((new, duplicate), (300, 0));
    assert_eq!(world.number("SELECT count(*) FROM inbox").await, 0);
}

#[tokio::test]
async fn a_full_disk_is_503_and_passes() {
    let world = World::start().await;
    assert_eq!(world.send(&event("evt_0", "2a")).await, 202);
    for _ in 0..3 {
        fill_disk(&world.database).await;
        let big = json!({"event_id": "evt_1", "event": "file.added", "file_id": "2a", "workspace_id": "7",
                         "x": "x".repeat(100_000)});
        let body = big.to_string().into_bytes();
        let response = world.post(&world.signed(&body), &body).await;
        assert_eq!(response.status(), 503);
        assert!(response.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
        free_disk(&world.database).await;
        // Readiness tries for itself and finds that there is space again.
        assert_eq!(world.client.get(world.path("/readyz")).send().await.unwrap().status(), 200);
        assert_eq!(world.send(&big).await, 202);
    }
    assert_eq!(world.drain().await, (2, 2, 2));
}

#[tokio::test]
async fn an_inbox_locked_by_another_process_is_503_and_passes() {
    let world = World::with(Settings { ack_timeout_milliseconds: 100, ..settings() }).await;
    let lock = world.database_file().inbox().lock("BEGIN IMMEDIATE").await;
    assert_eq!(world.send(&event("evt_1", "2a")).await, 503);
    let ready = world.client.get(world.path("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert!(ready.text().await.unwrap().contains("cannot be written"));
    drop(lock);
    let answer = async || Some(world.send(&event("evt_1", "2a")).await).filter(|status| *status != 503);
    assert_eq!(again(answer).await, 202);
    assert_eq!(world.drain().await.0, 1);
}

#[tokio::test]
async fn whatever_a_command_does_to_the_database_acknowledgements_go_on() {
    let world = World::start().await;
    let lock = world.database_file().lock("BEGIN IMMEDIATE").await;
    assert_eq!(world.send(&event("evt_1", "2a")).await, 202);
    drop(lock);
    assert_eq!(world.drain().await, (1, 0, 1));
}

#[tokio::test]
async fn what_would_be_committed_to_a_file_that_is_gone_is_503_until_it_is_back() {
    let world = World::start().await;
    let path = |name: &str| world.folder.path().join(name);
    let (database, inbox, away) = (path("docket.db"), path("docket.db-inbox"), path("away"));
    let (wal, inbox_wal) = (path("docket.db-wal"), path("docket.db-inbox-wal"));
    assert_eq!(world.send(&event("evt_0", "2a")).await, 202);
    for (taken, why) in [
        (&database, "moved or removed"),
        (&inbox, "moved or removed"),
        (&wal, "WAL was removed"),
        (&inbox_wal, "WAL was removed"),
    ] {
        fs::rename(taken, &away).unwrap();
        assert_eq!(world.send(&event("evt_1", "2a")).await, 503, "{why}");
        let ready = world.client.get(world.path("/readyz")).send().await.unwrap();
        assert_eq!(ready.status(), 503);
        let text = ready.text().await.unwrap();
        assert!(text.contains(why) && !text.contains("cannot be written"), "{text}");
        fs::rename(&away, taken).unwrap();
        assert_eq!(world.send(&event("evt_1", "2a")).await, 202);
        assert_eq!(world.client.get(world.path("/readyz")).send().await.unwrap().status(), 200);
    }
    let counts = world.counts().await;
    assert!(counts.contains(&("unavailable".into(), "displaced".into(), 4)), "{counts:?}");
    // Another file at its place, be it the same to the byte.
    fs::copy(&database, &away).unwrap();
    fs::rename(&away, &database).unwrap();
    assert_eq!(world.send(&event("evt_2", "2a")).await, 503);
    let ready = world.client.get(world.path("/readyz")).send().await.unwrap();
    assert!(ready.text().await.unwrap().contains("replaced by another"));
    fs::remove_file(&database).unwrap();
    assert_eq!(world.send(&event("evt_2", "2a")).await, 503);
}

#[tokio::test]
async fn a_full_inbox_is_503_until_it_is_drained() {
    let mut world = World::with(Settings { inbox_max_rows: 2, ..settings() }).await;
    assert_eq!(world.send(&event("evt_1", "2a")).await, 202);
    assert_eq!(world.send(&event("evt_2", "2a")).await, 202);
    assert_eq!(world.send(&event("evt_3", "2a")).await, 503);
    let ready = world.client.get(world.path("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert!(ready.text().await.unwrap().contains("inbox is full"));
    let woken = world.workers.clone();
    let woken = woken.notified();
    let drain = world.drain.take().unwrap();
    world.tasks.spawn(drain.run(world.stop.clone()));
    woken.await;
    assert_eq!(world.send(&event("evt_3", "2a")).await, 202);
}

#[tokio::test]
async fn a_writer_that_hangs_is_503_before_fastio_gives_up() {
    let settings = Settings { ack_timeout_milliseconds: 50, ..settings() };
    let world = World::with(settings).await;
    let _lock = world.database_file().inbox().lock("BEGIN IMMEDIATE").await;
    assert_eq!(world.send(&event("evt_1", "2a")).await, 503);
    assert_eq!(world.client.get(world.path("/livez")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_stop_finishes_the_request_in_hand_and_takes_no_new_one() {
    let mut world = World::start().await;
    let body = event("evt_1", "2a").to_string();
    let (name, value) = world.signed(body.as_bytes()).remove(0);
    let mut stream = world.connect().await;
    let head = format!(
        "POST /webhooks/fastio HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n{name}: {value}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body: the request is in hand.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    assert!(asked.starts_with(b"HTTP/1.1 100"));
    world.stop.cancel();
    stream.write_all(body.as_bytes()).await.unwrap();
    assert!(rest(stream).await.starts_with("HTTP/1.1 202"));
    while world.tasks.join_next().await.is_some() {}
    assert!(TcpStream::connect(world.address).await.is_err());
    assert_eq!(world.drain().await, (1, 0, 1));
}

#[tokio::test]
async fn an_inbox_row_that_cannot_be_read_does_not_stop_the_others() {
    let world = World::start().await;
    assert_eq!(world.send(&event("evt_1", "2a")).await, 202);
    let body = bytes("ff206e6f74206a736f6e");
    world.database_file().execute(&format!("UPDATE inbox SET body = {body}")).await;
    assert_eq!(world.send(&event("evt_2", "2b")).await, 202);
    // The other job is a look at everything, because where it was cannot be read.
    assert_eq!(world.drain().await, (2, 0, 2));
    let events = world.events().await;
    let unreadable = events.iter().find(|row| row.kind == "ignored").unwrap();
    assert_eq!(unreadable.ignored_because.as_deref(), Some("the body is not JSON"));
}
