//! Runs that Fastio's own AI answers, alone or before OpenAI is asked.

use serde_json::{Value, json};

use crate::harness::{Harness, INVENTED, WORKSPACE, World, contract, legal};

const NDA: &str = "/Contracts/nda.txt";
const RESULT: &str = "/Contracts/nda.analysis.md";

/// The legal team's rule, asked of Fastio alone.
pub fn asking() -> String {
    legal("engine = 'fastio'").replace("model = 'sandbox-rules'", "")
}

/// The same, and OpenAI after it.
fn escalating(when: &str) -> String {
    legal(&format!("engine = 'fastio'\nescalate = {{ when = [{when}], to = 'responses' }}"))
}

impl World {
    /// Questions that Fastio was asked, and threads that are left there.
    pub async fn turns_asked(&self) -> (usize, usize) {
        let state = self.fastio_state().await;
        let many = |name: &str| state[name].as_array().unwrap().len();
        (many("turns_asked"), many("talks"))
    }
}

#[tokio::test]
async fn fastio_answers_and_its_quotes_are_looked_up_like_all_others() {
    let h = Harness::with(&asking()).await;
    let node = h.put(NDA, &contract(1)).await;
    h.converges().await;
    assert_eq!((h.outcomes().await, h.responses().await.len()), (vec!["completed".to_owned()], 0));
    assert!(h.read(RESULT).await.contains("limited to EUR 10,000"));
    assert!(h.read(RESULT).await.contains("OpenAI was not asked"));
    let result = h.result(1).await;
    assert!(result["quotes"].as_u64() > Some(0) && result["unverified"] == 0, "{result:#}");
    let cited = &result["citations"][0];
    assert_eq!(cited["source_id"], format!("workspace:{WORKSPACE}:{}", node.replace('-', "")), "{cited}");
    assert_eq!((&cited["version"], &cited["path"]), (&result["version"], &json!(NDA)));
    assert_eq!(h.turns_asked().await, (1, 0), "nothing is left of it at Fastio");
    h.finish().await;
}

#[tokio::test]
async fn a_question_whose_answer_is_lost_or_out_of_order_is_told_again_and_asked_once() {
    let h = Harness::with(&asking()).await;
    let (method, path) = ("POST", "/current/workspace/*/ai/agent/");
    h.fastio_fails(json!([
        {"kind": "lost_reply", "method": method, "path": path, "count": 1},
        {"kind": "refusal", "status": 409, "message": "SEQUENCE_FAILURE", "method": method, "path": path, "skip": 1, "count": 1},
        {"kind": "server_error", "method": method, "path": path, "skip": 2, "count": 1},
    ]))
    .await;
    h.put(NDA, &contract(1)).await;
    h.converges().await;
    assert_eq!((h.outcomes().await, h.turns_asked().await), (vec!["completed".to_owned()], (1, 0)));
    h.finish().await;
}

#[tokio::test]
async fn what_fastio_asks_back_goes_to_a_person_with_the_question() {
    let h = Harness::with(&asking()).await;
    h.fastio_fails(json!({"kind": "bad_turn", "code": "needs_input", "message": "Which of the two caps?"}))
        .await;
    h.put(NDA, &contract(1)).await;
    h.converges().await;
    let run = h.runs().await.remove(0);
    assert_eq!(run.outcome.as_deref(), Some("needs_review"));
    assert_eq!(run.reason.as_deref(), Some("Fastio's AI asks: Which of the two caps?"));
    assert!(h.read(RESULT).await.contains("Which of the two caps?"));
    h.finish().await;
}

#[tokio::test]
async fn what_fastio_does_not_answer_has_failed_and_says_why() {
    let h = Harness::with(&asking()).await;
    for (file, fault) in [
        ("/Contracts/1.txt", json!({"kind": "bad_turn", "message": "no credits are left", "count": 1})),
        ("/Contracts/2.txt", json!({"kind": "bad_turn", "code": "lost", "count": 1})),
        (
            "/Contracts/3.txt",
            json!({"kind": "bad_turn", "code": "answer", "message": "I see no JSON.", "count": 1}),
        ),
    ] {
        h.fastio_fails(fault).await;
        h.put(file, &contract(1)).await;
        h.settle().await;
    }
    let reasons: Vec<String> = h.runs().await.into_iter().filter_map(|run| run.reason).collect();
    assert_eq!(h.outcomes().await, ["failed"; 3]);
    assert_eq!(
        reasons[..2],
        ["Fastio's AI did not answer (failed: no credits are left)", "Fastio's AI did not answer (lost)"]
    );
    assert!(reasons[2].contains("the answer is not JSON"), "{reasons:?}");
    assert_eq!(h.turns_asked().await, (3, 0));
    h.finish().await;
}

