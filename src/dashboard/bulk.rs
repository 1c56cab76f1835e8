//! How far something has come that is done to many.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};

use super::Dashboard;
use super::page::{Cell, Frame, Table, TableRow, class, show, unreadable};
use crate::database::Connection;
use crate::listen::problem::Problem;
use crate::operate::bulk;
use crate::operate::guard::Admin;
use crate::operate::words::{mood, stamp};

/// Of those that it could not be done to.
const LEFT: u32 = 100;

#[derive(Template)]
#[template(path = "bulk.html")]
struct Page {
    frame: Frame,
    row: bulk::Row,
    class: &'static str,
    settled: i64,
    who: String,
    began: String,
    ended: String,
    left: Table,
}

pub async fn page(
    Admin(who): Admin,
    State(dashboard): State<Dashboard>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let read = move |connection: &mut Connection| {
        let Some(row) = bulk::get(connection, id)? else { return Ok(None) };
        Ok(Some((row, bulk::left(connection, id, LEFT)?)))
    };
    let Some((row, left)) = dashboard.read(read).await? else {
        return Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no bulk action {id}")));
    };
    let title = format!("Bulk action {id}");
    let frame = dashboard.frame(who, ("/log", &title), "");
    let line = |left: &bulk::Left| TableRow::new([Cell::new(&*left.item), Cell::new(&*left.outcome)]);
    show(&Page {
        frame: if row.state == "running" { frame.live() } else { frame },
        class: class(mood(&row.state)),
        settled: row.done + row.left_as,
        who: match &row.name {
            Some(name) => format!("{name} ({})", row.who),
            None => row.who.clone(),
        },
        began: stamp(row.began_at),
        ended: row.ended_at.map(stamp).unwrap_or_default(),
        left: Table {
            caption: "Left as they are",
            head: vec!["which", "why"],
            rows: left.iter().map(line).collect(),
            chosen: "",
        },
        row,
    })
}

pub async fn stop(
    Admin(who): Admin,
    State(dashboard): State<Dashboard>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let now = dashboard.now();
    let stop = move |tx: &mut Connection| bulk::stop(tx, who, id, now);
    if dashboard.database.write(stop).await.map_err(|error| unreadable(&error))? {
        return Ok((StatusCode::SEE_OTHER, [(LOCATION, format!("/bulk/{id}"))]).into_response());
    }
    Err(Problem::new(StatusCode::CONFLICT, format!("bulk action {id} has ended already")))
}
