//! The sweeps: what each found and asked for, which stopped for a person and waits for a word, and one that is asked for here.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::form::{Query, encoded};
use super::page::{Cell, Choice, Empty, Frame, Table, TableRow, choices, next_link, show};
use super::range::Range;
use super::{Dashboard, ROWS};
use crate::database::Connection;
use crate::feed;
use crate::feed::sweep::store::{self, SweepRow};
use crate::feed::sweep::{Pending, Report, Stopped, pending};
use crate::listen::problem::Problem;
use crate::operate::guard::Admin;
use crate::operate::range::Bounds;
use crate::operate::words::{count, span};

/// Differences on one sweep's page.
const SHOWN: usize = 200;

const HEAD: [&str; 8] =
    ["ended", "took", "of", "outcome", "compared", "found", "asked for", "not listed to the end"];

#[derive(Template)]
#[template(path = "sweeps.html")]
struct Page {
    frame: Frame,
    waiting: Vec<Waiting>,
    /// What is asked for and has not ended, each in a sentence.
    pending: Vec<String>,
    learns: String,
    rules: Vec<Choice>,
    range: Range,
    table: Table,
    empty: Option<Empty>,
    next: String,
}

/// One that stopped for a person.
struct Waiting {
    sweep: String,
    href: String,
    stopped: Vec<String>,
}

pub async fn page(
    Admin(who): Admin,
    State(dashboard): State<Dashboard>,
    Query(fields): Query,
) -> Result<Response, Problem> {
    let now = dashboard.now();
    let range = Range::read(&fields, now)?;
    let Bounds { since, until } = range.bounds;
    let before = fields.number("after").map_or(until, |after| after.min(until));
    let read = move |connection: &mut Connection| {
        Ok((
            store::newest(connection, (since, before), ROWS + 1)?,
            store::waiting(connection)?,
            pending(connection)?,
            feed::store::state(connection)?,
        ))
    };
    let (mut rows, waiting, pending, feed) = dashboard.read(read).await?;
    let more = rows.len() > ROWS as usize;
    rows.truncate(ROWS as usize);
    let after = rows.last().filter(|_| more).map(|last| last.started_at.to_string());
    let waiting = waiting.into_iter().map(|row| Waiting {
        href: place(&row.sweep),
        stopped: row
            .report()
            .into_iter()
            .flat_map(|report| report.stopped)
            .map(|one| sentence(&one))
            .collect(),
        sweep: row.sweep,
    });
    let learns = match feed {
        Some(feed) => {
            let why = feed.reason.map(|reason| format!(", because a better way is refused: {reason}"));
            format!(
                "Besides webhooks, changes are learnt by {} since {}{}.",
                feed.way,
                span(now - feed.since),
                why.unwrap_or_default()
            )
        }
        None => "Besides webhooks, changes are learnt by sweeps.".to_owned(),
    };
    let frame = dashboard.frame(who, ("/sweeps", "Sweeps"), "docket sweep --dry-run");
    let empty = rows.is_empty().then(|| match range.is_all() {
        true => Empty {
            words: "No sweep yet. The server makes one by itself every now and then, as sweep.every_minutes says.".to_owned(),
            href: "/settings".to_owned(),
            label: "See the settings",
        },
        false => Empty {
            words: "No sweep began in this time.".to_owned(),
            href: "/sweeps".to_owned(),
            label: "See all",
        },
    });
    show(&Page {
        frame: if pending.is_empty() { frame } else { frame.live() },
        waiting: waiting.collect(),
        pending: pending.iter().map(asked).collect(),
        learns,
        rules: choices(dashboard.rules.iter().map(|rule| rule.name.as_str()), ""),
        empty,
        next: next_link("/sweeps", &range.fields(), after.as_deref()),
        range,
        table: Table {
            caption: "Sweeps, the newest first",
            head: HEAD.to_vec(),
            rows: rows.iter().map(|row| line(row, row.report().as_ref(), now)).collect(),
            chosen: "",
        },
    })
}

#[derive(Template)]
#[template(path = "sweep.html")]
struct One {
    frame: Frame,
    sweep: String,
    waits: bool,
    stopped: Vec<String>,
    summary: Table,
    differences: Table,
    /// There are more than are shown, or were kept.
    cut: bool,
}

