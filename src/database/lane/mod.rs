//! Work waits in a lane for a thread that has a connection, and runs on that thread from beginning to end: a statement costs
//! no switch between threads, and no transaction can be open across anything that waits.
//!
//! A lane that writes has one thread, because SQLite has one writer. What has gathered while it committed shares the next
//! commit, each in a savepoint of its own, so that many small writes cost the disk one sync at most. Long work goes behind all other,
//! in commits of its own.

#[cfg(test)]
mod tests;
mod work;

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::connection::Connection;
use super::error::Error;
use crate::contain::lock;
use work::{Ask, Post, Turn, Work};
pub use work::{Manner, Posted};

/// How long work waits for its turn. Every transaction is a few milliseconds, so this is a disk that hangs.
const TURN: Duration = Duration::from_secs(10);

/// Work that may wait in a lane: more than all requests, workers and parts of a server can ask for at once.
const LONGEST: usize = 10_000;

/// How much work shares a commit, and how long the first of it may wait for the rest.
const SHARED: usize = 64;
const SHARED_FOR: Duration = Duration::from_millis(3);

/// What a thread does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

type Opener = Box<dyn Fn() -> Result<Connection, Error> + Send + Sync>;

/// A queue of work, and the threads that do it. They end when it is closed or dropped, after what was asked for before.
pub struct Lane {
    queue: Arc<Queue>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    open: Opener,
}

#[derive(Default)]
struct Waiting {
    work: VecDeque<Box<dyn Work>>,
    /// What lets others go first.
    behind: VecDeque<Box<dyn Work>>,
    /// The last turn was not its.
    others_went: bool,
    closed: bool,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.work.is_empty() && self.behind.is_empty()
    }

    fn next(&mut self) -> Option<Box<dyn Work>> {
        let is_its_turn = self.others_went || self.work.is_empty();
        let behind = if is_its_turn { self.behind.pop_front() } else { None };
        self.others_went = behind.is_none();
        behind.or_else(|| self.work.pop_front())
    }
}

/// A connection on its thread.
struct Served {
    connection: Connection,
    /// Its commits wait for the disk.
    is_synced: bool,
    /// So did all commits before. Of those before it was opened nothing is known.
    is_on_disk: bool,
}

impl Served {
    fn new(connection: Connection) -> Self {
        Served { connection, is_synced: true, is_on_disk: false }
    }

    /// From now on commits wait for the disk, or do not.
    fn sync(&mut self, is_synced: bool) -> Result<(), Error> {
        if self.is_synced != is_synced {
            self.connection.sync_commits(is_synced)?;
            self.is_synced = is_synced;
        }
        Ok(())
    }

    /// Commits, and with a commit that waits for the disk all that were committed before it: SQLite syncs nothing for a
    /// transaction that changed nothing, and the rows that it found may be those of a commit that did not wait.
    fn commit(&mut self) -> Result<(), Error> {
        if self.is_synced && !self.is_on_disk {
            self.connection.touch()?;
        }
        end(&mut self.connection, "COMMIT")?;
        self.is_on_disk = self.is_synced;
        Ok(())
    }
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
        let queue =
            Arc::new(Queue { waiting: Mutex::default(), arrived: Condvar::new(), open: Box::new(open) });
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
        line.push_back(work);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// The next work, for which it waits. `None` when the lane is closed and nothing is left.
    fn next(&self) -> Option<Box<dyn Work>> {
        let waiting = lock(&self.waiting);
        let mut waiting = self
            .arrived
            .wait_while(waiting, |waiting| waiting.is_empty() && !waiting.closed)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        waiting.next()
    }

    /// What can share a commit that waits for the disk or does not.
    fn next_now(&self, is_synced: bool) -> Option<Box<dyn Work>> {
        lock(&self.waiting).work.pop_front_if(|work| is_synced || work.manner() != Manner::Durable)
    }

