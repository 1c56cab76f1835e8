//! `docket jobs`: the work that is left. A person retries or discards what the queue has given up.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::failure::{Failure, Outcome};
use super::fields::Fields;
use super::source::Source;
use super::table::{Column, Cut, Mood, Table, mood, plain, state};
use super::text::{Paint, count, when};
use super::{Form, ListArguments, RangeArguments, RowArguments, SettingsArgs, output};
use crate::clock::Clock;
use crate::operate::act::Action;
use crate::operate::api::{BulkOrder, Why};
use crate::operate::meant::Filter;
use crate::operate::query::jobs::{Job, JobView, Jobs};
use crate::operate::query::{Listed, MOST};

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
        /// Only the dead that died of this: the reason of one of them, whose numbers and names may be others
        #[arg(long, value_name = "TEXT")]
        cause: Option<String>,
        /// Go on behind this job, in the order of the list
        #[arg(long, value_name = "ID")]
        after: Option<i64>,
        #[command(flatten)]
        range: RangeArguments,
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
    #[arg(value_name = "ID", required_unless_present_any = ["all", "cause"], conflicts_with_all = ["all", "cause"])]
    ids: Vec<i64>,
    /// Every dead job
    #[arg(long, conflicts_with = "cause")]
    all: bool,
    /// Every dead job that died of this: the reason of one of them, whose numbers and names may be others
    #[arg(long, value_name = "TEXT")]
    cause: Option<String>,
    #[command(flatten)]
    form: Form,
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let source = Source::open(settings).await?;
    let outcome = match arguments.command {
        Command::List { state, cause, after, range: RangeArguments { since, until }, list } => {
            let state =
                state.and_then(|state| state.to_possible_value()).map(|value| value.get_name().to_owned());
            let question = Jobs { state, cause, behind: after, since, until, ..Jobs::default() };
            self::list(&source, question, &list).await
        }
        Command::Show(one) => show(&source, &one).await,
        Command::Retry(which) => change(&source, &which, Action::RetryJob).await,
        Command::Discard(which) => change(&source, &which, Action::DiscardJob).await,
    };
    source.close().await;
    outcome
}

/// Why it is not done yet.
fn reason(job: &JobView) -> String {
    match &job.held_because {
        Some(because) => format!("held: {because}"),
        None => job.reason.clone().unwrap_or_default(),
    }
}

fn due(job: &JobView, now: i64) -> String {
    // What was due earlier waits for a worker, or for its target to answer again.
    if job.state == "waiting" { when(job.due_at.max(now), now) } else { "–".to_owned() }
}

async fn list(source: &Source, mut question: Jobs, list: &ListArguments) -> Result<Outcome, Failure> {
    let (word, is_part) = (question.state.clone(), question.behind.is_some());
    let is_ranged = question.since.is_some() || question.until.is_some();
    let is_of_cause = question.cause.is_some();
    let (mut shown, mut last, mut after) = (0, None, None);
    let mut json = list.form.json.then(output::Rows::default);
    let page = loop {
        question.go_on(after, MOST.min(list.limit - shown));
        let page = source.ask(&question).await?;
        last = page.rows.last().map(|job| job.job_id).or(last);
        match &mut json {
            Some(json) => page.rows.iter().try_for_each(|row| json.push(row))?,
            None if page.rows.is_empty() => {}
            None => {
                let lines = table(&page.rows, Clock::default().now()).render(Paint::stdout());
                // One heading.
                output::lines(lines.into_iter().skip(usize::from(shown > 0)))?;
            }
        }
        shown += u32::try_from(page.rows.len()).unwrap_or(u32::MAX);
        if page.next.is_none() || shown >= list.limit {
            break page;
        }
        after = page.next;
    };
    match json {
        Some(json) => json.end()?,
        None if shown == 0 && is_of_cause => output::line("No such job died of that.")?,
        None if shown == 0 && is_ranged => output::line("No such job is, or was, due in this time.")?,
        None if shown == 0 => {
            let which = word.as_ref().map(|word| format!("{word} ")).unwrap_or_default();
            output::line(format!(
                "No {which}job: nothing is left to do{}.",
                if which.is_empty() { "" } else { " there" }
            ))?;
        }
        None => {}
    }
    if let (Some(last), Some(_)) = (last, &page.next) {
        let asked = page.counts.iter().filter(|(state, _)| word.as_ref().is_none_or(|word| word == state));
        let all: i64 = asked.map(|(_, jobs)| jobs).sum();
        output::complain(match is_part || is_ranged || is_of_cause {
            false => format!(
                "{shown} of {all} jobs shown; --limit {all} shows all of them, --after {last} goes on."
            ),
            true => format!("{shown} jobs shown, and there are more; --after {last} goes on."),
        });
    }
    Ok(Outcome::Done)
}

async fn show(source: &Source, one: &RowArguments) -> Result<Outcome, Failure> {
    let job = source.ask(&Job { id: one.id }).await?;
    if one.form.json {
        output::json(&[job])?;
        return Ok(Outcome::Done);
    }
    let (now, paint) = (Clock::default().now(), Paint::stdout());
    let mut fields = Fields::new("attempts".len(), paint);
    fields.title(format!("Job {}", job.job_id));
    fields.line("state", paint.mood(mood(&job.state), &job.state));
    fields.words("about", Mood::Plain, job.path.as_deref().unwrap_or(&job.key));
    let reason = reason(&job);
    fields.words(
        "reason",
        Mood::Plain,
        if reason.is_empty() { "none: it waits for its turn" } else { &reason },
    );
    fields.line("due", due(&job, now));
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
        fields.words(
            "or",
            Mood::Plain,
            "docket jobs retry --cause with this reason, for all that died of the same",
        );
    }
    output::lines(fields.into_lines())?;
    Ok(Outcome::Done)
}

fn table(rows: &[JobView], now: i64) -> Table {
    let mut table = Table::new(&[
        Column::new("job", Cut::Nowhere).right(),
        Column::new("state", Cut::Nowhere),
        Column::new("tries", Cut::Nowhere).right(),
        Column::new("due", Cut::Nowhere),
        Column::new("about", Cut::Start).widest(40),
        Column::new("reason", Cut::Below),
    ]);
    for job in rows {
        table.row([
            plain(job.job_id.to_string()),
            state(&job.state),
            plain(job.attempt.to_string()),
            plain(due(job, now)),
            plain(job.path.as_deref().unwrap_or(&job.key)),
            plain(reason(job)),
        ]);
    }
    table
}

#[derive(Debug, Serialize)]
struct Changed {
    /// None for `--all` and `--cause`.
    job_id: Option<i64>,
    changed: u64,
}

async fn change(source: &Source, which: &Which, action: Action) -> Result<Outcome, Failure> {
    let mut changed = Vec::new();
    if which.all {
        changed.push(Changed { job_id: None, changed: source.all_dead(action).await? });
    }
    if let Some(cause) = &which.cause {
        let filter = Filter { cause: Some(cause.clone()), ..Filter::default() };
        let order = BulkOrder::to_all(action, filter);
        changed.push(Changed { job_id: None, changed: source.many(order).await? });
    }
    for id in &which.ids {
        let is_changed = source.can(action, &id.to_string(), Why::default()).await?;
        changed.push(Changed { job_id: Some(*id), changed: is_changed.into() });
    }
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
        output::line(match action {
            Action::DiscardJob => format!("{total} discarded."),
            _ => format!("{total} made due now."),
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
