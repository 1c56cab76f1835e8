//! The statements on `run`; those on `run_file` are in [`made`].

mod brief;
mod change;
mod judgement;
pub mod made;
pub mod objects;
pub mod old;
pub mod open;
pub mod tries;
mod view;

use super::row::{Outcome, Run, RunId, State};
use crate::database::{Connection, Error, Row, from_row, params, statements};
use crate::fastio::{FileKey, NodeId};
use crate::outside;

pub use brief::{Brief, briefs, those};
pub use change::Change;
pub use judgement::{judge, withdraw_judgement};
pub use view::{HeldRow, Page, Place, RunRow, counts, held, list, over, page, row, unfinished};

/// A run to be written down.
#[derive(Debug)]
pub struct NewRun<'a> {
    pub rule: &'a str,
    pub key: &'a FileKey,
    pub path: &'a str,
    pub content_hash: &'a str,
    pub version: Option<&'a str>,
    pub bytes: u64,
    pub file_id: &'a str,
    pub vector_store: &'a str,
    pub definition: &'a str,
    pub engine: &'a str,
    pub model: Option<&'a str>,
}

/// Writes a run down, unless there is one for this content under this definition.
pub fn add(connection: &mut Connection, run: &NewRun<'_>, now: i64) -> Result<Option<RunId>, Error> {
    let id = connection.first(
        ADD,
        params![
            run.rule,
            run.key.to_string(),
            run.key.profile.to_string(),
            run.key.node.as_str(),
            run.path,
            run.content_hash,
            run.version,
            number(run.bytes),
            run.file_id,
            run.vector_store,
            run.definition,
            run.engine,
            run.model,
            now,
        ],
    )?;
    Ok(id.map(RunId))
}

/// As SQLite has numbers.
fn number(unsigned: u64) -> i64 {
    i64::try_from(unsigned).unwrap_or(i64::MAX)
}

/// Every run of `rule` over a file, oldest first.
pub fn of_file(connection: &mut Connection, key: &FileKey, rule: &str) -> Result<Vec<Run>, Error> {
    connection.all(OF_FILE, params![key.to_string(), rule])
}

/// One run.
pub fn get(connection: &mut Connection, id: RunId) -> Result<Option<Run>, Error> {
    connection.first(GET, params![id.0])
}

/// Gives a run the empty conversation of another run of its rule that waits and that no job works on now. Whether there was
/// one.
pub fn take_conversation(
    connection: &mut Connection,
    id: RunId,
    rule: &str,
    now: i64,
) -> Result<bool, Error> {
    let other: Option<(i64, String)> = connection.first(SPARE_CONVERSATION, params![rule, id.0])?;
    let Some((other, conversation)) = other else { return Ok(false) };
    outside::store::give_conversation(connection, &outside::of_run(other), &outside::of_run(id))?;
    connection.run(GIVE_CONVERSATION, params![other, None::<String>, now])?;
    connection.run(GIVE_CONVERSATION, params![id.0, conversation, now])?;
    Ok(true)
}

/// The run that a response belongs to.
pub fn of_response(connection: &mut Connection, response: &str) -> Result<Option<Run>, Error> {
    connection.first(OF_RESPONSE, params![response])
}

from_row!(row => Run {
    id: RunId(row.get("run_id")?),
    rule,
    key: key(row)?,
    path,
    content_hash,
    version,
    bytes,
    file_id,
    vector_store,
    definition,
    state: state(row)?,
    outcome: outcome(row)?,
    reason,
    held_until,
    cancel,
    conversation,
    alone,
    response,
    live,
    tries,
    excused,
    other_way,
    begun_at,
    result: row
        .get::<Option<String>>("result")?
        .map(|text| serde_json::from_str(&text).map_err(|_| Error::bug("a run's result is not JSON")))
        .transpose()?,
    judgement: judgement::of(row)?,
    created_at,
    answered_at,
    ended_at,
});

/// The file that a run is over.
pub(in crate::run) fn key(row: &Row<'_>) -> Result<FileKey, Error> {
    let profile = row.get::<String>("profile")?.parse();
    let profile = profile.map_err(|_| Error::bug("a row names no readable workspace or share"))?;
    Ok(FileKey::new(profile, NodeId::new(row.get::<String>("node")?)))
}

fn state(row: &Row<'_>) -> Result<State, Error> {
    State::parse(&row.get::<String>("state")?).ok_or_else(|| Error::bug("a run is in an unknown state"))
}

