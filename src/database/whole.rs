//! Looks whether the database is whole before a server works on it: a disk that lost pages is found out here, and not by
//! what is missing later.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnection;

use super::{Error, OpenError, location, sqlite_code};

/// How long the look may take after a server did not stop in order. `quick_check` reads each page once: measured, a gigabyte
/// takes two seconds from the cache of a busy machine; a disk of 100 MB a second needs ten. Who is down for longer than this
/// loses deliveries to the senders' limits.
const LIMIT: Duration = Duration::from_secs(10);

/// A database of this size is looked at whenever a server starts: it takes a fraction of a second.
const SMALL: u64 = 64 * 1024 * 1024;

/// Pages between looks at the time.
const PAGES: i32 = 1_000;

/// SQLite's codes of a file that may not be written or opened, of one that is damaged, of one that is no database, and of an
/// interruption.
const READ_ONLY: u32 = 8;
const CANNOT_OPEN: u32 = 14;
const CORRUPT: u32 = 11;
const NOT_A_DATABASE: u32 = 26;
const INTERRUPTED: u32 = 9;

/// Whether to look at the database `file`, which is not open yet. Its log is folded back and removed at an orderly end, so
/// one that is there tells of another.
pub fn is_due(file: &Path) -> bool {
    let size = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    size(&location::beside(file, "-wal")) > 0 || size(file) <= SMALL
}

/// # Errors
/// [`OpenError::Broken`] when it is not whole.
pub async fn check(connection: &mut SqliteConnection, file: &Path) -> Result<(), OpenError> {
    let until = Instant::now() + LIMIT;
    connection.lock_handle().await?.set_progress_handler(PAGES, move || Instant::now() < until);
    let found = sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)").fetch_one(&mut *connection).await;
    connection.lock_handle().await?.remove_progress_handler();
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(OpenError::Broken { path: file.to_owned(), what: found }),
        Err(error) if sqlite_code(&error) == Some(INTERRUPTED) => {
            let seconds = LIMIT.as_secs();
            tracing::warn!(
                seconds,
                "the database is too large to be looked at as a whole; it may be damaged further on"
            );
            Ok(())
        }
        Err(error) => Err(explained(error, file)),
    }
}

/// What an error of opening the database means for whoever has to put it right.
pub fn explained(error: Error, file: &Path) -> OpenError {
    let what = || error.as_database_error().map(|error| error.message().to_owned()).unwrap_or_default();
    let path = file.to_owned();
    match sqlite_code(&error) {
        Some(CORRUPT | NOT_A_DATABASE) => OpenError::Broken { path, what: what() },
        Some(READ_ONLY | CANNOT_OPEN) => OpenError::Refused { path, what: what() },
        _ => OpenError::Open(error),
    }
}
