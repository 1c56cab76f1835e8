//! Applies one step of a plan. What is about to be done is on record before it is tried, what was done right after; so
//! each step can be done again when it is found half done.

use std::time::{Duration, Instant};

use super::Sync;
use super::copy::{Copy, CopyId, CopyState};
use super::form::Claim;
use super::look::Present;
use super::plan::Step;
use super::retire::there;
use super::store::{self, Change, Jobs, Told};
use super::survey::{self, Called};
use crate::database::Connection;
use crate::fastio::{FileKey, Hash};
use crate::job::Task;
use crate::job::verdict::{database_verdict, is_final, openai_has, openai_verdict};
use crate::openai::{
    AttributeValue, Attributes, ErrorKind, File, FileId, IndexStatus, StoreFile, is_about_content,
};
use crate::queue::{Priority, Verdict};

/// How long after a File object was made, or attached, OpenAI may still say that it does not exist. Seen in the issue
/// trackers of two of its clients; nothing documents it.
const FRESH: Duration = Duration::from_secs(60);

/// How long a worker waits for the index before it takes another job. Small files are done within this.
const IN_HAND: Duration = Duration::from_secs(3);

/// Between looks at the index, when OpenAI does not say. Its own client looks each second.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The least and the most between two looks.
const LOOK_LIMITS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(15));

/// Looks get rarer as the wait gets longer: the next comes after this part of the time waited so far.
const LOOK_PART: u32 = 4;

/// How often a file is attached before its store is given up. Once more after it hung, twice after an error of the
/// index, which has come in outages of minutes.
const ATTACHES_WHEN_STUCK: u16 = 2;
const ATTACHES_WHEN_FAILED: u16 = 3;

/// An attach that ended without an answer after so long was being worked on: OpenAI answers at once.
const LONG_ATTACH: Duration = Duration::from_secs(10);

/// How far OpenAI's clock may be from ours when we look for a File object by its time.
const CLOCKS_APART: Duration = Duration::from_secs(120);

/// Pages of File objects that are searched for one whose upload was not answered. They come newest first and end at
/// its time, so this is reached only by a project that adds files by the hundred thousand in minutes.
const PAGES: usize = 50;

