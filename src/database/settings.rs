//! Where the state is kept.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::sqlite;

/// Connections that write at the same time, in PostgreSQL. A write is mostly a wait for the network and the disk, so a few keep two
/// cores of a server busy; more of them conflict more often, and each costs the server some megabytes.
const WRITERS: u8 = 4;

/// `[database]`
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `sqlite://PATH`, relative to the settings file, or `postgres://USER@HOST/DATABASE`. It may hold a password: never shown.
    pub url: String,
    /// Where migrations connect to, where that is another way than a pooler's. It may hold a password too.
    pub migration_url: Option<String>,
    /// A pooler that hands connections out by the transaction stands before PostgreSQL.
    pub pooler: bool,
    /// A server brings PostgreSQL's schema up to date itself; else it waits for `docket migrate`.
    pub migrate: bool,
    /// Connections to PostgreSQL that write at the same time.
    pub writers: u8,
    /// PostgreSQL's, where the URL has none.
    #[serde(skip)]
    pub password: Option<SecretString>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            url: "sqlite://docket.db".to_owned(),
            migration_url: None,
            pooler: false,
            migrate: true,
            writers: WRITERS,
            password: None,
        }
    }
}

impl Settings {
    pub fn is_postgres(&self) -> bool {
        is_postgres(&self.url)
    }

    /// The same, as one who may do to it what migrations do.
    pub fn for_upkeep(&self) -> Settings {
        match &self.migration_url {
            Some(url) => Settings { url: url.clone(), migration_url: None, pooler: false, ..self.clone() },
            None => self.clone(),
        }
    }

    /// Where the database is, without what may be a secret.
    pub fn place(&self) -> String {
        shown(&self.url)
    }
}

impl Settings {
    /// The file, by its absolute path; the server and its database, where it is PostgreSQL's.
    pub fn shown(&self) -> PathBuf {
        match self.is_postgres() {
            true => self.place().into(),
            false => sqlite::path(&self.url).unwrap_or_default(),
        }
    }
}

impl From<&str> for Settings {
    fn from(url: &str) -> Self {
        Settings { url: url.to_owned(), ..Settings::default() }
    }
}

impl From<&String> for Settings {
    fn from(url: &String) -> Self {
        url.as_str().into()
    }
}

impl From<&Settings> for Settings {
    fn from(settings: &Settings) -> Self {
        settings.clone()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { url, migration_url, pooler, migrate, writers, password } = self;
        f.debug_struct("Settings")
            .field("url", &shown(url))
            .field("migration_url", &migration_url.as_deref().map(shown))
            .field("pooler", pooler)
            .field("migrate", migrate)
            .field("writers", writers)
            .field("password", password)
            .finish()
    }
}

/// Whether `url` is of a database in PostgreSQL.
pub fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// `url` without a password, and without parameters, of which one may be a password too.
fn shown(url: &str) -> String {
    if !is_postgres(url) {
        return url.to_owned();
    }
    let Ok(url) = url::Url::parse(url) else { return "postgres://…".to_owned() };
    let at = if url.username().is_empty() { "" } else { "@" };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    format!("postgres://{}{at}{host}{port}{}", url.username(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_without_its_secrets() {
        let settings = Settings {
            migration_url: Some("postgresql://o:geheim@db/docket".to_owned()),
            password: Some("geheim".into()),
            ..Settings::from("postgres://docket:geheim@db.example:6432/docket?password=geheim")
        };
        assert_eq!(settings.place(), "postgres://docket@db.example:6432/docket");
        let told = format!("{settings:?}");
        assert!(!told.contains("geheim") && told.contains("postgres://o@db/docket"), "{told}");
    }
}
