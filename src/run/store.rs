//! The statements on `run` and `run_file`.

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use super::row::{Hold, Outcome, Run, RunId, State};
use crate::database::{Connection, Error};
use crate::event::FileKey;
use crate::fastio::{NodeId, Profile};

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
    let decode = |what: String| Error::Decode(what.into());
    let state: String = row.try_get("state")?;
    let state =
        State::parse(&state).ok_or_else(|| decode(format!("a run in the unknown state `{state}`")))?;
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

/// One thing to write down about a run. Those of one step are written in one transaction.
#[derive(Debug)]
pub enum Change<'a> {
    /// Its lock is about to be asked for.
    LockAsked,
    LockHeld(&'a SecretString),
    /// It was lengthened.
    LockKept,
    LockGone,
    /// The file was uploaded anew, as this File object of so many bytes.
    File(&'a str, u64),
    /// The conversation, or thread, that the run is made in.
    Conversation(&'a str),
    /// A response is about to be created.
    Begun,
    /// It was not created, for certain.
    Unbegun,
    Response(&'a str),
    /// Neither this response nor its conversation counts any more; another is to be made.
    Again(&'a str),
    /// OpenAI is done with it, one way or another.
    Quiet,
    Answered {
        outcome: Outcome,
        reason: Option<&'a str>,
        result: &'a Value,
        tokens: (Option<u64>, Option<u64>),
    },
    /// A result that is on record is to be delivered once more, with the outcome it has by itself.
    Redeliver(Outcome),
    /// Something is kept of a run that ends without a result.
    Kept {
        result: &'a Value,
        tokens: (Option<u64>, Option<u64>),
    },
    Ending {
        outcome: Outcome,
        reason: Option<&'a str>,
    },
    Ended,
    /// Why it waits, in words; or that it does no longer.
    Waits(Option<&'a str>),
    /// What was delivered, added to the result.
    Result(&'a Value),
}

impl Change<'_> {
    pub async fn write(&self, connection: &mut Connection, id: RunId, now: i64) -> Result<(), Error> {
        let begin = |statement| sqlx::query(statement).bind(id.0).bind(now);
        let statement = match self {
            Change::LockAsked => begin(LOCK_ASKED),
            Change::LockHeld(token) => begin(LOCK_HELD).bind(token.expose_secret()),
            Change::LockKept => begin("UPDATE run SET lock_at = $2 WHERE run_id = $1"),
            Change::LockGone => begin(LOCK_GONE),
            Change::File(file_id, bytes) => {
                begin(FILE).bind(*file_id).bind(i64::try_from(*bytes).unwrap_or(i64::MAX))
            }
            Change::Conversation(made) => begin(CONVERSATION).bind(*made),
            Change::Begun => begin(BEGUN),
            Change::Unbegun => begin(UNBEGUN),
            Change::Response(response) => begin(RESPONSE).bind(*response),
            Change::Again(reason) => begin(AGAIN).bind(*reason),
            Change::Quiet => begin("UPDATE run SET live = 0, updated_at = $2 WHERE run_id = $1"),
            Change::Answered { outcome, reason, result, tokens } => begin(ANSWERED)
                .bind(outcome.as_str())
                .bind(*reason)
                .bind(result.to_string())
                .bind(count(tokens.0))
                .bind(count(tokens.1)),
            Change::Redeliver(outcome) => begin(REDELIVER).bind(outcome.as_str()),
            Change::Kept { result, tokens } => {
                begin(KEPT).bind(result.to_string()).bind(count(tokens.0)).bind(count(tokens.1))
            }
            Change::Ending { outcome, reason } => begin(ENDING).bind(outcome.as_str()).bind(*reason),
            Change::Ended => begin(ENDED),
            Change::Waits(reason) => {
                begin("UPDATE run SET reason = $3, updated_at = $2 WHERE run_id = $1").bind(*reason)
            }
            Change::Result(result) => begin("UPDATE run SET result = $3, updated_at = $2 WHERE run_id = $1")
                .bind(result.to_string()),
        };
        statement.execute(connection).await?;
        Ok(())
    }
}

const LOCK_ASKED: &str = "UPDATE run SET lock = 'asking', lock_token = NULL, lock_at = $2 WHERE run_id = $1";
const LOCK_HELD: &str = "UPDATE run SET lock = 'held', lock_token = $3, lock_at = $2 WHERE run_id = $1";
const LOCK_GONE: &str =
    "UPDATE run SET lock = 'none', lock_token = NULL, lock_at = NULL WHERE run_id = $1 AND $2 > 0";
const FILE: &str = "UPDATE run SET file_id = $3, bytes = $4, updated_at = $2 WHERE run_id = $1";
const CONVERSATION: &str = "UPDATE run SET conversation = $3, updated_at = $2 WHERE run_id = $1";
const BEGUN: &str = "
    UPDATE run SET state = 'starting', live = 1, tries = tries + 1, begun_at = $2, reason = NULL, updated_at = $2
    WHERE run_id = $1";
const UNBEGUN: &str = "
    UPDATE run SET state = 'wanted', live = 0, tries = tries - 1, begun_at = NULL, updated_at = $2 WHERE run_id = $1";
/// The run may have been ended, or its response told of by a webhook, meanwhile.
const RESPONSE: &str = "
    UPDATE run SET response = $3, state = CASE WHEN state = 'starting' THEN 'running' ELSE state END, updated_at = $2
    WHERE run_id = $1 AND response IS NULL";
const AGAIN: &str = "
    UPDATE run SET state = 'wanted', live = 0, conversation = NULL, response = NULL, reason = $3, updated_at = $2
    WHERE run_id = $1";
const ANSWERED: &str = "
    UPDATE run SET state = 'answered', live = 0, outcome = $3, reason = $4, result = $5, input_tokens = $6,
                   output_tokens = $7, answered_at = $2, updated_at = $2
    WHERE run_id = $1";
const REDELIVER: &str = "
    UPDATE run SET state = 'answered', outcome = $3, cancel = 0, ended_at = NULL, updated_at = $2 WHERE run_id = $1";
const KEPT: &str = "
    UPDATE run SET result = $3, input_tokens = $4, output_tokens = $5, answered_at = $2, updated_at = $2
    WHERE run_id = $1";
const ENDING: &str = "
    UPDATE run SET state = 'ending', outcome = $3, reason = $4, updated_at = $2 WHERE run_id = $1";
const ENDED: &str = "UPDATE run SET state = 'ended', ended_at = $2, updated_at = $2 WHERE run_id = $1";

fn count(tokens: Option<u64>) -> Option<i64> {
    tokens.map(|tokens| i64::try_from(tokens).unwrap_or(i64::MAX))
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
    UPDATE run SET state = 'wanted', outcome = NULL, reason = NULL, cancel = 0, conversation = NULL, response = NULL,
                   live = 0, tries = 0, result = NULL, ended_at = NULL, updated_at = $2
    WHERE run_id = $1 AND state = 'ended' AND outcome NOT IN ('completed', 'needs_review')";

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

/// A run as a person sees it.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct RunRow {
    pub run_id: i64,
    pub rule: String,
    pub source_id: String,
    pub path: String,
    pub state: String,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub engine: String,
    pub model: Option<String>,
    pub definition: String,
    pub content_hash: String,
    pub version: Option<String>,
    pub conversation: Option<String>,
    pub response: Option<String>,
    pub tries: i64,
    pub lock: String,
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub created_at: i64,
    pub begun_at: Option<i64>,
    pub answered_at: Option<i64>,
    pub ended_at: Option<i64>,
}

/// The newest runs first; only those of `rule`, when it is given.
pub async fn list(connection: &mut Connection, rule: Option<&str>, limit: u32) -> Result<Vec<RunRow>, Error> {
    sqlx::query_as(LIST).bind(rule).bind(i64::from(limit)).fetch_all(connection).await
}

/// One run as a person sees it.
pub async fn row(connection: &mut Connection, id: RunId) -> Result<Option<RunRow>, Error> {
    sqlx::query_as(ROW).bind(id.0).fetch_optional(connection).await
}

const ROW: &str = "
    SELECT run_id, rule, source_id, path, state, outcome, reason, engine, model, definition, content_hash, version,
           conversation, response, tries, lock, input_tokens, output_tokens, created_at, begun_at, answered_at, ended_at
    FROM run WHERE run_id = $1";

const LIST: &str = "
    SELECT run_id, rule, source_id, path, state, outcome, reason, engine, model, definition, content_hash, version,
           conversation, response, tries, lock, input_tokens, output_tokens, created_at, begun_at, answered_at, ended_at
    FROM run WHERE $1 IS NULL OR rule = $1
    ORDER BY updated_at DESC, run_id DESC LIMIT $2";

/// How many runs are in each state; those that ended, by their outcome.
pub async fn counts(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    sqlx::query_as(
        "SELECT CASE state WHEN 'ended' THEN outcome ELSE state END AS word, count(*) FROM run GROUP BY word ORDER BY word",
    )
    .fetch_all(connection)
    .await
}

/// A file that a run's code interpreter made.
#[derive(Debug, Clone, FromRow)]
pub struct Produced {
    pub file_id: String,
    pub container: String,
    pub filename: String,
    pub content: Option<Vec<u8>>,
    pub reason: Option<String>,
}

/// Writes down that a run made a file.
pub async fn produced(
    connection: &mut Connection,
    id: RunId,
    (container, file_id, filename): (&str, &str, &str),
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO run_file (run_id, container, file_id, filename) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(id.0)
    .bind(container)
    .bind(file_id)
    .bind(filename)
    .execute(connection)
    .await?;
    Ok(())
}

/// The files that a run made.
pub async fn all_produced(connection: &mut Connection, id: RunId) -> Result<Vec<Produced>, Error> {
    sqlx::query_as("SELECT file_id, container, filename, content, reason FROM run_file WHERE run_id = $1 ORDER BY file_id")
        .bind(id.0)
        .fetch_all(connection)
        .await
}

/// Keeps what was downloaded, or why nothing could be; or lets go of what was delivered, with both `None`.
pub async fn keep_produced(
    connection: &mut Connection,
    (id, file_id): (RunId, &str),
    (content, reason): (Option<&[u8]>, Option<&str>),
) -> Result<(), Error> {
    sqlx::query("UPDATE run_file SET content = $3, reason = $4 WHERE run_id = $1 AND file_id = $2")
        .bind(id.0)
        .bind(file_id)
        .bind(content)
        .bind(reason)
        .execute(connection)
        .await?;
    Ok(())
}

/// Lets go of the files' contents: they are delivered, or have nowhere to go.
pub async fn forget_produced(connection: &mut Connection, id: RunId) -> Result<(), Error> {
    sqlx::query("DELETE FROM run_file WHERE run_id = $1").bind(id.0).execute(connection).await?;
    Ok(())
}
