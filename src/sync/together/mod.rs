//! Copies that are attached together: when many wait for one vector store, its job takes all of them with one request, each with
//! its own attributes, and asks once what became of them. When few do, each file's own job attaches its copy at once.
//!
//! ```text
//!   a file's job: uploaded ──many are on their way──▶ it waits (`awaits`), and the store's job is asked for
//!   the store's job: a try is on record for each ─▶ one request ─▶ attached (`batch`) ─▶ one list ─▶ the files' jobs go on
//! ```
//!
//! That a copy waits proves nothing and claims nothing. Whatever goes wrong with the request, each of its files goes on alone: a try
//! is on record, so its own job looks first whether the store has it, as after any attach that was not answered. So a server may
//! die anywhere, a file that spoils the request spoils no other, and what a second attach would do need not be known. A store's
//! job that is held or dead keeps nobody: a file that has waited for long goes alone too.

mod store;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Sync;
use super::apply::{LOOK_AGAIN, later};
use super::copy::{Copy, CopyId};
use super::index::INDEXING;
use super::store::Change;
use crate::contain::lock;
use crate::database::Connection;
use crate::fastio::FileKey;
use crate::govern::Limit;
use crate::job::verdict::{OPENAI, call_cause, database_verdict, openai_has, openai_verdict};
use crate::job::{self, Task};
use crate::openai::{
    ATTACHING, Attributes, BatchId, Error, ErrorKind, FileId, IndexStatus, MOST_TOGETHER, StoreFile,
    VectorStoreId,
};
use crate::queue::{self, Priority, Verdict};

use store::Waiting;

/// How long the first of those that wait gives others to join it. A change that comes alone does not come here.
const GATHERS: Duration = Duration::from_secs(1);

/// How long a file's job leaves its copy to the store's job before it looks by itself.
const LEFT: Duration = Duration::from_secs(30);

/// How long it leaves it before it attaches alone.
const LEFT_AT_MOST: Duration = Duration::from_secs(2 * 60);

/// How long a batch is looked at as one. What takes longer to index is looked at file by file, ever more seldom.
const ONE_BY_ONE: Duration = Duration::from_secs(30);

/// Batches in one go, and lists of them.
const MOST_ROUNDS: usize = 50;

/// What lists told of files whose jobs have not come to it yet.
const MOST_SEEN: usize = 10_000;

/// What is known of batches beside the rows.
#[derive(Debug, Default)]
pub(super) struct Together {
    /// The server has no batches.
    lacks: AtomicBool,
    /// Indexed, or failed to be, by the list of its batch.
    seen: Mutex<HashMap<FileId, StoreFile>>,
}

impl Together {
    /// What a list told of this file, once.
    pub fn take_seen(&self, file: &FileId) -> Option<StoreFile> {
        lock(&self.seen).remove(file)
    }

    fn saw(&self, file: StoreFile) {
        let mut seen = lock(&self.seen);
        if seen.len() >= MOST_SEEN {
            seen.clear();
        }
        seen.insert(file.id.clone(), file);
    }
}

impl Sync {
    /// Whether copies may be attached together at all.
    pub(super) fn attaches_together(&self) -> bool {
        self.settings.attach_together_from > 0 && !self.together.lacks.load(Ordering::Relaxed)
    }

    /// Whether a copy that was just uploaded is attached with others.
    pub(super) async fn is_one_of_many(&self, store: &VectorStoreId) -> Result<bool, Verdict> {
        if !self.attaches_together() {
            return Ok(false);
        }
        let from = i64::from(self.settings.attach_together_from);
        let store = store.clone();
        let on_their_way = self.database.read(move |c| store::on_their_way(c, &store)).await;
        Ok(on_their_way.map_err(|error| database_verdict(&error))? >= from)
    }

