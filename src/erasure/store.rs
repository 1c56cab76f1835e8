//! The statements on `erasure`.

use serde::Serialize;

use super::{Because, Erasure, Remains};
use crate::database::{Connection, Error, from_row, json_list, params, statements};
use crate::fastio::FileKey;
use crate::job::{self, Task};
use crate::queue::Priority;

from_row!(row => Erasure {
    erasure_id,
    source_id,
    because: because(&row.get::<String>("because")?)?,
    asked_at,
    settled_at,
    cleared_at,
    ended_at,
    undone_at,
    erased: read(&row.get::<String>("erased")?)?,
    remains: read(&row.get::<String>("remains")?)?,
});

fn because(text: &str) -> Result<Because, Error> {
    let known = Because::ALL.iter().find(|(_, name)| *name == text);
    known.map(|(because, _)| *because).ok_or_else(|| Error::bug("an erasure has an unknown reason"))
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| Error::bug("what an erasure came to cannot be read"))
}

fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers are JSON")
}

/// Begins to erase what derives from a file, as a job. One that goes on already is gone on with.
pub fn begin(connection: &mut Connection, key: &FileKey, because: Because, now: i64) -> Result<(), Error> {
    connection.run(BEGIN, params![key.to_string(), because.as_str(), now])?;
    let priority = if because == Because::Asked { Priority::Live } else { Priority::Backfill };
    let task = Task::Erase { profile: key.profile.clone(), node: key.node.clone() };
    job::enqueue(connection, &task, priority, now).map(drop)
}

/// The erasure of this file that goes on.
pub fn going(connection: &mut Connection, source_id: &str) -> Result<Option<Erasure>, Error> {
    connection.first(GOING, params![source_id])
}

/// The last erasure of this file.
pub fn last(connection: &mut Connection, source_id: &str) -> Result<Option<Erasure>, Error> {
    connection.first(LAST, params![source_id])
}

/// Those of these files that are not to be synced.
pub fn withheld(connection: &mut Connection, source_ids: &[String]) -> Result<Vec<String>, Error> {
    connection.all(WITHHELD, params![json_list(source_ids)])
}

/// Whether this file is not to be synced.
pub fn is_withheld(connection: &mut Connection, source_id: &str) -> Result<bool, Error> {
    connection.one(IS_WITHHELD, params![source_id])
}

/// Adds to what an erasure came to.
pub fn add(connection: &mut Connection, id: i64, what: &str, number: u64) -> Result<(), Error> {
    let Some(mut erasure) = get(connection, id)?.filter(|_| number > 0) else { return Ok(()) };
    *erasure.erased.entry(what.to_owned()).or_default() += number;
    connection.run(SET_ERASED, params![id, written(&erasure.erased)]).map(drop)
}

/// Writes down what remains, once.
pub fn keep(connection: &mut Connection, id: i64, remains: &Remains) -> Result<(), Error> {
    let known = get(connection, id)?.filter(|erasure| !erasure.remains.contains(remains));
    let Some(mut erasure) = known else { return Ok(()) };
    erasure.remains.push(remains.clone());
    connection.run(SET_REMAINS, params![id, written(&erasure.remains)]).map(drop)
}

fn get(connection: &mut Connection, id: i64) -> Result<Option<Erasure>, Error> {
    connection.first(GET, params![id])
}

/// No job of the file is under way.
pub fn settle(connection: &mut Connection, id: i64, now: i64) -> Result<(), Error> {
    connection.run(SETTLE, params![id, now]).map(drop)
}

/// The file is there again, so that nothing of it is to go.
pub fn withdraw(connection: &mut Connection, id: i64) -> Result<(), Error> {
    connection.run(WITHDRAW, params![id]).map(drop)
}

/// Our rows are gone.
pub fn clear(connection: &mut Connection, id: i64, now: i64) -> Result<(), Error> {
    connection.run(CLEAR, params![id, now]).map(drop)
}

/// It has ended.
pub fn end(connection: &mut Connection, id: i64, now: i64) -> Result<(), Error> {
    connection.run(END, params![id, now]).map(drop)
}

