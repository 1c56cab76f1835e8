//! Work waits in a lane for a thread that has a connection, and runs on that thread from beginning to end: a statement costs
//! no switch between threads, and no transaction can be open across anything that waits.
//!
//! A lane that writes to SQLite has one thread, because SQLite has one writer; one to PostgreSQL has several. How work becomes a
//! transaction is the engine's (`sqlite/turn`, `postgres/turn`). Long work goes behind all other, in commits of its own.

#[cfg(test)]
mod tests;
mod work;

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::oneshot;

use super::connection::{Connection, Session};
use super::error::Error;
use super::{postgres, sqlite};
use crate::contain::lock;
use crate::telemetry::seconds;
use work::{Ask, Post, Turn};
pub use work::{Manner, Posted, Work};

/// How long work waits for its turn. Every transaction is a few milliseconds, so this is a disk that hangs.
const TURN: Duration = Duration::from_secs(10);

/// Work that may wait in a lane: more than all requests, workers and parts of a server can ask for at once.
const LONGEST: usize = 10_000;

/// What a thread does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    /// Adds to the inbox, and takes away what nobody else does. In SQLite as [`Access::Write`], in a file of its own.
    Inbox,
}

type Opener = Box<dyn Fn() -> Result<Connection, Error> + Send + Sync>;

/// A queue of work, and the threads that do it. They end when it is closed or dropped, after what was asked for before.
pub struct Lane {
    queue: Arc<Queue>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

pub struct Queue {
    waiting: Mutex<Waiting>,
    open: Opener,
    /// How long work waited for a thread.
    waits: Histogram,
}

#[derive(Default)]
struct Waiting {
    work: VecDeque<(Box<dyn Work>, Instant)>,
    /// What lets others go first.
    behind: VecDeque<(Box<dyn Work>, Instant)>,
    /// The last turn was not its.
    others_went: bool,
    /// Threads that have nothing to do. The last of them is woken first: a connection that nobody needs is not opened, and each costs
    /// half a megabyte (SQLite reads the schema for each).
    idle: Vec<Thread>,
    closed: bool,
}

impl Waiting {
    fn next(&mut self) -> Option<(Box<dyn Work>, Instant)> {
        let is_its_turn = self.others_went || self.work.is_empty();
        let behind = if is_its_turn { self.behind.pop_front() } else { None };
        if behind.is_some() {
            self.others_went = false;
            return behind;
        }
        let work = self.work.pop_front();
        self.others_went |= work.is_some();
        work
    }
}

/// A connection on its thread, and how its engine does work there.
enum Served {
    Sqlite(sqlite::Served),
    Postgres(Connection),
}

impl Lane {
    /// A lane of `threads` threads, whose connections `open` makes when they are needed first. `first` is one that is open already.
    pub fn new(
        name: &str,
        access: Access,
        threads: usize,
        mut first: Option<Connection>,
        open: impl Fn() -> Result<Connection, Error> + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue { waiting: Mutex::default(), open: Box::new(open), waits: seconds() });
        let threads = (0..threads).map(|_| {
            let queue = queue.clone();
            let mut served = first.take().map(Served::new);
            thread::Builder::new().name(name.to_owned()).spawn(move || {
                while let Some(work) = queue.next() {
                    queue.serve(&mut served, access, work);
                }
            })
        });
        Ok(Lane { threads: Mutex::new(threads.collect::<Result<_, _>>()?), queue })
    }

    /// Runs `work` on a connection of this lane, in a transaction.
    ///
    /// Work whose caller has left when its turn comes is not begun.
    ///
    /// # Errors
    /// What `work` returns; then nothing of it is written. That it did not get its turn. That the commit failed.
    pub async fn run<T, F>(&self, manner: Manner, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&mut Connection) -> Result<T, Error> + Send + 'static,
    {
        let turn = Turn::default();
        let (reply, mut answer) = oneshot::channel();
        self.queue.push(Box::new(Ask::new(work, manner, turn.clone(), reply)))?;
        let answered = match tokio::time::timeout(TURN, &mut answer).await {
            Ok(answered) => answered,
            Err(_) if turn.give_up() => return Err(Error::passing("the database did not get to it in time")),
            // It has begun, and what becomes of it must be known.
            Err(_) => answer.await,
        };
        match answered {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(Error::passing("the database was closed")),
        }
    }

    /// Runs `work` when no other work waits, or after every other turn, and not synced. It is told whether others wait now, for
    /// which it should break off.
    ///
    /// # Errors
    /// As [`Lane::run`].
    pub async fn run_behind<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&mut Connection, &dyn Fn() -> bool) -> Result<T, Error> + Send + 'static,
    {
        let queue = self.queue.clone();
        let others_wait = move || !lock(&queue.waiting).work.is_empty();
        self.run(Manner::Behind, move |connection| work(connection, &others_wait)).await
    }

    /// Has `posted` done in a transaction on a connection of this lane, and what follows from it on that thread: no task is woken
    /// in between.
    ///
    /// # Errors
    /// It was not taken, and nothing becomes of it.
    pub fn post(&self, posted: impl Posted) -> Result<(), Error> {
        self.queue.push(Box::new(Post::new(posted)))
    }

    /// How long work has waited for a thread of this lane.
    pub fn waits(&self) -> Histogram {
        self.queue.waits.clone()
    }

    /// Ends the threads once they have done what was asked for, and waits for them. Their connections are closed then.
    pub async fn close(&self) {
        self.queue.close();
        let threads = std::mem::take(&mut *lock(&self.threads));
        let _ = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        })
        .await;
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").finish_non_exhaustive()
    }
}

