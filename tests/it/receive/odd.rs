//! Deliveries as senders and proxies make them: late, to an address that is nearly right, in another wrapping. What is signed
//! is judged by what it says, and what is not goes nowhere in any form.

use std::io::Write;

use docket::receive::Settings;
use docket::receive::signature::{Scheme, sign};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use serde_json::json;

use super::{SECRET, World, event, settings};

/// Headers of a delivery that was signed so many seconds ago.
fn signed_ago(world: &World, seconds: i64, body: &[u8]) -> Vec<(&'static str, String)> {
    sign(Scheme::FastioV1Base64, &SECRET.into(), world.clock.now() / 1000 - seconds, body)
}

fn counted(counts: &[(String, String, i64)], name: &str, label: &str) -> i64 {
    counts.iter().filter(|row| row.0 == name && row.1 == label).map(|row| row.2).sum()
}

#[tokio::test]
async fn a_delivery_that_is_signed_rightly_and_late_or_early_is_a_hint_too() {
    let world = World::start().await;
    for (number, seconds) in
        [290, 310, 3_600, 86_400, 72 * 3_600 - 10, -290, -310, -3_600].into_iter().enumerate()
    {
        let body = event(&format!("evt_{number}"), &format!("2late{number}")).to_string().into_bytes();
        let headers = signed_ago(&world, seconds, &body);
        assert_eq!(world.post(&headers, &body).await.status(), 202, "{seconds}");
        // Told again, as it was.
        assert_eq!(world.post(&headers, &body).await.status(), 202, "{seconds}");
    }
    assert_eq!(world.drain().await, (8, 8, 8));
    for seconds in [72 * 3_600 + 10, 30 * 86_400, -72 * 3_600 - 10] {
        let body = event("evt_beyond", "2beyond").to_string().into_bytes();
        assert_eq!(world.post(&signed_ago(&world, seconds, &body), &body).await.status(), 401, "{seconds}");
    }
    let body = event("evt_foreign", "2foreign").to_string().into_bytes();
    let foreign = sign(
        Scheme::FastioV1Base64,
        &"somebody-else's-secret".into(),
        world.clock.now() / 1000 - 3_600,
        &body,
    );
    assert_eq!(world.post(&foreign, &body).await.status(), 401);
    assert_eq!(world.drain().await, (0, 0, 0));
    let counts = world.counts().await;
    assert_eq!((counted(&counts, "late", ""), counted(&counts, "accepted", "")), (12, 16), "{counts:?}");
}

#[tokio::test]
async fn a_late_delivery_without_an_id_is_one_event_as_long_as_it_is_let_in() {
    let world = World::start().await;
    let body = json!({"event": "file.modified", "data": {"file_id": "2a", "workspace_id": "7"}}).to_string();
    let captured = world.signed(body.as_bytes());
    for hours in [0, 1, 23, 47] {
        assert_eq!(world.post(&captured, body.as_bytes()).await.status(), 202, "after {hours} more hours");
        world.clock.shift(hours * 3_600_000);
    }
    assert_eq!(world.drain().await, (1, 3, 1));
    world.clock.shift(2 * 3_600_000);
    assert_eq!(world.post(&captured, body.as_bytes()).await.status(), 401);
}

#[tokio::test]
async fn late_deliveries_are_refused_where_the_settings_say_so() {
    for (settings, seconds, status) in [
        (Settings { late_hours: 0, ..settings() }, 310, 401),
        (Settings { late_hours: 1, ..settings() }, 3_500, 202),
        (Settings { late_hours: 1, ..settings() }, 3_700, 401),
        // What was forgotten cannot be told from a replay.
        (Settings { event_keep_days: 1, ..settings() }, 13 * 3_600, 401),
        (Settings { event_keep_days: 1, ..settings() }, 11 * 3_600, 202),
    ] {
        let world = World::with(settings).await;
        let body = event("evt_1", "2a").to_string().into_bytes();
        assert_eq!(
            world.post(&signed_ago(&world, seconds, &body), &body).await.status(),
            status,
            "{seconds}"
        );
    }
}

