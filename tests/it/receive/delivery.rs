//! What a delivery becomes.

use std::sync::Arc;

use docket::clock::Clock;
use docket::receive::drain::drain_once;
use docket::receive::signature::{Scheme, sign};
use docket::receive::{self, Parts};
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{SECRET, World, event, settings, url};
use crate::harness::database::opened;

#[tokio::test]
async fn a_delivery_signed_in_any_documented_way_becomes_an_event_and_a_job() {
    let world = World::start().await;
    let secret = SecretString::from(SECRET);
    for (index, scheme) in [Scheme::FastioV1Base64, Scheme::XFastioSha256Hex].into_iter().enumerate() {
        let body = event(&format!("evt_{index}"), &format!("2node{index}")).to_string();
        let mut headers = sign(scheme, &secret, world.clock.now() / 1000, body.as_bytes());
        headers.push(("content-type", "application/json; charset=utf-8".into()));
        let response = world.post(&headers, body.as_bytes()).await;
        assert_eq!(response.status(), 202);
        assert_eq!(response.text().await.unwrap(), r#"{"events":1}"#);
    }
    assert_eq!(world.drain().await, (2, 0, 2));
    let row = world.events().await.pop().unwrap();
    assert_eq!((row.kind.as_str(), row.subject.as_str(), row.source.as_str()), ("added", "file", "webhook"));
    assert_eq!(row.profile.as_deref(), Some("workspace:4829105738291047362"));
    assert_eq!(world.number("SELECT secret_index FROM event LIMIT 1").await, 1);
    assert_eq!(world.number("SELECT count(*) FROM job WHERE needs LIKE '%openai%'").await, 2);
    let counts = world.counts().await;
    for (name, label, count) in [
        ("accepted", "", 2),
        ("matched", "fastio_v1_base64 secret 1 as_given", 1),
        ("matched", "x_fastio_sha256_hex secret 1 as_given", 1),
    ] {
        assert!(counts.contains(&(name.into(), label.into(), count)), "{name} {label}: {counts:?}");
    }
}

#[tokio::test]
async fn a_delivery_that_is_not_signed_is_401_and_leaves_nothing() {
    let world = World::start().await;
    let body = event("evt_1", "2a").to_string().into_bytes();
    let right = world.signed(&body);
    let stale = sign(Scheme::FastioV1Base64, &SECRET.into(), world.clock.now() / 1000 - 72 * 3600 - 1, &body);
    let foreign = sign(Scheme::FastioV1Base64, &"somebody-else's".into(), world.clock.now() / 1000, &body);
    let mut tampered = body.clone();
    tampered[20] ^= 1;
    let mut texts = Vec::new();
    for (headers, body) in [(vec![], &body), (stale, &body), (foreign, &body), (right, &tampered)] {
        let response = world.post(&headers, body).await;
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        texts.push(response.text().await.unwrap());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "the answer tells which check failed: {texts:?}");
    assert_eq!(world.level.rows(), 0);
    assert_eq!(world.drain().await, (0, 0, 0));
    let counts = world.counts().await;
    for (reason, count) in [("missing_signature", 1), ("timestamp_too_old", 1), ("signature_mismatch", 2)] {
        assert!(counts.contains(&("rejected".into(), reason.into(), count)), "{reason}: {counts:?}");
    }
}

#[tokio::test]
async fn a_delivery_told_twice_is_one_event_and_one_job() {
    let world = World::start().await;
    for _ in 0..3 {
        assert_eq!(world.send(&event("evt_1", "2a")).await, 202);
    }
    assert_eq!(world.drain().await, (1, 2, 1));
    assert_eq!(world.send(&event("evt_1", "2a")).await, 202);
    assert_eq!(world.drain().await, (0, 1, 0));
    assert_eq!((world.events().await.len(), world.jobs().await), (1, 1));
}

#[tokio::test]
async fn a_replay_makes_nothing_and_the_same_words_signed_again_are_another_event() {
    let world = World::start().await;
    let body = json!({"event": "file.modified", "data": {"file_id": "2a", "workspace_id": "7"}}).to_string();
    let captured = world.signed(body.as_bytes());
    for _ in 0..960 {
        assert_eq!(world.post(&captured, body.as_bytes()).await.status(), 202);
    }
    assert_eq!(world.drain().await, (1, 959, 1));
    // As long as it is accepted at all.
    world.clock.shift(250_000);
    assert_eq!(world.post(&captured, body.as_bytes()).await.status(), 202);
    assert_eq!(world.drain().await, (0, 1, 0));
    let again = world.signed(body.as_bytes());
    assert_eq!(world.post(&again, body.as_bytes()).await.status(), 202);
    assert_eq!(world.drain().await, (1, 0, 1), "the file may have changed a second time");
    assert_eq!((world.events().await.len(), world.jobs().await), (2, 1));
}

#[tokio::test]
async fn what_is_known_to_change_no_file_is_shown_as_ignored() {
    let world = World::start().await;
    assert_eq!(world.send(&json!({"event_id": "e2", "event": "file.accessed", "file_id": "2a"})).await, 202);
    assert_eq!(world.drain().await, (1, 0, 0));
    let events = world.events().await;
    assert!(events.iter().all(|row| row.kind == "ignored" && row.ignored_because.is_some()), "{events:?}");
    assert_eq!(world.jobs().await, 0);
}

#[tokio::test]
async fn what_names_no_place_is_shown_with_the_reason_and_is_one_look_at_everything() {
    let world = World::start().await;
    assert_eq!(world.send(&json!({"event_id": "e1", "event": "moon_landed"})).await, 202);
    assert_eq!(world.send(&json!({"hello": "from the dashboard"})).await, 202);
    let body = br#"{"hello":"\ud83d","size":1e400}"#;
    assert_eq!(world.post(&world.signed(body), body).await.status(), 202);
    assert_eq!(world.drain().await, (3, 0, 1));
    let events = world.events().await;
    assert!(events.iter().all(|row| row.kind == "ignored" && row.ignored_because.is_some()), "{events:?}");
    assert_eq!(world.number("SELECT count(*) FROM job WHERE key = 'relist'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_shares_commits_and_every_acknowledged_delivery_is_kept() {
    let mut world = World::start().await;
    let drain = world.drain.take().unwrap();
    world.tasks.spawn(drain.run(world.stop.clone()));
    let world = Arc::new(world);
    let (senders, each) = (64, 20);
    let mut tasks = JoinSet::new();
    for sender in 0..senders {
        let world = world.clone();
        tasks.spawn(async move {
            for index in 0..each {
                let id = format!("evt_{sender}_{index}");
                assert_eq!(world.send(&event(&id, &format!("2node{}", index % 5))).await, 202);
            }
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
    let deliveries = senders * each;
    let commits = world.level.commits().get();
    assert!(commits < deliveries, "{commits} commits");
    world.drain().await;
    assert_eq!(world.number("SELECT count(*) FROM event").await, i64::try_from(deliveries).unwrap());
    assert_eq!(world.jobs().await, 5);
}

#[tokio::test]
async fn a_delivery_of_many_events_that_ask_for_nothing_is_a_few_rows() {
    let world = World::start().await;
    let mut events = vec![json!({}); 999];
    events.push(event("evt_1", "2a"));
    assert_eq!(world.send(&json!(events)).await, 202);
    assert_eq!(world.send(&json!({"events": events})).await, 202);
    assert_eq!(world.send(&json!(vec![json!({}); 1001])).await, 400);
    // One for the file, and one for what cannot be placed.
    assert_eq!(world.drain().await, (19, 1, 2));
    let reasons: Vec<String> =
        world.events().await.into_iter().filter_map(|row| row.ignored_because).collect();
    assert_eq!(
        reasons
            .iter()
            .filter(|why| *why == "this and 990 more of its delivery name no file that changed")
            .count(),
        2
    );
}

#[tokio::test]
async fn one_pass_takes_no_more_events_than_one_delivery_may_hold() {
    let world = World::start().await;
    for delivery in 0..3 {
        let events: Vec<_> =
            (0..400).map(|n| event(&format!("evt_{delivery}_{n}"), &format!("2n{n}"))).collect();
        assert_eq!(world.send(&json!(events)).await, 202);
    }
    let drained = drain_once(&world.database, world.clock.now()).await.unwrap();
    assert_eq!((drained.rows, drained.new), (2, 800));
    assert_eq!(world.drain().await, (400, 0, 400));
}

#[tokio::test]
async fn without_a_secret_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let database = opened(&url(&folder)).await;
    let parts = Parts {
        database,
        clock: Clock::default(),
        workers: Arc::new(Notify::new()),
        heard: Arc::default(),
        wanted: Arc::new(|_, _| Ok(true)),
    };
    let error = receive::open(settings(), &[], parts).await.err().unwrap().to_string();
    assert!(error.contains("FASTIO_WEBHOOK_SECRET"), "{error}");
}
