//! How PostgreSQL does the work of a lane: each in a transaction of its own, and again from the start where the database asks for
//! that. What is committed at the same time shares one sync there, whoever wrote it.

use std::thread;
use std::time::Duration;

use crate::database::connection::{Connection, Session};
use crate::database::error::Error;
use crate::database::lane::{Access, Manner, Work};

/// How often work is begun again before it is given up. Of those that conflict one always goes on, so this is many that want the same.
const TRIES: u32 = 40;

/// How long work waits at most before it is begun again, so that not all do so at once.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Does `work` on `connection`, which is PostgreSQL's. Work that could not be begun is handed back.
pub fn do_in_turn(
    connection: &mut Connection,
    access: Access,
    mut work: Box<dyn Work>,
) -> Result<(), Unbegun> {
    let manner = work.manner();
    let mut tries = 1;
    if let Err(error) = begin(session(connection), manner, &mut tries) {
        return Err(Unbegun { work, error });
    }
    if !work.begin() {
        session(connection).rollback();
        return Ok(());
    }
    loop {
        let went_well = work.run(connection);
        let session = session(connection);
        let ended = match (went_well, access) {
            (true, Access::Write) => session.commit(manner),
            (true, Access::Read | Access::Inbox) => session.commit_plainly(),
            (false, _) => {
                session.rollback();
                Ok(())
            }
        };
        if session.is_open() {
            session.rollback();
        }
        if !session.asks_again() {
            work.answer(ended);
            return Ok(());
        }
        if tries == TRIES {
            work.answer(ended.and(Err(Error::passing("others kept changing what it was to write"))));
            return Ok(());
        }
        tries += 1;
        thread::sleep(pause(tries));
        if let Err(error) = begin(session, manner, &mut tries) {
            work.answer(Err(error));
            return Ok(());
        }
    }
}

/// Begins a transaction, again where the database asks for that: what is asked in it first may conflict like all that follows.
fn begin(session: &mut super::Session, manner: Manner, tries: &mut u32) -> Result<(), Error> {
    loop {
        let begun = session.begin(manner);
        if begun.is_ok() || !session.asks_again() || *tries >= TRIES {
            return begun;
        }
        session.rollback();
        *tries += 1;
        thread::sleep(pause(*tries));
    }
}

/// Work that had no connection to begin on.
pub struct Unbegun {
    pub work: Box<dyn Work>,
    pub error: Error,
}

fn pause(tries: u32) -> Duration {
    let longest = Duration::from_millis(1 << tries.min(6)).min(LONGEST_PAUSE);
    longest.mul_f64(fastrand::f64())
}

/// Does `work` once in a transaction of its own, outside any lane.
pub fn transaction<T>(
    connection: &mut Connection,
    manner: Manner,
    work: impl FnOnce(&mut Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    session(connection).begin(manner)?;
    let done = work(connection);
    let session = session(connection);
    match done {
        Ok(done) => session.commit(manner).map(|()| done),
        Err(error) => {
            session.rollback();
            Err(error)
        }
    }
}

pub(super) fn session(connection: &mut Connection) -> &mut super::Session {
    match &mut connection.0 {
        Session::Postgres(session) => session,
        Session::Sqlite(_) => unreachable!("a lane to PostgreSQL opens sessions with it only"),
    }
}
