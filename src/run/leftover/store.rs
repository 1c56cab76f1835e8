//! The statements on `leftover`.

use secrecy::SecretString;

use super::{Leftover, Made, What};
use crate::database::{Connection, Error, Row, from_row, params, statements};
use crate::fastio::UploadId;
use crate::job;
use crate::queue::Priority;
use crate::run::row::RunId;
use crate::run::store::key;

/// Writes down that an upload is about to be opened for `owner`. Answers its row and its mark.
pub fn ask_upload(connection: &mut Connection, owner: &str, now: i64) -> Result<(i64, String), Error> {
    connection.one(ASK_UPLOAD, params![owner, now])
}

/// Writes down that a conversation, or thread, is about to be made for a run.
pub fn ask_conversation(
    connection: &mut Connection,
    (run, kind, rule): (RunId, &str, &str),
    now: i64,
) -> Result<i64, Error> {
    connection.one(ASK_CONVERSATION, params![kind, format!("run:{run}"), rule, now])
}

/// It exists, under this id.
pub fn made(connection: &mut Connection, id: i64, object: &str) -> Result<(), Error> {
    connection.run(MADE, params![id, object]).map(drop)
}

/// It is gone, was never made, or belongs to its run from now on.
pub fn forget(connection: &mut Connection, id: i64) -> Result<(), Error> {
    connection.run(FORGET, params![id]).map(drop)
}

/// No write of `owner` needs its uploads any more.
pub fn leave_uploads(connection: &mut Connection, owner: &str, now: i64) -> Result<(), Error> {
    let left = connection.all(LEAVE_UPLOADS, params![owner])?;
    ask_jobs(connection, &left, now)
}

/// The run writes nothing any more: neither its result nor the files that it made.
pub fn leave_uploads_of(connection: &mut Connection, run: RunId, now: i64) -> Result<(), Error> {
    let left = connection.all(LEAVE_UPLOADS_OF, params![run.0])?;
    ask_jobs(connection, &left, now)
}

/// Uploads that nobody finished within a long time: whoever wanted them is dead, and would begin anew.
pub fn leave_old_uploads(connection: &mut Connection, before: i64, now: i64) -> Result<(), Error> {
    let left = connection.all(LEAVE_OLD_UPLOADS, params![before])?;
    ask_jobs(connection, &left, now)
}

/// The run lets go of the conversation that it was made in.
pub fn leave_conversation(connection: &mut Connection, run: RunId, now: i64) -> Result<(), Error> {
    let left = connection.all(LEAVE_CONVERSATION, params![run.0, now])?;
    ask_jobs(connection, &left, now)
}

/// The run ends without having been able to release its lock.
pub fn leave_lock(connection: &mut Connection, run: RunId, now: i64) -> Result<(), Error> {
    let left = connection.all(LEAVE_LOCK, params![run.0, now])?;
    ask_jobs(connection, &left, now)
}

/// What was begun in a conversation that was left is this response.
pub fn tell_response(
    connection: &mut Connection,
    (conversation, response): (&str, &str),
    now: i64,
) -> Result<bool, Error> {
    let told = connection.all(TELL_RESPONSE, params![conversation, response])?;
    ask_jobs(connection, &told, now)?;
    Ok(!told.is_empty())
}

fn ask_jobs(connection: &mut Connection, left: &[Leftover], now: i64) -> Result<(), Error> {
    left.iter().try_for_each(|left| job::enqueue(connection, &left.task(), Priority::Live, now).map(drop))
}

/// One that is to be taken away.
pub fn get(connection: &mut Connection, id: i64) -> Result<Option<Leftover>, Error> {
    connection.first(GET, params![id])
}

/// Those that are to be taken away, oldest first, and uploads from before `before`, which nobody finishes.
pub fn left(connection: &mut Connection, (most, before): (u32, i64)) -> Result<Vec<Leftover>, Error> {
    connection.all(LEFT, params![most, before])
}

/// What is to be taken away, and conversations that may exist and cannot be found.
pub fn counts(connection: &mut Connection) -> Result<(i64, i64), Error> {
    connection.one(COUNTS, params![])
}

