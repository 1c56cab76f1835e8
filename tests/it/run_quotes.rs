//! Whether a quote proves what it seems to prove: it stands in the document, in a sentence that does not say otherwise.

use serde_json::{Value, json};

use crate::harness::{Harness, WORKSPACE, legal};

const LEASE: &str = "LEASE\n\n1. The Tenant is not permitted to terminate this lease before 2030.\n\n2. The Supplier may assign this \
                     contract, except to a competitor.\n\n3. The Supplier is liable for all damages, as agreed in writing.\n";

/// The model answers with these quotes.
async fn quotes(h: &Harness, quotes: &[&str]) {
    let clause = |quote: &&str| json!({"category": "other", "party": "Supplier", "section": "1", "quote": quote, "risk": "low", "note": ""});
    let clauses: Vec<Value> = quotes.iter().map(clause).collect();
    let answer = json!({"summary": "Read it.", "clauses": clauses}).to_string();
    h.openai_fails(json!({"kind": "bad_run", "code": "answer", "message": answer})).await;
}

#[tokio::test]
async fn a_quote_that_its_own_sentence_turns_round_needs_a_persons_review() {
    let h = Harness::with(&legal("digest = 'overview.csv'")).await;
    quotes(
        &h,
        &[
            "permitted to terminate this lease",
            "The Supplier may assign this contract",
            "The Supplier is liable for all damages",
        ],
    )
    .await;
    h.put("/Contracts/lease.txt", LEASE).await;
    h.converges().await;
    let run = &h.runs().await[0];
    assert_eq!(run.outcome.as_deref(), Some("needs_review"));
    let reason = run.reason.as_deref().unwrap();
    assert_eq!(reason, "2 of 3 quotes leave out words of their sentence that say otherwise");
    let result = h.result(1).await;
    assert_eq!((&result["unverified"], &result["partial"]), (&json!(0), &json!(2)));
    assert_eq!(result["checks"][0]["left_out"], "not");
    assert_eq!(
        result["checks"][2]["sentence"],
        "3. The Supplier is liable for all damages, as agreed in writing."
    );
    let analysis = h.read("/Contracts/lease.analysis.md").await;
    for part in [
        "**⚠ 2 of 3 quotes are PARTIAL.**",
        "“permitted to terminate this lease” **⚠ PARTIAL: its sentence also says** “not” (line 3). In full: “1. The Tenant is not permitted",
        "“except to a competitor” (line 5). In full: “2. The Supplier may assign this contract, except to a competitor.”",
        "“The Supplier is liable for all damages” ✔ line 7. In full: “3. The Supplier is liable for all damages, as agreed in writing.”",
    ] {
        assert!(analysis.contains(part), "{part} in {analysis}");
    }
    let table = h.read("/Contracts/overview.csv").await;
    assert!(table.contains("PARTIAL: its sentence also says “except to a competitor”"), "{table}");
    h.finish().await;
}

#[tokio::test]
async fn partial_quotes_are_accepted_and_marked_where_the_rule_says_so() {
    let h = Harness::with(&legal("partial_quotes = 'accept'")).await;
    quotes(&h, &["permitted to terminate this lease"]).await;
    h.put("/Contracts/lease.txt", LEASE).await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    assert!(h.read("/Contracts/lease.analysis.md").await.contains("⚠ PARTIAL"));
    h.finish().await;
}

