//! Puts verified deliveries on disk before they are acknowledged.
//!
//! Deliveries gather, and the thread that has the inbox's connection commits whatever gathered during its last commit: group
//! commit without a timer. A lone delivery waits for no other, and a burst fills batches, which on one sync per commit is
//! worth 15 to 200 times the rate. A handler gets its answer only after the commit, from that thread: nothing stands between.
//!
//! Every way in is bounded, by rows, by bytes and by time, and past a bound the answer is a refusal that asks the sender
//! to come again. A commit that fails refuses its own deliveries only; the next ones are tried anew.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::{Notify, oneshot};

use super::memory::Share;
use super::store::{self, Delivery};
use crate::contain::lock;
use crate::database::{Connection, Database, Displaced, Error, Posted};
use crate::listen::gate::Gate;

/// Deliveries that may wait for a commit. At the rate measured here that is a quarter of a second's worth.
const QUEUE: usize = 8_192;

/// Rows and bytes that one commit takes. More rows gain no rate, and the first of them waits longer for its answer.
const BATCH_ROWS: usize = 1_024;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

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

    /// When it is worth coming again. Only a full inbox or disk needs a person, and so time.
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
    commits: Counter,
}

impl Level {
    /// Rows committed and not yet drained. Commits whose outcome is unknown may make it a little wrong, and so does for a second what
    /// other servers commit.
    pub fn rows(&self) -> i64 {
        self.rows.load(Ordering::Relaxed).max(0)
    }

    /// Transactions that put deliveries in the inbox, since the start.
    pub fn commits(&self) -> Counter {
        self.commits.clone()
    }

    /// So many are there, by whichever server.
    pub(super) fn is(&self, rows: i64) {
        self.rows.store(rows, Ordering::Relaxed);
    }

