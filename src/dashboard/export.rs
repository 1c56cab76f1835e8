//! What was found, to be taken along: one run's findings, or the runs of a filter, as CSV, JSON or Markdown.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Dashboard;
use super::form::{Fields, Query};
use super::review::{Finding, findings};
use super::runs::Wanted;
use crate::database::Connection;
use crate::hidden::{escaped, reveal};
use crate::listen::problem::Problem;
use crate::operate::guard::Viewer;
use crate::operate::words::stamp;
use crate::run::RunId;
use crate::run::store::{self, RunRow};

/// Runs in one export: what a spreadsheet still shows at once.
const MOST: u32 = 5_000;

pub async fn runs(
    _: Viewer,
    State(dashboard): State<Dashboard>,
    Query(fields): Query,
) -> Result<Response, Problem> {
    let wanted = Wanted::read(&fields, dashboard.now())?;
    let read = move |connection: &mut Connection| super::runs::read(connection, &wanted, None, MOST);
    let rows = dashboard.read(read).await?;
    let head =
        ["run", "rule", "file", "state", "reason", "verdict", "tokens read", "tokens written", "changed"];
    let line = |row: &RunRow| {
        let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        vec![
            row.run_id.to_string(),
            row.rule.clone(),
            row.path.clone(),
            row.word().to_owned(),
            row.reason.clone().unwrap_or_default(),
            row.judgement().map(|judgement| judgement.sentence()).unwrap_or_default(),
            number(row.input_tokens),
            number(row.output_tokens),
            stamp(row.updated_at),
        ]
    };
    let lines: Vec<Vec<String>> = rows.iter().map(line).collect();
    write(&fields, "docket-runs", (&head, &lines), || serde_json::to_value(&rows).unwrap_or_default())
}

pub async fn run(
    _: Viewer,
    State(dashboard): State<Dashboard>,
    Path(id): Path<i64>,
    Query(fields): Query,
) -> Result<Response, Problem> {
    let read = move |connection: &mut Connection| {
        let Some(row) = store::row(connection, RunId(id))? else { return Ok(None) };
        Ok(Some((row, store::get(connection, RunId(id))?.and_then(|run| run.result).unwrap_or_default())))
    };
    let Some((row, result)) = dashboard.read(read).await? else {
        return Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no run {id}")));
    };
    let head = ["file", "finding", "proof", "why", "stands", "quote", "said"];
    let line = |finding: &Finding| {
        let said: Vec<String> = finding.said.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        vec![
            row.path.clone(),
            finding.place.to_string(),
            finding.word.to_owned(),
            finding.why.clone(),
            finding.stands.clone(),
            finding.quote.clone(),
            said.join("; "),
        ]
    };
    let lines: Vec<Vec<String>> = findings(&result).iter().map(line).collect();
    write(&fields, &format!("docket-run-{id}"), (&head, &lines), || json!({"run": row, "result": result}))
}

fn write(
    fields: &Fields,
    name: &str,
    (head, lines): (&[&str], &[Vec<String>]),
    whole: impl FnOnce() -> Value,
) -> Result<Response, Problem> {
    let (kind, ending, text) = match fields.get("form") {
        Some("json") => ("application/json", "json", escaped(&format!("{:#}\n", whole()))),
        Some("md") => ("text/markdown; charset=utf-8", "md", markdown(head, lines)),
        Some("csv") | None => ("text/csv; charset=utf-8", "csv", csv(head, lines)),
        Some(_) => {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "it is to be had as csv, json or md"));
        }
    };
    let disposition = format!("attachment; filename=\"{name}.{ending}\"");
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)], text).into_response())
}

fn csv(head: &[&str], lines: &[Vec<String>]) -> String {
    let cell = |text: &str| {
        let text = reveal(text);
        // What a spreadsheet would calculate is a text.
        let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text };
        format!("\"{}\"", text.replace('"', "\"\""))
    };
    let head = head.iter().map(|text| cell(text)).collect::<Vec<_>>().join(",");
    let lines = lines.iter().map(|line| line.iter().map(|text| cell(text)).collect::<Vec<_>>().join(","));
    std::iter::once(head).chain(lines).map(|line| line + "\r\n").collect()
}

fn markdown(head: &[&str], lines: &[Vec<String>]) -> String {
    // Whatever could be markup is written as a character.
    let cell = |text: &str| {
        let mut shown = String::new();
        for character in reveal(text).chars() {
            match character {
                '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '!' | '~' | '&' => {
                    shown.push_str(&format!("&#{};", u32::from(character)));
                }
                character => shown.push(character),
            }
        }
        shown
    };
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = row(head.iter().map(|text| cell(text)).collect());
    text.push_str(&row(head.iter().map(|_| "---".to_owned()).collect()));
    lines.iter().for_each(|line| text.push_str(&row(line.iter().map(|text| cell(text)).collect())));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_markup() {
        let lines = [vec!["=1+1".to_owned(), "a \"b\"\n|c".to_owned()]];
        assert_eq!(csv(&["x", "y"], &lines), "\"x\",\"y\"\r\n\"'=1+1\",\"a \"\"b\"\"\\u{a}|c\"\r\n");
        let text = markdown(&["x", "y"], &[vec!["<b>".to_owned(), "a|b".to_owned()]]);
        assert_eq!(text, "| x | y |\n| --- | --- |\n| &#60;b&#62; | a&#124;b |\n");
    }
}
