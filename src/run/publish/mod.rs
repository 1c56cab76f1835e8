//! Keeps what stands beside a file true of it. What is to stand there follows from the records alone: the answer for what the file is
//! now under what its rule asks now, and where there is none, the last one with a sentence at its top that says what it is
//! instead. Whatever changes that has the file's job look here; what stands already costs no call.
//!
//! There is one result for each rule and file. Its place follows the file: the file's folder, and the name that the rule's pattern
//! makes of the file's name.

mod page;
mod place;
mod review;
mod stand;
mod write;

use sha2::{Digest, Sha256};

use super::Runs;
use super::admit::FileState;
use super::question::{self, Question};
use super::row::Run;
use super::settings::Definition;
use super::store;
use crate::database::Connection;
use crate::fastio::{FileKey, NodeId};
use crate::job::Task;
use crate::outside;
use crate::own::ResultOf;
use crate::own::store::{self as own, OwnFile};
use crate::queue::trail::{self, What};
use crate::queue::{Verdict, presence};
use crate::result::name::{Pattern, unnumbered};
use crate::sync::store as files;
use page::Page;
use stand::{At, Shown, Stand};

pub(super) use review::Looks;
pub(super) use write::{Output, Publisher, Written};

/// Part of what names a form: whoever changes how results are rendered raises it, and they are written anew at the next look.
const FORM: u32 = 3;

impl Runs {
    /// Sees to it that what stands beside the file is true of it.
    pub(super) async fn publish(
        &self,
        key: &FileKey,
        definition: &Definition,
        file: &FileState,
    ) -> Result<(), Verdict> {
        let Some(pattern) = &definition.write_back else { return Ok(()) };
        let of = ResultOf { rule: definition.rule.name.clone(), key: key.clone() };
        let owner = owner(&of.rule, key, None);
        let (asked, owned) = (of.clone(), owner.clone());
        let read = move |connection: &mut Connection| {
            let runs = store::of_file(connection, &asked.key, &asked.rule)?;
            let FileKey { profile, node } = asked.key.clone();
            let job = Task::File { profile, node }.key();
            let job = presence::waiting(connection, &[job])?.into_values().find(|job| job.state == "dead");
            let seen = files::file(connection, &asked.key.to_string())?;
            let is_out_of_sight = seen.is_some_and(|seen| seen.looked_at.is_none());
            Ok((runs, own::of(connection, &owned)?, (job.and_then(|job| job.reason), is_out_of_sight)))
        };
        let (runs, known, (stuck, is_out_of_sight)) = self.database.read(read).await?;
        let at = At { now: self.clock.now(), stuck: stuck.as_deref(), is_out_of_sight };
        match Stand::of(definition, file, &runs, at) {
            Stand::AsItIs => self.leave_write(&owner, known).await,
            Stand::Nothing => self.retract(&owner, known).await,
            Stand::Answer(shown) => self.show((&owner, &of), known, (definition, pattern, shown)).await,
        }
    }

