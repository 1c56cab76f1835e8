//! `docket sweep`: compares Fastio, our tables and OpenAI now, and repairs what differs or says what it would do.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::{Failure, Outcome};
use super::progress::Progress;
use super::shown::Shown;
use super::source::Source;
use super::text::{Paint, count};
use super::{Form, SettingsArgs, feed, output};
use crate::config::Config;
use crate::feed::sweep::store::Outcome as Swept;
use crate::feed::sweep::{Finding, Report, Scope, Tell};
use crate::operate::act::Action;
use crate::operate::api::Why;
use crate::operate::query::MOST;
use crate::operate::query::sweeps::{Sweep, SweepView, SweepWhole, Sweeps};

/// Findings in a JSON object. A person reads each as it is found; a program that needs more asks for one rule.
const MOST_IN_JSON: usize = 1_000;

/// Findings that a person is shown who did not ask for them.
pub(super) const MOST_SHOWN: usize = 50;

/// Between two looks at a sweep that a server makes.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Only the workspace and the vector store of this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Remove what is to be removed even when it is more than the limit allows; through a server `docket sweep approve` does that
    #[arg(long)]
    beyond_limit: bool,
    /// Print one JSON object at the end, with the first 1000 differences
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Have the server remove what a sweep stopped for, and no more than that sweep would have removed of each rule
    Approve(Decided),
    /// Leave what a sweep stopped for as it is, until a later one asks again
    Dismiss(Decided),
}

#[derive(Debug, Args)]
struct Decided {
    /// Which sweep, as the list of sweeps has its id; without it the newest that waits for a person
    #[arg(value_name = "SWEEP")]
    sweep: Option<String>,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    #[command(flatten)]
    form: Form,
}

pub async fn run(mut arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    match arguments.command.take() {
        Some(Command::Approve(decided)) => decide(settings, Action::ApproveSweep, decided).await,
        Some(Command::Dismiss(decided)) => decide(settings, Action::DismissSweep, decided).await,
        None if Source::is_server(settings)? => ask(arguments, settings).await,
        None => sweep(arguments, &settings.load()?).await,
    }
}

async fn decide(settings: &SettingsArgs, action: Action, decided: Decided) -> Result<Outcome, Failure> {
    let source = Source::open(settings).await?;
    let page = source.ask(&Sweeps { limit: Some(MOST), ..Sweeps::default() }).await?;
    let is_meant = |row: &&SweepView| match &decided.sweep {
        Some(sweep) => row.sweep == *sweep,
        None => row.waits,
    };
    let row = page.rows.iter().find(is_meant).filter(|row| row.waits).ok_or_else(|| {
        Failure::Failed("no such sweep waits for a person: there is nothing to decide".to_owned())
    })?;
    let why = Why { why: decided.why, name: None };
    if !source.can(action, &row.sweep, why).await? {
        return Err(Failure::Failed("somebody was faster: it waits for a person no more".to_owned()));
    }
    source.close().await;
    if decided.form.json {
        output::json(&[json!({"sweep": row.sweep, "decided": action.as_str()})])?;
    } else {
        output::line(match action {
            Action::ApproveSweep => "Approved: the server sweeps again, and removes that.",
            _ => "Dismissed: all stays as it is, until a later sweep asks again.",
        })?;
    }
    Ok(Outcome::Done)
}

/// Has a server sweep, and waits for what it finds.
async fn ask(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let Arguments { dry_run, rule, beyond_limit, json, .. } = arguments;
    if beyond_limit {
        let words = "--beyond-limit: a server goes past its limit only as far as was looked at: docket sweep, then docket sweep approve";
        return Err(Failure::Usage(words.to_owned()));
    }
    let source = Source::open(settings).await?;
    let before = source.ask(&Sweeps::default()).await?.rows;
    let action = if dry_run { Action::DrySweep } else { Action::Sweep };
    source.can(action, rule.as_deref().unwrap_or_default(), Why::default()).await?;
    output::complain("The server sweeps. Ctrl-C leaves it to that; the page of sweeps tells what it found.");
    let sweep = loop {
        let page = source.ask(&Sweeps::default()).await?;
        let pending = page
            .pending
            .iter()
            .find(|one| (&one.rule, one.dry_run, one.is_approved) == (&rule, dry_run, false));
        match pending {
            Some(pending) if pending.state == "dead" => {
                let words = "the sweep failed too often: docket jobs list --state dead says why";
                return Err(Failure::Failed(words.to_owned()));
            }
            Some(_) => tokio::time::sleep(PAUSE).await,
            None => {
                let is_new = |row: &SweepView| before.iter().all(|known| known.sweep != row.sweep);
                let found = page
                    .rows
                    .into_iter()
                    .find(|row| (&row.rule, row.dry_run) == (&rule, dry_run) && is_new(row));
                break found.map(|row| row.sweep);
            }
        }
    };
    let gone = || Failure::Failed("the server says nothing of the sweep any more".to_owned());
    let SweepWhole { sweep, differences } = source.ask(&Sweep { sweep: sweep.ok_or_else(gone)? }).await?;
    let report: Report = serde_json::from_value(sweep.report)
        .map_err(|_| Failure::Failed("what answered there is no Docket of this version".to_owned()))?;
    if !json {
        output::lines(differences.iter().map(line))?;
    }
    told(&report, json.then_some(differences))
}

