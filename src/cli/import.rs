//! `docket import`: Fastio fetches what is at a public address itself. Without an address, what was imported.

use clap::Args;

use super::failure::{Failure, Outcome};
use super::source::Source;
use super::table::{Column, Cut, Table, plain, state};
use super::text::{Paint, when};
use super::{ListArguments, SettingsArgs, output};
use crate::clock::Clock;
use crate::import::store::Row;
use crate::operate::act::ImportOrder;
use crate::operate::query::imports::Imports;

#[derive(Debug, Args)]
pub struct Arguments {
    /// A public https address; without one the imports are listed
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// The folder that it goes to, by its path; without this the top one
    #[arg(long, value_name = "PATH", requires = "url")]
    folder: Option<String>,
    /// What the file is to be called; without this as the address ends
    #[arg(long, requires = "url")]
    name: Option<String>,
    /// The workspace's id; without this that of the rules
    #[arg(long, value_name = "ID", requires = "url")]
    workspace: Option<String>,
    /// Go on behind this import, in the order of the list
    #[arg(long, value_name = "ID", conflicts_with = "url")]
    after: Option<i64>,
    #[command(flatten)]
    list: ListArguments,
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let Arguments { url, folder, name, workspace, after, list } = arguments;
    let source = Source::open(settings).await?;
    let outcome = match url {
        Some(url) => {
            let order = ImportOrder { url, folder, name, workspace, why: None };
            import(&source, &order, list.form.json).await
        }
        None => self::list(&source, after, &list).await,
    };
    source.close().await;
    outcome
}

async fn import(source: &Source, order: &ImportOrder, json: bool) -> Result<Outcome, Failure> {
    let row = source.import(order).await?;
    if json {
        output::json(&[row])?;
        return Ok(Outcome::Done);
    }
    output::line(format!("Import {}: {} to {}. {}", row.import_id, row.shown, place(&row), words(&row)))?;
    if row.ended_at.is_none() {
        output::line(
            "`docket import` shows how far it is; when it is there, it is synced like any other file.",
        )?;
    }
    Ok(Outcome::Done)
}

async fn list(source: &Source, behind: Option<i64>, list: &ListArguments) -> Result<Outcome, Failure> {
    let (rows, more, _) = source.list(Imports { behind, ..Imports::default() }, list.limit).await?;
    if list.form.json {
        output::json(&rows)?;
    } else if rows.is_empty() {
        output::line("Nothing was imported yet. `docket import URL` has Fastio fetch a public address.")?;
    } else {
        output::lines(table(&rows, Clock::default().now()).render(Paint::stdout()))?;
    }
    let last = rows.last().filter(|_| more);
    last.map(|row| list.more("imports", row.import_id)).into_iter().for_each(output::complain);
    Ok(Outcome::Done)
}

fn place(row: &Row) -> String {
    format!("{}/{}", row.folder.trim_end_matches('/'), row.name)
}

/// How far it is, in a sentence.
fn words(row: &Row) -> String {
    match (row.state.as_str(), &row.reason) {
        ("waiting", _) => "It waits for its turn.".to_owned(),
        ("asked", _) => "Fastio was asked, and has not answered yet.".to_owned(),
        ("pending" | "queued", _) => "Fastio has it, and has not begun.".to_owned(),
        ("downloading", _) => "Fastio is fetching it.".to_owned(),
        ("uploading", _) => "Fastio is storing it.".to_owned(),
        ("complete", _) => "It is there.".to_owned(),
        (_, Some(reason)) => format!("It came to nothing: {reason}."),
        (state, None) => format!("It is {state}."),
    }
}

fn table(rows: &[Row], now: i64) -> Table {
    let mut table = Table::new(&[
        Column::new("import", Cut::Nowhere).right(),
        Column::new("state", Cut::Nowhere),
        Column::new("asked for", Cut::Nowhere),
        Column::new("to", Cut::Start).widest(40),
        Column::new("from", Cut::Middle).widest(40),
        Column::new("how it stands", Cut::Below),
    ]);
    for row in rows {
        table.row([
            plain(row.import_id.to_string()),
            state(&row.state),
            plain(when(row.asked_at, now)),
            plain(place(row)),
            plain(row.shown.as_str()),
            plain(words(row)),
        ]);
    }
    table
}
