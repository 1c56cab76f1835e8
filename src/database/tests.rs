//! What the tests of the stores ask for.

use std::collections::BTreeSet;

use super::connection::{Connection, Session};
use super::statement::Sql;
use super::value::Param;
use super::{Database, copy, postgres, sqlite};

/// A new database in memory.
pub fn in_memory() -> Connection {
    Connection::sqlite(sqlite::in_memory())
}

/// A new database in PostgreSQL.
pub async fn in_postgres() -> Database {
    Database::open(&postgres::testing::url()).await.unwrap()
}

/// How many steps of SQLite's machine a statement takes to its end: what it costs, whatever else the computer does.
pub fn steps(connection: &mut Connection, sql: Sql, params: &[&dyn Param]) -> i32 {
    let Session::Sqlite(session) = &connection.0 else { panic!("steps are SQLite's") };
    let mut statement = session.0.prepare(sql.text()).unwrap();
    sqlite::bind(&mut statement, sql, params).unwrap();
    let mut rows = statement.raw_query();
    while rows.next().unwrap().is_some() {}
    drop(rows);
    statement.get_status(rusqlite::StatementStatus::VmStep)
}

/// Prepares each of `statements` in a new database of each engine that has the inbox's table too, and says which cannot be, and which
/// reads a whole table.
pub fn prepare(module: &str, statements: &[(&str, Sql)]) {
    let connection = sqlite::in_memory();
    connection.execute_batch(include_str!("../../migrations/sqlite-inbox/0001_inbox.sql")).unwrap();
    let counts: Vec<usize> =
        statements.iter().map(|(name, sql)| parameters(&connection, name, *sql)).collect();
    sqlite::plan::judge(&connection, module, statements);
    let mut session = postgres::testing::session();
    let mut wrong = Vec::new();
    for ((name, sql), count) in statements.iter().zip(counts) {
        judge_locks(name, *sql);
        match session.parameters(*sql) {
            Ok(theirs) if theirs == count => {}
            Ok(theirs) => {
                wrong.push(format!("{name}: {theirs} parameters in PostgreSQL, and {count} in SQLite"))
            }
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "PostgreSQL does not take these: {wrong:#?}");
}

/// What takes a lock of the whole server's at its commit, or one that a pooler leaves behind with a connection.
const NEVER: [&str; 4] = ["notify", "listen", "unlisten", "advisory"];

/// Which of those words a text has.
fn locks(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    NEVER.into_iter().filter(|word| words.contains(word)).collect()
}

/// No wake-up goes through the database, so none holds up a commit: what is to be done is found by looking. And no lock is a session's.
fn judge_locks(name: &str, sql: Sql) {
    let text = postgres::text(sql);
    assert_eq!(locks(&text), [""; 0], "{name}: {text}");
}

#[test]
fn a_statement_that_tells_others_or_takes_a_lock_of_its_session_is_found() {
    assert_eq!(locks("SELECT pg_notify('jobs', '')"), ["notify"]);
    assert_eq!(locks("LISTEN jobs; SELECT pg_advisory_lock(1)"), ["listen", "advisory"]);
    assert_eq!(locks("SELECT listened, notified FROM t"), [""; 0]);
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres")).unwrap();
    for file in folder {
        let sql = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let without_comments: String =
            sql.lines().map(|line| line.split("--").next().unwrap_or_default().to_owned() + "\n").collect();
        assert_eq!(locks(&without_comments), [""; 0]);
    }
}

/// How many parameters a statement has in SQLite.
fn parameters(connection: &rusqlite::Connection, name: &str, sql: Sql) -> usize {
    let prepared = connection.prepare(sql.text()).unwrap_or_else(|error| panic!("{name}: {error}"));
    for index in 1..=prepared.parameter_count() {
        let (number, parameter) =
            (sqlite::number(&prepared, index), prepared.parameter_name(index).unwrap_or("?"));
        // Each number up to the highest is used, so that no value is handed over for nothing.
        assert!(number.is_some_and(|number| number <= prepared.parameter_count()), "{name}: {parameter}");
        assert!(!sql.is_in_order || number == Some(index), "{name}: {parameter}");
    }
    prepared.parameter_count()
}

/// Both schemas have the same tables with the same columns, but for what PostgreSQL keeps of its own: who adds to one adds to the other.
#[test]
fn both_engines_have_the_same_tables_and_columns() {
    let is_of_both =
        |column: &String| copy::OWN.iter().all(|(table, _)| !column.starts_with(&format!("{table}.")));
    let sqlite: BTreeSet<String> = sqlite::rows(
        "SELECT t.name || '.' || c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c
         WHERE t.type IN ('table', 'view')",
    )
    .into_iter()
    .filter(is_of_both)
    .collect();
    let postgres: BTreeSet<String> = postgres::testing::rows(
        "SELECT table_name || '.' || column_name FROM information_schema.columns
         WHERE table_schema = 'public' AND (table_name, column_name) <> ('run_file', 'number')",
    )
    .into_iter()
    .filter(is_of_both)
    .collect();
    assert_eq!(sqlite.difference(&postgres).collect::<Vec<_>>(), [""; 0], "only SQLite has these");
    assert_eq!(postgres.difference(&sqlite).collect::<Vec<_>>(), [""; 0], "only PostgreSQL has these");
}

#[test]
fn every_text_of_postgresql_is_compared_byte_by_byte() {
    let others = postgres::testing::rows(
        "SELECT table_name || '.' || column_name FROM information_schema.columns JOIN information_schema.tables USING (table_name)
         WHERE columns.table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'
           AND table_type = 'BASE TABLE' AND table_name <> 'docket_migration'",
    );
    assert_eq!(others, [""; 0]);
}
