//! What a person does to one thing, or to many, through the operator listener: to a job, a file or a run. Each is done and
//! written down in one transaction, and whoever comes too late is told what is so instead.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::guard::Who;
use crate::audit::{self, Entry};
use crate::clock::Clock;
use crate::database::{Connection, Database, Error};
use crate::fastio::{FileKey, Profile, ProfileKind};
use crate::feed::sweep;
use crate::feed::sweep::store::Decision;
use crate::import::{self, Asked, Wish};
use crate::job::{self, Task};
use crate::queue::{self, Priority};
use crate::result::judgement::{Judgement, Said};
use crate::rule::Rules;
use crate::run::{self, Definition, RunId};
use crate::sync::store::Indexed;
use crate::sync::{again, budget, reading};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A job is made due now, with all its attempts.
    RetryJob,
    /// A job that no worker has in hand is forgotten.
    DiscardJob,
    /// A file that is skipped, or whose job is dead, is tried again.
    RetryFile,
    /// A file that has left OpenAI to make room comes back.
    BringFile,
    /// A file is looked at now, as if an event had told of it.
    SyncFile,
    /// What OpenAI can read in a file is looked at once more, where that was nothing, little or not known.
    LookAgain,
    /// A run's answer may be relied on.
    Accept,
    /// It may not.
    Reject,
    /// What was said of it is taken back.
    Withdraw,
    /// A rule is run over a file as it is now, whether it was before or not.
    StartRun,
    /// A run that has ended is made once more, over what its file is now.
    RunAgain,
    /// A rule is run over a file that has no result under the rule's present definition.
    RunMissing,
    /// A run that goes on is stopped.
    CancelRun,
    /// All is swept, or what one rule is about.
    Sweep,
    /// The same, only to see what differs.
    DrySweep,
    /// What a sweep stopped for may be removed.
    ApproveSweep,
    /// It stays as it is.
    DismissSweep,
}

impl Action {
    pub const ALL: [Action; 17] = [
        Action::RetryJob,
        Action::DiscardJob,
        Action::RetryFile,
        Action::BringFile,
        Action::SyncFile,
        Action::LookAgain,
        Action::Accept,
        Action::Reject,
        Action::Withdraw,
        Action::StartRun,
        Action::RunAgain,
        Action::RunMissing,
        Action::CancelRun,
        Action::Sweep,
        Action::DrySweep,
        Action::ApproveSweep,
        Action::DismissSweep,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Action::RetryJob => "retry job",
            Action::DiscardJob => "discard job",
            Action::RetryFile => "retry file",
            Action::BringFile => "bring file",
            Action::SyncFile => "sync file",
            Action::LookAgain => "look again at file",
            Action::Accept => "accept run",
            Action::Reject => "reject run",
            Action::Withdraw => "withdraw verdict",
            Action::StartRun => "start run",
            Action::RunAgain => "run again",
            Action::RunMissing => "run where missing",
            Action::CancelRun => "cancel run",
            Action::Sweep => "sweep",
            Action::DrySweep => "dry sweep",
            Action::ApproveSweep => "approve sweep",
            Action::DismissSweep => "dismiss sweep",
        }
    }

    pub fn parse(text: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.as_str() == text)
    }

    /// Whether it takes a reason and a name, which stand with the result.
    pub fn is_verdict(self) -> bool {
        matches!(self, Action::Accept | Action::Reject)
    }

    /// What the audit log calls the one that it is done to.
    pub fn about(self, item: &str) -> String {
        let kind = match self {
            Action::RetryJob | Action::DiscardJob => "job",
            Action::RetryFile | Action::BringFile | Action::SyncFile | Action::LookAgain => "file",
            // What is to be is not there yet: its file, and its rule.
            Action::StartRun | Action::RunMissing => "run of",
            Action::Accept | Action::Reject | Action::Withdraw | Action::RunAgain | Action::CancelRun => {
                "run"
            }
            Action::Sweep | Action::DrySweep if item.is_empty() => return EVERYTHING.to_owned(),
            Action::Sweep | Action::DrySweep => "rule",
            Action::ApproveSweep | Action::DismissSweep => "sweep",
        };
        format!("{kind}:{item}")
    }
}

/// What is done, by whom and why.
#[derive(Debug, Clone)]
pub struct Deed {
    pub action: Action,
    /// The person's own name. A verdict has one; without one it is the token's.
    pub name: Option<String>,
    pub why: Option<String>,
}

impl Deed {
    fn judgement(&self, said: Said, now: i64) -> Judgement {
        Judgement {
            said,
            by: self.name.clone().unwrap_or_else(|| "an operator".to_owned()),
            note: self.why.clone().unwrap_or_else(|| "no reason was given".to_owned()),
            at: now,
        }
    }
}

