//! Copies between the engines, with what happens to them on the way.

use std::path::Path;

use fastrand::Rng;
use tempfile::TempDir;

use super::*;
use crate::database::postgres::testing;
use crate::database::sqlite::kept;

/// A row of each table, and a life of changes.
const EVERYTHING: &str = include_str!("everything.sql");

fn sqlite_url(folder: &TempDir, name: &str) -> String {
    format!("sqlite://{}", folder.path().join(name).display())
}

/// Runs statements in a file of SQLite.
fn script(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

/// A database with rows in each of its tables.
async fn lived(folder: &TempDir, name: &str) -> String {
    let (url, path) = (sqlite_url(folder, name), folder.path().join(name));
    Database::open(&url).await.unwrap().close().await;
    let connection = rusqlite::Connection::open(&path).unwrap();
    kept::live(&connection, &mut Rng::with_seed(7), 400);
    connection.execute_batch(EVERYTHING).unwrap();
    drop(connection);
    // More than is read at once, and a body that is.
    script(
        &folder.path().join(format!("{name}-inbox")),
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2500)
         INSERT INTO inbox (received_at, scheme, secret_index, headers, body, request_id)
         SELECT i, 'v1', 0, '{}', CASE i WHEN 9 THEN zeroblob(5000000) ELSE x'00ff' END, NULL FROM n;
         DELETE FROM inbox WHERE inbox_id = 2500",
    );
    url
}

async fn copy(from: &str, to: &str) -> Result<Vec<Copied>, CopyError> {
    Database::copy(&from.into(), &to.into(), &mut |_, _, _| {}).await
}

/// All rows of all tables.
async fn rows_of(url: &str) -> Vec<(&'static str, Vec<rows::Record>)> {
    let database = Database::open_existing(url).await.unwrap();
    let copy = Copy { source: &database, target: &database, places: <_>::default() };
    let mut all = Vec::new();
    for table in TABLES.iter().chain(COUNTS) {
        let Part { table, statements, .. } = copy.part(*table).await.unwrap();
        let (mut reader, mut rows) = (Reader::new(&database, table, statements.clone()), Vec::new());
        loop {
            let page = reader.next().await.unwrap();
            if page.is_empty() {
                break;
            }
            rows.extend(page.into_iter().map(|row| rows::Record(row.0[..statements.columns].to_vec())));
        }
        all.push((table.name, rows));
    }
    database.close().await;
    all
}

#[tokio::test]
async fn every_row_comes_to_the_other_engine_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let (first, between, last) =
        (lived(&folder, "first.db").await, testing::nothing(), sqlite_url(&folder, "last.db"));
    let mut phases = Vec::new();
    let mut watch = |phase, done, all| phases.push((phase, done, all));
    let copied = Database::copy(&first.as_str().into(), &between.as_str().into(), &mut watch).await.unwrap();
    assert!(copied.iter().all(|one| one.rows > 0), "nothing is told of a table without rows: {copied:?}");
    let rows: u64 = copied.iter().map(|one| one.rows).sum();
    assert_eq!(phases.first(), Some(&(Phase::Begun, 0, rows)));
    assert_eq!(phases.last(), Some(&(Phase::Verifying, rows, rows)));
    let miscounted = include_str!("../../../tests/it/harness/kept.sql").replace("instr(", "strpos(");
    assert_eq!(testing::sql(&between, &miscounted), "");
    let unseen = "SELECT string_agg(relname, ' ') FROM pg_class
                  WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND reltuples < 0";
    assert_eq!(testing::sql(&between, unseen), "", "PostgreSQL has looked through each table");
    copy(&between, &last).await.unwrap();

    let (of_first, of_last) = (rows_of(&first).await, rows_of(&last).await);
    for ((name, rows), (_, theirs)) in of_first.iter().zip(&of_last) {
        assert_eq!(rows, theirs, "{name}");
    }
    // No server of another database has it in hand.
    let in_hand =
        "SELECT count(*) || ' ' || count(replica) FROM job WHERE state = 'running' AND key = 'file:running'";
    assert_eq!(testing::sql(&between, in_hand), "1 0");
    // Numbers of rows that are gone are not given again.
    let next = "INSERT INTO job (key, task, needs, state, priority, due_at, created_at, updated_at)
                VALUES ('next', '{}', ' ', 'waiting', 0, 1, 1, 1) RETURNING id";
    assert_eq!(testing::sql(&between, next), "9002");
    let number = "INSERT INTO inbox (received_at, scheme, secret_index, headers, body)
                  VALUES (1, 's', 0, '{}', '\\x00') RETURNING inbox_id";
    assert_eq!(testing::sql(&between, number), "2501");
    let connection = rusqlite::Connection::open(folder.path().join("last.db")).unwrap();
    assert_eq!(connection.query_row(next, [], |row| row.get::<_, i64>(0)).unwrap(), 9002);
}

