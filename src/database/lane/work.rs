//! What waits in a lane: work that a task waits for, and work whose outcome is told on the thread that did it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::sync::oneshot;

use crate::contain::lock;
use crate::database::connection::Connection;
use crate::database::error::Error;

/// How work is written: when it gets its turn, and what its commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// In its turn, and on the disk when it is answered.
    Durable,
    /// In its turn. It is on the disk with the next durable work, whether or not that changes a row: commits are found again in their
    /// order or not at all. Should the power fail before, it is as if it had not been done yet, so it is for what is done again then.
    Repeatable,
    /// As the last, and takes rows that others may want at the same moment.
    Claim,
    /// As [`Manner::Repeatable`], and others go first: it has every other turn at most.
    Behind,
}

/// Work in a lane.
pub trait Work: Send {
    fn manner(&self) -> Manner;
    /// Whether it is still wanted. From now on the caller waits for its outcome.
    fn begin(&self) -> bool;
    /// Does it, and says whether it went well.
    fn run(&mut self, connection: &mut Connection) -> bool;
    /// Says what became of it: `ended` is how its transaction ended.
    fn answer(self: Box<Self>, ended: Result<(), Error>);
}

type Outcome<T> = thread::Result<Result<T, Error>>;

/// Work that a task waits for.
pub struct Ask<T, F> {
    work: F,
    manner: Manner,
    turn: Turn,
    outcome: Option<Outcome<T>>,
    reply: Option<oneshot::Sender<Outcome<T>>>,
}

impl<T, F> Ask<T, F> {
    pub fn new(work: F, manner: Manner, turn: Turn, reply: oneshot::Sender<Outcome<T>>) -> Self {
        Ask { work, manner, turn, outcome: None, reply: Some(reply) }
    }
}

impl<T, F> Work for Ask<T, F>
where
    T: Send,
    F: Fn(&mut Connection) -> Result<T, Error> + Send,
{
    fn manner(&self) -> Manner {
        self.manner
    }

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

/// Work that no task waits for: what follows from it is done where it was done.
pub trait Posted: Send + 'static {
    /// Does it, in a transaction.
    ///
    /// # Errors
    /// Then nothing of it is written.
    fn work(&mut self, connection: &mut Connection) -> Result<(), Error>;

    /// Is told when that is committed and synced, or why it is not. Perhaps the work was never begun.
    fn then(self, done: Result<(), Error>);
}

/// [`Posted`] work in a lane.
pub struct Post<P> {
    posted: P,
    outcome: Option<Outcome<()>>,
}

impl<P> Post<P> {
    pub fn new(posted: P) -> Self {
        Post { posted, outcome: None }
    }
}

impl<P: Posted> Work for Post<P> {
    fn manner(&self) -> Manner {
        Manner::Durable
    }

    fn begin(&self) -> bool {
        true
    }

    fn run(&mut self, connection: &mut Connection) -> bool {
        // As for what a task waits for.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.posted.work(connection)));
        let went_well = matches!(outcome, Ok(Ok(())));
        self.outcome = Some(outcome);
        went_well
    }

    fn answer(self: Box<Self>, ended: Result<(), Error>) {
        let done = match self.outcome {
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) => Err(Error::bug("it panicked")),
            Some(Ok(Ok(()))) | None => ended,
        };
        self.posted.then(done);
    }
}

/// Decides between a thread that begins work and a caller that gives it up: only one of them does.
#[derive(Debug, Clone, Default)]
pub struct Turn(Arc<Mutex<Option<Taken>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Begun,
    GivenUp,
}

impl Turn {
    pub fn begin(&self) -> bool {
        *lock(&self.0).get_or_insert(Taken::Begun) == Taken::Begun
    }

    pub fn give_up(&self) -> bool {
        *lock(&self.0).get_or_insert(Taken::GivenUp) == Taken::GivenUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_the_thread_begins_the_work_or_it_is_given_up() {
        let turn = Turn::default();
        assert!(turn.clone().begin() && !turn.give_up());
        let turn = Turn::default();
        assert!(turn.give_up() && !turn.begin());
    }
}
