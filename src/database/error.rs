//! What can go wrong with an open database, by what follows from it.

use std::sync::Arc;

use rusqlite::ffi::ErrorCode;

/// An error of the open database. Clones are of one failure: a commit that fails, fails for all whose work was in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Another process holds the database's lock, and kept it for longer than is waited for.
    #[error("{0}")]
    Locked(Cause),
    /// The surroundings, which change by themselves: a full or failing disk, a writer with no end of work.
    #[error("{0}")]
    Passing(Cause),
    /// What was to be written contradicts what is there.
    #[error("{0}")]
    Conflict(Cause),
    /// It would fail again: a wrong statement, a value of another type, a damaged file.
    #[error("{0}")]
    Bug(Cause),
}

/// What the driver said, or what we say ourselves.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Cause {
    #[error("{0}")]
    Driver(Arc<rusqlite::Error>),
    #[error("{0}")]
    Own(&'static str),
    #[error("{0}")]
    Told(Arc<str>),
}

impl Error {
    /// Whether it goes away by itself.
    pub fn will_pass(&self) -> bool {
        matches!(self, Error::Locked(_) | Error::Passing(_))
    }

    /// A failure that passes, in our own words.
    pub fn passing(what: &'static str) -> Self {
        Error::Passing(Cause::Own(what))
    }

    /// A contradiction, in our own words.
    pub fn conflict(what: &'static str) -> Self {
        Error::Conflict(Cause::Own(what))
    }

    /// What would fail again, in our own words.
    pub fn bug(what: &'static str) -> Self {
        Error::Bug(Cause::Own(what))
    }

    pub(super) fn told_passing(what: String) -> Self {
        Error::Passing(Cause::Told(what.into()))
    }

    pub(super) fn told_bug(what: String) -> Self {
        Error::Bug(Cause::Told(what.into()))
    }

    /// SQLite's primary code, if it is SQLite's error.
    pub(super) fn code(&self) -> Option<ErrorCode> {
        let (Error::Locked(cause) | Error::Passing(cause) | Error::Conflict(cause) | Error::Bug(cause)) =
            self;
        match cause {
            Cause::Driver(error) => error.sqlite_error_code(),
            Cause::Own(_) | Cause::Told(_) => None,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let cause = Cause::Driver(Arc::new(error));
        match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Locked(cause),
            Some(ErrorCode::SystemIoFailure | ErrorCode::DiskFull | ErrorCode::CannotOpen) => {
                Error::Passing(cause)
            }
            Some(ErrorCode::ConstraintViolation) => Error::Conflict(cause),
            _ => Error::Bug(cause),
        }
    }
}
