//! Work waits in a lane for a thread that has a connection, and runs on that thread from beginning to end: a statement costs
//! no switch between threads, and no transaction can be open across anything that waits.
//!
//! A lane that writes has one thread, because SQLite has one writer. What has gathered while it committed shares the next
//! commit, each in a savepoint of its own, so that many small writes cost the disk one sync.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::connection::Connection;
use super::error::Error;
use crate::contain::lock;

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
    closed: bool,
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
            let (queue, mut connection) = (queue.clone(), first.take());
            thread::Builder::new().name(name.to_owned()).spawn(move || {
                while let Some(work) = queue.next() {
                    queue.serve(&mut connection, access, work);
                }
            })
        });
        Ok(Lane { threads: Mutex::new(threads.collect::<Result<_, _>>()?), queue })
    }

    /// Runs `work` on a connection of this lane, in a transaction.
    ///
    /// Work that nobody waits for any more when its turn comes is not begun.
    ///
    /// # Errors
    /// What `work` returns; then nothing of it is written. That it did not get its turn. That the commit failed.
    pub async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&mut Connection) -> Result<T, Error> + Send + 'static,
    {
        let turn = Turn::default();
        let (reply, mut answer) = oneshot::channel();
        self.queue.push(Box::new(Ask { work, turn: turn.clone(), outcome: None, reply: Some(reply) }))?;
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
        if waiting.work.len() >= LONGEST {
            return Err(Error::passing("too much waits for the database"));
        }
        waiting.work.push_back(work);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// The next work, for which it waits. `None` when the lane is closed and nothing is left.
    fn next(&self) -> Option<Box<dyn Work>> {
        let waiting = lock(&self.waiting);
        let mut waiting = self
            .arrived
            .wait_while(waiting, |waiting| waiting.work.is_empty() && !waiting.closed)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        waiting.work.pop_front()
    }

    fn next_now(&self) -> Option<Box<dyn Work>> {
        lock(&self.waiting).work.pop_front()
    }

    fn close(&self) {
        lock(&self.waiting).closed = true;
        self.arrived.notify_all();
    }

    /// Does `work`, and what else waits, in one transaction.
    fn serve(&self, connection: &mut Option<Connection>, access: Access, work: Box<dyn Work>) {
        let open = match connection.take().map_or_else(&self.open, Ok) {
            Ok(open) => connection.insert(open),
            Err(error) => return work.answer(Err(error)),
        };
        match access {
            Access::Read => read(open, work),
            Access::Write => self.write(open, work),
        }
        // A transaction that could not be ended would be in the way of every later one: the connection goes.
        if !open.0.is_autocommit() {
            *connection = None;
        }
    }

    fn write(&self, connection: &mut Connection, first: Box<dyn Work>) {
        if let Err(error) = connection.0.execute_batch("BEGIN IMMEDIATE") {
            // The others have waited as long.
            let error = Error::from(error);
            let others = std::iter::from_fn(|| self.next_now());
            return std::iter::once(first).chain(others).for_each(|work| work.answer(Err(error.clone())));
        }
        let (began, mut done) = (Instant::now(), Vec::new());
        let mut next = Some(first);
        while let Some(mut work) = next.take() {
            if work.begin() {
                done.push((attempt(connection, &mut work), work));
            }
            // SQLite ends a transaction by itself when the disk is full.
            if connection.0.is_autocommit() {
                break;
            }
            if done.len() < SHARED && began.elapsed() < SHARED_FOR {
                next = self.next_now();
            }
        }
        let committed = match connection.0.is_autocommit() {
            true => Err(Error::passing("the database ended the transaction")),
            false => end(connection, "COMMIT"),
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
    let read = connection.0.execute_batch("BEGIN").map_err(Error::from);
    let read = read.map(|()| _ = work.run(connection));
    let ended = end(connection, "COMMIT");
    work.answer(read.and(ended));
}

/// Runs `work` in a savepoint. What it did is taken back unless it went well.
fn attempt(connection: &mut Connection, work: &mut Box<dyn Work>) -> Result<(), Error> {
    connection.0.execute_batch("SAVEPOINT work")?;
    let went_well = work.run(connection);
    if connection.0.is_autocommit() {
        return Ok(());
    }
    match went_well {
        true => connection.0.execute_batch("RELEASE work")?,
        false => connection.0.execute_batch("ROLLBACK TO work; RELEASE work")?,
    }
    Ok(())
}

fn end(connection: &mut Connection, how: &str) -> Result<(), Error> {
    let ended = connection.0.execute_batch(how).map_err(Error::from);
    if ended.is_err() && !connection.0.is_autocommit() {
        // Whoever asked is told of the first failure. What this one leaves open is closed with the connection.
        let _ = connection.0.execute_batch("ROLLBACK");
    }
    ended
}

/// Work in a lane.
trait Work: Send {
    /// Whether it is still wanted. From now on whoever asked waits for its outcome.
    fn begin(&self) -> bool;
    /// Does it, and says whether it went well.
    fn run(&mut self, connection: &mut Connection) -> bool;
    /// Says what became of it: `ended` is how its transaction ended.
    fn answer(self: Box<Self>, ended: Result<(), Error>);
}

type Outcome<T> = thread::Result<Result<T, Error>>;

struct Ask<T, F> {
    work: F,
    turn: Turn,
    outcome: Option<Outcome<T>>,
    reply: Option<oneshot::Sender<Outcome<T>>>,
}

impl<T, F> Work for Ask<T, F>
where
    T: Send,
    F: Fn(&mut Connection) -> Result<T, Error> + Send,
{
    fn begin(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| !reply.is_closed()) && self.turn.begin()
    }

    fn run(&mut self, connection: &mut Connection) -> bool {
        // What the work shares with others is right at each of its steps, and its rows are rolled back.
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.work)(connection)));
        let went_well = matches!(outcome, Ok(Ok(_)));
        self.outcome = Some(outcome);
        went_well
    }

    fn answer(mut self: Box<Self>, ended: Result<(), Error>) {
        let outcome = match (self.outcome.take(), ended) {
            // Its own failure says more than what followed from it.
            (Some(Ok(Err(error))), _) => Ok(Err(error)),
            (Some(Err(panic)), _) => Err(panic),
            (_, Err(error)) => Ok(Err(error)),
            (Some(done), Ok(())) => done,
            (None, Ok(())) => return,
        };
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(outcome);
        }
    }
}