#[tokio::test]
async fn only_what_fastio_cannot_answer_is_asked_of_openai_and_the_result_says_what_that_saved() {
    let h = Harness::with(&escalating("'no_answer', 'unverified'")).await;
    h.fastio_fails(json!([
        {"kind": "bad_turn", "code": "invented_quote", "count": 1},
        {"kind": "bad_turn", "code": "lost", "count": 1},
    ]))
    .await;
    for file in ["/Contracts/1.txt", "/Contracts/2.txt", "/Contracts/3.txt"] {
        h.put(file, &contract(1)).await;
        h.settle().await;
    }
    assert_eq!((h.outcomes().await, h.responses().await.len()), (vec!["completed".to_owned(); 3], 2));
    let (first, third) = (h.result(1).await, h.result(3).await);
    assert_eq!(first["way"], json!(["fastio", "responses"]));
    let why = first["escalated"].as_str().unwrap();
    assert!(why.ends_with("quotes of Fastio's AI are not proven to be in the document"), "{why}");
    assert!(!h.read("/Contracts/1.analysis.md").await.contains(INVENTED));
    assert_eq!(third["way"], json!(["fastio"]));
    assert!(third["saved_tokens"].as_u64() > Some(0), "{third:#}");
    assert!(h.read("/Contracts/3.analysis.md").await.contains("which saved about"));
    assert_eq!(h.turns_asked().await, (3, 0));
    h.finish().await;
}

#[tokio::test]
async fn a_question_about_the_whole_store_is_about_the_rules_folder() {
    let h = Harness::with(&asking().replace("lock = true", "lock = true\nscope = 'store'")).await;
    h.put("/Elsewhere/other.txt", &contract(2)).await;
    h.put("/Contracts/Old/nda.txt", &contract(2)).await;
    h.settle().await;
    h.put(NDA, &contract(1)).await;
    h.converges().await;
    let cited: Vec<Value> = h.result(2).await["citations"].as_array().unwrap().clone();
    assert_eq!(
        cited.len(),
        3,
        "both contracts and the first one's result, and nothing from elsewhere: {cited:#?}"
    );
    h.finish().await;
}

#[tokio::test]
async fn code_is_not_asked_of_fastio_where_the_rule_says_so() {
    let more = "attach = ['code_interpreter']\nengine = 'fastio'\nescalate = { when = ['code_interpreter'] }";
    let h = Harness::with(&legal(more)).await;
    h.put(NDA, &contract(1)).await;
    h.converges().await;
    assert_eq!((h.outcomes().await, h.responses().await.len()), (vec!["completed".to_owned()], 1));
    assert_eq!(h.turns_asked().await, (0, 0));
    h.finish().await;
}

#[tokio::test]
async fn a_run_that_a_person_stops_leaves_no_question_at_fastio() {
    let h = Harness::with(&asking()).await;
    h.put(NDA, &contract(1)).await;
    while h.turns_asked().await.0 == 0 {
        h.take_in().await;
        if !h.work_one().await {
            h.pass(1_000);
        }
    }
    h.cancel(1).await;
    h.settle().await;
    assert_eq!((h.outcomes().await, h.turns_asked().await), (vec!["cancelled".to_owned()], (1, 0)));
    let again = h.again("liability", false).await;
    assert_eq!((again.runs, again.by_fastio, again.input_tokens, again.output_tokens), (1, true, 0, 0));
    h.finish().await;
}

#[tokio::test]
async fn a_thread_that_could_not_be_removed_is_removed_by_a_job_of_its_own() {
    let h = Harness::with(&asking()).await;
    let removing = json!({"kind": "server_error", "method": "DELETE", "path": "/current/workspace/*/ai/agent/**", "count": 3});
    h.fastio_fails(removing).await;
    h.put(NDA, &contract(1)).await;
    h.take_in().await;
    let mut was_left = false;
    loop {
        match h.work_one().await {
            true => was_left |= h.outcomes().await == ["completed"] && h.turns_asked().await == (1, 1),
            false if was_left => break,
            false => h.pass(1_000),
        }
    }
    assert_eq!(h.leftovers().await, (1, 0), "the run has ended, and the thread is on record");
    h.converges().await;
    assert_eq!((h.leftovers().await, h.turns_asked().await), ((0, 0), (1, 0)));
    h.finish().await;
}
