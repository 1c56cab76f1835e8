//! The one database: its connections, its schema, and what differs between dialects. Each module keeps the statements
//! on its own tables in its `store.rs`; no statement lives here but those that open the database.
//!
//! SQLite allows one writer at a time, and waiting for its lock means polling it. So all writes of a process go through
//! one connection, handed out in the order it was asked for, and readers have connections of their own.

mod error;
mod location;
mod lock;
mod place;
mod whole;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

pub use error::OpenError;
pub use location::{beside, path, relative_to};
pub use lock::ServerLock;
pub use place::Displaced;
use place::Place;

/// What a statement runs on. PostgreSQL joins here, as the other side of one type.
pub type Connection = sqlx::SqliteConnection;
/// A write transaction: it holds the one writer until it is committed or dropped.
pub type Transaction = sqlx::Transaction<'static, sqlx::Sqlite>;
pub type Error = sqlx::Error;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

/// Earlier versions can corrupt a WAL that several connections write and checkpoint (fixed in SQLite 3.51.3).
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

/// How long a statement waits for a lock that another *process* holds, such as `docket jobs retry` beside a server.
/// Longer than any transaction here takes, shorter than the webhook sender's patience.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a writer waits for its turn. Every transaction is a few milliseconds, so this is a disk that hangs.
const WRITER_TIMEOUT: Duration = Duration::from_secs(10);

/// Readers are commands, health checks and look-ups beside the work; they never hold a connection for long.
const READERS: u32 = 4;

/// Pages that may gather in the WAL before a commit pays for a checkpoint: 32 MB. Measured: the default of 1,000 costs
/// a fifth of the inbox's rate, more than 8,000 only lengthens the longest commit.
const CHECKPOINT_PAGES: &str = "8000";

/// The page cache of each connection, in KiB (SQLite takes a negative number as a size).
const CACHE_KIB: &str = "-16384";

/// Rows that may lie ready between SQLite's thread and ours: a page of any list in one piece. Measured: with the driver's
/// 50, a sweep spends most of its time handing over between the two.
const ROWS_READY: usize = 1_000;

/// The database of one Docket. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Database {
    write: SqlitePool,
    read: SqlitePool,
    place: Arc<Place>,
    observe: SqlitePool,
}

impl Database {
    /// Opens the database at `url`, makes it when it is missing, and brings its schema up to date.
    ///
    /// # Errors
    /// A `url` that is not `sqlite://PATH`, a file that cannot be opened or is damaged, or a schema newer than this program.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let path = path(url)?;
        let is_due = whole::is_due(&location::found_or_made(&path)?);
        let database = Self::connect(&path).await?;
        if is_due {
            whole::check(&mut *database.write.acquire().await?, &path).await?;
        }
        if let (_, 1..) = database.schema().await.map_err(|error| whole::explained(error, &path))? {
            return Err(OpenError::NewSchema(path));
        }
        MIGRATIONS.run(&database.write).await?;
        Ok(database)
    }

    /// Opens a database that a server has made, for a command that looks at it or changes a row.
    ///
    /// # Errors
    /// As [`Database::open`], when there is none, and when it has the schema of another version.
    pub async fn open_existing(url: &str) -> Result<Self, OpenError> {
        let path = path(url)?;
        let database = Self::connect(&path).await?;
        // A server of another version may be using it, and only a server changes the schema.
        match database.schema().await.map_err(|error| whole::explained(error, &path))? {
            (0, 0) => Ok(database),
            // A start that came to nothing leaves an empty file.
            (missing, 0) if missing == MIGRATIONS.iter().count() => Err(OpenError::Missing(path)),
            (0, _) => Err(OpenError::NewSchema(path)),
            (_, _) => Err(OpenError::OldSchema(path)),
        }
    }

    /// Looks at the database at `url` and changes nothing, not even an older schema: a server may be using it.
    ///
    /// # Errors
    /// As [`Database::open_existing`], and when it cannot be written.
    pub async fn inspect(url: &str) -> Result<Inspection, OpenError> {
        let path = path(url)?;
        let database = Self::connect(&path).await?;
        let tried = async { database.begin().await?.rollback().await };
        tried.await.map_err(|error| whole::explained(error, &path))?;
        let sqlite = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&database.write).await?;
        let (missing, unknown) = database.schema().await?;
        database.close().await;
        Ok(Inspection { sqlite, missing, unknown })
    }

    /// How many of our migrations the database lacks, and how many it has that we do not know.
    async fn schema(&self) -> Result<(usize, usize), Error> {
        let found: Option<i64> = sqlx::query_scalar(HAS_MIGRATIONS).fetch_optional(&self.write).await?;
        let applied: Vec<i64> = match found {
            Some(_) => sqlx::query_scalar(APPLIED).fetch_all(&self.write).await?,
            None => Vec::new(),
        };
        let missing = MIGRATIONS.iter().filter(|ours| !applied.contains(&ours.version)).count();
        let unknown = applied.iter().filter(|theirs| !MIGRATIONS.version_exists(**theirs)).count();
        Ok((missing, unknown))
    }

    /// Opens the file at `path`, or that a link there leads to.
    async fn connect(path: &Path) -> Result<Self, OpenError> {
        let options = options(&location::found(path)?);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(WRITER_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_release(|connection, _| Box::pin(is_usable(connection)))
            .connect_with(options.clone())
            .await
            .map_err(|error| whole::explained(error, path))?;
        let place = Arc::new(Place::of(path).map_err(Error::Io)?);
        let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&write).await?;
        if parse_version(&version) < OLDEST_SQLITE {
            return Err(OpenError::OldSqlite(version));
        }
        let readers = |most| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .acquire_timeout(WRITER_TIMEOUT)
                .connect_lazy_with(options.clone().read_only(true))
        };
        Ok(Database { write, read: readers(READERS), observe: readers(1), place })
    }

    /// Begins a write. It waits for its turn and holds the writer, so nothing slow may happen inside.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        // A deferred transaction that reads first can fail to become a writer; an immediate one is a writer at once.
        self.write.begin_with("BEGIN IMMEDIATE").await
    }

    /// Whether what was committed is where the next start will look for it.
    ///
    /// # Errors
    /// What became of the file.
    pub fn in_place(&self) -> Result<(), Displaced> {
        self.place.check()
    }

    /// The connection of those who only look on. However much they ask for, no worker waits for it.
    pub fn observer(&self) -> &SqlitePool {
        &self.observe
    }

    /// Connections that only read.
    pub fn read(&self) -> &SqlitePool {
        &self.read
    }

    /// Waits for statements under way and closes the file, which also folds the WAL back into it.
    pub async fn close(&self) {
        self.observe.close().await;
        self.read.close().await;
        self.write.close().await;
    }
}

