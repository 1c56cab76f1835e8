//! What is written down about a run, one change at a time.

use serde_json::Value;

use super::super::ask;
use super::super::row::{Outcome, RunId};
use super::tries::{self, NewTry, Spent};
use super::{made, number};
use crate::database::{Connection, Error, from_row, params, statements};
use crate::outside;
use crate::outside::store::GoesOn;

/// One thing to write down about a run. Those of one step are written in one transaction.
#[derive(Debug)]
pub enum Change {
    /// Its lock could not be released: a job of its own sees to it.
    LockLeft,
    /// The file was uploaded anew, as this File object of so many bytes.
    File(String, u64),
    /// Its vector store was made anew, as this one.
    Store(String),
    /// The conversation, or thread, that the run is made in.
    Conversation(String),
    /// It is made in none, because the server has none.
    Alone,
    /// A response is about to be created.
    Begun(NewTry),
    /// It was not created, for certain.
    Unbegun,
    Response(String),
    /// Neither this response nor its conversation counts any more; another is to be made.
    Again(String),
    /// The response has ended, and took so much.
    Spent(Spent),
    /// The last try does not count as one.
    Excused,
    /// The document is shown in another way from now on.
    OtherWay(&'static str),
    /// OpenAI is done with it, one way or another.
    Quiet,
    Answered {
        outcome: Outcome,
        reason: Option<String>,
        result: Value,
    },
    /// A result that is on record is to be delivered once more, with the outcome it has by itself.
    Redeliver(Outcome),
    /// Something is kept of a run that ends without a result.
    Kept(Value),
    Ending {
        outcome: Outcome,
        reason: Option<String>,
    },
    Ended,
    /// Why it waits, in words; or that it does no longer.
    Waits(Option<String>),
    /// A limit of its rule keeps it from beginning, in words, and until when at most.
    Held(String, i64),
    /// What was delivered, added to the result.
    Result(Value),
}

impl Change {
    pub fn write(&self, connection: &mut Connection, id: RunId, now: i64) -> Result<(), Error> {
        self.leave(connection, id, now)?;
        self.count(connection, id, now)?;
        let id = id.0;
        let changed = match self {
            // It stands in the ledger and not in the run's row.
            Change::LockLeft => Ok(0),
            Change::File(file_id, bytes) => connection.run(FILE, params![id, now, file_id, number(*bytes)]),
            Change::Store(store) => connection.run(STORE, params![id, now, store]),
            Change::Conversation(made) => connection.run(CONVERSATION, params![id, now, made]),
            Change::Alone => connection.run(ALONE, params![id, now]),
            Change::Begun(_) => connection.run(BEGUN, params![id, now]),
            Change::Unbegun => connection.run(UNBEGUN, params![id, now]),
            Change::Spent(_) => Ok(0),
            Change::Excused => connection.run(EXCUSED, params![id, now]),
            Change::OtherWay(way) => connection.run(OTHER_WAY, params![id, now, *way]),
            Change::Response(response) => connection.run(RESPONSE, params![id, now, response]),
            Change::Again(reason) => connection.run(AGAIN, params![id, now, reason]),
            Change::Quiet => connection.run(QUIET, params![id, now]),
            Change::Answered { outcome, reason, result } => {
                connection.run(ANSWERED, params![id, now, outcome.as_str(), reason, result.to_string()])
            }
            Change::Redeliver(outcome) => connection.run(REDELIVER, params![id, now, outcome.as_str()]),
            Change::Kept(result) => connection.run(KEPT, params![id, now, result.to_string()]),
            Change::Ending { outcome, reason } => {
                connection.run(ENDING, params![id, now, outcome.as_str(), reason])
            }
            Change::Ended => connection.run(ENDED, params![id, now]),
            Change::Waits(reason) => connection.run(WAITS, params![id, now, reason]),
            Change::Held(reason, until) => connection.run(HELD, params![id, now, reason, until]),
            Change::Result(result) => connection.run(RESULT, params![id, now, result.to_string()]),
        };
        changed.map(drop)
    }

    /// What the change means for the run's tries.
    fn count(&self, connection: &mut Connection, id: RunId, now: i64) -> Result<(), Error> {
        match self {
            Change::Begun(new) => tries::begin(connection, id, new, now),
            Change::Unbegun => tries::forget(connection, id),
            Change::Spent(spent) => tries::spend(connection, id, spent),
            Change::Again(_) | Change::Ended => tries::leave(connection, id),
            _ => Ok(()),
        }
    }

