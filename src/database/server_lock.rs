//! Who works on a database: one server on a file of SQLite, because two would harm each other; on PostgreSQL several, each as a replica.
//! What has to be alone, such as a rebuild, has neither beside it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::lead::this_process;
use super::open_error::OpenError;
use super::postgres::{Company, Timed};
use super::schema::Purpose;
use super::{Settings, postgres, sqlite};
use crate::contain::blocking;

/// Held by a server for as long as it runs, and longer than the database is open.
#[derive(Debug)]
pub enum ServerLock {
    File(sqlite::FileLock),
    Replica(postgres::Replica),
}

impl ServerLock {
    /// Takes the place of a server: of the one on a file, which is made, empty, when there is none; of one more on PostgreSQL, whose
    /// schema is brought up to date as [`Database::open`](super::Database::open) does, and whose time `clock` goes by from now on.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when another server holds the file, [`OpenError::Held`] when something works that has to be alone, and those
    /// of a database that cannot be opened.
    pub async fn serve(
        settings: impl Into<Settings>,
        clock: impl Timed + 'static,
    ) -> Result<Self, OpenError> {
        Self::beside(&settings.into(), Company::Servers(Arc::new(clock)), Purpose::Work).await
    }

    /// Takes the database with no server beside it. Waits some seconds for those on PostgreSQL that may have been killed.
    ///
    /// # Errors
    /// [`OpenError::InUse`] or [`OpenError::Held`] when a server works, and those of a database that cannot be opened.
    pub async fn take(settings: impl Into<Settings>) -> Result<Self, OpenError> {
        Self::beside(&settings.into(), Company::None, Purpose::Work).await
    }

    /// As [`ServerLock::take`], of a database that is to be filled.
    pub(super) async fn take_to_fill(settings: &Settings) -> Result<Self, OpenError> {
        Self::beside(settings, Company::None, Purpose::Fill).await
    }

    async fn beside(settings: &Settings, company: Company, purpose: Purpose) -> Result<Self, OpenError> {
        if !settings.is_postgres() {
            return sqlite::FileLock::take(&settings.url).map(ServerLock::File);
        }
        let server = postgres::Server::of(settings)?;
        postgres::wait_for_schema(&server, settings.migrate, purpose).await?;
        blocking(move || postgres::Replica::begin(server, company, postgres::PATIENCE))
            .await
            .map(ServerLock::Replica)
    }

    /// Cancelled when other servers have taken over what this one did, because it was not heard of for some seconds. A file is never
    /// taken over.
    pub fn lost(&self) -> CancellationToken {
        match self {
            ServerLock::File(_) => CancellationToken::new(),
            ServerLock::Replica(replica) => replica.lost().clone(),
        }
    }

    /// This server, as [`ServerLock::holder`] tells others of it.
    pub fn words(&self) -> String {
        match self {
            ServerLock::File(_) => sqlite::words(std::process::id()),
            ServerLock::Replica(_) => this_process(),
        }
    }

    /// Who works on the database now, in words for a person; `None` when nobody does. Makes no file.
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
