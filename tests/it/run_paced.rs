//! Limits of the account are waits and no tries, and what runs is paced by them. What fails for the service's reasons is tried
//! again for minutes.

use serde_json::json;

use crate::content::noise;
use crate::harness::{Harness, WORKSPACE, contract, legal};

impl Harness {
    /// Puts so many contracts there.
    async fn put_contracts(&self, count: usize) {
        for number in 1..=count {
            self.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
        }
        self.take_in().await;
    }
}

#[tokio::test]
async fn runs_that_the_account_limits_wait_and_complete_when_it_lets_them() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "bad_run", "code": "rate_limit_exceeded"})).await;
    h.put_contracts(20).await;
    h.work_for_seconds(60).await;
    let paid = h.responses().await.len();
    assert!((5..=32).contains(&paid), "those that began together, and now and then one more: {paid}");
    let runs = h.runs().await;
    assert!(runs.iter().all(|run| run.outcome.is_none()), "{runs:#?}");
    let waits = runs
        .iter()
        .filter(|run| run.reason.as_deref().is_some_and(|why| why.contains("limit of the OpenAI account")));
    assert!(waits.count() >= 19, "each says what it waits for: {runs:#?}");
    assert!(h.jobs().await.iter().all(|job| job.attempt == 0), "no attempt is lost");
    h.work_for_seconds(3 * 60 * 60).await;
    let more = h.responses().await.len() - paid;
    assert!(more < 60, "a limit that lasts is asked for ever more seldom: {more}");
    h.no_faults().await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"; 20]);
    assert_eq!(h.responses().await.len(), paid + more + 20, "what it cost after the cure");
    assert_eq!(h.number("SELECT count(*) FROM model_pace").await, 0, "and nothing is paced any more");
    h.finish().await;
}

#[tokio::test]
async fn a_hundred_contracts_complete_though_seven_in_ten_responses_meet_the_limit() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "bad_run", "code": "rate_limit_exceeded", "probability": 0.7, "seed": 7}))
        .await;
    h.put_contracts(100).await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"; 100]);
    let paid = h.responses().await.len();
    assert!(paid < 450, "ten in three are the least there can be: {paid}");
    h.finish().await;
}

#[tokio::test]
async fn a_limit_that_says_how_long_is_waited_for_so_long() {
    let said = "Rate limit reached for m on tokens per min (TPM): Limit 30000, Used 14567, Requested 24754. Please try again in 40s.";
    for fault in [
        json!({"kind": "rate_limit", "method": "POST", "path": "/v1/responses", "reset": "40s", "count": 4}),
        json!({"kind": "rate_limit", "method": "POST", "path": "/v1/responses", "retry_after_seconds": 40, "count": 4}),
        json!({"kind": "rate_limit", "method": "POST", "path": "/v1/conversations", "reset": "40s", "count": 4}),
        json!({"kind": "bad_run", "code": "rate_limit_exceeded", "message": said, "count": 4}),
    ] {
        let h = Harness::with(&legal("")).await;
        h.openai_fails(fault.clone()).await;
        h.put_contracts(1).await;
        let asked = async || {
            let created =
                |one: &&docket_sandbox::journal::Entry| one.method == "POST" && !one.faults.is_empty();
            h.sandbox.openai_core().journal.requests().iter().filter(created).count()
        };
        h.work_for_seconds(30).await;
        assert_eq!(asked().await, 1, "{fault}");
        assert_eq!(h.jobs().await[0].attempt, 0, "{fault}");
        h.work_for_seconds(20).await;
        assert_eq!(asked().await, 2, "{fault}");
        h.converges().await;
        assert_eq!((h.outcomes().await, asked().await), (vec!["completed".to_owned()], 4), "{fault}");
        h.finish().await;
    }
}

#[tokio::test]
async fn looks_that_meet_a_limit_cost_no_attempt() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!([
        {"kind": "rate_limit", "method": "GET", "path": "/v1/responses/*", "retry_after_seconds": 1, "count": 50},
        {"kind": "slow_run", "delay_ms": 60_000},
    ]))
    .await;
    h.put_contracts(1).await;
    h.work_for_seconds(100).await;
    assert!(h.jobs().await.iter().all(|job| job.attempt == 0));
    h.converges().await;
    assert_eq!((h.outcomes().await, h.responses().await.len()), (vec!["completed".to_owned()], 1));
    h.finish().await;
}

#[tokio::test]
async fn trouble_of_the_service_is_tried_again_for_minutes_and_ends() {
    for code in ["server_error", "vector_store_timeout"] {
        for (count, outcome, responses) in [(3, "completed", 4), (100, "failed", 4)] {
            let h = Harness::with(&legal("")).await;
            h.openai_fails(json!({"kind": "bad_run", "code": code, "count": count})).await;
            let since = h.clock.now();
            h.put_contracts(1).await;
            h.converges().await;
            assert_eq!(
                (h.outcomes().await, h.responses().await.len()),
                (vec![outcome.to_owned()], responses),
                "{code}"
            );
            assert!(h.clock.now() - since >= 6 * 60 * 1000, "an outage of minutes passes");
            h.finish().await;
        }
    }
}

#[tokio::test]
async fn an_account_without_credit_holds_runs_and_costs_no_try() {
    let h = Harness::with(&legal("")).await;
    let said = "You exceeded your current quota, please check your plan and billing details.";
    h.openai_fails(json!({"kind": "bad_run", "code": "insufficient_quota", "message": said})).await;
    h.put_contracts(1).await;
    h.work_for_seconds(600).await;
    let paid = h.responses().await.len();
    assert!((2..=20).contains(&paid), "{paid}");
    assert!(h.outcomes().await != ["failed"]);
    h.no_faults().await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    h.finish().await;
}

#[tokio::test]
async fn a_limit_met_while_it_is_found_out_whether_the_document_was_read_costs_no_attempt() {
    // Without a schema the text is asked for only to see whether there is any.
    let without_schema: String =
        legal("").lines().filter(|line| !line.contains("schema =")).map(|line| format!("{line}\n")).collect();
    let h = Harness::with(&without_schema).await;
    let path = "/v1/vector_stores/*/files/*/content";
    h.openai_fails(
        json!({"kind": "rate_limit", "method": "GET", "path": path, "retry_after_seconds": 1, "count": 20}),
    )
    .await;
    h.put_bytes(WORKSPACE, "/Contracts/scan.pdf", noise(4_000)).await;
    h.take_in().await;
    h.work_for_seconds(8).await;
    assert_eq!((h.responses().await.len(), h.outcomes().await), (1, vec!["running".to_owned()]));
    let jobs = h.jobs().await;
    let run = jobs.iter().find(|job| job.key.starts_with("run:")).unwrap();
    assert_eq!(run.attempt, 0, "{run:?}");
    h.converges().await;
    assert_eq!(h.outcomes().await, ["needs_review"]);
    h.finish().await;
}
