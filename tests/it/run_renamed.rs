//! A rule is the same one under a new name: nothing is run over again, and results keep their names and places.

use serde_json::json;

use crate::harness::{Harness, contract, legal};

async fn sweep(h: &Harness) {
    h.sweep().await;
    h.settle().await;
}

const RESULTS: [&str; 4] =
    ["/Contracts/a.analysis.md", "/Contracts/a.txt", "/Contracts/b.analysis.md", "/Contracts/b.txt"];

/// Two contracts that are analysed.
async fn analysed(settings: &str) -> Harness {
    let h = Harness::with(settings).await;
    h.put("/Contracts/a.txt", &contract(1)).await;
    h.put("/Contracts/b.txt", &contract(2)).await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed"; 2]);
    h
}

#[tokio::test]
async fn a_rule_with_a_new_name_runs_over_nothing_again_and_writes_where_it_wrote() {
    let mut h = analysed(&legal("digest = 'overview.csv'")).await;
    h.restart(&legal("digest = 'overview.csv'").replace("'liability'", "'legal'")).await;
    sweep(&h).await;
    h.webhook("workspace_storage_file_updated", &h.node("/Contracts/a.txt").await).await;
    h.settle().await;
    assert_eq!(h.responses().await.len(), 2, "no run was asked for");
    assert!(h.runs().await.iter().all(|run| run.rule == "legal"));
    assert_eq!(h.again("legal", false).await.runs, 0);
    h.put("/Contracts/a.txt", &contract(3)).await;
    h.converges().await;
    assert_eq!(h.responses().await.len(), 3);
    let mut paths = h.paths().await;
    paths.sort();
    assert_eq!(paths, [&RESULTS[..], &["/Contracts/overview.csv"]].concat());
    assert!(h.read("/Contracts/a.analysis.md").await.contains("30,000"));
    assert!(h.read("/Contracts/overview.csv").await.contains("30,000"), "and the table goes on");
    h.finish().await;
}

#[tokio::test]
async fn with_an_id_a_rule_is_the_same_whatever_else_changes() {
    let with_id = |settings: String| settings.replace("name = 'liability'", "name = 'liability'\nid = 'L1'");
    let mut h = analysed(&with_id(legal(""))).await;
    let other = with_id(legal("")).replace("'liability'", "'legal'").replace("Extract every", "Find each");
    h.restart(&other).await;
    sweep(&h).await;
    assert_eq!(h.responses().await.len(), 2);
    // The question is another, so that a person may ask it; the result is a version of the old one.
    assert_eq!(h.again("legal", true).await.runs, 2);
    h.converges().await;
    let mut paths = h.paths().await;
    paths.sort();
    assert_eq!((paths, h.responses().await.len()), (RESULTS.map(str::to_owned).to_vec(), 4));
    h.finish().await;
}

#[tokio::test]
async fn two_rules_that_exchange_their_names_keep_what_is_theirs() {
    let settings = |one: &str, two: &str| {
        let run = "[rule.run]\nmodel = 'sandbox-rules'\nprompt = 'Look.'\n";
        let rule = |name: &str, id: &str| {
            format!(
                "[[rule]]\nname = '{name}'\nid = '{id}'\nworkspace = '{}'\ninclude = ['/{id}/**']\n\
                 exclude = ['**/*.{id}.md']\nvector_store = {{ create = 'all' }}\n{run}write_back = '{{stem}}.{id}.md'\n",
                crate::harness::WORKSPACE
            )
        };
        format!("{}{}", rule(one, "x"), rule(two, "y"))
    };
    let mut h = Harness::with(&settings("one", "two")).await;
    h.put("/x/a.txt", &contract(1)).await;
    h.put("/y/b.txt", &contract(2)).await;
    h.settle().await;
    h.restart(&settings("two", "one")).await;
    sweep(&h).await;
    assert_eq!(h.responses().await.len(), 2);
    let mut rules: Vec<_> = h.runs().await.into_iter().map(|run| (run.path, run.rule)).collect();
    rules.sort();
    let pair = |path: &str, rule: &str| (path.to_owned(), rule.to_owned());
    assert_eq!(rules, [pair("/x/a.txt", "two"), pair("/y/b.txt", "one")]);
    h.finish().await;
}

#[tokio::test]
async fn what_a_rule_left_long_ago_under_the_new_name_puts_no_run_out_of_every_rule() {
    let mut h = analysed(&legal("")).await;
    h.meddle(
        "CREATE TABLE old AS SELECT * FROM run;
         UPDATE old SET rule = 'legal', run_id = run_id + 100, response = NULL, counted = NULL;
         INSERT INTO run SELECT * FROM old;
         DROP TABLE old;",
    )
    .await;
    h.restart(&legal("").replace("'liability'", "'legal'")).await;
    let mut rules: Vec<_> = h.runs().await.into_iter().map(|run| run.rule).collect();
    rules.sort();
    assert_eq!(rules, ["legal", "legal", "liability", "liability"]);
    h.finish().await;
}

#[tokio::test]
async fn what_a_renamed_rule_had_begun_or_was_about_to_goes_on_under_its_new_name() {
    let mut h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "slow_run", "delay_ms": 5_000, "count": 1})).await;
    h.put("/Contracts/a.txt", &contract(1)).await;
    h.take_in().await;
    while h.work_one().await {}
    assert_eq!(h.outcomes().await, ["running"]);
    h.put("/Contracts/b.txt", &contract(2)).await;
    h.take_in().await;
    // Indexed, and not yet run over.
    while h.jobs().await.iter().filter(|job| job.key.starts_with("run:")).count() < 2 {
        assert!(h.work_one().await);
    }
    h.restart(&legal("").replace("'liability'", "'legal'")).await;
    assert!(h.jobs().await.iter().all(|job| !job.key.ends_with(":liability")), "{:#?}", h.jobs().await);
    h.converges().await;
    assert_eq!((h.outcomes().await, h.responses().await.len()), (vec!["completed".to_owned(); 2], 2));
    h.finish().await;
}

#[tokio::test]
async fn what_was_analysed_since_a_backup_that_is_put_back_is_not_paid_for_again() {
    let mut h = analysed(&legal("")).await;
    // The database as it was before the files came, and a server that starts on it a while later.
    for table in ["run_try", "run", "own_file", "job", "copy", "file", "event"] {
        h.meddle(&format!("DELETE FROM {table}")).await;
    }
    h.pass(60_000);
    h.restart(&legal("")).await;
    // One is told of before the sweep, the other is found by it.
    h.webhook("workspace_storage_file_updated", &h.node("/Contracts/a.txt").await).await;
    h.settle().await;
    sweep(&h).await;
    assert_eq!((h.responses().await.len(), h.runs().await.len()), (2, 0), "no run was asked for");
    let mut paths = h.paths().await;
    paths.sort();
    assert_eq!(paths, RESULTS, "no second result");
    // A person may ask all the same, and what is new is run over.
    assert_eq!(h.again("liability", false).await.runs, 2);
    h.put("/Contracts/c.txt", &contract(3)).await;
    h.put("/Contracts/b.txt", &contract(4)).await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed"; 2]);
    sweep(&h).await;
    h.finish().await;
}
