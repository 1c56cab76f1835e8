//! Settling jobs: what a claim's end makes of its row. Who settles with a lease that was lost writes nothing.

use std::time::Duration;

use super::claim::Claimed;
use crate::database::{Connection, Error, Param, params, statements};
use crate::queue::breaker::{Cost, Judgement};
use crate::queue::{STAND_BACK, Verdict, backoff, millis};

/// How soon a job is tried again that our own database stopped.
const BLOCKED: Duration = Duration::from_secs(5);

/// A claim's fencing token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    pub id: i64,
    /// Another with each claim of this job.
    pub token: i64,
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

impl Lease {
    /// Lengthens the lease.
    pub fn renew(self, connection: &mut Connection, now: i64, lease: Duration) -> Result<Renewed, Error> {
        let renewed = connection.run(RENEW, params![self.id, self.token, now + millis(lease)])?;
        Ok(if renewed == 1 { Renewed::Held } else { Renewed::Lost })
    }
}

/// The end of a claim.
#[derive(Debug, Clone, Copy)]
pub struct Settling<'a> {
    pub claimed: &'a Claimed,
    /// None when it is given back unharmed.
    pub verdict: Option<&'a Verdict>,
    /// What the breaker made of it.
    pub judgement: &'a Judgement,
    pub now: i64,
    pub max_attempts: u16,
}

/// How a job waits again.
struct Wait<'a> {
    after: Duration,
    reason: Option<&'a str>,
    /// The attempt counts.
    counts: bool,
}

/// Writes down what became of a job, and gives back the attempts that others lost to an outage.
pub fn settle(connection: &mut Connection, settling: &Settling<'_>) -> Result<Settled, Error> {
    connection.run_each(REFUND, settling.judgement.refunds.iter().map(|id| -> [&dyn Param; 1] { [id] }))?;
    settling.write(connection)
}

impl Settling<'_> {
    fn write(&self, connection: &mut Connection) -> Result<Settled, Error> {
        let unharmed = |after, reason| Wait { after, reason: Some(reason), counts: false };
        let wait = match self.verdict {
            None => Wait { after: Duration::ZERO, reason: None, counts: false },
            Some(Verdict::Done) => return self.finish(connection),
            Some(Verdict::Dead { reason }) => return self.bury(connection, reason),
            Some(Verdict::Later { after, reason }) => unharmed(*after, reason.as_str()),
            Some(Verdict::Blocked { reason }) => unharmed(BLOCKED, reason),
            Some(Verdict::Hold { reason, .. }) => unharmed(STAND_BACK, reason),
            Some(Verdict::Waits { .. }) => unharmed(STAND_BACK, "it waits with others for what is refused"),
            Some(Verdict::Limited { reason, .. }) => unharmed(Duration::ZERO, reason),
            Some(Verdict::Refused { reason, .. }) if self.judgement.cost == Cost::Own => {
                return self.fail(connection, None, reason);
            }
            Some(Verdict::Refused { reason, .. }) => unharmed(STAND_BACK, reason),
            Some(Verdict::Retry { after, reason }) => return self.fail(connection, *after, reason),
            Some(Verdict::NotYet { reason }) => return self.fail(connection, None, reason),
            Some(Verdict::Unavailable { after, reason, .. }) => match self.judgement.cost {
                Cost::Own => return self.fail(connection, *after, reason),
                cost => Wait { counts: cost == Cost::Attempt, ..unharmed(STAND_BACK, reason) },
            },
        };
        self.wait(connection, &wait)
    }

    /// An attempt failed.
    fn fail(
        &self,
        connection: &mut Connection,
        asked: Option<Duration>,
        reason: &str,
    ) -> Result<Settled, Error> {
        let attempt = self.claimed.attempt;
        if attempt >= self.max_attempts {
            return self.bury(connection, &format!("gave up after {attempt} attempts: {reason}"));
        }
        let after = backoff::wait(attempt, asked, fastrand::f64());
        self.wait(connection, &Wait { after, reason: Some(reason), counts: true })
    }

    fn finish(&self, connection: &mut Connection) -> Result<Settled, Error> {
        let Lease { id, token } = self.claimed.lease();
        if connection.run(FINISH, params![id, token])? == 1 {
            return Ok(Settled::Recorded);
        }
        connection.run(AGAIN, params![id, token, self.now]).map(settled)
    }

    fn wait(&self, connection: &mut Connection, wait: &Wait<'_>) -> Result<Settled, Error> {
        let Lease { id, token } = self.claimed.lease();
        let due_at = self.now + millis(wait.after);
        // From now on it waits for what it was refused by, whose jobs it has to be found among.
        let own = self.claimed.needs.without_limits();
        let needs = match self.verdict {
            Some(
                Verdict::Hold { target: cause, .. }
                | Verdict::Waits { cause }
                | Verdict::Limited { cause, .. },
            ) => own.with(cause),
            Some(Verdict::Refused { cause, .. }) if !wait.counts => own.with(cause),
            _ => own,
        };
        let uncounted = !wait.counts;
        connection
            .run(WAIT, params![id, token, self.now, due_at, wait.reason, uncounted, needs.text()])
            .map(settled)
    }

    fn bury(&self, connection: &mut Connection, reason: &str) -> Result<Settled, Error> {
        let Lease { id, token } = self.claimed.lease();
        let state: Option<String> = connection.first(BURY, params![id, token, self.now, reason])?;
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

statements! {
    RENEW = "UPDATE job SET lease_until = $3 WHERE id = $1 AND lease = $2 AND state = 'running'";

    FINISH = "DELETE FROM job WHERE id = $1 AND lease = $2 AND state = 'running' AND generation = claimed";

    AGAIN = "
        UPDATE job SET state = 'waiting', lease_until = NULL, due_at = $3, updated_at = $3, attempt = 0, reason = NULL
        WHERE id = $1 AND lease = $2 AND state = 'running'";

    /// A wait that costs no attempt ends at once when the job was asked for again meanwhile, or is later.
    WAIT = "
        UPDATE job SET state = 'waiting', lease_until = NULL, updated_at = $3, reason = $5, attempt = attempt - $6,
                       backs_off = 1 - $6, needs = $7,
                       due_at = CASE WHEN $6 = 1 AND generation <> claimed THEN $3 ELSE CAST($4 AS BIGINT) END
        WHERE id = $1 AND lease = $2 AND state = 'running'";

    /// What was asked for again while it ran is not dead: the news may be the cure.
    BURY = "
        UPDATE job SET lease_until = NULL, due_at = $3, updated_at = $3, reason = $4,
                       state = CASE WHEN generation = claimed THEN 'dead' ELSE 'waiting' END,
                       attempt = CASE WHEN generation = claimed THEN attempt ELSE 0 END
        WHERE id = $1 AND lease = $2 AND state = 'running'
        RETURNING state";

    REFUND = "UPDATE job SET attempt = attempt - 1 WHERE id = $1 AND attempt > 0 AND state <> 'dead'";
}
