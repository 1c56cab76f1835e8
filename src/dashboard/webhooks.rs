//! What came in: the newest events, by what deliveries proved themselves, and what was refused and why. A first set-up is put right
//! from this page alone.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::form::{Query, link};
use super::page::{Cell, Empty, Frame, Table, TableRow, next_link, show, unreadable};
use super::range::Range;
use super::{Dashboard, ROWS};
use crate::database::{Connection, Error};
use crate::event::Subject;
use crate::event::store::{Page as EventPage, Row, newest, place};
use crate::fastio::{FileKey, NodeId};
use crate::listen::problem::Problem;
use crate::operate::guard::Admin;
use crate::operate::range::Bounds;
use crate::operate::status::Status;
use crate::operate::words::{cure, signed};
use crate::{own, sync};

#[derive(Template)]
#[template(path = "webhooks.html")]
struct Page {
    frame: Frame,
    hints: Vec<String>,
    counts: Table,
    refused: Table,
    events: Table,
    range: Range,
    empty: Option<Empty>,
    downloads: bool,
    other: String,
    next: String,
}

pub async fn page(
    Admin(who): Admin,
    State(dashboard): State<Dashboard>,
    Query(fields): Query,
) -> Result<Response, Problem> {
    let snapshot = dashboard.observer.look().await.map_err(|error| unreadable(&error))?;
    let downloads = fields.get("downloads").is_some();
    let range = Range::read(&fields, dashboard.now())?;
    let (bounds, after) = (range.bounds, fields.get("after").map(str::to_owned));
    let read = move |connection: &mut Connection| events(connection, (downloads, bounds), after.as_deref());
    let mut rows = dashboard.read(read).await?;
    let more = rows.len() > ROWS as usize;
    rows.truncate(ROWS as usize);
    let last = rows.last().filter(|_| more).map(|(event, _)| event.event_id.clone());
    let now = dashboard.now();
    let seen = &snapshot.seen;
    let pairs = [&[("downloads", if downloads { "yes" } else { "" })][..], &range.fields()].concat();
    let all = if downloads { " --all" } else { "" };
    show(&Page {
        frame: dashboard.frame(who, ("/webhooks", "Webhooks"), format!("docket events{all}{}", range.options())).live(),
        hints: hints(seen),
        counts: counts(seen),
        refused: refused(seen),
        empty: rows.is_empty().then(|| match range.is_all() {
            true => Empty {
            words: "No event yet. `docket send` posts a signed test event to this server; Fastio posts when a file changes."
                .to_owned(),
            ..Empty::default()
            },
            false => Empty {
                words: "No event came in this time.".to_owned(),
                href: "/webhooks".to_owned(),
                label: "See all",
            },
        }),
        events: table(&rows, now),
        downloads,
        other: link(
            "/webhooks",
            &[&[("downloads", if downloads { "" } else { "yes" })][..], &range.fields()].concat(),
        ),
        next: next_link("/webhooks", &pairs, last.as_deref()),
        range,
    })
}

/// The newest, each with the path of what it is about.
fn events(
    connection: &mut Connection,
    (downloads, bounds): (bool, Bounds),
    after: Option<&str>,
) -> Result<Vec<(Row, Option<Cell>)>, Error> {
    let at = match after {
        Some(id) => place(connection, id)?,
        None => None,
    };
    let mut rows = Vec::new();
    let page = EventPage { downloads, after: at, since: bounds.since, until: bounds.until, most: ROWS + 1 };
    for event in newest(connection, page)? {
        let profile = event.profile.as_deref().and_then(|profile| profile.parse().ok());
        let key = profile.zip(event.node.as_deref());
        let key = key.map(|(profile, node)| FileKey::new(profile, NodeId::new(node)));
        let about = match &key {
            Some(key) => about(connection, key, &event.subject)?,
            None => None,
        };
        rows.push((event, about));
    }
    Ok(rows)
}

