//! Claiming jobs, and what becomes of claims whose workers have died.
//!
//! Jobs of one priority with the same needs are a *lane*: what holds one of them holds all. A claim looks at the first job of
//! each lane and at no other, so it costs the same however many are held or not yet due. There are few lanes. Where many servers share the
//! queue, it takes the next job of the lane that nobody else takes at the moment.

use std::time::Duration;

use super::heads::Heads;
use super::settle::Lease;
use crate::database::claimed::Claim;
use crate::database::{Connection, Error, from_row, json_list, params, statements};
use crate::queue::breaker::{self, Breaker, InHand, Working};
use crate::queue::needs::Needs;
use crate::queue::{Priority, millis};

/// A job in hand. Only a claim makes one.
#[must_use = "an unsettled job is retried only when its lease runs out"]
#[derive(Debug)]
pub struct Claimed {
    pub id: i64,
    pub key: String,
    pub task: String,
    /// This claim's number, from 1, among those that failed.
    pub attempt: u16,
    /// The request that asked for it last.
    pub request_id: Option<String>,
    /// Since when it could have been claimed.
    pub due_at: i64,
    pub claimed_at: i64,
    pub(super) needs: Needs,
    live: bool,
    lease: Lease,
    life: i64,
    in_hand: InHand,
}

impl Claimed {
    /// Whether it was let through to find out whether what holds its kind has gone.
    pub fn is_probe(&self) -> bool {
        self.in_hand.probes()
    }

    /// What its key begins with: what kind of work it is.
    pub(in crate::queue) fn kind(&self) -> &str {
        self.key.split(':').next().unwrap_or_default()
    }

    /// The causes that may hold it.
    pub fn causes(&self) -> impl Iterator<Item = &str> {
        self.needs.causes()
    }

    pub(in crate::queue) fn working(&self) -> Working {
        Working { needs: self.needs.clone(), live: self.live }
    }

    pub fn lease(&self) -> Lease {
        self.lease
    }

    /// What its work asks the database for before it writes.
    pub(in crate::queue) fn claim(&self) -> Claim {
        Claim { job: self.id, lease: self.lease.token, life: self.life }
    }
}

/// The first job of a lane.
pub(super) struct First {
    pub(super) id: i64,
    pub(super) priority: i64,
    pub(super) due_at: i64,
    pub(super) needs: Needs,
}

impl First {
    pub(super) fn is_live(&self) -> bool {
        self.priority <= Priority::Live.rank()
    }
}

from_row!(row => First { id, priority, due_at, needs: Needs::stored(row.get("needs")?) });

/// The first job of each lane; `but` are passed over.
pub(super) fn firsts(connection: &mut Connection, but: &[i64]) -> Result<Vec<First>, Error> {
    connection.all(FIRSTS, params![json_list(but)])
}

/// What a claim looks at, for whoever judges how.
#[cfg(test)]
pub fn looks() -> [crate::database::Sql; 2] {
    [FIRSTS, FIRST_LEASE]
}

/// What the jobs need that are due by `now`.
pub fn due(connection: &mut Connection, now: i64) -> Result<Vec<Needs>, Error> {
    let due = firsts(connection, &[])?.into_iter().filter(|first| first.due_at <= now);
    Ok(due.map(|first| first.needs).collect())
}

/// When a claim can find something, in Unix milliseconds: a job that is due and that nothing holds or that may probe what does,
/// or one whose worker has died. None if there is none, or one that this process works on has to end first.
pub fn next_due(
    connection: &mut Connection,
    breaker: &Breaker,
    claimant: &Claimant<'_>,
) -> Result<Option<i64>, Error> {
    let firsts = looked_at(connection, breaker, claimant, &[])?;
    let opens = firsts
        .iter()
        .filter_map(|first| Some(breaker.opens_at(&first.needs, first.is_live())?.max(first.due_at)));
    let opens = opens.min();
    if opens.is_some_and(|opens| opens <= claimant.now) {
        return Ok(opens);
    }
    let lease_ends: Option<i64> =
        connection.one(FIRST_LEASE, params![json_list(&breaker.in_hand()), claimant.replica])?;
    Ok(opens.into_iter().chain(lease_ends).min())
}

/// Jobs that others may take before this claim does, until it is left to the next look. So many claims are hardly ever made at once.
const RIVALS: usize = 16;

