//! The door to the database. A module that reads or writes hands its statements to [`Database::read`] or [`Database::write`], which
//! run them on a thread that has a connection, own the transaction, and give back [`Error`], which says what follows. Each
//! module keeps the statements on its own tables in its `store.rs`; no other module names the driver.
//!
//! SQLite allows one writer at a time, and waiting for its lock means polling it. So all writes of a process go through
//! one connection, in the order in which they were asked for, but that long ones let others go first; readers have connections of
//! their own. The inbox is a file of its own beside the database, with a writer of its own: no acknowledgement waits for a write to
//! the database.

mod apart;
mod connection;
mod error;
#[cfg(test)]
mod kept;
mod lane;
mod location;
mod lock;
mod migrate;
mod open;
mod open_error;
mod place;
#[cfg(test)]
mod plan;
mod whole;

use std::path::Path;
use std::sync::Arc;

pub use connection::{Column, Connection, FromRow, Param, Row, Sql, from_row, json_list, params, statements};
#[cfg(test)]
pub use connection::{in_memory, prepare, steps};
pub use error::Error;
pub use lane::Posted;
use lane::{Access, Lane, Manner};
pub use location::{beside, path, relative_to};
pub use lock::ServerLock;
use migrate::{INBOX, MAIN, Schema};
pub use open::INBOX_SUFFIX;
use open::{as_of_this_version, compact, connect, fold, inbox_path, open_file, open_whole};
pub use open_error::OpenError;
pub use place::Displaced;
use place::Place;

use crate::contain::blocking;
use crate::request_id;

/// Readers are commands, health checks and look-ups beside the work; they never hold a connection for long.
const READERS: usize = 4;

/// The database of one Docket. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Database {
    main: Arc<Store>,
    inbox: Arc<Store>,
    observer: Arc<Lane>,
}

/// Pages given back in one transaction. Each may have to be moved first, and what is written to the file waits meanwhile.
const PAGES: u32 = 64;

/// What came of [`Database::shed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shed {
    /// Nothing is left in the WALs; a reader may keep one for a moment.
    pub is_folded: bool,
    /// Pages that a file made by an early version cannot give back.
    pub free_pages: i64,
}

/// One file, and who works on it.
#[derive(Debug)]
struct Store {
    writer: Lane,
    readers: Lane,
    place: Place,
}

