//! What there is a number for: what waits, what is held, and what came in. `docket status` and the operator listener say
//! the same.

use serde::Serialize;

use crate::database::{Database, Error};
use crate::queue::store::PauseRow;
use crate::run::store::HeldRow;
use crate::{event, feed, queue, receive, run, sync};

/// States that are shown even when nothing is in them, so that a script finds its number.
pub const JOB_STATES: [&str; 3] = ["waiting", "running", "dead"];
pub const FILE_STATES: [&str; 3] = ["present", "skipped", "gone"];
pub const COPY_STATES: [&str; 5] = ["uploading", "uploaded", "attached", "indexed", "retiring"];

/// How runs stand; `dead` is one whose job is.
pub const RUN_STATES: [&str; 13] = [
    "wanted",
    "starting",
    "running",
    "answered",
    "ending",
    "held",
    "needs_review",
    "failed",
    "refused",
    "dead",
    "completed",
    "superseded",
    "cancelled",
];

/// Reasons that are shown for what is held; more are in `docket runs list`.
const REASONS: u32 = 5;

/// One number.
#[derive(Debug, Serialize)]
pub struct Row {
    name: &'static str,
    label: String,
    value: i64,
    /// Only of a paused target.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pause: Option<PauseRow>,
}

/// Everything there is a number for.
pub struct Seen {
    pub inbox: i64,
    pub jobs: Vec<(String, i64)>,
    pub pauses: Vec<PauseRow>,
    pub files: Vec<(String, i64)>,
    pub copies: Vec<(String, i64)>,
    pub runs: Vec<(String, i64)>,
    pub held: Vec<HeldRow>,
    /// What runs left elsewhere and is to be taken away, and conversations that may exist and cannot be found.
    pub leftovers: (i64, i64),
    pub events: Vec<(String, i64)>,
    pub received: Vec<(String, String, i64)>,
    pub feed: Option<feed::store::State>,
    pub sweep: Option<feed::store::SweepRow>,
}

impl Seen {
    /// Reads all of it as of one moment.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(database: &Database) -> Result<Self, Error> {
        // One transaction, so that the numbers are of one moment.
        let mut connection = database.read().begin().await?;
        Ok(Seen {
            inbox: receive::waiting(&mut connection).await?,
            jobs: queue::store::counts(&mut connection).await?,
            pauses: queue::store::pauses(&mut connection).await?,
            files: sync::store::file_counts(&mut connection).await?,
            copies: sync::store::copy_counts(&mut connection).await?,
            runs: {
                let mut runs = run::store::counts(&mut connection).await?;
                runs.push(("dead".to_owned(), queue::presence::dead(&mut connection, "run:").await?));
                runs
            },
            held: run::store::held(&mut connection, REASONS).await?,
            leftovers: run::leftover::store::counts(&mut connection).await?,
            events: event::store::counts(&mut connection).await?,
            received: receive::counts(&mut connection).await?,
            feed: feed::store::state(&mut connection).await?,
            sweep: feed::store::last_sweep(&mut connection).await?,
        })
    }

    /// One row for each number, as `--json` prints them.
    pub fn rows(self) -> Vec<Row> {
        let row = |name, label: &str, value| Row { name, label: label.to_owned(), value, pause: None };
        let mut rows = vec![row("inbox", "waiting", self.inbox)];
        let mut add = |name, states: &[&str], counts: &[(String, i64)]| {
            rows.extend(states.iter().map(|state| row(name, state, of(counts, state))));
        };
        add("job", &JOB_STATES, &self.jobs);
        add("file", &FILE_STATES, &self.files);
        add("copy", &COPY_STATES, &self.copies);
        add("run", &RUN_STATES, &self.runs);
        rows.push(row("leftover", "left", self.leftovers.0));
        rows.push(row("leftover", "unanswered", self.leftovers.1));
        rows.extend(self.events.iter().map(|(kind, value)| row("event", kind, *value)));
        for (name, label, value) in &self.received {
            // As they stand in `receive_count`, whose events are those the drain has seen.
            let (name, label) = match name.as_str() {
                "accepted" => ("delivery", "accepted"),
                "rejected" => ("delivery_rejected", label.as_str()),
                "unavailable" => ("delivery_unavailable", label.as_str()),
                "matched" => ("signature", label.as_str()),
                "new" => ("event_told", "new"),
                "duplicate" => ("event_told", "duplicate"),
                _ => ("other", label.as_str()),
            };
            rows.push(row(name, label, *value));
        }
        // The value of these is when, in Unix milliseconds.
        rows.extend(self.feed.iter().map(|feed| row("feed", &feed.way, feed.since)));
        rows.extend(self.sweep.iter().map(|sweep| row("sweep", &sweep.outcome, sweep.ended_at)));
        rows.extend(self.pauses.into_iter().map(|pause| Row {
            name: "pause",
            label: pause.target.clone(),
            value: 1,
            pause: Some(pause),
        }));
        rows
    }
}

/// The number of `state`.
pub fn of(counts: &[(String, i64)], state: &str) -> i64 {
    counts.iter().find(|(name, _)| name == state).map_or(0, |(_, value)| *value)
}
