//! Jobs: the tasks there are, and what a failure of Fastio, OpenAI or the database means for the job that met it.
//!
//! It stands above the [`queue`], which knows nothing of the work, and above both clients, which know nothing of jobs. It
//! carries nothing out.

pub mod refusal;
mod task;
pub mod verdict;

use crate::database::{Connection, Error};
use crate::queue::{self, Enqueued, NewJob, Priority};

pub use task::{FILE_JOBS, RUN_JOBS, Service, Task};

/// Adds the job for `task`, in the caller's transaction: so it exists exactly when the rows that caused it do. `now` is in
/// Unix milliseconds.
pub fn enqueue(
    connection: &mut Connection,
    task: &Task,
    priority: Priority,
    now: i64,
) -> Result<Enqueued, Error> {
    let text = serde_json::to_string(task).expect("a task is strings only");
    let job = NewJob { key: &task.key(), task: &text, needs: task.needs(), priority };
    queue::enqueue(connection, &job, now)
}
