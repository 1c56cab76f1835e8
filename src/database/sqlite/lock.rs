//! One server per database. The lock is the operating system's and is on the database itself, so it is the same one by
//! whatever name the database is opened, only a process that can open the database can take it, and it goes with the process
//! however that ends: a server that starts knows that every lease it finds belongs to a dead one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::location;
use crate::database::OpenError;

/// A command that looks whether a server runs holds the lock for a moment. So a server asks for it this often, and this far
/// apart, before it believes that another one has it.
const TRIES: u32 = 5;
const BETWEEN: Duration = Duration::from_millis(20);

/// What the kernel says of locks that are held.
const LOCKS: &str = "/proc/locks";

/// Held by a server for as long as it runs, and longer than the database is open.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock of the database at `url`, which is made, empty, when there is none.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when another server holds it, and those of a file that cannot be opened.
    pub fn take(url: &str) -> Result<Self, OpenError> {
        let path = location::path(url)?;
        let real = location::found_or_made(&path)?;
        let file = open(&path, &real)?;
        for tries_left in (0..TRIES).rev() {
            match file.try_lock() {
                Ok(()) => return alone(&path, FileLock { _file: file }),
                Err(TryLockError::WouldBlock) if tries_left > 0 => thread::sleep(BETWEEN),
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(source)) => return Err(OpenError::Lock { path, source }),
            }
        }
        Err(OpenError::InUse { holder: holder(&real), path })
    }

    /// Who works on the database at `url` now, in words for a person; `None` when no process does. Makes no file.
    ///
    /// Only for a process that does not have the database open: closing any handle of a file gives up what locks SQLite
    /// holds on it in this process.
    ///
    /// # Errors
    /// [`OpenError::Missing`] when there is no database, and those of a file that cannot be opened.
    pub fn holder(url: &str) -> Result<Option<String>, OpenError> {
        let path = location::path(url)?;
        let real = location::found(&path)?;
        match open(&path, &real)?.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(holder(&real))),
            Err(TryLockError::Error(source)) => Err(OpenError::Lock { path, source }),
        }
    }
}

fn open(path: &Path, real: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Place { path: path.to_owned(), source };
    OpenOptions::new().read(true).write(true).open(lockable(real)).map_err(failed)
}

/// On Linux `flock` and the locks that SQLite takes know nothing of each other. Elsewhere they may be one kind, and a lock on
/// the database would lock SQLite out: there it is on a file beside it.
fn lockable(real: &Path) -> PathBuf {
    if cfg!(target_os = "linux") {
        return real.to_owned();
    }
    let beside = location::beside(real, ".lock");
    // What stands in the way is told when it is opened.
    let _ = location::make(&beside);
    beside
}

/// A file with two names would get two logs from SQLite, each with half of what was written.
fn alone(path: &Path, lock: FileLock) -> Result<FileLock, OpenError> {
    let metadata = fs::metadata(path).map_err(|source| OpenError::Place { path: path.to_owned(), source })?;
    match metadata.nlink() {
        0 | 1 => Ok(lock),
        names => Err(OpenError::SeveralNames { path: path.to_owned(), names }),
    }
}

/// Who holds the lock of `real`, as far as the kernel shows that here: not across containers.
fn holder(real: &Path) -> String {
    // The kernel hands the list out in pieces, and a lock that others take meanwhile can push one between two of them.
    let process = fs::metadata(real)
        .ok()
        .and_then(|file| (0..TRIES).find_map(|_| process(&fs::read_to_string(LOCKS).ok()?, file.ino())));
    let Some(process) = process else { return "a process that cannot be seen from here".to_owned() };
    words(process)
}

/// A process, for people.
pub fn words(process: u32) -> String {
    match fs::read_to_string(format!("/proc/{process}/comm")) {
        Ok(name) => format!("process {process}, {}", name.trim_end()),
        Err(_) => format!("process {process}"),
    }
}

/// The process that holds a `flock` on the file with this inode. The line ends in process, device:inode, and the range.
fn process(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, process, file, ..] = fields[..] else { return None };
        let (_, its_inode) = file.rsplit_once(':')?;
        (its_inode.parse() == Ok(inode)).then(|| process.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_on_one_file_is_refused_by_whatever_name_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let url = |name: &str| format!("sqlite://{}", at(name).display());
        let first = FileLock::take(&url("docket.db")).unwrap();
        std::os::unix::fs::symlink(at("docket.db"), at("link.db")).unwrap();
        fs::hard_link(at("docket.db"), at("hard.db")).unwrap();
        for name in ["docket.db", "link.db", "hard.db"] {
            let error = FileLock::take(&url(name)).unwrap_err();
            let OpenError::InUse { holder, .. } = error else { panic!("{name}: {error}") };
            assert!(holder.contains(&std::process::id().to_string()), "{holder}");
            assert!(FileLock::holder(&url(name)).unwrap().is_some());
        }
        drop(first);
        let error = FileLock::take(&url("hard.db")).unwrap_err();
        assert!(matches!(error, OpenError::SeveralNames { names: 2, .. }), "{error}");
        fs::remove_file(at("hard.db")).unwrap();
        assert_eq!(FileLock::holder(&url("link.db")).unwrap(), None);
        FileLock::take(&url("link.db")).unwrap();
    }

    #[test]
    fn the_holder_is_read_from_what_the_kernel_says() {
        let locks = "1: POSIX  ADVISORY  READ 11 fd:01:77 128 128\n2: FLOCK  ADVISORY  WRITE 4242 fd:01:77 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 12 fd:01:77 0 EOF\n";
        assert_eq!(process(locks, 77), Some(4242));
        assert_eq!(process(locks, 7), None);
    }
}