    /// Whether a commit of `first`, and of what waits, has to wait for the disk.
    fn is_durable(&self, first: &dyn Work) -> bool {
        let waits = || lock(&self.waiting).work.iter().any(|work| work.manner() == Manner::Durable);
        match first.manner() {
            Manner::Durable => true,
            Manner::Repeatable => waits(),
            Manner::Behind => false,
        }
    }

    fn close(&self) {
        lock(&self.waiting).closed = true;
        self.arrived.notify_all();
    }

    /// Does `work`, and what else waits and may share its commit, in one transaction.
    fn serve(&self, served: &mut Option<Served>, access: Access, work: Box<dyn Work>) {
        let open = match served.take().map_or_else(|| (self.open)().map(Served::new), Ok) {
            Ok(open) => served.insert(open),
            Err(error) => return work.answer(Err(error)),
        };
        match access {
            Access::Read => read(&mut open.connection, work),
            Access::Write => match open.sync(self.is_durable(&*work)) {
                Ok(()) => self.write(open, work),
                Err(error) => return work.answer(Err(error)),
            },
        }
        // A transaction that could not be ended would be in the way of every later one: the connection goes.
        if !open.connection.0.is_autocommit() {
            *served = None;
        }
    }

    fn write(&self, served: &mut Served, first: Box<dyn Work>) {
        let shares = first.manner() != Manner::Behind;
        let (connection, is_synced) = (&mut served.connection, served.is_synced);
        if let Err(error) = connection.command("BEGIN IMMEDIATE") {
            // The others have waited as long.
            let others = std::iter::from_fn(|| self.next_now(true));
            return std::iter::once(first).chain(others).for_each(|work| work.answer(Err(error.clone())));
        }
        let (began, mut done, mut is_whole) = (Instant::now(), Vec::new(), true);
        let mut next = Some(first);
        while let Some(mut work) = next.take() {
            if work.begin() {
                let kept = attempt(connection, &mut work, done.is_empty());
                is_whole &= kept.is_ok();
                done.push((kept, work));
            }
            // SQLite ends a transaction by itself when the disk is full.
            if connection.0.is_autocommit() || !is_whole {
                break;
            }
            if shares && done.len() < SHARED && began.elapsed() < SHARED_FOR {
                next = self.next_now(is_synced);
            }
        }
        let committed = match connection.0.is_autocommit() {
            true => Err(Error::passing("the database ended the transaction")),
            false if is_whole => served.commit(),
            false => {
                end(connection, "ROLLBACK").and(Err(Error::passing("what failed could not be taken back")))
            }
        };
        for (kept, work) in done {
            work.answer(kept.and(committed.clone()));
        }
    }
}

fn read(connection: &mut Connection, mut work: Box<dyn Work>) {
    if !work.begin() {
        return;
    }
    let read = connection.command("BEGIN");
    let read = read.map(|()| _ = work.run(connection));
    let ended = end(connection, "COMMIT");
    work.answer(read.and(ended));
}

/// Runs `work`. What it did is taken back unless it went well: of the first with the whole transaction, of any other with a
/// savepoint, for which SQLite keeps a copy of each page that it changes.
fn attempt(connection: &mut Connection, work: &mut Box<dyn Work>, is_first: bool) -> Result<(), Error> {
    if is_first {
        if !work.run(connection) && !connection.0.is_autocommit() {
            connection.command("ROLLBACK")?;
            connection.command("BEGIN IMMEDIATE")?;
        }
        return Ok(());
    }
    connection.command("SAVEPOINT work")?;
    let went_well = work.run(connection);
    if connection.0.is_autocommit() {
        return Ok(());
    }
    match went_well {
        true => connection.command("RELEASE work")?,
        false => {
            connection.command("ROLLBACK TO work")?;
            connection.command("RELEASE work")?;
        }
    }
    Ok(())
}

fn end(connection: &mut Connection, how: &'static str) -> Result<(), Error> {
    let ended = connection.command(how);
    if ended.is_err() && !connection.0.is_autocommit() {
        // The caller is told of the first failure. What this one leaves open is closed with the connection.
        let _ = connection.0.execute_batch("ROLLBACK");
    }
    ended
}
