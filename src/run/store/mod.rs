//! The statements on `run`; those on `run_file` are in [`made`].

mod brief;
mod change;
pub mod made;
mod view;

use secrecy::SecretString;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::row::{Hold, Outcome, Run, RunId, State};
use crate::database::{Connection, Error};
use crate::fastio::{FileKey, NodeId, Profile};

pub use brief::{Brief, briefs, those};
pub use change::Change;
pub use view::{HeldRow, RunRow, counts, held, list, row, unfinished};

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
pub async fn add(connection: &mut Connection, run: &NewRun<'_>, now: i64) -> Result<Option<RunId>, Error> {
    let id: Option<i64> = sqlx::query_scalar(ADD)
        .bind(run.rule)
        .bind(run.key.to_string())
        .bind(run.key.profile.to_string())
        .bind(run.key.node.as_str())
        .bind(run.path)
        .bind(run.content_hash)
        .bind(run.version)
        .bind(i64::try_from(run.bytes).unwrap_or(i64::MAX))
        .bind(run.file_id)
        .bind(run.vector_store)
        .bind(run.definition)
        .bind(run.engine)
        .bind(run.model)
        .bind(now)
        .fetch_optional(connection)
        .await?;
    Ok(id.map(RunId))
}

const ADD: &str = "
    INSERT INTO run (rule, source_id, profile, node, path, content_hash, version, bytes, file_id, vector_store,
                     definition, engine, model, state, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'wanted', $14, $14)
    ON CONFLICT DO NOTHING
    RETURNING run_id";

/// Every run of `rule` over a file, oldest first.
pub async fn of_file(connection: &mut Connection, key: &FileKey, rule: &str) -> Result<Vec<Run>, Error> {
    let rows = sqlx::query("SELECT * FROM run WHERE source_id = $1 AND rule = $2 ORDER BY run_id")
        .bind(key.to_string())
        .bind(rule)
        .fetch_all(connection)
        .await?;
    rows.iter().map(run).collect()
}

/// One run.
pub async fn get(connection: &mut Connection, id: RunId) -> Result<Option<Run>, Error> {
    let row =
        sqlx::query("SELECT * FROM run WHERE run_id = $1").bind(id.0).fetch_optional(connection).await?;
    row.as_ref().map(run).transpose()
}

/// The run that a response belongs to.
pub async fn of_response(connection: &mut Connection, response: &str) -> Result<Option<Run>, Error> {
    let row = sqlx::query("SELECT * FROM run WHERE response = $1")
        .bind(response)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(run).transpose()
}

fn run(row: &SqliteRow) -> Result<Run, Error> {
    let state: String = row.try_get("state")?;
    let state = self::state(&state)?;
    let outcome: Option<String> = row.try_get("outcome")?;
    let lock: String = row.try_get("lock")?;
    let token: Option<String> = row.try_get("lock_token")?;
    let lock = match (lock.as_str(), token) {
        ("asking", _) => Hold::Asking,
        ("held", Some(token)) => Hold::Held {
            token: SecretString::from(token),
            since: row.try_get::<Option<i64>, _>("lock_at")?.unwrap_or(0),
        },
        _ => Hold::None,
    };
    let result: Option<String> = row.try_get("result")?;
    let profile: String = row.try_get("profile")?;
    let profile: Profile = profile.parse().map_err(|error| Error::Decode(Box::new(error)))?;
    Ok(Run {
        id: RunId(row.try_get("run_id")?),
        rule: row.try_get("rule")?,
        key: FileKey::new(profile, NodeId::new(row.try_get::<String, _>("node")?)),
        path: row.try_get("path")?,
        content_hash: row.try_get("content_hash")?,
        version: row.try_get("version")?,
        bytes: row.try_get::<i64, _>("bytes")?.try_into().unwrap_or(0),
        file_id: row.try_get("file_id")?,
        vector_store: row.try_get("vector_store")?,
        definition: row.try_get("definition")?,
        state,
        outcome: outcome.as_deref().and_then(Outcome::parse),
        reason: row.try_get("reason")?,
        held_until: row.try_get("held_until")?,
        cancel: row.try_get::<i64, _>("cancel")? != 0,
        conversation: row.try_get("conversation")?,
        response: row.try_get("response")?,
        live: row.try_get::<i64, _>("live")? != 0,
        tries: row.try_get::<i64, _>("tries")?.try_into().unwrap_or(u16::MAX),
        begun_at: row.try_get("begun_at")?,
        lock,
        result: result
            .map(|text| serde_json::from_str(&text).map_err(|error| Error::Decode(error.into())))
            .transpose()?,
        created_at: row.try_get("created_at")?,
        answered_at: row.try_get("answered_at")?,
        ended_at: row.try_get("ended_at")?,
    })
}

