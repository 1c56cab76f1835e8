//! Takes a copy away: detached, deleted, looked for, and only then forgotten.

use std::time::Duration;

use super::Sync;
use super::apply::{LOOK_AGAIN, Progress, Subject, later, tell};
use super::copy::{Copy, CopyState};
use super::store::{self, Change};
use crate::job::verdict::{openai_has, openai_verdict};
use crate::openai::{self, Deletion, FileId, Listed, VectorStoreId};
use crate::queue::Verdict;
use crate::queue::trail::{self, What};

/// How long something that was deleted may still be shown. OpenAI's guide: removal is eventually consistent.
const FORGETS_WITHIN: Duration = Duration::from_secs(15 * 60);

impl Sync {
    /// Detach, then delete, then verify. OpenAI documents that deleting a File object detaches it everywhere, and was
    /// seen to go on listing it; the other order is the one that works.
    pub(super) async fn retire(
        &self,
        subject: &Subject<'_>,
        copy: &Copy,
        copies: &[Copy],
    ) -> Result<Progress, Verdict> {
        let Some(file_id) = &copy.file_id else { return self.forget(copy.id).await };
        if copy.state != CopyState::Retiring {
            let (known, now) = (copy.clone(), self.clock.now());
            if !self.database.write(move |tx| store::retire(tx, &known, now)).await? {
                return Ok(Progress::Moved);
            }
        }
        let began_at = self.clock.now();
        let detached = self.detach(copy, file_id).await?;
        let deleted = said(self.openai.delete_file(file_id).await)?;
        let shown = openai_has(self.openai.store_file(&copy.store, file_id).await)?.is_some()
            || openai_has(self.openai.file(file_id).await)?.is_some()
            || self.lists(copy, file_id, (detached, deleted)).await?;
        if !shown {
            let forgotten = self.forget(copy.id).await?;
            let key = subject.key.to_string();
            let row = self.database.read(move |c| store::file(c, &key)).await?;
            let path = row.as_ref().map(|row| row.path.clone());
            let mut others = copies.iter().filter(|other| other.id != copy.id && other.store == copy.store);
            let (what, step) = match others.any(|other| other.state != CopyState::Retiring) {
                true => ("copy replaced by a newer one", What::Replaced),
                false => ("copy removed", What::Removed),
            };
            let version = copy.source.version.as_ref().map(|version| format!("version {version} "));
            let left = row.and_then(|row| row.out_reason).filter(|_| step == What::Removed);
            let left = left.map(|reason| format!(", because {reason}")).unwrap_or_default();
            let note = format!("{}in {}{left}", version.unwrap_or_default(), copy.store);
            trail::done(step, (began_at, self.clock.now()), note);
            tell(path.as_deref(), copy, self.age(copy), what);
            return Ok(forgotten);
        }
        // Not from when it was to go: OpenAI may have been away since.
        if copy.deleted_at.is_none() {
            self.note([Change::Deleted(copy.id)]).await?;
        }
        let shown_for = copy.deleted_at.map_or(0, |at| self.clock.since(at));
        if Duration::from_millis(shown_for.unsigned_abs()) >= FORGETS_WITHIN {
            return Err(Verdict::Dead {
                reason: format!(
                    "OpenAI still shows file {file_id} a quarter of an hour after it was deleted"
                ),
            });
        }
        Err(later(LOOK_AGAIN, "OpenAI still shows what was deleted"))
    }

    /// Whether OpenAI lists what it did not say that it deleted. A copy is forgotten for good, so "not found" alone is no
    /// reason: whatever stands between us and OpenAI may say so of everything. It costs a whole list, where an answer was
    /// lost or others removed it first.
    async fn lists(
        &self,
        copy: &Copy,
        file_id: &FileId,
        (detached, deleted): (Deletion, Deletion),
    ) -> Result<bool, Verdict> {
        let was_attached = copy.attaches > 0;
        let listed =
            was_attached && detached == Deletion::Unsaid && self.store_lists(&copy.store, file_id).await?;
        Ok(listed || (deleted == Deletion::Unsaid && there(self.openai.lists_file(file_id).await)?))
    }

    async fn store_lists(&self, store: &VectorStoreId, file_id: &FileId) -> Result<bool, Verdict> {
        match self.openai.lists_store_file(store, file_id).await {
            // The store itself is gone, if it is.
            Err(error) if error.is_not_found() => there(self.openai.lists_store(store).await),
            listed => there(listed),
        }
    }

    /// Takes the copy out of its store, if it is there.
    pub(super) async fn detach(&self, copy: &Copy, file_id: &FileId) -> Result<Deletion, Verdict> {
        said(self.openai.detach(&copy.store, file_id).await)
    }
}

/// How a deletion was answered; that there was no such thing is no word of OpenAI's that it deleted it.
fn said(deletion: Result<Deletion, openai::Error>) -> Result<Deletion, Verdict> {
    Ok(openai_has(deletion)?.unwrap_or(Deletion::Unsaid))
}

/// What a list says of an entry, where it can be read.
pub(super) fn there(listed: Result<Listed, openai::Error>) -> Result<bool, Verdict> {
    match listed.map_err(|error| openai_verdict(&error))? {
        Listed::There => Ok(true),
        Listed::NotThere => Ok(false),
        Listed::Unreadable => {
            let reason =
                "an entry of OpenAI's list cannot be read, and may be the one that is looked for".to_owned();
            Err(Verdict::Retry { after: None, reason })
        }
    }
}
