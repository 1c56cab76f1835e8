//! Servers that are not OpenAI and speak its language.

use serde_json::{Value, json};

use crate::harness::beside::again;
use crate::harness::{Harness, ONE_STORE};

#[tokio::test]
async fn a_server_that_says_400_for_what_is_not_there_holds_up_no_edit_and_no_removal() {
    let h = Harness::start().await;
    h.openai_fails(json!({"kind": "absent_as_400"})).await;
    h.put("/a.txt", "first").await;
    h.put("/b.txt", "other").await;
    h.settle().await;
    for text in ["second", "third", "fourth"] {
        h.put("/a.txt", text).await;
        h.converges().await;
    }
    h.rename("/a.txt", "/moved.txt").await;
    h.converges().await;
    h.trash("/moved.txt").await;
    h.converges().await;
    h.restore("/moved.txt").await;
    h.openai_fails(
        json!({"kind": "lost_reply", "method": "POST", "path": "/v1/vector_stores/*/files", "count": 1}),
    )
    .await;
    h.put("/c.txt", "its attach is not answered").await;
    h.trash("/b.txt").await;
    h.converges().await;
    assert!(h.dead().await.is_empty());
    h.finish().await;
}

/// How the attaches that OpenAI was asked for were answered.
async fn attaches(h: &Harness) -> Vec<Value> {
    let attaches = h.openai_requests().await.into_iter().filter(|one| {
        let path = one["path"].as_str().unwrap();
        one["method"] == "POST" && path.starts_with("/v1/vector_stores/") && path.ends_with("/files")
    });
    attaches.map(|attach| attach["outcome"].clone()).collect()
}

/// An attach that is done after this long.
const NINE_MINUTES_MS: i64 = 9 * 60_000;

#[tokio::test]
async fn an_attach_that_takes_minutes_is_waited_for() {
    let h = Harness::with(&format!("[sync]\nattach_limit_seconds = 600\n{ONE_STORE}")).await;
    h.openai_fails(json!({"kind": "slow_attach", "delay_ms": NINE_MINUTES_MS})).await;
    h.put("/long.txt", "a long text").await;
    let minutes_pass = async {
        again(async || (!attaches(&h).await.is_empty()).then_some(())).await;
        assert_eq!(attaches(&h).await, ["open"]);
        h.pass(NINE_MINUTES_MS);
    };
    tokio::join!(h.converges(), minutes_pass);
    assert_eq!(attaches(&h).await, [200]);
    h.finish().await;
}

#[tokio::test]
async fn an_attach_that_is_left_alone_is_not_asked_for_again_while_it_runs() {
    let h = Harness::with(&format!("[sync]\nattach_limit_seconds = 1\n{ONE_STORE}")).await;
    h.openai_fails(json!({"kind": "slow_attach", "delay_ms": NINE_MINUTES_MS})).await;
    h.put("/long.txt", "a long text").await;
    h.converges().await;
    assert_eq!(attaches(&h).await, ["abandoned"]);
    h.finish().await;
}

#[tokio::test]
async fn an_attach_that_never_ends_is_asked_for_once_more_and_then_given_up() {
    let h =
        Harness::with(&format!("[sync]\nattach_limit_seconds = 1\nindex_deadline_seconds = 60\n{ONE_STORE}"))
            .await;
    h.openai_fails(json!({"kind": "slow_attach", "delay_ms": 1_000_000_000})).await;
    h.put("/long.txt", "a long text").await;
    h.settle_to_dead().await;
    assert!(h.dead().await[0].contains("did not answer to 2 attaches"), "{:?}", h.dead().await);
    assert_eq!(attaches(&h).await.len(), 2);
    h.no_faults().await;
    h.retry_dead().await;
    h.finish().await;
}

