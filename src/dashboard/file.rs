//! One file: in a sentence whether what can be searched is what it is, and then all there is to know.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Dashboard;
use super::files::place;
use super::form::Query;
use super::page::{Cell, Frame, Table, TableRow, class, show};
use super::timeline::Way;
use crate::audit;
use crate::database::{Connection, Error};
use crate::fastio::FileKey;
use crate::history::{self, Timeline};
use crate::listen::problem::Problem;
use crate::operate::guard::Viewer;
use crate::operate::words::{bytes, mood, stamp, when};
use crate::run::{Run, store as runs};
use crate::sync::listing::{self, Cursor, Filter, Place, Row, Standing};

/// What was done to it by people, the newest.
const DEEDS: u32 = 20;

#[derive(Template)]
#[template(path = "file.html")]
struct Page {
    frame: Frame,
    source_id: String,
    state: &'static str,
    class: &'static str,
    /// Whether it is current, and if not since when and why.
    sentence: String,
    since: String,
    /// It has left OpenAI to make room, and may be brought back.
    is_out: bool,
    may_retry: bool,
    /// This page.
    back: String,
    job: Option<i64>,
    facts: Vec<(&'static str, String)>,
    way: Way,
    copies: Table,
    runs: Table,
    deeds: Table,
}

struct Read {
    rows: Vec<Row>,
    way: Timeline,
    runs: Vec<Run>,
    deeds: Vec<audit::Row>,
}

pub async fn page(
    Viewer(who): Viewer,
    State(dashboard): State<Dashboard>,
    Query(fields): Query,
) -> Result<Response, Problem> {
    let id = fields.text("id");
    let wanted = id.clone();
    let now = dashboard.now();
    let read = move |connection: &mut Connection| read(connection, &wanted, now);
    let Read { rows, way, runs, deeds } = dashboard.read(read).await?;
    let Some(row) = rows.first() else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "Docket knows no file of this id"));
    };
    let name = row.path.clone().unwrap_or_else(|| row.source_id.clone());
    show(&Page {
        frame: dashboard.frame(who, ("/files", &name), format!("docket files '{}'", row.source_id)).live(),
        source_id: row.source_id.clone(),
        state: row.state.as_str(),
        class: class(mood(row.state.as_str())),
        sentence: sentence(row, now),
        since: row.since.map(stamp).unwrap_or_default(),
        is_out: row.state == Standing::Out,
        may_retry: row.state == Standing::Skipped || row.job_state.as_deref() == Some("dead"),
        back: place(&row.source_id),
        job: row.job_id,
        facts: facts(row, now),
        way: Way::of(&way, now),
        copies: copies(&rows, now),
        runs: table(&runs, now),
        deeds: super::log::table(&deeds, now),
    })
}

fn read(connection: &mut Connection, id: &str, now: i64) -> Result<Read, Error> {
    let filter = Filter { gone: true, place: Some(Place::new(id)), ..Filter::default() };
    let page = listing::page(connection, &filter, &Cursor::Start, 1)?;
    let rows: Vec<Row> = page.rows.into_iter().filter(|row| row.source_id == id).collect();
    let (mut found, mut way) = (Vec::new(), Timeline::default());
    if let (Some(row), Ok(key)) = (rows.first(), id.parse::<FileKey>()) {
        way = history::timeline(connection, &key, now)?;
        for rule in row.rules.split(',').map(str::trim).filter(|rule| !rule.is_empty()) {
            found.extend(runs::of_file(connection, &key, rule)?);
        }
    }
    let deeds = audit::about(connection, &format!("file:{id}"), DEEDS)?;
    Ok(Read { rows, way, runs: found, deeds })
}

/// As `docket files` says it.
fn sentence(row: &Row, now: i64) -> String {
    let since = row.since.map(|since| format!(" ({})", when(since.min(now), now))).unwrap_or_default();
    let reason = row.reason.as_ref().or(row.copy.note.as_ref());
    let because = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    match row.state {
        Standing::Current => {
            format!("Current: what can be searched is what the file is{}.", because.replace(": ", "; "))
        }
        Standing::Unread => {
            format!("OpenAI holds the file as it is, and can read next to nothing in it{because}.")
        }
        Standing::Behind => format!("Not current{since}{because}."),
        Standing::Out => format!("It is out of OpenAI{since}{because}."),
        Standing::Skipped => format!("It cannot be searched, and is skipped{because}."),
        Standing::Gone => format!("It is gone from Fastio, and nothing of it is left{because}."),
    }
}

fn facts(row: &Row, now: i64) -> Vec<(&'static str, String)> {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
    let seen = row
        .seen_at
        .map_or_else(|| "not yet".to_owned(), |at| format!("{} ({})", when(at.min(now), now), stamp(at)));
    vec![
        ("id", row.source_id.clone()),
        ("rules", if row.rules.is_empty() { "not known yet".to_owned() } else { row.rules.clone() }),
        ("version at Fastio", or_none(&row.version)),
        ("hash at Fastio", or_none(&row.hash)),
        ("size", row.known_size().map_or_else(|| "not known".to_owned(), bytes)),
        ("modified", row.modified_at.map_or_else(|| "–".to_owned(), stamp)),
        ("seen", seen),
    ]
}

fn copies(rows: &[Row], now: i64) -> Table {
    let line = |row: &Row| {
        let copy = &row.copy;
        let text = |text: &Option<String>| Cell::new(text.clone().unwrap_or_else(|| "–".to_owned()));
        let read = match (copy.characters, copy.pages) {
            (None, _) => "–".to_owned(),
            (Some(characters), None) => format!("{characters} characters"),
            (Some(characters), Some(pages)) => format!("{characters} characters, {pages} pages"),
        };
        Some(TableRow::new([
            Cell::state(copy.state.as_deref()?),
            copy.since.map_or_else(|| Cell::new("–"), |at| Cell::past(at, now)),
            text(&copy.version),
            text(&copy.vector_store),
            text(&copy.file_id),
            Cell::new(bytes(copy.bytes.unwrap_or(0).unsigned_abs())),
            Cell::new(read),
            text(&copy.note),
        ]))
    };
    Table {
        caption: "Copies at OpenAI",
        head: vec![
            "state",
            "since",
            "of version",
            "vector store",
            "File object",
            "size",
            "can be read",
            "note",
        ],
        rows: rows.iter().filter_map(line).collect(),
        chosen: "",
    }
}

fn table(runs: &[Run], now: i64) -> Table {
    let line = |run: &Run| {
        let word = match (&run.judgement, run.outcome) {
            (Some(judgement), _) => judgement.said.as_str(),
            (None, Some(outcome)) => outcome.as_str(),
            (None, None) => run.state.as_str(),
        };
        TableRow::new([
            Cell::link(run.id.to_string(), format!("/runs/{}", run.id)),
            Cell::new(&*run.rule),
            Cell::state(word),
            Cell::past(run.ended_at.or(run.answered_at).unwrap_or(run.created_at), now),
            Cell::new(run.version.clone().unwrap_or_else(|| "–".to_owned())),
            Cell::new(run.reason.clone().unwrap_or_default()),
        ])
    };
    Table {
        caption: "Runs over it",
        head: vec!["run", "rule", "state", "changed", "of version", "reason"],
        rows: runs.iter().rev().map(line).collect(),
        chosen: "",
    }
}

/// A file's name, which leads to all there is to know of it.
pub fn named(path: &str, source_id: &str) -> Cell {
    Cell::link(path, place(source_id))
}
