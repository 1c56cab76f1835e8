//! Which runs there should be: one over what a file is now, and none over what it was.

use std::sync::Arc;

use super::action;
use super::frame;
use super::row::{Outcome, Run, RunId, State};
use super::settings::Definition;
use super::steps::GONE;
use super::store::{self, NewRun};
use super::{Runs, existing};
use crate::database::{Connection, Error};
use crate::fastio::{FileKey, NodeId};
use crate::job::{self, Task};
use crate::queue::{Priority, Verdict};
use crate::result::judgement::{Judgement, Said};
use crate::sync::copy::{Copy, Source};
use crate::sync::store::{self as files, FileRow, Indexed};

/// What a file is to a rule now.
#[derive(Debug)]
pub(super) enum FileState {
    /// The settings no longer run anything over the rule's files.
    Unruled,
    /// None where nothing is known of it any more.
    Gone(Option<Box<FileRow>>),
    /// It is where the rule does not apply.
    Left(Box<FileRow>),
    /// OpenAI cannot hold it as it is, and why.
    Unreadable(Box<FileRow>, String),
    /// It is there, and OpenAI does not have it in its present content at this moment.
    Unindexed(Box<FileRow>),
    Present(Box<Indexed>),
}

impl FileState {
    /// Why a run over `content_hash` is obsolete, if it is.
    pub(super) fn obsolete_because(&self, content_hash: &str) -> Option<(Outcome, &'static str)> {
        let cancelled = |why| Some((Outcome::Cancelled, why));
        match self {
            FileState::Unruled => cancelled("the settings no longer run anything over its rule's files"),
            FileState::Gone(_) => cancelled(GONE),
            FileState::Left(_) => cancelled("the file was moved to where the rule does not cover it"),
            FileState::Unreadable(..) => cancelled("OpenAI cannot hold the file any more"),
            FileState::Unindexed(_) => None,
            FileState::Present(indexed) => {
                let same = indexed.is_present() && indexed.content_hash.as_deref() == Some(content_hash);
                (!same).then_some((Outcome::Superseded, "the file has a newer version"))
            }
        }
    }

    /// Whether a run is about what the file is now. Of a file that is gone every one is.
    pub(super) fn is_about(&self, run: &Run) -> bool {
        match self {
            FileState::Unruled | FileState::Gone(_) => true,
            FileState::Left(row) | FileState::Unreadable(row, _) | FileState::Unindexed(row) => {
                is_version(&row.source, run)
            }
            FileState::Present(indexed) => {
                let same = indexed.content_hash.as_ref() == Some(&run.content_hash);
                (indexed.is_present() && same) || is_version(&indexed.source, run)
            }
        }
    }

    /// Whether a run is about what the file was last, before it was gone from where the rule applies, as far as its version tells.
    pub(super) fn was_last(&self, run: &Run) -> bool {
        match self {
            FileState::Gone(Some(row)) | FileState::Left(row) => is_version(&row.source, run),
            _ => false,
        }
    }

    /// Why results that stand beside it are not about a file of the rule any more, in a sentence; none while they are.
    pub(super) fn gone_because(&self) -> Option<String> {
        match self {
            FileState::Gone(_) => {
                Some("The document was deleted: what follows is what was found out before.".to_owned())
            }
            FileState::Left(row) => Some(format!(
                "The document was moved to {}, where the rule does not apply: what follows is what was found out before.",
                row.path
            )),
            _ => None,
        }
    }

    /// Where it was last, if it is gone from where the rule applies.
    pub(super) fn last_path(&self) -> Option<&str> {
        match self {
            FileState::Gone(Some(row)) | FileState::Left(row) => Some(&row.path),
            _ => None,
        }
    }

    /// Its path, and the folder that it is in; none where it is gone from there.
    pub(super) fn place(&self) -> Option<(&str, NodeId)> {
        match self {
            FileState::Unruled | FileState::Gone(_) | FileState::Left(_) => None,
            FileState::Unreadable(row, _) | FileState::Unindexed(row) => {
                Some((&row.path, row.folder().unwrap_or_else(NodeId::root)))
            }
            FileState::Present(indexed) => {
                Some((&indexed.path, indexed.ancestors.first().cloned().unwrap_or_else(NodeId::root)))
            }
        }
    }
}

