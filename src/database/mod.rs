//! The door to the database. A module that reads or writes hands its statements to [`Database::read`] or [`Database::write`], which
//! run them on a thread that has a connection, own the transaction, and give back [`Error`], which says what follows. Each
//! module keeps the statements on its own tables in its `store.rs`; no other module names the driver.
//!
//! SQLite allows one writer at a time, and waiting for its lock means polling it. So there all writes of a process go through
//! one connection, in the order in which they were asked for, but that long ones let others go first; readers have connections of
//! their own. The inbox is a file of its own beside the database, with a writer of its own: no acknowledgement waits for a write to
//! the database. PostgreSQL has several writers at a time, and the inbox is a table with connections of its own.

pub mod claimed;
mod connection;
mod copy;
mod error;
mod lane;
mod lead;
mod open_error;
mod postgres;
mod row;
mod schema;
mod server_lock;
mod settings;
mod sqlite;
mod statement;
#[cfg(test)]
mod tests;
mod value;

use std::path::Path;
use std::sync::Arc;

use claimed::Claim;
pub use connection::Connection;
pub use copy::{Copied, CopyError, Phase};
pub use error::Error;
pub use lane::Posted;
use lane::{Lane, Manner};
pub use lead::{Role, ServerRow, spread, this_process};
pub use open_error::OpenError;
pub use postgres::Timed;
pub use row::{FromRow, Row, from_row};
use schema::Purpose;
pub use schema::{Schema, Standing};
pub use server_lock::ServerLock;
pub use settings::Settings;
pub use sqlite::{Backup, Displaced, INBOX_SUFFIX, Restored, beside, path, relative_to};
pub use statement::{Sql, statements};
#[cfg(test)]
pub use tests::{in_memory, in_postgres, prepare, steps};
pub use value::{Column, JsonList, Param, json_list, params};

use prometheus_client::metrics::histogram::Histogram;

use crate::contain::blocking;
use crate::request_id;

/// The database of one Docket. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Database {
    main: Arc<Lanes>,
    inbox: Arc<Lanes>,
    observer: Arc<Lane>,
    engine: Arc<Engine>,
}

/// Who works on the tables of one file, or on those of the database or of its inbox.
#[derive(Debug)]
struct Lanes {
    writer: Lane,
    readers: Lane,
}

/// What keeps the rows.
#[derive(Debug)]
enum Engine {
    Sqlite(sqlite::Files),
    Postgres {
        /// The replica that this process is, if it is one.
        replica: Option<i64>,
    },
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

/// What [`Database::inspect`] saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Which engine it is, and its version.
    pub engine: String,
    pub schema: Schema,
    /// What a PostgreSQL server is set to.
    pub durability: Option<Durability>,
}

/// What decides in PostgreSQL what a crash or a failover leaves of what was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    pub fsync: bool,
    pub full_page_writes: bool,
    pub synchronous_commit: String,
    /// The standbys that a commit waits for, as `synchronous_standby_names` has them.
    pub synchronous_standbys: String,
    /// Standbys that are connected now.
    pub standbys: i64,
    /// Indexes that were not made to their end.
    pub invalid_indexes: Vec<String>,
}

impl Database {
    /// Opens the database for a server, and brings its schema up to date; makes a file that is missing. Of PostgreSQL it waits while
    /// another process does so, or until one does where the settings leave it to `docket migrate`.
    ///
    /// # Errors
    /// A URL that names none, a database that cannot be opened or is damaged, or a schema newer than this program.
    pub async fn open(settings: impl Into<Settings>) -> Result<Self, OpenError> {
        let settings = settings.into();
        if !settings.is_postgres() {
            return blocking(move || sqlite::open(&settings.url, Purpose::Work)).await;
        }
        let server = postgres::Server::of(&settings)?;
        postgres::wait_for_schema(&server, settings.migrate, Purpose::Work).await?;
        blocking(move || postgres::serve(server)).await
    }

