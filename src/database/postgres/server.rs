//! Where PostgreSQL is, and how a connection to it is opened and set.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio_postgres::config::{Config, Host, SslMode};
use tokio_postgres::{Client, NoTls};
use url::Url;

use super::error::unopened;
use super::replica::Fence;
use super::session::{Begins, Made, Session, runtime};
use super::warned::Warned;
use super::{deadline, tls};
use crate::database::error::Error;
use crate::database::lane::Access;
use crate::database::open_error::OpenError;
use crate::database::settings::Settings;

/// The oldest version whose SQL is spoken here.
const OLDEST: i64 = 150_000;

/// The first version in which a transaction as a whole has a deadline.
const WITH_TRANSACTION_TIMEOUT: i64 = 170_000;

/// Looks whether a pooler hands connections out. Others may be given the connection in between, so one is not enough.
const LOOKS: usize = 3;

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(3);

/// How long a transaction may wait for a lock, and lie idle: none spans anything that waits, so this is a process that was stopped.
const LOCK: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(30);

/// How long a transaction may take as a whole.
const WHOLE: Duration = Duration::from_secs(60);

/// One database of a PostgreSQL server.
#[derive(Debug, Clone)]
pub struct Server {
    config: Config,
    tls: Option<tls::Connector>,
    /// For people, without a password.
    place: String,
    /// As whom migrations are made.
    migration: Option<Box<Server>>,
    is_pooled: bool,
    writers: u8,
    fence: Fence,
}

impl Server {
    /// # Errors
    /// A URL that cannot be used, told without it.
    pub fn of(settings: &Settings) -> Result<Self, OpenError> {
        let of = |url: &str, is_pooled| Server::at(url, settings, is_pooled);
        let migration = settings.migration_url.as_deref().map(|url| of(url, false)).transpose()?;
        Ok(Server { migration: migration.map(Box::new), ..of(&settings.url, settings.pooler)? })
    }

    fn at(url: &str, settings: &Settings, is_pooled: bool) -> Result<Self, OpenError> {
        let mut url = Url::parse(url).map_err(|_| OpenError::Url("it is no URL"))?;
        let encryption = Encryption::taken_from(&mut url)?;
        let mut config: Config = url.as_str().parse().map_err(|_| {
            OpenError::Url("it is not postgres://USER@HOST:PORT/DATABASE with known parameters")
        })?;
        if config.get_hosts().is_empty() {
            return Err(OpenError::Url("it names no host"));
        }
        if config.get_user().is_none() {
            return Err(OpenError::Url("it names no user: postgres://USER@HOST/DATABASE"));
        }
        if config.get_password().is_none()
            && let Some(password) = &settings.password
        {
            config.password(password.expose_secret());
        }
        config
            .connect_timeout(CONNECT)
            .application_name("docket")
            .keepalives_idle(IDLE)
            .tcp_user_timeout(IDLE);
        let is_near = config.get_hosts().iter().all(is_near);
        let tls = match encryption.mode.as_deref() {
            Some("disable") => None,
            None if is_near => None,
            None | Some("require" | "verify-ca" | "verify-full") => {
                Some(tls::connector(encryption.authority.as_deref())?)
            }
            Some(_) => return Err(OpenError::Url("sslmode is disable or verify-full")),
        };
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        let place = Settings::from(url.as_str()).place();
        let writers = settings.writers.max(1);
        Ok(Server { config, tls, place, migration: None, is_pooled, writers, fence: Fence::default() })
    }

    pub fn place(&self) -> &str {
        &self.place
    }

    /// What its sessions ask before they write.
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    pub fn writers(&self) -> u8 {
        self.writers
    }

    /// As whom, and by which way, migrations are made.
    pub fn migration(&self) -> &Server {
        self.migration.as_deref().unwrap_or(self)
    }