impl Queue {
    fn push(&self, work: Box<dyn Work>) -> Result<(), Error> {
        let mut waiting = lock(&self.waiting);
        if waiting.closed {
            return Err(Error::passing("the database was closed"));
        }
        let line = if work.manner() == Manner::Behind { &mut waiting.behind } else { &mut waiting.work };
        if line.len() >= LONGEST {
            return Err(Error::passing("too much waits for the database"));
        }
        line.push_back((work, Instant::now()));
        let idle = waiting.idle.pop();
        drop(waiting);
        if let Some(idle) = idle {
            idle.unpark();
        }
        Ok(())
    }

    /// The next work, for which it waits. `None` when the lane is closed and nothing is left.
    fn next(&self) -> Option<Box<dyn Work>> {
        let own = thread::current();
        loop {
            let mut waiting = lock(&self.waiting);
            // It may have woken without being called, and whoever calls must find one that has nothing to do.
            waiting.idle.retain(|thread| thread.id() != own.id());
            let next = waiting.next();
            if next.is_some() || waiting.closed {
                drop(waiting);
                return next.map(|next| self.waited(next));
            }
            waiting.idle.push(own.clone());
            drop(waiting);
            thread::park();
        }
    }

    fn waited(&self, (work, since): (Box<dyn Work>, Instant)) -> Box<dyn Work> {
        self.waits.observe(since.elapsed().as_secs_f64());
        work
    }

    /// What can share a commit that waits for the disk or does not.
    pub fn next_now(&self, is_synced: bool) -> Option<Box<dyn Work>> {
        let may = |(work, _): &mut (Box<dyn Work>, Instant)| is_synced || work.manner() != Manner::Durable;
        let next = lock(&self.waiting).work.pop_front_if(may);
        next.map(|next| self.waited(next))
    }

    /// Whether a commit of `first`, and of what waits, has to wait for the disk.
    pub fn is_durable(&self, first: &dyn Work) -> bool {
        let waits = || lock(&self.waiting).work.iter().any(|(work, _)| work.manner() == Manner::Durable);
        match first.manner() {
            Manner::Durable => true,
            Manner::Repeatable | Manner::Claim => waits(),
            Manner::Behind => false,
        }
    }

    fn close(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.closed = true;
        waiting.idle.drain(..).for_each(|thread| thread.unpark());
    }

    /// Does `work`, and where the engine shares commits what else waits and may share its own.
    fn serve(&self, served: &mut Option<Served>, access: Access, work: Box<dyn Work>) {
        let open = match served.take() {
            Some(open) => served.insert(open),
            None => match (self.open)() {
                Ok(connection) => served.insert(Served::new(connection)),
                Err(error) => return work.answer(Err(error)),
            },
        };
        let unbegun = match open {
            Served::Sqlite(open) => {
                open.serve(self, access, work);
                None
            }
            Served::Postgres(connection) => postgres::do_in_turn(connection, access, work).err(),
        };
        if let Some(unbegun) = unbegun {
            *served = None;
            return self.serve_anew(served, access, unbegun);
        }
        if open.is_spent() {
            *served = None;
        }
    }

    /// Does what could not be begun because the server had closed the connection meanwhile, on another one.
    fn serve_anew(&self, served: &mut Option<Served>, access: Access, unbegun: postgres::Unbegun) {
        let mut connection = match (self.open)() {
            Ok(connection) => connection,
            Err(error) => return unbegun.work.answer(Err(error)),
        };
        match postgres::do_in_turn(&mut connection, access, unbegun.work) {
            Ok(()) => *served = Some(Served::new(connection)).filter(|served| !served.is_spent()),
            Err(unbegun) => unbegun.work.answer(Err(unbegun.error)),
        }
    }
}

impl Served {
    fn new(connection: Connection) -> Self {
        match connection.0 {
            Session::Sqlite(_) => Served::Sqlite(sqlite::Served::new(connection)),
            Session::Postgres(_) => Served::Postgres(connection),
        }
    }

    /// Whether the connection is of no more use: a transaction that could not be ended would be in the way of every later one.
    fn is_spent(&self) -> bool {
        match self {
            Served::Sqlite(served) => served.is_open(),
            Served::Postgres(connection) => match &connection.0 {
                Session::Postgres(session) => session.is_spent(),
                Session::Sqlite(_) => true,
            },
        }
    }
}
