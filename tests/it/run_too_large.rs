//! A document that is more than a model can read, or than the account may send at once, is searched instead where its rule allows
//! that, and the result says so.

use serde_json::{Value, json};

use crate::harness::{Harness, contract, legal};

const TOO_LARGE: &str = "Request too large for sandbox-rules in organization org-x on tokens per min (TPM): Limit 30000, Requested 90000. The \
                         input or output tokens must be reduced in order to run successfully.";

/// Each way in which OpenAI says it.
fn refusals(count: u64) -> [Value; 4] {
    let window =
        "Your input exceeds the context window of this model. Please adjust your input and try again.";
    [
        json!({"kind": "bad_run", "code": "context_length_exceeded", "message": window, "count": count}),
        json!({"kind": "bad_run", "code": "rate_limit_exceeded", "message": TOO_LARGE, "count": count}),
        json!({"kind": "bad_run", "code": "invalid_prompt", "message": window, "count": count}),
        json!({"kind": "rate_limit", "method": "POST", "path": "/v1/responses", "message": TOO_LARGE, "count": count}),
    ]
}

/// How each response that was begun was shown the document.
async fn shown(h: &Harness) -> Vec<&'static str> {
    let requests = h.sandbox.openai_core().journal.requests();
    let begun = requests.iter().filter(|one| one.method == "POST" && one.path == "/v1/responses");
    begun
        .map(|one| {
            let body = serde_json::to_string(one).unwrap();
            if body.contains("input_file") {
                "whole"
            } else if body.contains("file_search") {
                "searched"
            } else {
                "not"
            }
        })
        .collect()
}

#[tokio::test]
async fn what_is_too_large_is_searched_once_and_the_result_says_so_at_its_top() {
    for refusal in refusals(1) {
        let h = Harness::with(&legal("")).await;
        h.openai_fails(refusal.clone()).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        h.converges().await;
        let run = &h.runs().await[0];
        assert_eq!(run.outcome.as_deref(), Some("needs_review"), "{refusal}: {:?}", run.reason);
        assert!(run.reason.as_deref().unwrap().contains("too large to be read whole"), "{:?}", run.reason);
        let written = h.read("/Contracts/nda.analysis.md").await;
        let top: String = written.lines().take(8).collect::<Vec<_>>().join("\n");
        assert!(top.contains("too large to be read whole"), "{refusal}: {written}");
        assert!(written.contains("total liability is limited to"), "{written}");
        assert_eq!(shown(&h).await, ["whole", "searched"], "{refusal}");
        h.finish().await;
    }
}

#[tokio::test]
async fn what_is_too_large_in_every_way_fails_once_with_the_reason() {
    for refusal in refusals(100) {
        let h = Harness::with(&legal("")).await;
        h.openai_fails(refusal.clone()).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        h.converges().await;
        let run = &h.runs().await[0];
        let reason = run.reason.as_deref().unwrap_or_default();
        assert_eq!(run.outcome.as_deref(), Some("failed"), "{refusal}: {reason}");
        assert!(
            reason.contains("too large for model sandbox-rules")
                && reason.contains("file_search was too much, too"),
            "{reason}"
        );
        assert_eq!(shown(&h).await, ["whole", "searched"], "{refusal}");
        assert_eq!(h.paths().await, ["/Contracts/nda.txt"]);
        h.finish().await;
    }
}

#[tokio::test]
async fn a_rule_that_allows_no_other_way_fails_at_once_and_says_which_setting_would() {
    for more in ["too_large = 'fail'", "attach = ['input_file']"] {
        for refusal in refusals(100) {
            let h = Harness::with(&legal(more)).await;
            h.openai_fails(refusal.clone()).await;
            h.put("/Contracts/nda.txt", &contract(1)).await;
            h.converges().await;
            let run = &h.runs().await[0];
            let reason = run.reason.as_deref().unwrap_or_default();
            assert_eq!(run.outcome.as_deref(), Some("failed"), "{more} {refusal}: {reason}");
            assert!(reason.contains("too_large = \"file_search\""), "{reason}");
            assert_eq!(shown(&h).await, ["whole"], "{more} {refusal}");
            h.finish().await;
        }
    }
}

#[tokio::test]
async fn what_is_searched_already_fails_without_the_advice_to_search() {
    for refusal in refusals(100) {
        let h = Harness::with(&legal("attach = ['file_search']")).await;
        h.openai_fails(refusal.clone()).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        h.converges().await;
        let run = &h.runs().await[0];
        let reason = run.reason.as_deref().unwrap_or_default();
        assert_eq!(run.outcome.as_deref(), Some("failed"), "{refusal}: {reason}");
        assert!(!reason.contains("too_large") && reason.contains("split the document"), "{reason}");
        assert_eq!(shown(&h).await, ["searched"], "{refusal}");
        h.finish().await;
    }
}

/// A contract whose File object is larger than what may be shown whole, as its run's row says, once the run may begin.
async fn fifty_megabytes(h: &Harness) {
    let conversations = json!({"kind": "unauthorized", "method": "POST", "path": "/v1/conversations"});
    h.openai_fails(conversations).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.take_in().await;
    while h.work_one().await {}
    h.meddle("UPDATE run SET bytes = 50000000").await;
    h.no_faults().await;
}

#[tokio::test]
async fn what_is_too_large_from_the_start_is_searched_and_needs_a_person() {
    let h = Harness::with(&legal("")).await;
    fifty_megabytes(&h).await;
    h.converges().await;
    let run = &h.runs().await[0];
    assert_eq!(run.outcome.as_deref(), Some("needs_review"), "{:?}", run.reason);
    assert!(run.reason.as_deref().unwrap().contains("too large to be read whole"), "{:?}", run.reason);
    assert_eq!(shown(&h).await, ["searched"]);
    h.finish().await;
}

#[tokio::test]
async fn what_was_searched_from_the_start_is_not_searched_twice() {
    for refusal in refusals(100) {
        let h = Harness::with(&legal("")).await;
        fifty_megabytes(&h).await;
        h.openai_fails(refusal.clone()).await;
        h.converges().await;
        let run = &h.runs().await[0];
        let reason = run.reason.as_deref().unwrap_or_default();
        assert_eq!(run.outcome.as_deref(), Some("failed"), "{refusal}: {reason}");
        assert!(reason.contains("file_search was too much, too"), "{reason}");
        assert_eq!(shown(&h).await, ["searched"], "{refusal}");
        h.finish().await;
    }
}
