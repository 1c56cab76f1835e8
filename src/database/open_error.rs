//! Why a database could not be opened, each with what to do about it.

use std::path::PathBuf;

use super::error::Error;
use super::migrate::MigrateError;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    // Not the URL: it may hold a password.
    #[error("DATABASE_URL is not sqlite://PATH: this version keeps its state in SQLite")]
    NotSqlite,
    #[error("DATABASE_URL names a user or a host, which SQLite does not have: use sqlite://PATH")]
    NotPlain,
    #[error(
        "database.url (DATABASE_URL) must name one file on a disk, as in sqlite:///var/lib/docket/docket.db: what is \
         kept in memory is lost with the process"
    )]
    NotOneFile,
    #[error(
        "database.url (DATABASE_URL) takes no parameters but mode=rw and mode=rwc, because the database must be one file \
         that can be written: remove {0}"
    )]
    Parameter(&'static str),
    #[error(
        "the database at {path} is {what}: let database.url name a file, as in sqlite:///var/lib/docket/docket.db"
    )]
    NotAFile { path: PathBuf, what: &'static str },
    #[error(
        "{0} is a symbolic link to nothing: remove it, or let database.url name the database itself; a new one is never \
         made through a link"
    )]
    Dangling(PathBuf),
    #[error(
        "the database at {path} is damaged, or is no database ({what}): stop here, and restore the newest copy of it; without \
         any, move it away and run `docket rebuild` (docs/operations.md)"
    )]
    Broken { path: PathBuf, what: String },
    #[error("there is no database at {0}; `docket serve` makes one, or set DATABASE_URL to where it is")]
    Missing(PathBuf),
    #[error("the database at {0} was made by an older docket; start this version's server on it first")]
    OldSchema(PathBuf),
    #[error("the database at {0} was made by a newer docket; use that version")]
    NewSchema(PathBuf),
    #[error("SQLite {0} can corrupt a database that several connections write; build with 3.51.3 or newer")]
    OldSqlite(String),
    #[error(
        "another docket server already works on {path} ({holder}); stop it first, or give this one its own DATABASE_URL"
    )]
    InUse { path: PathBuf, holder: String },
    #[error(
        "the database at {path} has {names} names (hard links), and SQLite would keep a log for each and lose what is in the \
         others: remove all but one (find / -xdev -samefile {path})"
    )]
    SeveralNames { path: PathBuf, names: u64 },
    #[error("cannot lock {path}: {source}{}", advice(.source))]
    Lock { path: PathBuf, source: std::io::Error },
    #[error("cannot use the database at {path}: {source}{}", advice(.source))]
    Place { path: PathBuf, source: std::io::Error },
    #[error(
        "cannot use the database at {path}: {what}; run docket as the user who owns it, or put database.url where this \
         user can write"
    )]
    Refused { path: PathBuf, what: String },
    #[error("cannot open the database: {0}")]
    Open(#[from] Error),
    #[error("cannot bring the database's schema up to date: {0}")]
    Migrate(#[from] MigrateError),
}

impl OpenError {
    /// Whether the setting is wrong, whatever is on the disk.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            OpenError::NotSqlite | OpenError::NotPlain | OpenError::NotOneFile | OpenError::Parameter(_)
        )
    }
}

/// What to do about a refusal of the operating system's.
fn advice(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "; run docket as the server's user, or put database.url where this user can write"
        }
        std::io::ErrorKind::NotFound => "; make the folder, or put database.url where this user can write",
        std::io::ErrorKind::ReadOnlyFilesystem => "; put database.url where this user can write",
        _ => "",
    }
}
