//! Applies one step of a plan. What is about to be done is on record before it is tried, what was done right after; so
//! each step can be done again when it is found half done.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::copy::{Copy, CopyId, CopyState};
use super::form::Claim;
use super::look::Present;
use super::plan::Step;
use super::retire::there;
use super::store::{self, Change, Jobs, Told};
use super::{Sync, extract_of};
use crate::database::Connection;
use crate::fastio::{FileKey, Hash};
use crate::govern::Taken;
use crate::job::Task;
use crate::job::verdict::{database_verdict, is_final, openai_has, openai_verdict};
use crate::openai::{AttributeValue, Attributes, ErrorKind, FileId, IndexStatus, StoreFile, VectorStoreId};
use crate::queue::trail::{self, What};
use crate::queue::{self, Priority, Verdict};
use crate::rule::Rule;

/// How long after a File object was made, or attached, OpenAI may still say that it does not exist. Seen in the issue
/// trackers of two of its clients; nothing documents it.
pub(super) const FRESH: Duration = Duration::from_secs(60);

/// Between looks at the index, when OpenAI does not say. Its own client looks each second.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The least and the most between two looks.
pub(super) const LOOK_LIMITS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(15));

/// How often a file is attached before its store is given up. Once more after it hung, twice after an error of the
/// index, which has come in outages of minutes.
pub(super) const ATTACHES_WHEN_STUCK: u16 = 2;

/// An attach that ended without an answer after so long was being worked on: OpenAI answers at once.
const LONG_ATTACH: Duration = Duration::from_secs(10);

/// The file that a step is about. `present` is `None` when nothing of it should remain.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub key: &'a FileKey,
    pub present: Option<(&'a Present, &'a Claim)>,
    /// A copy whose upload has just ended, and whose first try at attaching is on record already.
    pub uploaded: Option<CopyId>,
    /// What an upload may be begun with, if it was asked for already.
    pub upload: &'a Mutex<Option<Taken>>,
    pub announced: &'a Announced,
}

/// The content that Fastio announces, which is not always what a read has.
#[derive(Debug, Default)]
pub struct Announced {
    pub text: String,
    pub hash: Option<Hash>,
}

impl Announced {
    pub(super) fn of(present: Option<&Present>) -> Self {
        let Some(Present { source, .. }) = present else { return Announced::default() };
        Announced { text: store::announced(source), hash: source.hash.clone() }
    }
}

/// A step that did not stop the work on its store.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// On record. Plan anew.
    Moved,
    /// So is the File object of this copy, and that it is about to be attached.
    Uploaded(CopyId),
    /// OpenAI cannot hold this content; that is on record too.
    Refused,
    /// There is no room for it; so is that.
    Out,
}

impl Sync {
    /// Does `step`.
    ///
    /// # Errors
    /// What it means for the job when the step could not be done, or not yet.
    pub(super) async fn apply(
        &self,
        subject: &Subject<'_>,
        step: &Step,
        copies: &[Copy],
    ) -> Result<Progress, Verdict> {
        let find = |id: CopyId| {
            copies.iter().find(|copy| copy.id == id).expect("a plan names only copies that it was made from")
        };
        match step {
            Step::Settle(id) => self.settle(subject.key, find(*id)).await,
            Step::Upload(place) => self.upload(subject, place).await,
            Step::Move(id, store) => self.move_to(find(*id), store).await,
            Step::Attach(id, attributes) => self.attach(subject, find(*id), attributes).await,
            Step::Await(id) => self.await_index(subject, find(*id)).await,
            Step::Look(id) => self.look_for_part(subject, find(*id)).await,
            Step::Relabel(id, attributes) => self.relabel(subject, find(*id), attributes).await,
            Step::Retire(id) => self.retire(subject, find(*id), copies).await,
        }
    }

