//! A rule keeps its files out of OpenAI until an answer of Fastio's is not enough (`sync = "on_escalation"`).

use docket::database::Connection;
use docket::retention::{Retention, Settings};
use docket::run;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::harness::{Harness, contract, legal};

pub const FILE: &str = "/Contracts/nda.txt";
const RESULT: &str = "/Contracts/nda.analysis.md";

/// What the judge says of a file that a rule covers and OpenAI does not hold.
pub const OUT: &str = "out: /Contracts/nda.txt";

/// The legal team's rule, whose files are in OpenAI only while a run needs them there; `more` is added to `[[rule]]`.
pub fn kept_out(more: &str) -> String {
    legal("engine = 'fastio'\nescalate = { when = ['no_answer', 'unverified'], to = 'responses' }")
        .replace("[rule.run]", &format!("sync = 'on_escalation'\n{more}\n[rule.run]"))
}

impl Harness {
    /// Of the next question Fastio's answer is not enough.
    pub async fn fastio_does_not_answer(&self) {
        self.fastio_fails(json!({"kind": "bad_turn", "code": "lost", "count": 1})).await;
    }

    /// A person has the file run over once more.
    async fn again_over(&self, path: &'static str) {
        let definition = self.work.runs.definition("liability").unwrap().clone();
        let now = self.clock.now();
        let want = move |tx: &mut Connection| {
            let file = run::file(tx, &definition, path)?.unwrap();
            run::want_one(tx, (&definition, &file), now)
        };
        assert!(self.database.write(want).await.unwrap());
    }

    async fn nothing_differs(&self) {
        let swept = self.sweep().await;
        assert!(swept.found.values().all(|number| *number == 0), "{swept:#?}");
    }

    async fn forget_what_is_old(&self) {
        let (database, clock) = (self.database.clone(), (*self.clock).clone());
        let retention =
            Retention { database, clock, settings: Settings::default(), event_keep_ms: i64::MAX / 2 };
        retention.pass(&CancellationToken::new()).await.unwrap();
    }
}

#[tokio::test]
async fn what_fastio_answers_never_goes_to_openai_and_says_so() {
    let h = Harness::with(&kept_out("")).await;
    h.put(FILE, &contract(1)).await;
    h.settle().await;
    assert_eq!((h.outcomes().await, h.turns_asked().await), (vec!["completed".to_owned()], (1, 0)));
    assert!(h.read(RESULT).await.contains("limited to EUR 10,000"));
    assert_eq!((h.uploads().await, h.file_objects().await), (0, 0));
    let told = h.explain(FILE).await;
    assert!(told.sentence.contains("is out of OpenAI"), "{}", told.sentence);
    assert!(
        told.sentence.contains("rule liability keeps it out of OpenAI; Fastio answers over it"),
        "{}",
        told.sentence
    );
    // Nothing is asked twice, and nothing differs: a rename, a sweep and the rebuilt tables leave it where it is.
    h.rename(FILE, "/Contracts/signed.txt").await;
    h.settle().await;
    assert_eq!((h.turns_asked().await.0, h.uploads().await), (1, 0));
    h.nothing_differs().await;
    assert_eq!(h.settle().await, 0);
    h.finish_leaving(&["out: /Contracts/signed.txt"]).await;
}

#[tokio::test]
async fn a_file_goes_to_openai_when_a_run_needs_it_there_and_leaves_again() {
    let h = Harness::with(&kept_out("")).await;
    h.fastio_does_not_answer().await;
    h.put(FILE, &contract(1)).await;
    h.settle().await;
    assert_eq!((h.outcomes().await, h.responses().await.len()), (vec!["completed".to_owned()], 1));
    let result = h.result(1).await;
    assert_eq!(result["way"], json!(["fastio", "responses"]), "{result:#}");
    assert!(h.read(RESULT).await.contains("limited to EUR 10,000"));
    assert_eq!((h.uploads().await, h.file_objects().await, h.held().await.len()), (1, 0, 0));
    assert!(h.explain(FILE).await.sentence.contains("is out of OpenAI"));
    // An edit is asked of Fastio again, and is enough this time.
    h.put(FILE, &contract(2)).await;
    h.settle().await;
    assert_eq!((h.outcomes().await, h.uploads().await), (vec!["completed".to_owned(); 2], 1));
    // A person has it run over once more, as with any other file.
    h.fastio_does_not_answer().await;
    h.again_over(FILE).await;
    h.settle().await;
    assert_eq!((h.uploads().await, h.file_objects().await, h.responses().await.len()), (2, 0, 2));
    h.finish_leaving(&[OUT]).await;
}

#[tokio::test]
async fn a_file_stays_in_openai_for_as_long_as_the_rule_says() {
    let h = Harness::with(&kept_out("leave_after_seconds = 3600")).await;
    h.fastio_does_not_answer().await;
    h.put(FILE, &contract(1)).await;
    h.converges().await;
    assert_eq!(h.held().await, [FILE]);
    h.nothing_differs().await;
    h.pass(3_600_000);
    h.forget_what_is_old().await;
    h.settle().await;
    assert_eq!((h.held().await.len(), h.file_objects().await, h.uploads().await), (0, 0, 1));
    h.finish_leaving(&[OUT]).await;
}

#[tokio::test]
async fn files_leave_and_come_when_the_rule_is_changed() {
    let always = kept_out("").replace("sync = 'on_escalation'", "sync = 'always'");
    let mut h = Harness::with(&always).await;
    h.put(FILE, &contract(1)).await;
    h.converges().await;
    assert_eq!(h.held().await, [FILE]);
    h.nothing_differs().await;
    h.restart(&kept_out("")).await;
    h.feed.sweep_if_changed().await.unwrap().expect("the rule differs");
    h.settle().await;
    assert_eq!((h.held().await.len(), h.file_objects().await, h.turns_asked().await.0), (0, 0, 1));
    h.nothing_differs().await;
    h.restart(&always).await;
    h.feed.sweep_if_changed().await.unwrap().expect("the rule differs");
    h.converges().await;
    assert_eq!((h.held().await, h.turns_asked().await.0), (vec![FILE.to_owned()], 1));
    h.finish().await;
}
