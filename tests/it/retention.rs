//! What only grows gets an end, and nothing goes that is needed.

use docket::retention::{Forgotten, Retention, Settings};
use serde_json::Value;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use crate::harness::{Harness, ONE_STORE, Server, contract, legal};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

async fn forget(h: &Harness) -> Forgotten {
    let settings = Settings { gone_days: 30, old_runs_days: 100, ..Settings::default() };
    let (database, clock) = (h.database.clone(), (*h.clock).clone());
    let retention = Retention { database, clock, settings, event_keep_ms: DAY_MS };
    retention.pass(&CancellationToken::new()).await.unwrap()
}

/// What the runs are over and came to, oldest first.
async fn runs(h: &Harness) -> Vec<(i64, String)> {
    let runs = h.runs().await.into_iter();
    runs.map(|run| (run.run_id, run.outcome.unwrap_or(run.state))).collect()
}

#[tokio::test]
async fn a_run_that_a_newer_one_replaced_is_forgotten_and_no_result_that_is_needed_is() {
    let h = Harness::with(&legal("")).await;
    for number in 1..=3 {
        h.put("/Contracts/nda.txt", &contract(number)).await;
        h.settle().await;
    }
    // Back to what was run over first, which costs no run.
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    let done = |id| (id, "completed".to_owned());
    assert_eq!(runs(&h).await, [done(1), done(2), done(3)]);
    h.pass(99 * DAY_MS);
    assert_eq!(forget(&h).await.runs, 0);
    h.pass(2 * DAY_MS);
    assert_eq!(forget(&h).await.runs, 1);
    // One over what is there now, and the newest.
    assert_eq!(runs(&h).await, [done(1), done(3)]);
    assert!(h.result(1).await.is_object() && h.result(3).await.is_object());
    // A failure that came after it does not stand for a result.
    h.openai_fails(serde_json::json!({ "kind": "bad_run", "code": "refusal" })).await;
    h.put("/Contracts/nda.txt", &contract(4)).await;
    h.settle().await;
    h.no_faults().await;
    h.pass(101 * DAY_MS);
    assert_eq!(forget(&h).await.runs, 1);
    assert_eq!(runs(&h).await, [done(3), (4, "refused".to_owned())]);
    h.pass(1_000 * DAY_MS);
    assert_eq!(forget(&h).await.runs, 0);
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_is_gone_is_forgotten_with_its_runs_and_what_docket_wrote_only_when_that_is_gone_too() {
    let h = Harness::with(&legal("")).await;
    for name in ["nda", "other"] {
        h.put(&format!("/Contracts/{name}.txt"), &contract(1)).await;
    }
    h.settle().await;
    h.trash("/Contracts/nda.txt").await;
    h.settle().await;
    let gone = async || h.number("SELECT count(*) FROM file WHERE state = 'gone'").await;
    h.pass(29 * DAY_MS);
    assert_eq!((forget(&h).await.files, gone().await), (0, 1));
    h.pass(2 * DAY_MS);
    assert_eq!(forget(&h).await.files, 1);
    // What its run made at OpenAI goes first.
    h.settle().await;
    assert_eq!((gone().await, h.conversations().await), (0, (1, 0)));
    assert_eq!(h.runs().await.len(), 1, "the other's stays");
    // Its analysis is there and is no person's file.
    h.settle().await;
    h.pass(31 * DAY_MS);
    assert_eq!((forget(&h).await.own_files, h.records().own_files().await.len()), (0, 2));
    h.trash("/Contracts/nda.analysis.md").await;
    h.settle().await;
    h.pass(29 * DAY_MS);
    assert_eq!(forget(&h).await.own_files, 0);
    h.pass(2 * DAY_MS);
    assert_eq!((forget(&h).await.own_files, h.records().own_files().await.len()), (1, 1));
    h.finish().await;
}

#[tokio::test]
async fn what_docket_wrote_is_its_own_again_when_it_is_restored() {
    let h = Harness::with(&legal("")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    h.trash("/Contracts/nda.analysis.md").await;
    h.settle().await;
    h.restore("/Contracts/nda.analysis.md").await;
    h.settle().await;
    h.pass(1_000 * DAY_MS);
    assert_eq!(forget(&h).await.own_files, 0);
    assert_eq!(h.records().own_files().await.len(), 1);
    h.finish().await;
}

#[tokio::test]
async fn an_event_is_forgotten_after_its_days() {
    let h = Harness::start().await;
    h.put("/old.txt", "what was told long ago").await;
    h.settle().await;
    h.pass(DAY_MS + 1);
    h.put("/new.txt", "what was told now").await;
    h.settle().await;
    let told = h.number("SELECT count(*) FROM event").await;
    let forgotten = forget(&h).await.events;
    assert!(forgotten > 0);
    assert_eq!(h.number("SELECT count(*) FROM event").await, told - i64::try_from(forgotten).unwrap());
    assert_eq!(h.number("SELECT count(*) FROM event WHERE kind = 'added'").await, 1);
    h.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_compacted_while_no_server_works_on_it() {
    let mut server = Server::with(ONE_STORE).await;
    let beside = server.tries(&["database", "compact"]);
    assert!(beside.code != 0 && beside.err.contains("already works on"), "{beside:?}");
    assert_eq!(block_in_place(|| server.program().stop()), 0);
    let done = server.tries(&["database", "compact", "--json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let sizes: Value = serde_json::from_str(&done.out).unwrap();
    let bytes = |name: &str| sizes[name].as_u64().unwrap();
    assert!(bytes("bytes_after") > 0 && bytes("bytes_after") <= bytes("bytes_before"), "{sizes}");
    server.start();
    server.put("/after.txt", "what comes after it").await;
    server.finish().await;
}