    async fn attach(
        &self,
        subject: &Subject<'_>,
        copy: &Copy,
        attributes: &Attributes,
    ) -> Result<Progress, Verdict> {
        let Some(file_id) = &copy.file_id else { return self.forget(copy.id).await };
        let is_first = copy.attaches == 0 || subject.uploaded == Some(copy.id);
        // The segments of a text come one after the other all the same, and each would wait for the others.
        let is_alone = copy.segment.is_some();
        if copy.awaits.is_some()
            || (!is_alone && copy.attaches == 0 && self.is_one_of_many(&copy.store).await?)
        {
            self.leave(subject.key, copy, attributes).await?;
        }
        let _taken = match self.governor.take_to_attach(&copy.store.0, 1, queue::is_live()).await {
            Ok(taken) => taken,
            // What has to wait goes with the others that do.
            Err(full) if is_first && !is_alone && self.attaches_together() => {
                self.leave(subject.key, copy, attributes).await?;
                return Err(full);
            }
            Err(full) => return Err(full),
        };
        // What was just uploaded has not been attached before, and its first try is on record already.
        if subject.uploaded != Some(copy.id) {
            if let Some(there) = self.attached_before(copy, file_id).await? {
                // It may carry older attributes; the plan will see.
                let told = Told { attributes: there.attributes, given: None };
                return self.note([Change::Attaching(copy.id), Change::Attached(copy.id, told)]).await;
            }
            if let Some(at) = copy.unanswered_at {
                self.may_be_indexing(copy, at).await?;
            }
            self.record([Change::Attaching(copy.id)]).await?;
        }
        let (begun, limit) = (Instant::now(), self.settings.attach_limit());
        let began_at = self.clock.now();
        match self.openai.attach_within(limit, (&copy.store, file_id), attributes).await {
            Ok(there) => {
                trail::done(What::Attached, (began_at, self.clock.now()), format!("to {}", copy.store));
                let tries = if is_first { 1 } else { copy.attaches + 1 };
                let told = Told::by_any_of(tries, attributes, there.attributes);
                self.note([Change::Attached(copy.id, told)]).await
            }
            Err(error) if error.may_have_happened() && begun.elapsed() >= limit.min(LONG_ATTACH) => {
                self.record([Change::Unanswered(copy.id)]).await?;
                Err(later(LOOK_LIMITS.1, "the vector store has not answered and may still be working on it"))
            }
            Err(error) if error.kind == ErrorKind::StoreFull => self.store_full(subject, copy).await,
            Err(error) if error.is_not_found() => self.attach_lost(copy, file_id).await,
            Err(error) if is_final(&error) => self.refuse(subject, copy, &error.to_string()).await,
            Err(error) if matches!(error.kind, ErrorKind::Rejected { .. }) => {
                self.stores.check(&copy.store).await?;
                Err(openai_verdict(&error))
            }
            Err(error) => Err(self.attach_limited(&copy.store, &error).await),
        }
    }

    /// A server that indexes while the client waits goes on when it has left, and shows nothing before it is done. To ask it
    /// again would only give it the same work once more.
    async fn may_be_indexing(&self, copy: &Copy, unanswered_at: i64) -> Result<(), Verdict> {
        let waited = Duration::from_millis(u64::try_from(self.clock.since(unanswered_at)).unwrap_or(0));
        if waited < self.settings.index_deadline() {
            return Err(later(
                LOOK_LIMITS.1,
                "the vector store has not answered and may still be working on it",
            ));
        }
        if copy.attaches < ATTACHES_WHEN_STUCK {
            return Ok(());
        }
        self.record([Change::State(copy.id, CopyState::Uploaded), Change::AttachesAnew(copy.id)]).await?;
        let reason =
            format!("the vector store did not answer to {} attaches, each waited for long", copy.attaches);
        Err(Verdict::Dead { reason })
    }

    /// The attachment that an earlier try made without our hearing of it.
    async fn attached_before(&self, copy: &Copy, file_id: &FileId) -> Result<Option<StoreFile>, Verdict> {
        if copy.attaches == 0 {
            return Ok(None);
        }
        let Some(found) = openai_has(self.openai.store_file(&copy.store, file_id).await)? else {
            return Ok(None);
        };
        match found.file.status {
            IndexStatus::Completed | IndexStatus::InProgress => Ok(Some(found.file)),
            _ => {
                self.detach(copy, file_id).await?;
                Ok(None)
            }
        }
    }