fn state(text: &str) -> Result<State, Error> {
    State::parse(text).ok_or_else(|| Error::Decode(format!("a run in the unknown state `{text}`").into()))
}

/// Whether another run of ours has, or asks for, the lock on the file.
pub async fn locked_by_other(connection: &mut Connection, run: &Run) -> Result<bool, Error> {
    let other: Option<i64> =
        sqlx::query_scalar("SELECT run_id FROM run WHERE source_id = $1 AND run_id <> $2 AND lock <> 'none'")
            .bind(run.key.to_string())
            .bind(run.id.0)
            .fetch_optional(connection)
            .await?;
    Ok(other.is_some())
}

/// Whether a run of ours has, or asks for, the lock on the file.
pub async fn is_locked(connection: &mut Connection, key: &FileKey) -> Result<bool, Error> {
    let run: Option<i64> =
        sqlx::query_scalar("SELECT run_id FROM run WHERE source_id = $1 AND lock <> 'none'")
            .bind(key.to_string())
            .fetch_optional(connection)
            .await?;
    Ok(run.is_some())
}

/// When the runs of `rule` were begun since `since`, oldest first; only those over `key`, when it is given.
pub async fn begun_since(
    connection: &mut Connection,
    (rule, key): (&str, Option<&FileKey>),
    since: i64,
) -> Result<Vec<i64>, Error> {
    sqlx::query_scalar(BEGUN_SINCE)
        .bind(rule)
        .bind(since)
        .bind(key.map(ToString::to_string))
        .fetch_all(connection)
        .await
}

const BEGUN_SINCE: &str = "
    SELECT begun_at FROM run
    WHERE rule = $1 AND begun_at > $2 AND ($3 IS NULL OR source_id = $3)
    ORDER BY begun_at";

/// Wants an ended run once more, unless it has a result; its tries count anew. A result that only could not be written
/// down is delivered again.
pub async fn want_again(connection: &mut Connection, run: &Run, now: i64) -> Result<bool, Error> {
    if run.state == State::Ended
        && run.outcome == Some(Outcome::Failed)
        && let Some(outcome) = run.judged()
    {
        Change::Redeliver(outcome).write(connection, run.id, now).await?;
        return Ok(true);
    }
    let wanted = sqlx::query(WANT_AGAIN).bind(run.id.0).bind(now).execute(connection).await?;
    Ok(wanted.rows_affected() == 1)
}

const WANT_AGAIN: &str = "
    UPDATE run SET state = 'wanted', outcome = NULL, reason = NULL, held_until = NULL, cancel = 0, conversation = NULL, response = NULL,
                   live = 0, tries = 0, result = NULL, ended_at = NULL, updated_at = $2
    WHERE run_id = $1 AND state = 'ended' AND outcome NOT IN ('completed', 'needs_review')";

/// Wants an ended run once more, in place of the result that it may have.
pub async fn want_anew(connection: &mut Connection, id: RunId, now: i64) -> Result<(), Error> {
    sqlx::query(WANT_ANEW).bind(id.0).bind(now).execute(connection).await?;
    Ok(())
}

const WANT_ANEW: &str = "
    UPDATE run SET state = 'wanted', outcome = NULL, reason = NULL, held_until = NULL, cancel = 0, conversation = NULL, response = NULL,
                   live = 0, tries = 0, result = NULL, ended_at = NULL, updated_at = $2
    WHERE run_id = $1 AND state = 'ended'";

/// Asks for the end of a run that goes on. False when it has ended.
pub async fn cancel(connection: &mut Connection, id: RunId, now: i64) -> Result<bool, Error> {
    let asked = sqlx::query(
        "UPDATE run SET cancel = 1, updated_at = $2 WHERE run_id = $1 AND state NOT IN ('ending', 'ended')",
    )
    .bind(id.0)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(asked.rows_affected() == 1)
}

/// How quiet a rule is: how many of its runs go on, and when one last ended. A run that is held does not go on.
pub async fn quiet(connection: &mut Connection, rule: &str) -> Result<(i64, Option<i64>), Error> {
    sqlx::query_as(QUIET).bind(rule).fetch_one(connection).await
}

const QUIET: &str = "
    SELECT count(*) FILTER (WHERE state <> 'ended' AND NOT (state = 'wanted' AND reason IS NOT NULL)), max(ended_at)
    FROM run WHERE rule = $1";

/// The mean use of tokens by the runs of a rule that ended: input, output, and over how many.
pub async fn mean_tokens(
    connection: &mut Connection,
    rule: &str,
) -> Result<(Option<f64>, Option<f64>, i64), Error> {
    sqlx::query_as(
        "SELECT avg(input_tokens), avg(output_tokens), count(input_tokens) FROM run WHERE rule = $1 AND input_tokens > 0",
    )
    .bind(rule)
    .fetch_one(connection)
    .await
}
