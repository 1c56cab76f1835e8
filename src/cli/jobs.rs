//! `docket jobs`: the work that is left. A person retries or discards what the queue has given up.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::failure::{Failure, Outcome};
use super::fields::Fields;
use super::table::{Column, Cut, Mood, Table, mood, plain, state};
use super::text::{Paint, count, when};
use super::{Form, ListArguments, RowArguments, open, output};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{self, Connection, Database};
use crate::fastio::FileKey;
use crate::job::Task;
use crate::queue::store::{self, JobRow, Page, PauseRow, Place};
use crate::queue::waiting::paused;
use crate::sync;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the jobs: the dead first, then by when they are due
    List {
        /// Only those in this state
        #[arg(long, value_enum)]
        state: Option<State>,
        /// Go on behind this job, in the order of the list
        #[arg(long, value_name = "ID")]
        after: Option<i64>,
        #[command(flatten)]
        list: ListArguments,
    },
    /// Show one job with its whole reason
    Show(RowArguments),
    /// Make dead or waiting jobs due now, with all their attempts
    Retry(Which),
    /// Forget jobs that no worker has in hand; the file is looked at again with its next event
    Discard(Which),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Waiting,
    Running,
    Dead,
}

#[derive(Debug, Args)]
struct Which {
    /// Their numbers, as `docket jobs list` shows them
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<i64>,
    /// Every dead job
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    form: Form,
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let database = open(config).await?;
    let outcome = match arguments.command {
        Command::List { state, after, list } => self::list(&database, (state, after), &list).await,
        Command::Show(one) => show(&database, &one).await,
        Command::Retry(which) => change(&database, &which, Change::Retry).await,
        Command::Discard(which) => change(&database, &which, Change::Discard).await,
    };
    database.close().await;
    outcome
}

/// A job and the file or folder it is about.
#[derive(Debug)]
struct Row {
    job: JobRow,
    /// The task as JSON: the job holds it as text.
    task: Value,
    source_id: Option<String>,
    /// Where the file or folder was when a job last looked.
    path: Option<String>,
    /// The paused target that holds it, and why.
    held_by: Option<(String, String)>,
}

impl Row {
    fn json(&self) -> Value {
        let mut row = serde_json::to_value(&self.job).expect("a row is numbers and texts");
        row["task"] = self.task.clone();
        row["source_id"] = self.source_id.clone().into();
        row["path"] = self.path.clone().into();
        row["held_by"] = self.held_by.as_ref().map(|(target, _)| target.clone()).into();
        row
    }

    /// Why it is not done yet.
    fn reason(&self) -> String {
        let reason = self.job.reason.clone().unwrap_or_default();
        match &self.held_by {
            Some((_, paused)) => format!("held: {paused}"),
            None => reason,
        }
    }

    fn due(&self, now: i64) -> String {
        // What was due earlier waits for a worker, or for its target to answer again.
        if self.job.state == "waiting" { when(self.job.due_at.max(now), now) } else { "–".to_owned() }
    }
}

/// Jobs that are read and printed at a time.
const PAGE: u32 = 500;

async fn list(
    database: &Database,
    (state, after): (Option<State>, Option<i64>),
    list: &ListArguments,
) -> Result<Outcome, Failure> {
    let word = state.and_then(|state| state.to_possible_value()).map(|value| value.get_name().to_owned());
    let mut page = Page { state: word.clone(), after: place(database, after).await?, most: 0 };
    let (mut shown, mut last) = (0, None);
    let mut json = list.form.json.then(output::Rows::default);
    while shown < list.limit {
        page.most = PAGE.min(list.limit - shown);
        let rows = read(database, page.clone()).await?;
        let Some(end) = rows.last() else { break };
        (page.after, last) = (Some(end.job.place()), Some(end.job.job_id));
        match &mut json {
            Some(json) => rows.iter().try_for_each(|row| json.push(&row.json()))?,
            None => {
                let lines = table(&rows, Clock::default().now()).render(Paint::stdout());
                // One heading.
                output::lines(lines.into_iter().skip(usize::from(shown > 0)))?;
            }
        }
        shown += u32::try_from(rows.len()).unwrap_or(u32::MAX);
    }
    match json {
        Some(json) => json.end()?,
        None if shown == 0 => {
            let which = word.as_ref().map(|word| format!("{word} ")).unwrap_or_default();
            output::line(format!(
                "No {which}job: nothing is left to do{}.",
                if which.is_empty() { "" } else { " there" }
            ))?;
        }
        None => {}
    }
    page.most = 1;
    let more = move |connection: &mut Connection| {
        Ok((!store::page(connection, &page)?.is_empty(), store::counts(connection)?))
    };
    if let (Some(last), (true, counts)) = (last, database.read(more).await?) {
        let asked = counts.iter().filter(|(state, _)| word.as_ref().is_none_or(|word| word == state));
        let all: i64 = asked.map(|(_, jobs)| jobs).sum();
        output::complain(match after {
            None => format!(
                "{shown} of {all} jobs shown; --limit {all} shows all of them, --after {last} goes on."
            ),
            Some(_) => format!("{shown} jobs shown, and there are more; --after {last} goes on."),
        });
    }
    Ok(Outcome::Done)
}

