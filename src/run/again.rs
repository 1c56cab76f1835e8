//! Running a rule again: what that takes, and the runs themselves, asked for some files at a time so that the drain and other jobs
//! have their turn in between. What was asked for stands in the rows, so a command that is stopped half way begins again and goes
//! on from there.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::admit::{add, known};
use super::existing;
use super::row::{Outcome, Run, State};
use super::settings::{Definition, Engine};
use super::store::{self, Brief};
use crate::database::{Connection, Database, Error};
use crate::fastio::FileKey;
use crate::job::{self, Task};
use crate::own;
use crate::queue::Priority;
use crate::result::judgement::Judgement;
use crate::sync::store::{self as files, Chain, Indexed, Page};

/// Files that one transaction is about. With four statements for each it takes some ten milliseconds, and a delivery can
/// wait for that.
pub const BITE: u32 = 200;

/// What running a rule again would take, before it is done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Estimate {
    /// Files that the rule covers and OpenAI has.
    pub files: usize,
    /// Those of them without a result under the rule's present definition.
    pub runs: usize,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// What they cost at the price in the settings, in millionths of a US dollar; none where there is no price.
    pub cost: Option<u64>,
    /// Earlier runs of the rule that the tokens are guessed from; 0: from the files' sizes, four bytes a token.
    pub based_on_runs: i64,
    /// Fastio's AI is asked, and OpenAI at most for what that cannot answer.
    pub by_fastio: bool,
}

/// A file of about this many bytes is one token; a rough rule for English.
pub(super) const BYTES_PER_TOKEN: u64 = 4;

/// What an answer is taken to have, when nothing is known.
pub(super) const GUESSED_OUTPUT_TOKENS: u64 = 1_000;

/// What `docket runs again` would begin.
pub fn estimate(connection: &mut Connection, definition: &Arc<Definition>) -> Result<Estimate, Error> {
    let (mut files, mut runs, mut sizes) = (0, 0, 0);
    let mut covered = Covered::by(connection, definition.clone())?;
    while let Some((page, rest)) = covered.next(connection)? {
        files += page.len();
        let wanted = without_result(connection, definition, page)?;
        runs += wanted.len();
        sizes += wanted.iter().map(|indexed| indexed.bytes() / BYTES_PER_TOKEN).sum::<u64>();
        covered = rest;
    }
    guessed(connection, definition, (files, runs, sizes))
}

/// What `docket runs again` would begin, and the first `most` of the files that it would begin something for, by their ids. Read some at a
/// time, so that others who look on have their turn.
///
/// # Errors
/// The database's.
pub async fn survey(
    database: &Database,
    definition: &Arc<Definition>,
    most: usize,
) -> Result<(Estimate, Vec<String>), Error> {
    let wanted = definition.clone();
    let mut covered = database.observe(move |connection| Covered::by(connection, wanted.clone())).await?;
    let (mut files, mut runs, mut sizes, mut ids) = (0, 0, 0, Vec::new());
    loop {
        let here = covered.clone();
        let look = move |connection: &mut Connection| {
            let Some((page, rest)) = here.next(connection)? else { return Ok(None) };
            let keys: Vec<String> = page.iter().map(|indexed| indexed.key.to_string()).collect();
            let gone = own::store::gone(connection, &here.definition.rule.name, &keys)?;
            Ok(Some((page.len(), without_result(connection, &here.definition, page)?, gone, rest)))
        };
        let Some((looked, wanted, gone, rest)) = database.observe(look).await? else { break };
        files += looked;
        runs += wanted.len();
        sizes += wanted.iter().map(|indexed| indexed.bytes() / BYTES_PER_TOKEN).sum::<u64>();
        let mut here: Vec<String> =
            wanted.iter().map(|indexed| indexed.key.to_string()).chain(gone).collect();
        here.sort_unstable();
        here.dedup();
        ids.extend(here.into_iter().take(most - ids.len()));
        covered = rest;
    }
    let wanted = definition.clone();
    let guess = move |connection: &mut Connection| guessed(connection, &wanted, (files, runs, sizes));
    Ok((database.observe(guess).await?, ids))
}

/// What running the rule over one file would take.
pub fn estimate_one(
    connection: &mut Connection,
    definition: &Definition,
    indexed: &Indexed,
) -> Result<Estimate, Error> {
    guessed(connection, definition, (1, 1, indexed.bytes() / BYTES_PER_TOKEN))
}

