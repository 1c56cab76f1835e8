//! Runs over what was there before a rule, asked together in a batch of OpenAI's (`backfill = "batch"`).

use serde_json::{Value, json};

use crate::harness::{Harness, contract, legal};
use crate::openapi;

/// A rule that runs over what was there before it, in batches; `more` is added to `[rule.run]`.
pub fn in_batches(more: &str) -> String {
    legal(&format!("existing = true\nbackfill = 'batch'\n{more}"))
}

/// An archive of three contracts that is older than the rule, and a sweep that finds it.
pub async fn with_archive(settings: &str) -> Harness {
    let h = Harness::in_world(settings, docket_sandbox::Options::default(), async |world| {
        let clock = &world.sandbox.fastio_core().clock;
        clock.shift(-60_000);
        for number in 1..=3 {
            world.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
        }
        clock.shift(60_000);
    })
    .await;
    // Longer than Fastio's times are rounded.
    h.pass(5_000);
    h.sweep().await;
    h
}

impl Harness {
    /// Batches that were made, and files of requests or answers that are left.
    pub async fn batches(&self) -> (Vec<Value>, usize) {
        let state = self.openai_state().await;
        let files = state["files"].as_array().unwrap().iter();
        let left = files.filter(|file| file["purpose"] != "assistants").count();
        (state["batches"].as_array().unwrap().clone(), left)
    }

    async fn bad_batch(&self, code: &str) {
        self.openai_fails(json!({"kind": "bad_batch", "code": code, "count": 1})).await;
    }
}

#[tokio::test]
async fn an_archive_is_run_over_in_one_batch_and_nothing_of_it_is_left() {
    let h = with_archive(&in_batches("")).await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed"; 3]);
    let (batches, left) = h.batches().await;
    assert_eq!((batches.len(), left, h.responses().await.len()), (1, 0, 0), "{batches:#?}");
    assert_eq!(batches[0]["request_counts"]["total"], 3);
    assert!(h.read("/Contracts/2.analysis.md").await.contains("limited to EUR 20,000"));
    let requests = h.openai_requests().await;
    let made = requests.iter().find(|one| one["path"] == "/v1/batches").unwrap();
    assert_eq!(openapi::faults(made), Vec::<String>::new());
    // What comes now is asked alone, at once.
    h.put("/Contracts/4.txt", &contract(4)).await;
    h.converges().await;
    assert_eq!((h.outcomes().await.len(), h.responses().await.len(), h.batches().await.0.len()), (4, 1, 1));
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_changes_while_its_run_is_in_a_batch_is_asked_alone_at_once() {
    let h = with_archive(&in_batches("")).await;
    h.openai_fails(json!({"kind": "slow_run", "path": "/v1/batches", "delay_ms": 7_200_000})).await;
    while h.batches().await.0.is_empty() {
        h.take_in().await;
        if !h.work_one().await {
            h.pass(1_000);
        }
    }
    h.put("/Contracts/1.txt", &contract(9)).await;
    h.take_in().await;
    while h.work_one().await {}
    h.work_for_seconds(120).await;
    assert!(
        h.read("/Contracts/1.analysis.md").await.contains("limited to EUR 90,000"),
        "{:?}",
        h.outcomes().await
    );
    h.sandbox.openai_core().clock.shift(7_200_000);
    h.settle().await;
    let mut outcomes = h.outcomes().await;
    outcomes.sort();
    assert_eq!(outcomes, ["completed", "completed", "completed", "superseded"]);
    assert!(h.read("/Contracts/1.analysis.md").await.contains("limited to EUR 90,000"));
    assert_eq!((h.batches().await.1, h.responses().await.len()), (0, 1));
    h.finish().await;
}

#[tokio::test]
async fn what_a_batch_did_not_come_to_is_asked_alone() {
    for (code, alone) in [("expired", 2), ("missing_line", 1), ("failed", 3), ("other_order", 0)] {
        let h = with_archive(&in_batches("")).await;
        h.bad_batch(code).await;
        h.settle().await;
        assert_eq!(h.outcomes().await, ["completed"; 3], "{code}");
        assert_eq!(h.responses().await.len(), alone, "{code}");
        for number in 1..=3 {
            let page = h.read(&format!("/Contracts/{number}.analysis.md")).await;
            assert!(page.contains(&format!("limited to EUR {number}0,000")), "{code}: {page}");
        }
        assert_eq!(h.batches().await.1, 0, "{code}");
        h.finish().await;
    }
}

#[tokio::test]
async fn where_the_account_has_too_much_under_way_the_batch_is_sent_again_later() {
    let h = with_archive(&in_batches("")).await;
    h.bad_batch("token_limit_exceeded").await;
    h.settle().await;
    let (batches, left) = h.batches().await;
    assert_eq!((h.outcomes().await.len(), batches.len(), left), (3, 2, 0));
    assert_eq!((h.outcomes().await, h.responses().await.len()), (vec!["completed".to_owned(); 3], 0));
    h.finish().await;
}

#[tokio::test]
async fn a_batch_whose_upload_or_creation_is_not_answered_is_made_once() {
    for path in ["/v1/files", "/v1/batches"] {
        let h = with_archive(&in_batches("")).await;
        while h.number("SELECT count(*) FROM batch WHERE state IN ('sending', 'creating')").await == 0 {
            h.take_in().await;
            if !h.work_one().await {
                h.pass(1_000);
            }
            if h.number("SELECT count(*) FROM batch").await == 1 {
                h.openai_fails(json!({"kind": "lost_reply", "method": "POST", "path": path, "count": 1}))
                    .await;
                break;
            }
        }
        h.settle().await;
        let (batches, left) = h.batches().await;
        assert_eq!((batches.len(), left, h.responses().await.len()), (1, 0, 0), "{path}");
        assert_eq!(h.outcomes().await, ["completed"; 3], "{path}");
        h.finish().await;
    }
}

#[tokio::test]
async fn a_batch_that_nobody_waits_for_is_cancelled() {
    let h = with_archive(&in_batches("")).await;
    h.openai_fails(json!({"kind": "slow_run", "path": "/v1/batches", "delay_ms": 7_200_000})).await;
    while h.batches().await.0.is_empty() {
        h.take_in().await;
        if !h.work_one().await {
            h.pass(1_000);
        }
    }
    for run in 1..=3 {
        h.cancel(run).await;
    }
    h.settle().await;
    let (batches, left) = h.batches().await;
    assert_eq!((batches[0]["status"].as_str(), left), (Some("cancelled"), 0), "{batches:#?}");
    assert_eq!(h.outcomes().await, ["cancelled"; 3]);
    h.finish().await;
}
