//! The servers that work on one database, each as a replica with a row of its own and a lease that it renews again and again. One that
//! was killed is removed by another within seconds, and what it had in hand is due again; one that was only slow finds that it was
//! removed at its next write, which fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::server::Server;
use super::turn::transaction;
use crate::database::connection::Connection;
use crate::database::error::Error;
use crate::database::lane::{Access, Manner};
use crate::database::open_error::OpenError;
use crate::database::params;
use crate::database::statement::Sql;

/// How long a replica that is not heard of is taken to live. The statements have the same, in the database's words.
const LASTS: Duration = Duration::from_secs(4);
const RENEWED: Duration = Duration::from_secs(1);

/// How often it is looked at least whether another one's lease is over, when that is due.
const SOONEST: Duration = Duration::from_millis(50);

/// How long whoever has to be alone waits for servers that may have been killed just now, and a server for whoever has to be.
pub const PATIENCE: Duration = Duration::from_secs(LASTS.as_secs() + 2);

/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(200);

/// Which replica the sessions that write belong to; 0 for those of a command, which works beside the servers.
#[derive(Debug, Clone, Default)]
pub struct Fence(Arc<AtomicI64>);

impl Fence {
    pub fn set(&self, replica: &Replica) {
        self.0.store(replica.id(), Ordering::Relaxed);
    }

    pub fn replica(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|id| *id != 0)
    }

    /// What a transaction asks first.
    pub fn question(&self) -> Option<String> {
        self.replica().map(|id| format!("; SELECT replica_lives({id})"))
    }
}

/// Who goes by the database's time.
pub trait Timed: Send + Sync {
    /// Milliseconds since some moment, which never go back.
    fn passed(&self) -> i64;

    /// Between these two of its readings the database said that it is `said`, in Unix milliseconds.
    fn told(&self, between: (i64, i64), said: i64);
}

/// Beside whom one works.
#[derive(Clone)]
pub enum Company {
    /// Other servers, by the same time.
    Servers(Arc<dyn Timed>),
    /// Nobody.
    None,
}

impl Company {
    fn is_none(&self) -> bool {
        matches!(self, Company::None)
    }

    fn clock(&self) -> Option<&dyn Timed> {
        match self {
            Company::Servers(clock) => Some(&**clock),
            Company::None => None,
        }
    }
}

