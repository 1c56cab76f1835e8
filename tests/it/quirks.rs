//! What OpenAI and Fastio are known to do wrong, one story each: Docket ends right all the same.

use serde_json::{Value, json};

use crate::harness::Harness;

const TEXT: &str = "The supplier's liability is limited to EUR 100,000.";

/// With this fault at OpenAI, a file is added, edited and deleted, and OpenAI follows each time.
async fn survives(fault: Value) {
    let h = Harness::start().await;
    h.openai_fails(fault.clone()).await;
    h.put("/nda.txt", TEXT).await;
    h.converges().await;
    h.put("/nda.txt", "an edit").await;
    h.put("/msa.txt", TEXT).await;
    h.converges().await;
    h.trash("/nda.txt").await;
    h.rename("/msa.txt", "/signed/msa.txt").await;
    h.finish().await;
}

#[tokio::test]
async fn an_upload_whose_reply_is_lost_is_adopted_and_not_repeated() {
    let h = Harness::start().await;
    h.openai_fails(json!({"kind": "lost_reply", "method": "POST", "path": "/v1/files", "count": 1})).await;
    h.put("/nda.txt", TEXT).await;
    h.converges().await;
    assert_eq!(h.uploads().await, 1);
    h.finish().await;
}

/// As after a failover that lost commits, or where a backup was restored.
#[tokio::test]
async fn a_file_of_anothers_that_is_in_a_store_is_not_taken_for_what_was_not_answered() {
    let h = Harness::start().await;
    h.put("/old/nda.txt", "the one of before").await;
    h.converges().await;
    h.meddle("DELETE FROM copy").await;
    h.meddle("DELETE FROM file").await;
    // It has the same name and size, and makes nothing.
    h.openai_fails(json!({"kind": "reset_after_body", "method": "POST", "path": "/v1/files", "count": 1}))
        .await;
    h.put("/new/nda.txt", "the one of now...").await;
    h.settle().await;
    assert_eq!(h.file_objects().await, 2, "a file got another file's text");
    h.sweep().await;
    h.settle().await;
    assert_eq!(h.held().await, ["/new/nda.txt", "/old/nda.txt"]);
    h.finish().await;
}

#[tokio::test]
async fn an_upload_that_was_cut_off_is_repeated() {
    for kind in ["reset_before_body", "reset_during_body", "reset_after_body"] {
        survives(json!({"kind": kind, "method": "POST", "path": "/v1/files", "probability": 0.5, "seed": 3}))
            .await;
    }
}

#[tokio::test]
async fn every_lost_reply_is_found_out() {
    for seed in 0..4 {
        survives(json!({"kind": "lost_reply", "probability": 0.3, "seed": seed})).await;
    }
    survives(json!({"kind": "reset_during_reply", "probability": 0.3})).await;
}

#[tokio::test]
async fn what_was_just_created_may_be_unknown_for_a_while() {
    survives(json!({"kind": "not_found_after_create", "probability": 0.7, "window_ms": 20_000})).await;
}

#[tokio::test]
async fn deletes_may_be_refused_and_may_take_their_time() {
    survives(json!({"kind": "delete_conflict", "probability": 0.5})).await;
    survives(json!({"kind": "slow_delete", "delay_ms": 20_000})).await;
}

/// The quarter of an hour in which OpenAI may show what it deleted begins when it has deleted it.
#[tokio::test]
async fn what_could_not_be_deleted_for_long_may_be_shown_for_a_while_all_the_same() {
    let h = Harness::start().await;
    h.put("/nda.txt", TEXT).await;
    h.converges().await;
    let begun = h.clock.now();
    h.openai_fails(json!([
        {"kind": "server_error", "method": "DELETE", "count": 20},
        {"kind": "slow_delete", "delay_ms": 20_000},
    ]))
    .await;
    h.trash("/nda.txt").await;
    h.settle().await;
    assert!(h.clock.now() - begun > 16 * 60 * 1000, "only {} ms", h.clock.now() - begun);
    h.finish().await;
}

#[tokio::test]
async fn errors_and_limits_of_openai_pass() {
    survives(json!({"kind": "server_error", "status": 500, "probability": 0.4})).await;
    survives(json!({"kind": "server_error", "status": 502, "html": true, "probability": 0.4})).await;
    survives(json!({"kind": "rate_limit", "retry_after_seconds": 7, "probability": 0.4})).await;
}

#[tokio::test]
async fn a_wait_that_openai_asks_for_is_waited() {
    let h = Harness::start().await;
    h.openai_fails(json!({"kind": "rate_limit", "retry_after_seconds": 40, "path": "/v1/files", "count": 1}))
        .await;
    let begun = h.clock.now();
    h.put("/nda.txt", TEXT).await;
    h.converges().await;
    assert!(h.clock.now() - begun >= 40_000);
    h.finish().await;
}