    /// As [`Database::open`], for whoever holds `lock`: when others have taken over what it did, nothing is written.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn open_under(settings: impl Into<Settings>, lock: &ServerLock) -> Result<Self, OpenError> {
        let ServerLock::Replica(replica) = lock else { return Database::open(settings).await };
        let server = postgres::Server::of(&settings.into())?;
        server.fence().set(replica);
        blocking(move || postgres::serve(server)).await
    }

    /// Opens a database that a server has made, for a command that looks at it or changes a row.
    ///
    /// # Errors
    /// As [`Database::open`], when there is none, and when it has the schema of another version.
    pub async fn open_existing(settings: impl Into<Settings>) -> Result<Self, OpenError> {
        let settings = settings.into();
        if !settings.is_postgres() {
            return blocking(move || sqlite::open_existing(&settings.url)).await;
        }
        let server = postgres::Server::of(&settings)?;
        blocking(move || {
            postgres::as_of_this_version(&server)?;
            postgres::serve(server)
        })
        .await
    }

    /// Brings the schema up to date, and does nothing else.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn migrate(settings: impl Into<Settings>) -> Result<(), OpenError> {
        let settings = settings.into();
        if settings.is_postgres() {
            let server = postgres::Server::of(&settings)?;
            return postgres::wait_for_schema(&server, true, Purpose::Work).await;
        }
        let _lock = ServerLock::take(&settings).await?;
        Database::open(settings).await?.close().await;
        Ok(())
    }

    /// Looks at the database and changes nothing, not even an older schema: a server may be using it.
    ///
    /// # Errors
    /// As [`Database::open_existing`], and when it cannot be written.
    pub async fn inspect(settings: impl Into<Settings>) -> Result<Inspection, OpenError> {
        let settings = settings.into();
        if !settings.is_postgres() {
            return blocking(move || sqlite::inspect(&settings.url)).await;
        }
        let server = postgres::Server::of(&settings)?;
        blocking(move || postgres::inspect(&server)).await
    }

    /// Writes the database's files anew: without what is free in them, and so that they give back by themselves what becomes free.
    /// Nothing may use them meanwhile, and the disk needs room for a second one. Answers their bytes before and after.
    ///
    /// # Errors
    /// As [`Database::open_existing`], and when there is no room.
    pub async fn compact(url: &str) -> Result<(u64, u64), OpenError> {
        if settings::is_postgres(url) {
            return Err(OpenError::NoFile);
        }
        let url = url.to_owned();
        blocking(move || sqlite::compact(&url)).await
    }

    /// Copies the database's file to `to`, where nothing may be; a server may be using it.
    ///
    /// # Errors
    /// As [`Database::open_existing`], and when the copy cannot be written.
    pub async fn back_up(url: &str, to: &Path) -> Result<Backup, OpenError> {
        if settings::is_postgres(url) {
            return Err(OpenError::NoFile);
        }
        let (url, to) = (url.to_owned(), to.to_owned());
        blocking(move || sqlite::back_up(&url, &to)).await
    }

    /// Puts such a copy in the place of the database's file, which goes aside. Nothing may use it meanwhile.
    ///
    /// # Errors
    /// A copy that is not whole or not of a version that can be worked with, and what the disk refuses.
    pub async fn put_back(url: &str, from: &Path) -> Result<Restored, OpenError> {
        if settings::is_postgres(url) {
            return Err(OpenError::NoFile);
        }
        let (url, from) = (url.to_owned(), from.to_owned());
        blocking(move || sqlite::put_back(&url, &from)).await
    }

    /// Does `work` in one transaction that writes, and commits it. It waits for its turn and holds a writer, in SQLite the only one, so
    /// nothing slow may happen inside; what must not be waited for cannot. An error, or a panic, takes back all that it did.
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
    /// power fail before the next write that does wait. Of what was written, such a failure leaves a first part and no gap. PostgreSQL may
    /// fail alone, and whoever writes goes on: there it waits all the same.
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
        let (request, claim) = (request_id::current(), self.claim_in_hand());
        let work = move |tx: &mut Connection| {
            claim.map_or(Ok(()), |claim| tx.holds(claim))?;
            work(tx)
        };
        self.main.writer.run(manner, move |tx| request_id::within(request.clone(), || work(tx))).await
    }

    /// The job that the calling task works on, where others may have it since.
    fn claim_in_hand(&self) -> Option<Claim> {
        claimed::current().filter(|_| self.replica().is_some())
    }

    /// As [`Database::write_unsynced`], for taking rows of a queue. Where several take at once, each sees what the others have
    /// committed at each of its statements, and nothing that it read before holds when it writes: the statement that takes a row has to
    /// ask for all that must be so.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn claim<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.write_in(Manner::Claim, work).await
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
        let claim = self.claim_in_hand();
        let work = move |tx: &mut Connection, others_wait: &dyn Fn() -> bool| {
            claim.map_or(Ok(()), |claim| tx.holds(claim))?;
            work(tx, others_wait)
        };
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

    /// Whether what is deleted can be overwritten ([`Database::shed`]). PostgreSQL does so when it uses the space again, which nobody
    /// can wait for.
    pub fn overwrites(&self) -> bool {
        matches!(*self.engine, Engine::Sqlite(_))
    }

    /// Gives every page that nothing uses back to the disk, and empties both WALs: no byte of what was deleted is left in them. Does
    /// nothing where that cannot be ([`Database::overwrites`]).
    ///
    /// # Errors
    /// The database's.
    pub async fn shed(&self) -> Result<Shed, Error> {
        let some = |tx: &mut Connection| tx.give_back(PAGES);
        while self.write(some).await? + self.write_inbox(some).await? > 0 {}
        let free_pages =
            self.read(Connection::free_pages).await? + self.read_inbox(Connection::free_pages).await?;
        let is_folded = match &*self.engine {
            Engine::Sqlite(files) => blocking(files.fold()).await?,
            Engine::Postgres { .. } => true,
        };
        Ok(Shed { is_folded, free_pages })
    }

    /// Whether the numbers that are kept are kept as changes, which [`Database::fold_counts`] puts together.
    pub fn keeps_changes(&self) -> bool {
        matches!(*self.engine, Engine::Postgres { .. })
    }

    /// Puts together what has gathered of the numbers that are kept, where they are kept as changes. Now and then, or asking for one takes
    /// ever longer.
    ///
    /// # Errors
    /// The database's.
    pub async fn fold_counts(&self) -> Result<(), Error> {
        if self.keeps_changes() {
            while !self.claim(postgres::fold).await? {}
        }
        Ok(())
    }

    /// Whether what was committed is where the next start will look for it.
    ///
    /// # Errors
    /// What became of the file.
    pub fn in_place(&self) -> Result<(), Displaced> {
        match &*self.engine {
            Engine::Sqlite(files) => files.in_place(),
            Engine::Postgres { .. } => Ok(()),
        }
    }

    /// How long work has waited for its turn at each kind of connection.
    pub fn waits(&self) -> [(&'static str, Histogram); 5] {
        let Lanes { writer, readers } = &*self.main;
        let Lanes { writer: keeper, readers: inbox } = &*self.inbox;
        [
            ("write", writer.waits()),
            ("read", readers.waits()),
            ("inbox_write", keeper.waits()),
            ("inbox_read", inbox.waits()),
            ("observe", self.observer.waits()),
        ]
    }

    /// Waits for work under way and closes the files, which also folds their WALs back into them.
    pub async fn close(&self) {
        self.observer.close().await;
        for lanes in [&self.inbox, &self.main] {
            lanes.readers.close().await;
            lanes.writer.close().await;
        }
    }
}