/// Does it to one, and writes it down. The inner error says in words why it cannot be done now.
///
/// # Errors
/// The database's.
pub async fn one(
    database: &Database,
    (who, definitions): (Who, &[Arc<Definition>]),
    (deed, item): (Deed, String),
    now: i64,
) -> Result<Result<(), String>, Error> {
    let definitions = definitions.to_vec();
    let write = move |tx: &mut Connection| {
        let done = apply(tx, &definitions, (&deed, &item), now)?;
        if done.is_ok() {
            record(tx, who, (&deed, &deed.action.about(&item), 1), now)?;
        }
        Ok(done)
    };
    database.write(write).await
}

/// Dead jobs that are changed in one transaction: the server's own work waits for it.
const BITE: u32 = 500;

/// Retries or discards as many jobs as are dead now, so that it ends even if they die again meanwhile. How many it were.
///
/// # Errors
/// The database's.
pub async fn all_dead(database: &Database, (who, deed): (Who, Deed), clock: &Clock) -> Result<u64, Error> {
    let counts = database.read(queue::store::counts).await?;
    let dead: i64 = counts.iter().filter(|(state, _)| state == "dead").map(|(_, jobs)| jobs).sum();
    let (mut left, mut all, action) = (dead.unsigned_abs(), 0, deed.action);
    while left > 0 {
        let (most, now) = (BITE.min(u32::try_from(left).unwrap_or(BITE)), clock.now());
        let changed = database.write(move |tx| match action {
            Action::DiscardJob => queue::store::discard_dead(tx, most),
            _ => queue::store::retry_dead(tx, most, now),
        });
        let changed = changed.await?;
        if changed == 0 {
            break;
        }
        (left, all) = (left.saturating_sub(changed), all + changed);
    }
    let (now, number) = (clock.now(), i64::try_from(all).unwrap_or(i64::MAX));
    database.write(move |tx| record(tx, who, (&deed, DEAD_JOBS, number), now)).await?;
    Ok(all)
}

/// What the audit log calls a sweep of all rules.
const EVERYTHING: &str = "everything";

/// What the audit log calls all dead jobs.
pub const DEAD_JOBS: &str = "job:dead";

/// Writes down who did something, and why.
pub(super) fn record(
    tx: &mut Connection,
    who: Who,
    (deed, about, number): (&Deed, &str, i64),
    now: i64,
) -> Result<(), Error> {
    let entry = Entry {
        who: who.as_str(),
        name: deed.name.as_deref(),
        action: deed.action.as_str(),
        about,
        filter: None,
        number,
        why: deed.why.as_deref(),
    };
    audit::record(tx, &entry, now)
}

/// Does it to `item`: a job's or a run's number, a file's or a sweep's id, or the name of a rule that is swept, empty for all. For a run that
/// is to be it is a file's id, a colon and the rule's name.
pub(super) fn apply(
    tx: &mut Connection,
    definitions: &[Arc<Definition>],
    (deed, item): (&Deed, &str),
    now: i64,
) -> Result<Result<(), String>, Error> {
    let number = || item.parse::<i64>().unwrap_or(-1);
    let said = |said| Some(deed.judgement(said, now));
    Ok(match deed.action {
        Action::RetryJob => match queue::store::retry(tx, number(), now)? {
            0 => Err(job_as_it_is(tx, number())?),
            _ => Ok(()),
        },
        Action::DiscardJob => match queue::store::discard(tx, number())? {
            0 => Err(job_as_it_is(tx, number())?),
            _ => Ok(()),
        },
        Action::RetryFile => {
            let rows = again::store::given_up_of(tx, &[item])?;
            again::store::reopen(tx, &rows, (Priority::Live, now))?;
            let nothing =
                || "it is not skipped and has no dead job: there is nothing to try again".to_owned();
            if rows.is_empty() { Err(nothing()) } else { Ok(()) }
        }
        Action::BringFile => match budget::store::bring(tx, &[item.to_owned()], now)? {
            0 => Err("it has not left OpenAI to make room: there is nothing to bring back".to_owned()),
            _ => Ok(()),
        },
        Action::SyncFile => sync_file(tx, item, now)?,
        Action::LookAgain => match file_key(item) {
            Ok(key) => Ok(reading::store::look_again(tx, &key, now)?),
            Err(words) => Err(words),
        },
        Action::Accept => judge(tx, definitions, (RunId(number()), said(Said::Accepted)), now)?,
        Action::Reject => judge(tx, definitions, (RunId(number()), said(Said::Rejected)), now)?,
        Action::Withdraw => judge(tx, definitions, (RunId(number()), None), now)?,
        Action::StartRun | Action::RunMissing => match of_run(item) {
            Some(which) if deed.action == Action::StartRun => start_run(tx, definitions, which, now)?,
            Some(which) => run_missing(tx, definitions, which, now)?,
            None => Err("name a file's id, a colon and a rule: `workspace:ID:NODE:RULE`".to_owned()),
        },
        Action::RunAgain => run_again(tx, definitions, RunId(number()), now)?,
        Action::CancelRun => match run::cancel(tx, RunId(number()), now)? {
            true => Ok(()),
            false => Err(run_as_it_is(tx, RunId(number()))?),
        },
        Action::Sweep | Action::DrySweep => {
            let rule = (!item.is_empty()).then(|| item.to_owned());
            sweep::ask(tx, (rule, deed.action == Action::DrySweep), now)?;
            Ok(())
        }
        Action::ApproveSweep => sweep::decide(tx, (item, Decision::Approved), now)?,
        Action::DismissSweep => sweep::decide(tx, (item, Decision::Dismissed), now)?,
    })
}