/// One sweep, with the first of what it found.
pub async fn one(
    Admin(who): Admin,
    State(dashboard): State<Dashboard>,
    Path(sweep): Path<String>,
) -> Result<Response, Problem> {
    let read = move |connection: &mut Connection| {
        let Some(row) = store::get(connection, &sweep)? else { return Ok(None) };
        let waits = store::waiting(connection)?.contains(&row);
        let findings = store::findings(connection, &sweep)?;
        Ok(Some((row, waits, findings)))
    };
    let Some((row, waits, findings)) = dashboard.read(read).await? else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "there is no such sweep any more"));
    };
    let (now, report) = (dashboard.now(), row.report());
    let stopped = report.iter().flat_map(|report| &report.stopped).map(sentence).collect();
    let difference = |one: &feed::sweep::Finding| {
        let name = if one.path.is_empty() { &one.source_id } else { &one.path };
        let place =
            if one.source_id.is_empty() { String::new() } else { super::files::place(&one.source_id) };
        TableRow::new([
            Cell::new(one.kind.as_str()),
            Cell::link(&**name, place),
            Cell::new(&*one.why),
            Cell::new(one.file_id.clone().unwrap_or_default()),
        ])
    };
    show(&One {
        frame: dashboard.frame(who, ("/sweeps", "Sweep"), "docket sweep --dry-run"),
        waits,
        stopped,
        summary: Table {
            caption: "What it did",
            head: HEAD.to_vec(),
            rows: vec![line(&row, report.as_ref(), now)],
            chosen: "",
        },
        cut: findings.len() > SHOWN,
        differences: Table {
            caption: "The first of what differs",
            head: vec!["kind", "what", "why", "File object"],
            rows: findings.iter().take(SHOWN).map(difference).collect(),
            chosen: "",
        },
        sweep: row.sweep,
    })
}

/// Where there is all to know of a sweep.
fn place(sweep: &str) -> String {
    format!("/sweeps/{}", encoded(sweep))
}

/// What a sweep stopped for, of one rule.
pub fn sentence(stopped: &Stopped) -> String {
    let Stopped { rule, would_lose, of } = stopped;
    let rule = if rule.is_empty() { "no rule that there is".to_owned() } else { format!("rule {rule}") };
    format!(
        "Of {rule}, {would_lose} of {of} files would lose their copies at OpenAI, which is more than the limit of a sweep."
    )
}

/// What a person asked for.
fn asked(pending: &Pending) -> String {
    let what = match (pending.is_approved, &pending.rule) {
        (true, _) => "The sweep that was approved".to_owned(),
        (false, Some(rule)) => format!("A sweep of rule {rule}"),
        (false, None) => "A sweep of everything".to_owned(),
    };
    let only = if pending.dry_run { ", which only looks," } else { "" };
    match pending.state.as_str() {
        "running" => format!("{what}{only} is being made."),
        "dead" => format!("{what}{only} failed too often: its job says why, and can be tried again."),
        _ => format!("{what}{only} waits for a worker."),
    }
}

fn line(row: &SweepRow, report: Option<&Report>, now: i64) -> TableRow {
    let mood = match row.outcome.as_str() {
        "done" => "good",
        _ => "bad",
    };
    let kinds = report.into_iter().flat_map(|report| &report.found).filter(|(_, number)| **number > 0);
    let found = kinds.map(|(kind, number)| format!("{number} {kind}")).collect::<Vec<_>>().join(", ");
    let compared = report.map(|report| {
        format!(
            "{}, {} and {}",
            count(report.files_listed, "file"),
            count(report.held_listed, "entry"),
            count(report.objects_listed, "File object")
        )
    });
    let gaps = report.into_iter().flat_map(|report| &report.incomplete);
    let gaps = gaps.map(|gap| format!("{} ({})", gap.what, gap.error)).collect::<Vec<_>>().join("; ");
    let outcome = match (&row.decided, row.dry_run) {
        (Some(decided), _) => format!("{}, {decided}", row.outcome),
        (None, true) => format!("{} (dry run)", row.outcome),
        (None, false) => row.outcome.clone(),
    };
    TableRow::new([
        Cell { href: place(&row.sweep), ..Cell::past(row.ended_at, now) },
        Cell::new(span(row.ended_at - row.started_at)),
        Cell::new(row.rule.clone().unwrap_or_else(|| "all".to_owned())),
        Cell { mood, ..Cell::new(outcome) },
        Cell::new(compared.unwrap_or_else(|| "–".to_owned())),
        Cell::new(if found.is_empty() { "nothing differed".to_owned() } else { found }),
        Cell::new(report.map_or_else(|| "–".to_owned(), |report| count(report.queued, "job"))),
        Cell::new(gaps),
    ])
}
