//! `docket explain`: in words why a file is as it is, and how it came to that.

use serde_json::json;

use docket::database::Connection;
use docket::operate::query::explain::{Explain, Explained};
use docket::operate::query::{Known, Question};
use docket::operate::status::About;
use docket::sync::budget::Plan;

use crate::harness::{Harness, WORKSPACE, contract, covering, legal};

impl Harness {
    pub async fn explain(&self, place: &str) -> Explained {
        let about = About {
            version: "1".to_owned(),
            database: "docket.db".into(),
            rules: Vec::new(),
            storage: Plan::default(),
        };
        let known = Known { about, rules: self.rules().clone(), server: None, now: self.clock.now() };
        let asked = Explain { place: place.to_owned() };
        let answer = move |connection: &mut Connection| asked.answer(connection, &known);
        self.database.read(answer).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_file_is_explained_in_one_sentence_with_its_rules_runs_and_timeline() {
    let h = Harness::with(&legal("")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    let told = h.explain("/Contracts/nda.txt").await;
    assert!(
        told.sentence.starts_with("/Contracts/nda.txt is current: what can be searched in vs_"),
        "{}",
        told.sentence
    );
    assert!(told.rules.iter().all(|rule| rule.covers), "{:?}", told.rules);
    assert_eq!(told.runs.iter().map(|run| run.word.as_str()).collect::<Vec<_>>(), ["completed"]);
    assert!(told.timeline.unwrap().entries.len() > 5);
    // By its id too, however it is spelt.
    let id = told.files[0].source_id.clone();
    assert_eq!(h.explain(&id).await.sentence, told.sentence);
    h.finish().await;
}

#[tokio::test]
async fn what_is_left_to_do_and_what_it_waits_for_is_in_the_sentence() {
    let h = Harness::start().await;
    h.put("/nda.txt", "one").await;
    h.settle().await;
    h.openai_fails(json!({"kind": "server_error", "method": "POST", "path": "/v1/files"})).await;
    h.put("/nda.txt", "two").await;
    h.take_in().await;
    while h.work_one().await {}
    let behind = h.explain("/nda.txt").await;
    let words = "/nda.txt is not current: an earlier version is still what can be searched; job ";
    assert!(behind.sentence.starts_with(words) && behind.sentence.contains("500"), "{}", behind.sentence);
    h.no_faults().await;
    h.settle().await;
    assert!(h.explain("/nda.txt").await.sentence.contains("is current"));
    h.finish().await;
}

#[tokio::test]
async fn what_no_rule_covers_says_by_which_line_and_what_is_final_says_why() {
    let h = Harness::with(&covering("include = ['/Contracts/**']\nexclude = ['*.tmp']")).await;
    h.put("/Contracts/setup.exe", "MZ").await;
    h.settle().await;
    let skipped = h.explain("/Contracts/setup.exe").await;
    assert!(skipped.sentence.starts_with("/Contracts/setup.exe is skipped: "), "{}", skipped.sentence);
    let excluded = h.explain("/Contracts/a.tmp").await;
    assert_eq!(excluded.sentence, "Docket knows no such file at /Contracts/a.tmp.");
    assert_eq!(excluded.rules[0].why.as_deref(), Some("it excludes it by `*.tmp`"));
    assert!(
        excluded.timeline.is_none() && excluded.besides[0].contains("No rule covers that path"),
        "{excluded:?}"
    );
    let outside = h.explain("/Other/a.txt").await;
    assert_eq!(outside.rules[0].why.as_deref(), Some("its include names no such path"));
    let unknown = h.explain("/Contracts/unknown.txt").await;
    assert!(unknown.rules[0].covers && unknown.besides[0].contains("no event named one"), "{unknown:?}");
    let folder = h.explain("/Contracts").await;
    assert!(folder.sentence.contains("is skipped"), "the one file in it: {}", folder.sentence);
    assert!(folder.files[0].source_id.starts_with(&format!("workspace:{WORKSPACE}:")));
    h.finish_leaving(&["skipped: /Contracts/setup.exe"]).await;
}
