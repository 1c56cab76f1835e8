//! SQLite as the engine: one file, and the inbox's beside it.
//!
//! It allows one writer at a time, and waiting for its lock means polling it. So all writes of a process to a file go through one
//! connection, in the order in which they were asked for, but that long ones let others go first; readers have connections of their
//! own. The inbox is a file of its own with a writer of its own: no acknowledgement waits for a write to the database.

mod apart;
mod backup;
#[cfg(test)]
pub mod kept;
mod location;
mod lock;
mod migrate;
mod open;
mod place;
#[cfg(test)]
pub mod plan;
mod session;
#[cfg(test)]
mod tests;
mod turn;
mod whole;

use std::path::Path;
use std::sync::Arc;

pub use backup::{Backup, Restored, back_up, put_back};
pub use location::{beside, path, relative_to};
pub use lock::{FileLock, words};
pub use migrate::MigrateError;
use migrate::{INBOX, MAIN};
pub use open::INBOX_SUFFIX;
use open::{as_of_this_version, connect, inbox_path, open_file, open_whole};
pub use place::Displaced;
use place::Place;
pub use session::{Session, value};
#[cfg(test)]
pub use session::{bind, number};
pub use turn::Served;

use super::connection::Connection;
use super::error::Error;
use super::lane::{Access, Lane};
use super::open_error::OpenError;
use super::schema::Purpose;
use super::{Database, Engine, Inspection, Lanes};

/// Readers are commands, health checks and look-ups beside the work; they never hold a connection for long.
const READERS: usize = 4;

/// The files that are open, and where the next start looks for them.
#[derive(Debug)]
pub struct Files {
    main: Place,
    inbox: Place,
}

impl Files {
    /// Whether what was committed is where the next start will look for it.
    ///
    /// # Errors
    /// What became of the file.
    pub fn in_place(&self) -> Result<(), Displaced> {
        self.inbox.check()?;
        self.main.check()
    }

    /// What empties both WALs, and says whether it could.
    pub fn fold(&self) -> impl FnOnce() -> Result<bool, Error> + Send + 'static {
        let paths = [self.main.path().to_owned(), self.inbox.path().to_owned()];
        move || {
            let mut folded = true;
            for path in paths {
                folded &= open::fold(&path)?;
            }
            Ok(folded)
        }
    }

    #[cfg(test)]
    pub fn path(&self) -> &Path {
        self.main.path()
    }
}

/// Opens the database at `url` for a server, or to be filled.
pub fn open(url: &str, purpose: Purpose) -> Result<Database, OpenError> {
    let path = path(url)?;
    let mut main = open_whole(&path, &MAIN, purpose)?;
    let beside = inbox_path(&path)?;
    let mut inbox = open_whole(&beside, &INBOX, purpose)?;
    INBOX.apply(&mut inbox)?;
    apart::copy_inbox(&main, &mut inbox)?;
    MAIN.apply(&mut main)?;
    serve((&path, main), (&beside, inbox))
}

/// Opens a database that a server has made.
pub fn open_existing(url: &str) -> Result<Database, OpenError> {
    let path = path(url)?;
    let main = connect(&path)?;
    as_of_this_version(&main, &MAIN, &path)?;
    let beside = inbox_path(&path)?;
    let inbox = connect(&beside)?;
    as_of_this_version(&inbox, &INBOX, &beside)?;
    serve((&path, main), (&beside, inbox))
}

/// Looks at the database and changes nothing.
pub fn inspect(url: &str) -> Result<Inspection, OpenError> {
    let path = path(url)?;
    let connection = connect(&path)?;
    let tried = connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK");
    tried.map_err(|error| whole::explained(error.into(), &path))?;
    let schema = MAIN.schema(&connection)?;
    Ok(Inspection { engine: format!("SQLite {}", rusqlite::version()), schema, durability: None })
}

/// Writes both files anew, and answers their bytes before and after.
pub fn compact(url: &str) -> Result<(u64, u64), OpenError> {
    let path = path(url)?;
    let (mut before, mut after) = (0, 0);
    for path in [inbox_path(&path)?, path] {
        let bytes = open::compact(&path)?;
        (before, after) = (before + bytes.0, after + bytes.1);
    }
    Ok((before, after))
}

fn serve(
    main: (&Path, rusqlite::Connection),
    inbox: (&Path, rusqlite::Connection),
) -> Result<Database, OpenError> {
    let observer = lane(main.0, Access::Read, 1, None)?;
    let place =
        |path: &Path| Place::of(path).map_err(|source| OpenError::Place { path: path.to_owned(), source });
    let files = |main, inbox| Ok::<_, OpenError>(Files { main: place(main)?, inbox: place(inbox)? });
    let paths = (main.0, inbox.0);
    Ok(Database {
        main: Arc::new(lanes(main.0, main.1)?),
        inbox: Arc::new(lanes(inbox.0, inbox.1)?),
        observer: Arc::new(observer),
        engine: Arc::new(Engine::Sqlite(files(paths.0, paths.1)?)),
    })
}

/// Serves the file at `path`, on which `writer` is open.
fn lanes(path: &Path, writer: rusqlite::Connection) -> Result<Lanes, OpenError> {
    Ok(Lanes {
        writer: lane(path, Access::Write, 1, Some(Connection::sqlite(writer)))?,
        readers: lane(path, Access::Read, READERS, None)?,
    })
}

/// A lane of so many threads to the file at `path`.
fn lane(path: &Path, access: Access, threads: usize, first: Option<Connection>) -> Result<Lane, OpenError> {
    let real = location::found(path)?;
    let open = move || Ok(Connection::sqlite(open_file(&real, access)?));
    let name = if access == Access::Write { "db-write" } else { "db-read" };
    let failed = |source| OpenError::Place { path: path.to_owned(), source };
    Lane::new(name, access, threads, first, open).map_err(failed)
}

/// A new database in memory.
#[cfg(test)]
pub fn in_memory() -> rusqlite::Connection {
    let mut raw = rusqlite::Connection::open_in_memory().unwrap();
    MAIN.apply(&mut raw).unwrap();
    raw
}

/// What one column of a statement answers, in a database with our schema and no rows that has the inbox's table too.
#[cfg(test)]
pub fn rows(sql: &str) -> Vec<String> {
    let connection = in_memory();
    connection.execute_batch(include_str!("../../../migrations/sqlite-inbox/0001_inbox.sql")).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}