fn guessed(
    connection: &mut Connection,
    definition: &Definition,
    (files, runs, sizes): (usize, usize, u64),
) -> Result<Estimate, Error> {
    let by_fastio = matches!(definition.engine, Engine::Fastio { .. });
    if by_fastio && definition.engine.model().is_none() {
        return Ok(Estimate { files, runs, by_fastio, ..Estimate::default() });
    }
    let (input, output, based_on_runs) = store::tries::mean(connection, &definition.rule.name)?;
    let each = |mean: Option<f64>| mean.map(|mean| mean.round().max(0.0) as u64 * runs as u64);
    let input_tokens = each(input).unwrap_or(sizes);
    let output_tokens = each(output).unwrap_or(runs as u64 * GUESSED_OUTPUT_TOKENS);
    let cost = definition.price.map(|price| price.at_most(input_tokens, output_tokens));
    Ok(Estimate { files, runs, input_tokens, output_tokens, cost, based_on_runs, by_fastio })
}

/// The files of a rule that are still to be looked at for a run under its present definition.
#[derive(Debug)]
pub struct Again {
    covered: Covered,
}

/// What one transaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bite {
    /// Files that were looked at.
    pub files: usize,
    /// Runs that were asked for.
    pub begun: usize,
    /// Results that were deleted and are written once more.
    pub restored: usize,
}

impl Again {
    pub async fn over(database: &Database, definition: &Arc<Definition>) -> Result<Again, Error> {
        let definition = definition.clone();
        let covered = database.read(move |connection| Covered::by(connection, definition.clone())).await?;
        Ok(Again { covered })
    }

    /// Asks for a run over each of the next files that has no result. None when all were looked at.
    pub async fn bite(&mut self, database: &Database, now: i64) -> Result<Option<Bite>, Error> {
        let covered = self.covered.clone();
        let read = move |connection: &mut Connection| {
            let Some((page, rest)) = covered.next(connection)? else { return Ok(None) };
            let files: Vec<String> = page.iter().map(|indexed| indexed.key.to_string()).collect();
            Ok(Some((files, without_result(connection, &covered.definition, page)?, rest)))
        };
        let Some((files, wanted, rest)) = database.read(read).await? else { return Ok(None) };
        let (definition, begun) = (rest.definition.clone(), wanted.len());
        self.covered = rest;
        if files.is_empty() {
            return Ok(Some(Bite { files: 0, begun, restored: 0 }));
        }
        let count = files.len();
        let write = move |tx: &mut Connection| {
            wanted.iter().try_for_each(|indexed| want(tx, (&definition, indexed), now))?;
            restore(tx, (&definition.rule.name, &files), now)
        };
        let restored = database.write(write).await?;
        Ok(Some(Bite { files: count, begun, restored }))
    }
}

/// Has the results for these files written that were deleted. Answers how many.
fn restore(connection: &mut Connection, (rule, files): (&str, &[String]), now: i64) -> Result<usize, Error> {
    let deleted = own::store::forget_gone(connection, rule, files)?;
    for key in deleted.iter().filter_map(|id| id.parse::<FileKey>().ok()) {
        job::enqueue(connection, &Task::run(key, rule), Priority::Live, now)?;
    }
    Ok(deleted.len())
}

fn want(
    connection: &mut Connection,
    (definition, indexed): (&Definition, &Indexed),
    now: i64,
) -> Result<(), Error> {
    if !add(connection, (definition, indexed), now)? {
        let runs = store::of_file(connection, &indexed.key, &definition.rule.name)?;
        if let Some(run) = runs.iter().find(|run| is_same(run, definition, indexed)) {
            store::want_again(connection, run, now)?;
        }
    }
    enqueue(connection, (definition, indexed), Priority::Backfill, now)
}

/// The file of the rule that has this path or id, if its present content is known: OpenAI has it, or the rule keeps it out.
pub fn file(
    connection: &mut Connection,
    definition: &Definition,
    name: &str,
) -> Result<Option<Indexed>, Error> {
    let profile = definition.profile();
    let Some(key) = files::named(connection, profile, name)? else { return Ok(None) };
    let found = known(connection, definition, &key)?;
    Ok(found.filter(|found| found.is_present() && definition.rule.covers(profile, &found.path)))
}

