//! What is still to be done about a file before what derives from it can go: each is another job's, which is asked for here if it is
//! not there.

use crate::database::{Connection, Error};
use crate::erasure::{Because, Erasure};
use crate::fastio::FileKey;
use crate::job::{self, RUN_JOBS, Task};
use crate::queue::{self, Priority};
use crate::{own, run, sync};

/// It is not to be erased any more.
pub const BACK: &str = "the file is there again";

/// What is still to be done.
#[derive(Debug)]
pub struct Open {
    /// In words.
    pub reason: &'static str,
    /// Those who do it.
    pub tasks: Vec<Task>,
}

impl Open {
    /// The first thing that is still to be done; none when nothing is.
    pub fn of(connection: &mut Connection, key: &FileKey, erasure: &Erasure) -> Result<Option<Open>, Error> {
        let source = key.to_string();
        let is_there = sync::store::file(connection, &source)?.is_some_and(|file| file.is_there());
        if is_there && erasure.because != Because::Asked {
            return Ok(Some(Open { reason: BACK, tasks: Vec::new() }));
        }
        let FileKey { profile, node } = key.clone();
        let look = Task::File { profile, node };
        if is_there || !sync::store::copies(connection, key)?.is_empty() {
            let tasks = vec![look];
            return Ok(Some(Open { reason: "its copies at OpenAI go first", tasks }));
        }
        // One that began before may be about to write down what it saw.
        let looks = queue::presence::states(connection, &[&look.key()])?;
        if looks.values().any(|state| state == "running") {
            return Ok(Some(Open { reason: "a look at it ends first", tasks: Vec::new() }));
        }
        let run = |rule: String| Task::run(key.clone(), rule);
        let rules = run::store::open::unfinished_rules(connection, &source)?;
        if !rules.is_empty() {
            let tasks = rules.into_iter().map(run).collect();
            return Ok(Some(Open { reason: "its runs end first", tasks }));
        }
        let jobs = queue::presence::below(connection, &format!("{RUN_JOBS}{source}"))?;
        if jobs.iter().any(|(_, state)| state != "dead") {
            let reason = "what stands beside it is brought in line first";
            return Ok(Some(Open { reason, tasks: Vec::new() }));
        }
        if own::store::of_source(connection, &source)?.iter().any(|own| own.writing) {
            return Ok(Some(Open { reason: "a write into Fastio is settled first", tasks: Vec::new() }));
        }
        Ok(None)
    }

    /// Asks for those of the tasks that have no job, or a dead one.
    pub fn ask(&self, connection: &mut Connection, now: i64) -> Result<(), Error> {
        let keys: Vec<String> = self.tasks.iter().map(Task::key).collect();
        let asked: Vec<&str> = keys.iter().map(String::as_str).collect();
        let states = queue::presence::states(connection, &asked)?;
        for (task, key) in self.tasks.iter().zip(&keys) {
            if states.get(key).is_none_or(|state| state == "dead") {
                job::enqueue(connection, task, Priority::Live, now)?;
            }
        }
        Ok(())
    }
}
