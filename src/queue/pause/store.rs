//! The statements on `pause` and `strike`.

use serde::Serialize;

use super::Kind;
use crate::database::{Connection, Error, from_row, params, statements};

/// A paused target as a person sees it.
#[derive(Debug, Clone, Serialize)]
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

/// A pause as the queue sees it.
#[derive(Debug, Clone)]
pub(super) struct Pause {
    pub target: String,
    pub kind: String,
    pub since: i64,
    pub probes: i64,
    pub confirmed: bool,
    pub allowed: Option<i64>,
}

from_row!(Pause { target, kind, since, probes, confirmed, allowed });

impl Pause {
    pub fn is_outage(&self) -> bool {
        self.kind == Kind::Outage.as_str()
    }

    pub fn is_held(&self) -> bool {
        self.allowed.is_none()
    }
}

/// Every pause.
pub(in crate::queue) fn list(connection: &mut Connection) -> Result<Vec<PauseRow>, Error> {
    connection.all(LIST, &[])
}

pub(in crate::queue) fn is_any(connection: &mut Connection) -> Result<bool, Error> {
    Ok(connection.first::<i64>(ANY, &[])?.is_some())
}

/// Whether a target is held for an outage that no probe has confirmed yet.
pub(in crate::queue) fn is_doubtful(connection: &mut Connection) -> Result<bool, Error> {
    Ok(connection.first::<i64>(DOUBTFUL, &[])?.is_some())
}

/// The pauses of what a job needs.
pub(super) fn of(connection: &mut Connection, needs: &str) -> Result<Vec<Pause>, Error> {
    connection.all(OF, params![needs])
}

/// Lets a job that was just claimed be the probe of its held targets, and keeps others from it until `until`. True when
/// there are any.
pub(in crate::queue) fn begin_probe(
    connection: &mut Connection,
    needs: &str,
    until: i64,
) -> Result<bool, Error> {
    Ok(connection.run(PROBE, params![needs, until])? > 0)
}

pub(super) fn probe_at(connection: &mut Connection, target: &str, at: i64) -> Result<(), Error> {
    connection.run(PROBE_AT, params![target, at]).map(drop)
}

/// A pause to be begun, or begun afresh.
pub(super) struct NewPause<'a> {
    pub target: &'a str,
    pub kind: Kind,
    pub reason: &'a str,
    pub since: i64,
    pub probe_at: i64,
}

pub(super) fn begin(connection: &mut Connection, new: &NewPause<'_>) -> Result<(), Error> {
    let NewPause { target, kind, reason, since, probe_at } = *new;
    connection.run(BEGIN, params![target, kind.as_str(), reason, since, probe_at]).map(drop)
}

/// The same pause goes on.
pub(super) fn go_on(
    connection: &mut Connection,
    target: &str,
    (reason, probe_at): (&str, i64),
) -> Result<(), Error> {
    connection.run(GO_ON, params![target, reason, probe_at]).map(drop)
}

pub(super) fn confirm(connection: &mut Connection, target: &str) -> Result<(), Error> {
    connection.run(CONFIRM, params![target]).map(drop)
}

pub(super) fn allow(connection: &mut Connection, target: &str, jobs: i64) -> Result<(), Error> {
    connection.run(ALLOW, params![target, jobs]).map(drop)
}

pub(super) fn end(connection: &mut Connection, target: &str) -> Result<(), Error> {
    connection.run(END, params![target]).map(drop)
}

/// Whether a job that is due waits for `target`.
pub(super) fn is_awaited(connection: &mut Connection, target: &str, now: i64) -> Result<bool, Error> {
    Ok(connection.first::<i64>(AWAITED, params![target, now])?.is_some())
}

/// A strike against a target.
pub(super) struct Strike<'a> {
    pub target: &'a str,
    pub source: &'a str,
    pub job_id: Option<i64>,
    pub cost: i64,
}

pub(super) fn strike(connection: &mut Connection, strike: &Strike<'_>, now: i64) -> Result<(), Error> {
    let Strike { target, source, job_id, cost } = *strike;
    connection.run(STRIKE, params![target, source, job_id, cost, now]).map(drop)
}

/// How many struck `target`, and since when.
pub(super) fn strikes(connection: &mut Connection, target: &str) -> Result<(i64, Option<i64>), Error> {
    connection.one(STRIKES, params![target])
}

/// Forgets the strikes against `target`, or those that are older than `before`.
pub(super) fn forget_strikes(
    connection: &mut Connection,
    target: &str,
    before: Option<i64>,
) -> Result<(), Error> {
    connection.run(FORGET_STRIKES, params![target, before]).map(drop)
}

