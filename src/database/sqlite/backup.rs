//! A copy of the database that a server goes on with meanwhile, and the way back.
//!
//! The inbox is copied first: a delivery that is drained between the two is then in both copies, where it makes nothing new, and
//! never in neither.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::migrate::{INBOX, MAIN, Migrations};
use super::open::{INBOX_SUFFIX, fold, open_file, schema};
use super::{location, whole};
use crate::database::lane::Access;
use crate::database::open_error::OpenError;
use crate::database::schema::Standing;

/// What the name ends in of a copy that is not finished.
const PART: &str = ".part";

/// Files that SQLite keeps beside one of its own.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    pub bytes: u64,
    /// Deliveries that had been acknowledged and were no events yet; with any the inbox is copied as well.
    pub waiting: u64,
}

/// What was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where the database is now that was there before. None where there was none.
    pub aside: Option<PathBuf>,
    /// The inbox beside it was there already, with what was acknowledged since, and stayed.
    pub kept_inbox: bool,
}

/// Copies the database at `url` to `to`, where nothing may be, and what waits in its inbox to a file beside it.
pub fn back_up(url: &str, to: &Path) -> Result<Backup, OpenError> {
    let path = location::path(url)?;
    let real = location::found(&path)?;
    let inbox = location::beside(&real, INBOX_SUFFIX);
    let beside = location::beside(to, INBOX_SUFFIX);
    for taken in [to, &beside] {
        if taken.symlink_metadata().is_ok() {
            return Err(failed(taken, "something is there already, and a backup writes over nothing"));
        }
    }
    let main = open(&real, &MAIN, &path)?;
    let waiting = match location::found(&inbox) {
        Ok(_) => {
            let inbox = open(&inbox, &INBOX, &path)?;
            let waiting = counted(&inbox).map_err(|error| whole::explained(error.into(), &path))?;
            if waiting > 0 {
                copy(&inbox, &beside)?;
            }
            waiting
        }
        Err(_) => 0,
    };
    let bytes = copy(&main, to)?;
    Ok(Backup { bytes, waiting })
}

/// Puts the copy at `from` in the place of the database at `url`, on which no server works. What was there goes aside.
pub fn put_back(url: &str, from: &Path) -> Result<Restored, OpenError> {
    let from = location::found(from)?;
    check(&from)?;
    let path = location::path(url)?;
    let real = location::found_or_made(&path)?;
    if real == from {
        return Err(failed(&from, "it is the database itself"));
    }
    // Whole beside it first: what is there goes only when that can take its place at once.
    let part = location::beside(&real, PART);
    clone(&from, &part)?;
    let aside = set_aside(&real)?;
    rename(&part, &real)?;
    let (inbox, copied) = (location::beside(&real, INBOX_SUFFIX), location::beside(&from, INBOX_SUFFIX));
    let kept_inbox = inbox.exists();
    if !kept_inbox && copied.exists() {
        let part = location::beside(&inbox, PART);
        clone(&copied, &part)?;
        rename(&part, &inbox)?;
    }
    Ok(Restored { aside, kept_inbox })
}

fn open(real: &Path, migrations: &Migrations, path: &Path) -> Result<Connection, OpenError> {
    let connection = open_file(real, Access::Read).map_err(|error| whole::explained(error.into(), path))?;
    match schema(&connection, migrations, path)?.standing {
        // A start that came to nothing leaves an empty file.
        Standing::None => Err(OpenError::Missing(path.to_owned())),
        Standing::Unfinished => Err(OpenError::Unfinished(path.display().to_string())),
        // The copy is the same to any version.
        Standing::Behind | Standing::Usable | Standing::Beyond => Ok(connection),
    }
}

fn counted(inbox: &Connection) -> rusqlite::Result<u64> {
    inbox.query_row("SELECT count(*) FROM inbox", [], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))
}

/// Writes what `connection` sees at one moment to `to`, whole or not at all, for our own user only.
fn copy(connection: &Connection, to: &Path) -> Result<u64, OpenError> {
    let part = location::beside(to, PART);
    let name = part.to_str().ok_or_else(|| failed(to, "its name is no text in UTF-8"))?;
    let failed_so = |error: &dyn std::fmt::Display| failed(to, &error.to_string());
    // Of a backup that was interrupted.
    let _ = fs::remove_file(&part);
    location::make(&part).map_err(|error| failed_so(&error))?;
    let written = connection.execute("VACUUM INTO ?1", [name]).map_err(|error| failed_so(&error));
    let written = written.and_then(|_| {
        let copied = Connection::open_with_flags(&part, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let found = copied
            .and_then(|copied| copied.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)));
        match found.map_err(|error| failed_so(&error))?.as_str() {
            "ok" => rename(&part, to),
            what => Err(failed_so(&what)),
        }
    });
    if let Err(error) = written {
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    Ok(to.metadata().map_or(0, |metadata| metadata.len()))
}

/// Whether the file at `from` is a whole database of Docket's that this program can work with.
fn check(from: &Path) -> Result<(), OpenError> {
    let explained = |error: rusqlite::Error| whole::explained(error.into(), from);
    let mut connection =
        Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(explained)?;
    whole::check(&mut connection, from)?;
    match schema(&connection, &MAIN, from)?.standing {
        Standing::Behind | Standing::Usable => Ok(()),
        Standing::Beyond => Err(OpenError::NewSchema(from.to_owned())),
        Standing::None => Err(failed(from, "it is no backup of a docket's database")),
        Standing::Unfinished => Err(OpenError::Unfinished(from.display().to_string())),
    }
}

/// Moves the database at `real` out of the way, with its log; one that is empty goes.
fn set_aside(real: &Path) -> Result<Option<PathBuf>, OpenError> {
    let is_empty = real.metadata().is_ok_and(|metadata| metadata.len() == 0);
    if !is_empty {
        // A log that cannot be written into its file goes along with it.
        let _ = fold(real);
    }
    let stamp = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let aside = location::beside(real, &format!(".before-{stamp}"));
    for suffix in BESIDE {
        let log = location::beside(real, suffix);
        if log.exists() {
            let place = location::beside(&aside, suffix);
            fs::rename(&log, &place).map_err(|error| failed(&log, &error.to_string()))?;
        }
    }
    if is_empty {
        fs::remove_file(real).map_err(|error| failed(real, &error.to_string()))?;
        return Ok(None);
    }
    rename(real, &aside)?;
    Ok(Some(aside))
}

/// A copy of the file at `from`, for our own user only, on the disk.
fn clone(from: &Path, to: &Path) -> Result<(), OpenError> {
    let _ = fs::remove_file(to);
    let copied = location::make(to).and_then(|()| {
        let mut target = fs::OpenOptions::new().write(true).open(to)?;
        std::io::copy(&mut File::open(from)?, &mut target)?;
        target.sync_all()
    });
    copied.map_err(|error| failed(to, &error.to_string()))
}

/// Gives a file its name for good: its bytes, and then its folder, are on the disk when this returns.
fn rename(from: &Path, to: &Path) -> Result<(), OpenError> {
    let renamed = || {
        File::open(from)?.sync_all()?;
        fs::rename(from, to)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    renamed().map_err(|error: std::io::Error| failed(to, &error.to_string()))
}

fn failed(path: &Path, what: &str) -> OpenError {
    OpenError::Copy { path: path.to_owned(), what: what.to_owned() }
}
