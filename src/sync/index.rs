//! The wait for a vector store to index a file, and what follows from how that ends.

use std::time::Duration;

use super::Sync;
use super::apply::{ATTACHES_WHEN_STUCK, FRESH, LOOK_AGAIN, LOOK_LIMITS, Progress, Subject, later, tell};
use super::copy::{Copy, CopyState};
use super::store::{Change, Jobs, Told};
use crate::fastio::FileKey;
use crate::job::Task;
use crate::job::verdict::openai_has;
use crate::openai::{FileId, IndexStatus, Polled, StoreFile, is_about_content};
use crate::queue::trail::{self, What};
use crate::queue::{Priority, Verdict};

/// How long a worker waits for the index before it takes another job. Small files are done within this.
const IN_HAND: Duration = Duration::from_secs(3);

/// Looks get rarer as the wait gets longer: the next comes after this part of the time waited so far.
const LOOK_PART: u32 = 4;

/// Why a file waits that was attached.
pub const INDEXING: &str = "OpenAI is indexing it";

const ATTACHES_WHEN_FAILED: u16 = 3;

impl Sync {
    /// Waits a little for the index, then hands the file back to the queue.
    pub(super) async fn await_index(&self, subject: &Subject<'_>, copy: &Copy) -> Result<Progress, Verdict> {
        let Some(file_id) = &copy.file_id else { return self.forget(copy.id).await };
        let mut seen = self.together.take_seen(file_id);
        if seen.is_none() {
            self.is_looked_at(copy)?;
        }
        loop {
            let polled = match seen.take() {
                Some(file) => Some(Polled { file, poll_after: None }),
                None => openai_has(self.openai.store_file(&copy.store, file_id).await)?,
            };
            let Some(polled) = polled else {
                return self.index_lost(copy).await;
            };
            match polled.file.status {
                IndexStatus::Completed => {
                    return self.indexed(subject, copy, polled.file).await;
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
                return Err(later(pause, INDEXING));
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether a part of an earlier version is found. If it is not, that version is not whole, so none of it is worth keeping.
    pub(super) async fn look_for_part(
        &self,
        subject: &Subject<'_>,
        copy: &Copy,
    ) -> Result<Progress, Verdict> {
        let Some(file_id) = &copy.file_id else { return self.forget(copy.id).await };
        match openai_has(self.openai.store_file(&copy.store, file_id).await)? {
            Some(polled) if polled.file.status == IndexStatus::Completed => {
                self.indexed(subject, copy, polled.file).await
            }
            None if copy.state == CopyState::Attached && self.age(copy) < FRESH => {
                self.index_lost(copy).await
            }
            _ => self.set_state(copy.id, CopyState::Retiring).await,
        }
    }

    /// It can be found. What runs over it is asked for in the same transaction.
    async fn indexed(
        &self,
        subject: &Subject<'_>,
        copy: &Copy,
        StoreFile { attributes: shown, usage_bytes, .. }: StoreFile,
    ) -> Result<Progress, Verdict> {
        let runs = Jobs { tasks: self.runs_over(subject, copy).await?, priority: Priority::Live };
        let FileKey { profile, node } = subject.key.clone();
        // Of a text it is known. It waits for all that is to be searchable, and costs that no time.
        let look = copy.reading.is_none().then_some(Task::Reading { profile, node });
        let look = Jobs { tasks: look.into_iter().collect(), priority: Priority::Backfill };
        let told = match &copy.attributes {
            Some(attributes) => Told::by_any_of(copy.attaches, attributes, shown),
            None => Told { attributes: shown, given: None },
        };
        let (indexed, shown) = (Change::State(copy.id, CopyState::Indexed), Change::Shown(copy.id, told));
        let mut changes = vec![indexed, shown, Change::Jobs(runs), Change::Jobs(look)];
        changes.extend(usage_bytes.map(|usage| Change::Keeps(copy.id, usage)));
        self.note(changes).await?;
        trail::done(What::Indexed, (copy.since, self.clock.now()), format!("in {}", copy.store));
        tell(subject.present.map(|(present, _)| present.path.as_str()), copy, self.age(copy), "copy indexed");
        self.wake.notify_waiters();
        Ok(Progress::Moved)
    }

    /// The store does not have it, or not yet.
    pub(super) async fn index_lost(&self, copy: &Copy) -> Result<Progress, Verdict> {
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
}
