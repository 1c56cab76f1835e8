//! Looks into Docket's database from outside, beside the server or after it was killed. What a benchmark has to know of the
//! schema stands here.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use docket::database::INBOX_SUFFIX;
use rusqlite::{Connection, OpenFlags, Statement};

use crate::load;
use crate::server::UNCOVERED;

/// What the settings of a measured Docket call its file.
pub const DATABASE: &str = "docket.db";

/// A checkpoint may hold the file's lock for a moment.
const BUSY: Duration = Duration::from_secs(5);

/// Which deliveries of one set are in the database.
pub struct Kept {
    /// How often each is there as an event: once at most, or the key would not be one.
    events: Vec<u8>,
    /// How often each waits in the inbox.
    inbox: Vec<u8>,
    /// Rows of the inbox, whatever they are.
    pub waiting: usize,
}

impl Kept {
    /// Looks for the `count` deliveries that were signed as `name`'s.
    pub fn find(folder: &Path, name: &str, count: usize) -> anyhow::Result<Kept> {
        let mut kept = Kept { events: vec![0; count], inbox: vec![0; count], waiting: 0 };
        each_text(&having(folder, "event")?, "SELECT event_id FROM event", |event_id| {
            add(&mut kept.events, load::number(name, event_id));
        })?;
        each_text(&having(folder, "inbox")?, "SELECT CAST(body AS TEXT) FROM inbox", |body| {
            kept.waiting += 1;
            let id = body.split("\"event_id\":\"").nth(1).and_then(|rest| rest.split('"').next());
            add(&mut kept.inbox, id.and_then(|id| load::number(name, id)));
        })?;
        Ok(kept)
    }

    /// Whether the delivery is there at all.
    pub fn has(&self, number: u32) -> bool {
        let number = number as usize;
        self.events[number] + self.inbox[number] > 0
    }

    /// How many are there more than once. An event whose row waits in the inbox as well is there once: the inbox has a file of
    /// its own, and the next start takes the row for what is known.
    pub fn more_than_once(&self) -> usize {
        self.events.iter().zip(&self.inbox).filter(|(events, inbox)| **events > 1 || **inbox > 1).count()
    }
}

fn add(times: &mut [u8], number: Option<usize>) {
    if let Some(times) = number.and_then(|number| times.get_mut(number)) {
        *times = times.saturating_add(1);
    }
}

/// Calls `each` with the one column of every row.
pub fn each_text(database: &Connection, sql: &str, mut each: impl FnMut(&str)) -> rusqlite::Result<()> {
    let mut statement = database.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(row.get_ref(0)?.as_str()?);
    }
    Ok(())
}

/// Rows of the inbox that wait for the drain.
pub fn waiting(inbox: &Connection) -> rusqlite::Result<i64> {
    inbox.query_row("SELECT coalesce(max(inbox_id) - min(inbox_id) + 1, 0) FROM inbox", [], |row| row.get(0))
}

/// Puts so many deliveries into the inbox that no rule covers, as if they had been acknowledged. No server may run.
pub fn fill_inbox(folder: &Path, rows: usize) -> anyhow::Result<()> {
    let inbox = having(folder, "inbox")?;
    inbox.execute(FILL_INBOX, (i64::try_from(rows)?, UNCOVERED))?;
    Ok(())
}

const FILL_INBOX: &str = r#"
    WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ?1)
    INSERT INTO inbox (received_at, signed_at, scheme, secret_index, headers, body)
    SELECT unixepoch() * 1000, unixepoch() * 1000, 'fastio_v1_base64', 0, '{}', CAST(
        printf('{"event_id":"evt_waits_%d","event":"workspace_storage_file_updated","created":"2026-11-26 17:00:00 UTC",'
            || '"workspace_id":"%s","object_id":"2waits-%d"}', number, ?2, number) AS BLOB)
    FROM numbers"#;

/// Opens the database's file in `folder` that has this table.
pub fn having(folder: &Path, table: &str) -> anyhow::Result<Connection> {
    for name in [DATABASE.to_owned(), format!("{DATABASE}{INBOX_SUFFIX}")] {
        // Written to only by SQLite itself, which has to take up what a killed server left in its log.
        let database = Connection::open_with_flags(folder.join(name), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        database.busy_timeout(BUSY)?;
        if database.table_exists(None, table)? {
            return Ok(database);
        }
    }
    anyhow::bail!("no database in {} has a table {table}", folder.display())
}

/// A database that is set up as Docket's is, for [`OneCommit`].
pub fn durable(folder: &Path) -> anyhow::Result<Connection> {
    let database = Connection::open(folder.join("one-commit.sqlite"))?;
    let mode: String = database.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    anyhow::ensure!(mode == "wal", "the journal is {mode}");
    database.execute_batch(
        "PRAGMA synchronous = FULL; CREATE TABLE one (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
    )?;
    Ok(database)
}

/// What durability costs on this disk: a row of `bytes`, written in a transaction of its own and synced.
pub struct OneCommit<'a> {
    insert: Statement<'a>,
    row: Vec<u8>,
}

impl OneCommit<'_> {
    pub fn new(database: &Connection, bytes: usize) -> anyhow::Result<OneCommit<'_>> {
        let insert = database.prepare("INSERT INTO one (body) VALUES (?1)")?;
        Ok(OneCommit { insert, row: vec![b'x'; bytes] })
    }

    /// How long one took.
    pub fn commit(&mut self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        self.insert.execute([&self.row]).context("one commit")?;
        Ok(began.elapsed())
    }
}
