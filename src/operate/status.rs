//! What there is a number for: what waits, what is kept, and what came in. `docket status` and the operator listener say
//! the same. It counts what is, not what was: a run that a newer one took the place of is history.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::verdict::Verdict;
use crate::database::{Connection, Database, Error, ServerRow};
use crate::queue::store::PauseRow;
use crate::queue::waiting::{Waiting, why};
use crate::run::pace::store::PaceRow;
use crate::run::store::HeldRow;
use crate::run::store::tries::{self, Sum};
use crate::sync::budget::Plan;
use crate::sync::budget::store::Usage;
use crate::sync::store::FullStore;
use crate::{event, feed, job, outside, queue, receive, run, sync};

/// States that are shown even when nothing is in them, so that a script finds its number.
pub const JOB_STATES: [&str; 3] = ["waiting", "running", "dead"];
pub const FILE_STATES: [&str; 4] = ["present", "out", "skipped", "gone"];
pub const COPY_STATES: [&str; 5] = ["uploading", "uploaded", "attached", "indexed", "retiring"];

/// How runs stand; `dead` is one whose job is.
pub const RUN_STATES: [&str; 15] = [
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
    "rejected",
    "completed",
    "accepted",
    "superseded",
    "cancelled",
];

/// Reasons that are shown for what is held; more are in `docket runs list`.
const REASONS: u32 = 5;

/// Which Docket this is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct About {
    /// This program's.
    pub version: String,
    pub database: PathBuf,
    /// The rules' names.
    pub rules: Vec<String>,
    /// What OpenAI may hold.
    #[serde(default)]
    pub storage: Plan,
}

/// One number.
#[derive(Debug, Serialize)]
pub struct Row {
    name: &'static str,
    label: String,
    value: i64,
    /// Only of the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Vec<String>>,
    /// Only of one of several servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    /// Only of a paused target.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pause: Option<PauseRow>,
}

/// Everything there is a number for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// The servers that work on a PostgreSQL.
    pub servers: Vec<ServerRow>,
    pub inbox: i64,
    /// The change that has waited longest for being searchable, and what it waits for.
    pub oldest: Option<Oldest>,
    pub jobs: Vec<(String, i64)>,
    /// Those of the dead jobs that erase what derives from a file.
    pub unerased: i64,
    pub pauses: Vec<PauseRow>,
    pub files: Vec<(String, i64)>,
    pub copies: Vec<(String, i64)>,
    /// Files that OpenAI holds and can read nothing in, or next to nothing.
    pub unread: i64,
    /// What is held for each rule, and what is out.
    #[serde(default)]
    pub usage: Usage,
    /// Since when what the project holds is near to what OpenAI lets it hold.
    #[serde(default)]
    pub storage_near: Option<i64>,
    pub runs: Vec<(String, i64)>,
    pub held: Vec<HeldRow>,
    /// Models whose runs begin a few at a time.
    pub paced: Vec<PaceRow>,
    /// What jobs say that wait for a limit of OpenAI's.
    pub limited: Vec<String>,
    /// What runs took within 24 hours, by rule.
    pub spent: Vec<Sum>,
    /// What runs left elsewhere and is to be taken away, and conversations that may exist and cannot be found.
    pub leftovers: (i64, i64),
    pub events: Vec<(String, i64)>,
    pub received: Vec<(String, String, i64)>,
    pub feed: Option<feed::store::State>,
    pub sweep: Option<feed::sweep::store::SweepRow>,
    /// Files that are synced under a hash that we computed, because Fastio announces another one.
    pub other_hashes: i64,
    /// Stores that were gone at OpenAI and made anew: their names, ids, and when.
    pub made_anew: Vec<(String, Option<String>, i64)>,
    /// Stores that have been full, each with the one in which it continues.
    pub full_stores: Vec<FullStore>,
}

/// A change that cannot be searched yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oldest {
    pub since: i64,
    pub why: String,
}

