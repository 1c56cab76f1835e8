//! The statements on `file` and `vector_store` that open again what was final.

use crate::database::{Connection, Error, from_row, json_list, params, statements};
use crate::job;
use crate::queue::Priority;
use crate::sync::listing::Place;
use crate::sync::store::Chain;

/// A file that may be looked at again.
#[derive(Debug, Clone)]
pub struct Row {
    pub source_id: String,
    pub(super) profile: String,
    pub(super) node: String,
    pub(super) path: String,
    /// By what knowledge it was skipped.
    pub(super) decided_by: Option<String>,
}

from_row!(Row { source_id, profile, node, path, decided_by });

/// Which files a person means.
#[derive(Debug, Clone, Default)]
pub struct Which {
    pub place: Option<Place>,
    pub rule: Option<String>,
    /// Changed at Fastio from then on, and before then, in Unix milliseconds.
    pub changed: Option<(i64, i64)>,
}

/// The next skipped files after `after`, by their ids.
pub fn skipped(connection: &mut Connection, after: &str, limit: u32) -> Result<Vec<Row>, Error> {
    connection.all(SKIPPED, params![after, limit])
}

/// The next of those that are skipped, or whose job is dead.
pub fn given_up(
    connection: &mut Connection,
    which: &Which,
    (after, limit): (&str, u32),
) -> Result<Vec<Row>, Error> {
    let place = which.place.as_ref();
    connection.all(
        GIVEN_UP,
        params![
            after,
            place.map(Place::path),
            place.and_then(Place::globs),
            place.map(Place::text),
            place.map(Place::node),
            which.rule,
            which.changed.map(|(since, _)| since),
            which.changed.map(|(_, until)| until),
            limit,
        ],
    )
}

/// Those of these files that are skipped, or whose job is dead.
pub fn given_up_of(connection: &mut Connection, source_ids: &[&str]) -> Result<Vec<Row>, Error> {
    connection.all(GIVEN_UP_OF, params![json_list(source_ids)])
}

/// Forgets that these were final, and asks for a look at each, with all attempts.
pub fn reopen(
    connection: &mut Connection,
    rows: &[Row],
    (priority, now): (Priority, i64),
) -> Result<(), Error> {
    for row in rows {
        connection.run(REOPEN, params![row.source_id])?;
        if let Some(task) = row.task() {
            job::enqueue(connection, &task, priority, now)?;
        }
    }
    Ok(())
}

/// A person says that those of these stores are gone that are not there.
pub fn give_up_stores(connection: &mut Connection, stores: &Chain) -> Result<(), Error> {
    connection.run(GIVE_UP_STORES, params![stores.json()])?;
    Ok(())
}

statements! {
    SKIPPED = "
        SELECT source_id, profile, node, path, decided_by FROM file
        WHERE state = 'skipped' AND source_id > $1 ORDER BY source_id LIMIT $2";
    /// A job's key is its file's id behind `file:`.
    GIVEN_UP = "
        SELECT source_id, profile, node, path, decided_by FROM file AS f
        WHERE source_id > $1
          AND (state = 'skipped' OR EXISTS (
            SELECT 1 FROM job WHERE key = 'file:' || f.source_id AND state = 'dead'))
          AND (CAST($2 AS TEXT) IS NULL OR path = $2 OR substr(path, 1, length($2) + 1) = $2 || '/'
               OR source_id IN ($4, profile || ':' || $5)
               OR EXISTS (SELECT 1 FROM json_each($3) WHERE f.path GLOB value))
          AND (CAST($6 AS TEXT) IS NULL OR instr(',' || rules || ',', ',' || $6 || ',') > 0)
          AND (CAST($7 AS BIGINT) IS NULL OR (modified_at >= $7 AND modified_at < $8))
        ORDER BY source_id LIMIT $9";
    GIVEN_UP_OF = "
        SELECT source_id, profile, node, path, decided_by FROM file AS f
        WHERE source_id IN (SELECT value FROM json_each($1))
          AND (state = 'skipped' OR EXISTS (
            SELECT 1 FROM job WHERE key = 'file:' || f.source_id AND state = 'dead'))";
    REOPEN = "UPDATE file SET refused = NULL, decided_by = NULL WHERE source_id = $1";
    GIVE_UP_STORES = "
        UPDATE vector_store SET given_up = vector_store_id
        WHERE vector_store_id IN (SELECT value FROM json_each($1))";
}
