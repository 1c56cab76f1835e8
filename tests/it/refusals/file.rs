//! What only one file's content meets is that file's, and final is only what the service itself says.

use serde_json::{Value, json};

use super::held;
use crate::harness::Harness;

/// An upload of what holds `poison` is answered so.
async fn poisoned(h: &Harness, answer: &Value) {
    let mut fault = answer.clone();
    for (name, value) in
        [("kind", "refusal"), ("method", "POST"), ("path", "/v1/files"), ("containing", "DROP TABLE clients")]
    {
        fault[name] = json!(value);
    }
    h.openai_fails(fault).await;
}

const POISON: &str = "'; DROP TABLE clients; --";

#[tokio::test]
async fn a_page_for_one_content_concerns_that_file_alone_and_ends_as_a_dead_job_that_says_so() {
    for answer in [
        json!({"status": 403, "html": true}),
        json!({"status": 451, "html": true}),
        json!({"status": 413, "body": "{\"message\": \"Request size limit exceeded\"}"}),
        json!({"status": 400, "body": "{\"error\": \"Bad Request\"}"}),
        json!({"status": 401, "html": true}),
    ] {
        let h = Harness::start().await;
        poisoned(&h, &answer).await;
        h.put("/a.txt", POISON).await;
        h.work_for_seconds(5).await;
        h.put("/b.txt", "sound").await;
        h.work_for_seconds(3).await;
        assert_eq!(h.placed().await, ["all: /b.txt"], "{answer}");
        assert!(held(&h).await.is_empty(), "{answer}");
        h.settle_to_dead().await;
        let dead = h.dead().await.remove(0);
        assert!(dead.contains("something between Docket and OpenAI refused"), "{dead}");
        assert!(h.skipped().await.is_empty(), "{answer}: no stranger's word is final");
        h.no_faults().await;
        h.retry_dead().await;
        h.finish().await;
    }
}

#[tokio::test]
async fn several_such_files_die_each_for_itself_while_others_succeed() {
    let h = Harness::start().await;
    poisoned(&h, &json!({"status": 403, "html": true})).await;
    for n in 0..5 {
        h.put(&format!("/poison {n}.txt"), &format!("{n} {POISON}")).await;
    }
    for n in 0..20 {
        h.put(&format!("/sound {n}.txt"), &format!("sound {n}")).await;
    }
    h.work_for_seconds(90).await;
    assert_eq!(h.copies().await.len(), 20, "nothing waits for them");
    h.settle_to_dead().await;
    assert_eq!(h.dead().await.len(), 5);
    h.no_faults().await;
    h.retry_dead().await;
    h.finish().await;
}

#[tokio::test]
async fn a_refusal_in_openais_words_that_one_content_meets_is_that_files() {
    let h = Harness::start().await;
    poisoned(&h, &json!({"status": 403, "message": "This content is not allowed."})).await;
    h.put("/a.txt", POISON).await;
    h.work_for_seconds(5).await;
    h.put("/b.txt", "sound").await;
    h.work_for_seconds(3).await;
    assert_eq!(h.placed().await, ["all: /b.txt"]);
    assert!(held(&h).await.is_empty());
    h.settle_to_dead().await;
    h.no_faults().await;
    h.retry_dead().await;
    h.finish().await;
}

#[tokio::test]
async fn a_413_is_final_only_in_openais_own_words() {
    let h = Harness::start().await;
    poisoned(&h, &json!({"status": 413, "html": true, "count": 3})).await;
    h.put("/a.txt", POISON).await;
    h.settle().await;
    assert_eq!(h.placed().await, ["all: /a.txt"], "it was tried again");
    poisoned(&h, &json!({"status": 413, "message": "The file is too large."})).await;
    h.put("/b.txt", POISON).await;
    h.settle().await;
    assert!(
        h.skipped().await[0].starts_with("/b.txt: OpenAI says it is too large"),
        "{:?}",
        h.skipped().await
    );
    h.finish_leaving(&["skipped: /b.txt"]).await;
}

#[tokio::test]
async fn a_page_for_one_download_concerns_that_file_alone() {
    let h = Harness::start().await;
    let odd = h.put("/a.txt", "its download is refused on the way").await;
    let path = format!("/current/workspace/*/storage/{odd}/read/**");
    h.fastio_fails(json!({"kind": "refusal", "status": 403, "html": true, "path": path})).await;
    h.work_for_seconds(5).await;
    h.put("/b.txt", "sound").await;
    h.work_for_seconds(3).await;
    assert_eq!(h.placed().await, ["all: /b.txt"]);
    assert!(held(&h).await.is_empty());
    h.settle_to_dead().await;
    assert!(
        h.dead().await[0].contains("something between Docket and Fastio refused"),
        "{:?}",
        h.dead().await
    );
    h.no_faults().await;
    h.retry_dead().await;
    h.finish().await;
}
