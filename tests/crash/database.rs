//! Looks at the server's database. Each look opens a connection that can only read, and closes it: one that stayed open
//! over a kill would keep the write-ahead log alive, and the server's own recovery of it would never be tried.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use crate::check::Rows;

/// The server's transactions are milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is left to do. A job that looks for five minutes whether an upload session appears whose creation was not answered
/// is not waited for: that no session is there is checked at Fastio.
const LEFT: &str = "
    SELECT (SELECT count(*) FROM inbox), count(*), count(*) FILTER (WHERE state = 'dead') FROM job
    WHERE NOT (state = 'waiting' AND EXISTS (
        SELECT 1 FROM leftover WHERE job.key = 'leftover:' || leftover_id AND kind = 'upload' AND object IS NULL))";

/// The same jobs, in words.
const JOBS: &str = "
    SELECT key || ' ' || state || ': ' || coalesce(reason, 'due') FROM job
    WHERE NOT (state = 'waiting' AND EXISTS (
        SELECT 1 FROM leftover WHERE job.key = 'leftover:' || leftover_id AND kind = 'upload' AND object IS NULL))";

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

    async fn open(&self) -> Result<SqliteConnection, sqlx::Error> {
        let options = SqliteConnectOptions::new().filename(&self.path).read_only(true).busy_timeout(PATIENCE);
        options.disable_statement_logging().connect().await
    }

    /// The jobs in hand, and those that are due and whose targets are not paused.
    pub async fn standing(&self, now: i64) -> Result<Vec<Standing>, sqlx::Error> {
        let mut connection = self.open().await?;
        let rows = sqlx::query(
            "SELECT id, lease, state = 'running' AS in_hand FROM job WHERE (state = 'running' OR state = 'waiting' AND due_at <= $1)
                 AND NOT EXISTS (SELECT 1 FROM pause WHERE job.needs LIKE '% ' || pause.target || ' %')",
        )
        .bind(now)
        .fetch_all(&mut connection)
        .await?;
        connection.close().await?;
        Ok(rows
            .iter()
            .map(|row| Standing { id: row.get(0), lease: row.get(1), in_hand: row.get(2) })
            .collect())
    }

    /// How many of `before` the server has not taken up since: they are there, were claimed no more often, and no pause
    /// keeps them.
    pub async fn untouched(&self, before: &[Standing]) -> Result<usize, sqlx::Error> {
        let mut connection = self.open().await?;
        let rows = sqlx::query(
            "SELECT id, lease FROM job WHERE NOT EXISTS
                 (SELECT 1 FROM pause WHERE job.needs LIKE '% ' || pause.target || ' %')",
        )
        .fetch_all(&mut connection)
        .await?;
        connection.close().await?;
        let now: BTreeMap<i64, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let same = |standing: &&Standing| now.get(&standing.id).is_some_and(|lease| *lease <= standing.lease);
        Ok(before.iter().filter(same).count())
    }

    pub async fn left(&self) -> Result<Left, sqlx::Error> {
        let mut connection = self.open().await?;
        let row = sqlx::query(LEFT).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(Left { inbox: row.get(0), jobs: row.get(1), dead: row.get(2) })
    }

    /// What is on record when all is done.
    pub async fn rows(&self) -> Result<Rows, sqlx::Error> {
        let mut connection = self.open().await?;
        let events: Vec<String> =
            sqlx::query_scalar("SELECT event_id FROM event").fetch_all(&mut connection).await?;
        let jobs = texts(&mut connection, JOBS).await?;
        let unsettled = texts(
            &mut connection,
            "SELECT state || ' copy of ' || source_id FROM copy WHERE state <> 'indexed'
             UNION ALL SELECT 'a delivery in the inbox' FROM inbox
             UNION ALL SELECT 'a write of ' || owner FROM own_file WHERE state <> 'written'
             UNION ALL SELECT 'a ' || kind || ' of ' || owner || ' is left' FROM leftover WHERE state = 'left' AND object IS NOT NULL
             UNION ALL SELECT 'vector store ' || name FROM vector_store WHERE vector_store_id IS NULL",
        )
        .await?;
        let copies = sqlx::query_scalar("SELECT count(*) FROM copy").fetch_one(&mut connection).await?;
        let unanswered_conversations = sqlx::query_scalar(
            "SELECT count(*) FROM leftover WHERE kind = 'conversation' AND state = 'asked'",
        )
        .fetch_one(&mut connection)
        .await?;
        let runs = sqlx::query(
            "SELECT run_id, source_id, path, content_hash, state, coalesce(outcome, ''), lock, coalesce(reason, ''),
                    result IS NOT NULL
             FROM run",
        )
        .fetch_all(&mut connection)
        .await?;
        let runs = runs.iter().map(|row| crate::check::runs::Run {
            id: row.get(0),
            source_id: row.get(1),
            path: row.get(2),
            content_hash: row.get(3),
            state: row.get(4),
            outcome: row.get(5),
            lock: row.get(6),
            reason: row.get(7),
            answered: row.get(8),
        });
        let rows = Rows {
            events: events.into_iter().collect::<HashSet<String>>(),
            jobs,
            unsettled,
            copies,
            unanswered_conversations,
            runs: runs.collect(),
        };
        connection.close().await?;
        Ok(rows)
    }
}

async fn texts(connection: &mut SqliteConnection, sql: &'static str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(sql).fetch_all(connection).await
}