#[tokio::test]
async fn attributes_that_do_not_stick_are_not_sent_for_ever() {
    for kept in [
        json!({"kind": "attributes_dropped"}),
        json!({"kind": "attributes_dropped", "put": "a text"}),
        json!({"kind": "attributes_as_floats"}),
    ] {
        let h = Harness::start().await;
        h.openai_fails(kept.clone()).await;
        for n in 0..3 {
            h.put(&format!("/{n}.txt"), &format!("text {n}")).await;
        }
        h.settle().await;
        h.rename("/0.txt", "/renamed.txt").await;
        h.settle().await;
        let before = h.openai_requests().await.len();
        for _ in 0..3 {
            let report = h.sweep().await;
            assert_eq!(report.found["drift"], 0, "{kept}: {report:#?}");
            assert_eq!(h.settle().await, 0, "{kept}");
        }
        let posts =
            h.openai_requests().await.into_iter().skip(before).filter(|one| one["method"] == "POST").count();
        assert_eq!(posts, 0, "{kept}");
        // What a stranger writes there is put right all the same.
        let store = h.store_id("all").await;
        let file = h.copies().await.into_iter().find(|copy| copy.path() == "/1.txt").unwrap().file_id;
        let forged = json!({"attributes": {"path": "/forged.txt"}});
        h.stranger(reqwest::Method::POST, &format!("vector_stores/{store}/files/{file}"), forged).await;
        h.sweep().await;
        h.converges().await;
        h.finish().await;
    }
}

#[tokio::test]
async fn an_upload_without_an_answer_is_found_where_names_are_changed() {
    for (kept, sure) in [(json!({}), true), (json!({"put": "upload.md"}), false)] {
        let h = Harness::start().await;
        let mut renamed = kept.clone();
        renamed["kind"] = json!("names_sanitised");
        h.openai_fails(renamed).await;
        if !sure {
            // What was uploaded before shows what the server makes of names.
            h.put("/earlier.md", "an earlier text of another length").await;
            h.settle().await;
        }
        h.openai_fails(json!({"kind": "lost_reply", "method": "POST", "path": "/v1/files", "count": 1}))
            .await;
        let before = h.uploads().await;
        h.put("/\u{5951}\u{7d04}\u{66f8}.md", "its upload is not answered").await;
        h.converges().await;
        assert_eq!(h.uploads().await - before, 1, "{kept}: it was adopted");
        h.finish().await;
    }
}

#[tokio::test]
async fn an_upload_that_lands_late_is_found_where_names_are_changed() {
    for (name, kept, in_its_place) in [
        ("/\u{5951}\u{7d04} 1.md", json!({}), "__ 1.md"),
        ("/\u{5951}\u{7d04} 1.md", json!({"put": "upload.md"}), "upload.md"),
    ] {
        let h = Harness::start().await;
        let mut renamed = kept.clone();
        renamed["kind"] = json!("names_sanitised");
        h.openai_fails(renamed).await;
        h.put("/earlier \u{fc}.md", "an earlier text of another length").await;
        h.settle().await;
        h.openai_fails(
            json!({"kind": "reset_after_body", "method": "POST", "path": "/v1/files", "count": 1}),
        )
        .await;
        h.put(name, "it comes late").await;
        h.converges().await;
        assert_eq!(h.number("SELECT count(*) FROM lost_upload").await, 1);
        h.upload_as_stranger(in_its_place, "it comes late").await;
        let report = h.sweep().await;
        assert_eq!(report.found["orphan"], 1, "{kept}: {report:#?}");
        h.converges().await;
        h.finish().await;
    }
}

#[tokio::test]
async fn a_strangers_file_of_the_same_size_is_no_upload_of_ours() {
    let h = Harness::start().await;
    let text = "its upload is not answered";
    h.upload_as_stranger("theirs.md", &"x".repeat(text.len())).await;
    h.openai_fails(json!({"kind": "reset_after_body", "method": "POST", "path": "/v1/files", "count": 1}))
        .await;
    h.put("/ours.md", text).await;
    h.settle().await;
    assert_eq!(h.uploads().await, 3, "the stranger's, and two of ours");
    assert_eq!(h.placed().await, ["all: /ours.md"]);
    h.finish_leaving(&["a File object in no vector store: theirs.md"]).await;
}
