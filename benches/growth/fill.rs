//! Fills Docket's tables, as years of work would. The statements know the schema: whoever changes that changes them.

use std::path::Path;

use rusqlite::{Connection, ToSql};

use crate::database::having;
use crate::server::COVERED;

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Files, each with a copy and a held job.
    pub files: u32,
    pub events: u32,
    /// Lanes, each of one held job: as many vector stores wait for something.
    pub lanes: u32,
}

/// Jobs that nothing holds: one is claimed at a time.
pub const DUE: u32 = 500;

/// Rows of a statement: few enough that its transaction stays in memory.
const CHUNK: u32 = 200_000;

impl Size {
    /// No list has less to show than one page.
    pub fn at_least_a_page(self) -> Size {
        const PAGE: u32 = 200;
        Size { files: self.files.max(PAGE), events: self.events.max(PAGE), ..self }
    }
}

/// Fills the database in `folder`, which no server uses, and answers how many bytes it has.
pub fn fill(folder: &Path, size: Size) -> anyhow::Result<u64> {
    let database = having(folder, "job")?;
    // Without a journal: what is lost when this fails is made again.
    database.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; PRAGMA foreign_keys = OFF",
    )?;
    for (statement, rows) in [(FILES, size.files), (COPIES, size.files), (HELD, size.files), (DUE_JOBS, DUE)]
    {
        chunks(&database, statement, rows, &[&COVERED])?;
    }
    database.execute(HOLD, [])?;
    chunks(&database, EVENTS, size.events, &[&COVERED, &size.files, &size.events])?;
    chunks(&database, LANES, size.lanes, &[])?;
    // Without statistics, as Docket itself has none.
    database.execute_batch("PRAGMA journal_mode = WAL")?;
    let file: String = database.path().unwrap_or_default().to_owned();
    drop(database);
    Ok(std::fs::metadata(file)?.len())
}

/// Runs a statement for the rows from 1 to `rows`. Its parameters are the first and the last of a chunk, and then `more`.
fn chunks(database: &Connection, statement: &str, rows: u32, more: &[&dyn ToSql]) -> rusqlite::Result<()> {
    let sql = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2) {statement}"
    );
    let mut prepared = database.prepare(&sql)?;
    for first in (1..=rows).step_by(CHUNK as usize) {
        let last = rows.min(first + (CHUNK - 1));
        let parameters: Vec<&dyn ToSql> =
            [&first as &dyn ToSql, &last].into_iter().chain(more.iter().copied()).collect();
        prepared.execute(parameters.as_slice())?;
    }
    Ok(())
}

/// Node number n, by a formula that every table shares.
macro_rules! node {
    ($n:literal) => {
        concat!("printf('2grow%025d', ", $n, ")")
    };
}

const FILES: &str = concat!(
    "INSERT INTO file (source_id, profile, node, state, path, ancestors, rules, version, hash, size, modified_at, seen_at,
                       created_at)
     SELECT 'workspace:' || ?3 || ':' || ", node!("n"), ", 'workspace:' || ?3, ", node!("n"), ", 'present',
            printf('/Contracts/%03d/contract-%d.txt', n % 1000, n), ' root ', 'all', printf('v%d', n),
            printf('sha256:%064x', n), 1000 + n % 50000, unixepoch() * 1000 - n, unixepoch() * 1000 - n, unixepoch() * 1000 - n
     FROM numbers"
);

const COPIES: &str = concat!(
    "INSERT INTO copy (source_id, vector_store, state, version, hash, size, modified_at, content_hash, filename, bytes,
                       file_id, attributes, attaches, since)
     SELECT 'workspace:' || ?3 || ':' || ", node!("n"), ", 'vs_grown', 'indexed', printf('v%d', n),
            printf('sha256:%064x', n), 1000 + n % 50000, unixepoch() * 1000 - n, printf('%064x', n),
            printf('contract-%d.txt', n), 1000 + n % 50000, printf('file-grown%d', n),
            json_object('source_id', printf('workspace:%s:%d', ?3, n), 'path', printf('/Contracts/%d.txt', n), 'rule', 'all'),
            1, unixepoch() * 1000 - n
     FROM numbers"
);

/// A job for each file, which cannot do without OpenAI.
const HELD: &str = concat!(
    "INSERT INTO job (key, task, needs, state, priority, due_at, created_at, updated_at)
     SELECT 'file:workspace:' || ?3 || ':' || ", node!("n"), ",
            json_object('task', 'file', 'profile', 'workspace:' || ?3, 'node', ", node!("n"), "),
            ' fastio openai ', 'waiting', 0, unixepoch() * 1000 - 10000000 + n, unixepoch() * 1000 - 10000000 + n,
            unixepoch() * 1000 - 10000000 + n
     FROM numbers"
);

/// Jobs that need only Fastio, due after all that are held.
const DUE_JOBS: &str = concat!(
    "INSERT INTO job (key, task, needs, state, priority, due_at, created_at, updated_at)
     SELECT 'listing:workspace:' || ?3 || ':' || ",
    node!("n"),
    ",
            json_object('task', 'listing', 'profile', 'workspace:' || ?3, 'node', ",
    node!("n"),
    "),
            ' fastio ', 'waiting', 0, unixepoch() * 1000, unixepoch() * 1000, unixepoch() * 1000
     FROM numbers"
);

const LANES: &str = "
    INSERT INTO job (key, task, needs, state, priority, due_at, created_at, updated_at)
    SELECT 'stray:vs_' || n, '{}', ' openai openai/vs_' || n || ' ', 'waiting', 0, unixepoch() * 1000 - 10000000 + n,
           unixepoch() * 1000, unixepoch() * 1000
    FROM numbers";

/// OpenAI refuses the key, and will not be asked again for a day.
const HOLD: &str = "
    INSERT INTO pause (target, kind, reason, since, probe_at)
    VALUES ('openai', 'refusal', 'OpenAI refuses the key', unixepoch() * 1000, unixepoch() * 1000 + 86400000)";

/// Ids are spread as evenly as those that come, and lie in order, so that filling is quick. They came in over twenty days.
const EVENTS: &str = concat!(
    "INSERT INTO event (event_id, source, kind, subject, name, profile, node, occurred_at, received_at, scheme, secret_index,
                        payload)
     SELECT printf('evt_%010d_grown', n * (9999999999 / ?5)), 'webhook',
            CASE n % 10 WHEN 0 THEN 'added' ELSE 'modified' END, 'file', 'workspace_storage_file_updated',
            'workspace:' || ?3, ", node!("n % ?4 + 1"), ", unixepoch() * 1000 - 1728000000 + n * (1728000000 / ?5),
            unixepoch() * 1000 - 1728000000 + n * (1728000000 / ?5), 'fastio_v1_base64', 0,
            json_object('event_id', printf('evt_%010d_grown', n * (9999999999 / ?5)), 'event', 'workspace_storage_file_updated',
                        'created', '2026-11-26 17:00:00 UTC', 'workspace_id', ?3, 'object_id', ", node!("n % ?4 + 1"), ")
     FROM numbers"
);
