//! Puts verified deliveries on disk before they are acknowledged.
//!
//! Many handlers hand their deliveries to one writer, which commits whatever gathered during its last commit: group
//! commit without a timer. A lone delivery waits for nobody, and a burst fills batches, which on one sync per commit is
//! worth 15 to 200 times the rate. A handler gets its answer only after the commit.
//!
//! Every way in is bounded, by rows, by bytes and by time, and past a bound the answer is a refusal that asks the sender
//! to come again. A commit that fails refuses its own deliveries only; the writer lives on and tries the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::memory::Share;
use super::store::{self, Delivery};
use crate::database::{Connection, Database, Displaced, Error};
use crate::listen::gate::Gate;

/// Deliveries that may wait for the writer. At the rate measured here that is half a second's worth.
const QUEUE: usize = 8_192;

/// Rows and bytes of one transaction. More rows gain no rate, and the first of them waits longer for its answer.
const BATCH_ROWS: usize = 1_024;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// How long the writer goes on after the stop for deliveries that are still being read. The listener's own limit is
/// shorter, and ends this wait by hanging up.
const LINGER: Duration = Duration::from_secs(30);

/// What a probe writes: more than a page that happens to be free, so that it notices a full disk.
const PROBE_BYTES: usize = 64 * 1024;

/// How long ago the last commit may be before readiness asks for a fresh one.
const FRESH: Duration = Duration::from_secs(5);

/// Why a delivery is not on disk. The sender may send it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the inbox is full")]
    Full,
    #[error("too many deliveries arrive at once")]
    Busy,
    #[error("the database cannot be written")]
    Storage,
    #[error("{0}")]
    Displaced(Displaced),
    #[error("the database is too slow")]
    TooSlow,
    #[error("the server is stopping")]
    Stopping,
}

impl Refused {
    pub fn as_str(self) -> &'static str {
        match self {
            Refused::Full => "inbox_full",
            Refused::Busy => "busy",
            Refused::Storage => "storage",
            Refused::Displaced(_) => "displaced",
            Refused::TooSlow => "too_slow",
            Refused::Stopping => "stopping",
        }
    }

    /// When it is worth coming again. Only a full inbox or disk takes somebody's time to pass.
    pub fn retry_after(self) -> Duration {
        match self {
            Refused::Full | Refused::Storage | Refused::Displaced(_) => Duration::from_secs(30),
            Refused::Busy | Refused::TooSlow | Refused::Stopping => Duration::from_secs(5),
        }
    }
}

/// What bounds the inbox.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Rows committed and not yet drained.
    pub rows: u32,
    /// How long one delivery may wait for its commit.
    pub ack_timeout: Duration,
}

/// Numbers about the inbox, shared by its handles, its writer and the drain.
#[derive(Debug, Default)]
pub struct Level {
    rows: AtomicI64,
    commits: AtomicU64,
}

impl Level {
    /// Rows committed and not yet drained. Commits whose outcome nobody knows may make it a little wrong.
    pub fn rows(&self) -> i64 {
        self.rows.load(Ordering::Relaxed).max(0)
    }

    /// Transactions that put deliveries in the inbox, since the start.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub(super) fn drained(&self, rows: u64) {
        self.rows.fetch_sub(i64::try_from(rows).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

enum Task {
    Keep { delivery: Delivery, _memory: Share },
    Probe,
}

struct Waiting {
    task: Task,
    reply: oneshot::Sender<Result<(), Refused>>,
}

/// A handle to put deliveries in. Clones share one writer.
#[derive(Clone)]
pub struct Inbox {
    queue: mpsc::Sender<Waiting>,
    level: Arc<Level>,
    health: Arc<Health>,
    limits: Limits,
    database: Database,
}

/// Whether the database took the last write.
struct Health {
    start: Instant,
    /// Milliseconds after `start`.
    tried_at: AtomicU64,
    writable: AtomicBool,
}

impl Health {
    fn record(&self, writable: bool) {
        self.tried_at.store(self.elapsed(), Ordering::Relaxed);
        self.writable.store(writable, Ordering::Relaxed);
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_fresh(&self) -> bool {
        let age = self.elapsed().saturating_sub(self.tried_at.load(Ordering::Relaxed));
        self.writable.load(Ordering::Relaxed) && u128::from(age) < FRESH.as_millis()
    }
}

/// Opens the inbox of `database`: the handle, and the writer that somebody must run.
pub async fn open(database: Database, limits: Limits, drain: Arc<Notify>) -> Result<(Inbox, Writer), Error> {
    let rows = database.read_inbox(store::waiting).await?;
    let level = Arc::new(Level { rows: AtomicI64::new(rows), commits: AtomicU64::new(0) });
    let health =
        Health { start: Instant::now(), tried_at: AtomicU64::new(0), writable: AtomicBool::new(true) };
    let health = Arc::new(health);
    let (queue, receiver) = mpsc::channel(QUEUE);
    let inbox =
        Inbox { queue, level: level.clone(), health: health.clone(), limits, database: database.clone() };
    Ok((inbox, Writer { receiver, database, level, health, drain, gate: Gate::default() }))
}

impl Inbox {
    /// Returns once `delivery` is committed and synced. `memory` is given back when its bytes are no longer held.
    pub async fn keep(&self, delivery: Delivery, memory: Share) -> Result<(), Refused> {
        if self.is_full() {
            return Err(Refused::Full);
        }
        self.ask(Task::Keep { delivery, _memory: memory }).await
    }

    pub fn is_full(&self) -> bool {
        self.level.rows() >= i64::from(self.limits.rows)
    }

    /// Whether the database takes writes now, wherever its file is. Asks it when that is not known from traffic; many who ask at once cost
    /// one transaction, because probes are batched as deliveries are.
    pub async fn is_writable(&self) -> bool {
        self.health.is_fresh() || matches!(self.ask(Task::Probe).await, Ok(()) | Err(Refused::Displaced(_)))
    }

    /// Whether the database's file is still where it was opened.
    pub fn in_place(&self) -> Result<(), Displaced> {
        self.database.in_place()
    }

    pub fn level(&self) -> Arc<Level> {
        self.level.clone()
    }

    async fn ask(&self, task: Task) -> Result<(), Refused> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Waiting { task, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Busy,
            mpsc::error::TrySendError::Closed(_) => Refused::Stopping,
        })?;
        match tokio::time::timeout(self.limits.ack_timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Refused::Stopping),
            Err(_) => {
                self.health.record(false);
                Err(Refused::TooSlow)
            }
        }
    }
}

