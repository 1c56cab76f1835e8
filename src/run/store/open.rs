//! What is still to be done about the runs over one file, for those who wait for it.

use crate::database::{Connection, Error, params, statements};

/// The rules whose runs over this file have not ended.
pub fn unfinished_rules(connection: &mut Connection, source_id: &str) -> Result<Vec<String>, Error> {
    connection.all(UNFINISHED_RULES, params![source_id])
}

/// How many runs there are over this file.
pub fn count(connection: &mut Connection, source_id: &str) -> Result<u64, Error> {
    connection.one(COUNT, params![source_id])
}

/// The rules with a table that may still tell of this file: it was asked for before `before` and is not written yet.
pub fn unwritten_tables(
    connection: &mut Connection,
    source_id: &str,
    before: i64,
) -> Result<Vec<String>, Error> {
    connection.all(UNWRITTEN_TABLES, params![source_id, before])
}

statements! {
    UNFINISHED_RULES = "SELECT DISTINCT rule FROM run WHERE source_id = $1 AND state <> 'ended'";
    COUNT = "SELECT count(*) FROM run WHERE source_id = $1";
    UNWRITTEN_TABLES = "
        SELECT rule FROM digest_ask
        WHERE first_at <= $2 AND rule IN (SELECT rule FROM run WHERE source_id = $1)
          AND EXISTS (SELECT 1 FROM job WHERE key = 'digest:' || digest_ask.rule AND state <> 'dead')";
}