    /// What the run lets go of with this change has to be taken away where it was made.
    fn leave(&self, connection: &mut Connection, id: RunId, now: i64) -> Result<(), Error> {
        let owner = outside::of_run(id);
        match self {
            Change::LockLeft => outside::store::leave_lock(connection, &owner, now),
            Change::Again(_) => {
                let holds: Holds = connection.one(HOLDS, params![id.0])?;
                outside::store::leave_conversation(connection, &owner, &holds.goes_on, now)
            }
            Change::Ended => {
                ask::store::leave(connection, id, now)?;
                let holds: Holds = connection.one(HOLDS, params![id.0])?;
                let outcome = holds.outcome.as_deref().and_then(Outcome::parse);
                // What stands beside the file goes on being published; that is no run's.
                outside::store::leave_writes_beside(connection, &holds.writer, now)?;
                if outcome.is_some_and(Outcome::has_result) {
                    return outside::store::forget_conversation(connection, &owner);
                }
                if outcome != Some(Outcome::Failed) {
                    made::forget_produced(connection, id)?;
                }
                outside::store::leave_conversation(connection, &owner, &holds.goes_on, now)
            }
            _ => Ok(()),
        }
    }
}

/// What a run has in hand elsewhere.
struct Holds {
    outcome: Option<String>,
    /// The owner of what it writes.
    writer: String,
    /// At OpenAI.
    goes_on: GoesOn,
}

from_row!(row => Holds {
    outcome,
    writer,
    goes_on: GoesOn { response: row.get("response")?, begun_at: row.get("begun_at")? },
});

statements! {
    FILE = "UPDATE run SET file_id = $3, bytes = $4, updated_at = $2 WHERE run_id = $1";
    STORE = "UPDATE run SET vector_store = $3, updated_at = $2 WHERE run_id = $1";
    CONVERSATION = "UPDATE run SET conversation = $3, updated_at = $2 WHERE run_id = $1";
    ALONE = "UPDATE run SET alone = 1, updated_at = $2 WHERE run_id = $1";
    BEGUN = "
        UPDATE run SET state = 'starting', live = 1, tries = tries + 1, begun_at = $2, reason = NULL, held_until = NULL,
                       updated_at = $2
        WHERE run_id = $1";
    UNBEGUN = "
        UPDATE run SET state = 'wanted', live = 0, tries = tries - 1, begun_at = NULL, updated_at = $2 WHERE run_id = $1";
    /// The run may have been ended, or its response told of by a webhook, meanwhile.
    RESPONSE = "
        UPDATE run SET response = $3, state = CASE WHEN state = 'starting' THEN 'running' ELSE state END, updated_at = $2
        WHERE run_id = $1 AND response IS NULL";
    AGAIN = "
        UPDATE run SET state = 'wanted', live = 0, conversation = NULL, alone = 0, response = NULL, reason = $3, updated_at = $2
        WHERE run_id = $1";
    ANSWERED = "
        UPDATE run SET state = 'answered', live = 0, outcome = $3, reason = $4, result = $5, answered_at = $2, updated_at = $2
        WHERE run_id = $1";
    EXCUSED = "UPDATE run SET excused = excused + 1, updated_at = $2 WHERE run_id = $1";
    OTHER_WAY = "UPDATE run SET other_way = $3, updated_at = $2 WHERE run_id = $1";
    REDELIVER = "
        UPDATE run SET state = 'answered', outcome = $3, cancel = 0, ended_at = NULL, updated_at = $2,
                       result = json_remove(result, '$.written')
        WHERE run_id = $1", postgres: "
        UPDATE run SET state = 'answered', outcome = $3, cancel = 0, ended_at = NULL, updated_at = $2,
                       result = (replace(result, '\\u0000', '\\ufffd')::jsonb - 'written')::text
        WHERE run_id = $1";
    KEPT = "
        UPDATE run SET result = $3, answered_at = $2, updated_at = $2 WHERE run_id = $1";
    ENDING = "
        UPDATE run SET state = 'ending', outcome = $3, reason = $4, held_until = NULL, updated_at = $2 WHERE run_id = $1";
    WAITS = "UPDATE run SET reason = $3, held_until = NULL, updated_at = $2 WHERE run_id = $1";
    HELD = "UPDATE run SET reason = $3, held_until = $4, updated_at = $2 WHERE run_id = $1";
    ENDED = "UPDATE run SET state = 'ended', ended_at = $2, updated_at = $2 WHERE run_id = $1";
    QUIET = "UPDATE run SET live = 0, updated_at = $2 WHERE run_id = $1";
    RESULT = "UPDATE run SET result = $3, updated_at = $2 WHERE run_id = $1";
    HOLDS = "
        SELECT outcome, 'run:' || rule || ':' || source_id AS writer, CASE live WHEN 1 THEN response END AS response,
               CASE live WHEN 1 THEN begun_at END AS begun_at
        FROM run WHERE run_id = $1";
}
