//! `docket events`: what was said to have happened, the newest first.

use clap::Args;
use serde::Serialize;

use super::failure::{Failure, Outcome};
use super::table::{Column, Cut, Table, plain, state};
use super::text::{Paint, count, when};
use super::{ListArguments, open, output};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{self, Connection};
use crate::event::store::{downloads, newest};
use crate::event::{self, Subject};
use crate::fastio::{FileKey, NodeId};
use crate::{own, sync};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Downloads too; nearly all of them are Docket's own
    #[arg(long)]
    all: bool,
    /// Go on behind this event, in the order of the list
    #[arg(long, value_name = "EVENT_ID")]
    after: Option<String>,
    #[command(flatten)]
    list: ListArguments,
}

/// Events that are looked through for downloads that are left out.
const LOOKED_THROUGH: u32 = 1_000;

/// An event and the file or folder it is about, written as everywhere else.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    event: event::Row,
    source_id: Option<String>,
    /// Where the file or folder was when a job last looked; of a file that Docket wrote its name.
    path: Option<String>,
}

/// What was read.
struct Read {
    rows: Vec<Row>,
    /// How many downloads are left out, and whether that is not all of them.
    left_out: (i64, bool),
}

/// The newest events behind `after`. None when there is no such event.
fn read(
    connection: &mut Connection,
    after: Option<&str>,
    (all, limit): (bool, u32),
) -> Result<Option<Read>, database::Error> {
    let place_of_it = after.map(|id| event::store::place(connection, id)).transpose()?;
    if place_of_it.as_ref().is_some_and(Option::is_none) {
        return Ok(None);
    }
    let mut rows = Vec::new();
    for event in newest(connection, (all, limit), place_of_it.flatten().as_ref())? {
        let profile = event.profile.as_deref().and_then(|profile| profile.parse().ok());
        let key = profile.zip(event.node.as_deref());
        let key = key.map(|(profile, node)| FileKey::new(profile, NodeId::new(node)));
        let path = match &key {
            Some(key) => place(connection, key, &event.subject)?,
            None => None,
        };
        rows.push(Row { event, source_id: key.map(|key| key.to_string()), path });
    }
    let since = rows.last().map_or(0, |row| row.event.received_at);
    let left_out = if all { (0, false) } else { downloads(connection, since, LOOKED_THROUGH)? };
    Ok(Some(Read { rows, left_out }))
}

fn place(
    connection: &mut Connection,
    key: &FileKey,
    subject: &str,
) -> Result<Option<String>, database::Error> {
    if subject == Subject::Folder.as_str() {
        return sync::store::folder_path(connection, &key.profile, &key.node);
    }
    match sync::store::path(connection, &key.to_string())? {
        Some(path) => Ok(Some(path)),
        None => own::store::name(connection, &key.profile, &key.node),
    }
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let list = arguments.list;
    let database = open(config).await?;
    let (all, most, after) = (arguments.all, list.read(), arguments.after.clone());
    let read = database.read(move |connection| read(connection, after.as_deref(), (all, most))).await;
    database.close().await;
    let Some(Read { mut rows, left_out }) = read? else {
        let id = arguments.after.unwrap_or_default();
        return Err(Failure::Failed(format!(
            "there is no event {id}; `docket events` shows those there are"
        )));
    };
    let more = list.keep(&mut rows, "events", |row| row.event.event_id.clone());
    if list.form.json {
        output::json(&rows)?;
    } else if rows.is_empty() {
        output::line("No event yet. `docket send` posts one to a running server.")?;
    } else {
        output::lines(table(&rows, Clock::default().now()).render(Paint::stdout()))?;
    }
    let (downloads, or_more) = left_out;
    if downloads > 0 {
        let at_least = if or_more { "At least " } else { "" };
        let downloads = count(downloads.unsigned_abs(), "download");
        output::complain(format!(
            "{at_least}{downloads}, nearly all Docket's own, not shown; --all shows them."
        ));
    }
    more.into_iter().for_each(output::complain);
    Ok(Outcome::Done)
}

fn table(rows: &[Row], now: i64) -> Table {
    let mut table = Table::new(&[
        Column::new("received", Cut::Nowhere),
        Column::new("from", Cut::Nowhere),
        Column::new("kind", Cut::Nowhere),
        Column::new("about", Cut::Start).widest(48),
        Column::new("event", Cut::End),
        Column::new("event id", Cut::Middle).widest(13),
        Column::new("request id", Cut::Middle).widest(13),
    ]);
    for Row { event, path, .. } in rows {
        let name = short(&event.name);
        let name = match &event.ignored_because {
            Some(because) => format!("{name}: {because}"),
            None => name.to_owned(),
        };
        table.row([
            plain(when(event.received_at, now)),
            plain(&event.source),
            state(&event.kind),
            plain(path.as_deref().or(event.node.as_deref()).unwrap_or("–")),
            plain(name),
            plain(&event.event_id),
            plain(event.request_id.as_deref().unwrap_or("–")),
        ]);
    }
    table
}

/// Fastio's name without where it happened, which nearly all have in common.
fn short(name: &str) -> &str {
    let prefixes = ["workspace_storage_", "share_storage_"];
    prefixes.into_iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}
