//! What people did here and rules had done, on record.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::form::Query;
use super::page::{Cell, Empty, Frame, Table, TableRow, next_link, show};
use super::range::Range;
use super::{Dashboard, ROWS};
use crate::audit;
use crate::database::Connection;
use crate::listen::problem::Problem;
use crate::operate::bulk;
use crate::operate::guard::Admin;

#[derive(Template)]
#[template(path = "log.html")]
struct Page {
    frame: Frame,
    bulks: Table,
    table: Table,
    range: Range,
    empty: Option<Empty>,
    next: String,
}

/// Bulk actions that are shown above the log.
const BULKS: u32 = 10;

pub async fn page(
    Admin(who): Admin,
    State(dashboard): State<Dashboard>,
    Query(fields): Query,
) -> Result<Response, Problem> {
    let range = Range::read(&fields, dashboard.now())?;
    let (bounds, after) = (range.bounds, fields.number("after"));
    let read = move |connection: &mut Connection| {
        Ok((
            audit::page(connection, (bounds.since, bounds.until), after, ROWS + 1)?,
            bulk::newest(connection, BULKS)?,
        ))
    };
    let (mut rows, bulks) = dashboard.read(read).await?;
    let more = rows.len() > ROWS as usize;
    rows.truncate(ROWS as usize);
    let last = rows.last().filter(|_| more).map(|row| row.audit_id.to_string());
    let now = dashboard.now();
    let line = |row: &bulk::Row| {
        TableRow::new([
            Cell::link(row.bulk_id.to_string(), format!("/bulk/{}", row.bulk_id)),
            Cell::new(&*row.action),
            Cell::state(&row.state),
            Cell::new(format!("{} of {}", row.done + row.left_as, row.number)),
            Cell::past(row.began_at, now),
        ])
    };
    show(&Page {
        frame: dashboard.frame(who, ("/log", "Log"), format!("docket audit{}", range.options())),
        bulks: Table {
            caption: "Done to many",
            head: vec!["number", "action", "state", "done", "began"],
            rows: bulks.iter().map(line).collect(),
            chosen: "",
        },
        table: table(&rows, now),
        empty: rows.is_empty().then(|| match range.is_all() {
            true => Empty {
                words: "Nothing yet. What is done through these pages is written down here.".to_owned(),
                ..Empty::default()
            },
            false => Empty {
                words: "Nothing was done in this time.".to_owned(),
                href: "/log".to_owned(),
                label: "See all",
            },
        }),
        next: next_link("/log", &range.fields(), last.as_deref()),
        range,
    })
}

/// What was done, to one thing or to all.
pub fn table(rows: &[audit::Row], now: i64) -> Table {
    let line = |row: &audit::Row| {
        let href = match row.about.split_once(':') {
            Some(("run", id)) => format!("/runs/{id}"),
            Some(("job", id)) => format!("/jobs/{id}"),
            Some(("bulk", id)) => format!("/bulk/{id}"),
            Some(("file", id)) => super::files::place(id),
            _ => String::new(),
        };
        let who = match &row.name {
            Some(name) => format!("{name} ({})", row.who),
            None => row.who.clone(),
        };
        TableRow::new([
            Cell::past(row.at, now),
            Cell::new(who),
            Cell::new(&*row.action),
            Cell::link(&*row.about, href),
            Cell::new(row.number.to_string()),
            Cell::new(row.filter.clone().unwrap_or_default()),
            Cell::new(row.why.clone().unwrap_or_default()),
        ])
    };
    Table {
        caption: "What people did, and rules had done",
        head: vec!["when", "who", "what", "to", "how many", "which", "why"],
        rows: rows.iter().map(line).collect(),
        chosen: "",
    }
}