fn is_version(source: &Source, run: &Run) -> bool {
    source.version.as_ref().is_some_and(|version| run.version.as_ref() == Some(&version.0))
}

impl Runs {
    /// What the file is to the rule, by what sync has on record.
    pub(super) async fn standing(
        &self,
        key: &FileKey,
        definition: Option<&Arc<Definition>>,
    ) -> Result<FileState, Verdict> {
        let Some(definition) = definition else {
            return Ok(FileState::Unruled);
        };
        let (key, definition) = (key.clone(), definition.clone());
        self.database
            .read(move |connection| standing(connection, &key, &definition))
            .await
            .map_err(Verdict::from)
    }

    /// Sees to it that there is a run over what the file is now.
    pub(super) async fn admit(
        &self,
        definition: &Arc<Definition>,
        standing: &FileState,
    ) -> Result<(), Verdict> {
        let FileState::Present(indexed) = standing else { return Ok(()) };
        let (definition, indexed, now) = (definition.clone(), indexed.clone(), self.clock.now());
        self.database.write(move |tx| admit(tx, (&definition, &indexed), now)).await.map_err(Verdict::from)
    }
}

fn admit(
    connection: &mut Connection,
    (definition, indexed): (&Definition, &Indexed),
    now: i64,
) -> Result<(), Error> {
    let Some(content_hash) = indexed.content_hash.as_deref().filter(|_| indexed.is_present()) else {
        return Ok(());
    };
    let runs = store::of_file(connection, &indexed.key, &definition.rule.name)?;
    match decide(&runs, content_hash, &definition.hash) {
        Decision::Nothing => Ok(()),
        // What the rule has been run over is not of before, whatever it is now.
        Decision::Add if runs.is_empty() && existing::was_there(connection, (definition, indexed), now)? => {
            Ok(())
        }
        Decision::Add => add(connection, (definition, indexed), now).map(drop),
        Decision::Again(run) => store::want_again(connection, run, now).map(drop),
    }
}

fn standing(connection: &mut Connection, key: &FileKey, definition: &Definition) -> Result<FileState, Error> {
    let seen = files::file(connection, &key.to_string())?;
    let seen = match seen.map(Box::new) {
        Some(seen) if seen.is_there() => seen,
        gone => return Ok(FileState::Gone(gone)),
    };
    if !definition.rule.covers(&key.profile, &seen.path) {
        return Ok(FileState::Left(seen));
    }
    if !seen.is_present() {
        let why = seen.reason.clone().unwrap_or_default();
        return Ok(FileState::Unreadable(seen, why));
    }
    let indexed = known(connection, definition, key)?;
    Ok(indexed.map_or(FileState::Unindexed(seen), |indexed| FileState::Present(Box::new(indexed))))
}

/// What is known of the file for a run: its copy, or, of a rule that keeps its files out of OpenAI, what was read of it where there is no copy
/// of its present content.
pub(super) fn known(
    connection: &mut Connection,
    definition: &Definition,
    key: &FileKey,
) -> Result<Option<Indexed>, Error> {
    let stores = files::chain(connection, &definition.rule)?;
    let indexed = files::indexed(connection, key, &stores)?;
    if !definition.rule.keeps_out || indexed.as_ref().is_some_and(Indexed::is_present) {
        return Ok(indexed);
    }
    let kept = files::kept_out(connection, key, &definition.rule.name)?;
    Ok(kept.filter(Indexed::is_present).or(indexed))
}

/// What the runs that there are mean for a file's present content.
#[derive(Debug)]
enum Decision<'a> {
    Nothing,
    Add,
    /// It was given up for a newer version, and that is gone.
    Again(&'a Run),
}

