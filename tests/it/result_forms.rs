//! The forms of results and tables that people ask for, and what becomes of those that they have edited.

use crate::harness::{Harness, contract, legal};

fn ending_in(ending: &str) -> String {
    legal("").replace("analysis.md", &format!("analysis.{ending}"))
}

#[tokio::test]
async fn a_result_is_written_for_a_browser_and_for_word() {
    let h = Harness::with(&ending_in("html")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    let page = h.read("/Contracts/nda.analysis.html").await;
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<h1>nda.txt</h1>"), "{page}");
    assert!(page.contains("limited to EUR 10,000") && page.contains("✔"), "{page}");
    h.finish().await;

    let h = Harness::with(&ending_in("docx")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    assert!(h.paths().await.contains(&"/Contracts/nda.analysis.docx".to_owned()));
    h.finish().await;
}

#[tokio::test]
async fn a_result_says_what_was_asked_also_when_its_rule_asks_something_else() {
    let mut h = Harness::with(&legal("")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    let first = h.read("/Contracts/nda.analysis.md").await;
    assert!(
        first.contains("## What was asked\n\n> Extract every liability clause.\n\nThe rule asks this since "),
        "{first}"
    );
    assert!(first.contains("Clauses may be missing from the list"), "{first}");
    h.restart(&legal("").replace("Extract every", "Find each")).await;
    h.settle().await;
    let then = h.read("/Contracts/nda.analysis.md").await;
    assert!(
        then.contains("asks something else") && then.contains("> Extract every liability clause."),
        "{then}"
    );
    h.finish().await;
}

#[tokio::test]
async fn a_table_that_a_person_edited_is_left_and_the_new_one_stands_beside_it() {
    let h = Harness::with(&legal("digest = 'overview.csv'\ndigest_format = 'semicolon'")).await;
    h.put("/Contracts/a.txt", &contract(1)).await;
    h.settle().await;
    let table = h.read("/Contracts/overview.csv").await;
    assert!(table.contains("file;run;finding;"), "{table}");
    let edited = table.replace("remark", "remark;checked by");
    h.put("/Contracts/overview.csv", &edited).await;
    for number in [2, 3] {
        h.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
        h.settle().await;
        assert_eq!(h.read("/Contracts/overview.csv").await, edited);
        let table = h.read("/Contracts/overview (2).csv").await;
        assert!(table.contains(&format!("/Contracts/{number}.txt;completed;")), "{table}");
    }
    assert!(!h.paths().await.contains(&"/Contracts/overview (3).csv".to_owned()));
    h.finish().await;
}

#[tokio::test]
async fn a_table_in_another_form_takes_the_place_of_the_one_before() {
    let mut h = Harness::with(&legal("digest = 'overview.csv'")).await;
    h.put("/Contracts/a.txt", &contract(1)).await;
    h.settle().await;
    assert!(h.read("/Contracts/overview.csv").await.contains("file,run,finding,"));
    h.restart(&legal("digest = 'overview.csv'\ndigest_format = 'semicolon'")).await;
    h.settle().await;
    assert!(h.read("/Contracts/overview.csv").await.contains("file;run;finding;"));
    h.restart(&legal("digest = 'overview.xlsx'").replace("overview*.csv", "overview*")).await;
    h.settle().await;
    let paths = h.paths().await;
    assert_eq!(paths, ["/Contracts/a.analysis.md", "/Contracts/a.txt", "/Contracts/overview.xlsx"]);
    h.finish().await;
}

#[tokio::test]
async fn the_second_of_two_files_that_are_called_alike_says_where_its_result_is() {
    let h = Harness::with(&legal("")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    h.put("/Contracts/nda.md", &contract(2)).await;
    h.settle().await;
    assert!(h.read("/Contracts/nda.analysis.md").await.contains("EUR 10,000"));
    assert!(h.read("/Contracts/nda.analysis (2).md").await.contains("EUR 20,000"));
    let reasons: Vec<String> = h.runs().await.into_iter().filter_map(|run| run.reason).collect();
    assert!(reasons[0].contains("nda.analysis.md is the result of another file"), "{reasons:?}");
    h.finish().await;
}