/// Whether bytes of what was erased may still be in the database's files.
pub fn is_unshed(connection: &mut Connection) -> Result<bool, Error> {
    connection.one(IS_UNSHED, &[])
}

/// Of what had ended at `ended`, no byte is left in the database's files.
pub fn shed(connection: &mut Connection, ended: i64, now: i64) -> Result<(), Error> {
    connection.run(SHED, params![ended, now]).map(drop)
}

/// The file may be synced again. False when it was not withheld, or its erasure still goes on.
pub fn undo(connection: &mut Connection, key: &FileKey, now: i64) -> Result<bool, Error> {
    let undone = connection.run(UNDO, params![key.to_string(), now])? > 0;
    if undone {
        let task = Task::File { profile: key.profile.clone(), node: key.node.clone() };
        job::enqueue(connection, &task, Priority::Live, now)?;
    }
    Ok(undone)
}

/// The newest first.
pub fn list(connection: &mut Connection, most: u32) -> Result<Vec<Erasure>, Error> {
    connection.all(LIST, params![most])
}

/// Forgets at most `most` records from before `before`, but those that a person asked for: they say what is not synced.
pub fn prune(connection: &mut Connection, before: i64, most: u32) -> Result<u64, Error> {
    connection.run(PRUNE, params![before, most])
}

statements! {
    BEGIN = "
        INSERT INTO erasure (source_id, because, asked_at) VALUES ($1, $2, $3)
        ON CONFLICT (source_id) WHERE ended_at IS NULL
        DO UPDATE SET because = excluded.because, settled_at = NULL, cleared_at = NULL WHERE excluded.because = 'asked'";
    GOING = "SELECT * FROM erasure WHERE source_id = $1 AND ended_at IS NULL";
    LAST = "SELECT * FROM erasure WHERE source_id = $1 ORDER BY erasure_id DESC LIMIT 1";
    GET = "SELECT * FROM erasure WHERE erasure_id = $1";
    WITHHELD = "
        SELECT DISTINCT source_id FROM erasure
        WHERE source_id IN (SELECT value FROM json_each($1)) AND because = 'asked' AND undone_at IS NULL";
    IS_WITHHELD = "
        SELECT EXISTS (SELECT 1 FROM erasure WHERE source_id = $1 AND because = 'asked' AND undone_at IS NULL)";
    SET_ERASED = "UPDATE erasure SET erased = $2 WHERE erasure_id = $1";
    SET_REMAINS = "UPDATE erasure SET remains = $2 WHERE erasure_id = $1";
    SETTLE = "UPDATE erasure SET settled_at = $2 WHERE erasure_id = $1";
    WITHDRAW = "DELETE FROM erasure WHERE erasure_id = $1 AND because <> 'asked'";
    CLEAR = "UPDATE erasure SET cleared_at = $2 WHERE erasure_id = $1";
    END = "UPDATE erasure SET ended_at = $2 WHERE erasure_id = $1 AND ended_at IS NULL";
    IS_UNSHED = "
        SELECT EXISTS (SELECT 1 FROM erasure INDEXED BY erasure_unshed WHERE ended_at IS NOT NULL AND shed_at IS NULL)";
    SHED = "
        UPDATE erasure INDEXED BY erasure_unshed SET shed_at = $2
        WHERE ended_at IS NOT NULL AND shed_at IS NULL AND ended_at <= $1";
    UNDO = "
        UPDATE erasure SET undone_at = $2
        WHERE source_id = $1 AND because = 'asked' AND undone_at IS NULL AND ended_at IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM erasure WHERE source_id = $1 AND ended_at IS NULL)";
    LIST = "SELECT * FROM erasure ORDER BY erasure_id DESC LIMIT $1";
    PRUNE = "
        DELETE FROM erasure WHERE erasure_id IN (
            SELECT erasure_id FROM erasure INDEXED BY erasure_ended
            WHERE because <> 'asked' AND ended_at < $1 ORDER BY ended_at LIMIT $2)";
}