/// What an event is about: its path, and where there is more of it.
fn about(connection: &mut Connection, key: &FileKey, subject: &str) -> Result<Option<Cell>, Error> {
    if subject == Subject::Folder.as_str() {
        let path = sync::store::folder_path(connection, &key.profile, &key.node)?;
        return Ok(path.map(|path| Cell::link(&path, link("/files", &[("path", &path)]))));
    }
    if let Some(path) = sync::store::path(connection, &key.to_string())? {
        return Ok(Some(super::file::named(&path, &key.to_string())));
    }
    let own = own::store::name(connection, &key.profile, &key.node)?;
    Ok(own.map(|name| Cell::new(format!("{name}, which Docket wrote"))))
}

fn table(rows: &[(Row, Option<Cell>)], now: i64) -> Table {
    let line = |(event, about): &(Row, Option<Cell>)| {
        let unknown = || Cell::new(event.node.clone().unwrap_or_else(|| "–".to_owned()));
        let about = about.clone().unwrap_or_else(unknown);
        let name = match &event.ignored_because {
            Some(because) => format!("{}: {because}", event.name),
            None => event.name.clone(),
        };
        TableRow::new([
            Cell::past(event.received_at, now),
            Cell::new(&*event.source),
            Cell::state(&event.kind),
            about,
            Cell::new(name),
            Cell::new(event.request_id.clone().unwrap_or_else(|| "–".to_owned())),
        ])
    };
    Table {
        caption: "Events, the newest first",
        head: vec!["received", "from", "kind", "about", "event", "request id"],
        rows: rows.iter().map(line).collect(),
        chosen: "",
    }
}

fn of_name<'a>(seen: &'a Status, wanted: &'a str) -> impl Iterator<Item = (&'a str, i64)> {
    let rows = seen.received.iter().filter(move |(name, ..)| name == wanted);
    rows.map(|(_, label, value)| (label.as_str(), *value))
}

fn total(seen: &Status, name: &str) -> i64 {
    of_name(seen, name).map(|(_, value)| value).sum()
}

fn counts(seen: &Status) -> Table {
    let numbers = [
        ("accepted", "deliveries accepted"),
        ("late", "of them with a time farther from ours than is usual"),
        ("tested", "of them posted by docket send"),
        ("new", "events in them that were new"),
        ("duplicate", "events that were told again"),
        ("hung_up", "times a sender hung up before it was answered"),
    ];
    let mut rows: Vec<TableRow> = numbers
        .iter()
        .map(|(name, words)| TableRow::new([Cell::new(*words), Cell::new(total(seen, name).to_string())]))
        .collect();
    for (label, value) in of_name(seen, "matched") {
        rows.push(TableRow::new([
            Cell::new(format!("signed with {}", signed(label))),
            Cell::new(value.to_string()),
        ]));
    }
    Table { caption: "Taken", head: vec!["what", "how often"], rows, chosen: "" }
}

fn refused(seen: &Status) -> Table {
    let mut rows = Vec::new();
    for (name, word) in
        [("rejected", "refused"), ("unavailable", "put off"), ("dropped", "nothing came of it")]
    {
        for (label, value) in of_name(seen, name) {
            rows.push(TableRow::new([
                Cell { mood: "bad", ..Cell::new(word) },
                Cell::new(label.replace('_', " ")),
                Cell::new(value.to_string()),
                Cell::new(cure(label).unwrap_or_default()),
            ]));
        }
    }
    Table { caption: "Refused", head: vec!["what", "why", "how often", "what to do"], rows, chosen: "" }
}

/// What to do next where nothing has been taken in yet.
fn hints(seen: &Status) -> Vec<String> {
    if total(seen, "accepted") > total(seen, "tested") {
        return Vec::new();
    }
    let cures: BTreeSet<&str> = of_name(seen, "rejected").filter_map(|(label, _)| cure(label)).collect();
    let mut hints: Vec<String> = cures.into_iter().map(|cure| format!("{cure}.")).collect();
    if total(seen, "rejected") == 0 {
        hints.push(
            "Nothing has arrived from Fastio. Its webhook has to post to https://…/webhooks/fastio of this server's public listener, \
             and a firewall or proxy has to let it through."
                .to_owned(),
        );
    }
    hints.push("To see that the way is open: docket send --url https://…/webhooks/fastio".to_owned());
    hints
}
