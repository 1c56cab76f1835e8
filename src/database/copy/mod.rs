//! A whole database on its way into another one, of whichever engine: every row is copied, and then read on both sides and compared.
//!
//! ```text
//!   both alone ──▶ target empty, or unfinished ──▶ marked unfinished ──▶ rows ──▶ last numbers ──▶ compared ──▶ mark taken away
//! ```
//!
//! While the target is marked no program works on it, so a copy that was interrupted, or found a difference, leaves nothing that could be
//! taken for a database; the next copy empties it and begins anew. Rows are written as a server writes them, so that triggers keep
//! their numbers; what they keep is not copied, and compared all the same. The source is only read.

mod rows;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::error::Error;
use super::lane::Manner;
use super::open_error::OpenError;
use super::schema::{Purpose, UNFINISHED};
use super::server_lock::ServerLock;
use super::{Connection, Database, Settings, params, postgres, sqlite, statements};
use crate::contain::blocking;
use rows::{Reader, clear, count, is_same, write};
#[cfg(test)]
pub use tables::OWN;
use tables::{COUNTS, Form, Place, Statements, TABLES, Table};

/// What came of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    pub table: &'static str,
    /// Rows that were copied, each of which was read again on both sides.
    pub rows: u64,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The target is marked, and nothing is in it.
    Begun,
    Copying,
    Verifying,
}

/// Why a database was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("the database to copy from: {0}")]
    From(OpenError),
    #[error("the database to copy to: {0}")]
    To(OpenError),
    #[error("{0} is both the database to copy from and the one to copy to")]
    Same(String),
    #[error(
        "{place} holds rows already (table {table}), and nothing is copied over them: name a database that is new, or remove that one \
         (a file of SQLite with what begins with its name; DROP DATABASE in PostgreSQL) if it is not needed"
    )]
    NotEmpty { place: String, table: &'static str },
    #[error("{place} cannot be read ({error}); {UNDONE}")]
    Read { place: String, error: Error },
    #[error("{place} cannot be written ({error}); {UNDONE}")]
    Write { place: String, error: Error },
    #[error("a row of the table {table} is not the same in both (its key: {key}); {UNDONE}")]
    Differs { table: &'static str, key: String },
    #[error("another server has taken the database over that was copied from; {UNDONE}")]
    Followed,
}

/// What a failure leaves.
const UNDONE: &str = "what was copied is no database to work with, and no server starts on it: run the same command again, which begins \
                      anew";

impl Database {
    /// Copies all rows of the database `from` into `to`, which is made or brought up to date and must be empty, and compares them. `watch`
    /// is told how many of how many rows are done.
    ///
    /// # Errors
    /// A database that cannot be opened, or that somebody works on; a target with rows; rows that are not the same.
    pub async fn copy(
        from: &Settings,
        to: &Settings,
        watch: &mut (dyn FnMut(Phase, u64, u64) + Send),
    ) -> Result<Vec<Copied>, CopyError> {
        if from.place() == to.place() {
            return Err(CopyError::Same(from.place()));
        }
        // It has to be there, and of this version: nothing is made or changed there.
        let found = Database::open_existing(from).await.map_err(CopyError::From)?;
        found.close().await;
        let from_lock = ServerLock::take(from).await.map_err(CopyError::From)?;
        let source = Database::open_existing(from).await.map_err(CopyError::From)?;
        let filled = async {
            let lock = ServerLock::take_to_fill(to).await.map_err(CopyError::To)?;
            let target = open_to_fill(to, &lock).await.map_err(CopyError::To)?;
            let copy = Copy { source: &source, target: &target, places: (from.place(), to.place()) };
            let copied = copy.run(&from_lock, watch).await;
            target.close().await;
            copied
        };
        let copied = filled.await;
        source.close().await;
        if copied.is_ok() && to.is_postgres() {
            let to = to.clone();
            // It does so by itself, too, in a while.
            if let Err(error) = blocking(move || postgres::tidy(&to)).await {
                tracing::warn!(%error, "the database is copied, and PostgreSQL cannot be had to clear away what that left");
            }
        }
        copied
    }
}

async fn open_to_fill(to: &Settings, lock: &ServerLock) -> Result<Database, OpenError> {
    if to.is_postgres() {
        return Database::open_under(to, lock).await;
    }
    let url = to.url.clone();
    blocking(move || sqlite::open(&url, Purpose::Fill)).await
}

/// Two open databases.
struct Copy<'d> {
    source: &'d Database,
    target: &'d Database,
    /// For people.
    places: (String, String),
}