impl Database {
    /// Opens the database at `url`, makes it when it is missing, and brings its schema up to date.
    ///
    /// # Errors
    /// A `url` that is not `sqlite://PATH`, a file that cannot be opened or is damaged, or a schema newer than this program.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let path = path(url)?;
        blocking(move || {
            let mut main = open_whole(&path, &MAIN)?;
            let beside = inbox_path(&path)?;
            let mut inbox = open_whole(&beside, &INBOX)?;
            INBOX.apply(&mut inbox)?;
            apart::copy_inbox(&main, &mut inbox)?;
            MAIN.apply(&mut main)?;
            Self::serve((&path, main), (&beside, inbox))
        })
        .await
    }

    /// Opens a database that a server has made, for a command that looks at it or changes a row.
    ///
    /// # Errors
    /// As [`Database::open`], when there is none, and when it has the schema of another version.
    pub async fn open_existing(url: &str) -> Result<Self, OpenError> {
        let path = path(url)?;
        blocking(move || {
            let main = connect(&path)?;
            as_of_this_version(&main, &MAIN, &path)?;
            let beside = inbox_path(&path)?;
            let inbox = connect(&beside)?;
            as_of_this_version(&inbox, &INBOX, &beside)?;
            Self::serve((&path, main), (&beside, inbox))
        })
        .await
    }

    /// Looks at the database at `url` and changes nothing, not even an older schema: a server may be using it.
    ///
    /// # Errors
    /// As [`Database::open_existing`], and when it cannot be written.
    pub async fn inspect(url: &str) -> Result<Inspection, OpenError> {
        let path = path(url)?;
        blocking(move || {
            let connection = connect(&path)?;
            let tried = connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK");
            tried.map_err(|error| whole::explained(error.into(), &path))?;
            let Schema { missing, unknown } = MAIN.schema(&connection)?;
            Ok(Inspection { sqlite: rusqlite::version().to_owned(), missing, unknown })
        })
        .await
    }

    /// Writes the database's files anew: without what is free in them, and so that they give back by themselves what becomes free.
    /// Nothing may use them meanwhile, and the disk needs room for a second one. Answers their bytes before and after.
    ///
    /// # Errors
    /// As [`Database::open_existing`], and when there is no room.
    pub async fn compact(url: &str) -> Result<(u64, u64), OpenError> {
        let path = path(url)?;
        blocking(move || {
            let (mut before, mut after) = (0, 0);
            for path in [inbox_path(&path)?, path] {
                let bytes = compact(&path)?;
                (before, after) = (before + bytes.0, after + bytes.1);
            }
            Ok((before, after))
        })
        .await
    }

    fn serve(
        main: (&Path, rusqlite::Connection),
        inbox: (&Path, rusqlite::Connection),
    ) -> Result<Self, OpenError> {
        let (path, _) = main;
        let observer = lane(path, Access::Read, 1, None)?;
        Ok(Database {
            main: Arc::new(Store::serve(main.0, main.1)?),
            inbox: Arc::new(Store::serve(inbox.0, inbox.1)?),
            observer: Arc::new(observer),
        })
    }

    /// Does `work` in one transaction that writes, and commits it. It waits for its turn and holds the only writer, so nothing
    /// slow may happen inside; what must not be waited for cannot. An error, or a panic, takes back all that it did.
    ///
    /// What it asks for is asked for by the request that the caller works for ([`request_id`]).
    ///
    /// It is done once, or again from the start where the database asks for that, so it changes nothing but rows.
    ///
    /// # Errors
    /// Those of `work`, and of the commit.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.write_in(Manner::Durable, work).await
    }

    /// As [`Database::write`], but it does not wait for the disk: for what nothing outside learns of, and is done again should the
    /// power fail before the next write that does wait. Of what was written, such a failure leaves a first part and no gap.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn write_unsynced<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.write_in(Manner::Repeatable, work).await
    }

    async fn write_in<T: Send + 'static>(
        &self,
        manner: Manner,
        work: impl Fn(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let request = request_id::current();
        self.main.writer.run(manner, move |tx| request_id::within(request.clone(), || work(tx))).await
    }

    /// As [`Database::write_unsynced`], for long work that lets others go first. It is told whether others wait now, and does so
    /// much of it that they do not wait for long.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn write_behind<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection, &dyn Fn() -> bool) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.main.writer.run_behind(work).await
    }

    /// Does `work`, which only reads, in one view of all tables.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.main.readers.run(Manner::Repeatable, work).await
    }

    /// As [`Database::read`], for those who only look on. However much they ask for, no worker waits for it.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn observe<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.observer.run(Manner::Repeatable, work).await
    }

    /// As [`Database::write_unsynced`], in the inbox. Nothing that is written to the database holds it up.
    ///
    /// # Errors
    /// Those of `work`, and of the commit.
    pub async fn write_inbox<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.inbox.writer.run(Manner::Repeatable, work).await
    }

    /// Has `posted` done in the inbox, synced, and what follows from it on the inbox's thread.
    ///
    /// # Errors
    /// It was not taken, and nothing becomes of it.
    pub fn post_inbox(&self, posted: impl Posted) -> Result<(), Error> {
        self.inbox.writer.post(posted)
    }

    /// As [`Database::read`], in the inbox.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn read_inbox<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.inbox.readers.run(Manner::Repeatable, work).await
    }

    /// Gives every page that nothing uses back to the disk, and empties both WALs: no byte of what was deleted is left in them.
    ///
    /// # Errors
    /// The database's.
    pub async fn shed(&self) -> Result<Shed, Error> {
        let some = |tx: &mut Connection| tx.give_back(PAGES);
        while self.write(some).await? + self.write_inbox(some).await? > 0 {}
        let free_pages =
            self.read(Connection::free_pages).await? + self.read_inbox(Connection::free_pages).await?;
        let paths = [self.main.place.path().to_owned(), self.inbox.place.path().to_owned()];
        let folded = blocking(move || -> Result<bool, Error> {
            let mut folded = true;
            for path in paths {
                folded &= fold(&path)?;
            }
            Ok(folded)
        });
        Ok(Shed { is_folded: folded.await?, free_pages })
    }

    /// Whether what was committed is where the next start will look for it.
    ///
    /// # Errors
    /// What became of the file.
    pub fn in_place(&self) -> Result<(), Displaced> {
        self.inbox.place.check()?;
        self.main.place.check()
    }

    /// Waits for work under way and closes the files, which also folds their WALs back into them.
    pub async fn close(&self) {
        self.observer.close().await;
        for store in [&self.inbox, &self.main] {
            store.readers.close().await;
            store.writer.close().await;
        }
    }
}

impl Store {
    /// Serves the file at `path`, on which `writer` is open.
    fn serve(path: &Path, writer: rusqlite::Connection) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Place { path: path.to_owned(), source };
        Ok(Store {
            writer: lane(path, Access::Write, 1, Some(Connection::new(writer)))?,
            readers: lane(path, Access::Read, READERS, None)?,
            place: Place::of(path).map_err(failed)?,
        })
    }
}

