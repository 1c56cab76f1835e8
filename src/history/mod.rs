//! How a file came to where it is: every attempt at a job about it with what was done on the way, each written down where its job is
//! settled, and what told of the file. Nothing decides by it; it is for people, and goes with the file.

pub mod store;
mod timeline;

use crate::database::{Connection, Error};
use crate::job::{ACT_JOBS, ERASE_JOBS, FILE_JOBS, READING_JOBS, RUN_JOBS};
use crate::queue::{Attempt, Witness};

pub use timeline::{Entry, Kind, Phase, Spent, Timeline, done, received, timeline};

/// What writes attempts down, for one process.
#[derive(Debug)]
pub struct History {
    /// This process, for people.
    server: String,
}

impl History {
    pub fn new(server: String) -> Self {
        History { server }
    }
}

/// What a job about one file is: the file, the kind of work, and its rule.
struct About<'a> {
    source_id: &'a str,
    task: &'static str,
    rule: Option<&'a str>,
}

impl<'a> About<'a> {
    fn of(key: &'a str) -> Option<Self> {
        let plain = [(FILE_JOBS, "file"), (READING_JOBS, "reading"), (ERASE_JOBS, "erase")];
        for (begins, task) in plain {
            if let Some(source_id) = key.strip_prefix(begins) {
                return Some(About { source_id, task, rule: None });
            }
        }
        // A file's key has three parts; a rule's name may have a colon.
        let split =
            |text: &'a str| text.match_indices(':').nth(2).map(|(end, _)| (&text[..end], &text[end + 1..]));
        if let Some((source_id, _)) = key.strip_prefix(ACT_JOBS).and_then(split) {
            return Some(About { source_id, task: "act", rule: None });
        }
        let (source_id, rule) = key.strip_prefix(RUN_JOBS).and_then(split)?;
        Some(About { source_id, task: "run", rule: Some(rule) })
    }
}

impl Witness for History {
    fn ended(&self, connection: &mut Connection, attempt: &Attempt<'_>) -> Result<(), Error> {
        let Some(about) = About::of(attempt.key) else { return Ok(()) };
        let steps = attempt.trail.steps();
        let row = store::New {
            source_id: about.source_id,
            task: about.task,
            rule: about.rule,
            attempt,
            server: &self.server,
            steps: &steps,
        };
        store::record(connection, &row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jobs_key_says_which_file_it_is_about() {
        let of = |key| About::of(key).map(|about| (about.source_id, about.task, about.rule));
        assert_eq!(of("file:workspace:1:2a"), Some(("workspace:1:2a", "file", None)));
        assert_eq!(of("reading:share:1:2a"), Some(("share:1:2a", "reading", None)));
        assert_eq!(of("run:workspace:1:2a:a: b"), Some(("workspace:1:2a", "run", Some("a: b"))));
        assert_eq!(of("act:workspace:1:2a:7"), Some(("workspace:1:2a", "act", None)));
        assert_eq!(of("folder:workspace:1:2a"), None);
        assert_eq!(of("attach:vs_1"), None);
    }
}