/// Forgets those that were asked for before `before`.
pub fn forget_unanswered(connection: &mut Connection, before: i64) -> Result<(), Error> {
    connection.run(FORGET_UNANSWERED, params![before]).map(drop)
}

from_row!(row => Leftover { id: row.get("leftover_id")?, owner, rule, since, what: what(row)? });

fn what(row: &Row<'_>) -> Result<What, Error> {
    let object: Option<String> = row.get("object")?;
    Ok(match row.get::<String>("kind")?.as_str() {
        "upload" => What::Upload { mark: row.get("mark")?, id: object.map(UploadId) },
        "lock" => What::Lock { key: key(row)?, token: object.map(SecretString::from) },
        kind => {
            let made = Made { id: object, response: row.get("response")?, begun_at: row.get("begun_at")? };
            if kind == "thread" { What::Thread(made) } else { What::Conversation(made) }
        }
    })
}

statements! {
    /// The mark is random, so that no other program's upload has it by chance.
    ASK_UPLOAD = "
        INSERT INTO leftover (kind, state, owner, mark, since) VALUES ('upload', 'asked', $1, lower(hex(randomblob(8))), $2)
        RETURNING leftover_id, mark";
    ASK_CONVERSATION = "
        INSERT INTO leftover (kind, state, owner, rule, since) VALUES ($1, 'asked', $2, $3, $4) RETURNING leftover_id";
    MADE = "UPDATE leftover SET state = 'used', object = $2 WHERE leftover_id = $1";
    FORGET = "DELETE FROM leftover WHERE leftover_id = $1";
    LEAVE_UPLOADS = "
        UPDATE leftover SET state = 'left' WHERE kind = 'upload' AND state <> 'left' AND owner = $1 RETURNING *";
    LEAVE_UPLOADS_OF = "
        WITH run_owner (owner) AS (SELECT 'run:' || rule || ':' || source_id FROM run WHERE run_id = $1)
        UPDATE leftover SET state = 'left'
        WHERE kind = 'upload' AND state <> 'left'
          AND EXISTS (SELECT 1 FROM run_owner AS own
                      WHERE leftover.owner = own.owner
                         OR substr(leftover.owner, 1, length(own.owner) + 1) = own.owner || ':')
        RETURNING *";
    LEAVE_OLD_UPLOADS = "
        UPDATE leftover SET state = 'left' WHERE kind = 'upload' AND state <> 'left' AND since < $1 RETURNING *";
    LEAVE_CONVERSATION = "
        INSERT INTO leftover (kind, state, owner, rule, object, response, begun_at, since)
        SELECT CASE engine WHEN 'assistants' THEN 'thread' ELSE 'conversation' END, 'left', 'run:' || run_id, rule,
               conversation, CASE live WHEN 1 THEN response END, CASE live WHEN 1 THEN begun_at END, $2
        FROM run WHERE run_id = $1 AND conversation IS NOT NULL
        ON CONFLICT DO NOTHING
        RETURNING *";
    LEAVE_LOCK = "
        INSERT INTO leftover (kind, state, owner, rule, object, profile, node, since)
        SELECT 'lock', 'left', 'run:' || run_id, rule, lock_token, profile, node, coalesce(lock_at, $2)
        FROM run WHERE run_id = $1 AND lock <> 'none'
        ON CONFLICT DO NOTHING
        RETURNING *";
    TELL_RESPONSE = "
        UPDATE leftover SET response = $2 WHERE kind = 'conversation' AND state = 'left' AND object = $1 RETURNING *";
    GET = "SELECT * FROM leftover WHERE leftover_id = $1 AND state = 'left'";
    LEFT = "
        SELECT * FROM leftover WHERE state = 'left' OR (kind = 'upload' AND since < $2)
        ORDER BY leftover_id LIMIT $1";
    COUNTS = "
        SELECT count(*) FILTER (WHERE state = 'left'), count(*) FILTER (WHERE kind <> 'upload' AND state = 'asked')
        FROM leftover";
    FORGET_UNANSWERED = "DELETE FROM leftover WHERE kind <> 'upload' AND state = 'asked' AND since < $1";
}