/// Where the job of this number stands.
async fn place(database: &Database, id: Option<i64>) -> Result<Option<Place>, Failure> {
    let Some(id) = id else { return Ok(None) };
    let job = database.read(move |connection| store::get(connection, id)).await?;
    job.map(|job| Some(job.place())).ok_or_else(|| no_job(id))
}

fn no_job(id: i64) -> Failure {
    Failure::Failed(format!(
        "there is no job {id}: it is done, or was discarded; `docket jobs list` shows what is left"
    ))
}

async fn show(database: &Database, one: &RowArguments) -> Result<Outcome, Failure> {
    let id = one.id;
    let read = move |connection: &mut Connection| {
        let pauses = store::pauses(connection)?;
        store::get(connection, id)?.map(|job| row(connection, job, &pauses)).transpose()
    };
    let Some(row) = database.read(read).await? else { return Err(no_job(id)) };
    if one.form.json {
        output::json(&[row.json()])?;
        return Ok(Outcome::Done);
    }
    let (now, paint, job) = (Clock::default().now(), Paint::stdout(), &row.job);
    let mut fields = Fields::new("attempts".len(), paint);
    fields.title(format!("Job {}", job.job_id));
    fields.line("state", paint.mood(mood(&job.state), &job.state));
    fields.words("about", Mood::Plain, row.path.as_deref().unwrap_or(&job.key));
    let reason = row.reason();
    fields.words(
        "reason",
        Mood::Plain,
        if reason.is_empty() { "none: it waits for its turn" } else { &reason },
    );
    fields.line("due", row.due(now));
    fields.line("attempts", job.attempt.to_string());
    fields.line("asked for", when(job.created_at, now));
    fields.line("changed", when(job.updated_at, now));
    fields.line("needs", job.needs.trim());
    fields.line("key", &job.key);
    if let Some(id) = &job.request_id {
        fields.line("request", id);
    }
    if job.state == "dead" {
        fields.line("then", format!("remove the cause, then: docket jobs retry {}", job.job_id));
    }
    output::lines(fields.into_lines())?;
    Ok(Outcome::Done)
}

async fn read(database: &Database, page: Page) -> Result<Vec<Row>, database::Error> {
    let read = move |connection: &mut Connection| {
        let pauses = store::pauses(connection)?;
        let jobs = store::page(connection, &page)?;
        jobs.into_iter().map(|job| row(connection, job, &pauses)).collect()
    };
    database.read(read).await
}