/// What [`Database::inspect`] saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// SQLite's version.
    pub sqlite: String,
    /// Migrations that the next server will apply.
    pub missing: usize,
    /// Migrations of a newer version of this program.
    pub unknown: usize,
}

const HAS_MIGRATIONS: &str = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";

const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success";

/// Whether a writer that is given back has no transaction open.
///
/// On a full disk SQLite rolls a transaction back by itself. The driver's own rollback then fails and leaves it counting
/// a transaction that is no more, and every later one on that connection would be refused. A new connection is not.
async fn is_usable(connection: &mut Connection) -> Result<bool, Error> {
    // A rollback may still be on its way to the connection; this comes back after it.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Whether `error` is about the database's surroundings, which change by themselves: another process holds its lock, its
/// disk is full or fails, or the writer has no end of work.
pub fn will_pass(error: &Error) -> bool {
    // The low byte of SQLite's extended codes: busy, locked, I/O error, full, cannot open.
    const PASSING: [u32; 5] = [5, 6, 10, 13, 14];
    match error {
        Error::PoolTimedOut | Error::Io(_) => true,
        error => sqlite_code(error).is_some_and(|code| PASSING.contains(&code)),
    }
}

/// Whether another process holds the database's lock, and kept it for longer than is waited for.
pub fn is_locked(error: &Error) -> bool {
    matches!(sqlite_code(error), Some(5 | 6))
}

/// SQLite's primary code of an error.
fn sqlite_code(error: &Error) -> Option<u32> {
    let Error::Database(error) = error else { return None };
    error.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL syncs the WAL at each commit. NORMAL would lose acknowledged deliveries with the power.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .row_buffer_size(ROWS_READY)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("cache_size", CACHE_KIB)
        // A lock's token is a secret only while the lock is held. FAST overwrites what a row gives up where the page is
        // written anyway, so no copy or backup of the file holds old ones, and it costs no more writes.
        .pragma("secure_delete", "FAST")
}

fn parse_version(version: &str) -> [u32; 3] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_not_by_letter() {
        assert!(parse_version("3.51.3") >= OLDEST_SQLITE);
        assert!(parse_version("3.6.9") < OLDEST_SQLITE);
        assert!(parse_version("3.51.10") > OLDEST_SQLITE);
    }

    #[tokio::test]
    async fn a_command_leaves_the_schema_of_another_version_alone() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/docket.db", folder.path().display());
        let database = Database::open(&url).await.unwrap();
        sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 1").execute(&database.write).await.unwrap();
        let error = Database::open_existing(&url).await.unwrap_err();
        assert!(matches!(error, OpenError::OldSchema(_)), "{error}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_new_database_is_for_its_own_user_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let database =
            Database::open(&format!("sqlite://{}/docket.db", folder.path().display())).await.unwrap();
        database.begin().await.unwrap().rollback().await.unwrap();
        for file in ["docket.db", "docket.db-wal"] {
            let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{file}: {mode:o}");
        }
    }

    #[tokio::test]
    async fn a_database_that_no_server_made_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/none.db", folder.path().display());
        let error = Database::open_existing(&url).await.unwrap_err();
        assert!(error.to_string().contains("no database at"), "{error}");
    }

    #[tokio::test]
    async fn a_look_tells_the_schema_s_age_and_leaves_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/docket.db", folder.path().display());
        let database = Database::open(&url).await.unwrap();
        let seen = Database::inspect(&url).await.unwrap();
        assert_eq!((seen.missing, seen.unknown), (0, 0));
        for sql in
            ["DELETE FROM _sqlx_migrations", "INSERT INTO _sqlx_migrations VALUES (9999, 'x', 0, 1, x'', 0)"]
        {
            sqlx::query(sql).execute(&database.write).await.unwrap();
        }
        let seen = Database::inspect(&url).await.unwrap();
        assert_eq!((seen.missing, seen.unknown), (MIGRATIONS.iter().count(), 1));
    }
}
