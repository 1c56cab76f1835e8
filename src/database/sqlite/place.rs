//! Whether the open database is still the file that the next start will open. SQLite goes on writing to a file that was moved
//! or removed, and what it commits there is synced to a disk and lost all the same.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What became of the database's file. A move back mends the first two; the others want the server stopped and a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Displaced {
    #[error("the database file was moved or removed")]
    Gone,
    #[error("the database file was replaced by another")]
    Replaced,
    #[error("the database file was cut short")]
    Cut,
    #[error("the database's WAL was removed")]
    WithoutWal,
}

/// Where a database was opened, and which file that was.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    wal: PathBuf,
    /// Open for as long as the database is: closing any handle of the file gives up the locks that SQLite holds on it in
    /// this process, and another process would then take it for one that is not in use.
    file: File,
    identity: Identity,
    /// The file's length when it was looked at last. SQLite gives space back only when a person runs VACUUM.
    length: AtomicU64,
}

#[derive(Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Place {
    /// The place of the file that is at `path` now, when it has just been opened there.
    pub fn of(path: &Path) -> io::Result<Place> {
        let handle = File::open(path)?;
        let file = handle.metadata()?;
        // SQLite keeps the WAL beside the file itself, not beside a link to it.
        let mut wal = fs::canonicalize(path)?.into_os_string();
        wal.push("-wal");
        let length = AtomicU64::new(file.len());
        Ok(Place { path: path.to_owned(), wal: wal.into(), file: handle, identity: identity(&file), length })
    }

    /// Where the next start will look for it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks again, after a commit. It costs two questions to the file system, some microseconds beside a commit's
    /// milliseconds.
    ///
    /// # Errors
    /// The next start would not find what was committed.
    pub fn check(&self) -> Result<(), Displaced> {
        let file = fs::metadata(&self.path).map_err(|_| Displaced::Gone)?;
        if identity(&file) != self.identity {
            return Err(Displaced::Replaced);
        }
        let shrank = file.len() < self.length.load(Ordering::Relaxed);
        if shrank && !is_whole(&self.file, file.len()) {
            return Err(Displaced::Cut);
        }
        self.length.store(file.len(), Ordering::Relaxed);
        if fs::metadata(&self.wal).is_err() { Err(Displaced::WithoutWal) } else { Ok(()) }
    }
}

/// Whether `length` holds every page that the header of the database counts: then it was SQLite that made it shorter.
fn is_whole(file: &File, length: u64) -> bool {
    // <https://www.sqlite.org/fileformat.html#the_database_header>: the page's size at 16, their number at 28.
    let mut header = [0; 32];
    let read = file.read_exact_at(&mut header, 0);
    let size = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
    read.is_ok() && header.starts_with(b"SQLite format 3\0") && u64::from(pages) * size <= length
}

#[cfg(unix)]
fn identity(file: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    Identity(file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Database;

    #[tokio::test]
    async fn whatever_is_done_to_the_file_is_noticed_and_sqlites_own_doing_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("docket.db"), folder.path().join("other"));
        let database = Database::open(&format!("sqlite://{}", path.display())).await.unwrap();
        let fill = "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 9999) SELECT i, hex(i) FROM n";
        for sql in [
            fill,
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "DROP TABLE t",
            "VACUUM",
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ] {
            database.statement(sql).await;
            assert_eq!(database.in_place(), Ok(()), "{sql}");
        }
        fs::rename(&path, &other).unwrap();
        assert_eq!(database.in_place(), Err(Displaced::Gone));
        fs::copy(&other, &path).unwrap();
        assert_eq!(database.in_place(), Err(Displaced::Replaced));
        fs::rename(&other, &path).unwrap();
        assert_eq!(database.in_place(), Ok(()));
        fs::rename(folder.path().join("docket.db-wal"), &other).unwrap();
        assert_eq!(database.in_place(), Err(Displaced::WithoutWal));
        fs::rename(&other, folder.path().join("docket.db-wal")).unwrap();
        for length in [4096, 0] {
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
            assert_eq!(database.in_place(), Err(Displaced::Cut), "{length}");
        }
    }
}
