//! What is written down about a run, one change at a time.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::super::leftover;
use super::super::row::{Outcome, RunId};
use super::made;
use crate::database::{Connection, Error};

/// One thing to write down about a run. Those of one step are written in one transaction.
#[derive(Debug)]
pub enum Change<'a> {
    /// Its lock is about to be asked for.
    LockAsked,
    LockHeld(&'a SecretString),
    /// It was lengthened.
    LockKept,
    LockGone,
    /// It could not be released; somebody else sees to it.
    LockLeft,
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
    /// A limit of its rule keeps it from beginning, in words, and until when at most.
    Held(&'a str, i64),
    /// What was delivered, added to the result.
    Result(&'a Value),
}

impl Change<'_> {
    pub async fn write(&self, connection: &mut Connection, id: RunId, now: i64) -> Result<(), Error> {
        self.leave(connection, id, now).await?;
        let begin = |statement| sqlx::query(statement).bind(id.0).bind(now);
        let statement = match self {
            Change::LockAsked => begin(LOCK_ASKED),
            Change::LockHeld(token) => begin(LOCK_HELD).bind(token.expose_secret()),
            Change::LockKept => begin("UPDATE run SET lock_at = $2 WHERE run_id = $1"),
            Change::LockGone | Change::LockLeft => begin(LOCK_GONE),
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
            Change::Waits(reason) => begin(WAITS).bind(*reason),
            Change::Held(reason, until) => begin(HELD).bind(*reason).bind(*until),
            Change::Result(result) => begin("UPDATE run SET result = $3, updated_at = $2 WHERE run_id = $1")
                .bind(result.to_string()),
        };
        statement.execute(connection).await?;
        Ok(())
    }

    /// What the run lets go of with this change has to be taken away where it was made.
    async fn leave(&self, connection: &mut Connection, id: RunId, now: i64) -> Result<(), Error> {
        match self {
            Change::LockLeft => leftover::store::leave_lock(connection, id, now).await,
            Change::Again(_) => leftover::store::leave_conversation(connection, id, now).await,
            Change::Ended => {
                let outcome: Option<String> = sqlx::query_scalar("SELECT outcome FROM run WHERE run_id = $1")
                    .bind(id.0)
                    .fetch_one(&mut *connection)
                    .await?;
                let outcome = outcome.as_deref().and_then(Outcome::parse);
                leftover::store::leave_uploads_of(connection, id, now).await?;
                if outcome.is_some_and(Outcome::has_result) {
                    return Ok(());
                }
                if outcome != Some(Outcome::Failed) {
                    made::forget_produced(connection, id).await?;
                }
                leftover::store::leave_conversation(connection, id, now).await
            }
            _ => Ok(()),
        }
    }
}

const LOCK_ASKED: &str = "UPDATE run SET lock = 'asking', lock_token = NULL, lock_at = $2 WHERE run_id = $1";
const LOCK_HELD: &str = "UPDATE run SET lock = 'held', lock_token = $3, lock_at = $2 WHERE run_id = $1";
const LOCK_GONE: &str =
    "UPDATE run SET lock = 'none', lock_token = NULL, lock_at = NULL WHERE run_id = $1 AND $2 > 0";
const FILE: &str = "UPDATE run SET file_id = $3, bytes = $4, updated_at = $2 WHERE run_id = $1";
const CONVERSATION: &str = "UPDATE run SET conversation = $3, updated_at = $2 WHERE run_id = $1";
const BEGUN: &str = "
    UPDATE run SET state = 'starting', live = 1, tries = tries + 1, begun_at = $2, reason = NULL, held_until = NULL,
                   updated_at = $2
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
    UPDATE run SET state = 'answered', outcome = $3, cancel = 0, ended_at = NULL, updated_at = $2,
                   result = json_remove(result, '$.written')
    WHERE run_id = $1";
const KEPT: &str = "
    UPDATE run SET result = $3, input_tokens = $4, output_tokens = $5, answered_at = $2, updated_at = $2
    WHERE run_id = $1";
const ENDING: &str = "
    UPDATE run SET state = 'ending', outcome = $3, reason = $4, held_until = NULL, updated_at = $2 WHERE run_id = $1";
const WAITS: &str = "UPDATE run SET reason = $3, held_until = NULL, updated_at = $2 WHERE run_id = $1";
const HELD: &str = "UPDATE run SET reason = $3, held_until = $4, updated_at = $2 WHERE run_id = $1";
const ENDED: &str = "UPDATE run SET state = 'ended', ended_at = $2, updated_at = $2 WHERE run_id = $1";

fn count(tokens: Option<u64>) -> Option<i64> {
    tokens.map(|tokens| i64::try_from(tokens).unwrap_or(i64::MAX))
}