    /// Has the copy attached with others, unless it has waited for that in vain.
    pub(super) async fn leave(&self, key: &FileKey, copy: &Copy, told: &Attributes) -> Result<(), Verdict> {
        let is_new = copy.awaits.as_ref() != Some(told);
        if copy.awaits.is_some() && self.age(copy) >= LEFT_AT_MOST {
            let id = copy.id;
            let alone = self.database.write(move |tx| store::alone(tx, id)).await;
            return alone.map_err(|error| database_verdict(&error));
        }
        let (id, told, of, now) = (copy.id, told.clone(), copy.store.clone(), self.clock.now());
        let priority = if queue::is_live() { Priority::Live } else { Priority::Backfill };
        let leave = move |tx: &mut Connection| {
            if is_new {
                store::wait(tx, id, &told)?;
            }
            let task = Task::Attach { store: of.0.clone() };
            let there = queue::presence::states(tx, &[&task.key()])?;
            if there.get(&task.key()).is_none_or(|state| state != "waiting") {
                job::enqueue(tx, &task, priority, now)?;
            }
            Ok(())
        };
        self.database.write_unsynced(leave).await.map_err(|error| database_verdict(&error))?;
        self.wake.notify_one();
        tracing::debug!(file = %key, "its copy is attached with others");
        Err(later(LEFT, "waits to be attached to its vector store together with others"))
    }

    /// Attaches what waits for a store, and sees what became of it.
    pub async fn attach_together(&self, store: &VectorStoreId) -> Verdict {
        self.try_attach_together(store).await.unwrap_or_else(|verdict| verdict)
    }

    async fn try_attach_together(&self, of: &VectorStoreId) -> Result<Verdict, Verdict> {
        for _ in 0..MOST_ROUNDS {
            let (read_of, most) = (of.clone(), MOST_TOGETHER);
            let read = self.database.read(move |c| store::waiting(c, &read_of, most)).await;
            let waiting = read.map_err(|error| database_verdict(&error))?;
            let (tried, new): (Vec<Waiting>, Vec<Waiting>) =
                waiting.into_iter().partition(|one| one.attaches > 0);
            self.each_alone(&tried).await?;
            let gathered =
                new.first().map(|first| Duration::from_millis(self.clock.since(first.since).unsigned_abs()));
            if let Some(gathered) = gathered
                && (gathered >= GATHERS || new.len() >= MOST_TOGETHER)
            {
                self.attach_these(of, new).await?;
                continue;
            }
            let left = self.look_at_batches(of).await?;
            let wait = match (gathered, left) {
                (None, false) => return Ok(Verdict::Done),
                (Some(gathered), false) => GATHERS.saturating_sub(gathered),
                (Some(gathered), true) => GATHERS.saturating_sub(gathered).min(LOOK_AGAIN),
                (None, true) => LOOK_AGAIN,
            };
            return Ok(later(
                wait.max(Duration::from_millis(1)),
                "more copies may come to be attached together",
            ));
        }
        Ok(later(Duration::ZERO, "more copies wait to be attached together"))
    }

    /// One request for as many as the limits have room for.
    async fn attach_these(&self, of: &VectorStoreId, mut these: Vec<Waiting>) -> Result<(), Verdict> {
        self.causes.pass(&call_cause(OPENAI, ATTACHING))?;
        let live = queue::is_live();
        let most = u32::try_from(these.len()).unwrap_or(u32::MAX);
        // Fewer now rather than all later.
        let room = self.governor.room(&Limit::Attached, most, live).await?.max(1);
        these.truncate(room as usize);
        let _taken = self.governor.take_to_attach(&of.0, room, live).await?;
        let tries: Vec<CopyId> = these.iter().map(|one| one.copy).collect();
        let write = move |tx: &mut Connection| {
            tries.iter().map(|copy| store::try_one(tx, *copy)).collect::<Result<Vec<_>, _>>()
        };
        let tried = self.database.write(write).await.map_err(|error| database_verdict(&error))?;
        // Since they were read a file's job may have begun to take its copy away, or have other attributes for it.
        let mut files: Vec<(FileId, Attributes)> = Vec::new();
        let mut tried = tried.into_iter();
        these.retain(|one| {
            let awaits = tried.next().flatten();
            let is_tried = awaits.is_some();
            files.extend(awaits.map(|awaits| (one.file_id.clone(), awaits)));
            is_tried
        });
        if these.is_empty() {
            return Ok(());
        }
        let copies: Vec<CopyId> = these.iter().map(|one| one.copy).collect();
        match self.openai.attach_together(of, &files).await {
            Ok(batch) => {
                let now = self.clock.now();
                let write = move |tx: &mut Connection| {
                    copies.iter().try_for_each(|copy| store::attached(tx, (*copy, &batch), now))
                };
                // Each file's job would see it in the store, should the power fail.
                let written = self.database.write_unsynced(write).await;
                written.map_err(|error| database_verdict(&error))
            }
            Err(error) => self.not_attached(of, &these, &error).await,
        }
    }