    /// The store takes no more: the copy belongs into another one of the rule's. The other parts of a text follow it.
    async fn store_full(&self, subject: &Subject<'_>, copy: &Copy) -> Result<Progress, Verdict> {
        let parts = copy.segment.and_then(|segment| segment.count).map_or(1, u64::from);
        self.stores.refused(&copy.store, parts).await?;
        let Some(rule) = self.rule_of(subject, copy).await? else { return Ok(Progress::Moved) };
        // Should an earlier try have been carried out unseen, it is this copy that has the last place.
        if let Some(file_id) = copy.file_id.as_ref().filter(|_| copy.attaches > 0) {
            self.detach(copy, file_id).await?;
        }
        let to = self.stores.room(rule, parts).await?;
        tracing::info!(vector_store = %copy.store, next = %to, "a vector store takes no more; a copy goes into another one");
        self.record([Change::Moved(copy.id, to)]).await
    }

    /// The rule that has the copy's file in the copy's store.
    async fn rule_of(&self, subject: &Subject<'_>, copy: &Copy) -> Result<Option<&Rule>, Verdict> {
        let Some((present, _)) = subject.present else { return Ok(None) };
        for rule in self.rules.covering(&subject.key.profile, &present.path) {
            if self.stores.resolve(rule).await?.chain.has(&copy.store) {
                return Ok(Some(rule));
            }
        }
        Ok(None)
    }

    /// Takes a part of a text out of its store, because the others are in another one.
    async fn move_to(&self, copy: &Copy, store: &VectorStoreId) -> Result<Progress, Verdict> {
        let Some(file_id) = &copy.file_id else { return self.forget(copy.id).await };
        if copy.attaches > 0 {
            self.detach(copy, file_id).await?;
        }
        self.record([Change::Moved(copy.id, store.clone())]).await
    }

    /// The store or the File object does not exist, or not yet.
    async fn attach_lost(&self, copy: &Copy, file_id: &FileId) -> Result<Progress, Verdict> {
        self.stores.check(&copy.store).await?;
        if self.age(copy) < FRESH {
            return Err(later(LOOK_AGAIN, "OpenAI does not know the new file yet"));
        }
        if openai_has(self.openai.file(file_id).await)?.is_some()
            || there(self.openai.lists_file(file_id).await)?
        {
            let reason =
                format!("OpenAI has file {file_id} and store {}, and will not join them", copy.store);
            return Err(Verdict::Retry { after: None, reason });
        }
        tracing::warn!(file_id = %file_id, "a File object of ours was deleted at OpenAI; uploading the file again");
        self.forget(copy.id).await
    }

    /// The runs of the rules that cover the file and have the copy's store among theirs. A run that was there for this content
    /// already makes nothing new, so asking once too often costs a look.
    pub(super) async fn runs_over(&self, subject: &Subject<'_>, copy: &Copy) -> Result<Vec<Task>, Verdict> {
        let mut runs = Vec::new();
        let Some((present, _)) = subject.present else { return Ok(runs) };
        for rule in self.rules.running(&subject.key.profile, &present.path) {
            if self.stores.resolve(rule).await?.chain.has(&copy.store) {
                runs.push(Task::run(subject.key.clone(), &rule.name));
            }
        }
        Ok(runs)
    }

    async fn relabel(
        &self,
        subject: &Subject<'_>,
        copy: &Copy,
        attributes: &Attributes,
    ) -> Result<Progress, Verdict> {
        let Some(file_id) = &copy.file_id else { return self.forget(copy.id).await };
        let Some((present, _)) = subject.present else { return Ok(Progress::Moved) };
        let began_at = self.clock.now();
        let Some(there) = openai_has(self.openai.relabel(&copy.store, file_id, attributes).await)? else {
            return self.index_lost(copy).await;
        };
        let mut shown = there.attributes;
        if shown == *attributes && copy.attributes.as_ref().is_some_and(|known| is_worn(known, attributes)) {
            // Sent before, perhaps, and not kept: what the store has of it, only a look tells.
            let looked = openai_has(self.openai.store_file(&copy.store, file_id).await)?;
            shown = looked.map_or(shown, |polled| polled.file.attributes);
        }
        // It may have been moved to where a rule runs something over it.
        let runs = self.runs_over(subject, copy).await?;
        trail::done(What::Relabelled, (began_at, self.clock.now()), format!("in {}", copy.store));
        let is_run_over = !runs.is_empty();
        let told = Told::new(attributes, shown);
        let relabelled = Change::Relabelled(copy.id, told, present.source.clone());
        let runs = Jobs { tasks: runs, priority: Priority::Live };
        let moved = self.record([relabelled, Change::Jobs(runs)]).await?;
        self.meters.upload_avoided("relabelled");
        if is_run_over {
            self.wake.notify_waiters();
        }
        Ok(moved)
    }

