//! `docket runs`: what was run over which file and what became of it. A person stops a run, or has a rule's runs made again.

mod again;
mod judge;

use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::{Failure, Outcome};
use super::source::Source;
use super::table::{Column, Cut, Table, plain, state};
use super::text::{Paint, dollars, head, when};
use super::{ListArguments, RangeArguments, RowArguments, SettingsArgs, open, output};
use crate::clock::Clock;
use crate::operate::act::Action;
use crate::operate::api::Why;
use crate::operate::query::runs::{DEAD, Run, RunView, RunWhole, Runs};
use crate::operate::status::RUN_STATES;
use crate::result::judgement::Said;
use crate::run;
use crate::run::store::RunRow;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the runs, those that changed last first
    List {
        /// Only those of this rule
        #[arg(long, value_name = "NAME")]
        rule: Option<String>,
        /// Only those that stand so, such as needs_review: the last one over each file
        #[arg(long, value_name = "STATE", value_parser = clap::builder::PossibleValuesParser::new(RUN_STATES.into_iter().filter(|state| *state != DEAD)))]
        state: Option<String>,
        /// Go on behind this run, in the order of the list
        #[arg(long, value_name = "ID")]
        after: Option<i64>,
        #[command(flatten)]
        range: RangeArguments,
        #[command(flatten)]
        list: ListArguments,
    },
    /// Show one run with its result
    Show(RowArguments),
    /// Run a rule over its files that have no result under its present definition, or over one file: say what that takes, or
    /// do it
    Again(again::Arguments),
    /// Stop a run that goes on
    Cancel(RowArguments),
    /// Say that a run's answer may be relied on; this stands at the top of the result and in the rule's table
    Accept(judge::Arguments),
    /// Say that it may not
    Reject(judge::Arguments),
    /// Take back what was said of a run's answer
    Withdraw(RowArguments),
}

pub async fn run(arguments: Arguments, settings: &SettingsArgs) -> Result<Outcome, Failure> {
    let command = match arguments.command {
        Command::Again(arguments) if Source::is_server(settings)? => {
            return again::ask(&Source::open(settings).await?, &arguments).await;
        }
        Command::Again(arguments) => {
            let config = settings.load()?;
            let database = open(&config).await?;
            let outcome = again::run(&database, &config, &arguments).await;
            database.close().await;
            return outcome;
        }
        command => command,
    };
    let source = Source::open(settings).await?;
    let outcome = match command {
        Command::List { rule, state, after, range: RangeArguments { since, until }, list } => {
            let question = Runs { rule, state, behind: after, since, until, ..Runs::default() };
            self::list(&source, question, &list).await
        }
        Command::Show(one) => show(&source, &one).await,
        Command::Cancel(one) => cancel(&source, &one).await,
        Command::Accept(arguments) => judge::judge(&source, Said::Accepted, arguments).await,
        Command::Reject(arguments) => judge::judge(&source, Said::Rejected, arguments).await,
        Command::Withdraw(one) => judge::withdraw(&source, &one).await,
        Command::Again(_) => unreachable!("it was carried out above"),
    };
    source.close().await;
    outcome
}

async fn list(source: &Source, question: Runs, list: &ListArguments) -> Result<Outcome, Failure> {
    let is_all = question.state.is_none() && question.since.is_none() && question.until.is_none();
    let (rows, more, _) = source.list(question, list.limit).await?;
    if list.form.json {
        output::json(&rows)?;
    } else if rows.is_empty() && !is_all {
        output::line("No such run.")?;
    } else if rows.is_empty() {
        output::line("No run yet. One begins when a file of a rule with [rule.run] is indexed.")?;
    } else {
        output::lines(table(&rows, Clock::default().now()).render(Paint::stdout()))?;
    }
    let last = rows.last().filter(|_| more);
    last.map(|row| list.more("runs", row.run.run_id)).into_iter().for_each(output::complain);
    Ok(Outcome::Done)
}

