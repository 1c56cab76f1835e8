//! The statements on `known_rule`, and what of a rule stands under its name.

use crate::database::{Connection, Error, from_row, params, statements};
use crate::job::{self, Task};
use crate::queue::Priority;
use crate::run::batch;
use crate::run::store::key;
use crate::sync::budget;
use crate::sync::store as files;
use crate::{outside, own};

/// A rule, as far as it is known again by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub rule: String,
    pub id: Option<String>,
    /// Hash of what it is.
    pub what: String,
}

from_row!(Known { rule, id, what });

/// The rules of the last start.
pub(super) fn known(connection: &mut Connection) -> Result<Vec<Known>, Error> {
    connection.all(KNOWN, params![])
}

/// Writes down that these are the rules.
pub(super) fn keep(connection: &mut Connection, rules: &[Known], now: i64) -> Result<(), Error> {
    connection.run(FORGET, params![])?;
    for Known { rule, id, what } in rules {
        connection.run(KEEP, params![rule, id, what, now])?;
    }
    Ok(())
}

/// Gives all that stands under one rule's name to another name.
pub(super) fn rename(connection: &mut Connection, (old, new): (&str, &str), now: i64) -> Result<(), Error> {
    // What is counted by rule is taken out of the count under the old name, and put into it under the new one.
    for statement in [UNCOUNT_RUNS, UNCOUNT_EXISTING] {
        connection.run(statement, params![old])?;
    }
    for statement in [RUNS, TRIES, IN_THE_WAY, EXISTING, RUNNING] {
        connection.run(statement, params![old, new])?;
    }
    for name in [old, new] {
        connection.run(COUNT_RUNS, params![name])?;
        connection.run(COUNT_EXISTING, params![name])?;
    }
    batch::store::rename_rule(connection, (old, new))?;
    files::rename_rule(connection, (old, new))?;
    own::store::rename_rule(connection, (old, new))?;
    outside::store::rename_rule(connection, (old, new))?;
    budget::store::rename_rule(connection, (old, new))?;
    job::rename_rule(connection, (old, new), now)?;
    // A run whose job had not been asked for anew goes on under the new name as well.
    for run in connection.all::<Going>(GOING, params![new])? {
        job::enqueue(connection, &Task::run(run.key, new), Priority::Live, now)?;
    }
    Ok(())
}

struct Going {
    key: crate::fastio::FileKey,
}

from_row!(row => Going { key: key(row)? });

statements! {
    KNOWN = "SELECT rule, id, what FROM known_rule ORDER BY rule";
    FORGET = "DELETE FROM known_rule";
    KEEP = "INSERT INTO known_rule (rule, id, what, seen_at) VALUES ($1, $2, $3, $4)";
    /// What a rule left that had the new name long ago stays as it is, and in the way of nothing but itself.
    RUNS = "UPDATE OR IGNORE run SET rule = $2 WHERE rule = $1", postgres: "
        UPDATE run SET rule = $2
        WHERE rule = $1 AND NOT EXISTS (
            SELECT 1 FROM run AS there
            WHERE there.rule = $2 AND there.source_id = run.source_id AND there.content_hash = run.content_hash
              AND there.definition = run.definition)";
    TRIES = "UPDATE run_try SET rule = $2 WHERE rule = $1";
    UNCOUNT_RUNS = "UPDATE run SET counted = NULL WHERE rule = $1";
    UNCOUNT_EXISTING = "UPDATE run_existing SET spared = 0 WHERE rule = $1";
    COUNT_RUNS = "
        UPDATE run SET counted = (SELECT word FROM run_word WHERE run_word.run_id = run.run_id) WHERE rule = $1";
    COUNT_EXISTING = "
        UPDATE run_existing SET spared = (
            SELECT spared FROM run_spared
            WHERE run_spared.rule = run_existing.rule AND run_spared.source_id = run_existing.source_id)
        WHERE rule = $1";
    IN_THE_WAY = "
        DELETE FROM run_existing WHERE rule = $2 AND source_id IN (SELECT source_id FROM run_existing WHERE rule = $1)";
    EXISTING = "UPDATE run_existing SET rule = $2 WHERE rule = $1";
    RUNNING = "UPDATE OR REPLACE running_rule SET rule = $2 WHERE rule = $1", postgres: "
        WITH old AS (DELETE FROM running_rule WHERE rule = $1 RETURNING since)
        INSERT INTO running_rule (rule, since) SELECT $2, since FROM old
        ON CONFLICT (rule) DO UPDATE SET since = excluded.since";
    GOING = "SELECT profile, node FROM run WHERE rule = $1 AND state <> 'ended'";
}
