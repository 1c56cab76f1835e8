//! `docket backup` and `docket restore`: a copy of the database while a server works on it, and the way back, with what the
//! world did meanwhile.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::failure::{Failure, Outcome};
use super::progress::Progress;
use super::sweep;
use super::text::{Paint, bytes, count};
use super::{can_ask, feed, output};
use crate::config::Config;
use crate::database::{Database, ServerLock};
use crate::feed::sweep::{Scope, Tell};

#[derive(Debug, Args)]
pub struct BackupArguments {
    /// Where the copy goes; nothing may be there yet
    #[arg(value_name = "PATH")]
    to: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// The copy, as `docket backup` made it
    #[arg(value_name = "PATH")]
    from: PathBuf,
    /// Do not ask Fastio and OpenAI what happened since the copy was made
    #[arg(long)]
    offline: bool,
}

/// What was copied.
#[derive(Debug, Serialize)]
struct Done {
    path: String,
    bytes: u64,
    /// Deliveries in the file beside it.
    waiting: u64,
}

pub async fn backup(arguments: BackupArguments, config: &Config) -> Result<Outcome, Failure> {
    let BackupArguments { to, json } = arguments;
    if config.database.is_postgres() {
        return Err(Failure::Usage(format!(
            "the database is in PostgreSQL, which has its own: pg_dump --format=custom --file={} --dbname='{}'",
            to.display(),
            config.database.place()
        )));
    }
    let made = Database::back_up(&config.database.url, &to).await.map_err(Failure::from_error)?;
    if json {
        output::one(&Done { path: to.display().to_string(), bytes: made.bytes, waiting: made.waiting })?;
        return Ok(Outcome::Done);
    }
    output::line(format!("{} in {}, whole and for this user only.", bytes(made.bytes), to.display()))?;
    if made.waiting > 0 {
        output::line(format!(
            "{} that waited are in {}-inbox beside it.",
            count(made.waiting, "delivery"),
            to.display()
        ))?;
    }
    Ok(Outcome::Done)
}

pub async fn restore(arguments: RestoreArguments, config: &Config) -> Result<Outcome, Failure> {
    let RestoreArguments { from, offline } = arguments;
    if config.database.is_postgres() {
        return Err(Failure::Usage(format!(
            "the database is in PostgreSQL, which has its own: stop every server, then pg_restore --clean --if-exists --dbname='{}' {}; \
             then docket sweep",
            config.database.place(),
            from.display()
        )));
    }
    config.rules().map_err(Failure::usage)?;
    let lock = ServerLock::take(&config.database).await.map_err(Failure::from_error)?;
    let restored = Database::put_back(&config.database.url, &from).await.map_err(Failure::from_error)?;
    // The file that it was on is another one now.
    drop(lock);
    output::line(format!("{} is in the place of {}.", from.display(), config.database.place()))?;
    if let Some(aside) = &restored.aside {
        output::line(format!("What was there is {} now.", aside.display()))?;
    }
    if restored.kept_inbox {
        output::line("The inbox stayed: what was acknowledged and is not in the copy is looked at again.")?;
    }
    let database = Database::open(&config.database).await.map_err(Failure::from_error)?;
    let told = match offline {
        true => Ok(Outcome::Done),
        false => meanwhile(&database, config).await,
    };
    let kept = mark(&database, config).await;
    database.close().await;
    kept?;
    output::line("Start the server: it compares everything at once, and brings in line what differs.")?;
    told
}

/// Has the next server compare everything when it starts.
async fn mark(database: &Database, config: &Config) -> Result<(), Failure> {
    // Without keys there is no feed, and a server would not start either.
    let feed = feed(config, database)?;
    feed.sweep_at_start().await.map_err(super::feed_failure)
}

/// Says what is not as the copy has it.
async fn meanwhile(database: &Database, config: &Config) -> Result<Outcome, Failure> {
    can_ask(config)?;
    let feed = feed(config, database)?;
    let mut progress = Progress::new("entries read", 0, None);
    let mut found = Vec::new();
    let scope = Scope { dry_run: true, ..Scope::default() };
    let report = feed
        .sweep(scope, &mut |tell| match tell {
            Tell::Read(read) => progress.at(read, &count(found.len() as u64, "difference")),
            Tell::Found(finding) if found.len() < sweep::MOST_SHOWN => found.push(sweep::line(finding)),
            Tell::Found(_) => {}
        })
        .await;
    progress.end();
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            output::complain(format!("What happened since the copy was made cannot be told now: {error}"));
            return Ok(Outcome::Bad);
        }
    };
    output::line("Since the copy was made:")?;
    output::lines(found)?;
    output::lines(sweep::words(&report, Paint::stdout()))?;
    Ok(Outcome::Done)
}
