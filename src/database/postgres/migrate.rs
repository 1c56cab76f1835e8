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
use crate::database::schema::{self, Applied, Purpose, Schema, Standing};
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

const MIGRATIONS: [Migration; 26] = migrations! {
    1 "0001_schema",
    2 "0002_folder",
    3 "0003_tenure",
    4 "0004_replica",
    5 "0005_limit",
    6 "0006_model_limit",
    8 "0008_looked_at",
    9 "0009_own_place",
    10 "0010_audit",
    11 "0011_history",
    12 "0012_answer",
    13 "0013_news",
    14 "0014_sweep_asked",
    15 "0015_file_changed",
    17 "0017_segment",
    20 "0020_import",
    21 "0021_turn",
    22 "0022_seal",
    23 "0023_budget",
    26 "0026_store_chain",
    29 "0029_kept_out",
    30 "0030_batch",
    32 "0032_talk",
    33 "0033_look_ups",
    34 "0034_action",
    35 "0035_deleted",
};

/// The table of those that were applied. Its row 0 is what whoever migrates holds.
const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS docket_migration (
        version    BIGINT      PRIMARY KEY,
        name       TEXT        NOT NULL,
        checksum   TEXT        NOT NULL,
        applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
    );
    ALTER TABLE docket_migration ADD COLUMN IF NOT EXISTS needs BIGINT;
    INSERT INTO docket_migration (version, name, checksum) VALUES (0, 'the row that is locked', '') ON CONFLICT DO NOTHING";

/// Brings the schema up to date where `may_migrate`, and waits while somebody else does so, or until somebody does.
///
/// # Errors
/// The server's, and a schema that this program cannot work with.
pub async fn wait_for_schema(server: &Server, may_migrate: bool, purpose: Purpose) -> Result<(), OpenError> {
    let server = std::sync::Arc::new(server.clone());
    for look in 0_u32.. {
        let ours = server.clone();
        let looked = blocking(move || match may_migrate {
            true => migrate(ours.migration(), purpose),
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
    if server.is_pooled_unsaid()? {
        return Err(OpenError::Pooled(server.place().to_owned()));
    }
    let mut connection = Connection::postgres(server.connect(Access::Read)?);
    let schema = look(&mut connection)?;
    let read = |c: &mut Connection| Ok((c.one::<String>(VERSION, params![])?, durability::read(c)?));
    let (version, durability) = transaction(&mut connection, Manner::Repeatable, read)?;
    let engine = format!("PostgreSQL {version}");
    Ok(Inspection { engine, schema, durability: Some(durability) })
}

/// # Errors
/// [`OpenError::NoSchema`] and its like when the schema is another version's.
pub fn as_of_this_version(server: &Server) -> Result<(), OpenError> {
    let mut connection = Connection::postgres(server.connect(Access::Read)?);
    let place = server.place().to_owned();
    match look(&mut connection)?.standing {
        Standing::Usable => Ok(()),
        Standing::None => Err(OpenError::NoSchema(place)),
        Standing::Behind => Err(OpenError::BehindSchema(place)),
        Standing::Beyond => Err(OpenError::AheadSchema(place)),
        Standing::Unfinished => Err(OpenError::Unfinished(place)),
    }
}

fn look(connection: &mut Connection) -> Result<Schema, Error> {
    let applied = |c: &mut Connection| match c.one(IS_THERE, params![])? {
        true => c.all::<(i64, Option<i64>, String)>(APPLIED, params![]),
        false => Ok(Vec::new()),
    };
    let applied = transaction(connection, Manner::Repeatable, applied)?;
    let applied: Vec<Applied> =
        applied.into_iter().map(|(version, needs, _)| Applied { version, needs }).collect();
    let ours: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
    Ok(schema::compare(&ours, &applied))
}

/// Applies what is missing.
pub(super) fn migrate(server: &Server, purpose: Purpose) -> Result<(), OpenError> {
    let mut connection = Connection::postgres(server.connect(Access::Write)?);
    let place = server.place().to_owned();
    match (look(&mut connection)?, purpose) {
        (Schema { standing: Standing::Beyond, .. }, _) => return Err(OpenError::AheadSchema(place)),
        (Schema { standing: Standing::Unfinished, .. }, Purpose::Work) => {
            return Err(OpenError::Unfinished(place));
        }
        (Schema { missing: 0, .. }, _) => return Ok(()),
        (Schema { .. }, _) => {}
    }
    // Two that begin at once: one makes the table, and the other one is told that it was made.
    let made = batch(server, &mut connection, TABLE);
    if made.is_err() {
        batch(server, &mut connection, TABLE)?;
    }
    session(&mut connection).begin(Manner::Claim)?;
    batch(server, &mut connection, LOCK)?;
    let applied: Vec<(i64, Option<i64>, String)> = connection.all(APPLIED, params![])?;
    for migration in &MIGRATIONS {
        let checksum = hex::encode(Sha256::digest(migration.sql));
        match applied.iter().find(|(version, ..)| *version == migration.version) {
            Some((_, _, theirs)) if *theirs == checksum => {}
            Some(_) => return Err(OpenError::ChangedMigration(migration.name)),
            None => {
                batch(server, &mut connection, migration.sql)?;
                let needs = schema::needs(migration.version, migration.sql);
                connection.run(ADD, params![migration.version, migration.name, checksum, needs])?;
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
// A table of an earlier version has no column of this name.
const APPLIED: Sql = Sql::listed(
    "SELECT version, (to_jsonb(docket_migration) ->> 'needs')::bigint, checksum FROM docket_migration
     WHERE version > 0 ORDER BY version",
);
const ADD: Sql =
    Sql::listed("INSERT INTO docket_migration (version, name, checksum, needs) VALUES ($1, $2, $3, $4)");
const VERSION: Sql = Sql::listed("SELECT current_setting('server_version')");