/// What a claim reads of its job.
struct Taken {
    id: i64,
    key: String,
    task: String,
    attempt: i64,
    request_id: Option<String>,
    due_at: i64,
    lease: i64,
    /// When the database was started.
    life: i64,
}

from_row!(row => Taken { id, key, task, attempt, request_id, due_at, lease, life });

/// Who takes a job, and for how long from when.
#[derive(Debug, Clone, Copy)]
pub struct Claimant<'a> {
    pub now: i64,
    pub lease: Duration,
    /// The number of this server, where several share the queue.
    pub replica: Option<i64>,
    pub heads: &'a Heads,
}

/// Takes the most urgent job that is due and that nothing holds.
pub fn claim(
    connection: &mut Connection,
    breaker: &Breaker,
    claimant: &Claimant<'_>,
) -> Result<Option<Claimed>, Error> {
    let now = claimant.now;
    let mut gone = Vec::new();
    let (first, taken) = loop {
        // Another job's failure proves more than that of one which has struck already.
        let struck = breaker.struck();
        let mut but: Vec<i64> = struck.iter().chain(&gone).copied().collect();
        let mut first = most_urgent(connection, breaker, claimant, &but)?;
        if first.is_none() && !struck.is_empty() {
            but.clone_from(&gone);
            first = most_urgent(connection, breaker, claimant, &but)?;
        }
        let Some(first) = first else { return Ok(None) };
        let taken = match breaker::store::probes_alone(connection, breaker, (&first.needs, now))? {
            true => take(connection, claimant, (&first, &but))?,
            false => None,
        };
        match taken {
            Some(taken) => break (first, taken),
            // Others were faster, which in SQLite nobody can be.
            None if gone.len() == RIVALS => return Ok(None),
            None => gone.push(first.id),
        }
    };
    let Taken { id, key, task, attempt, request_id, due_at, lease: token, life } = taken;
    let lease = Lease { id, token };
    Ok(Some(Claimed {
        id,
        key,
        task,
        attempt: attempt.try_into().unwrap_or(u16::MAX),
        request_id,
        due_at,
        claimed_at: now,
        // In hand before the commit, after which another worker could take it for one whose worker is dead.
        in_hand: breaker.take(lease, &first.needs, now),
        live: first.is_live(),
        needs: first.needs,
        lease,
        life,
    }))
}

/// Takes the first of a lane, but none of these.
fn take(
    connection: &mut Connection,
    claimant: &Claimant<'_>,
    (first, but): (&First, &[i64]),
) -> Result<Option<Taken>, Error> {
    let Claimant { now, lease, replica, .. } = *claimant;
    let First { id, priority, due_at, needs } = first;
    let until = now + millis(lease);
    connection.first(CLAIM, params![id, now, until, replica, needs.text(), priority, due_at, json_list(but)])
}

fn most_urgent(
    connection: &mut Connection,
    breaker: &Breaker,
    claimant: &Claimant<'_>,
    but: &[i64],
) -> Result<Option<First>, Error> {
    let firsts = looked_at(connection, breaker, claimant, but)?;
    let firsts = firsts.into_iter().filter(|first| is_ready(breaker, first, claimant.now));
    Ok(firsts.min_by_key(|first| (first.priority, breaker.last_turn(&first.needs), first.due_at, first.id)))
}

/// The first job of each lane; `but` are passed over.
fn looked_at(
    connection: &mut Connection,
    breaker: &Breaker,
    claimant: &Claimant<'_>,
    but: &[i64],
) -> Result<Vec<First>, Error> {
    match claimant.replica {
        Some(_) => claimant.heads.firsts(connection, but, |first| is_ready(breaker, first, claimant.now)),
        None => firsts(connection, but),
    }
}

/// Whether the first job of a lane can be claimed.
fn is_ready(breaker: &Breaker, first: &First, now: i64) -> bool {
    let opens_at = breaker.opens_at(&first.needs, first.is_live());
    first.due_at <= now && opens_at.is_some_and(|opens_at| opens_at <= now)
}

/// What became of the jobs whose workers stopped without a word.
#[derive(Debug, Default)]
pub struct Expired {
    /// Those that go on.
    pub released: Vec<Orphan>,
    pub dead: Vec<Orphan>,
}

/// A job that lost its worker, or its last attempt.
#[derive(Debug, Clone)]
pub struct Orphan {
    pub id: i64,
    pub key: String,
    pub attempt: i64,
    pub reason: String,
}