    /// Writes an answer as it is to be shown, unless it stands so.
    async fn show(
        &self,
        (owner, of): (&str, &ResultOf),
        known: Option<OwnFile>,
        (definition, pattern, shown): (&Definition, &Pattern, Shown<'_>),
    ) -> Result<(), Verdict> {
        let answer = named(shown.run);
        let is_new = known.as_ref().is_none_or(|known| known.answer.as_ref() != Some(&answer));
        // Where nothing stands there is nothing that could be wrong: what a person took away stays away. What never showed an answer of this
        // file, as where it had to give its place up to another's, nobody took away. Of a file that is gone nothing is written anew.
        let was_shown = known.as_ref().is_some_and(|known| known.answer.is_some());
        let stands = known.as_ref().is_some_and(|known| known.gone_since.is_none());
        let (document, stays) = (last(shown.path).to_owned(), shown.folder.is_none());
        let is_taken_away = !stands && (stays || (was_shown && (shown.notice.is_some() || !is_new)));
        let (folder, name) = match (shown.folder, &known) {
            (Some(folder), _) => (folder, pattern.name_for(&document)),
            (None, Some(known)) => (known.folder.clone(), known.name.clone()),
            (None, None) => return Ok(()),
        };
        let is_displaced = is_taken_away
            && !stays
            && self.is_displaced((owner, of), known.as_ref(), (&folder, &name)).await?;
        if is_taken_away && !is_displaced {
            return self.leave_away(owner, known).await;
        }
        // What a person changed there is the last word on it there, and not where the file is now.
        let is_there = known.as_ref().is_some_and(|known| {
            known.folder == folder && (known.name == name || unnumbered(&known.name).as_ref() == Some(&name))
        });
        let asked = shown.run.definition.clone();
        let asked = self.database.read(move |connection| question::of(connection, &asked)).await?;
        let page = Page {
            run: shown.run.clone(),
            definition: definition.clone(),
            document,
            name: name.clone(),
            notice: shown.notice,
            asked,
        };
        let form = form(&page, &folder);
        let shows_it = known.filter(|known| stands && known.shown.as_deref() == Some(&form));
        // Beside what has its name, that may have come to be one of ours, or to be gone.
        if shows_it.as_ref().is_some_and(|known| known.folder == folder && known.name == name) {
            return Ok(());
        }
        let only_over_ours =
            stays || (was_shown && !is_displaced && (page.notice.is_some() || (!is_new && is_there)));
        let body = self.compute.run(move || page.body()).await;
        let output = Output {
            owner,
            of: Some(of),
            profile: &of.key.profile,
            folder: &folder,
            name: &name,
            content: body,
            only_over_ours,
            stays,
        };
        let began_at = self.clock.now();
        let written = self.publisher.write(&output).await?;
        if let Some(written) = &written {
            trail::done(What::Written, (began_at, self.clock.now()), &*written.name);
        }
        let owner = owner.to_owned();
        let node = written.as_ref().map(|written| written.node.clone());
        let shows = move |tx: &mut Connection| {
            // What was left alone is a person's, and stays what it is.
            let known = if node.is_none() { own::of(tx, &owner)? } else { None };
            let Some(node) = node.clone().or(known.and_then(|known| known.node)) else { return Ok(()) };
            own::shows(tx, (&owner, &node), (&answer, &form))
        };
        self.database.write(shows).await?;
        if let Some(written) = written
            && shows_it.is_none_or(|known| known.node.as_ref() != Some(&written.node))
        {
            tracing::info!(run.id = shown.run.id.0, rule = of.rule, name = written.name, "result written");
        }
        Ok(())
    }

    /// Whether something that we wrote has come to where this is to stand, or something that was there before to where it stood when it went, as
    /// from the trash: then nobody took it away. The latter is looked at once: what comes there later has nothing to do with it.
    async fn is_displaced(
        &self,
        whose: (&str, &ResultOf),
        known: Option<&OwnFile>,
        (folder, name): (&NodeId, &str),
    ) -> Result<bool, Verdict> {
        if self.publisher.is_filled(whose, (folder, name)).await? {
            return Ok(true);
        }
        match known.filter(|known| known.shown.is_some()) {
            Some(known) => self.publisher.gave_way(&whose.1.key.profile, known).await,
            None => Ok(false),
        }
    }

    /// A person took it away, and that is settled.
    async fn leave_away(&self, owner: &str, known: Option<OwnFile>) -> Result<(), Verdict> {
        if known.is_none_or(|known| known.shown.is_none()) {
            return Ok(());
        }
        let owner = owner.to_owned();
        self.database.write(move |tx| own::shows_nothing(tx, &owner)).await.map_err(Verdict::from)
    }

    /// A write that is under way for what is not to be shown any more is not gone on with.
    async fn leave_write(&self, owner: &str, known: Option<OwnFile>) -> Result<(), Verdict> {
        if known.is_none_or(|known| !known.writing) {
            return Ok(());
        }
        let (owner, now) = (owner.to_owned(), self.clock.now());
        let write = self.database.write(move |tx| outside::store::leave_writes(tx, &owner, now));
        write.await?;
        self.wake.notify_waiters();
        Ok(())
    }

    /// Leaves what is under way for a rule that runs nothing any more.
    pub(super) async fn leave_to_itself(&self, key: &FileKey, rule: &str) -> Result<(), Verdict> {
        let owner = owner(rule, key, None);
        let owned = owner.clone();
        let known = self.database.read(move |connection| own::of(connection, &owned)).await?;
        self.leave_write(&owner, known).await
    }

    /// Takes the result away, unless a person has changed it.
    async fn retract(&self, owner: &str, known: Option<OwnFile>) -> Result<(), Verdict> {
        let Some(known) = known else { return Ok(()) };
        if let Some((node, version)) = known.node.as_ref().zip(known.version.as_ref()) {
            self.publisher.trash(&known.profile, node, version).await?;
        }
        let owner = owner.to_owned();
        self.database.write(move |tx| own::forget(tx, &owner)).await.map_err(Verdict::from)
    }

    /// What stands beside the file for a run's rule, if that is the run's answer.
    pub(super) async fn stands(&self, run: &Run) -> Result<Option<Written>, Verdict> {
        let (owner, answer) = (owner(&run.rule, &run.key, None), named(run));
        let known = self.database.read(move |connection| own::of(connection, &owner)).await?;
        let known =
            known.filter(|known| known.answer.as_ref() == Some(&answer) && known.gone_since.is_none());
        Ok(known
            .and_then(|known| Some(Written { node: known.node?, version: known.version, name: known.name })))
    }
}

/// One name for one answer: a run may be made again.
fn named(run: &Run) -> String {
    format!("{}@{}", run.id, run.answered_at.unwrap_or_default())
}

/// Names how an answer is shown, and where.
fn form(page: &Page, folder: &NodeId) -> String {
    let Page { run, document, name, notice, asked, .. } = page;
    let mut result = run.result.clone().unwrap_or_default();
    result.as_object_mut().map(|fields| fields.remove("written"));
    let asked = asked.as_ref().map(|Question { prompt, since }| (prompt, since));
    let said = (notice, &run.judgement);
    let form = serde_json::json!([FORM, run.id, result, document, said, asked, folder.canonical(), name]);
    hex::encode(&Sha256::digest(form.to_string().as_bytes())[..16])
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whose it is: one file of ours for each rule and source file, and one for each file that code made of it.
pub(super) fn owner(rule: &str, key: &FileKey, made: Option<&str>) -> String {
    let owner = format!("run:{rule}:{key}");
    made.map_or(owner.clone(), |made| format!("{owner}:{made}"))
}
