//! The batch table of a rule: one table over what is known of its files now, in the rule's folder. Whatever changes what it says of a
//! file asks for it, and it is rewritten in place when that has been quiet for a while, and after a longest wait.

pub(super) mod store;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::Runs;
use super::admit::FileState;
use super::again::Covered;
use super::deliver::checks;
use super::publish::Output;
use super::row::{Outcome, Run, RunId, State};
use super::settings::{Definition, Digest};
use super::store::{self as runs, Brief};
use crate::database::{Connection, Error};
use crate::fastio::{FileKey, NodeId};
use crate::job::{self, Task};
use crate::own;
use crate::queue::{Priority, Verdict};
use crate::result::judgement::Said;
use crate::result::name::unnumbered;
use crate::result::render::{Entry, Form, Part};
use crate::result::schema::Schema;
use crate::sync::store::Indexed;

/// The least wait between looks whether a rule is quiet.
const LOOK_AGAIN_MS: i64 = 1_000;

impl Runs {
    /// Asks for the rule's table if what it says of this file is not so any more.
    pub(super) async fn ask_for_table(
        &self,
        key: &FileKey,
        definition: &Definition,
        file: &FileState,
    ) -> Result<(), Verdict> {
        if definition.digest.is_none() {
            return Ok(());
        }
        let (key, definition, now) = (key.clone(), definition.clone(), self.clock.now());
        let form = format!("{:?}", definition.digest);
        let indexed = match file {
            FileState::Present(indexed) => Some(indexed.clone()),
            _ => None,
        };
        let (rule, source_id) = (definition.rule.name.clone(), key.to_string());
        let (asked, of) = (rule.clone(), source_id.clone());
        let read = move |connection: &mut Connection| {
            let mut briefs = runs::briefs(connection, &asked, std::iter::once(&key))?;
            let runs = briefs.remove(&of).unwrap_or_default();
            let row = indexed.as_deref().and_then(|indexed| Row::of(indexed, &runs, &definition.hash));
            let of_file = indexed.as_deref().map(|indexed| (&indexed.path, indexed.is_out_of_sight));
            let mark = row.map(|row| format!("{form} {of_file:?} {row:?}"));
            Ok((store::mark(connection, (&asked, &of))? == mark, mark))
        };
        // A run that goes on is looked at every few seconds: only what changes is written.
        let (is_said, mark) = self.database.read(read).await?;
        if is_said {
            return Ok(());
        }
        let ask = move |tx: &mut Connection| {
            store::ask(tx, (&rule, &source_id), mark.as_deref(), now)?;
            job::enqueue(tx, &Task::Digest { rule: rule.clone() }, Priority::Live, now).map(drop)
        };
        self.database.write(ask).await?;
        self.wake.notify_one();
        Ok(())
    }

    /// Writes the table of `rule`, if it has one, once its files are quiet or it has waited for long enough.
    pub async fn digest(&self, rule: &str) -> Verdict {
        let Some(definition) = self.definition(rule).filter(|definition| definition.digest.is_some()) else {
            return Verdict::Done;
        };
        self.try_digest(definition).await.err().unwrap_or(Verdict::Done)
    }

    async fn try_digest(&self, definition: &Arc<Definition>) -> Result<(), Verdict> {
        let rule = definition.rule.name.clone();
        let asked = self.database.read(move |connection| store::asked(connection, &rule)).await;
        let Some(asked) = asked? else { return Ok(()) };
        let quiet_at = asked.last_at.saturating_add(definition.digest_quiet_ms);
        let at = quiet_at.min(asked.first_at.saturating_add(definition.digest_longest_ms));
        let left = at - self.clock.now();
        if left > 0 {
            let wait = Duration::from_millis(u64::try_from(left.max(LOOK_AGAIN_MS)).unwrap_or(0));
            return Err(Verdict::later(wait, "the rule's table is written when its files are quiet"));
        }
        self.write_table(definition).await?;
        let rule = definition.rule.name.clone();
        let answered = self.database.write(move |tx| store::answered(tx, &rule, asked)).await;
        match answered? {
            false => Ok(()),
            true => Err(Verdict::later(Duration::from_millis(1), "the rule's table was asked for once more")),
        }
    }

