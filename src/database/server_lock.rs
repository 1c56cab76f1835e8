//! One server per database, where two would harm each other.

use super::open_error::OpenError;
use super::{settings, sqlite};

/// Held by a server for as long as it runs, and longer than the database is open. Of a database in PostgreSQL there may be many: what
/// only one of them may do at a time, it does under a lease, which is a row.
#[derive(Debug)]
pub enum ServerLock {
    Alone(sqlite::FileLock),
    AmongOthers,
}

impl ServerLock {
    /// Takes the lock of the database at `url`; a file is made, empty, when there is none.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when another server holds it, and those of a file that cannot be opened.
    pub fn take(url: &str) -> Result<Self, OpenError> {
        match settings::is_postgres(url) {
            true => Ok(ServerLock::AmongOthers),
            false => sqlite::FileLock::take(url).map(ServerLock::Alone),
        }
    }

    /// Who works on the database at `url` now, in words for a person; `None` when no process does, or others may do so too. Makes
    /// no file.
    ///
    /// Only for a process that does not have the database open: closing any handle of a file gives up what locks SQLite
    /// holds on it in this process.
    ///
    /// # Errors
    /// [`OpenError::Missing`] when there is no database, and those of a file that cannot be opened.
    pub fn holder(url: &str) -> Result<Option<String>, OpenError> {
        match settings::is_postgres(url) {
            true => Ok(None),
            false => sqlite::FileLock::holder(url),
        }
    }
}
