//! The database in the hands of another program, as a shell or a backup tool has it: by connections that are none of Docket's. It is
//! the one place in these tests that names the drivers. Which engine the tests are about is said by `DOCKET_TEST_ENGINE`: `postgres`,
//! `pooler` (the same behind pgbouncer), or else SQLite.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{LazyLock, Mutex};

use docket::database::{Database, Settings, Sql};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags, Result, params_from_iter};
use tokio::task::spawn_blocking;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::beside::PATIENCE;
use super::cluster::{cluster, pooler};

/// Whether the tests are about PostgreSQL.
pub fn is_postgres() -> bool {
    engine().is_some_and(|engine| engine == "postgres" || engine == "pooler")
}

/// Whether they are about PostgreSQL behind a pooler.
pub fn is_pooled() -> bool {
    engine().is_some_and(|engine| engine == "pooler")
}

fn engine() -> Option<std::ffi::OsString> {
    std::env::var_os("DOCKET_TEST_ENGINE")
}

/// The settings of the database at `url`.
pub fn settings(url: &str) -> Settings {
    Settings { pooler: is_pooled(), ..Settings::from(url) }
}

/// The URL of the database of whatever is kept in `folder`: the same one whenever it is asked for.
pub fn url_in(folder: &Path) -> String {
    static URLS: LazyLock<Mutex<HashMap<PathBuf, String>>> = LazyLock::new(Mutex::default);
    if !is_postgres() {
        return format!("sqlite://{}/docket.db", folder.display());
    }
    let mut urls = URLS.lock().unwrap();
    let make = || {
        let url = cluster().migrated(migrate);
        if is_pooled() { pooler().url(&url) } else { url }
    };
    urls.entry(folder.to_owned()).or_insert_with(make).clone()
}

/// These bytes in the words of the engine.
pub fn bytes(hex: &str) -> String {
    if is_postgres() { format!("'\\x{hex}'") } else { format!("x'{hex}'") }
}

/// The database at `url`, as a server opens it.
pub async fn opened(url: &str) -> Database {
    Database::open(settings(url)).await.unwrap()
}

/// Gives the database at `url` the schema.
pub fn migrate(url: &str) {
    let url = url.to_owned();
    let migrated = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Database::migrate(&url)).unwrap();
    });
    migrated.join().unwrap();
}

#[derive(Debug, Clone)]
pub enum DatabaseFile {
    Sqlite(PathBuf),
    Postgres(String),
}

/// One row of an answer, as text.
pub struct Cells(Vec<Option<String>>);

impl Cells {
    pub fn get<T: FromStr<Err: std::fmt::Debug>>(&self, place: usize) -> T {
        self.0[place].as_deref().expect("it is not NULL").parse().unwrap()
    }
}

impl DatabaseFile {
    /// What a `DATABASE_URL` names.
    pub fn of(url: &str) -> DatabaseFile {
        match url.strip_prefix("sqlite://") {
            Some(path) => DatabaseFile::Sqlite(path.into()),
            None => DatabaseFile::Postgres(url.to_owned()),
        }
    }

    /// The file of the inbox beside it; in PostgreSQL it is a table.
    pub fn inbox(&self) -> DatabaseFile {
        match self {
            DatabaseFile::Sqlite(path) => DatabaseFile::Sqlite(format!("{}-inbox", path.display()).into()),
            DatabaseFile::Postgres(url) => DatabaseFile::Postgres(url.clone()),
        }
    }

    /// The same, with the schema that a server makes.
    pub async fn made(url: &str) -> DatabaseFile {
        opened(url).await.close().await;
        DatabaseFile::of(url)
    }

    /// What `read` makes of each row.
    pub async fn rows<T: Send + 'static>(
        &self,
        sql: &str,
        mut read: impl FnMut(&Cells) -> T + Send + 'static,
    ) -> Vec<T> {
        let DatabaseFile::Postgres(url) = self else {
            let cells = move |connection: &Connection, sql: &str| {
                connection.prepare(sql)?.query_map((), cells)?.collect::<Result<Vec<_>>>()
            };
            return self.open(sql, cells).await.iter().map(read).collect();
        };
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let answer = async {
            let answer = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{error:?}: {sql}"));
            drop(client);
            answer
        };
        let (answer, _) = tokio::join!(answer, connection);
        let rows = answer.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some(Cells((0..row.len()).map(|place| row.get(place).map(str::to_owned)).collect()))
            }
            _ => None,
        });
        rows.map(|row| read(&row)).collect()
    }

    pub async fn texts(&self, sql: &str) -> Vec<String> {
        self.rows(sql, |row| row.get(0)).await
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.rows(sql, |row| row.get(0)).await[0]
    }

    /// Executes these statements in one transaction.
    pub async fn execute(&self, sql: &str) {
        if matches!(self, DatabaseFile::Postgres(_)) {
            self.rows(sql, |_| ()).await;
            return;
        }
        let whole = format!("BEGIN IMMEDIATE; {sql}; COMMIT");
        self.open(&whole, |connection, sql| connection.execute_batch(sql)).await;
    }

    /// Executes one statement with `values` for `$1` and so on, in SQLite.
    pub async fn execute_with<const N: usize>(&self, sql: &str, values: [impl Into<Value>; N]) {
        let values = values.map(Into::into);
        self.open(sql, |connection, sql| connection.execute(sql, params_from_iter(values))).await;
    }

    fn path(&self) -> PathBuf {
        let DatabaseFile::Sqlite(path) = self else { panic!("this is about a file of SQLite") };
        path.clone()
    }

    /// Takes the lock that `begin` asks for, of this file alone; in PostgreSQL that of the inbox, which nobody reads or writes then.
    pub async fn lock(&self, begin: &str) -> HeldLock {
        if let DatabaseFile::Postgres(url) = self {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute("BEGIN; LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE").await.unwrap();
            return HeldLock::Postgres(client);
        }
        let (path, begin) = (self.path(), begin.to_owned());
        let lock = spawn_blocking(move || {
            let connection = open_alone(&path)?;
            connection.execute_batch(&begin)?;
            Ok::<_, rusqlite::Error>(HeldLock::Sqlite(connection))
        });
        lock.await.unwrap().unwrap()
    }

    /// Waits for locks on another thread: who holds them may be a task of this one.
    async fn open<T: Send + 'static>(
        &self,
        sql: &str,
        work: impl FnOnce(&Connection, &str) -> Result<T> + Send + 'static,
    ) -> T {
        let (path, sql) = (self.path(), sql.to_owned());
        let done = spawn_blocking(move || {
            connect(&path).and_then(|connection| work(&connection, &sql)).map_err(|error| (error, sql))
        });
        done.await.unwrap().unwrap_or_else(|(error, sql)| panic!("{error}: {sql}"))
    }
}

fn cells(row: &rusqlite::Row<'_>) -> Result<Cells> {
    let columns = 0..row.as_ref().column_count();
    let text = |column| {
        Ok(match row.get_ref(column)? {
            ValueRef::Null => None,
            ValueRef::Integer(number) => Some(number.to_string()),
            ValueRef::Real(number) => Some(number.to_string()),
            ValueRef::Text(text) | ValueRef::Blob(text) => Some(String::from_utf8_lossy(text).into_owned()),
        })
    };
    Ok(Cells(columns.map(text).collect::<Result<_>>()?))
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
#[expect(dead_code, reason = "its connection holds the lock while it is open")]
pub enum HeldLock {
    Sqlite(Connection),
    Postgres(tokio_postgres::Client),
}

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
