//! `docket migrate`: brings the schema of the database up to date and ends.

use clap::Args;

use super::failure::{Failure, Outcome};
use super::output;
use crate::config::Config;
use crate::database::Database;

#[derive(Debug, Args)]
pub struct Arguments {}

pub async fn run(_: Arguments, config: &Config) -> Result<Outcome, Failure> {
    Database::migrate(&config.database).await.map_err(Failure::from_error)?;
    output::line(format!("{} has the schema of this version.", config.database.place()))?;
    Ok(Outcome::Done)
}