    /// Writes down that OpenAI cannot hold this content, and begins to clear away what it has of it.
    pub(super) async fn refuse(
        &self,
        subject: &Subject<'_>,
        copy: &Copy,
        reason: &str,
    ) -> Result<Progress, Verdict> {
        let claimed = subject.present.map(|(_, claim)| claim.key());
        let claim = copy.claim.clone().or(claimed).unwrap_or_default();
        let content = store::fingerprint(&copy.source, &claim);
        self.skips(reason);
        self.record([
            Change::State(copy.id, CopyState::Retiring),
            Change::Refused(subject.key.clone(), content, reason.to_owned()),
            self.looks(subject),
        ])
        .await?;
        self.wake.notify_waiters();
        Ok(Progress::Refused)
    }

    /// The looks at what was found out about the file before: it is not about what the file is now, and nothing else says so when that is
    /// never indexed. And another look at the file where Fastio's text of it may take its place.
    pub(super) fn looks(&self, subject: &Subject<'_>) -> Change {
        let path = subject.present.map(|(present, _)| present.path.as_str());
        let rules = path.into_iter().flat_map(|path| self.rules.running(&subject.key.profile, path));
        let looks = rules.map(|rule| Task::run(subject.key.clone(), &rule.name));
        let extract = extract_of(subject);
        let FileKey { profile, node } = subject.key.clone();
        let again = extract.map(|_| Task::File { profile, node });
        Change::Jobs(Jobs { tasks: looks.chain(again).collect(), priority: Priority::Live })
    }

    /// The file does not go to OpenAI, for this reason.
    pub(super) fn skips(&self, reason: &str) {
        let now = self.clock.now();
        trail::done(What::Skipped, (now, now), reason);
    }

    pub(super) fn age(&self, copy: &Copy) -> Duration {
        Duration::from_millis(u64::try_from(self.clock.since(copy.since)).unwrap_or(0))
    }

    pub(super) async fn set_state(&self, copy: CopyId, state: CopyState) -> Result<Progress, Verdict> {
        self.record([Change::State(copy, state)]).await
    }

    pub(super) async fn forget(&self, copy: CopyId) -> Result<Progress, Verdict> {
        self.record([Change::Forgotten(copy)]).await
    }

    /// Writes down what OpenAI would say again, unsynced where that is possible: should the power fail, it is asked once more.
    pub(super) async fn note(&self, changes: impl Into<Vec<Change>>) -> Result<Progress, Verdict> {
        let (changes, now) = (changes.into(), self.clock.now());
        let noted = move |tx: &mut Connection| changes.iter().try_for_each(|change| change.write(tx, now));
        let noted = self.database.write_unsynced(noted).await;
        noted.map_err(|error| database_verdict(&error))?;
        Ok(Progress::Moved)
    }

    /// Writes `changes` down, all or none.
    pub(super) async fn record(&self, changes: impl Into<Vec<Change>>) -> Result<Progress, Verdict> {
        let (changes, now) = (changes.into(), self.clock.now());
        let written =
            self.database.write(move |tx| changes.iter().try_for_each(|change| change.write(tx, now)));
        written.await.map_err(|error| database_verdict(&error))?;
        Ok(Progress::Moved)
    }
}

/// Whether `known` is what some server may have made of `wanted`: some are missing, or of another kind, and none says
/// anything else.
fn is_worn(known: &Attributes, wanted: &Attributes) -> bool {
    let kept = |name: &String, value: &AttributeValue| match (known.get(name), value) {
        (Some(AttributeValue::Text(known)), AttributeValue::Text(wanted)) => known == wanted,
        _ => true,
    };
    known != wanted && wanted.iter().all(|(name, value)| kept(name, value))
}

/// Says what became of a copy. `took` is how long it was in its last state.
pub(super) fn tell(path: Option<&str>, copy: &Copy, took: Duration, what: &'static str) {
    tracing::info!(
        path,
        bytes = copy.bytes,
        version = copy.source.version.as_ref().map(tracing::field::display),
        file_id = copy.file_id.as_ref().map(tracing::field::display),
        vector_store = %copy.store,
        duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "{what}"
    );
}

pub(super) fn later(after: Duration, reason: &str) -> Verdict {
    Verdict::Later { after, reason: reason.to_owned() }
}
