//! The job that a task works on, where several servers share PostgreSQL. Each write that the work asks for looks first whether the job is
//! still its own, and whether the database is the one that it was taken from: a standby that was behind when it took over may have lost the
//! claim, or what the job wrote since, and the servers lived on.

use std::future::Future;

use super::connection::{Connection, Session};
use super::error::Error;
use super::postgres;

/// A job in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    pub job: i64,
    /// The claim's token.
    pub lease: i64,
    /// When the PostgreSQL was started that it was taken from. Unix milliseconds; 0 in SQLite, which lives and dies with its one server.
    pub life: i64,
}

tokio::task_local! {
    static CLAIM: Claim;
}

/// Does the work of a job.
pub async fn scope<T>(claim: Claim, work: impl Future<Output = T>) -> T {
    CLAIM.scope(claim, work).await
}

/// The job that the calling task works on now, if it does on one.
pub(super) fn current() -> Option<Claim> {
    CLAIM.try_with(|claim| *claim).ok()
}

impl Connection {
    /// # Errors
    /// It is not the job of this claim any more, or the database's.
    pub(super) fn holds(&mut self, claim: Claim) -> Result<(), Error> {
        if matches!(self.0, Session::Sqlite(_)) || postgres::holds(self, claim)? {
            return Ok(());
        }
        Err(Error::passing("the job is another's since, or the database was started anew meanwhile"))
    }

    /// Whether the database has lost nothing since `claim`.
    ///
    /// # Errors
    /// The database's.
    pub fn is_alive_since(&mut self, claim: Claim) -> Result<bool, Error> {
        match &self.0 {
            Session::Sqlite(_) => Ok(true),
            Session::Postgres(_) => Ok(postgres::life(self)? == claim.life),
        }
    }
}