/// A row among the replicas, until it is dropped.
pub struct Replica {
    id: i64,
    lost: CancellationToken,
    stop: Option<Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Replica {
    /// Comes among the replicas. Waits some seconds for those that may not work beside it, which may have been killed.
    ///
    /// # Errors
    /// [`OpenError::Held`] when they work.
    pub fn begin(server: Server, company: Company, patience: Duration) -> Result<Self, OpenError> {
        let connection = Connection::postgres(server.connect(Access::Write)?);
        let (lost, (stop, stopped)) = (CancellationToken::new(), channel());
        let mut keeper = Keeper {
            server,
            connection: Some(connection),
            company,
            id: 0,
            lost: lost.clone(),
            heard: Heard::default(),
        };
        let until = Instant::now() + patience;
        keeper.id = loop {
            let is_alone = keeper.company.is_none();
            match keeper.ask(Manner::Durable, move |tx| come(tx, is_alone)) {
                Ok(Ok(id)) => break id,
                // Two that come at once.
                Ok(Err(_)) | Err(Error::Locked(_)) if Instant::now() < until => thread::sleep(LOOK),
                Ok(Err(holder)) => {
                    return Err(OpenError::Held { place: keeper.server.place().to_owned(), holder });
                }
                Err(error) => return Err(error.into()),
            }
        };
        // Before anything asks what time it is.
        keeper.renew()?;
        let id = keeper.id;
        let keeper = thread::Builder::new().name("db-replica".to_owned()).spawn(move || keeper.run(&stopped));
        let keeper = Some(keeper.map_err(OpenError::Threads)?);
        Ok(Replica { id, lost, stop: Some(stop), keeper })
    }

    /// Its number, by which jobs and roles name it.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Cancelled when others have removed it.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

/// The replica's row, or who keeps it from being there.
fn come(tx: &mut Connection, is_alone: bool) -> Result<Result<i64, String>, Error> {
    let others: Vec<(String, i64)> = tx.all(LIVING, params![])?;
    let in_the_way = others.into_iter().filter(|(_, other_is)| is_alone || *other_is != 0);
    let in_the_way: Vec<String> = in_the_way.map(|(name, _)| name).collect();
    if !in_the_way.is_empty() {
        return Ok(Err(in_the_way.join(", ")));
    }
    if is_alone {
        remove(tx)?;
    }
    // By chance: of numbers in a row a standby that was behind would give one once more when it takes over.
    let id = fastrand::i64(1..i64::MAX);
    tx.run(COME, params![id, crate::database::this_process(), i64::from(is_alone)])?;
    tx.run(LEASE, params![id])?;
    Ok(Ok(id))
}

/// A server that was removed.
pub(super) struct Removed {
    name: String,
    /// It had said that it stops.
    has_stopped: bool,
}

impl Removed {
    fn tell(self) {
        match self {
            Removed { name, has_stopped: true } => {
                tracing::info!(replica = name, "a server has stopped; the others do what it left");
            }
            Removed { name, has_stopped: false } => {
                tracing::warn!(
                    replica = name,
                    "a server was not heard of; the others do what it had in hand"
                );
            }
        }
    }
}

/// Removes those whose lease is over. What they still try to write fails from then on.
pub(super) fn remove(tx: &mut Connection) -> Result<Vec<Removed>, Error> {
    let over: Vec<(i64, i64)> = tx.all(END_LEASES, params![])?;
    let mut removed = Vec::new();
    for (id, has_stopped) in over {
        let name: Option<String> = tx.first(REMOVE, params![id])?;
        removed.extend(name.map(|name| Removed { name, has_stopped: has_stopped != 0 }));
    }
    Ok(removed)
}

/// How long the database has been heard of without a break, by its own clock. Who was not may not judge others: after the database's own
/// stop every lease is over, and after its own sleep so may all others be.
#[derive(Debug, Default, Clone, Copy)]
struct Heard {
    since: i64,
    last: i64,
}

impl Heard {
    /// Longer than between two renewals, and shorter than a lease.
    const BREAK_MS: i64 = 2_000;

    fn at(&mut self, now: i64) {
        if now - self.last > Self::BREAK_MS {
            self.since = now;
        }
        self.last = now;
    }

    fn is_long(self) -> bool {
        u128::try_from(self.last - self.since).is_ok_and(|ms| ms >= LASTS.as_millis())
    }
}

/// Says again and again that the replica is there, and removes those that do not.
struct Keeper {
    server: Server,
    connection: Option<Connection>,
    company: Company,
    id: i64,
    lost: CancellationToken,
    heard: Heard,
}

impl Keeper {
    fn run(mut self, stopped: &Receiver<()>) {
        let mut rest = RENEWED;
        while stopped.recv_timeout(rest) == Err(RecvTimeoutError::Timeout) {
            rest = match self.renew() {
                Ok(true) => self.look(),
                Ok(false) => {
                    tracing::error!(
                        replica = self.id,
                        "other servers have taken over what this one did, because it was not heard of for some seconds; it stops"
                    );
                    return self.lost.cancel();
                }
                // It lives until another removes it; what it writes asks for that.
                Err(error) => {
                    tracing::warn!(%error, "cannot tell the database that this server is there");
                    RENEWED
                }
            };
        }
        // If it cannot be said, the others wait for some seconds.
        let id = self.id;
        if let Err(error) = self.ask(Manner::Claim, move |tx| tx.run(RELEASE, params![id])) {
            tracing::debug!(%error, "the database was not told that this server stops");
        }
    }

    /// Whether it is still there.
    fn renew(&mut self) -> Result<bool, Error> {
        let (id, company) = (self.id, self.company.clone());
        let renew = move |tx: &mut Connection| {
            // Another one comes in a second.
            tx.run(UNSYNCED, params![])?;
            let asked_at = company.clock().map(|clock| clock.passed());
            let now: Option<i64> = tx.first(RENEW, params![id])?;
            if let (Some(clock), Some(asked_at), Some(now)) = (company.clock(), asked_at, now) {
                clock.told((asked_at, clock.passed()), now);
            }
            Ok(now)
        };
        let now = self.ask(Manner::Claim, renew)?;
        now.into_iter().for_each(|now| self.heard.at(now));
        Ok(now.is_some())
    }

    /// Removes those that were not heard of, and says when to look again.
    fn look(&mut self) -> Duration {
        let id = self.id;
        match self.ask(Manner::Claim, move |tx| tx.one::<Option<i64>>(NEXT_END, params![id])) {
            Ok(Some(..=0)) if self.heard.is_long() => match self.ask(Manner::Durable, remove) {
                Ok(removed) => {
                    removed.into_iter().for_each(Removed::tell);
                    SOONEST
                }
                // Another one removes it.
                Err(Error::Locked(_)) => SOONEST,
                Err(error) => {
                    tracing::warn!(%error, "a server that is not heard of cannot be removed; trying again");
                    RENEWED
                }
            },
            Ok(Some(ms)) => Duration::from_millis(ms.unsigned_abs()).clamp(SOONEST, RENEWED),
            Ok(None) => RENEWED,
            Err(error) => {
                tracing::warn!(%error, "cannot see which servers there are");
                RENEWED
            }
        }
    }

    fn ask<T>(
        &mut self,
        manner: Manner,
        work: impl FnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let open = match self.connection.take() {
            Some(open) => open,
            None => Connection::postgres(self.server.session(Access::Write)?),
        };
        let connection = self.connection.insert(open);
        let asked = transaction(connection, manner, work);
        if asked.as_ref().is_err_and(|error| !matches!(error, Error::Locked(_))) {
            self.connection = None;
        }
        asked
    }
}

/// Who works on the database now, if anybody does.
///
/// # Errors
/// Those of a server that cannot be asked.
pub fn holder(server: &Server) -> Result<Option<String>, OpenError> {
    let mut connection = Connection::postgres(server.connect(Access::Read)?);
    let present = |tx: &mut Connection| match tx.one(IS_KNOWN, params![])? {
        true => tx.all::<(String, i64)>(LIVING, params![]),
        // No server of this version has begun yet.
        false => Ok(Vec::new()),
    };
    let names: Vec<String> = transaction(&mut connection, Manner::Repeatable, present)?
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    Ok((!names.is_empty()).then(|| names.join(", ")))
}

const LIVING: Sql = Sql::listed(
    "SELECT name, is_alone FROM replica JOIN replica_lease USING (replica_id) WHERE until > clock_timestamp()
     ORDER BY began_at",
);
const COME: Sql = Sql::listed(
    "INSERT INTO replica (replica_id, name, is_alone, began_at)
     VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)",
);
const LEASE: Sql = Sql::listed(
    "INSERT INTO replica_lease (replica_id, until) VALUES ($1, clock_timestamp() + interval '4 s')",
);
const UNSYNCED: Sql = Sql::listed("SELECT set_config('synchronous_commit', 'off', true)");
const RENEW: Sql = Sql::listed(
    "UPDATE replica_lease SET until = clock_timestamp() + interval '4 s' WHERE replica_id = $1
     RETURNING (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
);
const RELEASE: Sql = Sql::listed("UPDATE replica_lease SET until = '-infinity' WHERE replica_id = $1");
const NEXT_END: Sql = Sql::listed(
    "SELECT CASE WHEN count(*) > 0 THEN (extract(epoch FROM greatest(min(until), 'epoch') - clock_timestamp()) * 1000)::bigint END
     FROM replica_lease WHERE replica_id <> $1",
);
const END_LEASES: Sql = Sql::listed(
    "DELETE FROM replica_lease WHERE until < clock_timestamp() RETURNING replica_id, (until = '-infinity')::int::bigint",
);
const REMOVE: Sql = Sql::listed("DELETE FROM replica WHERE replica_id = $1 RETURNING name");
const IS_KNOWN: Sql = Sql::listed("SELECT to_regclass('replica_lease') IS NOT NULL");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_not_heard_without_a_break_judges_nobody() {
        let mut heard = Heard::default();
        heard.at(1_000_000);
        assert!(!heard.is_long());
        (1..=4).for_each(|second| heard.at(1_000_000 + second * 1_000));
        assert!(heard.is_long());
        heard.at(1_010_000);
        assert!(!heard.is_long(), "it slept, or the database did");
    }
}
