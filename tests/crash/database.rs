//! Looks at the server's database. Each look opens a connection that can only read, and closes it: one that stayed open
//! over a kill would keep the write-ahead log alive, and the server's own recovery of it would never be tried.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Result};
use tokio::task::spawn_blocking;

use crate::check::Rows;
use crate::check::runs::Run;

/// The server's transactions are milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is left to do. A job that looks for five minutes whether an upload session appears whose creation was not answered
/// is not waited for: that no session is there is checked at Fastio.
const LEFT: &str = "
    SELECT (SELECT count(*) FROM inbox), count(*), count(*) FILTER (WHERE state = 'dead') FROM job
    WHERE NOT (state = 'waiting' AND EXISTS (
        SELECT 1 FROM outside WHERE job.key = 'leftover:' || outside_id AND kind = 'session' AND object IS NULL))";

/// The same jobs, in words.
const JOBS: &str = "
    SELECT key || ' ' || state || ': ' || coalesce(reason, 'due') FROM job
    WHERE NOT (state = 'waiting' AND EXISTS (
        SELECT 1 FROM outside WHERE job.key = 'leftover:' || outside_id AND kind = 'session' AND object IS NULL))";

/// Keeps out the jobs whose targets are paused.
const UNPAUSED: &str = "NOT EXISTS (SELECT 1 FROM pause WHERE job.needs LIKE '% ' || pause.target || ' %')";

/// What must not be there when all is done, in words.
const UNSETTLED: &str = "
    SELECT state || ' copy of ' || source_id FROM copy WHERE state <> 'indexed'
    UNION ALL SELECT 'a delivery in the inbox' FROM inbox
    UNION ALL SELECT 'a write of ' || owner FROM own_file WHERE state <> 'written'
    UNION ALL SELECT 'a ' || kind || ' of ' || owner || ' is left' FROM outside WHERE state = 'unwanted' AND object IS NOT NULL
    UNION ALL SELECT 'vector store ' || name FROM vector_store WHERE vector_store_id IS NULL";

const UNANSWERED: &str = "SELECT count(*) FROM outside WHERE kind = 'conversation' AND state = 'intended'";

const RUNS: &str = "
    SELECT run_id, source_id, path, content_hash, state, coalesce(outcome, ''), coalesce((
               SELECT state FROM outside WHERE owner = 'run:' || run_id AND kind = 'lock' AND state <> 'unwanted'), 'none'),
           coalesce(reason, '')
    FROM run";

#[derive(Debug, Clone)]
pub struct Looks {
    path: PathBuf,
}

/// A job as it stood: its number and how often it was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub id: i64,
    pub lease: i64,
    pub in_hand: bool,
}

/// How much is left to do.
#[derive(Debug, Clone, Default)]
pub struct Left {
    pub inbox: i64,
    pub jobs: i64,
    pub dead: i64,
}

impl Looks {
    pub fn new(path: &Path) -> Looks {
        Looks { path: path.to_owned() }
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let path = self.path.clone();
        let looked = spawn_blocking(move || {
            let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.busy_timeout(PATIENCE)?;
            // The inbox is a file beside it; its table is there under its own name.
            connection.execute("ATTACH $1 AS deliveries", [format!("{}-inbox", path.display())])?;
            look(&connection)
        });
        looked.await.expect("a look does not panic")
    }

    /// The jobs in hand, and those that are due and whose targets are not paused.
    pub async fn standing(&self, now: i64) -> Result<Vec<Standing>> {
        let sql = format!(
            "SELECT id, lease, state = 'running' FROM job
             WHERE (state = 'running' OR state = 'waiting' AND due_at <= $1) AND {UNPAUSED}"
        );
        self.look(move |connection| {
            let mut statement = connection.prepare(&sql)?;
            let standing = statement.query_map([now], |row| {
                Ok(Standing { id: row.get(0)?, lease: row.get(1)?, in_hand: row.get(2)? })
            });
            standing?.collect()
        })
        .await
    }

    /// How many of `before` the server has not taken up since: they are there, were claimed no more often, and no pause
    /// keeps them.
    pub async fn untouched(&self, before: &[Standing]) -> Result<usize> {
        let sql = format!("SELECT id, lease FROM job WHERE {UNPAUSED}");
        let now: BTreeMap<i64, i64> = self
            .look(move |connection| {
                let mut statement = connection.prepare(&sql)?;
                statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
            })
            .await?;
        let same = |standing: &&Standing| now.get(&standing.id).is_some_and(|lease| *lease <= standing.lease);
        Ok(before.iter().filter(same).count())
    }

    pub async fn left(&self) -> Result<Left> {
        self.look(|connection| {
            connection.query_row(LEFT, (), |row| {
                Ok(Left { inbox: row.get(0)?, jobs: row.get(1)?, dead: row.get(2)? })
            })
        })
        .await
    }

    /// What is on record when all is done.
    pub async fn rows(&self) -> Result<Rows> {
        self.look(|connection| {
            let number = |sql| connection.query_row(sql, (), |row| row.get(0));
            Ok(Rows {
                events: texts(connection, "SELECT event_id FROM event")?.into_iter().collect(),
                jobs: texts(connection, JOBS)?,
                unsettled: texts(connection, UNSETTLED)?,
                copies: number("SELECT count(*) FROM copy")?,
                unanswered_conversations: number(UNANSWERED)?,
                runs: runs(connection)?,
            })
        })
        .await
    }
}

fn texts(connection: &Connection, sql: &str) -> Result<Vec<String>> {
    connection.prepare(sql)?.query_map((), |row| row.get(0))?.collect()
}

fn runs(connection: &Connection) -> Result<Vec<Run>> {
    let mut statement = connection.prepare(RUNS)?;
    let runs = statement.query_map((), |row| {
        Ok(Run {
            id: row.get(0)?,
            source_id: row.get(1)?,
            path: row.get(2)?,
            content_hash: row.get(3)?,
            state: row.get(4)?,
            outcome: row.get(5)?,
            lock: row.get(6)?,
            reason: row.get(7)?,
        })
    });
    runs?.collect()
}