/// The file that a step is about. `present` is `None` when nothing of it should remain.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub key: &'a FileKey,
    pub present: Option<(&'a Present, &'a Claim)>,
    /// A copy whose upload has just ended, and whose first try at attaching is on record already.
    pub uploaded: Option<CopyId>,
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
            Step::Settle(id) => self.settle(find(*id)).await,
            Step::Upload(place) => self.upload(subject, place).await,
            Step::Attach(id, attributes) => self.attach(subject, find(*id), attributes).await,
            Step::Await(id) => self.await_index(subject, find(*id)).await,
            Step::Relabel(id, attributes) => self.relabel(subject, find(*id), attributes).await,
            Step::Retire(id) => self.retire(subject, find(*id)).await,
        }
    }

    /// Finds out what an upload made whose end was not recorded.
    async fn settle(&self, copy: &Copy) -> Result<Progress, Verdict> {
        // The last piece of a body goes out only after the hash is on record.
        if copy.content_hash.is_none() {
            return self.forget(copy.id).await;
        }
        let mut found = self.find_uploads(copy).await?;
        match (found.pop(), found.is_empty()) {
            // It may land yet. What would prove that it is ours then is kept for the sweeps.
            (None, _) => self.record([Change::Lost(copy.id)]).await,
            (Some(file_id), true) => {
                tracing::info!(file_id = %file_id, "adopted a File object whose upload was not answered");
                self.record([Change::Uploaded(copy.id, file_id)]).await
            }
            (Some(_), false) => Err(Verdict::Dead {
                reason: format!(
                    "several File objects named {} with {} bytes appeared at OpenAI while an upload was not answered; \
                     delete those that are not needed, then retry this job",
                    copy.filename, copy.bytes
                ),
            }),
        }
    }

    /// File objects that the upload of `copy` may have made: its name, its size, not older than it, not ours yet.
    async fn find_uploads(&self, copy: &Copy) -> Result<Vec<FileId>, Verdict> {
        // A clock that was set back meanwhile was ahead when the upload was written down, or is behind now.
        let apart =
            i64::try_from(CLOCKS_APART.as_secs()).expect("two minutes fit") + self.clock.ahead() / 1000;
        let earliest = copy.since / 1000 - apart;
        let mut found = Vec::new();
        let (mut others, mut renames) = (Vec::new(), false);
        let mut after: Option<FileId> = None;
        for _ in 0..PAGES {
            let page = self.openai.files(after.as_ref()).await.map_err(|error| openai_verdict(&error))?;
            let recent = |created_at: Option<i64>| created_at.is_none_or(|at| at >= earliest);
            let of_size = |file: &&File| recent(file.created_at) && file.bytes == Some(copy.bytes);
            for file in page.items.iter().filter(of_size) {
                if self.is_ours(&file.id).await? {
                    continue;
                }
                match Called::of(&file.filename, &copy.filename) {
                    Called::AsSent => found.push(file.id.clone()),
                    called => others.push((file.id.clone(), called)),
                }
            }
            renames = renames || (found.is_empty() && self.renames(&page.items).await?);
            let older = page.items.last().is_some_and(|file| !recent(file.created_at));
            match page.next {
                Some(next) if !older => after = Some(next),
                _ if found.is_empty() => {
                    let fits = others.into_iter().filter(|(_, called)| renames || *called == Called::Alike);
                    return Ok(fits.map(|(file_id, _)| file_id).collect());
                }
                _ => return Ok(found),
            }
        }
        Err(Verdict::Retry {
            after: None,
            reason: "too many new files at OpenAI to find one among them".to_owned(),
        })
    }

    /// Whether the server keeps files of ours under other names than they were sent with.
    async fn renames(&self, files: &[File]) -> Result<bool, Verdict> {
        let names = files.iter().map(|file| (file.id.0.clone(), file.filename.clone())).collect();
        let read = self.database.read(move |c| survey::store::any_renamed(c, &names));
        read.await.map_err(|error| database_verdict(&error))
    }

    async fn attach(
        &self,
        subject: &Subject<'_>,
        copy: &Copy,
        attributes: &Attributes,
    ) -> Result<Progress, Verdict> {
        let Some(file_id) = &copy.file_id else { return self.forget(copy.id).await };
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
        match self.openai.attach_within(limit, (&copy.store, file_id), attributes).await {
            Ok(there) => {
                self.note([Change::Attached(copy.id, Told::new(attributes, there.attributes))]).await
            }
            Err(error) if error.may_have_happened() && begun.elapsed() >= limit.min(LONG_ATTACH) => {
                self.record([Change::Unanswered(copy.id)]).await?;
                Err(later(LOOK_LIMITS.1, "the vector store has not answered and may still be working on it"))
            }
            Err(error) if error.is_not_found() => self.attach_lost(copy, file_id).await,
            Err(error) if is_final(&error) => self.refuse(subject, copy, &error.to_string()).await,
            Err(error) if matches!(error.kind, ErrorKind::Rejected { .. }) => {
                self.stores.check(&copy.store).await?;
                Err(openai_verdict(&error))
            }
            Err(error) => Err(openai_verdict(&error)),
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

    /// Waits a little for the index, then hands the file back to the queue.
    async fn await_index(&self, subject: &Subject<'_>, copy: &Copy) -> Result<Progress, Verdict> {
        let Some(file_id) = &copy.file_id else { return self.forget(copy.id).await };
        loop {
            let Some(polled) = openai_has(self.openai.store_file(&copy.store, file_id).await)? else {
                return self.index_lost(copy).await;
            };
            match polled.file.status {
                IndexStatus::Completed => {
                    return self.indexed(subject, copy, polled.file.attributes).await;
                }
                IndexStatus::Failed | IndexStatus::Cancelled => {
                    return self.index_failed(subject, copy, &polled.file).await;
                }
                IndexStatus::InProgress | IndexStatus::Unknown(_) => {}
            }
            let waited = self.age(copy);
            if waited >= self.settings.index_deadline() {
                return self.index_stuck(copy, file_id).await;
            }
            let asked = polled.poll_after.unwrap_or(LOOK_AGAIN);
            let pause = asked.max(waited / LOOK_PART).clamp(LOOK_LIMITS.0, LOOK_LIMITS.1);
            if waited + pause > IN_HAND {
                return Err(later(pause, "OpenAI is indexing it"));
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// It can be found. What runs over it is asked for in the same transaction.
    async fn indexed(
        &self,
        subject: &Subject<'_>,
        copy: &Copy,
        shown: Attributes,
    ) -> Result<Progress, Verdict> {
        let runs = Jobs { tasks: self.runs_over(subject, copy).await?, priority: Priority::Live };
        let FileKey { profile, node } = subject.key.clone();
        // Of a text it is known. It waits for all that is to be searchable, and costs that no time.
        let look = copy.reading.is_none().then_some(Task::Reading { profile, node });
        let look = Jobs { tasks: look.into_iter().collect(), priority: Priority::Backfill };
        let given = (copy.attributes.as_ref() != Some(&shown)).then_some(shown);
        let (indexed, given) = (Change::State(copy.id, CopyState::Indexed), Change::Given(copy.id, given));
        self.note([indexed, given, Change::Jobs(runs), Change::Jobs(look)]).await?;
        tell(subject.present.map(|(present, _)| present.path.as_str()), copy, self.age(copy), "copy indexed");
        self.wake.notify_waiters();
        Ok(Progress::Moved)
    }

    /// The runs of the rules that cover the file and fill the copy's store. A run that was there for this content
    /// already makes nothing new, so asking once too often costs a look.
    async fn runs_over(&self, subject: &Subject<'_>, copy: &Copy) -> Result<Vec<Task>, Verdict> {
        let mut runs = Vec::new();
        let Some((present, _)) = subject.present else { return Ok(runs) };
        let FileKey { profile, node } = subject.key;
        for rule in self.rules.running(profile, &present.path) {
            if self.stores.resolve(&rule.target).await? == copy.store {
                let (profile, node) = (profile.clone(), node.clone());
                runs.push(Task::Run { profile, node, rule: rule.name.clone() });
            }
        }
        Ok(runs)
    }

    /// The store does not have it, or not yet.
    async fn index_lost(&self, copy: &Copy) -> Result<Progress, Verdict> {
        if self.age(copy) < FRESH {
            return Err(later(LOOK_AGAIN, "the vector store does not show the new file yet"));
        }
        self.stores.check(&copy.store).await?;
        tracing::warn!(vector_store = %copy.store, "a file of ours was detached at OpenAI; attaching it again");
        self.set_state(copy.id, CopyState::Uploaded).await
    }

    async fn index_failed(
        &self,
        subject: &Subject<'_>,
        copy: &Copy,
        found: &StoreFile,
    ) -> Result<Progress, Verdict> {
        let (code, message) = match &found.last_error {
            Some(error) => (error.code.as_str(), error.message.as_str()),
            None => ("", "OpenAI does not say why"),
        };
        let reason = format!("OpenAI could not index it: {message}");
        if is_about_content(code) {
            return self.refuse(subject, copy, &reason).await;
        }
        self.attach_again(copy, &found.id, (ATTACHES_WHEN_FAILED, reason)).await
    }

    async fn index_stuck(&self, copy: &Copy, file_id: &FileId) -> Result<Progress, Verdict> {
        let reason = format!(
            "OpenAI was still indexing it after {} s, each time of {}",
            self.settings.index_deadline_seconds,
            copy.attaches.max(1)
        );
        self.attach_again(copy, file_id, (ATTACHES_WHEN_STUCK, reason)).await
    }

    /// Detaches, to attach once more; gives up after `most` times, in a state from which a person's retry starts afresh.
    async fn attach_again(
        &self,
        copy: &Copy,
        file_id: &FileId,
        (most, reason): (u16, String),
    ) -> Result<Progress, Verdict> {
        self.detach(copy, file_id).await?;
        let unattached = Change::State(copy.id, CopyState::Uploaded);
        if copy.attaches < most {
            return self.record([unattached]).await;
        }
        self.record([unattached, Change::AttachesAnew(copy.id)]).await?;
        Err(Verdict::Dead { reason })
    }

    async fn relabel(
        &self,
        subject: &Subject<'_>,
        copy: &Copy,
        attributes: &Attributes,
    ) -> Result<Progress, Verdict> {
        let Some(file_id) = &copy.file_id else { return self.forget(copy.id).await };
        let Some((present, _)) = subject.present else { return Ok(Progress::Moved) };
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
        let is_run_over = !runs.is_empty();
        let told = Told::new(attributes, shown);
        let relabelled = Change::Relabelled(copy.id, told, present.source.clone());
        let runs = Jobs { tasks: runs, priority: Priority::Live };
        let moved = self.record([relabelled, Change::Jobs(runs)]).await?;
        if is_run_over {
            self.wake.notify_waiters();
        }
        Ok(moved)
    }

    /// Writes down that OpenAI cannot hold this content, and begins to clear away what it has of it.
    async fn refuse(&self, subject: &Subject<'_>, copy: &Copy, reason: &str) -> Result<Progress, Verdict> {
        let claimed = subject.present.map(|(_, claim)| claim.key());
        let claim = copy.claim.clone().or(claimed).unwrap_or_default();
        let content = store::fingerprint(&copy.source, &claim);
        self.record([
            Change::State(copy.id, CopyState::Retiring),
            Change::Refused(subject.key.clone(), content, reason.to_owned()),
        ])
        .await?;
        Ok(Progress::Refused)
    }

    pub(super) fn age(&self, copy: &Copy) -> Duration {
        Duration::from_millis(u64::try_from(self.clock.since(copy.since)).unwrap_or(0))
    }

    async fn is_ours(&self, file_id: &FileId) -> Result<bool, Verdict> {
        let file_id = file_id.clone();
        let read = self.database.read(move |c| store::is_ours(c, &file_id));
        read.await.map_err(|error| database_verdict(&error))
    }

    /// Where the file was when it was last seen.
    pub(super) async fn path(&self, key: &FileKey) -> Result<Option<String>, Verdict> {
        let key = key.to_string();
        let read = self.database.read(move |c| store::path(c, &key));
        read.await.map_err(|error| database_verdict(&error))
    }

    pub(super) async fn set_state(&self, copy: CopyId, state: CopyState) -> Result<Progress, Verdict> {
        self.record([Change::State(copy, state)]).await
    }

    pub(super) async fn forget(&self, copy: CopyId) -> Result<Progress, Verdict> {
        self.record([Change::Forgotten(copy)]).await
    }

    /// Writes down what OpenAI would say again, without waiting for the disk: should the power fail, it is asked once more.
    async fn note<const N: usize>(&self, changes: [Change; N]) -> Result<Progress, Verdict> {
        let now = self.clock.now();
        let noted = move |tx: &mut Connection| changes.iter().try_for_each(|change| change.write(tx, now));
        let noted = self.database.write_unsynced(noted).await;
        noted.map_err(|error| database_verdict(&error))?;
        Ok(Progress::Moved)
    }

    /// Writes `changes` down, all or none.
    pub(super) async fn record<const N: usize>(&self, changes: [Change; N]) -> Result<Progress, Verdict> {
        let now = self.clock.now();
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