    async fn write_table(&self, definition: &Arc<Definition>) -> Result<(), Verdict> {
        let rule = definition.rule.name.as_str();
        let (Some(Digest { name, form }), Some(schema)) = (&definition.digest, definition.schema.clone())
        else {
            return Ok(());
        };
        let form = *form;
        let (part, first) = self.collected(definition, (&schema, form)).await?;
        let owner = format!("digest:{rule}");
        let owned = owner.clone();
        let known = self.database.read(move |connection| own::store::of(connection, &owned)).await;
        let known = known?;
        let folder = match (&known, &first) {
            (Some(known), _) => known.folder.clone(),
            (None, Some(indexed)) => folder(definition, indexed),
            (None, None) => return Ok(()),
        };
        let files = part.files();
        let table = self.compute.run(move || part.whole(&schema, form)).await;
        let output = Output {
            owner: &owner,
            of: None,
            profile: definition.profile(),
            folder: &folder,
            name,
            content: Bytes::from(table),
            only_over_ours: false,
            // A person may have moved it. What was called otherwise in the settings goes where they say now.
            stays: known.is_some_and(|known| is_so_called(&known.name, name)),
        };
        if let Some(written) = self.publisher.write(&output).await? {
            tracing::info!(rule, files, name = written.name, "batch table written");
        }
        Ok(())
    }

    /// The rows of the table, and the file that comes first by path. Results are read some at a time: all of a rule's
    /// would not fit into memory.
    async fn collected(
        &self,
        definition: &Arc<Definition>,
        (schema, form): (&Arc<Schema>, Form),
    ) -> Result<(Part, Option<Indexed>), Verdict> {
        let (mut all, mut first) = (Part::default(), None::<Indexed>);
        let definition = definition.clone();
        let by = move |connection: &mut Connection| Covered::by(connection, definition.clone());
        let mut covered = self.database.read(by).await?;
        while let Some((current, rest)) =
            self.database.read(move |connection| current(connection, &covered)).await?
        {
            covered = rest;
            let earliest = current.iter().map(|(indexed, ..)| indexed).min_by_key(|indexed| &indexed.path);
            if let Some(indexed) = earliest
                && first.as_ref().is_none_or(|first| indexed.path < first.path)
            {
                first = Some(indexed.clone());
            }
            let schema = schema.clone();
            let part = self.compute.run(move || rendered(&schema, form, &current)).await;
            all = all.and(part);
        }
        Ok((all, first))
    }
}

/// What the table says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    /// What a run found out, or why it found out nothing.
    Run(Told),
    /// Nothing is known of its present content yet.
    Underway,
    /// Nothing is run over its present content.
    NotAnalysed,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    run: RunId,
    outcome: Option<Outcome>,
    ended_at: Option<i64>,
    /// It was asked what the rule asks now.
    is_asked_now: bool,
    /// What a person said of its answer to that, and when.
    judged: Option<(Said, i64)>,
}

impl Told {
    fn of(run: &Brief, definition: &str) -> Told {
        let is_asked_now = run.definition == definition;
        let judged = run.judged.filter(|_| is_asked_now);
        Told { run: run.id, outcome: run.outcome, ended_at: run.ended_at, is_asked_now, judged }
    }

    /// How it stands, in one word.
    fn word(&self) -> &'static str {
        match self.judged {
            Some((said, _)) => said.as_str(),
            None => self.outcome.unwrap_or(Outcome::Held).as_str(),
        }
    }
}

impl Row {
    /// `runs` are those of the rule over the file, oldest first. None of a file that was never run over.
    fn of(indexed: &Indexed, runs: &[Brief], definition: &str) -> Option<Row> {
        if runs.is_empty() {
            return None;
        }
        if !indexed.is_present() {
            return Some(Row::Underway);
        }
        let here = runs.iter().filter(|run| Some(&run.content_hash) == indexed.content_hash.as_ref());
        let told = here.clone().filter(|run| run.state == State::Ended || run.has_reason);
        let rank = |run: &&Brief| {
            let has_result = run.outcome.is_some_and(Outcome::has_result);
            (has_result, has_result && run.definition == definition, run.ended_at, run.id)
        };
        Some(match (told.max_by_key(rank), here.count()) {
            (Some(run), _) => Row::Run(Told::of(run, definition)),
            (None, 0) => Row::NotAnalysed,
            (None, _) => Row::Underway,
        })
    }
}

