//! The statements on `job`.

use std::time::Duration;

use serde::Serialize;

use super::pause::{self, Cost, PROBE_LEASE, STAND_BACK, Settling, Silence, Turn};
use super::waiting::Waiting;
use super::{Priority, Verdict, backoff, millis};
use crate::database::{Connection, Error, from_row, params, statements};

pub use super::pause::PauseRow;

/// How soon a job is tried again that our own database stopped.
const BLOCKED: Duration = Duration::from_secs(5);

/// A job to be added.
#[derive(Debug, Clone, Copy)]
pub struct NewJob<'a> {
    /// Jobs with one key never run at once.
    pub key: &'a str,
    /// What to do, as JSON.
    pub task: &'a str,
    /// The targets it cannot do without.
    pub needs: &'a [&'a str],
    pub priority: Priority,
}

/// What adding a job did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// There was none with this key.
    Added,
    /// One with this key waits or runs already, and will see this too.
    Coalesced,
}

/// Adds `job` unless one with its key already waits; one that runs will run again. Takes the caller's transaction, so
/// the job exists exactly when the rows that caused it do.
pub fn enqueue(connection: &mut Connection, job: &NewJob<'_>, now: i64) -> Result<Enqueued, Error> {
    let needs = needs_text(job.needs);
    let generation: i64 =
        connection.one(ENQUEUE, params![job.key, job.task, needs, job.priority.rank(), now])?;
    Ok(if generation == 1 { Enqueued::Added } else { Enqueued::Coalesced })
}

fn needs_text(needs: &[&str]) -> String {
    format!(" {} ", needs.join(" "))
}

/// A job in hand. Only a claim makes one, and settling consumes it.
#[must_use = "an unsettled job is retried only when its lease runs out"]
#[derive(Debug)]
pub struct Claimed {
    pub id: i64,
    pub key: String,
    pub task: String,
    /// This claim's number, from 1, among those that failed.
    pub attempt: u16,
    lease: i64,
    needs: String,
    probes: bool,
}

impl Claimed {
    /// The same claim, to be settled once more when our database did not take it.
    pub(super) fn again(&self) -> Claimed {
        let (key, task, needs) = (self.key.clone(), self.task.clone(), self.needs.clone());
        Claimed { key, task, needs, ..*self }
    }

    /// Whether it was let through to find out whether a held target answers.
    pub fn is_probe(&self) -> bool {
        self.probes
    }

    /// The targets it needs.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.needs.split_whitespace()
    }
}

/// Takes the most urgent job that is due, for `lease` from `now`.
pub fn claim(connection: &mut Connection, now: i64, lease: Duration) -> Result<Option<Claimed>, Error> {
    let statement = match pause::store::is_any(connection)? {
        false => CLAIM,
        // Another job's failure proves more than that of one which has struck already.
        true if pause::store::is_doubtful(connection)? => CLAIM_PROBE,
        true => CLAIM_PAUSED,
    };
    let row: Option<(i64, String, String, i64, i64, String)> =
        connection.first(statement, params![now, now + millis(lease)])?;
    let Some((id, key, task, attempt, lease, needs)) = row else { return Ok(None) };
    // What is held and could be claimed all the same is due for a probe, and this job is it.
    let probes = pause::store::begin_probe(connection, &needs, now + millis(PROBE_LEASE))?;
    let attempt = attempt.try_into().unwrap_or(u16::MAX);
    Ok(Some(Claimed { id, key, task, attempt, lease, needs, probes }))
}

/// What became of the jobs whose workers stopped without a word.
#[derive(Debug, Default)]
pub struct Expired {
    /// Those that go on.
    pub released: u64,
    pub dead: Vec<Dead>,
}

/// A job that died now.
#[derive(Debug, Clone)]
pub struct Dead {
    pub id: i64,
    pub key: String,
    pub attempt: i64,
    pub reason: String,
}