impl Status {
    /// Reads all of it as of one moment.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(database: &Database) -> Result<Self, Error> {
        // First of all the inbox: what the drain takes out of it meanwhile is counted twice, and not never.
        let inbox = |inbox: &mut Connection| Ok((receive::waiting(inbox)?, receive::waiting_since(inbox)?));
        let (waiting, delivered) = database.read_inbox(inbox).await?;
        database.observe(move |connection| Self::read_all(connection, waiting, delivered)).await
    }

    /// All but the inbox, of one moment.
    fn read_all(connection: &mut Connection, inbox: i64, delivered: Option<i64>) -> Result<Self, Error> {
        let pauses = queue::store::pauses(connection)?;
        let job = queue::presence::oldest(connection)?;
        Ok(Status {
            servers: connection.servers()?,
            inbox,
            oldest: oldest(delivered, job.as_ref(), &pauses),
            jobs: queue::store::counts(connection)?,
            unerased: queue::presence::dead(connection, job::ERASE_JOBS)?,
            pauses,
            files: sync::store::file_counts(connection)?,
            copies: sync::store::copy_counts(connection)?,
            unread: sync::reading::store::unread_count(connection)?,
            usage: sync::budget::store::usage(connection)?,
            storage_near: sync::budget::store::near(connection)?,
            runs: {
                let mut runs = run::store::counts(connection)?;
                runs.push(("dead".to_owned(), queue::presence::dead(connection, job::RUN_JOBS)?));
                runs
            },
            held: run::store::held(connection, REASONS)?,
            paced: run::pace::store::list(connection)?,
            limited: queue::store::limited(connection)?,
            spent: tries::last_day(connection)?,
            leftovers: outside::store::counts(connection)?,
            events: event::store::counts(connection)?,
            received: receive::counts(connection)?,
            feed: feed::store::state(connection)?,
            sweep: feed::sweep::store::last(connection)?,
            other_hashes: sync::store::other_hashes(connection)?.0,
            made_anew: sync::store::made_anew(connection, 0)?,
            full_stores: sync::store::full_stores(connection)?,
        })
    }

    /// One row for each number, as `--json` prints them; first of all the verdict.
    pub fn rows(&self, about: &About, server: bool) -> Vec<Row> {
        let row = |name, label: &str, value| Row {
            name,
            label: label.to_owned(),
            value,
            reasons: None,
            roles: None,
            pause: None,
        };
        let Verdict { verdict, reasons } = Verdict::of(self, server);
        let judged = row("verdict", verdict.as_str(), verdict.code().into());
        let mut rows = vec![Row { reasons: Some(reasons), ..judged }];
        rows.push(row("server", &about.version, server.into()));
        rows.extend(self.servers.iter().map(|server| Row {
            roles: Some(server.roles.clone()),
            ..row("replica", &server.name, server.began_at)
        }));
        rows.push(row("database", &about.database.display().to_string(), 1));
        rows.extend(about.rules.iter().map(|rule| row("rule", rule, 1)));
        rows.extend(self.oldest.iter().map(|oldest| row("oldest_change", &oldest.why, oldest.since)));
        rows.push(row("inbox", "waiting", self.inbox));
        let mut add = |name, states: &[&str], counts: &[(String, i64)]| {
            rows.extend(states.iter().map(|state| row(name, state, of(counts, state))));
        };
        add("job", &JOB_STATES, &self.jobs);
        add("file", &FILE_STATES, &self.files);
        add("copy", &COPY_STATES, &self.copies);
        add("run", &RUN_STATES, &self.runs);
        rows.extend(self.paced.iter().map(|pace| row("paced", &pace.model, pace.until)));
        for spent in &self.spent {
            rows.push(row("tokens_day", &spent.rule, spent.input_tokens + spent.output_tokens));
            // In millionths of a US dollar.
            rows.push(row("cost_day", &spent.rule, spent.cost));
        }
        rows.push(row("file", "unread", self.unread));
        for (rule, held) in &self.usage.rules {
            let (inside, out) = (held.held(), held.all_out());
            for (name, value) in [
                ("files_in", inside.files),
                ("bytes_in", inside.bytes),
                ("files_out", out.files),
                ("bytes_out", out.bytes),
                ("files_kept_out", held.wanted.files),
            ] {
                rows.push(row(name, rule, value));
            }
        }
        // How full each budget is, in hundredths.
        let standings = about.storage.standings(&self.usage);
        rows.extend(standings.iter().map(|one| row("budget_used", &one.scope.whose(), one.percent())));
        rows.extend(self.storage_near.map(|since| row("storage_near", "project", since)));
        rows.push(row("leftover", "left", self.leftovers.0));
        rows.push(row("leftover", "unanswered", self.leftovers.1));
        rows.extend(self.events.iter().map(|(kind, value)| row("event", kind, *value)));
        for (name, label, value) in &self.received {
            // As they stand in `receive_count`, whose events are those the drain has seen.
            let (name, label) = match name.as_str() {
                "accepted" => ("delivery", "accepted"),
                "late" => ("delivery", "late"),
                "tested" => ("delivery", "test"),
                "rejected" => ("delivery_rejected", label.as_str()),
                "unavailable" => ("delivery_unavailable", label.as_str()),
                "matched" => ("signature", label.as_str()),
                "new" => ("event_told", "new"),
                "duplicate" => ("event_told", "duplicate"),
                "hung_up" => ("sender_hung_up", ""),
                "operator" => ("operator_request", label.as_str()),
                _ => ("other", label.as_str()),
            };
            rows.push(row(name, label, *value));
        }
        // The value of these, as of the oldest change, is when, in Unix milliseconds.
        rows.extend(self.feed.iter().map(|feed| row("feed", &feed.way, feed.since)));
        rows.extend(self.sweep.iter().map(|sweep| row("sweep", &sweep.outcome, sweep.ended_at)));
        if self.other_hashes > 0 {
            rows.push(row("other_hash", "files", self.other_hashes));
        }
        rows.extend(self.made_anew.iter().map(|(name, _, at)| row("store_made_anew", name, *at)));
        rows.extend(self.full_stores.iter().map(|full| row("store_full", &full.words(), full.since)));
        rows.extend(self.pauses.iter().map(|pause| Row {
            name: "pause",
            label: pause.target.clone(),
            value: 1,
            reasons: None,
            roles: None,
            pause: Some(pause.clone()),
        }));
        rows
    }
}

/// What came in first: a delivery that is no job yet, or the oldest job that is to make something searchable.
fn oldest(delivered: Option<i64>, job: Option<&Waiting>, pauses: &[PauseRow]) -> Option<Oldest> {
    let delivered =
        delivered.map(|since| Oldest { since, why: "a delivery waits to be turned into jobs".to_owned() });
    let job = job.map(|job| Oldest { since: job.created_at, why: why(job, pauses) });
    delivered.into_iter().chain(job).min_by_key(|oldest| oldest.since)
}

/// The number of `state`.
pub fn of(counts: &[(String, i64)], state: &str) -> i64 {
    counts.iter().find(|(name, _)| name == state).map_or(0, |(_, value)| *value)
}
