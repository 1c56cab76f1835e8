//! A file of SQLite, as the door serves it.

use super::*;
use crate::contain::blocking;
use crate::database::schema::{Schema, Standing};
use crate::database::{Shed, Sql};

impl Database {
    /// Runs a statement that no list has, outside a transaction.
    pub(super) async fn statement(&self, sql: &'static str) {
        let path = {
            let Engine::Sqlite(files) = &*self.engine else { panic!("it is a file of SQLite") };
            files.path().to_owned()
        };
        blocking(move || open_file(&path, Access::Write).unwrap().execute_batch(sql).unwrap()).await;
    }
}

async fn new(folder: &tempfile::TempDir) -> (String, Database) {
    let url = format!("sqlite://{}/docket.db", folder.path().display());
    let database = Database::open(&url).await.unwrap();
    (url, database)
}

#[tokio::test]
async fn a_command_leaves_the_schema_of_another_version_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (url, database) = new(&folder).await;
    database.statement("DELETE FROM _sqlx_migrations WHERE version = 1").await;
    let error = Database::open_existing(&url).await.unwrap_err();
    assert!(matches!(error, OpenError::OldSchema(_)), "{error}");
}

/// Fills some megabytes of the file and frees them again.
async fn use_and_free(database: &Database) {
    database.statement("CREATE TABLE filling (bytes BLOB)").await;
    database.statement("INSERT INTO filling SELECT zeroblob(1000000) FROM (VALUES (1), (2), (3), (4))").await;
    database.statement("DROP TABLE filling").await;
}

#[tokio::test]
async fn a_new_database_gives_space_back_and_an_old_one_once_it_is_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let (url, database) = new(&folder).await;
    use_and_free(&database).await;
    let free = database.read(Connection::free_pages).await.unwrap();
    assert!(free > 900, "{free}");
    assert_eq!(database.write(|tx| tx.give_back(100)).await.unwrap(), 100);
    assert_eq!(database.read(Connection::free_pages).await.unwrap(), free - 100);
    database.close().await;

    let old = folder.path().join("old.db");
    rusqlite::Connection::open(&old).unwrap().execute_batch("CREATE TABLE first (number)").unwrap();
    let url = url.replace("docket.db", "old.db");
    let database = Database::open(&url).await.unwrap();
    use_and_free(&database).await;
    assert_eq!(database.write(|tx| tx.give_back(100)).await.unwrap(), 0);
    database.close().await;
    let (before, after) = Database::compact(&url).await.unwrap();
    assert!(before > 4_000_000 && after < 1_000_000, "{before} {after}");
    assert!(std::fs::metadata(&old).unwrap().len() < after);
    let database = Database::open_existing(&url).await.unwrap();
    use_and_free(&database).await;
    assert_eq!(database.write(|tx| tx.give_back(100)).await.unwrap(), 100);
}

#[tokio::test]
async fn no_byte_of_what_was_deleted_is_left_in_a_file_that_shed_it() {
    const SECRET: &[u8] = b"what is not to be found again";
    let folder = tempfile::tempdir().unwrap();
    let (_, database) = new(&folder).await;
    let holding = || {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let bytes = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        bytes.filter(|bytes| bytes.windows(SECRET.len()).any(|some| some == SECRET)).count()
    };
    database.statement("CREATE TABLE secret (number INTEGER PRIMARY KEY, text TEXT)").await;
    let fill = "
        INSERT INTO secret (text)
        SELECT replace(hex(zeroblob(value * 300)), '00', 'what is not to be found again')
        FROM json_each('[1, 2, 3, 4, 5, 6, 7, 8, 9]');";
    database.statement(fill).await;
    database.statement("UPDATE secret SET text = 'x' || text").await;
    assert!(holding() > 0);
    const DELETE: Sql = Sql::listed("DELETE FROM secret");
    database.write(|tx| tx.overwriting(|tx| tx.run(DELETE, &[]))).await.unwrap();
    let shed = database.shed().await.unwrap();
    assert_eq!((shed, holding()), (Shed { is_folded: true, free_pages: 0 }, 0));
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_database_is_for_its_own_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (_, database) = new(&folder).await;
    database.write(|_| Ok(())).await.unwrap();
    for file in ["docket.db", "docket.db-wal"] {
        let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}: {mode:o}");
    }
}

#[tokio::test]
async fn a_database_that_no_server_made_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/none.db", folder.path().display());
    let error = Database::open_existing(&url).await.unwrap_err();
    assert!(error.to_string().contains("no database at"), "{error}");
}

#[tokio::test]
async fn a_look_tells_the_schema_s_age_and_leaves_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (url, database) = new(&folder).await;
    let seen = async || Database::inspect(&url).await.unwrap().schema;
    assert_eq!(seen().await, Schema { missing: 0, unknown: 0, standing: Standing::Usable });
    database
        .statement(
            "DELETE FROM _sqlx_migrations WHERE version = 1;
             INSERT INTO _sqlx_migrations VALUES (9999, 'x', 0, 1, x'', 0, NULL)",
        )
        .await;
    assert_eq!(seen().await, Schema { missing: 1, unknown: 1, standing: Standing::Beyond });
}

#[tokio::test]
async fn a_schema_of_a_newer_version_is_worked_with_where_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (url, database) = new(&folder).await;
    // A database of before this was written down.
    database.statement("ALTER TABLE _sqlx_migrations DROP COLUMN needs").await;
    Database::open(&url).await.unwrap().close().await;
    database.statement("UPDATE _sqlx_migrations SET needs = 1").await;
    for statement in [
        "INSERT INTO _sqlx_migrations VALUES (9998, 'x', 0, 1, x'', 0, 73)",
        "ALTER TABLE job ADD COLUMN newer TEXT NOT NULL DEFAULT ''",
    ] {
        database.statement(statement).await;
    }
    for opened in [Database::open(&url).await, Database::open_existing(&url).await] {
        opened.unwrap().close().await;
    }
    database.statement("INSERT INTO _sqlx_migrations VALUES (9999, 'x', 0, 1, x'', 0, 9998)").await;
    for opened in [Database::open(&url).await, Database::open_existing(&url).await] {
        let error = opened.unwrap_err();
        assert!(matches!(error, OpenError::NewSchema(_)), "{error}");
    }
}
