//! Which runs there should be: one over what a file is now, and none over what it was.

use std::sync::Arc;

use super::row::{Outcome, Run, RunId, State};
use super::settings::Definition;
use super::store::{self, Change, NewRun};
use super::{Runs, existing};
use crate::database::{Connection, Error};
use crate::fastio::FileKey;
use crate::job::{self, Task};
use crate::openai::VectorStoreId;
use crate::queue::{Priority, Verdict};
use crate::rule::Target;
use crate::sync::store::{self as files, FileRow, Indexed};

/// What a file is to a rule now.
#[derive(Debug)]
pub(super) enum FileState {
    /// Nothing is to be run over it, and why.
    Unwanted(Outcome, &'static str),
    /// It is there, and OpenAI does not have it in its present content at this moment.
    Unindexed,
    Present(Box<Indexed>),
}

impl FileState {
    /// Why a run over `content_hash` is obsolete, if it is.
    pub(super) fn obsolete_because(&self, content_hash: &str) -> Option<(Outcome, &'static str)> {
        match self {
            FileState::Unwanted(outcome, reason) => Some((*outcome, reason)),
            FileState::Unindexed => None,
            FileState::Present(indexed) => {
                let same = indexed.is_present() && indexed.copy.content_hash.as_deref() == Some(content_hash);
                (!same).then_some((Outcome::Superseded, "the file has a newer version"))
            }
        }
    }
}

impl Runs {
    /// What the file is to the rule, by what sync has on record.
    pub(super) async fn standing(
        &self,
        key: &FileKey,
        definition: Option<&Arc<Definition>>,
    ) -> Result<FileState, Verdict> {
        let Some(definition) = definition else {
            return Ok(FileState::Unwanted(
                Outcome::Cancelled,
                "the settings no longer run anything over its rule's files",
            ));
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
    let Some(content_hash) = indexed.copy.content_hash.as_deref().filter(|_| indexed.is_present()) else {
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
        Decision::Redeliver(run, outcome) => Change::Redeliver(outcome).write(connection, run.id, now),
    }
}

fn standing(connection: &mut Connection, key: &FileKey, definition: &Definition) -> Result<FileState, Error> {
    let gone = FileState::Unwanted(Outcome::Cancelled, "the file is gone, or OpenAI cannot hold it any more");
    let seen = files::file(connection, &key.to_string())?;
    let Some(seen) = seen.filter(FileRow::is_present) else { return Ok(gone) };
    if !definition.rule.covers(&key.profile, &seen.path) {
        return Ok(FileState::Unwanted(
            Outcome::Cancelled,
            "the file was moved to where the rule does not cover it",
        ));
    }
    let Some(store) = store_of(connection, definition.target())? else {
        return Ok(FileState::Unindexed);
    };
    let indexed = files::indexed(connection, key, &store)?;
    Ok(indexed.map_or(FileState::Unindexed, |indexed| FileState::Present(Box::new(indexed))))
}

pub(super) fn store_of(connection: &mut Connection, target: &Target) -> Result<Option<VectorStoreId>, Error> {
    match target {
        Target::Id(id) => Ok(Some(id.clone())),
        Target::Create { create } => files::store_named(connection, create),
    }
}

/// What the runs that there are mean for a file's present content.
#[derive(Debug)]
enum Decision<'a> {
    Nothing,
    Add,
    /// It was given up for a newer version, and that is gone.
    Again(&'a Run),
    /// Its result stands, and another version's was delivered after it.
    Redeliver(&'a Run, Outcome),
}

fn decide<'a>(runs: &'a [Run], content_hash: &str, definition: &str) -> Decision<'a> {
    let (here, elsewhere): (Vec<&Run>, Vec<&Run>) =
        runs.iter().partition(|run| run.content_hash == content_hash);
    if here.iter().any(|run| run.state != State::Ended) {
        return Decision::Nothing;
    }
    let has_result = |run: &&&Run| run.outcome.is_some_and(Outcome::has_result);
    if let Some(best) = here.iter().rfind(has_result) {
        let delivered_after = elsewhere.iter().filter(has_result).any(|other| other.ended_at > best.ended_at);
        let outcome = best.outcome.unwrap_or(Outcome::Completed);
        return if delivered_after { Decision::Redeliver(best, outcome) } else { Decision::Nothing };
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
    let (Some(content_hash), Some(file_id)) = (&indexed.copy.content_hash, &indexed.copy.file_id) else {
        return Ok(false);
    };
    let run = NewRun {
        rule: &definition.rule.name,
        key: &indexed.key,
        path: &indexed.path,
        content_hash,
        version: indexed.source.version.as_ref().map(|version| version.0.as_str()),
        bytes: indexed.copy.bytes,
        file_id: &file_id.0,
        vector_store: &indexed.copy.store.0,
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
    let FileKey { profile, node } = run.key;
    job::enqueue(connection, &Task::Run { profile, node, rule: run.rule }, Priority::Live, now)?;
    Ok(true)
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

    #[test]
    fn a_result_is_delivered_again_when_another_version_s_was_delivered_after_it() {
        use Outcome::{Completed, NeedsReview};
        let (one, two) = (run(1, "a", Some(NeedsReview)), run(2, "b", Some(Completed)));
        assert!(
            matches!(decide(&[one.clone(), two.clone()], "a", "d"), Decision::Redeliver(run, NeedsReview) if run.id == one.id)
        );
        assert!(matches!(decide(&[one, two], "b", "d"), Decision::Nothing));
    }
}