/// Which leases to end.
#[derive(Debug, Clone, Copy)]
pub struct Expiry<'a> {
    pub now: i64,
    pub max_attempts: u16,
    /// The number of this server, where several share the queue. The jobs of another one are left to it for as long as it lives,
    /// whatever the time is, and are due when it does not.
    pub replica: Option<i64>,
    /// Jobs whose workers are known to live: their heartbeats are only late, because the clock leapt or the database was locked.
    pub in_hand: &'a [i64],
}

/// Makes jobs due again whose lease has run out: their worker is dead, or hangs and will find its lease lost. What was
/// tried once goes first again, since it is half done; what was tried more often may be what kills workers, and stands
/// behind the others.
pub fn expire(connection: &mut Connection, expiry: &Expiry<'_>) -> Result<Expired, Error> {
    let Expiry { now, max_attempts, replica, in_hand } = *expiry;
    let rows: Vec<(i64, String, i64, String, String)> =
        connection.all(EXPIRE, params![now, max_attempts, json_list(in_hand), replica])?;
    let mut expired = Expired::default();
    for (id, key, attempt, state, reason) in rows {
        let of = if state == "dead" { &mut expired.dead } else { &mut expired.released };
        of.push(Orphan { id, key, attempt, reason });
    }
    Ok(expired)
}

/// Makes every job due again that is claimed by no server that lives. Only for a server that starts: it has none, and those that share
/// the queue are known. The crash may have been the job's doing, so the attempt counts.
pub fn release_all(
    connection: &mut Connection,
    (now, max_attempts): (i64, u16),
    replica: Option<i64>,
) -> Result<Expired, Error> {
    connection.run(END_LEASES, params![now])?;
    expire(connection, &Expiry { now, max_attempts, replica, in_hand: &[] })
}

/// What the jobs need that other servers have in hand.
pub fn elsewhere(connection: &mut Connection, replica: Option<i64>) -> Result<Vec<Needs>, Error> {
    let Some(replica) = replica else { return Ok(Vec::new()) };
    let needs: Vec<String> = connection.all(ELSEWHERE, params![replica])?;
    Ok(needs.into_iter().map(Needs::stored).collect())
}