/// The one that writes.
pub struct Writer {
    receiver: mpsc::Receiver<Waiting>,
    database: Database,
    level: Arc<Level>,
    health: Arc<Health>,
    drain: Arc<Notify>,
    gate: Gate,
}

/// Deliveries that share a commit, and those who wait for it.
#[derive(Default)]
struct Batch {
    deliveries: Vec<Delivery>,
    memory: Vec<Share>,
    replies: Vec<oneshot::Sender<Result<(), Refused>>>,
    bytes: usize,
    probes: bool,
}

impl Writer {
    /// Writes until every handle is gone. After `stop` it waits for them only so long.
    pub async fn run(mut self, stop: CancellationToken) {
        let linger = async {
            stop.cancelled().await;
            tokio::time::sleep(LINGER).await;
        };
        tokio::pin!(linger);
        let mut waiting = Vec::with_capacity(BATCH_ROWS);
        loop {
            tokio::select! {
                biased;
                received = self.receiver.recv_many(&mut waiting, BATCH_ROWS) => if received == 0 { return },
                () = &mut linger => return,
            }
            let mut batch = Batch::default();
            for next in waiting.drain(..) {
                batch.add(next);
                if batch.bytes >= BATCH_BYTES {
                    self.commit(std::mem::take(&mut batch)).await;
                }
            }
            self.commit(batch).await;
        }
    }

    async fn commit(&self, mut batch: Batch) {
        if batch.replies.is_empty() {
            return;
        }
        let rows = batch.deliveries.len();
        let result = self.write(std::mem::take(&mut batch.deliveries), batch.probes).await;
        self.health.record(result.is_ok());
        drop(batch.memory);
        let answer = match result {
            Ok(()) => {
                self.level.rows.fetch_add(i64::try_from(rows).unwrap_or(i64::MAX), Ordering::Relaxed);
                if rows > 0 {
                    self.level.commits.fetch_add(1, Ordering::Relaxed);
                    self.drain.notify_one();
                }
                // Committed and synced, but only worth an answer where the next start will find it.
                self.database.in_place().map_err(Refused::Displaced)
            }
            Err(error) => {
                if let Some(suppressed) = self.gate.pass() {
                    tracing::error!(error = %error, deliveries = rows, suppressed, "the inbox cannot be written");
                }
                Err(Refused::Storage)
            }
        };
        if let Err(Refused::Displaced(why)) = answer
            && let Some(suppressed) = self.gate.pass()
        {
            let remedy =
                "put the file back where it was, or stop the server; until then no delivery is acknowledged";
            tracing::error!(error = %why, deliveries = rows, suppressed, "{remedy}");
        }
        for reply in batch.replies {
            // Whoever hung up meanwhile has been told to come again, and the drain knows a repeat when it sees one.
            let _ = reply.send(answer);
        }
    }

    async fn write(&self, deliveries: Vec<Delivery>, probes: bool) -> Result<(), Error> {
        let write = move |tx: &mut Connection| {
            if deliveries.is_empty() && probes {
                store::probe(tx, PROBE_BYTES)?;
            }
            store::insert(tx, &deliveries)
        };
        self.database.write_inbox(write).await
    }
}

impl Batch {
    /// Leaves out whoever stopped waiting: the answer was a refusal, and the sender will come again.
    fn add(&mut self, waiting: Waiting) {
        if waiting.reply.is_closed() {
            return;
        }
        match waiting.task {
            Task::Keep { delivery, _memory } => {
                self.bytes += delivery.body.len();
                self.deliveries.push(delivery);
                self.memory.push(_memory);
            }
            Task::Probe => self.probes = true,
        }
        self.replies.push(waiting.reply);
    }
}