/// What Fastio is to fetch, and where it goes, as a person or a program says it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportOrder {
    /// Public, and `https`.
    pub url: String,
    /// The path of a folder that is there; the top folder without one.
    pub folder: Option<String>,
    /// What the file is to be called; as the address ends without one.
    pub name: Option<String>,
    /// The id of the workspace; that of the rules without one, where all have the same.
    pub workspace: Option<String>,
    /// In words, for the audit log.
    pub why: Option<String>,
}

impl ImportOrder {
    /// # Errors
    /// Why that cannot be imported, in words for who asks. They do not repeat the address.
    pub fn wish(&self, rules: &Rules) -> Result<Wish, String> {
        let profile = workspace(self.workspace.as_deref(), rules)?;
        let asked = Asked { url: &self.url, folder: self.folder.as_deref(), name: self.name.as_deref() };
        Wish::new(profile, &asked).map_err(|unfit| unfit.to_string())
    }
}

/// The workspace that is named, or the one that the rules name.
///
/// # Errors
/// Why there is none, in words.
pub fn workspace(named: Option<&str>, rules: &Rules) -> Result<Profile, String> {
    if let Some(id) = named {
        let id = id.strip_prefix("workspace:").unwrap_or(id);
        let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        return match !id.is_empty() && id.chars().all(is_id) {
            true => Ok(Profile::workspace(id)),
            false => {
                Err("that is no id of a workspace: Fastio shows it in the workspace's settings".to_owned())
            }
        };
    }
    let mut of_rules =
        rules.iter().map(|rule| &rule.profile).filter(|profile| profile.kind == ProfileKind::Workspace);
    match of_rules.next() {
        Some(first) if of_rules.all(|other| other == first) => Ok(first.clone()),
        Some(_) => {
            Err("the rules name several workspaces: say which one (--workspace, `workspace` in the API)"
                .to_owned())
        }
        None => {
            Err("no rule names a workspace: say which one (--workspace, `workspace` in the API)".to_owned())
        }
    }
}

/// Why two imports that go on never write to one place.
pub const PLACE_IS_TAKEN: &str = "something else is being imported to the same place: wait for its end";

/// Has Fastio import it, and writes down who asked. What was asked before is answered as it is; the inner error says in words why it
/// cannot be done now.
///
/// # Errors
/// The database's.
pub fn import(
    tx: &mut Connection,
    (who, why): (Who, Option<&str>),
    wish: &Wish,
    now: i64,
) -> Result<Result<import::store::Row, String>, Error> {
    let Some(row) = import::store::ask(tx, wish, now)? else {
        return Ok(Err(PLACE_IS_TAKEN.to_owned()));
    };
    // The address may hold a secret, so the log has its number only.
    let about = format!("import:{}", row.import_id);
    let entry = Entry {
        who: who.as_str(),
        name: None,
        action: "import",
        about: &about,
        filter: None,
        number: 1,
        why,
    };
    audit::record(tx, &entry, now)?;
    Ok(Ok(row))
}

fn judge(
    tx: &mut Connection,
    definitions: &[Arc<Definition>],
    (id, judgement): (RunId, Option<Judgement>),
    now: i64,
) -> Result<Result<(), String>, Error> {
    Ok(match run::judge(tx, definitions, (id, judgement.as_ref()), now)? {
        true => Ok(()),
        false => Err(run_as_it_is(tx, id)?),
    })
}

