use serde_json::json;

use super::*;
use crate::result::quote::{Document, Piece};

fn schema() -> Schema {
    let text = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["summary", "parties", "findings", "governing_law"],
        "properties": {
            "summary": {"type": "string"},
            "governing_law": {"type": ["string", "null"], "x-docket": "quote"},
            "parties": {"type": "array", "items": {"type": "string"}},
            "findings": {"type": "array", "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["clause", "quote", "risk"],
                "properties": {
                    "clause": {"type": "string"},
                    "quote": {"type": "string", "x-docket": "quote"},
                    "risk": {"type": "integer"}
                }
            }}
        }
    });
    Schema::parse("liability.json", &text.to_string()).unwrap()
}

fn result() -> Value {
    json!({
        "summary": "Liability is capped.\n\n# Not a heading | <b>",
        "parties": ["Alpha GmbH", "=Beta, Inc."],
        "findings": [
            {"clause": "cap", "quote": "liability is limited\nto EUR 10,000", "risk": 2},
            {"clause": "in|demnity", "quote": "Supplier shall indemnify everyone", "risk": 5},
            {"clause": "cap", "quote": "the", "risk": 1}
        ],
        "governing_law": null
    })
}

fn document() -> Document {
    let pages = [("Agreement\n", Some((1, 1))), ("The liability is limited to EUR 10,000.", Some((2, 3)))];
    Document::of(pages.map(|(text, pages)| Piece { text, pages }))
}

fn csv_digest(schema: &Schema, entries: &[Entry<'_>]) -> String {
    String::from_utf8(digest(schema, Form::Comma, entries)).unwrap()
}

fn provenance() -> Provenance<'static> {
    Provenance {
        file: "/Contracts/nda_1.pdf",
        version: "3abcd-efghj",
        rule: "contracts",
        engine: "responses",
        model: "model-1",
        definition: "sha256:0123",
        response: Some("resp_1"),
        started_at: 1_790_372_411_000,
        finished_at: 1_790_372_471_500,
        tokens: Some(Tokens { read: 1200, written: 300, all: 1500 }),
    }
}

#[test]
fn a_result_reads_as_markdown() {
    let (schema, result) = (schema(), result());
    let checks = schema.check(&result, &document());
    let answer = Answer::Data { schema: &schema, result: &result, checks: &checks };
    let notes = ["nda.analysis.md was edited by a person; this is a second file.".to_owned()];
    insta::assert_snapshot!(markdown(&ResultPage {
        notes: &notes,
        asked: Some(Asked {
            prompt: "List every clause on liability.\n\n1. With its risk.",
            since: 1_790_000_000_000
        }),
        ..ResultPage::of(provenance(), answer)
    }));
}

#[test]
fn free_text_says_that_nothing_was_checked() {
    let answer = Answer::Text("## Result\n\nCapped. ![t](https://evil/?d=1)\n");
    let text = markdown(&ResultPage::of(Provenance { response: None, tokens: None, ..provenance() }, answer));
    insta::assert_snapshot!(text);
}

#[test]
fn one_result_is_a_spreadsheet() {
    let (schema, result) = (schema(), result());
    let checks = schema.check(&result, &document());
    insta::assert_snapshot!(format!("{:?}", csv(&schema, &result, &checks, &[]).unwrap()));
}

#[test]
fn many_results_are_one_table_in_which_no_file_is_missing() {
    let (schema, result) = (schema(), result());
    let checks = schema.check(&result, &document());
    let nothing = json!({"summary": "", "parties": [], "findings": [], "governing_law": null});
    let entries = [
        Entry {
            file: "/Contracts/nda.pdf",
            state: "needs_review",
            remark: Some("2 of 3 quotes are not proven\nto be in the document"),
            judgement: None,
            unread: false,
            result: Some(&result),
            checks: &checks,
        },
        Entry {
            file: "/Contracts/=clean.pdf",
            state: "done",
            remark: None,
            judgement: None,
            unread: false,
            result: Some(&nothing),
            checks: &[],
        },
        Entry {
            file: "/Contracts/scan.pdf",
            state: "failed",
            remark: Some("=the model, answered nothing"),
            judgement: None,
            unread: false,
            result: None,
            checks: &[],
        },
    ];
    insta::assert_snapshot!(csv_digest(&schema, &entries).replace("\r\n", "\n"));
    insta::assert_snapshot!(String::from_utf8(digest(&schema, Form::Markdown, &entries)).unwrap());
}

#[test]
fn a_quote_without_a_check_is_unverified() {
    let (schema, result) = (schema(), result());
    let answer = Answer::Data { schema: &schema, result: &result, checks: &[] };
    let text = markdown(&ResultPage::of(provenance(), answer));
    assert_eq!(text.matches("UNVERIFIED: not checked").count(), 3);
    assert!(!text.contains('✔') || text.matches('✔').count() == 1, "{text}");
    let table = csv(&schema, &result, &[], &[]).unwrap();
    assert_eq!(table.matches("UNVERIFIED").count(), 3);
}

