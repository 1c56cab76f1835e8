//! The timeline of a file: what told of it, what it waited for, every attempt with what was done, by whom and when, and where the time went.

use docket::fastio::FileKey;
use docket::history::{Entry, Kind, Phase, Timeline, timeline};
use docket::queue::trail::What;
use docket_sandbox::Options;
use docket_sandbox::openai::Limits;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::harness::{Harness, ONE_STORE, WORKSPACE, contract, legal};

const NDA: &str = "/Contracts/nda.txt";

impl Harness {
    async fn file_key(&self, path: &str) -> FileKey {
        format!("workspace:{WORKSPACE}:{}", self.node(path).await).parse().unwrap()
    }

    /// The timeline of the file at `path`.
    async fn timeline(&self, path: &str) -> Timeline {
        self.timeline_of(&self.file_key(path).await).await
    }

    async fn timeline_of(&self, key: &FileKey) -> Timeline {
        let (key, now) = (key.clone(), self.clock.now());
        self.database.read(move |connection| timeline(connection, &key, now)).await.unwrap()
    }
}

/// What was told and done, without waits.
fn kinds(timeline: &Timeline) -> Vec<&'static str> {
    let told = timeline.entries.iter().filter(|entry| entry.kind != Kind::Waited);
    told.map(|entry| entry.kind.as_str()).collect()
}

fn of(timeline: &Timeline, kind: Kind) -> Vec<&Entry> {
    timeline.entries.iter().filter(|entry| entry.kind == kind).collect()
}

fn spent(timeline: &Timeline, phase: Phase) -> i64 {
    timeline.spent.iter().find(|spent| spent.phase == phase).map_or(0, |spent| spent.milliseconds)
}

#[tokio::test]
async fn the_way_of_a_file_is_told_from_the_webhook_to_what_stands_beside_it() {
    let h = Harness::with(&legal("")).await;
    h.put(NDA, &contract(1)).await;
    h.settle().await;
    let told = h.timeline(NDA).await;
    let kinds = kinds(&told);
    let mut expected = [
        "received",
        "looked",
        "downloaded",
        "uploaded",
        "attached",
        "indexed",
        "asked",
        "answered",
        "analysed",
        "written",
    ]
    .into_iter()
    .map(|kind| (kind, kinds.iter().position(|other| *other == kind)));
    assert!(expected.all(|(_, at)| at.is_some()), "{kinds:?}");
    let first = |kind| told.entries.iter().position(|entry| entry.kind == kind).unwrap();
    assert!(first(Kind::Received) < first(Kind::Did(What::Downloaded)));
    assert!(first(Kind::Did(What::Downloaded)) < first(Kind::Did(What::Attached)));
    assert!(first(Kind::Did(What::Attached)) < first(Kind::Did(What::Asked)));
    let received = &of(&told, Kind::Received)[0];
    assert!(received.words.contains("by webhook, signed ("), "{}", received.words);
    let uploaded = &of(&told, Kind::Did(What::Uploaded))[0];
    assert!(uploaded.server.as_ref().unwrap().starts_with("process "), "{uploaded:?}");
    assert_eq!((uploaded.attempt, uploaded.phase), (Some(1), Phase::Remote));
    assert!(uploaded.request_id.is_some() && uploaded.request_id == received.request_id);
    let written = &of(&told, Kind::Did(What::Written))[0];
    assert_eq!((written.words.as_str(), written.rule.as_deref()), ("nda.analysis.md", Some("liability")));
    assert!(told.entries.iter().all(|entry| entry.ended_at.is_some_and(|ended| ended >= entry.began_at)));
    assert_eq!(told.since, told.entries.first().map(|entry| entry.began_at));
    assert!(told.took().is_some() && !told.cut);
    h.finish().await;
}

#[tokio::test]
async fn an_edit_begins_a_new_stretch_and_says_what_it_replaced() {
    let h = Harness::start().await;
    h.put(NDA, "one").await;
    h.settle().await;
    h.pass(3_600_000);
    h.put(NDA, "two").await;
    h.settle().await;
    let told = h.timeline(NDA).await;
    assert_eq!(of(&told, Kind::Did(What::Uploaded)).len(), 2);
    assert_eq!(of(&told, Kind::Did(What::Replaced)).len(), 1);
    let hour = 3_600_000;
    assert!(told.entries.last().unwrap().began_at - told.entries[0].began_at >= hour);
    assert!(told.took().unwrap() < hour, "of the newest change alone");
    let key = h.file_key(NDA).await;
    h.trash(NDA).await;
    h.settle().await;
    let told = h.timeline_of(&key).await;
    assert_eq!(of(&told, Kind::Did(What::Gone)).len(), 1, "{:?}", kinds(&told));
    assert_eq!(of(&told, Kind::Did(What::Removed)).len(), 1);
    h.finish().await;
}