/// Makes jobs due again whose lease has run out: their worker is dead, or hangs and will find its lease lost. What was
/// tried once goes first again, since it is half done; what was tried more often may be what kills workers, and stands
/// behind the others.
pub fn expire(connection: &mut Connection, now: i64, max_attempts: u16) -> Result<Expired, Error> {
    expire_but(connection, (now, max_attempts), &[])
}

/// As [`expire`], but for the jobs in `hand`, whose workers are known to live: their heartbeats are only late, because the
/// clock leapt or the database was locked.
pub(super) fn expire_but(
    connection: &mut Connection,
    (now, max_attempts): (i64, u16),
    hand: &[i64],
) -> Result<Expired, Error> {
    let hand = serde_json::to_string(hand).expect("numbers only");
    let rows: Vec<(i64, String, i64, String, String)> =
        connection.all(EXPIRE, params![now, max_attempts, hand])?;
    let mut expired = Expired::default();
    for (id, key, attempt, state, reason) in rows {
        match state.as_str() {
            "dead" => expired.dead.push(Dead { id, key, attempt, reason }),
            _ => expired.released += 1,
        }
    }
    Ok(expired)
}

/// Makes every claimed job due again. Only for a server that starts and knows that no other one lives. The crash may
/// have been the job's doing, so the attempt counts.
pub fn release_all(connection: &mut Connection, now: i64, max_attempts: u16) -> Result<Expired, Error> {
    connection.run(END_LEASES, params![now])?;
    expire(connection, now, max_attempts)
}

/// The terms on which a job is settled.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    pub now: i64,
    pub max_attempts: u16,
    /// Jobs that may run at once.
    pub workers: u16,
    /// The targets that answered anybody while the job ran.
    pub heard: &'a [&'a str],
}

/// Whether a claim still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    Held,
    Lost,
}

/// What settling did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    Recorded,
    /// The job is dead, for this reason.
    Dead(String),
    /// The lease ran out and the job moved on without us; nothing was written.
    LeaseLost,
}

impl Claimed {
    /// Lengthens the lease.
    pub fn renew(&self, connection: &mut Connection, now: i64, lease: Duration) -> Result<Renewed, Error> {
        let renewed = connection.run(RENEW, params![self.id, self.lease, now + millis(lease)])?;
        Ok(if renewed == 1 { Renewed::Held } else { Renewed::Lost })
    }

    /// Gives the job back unharmed, because this process stops.
    pub fn release(self, connection: &mut Connection, now: i64) -> Result<Settled, Error> {
        self.wait_again(connection, now, (now, None, false))
    }

    /// Writes down what became of the job, and what that says about the targets it needs.
    pub fn settle(
        self,
        connection: &mut Connection,
        verdict: &Verdict,
        terms: &Terms<'_>,
    ) -> Result<(Settled, Vec<Turn>), Error> {
        let Terms { now, max_attempts, .. } = *terms;
        let needs = self.needs.clone();
        let settling = Settling {
            id: self.id,
            lease: self.lease,
            needs: &needs,
            probes: self.probes,
            heard: terms.heard,
            workers: terms.workers,
            now,
        };
        let mut turns = settling.prove(connection, verdict)?;
        let settled = match verdict {
            Verdict::Done => self.finish(connection, now)?,
            Verdict::Later { after, reason } => {
                self.wait_again(connection, now, (now + millis(*after), Some(reason), false))?
            }
            Verdict::Blocked { reason } => {
                self.wait_again(connection, now, (now + millis(BLOCKED), Some(reason), false))?
            }
            Verdict::Retry { after, reason } => {
                self.fail(connection, (now, max_attempts), (*after, reason))?
            }
            Verdict::NotYet { reason } => self.fail(connection, (now, max_attempts), (None, reason))?,
            Verdict::Hold { target, reason } => {
                turns.extend(settling.refused(connection, (target, reason))?);
                connection.run(NEED, params![self.id, target])?;
                self.wait_again(connection, now, (now + millis(STAND_BACK), Some(reason), false))?
            }
            Verdict::Unavailable { target, after, silent, reason } => {
                let silence = Silence { target, reason, asked: *after, silent: *silent };
                let (cost, turn) = settling.unavailable(connection, &silence)?;
                turns.extend(turn);
                match cost {
                    Cost::Nothing | Cost::Attempt => {
                        let stand_back = (now + millis(STAND_BACK), Some(reason), cost == Cost::Attempt);
                        self.wait_again(connection, now, stand_back)?
                    }
                    Cost::Own => self.fail(connection, (now, max_attempts), (*after, reason))?,
                }
            }
            Verdict::Dead { reason } => self.bury(connection, now, reason)?,
        };
        Ok((settled, turns))
    }

