//! The database's file in the hands of another program, as a shell or a backup tool has it: by connections that are none of
//! Docket's. It is the one place in these tests that names the driver.

use std::path::PathBuf;

use docket::database::{Database, Sql};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Result, Row, params_from_iter};
use tokio::task::spawn_blocking;

use super::beside::PATIENCE;

#[derive(Debug, Clone)]
pub struct DatabaseFile(PathBuf);

impl DatabaseFile {
    /// The file that a `DATABASE_URL` names.
    pub fn of(url: &str) -> DatabaseFile {
        DatabaseFile(url.strip_prefix("sqlite://").expect("every test's database is SQLite's").into())
    }

    /// The file of the inbox beside it.
    pub fn inbox(&self) -> DatabaseFile {
        DatabaseFile(format!("{}-inbox", self.0.display()).into())
    }

    /// The same, with the schema that a server makes.
    pub async fn made(url: &str) -> DatabaseFile {
        Database::open(url).await.unwrap().close().await;
        DatabaseFile::of(url)
    }

    /// What `read` makes of each row.
    pub async fn rows<T: Send + 'static>(
        &self,
        sql: &str,
        mut read: impl FnMut(&Row<'_>) -> Result<T> + Send + 'static,
    ) -> Vec<T> {
        self.open(sql, move |connection, sql| {
            connection.prepare(sql)?.query_map((), |row| read(row))?.collect()
        })
        .await
    }

    pub async fn texts(&self, sql: &str) -> Vec<String> {
        self.rows(sql, |row| row.get(0)).await
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.open(sql, |connection, sql| connection.query_row(sql, (), |row| row.get(0))).await
    }

    /// Executes these statements in one transaction.
    pub async fn execute(&self, sql: &str) {
        let whole = format!("BEGIN IMMEDIATE; {sql}; COMMIT");
        self.open(&whole, |connection, sql| connection.execute_batch(sql)).await;
    }

    /// Executes one statement with `values` for `$1` and so on.
    pub async fn execute_with<const N: usize>(&self, sql: &str, values: [impl Into<Value>; N]) {
        let values = values.map(Into::into);
        self.open(sql, |connection, sql| connection.execute(sql, params_from_iter(values))).await;
    }

    /// Takes the lock that `begin` asks for, of this file alone.
    pub async fn lock(&self, begin: &str) -> HeldLock {
        let (path, begin) = (self.0.clone(), begin.to_owned());
        let lock = spawn_blocking(move || {
            let connection = open_alone(&path)?;
            connection.execute_batch(&begin)?;
            Ok::<_, rusqlite::Error>(HeldLock(connection))
        });
        lock.await.unwrap().unwrap()
    }

    /// Waits for locks on another thread: who holds them may be a task of this one.
    async fn open<T: Send + 'static>(
        &self,
        sql: &str,
        work: impl FnOnce(&Connection, &str) -> Result<T> + Send + 'static,
    ) -> T {
        let (path, sql) = (self.0.clone(), sql.to_owned());
        let done = spawn_blocking(move || {
            connect(&path).and_then(|connection| work(&connection, &sql)).map_err(|error| (error, sql))
        });
        done.await.unwrap().unwrap_or_else(|(error, sql)| panic!("{error}: {sql}"))
    }
}

/// For looking: it opens the file that is there and makes none.
fn open_alone(path: &PathBuf) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// With the inbox's table under its own name.
fn connect(path: &PathBuf) -> Result<Connection> {
    let connection = open_alone(path)?;
    let inbox = format!("{}-inbox", path.display());
    if std::fs::exists(&inbox).unwrap_or(false) {
        connection.execute("ATTACH $1 AS deliveries", [inbox])?;
    }
    Ok(connection)
}

/// The database's lock. It is held until this is dropped.
pub struct HeldLock(
    #[expect(dead_code, reason = "its connection holds the lock while it is open")] Connection,
);

/// Lets SQLite fail as it does when the disk is full: no file grows beyond what it is.
pub async fn fill_disk(database: &Database) {
    limit_pages(database, Sql::listed("PRAGMA max_page_count = 1")).await;
}

/// Gives the space back.
pub async fn free_disk(database: &Database) {
    limit_pages(database, Sql::listed("PRAGMA max_page_count = 4294967294")).await;
}

/// The limit is the writer's own, and SQLite takes none below what the file has already.
async fn limit_pages(database: &Database, limit: Sql) {
    let limit = move |tx: &mut docket::database::Connection| tx.one::<i64>(limit, &[]);
    database.write(limit).await.unwrap();
    database.write_inbox(limit).await.unwrap();
}