#[tokio::test]
async fn an_index_that_hangs_is_tried_once_more_and_then_a_person_is_asked() {
    let h = Harness::start().await;
    h.openai_fails(json!({"kind": "stuck_in_progress"})).await;
    h.put("/nda.txt", TEXT).await;
    h.take_in().await;
    h.settle_to_dead().await;
    assert_eq!(h.dead().await, ["OpenAI was still indexing it after 1800 s, each time of 2"]);
    // Once that is mended, a retry begins afresh with the same File object.
    h.no_faults().await;
    h.retry_dead().await;
    h.converges().await;
    assert_eq!(h.uploads().await, 1);
    h.finish().await;
}

#[tokio::test]
async fn an_index_that_hangs_once_is_helped_by_attaching_again() {
    let h = Harness::start().await;
    h.openai_fails(json!({"kind": "stuck_in_progress", "count": 1})).await;
    h.put("/nda.txt", TEXT).await;
    h.converges().await;
    assert_eq!(h.uploads().await, 1);
    h.finish().await;
}

#[tokio::test]
async fn an_index_that_fails_inside_is_tried_again() {
    let h = Harness::start().await;
    h.openai_fails(json!({"kind": "index_failure", "code": "server_error", "count": 2})).await;
    h.put("/nda.txt", TEXT).await;
    h.converges().await;
    assert_eq!(h.uploads().await, 1);
    h.finish().await;
}

#[tokio::test]
async fn content_that_the_index_refuses_is_skipped_with_the_reason_and_not_sent_again() {
    let h = Harness::start().await;
    let message = "The file could not be parsed because it is too large.";
    h.openai_fails(json!({"kind": "index_failure", "code": "invalid_file", "message": message, "count": 1}))
        .await;
    let node = h.put("/nda.txt", TEXT).await;
    h.settle().await;
    h.webhook("workspace_storage_file_updated", &node).await;
    h.settle().await;
    assert_eq!(h.uploads().await, 1);
    assert_eq!(h.skipped().await, [format!("/nda.txt: OpenAI could not index it: {message}")]);
    assert_eq!(h.file_objects().await, 0, "nothing is left of it at OpenAI");
    h.put("/nda.txt", "what it can parse").await;
    h.finish().await;
}

/// With this fault at OpenAI, ten files wait, none is dead, and all goes on by itself when the fault is gone.
async fn pauses(fault: Value, reason: &str) {
    let h = Harness::start().await;
    h.openai_fails(fault).await;
    for n in 0..10 {
        h.put(&format!("/{n}.txt"), TEXT).await;
    }
    h.take_in().await;
    for _ in 0..200 {
        if !h.work_one().await {
            h.pass(10_000);
        }
    }
    let pauses = h.pauses().await;
    assert_eq!(pauses.len(), 1);
    assert!(pauses[0].reason.contains(reason), "{}", pauses[0].reason);
    assert_eq!(h.jobs().await.len(), 10);
    assert!(h.dead().await.is_empty());
    let asked = h.openai_requests().await.len();
    assert!(asked < 60, "half an hour of a refused key are {asked} requests");
    h.no_faults().await;
    h.converges().await;
    assert!(h.pauses().await.is_empty());
    h.finish().await;
}

#[tokio::test]
async fn a_bad_key_pauses_openai() {
    pauses(json!({"kind": "unauthorized"}), "401").await;
    pauses(json!({"kind": "forbidden"}), "403").await;
}

#[tokio::test]
async fn an_empty_account_and_full_storage_pause_openai() {
    pauses(json!({"kind": "insufficient_quota"}), "quota").await;
    pauses(json!({"kind": "storage_full"}), "storage").await;
}

#[tokio::test]
async fn a_bad_key_pauses_fastio() {
    let h = Harness::start().await;
    h.fastio_fails(json!({"kind": "unauthorized"})).await;
    for n in 0..3 {
        h.put(&format!("/{n}.txt"), TEXT).await;
    }
    h.take_in().await;
    for _ in 0..50 {
        if !h.work_one().await {
            h.pass(10_000);
        }
    }
    assert_eq!(h.pauses().await[0].target, "fastio");
    assert_eq!(h.jobs().await.len(), 3);
    h.no_faults().await;
    h.finish().await;
}

#[tokio::test]
async fn downloads_that_break_are_not_uploaded() {
    for kind in ["truncated_download", "wrong_length", "reset_during_reply", "server_error", "rate_limit"] {
        let h = Harness::start().await;
        h.fastio_fails(json!({"kind": kind, "probability": 0.4, "seed": 5})).await;
        for n in 0..5 {
            h.put(&format!("/{n}.txt"), &format!("{TEXT} {n}").repeat(500)).await;
        }
        h.finish().await;
    }
}

