//! Looks at the server's database, by connections that are none of Docket's and only read. The statements are one text for both
//! engines, and what they answer is read as text.

mod postgres;
mod sqlite;

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use anyhow::Context;

use crate::check::Rows;
use crate::check::imports::Import;
use crate::check::links::Link;
use crate::check::runs::Run;

/// What is left to do. A job that looks for minutes whether an upload session or an import appears whose creation was not answered
/// is not waited for: that none is there is checked at Fastio.
macro_rules! left {
    () => {
        " FROM job
          WHERE NOT (state = 'waiting' AND EXISTS (
              SELECT 1 FROM outside WHERE job.key = 'leftover:' || outside_id AND kind = 'session' AND object IS NULL))
            AND NOT (state = 'waiting' AND EXISTS (
              SELECT 1 FROM import WHERE job.key = 'import:' || import_id AND import.state = 'asked'))"
    };
}

const LEFT: &str =
    concat!("SELECT (SELECT count(*) FROM inbox), count(*), count(*) FILTER (WHERE state = 'dead')", left!());

/// The same jobs, in words.
const JOBS: &str = concat!("SELECT key || ' ' || state || ': ' || coalesce(reason, 'due')", left!());

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

const LINKS: &str = "SELECT run_id, state, coalesce(object, '') FROM run_action";

const OUT: &str = "SELECT source_id FROM file_out";

const IMPORTS: &str = "SELECT name, state, coalesce(reason, '') FROM import";

/// Where the database is.
#[derive(Debug, Clone)]
pub enum Looks {
    Sqlite(sqlite::File),
    Postgres(postgres::Url),
}

/// One row of an answer, as text.
struct Cells(Vec<Option<String>>);

impl Cells {
    fn get<T: FromStr<Err: Into<anyhow::Error>>>(&self, place: usize) -> anyhow::Result<T> {
        let text = self.0.get(place).and_then(Option::as_deref).context("a value is missing")?;
        text.parse().map_err(Into::into)
    }
}

/// A job as it stood: its number and its last claim.
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
    /// At SQLite's file.
    pub fn at_file(path: &Path) -> Looks {
        Looks::Sqlite(sqlite::File(path.to_owned()))
    }

    /// At a database of PostgreSQL's.
    pub fn at(url: &str) -> Looks {
        Looks::Postgres(postgres::Url(url.to_owned()))
    }

    async fn rows_of(&self, sql: &str) -> anyhow::Result<Vec<Cells>> {
        match self {
            Looks::Sqlite(file) => file.rows_of(sql).await,
            Looks::Postgres(url) => url.rows_of(sql).await,
        }
    }

    async fn texts(&self, sql: &str) -> anyhow::Result<Vec<String>> {
        self.rows_of(sql).await?.iter().map(|row| row.get(0)).collect()
    }

    async fn number(&self, sql: &str) -> anyhow::Result<i64> {
        self.rows_of(sql).await?.first().context("no row")?.get(0)
    }

    /// The jobs in hand, and those that are due and whose targets are not paused.
    pub async fn standing(&self, now: i64) -> anyhow::Result<Vec<Standing>> {
        let sql = format!(
            "SELECT id, lease, CASE state WHEN 'running' THEN 1 ELSE 0 END FROM job
             WHERE (state = 'running' OR state = 'waiting' AND due_at <= {now}) AND {UNPAUSED}"
        );
        let standing = |row: &Cells| {
            Ok(Standing { id: row.get(0)?, lease: row.get(1)?, in_hand: row.get::<i64>(2)? == 1 })
        };
        self.rows_of(&sql).await?.iter().map(standing).collect()
    }

    /// The jobs that the server that is this process has in hand, of several on one database.
    pub async fn in_hand_of(&self, process: u32) -> anyhow::Result<Vec<Standing>> {
        let sql = format!(
            "SELECT id, lease FROM job JOIN replica ON replica.replica_id = job.replica
             WHERE state = 'running' AND {UNPAUSED} AND {}",
            named(process)
        );
        let standing = |row: &Cells| Ok(Standing { id: row.get(0)?, lease: row.get(1)?, in_hand: true });
        self.rows_of(&sql).await?.iter().map(standing).collect()
    }

    /// Whether that server is among those that work on the database.
    pub async fn is_among(&self, process: u32) -> anyhow::Result<bool> {
        let sql = format!(
            "SELECT count(*) FROM replica JOIN replica_lease USING (replica_id)
             WHERE until > clock_timestamp() AND {}",
            named(process)
        );
        Ok(self.number(&sql).await? == 1)
    }

    /// How many of `before` no server has taken up since: they are there, were claimed by nobody, and no pause keeps them.
    pub async fn untouched(&self, before: &[Standing]) -> anyhow::Result<usize> {
        let rows = self.rows_of(&format!("SELECT id, lease FROM job WHERE {UNPAUSED}")).await?;
        let now: anyhow::Result<BTreeMap<i64, i64>> =
            rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect();
        let now = now?;
        let same = |standing: &&Standing| now.get(&standing.id) == Some(&standing.lease);
        Ok(before.iter().filter(same).count())
    }

    pub async fn left(&self) -> anyhow::Result<Left> {
        let rows = self.rows_of(LEFT).await?;
        let row = rows.first().context("no row")?;
        Ok(Left { inbox: row.get(0)?, jobs: row.get(1)?, dead: row.get(2)? })
    }

    /// What is on record when all is done.
    pub async fn rows(&self) -> anyhow::Result<Rows> {
        Ok(Rows {
            events: self.texts("SELECT event_id FROM event").await?.into_iter().collect(),
            jobs: self.texts(JOBS).await?,
            unsettled: self.texts(UNSETTLED).await?,
            copies: self.number("SELECT count(*) FROM copy").await?,
            unanswered_conversations: self.number(UNANSWERED).await?,
            out: self.texts(OUT).await?.into_iter().collect(),
            imports: self.rows_of(IMPORTS).await?.iter().map(import).collect::<anyhow::Result<_>>()?,
            runs: self.rows_of(RUNS).await?.iter().map(run).collect::<anyhow::Result<_>>()?,
            links: self.rows_of(LINKS).await?.iter().map(link).collect::<anyhow::Result<_>>()?,
        })
    }
}

/// How a server names itself in its row.
fn named(process: u32) -> String {
    format!("replica.name LIKE 'process {process} on %'")
}

fn import(row: &Cells) -> anyhow::Result<Import> {
    Ok(Import { name: row.get(0)?, state: row.get(1)?, reason: row.get(2)? })
}

fn link(row: &Cells) -> anyhow::Result<Link> {
    Ok(Link { run: row.get(0)?, state: row.get(1)?, object: row.get(2)? })
}

fn run(row: &Cells) -> anyhow::Result<Run> {
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
}
