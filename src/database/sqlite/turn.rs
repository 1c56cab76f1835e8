//! How SQLite does the work of a lane. What has gathered while a commit was under way shares the next one, each in a savepoint of its
//! own, so that many small writes cost the disk one sync at most.

use std::time::{Duration, Instant};

use super::Session;
use crate::database::connection::{self, Connection};
use crate::database::error::Error;
use crate::database::lane::{Access, Manner, Queue, Work};

/// How much work shares a commit, and how long the first of it may wait for the rest.
const SHARED: usize = 64;
const SHARED_FOR: Duration = Duration::from_millis(3);

/// A connection on its thread.
pub struct Served {
    connection: Connection,
    /// Its commits wait for the disk.
    is_synced: bool,
    /// So did all commits before. Of those before it was opened nothing is known.
    is_on_disk: bool,
}

impl Served {
    pub fn new(connection: Connection) -> Self {
        Served { connection, is_synced: true, is_on_disk: false }
    }

    /// From now on commits wait for the disk, or do not.
    fn sync(&mut self, is_synced: bool) -> Result<(), Error> {
        if self.is_synced != is_synced {
            session(&mut self.connection).sync_commits(is_synced)?;
            self.is_synced = is_synced;
        }
        Ok(())
    }

    /// Commits, and with a commit that waits for the disk all that were committed before it: SQLite syncs nothing for a
    /// transaction that changed nothing, and the rows that it found may be those of a commit that did not wait.
    fn commit(&mut self) -> Result<(), Error> {
        if self.is_synced && !self.is_on_disk {
            session(&mut self.connection).touch()?;
        }
        end(&mut self.connection, "COMMIT")?;
        self.is_on_disk = self.is_synced;
        Ok(())
    }

    /// Whether a transaction is open.
    pub fn is_open(&self) -> bool {
        session_of(&self.connection).is_open()
    }

    /// Does `work`, and what else waits in `queue` and may share its commit, in one transaction.
    pub fn serve(&mut self, queue: &Queue, access: Access, work: Box<dyn Work>) {
        if access == Access::Read {
            return read(&mut self.connection, work);
        }
        match self.sync(queue.is_durable(&*work)) {
            Ok(()) => self.write(queue, work),
            Err(error) => work.answer(Err(error)),
        }
    }

    fn write(&mut self, queue: &Queue, first: Box<dyn Work>) {
        let shares = first.manner() != Manner::Behind;
        let (connection, is_synced) = (&mut self.connection, self.is_synced);
        if let Err(error) = session(connection).command("BEGIN IMMEDIATE") {
            // The others have waited as long.
            let others = std::iter::from_fn(|| queue.next_now(true));
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
            if !session_of(connection).is_open() || !is_whole {
                break;
            }
            if shares && done.len() < SHARED && began.elapsed() < SHARED_FOR {
                next = queue.next_now(is_synced);
            }
        }
        let committed = match !session_of(connection).is_open() {
            true => Err(Error::passing("the database ended the transaction")),
            false if is_whole => self.commit(),
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
    let read = session(connection).command("BEGIN");
    let read = read.map(|()| _ = work.run(connection));
    let ended = end(connection, "COMMIT");
    work.answer(read.and(ended));
}

/// Runs `work`. What it did is taken back unless it went well: of the first with the whole transaction, of any other with a
/// savepoint, for which SQLite keeps a copy of each page that it changes.
fn attempt(connection: &mut Connection, work: &mut Box<dyn Work>, is_first: bool) -> Result<(), Error> {
    if is_first {
        if !work.run(connection) && session_of(connection).is_open() {
            session(connection).command("ROLLBACK")?;
            session(connection).command("BEGIN IMMEDIATE")?;
        }
        return Ok(());
    }
    session(connection).command("SAVEPOINT work")?;
    let went_well = work.run(connection);
    if !session_of(connection).is_open() {
        return Ok(());
    }
    match went_well {
        true => session(connection).command("RELEASE work")?,
        false => {
            session(connection).command("ROLLBACK TO work")?;
            session(connection).command("RELEASE work")?;
        }
    }
    Ok(())
}

fn end(connection: &mut Connection, how: &'static str) -> Result<(), Error> {
    let ended = session(connection).command(how);
    if ended.is_err() && session_of(connection).is_open() {
        // The caller is told of the first failure. What this one leaves open is closed with the connection.
        let _ = session(connection).0.execute_batch("ROLLBACK");
    }
    ended
}

fn session(connection: &mut Connection) -> &mut Session {
    match &mut connection.0 {
        connection::Session::Sqlite(session) => session,
        connection::Session::Postgres(_) => unreachable!("a lane to a file opens sessions with SQLite only"),
    }
}

fn session_of(connection: &Connection) -> &Session {
    match &connection.0 {
        connection::Session::Sqlite(session) => session,
        connection::Session::Postgres(_) => unreachable!("a lane to a file opens sessions with SQLite only"),
    }
}
