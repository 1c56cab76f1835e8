//! The statements on `pause`: what the breaker holds, for people and for a restart.

use serde::Serialize;

use super::Breaker;
use crate::database::{Connection, Error, Param, from_row, statements};

/// A paused target as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PauseRow {
    pub target: String,
    /// `refusal` or `outage`.
    pub kind: String,
    pub reason: String,
    pub since: i64,
    pub probe_at: i64,
    /// When it answers again: how many of its jobs may run at once, until all may.
    pub allowed: Option<i64>,
}

from_row!(PauseRow { target, kind, reason, since, probe_at, allowed });

/// The targets that are paused now.
pub fn pauses(connection: &mut Connection) -> Result<Vec<PauseRow>, Error> {
    connection.all(LIST, &[])
}

/// Lets the breaker of a process that has just started know what the last one held.
pub fn restore(connection: &mut Connection, breaker: &Breaker, now: i64) -> Result<(), Error> {
    if !breaker.is_restored() {
        breaker.restore(pauses(connection)?, now);
    }
    Ok(())
}

/// Writes down what the breaker holds, if that has changed. Answers the revision, to be told to the breaker after the commit.
pub fn save(connection: &mut Connection, breaker: &Breaker) -> Result<Option<u64>, Error> {
    let Some((revision, rows)) = breaker.unsaved() else { return Ok(None) };
    connection.run(CLEAR, &[])?;
    let rows = rows.iter().map(|row| -> [&dyn Param; 6] {
        [&row.target, &row.kind, &row.reason, &row.since, &row.probe_at, &row.allowed]
    });
    connection.run_each(ADD, rows)?;
    Ok(Some(revision))
}

statements! {
    LIST = "SELECT target, kind, reason, since, probe_at, allowed FROM pause ORDER BY since";

    CLEAR = "DELETE FROM pause";

    ADD = "
        INSERT INTO pause (target, kind, reason, since, probe_at, allowed) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (target) DO UPDATE SET kind = excluded.kind, reason = excluded.reason, since = excluded.since,
                                           probe_at = excluded.probe_at, allowed = excluded.allowed";
}
