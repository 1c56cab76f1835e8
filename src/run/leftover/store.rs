//! The statements on `leftover`.

use secrecy::SecretString;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Leftover, Made, What};
use crate::database::{Connection, Error};
use crate::fastio::{FileKey, NodeId, Profile, UploadId};
use crate::job;
use crate::queue::Priority;
use crate::run::row::RunId;

/// Writes down that an upload is about to be opened for `owner`. Answers its row and its mark.
pub async fn ask_upload(connection: &mut Connection, owner: &str, now: i64) -> Result<(i64, String), Error> {
    sqlx::query_as(ASK_UPLOAD).bind(owner).bind(now).fetch_one(connection).await
}

/// The mark is random, so that no other program's upload has it by chance.
const ASK_UPLOAD: &str = "
    INSERT INTO leftover (kind, state, owner, mark, since) VALUES ('upload', 'asked', $1, lower(hex(randomblob(8))), $2)
    RETURNING leftover_id, mark";

/// Writes down that a conversation, or thread, is about to be made for a run.
pub async fn ask_conversation(
    connection: &mut Connection,
    (run, kind, rule): (RunId, &str, &str),
    now: i64,
) -> Result<i64, Error> {
    sqlx::query_scalar(ASK_CONVERSATION)
        .bind(kind)
        .bind(format!("run:{run}"))
        .bind(rule)
        .bind(now)
        .fetch_one(connection)
        .await
}

const ASK_CONVERSATION: &str = "INSERT INTO leftover (kind, state, owner, rule, since) VALUES ($1, 'asked', $2, $3, $4) RETURNING leftover_id";

/// It exists, under this id.
pub async fn made(connection: &mut Connection, id: i64, object: &str) -> Result<(), Error> {
    sqlx::query("UPDATE leftover SET state = 'used', object = $2 WHERE leftover_id = $1")
        .bind(id)
        .bind(object)
        .execute(connection)
        .await?;
    Ok(())
}

/// It is gone, was never made, or belongs to its run from now on.
pub async fn forget(connection: &mut Connection, id: i64) -> Result<(), Error> {
    sqlx::query("DELETE FROM leftover WHERE leftover_id = $1").bind(id).execute(connection).await?;
    Ok(())
}

/// No write of `owner` needs its uploads any more.
pub async fn leave_uploads(connection: &mut Connection, owner: &str, now: i64) -> Result<(), Error> {
    let left = sqlx::query(
        "UPDATE leftover SET state = 'left' WHERE kind = 'upload' AND state <> 'left' AND owner = $1 RETURNING *",
    )
    .bind(owner)
    .fetch_all(&mut *connection)
    .await?;
    ask_jobs(connection, &left, now).await
}

/// The run writes nothing any more: neither its result nor the files that it made.
pub async fn leave_uploads_of(connection: &mut Connection, run: RunId, now: i64) -> Result<(), Error> {
    let left = sqlx::query(LEAVE_UPLOADS_OF).bind(run.0).fetch_all(&mut *connection).await?;
    ask_jobs(connection, &left, now).await
}

const LEAVE_UPLOADS_OF: &str = "
    WITH run_owner (owner) AS (SELECT 'run:' || rule || ':' || source_id FROM run WHERE run_id = $1)
    UPDATE leftover SET state = 'left'
    WHERE kind = 'upload' AND state <> 'left'
      AND EXISTS (SELECT 1 FROM run_owner AS own
                  WHERE leftover.owner = own.owner
                     OR substr(leftover.owner, 1, length(own.owner) + 1) = own.owner || ':')
    RETURNING *";

/// Uploads that nobody finished within a long time: whoever wanted them is dead, and would begin anew.
pub async fn leave_old_uploads(connection: &mut Connection, before: i64, now: i64) -> Result<(), Error> {
    let left = sqlx::query(
        "UPDATE leftover SET state = 'left' WHERE kind = 'upload' AND state <> 'left' AND since < $1 RETURNING *",
    )
    .bind(before)
    .fetch_all(&mut *connection)
    .await?;
    ask_jobs(connection, &left, now).await
}

/// The run lets go of the conversation that it was made in.
pub async fn leave_conversation(connection: &mut Connection, run: RunId, now: i64) -> Result<(), Error> {
    let left = sqlx::query(LEAVE_CONVERSATION).bind(run.0).bind(now).fetch_all(&mut *connection).await?;
    ask_jobs(connection, &left, now).await
}

