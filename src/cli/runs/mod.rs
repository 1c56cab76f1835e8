//! `docket runs`: what was run over which file and what became of it. A person stops a run, or has a rule's runs made again.

mod again;
mod judge;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::failure::{Failure, Outcome};
use super::table::{Column, Cut, Table, plain, state};
use super::text::{Paint, dollars, head, when};
use super::{ListArguments, RowArguments, open, output};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{Connection, Database};
use crate::queue::presence;
use crate::result::judgement::Said;
use crate::run::store::{self, RunRow};
use crate::run::{self, RunId};

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
        /// Go on behind this run, in the order of the list
        #[arg(long, value_name = "ID")]
        after: Option<i64>,
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

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let database = open(config).await?;
    let outcome = match arguments.command {
        Command::List { rule, after, list } => self::list(&database, (rule, after), &list).await,
        Command::Show(one) => show(&database, &one).await,
        Command::Again(arguments) => again::run(&database, config, &arguments).await,
        Command::Cancel(one) => cancel(&database, &one).await,
        Command::Accept(arguments) => judge::judge(&database, Said::Accepted, arguments).await,
        Command::Reject(arguments) => judge::judge(&database, Said::Rejected, arguments).await,
        Command::Withdraw(one) => judge::withdraw(&database, &one).await,
    };
    database.close().await;
    outcome
}

async fn list(
    database: &Database,
    (rule, after): (Option<String>, Option<i64>),
    list: &ListArguments,
) -> Result<Outcome, Failure> {
    let after = match after {
        Some(id) => {
            let row = database.read(move |connection| store::row(connection, RunId(id))).await?;
            Some(row.ok_or_else(|| no_run(id))?.place())
        }
        None => None,
    };
    let most = list.read();
    let read = move |connection: &mut Connection| {
        let rows = store::page(connection, rule.as_deref(), after, most)?;
        let keys: Vec<String> = rows.iter().filter_map(RunRow::job).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let jobs = presence::states(connection, &keys)?;
        Ok((rows, jobs))
    };
    let (mut rows, jobs) = database.read(read).await?;
    let more = list.keep(&mut rows, "runs", |row| row.run_id.to_string());
    let is_dead = |row: &RunRow| {
        let job = row.job().and_then(|key| jobs.get(&key));
        row.state != "ended" && job.is_some_and(|state| state == "dead")
    };
    if list.form.json {
        let shown = |row: &RunRow| {
            let mut shown = serde_json::to_value(row).expect("a row is numbers and texts");
            shown["word"] = (if is_dead(row) { DEAD } else { row.word() }).into();
            shown
        };
        output::json(&rows.iter().map(shown).collect::<Vec<_>>())?;
    } else if rows.is_empty() {
        output::line("No run yet. One begins when a file of a rule with [rule.run] is indexed.")?;
    } else {
        output::lines(table(&rows, is_dead, Clock::default().now()).render(Paint::stdout()))?;
    }
    more.into_iter().for_each(output::complain);
    Ok(Outcome::Done)
}

/// How a run stands whose job the queue has given up.
const DEAD: &str = "dead";

fn table(rows: &[RunRow], is_dead: impl Fn(&RunRow) -> bool, now: i64) -> Table {
    let mut table = Table::new(&[
        Column::new("run", Cut::Nowhere).right(),
        Column::new("rule", Cut::End).widest(16),
        Column::new("path", Cut::Start).widest(40),
        Column::new("state", Cut::Nowhere),
        Column::new("tokens", Cut::Nowhere).right(),
        Column::new("changed", Cut::Nowhere),
        Column::new("reason", Cut::Below),
    ]);
    for row in rows {
        let tokens = row.input_tokens.map(|input| (input + row.output_tokens.unwrap_or(0)).to_string());
        let tokens = tokens.map(|tokens| match row.cost {
            Some(cost) => format!("{tokens} ({})", dollars(cost.unsigned_abs())),
            None => tokens,
        });
        let since = row.ended_at.or(row.answered_at).or(row.begun_at).unwrap_or(row.created_at);
        let dead = is_dead(row);
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
            state(if dead { DEAD } else { row.word() }),
            plain(tokens.as_deref().unwrap_or("–")),
            plain(when(since, now)),
            plain(reason + &held.unwrap_or_default()),
        ]);
    }
    table
}

async fn show(database: &Database, one: &RowArguments) -> Result<Outcome, Failure> {
    let id = RunId(one.id);
    let read = move |connection: &mut Connection| {
        let result = store::get(connection, id)?.and_then(|run| run.result);
        Ok(store::row(connection, id)?.map(|row| (row, result)))
    };
    let Some((row, result)) = database.read(read).await? else { return Err(no_run(one.id)) };
    if one.form.json {
        let mut shown = serde_json::to_value(&row).expect("a row is numbers and texts");
        shown["result"] = result.unwrap_or_default();
        output::json(&[shown])?;
        return Ok(Outcome::Done);
    }
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
    if let Some(result) = result {
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
        output::lines(answer(&result).lines().map(|line| format!("  {line}")))?;
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

/// What a person wants to see of a result: the data where there is some, else the text.
fn answer(result: &Value) -> String {
    match (&result["data"], result["text"].as_str()) {
        (Value::Null, Some(text)) => text.to_owned(),
        (Value::Null, None) => format!("{result:#}"),
        (data, _) => format!("{data:#}"),
    }
}

async fn cancel(database: &Database, one: &RowArguments) -> Result<Outcome, Failure> {
    let (id, now) = (RunId(one.id), Clock::default().now());
    if database.read(move |connection| store::row(connection, id)).await?.is_none() {
        return Err(no_run(one.id));
    }
    if !database.write(move |tx| run::cancel(tx, id, now)).await? {
        return Err(Failure::Failed(format!("run {id} has ended; there is nothing to stop")));
    }
    if one.form.json {
        output::json(&[json!({"run_id": one.id, "cancelled": true})])?;
    } else {
        output::line(format!("Run {} is told to stop; the server does so with its next look.", one.id))?;
    }
    Ok(Outcome::Done)
}

fn no_run(id: i64) -> Failure {
    Failure::Failed(format!("there is no run {id}; `docket runs list` shows those there are"))
}
