//! What runs may spend, what they did, and who is told.

use serde_json::json;

use crate::harness::{Harness, contract, legal};

#[tokio::test]
async fn more_tokens_than_a_day_may_have_are_held_and_begin_the_next_day() {
    let h = Harness::with(&legal("max_tokens_per_day = 1000")).await;
    for number in 1..=4 {
        h.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
        h.work_for_seconds(60).await;
    }
    let runs = h.runs().await;
    let spent: i64 =
        runs.iter().map(|run| run.input_tokens.unwrap_or(0) + run.output_tokens.unwrap_or(0)).sum();
    assert!(spent <= 1000, "{spent}");
    let held: Vec<_> = runs.iter().filter(|run| run.word() == "held").collect();
    assert!(!held.is_empty() && held.len() < 4, "{runs:#?}");
    let reason = held[0].reason.as_deref().unwrap();
    assert!(
        reason.contains("max_tokens_per_day = 1000") && reason.contains("raise it in [rule.run]"),
        "{reason}"
    );
    assert!(held[0].held_until.is_some());
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"; 4]);
    h.finish().await;
}

#[tokio::test]
async fn a_run_that_alone_takes_more_than_a_day_may_have_begins_when_nothing_else_did() {
    let h = Harness::with(&legal("max_tokens_per_day = 10")).await;
    h.put("/Contracts/a.txt", &contract(1)).await;
    h.work_for_seconds(60).await;
    assert_eq!(h.outcomes().await, ["completed"]);
    h.put("/Contracts/b.txt", &contract(2)).await;
    h.work_for_seconds(60).await;
    assert_eq!(h.outcomes().await, ["completed", "wanted"]);
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"; 2]);
    h.finish().await;
}

#[tokio::test]
async fn workers_that_begin_runs_together_do_not_pass_the_limit_together() {
    let h = Harness::with(&legal("max_runs_per_day = 2")).await;
    for number in 1..=8 {
        h.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
    }
    h.take_in().await;
    while h.work_one().await {}
    for _ in 0..20 {
        let workers = (0..8).map(|_| h.work_one());
        futures_util::future::join_all(workers).await;
        h.pass(1_000);
    }
    assert_eq!(h.responses().await.len(), 2);
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"; 8]);
    h.finish().await;
}

#[tokio::test]
async fn every_rule_has_a_limit_without_a_setting() {
    let h = Harness::with(&legal("")).await;
    let definition = h.work.runs.definition("liability").unwrap();
    assert_eq!((definition.max_runs_per_day, definition.max_tokens_per_day), (500, 10_000_000));
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    let now = h.clock.now();
    // As if it had run all day.
    h.meddle(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 499)
         INSERT INTO run (rule, source_id, profile, node, path, content_hash, bytes, file_id, vector_store, definition, engine, state,
                          outcome, created_at, updated_at, begun_at, ended_at)
         SELECT 'liability', 'workspace:1:2n' || i, 'workspace:1', '2n' || i, '/x', 'c', 1, 'f', 'v', 'd', 'responses', 'ended',
                'completed', {now}, {now}, {now}, {now} FROM n"
    ))
    .await;
    h.put("/Contracts/one more.txt", &contract(2)).await;
    h.work_for_seconds(60).await;
    let run = h.runs().await.into_iter().find(|run| run.path == "/Contracts/one more.txt").unwrap();
    assert!(run.reason.as_deref().unwrap_or_default().contains("max_runs_per_day = 500"), "{run:?}");
    h.converges().await;
    h.finish().await;
}

#[tokio::test]
async fn what_a_run_costs_is_kept_with_all_its_tries_and_told_before_more_are_begun() {
    let prices = "[prices.\"sandbox-rules\"]\ninput = 2.0\noutput = 8\n";
    let h = Harness::with(&format!("{}\n{prices}", legal(""))).await;
    h.openai_fails(json!({"kind": "bad_run", "code": "empty", "count": 1})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    let run = h.runs().await.remove(0);
    let (read, written) = (run.input_tokens.unwrap(), run.output_tokens.unwrap());
    assert_eq!(run.tries, 2);
    assert_eq!(run.cost, Some(read * 2 + written * 8), "millionths of a dollar, over both");
    // The mean of what one response took is what another is expected to take.
    h.put("/Contracts/more.txt", &contract(2)).await;
    h.settle().await;
    h.meddle("DELETE FROM run WHERE path LIKE '%more.txt'").await;
    let estimate = h.again("liability", false).await;
    assert_eq!(estimate.runs, 1);
    let cost = estimate.input_tokens * 2 + estimate.output_tokens * 8;
    assert_eq!(estimate.cost, Some(cost));
    h.finish_leaving(&[]).await;
}

#[tokio::test]
async fn what_is_processed_as_flex_is_asked_for_so_and_costs_half() {
    let prices = "[prices.\"sandbox-rules\"]\ninput = 2.0\noutput = 8\n";
    let h = Harness::with(&format!("{}\n{prices}", legal("service_tier = 'flex'"))).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    let run = h.runs().await.remove(0);
    let (read, written) = (run.input_tokens.unwrap(), run.output_tokens.unwrap());
    assert_eq!(run.cost, Some((read * 2 + written * 8) / 2), "millionths of a dollar");
    assert_eq!(h.responses().await[0]["service_tier"], "flex");
    assert_eq!(h.result(1).await["service_tier"], "flex");
    h.finish().await;
}

#[tokio::test]
async fn a_response_that_failed_without_saying_what_it_took_counts_as_it_was_expected() {
    let h = Harness::with(&legal("max_tokens_per_day = 1500")).await;
    h.openai_fails(json!([
        {"kind": "bad_run", "code": "server_error"},
        {"kind": "changed_reply", "method": "GET", "path": "/v1/responses/*", "find": "\"usage\"", "put": "\"untold\""},
    ]))
    .await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.work_for_seconds(60).await;
    assert_eq!(h.responses().await.len(), 1, "each is expected to take a thousand");
    let run = h.runs().await.remove(0);
    assert!(run.reason.as_deref().unwrap_or_default().contains("max_tokens_per_day = 1500"), "{run:?}");
    h.no_faults().await;
    h.converges().await;
    h.finish().await;
}
