//! The statements on `run_turn`.

use crate::database::{Connection, Error, from_row, params, statements};
use crate::fastio::TalkId;
use crate::outside;
use crate::run::RunId;

/// What Fastio's AI was asked for a run.
#[derive(Debug, Clone)]
pub struct Turn {
    pub key: String,
    /// Where it answers; none as long as that is not known.
    pub id: Option<TalkId>,
    pub begun_at: i64,
    /// Why OpenAI is asked after all.
    pub escalated: Option<String>,
}

from_row!(row => Turn {
    key,
    id: match (row.get("thread")?, row.get("turn")?) {
        (Some(thread), Some(turn)) => Some(TalkId { thread, turn }),
        _ => None,
    },
    begun_at,
    escalated,
});

pub fn get(connection: &mut Connection, id: RunId) -> Result<Option<Turn>, Error> {
    connection.first(GET, params![id.0])
}

/// Fastio is about to be asked, under `key`. Counts as a run that is begun.
pub fn begin(tx: &mut Connection, id: RunId, key: &str, now: i64) -> Result<(), Error> {
    tx.run(BEGIN, params![id.0, key, now])?;
    tx.run(COUNT, params![id.0, now]).map(drop)
}

/// It answers there.
pub fn is_at(tx: &mut Connection, id: RunId, at: &TalkId) -> Result<(), Error> {
    tx.run(IS_AT, params![id.0, at.thread, at.turn]).map(drop)
}

/// It is OpenAI's turn.
pub fn escalate(tx: &mut Connection, id: RunId, why: &str, now: i64) -> Result<(), Error> {
    tx.run(ESCALATE, params![id.0, why, now]).map(drop)
}

/// The run needs it no more: what it left at Fastio is to be taken away.
pub fn leave(tx: &mut Connection, id: RunId, now: i64) -> Result<(), Error> {
    let Some(Turn { key, id: at, .. }) = get(tx, id)? else { return Ok(()) };
    // Without a key Fastio was never asked.
    if !key.is_empty() {
        let profile: String = tx.one(PROFILE, params![id.0])?;
        let profile =
            profile.parse().map_err(|_| Error::bug("a run is over a file of no workspace or share"))?;
        let thread = at.as_ref().map(|at| at.thread.as_str());
        outside::store::leave_talk(tx, &outside::of_run(id), (&profile, &key, thread), now)?;
    }
    tx.run(FORGET, params![id.0]).map(drop)
}

statements! {
    GET = "SELECT key, thread, turn, begun_at, escalated FROM run_turn WHERE run_id = $1";
    BEGIN = "INSERT INTO run_turn (run_id, key, begun_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    COUNT = "UPDATE run SET begun_at = $2, reason = NULL, held_until = NULL, updated_at = $2 WHERE run_id = $1";
    IS_AT = "UPDATE run_turn SET thread = $2, turn = $3 WHERE run_id = $1";
    ESCALATE = "
        INSERT INTO run_turn (run_id, key, begun_at, escalated) VALUES ($1, '', $3, $2)
        ON CONFLICT (run_id) DO UPDATE SET escalated = excluded.escalated";
    PROFILE = "SELECT profile FROM run WHERE run_id = $1";
    FORGET = "DELETE FROM run_turn WHERE run_id = $1";
}