fn decide<'a>(runs: &'a [Run], content_hash: &str, definition: &str) -> Decision<'a> {
    let here: Vec<&Run> = runs.iter().filter(|run| run.content_hash == content_hash).collect();
    let is_answered = |run: &&Run| run.state != State::Ended || run.outcome.is_some_and(Outcome::has_result);
    if here.iter().any(is_answered) {
        return Decision::Nothing;
    }
    // What a person stopped, or what failed, waits for a person.
    let given_up = |run: &&&Run| {
        run.outcome == Some(Outcome::Superseded) || (run.outcome == Some(Outcome::Cancelled) && !run.cancel)
    };
    if here.iter().any(|run| !given_up(&run)) {
        return Decision::Nothing;
    }
    here.iter().find(|run| run.definition == definition).map_or(Decision::Add, |run| Decision::Again(run))
}

pub(super) fn add(
    connection: &mut Connection,
    (definition, indexed): (&Definition, &Indexed),
    now: i64,
) -> Result<bool, Error> {
    let Some(content_hash) = &indexed.content_hash else { return Ok(false) };
    // Of a file that is kept out of OpenAI, what it is there is written down when it is there.
    let (file_id, store) = match &indexed.copy {
        Some(Copy { file_id: Some(file_id), store, .. }) => (file_id.0.as_str(), store.0.as_str()),
        Some(_) => return Ok(false),
        None => ("", ""),
    };
    let run = NewRun {
        rule: &definition.rule.name,
        key: &indexed.key,
        path: &indexed.path,
        content_hash,
        version: indexed.source.version.as_ref().map(|version| version.0.as_str()),
        // One segment is not the document, and all of them together are more than a model reads.
        bytes: match indexed.copy.as_ref().and_then(|copy| copy.segment) {
            Some(_) => indexed.source.size.max(frame::INPUT_FILE_BYTES),
            None => indexed.bytes(),
        },
        file_id,
        vector_store: store,
        definition: &definition.hash,
        engine: definition.engine.as_str(),
        model: definition.engine.model(),
    };
    Ok(store::add(connection, &run, now)?.is_some())
}

/// Asks for the end of a run. False when it has ended, or there is none of that number.
pub fn cancel(connection: &mut Connection, id: RunId, now: i64) -> Result<bool, Error> {
    let Some(run) = store::get(connection, id)? else { return Ok(false) };
    if !store::cancel(connection, id, now)? {
        return Ok(false);
    }
    job::enqueue(connection, &Task::run(run.key, run.rule), Priority::Live, now)?;
    Ok(true)
}

/// Keeps what a person says of a run's answer, or takes back what was said, has it shown beside the file, and done what its rule lists
/// for one that is accepted. False where there is no answer, or nothing to take back.
pub fn judge(
    connection: &mut Connection,
    definitions: &[Arc<Definition>],
    (id, judgement): (RunId, Option<&Judgement>),
    now: i64,
) -> Result<bool, Error> {
    let Some(run) = store::get(connection, id)? else { return Ok(false) };
    let is_kept = match judgement {
        Some(judgement) => store::judge(connection, id, judgement)?,
        None => store::withdraw_judgement(connection, id, now)?,
    };
    if is_kept {
        let definition = definitions.iter().find(|definition| definition.rule.name == run.rule);
        if let Some(definition) =
            definition.filter(|_| judgement.is_some_and(|its| its.said == Said::Accepted))
        {
            action::want(connection, &run, &definition.actions, now)?;
        }
        job::enqueue(connection, &Task::run(run.key, run.rule), Priority::Live, now)?;
    }
    Ok(is_kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::row::tests::run;

    #[test]
    fn a_content_is_run_over_once() {
        use Outcome::{Completed, Failed, Superseded};
        let decided =
            |runs: &[Run]| format!("{:?}", decide(runs, "a", "d")).split('(').next().unwrap().to_owned();
        assert_eq!(decided(&[]), "Add");
        assert_eq!(decided(&[run(1, "b", Some(Completed))]), "Add");
        assert_eq!(decided(&[run(1, "a", None)]), "Nothing");
        assert_eq!(decided(&[run(1, "a", Some(Completed))]), "Nothing");
        assert_eq!(decided(&[run(1, "a", Some(Failed))]), "Nothing", "it waits for a person");
        assert_eq!(decided(&[run(1, "a", Some(Superseded))]), "Again");
        let elsewhere = Run { definition: "old".to_owned(), ..run(1, "a", Some(Superseded)) };
        assert_eq!(decided(&[elsewhere]), "Add");
    }
}
