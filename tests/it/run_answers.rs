//! What a model answers may be broken, doubled, empty or cut: it is asked again, a few times, each of which is paid for.

use serde_json::json;

use crate::harness::{Harness, contract, legal};

#[tokio::test]
async fn an_answer_that_comes_twice_is_one() {
    for code in ["doubled", "doubled_text"] {
        let h = Harness::with(&legal("")).await;
        h.openai_fails(json!({"kind": "bad_run", "code": code})).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        h.converges().await;
        assert_eq!(
            (h.outcomes().await, h.responses().await.len()),
            (vec!["completed".to_owned()], 1),
            "{code}"
        );
        let written = h.read("/Contracts/nda.analysis.md").await;
        assert_eq!(written.matches("total liability is limited to").count(), 1, "{code}: {written}");
        h.finish().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_asked_for_again_and_both_are_paid_for() {
    for (code, message) in [
        ("broken_json", None),
        ("empty", None),
        ("no_message", None),
        ("answer", Some("I have looked at it and found nothing.")),
        ("answer", Some("{\"clauses\": \"none\"}")),
        ("answer", Some("[]")),
        ("content_filter", None),
        ("max_output_tokens", None),
    ] {
        let h = Harness::with(&legal("")).await;
        let mut fault = json!({"kind": "bad_run", "code": code, "count": 1});
        if let Some(message) = message {
            fault["message"] = message.into();
        }
        h.openai_fails(fault).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        h.converges().await;
        let run = &h.runs().await[0];
        assert_eq!(run.outcome.as_deref(), Some("completed"), "{code} {message:?}: {:?}", run.reason);
        assert_eq!((run.tries, h.responses().await.len()), (2, 2), "{code}");
        let paid: i64 =
            h.responses().await.iter().map(|one| one["usage"]["total_tokens"].as_i64().unwrap()).sum();
        assert_eq!(run.input_tokens.unwrap() + run.output_tokens.unwrap(), paid, "{code}");
        h.finish().await;
    }
}

#[tokio::test]
async fn answers_that_stay_broken_fail_their_own_run_and_are_never_a_result_without_findings() {
    for (code, word, tries) in [
        ("broken_json", "not JSON", 3),
        ("empty", "answered nothing", 3),
        ("no_message", "answered nothing", 3),
        ("content_filter", "content_filter", 2),
        ("max_output_tokens", "longer than the model can write", 2),
    ] {
        let h = Harness::with(&legal("digest = 'overview.csv'")).await;
        h.openai_fails(json!({"kind": "bad_run", "code": code, "containing": "under contract 7."})).await;
        h.put("/Contracts/a.txt", &contract(7)).await;
        h.put("/Contracts/b.txt", &contract(8)).await;
        h.converges().await;
        let runs = h.runs().await;
        let (bad, good) =
            if runs[0].path.ends_with("a.txt") { (&runs[0], &runs[1]) } else { (&runs[1], &runs[0]) };
        let reason = bad.reason.as_deref().unwrap();
        assert_eq!((bad.outcome.as_deref(), bad.tries), (Some("failed"), tries), "{code}: {reason}");
        assert!(
            reason.contains(word) && reason.contains(&format!("after {tries} tries")),
            "{code}: {reason}"
        );
        assert_eq!(good.outcome.as_deref(), Some("completed"));
        assert_eq!(h.responses().await.len() as i64, tries + 1, "{code}");
        let table = h.read("/Contracts/overview.csv").await;
        let row = table.lines().find(|line| line.starts_with("/Contracts/a.txt")).unwrap();
        assert!(row.starts_with("/Contracts/a.txt,failed,"), "{table}");
        assert!(!h.paths().await.contains(&"/Contracts/a.analysis.md".to_owned()), "{code}");
        h.finish().await;
    }
}

#[tokio::test]
async fn a_refusal_is_the_models_last_word() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "bad_run", "code": "refusal", "count": 1})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    assert_eq!((h.outcomes().await, h.responses().await.len()), (vec!["refused".to_owned()], 1));
    h.finish().await;
}