    pub(super) fn drained(&self, rows: u64) {
        self.rows.fetch_sub(i64::try_from(rows).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

enum Task {
    Keep { delivery: Delivery, memory: Share },
    Probe,
}

struct Waiting {
    task: Task,
    reply: oneshot::Sender<Result<(), Refused>>,
}

/// A handle to put deliveries in. Clones share what gathers.
#[derive(Clone)]
pub struct Inbox(Arc<Shared>);

struct Shared {
    database: Database,
    limits: Limits,
    level: Arc<Level>,
    health: Health,
    /// Notified after each commit.
    drain: Arc<Notify>,
    gate: Gate,
    /// What the next commit takes. The first that comes has it begun.
    gathered: Mutex<Vec<Waiting>>,
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

/// Opens the inbox of `database`. `drain` is notified after each commit.
pub async fn open(database: Database, limits: Limits, drain: Arc<Notify>) -> Result<Inbox, Error> {
    let rows = database.read_inbox(store::waiting).await?;
    let level = Arc::new(Level { rows: AtomicI64::new(rows), commits: Counter::default() });
    let health =
        Health { start: Instant::now(), tried_at: AtomicU64::new(0), writable: AtomicBool::new(true) };
    let (gate, gathered) = (Gate::default(), Mutex::default());
    Ok(Inbox(Arc::new(Shared { database, limits, level, health, drain, gate, gathered })))
}

impl Inbox {
    /// Returns once `delivery` is committed and synced. `memory` is given back when its bytes are no longer held.
    pub async fn keep(&self, delivery: Delivery, memory: Share) -> Result<(), Refused> {
        if self.is_full() {
            return Err(Refused::Full);
        }
        self.ask(Task::Keep { delivery, memory }).await
    }

    pub fn is_full(&self) -> bool {
        self.0.level.rows() >= i64::from(self.0.limits.rows)
    }

    /// Whether the database takes writes now, wherever its file is. Asks it when that is not known from traffic; many who ask at once cost
    /// one transaction, because probes are batched as deliveries are.
    pub async fn is_writable(&self) -> bool {
        self.0.health.is_fresh() || matches!(self.ask(Task::Probe).await, Ok(()) | Err(Refused::Displaced(_)))
    }

    /// Whether the database's file is still where it was opened.
    pub fn in_place(&self) -> Result<(), Displaced> {
        self.0.database.in_place()
    }

    pub fn level(&self) -> Arc<Level> {
        self.0.level.clone()
    }

    async fn ask(&self, task: Task) -> Result<(), Refused> {
        let (reply, answer) = oneshot::channel();
        if self.0.gather(Waiting { task, reply })? {
            self.begin();
        }
        match tokio::time::timeout(self.0.limits.ack_timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Refused::Stopping),
            Err(_) => {
                self.0.health.record(false);
                Err(Refused::TooSlow)
            }
        }
    }

    /// Has what gathered committed, as soon as the inbox's thread gets to it.
    fn begin(&self) {
        if self.0.database.post_inbox(Commit { inbox: self.clone(), batch: None }).is_err() {
            for waiting in std::mem::take(&mut *lock(&self.0.gathered)) {
                let _ = waiting.reply.send(Err(Refused::Stopping));
            }
        }
    }

    /// What one commit takes of that which gathered. What is left then is the next one's.
    fn take(&self) -> Batch {
        let (taken, is_all) = self.0.take();
        if !is_all {
            self.begin();
        }
        Batch::of(taken)
    }
}

impl Shared {
    /// Whether it is the first to wait for a commit.
    fn gather(&self, waiting: Waiting) -> Result<bool, Refused> {
        let mut gathered = lock(&self.gathered);
        if gathered.len() >= QUEUE {
            return Err(Refused::Busy);
        }
        gathered.push(waiting);
        Ok(gathered.len() == 1)
    }

    /// As much of what gathered as fits into a commit, and whether it is all.
    fn take(&self) -> (Vec<Waiting>, bool) {
        let mut gathered = lock(&self.gathered);
        let (mut rows, mut bytes) = (0, 0);
        let fits = gathered.iter().take_while(|waiting| {
            let fits = rows < BATCH_ROWS && bytes < BATCH_BYTES;
            (rows, bytes) = (rows + 1, bytes + waiting.bytes());
            fits
        });
        let fits = fits.count();
        let left = gathered.split_off(fits);
        let taken = std::mem::replace(&mut *gathered, left);
        (taken, gathered.is_empty())
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        match &self.task {
            Task::Keep { delivery, .. } => delivery.body.len(),
            Task::Probe => 0,
        }
    }
}

/// Deliveries that share a commit, and those who wait for it.
struct Batch {
    deliveries: Vec<Delivery>,
    memory: Vec<Share>,
    replies: Vec<oneshot::Sender<Result<(), Refused>>>,
    probes: bool,
}

impl Batch {
    /// Leaves out deliveries whose handlers have stopped waiting: they were refused, and the sender will come again.
    fn of(taken: Vec<Waiting>) -> Batch {
        let (mut deliveries, mut memory) = (Vec::with_capacity(taken.len()), Vec::with_capacity(taken.len()));
        let (mut replies, mut probes) = (Vec::with_capacity(taken.len()), false);
        for Waiting { task, reply } in taken.into_iter().filter(|waiting| !waiting.reply.is_closed()) {
            match task {
                Task::Keep { delivery, memory: share } => {
                    deliveries.push(delivery);
                    memory.push(share);
                }
                Task::Probe => probes = true,
            }
            replies.push(reply);
        }
        Batch { deliveries, memory, replies, probes }
    }

    fn answer(self, answer: Result<(), Refused>) {
        drop(self.memory);
        for reply in self.replies {
            // A sender that hung up meanwhile has been told to come again, and the drain knows a repeat when it sees one.
            let _ = reply.send(answer);
        }
    }
}

/// One commit, on the inbox's thread.
struct Commit {
    inbox: Inbox,
    /// What it took, once it has begun.
    batch: Option<Batch>,
}

impl Posted for Commit {
    fn work(&mut self, tx: &mut Connection) -> Result<(), Error> {
        let batch = self.batch.insert(self.inbox.take());
        if batch.deliveries.is_empty() && batch.probes {
            store::probe(tx, PROBE_BYTES)?;
        }
        store::insert(tx, &batch.deliveries)
    }

    fn then(self, done: Result<(), Error>) {
        let batch = self.batch.unwrap_or_else(|| self.inbox.take());
        let inbox = &*self.inbox.0;
        inbox.health.record(done.is_ok());
        let rows = batch.deliveries.len();
        let answer = match done {
            Ok(()) => {
                inbox.level.rows.fetch_add(i64::try_from(rows).unwrap_or(i64::MAX), Ordering::Relaxed);
                if rows > 0 {
                    inbox.level.commits.inc();
                }
                // Committed and synced, but only worth an answer where the next start will find it.
                inbox.database.in_place().map_err(Refused::Displaced)
            }
            Err(error) => {
                if let Some(suppressed) = inbox.gate.pass() {
                    tracing::error!(error = %error, deliveries = rows, suppressed, "the inbox cannot be written");
                }
                Err(Refused::Storage)
            }
        };
        if let Err(Refused::Displaced(why)) = answer
            && let Some(suppressed) = inbox.gate.pass()
        {
            let remedy =
                "put the file back where it was, or stop the server; until then no delivery is acknowledged";
            tracing::error!(error = %why, deliveries = rows, suppressed, "{remedy}");
        }
        batch.answer(answer);
        if rows > 0 {
            inbox.drain.notify_one();
        }
    }
}