/// Files of a rule, each with what the table says of it, and the run that this is about.
type Bite = Vec<(Indexed, Row, Option<Run>)>;

/// The next files of the rule, and those that are left.
fn current(connection: &mut Connection, covered: &Covered) -> Result<Option<(Bite, Covered)>, Error> {
    let Some((page, rest)) = covered.next(connection)? else { return Ok(None) };
    let definition = covered.definition();
    let mut briefs = runs::briefs(connection, &definition.rule.name, page.iter().map(|one| &one.key))?;
    let rows = page.into_iter().filter_map(|indexed| {
        let runs = briefs.remove(&indexed.key.to_string()).unwrap_or_default();
        let row = Row::of(&indexed, &runs, &definition.hash)?;
        Some((indexed, row))
    });
    let rows: Vec<(Indexed, Row)> = rows.collect();
    let run_of = |row: &Row| match row {
        Row::Run(told) => Some(told.run),
        Row::Underway | Row::NotAnalysed => None,
    };
    let ids: Vec<RunId> = rows.iter().filter_map(|(_, row)| run_of(row)).collect();
    let whole = runs::those(connection, &ids)?.into_iter().map(|run| (run.id, run));
    let mut whole: HashMap<RunId, Run> = whole.collect();
    let all =
        rows.into_iter().map(|(indexed, row)| (indexed, row, run_of(&row).and_then(|id| whole.remove(&id))));
    Ok(Some((all.collect(), rest)))
}

/// Said of a file whose job is dead that was to learn what it is now.
const OUT_OF_SIGHT: &str = "may be about an earlier version: what the file is now could not be looked at";

/// Said of an answer to what the rule asked before.
const OTHER_QUESTION: &str = "the rule asks something else since";

fn rendered(schema: &Schema, form: Form, current: &[(Indexed, Row, Option<Run>)]) -> Part {
    let result = |run: &Option<Run>| run.as_ref().and_then(|run| run.result.clone()).unwrap_or_default();
    let results: Vec<Value> = current.iter().map(|(_, _, run)| result(run)).collect();
    let all_checks: Vec<_> = results.iter().map(checks).collect();
    let entries: Vec<Entry<'_>> = current
        .iter()
        .zip(&results)
        .zip(&all_checks)
        .map(|(((indexed, row, run), result), checks)| {
            let reason = run.as_ref().and_then(|run| run.reason.as_deref());
            let (state, remark) = match row {
                Row::Run(told) if told.is_asked_now => (told.word(), reason),
                Row::Run(told) => (told.word(), reason.or(Some(OTHER_QUESTION))),
                Row::Underway => ("being_analysed", None),
                Row::NotAnalysed => ("not_analysed", None),
            };
            let remark = if indexed.is_out_of_sight { Some(OUT_OF_SIGHT) } else { remark };
            let is_judged = matches!(row, Row::Run(told) if told.judged.is_some());
            Entry {
                file: &indexed.path,
                state,
                remark,
                judgement: run.as_ref().and_then(|run| run.judgement.as_ref()).filter(|_| is_judged),
                unread: result["unread"].is_string(),
                result: Some(&result["data"]).filter(|data| !data.is_null()),
                checks,
            }
        })
        .collect();
    Part::of(schema, form, &entries)
}

/// Whether a file of ours has the name that was wanted, or the one that it gets when that is taken.
fn is_so_called(name: &str, wanted: &str) -> bool {
    name == wanted || unnumbered(name).is_some_and(|plain| plain == wanted)
}

/// The folder that the rule's globs begin with, as it stands above one of its files.
fn folder(definition: &Definition, indexed: &Indexed) -> NodeId {
    let (depth, above) = (definition.folder.len(), &indexed.ancestors);
    // They stand from the parent upwards.
    let from_root = above.len().checked_sub(depth).filter(|_| depth > 0).and_then(|index| above.get(index));
    from_root.cloned().unwrap_or_else(NodeId::root)
}
