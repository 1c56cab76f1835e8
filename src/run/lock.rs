//! The lock on the source file: taken before the run, kept while it goes on, given back in every ending.
//!
//! Its token is on record as soon as it is known, so that whoever goes on after a crash can release it. A token that was
//! lost with a reply is recovered by acquiring once more (the lock belongs to the user of the key), or runs out.

use std::time::Duration;

use super::row::{Hold, Run};
use super::steps::later;
use super::store::{self, Change};
use super::{Runs, failed};
use crate::database::Connection;
use crate::fastio::ErrorKind;
use crate::job::verdict::fastio_verdict;
use crate::queue::Verdict;

/// How long a lock lasts without a renewal: how long a crash of ours may keep people waiting.
pub(super) const LOCK_SECONDS: u32 = 300;

/// A third of that, so that two renewals may fail.
const RENEW_AFTER_MS: i64 = LOCK_SECONDS as i64 * 1000 / 3;

/// Between tries for a lock that somebody else holds. People keep one for minutes.
const HELD_BY_OTHER: Duration = Duration::from_secs(30);

/// Between tries for a lock that another run of ours holds.
const HELD_BY_US: Duration = Duration::from_secs(5);

/// What people see of the lock's holder.
pub(super) const DEVICE: &str = "Docket";

impl Run {
    pub(super) fn is_locked(&self) -> bool {
        matches!(self.lock, Hold::Held { .. })
    }
}

impl Runs {
    /// Acquires the lock. Held by somebody else, the run waits without losing an attempt.
    pub(super) async fn lock(&self, run: &Run) -> Result<(), Verdict> {
        self.intend_lock(run).await?;
        let acquired = self.fastio.lock(&run.key.profile, &run.key.node, LOCK_SECONDS, DEVICE).await;
        match acquired {
            Ok(lock) => self.record(run.id, [Change::LockHeld(lock.token), Change::Waits(None)]).await,
            Err(error) if error.kind == ErrorKind::Locked => {
                let reason = "another user holds the lock on the file";
                self.record(run.id, [Change::LockGone, Change::Waits(Some(reason.to_owned()))]).await?;
                Err(later(HELD_BY_OTHER, reason))
            }
            Err(error) => {
                if !error.may_have_happened() {
                    self.record(run.id, [Change::LockGone]).await?;
                }
                Err(fastio_verdict(&error))
            }
        }
    }

    /// Writes down that the lock is about to be asked for, unless another run of ours has it.
    async fn intend_lock(&self, run: &Run) -> Result<(), Verdict> {
        let (key, id, now) = (run.key.clone(), run.id, self.clock.now());
        let write = move |tx: &mut Connection| {
            let taken = store::locked_by_other(tx, &key, id)?;
            if !taken {
                Change::LockAsked.write(tx, id, now)?;
            }
            Ok(taken)
        };
        if self.database.write(write).await.map_err(failed)? {
            return Err(later(HELD_BY_US, "another run over the same file holds its lock"));
        }
        Ok(())
    }

    /// Lengthens the lock when it is time to. One that is lost is taken again before something is written.
    pub(super) async fn keep_lock(&self, run: &Run) -> Result<(), Verdict> {
        let Hold::Held { token, since } = &run.lock else { return Ok(()) };
        if self.clock.now() - since < RENEW_AFTER_MS {
            return Ok(());
        }
        match self.fastio.renew_lock(&run.key.profile, &run.key.node, token).await {
            Ok(_) => self.record(run.id, [Change::LockKept]).await,
            Err(error) if matches!(error.kind, ErrorKind::Locked | ErrorKind::NotFound) => {
                tracing::warn!(run.id = run.id.0, path = run.path, "lost the lock on a file during its run");
                self.record(run.id, [Change::LockGone]).await
            }
            Err(error) => Err(fastio_verdict(&error)),
        }
    }

    /// Gives the lock back.
    pub(super) async fn unlock(&self, run: &Run) -> Result<(), Verdict> {
        let (profile, node) = (&run.key.profile, &run.key.node);
        let released = match &run.lock {
            Hold::None => return Ok(()),
            Hold::Held { token, .. } => self.fastio.unlock(profile, node, token).await,
            // Nobody knows its token: acquired once more it is ours again, if it ever was.
            Hold::Asking => match self.fastio.lock(profile, node, LOCK_SECONDS, DEVICE).await {
                Ok(lock) => {
                    self.record(run.id, [Change::LockHeld(lock.token.clone())]).await?;
                    self.fastio.unlock(profile, node, &lock.token).await
                }
                Err(error) => Err(error),
            },
        };
        match released {
            Ok(()) => {}
            // Not ours any more, or the file is gone and its lock with it.
            Err(error)
                if matches!(error.kind, ErrorKind::Locked | ErrorKind::NotFound | ErrorKind::Rejected) => {}
            Err(error) => return Err(fastio_verdict(&error)),
        }
        self.record(run.id, [Change::LockGone]).await
    }
}