#[tokio::test]
async fn an_address_with_a_slash_or_a_prefix_too_many_takes_deliveries() {
    let world = World::start().await;
    let paths = [
        "/webhooks/fastio/",
        "//webhooks/fastio",
        "/webhooks//fastio",
        "/docket/webhooks/fastio",
        "/a/b/webhooks/fastio//",
    ];
    for (number, path) in paths.into_iter().enumerate() {
        let body = event(&format!("evt_{number}"), &format!("2n{number}")).to_string().into_bytes();
        assert_eq!(world.post_to(path, &world.signed(&body), &body).await.status(), 202, "{path}");
        assert_eq!(world.post_to(path, &[], &body).await.status(), 401, "{path}");
    }
    assert_eq!(world.drain().await, (5, 0, 5));
}

#[tokio::test]
async fn what_misses_the_address_is_counted_and_only_who_signed_it_is_told_the_right_one() {
    let world = World::start().await;
    let body = event("evt_1", "2a").to_string().into_bytes();
    for path in ["/", "/webhook/fastio", "/fastio", "/webhooks/Fastio"] {
        let signed = world.post_to(path, &world.signed(&body), &body).await;
        assert_eq!(signed.status(), 404, "{path}");
        assert!(signed.text().await.unwrap().contains("/webhooks/fastio"), "{path}");
        let stranger = world.post_to(path, &[], &body).await;
        assert_eq!(stranger.status(), 404, "{path}");
        assert!(!stranger.text().await.unwrap().contains("fastio"), "{path}");
    }
    assert_eq!(world.drain().await, (0, 0, 0));
    let counts = world.counts().await;
    assert_eq!(counted(&counts, "rejected", "signed_to_another_path"), 4, "{counts:?}");
    assert_eq!(counted(&counts, "rejected", "another_path"), 4, "{counts:?}");
}

#[tokio::test]
async fn what_a_body_is_called_decides_nothing() {
    let world = World::start().await;
    let kinds = [
        "text/plain",
        "text/json; charset=utf-8",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "application/cloudevents+json",
        "nonsense",
    ];
    for (number, kind) in kinds.into_iter().enumerate() {
        let body = event(&format!("evt_{number}"), &format!("2n{number}")).to_string().into_bytes();
        let headers = |mut headers: Vec<(&'static str, String)>| {
            headers.push(("content-type", kind.to_owned()));
            headers
        };
        assert_eq!(world.post(&headers(world.signed(&body)), &body).await.status(), 202, "{kind}");
        assert_eq!(world.post(&headers(vec![]), &body).await.status(), 401, "{kind}");
    }
    let form = b"payload=%7B%7D";
    assert_eq!(world.post(&world.signed(form), form).await.status(), 400);
    assert_eq!(world.drain().await, (6, 0, 6));
}

fn packed<W: Write>(mut encoder: W, body: &[u8], finish: impl Fn(W) -> Vec<u8>) -> Vec<u8> {
    encoder.write_all(body).unwrap();
    finish(encoder)
}

fn gzip(body: &[u8]) -> Vec<u8> {
    packed(GzEncoder::new(Vec::new(), Compression::default()), body, |encoder| encoder.finish().unwrap())
}

fn zlib(body: &[u8]) -> Vec<u8> {
    packed(ZlibEncoder::new(Vec::new(), Compression::default()), body, |encoder| encoder.finish().unwrap())
}

fn deflate(body: &[u8]) -> Vec<u8> {
    packed(DeflateEncoder::new(Vec::new(), Compression::default()), body, |encoder| encoder.finish().unwrap())
}

