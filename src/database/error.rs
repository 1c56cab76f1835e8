//! Why a database could not be opened, each with what to do about it.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    // Not the URL: it may hold a password.
    #[error("DATABASE_URL is not sqlite://PATH: this version keeps its state in SQLite")]
    NotSqlite,
    #[error("DATABASE_URL names a user or a host, which SQLite does not have: use sqlite://PATH")]
    NotPlain,
    #[error("there is no database at {0}; `docket serve` makes one, or set DATABASE_URL to where it is")]
    Missing(PathBuf),
    #[error("the database at {0} was made by an older docket; start this version's server on it first")]
    OldSchema(PathBuf),
    #[error("the database at {0} was made by a newer docket; use that version")]
    NewSchema(PathBuf),
    #[error("SQLite {0} can corrupt a database that several connections write; build with 3.51.3 or newer")]
    OldSqlite(String),
    #[error(
        "another docket server already works on {0}; stop it first, or give this one its own DATABASE_URL"
    )]
    InUse(PathBuf),
    #[error("cannot lock {path}: {source}")]
    Lock { path: PathBuf, source: std::io::Error },
    #[error("cannot open the database: {0}")]
    Open(#[from] sqlx::Error),
    #[error("cannot bring the database's schema up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}
