//! The statements on `pause`: what the breaker holds, for people, for a restart, and for the other servers where several share the queue.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Breaker, Needs};
use crate::database::{Connection, Error, Param, from_row, params, statements};
use crate::queue::store::elsewhere;

/// A paused target as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PauseRow {
    pub target: String,
    /// `refusal` or `outage`.
    pub kind: String,
    pub reason: String,
    pub since: i64,
    pub probe_at: i64,
    /// When it answers again: how many of its jobs may run at once, until all may.
    pub allowed: Option<i64>,
    /// How often it was probed in vain.
    #[serde(skip)]
    pub probes: i64,
    /// Whether a probe has found that an outage lasts.
    #[serde(skip)]
    pub is_confirmed: bool,
}

from_row!(row => PauseRow {
    target: row.get("target")?,
    kind: row.get("kind")?,
    reason: row.get("reason")?,
    since: row.get("since")?,
    probe_at: row.get("probe_at")?,
    allowed: row.get("allowed")?,
    probes: row.get("probes")?,
    is_confirmed: row.get::<i64>("confirmed")? != 0,
});

/// The targets that are paused now.
pub fn pauses(connection: &mut Connection) -> Result<Vec<PauseRow>, Error> {
    connection.all(LIST, &[])
}

/// Lets the breaker know what others hold: of a process that has just started what the last one held, and where several share the queue
/// what they do now.
pub fn look(
    connection: &mut Connection,
    breaker: &Breaker,
    (replica, now): (Option<i64>, i64),
) -> Result<(), Error> {
    if !breaker.is_restored() {
        breaker.restore(pauses(connection)?, now);
    } else if replica.is_some() {
        let revision = breaker.revision();
        let rows = pauses(connection)?;
        let elsewhere = match rows.iter().any(|row| row.allowed.is_some()) {
            true => elsewhere(connection, replica)?,
            false => Vec::new(),
        };
        breaker.learn(rows, revision);
        breaker.learn_running(elsewhere);
    }
    Ok(())
}

/// Whether what holds a job that needs this is probed by nobody else, so that it may be the probe. If so others know it from now on.
pub fn probes_alone(
    connection: &mut Connection,
    breaker: &Breaker,
    (needs, now): (&Needs, i64),
) -> Result<bool, Error> {
    let until = Breaker::probe_lease(now);
    let probed = breaker.probed_with(needs);
    for (number, (target, probe_at)) in probed.iter().enumerate() {
        if connection.run(PROBE, params![target, probe_at, until])? == 1 {
            continue;
        }
        for (target, probe_at) in &probed[..number] {
            connection.run(PROBE, params![target, until, probe_at])?;
        }
        let revision = breaker.revision();
        breaker.learn(pauses(connection)?, revision);
        return Ok(false);
    }
    Ok(true)
}

/// Writes down what the breaker holds, where that has changed. Answers what was written, to be told to the breaker after the commit.
pub fn save(connection: &mut Connection, breaker: &Breaker) -> Result<Option<Unsaved>, Error> {
    let Some(unsaved) = breaker.unsaved() else { return Ok(None) };
    connection.run_each(FORGET, unsaved.gone.iter().map(|target| -> [&dyn Param; 1] { [target] }))?;
    for row in &unsaved.changed {
        let PauseRow { target, kind, reason, since, probe_at, allowed, probes, is_confirmed } = row;
        let confirmed = i64::from(*is_confirmed);
        connection.run(PUT, params![target, kind, reason, since, probe_at, allowed, probes, confirmed])?;
    }
    Ok(Some(unsaved))
}

/// What differs from the rows as they were last read or written.
#[derive(Debug, Clone)]
pub struct Unsaved {
    pub revision: u64,
    pub changed: Vec<PauseRow>,
    pub gone: Vec<String>,
}

statements! {
    LIST = "SELECT target, kind, reason, since, probe_at, allowed, probes, confirmed FROM pause ORDER BY since";

    FORGET = "DELETE FROM pause WHERE target = $1";

    PUT = "
        INSERT INTO pause (target, kind, reason, since, probe_at, allowed, probes, confirmed)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (target) DO UPDATE SET kind = excluded.kind, reason = excluded.reason, since = excluded.since,
                                           probe_at = excluded.probe_at, allowed = excluded.allowed,
                                           probes = excluded.probes, confirmed = excluded.confirmed";

    /// By when it is to be probed next, so that of two that see the same one does it.
    PROBE = "UPDATE pause SET probe_at = $3 WHERE target = $1 AND probe_at = $2";
}
