//! Looks whether the database is whole before a server works on it: a disk that lost pages is found out here, and not by
//! what is missing later.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::ffi::ErrorCode;

use super::location;
use crate::database::error::Error;
use crate::database::open_error::OpenError;

/// How long the look may take after a server did not stop in order. `quick_check` reads each page once: measured, a gigabyte
/// takes two seconds from the cache of a busy machine; a disk of 100 MB a second needs ten. Who is down for longer than this
/// loses deliveries to the senders' limits.
const LIMIT: Duration = Duration::from_secs(10);

/// A database of this size is looked at whenever a server starts: it takes a fraction of a second.
const SMALL: u64 = 64 * 1024 * 1024;

/// Pages between looks at the time.
const PAGES: i32 = 1_000;

/// Whether to look at the database `file`, which is not open yet. Its log is folded back and removed at an orderly end, so
/// one that is there tells of another.
pub fn is_due(file: &Path) -> bool {
    let size = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    size(&location::beside(file, "-wal")) > 0 || size(file) <= SMALL
}

/// # Errors
/// [`OpenError::Broken`] when it is not whole.
pub fn check(connection: &mut Connection, file: &Path) -> Result<(), OpenError> {
    let until = Instant::now() + LIMIT;
    let found = (|| {
        connection.progress_handler(PAGES, Some(move || Instant::now() >= until))?;
        let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        connection.progress_handler(PAGES, None::<fn() -> bool>)?;
        found
    })();
    match found.map_err(Error::from) {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(OpenError::Broken { path: file.to_owned(), what: found }),
        Err(error) if error.code() == Some(ErrorCode::OperationInterrupted) => {
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

/// What an error of opening the database means, and what to do about it.
pub fn explained(error: Error, file: &Path) -> OpenError {
    let path = file.to_owned();
    match error.code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Broken { path, what: error.to_string() }
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
            OpenError::Refused { path, what: error.to_string() }
        }
        _ => OpenError::Open(error),
    }
}
