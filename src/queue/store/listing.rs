//! Jobs as people see them, and what they may do with them.

use serde::Serialize;

use crate::database::{Connection, Error, from_row, params, statements};
use crate::queue::waiting::Waiting;

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
    /// The request that asked for it last.
    pub request_id: Option<String>,
}

from_row!(JobRow {
    job_id,
    key,
    state,
    attempt,
    due_at,
    reason,
    created_at,
    updated_at,
    task,
    needs,
    request_id,
});

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

/// Makes a dead or waiting job due now, with all its attempts; every dead one when `id` is `None`. Returns how many.
pub fn retry(connection: &mut Connection, id: Option<i64>, now: i64) -> Result<u64, Error> {
    connection.run(RETRY, params![id, now])
}

/// Forgets a job that nobody works on; every dead one when `id` is `None`. Returns how many.
pub fn discard(connection: &mut Connection, id: Option<i64>) -> Result<u64, Error> {
    connection.run(DISCARD, params![id])
}

statements! {
    LIST = "
        SELECT id AS job_id, key, state, attempt, due_at, reason, created_at, updated_at, task, needs, request_id
        FROM job
        WHERE $1 IS NULL OR state = $1
        ORDER BY CASE state WHEN 'dead' THEN 0 WHEN 'running' THEN 1 ELSE 2 END, due_at, id
        LIMIT $2";

    GET = "
        SELECT id AS job_id, key, state, attempt, due_at, reason, created_at, updated_at, task, needs, request_id
        FROM job WHERE id = $1";

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