/// Gives back the attempts that jobs lost by striking `target`.
pub(super) fn refund(connection: &mut Connection, target: &str) -> Result<(), Error> {
    connection.run(REFUND, params![target]).map(drop)
}

/// A kind of needs that jobs wait with, and when the first of them can be claimed: those of one kind wait for the same.
#[derive(Debug)]
struct Waiting {
    due_at: i64,
    probe_at: Option<i64>,
    /// As many run already as may.
    full: bool,
}

from_row!(Waiting { due_at, probe_at, full });

/// When a job that waits can be claimed, in Unix milliseconds, while a target is paused. Looks at each kind of needs
/// instead of at each job: a hundred thousand may wait for one target.
pub(in crate::queue) fn next_due(connection: &mut Connection) -> Result<Option<i64>, Error> {
    let waiting: Vec<Waiting> = connection.all(KINDS, &[])?;
    let open = waiting.iter().filter(|kind| !kind.full);
    let soonest = open.map(|kind| kind.due_at.max(kind.probe_at.unwrap_or(i64::MIN))).min();
    if soonest.is_some() || waiting.is_empty() {
        return Ok(soonest);
    }
    // One that runs has to end first, at the latest with its lease.
    connection.one(FIRST_LEASE, &[])
}

statements! {
    LIST = "SELECT target, kind, reason, since, probe_at, allowed FROM pause ORDER BY since";

    ANY = "SELECT 1 FROM pause LIMIT 1";

    DOUBTFUL = "SELECT 1 FROM pause WHERE kind = 'outage' AND confirmed = 0 AND allowed IS NULL LIMIT 1";

    OF = "
        SELECT target, kind, since, probes, confirmed, allowed FROM pause WHERE $1 LIKE '% ' || target || ' %'";

    PROBE = "
        UPDATE pause SET probe_at = $2, probes = probes + 1
        WHERE $1 LIKE '% ' || target || ' %' AND allowed IS NULL";

    PROBE_AT = "UPDATE pause SET probe_at = $2 WHERE target = $1";

    BEGIN = "
        INSERT INTO pause (target, kind, reason, since, probe_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (target) DO UPDATE SET
            kind = excluded.kind, reason = excluded.reason, since = excluded.since, probe_at = excluded.probe_at,
            probes = 0, confirmed = 0, allowed = NULL";

    GO_ON = "UPDATE pause SET reason = $2, probe_at = $3 WHERE target = $1";

    CONFIRM = "UPDATE pause SET confirmed = 1 WHERE target = $1";

    ALLOW = "UPDATE pause SET allowed = $2, probes = 0 WHERE target = $1";

    END = "DELETE FROM pause WHERE target = $1";

    AWAITED = "
        SELECT 1 FROM job WHERE state = 'waiting' AND due_at <= $2 AND needs LIKE '% ' || $1 || ' %' LIMIT 1";

    STRIKE = "
        INSERT INTO strike (target, source, job_id, cost, first_at, struck_at) VALUES ($1, $2, $3, $4, $5, $5)
        ON CONFLICT (target, source) DO UPDATE SET cost = strike.cost + excluded.cost, struck_at = excluded.struck_at";

    STRIKES = "SELECT count(*), min(first_at) FROM strike WHERE target = $1";

    FORGET_STRIKES = "DELETE FROM strike WHERE target = $1 AND ($2 IS NULL OR struck_at < $2)";

    REFUND = "
        UPDATE job SET attempt = max(job.attempt - struck.cost, 0)
        FROM (SELECT job_id, cost FROM strike WHERE target = $1 AND cost > 0) AS struck
        WHERE job.id = struck.job_id AND job.state <> 'dead'";

    KINDS = "
        WITH RECURSIVE kind(needs) AS (
            SELECT min(needs) FROM job WHERE state = 'waiting'
            UNION ALL
            SELECT (SELECT min(needs) FROM job WHERE state = 'waiting' AND needs > kind.needs)
            FROM kind WHERE kind.needs IS NOT NULL)
        SELECT (SELECT min(due_at) FROM job WHERE state = 'waiting' AND needs = kind.needs) AS due_at,
               (SELECT max(probe_at) FROM pause
                WHERE kind.needs LIKE '% ' || target || ' %' AND allowed IS NULL) AS probe_at,
               EXISTS (SELECT 1 FROM pause
                       WHERE kind.needs LIKE '% ' || target || ' %'
                         AND allowed <= (SELECT count(*) FROM job
                                         WHERE state = 'running' AND needs LIKE '% ' || target || ' %')) AS full
        FROM kind WHERE kind.needs IS NOT NULL";

    FIRST_LEASE = "SELECT min(lease_until) FROM job WHERE state = 'running'";
}