#[tokio::test]
async fn what_failed_is_told_in_words_with_the_wait_that_followed() {
    let h = Harness::start().await;
    h.openai_fails(json!({"kind": "server_error", "method": "POST", "path": "/v1/files", "count": 2})).await;
    h.put(NDA, "text").await;
    h.settle().await;
    let told = h.timeline(NDA).await;
    let failed = of(&told, Kind::Failed);
    assert_eq!(failed.iter().map(|entry| entry.attempt).collect::<Vec<_>>(), [Some(1), Some(2)], "{told:#?}");
    assert!(failed.iter().all(|entry| entry.words.contains("500")), "{failed:#?}");
    let waited = spent(&told, Phase::Backoff);
    assert!(waited > 0, "{:?}", told.spent);
    assert!(told.took().unwrap() >= waited);
    assert_eq!(of(&told, Kind::Did(What::Indexed)).len(), 1);
    h.finish().await;
}

#[tokio::test]
async fn the_wait_for_a_limit_and_for_the_index_are_told_apart() {
    let limits = Limits { uploads: 1, ..Limits::default() };
    let settings = format!("[limits]\nuploads_per_minute = 1\n{ONE_STORE}");
    let h = Harness::between(&settings, Options { limits, ..Options::default() }).await;
    h.put("/a.txt", "one text").await;
    h.settle().await;
    h.openai_fails(json!({"kind": "stuck_in_progress", "delay_ms": 60_000})).await;
    h.put("/b.txt", "another text").await;
    h.settle().await;
    let told = h.timeline("/b.txt").await;
    let (limited, indexing) = (spent(&told, Phase::Limited), spent(&told, Phase::Indexing));
    assert!((30_000..=90_000).contains(&limited), "{:?}", told.spent);
    assert!((50_000..=120_000).contains(&indexing), "{:?}", told.spent);
    let limit = told.entries.iter().find(|entry| entry.phase == Phase::Limited).unwrap();
    assert!(limit.words.contains("OpenAI's limit of 1 upload"), "{limit:?}");
    h.no_faults().await;
    h.finish().await;
}

#[tokio::test]
async fn an_attempt_whose_worker_died_is_told_and_so_is_what_is_left() {
    let h = Harness::start().await;
    h.put(NDA, "text").await;
    h.take_in().await;
    let waiting = h.timeline(NDA).await;
    let last = waiting.entries.last().unwrap();
    assert_eq!((last.kind, last.phase, last.ended_at), (Kind::Waited, Phase::Queue, None), "{waiting:#?}");
    let mut polls = 0;
    let is_in_hand = async || h.timeline(NDA).await.entries.iter().any(|entry| entry.kind == Kind::Working);
    while !is_in_hand().await {
        polls += 1;
        assert!(polls < 50, "it is never claimed");
        h.work_for(polls).await;
    }
    h.queue.recover().await.unwrap();
    h.settle().await;
    let told = h.timeline(NDA).await;
    let lost = of(&told, Kind::Interrupted);
    assert_eq!(lost.len(), 1, "{told:#?}");
    assert!(lost[0].words.contains("stopped without a word"), "{lost:?}");
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_openai_cannot_hold_says_why() {
    let h = Harness::start().await;
    h.put("/setup.exe", "MZ").await;
    h.settle().await;
    let told = h.timeline("/setup.exe").await;
    let skipped = of(&told, Kind::Did(What::Skipped));
    assert_eq!(skipped.len(), 1, "{told:#?}");
    assert!(!skipped[0].words.is_empty());
    h.finish_leaving(&["skipped: /setup.exe"]).await;
}

#[tokio::test]
async fn the_history_goes_with_its_file_and_with_time() {
    let h = Harness::with(&legal("")).await;
    h.put(NDA, &contract(1)).await;
    h.put("/Contracts/other.txt", &contract(2)).await;
    h.settle().await;
    let (nda, other) = (h.file_key(NDA).await, h.file_key("/Contracts/other.txt").await);
    let rows = async |key: &FileKey| {
        h.number(&format!("SELECT count(*) FROM history WHERE source_id = '{key}' AND task <> 'erase'")).await
    };
    assert!(rows(&nda).await > 0);
    crate::erase::erase(&h, &nda).await;
    h.settle().await;
    assert_eq!(rows(&nda).await, 0);
    assert!(rows(&other).await > 0);
    h.pass(31 * 24 * 60 * 60 * 1000);
    let retention = docket::retention::Retention {
        database: h.database.clone(),
        clock: (*h.clock).clone(),
        settings: docket::retention::Settings::default(),
        event_keep_ms: i64::MAX / 2,
    };
    retention.pass(&CancellationToken::new()).await.unwrap();
    assert_eq!(rows(&other).await, 0);
    h.finish_leaving(&[&format!("not held: {NDA}")]).await;
}
