//! The statements on `pause` and `strike`.

use serde::Serialize;
use sqlx::FromRow;

use super::Kind;
use crate::database::{Connection, Error};

/// A paused target as a person sees it.
#[derive(Debug, Clone, Serialize, FromRow)]
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

/// A pause as the queue sees it.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Pause {
    pub target: String,
    pub kind: String,
    pub since: i64,
    pub probes: i64,
    pub confirmed: bool,
    pub allowed: Option<i64>,
}

impl Pause {
    pub fn is_outage(&self) -> bool {
        self.kind == Kind::Outage.as_str()
    }

    pub fn is_held(&self) -> bool {
        self.allowed.is_none()
    }
}

/// Every pause.
pub(in crate::queue) async fn list(connection: &mut Connection) -> Result<Vec<PauseRow>, Error> {
    sqlx::query_as("SELECT target, kind, reason, since, probe_at, allowed FROM pause ORDER BY since")
        .fetch_all(connection)
        .await
}

pub(in crate::queue) async fn is_any(connection: &mut Connection) -> Result<bool, Error> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM pause LIMIT 1").fetch_optional(connection).await?;
    Ok(found.is_some())
}

/// Whether a target is held for an outage that no probe has confirmed yet.
pub(in crate::queue) async fn is_doubtful(connection: &mut Connection) -> Result<bool, Error> {
    let found: Option<i64> = sqlx::query_scalar(DOUBTFUL).fetch_optional(connection).await?;
    Ok(found.is_some())
}

const DOUBTFUL: &str =
    "SELECT 1 FROM pause WHERE kind = 'outage' AND confirmed = 0 AND allowed IS NULL LIMIT 1";

/// The pauses of what a job needs.
pub(super) async fn of(connection: &mut Connection, needs: &str) -> Result<Vec<Pause>, Error> {
    sqlx::query_as(OF).bind(needs).fetch_all(connection).await
}

const OF: &str = "
    SELECT target, kind, since, probes, confirmed, allowed FROM pause WHERE $1 LIKE '% ' || target || ' %'";

/// Lets a job that was just claimed be the probe of its held targets, and keeps others from it until `until`. True when
/// there are any.
pub(in crate::queue) async fn begin_probe(
    connection: &mut Connection,
    needs: &str,
    until: i64,
) -> Result<bool, Error> {
    let probed = sqlx::query(PROBE).bind(needs).bind(until).execute(connection).await?;
    Ok(probed.rows_affected() > 0)
}

const PROBE: &str = "
    UPDATE pause SET probe_at = $2, probes = probes + 1
    WHERE $1 LIKE '% ' || target || ' %' AND allowed IS NULL";

pub(super) async fn probe_at(connection: &mut Connection, target: &str, at: i64) -> Result<(), Error> {
    sqlx::query("UPDATE pause SET probe_at = $2 WHERE target = $1")
        .bind(target)
        .bind(at)
        .execute(connection)
        .await?;
    Ok(())
}

/// A pause to be begun, or begun afresh.
pub(super) struct NewPause<'a> {
    pub target: &'a str,
    pub kind: Kind,
    pub reason: &'a str,
    pub since: i64,
    pub probe_at: i64,
}

pub(super) async fn begin(connection: &mut Connection, new: &NewPause<'_>) -> Result<(), Error> {
    sqlx::query(BEGIN)
        .bind(new.target)
        .bind(new.kind.as_str())
        .bind(new.reason)
        .bind(new.since)
        .bind(new.probe_at)
        .execute(connection)
        .await?;
    Ok(())
}