    /// Opens a connection for a lane that is served already.
    pub fn session(&self, access: Access) -> Result<Session, Error> {
        self.connect(access).map_err(|error| match error {
            OpenError::Open(error) => error,
            error => Error::told_passing(error.to_string()),
        })
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// What stands in the way, and what to do about it.
    pub fn connect(&self, access: Access) -> Result<Session, OpenError> {
        let runtime = runtime().map_err(OpenError::Threads)?;
        let (client, warned, begins) = runtime.block_on(self.open(access))?;
        let (is_pooled, fence) = (self.is_pooled, self.fence.clone());
        Ok(Session::new(Made { client, warned, runtime, begins, access, is_pooled, fence }))
    }

    /// Whether connections are handed out by the transaction although the settings say otherwise: then what is set for a session is
    /// another's too, and what is prepared in it is not found again.
    ///
    /// # Errors
    /// As [`Server::connect`].
    pub fn is_pooled_unsaid(&self) -> Result<bool, OpenError> {
        if self.is_pooled {
            return Ok(false);
        }
        let runtime = runtime().map_err(OpenError::Threads)?;
        runtime.block_on(async {
            let failed = |error: tokio_postgres::Error| unopened(&error, &self.place);
            let process = async |client: &Client| {
                let row = client.query_typed_one("SELECT pg_backend_pid()", &[]).await.map_err(failed)?;
                Ok::<i32, OpenError>(row.get(0))
            };
            let (one, other) = (self.reach(&Warned::default()).await?, self.reach(&Warned::default()).await?);
            for _ in 0..LOOKS {
                let first = process(&one).await?;
                // While the other one keeps the connection that it is given, this one is given another.
                other.batch_execute("BEGIN").await.map_err(failed)?;
                let is_shared = process(&other).await? == first || process(&one).await? != first;
                other.batch_execute("COMMIT").await.map_err(failed)?;
                if is_shared {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// Driven by the same thread's runtime, for as long as it asks.
    async fn reach(&self, warned: &Warned) -> Result<Client, OpenError> {
        let failed = |error: tokio_postgres::Error| unopened(&error, &self.place);
        Ok(match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone().0).await.map_err(failed)?;
                tokio::spawn(warned.clone().listen(connection));
                client
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await.map_err(failed)?;
                tokio::spawn(warned.clone().listen(connection));
                client
            }
        })
    }

    async fn open(&self, access: Access) -> Result<(Client, Warned, Begins), OpenError> {
        let failed = |error: tokio_postgres::Error| unopened(&error, &self.place);
        let warned = Warned::default();
        let client = self.reach(&warned).await?;
        let version = self.look(&client).await?;
        let set = settings(access, version);
        if !self.is_pooled {
            let set: Vec<String> = set.iter().map(|(name, value)| format!("SET {name} = {value}")).collect();
            client.batch_execute(&set.join("; ")).await.map_err(failed)?;
        }
        Ok((client, warned, self.begins(access, &set)))
    }

    /// Whether it is a server that can be worked with; answers its version.
    async fn look(&self, client: &Client) -> Result<i64, OpenError> {
        let failed = |error: tokio_postgres::Error| unopened(&error, &self.place);
        let asked = tokio::time::timeout(CONNECT, client.query_typed_one(LOOK, &[]));
        let unanswered =
            |_| OpenError::Unreachable { place: self.place.clone(), what: "no answer".to_owned() };
        let row = asked.await.map_err(unanswered)?.map_err(failed)?;
        let seen =
            Seen { version: row.get(0), name: row.get(1), encoding: row.get(2), is_standby: row.get(3) };
        let version = seen.version;
        seen.refused(&self.place).map_or(Ok(version), Err)
    }

    /// How transactions begin. Behind a pooler everything is said in each of them, because each may be another connection's.
    fn begins(&self, access: Access, set: &[(&'static str, String)]) -> Begins {
        let local: String = match self.is_pooled {
            true => set.iter().map(|(name, value)| format!("; SET LOCAL {name} = {value}")).collect(),
            false => String::new(),
        };
        let begin = |isolation: &str, more: &str| format!("BEGIN ISOLATION LEVEL {isolation}{local}{more}");
        let unsynced = "; SET LOCAL synchronous_commit = off";
        match access {
            Access::Read => {
                let read = begin("REPEATABLE READ READ ONLY", "");
                Begins { durable: read.clone(), repeatable: read.clone(), claim: read }
            }
            // Each waits for the disk: whoever wrote outlives a crash of the database, and goes on from what would be lost.
            Access::Write => Begins {
                durable: begin("SERIALIZABLE", ""),
                repeatable: begin("SERIALIZABLE", ""),
                claim: begin("READ COMMITTED", ""),
            },
            Access::Inbox => Begins {
                durable: begin("READ COMMITTED", ""),
                repeatable: begin("READ COMMITTED", unsynced),
                claim: begin("READ COMMITTED", unsynced),
            },
        }
    }
}

/// What a server says of itself.
struct Seen {
    version: i64,
    name: String,
    encoding: String,
    is_standby: bool,
}

impl Seen {
    /// Why it cannot be worked with.
    fn refused(self, place: &str) -> Option<OpenError> {
        let place = place.to_owned();
        match self {
            Seen { version, name, .. } if version < OLDEST => {
                Some(OpenError::OldPostgres { place, version: name })
            }
            Seen { encoding, .. } if encoding != "UTF8" => Some(OpenError::Encoding { place, encoding }),
            Seen { is_standby: true, .. } => Some(OpenError::Standby(place)),
            Seen { .. } => None,
        }
    }
}

const LOOK: &str = "
    SELECT current_setting('server_version_num')::int8, current_setting('server_version'), getdatabaseencoding()::text,
           pg_is_in_recovery()";

/// What a session is set to.
///
/// A serializable transaction that reads a whole table conflicts with each that writes there, so an index is used wherever there is one,
/// however few rows there are. Joins look rows up by it, too: every join has one, which SQLite's plans are tested for, and PostgreSQL would
/// read a whole table for a page of rows, because it takes a page whose size is a parameter for a tenth of the table.
///
/// A statement keeps its one plan. Planned anew for each value once the tables have statistics, claims beside a snapshot that is held were
/// measured to be a quarter fewer.
fn settings(access: Access, version: i64) -> Vec<(&'static str, String)> {
    let ms = |duration: Duration| duration.as_millis().to_string();
    let statement = deadline(access);
    let mut set = vec![
        ("statement_timeout", ms(statement)),
        ("lock_timeout", ms(LOCK.min(statement))),
        ("idle_in_transaction_session_timeout", ms(IDLE)),
        ("enable_seqscan", "off".to_owned()),
        ("enable_hashjoin", "off".to_owned()),
        ("enable_mergejoin", "off".to_owned()),
        ("jit", "off".to_owned()),
        ("plan_cache_mode", "force_generic_plan".to_owned()),
    ];
    if version >= WITH_TRANSACTION_TIMEOUT {
        set.push(("transaction_timeout", ms(WHOLE)));
    }
    set
}

/// Whether the way there leaves this machine.
fn is_near(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

/// What a URL says about encryption. It is ours to decide: the driver checks no certificate.
struct Encryption {
    mode: Option<String>,
    /// A file with the certificates of those who may vouch for the server.
    authority: Option<String>,
}

impl Encryption {
    fn taken_from(url: &mut Url) -> Result<Self, OpenError> {
        let (mut mode, mut authority, mut left) = (None, None, Vec::new());
        for (name, value) in url.query_pairs() {
            match &*name {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => authority = Some(value.into_owned()),
                "sslcert" | "sslkey" => {
                    return Err(OpenError::Url(
                        "certificates of clients are not used here: remove sslcert and sslkey",
                    ));
                }
                _ => left.push((name.into_owned(), value.into_owned())),
            }
        }
        url.set_query(None);
        if !left.is_empty() {
            url.query_pairs_mut().extend_pairs(left);
        }
        Ok(Encryption { mode, authority })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_cannot_be_worked_with_is_refused_with_the_cure() {
        let seen = |version: i64, encoding: &str, is_standby| Seen {
            version,
            name: "14.9".to_owned(),
            encoding: encoding.to_owned(),
            is_standby,
        };
        assert!(seen(OLDEST, "UTF8", false).refused("here").is_none());
        for (seen, words) in [
            (seen(140_009, "UTF8", false), "is version 14.9: Docket needs 15 or newer"),
            (seen(OLDEST, "SQL_ASCII", false), "ENCODING 'UTF8'"),
            (seen(OLDEST, "UTF8", true), "set DATABASE_URL to the primary"),
        ] {
            let refused = seen.refused("db.example/docket").unwrap().to_string();
            assert!(refused.contains(words) && refused.contains("db.example/docket"), "{refused}");
        }
    }
}
