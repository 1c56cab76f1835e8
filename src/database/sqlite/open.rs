//! Opens a file of the database: how each connection is set, whether the file may be worked on, and its inbox beside it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::OpenFlags;

use super::migrate::Migrations;
use super::{location, whole};
use crate::database::lane::Access;
use crate::database::open_error::OpenError;
use crate::database::schema::{Purpose, Schema, Standing};

/// Earlier versions can corrupt a WAL that several connections write and checkpoint (fixed in SQLite 3.51.3).
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long a statement waits for a lock that another *process* holds, such as `docket jobs retry` beside a server.
/// Longer than any transaction here takes, shorter than the webhook sender's patience.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// What the name of the inbox's file ends in, behind the database's.
pub const INBOX_SUFFIX: &str = "-inbox";

/// What each connection is set to. FULL syncs the WAL at each commit; NORMAL would lose acknowledged deliveries with the
/// power. Pages that may gather in the WAL before a commit pays for a checkpoint: 32 MB (measured: the default of 1,000 costs
/// a fifth of the inbox's rate, more than 8,000 only lengthens the longest commit). The cache is in KiB (SQLite takes a
/// negative number as a size). A lock's token is a secret only while the lock is held: FAST overwrites what a row gives up
/// where the page is written anyway, so no copy or backup of the file holds old ones, and it costs no more writes.
const PRAGMAS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA wal_autocheckpoint = 8000;
    PRAGMA cache_size = -16384;
    PRAGMA secure_delete = FAST;";

/// What makes a file one that can give pages back: before anything else stands in it, or when it is written anew. Measured: it
/// costs a delivery 0.2 µs.
const SHRINKS: &str = "PRAGMA auto_vacuum = INCREMENTAL;";

/// Where the inbox of the database at `path` is: beside the file itself, not beside a link to it.
pub fn inbox_path(path: &Path) -> Result<PathBuf, OpenError> {
    Ok(location::beside(&location::found(path)?, INBOX_SUFFIX))
}

/// Opens the file at `path` for a server, or to be filled: makes it when it is missing, and looks whether it is whole and can be worked
/// with.
pub fn open_whole(
    path: &Path,
    migrations: &Migrations,
    purpose: Purpose,
) -> Result<rusqlite::Connection, OpenError> {
    let is_due = whole::is_due(&location::found_or_made(path)?);
    let mut connection = connect(path)?;
    if is_due {
        whole::check(&mut connection, path)?;
    }
    match (schema(&connection, migrations, path)?.standing, purpose) {
        (Standing::Beyond, _) => Err(OpenError::NewSchema(path.to_owned())),
        (Standing::Unfinished, Purpose::Work) => Err(unfinished(path)),
        (Standing::None | Standing::Behind | Standing::Usable | Standing::Unfinished, _) => Ok(connection),
    }
}

/// A server of another version may be using the file, and only a server changes the schema.
pub fn as_of_this_version(
    connection: &rusqlite::Connection,
    migrations: &Migrations,
    path: &Path,
) -> Result<(), OpenError> {
    match schema(connection, migrations, path)?.standing {
        Standing::Usable => Ok(()),
        // A start that came to nothing leaves an empty file.
        Standing::None => Err(OpenError::Missing(path.to_owned())),
        Standing::Behind => Err(OpenError::OldSchema(path.to_owned())),
        Standing::Beyond => Err(OpenError::NewSchema(path.to_owned())),
        Standing::Unfinished => Err(unfinished(path)),
    }
}

pub fn schema(
    connection: &rusqlite::Connection,
    migrations: &Migrations,
    path: &Path,
) -> Result<Schema, OpenError> {
    migrations.schema(connection).map_err(|error| whole::explained(error, path))
}

fn unfinished(path: &Path) -> OpenError {
    OpenError::Unfinished(path.display().to_string())
}

/// Writes one file anew, and answers its bytes before and after.
pub fn compact(path: &Path) -> Result<(u64, u64), OpenError> {
    let connection = connect(path)?;
    let bytes = || {
        let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        connection.query_row(size, [], |row| row.get(0))
    };
    let written = || {
        let before = bytes()?;
        connection.execute_batch(SHRINKS)?;
        connection.execute_batch("VACUUM")?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok((before, bytes()?))
    };
    written().map_err(|error: rusqlite::Error| whole::explained(error.into(), path))
}

/// Writes what is in the WAL of the file at `path` into the file, and empties it. False when that cannot be done now.
pub fn fold(path: &Path) -> rusqlite::Result<bool> {
    let connection = open_file(path, Access::Write)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? == 0))
}

/// Opens the file at `path`, or that a link there leads to, for writing.
pub fn connect(path: &Path) -> Result<rusqlite::Connection, OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite(rusqlite::version().to_owned()));
    }
    let real = location::found(path)?;
    open_file(&real, Access::Write).map_err(|error| whole::explained(error.into(), path))
}

pub fn open_file(real: &Path, access: Access) -> rusqlite::Result<rusqlite::Connection> {
    let mode = match access {
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Write | Access::Inbox => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    // Each connection is one thread's.
    let connection = rusqlite::Connection::open_with_flags(real, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    if pages == 0 && access == Access::Write {
        connection.execute_batch(SHRINKS)?;
    }
    connection.execute_batch(PRAGMAS)?;
    Ok(connection)
}
