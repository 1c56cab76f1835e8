//! How runs wait, are limited and end.

use serde_json::json;

use crate::harness::{Harness, contract, legal};

#[tokio::test]
async fn a_refusal_a_failure_and_an_answer_that_is_too_long_end_in_words() {
    for (code, outcome, word, more) in [
        ("refusal", "refused", "refused", ""),
        ("invalid_prompt", "failed", "invalid_prompt", ""),
        ("content_filter", "failed", "incomplete", ""),
        ("max_output_tokens", "held", "max_output_tokens = 500", "max_output_tokens = 500"),
    ] {
        let h = Harness::with(&legal(more)).await;
        h.openai_fails(json!({"kind": "bad_run", "code": code})).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        h.converges().await;
        let run = &h.runs().await[0];
        assert_eq!(run.outcome.as_deref(), Some(outcome), "{code}");
        assert!(run.reason.as_deref().unwrap().contains(word), "{code}: {:?}", run.reason);
        assert_eq!(h.paths().await, ["/Contracts/nda.txt"]);
        h.finish().await;
    }
}

#[tokio::test]
async fn a_failure_that_may_pass_is_tried_again_and_unknown_items_are_passed_over() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!([
        {"kind": "bad_run", "code": "rate_limit_exceeded", "count": 1},
        {"kind": "bad_run", "code": "unknown_items", "count": 1},
    ]))
    .await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    assert_eq!(h.responses().await.len(), 2);
    h.finish().await;
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_cancelled() {
    let h = Harness::with(&legal("deadline_seconds = 120")).await;
    h.openai_fails(json!({"kind": "slow_run"})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    let run = &h.runs().await[0];
    assert_eq!(run.outcome.as_deref(), Some("failed"));
    assert!(run.reason.as_deref().unwrap().contains("120 s"));
    assert_eq!(h.responses().await[0]["status"], "cancelled");
    h.finish().await;
}

#[tokio::test]
async fn a_newer_version_cancels_the_run_of_the_older() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "slow_run", "count": 1})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.take_in().await;
    while h.work_one().await {}
    assert_eq!(h.outcomes().await, ["running"]);
    h.put("/Contracts/nda.txt", &contract(2)).await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["superseded", "completed"]);
    let statuses: Vec<_> = h.responses().await.iter().map(|run| run["status"].clone()).collect();
    assert_eq!(statuses, ["cancelled", "completed"]);
    h.finish().await;
}

#[tokio::test]
async fn a_run_that_met_the_trash_before_anybody_heard_of_it_is_made_when_the_file_is_back() {
    let h = Harness::with(&legal("")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.take_in().await;
    while h.held().await.is_empty() {
        assert!(h.work_one().await);
    }
    h.trash("/Contracts/nda.txt").await;
    while h.work_one().await {}
    assert_eq!(h.outcomes().await, ["cancelled"]);
    h.restore("/Contracts/nda.txt").await;
    h.converges().await;
    assert_eq!(h.outcomes().await.last().map(String::as_str), Some("completed"));
    h.finish().await;
}

#[tokio::test]
async fn a_deleted_file_cancels_its_run() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "slow_run"})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.take_in().await;
    while h.work_one().await {}
    h.trash("/Contracts/nda.txt").await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["cancelled"]);
    assert_eq!(h.responses().await[0]["status"], "cancelled");
    assert!(h.jobs().await.is_empty());
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_a_person_has_locked_waits_without_losing_an_attempt() {
    let h = Harness::with(&legal("")).await;
    let node = h.put("/Contracts/nda.txt", &contract(1)).await;
    let token = h.lock_as("kim", &node).await;
    h.take_in().await;
    for _ in 0..30 {
        while h.work_one().await {}
        h.pass(5_000);
    }
    assert_eq!(h.responses().await.len(), 0);
    let jobs = h.jobs().await;
    assert_eq!((jobs.len(), jobs[0].attempt), (1, 0), "{jobs:#?}");
    h.unlock_as("kim", &node, &token).await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    h.finish().await;
}

#[tokio::test]
async fn a_long_run_keeps_its_lock() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "slow_run", "delay_ms": 1_200_000})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.take_in().await;
    while h.work_one().await {}
    for _ in 0..80 {
        assert_eq!(h.locks().await, 1);
        h.pass(15_000);
        while h.work_one().await {}
    }
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    h.finish().await;
}

