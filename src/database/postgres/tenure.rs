//! One server at a time, as a file lock has it for SQLite: a row says which, and for how long unless it says so again. A server that was
//! killed is followed by another within seconds; one that was only slow finds that it was followed at its next write, which fails.

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

/// How long a server that is not heard of holds the database. The statement has the same, in the database's words.
const LASTS: Duration = Duration::from_secs(4);
const RENEWED: Duration = Duration::from_secs(1);

/// How long the next one waits for a server that may have been killed just now.
pub const PATIENCE: Duration = Duration::from_secs(LASTS.as_secs() + 2);

/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(200);

/// Which tenure the sessions that write belong to; 0 for those of a command, which works beside a server.
#[derive(Debug, Clone, Default)]
pub struct Fence(Arc<AtomicI64>);

impl Fence {
    pub fn set(&self, tenure: &Tenure) {
        self.0.store(tenure.epoch, Ordering::Relaxed);
    }

    /// What a transaction asks first.
    pub fn question(&self) -> Option<String> {
        let epoch = self.0.load(Ordering::Relaxed);
        (epoch != 0).then(|| format!("; SELECT docket_holds({epoch})"))
    }
}

/// Held by the server that works on the database, until it is dropped.
#[derive(Debug)]
pub struct Tenure {
    epoch: i64,
    lost: CancellationToken,
    stop: Option<Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Tenure {
    /// Takes the database over from a server that has gone, and waits that long for one that may have.
    ///
    /// # Errors
    /// [`OpenError::Held`] when another one works on it.
    pub fn begin(server: Server, patience: Duration) -> Result<Self, OpenError> {
        let mut connection = Connection::postgres(server.connect(Access::Write)?);
        let until = Instant::now() + patience;
        let epoch = loop {
            match transaction(&mut connection, Manner::Durable, take) {
                Ok(Some(epoch)) => break epoch,
                // Two that take it at once.
                Ok(None) | Err(Error::Locked(_)) if Instant::now() < until => thread::sleep(LOOK),
                Ok(None) => {
                    let holder = |c: &mut Connection| c.one(HOLDER, params![]);
                    let holder = transaction(&mut connection, Manner::Repeatable, holder)?;
                    return Err(OpenError::Held { place: server.place().to_owned(), holder });
                }
                Err(error) => return Err(error.into()),
            }
        };
        let lost = CancellationToken::new();
        let (stop, stopped) = channel();
        let keeper = Keeper { server, connection: Some(connection), epoch, lost: lost.clone() };
        let keeper = thread::Builder::new().name("db-tenure".to_owned()).spawn(move || keeper.run(&stopped));
        let keeper = Some(keeper.map_err(OpenError::Threads)?);
        Ok(Tenure { epoch, lost, stop: Some(stop), keeper })
    }

    /// Cancelled when another server has taken the database over.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

/// Says again and again that the server is there.
struct Keeper {
    server: Server,
    connection: Option<Connection>,
    epoch: i64,
    lost: CancellationToken,
}

impl Keeper {
    fn run(mut self, stopped: &Receiver<()>) {
        while stopped.recv_timeout(RENEWED) == Err(RecvTimeoutError::Timeout) {
            match self.say(RENEW) {
                Ok(true) => {}
                Ok(false) => {
                    tracing::error!(
                        "another server has taken the database over, because this one was not heard of; it stops"
                    );
                    return self.lost.cancel();
                }
                // It holds the database until another takes it over; what it writes asks for that.
                Err(error) => tracing::warn!(%error, "cannot tell the database that this server is there"),
            }
        }
        // If it cannot be said, the next server waits for some seconds.
        if let Err(error) = self.say(RELEASE) {
            tracing::debug!(%error, "the database was not released");
        }
    }

    /// Whether it was heard.
    fn say(&mut self, sql: Sql) -> Result<bool, Error> {
        let open = match self.connection.take() {
            Some(open) => open,
            None => Connection::postgres(self.server.session(Access::Write)?),
        };
        let connection = self.connection.insert(open);
        let epoch = self.epoch;
        let said = transaction(connection, Manner::Claim, |tx| Ok(tx.run(sql, params![epoch])? == 1));
        if said.is_err() {
            self.connection = None;
        }
        said
    }
}

/// The epoch of the server that has the database from now on, if no other has.
fn take(tx: &mut Connection) -> Result<Option<i64>, Error> {
    let epoch: Option<i64> = tx.first(TAKE, params![])?;
    if let Some(epoch) = epoch {
        tx.run(BEGIN, params![epoch, this_process()])?;
    }
    Ok(epoch)
}

/// Which server works on the database now, if one does.
///
/// # Errors
/// Those of a server that cannot be asked.
pub fn holder(server: &Server) -> Result<Option<String>, OpenError> {
    let mut connection = Connection::postgres(server.connect(Access::Read)?);
    let present = |tx: &mut Connection| match tx.one(IS_KNOWN, params![])? {
        true => tx.first(PRESENT, params![]),
        // No server of this version has begun yet.
        false => Ok(None),
    };
    Ok(transaction(&mut connection, Manner::Repeatable, present)?)
}

/// This process, for people.
fn this_process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("process {} on {}", std::process::id(), host.trim())
}

const TAKE: Sql = Sql::listed(
    "UPDATE server_lease SET epoch = epoch + 1, until = clock_timestamp() + interval '4 s'
     WHERE only_row = 1 AND until < clock_timestamp() RETURNING epoch",
);
const BEGIN: Sql = Sql::listed("UPDATE server_tenure SET epoch = $1, holder = $2 WHERE only_row = 1");
const HOLDER: Sql = Sql::listed("SELECT holder FROM server_tenure WHERE only_row = 1");
const IS_KNOWN: Sql = Sql::listed("SELECT to_regclass('server_lease') IS NOT NULL");
const PRESENT: Sql = Sql::listed(
    "SELECT holder FROM server_tenure JOIN server_lease USING (only_row) WHERE until > clock_timestamp()",
);
const RENEW: Sql = Sql::listed(
    "UPDATE server_lease SET until = clock_timestamp() + interval '4 s' WHERE only_row = 1 AND epoch = $1",
);
const RELEASE: Sql =
    Sql::listed("UPDATE server_lease SET until = '-infinity' WHERE only_row = 1 AND epoch = $1");
