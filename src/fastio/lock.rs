//! Fastio's lock on a file. It is advisory: it prevents no write, and tells people that a file is being worked on.
//!
//! A lock belongs to the user of the key (a guide on fast.io), so two workers with one key may not keep each other out;
//! what must be alone needs more than this. A lock runs out by itself unless it is renewed.

use std::ops::RangeInclusive;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::http::SMALL_CALL_LIMIT;
use crate::http::value::Fields;

use super::answer::Opened;
use super::client::{Client, storage};
use super::envelope::{Envelope, time};
use super::{Error, ErrorKind, NodeId, Profile};

/// How long a lock may be asked for, in seconds (Fastio's API reference).
pub const LOCK_SECONDS: RangeInclusive<u32> = 60..=3600;

/// A lock that is ours.
#[derive(Debug, Clone)]
pub struct Lock {
    /// What renews and releases it.
    pub token: SecretString,
    /// Unix milliseconds, where Fastio says. Count from the request where it does not.
    pub expires_at: Option<i64>,
}

/// What every user may see of a file's lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockState {
    pub locked: bool,
    /// Who holds it, as Fastio names them; for people.
    pub holder: Option<String>,
    /// Unix milliseconds.
    pub expires_at: Option<i64>,
    /// What its holder said it works with.
    pub device: Option<String>,
}

impl Client {
    /// Acquires the lock for `seconds`, within [`LOCK_SECONDS`]. `device` tells people who is at work.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] when another user holds it; [`ErrorKind::Rejected`] for a node that is no file; and those of
    /// every call. When [`Error::may_have_happened`] it may be locked with a token that is lost, until it runs
    /// out or the same user acquires it anew.
    pub async fn lock(
        &self,
        profile: &Profile,
        node: &NodeId,
        seconds: u32,
        device: &str,
    ) -> Result<Lock, Error> {
        const OPERATION: &str = "locking a file";
        let seconds = seconds.clamp(*LOCK_SECONDS.start(), *LOCK_SECONDS.end()).to_string();
        let version = env!("CARGO_PKG_VERSION");
        let client = json!({"device_name": device, "client_version": version}).to_string();
        let form = [("duration", seconds.as_str()), ("client_info", &client)];
        let path = storage(profile, &[node.as_str(), "lock"]);
        let request = self.request(OPERATION, Method::POST, &path)?.form(&form).timeout(SMALL_CALL_LIMIT);
        let opened = self.submit(OPERATION, request).await.map_err(taken)?;
        let token = field(&opened.envelope, |fields| fields.id("lock_token").or_else(|| fields.id("token")));
        let token =
            token.ok_or_else(|| Error::unreadable(OPERATION, &opened.head, "no token of the lock"))?;
        Ok(Lock { token: token.into(), expires_at: expiry(&opened.envelope) })
    }

    /// Renews a lock. How far is not documented; renew it well before a third of its time is left. Answers when it runs
    /// out, where Fastio says.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] when another user holds it now, [`ErrorKind::NotFound`] when it has run out (inferred) or the
    /// file is gone; and those of every call.
    pub async fn renew_lock(
        &self,
        profile: &Profile,
        node: &NodeId,
        token: &SecretString,
    ) -> Result<Option<i64>, Error> {
        const OPERATION: &str = "renewing a lock";
        let path = storage(profile, &[node.as_str(), "lock", "heartbeat"]);
        let form = [("lock_token", token.expose_secret())];
        let request = self.request(OPERATION, Method::POST, &path)?.form(&form).timeout(SMALL_CALL_LIMIT);
        let opened = self.submit(OPERATION, request).await.map_err(taken)?;
        Ok(expiry(&opened.envelope))
    }

    /// Releases a lock.
    ///
    /// The token stands in the query: Fastio reads no body of a DELETE, and answers one with a body by leaving the file
    /// locked (seen in its official client). So the URL is a secret here; no error names it.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] when another user holds it now, [`ErrorKind::NotFound`] when it has run out (inferred) or the
    /// file is gone; and those of every call.
    pub async fn unlock(&self, profile: &Profile, node: &NodeId, token: &SecretString) -> Result<(), Error> {
        const OPERATION: &str = "releasing a lock";
        let path = storage(profile, &[node.as_str(), "lock"]);
        let query = [("lock_token", token.expose_secret())];
        let request = self.request(OPERATION, Method::DELETE, &path)?.query(&query).timeout(SMALL_CALL_LIMIT);
        self.submit(OPERATION, request).await.map_err(taken)?;
        Ok(())
    }

    /// Whether a file is locked, and by whom.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the file is gone, and those of every call.
    pub async fn lock_state(&self, profile: &Profile, node: &NodeId) -> Result<LockState, Error> {
        const OPERATION: &str = "looking at a lock";
        let path = storage(profile, &[node.as_str(), "lock"]);
        let Opened { envelope, .. } = self.call(OPERATION, &path, &[]).await?;
        let info = envelope.object("lock_info").or_else(|| envelope.object("lock"));
        let said = envelope.get("locked").and_then(crate::http::value::flag);
        let device = info.and_then(|info| info.object("client_info")?.id("device_name"));
        Ok(LockState {
            locked: said.unwrap_or(info.is_some()),
            holder: info.and_then(|info| ["user_id", "user", "holder"].iter().find_map(|name| info.id(name))),
            expires_at: expiry(&envelope),
            device,
        })
    }
}

/// A field of the answer, wherever it is: the shape of these answers is not documented.
fn field<T>(envelope: &Envelope, read: impl Fn(Fields<'_>) -> Option<T>) -> Option<T> {
    let nested = ["lock", "lock_info"].into_iter().filter_map(|name| envelope.object(name));
    nested.chain([envelope.root()]).chain(envelope.object("response")).find_map(read)
}

fn expiry(envelope: &Envelope) -> Option<i64> {
    let names = ["expires", "expires_at", "lock_expires"];
    field(envelope, |fields| names.iter().find_map(|name| time(fields.get(name)?)))
}

/// The status of a lock that another user holds is not documented. Its class, "locked", is 423; a conflict, and an
/// error of input that speaks of a lock, are taken for it too.
fn taken(mut error: Error) -> Error {
    let held = match error.kind {
        ErrorKind::Conflict => true,
        ErrorKind::Rejected => error.status == Some(406) && error.mentions("locked"),
        _ => false,
    };
    if held {
        error.kind = ErrorKind::Locked;
    }
    error
}