#[tokio::test]
async fn more_runs_than_a_day_may_have_are_held_and_begin_the_next_day() {
    let h = Harness::with(&legal("max_runs_per_day = 2")).await;
    for number in 1..=3 {
        h.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
    }
    h.take_in().await;
    for _ in 0..60 {
        while h.work_one().await {}
        h.pass(5_000);
    }
    let held: Vec<_> = h.runs().await.into_iter().filter(|run| run.state == "wanted").collect();
    assert_eq!(held.len(), 1);
    assert!(held[0].reason.as_deref().unwrap().contains("max_runs_per_day = 2"), "{held:#?}");
    assert_eq!((held[0].word(), held[0].held_until.is_some()), ("held", true));
    assert_eq!((h.responses().await.len(), h.locks().await), (2, 0));
    h.converges().await;
    assert_eq!(h.responses().await.len(), 3);
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_changes_after_each_run_is_held() {
    let h = Harness::with(&legal("max_runs_per_file_hour = 3")).await;
    for number in 1..=6 {
        h.put("/Contracts/nda.txt", &contract(number)).await;
        h.take_in().await;
        for _ in 0..20 {
            while h.work_one().await {}
            h.pass(5_000);
        }
    }
    assert_eq!(h.responses().await.len(), 3);
    let held = h.runs().await.pop().unwrap();
    assert!(held.word() == "held" && held.reason.unwrap().contains("loop"));
    h.converges().await;
    assert_eq!(h.runs().await.pop().unwrap().outcome.as_deref(), Some("completed"));
    h.finish().await;
}

#[tokio::test]
async fn a_rule_is_run_again_only_when_told_to_and_a_person_can_stop_a_run() {
    let h = Harness::with(&legal("max_output_tokens = 900")).await;
    h.openai_fails(json!({"kind": "bad_run", "code": "max_output_tokens", "count": 1})).await;
    for number in 1..=2 {
        h.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
    }
    h.settle().await;
    let mut outcomes = h.outcomes().await;
    outcomes.sort();
    assert_eq!(outcomes, ["completed", "held"]);
    let estimate = h.again("liability", false).await;
    assert_eq!((estimate.files, estimate.runs), (2, 1));
    assert!(estimate.input_tokens > 0);
    h.openai_fails(json!({"kind": "slow_run", "count": 1})).await;
    h.again("liability", true).await;
    while h.work_one().await {}
    let going = h.runs().await.into_iter().find(|run| run.state == "running").unwrap();
    h.cancel(going.run_id).await;
    h.converges().await;
    assert!(h.outcomes().await.contains(&"cancelled".to_owned()));
    // What a person stopped is not begun by itself, and is when it is asked for.
    h.put("/Contracts/1.txt", &contract(1)).await;
    h.settle().await;
    assert_eq!(h.responses().await.len(), 3);
    h.again("liability", true).await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed", "completed"]);
    assert_eq!(h.again("liability", true).await.runs, 0);
    h.finish().await;
}

#[tokio::test]
async fn a_move_to_where_a_rule_runs_something_wakes_the_workers() {
    let settings = legal("").replace("include = ['/Contracts/**']", "include = ['/Contracts/**', '/In/**']");
    // The same store takes both folders; only the second rule runs something.
    let (rule, run) = settings.split_once("[rule.run]").unwrap();
    let other = rule.replace("'liability'", "'in'").replace("'/Contracts/**', '/In/**'", "'/In/**'");
    let rule = rule.replace("'/Contracts/**', '/In/**'", "'/Contracts/**'");
    let h = Harness::with(&format!("{other}\n{rule}[rule.run]{run}")).await;
    h.put("/In/nda.txt", &contract(1)).await;
    h.settle().await;
    assert!(h.runs().await.is_empty());
    h.rename("/In/nda.txt", "/Contracts/nda.txt").await;
    h.take_in().await;
    let wake = h.queue.wake();
    let woken = wake.notified();
    tokio::pin!(woken);
    woken.as_mut().enable();
    while h.jobs().await.iter().all(|job| !job.key.starts_with("run:")) {
        assert!(h.work_one().await, "no run was asked for");
    }
    assert!(futures_util::FutureExt::now_or_never(woken).is_some(), "no worker was told that there is work");
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    h.finish().await;
}

#[tokio::test]
async fn a_response_that_openai_no_longer_has_is_final_and_said() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "slow_run"})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.take_in().await;
    while h.work_one().await {}
    let response = h.runs().await[0].response.clone().unwrap();
    h.stranger(reqwest::Method::DELETE, &format!("responses/{response}"), serde_json::Value::Null).await;
    h.no_faults().await;
    h.converges().await;
    let run = &h.runs().await[0];
    assert_eq!(run.outcome.as_deref(), Some("failed"));
    assert!(run.reason.as_deref().unwrap().contains(&format!("OpenAI no longer has response {response}")));
    assert_eq!(
        (h.responses().await.len(), h.conversations().await),
        (0, (0, 0)),
        "it was not made again by itself"
    );
    h.finish().await;
}

#[tokio::test]
async fn a_changed_question_is_asked_only_when_told_to() {
    let mut h = Harness::with(&legal("")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    let before = h.runs().await[0].definition.clone();
    h.restart(&legal("").replace("Extract every liability clause.", "Extract every cap on liability.")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    assert_eq!(h.responses().await.len(), 1, "the file is the same, and has its result");
    assert_eq!(h.again("liability", true).await.runs, 1);
    h.converges().await;
    let runs = h.runs().await;
    assert_eq!((runs.len(), h.responses().await.len()), (2, 2));
    assert_ne!(runs[1].definition, before);
    assert!(h.read("/Contracts/nda.analysis.md").await.contains(&runs[1].definition));
    assert_eq!(h.paths().await.len(), 2, "the new result is a version of the old one");
    h.finish().await;
}

#[tokio::test]
async fn a_file_without_a_result_says_why_in_the_table() {
    let h = Harness::with(&legal("digest = 'overview.csv'")).await;
    h.put("/Contracts/a.txt", &contract(1)).await;
    h.settle().await;
    h.openai_fails(json!({"kind": "bad_run", "code": "refusal", "count": 1})).await;
    h.put("/Contracts/b.txt", &contract(2)).await;
    h.converges().await;
    let table = h.read("/Contracts/overview.csv").await;
    let row = table.lines().find(|line| line.starts_with("/Contracts/b.txt")).unwrap();
    assert!(row.starts_with("/Contracts/b.txt,refused,,") && row.contains("the model refused: "), "{table}");
    assert!(table.lines().next().unwrap().ends_with(",remark"), "{table}");
    assert!(table.lines().all(|line| line.matches('"').count() % 2 == 0), "a row is a line: {table}");
    h.finish().await;
}
