//! `docket backfill`: what was there before Docket is queued, behind live traffic.

use std::time::Duration;

use clap::Args;

use super::failure::{Failure, Outcome};
use super::progress::Progress;
use super::text::count;
use super::{feed, output};
use crate::config::Config;
use crate::database::Database;
use crate::feed::backfill::{Backfilled, Told};
use crate::queue;

/// How often is looked how many jobs are left.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub struct Arguments {
    /// Only the workspace of this rule, and the files it covers
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Wait until a running server has done what was queued
    #[arg(long)]
    wait: bool,
    /// Print one JSON object at the end
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments, config: &Config) -> Result<Outcome, Failure> {
    let server = super::server(config).await?.is_some();
    let database = super::open_or_make(config).await?;
    let feed = feed(config, &database)?;
    let mut progress: Option<Progress> = None;
    let mut tell = |told: Told| match told {
        Told::Begun { profile, listed, expected } => {
            if let Some(before) = progress.replace(Progress::new(&profile, listed, expected)) {
                before.end();
            }
        }
        Told::Page { listed, queued } => {
            if let Some(progress) = &mut progress {
                progress.at(listed, &format!("{queued} queued"));
            }
        }
    };
    let done = feed.backfill(arguments.rule.as_deref(), &mut tell).await;
    if let Some(progress) = progress {
        progress.end();
    }
    let done = done.map_err(super::feed_failure)?;
    let mut done_by = Outcome::Done;
    if arguments.wait && done.incomplete.is_empty() {
        done_by = wait(&database, server).await?;
    }
    database.close().await;
    if arguments.json {
        output::one(&done)?;
    } else {
        output::lines(words(&done))?;
    }
    Ok(if done.incomplete.is_empty() { done_by } else { Outcome::Bad })
}

/// Until nothing is left behind live traffic, if a server works on it. Dead jobs are not waited for.
async fn wait(database: &Database, server: bool) -> Result<Outcome, Failure> {
    let left = async || -> Result<u64, Failure> {
        let left = database.read(queue::presence::behind_live).await?;
        Ok(u64::try_from(left).unwrap_or(0))
    };
    let all = left().await?;
    if all > 0 && !server {
        let jobs = count(all, "job");
        output::complain(format!(
            "No server works on this database, so {jobs} will wait. Start one: docket serve"
        ));
        return Ok(Outcome::Bad);
    }
    let mut progress = Progress::new("jobs", 0, Some(all));
    loop {
        let now = left().await?;
        progress.at(all.saturating_sub(now), &format!("{now} to do"));
        if now == 0 {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    progress.end();
    Ok(Outcome::Done)
}

fn words(done: &Backfilled) -> Vec<String> {
    let mut lines = vec![format!("{} files listed, {} queued.", done.listed, done.queued)];
    lines.extend(super::spared(&done.spared));
    if done.unreadable > 0 {
        lines.push(format!("{} entries of the lists cannot be read, and have no job.", done.unreadable));
    }
    for gap in &done.incomplete {
        lines.push(format!("Not listed to the end: {gap}"));
        lines.push("Run it again to go on there.".to_owned());
    }
    lines
}
