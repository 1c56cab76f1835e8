//! What a statement runs on, what it takes and what it gives. The driver is named in this folder only, and what differs
//! between databases is here.

use std::ops::ControlFlow;

use rusqlite::types::FromSql;
use serde::Serialize;

use super::error::Error;

/// Statements that a connection keeps compiled: more than there are.
const COMPILED: usize = 512;

/// The text of one statement. Only [`statements!`](crate::database::statements) makes one, so a test prepares each.
///
/// Parameters are `$1`, `$2`, …, the same one as often as it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sql {
    text: &'static str,
    is_in_order: bool,
}

impl Sql {
    #[doc(hidden)]
    pub const fn listed(text: &'static str) -> Self {
        Sql { text, is_in_order: is_in_order(text) }
    }

    pub fn text(self) -> &'static str {
        self.text
    }
}

/// Declares the statements of a file as constants, and makes the test that prepares each of them: a misspelt table is a failing
/// test and not a failing night, and so is a statement that reads a whole table.
///
/// ```text
/// statements! {
///     /// The oldest rows.
///     OLDEST = "SELECT id FROM inbox ORDER BY id LIMIT $1";
/// }
/// ```
#[macro_export]
macro_rules! statements {
    ($($(#[$about:meta])* $name:ident = $text:expr;)+) => {
        $($(#[$about])* const $name: $crate::database::Sql = $crate::database::Sql::listed($text);)+

        #[cfg(test)]
        #[test]
        fn every_statement_can_be_prepared() {
            $crate::database::prepare(module_path!(), &[$((stringify!($name), $name)),+]);
        }
    };
}
pub use statements;

/// A value that a statement takes: numbers, text, bytes, and an option of each.
pub trait Param: rusqlite::ToSql {}

impl<T: rusqlite::ToSql + ?Sized> Param for T {}

/// The parameters of a statement, in order: `params![id, name]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$(&$value as &dyn $crate::database::Param),*][..] };
}
pub use params;

/// A list as one parameter, for `IN (SELECT value FROM json_each($1))`: the text of a statement does not depend on its length.
pub fn json_list<T: Serialize>(values: &[T]) -> String {
    serde_json::to_string(values).expect("texts and numbers are JSON")
}

/// A value that a column can hold.
pub trait Column: FromSql {}

macro_rules! columns {
    ($($type:ty)+) => { $(impl Column for $type {})+ };
}
columns! { i64 i32 u64 u32 u16 bool f64 String Vec<u8> }
impl<T: Column> Column for Option<T> {}

/// A row of an answer.
pub struct Row<'r>(&'r rusqlite::Row<'r>);

impl Row<'_> {
    /// The value of the column `name`.
    ///
    /// # Errors
    /// A bug: there is no such column, or it holds a value of another type.
    pub fn get<T: Column>(&self, name: &str) -> Result<T, Error> {
        Ok(self.0.get(name)?)
    }

    /// The value of the column at `index`, from 0.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub fn at<T: Column>(&self, index: usize) -> Result<T, Error> {
        Ok(self.0.get(index)?)
    }
}

/// What a row is read as: one value, a tuple of values in the order of the columns, or a struct by their names
/// ([`from_row!`](crate::database::from_row)).
pub trait FromRow: Sized {
    /// # Errors
    /// A bug: a column is missing or holds a value of another type.
    fn from_row(row: &Row<'_>) -> Result<Self, Error>;
}

impl<T: Column> FromRow for T {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        row.at(0)
    }
}

macro_rules! tuples {
    ($(($($type:ident $index:tt),+))+) => {
        $(impl<$($type: Column),+> FromRow for ($($type,)+) {
            fn from_row(row: &Row<'_>) -> Result<Self, Error> {
                Ok(($(row.at::<$type>($index)?,)+))
            }
        })+
    };
}
tuples! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
}

/// Reads a struct from a row whose columns are called as its fields are: `from_row!(Job { id, key });`. A field that is no column
/// is made by an expression that may use the row: `from_row!(row => Job { id, kind: Kind::read(&row.get::<String>("kind")?) });`.
#[macro_export]
macro_rules! from_row {
    ($type:ident { $($field:ident),+ $(,)? }) => {
        $crate::from_row!(row => $type { $($field),+ });
    };
    ($row:ident => $type:ident { $($field:ident $(: $value:expr)?),+ $(,)? }) => {
        impl $crate::database::FromRow for $type {
            fn from_row($row: &$crate::database::Row<'_>) -> Result<Self, $crate::database::Error> {
                Ok(Self { $($field: $crate::from_row!(@ $row $field $($value)?)),+ })
            }
        }
    };
    (@ $row:ident $field:ident) => { $row.get(stringify!($field))? };
    (@ $row:ident $field:ident $value:expr) => { $value };
}
pub use from_row;

