//! Jobs: the tasks there are, and what a failure of Fastio, OpenAI or the database means for the job that met it.
//!
//! It stands above the [`queue`], which knows nothing of the work, and above both clients, which know nothing of jobs. It
//! carries nothing out.

pub mod refusal;
mod task;
pub mod verdict;

use crate::database::{Connection, Error};
use crate::queue::{self, Enqueued, NewJob, Priority};

pub use task::{ACT_JOBS, ERASE_JOBS, FILE_JOBS, FOLDER_JOBS, READING_JOBS, RUN_JOBS, Service, Task};

/// Gives the jobs of a rule's runs and of its table to the rule's new name.
///
/// # Errors
/// The database's.
pub fn rename_rule(connection: &mut Connection, (old, new): (&str, &str), now: i64) -> Result<(), Error> {
    for job in queue::store::named(connection, old)? {
        let task = match serde_json::from_str(&job.task) {
            Ok(Task::Run { profile, node, rule }) if rule == old => {
                Task::Run { profile, node, rule: new.to_owned() }
            }
            Ok(Task::Digest { rule }) if rule == old => Task::Digest { rule: new.to_owned() },
            Ok(Task::Batch { rule }) if rule == old => Task::Batch { rule: new.to_owned() },
            _ => continue,
        };
        queue::store::remove(connection, job.job_id)?;
        enqueue(connection, &task, Priority::Live, now)?;
    }
    Ok(())
}

/// Adds the job for `task`, in the caller's transaction: so it exists exactly when the rows that caused it do. `now` is in
/// Unix milliseconds.
pub fn enqueue(
    connection: &mut Connection,
    task: &Task,
    priority: Priority,
    now: i64,
) -> Result<Enqueued, Error> {
    add(connection, task, (priority, task.needs()), now)
}

/// The same for one of many that a backfill asks for, of which each rule has its turn.
pub fn enqueue_in_turn(
    connection: &mut Connection,
    task: &Task,
    rule: &str,
    now: i64,
) -> Result<Enqueued, Error> {
    let share = queue::share(rule);
    let needs: Vec<&str> = task.needs().iter().copied().chain([share.as_str()]).collect();
    add(connection, task, (Priority::Backfill, &needs), now)
}

fn add(
    connection: &mut Connection,
    task: &Task,
    (priority, needs): (Priority, &[&str]),
    now: i64,
) -> Result<Enqueued, Error> {
    let text = serde_json::to_string(task).expect("a task is strings only");
    let job = NewJob { key: &task.key(), task: &text, needs, priority };
    queue::enqueue(connection, &job, now)
}
