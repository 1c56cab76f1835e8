//! The sweeps: what each found and asked for, and which stopped for a person.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::page::{Cell, Empty, Frame, Table, TableRow, show};
use super::{Dashboard, ROWS};
use crate::database::Connection;
use crate::feed::store::{self, SweepRow};
use crate::feed::sweep::Report;
use crate::listen::problem::Problem;
use crate::operate::guard::Admin;
use crate::operate::words::{count, span, when};

#[derive(Template)]
#[template(path = "sweeps.html")]
struct Page {
    frame: Frame,
    /// What the last one stopped for, each rule in a sentence.
    stopped: Vec<String>,
    learns: String,
    table: Table,
    empty: Option<Empty>,
}

pub async fn page(Admin(who): Admin, State(dashboard): State<Dashboard>) -> Result<Response, Problem> {
    let read =
        |connection: &mut Connection| Ok((store::sweeps(connection, ROWS)?, store::state(connection)?));
    let (rows, feed) = dashboard.read(read).await?;
    let now = dashboard.now();
    let reports: Vec<(SweepRow, Option<Report>)> = rows
        .into_iter()
        .map(|row| {
            let report = serde_json::from_str(&row.report).ok();
            (row, report)
        })
        .collect();
    let last = reports.iter().find_map(|(_, report)| report.as_ref().filter(|report| !report.dry_run));
    let stopped = last.into_iter().flat_map(|report| &report.stopped).map(|stopped| {
        format!(
            "Rule {} would lose {} of {} files, which is more than its limit. If that is right, run docket sweep --beyond-limit; \
             docket sweep --dry-run says what differs.",
            stopped.rule, stopped.would_lose, stopped.of
        )
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
    show(&Page {
        frame: dashboard.frame(who, ("/sweeps", "Sweeps"), "docket sweep --dry-run"),
        stopped: stopped.collect(),
        learns,
        empty: reports.is_empty().then(|| Empty {
            words: "No sweep yet. The server makes one by itself every now and then, as sweep.every_minutes says.".to_owned(),
            href: "/settings".to_owned(),
            label: "See the settings",
        }),
        table: Table {
            caption: "Sweeps, the newest first",
            head: vec!["ended", "took", "outcome", "compared", "found", "asked for", "not listed to the end"],
            rows: reports.iter().map(|(row, report)| line(row, report.as_ref(), now)).collect(),
            chosen: "",
        },
    })
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
    let outcome = if report.is_some_and(|report| report.dry_run) {
        format!("{} (dry run)", row.outcome)
    } else {
        row.outcome.clone()
    };
    TableRow::new([
        Cell { words: when(row.ended_at.min(now), now), ..Cell::past(row.ended_at, now) },
        Cell::new(span(row.ended_at - row.started_at)),
        Cell { mood, ..Cell::new(outcome) },
        Cell::new(compared.unwrap_or_else(|| "–".to_owned())),
        Cell::new(if found.is_empty() { "nothing differed".to_owned() } else { found }),
        Cell::new(report.map_or_else(|| "–".to_owned(), |report| count(report.queued, "job"))),
        Cell::new(gaps),
    ])
}
