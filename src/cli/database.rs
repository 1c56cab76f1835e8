//! `docket database`: what is done with the database while no server works on it.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::failure::{Failure, Outcome};
use super::output;
use super::progress::Progress;
use super::table::{Column, Cut, Mood, Table};
use super::text::{Paint, bytes, count};
use crate::config::Config;
use crate::database::{Copied, CopyError, Database, OpenError, Phase, ServerLock, Settings};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the file anew without what is free in it; stop the server first
    Compact(Compact),
    /// Copy everything into another database, which has to be empty, and compare each row; stop the server first
    Copy(Copy),
}

#[derive(Debug, Args)]
struct Compact {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Copy {
    /// The database to copy; without it the one of the settings. A password does not belong here, but into DATABASE_PASSWORD
    #[arg(long, value_name = "URL", required_unless_present = "to")]
    from: Option<String>,
    /// The database to copy to; without it the one of the settings
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The file's size.
#[derive(Debug, Serialize)]
struct Compacted {
    bytes_before: u64,
    bytes_after: u64,
}

/// What was copied.
#[derive(Debug, Serialize)]
struct Done {
    from: String,
    to: String,
    rows: u64,
    tables: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    table: &'static str,
    rows: u64,
    /// Rows that were read again on both sides, and are the same.
    verified: u64,
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    match arguments.command {
        Command::Compact(arguments) => compact(arguments, config).await,
        Command::Copy(arguments) => copy(arguments, config).await,
    }
}

async fn compact(Compact { json }: Compact, config: &Config) -> Result<Outcome, Failure> {
    let url = &config.database.url;
    if config.database.is_postgres() {
        return Err(Failure::from_error(OpenError::NoFile));
    }
    // It has to be there, and of this version.
    Database::open_existing(&config.database).await.map_err(Failure::from_error)?.close().await;
    let _lock = ServerLock::take(url).await.map_err(Failure::from_error)?;
    let (bytes_before, bytes_after) = Database::compact(url).await.map_err(Failure::from_error)?;
    if json {
        output::one(&Compacted { bytes_before, bytes_after })?;
    } else {
        let (before, after) = (bytes(bytes_before), bytes(bytes_after));
        output::line(format!(
            "The database took {before} and takes {after} now. From now on it gives space back by itself."
        ))?;
    }
    Ok(Outcome::Done)
}

async fn copy(Copy { from, to, json }: Copy, config: &Config) -> Result<Outcome, Failure> {
    let named = |url: Option<String>| match url {
        Some(url) => Settings { url, migration_url: None, ..config.database.clone() },
        None => config.database.for_upkeep(),
    };
    // The command brings the target up to date, whoever does so for a server.
    let (from, to) = (named(from), Settings { migrate: true, ..named(to) });
    let mut shown: Option<(Phase, Progress)> = None;
    let mut watch = |phase, done, all| {
        if !matches!(&shown, Some((before, _)) if *before == phase) {
            if let Some((_, before)) = shown.take() {
                before.end();
            }
            let what = match phase {
                Phase::Begun => {
                    output::complain(format!(
                        "{} is unfinished until every row is in it and compared.",
                        to.place()
                    ));
                    return;
                }
                Phase::Copying => "Copying rows",
                Phase::Verifying => "Comparing rows",
            };
            shown = Some((phase, Progress::new(what, 0, Some(all))));
        }
        if let Some((_, progress)) = &mut shown {
            progress.at(done, "");
        }
    };
    let copied = Database::copy(&from, &to, &mut watch).await;
    if let Some((_, progress)) = shown {
        progress.end();
    }
    let tables = copied.map_err(failure)?;
    tell(&Done::of((from.place(), to.place()), &tables), json)?;
    Ok(Outcome::Done)
}

impl Done {
    fn of((from, to): (String, String), tables: &[Copied]) -> Self {
        let row = |one: &Copied| Row { table: one.table, rows: one.rows, verified: one.rows };
        Done {
            from,
            to,
            rows: tables.iter().map(|one| one.rows).sum(),
            tables: tables.iter().map(row).collect(),
        }
    }
}

fn tell(done: &Done, json: bool) -> Result<(), Failure> {
    if json {
        return Ok(output::one(done)?);
    }
    let mut table = Table::new(&[
        Column::new("table", Cut::Nowhere),
        Column::new("rows", Cut::Nowhere).right(),
        Column::new("verified", Cut::Nowhere).right(),
    ]);
    for row in done.tables.iter().filter(|row| row.rows > 0) {
        let number = |number: u64| (number.to_string(), Mood::Plain);
        table.row([(row.table.to_owned(), Mood::Plain), number(row.rows), number(row.verified)]);
    }
    output::lines(table.render(Paint::stdout()))?;
    let Done { from, to, .. } = done;
    output::line(format!(
        "{} copied from {from} to {to}; each was read again on both sides and is the same.",
        count(done.rows, "row")
    ))?;
    output::line(format!(
        "Set DATABASE_URL to {to} and start the server there. {from} is as it was: start no server on it any more."
    ))?;
    Ok(())
}

/// A URL that cannot be used is the person's to correct.
fn failure(error: CopyError) -> Failure {
    match &error {
        CopyError::From(why) | CopyError::To(why) if why.is_usage() => Failure::usage(error),
        CopyError::Same(_) => Failure::usage(error),
        _ => Failure::from_error(error),
    }
}
