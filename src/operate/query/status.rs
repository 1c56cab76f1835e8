//! All numbers, as `docket status` tells them to a person.

use serde::{Deserialize, Serialize};

use super::Known;
use crate::database::{Database, Error};
use crate::operate::status::{About, Status};

/// Is it well, what waits, what is kept and what came in. It is no [`super::Question`]: the inbox is another file.
#[derive(Debug)]
pub struct Overview;

#[derive(Serialize, Deserialize)]
pub struct OverviewView {
    pub about: About,
    /// Which server works on the database, in words.
    pub server: Option<String>,
    pub status: Status,
}

impl Overview {
    /// Reads all of it as of one moment.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(database: &Database, known: &Known) -> Result<OverviewView, Error> {
        let status = Status::read(database).await?;
        let names: Vec<&str> = status.servers.iter().map(|server| server.name.as_str()).collect();
        // Of several servers all are told of, whichever is asked.
        let server = known.server.clone().map(|one| if names.is_empty() { one } else { names.join(", ") });
        Ok(OverviewView { about: known.about.clone(), server, status })
    }
}