statements! {
    /// From the first job of one lane to that of the next, by the index alone: all lanes in one statement, because to begin one
    /// costs more than to find a job. In two steps, because SQLite would look for a pair that is greater among all rows whose
    /// pair is equal.
    FIRSTS = "
        WITH RECURSIVE first (id) AS (
            SELECT (SELECT id FROM job INDEXED BY job_lane
                    WHERE state = 'waiting' AND id NOT IN (SELECT CAST(value AS BIGINT) FROM json_each($1))
                    ORDER BY needs, priority, due_at, id LIMIT 1)
            UNION ALL
            SELECT coalesce(
                (SELECT next.id FROM job AS next INDEXED BY job_lane
                 WHERE next.state = 'waiting' AND next.needs = job.needs AND next.priority > job.priority
                   AND next.id NOT IN (SELECT CAST(value AS BIGINT) FROM json_each($1))
                 ORDER BY next.priority, next.due_at, next.id LIMIT 1),
                (SELECT next.id FROM job AS next INDEXED BY job_lane
                 WHERE next.state = 'waiting' AND next.needs > job.needs
                   AND next.id NOT IN (SELECT CAST(value AS BIGINT) FROM json_each($1))
                 ORDER BY next.needs, next.priority, next.due_at, next.id LIMIT 1))
            FROM first CROSS JOIN job ON job.id = first.id)
        SELECT job.id, job.priority, job.due_at, job.needs FROM first CROSS JOIN job ON job.id = first.id",
    // Each step brings along what the next one needs: a join to find it again would be planned for as many jobs as there once were.
    postgres: "
        WITH RECURSIVE first AS (
            (SELECT id, needs, priority, due_at FROM job
             WHERE state = 'waiting' AND id <> ALL ($1::text[]::bigint[])
             ORDER BY needs, priority, due_at, id LIMIT 1)
            UNION ALL
            SELECT next.* FROM first CROSS JOIN LATERAL (
                SELECT * FROM (
                    (SELECT id, needs, priority, due_at FROM job
                     WHERE state = 'waiting' AND needs = first.needs AND priority > first.priority
                       AND id <> ALL ($1::text[]::bigint[])
                     ORDER BY priority, due_at, id LIMIT 1)
                    UNION ALL
                    (SELECT id, needs, priority, due_at FROM job
                     WHERE state = 'waiting' AND needs > first.needs AND id <> ALL ($1::text[]::bigint[])
                     ORDER BY needs, priority, due_at, id LIMIT 1)) AS either
                ORDER BY needs LIMIT 1) AS next)
        SELECT id, priority, due_at, needs FROM first";

    /// The first of a lane, which in SQLite nobody else can have taken meanwhile.
    CLAIM = "
        UPDATE job SET state = 'running', lease = lease + 1, lease_until = $3, claimed = generation,
                       attempt = attempt + 1, updated_at = $2, replica = $4
        WHERE id = $1 AND state = 'waiting' AND needs = $5 AND priority = $6 AND due_at = $7
          AND id NOT IN (SELECT CAST(value AS BIGINT) FROM json_each($8))
        RETURNING id, key, task, attempt, request_id, due_at, lease, 0 AS life",
    // Or the next one of its lane that nobody takes just now: who comes second would else look at the lane again, and so would all others.
    // The lease by chance: a standby that was behind when it took over would count once more.
    postgres: "
        WITH free AS MATERIALIZED (
            SELECT id FROM job
            WHERE state = 'waiting' AND needs = $5 AND priority = $6 AND due_at <= $2 AND (due_at, id) >= ($7, $1)
              AND id <> ALL ($8::text[]::bigint[])
            ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
        UPDATE job SET state = 'running', lease = 1 + floor(random() * 9e15)::bigint, lease_until = $3,
                       claimed = generation, attempt = attempt + 1, updated_at = $2, replica = $4
        FROM free WHERE job.id = free.id
        RETURNING job.id, key, task, attempt, request_id, due_at, lease,
                  (extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint AS life";

    FIRST_LEASE = "
        SELECT min(lease_until) FROM job
        WHERE state = 'running' AND id NOT IN (SELECT CAST(value AS BIGINT) FROM json_each($1))
          AND (replica IS NULL OR replica = $2)",
    postgres: "
        SELECT min(CASE WHEN replica IS NULL OR replica = $2 THEN lease_until ELSE 0 END) FROM job
        WHERE state = 'running' AND id <> ALL ($1::text[]::bigint[])
          AND (replica IS NULL OR replica = $2 OR NOT EXISTS (SELECT FROM replica WHERE replica_id = job.replica))";

    EXPIRE = "
        UPDATE job SET state = CASE WHEN attempt >= $2 THEN 'dead' ELSE 'waiting' END,
                       lease_until = NULL, due_at = CASE WHEN attempt > 1 THEN $1 ELSE due_at END, updated_at = $1,
                       reason = 'its worker stopped without a word, on attempt ' || attempt
        WHERE state = 'running' AND lease_until <= $1 AND id NOT IN (SELECT CAST(value AS BIGINT) FROM json_each($3))
          AND (replica IS NULL OR replica = $4)
        RETURNING id, key, attempt, state, reason",
    // By its lease too: a job that was taken anew meanwhile, perhaps by a server that has come since, is another's.
    postgres: "
        WITH over AS MATERIALIZED (
            SELECT id, lease FROM job
            WHERE state = 'running'
              AND CASE WHEN replica IS NULL OR replica = $4 THEN lease_until <= $1 AND id <> ALL ($3::text[]::bigint[])
                       ELSE NOT EXISTS (SELECT FROM replica WHERE replica_id = job.replica) END)
        UPDATE job SET state = CASE WHEN attempt >= $2 THEN 'dead' ELSE 'waiting' END,
                       lease_until = NULL, due_at = CASE WHEN attempt > 1 THEN $1 ELSE due_at END, updated_at = $1,
                       reason = 'its worker stopped without a word, on attempt ' || attempt
        FROM over WHERE job.id = over.id AND job.lease = over.lease AND job.state = 'running'
        RETURNING job.id, job.key, job.attempt, job.state, job.reason";

    END_LEASES = "UPDATE job SET lease_until = $1 WHERE state = 'running' AND replica IS NULL";

    ELSEWHERE = "SELECT needs FROM job WHERE state = 'running' AND replica <> $1";
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;

    use super::*;
    use crate::database::{Sql, in_memory, in_postgres, steps};
    use crate::queue::Verdict;
    use crate::queue::breaker::Outcome;
    use crate::queue::store::{NewJob, enqueue};

    const NOW: i64 = 1_000_000;

    const HOLD: Sql = Sql::listed("SELECT key FROM job ORDER BY due_at, id LIMIT $1 FOR UPDATE");

    fn claimant(heads: &Heads) -> Claimant<'_> {
        Claimant { now: NOW, lease: Duration::from_secs(15), replica: None, heads }
    }

    /// With so many jobs that are held, so many that are not due yet, and one that can be claimed.
    fn filled(jobs: usize) -> Connection {
        let mut connection = in_memory();
        let mut add = |key: &str, needs: &[&str], due_at: i64| {
            let job = NewJob { key, task: "{}", needs, priority: Priority::Live };
            enqueue(&mut connection, &job, due_at).unwrap();
        };
        for number in 0..jobs {
            add(&format!("held {number}"), &["fastio", "openai"], 1);
            add(&format!("not due {number}"), &["fastio"], NOW + 1);
        }
        add("due", &["fastio"], NOW);
        connection
    }

    #[test]
    fn a_claim_costs_the_same_however_many_jobs_are_held_or_not_due() {
        let measured = [10, 3_000].map(|jobs| {
            let mut connection = filled(jobs);
            let mut took =
                |sql: Sql, params: &[&dyn crate::database::Param]| steps(&mut connection, sql, params);
            [took(FIRSTS, params!["[]"]), took(FIRST_LEASE, params!["[]", None::<i64>])]
        });
        assert_eq!(measured[0], measured[1], "steps of SQLite's machine");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn beside_many_that_claim_the_next_job_of_the_lane_is_taken() {
        let (database, runtime) = (in_postgres().await, Handle::current());
        let others = i64::try_from(RIVALS).unwrap() + 1;
        let add = move |tx: &mut Connection| {
            (0..=others).try_for_each(|number| {
                let key = format!("file:{number}");
                let job = NewJob { key: &key, task: "{}", needs: &["fastio"], priority: Priority::Live };
                enqueue(tx, &job, NOW).map(drop)
            })
        };
        database.write(add).await.unwrap();
        let ours = database.clone();
        let beside = database.write(move |tx| {
            let held: Vec<String> = tx.all(HOLD, params![others])?;
            assert!(held.len() > RIVALS);
            runtime.block_on(ours.claim(|tx| claim(tx, &Breaker::default(), &claimant(&Heads::default()))))
        });
        let claimed = beside.await.unwrap().expect("one that nobody takes");
        assert_eq!((claimed.key, claimed.due_at), (format!("file:{others}"), NOW));
    }

    #[test]
    fn each_of_those_that_share_the_queue_has_its_turn() {
        let (mut connection, breaker, heads) = (in_memory(), Breaker::default(), Heads::default());
        let (large, small) = (crate::queue::share("large"), crate::queue::share("small"));
        for (number, share) in [&large, &large, &large, &large, &small, &small].into_iter().enumerate() {
            let (key, needs) = (format!("{share} {number}"), ["fastio", share.as_str()]);
            let job = NewJob { key: &key, task: "{}", needs: &needs, priority: Priority::Backfill };
            enqueue(&mut connection, &job, NOW).unwrap();
        }
        let mut next = || claim(&mut connection, &breaker, &claimant(&heads)).unwrap().unwrap().key;
        let claimed: Vec<String> = (0..6).map(|_| next()).collect();
        let of = |place: usize| claimed[place].split(' ').next().unwrap().to_owned();
        assert_ne!(of(0), of(1), "{claimed:?}");
        assert_ne!(of(2), of(3), "{claimed:?}");
        assert_eq!((of(4), of(5)), (large.clone(), large), "the others are done: {claimed:?}");
    }

    #[test]
    fn what_is_held_is_passed_over_and_what_is_due_is_found() {
        let mut connection = filled(3);
        let (breaker, heads) = (Breaker::default(), Heads::default());
        let refused = claim(&mut connection, &breaker, &claimant(&heads)).unwrap().unwrap();
        assert_eq!(refused.key, "held 0");
        let verdict = Verdict::Hold { target: "openai".to_owned(), reason: "no".to_owned() };
        breaker.judge(&refused, &Outcome { verdict: Some(verdict), ..Outcome::default() }, NOW, 8);
        let claimed = claim(&mut connection, &breaker, &claimant(&heads)).unwrap().unwrap();
        assert_eq!((claimed.key.as_str(), claimed.is_probe()), ("due", false));
        assert!(claim(&mut connection, &breaker, &claimant(&heads)).unwrap().is_none());
        assert_eq!(next_due(&mut connection, &breaker, &claimant(&heads)).unwrap(), Some(NOW + 1));
    }
}
