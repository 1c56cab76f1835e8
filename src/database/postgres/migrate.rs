//! Brings the schema up to date: all that is missing in one transaction, under the lock of a row. No lock of a session is used, which
//! a pooler would leave behind.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::durability;
use super::server::Server;
use super::turn::{session, transaction};
use crate::contain::blocking;
use crate::database::connection::Connection;
use crate::database::error::Error;
use crate::database::lane::{Access, Manner};
use crate::database::open_error::OpenError;
use crate::database::statement::Sql;
use crate::database::{Inspection, params};

/// How often it is looked whether another process has brought the schema up to date.
const AGAIN: Duration = Duration::from_secs(1);

/// How many looks lie between two words about it.
const SILENT: u32 = 30;

/// One step, by its number: the order is that of the numbers, and one that has been applied is never changed.
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),+ $(,)?) => {
        [$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../../migrations/postgres/", $name, ".sql")),
        }),+]
    };
}

const MIGRATIONS: [Migration; 6] = migrations! {
    1 "0001_schema",
    2 "0002_folder",
    3 "0003_tenure",
    4 "0004_replica",
    5 "0005_limit",
    6 "0006_model_limit",
};

/// The table of those that were applied. Its row 0 is what whoever migrates holds.
const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS docket_migration (
        version    BIGINT      PRIMARY KEY,
        name       TEXT        NOT NULL,
        checksum   TEXT        NOT NULL,
        applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
    );
    INSERT INTO docket_migration (version, name, checksum) VALUES (0, 'the row that is locked', '') ON CONFLICT DO NOTHING";

/// What the schema is, beside ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Schema {
    /// Our migrations that it lacks.
    missing: usize,
    /// Those it has that we do not know.
    unknown: usize,
}

/// Brings the schema up to date where `may_migrate`, and waits while somebody else does so, or until somebody does.
///
/// # Errors
/// The server's, and a schema of a newer docket.
pub async fn wait_for_schema(server: &Server, may_migrate: bool) -> Result<(), OpenError> {
    let server = std::sync::Arc::new(server.clone());
    for look in 0_u32.. {
        let ours = server.clone();
        let looked = blocking(move || match may_migrate {
            true => migrate(ours.migration()),
            false => as_of_this_version(&ours),
        });
        let error = match looked.await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let is_awaited = matches!(error, OpenError::Migrating)
            || (!may_migrate && matches!(error, OpenError::NoSchema(_) | OpenError::BehindSchema(_)));
        if !is_awaited {
            return Err(error);
        }
        if look % SILENT == 0 {
            tracing::info!(place = server.place(), "waiting for the schema: {error}");
        }
        tokio::time::sleep(AGAIN).await;
    }
    Ok(())
}

/// What the server is, and how its schema compares with ours.
pub fn inspect(server: &Server) -> Result<Inspection, OpenError> {
    let mut connection = Connection::postgres(server.connect(Access::Read)?);
    let Schema { missing, unknown } = look(&mut connection)?;
    let read = |c: &mut Connection| Ok((c.one::<String>(VERSION, params![])?, durability::read(c)?));
    let (version, durability) = transaction(&mut connection, Manner::Repeatable, read)?;
    let engine = format!("PostgreSQL {version}");
    Ok(Inspection { engine, missing, unknown, durability: Some(durability) })
}

/// # Errors
/// [`OpenError::NoSchema`] and its like when the schema is another version's.
pub fn as_of_this_version(server: &Server) -> Result<(), OpenError> {
    let mut connection = Connection::postgres(server.connect(Access::Read)?);
    let place = || server.place().to_owned();
    match look(&mut connection)? {
        Schema { missing: 0, unknown: 0 } => Ok(()),
        Schema { missing, unknown: 0 } if missing == MIGRATIONS.len() => Err(OpenError::NoSchema(place())),
        Schema { unknown: 1.., .. } => Err(OpenError::AheadSchema(place())),
        Schema { .. } => Err(OpenError::BehindSchema(place())),
    }
}

fn look(connection: &mut Connection) -> Result<Schema, Error> {
    let applied = |c: &mut Connection| match c.one(IS_THERE, params![])? {
        true => c.all::<(i64, String)>(APPLIED, params![]),
        false => Ok(Vec::new()),
    };
    let applied = transaction(connection, Manner::Repeatable, applied)?;
    let is_missing = |ours: &&Migration| applied.iter().all(|(version, _)| *version != ours.version);
    let is_unknown = |(version, _): &&(i64, String)| MIGRATIONS.iter().all(|ours| ours.version != *version);
    Ok(Schema {
        missing: MIGRATIONS.iter().filter(is_missing).count(),
        unknown: applied.iter().filter(is_unknown).count(),
    })
}

/// Applies what is missing.
pub(super) fn migrate(server: &Server) -> Result<(), OpenError> {
    let mut connection = Connection::postgres(server.connect(Access::Write)?);
    match look(&mut connection)? {
        Schema { missing: 0, unknown: 0 } => return Ok(()),
        Schema { unknown: 1.., .. } => return Err(OpenError::AheadSchema(server.place().to_owned())),
        Schema { .. } => {}
    }
    // Two that begin at once: one makes the table, and the other one is told that it was made.
    let made = batch(server, &mut connection, TABLE);
    if made.is_err() {
        batch(server, &mut connection, TABLE)?;
    }
    session(&mut connection).begin(Manner::Claim)?;
    batch(server, &mut connection, LOCK)?;
    let applied: Vec<(i64, String)> = connection.all(APPLIED, params![])?;
    for migration in &MIGRATIONS {
        let checksum = hex::encode(Sha256::digest(migration.sql));
        match applied.iter().find(|(version, _)| *version == migration.version) {
            Some((_, theirs)) if *theirs == checksum => {}
            Some(_) => return Err(OpenError::ChangedMigration(migration.name)),
            None => {
                batch(server, &mut connection, migration.sql)?;
                connection.run(ADD, params![migration.version, migration.name, checksum])?;
            }
        }
    }
    session(&mut connection).commit(Manner::Durable)?;
    Ok(())
}

/// Whoever migrates holds the row; who finds it held does not wait for long.
const LOCK: &str = "
    SET LOCAL lock_timeout = '2s';
    SET LOCAL statement_timeout = 0;
    SELECT 1 FROM docket_migration WHERE version = 0 FOR UPDATE";

fn batch(server: &Server, connection: &mut Connection, sql: &str) -> Result<(), OpenError> {
    session(connection).batch(sql).map_err(|error| super::error::unopened(&error, server.place()))
}

const IS_THERE: Sql = Sql::listed("SELECT to_regclass('docket_migration') IS NOT NULL");
const APPLIED: Sql =
    Sql::listed("SELECT version, checksum FROM docket_migration WHERE version > 0 ORDER BY version");
const ADD: Sql = Sql::listed("INSERT INTO docket_migration (version, name, checksum) VALUES ($1, $2, $3)");
const VERSION: Sql = Sql::listed("SELECT current_setting('server_version')");