async fn sweep(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let Arguments { dry_run, rule, beyond_limit, json, .. } = arguments;
    let database = super::open_or_make(config).await?;
    let feed = feed(config, &database)?;
    let mut progress = Progress::new("entries read", 0, None);
    let (mut kept, mut printed) = (Vec::new(), Ok(()));
    let mut found = 0_u64;
    let mut tell = |tell: Tell<'_>| match tell {
        Tell::Read(read) => progress.at(read, &count(found, "difference")),
        Tell::Found(finding) => {
            found += 1;
            if !json && printed.is_ok() {
                printed = output::line(line(finding));
            } else if json && kept.len() < MOST_IN_JSON {
                kept.push(finding.clone());
            }
        }
    };
    let scope = Scope { rule, dry_run, beyond_limit, ..Scope::default() };
    let report = feed.sweep(scope, &mut tell).await;
    progress.end();
    let report = report.map_err(super::feed_failure)?;
    database.close().await;
    printed?;
    told(&report, json.then_some(kept))
}

/// Prints what came of it: with its differences in JSON, else in words.
fn told(report: &Report, differences: Option<Vec<Finding>>) -> Result<Outcome, Failure> {
    match differences {
        Some(differences) => {
            let outcome = report.outcome().as_str();
            output::one(&json!({"report": report, "outcome": outcome, "differences": differences}))?;
        }
        None => output::lines(words(report, Paint::stdout()))?,
    }
    Ok(if report.outcome() == Swept::Done { Outcome::Done } else { Outcome::Bad })
}

/// The kinds of findings that have a plural.
const NOUNS: [&str; 5] = ["ghost", "duplicate", "orphan", "stray", "leftover"];

pub(super) fn line(finding: &Finding) -> String {
    let name = if finding.path.is_empty() { &finding.source_id } else { &finding.path };
    let object = finding.file_id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
    format!("{:<10} {name}{object}: {}", finding.kind.as_str(), finding.why)
}

pub(super) fn words(report: &Report, paint: Paint) -> Vec<Shown> {
    let compared = format!(
        "{} in Fastio, {} in vector stores and {} compared.",
        count(report.files_listed, "file"),
        count(report.held_listed, "entry"),
        count(report.objects_listed, "File object"),
    );
    let found: Vec<String> =
        report
            .found
            .iter()
            .filter(|(_, number)| **number > 0)
            .map(|(kind, number)| {
                if NOUNS.contains(&kind.as_str()) { count(*number, kind) } else { format!("{number} {kind}") }
            })
            .collect();
    let verb = if report.dry_run { "would be asked for" } else { "asked for" };
    let mut lines: Vec<Shown> = vec![compared.into()];
    // What a stopped sweep leaves differs, although it is not asked for.
    if !found.is_empty() {
        lines.push(format!("{}; {} {verb}.", found.join(", "), count(report.queued, "job")).into());
    } else if report.stopped.is_empty() {
        lines.push(paint.good("Nothing differs."));
    }
    let mut note = |number: u64, words: &str| {
        if number > 0 {
            lines.push(format!("{number} {words}").into());
        }
    };
    note(report.in_hand, "more are in hand already.");
    note(report.dead, "have a dead job, which needs a person: docket jobs list --state dead.");
    note(report.strangers, "entries of the vector stores cannot be proved to be ours, and are left alone.");
    note(report.unreadable, "entries of the lists cannot be read; what they stand for is left as it is.");
    note(report.unanswered, "conversations may be at OpenAI, empty; it has no list of them, so they stay.");
    note(
        report.ambiguous,
        "File objects may be lost uploads of ours; which ones cannot be known, so all stay.",
    );
    lines.extend(super::spared(&report.spared).into_iter().map(Shown::from));
    for stopped in &report.stopped {
        let words = format!(
            "Stopped: rule {} would lose {} of {} files, more than its limit. If that is right: docket sweep approve has the server \
             do it, docket sweep --beyond-limit does it now.",
            stopped.rule, stopped.would_lose, stopped.of
        );
        lines.push(paint.bad(words));
    }
    for gap in &report.incomplete {
        let words =
            format!("Not listed to the end, so nothing was removed for it: {} ({}).", gap.what, gap.error);
        lines.push(paint.bad(words));
    }
    lines
}
