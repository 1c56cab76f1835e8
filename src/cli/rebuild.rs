//! `docket rebuild`: restores the tables from the vector stores when the database was lost.

use clap::Args;

use super::failure::{Failure, Outcome};
use super::progress::Progress;
use super::{feed, output};
use crate::config::Config;
use crate::database::{Database, ServerLock};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Print one JSON object at the end
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    super::can_ask(config)?;
    // A server would upload what it does not know of while we are still learning of it.
    let lock = ServerLock::take(&config.database).await.map_err(Failure::from_error)?;
    let database = Database::open_under(&config.database, &lock).await.map_err(Failure::from_error)?;
    let feed = feed(config, &database)?;
    let mut progress = Progress::new("entries read", 0, None);
    let rebuilt = feed.rebuild(&mut |read| progress.at(read, "")).await;
    progress.end();
    let rebuilt = rebuilt.map_err(super::feed_failure)?;
    database.close().await;
    if arguments.json {
        output::one(&rebuilt)?;
        return Ok(Outcome::Done);
    }
    for (name, id) in &rebuilt.stores {
        output::line(format!("The vector store \"{name}\" is {id}."))?;
    }
    for id in &rebuilt.gone {
        output::line(format!(
            "The vector store {id} is gone at OpenAI: a server makes it anew and puts all its files into it."
        ))?;
    }
    output::line(format!(
        "{} copies restored from {} entries; {} cannot be proved to be ours, and are left alone.",
        rebuilt.copies, rebuilt.listed, rebuilt.strangers
    ))?;
    if rebuilt.unverified + rebuilt.unreadable > 0 {
        output::line(format!(
            "{} say they are ours and are borne out neither by Fastio nor by their File object, and {} cannot be read. A sweep looks at them again.",
            rebuilt.unverified, rebuilt.unreadable
        ))?;
    }
    output::line(
        "Start the server, then: docket backfill. It looks at every file, and uploads only what differs.",
    )?;
    Ok(Outcome::Done)
}