#[tokio::test]
async fn a_quote_is_found_however_the_document_s_characters_and_pages_are_made() {
    let page =
        |number: usize| format!("ACME Ltd. · Confidential\nPage {number} of 17\nMaster Services Agreement\n");
    let paged = format!(
        "Master Services Agreement\nThe parties agree.\n{}The Supplier's total lia-\n{}bility is limited to EUR 50,000.\n{}",
        page(1),
        page(2),
        page(3)
    );
    for (document, quote) in [
        ("⽢⽅のは責任を負わない。", "甘方のは責任を負わない。"),
        ("ﻻ ﻳﺘﺤﻤﻞ ﺍﻟﻤﻮﺭﺩ ﺍﻟﻤﺴﺆﻭﻟﻴﺔ", "لا يتحمل المورد المسؤولية"),
        ("Ｔｈｅ　ｃａｐ　ｉｓ　ＥＵＲ　１０，０００．", "The cap is EUR 10,000."),
        (&paged, "The Supplier's total liability is limited to EUR 50,000."),
    ] {
        let h = Harness::with(&legal("")).await;
        quotes(&h, &[quote]).await;
        h.put("/Contracts/nda.txt", document).await;
        h.converges().await;
        assert_eq!(h.outcomes().await, ["completed"], "{quote}");
        h.finish().await;
    }
}

/// A Word document as an archive of files that are not packed.
fn docx(paragraph: &str) -> Vec<u8> {
    let document = format!("<w:document><w:body><w:p>{paragraph}</w:p></w:body></w:document>");
    let file = |name: &str, content: &str| {
        let length = u32::try_from(content.len()).unwrap().to_le_bytes();
        let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
        let head =
            [&b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0"[..], &length, &length, &name_length, &[0; 2]]
                .concat();
        [&head, name.as_bytes(), content.as_bytes()].concat()
    };
    let files = [file("[Content_Types].xml", "<Types/>"), file("word/document.xml", &document)].concat();
    [&files, &b"PK\x01\x02"[..], &[0; 42]].concat()
}

#[tokio::test]
async fn a_document_with_tracked_changes_needs_a_persons_review() {
    let cap = "<w:r><w:t>The cap of this contract is EUR 500,000 in all.</w:t></w:r>";
    let deleted = "<w:del w:id=\"1\"><w:r><w:delText>EUR 50,000</w:delText></w:r></w:del><w:ins w:id=\"2\"/>";
    for (paragraph, outcome) in [(format!("{cap}{deleted}"), "needs_review"), (cap.to_owned(), "completed")] {
        let h = Harness::with(&legal("")).await;
        quotes(&h, &["The cap of this contract is EUR 500,000 in all."]).await;
        h.put_bytes(WORKSPACE, "/Contracts/nda.docx", docx(&paragraph)).await;
        h.converges().await;
        let run = &h.runs().await[0];
        assert_eq!(run.outcome.as_deref(), Some(outcome), "{:?}", run.reason);
        let analysis = h.read("/Contracts/nda.analysis.md").await;
        let told = "- The document has 2 tracked changes: deleted words may stand beside inserted ones in its text, and Docket";
        assert_eq!(analysis.contains(told), outcome == "needs_review", "{analysis}");
        h.finish().await;
    }
}

#[tokio::test]
async fn marks_of_citations_reach_no_reader() {
    let marked = "The cap is EUR 10,000 \u{e200}filecite\u{e202}turn0file0\u{e201}【4:0†nda.txt】.\u{1b}";
    let has_marks =
        |text: &str| text.contains(['\u{e200}', '\u{e202}', '【', '†', '\u{1b}']) || text.contains("turn0");

    let h = Harness::with(&legal("")).await;
    quotes(&h, &[marked]).await;
    h.put("/Contracts/nda.txt", "The cap is EUR 10,000.").await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    assert!(!has_marks(&h.result(1).await.to_string()), "{}", h.result(1).await);
    assert!(!has_marks(&h.read("/Contracts/nda.analysis.md").await));
    h.finish().await;

    let free = legal("");
    let schema = free.lines().find(|line| line.trim_start().starts_with("schema")).unwrap();
    let h = Harness::with(&free.replace(schema, "")).await;
    h.openai_fails(json!({"kind": "bad_run", "code": "answer", "message": marked})).await;
    h.put("/Contracts/nda.txt", "The cap is EUR 10,000.").await;
    h.converges().await;
    let analysis = h.read("/Contracts/nda.analysis.md").await;
    assert!(analysis.contains("The cap is EUR 10,000.") && !has_marks(&analysis), "{analysis}");
    h.finish().await;
}