fn row(connection: &mut Connection, job: JobRow, pauses: &[PauseRow]) -> Result<Row, database::Error> {
    let task: Value = serde_json::from_str(&job.task).unwrap_or_default();
    let (source_id, path) = match serde_json::from_value(task.clone()) {
        Ok(
            Task::File { profile, node }
            | Task::Reading { profile, node }
            | Task::Run { profile, node, .. }
            | Task::Erase { profile, node },
        ) => {
            let source_id = FileKey::new(profile, node).to_string();
            let path = sync::store::path(connection, &source_id)?;
            (Some(source_id), path)
        }
        Ok(
            Task::Folder { profile, node } | Task::Under { profile, node } | Task::Listing { profile, node },
        ) => {
            let path = sync::store::folder_path(connection, &profile, &node)?;
            (Some(FileKey::new(profile, node).to_string()), path)
        }
        Ok(Task::Relist { profile }) => (profile.map(|profile| profile.to_string()), None),
        Ok(
            Task::Response { .. }
            | Task::Digest { .. }
            | Task::Leftover { .. }
            | Task::Stray { .. }
            | Task::Bulk { .. }
            | Task::Attach { .. }
            | Task::Object { .. },
        )
        | Err(_) => (None, None),
    };
    let held_by = job.waiting().held_by(pauses).map(|pause| (pause.target.clone(), paused(pause)));
    Ok(Row { job, task, source_id, path, held_by })
}

fn table(rows: &[Row], now: i64) -> Table {
    let mut table = Table::new(&[
        Column::new("job", Cut::Nowhere).right(),
        Column::new("state", Cut::Nowhere),
        Column::new("tries", Cut::Nowhere).right(),
        Column::new("due", Cut::Nowhere),
        Column::new("about", Cut::Start).widest(40),
        Column::new("reason", Cut::Below),
    ]);
    for row in rows {
        let Row { job, path, .. } = row;
        table.row([
            plain(job.job_id.to_string()),
            state(&job.state),
            plain(job.attempt.to_string()),
            plain(row.due(now)),
            plain(path.as_deref().unwrap_or(&job.key)),
            plain(row.reason()),
        ]);
    }
    table
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Retry,
    Discard,
}

#[derive(Debug, Serialize)]
struct Changed {
    /// None for `--all`.
    job_id: Option<i64>,
    changed: u64,
}

/// Dead jobs that are changed in one transaction: the server's own work waits for it.
const BITE: u32 = 500;

async fn change(database: &Database, which: &Which, change: Change) -> Result<Outcome, Failure> {
    let changed = match which.all {
        true => vec![Changed { job_id: None, changed: change_dead(database, change).await? }],
        false => change_each(database, which.ids.clone(), change).await?,
    };
    let missing: Vec<String> = changed
        .iter()
        .filter(|one| one.changed == 0)
        .filter_map(|one| one.job_id)
        .map(|id| id.to_string())
        .collect();
    if which.form.json {
        output::json(&changed)?;
    } else {
        let total = count(changed.iter().map(|one| one.changed).sum(), "job");
        output::line(match change {
            Change::Retry => format!("{total} made due now."),
            Change::Discard => format!("{total} discarded."),
        })?;
    }
    if missing.is_empty() {
        return Ok(Outcome::Done);
    }
    Err(Failure::Failed(format!(
        "no dead or waiting job has the number {}; `docket jobs list` shows those there are",
        missing.join(", ")
    )))
}

async fn change_each(
    database: &Database,
    ids: Vec<i64>,
    change: Change,
) -> Result<Vec<Changed>, database::Error> {
    let now = Clock::default().now();
    let write = move |tx: &mut Connection| {
        let each = ids.iter().map(|&id| {
            let changed = match change {
                Change::Retry => store::retry(tx, id, now)?,
                Change::Discard => store::discard(tx, id)?,
            };
            Ok(Changed { job_id: Some(id), changed })
        });
        each.collect::<Result<Vec<_>, database::Error>>()
    };
    database.write(write).await
}

/// Changes as many as are dead now, so that it ends even if they die again meanwhile.
async fn change_dead(database: &Database, change: Change) -> Result<u64, database::Error> {
    let counts = database.read(store::counts).await?;
    let dead: i64 = counts.iter().filter(|(state, _)| state == "dead").map(|(_, jobs)| jobs).sum();
    let (mut left, mut all) = (dead.unsigned_abs(), 0);
    while left > 0 {
        let (most, now) = (BITE.min(u32::try_from(left).unwrap_or(BITE)), Clock::default().now());
        let changed = database.write(move |tx| match change {
            Change::Retry => store::retry_dead(tx, most, now),
            Change::Discard => store::discard_dead(tx, most),
        });
        let changed = changed.await?;
        if changed == 0 {
            break;
        }
        (left, all) = (left.saturating_sub(changed), all + changed);
    }
    Ok(all)
}
