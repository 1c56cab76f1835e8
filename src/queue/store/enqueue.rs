//! Adding jobs.

use crate::database::{Connection, Error, params, statements};
use crate::queue::Priority;
use crate::queue::needs::Needs;
use crate::request_id;

/// A job to be added.
#[derive(Debug, Clone, Copy)]
pub struct NewJob<'a> {
    /// Jobs with one key never run at once.
    pub key: &'a str,
    /// What to do, as JSON.
    pub task: &'a str,
    /// The causes that may hold it: what it cannot do without.
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
/// the job exists exactly when the rows that caused it do. It is for the request that the caller works for.
pub fn enqueue(connection: &mut Connection, job: &NewJob<'_>, now: i64) -> Result<Enqueued, Error> {
    let needs = Needs::of(job.needs.iter().copied());
    let (NewJob { key, task, priority, .. }, request_id) = (job, request_id::current());
    let generation: i64 = connection
        .one(ENQUEUE, params![key, task, needs.text(), priority.rank(), now, request_id.as_deref()])?;
    Ok(if generation == 1 { Enqueued::Added } else { Enqueued::Coalesced })
}

statements! {
    /// A dead job starts afresh. One that waits after a failure goes on waiting: the remote may have asked for it. Any other
    /// wait is for something to happen, and this may be it; what waits for a limit may need none now, as when its file is gone.
    ENQUEUE = "
        INSERT INTO job (key, task, needs, state, priority, due_at, created_at, updated_at, request_id)
        VALUES ($1, $2, $3, 'waiting', $4, $5, $5, $5, $6)
        ON CONFLICT (key) DO UPDATE SET
            task       = excluded.task,
            needs      = CASE WHEN job.state = 'waiting' AND job.needs LIKE '%/limit:%' THEN excluded.needs ELSE job.needs END,
            generation = job.generation + 1,
            priority   = CASE WHEN excluded.priority < job.priority THEN excluded.priority ELSE job.priority END,
            due_at     = CASE WHEN job.state = 'dead' OR (job.backs_off = 0 AND job.due_at > excluded.due_at)
                              THEN excluded.due_at ELSE job.due_at END,
            attempt    = CASE WHEN job.state = 'dead' THEN 0 ELSE job.attempt END,
            state      = CASE WHEN job.state = 'dead' THEN 'waiting' ELSE job.state END,
            updated_at = excluded.updated_at,
            request_id = coalesce(excluded.request_id, job.request_id)
        RETURNING generation";
}
