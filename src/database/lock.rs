//! One server per SQLite file. The lock is the operating system's, so it goes with the process however that ends, and a
//! server that starts knows that every lease it finds belongs to a dead one.

use std::fs::{File, OpenOptions, TryLockError};

use super::{OpenError, path};

/// Held by a server for as long as it runs.
#[derive(Debug)]
pub struct ServerLock {
    _file: File,
}

impl ServerLock {
    /// Takes the lock of the database at `url`.
    ///
    /// # Errors
    /// [`OpenError::InUse`] when another server holds it.
    pub fn take(url: &str) -> Result<Self, OpenError> {
        let mut path = path(url)?.into_os_string();
        path.push(".lock");
        let path = std::path::PathBuf::from(path);
        let failed = |source| OpenError::Lock { path: path.clone(), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(ServerLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.with_extension(""))),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_on_one_file_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/docket.db", folder.path().display());
        let first = ServerLock::take(&url).unwrap();
        assert!(matches!(ServerLock::take(&url), Err(OpenError::InUse(_))));
        drop(first);
        ServerLock::take(&url).unwrap();
    }
}