const BEGIN: &str = "
    INSERT INTO pause (target, kind, reason, since, probe_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (target) DO UPDATE SET
        kind = excluded.kind, reason = excluded.reason, since = excluded.since, probe_at = excluded.probe_at,
        probes = 0, confirmed = 0, allowed = NULL";

/// The same pause goes on.
pub(super) async fn go_on(
    connection: &mut Connection,
    target: &str,
    (reason, probe_at): (&str, i64),
) -> Result<(), Error> {
    sqlx::query("UPDATE pause SET reason = $2, probe_at = $3 WHERE target = $1")
        .bind(target)
        .bind(reason)
        .bind(probe_at)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn confirm(connection: &mut Connection, target: &str) -> Result<(), Error> {
    sqlx::query("UPDATE pause SET confirmed = 1 WHERE target = $1").bind(target).execute(connection).await?;
    Ok(())
}

pub(super) async fn allow(connection: &mut Connection, target: &str, jobs: i64) -> Result<(), Error> {
    sqlx::query("UPDATE pause SET allowed = $2, probes = 0 WHERE target = $1")
        .bind(target)
        .bind(jobs)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn end(connection: &mut Connection, target: &str) -> Result<(), Error> {
    sqlx::query("DELETE FROM pause WHERE target = $1").bind(target).execute(connection).await?;
    Ok(())
}

/// Whether a job that is due waits for `target`.
pub(super) async fn is_awaited(connection: &mut Connection, target: &str, now: i64) -> Result<bool, Error> {
    let found: Option<i64> =
        sqlx::query_scalar(AWAITED).bind(target).bind(now).fetch_optional(connection).await?;
    Ok(found.is_some())
}

const AWAITED: &str = "
    SELECT 1 FROM job WHERE state = 'waiting' AND due_at <= $2 AND needs LIKE '% ' || $1 || ' %' LIMIT 1";

/// A strike against a target.
pub(super) struct Strike<'a> {
    pub target: &'a str,
    pub source: &'a str,
    pub job_id: Option<i64>,
    pub cost: i64,
}

pub(super) async fn strike(connection: &mut Connection, strike: &Strike<'_>, now: i64) -> Result<(), Error> {
    sqlx::query(STRIKE)
        .bind(strike.target)
        .bind(strike.source)
        .bind(strike.job_id)
        .bind(strike.cost)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

const STRIKE: &str = "
    INSERT INTO strike (target, source, job_id, cost, first_at, struck_at) VALUES ($1, $2, $3, $4, $5, $5)
    ON CONFLICT (target, source) DO UPDATE SET cost = strike.cost + excluded.cost, struck_at = excluded.struck_at";

/// How many struck `target`, and since when.
pub(super) async fn strikes(connection: &mut Connection, target: &str) -> Result<(i64, Option<i64>), Error> {
    sqlx::query_as("SELECT count(*), min(first_at) FROM strike WHERE target = $1")
        .bind(target)
        .fetch_one(connection)
        .await
}

/// Forgets the strikes against `target`, or those that are older than `before`.
pub(super) async fn forget_strikes(
    connection: &mut Connection,
    target: &str,
    before: Option<i64>,
) -> Result<(), Error> {
    sqlx::query("DELETE FROM strike WHERE target = $1 AND ($2 IS NULL OR struck_at < $2)")
        .bind(target)
        .bind(before)
        .execute(connection)
        .await?;
    Ok(())
}

/// Gives back the attempts that jobs lost by striking `target`.
pub(super) async fn refund(connection: &mut Connection, target: &str) -> Result<(), Error> {
    sqlx::query(REFUND).bind(target).execute(connection).await?;
    Ok(())
}

const REFUND: &str = "
    UPDATE job SET attempt = max(job.attempt - struck.cost, 0)
    FROM (SELECT job_id, cost FROM strike WHERE target = $1 AND cost > 0) AS struck
    WHERE job.id = struck.job_id AND job.state <> 'dead'";

/// A kind of needs that jobs wait with, and when the first of them can be claimed: those of one kind wait for the same.
#[derive(Debug, FromRow)]
struct Waiting {
    due_at: i64,
    probe_at: Option<i64>,
    /// As many run already as may.
    full: bool,
}

/// When a job that waits can be claimed, in Unix milliseconds, while a target is paused. Looks at each kind of needs
/// instead of at each job: a hundred thousand may wait for one target.
pub(in crate::queue) async fn next_due(connection: &mut Connection) -> Result<Option<i64>, Error> {
    let waiting: Vec<Waiting> = sqlx::query_as(KINDS).fetch_all(&mut *connection).await?;
    let open = waiting.iter().filter(|kind| !kind.full);
    let soonest = open.map(|kind| kind.due_at.max(kind.probe_at.unwrap_or(i64::MIN))).min();
    if soonest.is_some() || waiting.is_empty() {
        return Ok(soonest);
    }
    // One that runs has to end first, at the latest with its lease.
    sqlx::query_scalar("SELECT min(lease_until) FROM job WHERE state = 'running'").fetch_one(connection).await
}

const KINDS: &str = "
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