/// Tries what was given up again, brings back what had left, and has everything else looked at.
fn sync_file(tx: &mut Connection, item: &str, now: i64) -> Result<Result<(), String>, Error> {
    if budget::store::bring(tx, &[item.to_owned()], now)? > 0 {
        return Ok(Ok(()));
    }
    let given_up = again::store::given_up_of(tx, &[item])?;
    if !given_up.is_empty() {
        again::store::reopen(tx, &given_up, (Priority::Live, now))?;
        return Ok(Ok(()));
    }
    let FileKey { profile, node } = match file_key(item) {
        Ok(key) => key,
        Err(words) => return Ok(Err(words)),
    };
    job::enqueue(tx, &Task::File { profile, node }, Priority::Live, now)?;
    Ok(Ok(()))
}

/// # Errors
/// That it is no file's id, in words.
fn file_key(item: &str) -> Result<FileKey, String> {
    let wrong = |_| "no file has such an id: it is `workspace:ID:NODE` or `share:ID:NODE`".to_owned();
    item.parse().map_err(wrong)
}

/// A file's id and the rule that is to be run over it. An id has three parts; a rule's name may have a colon.
fn of_run(item: &str) -> Option<(&str, &str)> {
    let (end, _) = item.match_indices(':').nth(2)?;
    Some((&item[..end], &item[end + 1..]))
}

fn run_again(
    tx: &mut Connection,
    definitions: &[Arc<Definition>],
    id: RunId,
    now: i64,
) -> Result<Result<(), String>, Error> {
    let Some(row) = run::store::row(tx, id)? else { return Ok(Err(run_as_it_is(tx, id)?)) };
    start_run(tx, definitions, (&row.source_id, &row.rule), now)
}

fn start_run(
    tx: &mut Connection,
    definitions: &[Arc<Definition>],
    (source_id, rule): (&str, &str),
    now: i64,
) -> Result<Result<(), String>, Error> {
    let (definition, indexed) = match indexed(tx, definitions, (source_id, rule))? {
        Ok(found) => found,
        Err(why) => return Ok(Err(why)),
    };
    Ok(match run::want_one(tx, (definition, &indexed), now)? {
        true => Ok(()),
        false => Err("the rule is being run over the file already".to_owned()),
    })
}

/// As [`start_run`], but only where the file has no result under the rule's present definition.
fn run_missing(
    tx: &mut Connection,
    definitions: &[Arc<Definition>],
    (source_id, rule): (&str, &str),
    now: i64,
) -> Result<Result<(), String>, Error> {
    let (definition, indexed) = match indexed(tx, definitions, (source_id, rule))? {
        Ok(found) => found,
        Err(why) => return Ok(Err(why)),
    };
    Ok(match run::want_missing(tx, (definition, &indexed), now)? {
        true => Ok(()),
        false => Err("it has a result by now, or is being run over".to_owned()),
    })
}

/// What is run by a rule, and the file that it is run over; the inner error says in words why it cannot be.
fn indexed<'d>(
    tx: &mut Connection,
    definitions: &'d [Arc<Definition>],
    (source_id, rule): (&str, &str),
) -> Result<Result<(&'d Arc<Definition>, Indexed), String>, Error> {
    let Some(definition) = definitions.iter().find(|definition| definition.rule.name == rule) else {
        return Ok(Err(format!("no rule with [rule.run] is called {rule}")));
    };
    let indexed = run::file(tx, definition, source_id)?;
    if indexed.is_none() && budget::store::out_reason(tx, source_id, rule)?.is_some() {
        return Ok(Err(
            "the file has left OpenAI to make room: bring it back (docket files bring, or sync it now), and \
                       start the run when it is current"
                .to_owned(),
        ));
    }
    let indexed = indexed.ok_or_else(|| "the file is not indexed as it is now under that rule".to_owned());
    Ok(indexed.map(|indexed| (definition, indexed)))
}

fn job_as_it_is(tx: &mut Connection, id: i64) -> Result<String, Error> {
    Ok(match queue::store::get(tx, id)? {
        Some(job) if job.state == "running" => "it is being worked on now".to_owned(),
        Some(job) => format!("it is {}", job.state),
        None => "it is there no more: it is done, or was discarded".to_owned(),
    })
}

fn run_as_it_is(tx: &mut Connection, id: RunId) -> Result<String, Error> {
    Ok(match run::store::row(tx, id)? {
        Some(row) if row.state == "ended" => format!("it has ended as {}", row.word().replace('_', " ")),
        Some(row) => format!("it is {}", row.word().replace('_', " ")),
        None => "there is no such run any more".to_owned(),
    })
}
