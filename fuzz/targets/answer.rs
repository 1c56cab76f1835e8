//! A schema, an answer by it and the document it quotes: whatever they are, there are problems for a person, or a result
//! as Markdown and as a table that no spreadsheet takes for formulas.
#![no_main]

use docket::result::judgement::{Judgement, Said};
use docket::result::quote::Document;
use docket::result::render::{
    Answer, Entry, Form, Provenance, ResultPage, csv, digest, html, markdown, word,
};
use docket::result::schema::Schema;
use ground::pieces;
use libfuzzer_sys::fuzz_target;

/// For answers: most mutations of a schema are none.
const SCHEMA: &str = include_str!("../../examples/legal/liability.schema.json");

fuzz_target!(|data: &[u8]| {
    let [schema, answer, document] = pieces(data);
    let (Ok(schema), Ok(document)) = (std::str::from_utf8(schema), std::str::from_utf8(document)) else {
        return;
    };
    let schema = if schema.is_empty() { SCHEMA } else { schema };
    let schema = match Schema::parse("fuzz", schema) {
        Ok(schema) => schema,
        Err(problems) => {
            assert!(!problems.to_string().is_empty());
            return;
        }
    };
    let Ok(result) = serde_json::from_slice(answer) else { return };
    // What does not fit is refused before anything else looks at it, but nothing may break on it.
    let fits = schema.validate(&result).is_ok();
    let checks = schema.check(&result, &Document::new(document));
    if fits {
        assert_eq!(checks.len(), schema.quotes(&result).len());
    }
    let provenance = Provenance {
        file: document,
        version: "3v",
        rule: "rule",
        engine: "responses",
        model: "model",
        definition: "d",
        response: None,
        started_at: 0,
        finished_at: 1,
        tokens: None,
    };
    let judgement =
        Judgement { said: Said::Rejected, by: document.to_owned(), note: document.to_owned(), at: 0 };
    let answer = Answer::Data { schema: &schema, result: &result, checks: &checks };
    let report = ResultPage {
        notice: Some(document),
        judgement: Some(&judgement),
        ..ResultPage::of(provenance, answer)
    };
    assert!(markdown(&report).starts_with("# "));
    assert!(html(&report).starts_with("<!"));
    assert!(word(&report).starts_with(b"PK"));
    let entries = [Entry {
        file: document,
        state: "completed",
        result: Some(&result),
        checks: &checks,
        remark: None,
        judgement: Some(&judgement),
        unread: false,
    }];
    let _ = String::from_utf8(digest(&schema, Form::Markdown, &entries)).unwrap();
    let table = String::from_utf8(digest(&schema, Form::Comma, &entries)).unwrap();
    for table in csv(&schema, &result, &checks, &[judgement.sentence()]).into_iter().chain([table]) {
        no_formula(&table);
    }
});

/// No cell begins as a formula does, numbers apart.
fn no_formula(table: &str) {
    let mut rest = table.trim_start_matches('\u{feff}');
    while !rest.is_empty() {
        let (cell, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let mut end = 0;
                while let Some(at) = quoted[end..].find('"') {
                    end += at + 1;
                    if !quoted[end..].starts_with('"') {
                        break;
                    }
                    end += 1;
                }
                (&quoted[..end.saturating_sub(1)], &quoted[end..])
            }
            None => rest.split_at(rest.find([',', '\r', '\n']).unwrap_or(rest.len())),
        };
        let is_number = cell.parse::<f64>().is_ok();
        assert!(is_number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?} in {table:?}");
        rest = after.strip_prefix(',').unwrap_or_else(|| after.trim_start_matches(['\r', '\n']));
        if rest.len() == after.len() && !rest.is_empty() {
            panic!("a cell does not end: {table:?}");
        }
    }
}
