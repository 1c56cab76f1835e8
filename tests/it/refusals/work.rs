//! A refusal of one kind of call holds what needs it, and a refusal of everything holds everything.

use serde_json::json;

use super::{contracts_and_plain, held};
use crate::harness::{Harness, contract};

const CONVERSATIONS: &str = "openai/call:creating_a_conversation";

#[tokio::test]
async fn a_key_that_may_make_no_conversations_holds_runs_and_no_file() {
    for (refusal, cure) in [
        (json!({"kind": "unauthorized"}), "let the key"),
        (json!({"kind": "forbidden"}), "let the key"),
        (json!({"kind": "insufficient_quota"}), "add credit"),
        (
            json!({"kind": "refusal", "status": 402, "message": "Your plan has no conversations."}),
            "add credit",
        ),
    ] {
        let h = Harness::with(&contracts_and_plain()).await;
        let mut fault = refusal.clone();
        (fault["method"], fault["path"]) = (json!("POST"), json!("/v1/conversations"));
        h.openai_fails(fault).await;
        for n in 0..5 {
            h.put(&format!("/Contracts/{n}.txt"), &contract(n)).await;
        }
        h.work_for_seconds(20).await;
        for n in 0..10 {
            h.put(&format!("/Plain/{n}.txt"), &format!("plain {n}")).await;
        }
        h.work_for_seconds(10).await;
        assert_eq!(h.copies().await.len(), 15, "{refusal}: files go on being synced");
        assert_eq!(held(&h).await, [CONVERSATIONS], "{refusal}");
        let reason = h.pauses().await.remove(0).reason;
        assert!(reason.contains("files go on") && reason.contains(cure), "{reason}");
        h.work_for_seconds(600).await;
        assert!(h.asked("POST", "/v1/conversations") < 12, "{refusal}");
        assert!(h.dead().await.is_empty());
        h.no_faults().await;
        h.settle().await;
        assert_eq!(h.outcomes().await, ["completed"; 5], "{refusal}");
        assert!(held(&h).await.is_empty());
        h.finish().await;
    }
}

#[tokio::test]
async fn a_key_that_is_refused_everywhere_holds_the_service_once() {
    let h = Harness::with(&contracts_and_plain()).await;
    h.put("/Contracts/0.txt", &contract(0)).await;
    h.put("/Plain/0.txt", "plain").await;
    h.openai_fails(json!({"kind": "unauthorized"})).await;
    h.work_for_seconds(120).await;
    assert_eq!(held(&h).await, ["openai"]);
    h.no_faults().await;
    h.finish().await;
}

#[tokio::test]
async fn full_storage_holds_uploads_and_what_makes_room_goes_on() {
    let h = Harness::start().await;
    h.put("/old.txt", "to be deleted").await;
    h.settle().await;
    h.openai_fails(json!({"kind": "storage_full"})).await;
    for n in 0..4 {
        h.put(&format!("/{n}.txt"), &format!("text {n}")).await;
    }
    h.work_for_seconds(60).await;
    assert_eq!(held(&h).await, ["openai/call:uploading_a_file"]);
    h.trash("/old.txt").await;
    h.work_for_seconds(20).await;
    assert!(h.copies().await.is_empty(), "deleting makes room");
    assert!(h.asked("POST", "/v1/files") < 8);
    h.no_faults().await;
    h.finish().await;
}

#[tokio::test]
async fn uploads_that_something_on_the_way_refuses_are_held_and_nothing_else_is() {
    let h = Harness::start().await;
    h.put("/old.txt", "to be renamed").await;
    h.settle().await;
    h.openai_fails(
        json!({"kind": "refusal", "status": 403, "html": true, "method": "POST", "path": "/v1/files"}),
    )
    .await;
    for n in 0..6 {
        h.put(&format!("/{n}.txt"), &format!("text {n}")).await;
    }
    h.work_for_seconds(6 * 60 * 60).await;
    assert_eq!(held(&h).await, ["openai/call:uploading_a_file"]);
    assert!(h.dead().await.is_empty(), "nothing was found out about any file");
    h.rename("/old.txt", "/renamed.txt").await;
    h.work_for_seconds(10).await;
    assert_eq!(h.placed().await, ["all: /renamed.txt"]);
    h.no_faults().await;
    h.finish().await;
}

#[tokio::test]
async fn a_portal_that_answers_everything_holds_the_service_and_costs_nothing() {
    for fault in [
        json!({"kind": "refusal", "status": 403, "html": true}),
        json!({"kind": "refusal", "status": 407, "body": "{\"message\": \"Sign in.\"}"}),
        json!({"kind": "canned_reply", "body": "<html>Sign in</html>"}),
    ] {
        let h = Harness::start().await;
        h.openai_fails(fault.clone()).await;
        for n in 0..5 {
            h.put(&format!("/{n}.txt"), &format!("text {n}")).await;
        }
        h.work_for_seconds(6 * 60 * 60).await;
        assert_eq!(held(&h).await, ["openai"], "{fault}");
        assert!(h.pauses().await[0].reason.contains("something between Docket and OpenAI"));
        assert!(h.dead().await.is_empty() && h.skipped().await.is_empty());
        h.no_faults().await;
        h.finish().await;
    }
}