    async fn not_attached(
        &self,
        of: &VectorStoreId,
        these: &[Waiting],
        error: &Error,
    ) -> Result<(), Verdict> {
        if matches!(error.kind, ErrorKind::RateLimited { .. }) {
            // Nothing was done, so nothing was tried.
            self.untried(these).await?;
            return Err(self.attach_limited(of, error).await);
        }
        if error.lacks_the_path() {
            self.together.lacks.store(true, Ordering::Relaxed);
            tracing::info!(error = %error, "the server attaches no files together; each is attached alone");
            self.untried(these).await?;
        } else {
            tracing::warn!(vector_store = %of, files = these.len(), error = %error, "files were not attached together; each goes on alone");
        }
        self.each_alone(these).await
    }

    async fn untried(&self, these: &[Waiting]) -> Result<(), Verdict> {
        let now = self.clock.now();
        let copies: Vec<Change> = these.iter().map(|one| Change::AttachesAnew(one.copy)).collect();
        let write = move |tx: &mut Connection| copies.iter().try_for_each(|change| change.write(tx, now));
        self.database.write(write).await.map_err(|error| database_verdict(&error))
    }

    /// The jobs of these files go on by themselves.
    async fn each_alone(&self, these: &[Waiting]) -> Result<(), Verdict> {
        if these.is_empty() {
            return Ok(());
        }
        let these: Vec<(CopyId, FileKey)> =
            these.iter().filter_map(|one| Some((one.copy, one.source_id.parse().ok()?))).collect();
        let now = self.clock.now();
        let write = move |tx: &mut Connection| {
            these.iter().try_for_each(|(copy, key)| {
                store::alone(tx, *copy)?;
                go_on(tx, key, now)
            })
        };
        self.database.write(write).await.map_err(|error| database_verdict(&error))?;
        self.wake.notify_waiters();
        Ok(())
    }

    /// Looks what became of the batches of a store, and lets the jobs of those files go on that it is known of. True while it is
    /// not known of all.
    async fn look_at_batches(&self, of: &VectorStoreId) -> Result<bool, Verdict> {
        let read_of = of.clone();
        let batches = self.database.read(move |c| store::batches(c, &read_of)).await;
        let mut left = false;
        for (batch, members) in batches.map_err(|error| database_verdict(&error))? {
            let listed = openai_has(self.openai.batch_files(of, &BatchId(batch)).await)?;
            let listed = listed.map(|page| page.items).unwrap_or_default();
            let mut known = Vec::new();
            for member in members {
                let found = listed.iter().find(|file| file.id == member.file_id);
                let is_known = found.is_some_and(|file| {
                    matches!(
                        file.status,
                        IndexStatus::Completed | IndexStatus::Failed | IndexStatus::Cancelled
                    )
                });
                if is_known {
                    self.together.saw(found.expect("it is known").clone());
                }
                let waited = Duration::from_millis(self.clock.since(member.since).unsigned_abs());
                if is_known || waited >= ONE_BY_ONE {
                    known.push(member);
                } else {
                    left = true;
                }
            }
            self.each_alone(&known).await?;
        }
        Ok(left)
    }

    /// Whether the store's job looks at this copy for its file's.
    pub(super) fn is_looked_at(&self, copy: &Copy) -> Result<(), Verdict> {
        if copy.batch.is_some() && self.age(copy) < ONE_BY_ONE + LEFT {
            return Err(later(LEFT, INDEXING));
        }
        Ok(())
    }

    /// A 429 to an attach.
    pub(super) async fn attach_limited(&self, store: &VectorStoreId, error: &Error) -> Verdict {
        match error.kind {
            ErrorKind::RateLimited { wait } => {
                self.governor.refused(Limit::Attaches(store.0.clone()), wait, &error.to_string()).await
            }
            _ => openai_verdict(error),
        }
    }
}

/// The job of a file, if it has one, is due; if not, it gets one.
fn go_on(tx: &mut Connection, key: &FileKey, now: i64) -> Result<(), crate::database::Error> {
    let task = Task::File { profile: key.profile.clone(), node: key.node.clone() };
    job::enqueue(tx, &task, Priority::Backfill, now).map(drop)
}
