//! One server per database: two would harm each other.

use tokio_util::sync::CancellationToken;

use super::open_error::OpenError;
use super::schema::Purpose;
use super::{Settings, postgres, sqlite};
use crate::contain::blocking;

/// Held by a server for as long as it runs, and longer than the database is open.
#[derive(Debug)]
pub enum ServerLock {
    File(sqlite::FileLock),
    Row(postgres::Tenure),
}

impl ServerLock {
    /// Takes the lock of the database, and waits some seconds for that of a server in PostgreSQL which may have been killed. A file is
    /// made, empty, when there is none; PostgreSQL's schema is brought up to date as [`Database::open`](super::Database::open) does.
    ///
    /// # Errors
    /// [`OpenError::InUse`] or [`OpenError::Held`] when another server holds it, and those of a database that cannot be opened.
    pub async fn take(settings: impl Into<Settings>) -> Result<Self, OpenError> {
        ServerLock::take_for(&settings.into(), Purpose::Work).await
    }

    /// As [`ServerLock::take`], of a database that is opened for this.
    pub(super) async fn take_for(settings: &Settings, purpose: Purpose) -> Result<Self, OpenError> {
        if !settings.is_postgres() {
            return sqlite::FileLock::take(&settings.url).map(ServerLock::File);
        }
        let server = postgres::Server::of(settings)?;
        postgres::wait_for_schema(&server, settings.migrate, purpose).await?;
        blocking(move || postgres::Tenure::begin(server, postgres::PATIENCE)).await.map(ServerLock::Row)
    }

    /// Cancelled when another server has taken the database over, because this one was not heard of for some seconds. A file is never
    /// taken over.
    pub fn lost(&self) -> CancellationToken {
        match self {
            ServerLock::File(_) => CancellationToken::new(),
            ServerLock::Row(tenure) => tenure.lost().clone(),
        }
    }

    /// Which server works on the database now, in words for a person; `None` when none does. Makes no file.
    ///
    /// Only for a process that does not have the database open: closing any handle of a file gives up what locks SQLite
    /// holds on it in this process.
    ///
    /// # Errors
    /// [`OpenError::Missing`] when there is no database, and those of one that cannot be opened.
    pub async fn holder(settings: impl Into<Settings>) -> Result<Option<String>, OpenError> {
        let settings = settings.into();
        if !settings.is_postgres() {
            return sqlite::FileLock::holder(&settings.url);
        }
        let server = postgres::Server::of(&settings)?;
        blocking(move || postgres::holder(&server)).await
    }
}
