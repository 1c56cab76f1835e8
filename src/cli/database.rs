//! `docket database`: what is done with the database's file while no server works on it.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::failure::{Failure, Outcome};
use super::output;
use super::text::bytes;
use crate::config::Config;
use crate::database::{Database, OpenError, ServerLock};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the file anew without what is free in it; stop the server first
    Compact(Compact),
}

#[derive(Debug, Args)]
struct Compact {
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

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let Command::Compact(Compact { json }) = arguments.command;
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
