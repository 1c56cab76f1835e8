//! Why a database could not be opened, each with what to do about it.

use std::path::PathBuf;

use super::error::Error;
use super::sqlite::MigrateError;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    // Not the URL: it may hold a password.
    #[error("DATABASE_URL is neither sqlite://PATH nor postgres://USER@HOST/DATABASE")]
    UnknownScheme,
    #[error("the URL of the database cannot be used: {0}")]
    Url(&'static str),
    #[error("no PostgreSQL answers at {place} ({what}): start it, or set DATABASE_URL to where it is")]
    Unreachable { place: String, what: String },
    #[error(
        "PostgreSQL at {place} does not let this user in ({what}): set the user in DATABASE_URL and its password in \
         DATABASE_PASSWORD, and look at the server's pg_hba.conf"
    )]
    NotLetIn { place: String, what: String },
    #[error(
        "PostgreSQL has no database for {place}: make one with CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0, or set \
         DATABASE_URL to the one there is"
    )]
    NoDatabase { place: String },
    #[error("PostgreSQL at {place} is version {version}: Docket needs 15 or newer")]
    OldPostgres { place: String, version: String },
    #[error(
        "the database at {place} keeps texts as {encoding}, in which not every name can be written: make one with \
         CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding { place: String, encoding: String },
    #[error(
        "a pooler that hands connections out by the transaction (as pgbouncer does with pool_mode = transaction) stands before \
         PostgreSQL at {0}: set database.pooler = true, and database.migration_url to the server itself"
    )]
    Pooled(String),
    #[error("PostgreSQL at {0} is a standby, which cannot be written: set DATABASE_URL to the primary")]
    Standby(String),
    #[error(
        "this user may not make tables in PostgreSQL at {place} ({what}): GRANT CREATE ON SCHEMA public TO it, or run `docket \
         migrate` as one who may (database.migration_url)"
    )]
    MayNotMigrate { place: String, what: String },
    #[error(
        "there is no schema of docket in PostgreSQL at {0} yet; `docket migrate` makes it, or `docket serve`"
    )]
    NoSchema(String),
    #[error(
        "PostgreSQL at {0} has the schema of an older docket; run `docket migrate` of this version first"
    )]
    BehindSchema(String),
    #[error("PostgreSQL at {0} has the schema of a newer docket; use that version")]
    AheadSchema(String),
    #[error(
        "{0} holds a part of another database: `docket database copy` was interrupted, or what it copied was not the same; run it \
         again, which begins anew"
    )]
    Unfinished(String),
    #[error(
        "migration {0} is not the one that was applied to this database: it was made by a changed docket"
    )]
    ChangedMigration(&'static str),
    #[error("cannot start a thread for the database: {0}")]
    Threads(std::io::Error),
    #[error("another process brings the schema of the database up to date now")]
    Migrating,
    #[error("this is for SQLite's file; PostgreSQL uses what is free in its files again by itself (VACUUM)")]
    NoFile,
    #[error("the settings of TLS cannot be used: {0}")]
    Tls(String),
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
        "another docket server already works on {place} ({holder}); stop it first, or give this one a database of its own"
    )]
    Held { place: String, holder: String },
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
    #[error("{path}: {what}")]
    Copy { path: PathBuf, what: String },
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
            OpenError::UnknownScheme
                | OpenError::NotPlain
                | OpenError::NotOneFile
                | OpenError::Parameter(_)
                | OpenError::Url(_)
                | OpenError::Tls(_)
                | OpenError::NoFile
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
