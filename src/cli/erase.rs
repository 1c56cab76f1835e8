//! `docket erase`: what derives from a file is found, removed everywhere, and looked for once more, as for a request for data
//! protection. The server does the work, as jobs; this waits for it.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use super::failure::{Failure, Outcome};
use super::progress::Progress;
use super::text::{count, when};
use super::{Form, can_ask, open, output, rule_named, server};
use crate::app::openai_client;
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{Connection, Database};
use crate::erase::found::{Found, Seen};
use crate::erasure::{self, Because, Erasure};
use crate::fastio::{FileKey, NodeId, Profile};
use crate::job::Task;
use crate::queue::presence;
use crate::{fastio, openai, sync};

/// Between looks at how far the server is.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

/// Records that `--list` shows.
const MOST: u32 = 1_000;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The file: its path, or its id, which works for one that is gone, too
    #[arg(value_name = "PATH|ID", required_unless_present = "list")]
    file: Option<String>,
    /// Only a file in the workspace or share of this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Erase it; without this only what there is is shown
    #[arg(long)]
    yes: bool,
    /// Say what was erased, when and why, and what could not be
    #[arg(long, conflicts_with_all = ["file", "rule", "yes", "undo"])]
    list: bool,
    /// Let a file that was erased be synced again
    #[arg(long, conflicts_with = "yes")]
    undo: bool,
    #[command(flatten)]
    form: Form,
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    if arguments.list {
        let database = open(config).await?;
        let listed = list(&database, arguments.form).await;
        database.close().await;
        return listed;
    }
    can_ask(config)?;
    let server = server(config).await?;
    let database = open(config).await?;
    let outcome = match arguments.undo {
        true => undo(&database, config, &arguments).await,
        false => erase(&database, config, (&arguments, server.is_some())).await,
    };
    database.close().await;
    outcome
}

/// One file, before and after.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    found: Found,
    /// What became of it; none without `--yes`, and where no server runs.
    outcome: Option<Erasure>,
    /// What was seen of it afterwards.
    seen: Vec<Seen>,
}

async fn erase(
    database: &Database,
    config: &Config,
    (arguments, is_served): (&Arguments, bool),
) -> Result<Outcome, Failure> {
    let keys = keys(database, config, arguments).await?;
    let (fastio, openai) = clients(config)?;
    let mut rows = Vec::new();
    for key in &keys {
        let asked = key.clone();
        let mut found = database.read(move |connection| Found::read(connection, &asked)).await?;
        found.look(&fastio).await.map_err(Failure::from_error)?;
        rows.push(Row { found, outcome: None, seen: Vec::new() });
    }
    let is_json = arguments.form.json;
    if !is_json {
        for row in &rows {
            output::lines(inventory(&row.found))?;
        }
    }
    if !arguments.yes {
        if is_json {
            output::json(&rows)?;
        } else {
            output::line("Nothing is changed; --yes erases it, and keeps the file from being synced again.")?;
        }
        return Ok(Outcome::Done);
    }
    let (asked, now) = (keys.clone(), Clock::default().now());
    let begin = move |tx: &mut Connection| {
        asked.iter().try_for_each(|key| erasure::store::begin(tx, key, Because::Asked, now))
    };
    database.write(begin).await?;
    if !is_served {
        output::complain("No server runs: what is to be erased is on record, and goes when one is started.");
        return Ok(Outcome::Bad);
    }
    for (row, key) in rows.iter_mut().zip(&keys) {
        row.outcome = wait(database, key).await?;
        row.seen = row.found.verify(&fastio, &openai).await;
        if !is_json {
            output::lines(outcome(row))?;
        }
    }
    if is_json {
        output::json(&rows)?;
    }
    let all_gone = rows.iter().flat_map(|row| &row.seen).all(|seen| seen.is_gone == Some(true));
    Ok(if all_gone { Outcome::Done } else { Outcome::Bad })
}