    /// An attempt failed.
    fn fail(
        self,
        connection: &mut Connection,
        (now, max_attempts): (i64, u16),
        (asked, reason): (Option<Duration>, &String),
    ) -> Result<Settled, Error> {
        if self.attempt >= max_attempts {
            let reason = format!("gave up after {} attempts: {reason}", self.attempt);
            return self.bury(connection, now, &reason);
        }
        let wait = backoff::wait(self.attempt, asked, fastrand::f64());
        self.wait_again(connection, now, (now + millis(wait), Some(reason), true))
    }

    fn finish(self, connection: &mut Connection, now: i64) -> Result<Settled, Error> {
        if connection.run(FINISH, params![self.id, self.lease])? == 1 {
            return Ok(Settled::Recorded);
        }
        connection.run(AGAIN, params![self.id, self.lease, now]).map(settled)
    }

    fn wait_again(
        self,
        connection: &mut Connection,
        now: i64,
        (due_at, reason, counts): (i64, Option<&String>, bool),
    ) -> Result<Settled, Error> {
        connection.run(WAIT, params![self.id, self.lease, now, due_at, reason, !counts]).map(settled)
    }

    fn bury(self, connection: &mut Connection, now: i64, reason: &str) -> Result<Settled, Error> {
        let state: Option<String> = connection.first(BURY, params![self.id, self.lease, now, reason])?;
        Ok(match state.as_deref() {
            Some("dead") => Settled::Dead(reason.to_owned()),
            Some(_) => Settled::Recorded,
            None => Settled::LeaseLost,
        })
    }
}

fn settled(rows: u64) -> Settled {
    if rows == 1 { Settled::Recorded } else { Settled::LeaseLost }
}

/// Whether a claim could find something: a job that is due, or a lease that has run out.
pub fn something_due(connection: &mut Connection, now: i64) -> Result<bool, Error> {
    if pause::store::is_any(connection)? {
        let due = pause::store::next_due(connection)?.is_some_and(|due| due <= now);
        return Ok(due || connection.first::<i64>(EXPIRED, params![now])?.is_some());
    }
    Ok(connection.first::<i64>(SOMETHING_DUE, params![now])?.is_some())
}

/// When the next job that waits can be claimed, in Unix milliseconds: when it is due, when its held target is probed, or
/// when a place becomes free at one that resumes.
pub fn next_due(connection: &mut Connection) -> Result<Option<i64>, Error> {
    if pause::store::is_any(connection)? {
        return pause::store::next_due(connection);
    }
    connection.one(NEXT_DUE, &[])
}

/// A job as a person sees it.
#[derive(Debug, Clone, Serialize)]
pub struct JobRow {
    pub job_id: i64,
    pub key: String,
    pub state: String,
    pub attempt: i64,
    pub due_at: i64,
    pub reason: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub task: String,
    /// The targets it cannot do without, each between blanks.
    pub needs: String,
}

from_row!(JobRow { job_id, key, state, attempt, due_at, reason, created_at, updated_at, task, needs });

impl JobRow {
    /// As those see it who wait for what it does.
    pub fn waiting(&self) -> Waiting {
        Waiting {
            job_id: self.job_id,
            key: self.key.clone(),
            state: self.state.clone(),
            reason: self.reason.clone(),
            needs: self.needs.clone(),
            created_at: self.created_at,
        }
    }
}

