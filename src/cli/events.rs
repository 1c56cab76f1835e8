//! `docket events`: what was said to have happened, the newest first.

use clap::Args;
use serde::Serialize;

use super::failure::{Failure, Outcome};
use super::table::{Column, Cut, Table, plain, state};
use super::text::{Paint, when};
use super::{ListArguments, open, output};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{self, Database};
use crate::event::store::newest;
use crate::event::{self, FileKey};
use crate::fastio::NodeId;
use crate::sync;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    list: ListArguments,
}

/// An event and the file or folder it is about, written as everywhere else.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    event: event::Row,
    source_id: Option<String>,
    /// Where the file was when a job last looked.
    path: Option<String>,
}

async fn read(database: &Database, limit: u32) -> Result<Vec<Row>, database::Error> {
    let mut connection = database.read().begin().await?;
    let mut rows = Vec::new();
    for event in newest(&mut connection, limit).await? {
        let profile = event.profile.as_deref().and_then(|profile| profile.parse().ok());
        let key = profile.zip(event.node.as_deref());
        let key = key.map(|(profile, node)| FileKey::new(profile, NodeId::new(node)).to_string());
        let path = match &key {
            Some(key) => sync::store::path(&mut connection, key).await?,
            None => None,
        };
        rows.push(Row { event, source_id: key, path });
    }
    Ok(rows)
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let ListArguments { limit, form } = arguments.list;
    let database = open(config).await?;
    let rows = read(&database, limit).await;
    database.close().await;
    let rows = rows?;
    if form.json {
        output::json(&rows)?;
    } else if rows.is_empty() {
        output::line("No event yet. `docket send` posts one to a running server.")?;
    } else {
        output::lines(table(&rows, Clock::default().now()).render(Paint::stdout()))?;
    }
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
        ]);
    }
    table
}

/// Fastio's name without where it happened, which nearly all have in common.
fn short(name: &str) -> &str {
    let prefixes = ["workspace_storage_", "share_storage_"];
    prefixes.into_iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}
