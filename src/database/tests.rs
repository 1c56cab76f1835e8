//! What the tests of the stores ask for.

use std::collections::BTreeSet;

use super::connection::{Connection, Session};
use super::statement::Sql;
use super::value::Param;
use super::{postgres, sqlite};

/// A new database in memory.
pub fn in_memory() -> Connection {
    Connection::sqlite(sqlite::in_memory())
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
    let sqlite = {
        let connection = sqlite::in_memory();
        connection.execute_batch(include_str!("../../migrations/sqlite-inbox/0001_inbox.sql")).unwrap();
        let sql = "SELECT t.name || '.' || c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c
                   WHERE t.type IN ('table', 'view') AND t.name NOT IN ('_sqlx_migrations', 'sqlite_sequence')";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<BTreeSet<String>, _>>().unwrap()
    };
    let postgres: BTreeSet<String> = postgres::testing::rows(
        "SELECT table_name || '.' || column_name FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name NOT LIKE '%\\_part'
           AND table_name NOT IN ('docket_migration', 'replica', 'replica_lease', 'leader')
           AND (table_name, column_name) <> ('run_file', 'number')",
    )
    .into_iter()
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
