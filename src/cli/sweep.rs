//! `docket sweep`: compares Fastio, our tables and OpenAI now, and repairs what differs or says what it would do.

use clap::Args;
use serde_json::json;

use super::failure::{Failure, Outcome};
use super::progress::Progress;
use super::shown::Shown;
use super::text::{Paint, count};
use super::{feed, output};
use crate::config::Config;
use crate::feed::store::Outcome as Swept;
use crate::feed::sweep::{Finding, Report, Scope, Tell};

/// Findings in a JSON object. A person reads each as it is found; a program that needs more asks for one rule.
const MOST_IN_JSON: usize = 1_000;

/// Findings that a person is shown who did not ask for them.
pub(super) const MOST_SHOWN: usize = 50;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Only the workspace and the vector store of this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Remove what is to be removed even when it is more than the limit allows
    #[arg(long)]
    beyond_limit: bool,
    /// Print one JSON object at the end, with the first 1000 differences
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let Arguments { dry_run, rule, beyond_limit, json } = arguments;
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
    if json {
        output::one(&json!({"report": report, "outcome": report.outcome().as_str(), "differences": kept}))?;
    } else {
        output::lines(words(&report, Paint::stdout()))?;
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
            "Stopped: rule {} would lose {} of {} files, more than its limit. If that is right: docket sweep --beyond-limit.",
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
