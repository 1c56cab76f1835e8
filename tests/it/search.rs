//! `docket search`: what an assistant would find, with what is known of each file, and without what is over.

use docket::app::openai_client;
use docket::operate::query::search::{Results, Search, Searcher, Unanswered, Why};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Harness, ONE_STORE, WORKSPACE, hex_sha256};

impl Harness {
    async fn try_search(&self, query: &str, rule: Option<&str>) -> Result<Results, Unanswered> {
        let openai = openai_client(&self.config).unwrap();
        let searcher = Searcher { database: self.database.clone(), openai };
        let asked = Search { query: query.to_owned(), rule: rule.map(str::to_owned), limit: None };
        searcher.find(&asked, self.rules(), self.clock.now()).await
    }

    pub async fn search(&self, query: &str, rule: Option<&str>) -> Results {
        self.try_search(query, rule).await.unwrap()
    }

    async fn left_out(&self, query: &str) -> Vec<Why> {
        self.search(query, None).await.left_out.into_iter().map(|one| one.why).collect()
    }
}

#[tokio::test]
async fn what_is_found_says_whose_version_it_is_and_what_is_over_is_left_out() {
    const QUERY: &str = "What is liability capped at?";
    let h = Harness::start().await;
    let one = "Liability is capped at one million.";
    h.put("/nda.txt", one).await;
    h.settle().await;
    let found = h.search(QUERY, None).await;
    let row = &found.rows[0];
    assert_eq!(
        (row.path.as_deref(), row.state.as_str(), row.text.as_str()),
        (Some("/nda.txt"), "current", one)
    );
    assert!(row.is_present && row.reason.is_none() && row.score > 0.0, "{row:?}");
    assert_eq!(row.content_hash, Some(hex_sha256(one.as_bytes())));
    assert!(row.version.is_some() && row.version == row.file_version, "{row:?}");
    assert_eq!((found.rows.len(), found.stores.len(), found.left_out.len()), (1, 1, 0), "{found:?}");

    // The newer version is not searchable yet: what is found is said to be an earlier one, since when and why.
    h.openai_fails(json!({"kind": "server_error", "method": "POST", "path": "/v1/files"})).await;
    h.put("/nda.txt", "Liability is capped at two million.").await;
    h.take_in().await;
    while h.work_one().await {}
    let row = h.search(QUERY, None).await.rows.remove(0);
    assert!(!row.is_present && row.since.is_some() && row.version != row.file_version, "{row:?}");
    assert_eq!((row.state.as_str(), row.text.as_str()), ("behind", one));
    assert!(row.reason.as_ref().unwrap().contains("an earlier version"), "{row:?}");

    // It is, and the earlier one cannot be taken away.
    h.no_faults().await;
    let refusal =
        json!({"kind": "refusal", "status": 400, "method": "DELETE", "path": "/v1/vector_stores/*/files/*"});
    h.openai_fails(refusal.clone()).await;
    h.settle_to_dead().await;
    let found = h.search(QUERY, None).await;
    assert!(found.rows[0].is_present && found.rows[0].text.contains("two million"), "{found:?}");
    assert_eq!((found.rows.len(), found.left_out[0].why), (1, Why::Superseded), "{found:?}");
    assert_eq!(
        found.left_out_words().unwrap(),
        "Left out, though OpenAI still returns it: 1 of versions that newer ones took the place of."
    );

    // It is taken away, and somebody else has put a file into the store.
    h.no_faults().await;
    h.retry_dead().await;
    h.settle().await;
    let store = h.store_id("all").await;
    let theirs = h.upload_as_stranger("theirs.txt", "Liability is capped at three million.").await;
    let attached = format!("vector_stores/{store}/files");
    h.stranger(Method::POST, &attached, json!({"file_id": theirs})).await;
    let found = h.search(QUERY, None).await;
    assert_eq!((found.rows[0].state.as_str(), found.left_out[0].why), ("current", Why::NotHeld), "{found:?}");
    h.stranger(Method::DELETE, &format!("{attached}/{theirs}"), Value::Null).await;
    h.remove_file_object(&theirs).await;

    // The file is gone from Fastio, and its copy cannot be taken away.
    h.openai_fails(refusal).await;
    h.trash("/nda.txt").await;
    h.settle_to_dead().await;
    let left_out = h.left_out(QUERY).await;
    assert!(left_out.contains(&Why::Deleted), "{left_out:?}");
    assert_eq!(h.search(QUERY, None).await.rows.len(), 0);
    h.no_faults().await;
    h.retry_dead().await;
    h.finish().await;
}

#[tokio::test]
async fn what_is_found_in_any_segment_of_a_text_is_its_present_version() {
    let h = Harness::with(&format!("[sync]\nsplit_text_above_bytes = 400\n{ONE_STORE}")).await;
    let rows = (0..20).map(|row| format!("{row:03},Acme,liability is capped at {row}000\n"));
    h.put("/caps.csv", &format!("id,party,clause\n{}", rows.collect::<String>())).await;
    h.settle().await;
    let found = h.search("What is liability capped at?", None).await;
    assert!(found.rows.len() > 2 && found.left_out.is_empty(), "{found:?}");
    assert!(
        found.rows.iter().all(|row| row.is_present && row.path.as_deref() == Some("/caps.csv")),
        "{found:?}"
    );
    h.finish().await;
}

#[tokio::test]
async fn all_stores_are_searched_or_those_of_a_rule_and_a_failure_is_no_answer() {
    let rule = |name: &str, include: &str| {
        format!(
            "[[rule]]\nname = '{name}'\nworkspace = '{WORKSPACE}'\nvector_store = {{ create = '{name}' }}\n\
             include = ['{include}']\n"
        )
    };
    let h = Harness::with(&(rule("contracts", "/Contracts/**") + &rule("all", "/**"))).await;
    let missing = h.try_search("liability", None).await;
    assert!(missing.unwrap_err().to_string().contains("no vector store has been made yet"));
    h.put("/Contracts/nda.txt", "Liability of the supplier.").await;
    h.put("/letter.txt", "A letter about liability.").await;
    h.settle().await;
    let paths = async |rule| {
        let found = h.search("liability", rule).await;
        let mut paths: Vec<String> = found.rows.into_iter().filter_map(|row| row.path).collect();
        paths.sort();
        (paths, found.stores.len())
    };
    let both = ["/Contracts/nda.txt", "/letter.txt"].map(str::to_owned);
    assert_eq!(paths(None).await, (both.to_vec(), 2), "a file in two stores is found once");
    assert_eq!(paths(Some("contracts")).await, (vec![both[0].clone()], 1));
    let wrong = h.try_search("liability", Some("nobody")).await.unwrap_err();
    assert!(matches!(wrong, Unanswered::Wrong(_)) && wrong.to_string().contains("contracts, all"), "{wrong}");
    assert!(h.try_search(" ", None).await.unwrap_err().to_string().contains("say what to search for"));

    h.openai_fails(json!({"kind": "server_error", "path": "/v1/vector_stores/*/search", "count": 1})).await;
    let failed = h.try_search("liability", None).await.unwrap_err().to_string();
    assert!(failed.starts_with("vector store vs_") && failed.contains("status 500"), "{failed}");
    h.finish().await;
}
