//! Exclusive locks on files. They are advisory: nothing here stops a write to a locked file, as in Fastio.
//!
//! Where Fastio's documents are silent, this stand-in decides (inferred): a lock lasts 300 s unless asked otherwise; a
//! heartbeat extends it by its whole duration from now; another user's attempt is 423; the same user (the same key) may
//! take its own lock again and gets a new token, after which the old token is worth nothing.

use serde_json::{Value, json};

use super::id::shown;
use super::refusal::Refusal;
use super::time;
use super::world::Actor;

/// The documented range of `duration`, in seconds.
const DURATION_SECONDS: std::ops::RangeInclusive<i64> = 60..=3600;

/// Inferred: the documents do not say how long a lock lasts that asks for nothing.
const DEFAULT_SECONDS: i64 = 300;

#[derive(Clone)]
pub struct Lock {
    token: String,
    pub user: String,
    pub acquired: i64,
    pub expires: i64,
    pub duration_seconds: i64,
    pub client_info: Option<Value>,
}

impl std::fmt::Debug for Lock {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lock")
            .field("user", &self.user)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// What an `acquire` asks for.
#[derive(Debug, Default)]
pub struct Request {
    pub duration_seconds: Option<i64>,
    pub client_info: Option<Value>,
}

/// The lock in force at `now`.
pub fn held(lock: &Option<Lock>, now: i64) -> Option<&Lock> {
    lock.as_ref().filter(|lock| lock.expires > now)
}

pub fn acquire(lock: &mut Option<Lock>, asked: Request, token: String, by: &Actor) -> Result<(), Refusal> {
    let duration_seconds = asked.duration_seconds.unwrap_or(DEFAULT_SECONDS);
    if !DURATION_SECONDS.contains(&duration_seconds) {
        return Err(Refusal::input("duration: This must be between 60 and 3600."));
    }
    if held(lock, by.now).is_some_and(|held| held.user != by.user) {
        return Err(Refusal::locked());
    }
    *lock = Some(Lock {
        token,
        user: by.user.clone(),
        acquired: by.now,
        expires: by.now + duration_seconds * 1000,
        duration_seconds,
        client_info: asked.client_info,
    });
    Ok(())
}

pub fn heartbeat(lock: &mut Option<Lock>, token: &str, now: i64) -> Result<(), Refusal> {
    check(lock, token, now)?;
    if let Some(lock) = lock {
        lock.expires = now + lock.duration_seconds * 1000;
    }
    Ok(())
}

pub fn release(lock: &mut Option<Lock>, token: &str, now: i64) -> Result<(), Refusal> {
    check(lock, token, now)?;
    *lock = None;
    Ok(())
}

fn check(lock: &Option<Lock>, token: &str, now: i64) -> Result<(), Refusal> {
    let held = held(lock, now).ok_or_else(|| Refusal::not_found("A lock on this file"))?;
    // Inferred: a token that does not hold the lock is told that another one does.
    if held.token == token { Ok(()) } else { Err(Refusal::locked()) }
}

impl Lock {
    /// What every user may see of it: `lock_info` of the node's details.
    pub fn info(&self) -> Value {
        json!({
            "user_id": self.user,
            "acquired": time::written(self.acquired),
            "expires": time::written(self.expires),
            "duration": self.duration_seconds,
            "client_info": self.client_info,
        })
    }

    /// What its holder is told.
    pub fn granted(&self, node: &str) -> Value {
        let mut lock = self.info();
        lock["lock_token"] = self.token.clone().into();
        lock["node_id"] = shown(node).into();
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::{Actor, Lock, Request, acquire, heartbeat, held, release};

    fn by(user: &str, now: i64) -> Actor {
        Actor { user: user.to_owned(), now }
    }

    #[test]
    fn a_lock_keeps_others_out_until_it_is_released_or_runs_out() {
        let mut lock: Option<Lock> = None;
        let minute = || Request { duration_seconds: Some(60), client_info: None };
        acquire(&mut lock, minute(), "one".into(), &by("ann", 0)).unwrap();
        assert_eq!(acquire(&mut lock, minute(), "two".into(), &by("bob", 1)).unwrap_err().status, 423);
        heartbeat(&mut lock, "one", 50_000).unwrap();
        assert!(held(&lock, 109_000).is_some(), "the heartbeat counts from when it came");
        assert_eq!(release(&mut lock, "guess", 60_000).unwrap_err().status, 423);
        release(&mut lock, "one", 60_000).unwrap();
        assert_eq!(release(&mut lock, "one", 60_000).unwrap_err().status, 404);
        acquire(&mut lock, minute(), "three".into(), &by("bob", 60_000)).unwrap();
        acquire(&mut lock, minute(), "four".into(), &by("ann", 120_000)).unwrap();
    }

    #[test]
    fn a_lock_lasts_between_a_minute_and_an_hour() {
        for seconds in [59, 3601] {
            let asked = Request { duration_seconds: Some(seconds), client_info: None };
            assert_eq!(acquire(&mut None, asked, "t".into(), &by("ann", 0)).unwrap_err().status, 406);
        }
    }
}