fn table(rows: &[RunView], now: i64) -> Table {
    let mut table = Table::new(&[
        Column::new("run", Cut::Nowhere).right(),
        Column::new("rule", Cut::End).widest(16),
        Column::new("path", Cut::Start).widest(40),
        Column::new("state", Cut::Nowhere),
        Column::new("tokens", Cut::Nowhere).right(),
        Column::new("changed", Cut::Nowhere),
        Column::new("reason", Cut::Below),
    ]);
    for RunView { run: row, word } in rows {
        let tokens = row.input_tokens.map(|input| (input + row.output_tokens.unwrap_or(0)).to_string());
        let tokens = tokens.map(|tokens| match row.cost {
            Some(cost) => format!("{tokens} ({})", dollars(cost.unsigned_abs())),
            None => tokens,
        });
        let since = row.ended_at.or(row.answered_at).or(row.begun_at).unwrap_or(row.created_at);
        let dead = word == DEAD;
        let reason = match (dead, row.reason.as_deref()) {
            (true, _) => "its job is dead: docket jobs list --state dead".to_owned(),
            (false, reason) => {
                let judged = row.judgement().map(|judgement| judgement.sentence());
                judged.iter().map(String::as_str).chain(reason).collect::<Vec<_>>().join("; ")
            }
        };
        let held = row.held_until.filter(|_| !dead).map(|until| format!(" ({})", when(until.max(now), now)));
        table.row([
            plain(row.run_id.to_string()),
            plain(&row.rule),
            plain(&row.path),
            state(word),
            plain(tokens.as_deref().unwrap_or("–")),
            plain(when(since, now)),
            plain(reason + &held.unwrap_or_default()),
        ]);
    }
    table
}

async fn show(source: &Source, one: &RowArguments) -> Result<Outcome, Failure> {
    let whole = source.ask(&Run { id: one.id }).await?;
    if one.form.json {
        output::json(&[whole])?;
        return Ok(Outcome::Done);
    }
    let RunWhole { run: row, result, actions, .. } = whole;
    let now = Clock::default().now();
    let at = |at: Option<i64>| at.map_or_else(|| "–".to_owned(), |at| when(at, now));
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
    let lines = [
        ("run", row.run_id.to_string()),
        ("rule", row.rule.clone()),
        ("file", row.path.clone()),
        ("version", or_none(&row.version)),
        ("state", row.word().to_owned()),
        ("reason", or_none(&row.reason)),
        ("verdict", row.judgement().map_or_else(|| "–".to_owned(), |judgement| judgement.sentence())),
        ("engine", row.engine.clone()),
        ("model", or_none(&row.model)),
        ("definition", row.definition.clone()),
        ("conversation", or_none(&row.conversation)),
        ("response", or_none(&row.response)),
        ("tries", row.tries.to_string()),
        ("tokens", tokens(&row)),
        ("cost", row.cost.map_or_else(|| "–".to_owned(), |cost| dollars(cost.unsigned_abs()))),
        ("begun", at(row.begun_at)),
        ("answered", at(row.answered_at)),
        ("ended", at(row.ended_at)),
    ];
    for (name, value) in lines {
        output::line(format!("{name:<13} {value}"))?;
    }
    for action in &actions {
        output::line(format!("{:<13} {}", "action", action.words()))?;
    }
    if !result.is_null() {
        for check in run::doubtful(&result) {
            let word = if check.proof.is_verified() { "PARTIAL" } else { "UNVERIFIED" };
            output::line(format!(
                "{word:<13} {}: {}",
                check.pointer,
                check.proof.words(|words| head(words, QUOTE_SHOWN))
            ))?;
            output::line(format!("              “{}”", head(&check.quote, QUOTE_SHOWN)))?;
        }
        output::line("")?;
        // Indented, so that no line of an answer looks like one of ours.
        output::lines(run::said(&result).lines().map(|line| format!("  {line}")))?;
    }
    Ok(Outcome::Done)
}

/// What all tries took together.
fn tokens(row: &RunRow) -> String {
    match (row.input_tokens, row.output_tokens) {
        (None, None) => "–".to_owned(),
        (read, written) => format!("{} read, {} written", read.unwrap_or(0), written.unwrap_or(0)),
    }
}

/// Characters of a quote that are shown beside why it is not proven; the result below has it whole.
const QUOTE_SHOWN: usize = 200;

async fn cancel(source: &Source, one: &RowArguments) -> Result<Outcome, Failure> {
    source.ask(&Run { id: one.id }).await?;
    if !source.can(Action::CancelRun, &one.id.to_string(), Why::default()).await? {
        return Err(Failure::Failed(format!("run {} has ended; there is nothing to stop", one.id)));
    }
    if one.form.json {
        output::json(&[json!({"run_id": one.id, "cancelled": true})])?;
    } else {
        output::line(format!("Run {} is told to stop; the server does so with its next look.", one.id))?;
    }
    Ok(Outcome::Done)
}