#[tokio::test]
async fn a_body_that_is_wrapped_is_taken_whether_it_was_signed_before_or_after() {
    type Wrapped = (&'static str, fn(&[u8]) -> Vec<u8>);
    let world = World::start().await;
    let wrapped: [Wrapped; 7] = [
        ("gzip", gzip),
        ("", gzip),
        ("deflate", zlib),
        ("deflate", deflate),
        // A proxy unpacked it and left the header.
        ("gzip", <[u8]>::to_vec),
        ("", |body| [b"\xef\xbb\xbf", body].concat()),
        ("", |body| [0xff, 0xfe].into_iter().chain(body.iter().flat_map(|byte| [*byte, 0])).collect()),
    ];
    let mut events = 0;
    for (place, (encoding, wrap)) in wrapped.into_iter().enumerate() {
        for long in [false, true] {
            let mut told = event(&format!("evt_{place}_{long}"), &format!("2n{place}{long}"));
            if long {
                told["note"] = "It is long. ".repeat(5_000).into();
            }
            let plain = told.to_string().into_bytes();
            let body = wrap(&plain);
            let headers = |mut headers: Vec<(&'static str, String)>| {
                if !encoding.is_empty() {
                    headers.push(("content-encoding", encoding.to_owned()));
                }
                headers
            };
            assert_eq!(
                world.post(&headers(world.signed(&body)), &body).await.status(),
                202,
                "{place} as sent"
            );
            events += 1;
            // Only what was compressed on its way has another signature.
            let status = if place < 4 || body == plain { 202 } else { 401 };
            let before = world.post(&headers(world.signed(&plain)), &body).await.status();
            assert_eq!(before, status, "{place} as it was");
            let foreign =
                sign(Scheme::FastioV1Base64, &"somebody-else's".into(), world.clock.now() / 1000, &plain);
            assert_eq!(world.post(&headers(foreign), &body).await.status(), 401, "{place}");
        }
    }
    let (new, _, jobs) = world.drain().await;
    assert_eq!((new, jobs), (events, events));
}

#[tokio::test]
async fn what_unpacks_to_too_much_or_to_nothing_is_refused_within_the_limit() {
    let world = World::start().await;
    let large = gzip(&vec![b' '; 64 * 1024 * 1024]);
    assert!(large.len() < 128 * 1024);
    let cut = &gzip(event("evt_1", "2a").to_string().as_bytes())[..40];
    for (body, signed, unsigned) in [(&large[..], 413, 401), (cut, 415, 401), (b"\x1f\x8b", 415, 401)] {
        assert_eq!(world.post(&world.signed(body), body).await.status(), signed);
        let foreign = sign(Scheme::FastioV1Base64, &"somebody-else's".into(), world.clock.now() / 1000, body);
        assert_eq!(world.post(&foreign, body).await.status(), unsigned);
    }
    // One that is not read here is told so only to who signed it.
    let body = b"\x0b\x02\x80{}\x03";
    let mut headers = world.signed(body);
    headers.push(("content-encoding", "br".to_owned()));
    assert_eq!(world.post(&headers, body).await.status(), 415);
    headers.remove(0);
    assert_eq!(world.post(&headers, body).await.status(), 401);
    assert_eq!((world.level.rows(), world.drain().await), (0, (0, 0, 0)));
}

#[tokio::test]
async fn a_signed_event_that_names_a_workspace_and_a_file_is_a_look_whatever_it_is_called() {
    let world = World::start().await;
    let sample = |name: &str, number: usize| {
        json!({"eventType": name, "workspaceId": "1234567890123456789", "fileId": format!("f3jm5-zqzfx-{number}"),
               "fileName": "large-video.mp4", "fileSize": 2_457_600_000_u64, "userId": "9876543210987654321",
               "timestamp": "2026-02-24T10:30:00Z", "eventId": format!("evt-{number}")})
    };
    let names = [
        "upload",
        "Upload",
        "UPLOADED",
        "modify",
        "modified",
        "modification",
        "delete",
        "deletion",
        "frobnicated",
        "",
    ];
    for (number, name) in names.into_iter().enumerate() {
        assert_eq!(world.send(&sample(name, number)).await, 202, "{name}");
    }
    assert_eq!(world.drain().await, (names.len(), 0, names.len()));
    let row = world.events().await.pop().unwrap();
    assert_eq!((row.profile.as_deref(), row.kind.as_str()), (Some("workspace:1234567890123456789"), "added"));
    // Reading changes nothing, and our own is told of too.
    for (number, name) in ["access", "ACCESS", "accessed", "download"].into_iter().enumerate() {
        assert_eq!(world.send(&sample(name, 100 + number)).await, 202, "{name}");
    }
    assert_eq!(world.drain().await, (4, 0, 0));
    let snake = json!({"event": "upload", "workspace_id": "1234567890123456789", "file_id": "f3jm5-snake"});
    assert_eq!(world.send(&snake).await, 202);
    assert_eq!(world.drain().await, (1, 0, 1));
}