/// What a statement runs on: inside [`Database::write`](super::Database::write) a transaction, inside
/// [`Database::read`](super::Database::read) one view of all tables.
#[derive(Debug)]
pub struct Connection(pub(super) rusqlite::Connection);

impl Connection {
    pub(super) fn new(raw: rusqlite::Connection) -> Self {
        raw.set_prepared_statement_cache_capacity(COMPILED);
        Connection(raw)
    }

    /// Runs what has no parameters and answers nothing: what begins and ends a transaction.
    pub(super) fn command(&mut self, sql: &'static str) -> Result<(), Error> {
        Ok(self.0.prepare_cached(sql)?.raw_execute().map(drop)?)
    }

    /// Whether a commit waits until it is on the disk.
    pub(super) fn sync_commits(&mut self, is_synced: bool) -> Result<(), Error> {
        // Not from the cache: SQLite does what a pragma says when it reads it.
        let sql = if is_synced { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
        Ok(self.0.execute_batch(sql)?)
    }

    /// Writes the first page as it is, so that the commit of a transaction that changes nothing else is a commit to SQLite too.
    /// Docket keeps no version of its own there.
    ///
    /// # Errors
    /// The database's.
    pub(super) fn touch(&mut self) -> Result<(), Error> {
        self.command("PRAGMA user_version = 0")
    }

    /// Runs a statement and says how many rows it changed.
    ///
    /// # Errors
    /// The database's.
    pub fn run(&mut self, sql: Sql, params: &[&dyn Param]) -> Result<u64, Error> {
        let mut statement = self.0.prepare_cached(sql.text)?;
        bind(&mut statement, sql, params)?;
        Ok(statement.raw_execute()? as u64)
    }

    /// Runs one statement for each of `rows` and says how many rows were changed. It is compiled once, so a thousand rows cost
    /// one look at the text.
    ///
    /// # Errors
    /// The database's.
    pub fn run_each<'p, const N: usize>(
        &mut self,
        sql: Sql,
        rows: impl IntoIterator<Item = [&'p dyn Param; N]>,
    ) -> Result<u64, Error> {
        let mut statement = self.0.prepare_cached(sql.text)?;
        let mut changed = 0;
        for row in rows {
            bind(&mut statement, sql, &row)?;
            changed += statement.raw_execute()? as u64;
        }
        Ok(changed)
    }

    /// All rows of the answer. For answers whose length is bounded.
    ///
    /// # Errors
    /// The database's.
    pub fn all<T: FromRow>(&mut self, sql: Sql, params: &[&dyn Param]) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        self.each(sql, params, |row| {
            all.push(row);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }

    /// Hands each row of the answer to `take`, until that breaks off.
    ///
    /// # Errors
    /// The database's, and what `take` returns.
    pub fn each<T: FromRow>(
        &mut self,
        sql: Sql,
        params: &[&dyn Param],
        mut take: impl FnMut(T) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let mut statement = self.0.prepare_cached(sql.text)?;
        bind(&mut statement, sql, params)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            if take(T::from_row(&Row(row))?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The first row of the answer, if there is any. The statement runs to its end, because one that writes is done only then.
    ///
    /// # Errors
    /// The database's.
    pub fn first<T: FromRow>(&mut self, sql: Sql, params: &[&dyn Param]) -> Result<Option<T>, Error> {
        let mut first = None;
        self.each(sql, params, |row| {
            first.get_or_insert(row);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(first)
    }

    /// Pages of the file that nothing uses.
    ///
    /// # Errors
    /// The database's.
    pub fn free_pages(&mut self) -> Result<i64, Error> {
        Ok(self.0.query_row("PRAGMA freelist_count", [], |row| row.get(0))?)
    }

    /// Gives at most `most` pages that nothing uses back to the disk, and says how many.
    ///
    /// # Errors
    /// The database's.
    pub fn give_back(&mut self, most: u32) -> Result<i64, Error> {
        let free = self.free_pages()?;
        // A row for each page.
        let mut give_back = self.0.prepare(&format!("PRAGMA incremental_vacuum({most})"))?;
        let mut given = give_back.raw_query();
        while given.next()?.is_some() {}
        drop(given);
        drop(give_back);
        Ok(free - self.free_pages()?)
    }

    /// Has `work` overwrite in the file what it deletes, where a page is given up as a whole, too.
    ///
    /// # Errors
    /// Those of `work`, and the database's.
    pub fn overwriting<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.0.execute_batch("PRAGMA secure_delete = ON")?;
        let done = work(self);
        self.0.execute_batch("PRAGMA secure_delete = FAST")?;
        done
    }

    /// The only row of the answer.
    ///
    /// # Errors
    /// The database's; a bug when there is no row.
    pub fn one<T: FromRow>(&mut self, sql: Sql, params: &[&dyn Param]) -> Result<T, Error> {
        self.first(sql, params)?.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }
}

/// Binds `params` to what the statement calls `$1`, `$2`, …. SQLite counts names in the order in which they stand: where that is
/// the order of their numbers, none has to be asked for.
fn bind(statement: &mut rusqlite::Statement<'_>, sql: Sql, params: &[&dyn Param]) -> Result<(), Error> {
    for place in 1..=statement.parameter_count() {
        let number = if sql.is_in_order { Some(place) } else { number(statement, place) };
        let Some(value) = number.and_then(|number| params.get(number.checked_sub(1)?)) else {
            let name = statement.parameter_name(place).unwrap_or_default().to_owned();
            return Err(rusqlite::Error::InvalidParameterName(name).into());
        };
        statement.raw_bind_parameter(place, *value)?;
    }
    Ok(())
}

fn number(statement: &rusqlite::Statement<'_>, place: usize) -> Option<usize> {
    statement.parameter_name(place)?.strip_prefix('$')?.parse().ok()
}

/// Whether the parameters of a statement stand for the first time in the order of their numbers.
const fn is_in_order(text: &str) -> bool {
    let (text, mut at, mut highest) = (text.as_bytes(), 0, 0);
    while at < text.len() {
        let mut number = 0;
        if text[at] == b'$' {
            while at + 1 < text.len() && text[at + 1].is_ascii_digit() {
                at += 1;
                number = 10 * number + (text[at] - b'0') as usize;
            }
        }
        if number > highest + 1 {
            return false;
        }
        if number > highest {
            highest = number;
        }
        at += 1;
    }
    true
}

/// A new database in memory.
#[cfg(test)]
pub fn in_memory() -> Connection {
    let mut raw = rusqlite::Connection::open_in_memory().unwrap();
    super::migrate::MAIN.apply(&mut raw).unwrap();
    Connection::new(raw)
}

/// How many steps of SQLite's machine a statement takes to its end: what it costs, whatever else the computer does.
#[cfg(test)]
pub fn steps(connection: &mut Connection, sql: Sql, params: &[&dyn Param]) -> i32 {
    let mut statement = connection.0.prepare(sql.text).unwrap();
    bind(&mut statement, sql, params).unwrap();
    let mut rows = statement.raw_query();
    while rows.next().unwrap().is_some() {}
    drop(rows);
    statement.get_status(rusqlite::StatementStatus::VmStep)
}

/// Prepares each of `statements` in a new database that has the inbox's table too, and says which cannot be, and which reads a
/// whole table.
#[cfg(test)]
pub fn prepare(module: &str, statements: &[(&str, Sql)]) {
    let Connection(connection) = in_memory();
    connection.execute_batch(include_str!("../../migrations/sqlite-inbox/0001_inbox.sql")).unwrap();
    for (name, sql) in statements {
        let prepared = connection.prepare(sql.text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for index in 1..=prepared.parameter_count() {
            let (number, parameter) =
                (number(&prepared, index), prepared.parameter_name(index).unwrap_or("?"));
            // Each number up to the highest is used, so that no value is handed over for nothing.
            assert!(number.is_some_and(|number| number <= prepared.parameter_count()), "{name}: {parameter}");
            assert!(!sql.is_in_order || number == Some(index), "{name}: {parameter}");
        }
    }
    super::plan::judge(&connection, module, statements);
}