/// Waits until the server has erased it.
async fn wait(database: &Database, key: &FileKey) -> Result<Option<Erasure>, Failure> {
    let job = Task::Erase { profile: key.profile.clone(), node: key.node.clone() }.key();
    let mut progress = Progress::new("erasing", 0, None);
    loop {
        let (source, asked) = (key.to_string(), job.clone());
        let read = move |connection: &mut Connection| {
            let last = erasure::store::last(connection, &source)?;
            Ok((last, presence::waiting(connection, std::slice::from_ref(&asked))?.remove(&asked)))
        };
        let (last, job) = database.read(read).await?;
        if last.as_ref().is_none_or(|last| last.ended_at.is_some()) {
            progress.end();
            return Ok(last);
        }
        if let Some(job) = job.as_ref().filter(|job| job.state == "dead") {
            progress.end();
            let reason = job.reason.as_deref().unwrap_or_default();
            return Err(Failure::Failed(format!(
                "the erasure stopped: {reason}; remove the cause, then: docket jobs retry {}",
                job.job_id
            )));
        }
        let done = last.map_or(0, |last| last.erased.values().sum::<u64>());
        progress.at(done, job.and_then(|job| job.reason).as_deref().unwrap_or_default());
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn clients(config: &Config) -> Result<(fastio::Client, openai::Client), Failure> {
    let fastio = fastio::Client::new(
        &config.fastio.base_url,
        config.secrets.fastio_api_key().map_err(Failure::usage)?,
    );
    Ok((fastio.map_err(Failure::usage)?, openai_client(config).map_err(Failure::usage)?))
}

/// The files that are meant: every one that was last seen at a path.
async fn keys(database: &Database, config: &Config, arguments: &Arguments) -> Result<Vec<FileKey>, Failure> {
    let name = arguments.file.as_deref().unwrap_or_default();
    if let Ok(key) = name.parse::<FileKey>() {
        return Ok(vec![key]);
    }
    let rules = config.rules().map_err(Failure::usage)?;
    let profiles: Vec<Profile> = match &arguments.rule {
        Some(rule) => vec![rule_named(&rules, rule)?.profile.clone()],
        None => rules.profiles(),
    };
    // A keyboard composes letters, and what a Mac uploaded does not.
    let names: Vec<String> = vec![name.to_owned(), name.nfc().collect(), name.nfd().collect()];
    let ids: Vec<String> =
        profiles.iter().map(|profile| FileKey::new(profile.clone(), NodeId::new(name)).to_string()).collect();
    let read = move |connection: &mut Connection| sync::store::called(connection, &names, &ids);
    let mut keys: Vec<FileKey> = database.read(read).await?.iter().filter_map(|id| id.parse().ok()).collect();
    if arguments.rule.is_some() {
        keys.retain(|key| profiles.contains(&key.profile));
    }
    if keys.is_empty() {
        return Err(Failure::Failed(format!(
            "no file is known as {name}; docket files --all lists those there are, and an id such as workspace:NUMBER:NODE is \
             taken as it is"
        )));
    }
    Ok(keys)
}

fn inventory(found: &Found) -> Vec<String> {
    let mut lines = vec![match &found.path {
        Some(path) => format!("{path}  ({})", found.source_id),
        None => found.source_id.clone(),
    }];
    let mut line = |what: &str, text: String| lines.push(format!("  {what:<13} {text}"));
    for copy in &found.copies {
        let id = copy.file_id.as_ref().map_or("no File object yet", |id| id.0.as_str());
        line("copy", format!("{id} in {}, {}", copy.vector_store, copy.state));
    }
    for object in &found.objects {
        line(object.kind.as_str(), object.id.clone());
    }
    for result in &found.results {
        let edited = if result.is_edited == Some(true) { ", which a person edited: it stays" } else { "" };
        line("beside it", format!("{}{edited}", result.name));
    }
    if found.runs > 0 {
        line("on record", format!("{} with what they found out", count(found.runs, "run")));
    }
    if found.is_nothing() {
        line("nothing", "is known that derives from it".to_owned());
    }
    if found.erasure.as_ref().is_some_and(Erasure::withholds) {
        line("erased", "before, and not synced since: docket erase --undo".to_owned());
    }
    lines
}

fn outcome(row: &Row) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(erasure) = &row.outcome {
        lines.push(format!("Erased: {}.", came_to(erasure)));
        lines.extend(remains(erasure));
    }
    for seen in &row.seen {
        lines.push(match (seen.is_gone, &seen.error) {
            (Some(true), _) => format!("  gone          {} {}", seen.what, seen.id),
            (Some(false), _) => format!("  STILL THERE   {} {}", seen.what, seen.id),
            (None, error) => {
                format!("  not known     {} {}: {}", seen.what, seen.id, error.as_deref().unwrap_or_default())
            }
        });
    }
    lines.push("The file is not synced again until docket erase --undo.".to_owned());
    lines
}

fn came_to(erasure: &Erasure) -> String {
    let all: Vec<String> = erasure.erased.iter().map(|(what, number)| count(*number, what)).collect();
    if all.is_empty() { "nothing was there".to_owned() } else { all.join(", ") }
}

fn remains(erasure: &Erasure) -> Vec<String> {
    let line = |one: &erasure::Remains| format!("  remains       {} {}: {}", one.what, one.id, one.why);
    erasure.remains.iter().map(line).collect()
}

async fn undo(database: &Database, config: &Config, arguments: &Arguments) -> Result<Outcome, Failure> {
    let keys = undone_keys(config, arguments)?;
    let now = Clock::default().now();
    let asked = keys.clone();
    let undo = move |tx: &mut Connection| {
        let mut undone = 0_u64;
        for key in &asked {
            undone += u64::from(erasure::store::undo(tx, key, now)?);
        }
        Ok(undone)
    };
    if database.write(undo).await? == 0 {
        return Err(Failure::Failed(
            "no such file is kept from being synced; docket erase --list has the ids of those that are, and one that is still \
             being erased cannot be undone"
                .to_owned(),
        ));
    }
    output::line("It may be synced again, if a rule covers it; what was erased is made anew then.")?;
    Ok(Outcome::Done)
}

/// Of an erased file no path is known, so it is named by its id.
fn undone_keys(config: &Config, arguments: &Arguments) -> Result<Vec<FileKey>, Failure> {
    let name = arguments.file.as_deref().unwrap_or_default();
    if let Ok(key) = name.parse::<FileKey>() {
        return Ok(vec![key]);
    }
    let rules = config.rules().map_err(Failure::usage)?;
    let profiles = rules.profiles().into_iter();
    Ok(profiles.map(|profile| FileKey::new(profile, NodeId::new(name))).collect())
}

async fn list(database: &Database, form: Form) -> Result<Outcome, Failure> {
    let rows = database.read(|connection| erasure::store::list(connection, MOST)).await?;
    if form.json {
        output::json(&rows)?;
        return Ok(Outcome::Done);
    }
    if rows.is_empty() {
        output::line("Nothing was erased yet.")?;
    }
    let now = Clock::default().now();
    for row in &rows {
        let state = match (row.ended_at, row.withholds()) {
            (None, _) => "being erased".to_owned(),
            (Some(at), true) => format!("erased {}, and not synced again", when(at, now)),
            (Some(at), false) => format!("erased {}", when(at, now)),
        };
        let because = match row.because {
            Because::Asked => "a person asked",
            Because::Purged => "Fastio purged the file",
            Because::Forgotten => "it was gone for long",
        };
        output::line(format!("{}  {state}, because {because}: {}", row.source_id, came_to(row)))?;
        output::lines(remains(row))?;
    }
    Ok(Outcome::Done)
}