/// A lane of so many threads to the file at `path`.
fn lane(path: &Path, access: Access, threads: usize, first: Option<Connection>) -> Result<Lane, OpenError> {
    let real = location::found(path)?;
    let open = move || Ok(Connection::new(open_file(&real, access)?));
    let name = if access == Access::Write { "db-write" } else { "db-read" };
    let failed = |source| OpenError::Place { path: path.to_owned(), source };
    Lane::new(name, access, threads, first, open).map_err(failed)
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

#[cfg(test)]
mod tests {
    use super::*;

    impl Database {
        /// Runs a statement that no list has, outside a transaction.
        pub(super) async fn statement(&self, sql: &'static str) {
            let path = self.main.place.path().to_owned();
            blocking(move || open_file(&path, Access::Write).unwrap().execute_batch(sql).unwrap()).await;
        }
    }

    async fn new(folder: &tempfile::TempDir) -> (String, Database) {
        let url = format!("sqlite://{}/docket.db", folder.path().display());
        let database = Database::open(&url).await.unwrap();
        (url, database)
    }

    #[tokio::test]
    async fn a_command_leaves_the_schema_of_another_version_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (url, database) = new(&folder).await;
        database.statement("DELETE FROM _sqlx_migrations WHERE version = 1").await;
        let error = Database::open_existing(&url).await.unwrap_err();
        assert!(matches!(error, OpenError::OldSchema(_)), "{error}");
    }

    /// Fills some megabytes of the file and frees them again.
    async fn use_and_free(database: &Database) {
        database.statement("CREATE TABLE filling (bytes BLOB)").await;
        database
            .statement("INSERT INTO filling SELECT zeroblob(1000000) FROM (VALUES (1), (2), (3), (4))")
            .await;
        database.statement("DROP TABLE filling").await;
    }

    #[tokio::test]
    async fn a_new_database_gives_space_back_and_an_old_one_once_it_is_compacted() {
        let folder = tempfile::tempdir().unwrap();
        let (url, database) = new(&folder).await;
        use_and_free(&database).await;
        let free = database.read(Connection::free_pages).await.unwrap();
        assert!(free > 900, "{free}");
        assert_eq!(database.write(|tx| tx.give_back(100)).await.unwrap(), 100);
        assert_eq!(database.read(Connection::free_pages).await.unwrap(), free - 100);
        database.close().await;

        let old = folder.path().join("old.db");
        rusqlite::Connection::open(&old).unwrap().execute_batch("CREATE TABLE first (number)").unwrap();
        let url = url.replace("docket.db", "old.db");
        let database = Database::open(&url).await.unwrap();
        use_and_free(&database).await;
        assert_eq!(database.write(|tx| tx.give_back(100)).await.unwrap(), 0);
        database.close().await;
        let (before, after) = Database::compact(&url).await.unwrap();
        assert!(before > 4_000_000 && after < 1_000_000, "{before} {after}");
        assert!(std::fs::metadata(&old).unwrap().len() < after);
        let database = Database::open_existing(&url).await.unwrap();
        use_and_free(&database).await;
        assert_eq!(database.write(|tx| tx.give_back(100)).await.unwrap(), 100);
    }

    #[tokio::test]
    async fn no_byte_of_what_was_deleted_is_left_in_a_file_that_shed_it() {
        const SECRET: &[u8] = b"what is not to be found again";
        let folder = tempfile::tempdir().unwrap();
        let (_, database) = new(&folder).await;
        let holding = || {
            let files = std::fs::read_dir(folder.path()).unwrap();
            let bytes = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
            bytes.filter(|bytes| bytes.windows(SECRET.len()).any(|some| some == SECRET)).count()
        };
        database.statement("CREATE TABLE secret (number INTEGER PRIMARY KEY, text TEXT)").await;
        let fill = "
            INSERT INTO secret (text)
            SELECT replace(hex(zeroblob(value * 300)), '00', 'what is not to be found again')
            FROM json_each('[1, 2, 3, 4, 5, 6, 7, 8, 9]');";
        database.statement(fill).await;
        database.statement("UPDATE secret SET text = 'x' || text").await;
        assert!(holding() > 0);
        const DELETE: Sql = Sql::listed("DELETE FROM secret");
        database.write(|tx| tx.overwriting(|tx| tx.run(DELETE, &[]))).await.unwrap();
        let shed = database.shed().await.unwrap();
        assert_eq!((shed, holding()), (Shed { is_folded: true, free_pages: 0 }, 0));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_new_database_is_for_its_own_user_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (_, database) = new(&folder).await;
        database.write(|_| Ok(())).await.unwrap();
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
        let (url, database) = new(&folder).await;
        let seen = Database::inspect(&url).await.unwrap();
        assert_eq!((seen.missing, seen.unknown), (0, 0));
        database
            .statement(
                "DELETE FROM _sqlx_migrations; INSERT INTO _sqlx_migrations VALUES (9999, 'x', 0, 1, x'', 0)",
            )
            .await;
        let seen = Database::inspect(&url).await.unwrap();
        assert_eq!((seen.missing, seen.unknown), (MAIN.count(), 1));
    }
}