const LEAVE_CONVERSATION: &str = "
    INSERT INTO leftover (kind, state, owner, rule, object, response, begun_at, since)
    SELECT CASE engine WHEN 'assistants' THEN 'thread' ELSE 'conversation' END, 'left', 'run:' || run_id, rule,
           conversation, CASE live WHEN 1 THEN response END, CASE live WHEN 1 THEN begun_at END, $2
    FROM run WHERE run_id = $1 AND conversation IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING *";

/// The run ends without having been able to release its lock.
pub async fn leave_lock(connection: &mut Connection, run: RunId, now: i64) -> Result<(), Error> {
    let left = sqlx::query(LEAVE_LOCK).bind(run.0).bind(now).fetch_all(&mut *connection).await?;
    ask_jobs(connection, &left, now).await
}

const LEAVE_LOCK: &str = "
    INSERT INTO leftover (kind, state, owner, rule, object, profile, node, since)
    SELECT 'lock', 'left', 'run:' || run_id, rule, lock_token, profile, node, coalesce(lock_at, $2)
    FROM run WHERE run_id = $1 AND lock <> 'none'
    ON CONFLICT DO NOTHING
    RETURNING *";

/// What was begun in a conversation that was left is this response.
pub async fn tell_response(
    connection: &mut Connection,
    (conversation, response): (&str, &str),
    now: i64,
) -> Result<bool, Error> {
    let told =
        sqlx::query(TELL_RESPONSE).bind(conversation).bind(response).fetch_all(&mut *connection).await?;
    ask_jobs(connection, &told, now).await?;
    Ok(!told.is_empty())
}

const TELL_RESPONSE: &str = "
    UPDATE leftover SET response = $2 WHERE kind = 'conversation' AND state = 'left' AND object = $1 RETURNING *";

async fn ask_jobs(connection: &mut Connection, rows: &[SqliteRow], now: i64) -> Result<(), Error> {
    for row in rows {
        let task = leftover(row)?.task();
        job::enqueue(connection, &task, Priority::Live, now).await?;
    }
    Ok(())
}

/// One that is to be taken away.
pub async fn get(connection: &mut Connection, id: i64) -> Result<Option<Leftover>, Error> {
    let row = sqlx::query("SELECT * FROM leftover WHERE leftover_id = $1 AND state = 'left'")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(leftover).transpose()
}

/// Those that are to be taken away, oldest first, and uploads from before `before`, which nobody finishes.
pub async fn left(connection: &mut Connection, (most, before): (u32, i64)) -> Result<Vec<Leftover>, Error> {
    let rows = sqlx::query(LEFT).bind(i64::from(most)).bind(before).fetch_all(connection).await?;
    rows.iter().map(leftover).collect()
}

const LEFT: &str = "
    SELECT * FROM leftover WHERE state = 'left' OR (kind = 'upload' AND since < $2)
    ORDER BY leftover_id LIMIT $1";

/// What is to be taken away, and conversations that may exist and cannot be found.
pub async fn counts(connection: &mut Connection) -> Result<(i64, i64), Error> {
    sqlx::query_as(
        "SELECT count(*) FILTER (WHERE state = 'left'), count(*) FILTER (WHERE kind <> 'upload' AND state = 'asked')
         FROM leftover",
    )
    .fetch_one(connection)
    .await
}

/// Forgets those that were asked for before `before`.
pub async fn forget_unanswered(connection: &mut Connection, before: i64) -> Result<(), Error> {
    sqlx::query("DELETE FROM leftover WHERE kind <> 'upload' AND state = 'asked' AND since < $1")
        .bind(before)
        .execute(connection)
        .await?;
    Ok(())
}

fn leftover(row: &SqliteRow) -> Result<Leftover, Error> {
    let kind: String = row.try_get("kind")?;
    let object: Option<String> = row.try_get("object")?;
    let what = match kind.as_str() {
        "upload" => What::Upload { mark: row.try_get("mark")?, id: object.map(UploadId) },
        "lock" => {
            let profile: String = row.try_get("profile")?;
            let profile: Profile = profile.parse().map_err(|error| Error::Decode(Box::new(error)))?;
            let key = FileKey::new(profile, NodeId::new(row.try_get::<String, _>("node")?));
            What::Lock { key, token: object.map(SecretString::from) }
        }
        _ => {
            let made =
                Made { id: object, response: row.try_get("response")?, begun_at: row.try_get("begun_at")? };
            if kind == "thread" { What::Thread(made) } else { What::Conversation(made) }
        }
    };
    Ok(Leftover {
        id: row.try_get("leftover_id")?,
        owner: row.try_get("owner")?,
        rule: row.try_get("rule")?,
        since: row.try_get("since")?,
        what,
    })
}
