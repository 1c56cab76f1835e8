//! Brings the schema of a file up to date: one migration after another, each in one transaction with its entry in the table of
//! those that were applied. The table is called as the library named it that applied them in earlier versions.

use rusqlite::{Connection, params};
use sha2::{Digest, Sha384};

use crate::database::error::Error;
use crate::database::schema::{self, Applied, Schema};

/// One step: the name of its file without the ending, and its text.
struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// All steps of one kind of file, in their order. What a database has applied is never changed again.
pub struct Migrations(&'static [Migration]);

macro_rules! migrations {
    ($folder:literal: $($name:literal)+) => {
        Migrations(&[$(Migration {
            name: $name,
            sql: include_str!(concat!("../../../migrations/", $folder, "/", $name, ".sql")),
        }),+])
    };
}

/// Those of the database.
pub const MAIN: Migrations = migrations! { "sqlite":
    "0001_inbox"
    "0002_event"
    "0003_queue"
    "0004_sync"
    "0010_run"
    "0020_feed"
    "0025_backs_off"
    "0030_outage"
    "0031_clock"
    "0032_leftover"
    "0033_existing"
    "0034_founding"
    "0035_swept_rule"
    "0036_counted"
    "0037_signed_at"
    "0038_inbox_apart"
    "0042_lane"
    "0043_request_id"
    "0044_retention"
    "0047_counts"
    "0048_lists"
    "0049_outside"
    "0052_refusals"
    "0054_run_try"
    "0055_known_rule"
    "0056_form"
    "0061_draft"
    "0063_publish"
    "0064_question"
    "0065_erasure"
    "0066_verdict"
    "0067_quiet"
    "0073_together"
    "0074_replica"
    "0075_limit"
    "0076_model_limit"
    "0078_looked_at"
    "0079_own_place"
    "0080_audit"
    "0081_history"
    "0082_answer"
    "0083_news"
    "0084_sweep_asked"
    "0085_file_changed"
    "0087_segment"
    "0091_import"
    "0092_turn"
    "0094_seal"
    "0095_budget"
    "0100_store_chain"
    "0105_kept_out"
    "0106_batch"
    "0110_talk"
    "0111_look_ups"
    "0112_action"
    "0113_deleted"
};

/// Those of the inbox beside it.
pub const INBOX: Migrations = migrations! { "sqlite-inbox":
    "0001_inbox"
};

impl Migration {
    fn version(&self) -> i64 {
        let digits = self.name.split('_').next().unwrap_or_default();
        digits.parse().expect("a migration's name begins with its number")
    }

    fn checksum(&self) -> Vec<u8> {
        Sha384::digest(self.sql).to_vec()
    }
}

/// What a file has on record of a migration, and the checksum of its text.
fn applied(connection: &Connection) -> Result<Vec<(Applied, Vec<u8>)>, Error> {
    if !connection.table_exists(None, NAME)? {
        return Ok(Vec::new());
    }
    let needs = if connection.column_exists(None, NAME, "needs")? { "needs" } else { "NULL" };
    let mut statement = connection
        .prepare(&format!("SELECT version, {needs}, checksum FROM {NAME} WHERE success ORDER BY version"))?;
    let rows = statement
        .query_map([], |row| Ok((Applied { version: row.get(0)?, needs: row.get(1)? }, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Why a schema cannot be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(
        "migration {0} is not the one that was applied to this database: it was made by a changed docket"
    )]
    Changed(&'static str),
    #[error("migration {name}: {error}")]
    Failed { name: &'static str, error: Error },
    #[error("{0}")]
    Database(#[from] Error),
}

impl Migrations {
    /// Compares the schema of a file with ours.
    ///
    /// # Errors
    /// The database's.
    pub fn schema(&self, connection: &Connection) -> Result<Schema, Error> {
        let applied: Vec<Applied> = applied(connection)?.into_iter().map(|(applied, _)| applied).collect();
        let ours: Vec<i64> = self.0.iter().map(Migration::version).collect();
        Ok(schema::compare(&ours, &applied))
    }

    /// Applies those that are missing.
    ///
    /// # Errors
    /// One fails, or was changed after it was applied. Those before it stay applied.
    pub fn apply(&self, connection: &mut Connection) -> Result<(), MigrateError> {
        connection.execute_batch(TABLE).map_err(Error::from)?;
        if !connection.column_exists(None, NAME, "needs").map_err(Error::from)? {
            connection.execute_batch(NEEDS).map_err(Error::from)?;
        }
        let applied = applied(connection)?;
        for migration in self.0 {
            match applied.iter().find(|(applied, _)| applied.version == migration.version()) {
                Some((_, checksum)) if *checksum == migration.checksum() => {}
                Some(_) => return Err(MigrateError::Changed(migration.name)),
                None => apply(connection, migration)
                    .map_err(|error| MigrateError::Failed { name: migration.name, error: error.into() })?,
            }
        }
        Ok(())
    }
}

fn apply(connection: &mut Connection, migration: &Migration) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(migration.sql)?;
    let about = migration.name.split_once('_').map_or(migration.name, |(_, about)| about).replace('_', " ");
    let needs = schema::needs(migration.version(), migration.sql);
    transaction.execute(APPLIED, params![migration.version(), about, migration.checksum(), needs])?;
    transaction.commit()
}

const NAME: &str = "_sqlx_migrations";

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS _sqlx_migrations (
        version BIGINT PRIMARY KEY,
        description TEXT NOT NULL,
        installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
        success BOOLEAN NOT NULL,
        checksum BLOB NOT NULL,
        execution_time BIGINT NOT NULL
    )";

/// Which migration a program has to know to work beside it.
const NEEDS: &str = "ALTER TABLE _sqlx_migrations ADD COLUMN needs BIGINT";

const APPLIED: &str = "
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time, needs)
    VALUES (?1, ?2, 1, ?3, 0, ?4)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Reading};
    use crate::database::Database;
    use crate::database::schema::Standing;
    use crate::database::sqlite::kept;
    use crate::outside::store::GoesOn;
    use crate::outside::{self, Kind};
    use crate::queue::{Queue, Settings, store};

    #[test]
    fn every_file_of_the_folders_is_applied() {
        for (folder, Migrations(migrations)) in [("sqlite", MAIN), ("sqlite-inbox", INBOX)] {
            let path = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let files = std::fs::read_dir(path).unwrap();
            let mut files: Vec<_> =
                files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            files.sort();
            let ours: Vec<String> = migrations.iter().map(|one| format!("{}.sql", one.name)).collect();
            assert_eq!(files, ours);
            assert!(migrations.is_sorted_by_key(Migration::version));
            let needs = |one: &Migration| schema::needs(one.version(), one.sql);
            assert!(migrations.iter().all(|one| needs(one) <= one.version()));
        }
    }

    #[test]
    fn a_migration_that_was_changed_after_it_was_applied_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        MAIN.apply(&mut connection).unwrap();
        assert_eq!(MAIN.schema(&connection).unwrap().standing, Standing::Usable);
        MAIN.apply(&mut connection).unwrap();
        connection.execute("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 3", []).unwrap();
        let error = MAIN.apply(&mut connection).unwrap_err();
        assert!(matches!(error, MigrateError::Changed("0003_queue")), "{error}");
    }

    #[tokio::test]
    async fn jobs_that_were_held_or_waited_before_the_lanes_are_so_after_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docket.db");
        let lane = MAIN.0.iter().position(|migration| migration.name == "0042_lane").unwrap();
        let mut connection = Connection::open(&path).unwrap();
        Migrations(&MAIN.0[..lane]).apply(&mut connection).unwrap();
        connection.execute_batch(BEFORE_LANES).unwrap();
        drop(connection);
        let database = Database::open(&format!("sqlite://{}", path.display())).await.unwrap();
        let jobs = database.read(|c| store::list(c, None, 10)).await.unwrap();
        let jobs: Vec<_> = jobs.iter().map(|job| (&*job.key, &*job.needs, job.attempt)).collect();
        let (both, store) = (" fastio openai ", " fastio openai openai/vs_1 openai/vs_2 ");
        assert_eq!(
            jobs,
            [("dead", both, 3), ("a", store, 1), ("b", store, 0), ("c", both, 0), ("d", "  ", 0)]
        );
        let pauses = database.read(store::pauses).await.unwrap();
        assert_eq!((pauses.len(), &*pauses[0].target, &*pauses[0].kind), (1, "openai/vs_2", "refusal"));
        // A server of this version holds what the last one held.
        let clock = Clock::new(|| Reading { wall_ms: 1_000_000, passed_ms: 0 });
        let queue = Queue::new(database, clock, Settings::default());
        let first = queue.claim().await.unwrap().unwrap();
        let second = queue.claim().await.unwrap().unwrap();
        assert_eq!([&*first.key, &*second.key], ["c", "d"]);
        assert!(queue.claim().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_runs_had_made_before_the_ledger_is_in_it_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docket.db");
        let ledger = MAIN.0.iter().position(|migration| migration.name == "0049_outside").unwrap();
        let mut connection = Connection::open(&path).unwrap();
        Migrations(&MAIN.0[..ledger]).apply(&mut connection).unwrap();
        connection.execute_batch(BEFORE_THE_LEDGER).unwrap();
        drop(connection);
        let database = Database::open(&format!("sqlite://{}", path.display())).await.unwrap();
        let left = database.read(|c| outside::store::left(c, 10, 0)).await.unwrap();
        let left: Vec<_> =
            left.iter().map(|one| (one.id, one.kind, &*one.owner, one.object.as_deref())).collect();
        let dead = "run:r:workspace:1:2c";
        assert_eq!(
            left,
            [
                (5, Kind::Session, dead, None),
                (6, Kind::Lock, "run:1", Some("token 1")),
                (8, Kind::Thread, "run:1", Some("thread_1")),
                (12, Kind::File, dead, None),
            ]
        );
        let lock = database.read(|c| outside::store::get(c, 6)).await.unwrap().unwrap();
        assert_eq!((lock.mark.as_deref(), lock.since), (Some("workspace:1:2abc"), 60));
        assert_eq!(database.read(outside::store::counts).await.unwrap(), (4, 1), "one was not answered");
        let held = database.read(|c| outside::store::lock_of(c, "run:2")).await.unwrap().unwrap();
        assert_eq!((held.object.as_deref(), held.mark.as_deref()), (Some("token 2"), Some("workspace:1:2b")));
        let filled = database.read(|c| outside::store::filled(c, "run:r:workspace:1:2b")).await.unwrap();
        assert_eq!(
            filled.map(|filled| filled.upload).as_deref(),
            Some("upload_2"),
            "a write that is under way goes on with its upload"
        );
        // The run lets go of its conversation as one of this version does.
        let end = |tx: &mut crate::database::Connection| {
            outside::store::leave_conversation(tx, "run:2", &GoesOn::default(), 90)
        };
        database.write(end).await.unwrap();
        let left = database.read(|c| outside::store::left(c, 10, 0)).await.unwrap();
        assert!(left.iter().any(|one| one.object.as_deref() == Some("conv_2")), "{left:?}");
    }

    const BEFORE_THE_LEDGER: &str = "
        INSERT INTO leftover (leftover_id, kind, state, owner, rule, mark, object, profile, node, since) VALUES
            (5, 'upload', 'left', 'run:r:workspace:1:2c', NULL, 'aa', NULL, NULL, NULL, 50),
            (6, 'lock', 'left', 'run:1', 'r', NULL, 'token 1', 'workspace:1', '2AB-c', 60),
            (7, 'conversation', 'asked', 'run:2', 'r', NULL, NULL, NULL, NULL, 50),
            (8, 'thread', 'left', 'run:1', 'r', NULL, 'thread_1', NULL, NULL, 50),
            (9, 'upload', 'used', 'run:r:workspace:1:2b', NULL, 'bb', 'upload_2', NULL, NULL, 50);
        INSERT INTO own_file (owner, profile, folder, name, state, upload, sha256, size, since) VALUES
            ('run:r:workspace:1:2b', 'workspace:1', 'root', 'b.md', 'writing', 'upload_2', 'x', 1, 50),
            ('run:r:workspace:1:2c', 'workspace:1', 'root', 'c.md', 'writing', NULL, 'x', 1, 50);
        INSERT INTO run (run_id, rule, source_id, profile, node, path, content_hash, bytes, file_id, vector_store, definition,
                         engine, state, outcome, reason, conversation, response, live, lock, lock_token, lock_at, result,
                         created_at, updated_at, ended_at) VALUES
            (1, 'r', 'workspace:1:2c', 'workspace:1', '2c', '/c', 'h', 1, 'f', 'v', 'd', 'responses', 'ended', 'failed', 'no',
             'conv_1', NULL, 0, 'none', NULL, NULL, NULL, 1, 1, 1),
            (2, 'r', 'workspace:1:2b', 'workspace:1', '2b', '/b', 'h', 1, 'f', 'v', 'd', 'responses', 'running', NULL, NULL,
             'conv_2', 'resp_2', 1, 'held', 'token 2', 65, NULL, 1, 1, NULL);";

    #[test]
    fn numbers_are_kept_of_what_was_there_before_they_were() {
        for seed in 0..4 {
            let counts = MAIN.0.iter().position(|migration| migration.name == "0047_counts").unwrap();
            let mut connection = Connection::open_in_memory().unwrap();
            Migrations(&MAIN.0[..counts]).apply(&mut connection).unwrap();
            let mut random = fastrand::Rng::with_seed(seed);
            kept::live(&connection, &mut random, 600);
            MAIN.apply(&mut connection).unwrap();
            assert_eq!(kept::miscounted(&connection), [""; 0], "seed {seed}");
            kept::live(&connection, &mut random, 100);
            assert_eq!(kept::miscounted(&connection), [""; 0], "seed {seed}");
        }
    }

    const BEFORE_LANES: &str = "
        INSERT INTO job (key, task, needs, state, priority, due_at, attempt, reason, created_at, updated_at) VALUES
            ('a', '{}', ' fastio openai openai/vs_2 openai/vs_1 ', 'waiting', 0, 1, 1, 'refused', 1, 1),
            ('b', '{}', ' fastio openai openai/vs_1 openai/vs_2 ', 'waiting', 0, 2, 0, 'refused', 1, 1),
            ('c', '{}', ' fastio openai ', 'waiting', 0, 3, 0, NULL, 1, 1),
            ('d', '{}', '  ', 'waiting', 10, 4, 0, NULL, 1, 1),
            ('dead', '{}', ' fastio openai ', 'dead', 0, 1, 3, 'no', 1, 1);
        INSERT INTO pause (target, kind, reason, since, probe_at, probes, confirmed)
            VALUES ('openai/vs_2', 'refusal', 'it is not there', 1, 9000000000000, 4, 0);
        INSERT INTO strike (target, source, job_id, cost, first_at, struck_at) VALUES ('openai', 'job 1', 1, 1, 1, 1);";
}
