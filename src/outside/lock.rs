//! Locks on files at Fastio: taken before a run, kept while it goes on, given back in every ending.
//!
//! A token is on record as soon as it is known, so that a server that goes on after a crash can release it. A token that was
//! lost with a reply is recovered by acquiring once more (the lock belongs to the user of the key), or runs out.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::{Thing, store};
use crate::clock::Clock;
use crate::database::Database;
use crate::fastio::{Client, Error, ErrorKind, FileKey};
use crate::job::verdict::fastio_verdict;
use crate::queue::Verdict;

/// How long a lock lasts without a renewal: how long a crash of ours may keep people waiting.
pub(super) const LOCK_SECONDS: u32 = 300;

/// A third of that, so that two renewals may fail.
const RENEW_AFTER_MS: i64 = LOCK_SECONDS as i64 * 1000 / 3;

/// Between tries for a lock that another of ours holds.
const HELD_BY_US: Duration = Duration::from_secs(5);

/// What people see of the lock's holder.
const DEVICE: &str = "Docket";

/// The locks that runs hold, each known by its owner.
#[derive(Debug, Clone)]
pub struct Locks {
    pub database: Database,
    pub clock: Clock,
    pub fastio: Client,
}

impl Locks {
    /// Whether `owner` has a lock, as far as is known.
    pub async fn is_held(&self, owner: &str) -> Result<bool, Verdict> {
        Ok(self.of(owner).await?.is_some_and(|lock| lock.object.is_some()))
    }

    /// Acquires the lock on a file. False when another user holds it.
    ///
    /// # Errors
    /// What it means for the job when the lock could not be had, or one of ours has it.
    pub async fn acquire(&self, owner: &str, key: &FileKey) -> Result<bool, Verdict> {
        let (own, its, now) = (owner.to_owned(), key.clone(), self.clock.now());
        let Some(id) = self.database.write(move |tx| store::intend_lock(tx, &own, &its, now)).await? else {
            return Err(Verdict::later(HELD_BY_US, "another run over the same file holds its lock"));
        };
        match lock(&self.fastio, key).await {
            Ok(token) => {
                let now = self.clock.now();
                self.database.write(move |tx| store::exists(tx, id, token.expose_secret(), now)).await?;
                Ok(true)
            }
            Err(error) => {
                let is_anothers = error.kind == ErrorKind::Locked;
                if is_anothers || !error.may_have_happened() {
                    self.database.write(move |tx| store::forget(tx, id)).await?;
                }
                if is_anothers { Ok(false) } else { Err(fastio_verdict(&error)) }
            }
        }
    }

    /// Lengthens the lock of `owner`, if it has one, when it is time to. One that is lost is forgotten, to be taken again before
    /// something is written.
    pub async fn keep(&self, owner: &str, key: &FileKey) -> Result<(), Verdict> {
        let Some(Thing { id, since, object: Some(token), .. }) = self.of(owner).await? else { return Ok(()) };
        let now = self.clock.now();
        if now - since < RENEW_AFTER_MS {
            return Ok(());
        }
        match self.fastio.renew_lock(&key.profile, &key.node, &SecretString::from(token)).await {
            Ok(_) => self.database.write(move |tx| store::keep(tx, id, now)).await.map_err(Verdict::from),
            Err(error) if matches!(error.kind, ErrorKind::Locked | ErrorKind::NotFound) => {
                tracing::warn!(owner, file = %key, "lost the lock on a file during its run");
                self.database.write(move |tx| store::forget(tx, id)).await.map_err(Verdict::from)
            }
            Err(error) => Err(fastio_verdict(&error)),
        }
    }

    /// Gives the lock of `owner` back, if it has one.
    pub async fn release(&self, owner: &str, key: &FileKey) -> Result<(), Verdict> {
        let Some(lock) = self.of(owner).await? else { return Ok(()) };
        give_back(&self.fastio, key, lock.object).await?;
        self.database.write(move |tx| store::forget(tx, lock.id)).await.map_err(Verdict::from)
    }

    async fn of(&self, owner: &str) -> Result<Option<Thing>, Verdict> {
        let owner = owner.to_owned();
        self.database.read(move |connection| store::lock_of(connection, &owner)).await.map_err(Verdict::from)
    }
}

async fn lock(fastio: &Client, key: &FileKey) -> Result<SecretString, Error> {
    Ok(fastio.lock(&key.profile, &key.node, LOCK_SECONDS, DEVICE).await?.token)
}

/// Releases the lock on a file. One whose token is not known is acquired once more first: then it is ours again, if it ever
/// was. One that is not ours any more, or went with its file, is released.
pub(super) async fn give_back(fastio: &Client, key: &FileKey, token: Option<String>) -> Result<(), Verdict> {
    let token = match token {
        Some(token) => Ok(SecretString::from(token)),
        None => lock(fastio, key).await,
    };
    let released = match token {
        Ok(token) => fastio.unlock(&key.profile, &key.node, &token).await,
        Err(error) => Err(error),
    };
    match released {
        Err(error)
            if !matches!(error.kind, ErrorKind::Locked | ErrorKind::NotFound | ErrorKind::Rejected) =>
        {
            Err(fastio_verdict(&error))
        }
        _ => Ok(()),
    }
}