/// Wants a run over one file that has no result, and its result written that was deleted. False where there is nothing to do.
pub fn want_missing(
    connection: &mut Connection,
    (definition, indexed): (&Definition, &Indexed),
    now: i64,
) -> Result<bool, Error> {
    let wanted = without_result(connection, definition, vec![indexed.clone()])?;
    wanted.iter().try_for_each(|indexed| want(connection, (definition, indexed), now))?;
    let file = [indexed.key.to_string()];
    let restored = restore(connection, (&definition.rule.name, &file), now)?;
    Ok(!wanted.is_empty() || restored > 0)
}

/// Wants a run over one file, in place of the result that it may have. False while one goes on.
pub fn want_one(
    connection: &mut Connection,
    (definition, indexed): (&Definition, &Indexed),
    now: i64,
) -> Result<bool, Error> {
    let runs = store::of_file(connection, &indexed.key, &definition.rule.name)?;
    if runs.iter().any(|run| run.state != State::Ended) {
        return Ok(false);
    }
    if !add(connection, (definition, indexed), now)?
        && let Some(run) = runs.iter().find(|run| is_same(run, definition, indexed))
    {
        store::want_anew(connection, run.id, now)?;
    }
    enqueue(connection, (definition, indexed), Priority::Live, now)?;
    Ok(true)
}

/// What a person says of the file's present result, which a run over it alone takes the place of.
pub fn judgement_of(
    connection: &mut Connection,
    (definition, indexed): (&Definition, &Indexed),
) -> Result<Option<Judgement>, Error> {
    let runs = store::of_file(connection, &indexed.key, &definition.rule.name)?;
    let present = runs.into_iter().find(|run| is_same(run, definition, indexed));
    Ok(present.and_then(|run| run.judgement))
}

/// Whether the run is over what the file is now, under what the rule says now.
fn is_same(run: &Run, definition: &Definition, indexed: &Indexed) -> bool {
    run.definition == definition.hash && Some(&run.content_hash) == indexed.content_hash.as_ref()
}

fn enqueue(
    connection: &mut Connection,
    (definition, indexed): (&Definition, &Indexed),
    priority: Priority,
    now: i64,
) -> Result<(), Error> {
    let task = Task::run(indexed.key.clone(), &definition.rule.name);
    job::enqueue(connection, &task, priority, now).map(drop)
}

/// Those of the files that have no result, and no run under way, under the rule's present definition.
fn without_result(
    connection: &mut Connection,
    definition: &Definition,
    page: Vec<Indexed>,
) -> Result<Vec<Indexed>, Error> {
    let runs = store::briefs(connection, &definition.rule.name, page.iter().map(|one| &one.key))?;
    let answers = |indexed: &Indexed, run: &Brief| {
        run.definition == definition.hash
            && Some(&run.content_hash) == indexed.content_hash.as_ref()
            && (run.state != State::Ended || run.outcome.is_some_and(Outcome::has_result))
    };
    let has_none = |indexed: &Indexed| {
        let own = runs.get(&indexed.key.to_string());
        !own.into_iter().flatten().any(|run| answers(indexed, run))
    };
    let mut wanted = Vec::new();
    for indexed in page.into_iter().filter(has_none) {
        if !existing::is_earlier_result(connection, (definition, &indexed))? {
            wanted.push(indexed);
        }
    }
    Ok(wanted)
}

/// The files that a rule covers and OpenAI has as they are now, or that it keeps out of OpenAI, some at a time, in the order of their ids.
#[derive(Debug, Clone)]
pub(super) struct Covered {
    definition: Arc<Definition>,
    stores: Chain,
    after: Option<String>,
}

impl Covered {
    pub fn by(connection: &mut Connection, definition: Arc<Definition>) -> Result<Covered, Error> {
        let stores = files::chain(connection, &definition.rule)?;
        Ok(Covered { definition, stores, after: None })
    }

    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The next of them, none at all of which may be covered, and those that are left. None when all were given.
    pub fn next(&self, connection: &mut Connection) -> Result<Option<(Vec<Indexed>, Covered)>, Error> {
        let (profile, rule) = (self.definition.profile(), &self.definition.rule);
        let page = Page { after: self.after.as_deref(), most: BITE };
        let mut indexed = match rule.keeps_out {
            true => files::kept_out_page(connection, profile, &rule.name, &page)?,
            false => files::indexed_page(connection, profile, &self.stores, &page)?,
        };
        let Some(last) = indexed.last() else { return Ok(None) };
        let rest = Covered { after: Some(last.key.to_string()), ..self.clone() };
        indexed.retain(|one| one.is_present() && self.definition.rule.covers(profile, &one.path));
        Ok(Some((indexed, rest)))
    }
}