/// The jobs in `state` (all of them when `None`), the dead first, then by when they are due.
pub fn list(connection: &mut Connection, state: Option<&str>, limit: u32) -> Result<Vec<JobRow>, Error> {
    connection.all(LIST, params![state, limit])
}

/// One job.
pub fn get(connection: &mut Connection, id: i64) -> Result<Option<JobRow>, Error> {
    connection.first(GET, params![id])
}

/// How many jobs are in each state.
pub fn counts(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    connection.all(COUNTS, &[])
}

/// Whether any target is paused.
pub(super) fn is_paused(connection: &mut Connection) -> Result<bool, Error> {
    pause::store::is_any(connection)
}

/// The targets that are paused now.
pub fn pauses(connection: &mut Connection) -> Result<Vec<PauseRow>, Error> {
    pause::store::list(connection)
}

/// Makes a dead or waiting job due now, with all its attempts; every dead one when `id` is `None`. Returns how many.
pub fn retry(connection: &mut Connection, id: Option<i64>, now: i64) -> Result<u64, Error> {
    connection.run(RETRY, params![id, now])
}

/// Forgets a job that nobody works on; every dead one when `id` is `None`. Returns how many.
pub fn discard(connection: &mut Connection, id: Option<i64>) -> Result<u64, Error> {
    connection.run(DISCARD, params![id])
}

