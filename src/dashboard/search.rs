//! What an assistant would find, and how each file that it is of stands.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::Dashboard;
use super::files::place;
use super::form::{Query, quoted};
use super::page::{Choice, Empty, Frame, choices, class, show};
use crate::listen::problem::Problem;
use crate::operate::guard::Viewer;
use crate::operate::query::search::{ResultRow, Results, Search};
use crate::operate::words::{mood, when};

/// Characters of a piece that are shown: what a person reads to see whether it is what was sought.
const SHOWN: usize = 1_500;

#[derive(Template)]
#[template(path = "search.html")]
struct Page {
    frame: Frame,
    query: String,
    rules: Vec<Choice>,
    /// Why there is no answer.
    failed: String,
    left_out: String,
    out: String,
    hits: Vec<HitView>,
    empty: Option<Empty>,
}

struct HitView {
    href: String,
    path: String,
    state: &'static str,
    class: &'static str,
    score: String,
    /// Whose text it is, and why the file is not current.
    about: String,
    lines: Vec<String>,
    cut: bool,
}

pub async fn page(
    Viewer(who): Viewer,
    State(dashboard): State<Dashboard>,
    Query(fields): Query,
) -> Result<Response, Problem> {
    let (query, rule) = (fields.text("query"), fields.text("rule"));
    let asked = Search { query: query.clone(), rule: fields.get("rule").map(str::to_owned), limit: None };
    let now = dashboard.now();
    let found = match query.is_empty() {
        true => None,
        false => Some(dashboard.searcher.find(&asked, &dashboard.rules, now).await),
    };
    let (results, failed) = match found {
        Some(Ok(results)) => (Some(results), String::new()),
        Some(Err(unanswered)) => (None, unanswered.to_string()),
        None => (None, String::new()),
    };
    let names = dashboard.rules.iter().map(|rule| rule.name.as_str());
    show(&Page {
        frame: dashboard.frame(who, ("/search", "Search"), command(&query, &rule)),
        rules: choices(names, &rule),
        out: results.as_ref().and_then(Results::out_words).unwrap_or_default(),
        left_out: results.as_ref().and_then(Results::left_out_words).unwrap_or_default(),
        empty: results.as_ref().filter(|results| results.rows.is_empty()).map(|_| Empty {
            words: "Nothing is found. A file that is not current may not be searchable yet.".to_owned(),
            href: "/files?state=behind".to_owned(),
            label: "See the files that are behind",
        }),
        hits: results.iter().flat_map(|results| &results.rows).map(|row| view(row, now)).collect(),
        query,
        failed,
    })
}

/// The command that finds the same.
fn command(query: &str, rule: &str) -> String {
    let query = if query.is_empty() { "QUERY".to_owned() } else { quoted(query) };
    let rule = if rule.is_empty() { String::new() } else { format!(" --rule {}", quoted(rule)) };
    format!("docket search {query}{rule}")
}

fn view(row: &ResultRow, now: i64) -> HitView {
    let shown: String = row.text.chars().take(SHOWN).collect();
    HitView {
        href: place(&row.source_id),
        path: row.path.clone().unwrap_or_else(|| row.source_id.clone()),
        state: row.state.as_str(),
        class: class(mood(row.state.as_str())),
        score: format!("{:.2}", row.score),
        about: about(row, now),
        cut: shown.len() < row.text.len(),
        lines: shown.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(),
    }
}

fn about(row: &ResultRow, now: i64) -> String {
    let mut words = vec![match (row.is_present, &row.version) {
        (true, Some(version)) => format!("version {version}, the present one"),
        (true, None) => "the present version".to_owned(),
        (false, Some(version)) => format!("version {version}, an earlier one"),
        (false, None) => "an earlier version".to_owned(),
    }];
    words.extend(row.since.map(|since| format!("behind since {}", when(since.min(now), now))));
    words.extend(row.reason.clone());
    words.join("; ")
}
