//! A model that is gone, or that does not do what runs need, holds the runs with it as one finding.

use serde_json::{Value, json};

use super::{contracts_and_plain, held};
use crate::harness::{Harness, contract};

const MODEL: &str = "openai/model:sandbox-rules";

async fn holds_runs_of_the_model(refusal: Value, word: &str) {
    let h = Harness::with(&contracts_and_plain()).await;
    let mut fault = refusal.clone();
    for (name, value) in [("kind", "refusal"), ("method", "POST"), ("path", "/v1/responses")] {
        fault[name] = json!(value);
    }
    h.openai_fails(fault).await;
    for n in 0..4 {
        h.put(&format!("/Contracts/{n}.txt"), &contract(n)).await;
    }
    h.put("/Plain/0.txt", "plain").await;
    h.work_for_seconds(20).await;
    assert_eq!(held(&h).await, [MODEL], "{refusal}");
    let reason = h.pauses().await.remove(0).reason;
    assert!(reason.contains(word) && reason.contains("rule.run.model"), "{reason}");
    assert_eq!(h.copies().await.len(), 5, "files go on being synced");
    h.work_for_seconds(3_600).await;
    assert_eq!(h.asked("POST", "/v1/conversations"), 1, "{refusal}: one was made before it was known");
    assert!(h.dead().await.is_empty());
    assert!(h.outcomes().await.iter().all(|state| state == "wanted"), "{refusal}: nothing has failed");
    h.no_faults().await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed"; 4], "{refusal}");
    h.finish().await;
}

#[tokio::test]
async fn a_model_that_is_gone_is_one_finding_whatever_the_status() {
    let gone = "The model `sandbox-rules` does not exist or you do not have access to it.";
    holds_runs_of_the_model(
        json!({"status": 404, "code": "model_not_found", "message": gone}),
        "does not exist",
    )
    .await;
    let shut = "The requested model 'sandbox-rules' does not exist.";
    let param = json!({"status": 400, "code": "model_not_found", "param": "model", "message": shut});
    holds_runs_of_the_model(param, "does not exist").await;
    holds_runs_of_the_model(json!({"status": 400, "message": "invalid model ID"}), "invalid model").await;
    let kept = "Project `p` does not have access to model `sandbox-rules`";
    holds_runs_of_the_model(json!({"status": 403, "code": "model_not_found", "message": kept}), "access")
        .await;
}

#[tokio::test]
async fn a_project_without_background_mode_is_one_finding() {
    let message = "Background mode is not available for this project.";
    holds_runs_of_the_model(json!({"status": 400, "param": "background", "message": message}), "background")
        .await;
}

#[tokio::test]
async fn a_setting_of_a_rule_that_is_refused_holds_the_rule() {
    let h = Harness::with(&contracts_and_plain()).await;
    let message = "Unsupported parameter: 'max_tool_calls'.";
    h.openai_fails(json!({"kind": "refusal", "status": 400, "param": "max_tool_calls", "message": message,
        "method": "POST", "path": "/v1/responses"}))
        .await;
    for n in 0..3 {
        h.put(&format!("/Contracts/{n}.txt"), &contract(n)).await;
    }
    h.work_for_seconds(600).await;
    assert_eq!(held(&h).await, ["openai/rule:liability"]);
    assert_eq!(h.asked("POST", "/v1/conversations"), 1);
    h.no_faults().await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed"; 3]);
    h.finish().await;
}

#[tokio::test]
async fn a_run_that_alone_is_refused_holds_no_other_for_long() {
    let h = Harness::with(&contracts_and_plain()).await;
    h.openai_fails(
        json!({"kind": "refusal", "status": 403, "message": "Not this one.", "containing": "odd.txt",
        "method": "POST", "path": "/v1/responses"}),
    )
    .await;
    h.put("/Contracts/odd.txt", &contract(0)).await;
    h.work_for_seconds(5).await;
    for n in 1..4 {
        h.put(&format!("/Contracts/{n}.txt"), &contract(n)).await;
    }
    h.work_for_seconds(120).await;
    let completed = h.outcomes().await.iter().filter(|outcome| *outcome == "completed").count();
    assert_eq!(completed, 3);
    h.settle().await;
    let ended = h.runs().await.into_iter().find(|run| run.path.ends_with("odd.txt")).unwrap();
    assert_eq!(ended.outcome.as_deref(), Some("failed"), "it ends, and says why: {:?}", ended.reason);
    h.finish().await;
}