#[tokio::test]
async fn a_file_that_somebody_deleted_at_openai_is_uploaded_again_when_it_changes() {
    let h = Harness::start().await;
    h.put("/nda.txt", TEXT).await;
    h.converges().await;
    h.delete_at_openai().await;
    h.rename("/nda.txt", "/renamed.txt").await;
    h.finish().await;
}

#[tokio::test]
async fn a_strangers_file_of_the_same_name_and_size_is_not_taken_for_ours() {
    let h = Harness::start().await;
    let theirs = h.upload_as_stranger("nda.txt", &"x".repeat(TEXT.len())).await;
    h.openai_fails(json!({"kind": "lost_reply", "method": "POST", "path": "/v1/files", "count": 1})).await;
    h.put("/nda.txt", TEXT).await;
    h.take_in().await;
    h.settle_to_dead().await;
    assert!(h.dead().await[0].contains("several File objects named nda.txt"), "{:?}", h.dead().await);
    h.remove_file_object(&theirs).await;
    h.retry_dead().await;
    h.finish().await;
}

#[tokio::test]
async fn what_waits_for_an_upload_that_a_person_has_to_settle_asks_less_and_less() {
    let h = Harness::start().await;
    let theirs = h.upload_as_stranger("nda.txt", &"x".repeat(TEXT.len())).await;
    h.openai_fails(json!({"kind": "lost_reply", "method": "POST", "path": "/v1/files", "count": 1})).await;
    h.put("/a/nda.txt", TEXT).await;
    h.take_in().await;
    h.settle_to_dead().await;
    h.put("/b/nda.txt", TEXT).await;
    h.work_for_seconds(60).await;
    let before = h.fastio_requests().await.len();
    h.work_for_seconds(600).await;
    let asked = h.fastio_requests().await.len() - before;
    assert!(asked < 20, "{asked} requests in ten minutes, for nothing");
    h.remove_file_object(&theirs).await;
    h.retry_dead().await;
    h.finish().await;
}

/// Another worker deletes a copy and forgets it between the moment at which it is listed and the one at which its row is looked for.
#[tokio::test]
async fn what_is_gone_since_it_was_listed_is_not_taken_for_an_unanswered_upload() {
    let h = Harness::start().await;
    let now = h.clock.now() / 1000;
    let gone = json!({"id": "file-gone", "object": "file", "filename": "nda.txt", "bytes": TEXT.len(), "created_at": now, "purpose": "assistants"});
    h.openai_fails(json!([
        {"kind": "lost_reply", "method": "POST", "path": "/v1/files", "count": 1},
        {"kind": "changed_reply", "method": "GET", "path": "/v1/files", "find": "\"data\":[", "put": format!("\"data\":[{gone},"), "count": 1},
    ]))
    .await;
    h.put("/nda.txt", TEXT).await;
    h.converges().await;
    h.finish().await;
}

/// What an upload that was given up leaves may come while another of its name and size goes unanswered, and nothing at OpenAI says whose it is.
#[tokio::test]
async fn a_file_object_that_one_of_two_uploads_may_have_made_is_no_files_content() {
    for own in ["lost_reply", "reset_after_body"] {
        let h = Harness::start().await;
        let fails = |kind| json!({"kind": kind, "method": "POST", "path": "/v1/files", "count": 1});
        h.openai_fails(fails("reset_after_body")).await;
        h.put("/a/nda.txt", "Liability is capped at one.").await;
        h.converges().await;
        let late = h.upload_as_stranger("nda.txt", "Liability is capped at one.").await;
        h.openai_fails(fails(own)).await;
        h.put("/b/nda.txt", "Liability is capped at two.").await;
        h.converges().await;
        assert!(h.copies().await.iter().all(|copy| copy.file_id != late), "{own}");
        h.finish().await;
    }
}

/// The first try had its effect and the store denies it, so a second one is made, which the store answers with what is there.
#[tokio::test]
async fn a_rename_between_two_tries_at_attaching_is_told_to_the_store() {
    let h = Harness::start().await;
    let (files, file) = ("/v1/vector_stores/*/files", "/v1/vector_stores/*/files/*");
    h.openai_fails(json!([
        {"kind": "lost_reply", "method": "POST", "path": files, "count": 1},
        {"kind": "not_found_after_create", "method": "GET", "path": file, "window_ms": 60_000, "count": 1},
    ]))
    .await;
    h.put("/draft.txt", TEXT).await;
    h.take_in().await;
    assert!(h.work_one().await);
    h.rename("/draft.txt", "/final.txt").await;
    h.converges().await;
    assert_eq!(h.copies().await[0].attributes["path"], "/final.txt");
    h.finish().await;
}