/// A table with the statements about it, and how many rows it has.
struct Part {
    table: Table,
    statements: Arc<Statements>,
    rows: u64,
}

impl Copy<'_> {
    async fn run(
        &self,
        from_lock: &ServerLock,
        watch: &mut (dyn FnMut(Phase, u64, u64) + Send),
    ) -> Result<Vec<Copied>, CopyError> {
        let mut parts = Vec::new();
        for table in TABLES {
            parts.push(self.part(*table).await?);
        }
        self.begin(&parts).await?;
        let all = parts.iter().map(|part| part.rows).sum();
        watch(Phase::Begun, 0, all);
        let mut done = 0;
        for part in &mut parts {
            part.rows = self.fill(part, &mut |rows| watch(Phase::Copying, done + rows, all)).await?;
            done += part.rows;
        }
        self.target.fold_counts().await.map_err(|error| self.unwritten(error))?;
        let (mut done, all) = (0, done);
        for part in &parts {
            self.verify(part, &mut |rows| watch(Phase::Verifying, done + rows, all)).await?;
            done += part.rows;
        }
        for table in COUNTS {
            self.verify(&self.part(*table).await?, &mut |_| {}).await?;
        }
        if from_lock.lost().is_cancelled() {
            return Err(CopyError::Followed);
        }
        self.end().await.map_err(|error| self.unwritten(error))?;
        Ok(parts.iter().map(|part| Copied { table: part.table.name, rows: part.rows }).collect())
    }

    async fn part(&self, table: Table) -> Result<Part, CopyError> {
        let name = table.name;
        let columns = move |connection: &mut Connection| connection.all::<String>(COLUMNS, params![name]);
        let columns = match table.place {
            Place::Database => self.source.read(columns).await,
            Place::Inbox => self.source.read_inbox(columns).await,
        };
        let statements = Arc::new(table.statements(&columns.map_err(|error| self.unread(error))?));
        let rows = count(self.source, table, &statements).await.map_err(|error| self.unread(error))?;
        Ok(Part { table, statements, rows })
    }

    /// Marks the target and sees to it that nothing is in it.
    async fn begin(&self, parts: &[Part]) -> Result<(), CopyError> {
        let failed = |error| self.unwritten(error);
        let is_marked: bool =
            self.target.read(|c| c.one(IS_MARKED, params![UNFINISHED])).await.map_err(failed)?;
        for part in parts.iter().filter(|_| !is_marked) {
            if count(self.target, part.table, &part.statements).await.map_err(failed)? > 0 {
                return Err(CopyError::NotEmpty { place: self.places.1.clone(), table: part.table.name });
            }
        }
        self.target.write(|tx| tx.run(MARK, params![UNFINISHED])).await.map_err(failed)?;
        for part in parts.iter().rev().filter(|_| is_marked) {
            clear(self.target, part.table, &part.statements).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Copies one table, and answers how many rows it had. While some rows are written the next are read.
    async fn fill(&self, part: &Part, told: &mut (dyn FnMut(u64) + Send)) -> Result<u64, CopyError> {
        let Part { table, statements, .. } = part;
        if table.name == MADE_BY_OTHERS {
            clear(self.target, *table, statements).await.map_err(|error| self.unwritten(error))?;
        }
        let mut reader = Reader::new(self.source, *table, statements.clone());
        let mut done = 0;
        let mut page = reader.next().await.map_err(|error| self.unread(error))?;
        while !page.is_empty() {
            done += page.len() as u64;
            let written = async {
                write(self.target, *table, statements, page).await.map_err(|error| self.unwritten(error))
            };
            let next = async { reader.next().await.map_err(|error| self.unread(error)) };
            ((), page) = tokio::try_join!(written, next)?;
            told(done);
        }
        if table.form == Form::Numbered {
            self.go_on_counting(part).await?;
        }
        Ok(done)
    }

    /// No number is given again, also none of a row that is gone.
    async fn go_on_counting(&self, part: &Part) -> Result<(), CopyError> {
        let Statements { last, forget_last, set_last, .. } = *part.statements;
        let last = move |c: &mut Connection| c.one::<i64>(last, params![]);
        let set = move |tx: &mut Connection, last: i64| {
            tx.run(forget_last, params![])?;
            tx.run(set_last, params![last]).map(drop)
        };
        match part.table.place {
            Place::Database => {
                let last = self.source.read(last).await.map_err(|error| self.unread(error))?;
                self.target.claim(move |tx| set(tx, last)).await
            }
            Place::Inbox => {
                let last = self.source.read_inbox(last).await.map_err(|error| self.unread(error))?;
                self.target.write_inbox(move |tx| set(tx, last)).await
            }
        }
        .map_err(|error| self.unwritten(error))
    }

    /// Reads a table on both sides and compares each row.
    async fn verify(&self, part: &Part, told: &mut (dyn FnMut(u64) + Send)) -> Result<(), CopyError> {
        let Part { table, statements, .. } = part;
        let mut read = Reader::new(self.source, *table, statements.clone());
        let mut written = Reader::new(self.target, *table, statements.clone());
        // Without what only says in which order the rows came.
        let columns = statements.columns;
        let mut done = 0;
        loop {
            let (source, target) = tokio::join!(read.peek(), written.peek());
            let source = source.map_err(|error| self.unread(error))?;
            let target = target.map_err(|error| self.unwritten(error))?;
            let differs =
                source.iter().zip(&target).position(|(read, written)| !is_same(read, written, columns));
            let both = source.len().min(target.len());
            let differs = differs.or((both == 0 && source.len() + target.len() > 0).then_some(0));
            if let Some(row) = differs {
                let row = source.get(row).or(target.get(row)).expect("one of them has it");
                return Err(CopyError::Differs { table: table.name, key: row.key(statements) });
            }
            let Some(last) = both.checked_sub(1) else { return Ok(()) };
            read.go_behind(&source[last]);
            written.go_behind(&target[last]);
            done += both as u64;
            told(done);
        }
    }

    /// Has all that was written on the disk, and takes the mark away.
    async fn end(&self) -> Result<(), Error> {
        self.target.inbox.writer.run(Manner::Durable, |_| Ok(())).await?;
        self.target.write(|tx| tx.run(UNMARK, params![UNFINISHED]).map(drop)).await
    }

    fn unread(&self, error: Error) -> CopyError {
        CopyError::Read { place: self.places.0.clone(), error }
    }

    fn unwritten(&self, error: Error) -> CopyError {
        CopyError::Write { place: self.places.1.clone(), error }
    }
}

/// Triggers of other tables make rows of it, also such as are gone.
const MADE_BY_OTHERS: &str = "run_object";

statements! {
    COLUMNS = "SELECT name FROM pragma_table_info($1)", postgres:
        "SELECT column_name::text FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position";
    IS_MARKED = "SELECT EXISTS (SELECT 1 FROM _sqlx_migrations WHERE version = $1)", postgres:
        "SELECT EXISTS (SELECT 1 FROM docket_migration WHERE version = $1)";
    MARK = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES ($1, 'a copy that is not finished', 1, x'', 0) ON CONFLICT DO NOTHING", postgres:
        "INSERT INTO docket_migration (version, name, checksum) VALUES ($1, 'a copy that is not finished', '') ON CONFLICT DO NOTHING";
    UNMARK = "DELETE FROM _sqlx_migrations WHERE version = $1", postgres:
        "DELETE FROM docket_migration WHERE version = $1";
}
