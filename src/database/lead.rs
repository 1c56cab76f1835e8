//! What one server at a time does. On a file of SQLite there is one server, and it does all. Of several on PostgreSQL one takes a role
//! and has it for as long as it lives, so another has it some seconds after it was killed; whoever was removed and does not know it yet
//! writes nothing.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Session};
use super::error::Error;
use super::{Database, Engine, postgres};

/// How often a server looks whether it may take a role: some tenths of what a takeover may take.
const LOOK: Duration = Duration::from_millis(400);

/// What is done by one server at a time, for as long as that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Drain,
    ChangeFeed,
    Sweep,
    Retention,
    Rotation,
    Notify,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Drain => "drain",
            Role::ChangeFeed => "change feed",
            Role::Sweep => "sweep",
            Role::Retention => "retention",
            Role::Rotation => "rotation",
            Role::Notify => "notifications",
        }
    }
}

/// One of the servers that work on a database which several may share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRow {
    /// Its process and machine, for people.
    pub name: String,
    /// Unix milliseconds, by the database's clock.
    pub began_at: i64,
    /// What it does and no other, in alphabetical order.
    pub roles: Vec<String>,
}

/// This process, for people.
pub fn this_process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("process {} on {}", std::process::id(), host.trim())
}

impl Connection {
    /// The servers that work on it now, the oldest first. Of a file nothing says so but its lock.
    ///
    /// # Errors
    /// The database's.
    pub fn servers(&mut self) -> Result<Vec<ServerRow>, Error> {
        match &self.0 {
            Session::Sqlite(_) => Ok(Vec::new()),
            Session::Postgres(_) => postgres::servers(self),
        }
    }

    /// The numbers of the servers that share it and were not taken for dead.
    ///
    /// # Errors
    /// The database's.
    pub fn living(&mut self) -> Result<Vec<i64>, Error> {
        match &self.0 {
            Session::Sqlite(_) => Ok(Vec::new()),
            Session::Postgres(_) => postgres::living(self),
        }
    }
}

impl Database {
    /// The number of this server among those that share the database; `None` where it shares it with nobody.
    pub fn replica(&self) -> Option<i64> {
        match *self.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgres { replica } => replica,
        }
    }

    /// Does `work` while this server has `role`, for which it waits until `stop`. When `work` ends another server may have it.
    pub async fn lead<F: Future<Output = ()>>(
        &self,
        role: Role,
        stop: &CancellationToken,
        work: impl Fn() -> F,
    ) {
        let name = role.as_str();
        while self.comes_to(name, stop).await {
            if self.replica().is_none() {
                return work().await;
            }
            tracing::info!(role = name, "this server has the role now");
            tokio::select! {
                () = work() => {
                    if let Err(error) = self.end_turn(name).await {
                        tracing::debug!(role = name, %error, "the role was not given back; it goes with this server");
                    }
                    return;
                }
                () = self.loses(name) => tracing::warn!(role = name, "another server has the role"),
            }
        }
    }

    /// Waits for its turn, until `stop`. False when that came first.
    async fn comes_to(&self, name: &str, stop: &CancellationToken) -> bool {
        let mut is_refused = false;
        loop {
            match self.take_turn(name, None).await {
                Ok(true) => return true,
                Ok(false) => is_refused = false,
                Err(error) if !is_refused => {
                    tracing::warn!(role = name, %error, "cannot see which server has this role; trying again");
                    is_refused = true;
                }
                Err(_) => {}
            }
            tokio::select! { () = stop.cancelled() => return false, () = tokio::time::sleep(spread(LOOK)) => {} }
        }
    }

    /// Waits until another server has what this one had: a standby that was behind when it took over may know nothing of it.
    async fn loses(&self, name: &str) {
        loop {
            tokio::time::sleep(spread(LOOK)).await;
            if matches!(self.take_turn(name, None).await, Ok(false)) {
                return;
            }
        }
    }

    /// Takes what may be done by one server at a time, for this long at most; for as long as the server lives without. False while
    /// another one has it. What this server has it may take again, so its own tasks have to keep each other out.
    ///
    /// # Errors
    /// The database's.
    pub async fn take_turn(&self, what: &str, at_most: Option<Duration>) -> Result<bool, Error> {
        let Some(replica) = self.replica() else { return Ok(true) };
        let asked = what.to_owned();
        match self.read(move |c| postgres::whose_turn(c, &asked)).await? {
            Some(other) if other != replica => return Ok(false),
            Some(_) if at_most.is_none() => return Ok(true),
            _ => {}
        }
        let what = what.to_owned();
        self.claim(move |tx| postgres::take_turn(tx, &what, replica, at_most)).await
    }

    /// Gives back what [`Database::take_turn`] took.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_turn(&self, what: &str) -> Result<(), Error> {
        let Some(replica) = self.replica() else { return Ok(()) };
        let what = what.to_owned();
        self.claim(move |tx| postgres::end_turn(tx, &what, replica)).await
    }
}

/// `time`, a fifth more or less: servers that began together do not look together.
pub fn spread(time: Duration) -> Duration {
    time.mul_f64(0.8 + 0.4 * fastrand::f64())
}