/// A claim while a target is paused: one that is held is left alone until its probe is due, and one that resumes has only
/// so many jobs at once.
macro_rules! claim_paused {
    ($order:literal) => {
        concat!(
            "UPDATE job SET state = 'running', lease = lease + 1, lease_until = $2, claimed = generation,
                            attempt = attempt + 1, updated_at = $1
             WHERE id = (
                 SELECT id FROM job
                 WHERE state = 'waiting' AND due_at <= $1
                   AND NOT EXISTS (
                       SELECT 1 FROM pause
                       WHERE job.needs LIKE '% ' || pause.target || ' %'
                         AND ((pause.allowed IS NULL AND pause.probe_at > $1)
                              OR pause.allowed <= (SELECT count(*) FROM job AS other
                                                   WHERE other.state = 'running'
                                                     AND other.needs LIKE '% ' || pause.target || ' %')))
                 ORDER BY ",
            $order,
            " LIMIT 1)
             RETURNING id, key, task, attempt, lease, needs"
        )
    };
}

statements! {
    /// A dead job starts afresh. One that waits after a failure goes on waiting: the remote may have asked for it. Any other
    /// wait is for something to happen, and this may be it.
    ENQUEUE = "
        INSERT INTO job (key, task, needs, state, priority, due_at, created_at, updated_at)
        VALUES ($1, $2, $3, 'waiting', $4, $5, $5, $5)
        ON CONFLICT (key) DO UPDATE SET
            task       = excluded.task,
            generation = job.generation + 1,
            priority   = CASE WHEN excluded.priority < job.priority THEN excluded.priority ELSE job.priority END,
            due_at     = CASE WHEN job.state = 'dead' OR (job.backs_off = 0 AND job.due_at > excluded.due_at)
                              THEN excluded.due_at ELSE job.due_at END,
            attempt    = CASE WHEN job.state = 'dead' THEN 0 ELSE job.attempt END,
            state      = CASE WHEN job.state = 'dead' THEN 'waiting' ELSE job.state END,
            updated_at = excluded.updated_at
        RETURNING generation";

    CLAIM = "
        UPDATE job SET state = 'running', lease = lease + 1, lease_until = $2, claimed = generation,
                       attempt = attempt + 1, updated_at = $1
        WHERE id = (
            SELECT id FROM job WHERE state = 'waiting' AND due_at <= $1
            ORDER BY priority, due_at, id
            LIMIT 1)
        RETURNING id, key, task, attempt, lease, needs";

    CLAIM_PAUSED = claim_paused!("priority, due_at, id");

    /// Looks at every job that is due, so only for the first probe of an outage.
    CLAIM_PROBE = claim_paused!("id IN (SELECT job_id FROM strike WHERE job_id IS NOT NULL), priority, due_at, id");

    EXPIRE = "
        UPDATE job SET state = CASE WHEN attempt >= $2 THEN 'dead' ELSE 'waiting' END,
                       lease_until = NULL, due_at = CASE WHEN attempt > 1 THEN $1 ELSE due_at END, updated_at = $1,
                       reason = 'its worker stopped without a word, on attempt ' || attempt
        WHERE state = 'running' AND lease_until <= $1 AND id NOT IN (SELECT value FROM json_each($3))
        RETURNING id, key, attempt, state, reason";

    END_LEASES = "UPDATE job SET lease_until = $1 WHERE state = 'running'";

    RENEW = "UPDATE job SET lease_until = $3 WHERE id = $1 AND lease = $2 AND state = 'running'";

    FINISH = "DELETE FROM job WHERE id = $1 AND lease = $2 AND state = 'running' AND generation = claimed";

    AGAIN = "
        UPDATE job SET state = 'waiting', lease_until = NULL, due_at = $3, updated_at = $3, attempt = 0, reason = NULL
        WHERE id = $1 AND lease = $2 AND state = 'running'";

    /// A wait that costs no attempt ends at once when the job was asked for again meanwhile, or is later.
    WAIT = "
        UPDATE job SET state = 'waiting', lease_until = NULL, updated_at = $3, reason = $5, attempt = attempt - $6,
                       backs_off = 1 - $6,
                       due_at = CASE WHEN $6 = 1 AND generation <> claimed THEN $3 ELSE $4 END
        WHERE id = $1 AND lease = $2 AND state = 'running'";

    /// What was asked for again while it ran is not dead: the news may be the cure.
    BURY = "
        UPDATE job SET lease_until = NULL, due_at = $3, updated_at = $3, reason = $4,
                       state = CASE WHEN generation = claimed THEN 'dead' ELSE 'waiting' END,
                       attempt = CASE WHEN generation = claimed THEN attempt ELSE 0 END
        WHERE id = $1 AND lease = $2 AND state = 'running'
        RETURNING state";

    NEED = "
        UPDATE job SET needs = needs || $2 || ' ' WHERE id = $1 AND needs NOT LIKE '% ' || $2 || ' %'";

    EXPIRED = "SELECT id FROM job WHERE state = 'running' AND lease_until <= $1 LIMIT 1";

    SOMETHING_DUE = "
        SELECT id FROM job
        WHERE (state = 'waiting' AND due_at <= $1) OR (state = 'running' AND lease_until <= $1)
        LIMIT 1";

    NEXT_DUE = "SELECT min(due_at) FROM job WHERE state = 'waiting'";

    LIST = "
        SELECT id AS job_id, key, state, attempt, due_at, reason, created_at, updated_at, task, needs FROM job
        WHERE $1 IS NULL OR state = $1
        ORDER BY CASE state WHEN 'dead' THEN 0 WHEN 'running' THEN 1 ELSE 2 END, due_at, id
        LIMIT $2";

    GET = "
        SELECT id AS job_id, key, state, attempt, due_at, reason, created_at, updated_at, task, needs FROM job WHERE id = $1";

    /// Each by an index of its own.
    COUNTS = "
        SELECT 'waiting', count(*) FROM job WHERE state = 'waiting'
        UNION ALL SELECT 'running', count(*) FROM job WHERE state = 'running'
        UNION ALL SELECT 'dead', count(*) FROM job WHERE state = 'dead'";

    RETRY = "
        UPDATE job SET state = 'waiting', due_at = $2, attempt = 0, updated_at = $2
        WHERE (id = $1 AND state IN ('dead', 'waiting')) OR ($1 IS NULL AND state = 'dead')";

    DISCARD = "
        DELETE FROM job WHERE (id = $1 AND state IN ('dead', 'waiting')) OR ($1 IS NULL AND state = 'dead')";
}
