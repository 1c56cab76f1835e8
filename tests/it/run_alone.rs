//! Servers that speak OpenAI's language and have no conversations: runs go without, and none is made twice.

use serde_json::{Value, json};

use crate::harness::{Harness, contract, legal};

/// What such servers and the gateways before them answer.
fn missing() -> [Value; 4] {
    [
        json!({"kind": "not_found", "path": "/v1/conversations", "body": "{\"detail\":\"Not Found\"}"}),
        json!({"kind": "refusal", "status": 405, "path": "/v1/conversations", "body": "{\"detail\":\"Method Not Allowed\"}"}),
        json!({"kind": "server_error", "status": 501, "path": "/v1/conversations"}),
        json!({"kind": "not_found", "path": "/v1/conversations"}),
    ]
}

fn asked(h: &Harness) -> usize {
    h.asked("POST", "/v1/conversations")
}

#[tokio::test]
async fn without_conversations_runs_go_without_them() {
    for fault in missing() {
        let h = Harness::with(&legal("")).await;
        h.openai_fails(fault.clone()).await;
        h.put("/Contracts/a.txt", &contract(1)).await;
        h.put("/Contracts/b.txt", &contract(2)).await;
        h.converges().await;
        assert_eq!(h.outcomes().await, ["completed", "completed"], "{fault}");
        assert_eq!(
            (h.responses().await.len(), asked(&h), h.conversations().await),
            (2, 2, (0, 0)),
            "{fault}"
        );
        assert!(h.responses().await.iter().all(|one| one.get("conversation").is_none_or(Value::is_null)));
        h.finish().await;
    }
}

#[tokio::test]
async fn a_creation_that_is_not_answered_is_not_made_twice_without_conversations() {
    let h = Harness::with(&legal("deadline_seconds = 120")).await;
    h.openai_fails(
        json!([missing()[0], {"kind": "lost_reply", "method": "POST", "path": "/v1/responses", "count": 1}]),
    )
    .await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    let run = &h.runs().await[0];
    let reason = run.reason.as_deref().unwrap_or_default();
    assert_eq!((run.outcome.as_deref(), h.responses().await.len()), (Some("failed"), 1), "{reason}");
    assert!(
        reason.contains("not made again by itself") && reason.contains("docket runs again --rule liability"),
        "{reason}"
    );
    h.again("liability", true).await;
    h.converges().await;
    assert_eq!((h.outcomes().await, h.responses().await.len()), (vec!["completed".to_owned()], 2));
    h.finish().await;
}

#[tokio::test]
async fn openais_webhook_finds_what_no_conversation_can() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(
        json!([missing()[0], {"kind": "lost_reply", "method": "POST", "path": "/v1/responses", "count": 1}]),
    )
    .await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.take_in().await;
    while h.work_one().await {}
    let response = h.responses().await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(h.openai_webhook("wh_1", "response.completed", &response).await, 202);
    h.converges().await;
    assert_eq!((h.outcomes().await, h.responses().await.len()), (vec!["completed".to_owned()], 1));
    h.finish().await;
}
