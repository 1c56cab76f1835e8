//! Runs that are not needed any more.

use super::super::row::RunId;
use crate::database::{Connection, Error, JsonList, json_list, params, statements};

/// The next runs after `after` that are history, at most `most`, each with whether it may go: it ended before `before` and a newer
/// one took its place.
pub fn page(
    connection: &mut Connection,
    after: RunId,
    before: i64,
    most: u32,
) -> Result<Vec<(RunId, bool)>, Error> {
    let rows: Vec<(i64, bool)> = connection.all(PAGE, params![after.0, before, most])?;
    Ok(rows.into_iter().map(|(id, is_old)| (RunId(id), is_old)).collect())
}

/// Forgets those of these runs that still may go, and says how many.
pub fn forget(connection: &mut Connection, ids: &[RunId], before: i64) -> Result<u64, Error> {
    let ids = json_list(ids);
    connection.run(FORGET_FILES, params![ids, before])?;
    connection.run(FORGET_TRIES, params![ids, before])?;
    connection.run(FORGET, params![ids, before])
}

/// Files that are gone since before `before`, at most `most`: of which OpenAI holds nothing, and over which no run is under way or
/// has left anything.
pub fn gone_files(connection: &mut Connection, before: i64, most: u32) -> Result<Vec<String>, Error> {
    connection.all(GONE_FILES, params![before, most])
}

/// Forgets the runs over these files, which are gone, and what was found to be older than its rule.
pub fn forget_of(connection: &mut Connection, source_ids: &JsonList) -> Result<(), Error> {
    connection.run(FORGET_FILES_OF, params![source_ids])?;
    connection.run(FORGET_TRIES_OF, params![source_ids])?;
    connection.run(FORGET_OF, params![source_ids])?;
    connection.run(FORGET_EXISTING_OF, params![source_ids]).map(drop)
}

/// A run that ended before `$2` and that nothing points to. Two runs may be needed of a rule and a file: the newest, which says
/// how it stands, and the newest with a result; and one over what the file holds now is why it is not run over again.
macro_rules! is_old {
    ($before:literal) => {
        concat!(
            "old.state = 'ended' AND old.ended_at < ",
            $before,
            "
              AND NOT EXISTS (SELECT 1 FROM outside WHERE owner = 'run:' || old.run_id)
              AND NOT EXISTS (SELECT 1 FROM copy
                              WHERE copy.source_id = old.source_id AND copy.content_hash = old.content_hash)
              AND EXISTS (SELECT 1 FROM run AS newer
                          WHERE newer.source_id = old.source_id AND newer.rule = old.rule AND newer.run_id > old.run_id)
              AND (old.outcome NOT IN ('completed', 'needs_review')
                   OR EXISTS (SELECT 1 FROM run AS newer
                              WHERE newer.source_id = old.source_id AND newer.rule = old.rule
                                AND newer.outcome IN ('completed', 'needs_review')
                                AND newer.answered_at > old.answered_at))"
        )
    };
}

statements! {
    PAGE = concat!(
        "SELECT old.run_id, (", is_old!("$2"), ") AS is_old
         FROM run AS old INDEXED BY run_history
         WHERE old.state = 'ended' AND old.counted IS NULL AND old.run_id > $1 ORDER BY old.run_id LIMIT $3"
    );

    FORGET_FILES = concat!(
        "DELETE FROM run_file WHERE run_id IN (
             SELECT old.run_id FROM run AS old
             WHERE old.run_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) AND ", is_old!("$2"), ")"
    );

    FORGET_TRIES = concat!(
        "DELETE FROM run_try WHERE run_id IN (
             SELECT old.run_id FROM run AS old
             WHERE old.run_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) AND ", is_old!("$2"), ")"
    );

    FORGET = concat!(
        "DELETE FROM run WHERE run_id IN (
             SELECT old.run_id FROM run AS old
             WHERE old.run_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) AND ", is_old!("$2"), ")"
    );

    GONE_FILES = "
        SELECT source_id FROM file
        WHERE state = 'gone' AND seen_at < $1
          AND NOT EXISTS (SELECT 1 FROM copy WHERE copy.source_id = file.source_id)
          AND NOT EXISTS (SELECT 1 FROM erasure WHERE erasure.source_id = file.source_id AND ended_at IS NULL)
          AND NOT EXISTS (SELECT 1 FROM run WHERE run.source_id = file.source_id
                          AND (run.state <> 'ended'
                               OR EXISTS (SELECT 1 FROM outside WHERE owner = 'run:' || run.run_id)))
        ORDER BY seen_at LIMIT $2";

    FORGET_FILES_OF = "
        DELETE FROM run_file WHERE run_id IN (
            SELECT run_id FROM run WHERE source_id IN (SELECT value FROM json_each($1)))";

    FORGET_TRIES_OF = "
        DELETE FROM run_try WHERE run_id IN (
            SELECT run_id FROM run WHERE source_id IN (SELECT value FROM json_each($1)))";

    FORGET_OF = "DELETE FROM run WHERE source_id IN (SELECT value FROM json_each($1))";

    FORGET_EXISTING_OF = "DELETE FROM run_existing WHERE source_id IN (SELECT value FROM json_each($1))";
}