#[tokio::test]
async fn a_copy_that_was_interrupted_is_no_database_until_it_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let first = lived(&folder, "first.db").await;
    let postgres = testing::url();
    testing::script(
        &postgres,
        "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
         CREATE TRIGGER stop BEFORE INSERT ON own_content FOR EACH ROW EXECUTE FUNCTION stop();",
    );
    let sqlite = sqlite_url(&folder, "second.db");
    Database::open(&sqlite).await.unwrap().close().await;
    let path = folder.path().join("second.db");
    script(&path, "CREATE TRIGGER stop BEFORE INSERT ON own_content BEGIN SELECT RAISE(ABORT, 'no'); END");
    for to in [&postgres, &sqlite] {
        let error = copy(&first, to).await.unwrap_err();
        assert!(
            matches!(error, CopyError::Write { .. }) && error.to_string().contains("begins anew"),
            "{error}"
        );
        for opened in [Database::open(to).await, Database::open_existing(to).await] {
            let error = opened.unwrap_err();
            assert!(matches!(error, OpenError::Unfinished(_)), "{error}");
        }
        assert!(matches!(Database::migrate(to).await, Err(OpenError::Unfinished(_))));
        assert!(matches!(
            ServerLock::take(to).await,
            Err(OpenError::Unfinished(_)) | Ok(ServerLock::File(_))
        ));
        let seen = Database::inspect(to).await.unwrap().schema.standing;
        assert_eq!(seen, crate::database::Standing::Unfinished);
        let error = copy(to, &sqlite_url(&folder, "third.db")).await.unwrap_err();
        assert!(matches!(error, CopyError::From(OpenError::Unfinished(_))), "{error}");
    }
    testing::sql(&postgres, "DROP TRIGGER stop ON own_content");
    script(&path, "DROP TRIGGER stop");
    for to in [&postgres, &sqlite] {
        copy(&first, to).await.unwrap();
        assert_eq!(rows_of(&first).await, rows_of(to).await, "{to}");
        Database::open(to).await.unwrap().close().await;
    }
}

#[tokio::test]
async fn a_row_that_is_not_the_same_is_found_and_nothing_is_said_of_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let first = lived(&folder, "first.db").await;
    for (table, change, key) in [
        ("question", "NEW.prompt := 'geheim'; RETURN NEW", "d"),
        ("own_content", "RETURN CASE WHEN NEW.hash = '\\x00ff' THEN NULL ELSE NEW END", "00ff"),
        ("feed_trail", "NEW.reached_at := 77; RETURN NEW", "1, -5"),
    ] {
        let to = testing::url();
        testing::script(
            &to,
            &format!(
                "CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {change}; END $$;
                 CREATE TRIGGER change BEFORE INSERT ON {table} FOR EACH ROW
                 WHEN ({}) EXECUTE FUNCTION change();",
                if table == "feed_trail" { "NEW.reached_at = -5" } else { "true" }
            ),
        );
        let error = copy(&first, &to).await.unwrap_err();
        assert!(
            matches!(&error, CopyError::Differs { table: there, key: at } if *there == table && at == key),
            "{error}"
        );
        assert!(!error.to_string().contains("geheim"), "{error}");
        assert!(matches!(Database::open(&to).await, Err(OpenError::Unfinished(_))));
    }
}

#[tokio::test]
async fn nothing_is_copied_over_rows_nor_from_or_to_what_somebody_works_on() {
    let folder = tempfile::tempdir().unwrap();
    let first = lived(&folder, "first.db").await;
    let (postgres, sqlite) = (testing::url(), sqlite_url(&folder, "second.db"));
    Database::open(&sqlite).await.unwrap().close().await;
    testing::sql(&postgres, "INSERT INTO clock VALUES (1, 5)");
    script(&folder.path().join("second.db"), "INSERT INTO clock VALUES (1, 5)");
    for to in [&postgres, &sqlite] {
        let error = copy(&first, to).await.unwrap_err();
        assert!(matches!(error, CopyError::NotEmpty { table: "clock", .. }), "{error}");
        // It is what it was.
        Database::open(to).await.unwrap().close().await;
        let held = ServerLock::take(to).await.unwrap();
        let error = copy(&first, to).await.unwrap_err();
        assert!(matches!(error, CopyError::To(OpenError::InUse { .. } | OpenError::Held { .. })), "{error}");
        let error = copy(to, &sqlite_url(&folder, "third.db")).await.unwrap_err();
        assert!(
            matches!(error, CopyError::From(OpenError::InUse { .. } | OpenError::Held { .. })),
            "{error}"
        );
        drop(held);
    }
    let error = copy(&first, &first).await.unwrap_err();
    assert!(matches!(error, CopyError::Same(_)), "{error}");
}

#[tokio::test]
async fn a_source_of_another_version_or_none_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let first = lived(&folder, "first.db").await;
    script(&folder.path().join("first.db"), "DELETE FROM _sqlx_migrations WHERE version = 73");
    let to = testing::nothing();
    let error = copy(&first, &to).await.unwrap_err();
    assert!(matches!(error, CopyError::From(OpenError::OldSchema(_))), "{error}");
    let error = copy(&sqlite_url(&folder, "none.db"), &to).await.unwrap_err();
    assert!(matches!(error, CopyError::From(OpenError::Missing(_))), "{error}");
    assert!(!folder.path().join("none.db").exists());
    let error = copy(&to, &sqlite_url(&folder, "third.db")).await.unwrap_err();
    assert!(matches!(error, CopyError::From(OpenError::NoSchema(_))), "{error}");
    assert!(!folder.path().join("third.db").exists());
    assert_eq!(
        testing::sql(&to, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"),
        "0"
    );
}