#[test]
fn a_schema_without_a_table_is_one_row_of_a_digest_and_no_spreadsheet() {
    let text = json!({"type": "object", "additionalProperties": false, "required": ["law", "term"], "properties": {
        "law": {"type": "string", "x-docket": "quote"}, "term": {"type": "object", "additionalProperties": false,
            "required": ["months"], "properties": {"months": {"type": "integer"}}}}});
    let schema = Schema::parse("term.json", &text.to_string()).unwrap();
    let result = json!({"law": "This Agreement is governed by German law", "term": {"months": 12}});
    let checks = schema.check(&result, &Document::new("This Agreement is governed by German law."));
    assert_eq!(csv(&schema, &result, &checks, &[]), None);
    let entries = [Entry {
        file: "a.pdf",
        state: "done",
        remark: None,
        judgement: None,
        unread: false,
        result: Some(&result),
        checks: &checks,
    }];
    insta::assert_snapshot!(csv_digest(&schema, &entries).replace("\r\n", "\n"));
}

/// The fields of each object from the last to the first.
fn backwards(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields =
                fields.iter().rev().map(|(name, value)| format!("{}: {}", json!(name), backwards(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(backwards).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A model names the fields in any order, and its quotes are found in any.
#[test]
fn the_same_result_makes_the_same_bytes() {
    let (schema, result) = (schema(), result());
    let checks = schema.check(&result, &document());
    let rendered = |result: &Value, checks: &[Check]| {
        let answer = Answer::Data { schema: &schema, result, checks };
        (markdown(&ResultPage::of(provenance(), answer)), csv(&schema, result, checks, &[]))
    };
    let other: Value = serde_json::from_str(&backwards(&result)).unwrap();
    let other_checks: Vec<Check> = checks.iter().rev().cloned().collect();
    assert_eq!(rendered(&result, &checks), rendered(&other, &other_checks));
}

#[test]
fn a_partial_quote_has_what_it_leaves_out_and_its_whole_sentence_beside_it() {
    let document = Document::new("No liability is limited to EUR 10,000, unless ✔ UNVERIFIED | agreed.");
    let (schema, result) = (schema(), result());
    let checks = schema.check(&result, &document);
    let answer = Answer::Data { schema: &schema, result: &result, checks: &checks };
    let text = markdown(&ResultPage::of(provenance(), answer));
    let row = "“liability is limited to EUR 10,000” **⚠ PARTIAL: its sentence also says** “No” … “unless (tick) unverified \\| agreed” (line \
               1). In full: “No liability is limited to EUR 10,000, unless (tick) unverified \\| agreed.”";
    assert!(text.contains(row), "{text}");
    assert!(
        text.contains("**⚠ 1 of 3 quotes is PARTIAL.**")
            && text.contains("**⚠ 2 of 3 quotes are UNVERIFIED.**")
    );
    let table = csv(&schema, &result, &checks, &[]).unwrap();
    assert!(
        table.contains("PARTIAL: its sentence also says “No” … “unless (tick) unverified | agreed”"),
        "{table}"
    );
}

fn together(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The letters of a page without its layout: as Markdown, for a browser and for Word.
fn letters(page: &ResultPage<'_>) -> [String; 3] {
    let markdown = markdown(page);
    let words = pieces::pieces(&markdown).into_iter().map(|piece| match piece {
        pulldown_cmark::Event::Code(text) => text.into_string(),
        other => pieces::words(other).into_string(),
    });
    let markdown = together(&words.collect::<String>());
    let html = html(page);
    let (_, body) = html.split_once("<body>").unwrap();
    let texts = body.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    let html = together(&texts.collect::<String>());
    let html = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    let word = hostile_form_tests::part(&word(page), "word/document.xml");
    let word = roxmltree::Document::parse(&word).unwrap();
    let texts = word.descendants().filter(|node| node.is_text()).filter_map(|node| node.text());
    [markdown, html, together(&texts.collect::<String>()).replace('•', "")]
}

#[test]
fn a_browser_and_word_show_what_the_markdown_says_in_its_order() {
    let (schema, result) = (schema(), result());
    let checks = schema.check(&result, &document());
    let notes = ["nda.analysis.md was edited by a person; this is a second file.".to_owned()];
    let free =
        "## One\n\nTwo *three* `four`\n\n[docs](https://example.com/a)\n\n| a | b |\n|---|---|\n| c | d |";
    for answer in [Answer::Data { schema: &schema, result: &result, checks: &checks }, Answer::Text(free)] {
        let page = ResultPage {
            notes: &notes,
            unread: Some("It is a scan"),
            notice: Some("This is about an earlier version."),
            asked: Some(Asked { prompt: "What is said?\n\nOf liability.", since: 0 }),
            ..ResultPage::of(provenance(), answer)
        };
        let [markdown, html, word] = letters(&page);
        assert_eq!(markdown, html);
        assert_eq!(markdown, word);
        assert_eq!(super::word(&page), super::word(&page));
    }
}

#[test]
fn a_page_for_a_browser_is_whole() {
    let answer = Answer::Text(
        "# A\n\n- one\n  1. two\n\n> three **four**\n\n```\nfive <b>\n```\n\n| a |\n|---|\n| b |\n\n[l](https://l.example/?a=1&b=2)",
    );
    let text = html(&ResultPage::of(Provenance { response: None, tokens: None, ..provenance() }, answer));
    insta::assert_snapshot!(text);
}

#[test]
fn the_number_of_a_section_stays_what_it_is_in_every_countrys_workbook() {
    let object = |properties: serde_json::Value| {
        let required: Vec<&String> = properties.as_object().unwrap().keys().collect();
        json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
    };
    let clause = object(json!({
        "section": {"type": "string"},
        "amount": {"type": ["number", "null"]},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    }));
    let schema = object(json!({"clauses": {"type": "array", "items": clause}}));
    let schema = Schema::parse("s.json", &schema.to_string()).unwrap();
    let result = json!({"clauses": [{"section": "3.2", "amount": 250_000.5, "either": "6.1"}]});
    let entries = [Entry {
        file: "/a.txt",
        state: "completed",
        remark: None,
        judgement: None,
        unread: false,
        result: Some(&result),
        checks: &[],
    }];
    let book = digest(&schema, Form::Xlsx, &entries);
    let sheet = hostile_form_tests::part(&book, "xl/worksheets/sheet1.xml");
    assert!(sheet.contains("<v>250000.5</v>"), "{sheet}");
    assert!(!sheet.contains("<v>3.2</v>") && !sheet.contains("<v>6.1</v>"), "{sheet}");
    let texts = hostile_form_tests::part(&book, "xl/sharedStrings.xml");
    assert!(texts.contains("<t>3.2</t>") && texts.contains("<t>6.1</t>"), "{texts}");
    assert!(sheet.contains("orientation=\"landscape\"") && sheet.contains("fitToHeight=\"0\""), "{sheet}");
}

#[test]
fn no_text_of_a_workbook_is_cut_by_its_row() {
    let heights = |text: &str| {
        let entries = [Entry {
            file: "/a.txt",
            state: "completed",
            remark: Some(text),
            judgement: None,
            unread: false,
            result: None,
            checks: &[],
        }];
        let book = digest(&schema(), Form::Xlsx, &entries);
        let sheet = hostile_form_tests::part(&book, "xl/worksheets/sheet1.xml");
        let number = |name: &str| -> f64 {
            let parts = sheet.split(name).skip(1).filter_map(|rest| rest.split('"').next()?.parse().ok());
            parts.fold(0.0, f64::max)
        };
        (number(" ht=\""), number(" width=\""))
    };
    // A line of Latin letters has some fifty in a column of 400 pixels, which are 57 digits.
    assert_eq!(heights("short"), (0.0, heights("short").1));
    let (height, width) = heights(&"word ".repeat(60));
    assert!((6.0 * 15.0..=8.0 * 15.0).contains(&height) && width < 60.0, "{height} {width}");
    // Chinese characters are twice as wide.
    let (height, _) = heights(&"责任".repeat(100));
    assert!((8.0 * 15.0..=10.0 * 15.0).contains(&height), "{height}");
    // A row has an end, and the column gets wider then.
    let (height, width) = heights(&"word ".repeat(600));
    assert!(height <= 409.0 && height * width >= 15.0 * 3_000.0, "{height} {width}");
}

#[test]
fn the_table_is_written_as_spreadsheets_of_each_country_take_it() {
    let (schema, result) = (schema(), result());
    let checks = schema.check(&result, &document());
    let entries = [Entry {
        file: "/Contracts/=nda, final.pdf",
        state: "done",
        remark: Some("=1+1"),
        judgement: None,
        unread: false,
        result: Some(&result),
        checks: &checks,
    }];
    let text = String::from_utf8(digest(&schema, Form::Semicolon, &entries)).unwrap();
    assert!(
        text.starts_with(
            "\u{feff}file;run;finding;clause;quote;quote verified;quote place;risk;verdict;remark\r\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("\"/Contracts/=nda, final.pdf\";done;1;cap;") && text.contains(";'=1+1\r\n"),
        "{text}"
    );
    let book = digest(&schema, Form::Xlsx, &entries);
    assert_eq!(book, digest(&schema, Form::Xlsx, &entries), "the same table makes the same bytes");
    let sheet = hostile_form_tests::part(&book, "xl/worksheets/sheet1.xml");
    assert!(!sheet.contains("<f>") && !sheet.contains("hyperlink"), "{sheet}");
    assert!(sheet.contains("<v>5</v>"), "a number is one: {sheet}");
    let texts = hostile_form_tests::part(&book, "xl/sharedStrings.xml");
    assert!(texts.contains("<t>=1+1</t>") && texts.contains("<t>/Contracts/=nda, final.pdf</t>"), "{texts}");
    let styles = hostile_form_tests::part(&book, "xl/styles.xml");
    assert!(styles.contains("quotePrefix=\"1\""), "{styles}");
}