fn outcome(row: &Row<'_>) -> Result<Option<Outcome>, Error> {
    Ok(row.get::<Option<String>>("outcome")?.as_deref().and_then(Outcome::parse))
}

/// When the runs of `rule` were begun since `since`, oldest first; only those over `key`, when it is given.
pub fn begun_since(
    connection: &mut Connection,
    rule: &str,
    key: Option<&FileKey>,
    since: i64,
) -> Result<Vec<i64>, Error> {
    connection.all(BEGUN_SINCE, params![rule, since, key.map(ToString::to_string)])
}

/// Wants an ended run once more, unless it has a result; its tries count anew. A result that only could not be written
/// down is delivered again.
pub fn want_again(connection: &mut Connection, run: &Run, now: i64) -> Result<bool, Error> {
    if run.state == State::Ended
        && run.outcome == Some(Outcome::Failed)
        && let Some(outcome) = run.judged()
    {
        Change::Redeliver(outcome).write(connection, run.id, now)?;
        return Ok(true);
    }
    Ok(connection.run(WANT_AGAIN, params![run.id.0, now])? == 1)
}

/// Takes back a run of which nothing was begun.
pub fn withdraw(connection: &mut Connection, id: RunId) -> Result<(), Error> {
    connection.run(WITHDRAW, params![id.0]).map(drop)
}

/// Wants an ended run once more, in place of the result that it may have.
pub fn want_anew(connection: &mut Connection, id: RunId, now: i64) -> Result<(), Error> {
    connection.run(WANT_ANEW, params![id.0, now]).map(drop)
}

/// Asks for the end of a run that goes on. False when it has ended.
pub fn cancel(connection: &mut Connection, id: RunId, now: i64) -> Result<bool, Error> {
    Ok(connection.run(CANCEL, params![id.0, now])? == 1)
}

statements! {
    /// A claim is written by the connection that runs this too, so a run whose job is not running is not worked on.
    SPARE_CONVERSATION = "
        SELECT run_id, conversation FROM run AS r
        WHERE rule = $1 AND run_id <> $2 AND state = 'wanted' AND engine IN ('responses', 'fastio') AND conversation IS NOT NULL
          AND NOT EXISTS (
            SELECT 1 FROM job WHERE key = 'run:' || r.source_id || ':' || r.rule AND state = 'running')
        LIMIT 1";
    GIVE_CONVERSATION = "UPDATE run SET conversation = $2, updated_at = $3 WHERE run_id = $1";
    ADD = "
        INSERT INTO run (rule, source_id, profile, node, path, content_hash, version, bytes, file_id, vector_store,
                         definition, engine, model, state, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'wanted', $14, $14)
        ON CONFLICT DO NOTHING
        RETURNING run_id";
    OF_FILE = "SELECT * FROM run WHERE source_id = $1 AND rule = $2 ORDER BY run_id";
    GET = "SELECT * FROM run WHERE run_id = $1";
    OF_RESPONSE = "SELECT * FROM run WHERE response = $1";
    BEGUN_SINCE = "
        SELECT begun_at FROM run
        WHERE rule = $1 AND begun_at > $2 AND (CAST($3 AS TEXT) IS NULL OR source_id = $3)
        ORDER BY begun_at";
    WANT_AGAIN = "
        UPDATE run SET state = 'wanted', outcome = NULL, reason = NULL, held_until = NULL, cancel = 0, conversation = NULL, alone = 0, response = NULL,
                       live = 0, tries = 0, excused = 0, other_way = NULL, result = NULL, ended_at = NULL, updated_at = $2
        WHERE run_id = $1 AND state = 'ended' AND outcome NOT IN ('completed', 'needs_review')";
    WANT_ANEW = "
        UPDATE run SET state = 'wanted', outcome = NULL, reason = NULL, held_until = NULL, cancel = 0, conversation = NULL, alone = 0, response = NULL,
                       live = 0, tries = 0, excused = 0, other_way = NULL, result = NULL, ended_at = NULL, updated_at = $2
        WHERE run_id = $1 AND state = 'ended'";
    WITHDRAW = "DELETE FROM run WHERE run_id = $1 AND state = 'wanted' AND tries = 0";
    CANCEL = "
        UPDATE run SET cancel = 1, updated_at = $2 WHERE run_id = $1 AND state NOT IN ('ending', 'ended')";
}