/// Decides between a thread that begins work and whoever gives it up: only one of them does.
#[derive(Debug, Clone, Default)]
struct Turn(Arc<Mutex<Option<Taken>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Begun,
    GivenUp,
}

impl Turn {
    fn begin(&self) -> bool {
        *lock(&self.0).get_or_insert(Taken::Begun) == Taken::Begun
    }

    fn give_up(&self) -> bool {
        *lock(&self.0).get_or_insert(Taken::GivenUp) == Taken::GivenUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Database, params, statements};

    statements! {
        COUNT = "SELECT count(*) FROM clock";
        ADD = "INSERT INTO clock (one, seen_at) VALUES (1, $1)";
        SET = "UPDATE clock SET seen_at = seen_at + $1";
        SEEN = "SELECT seen_at FROM clock";
    }

    async fn new(folder: &tempfile::TempDir) -> Database {
        Database::open(&format!("sqlite://{}/docket.db", folder.path().display())).await.unwrap()
    }

    fn count(connection: &mut Connection) -> Result<i64, Error> {
        connection.one(COUNT, params![])
    }

    #[tokio::test]
    async fn what_fails_or_panics_takes_back_its_own_rows_only() {
        let folder = tempfile::tempdir().unwrap();
        let database = new(&folder).await;
        database.write(|connection| connection.run(ADD, params![1])).await.unwrap();
        // All three wait while the first holds the thread, so they share a commit.
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let held = Mutex::new(held);
        let first = database.write(move |_| Ok(_ = lock(&held).recv()));
        let fails = database.write(|connection| {
            connection.run(SET, params![10])?;
            connection.run(ADD, params![8])
        });
        let ours = database.clone();
        let panics = tokio::spawn(async move {
            ours.write(|connection| -> Result<(), Error> {
                connection.run(SET, params![100])?;
                panic!("in the middle")
            })
            .await
        });
        let works = database.write(|connection| connection.run(SET, params![1000]));
        let all = async { tokio::join!(first, fails, panics, works) };
        let release = async {
            tokio::task::yield_now().await;
            hold.send(()).unwrap();
        };
        let ((first, fails, panics, works), ()) = tokio::join!(all, release);
        first.unwrap();
        assert!(matches!(fails, Err(Error::Conflict(_))), "{fails:?}");
        assert!(panics.unwrap_err().is_panic());
        assert_eq!(works.unwrap(), 1);
        assert_eq!(database.read(|connection| connection.one::<i64>(SEEN, params![])).await.unwrap(), 1001);
    }

    #[tokio::test]
    async fn a_read_sees_one_state_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let database = new(&folder).await;
        database.write(|connection| connection.run(ADD, params![1])).await.unwrap();
        let refused = database.read(|connection| connection.run(SET, params![1])).await;
        assert!(matches!(refused, Err(Error::Bug(_))), "{refused:?}");
        assert_eq!(database.read(count).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn what_was_asked_for_before_the_end_is_done_and_nothing_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = new(&folder).await;
        let (asked, ()) =
            tokio::join!(database.write(|connection| connection.run(ADD, params![1])), database.close());
        assert_eq!(asked.unwrap(), 1);
        let late = database.write(|connection| connection.run(SET, params![1])).await;
        assert!(late.unwrap_err().will_pass());
        assert_eq!(new(&folder).await.read(count).await.unwrap(), 1);
    }

    #[test]
    fn either_the_thread_begins_the_work_or_it_is_given_up() {
        let turn = Turn::default();
        assert!(turn.clone().begin() && !turn.give_up());
        let turn = Turn::default();
        assert!(turn.give_up() && !turn.begin());
    }
}
