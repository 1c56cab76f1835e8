//! A connection to a file of SQLite.

use std::ops::ControlFlow;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::database::error::Error;
use crate::database::row::{Row, Source};
use crate::database::statement::Sql;
use crate::database::value::{Param, Value};

/// Statements that a connection keeps compiled: more than there are.
const COMPILED: usize = 512;

#[derive(Debug)]
pub struct Session(pub rusqlite::Connection);

impl Session {
    pub fn new(raw: rusqlite::Connection) -> Self {
        raw.set_prepared_statement_cache_capacity(COMPILED);
        Session(raw)
    }

    /// Runs what has no parameters and answers nothing: what begins and ends a transaction.
    pub fn command(&mut self, sql: &'static str) -> Result<(), Error> {
        Ok(self.0.prepare_cached(sql)?.raw_execute().map(drop)?)
    }

    /// Whether a transaction is open.
    pub fn is_open(&self) -> bool {
        !self.0.is_autocommit()
    }

    /// Whether a commit waits until it is on the disk.
    pub fn sync_commits(&mut self, is_synced: bool) -> Result<(), Error> {
        // Not from the cache: SQLite does what a pragma says when it reads it.
        let sql = if is_synced { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
        Ok(self.0.execute_batch(sql)?)
    }

    /// Writes the first page as it is, so that the commit of a transaction that changes nothing else is a commit to SQLite too.
    /// Docket keeps no version of its own there.
    ///
    /// # Errors
    /// The database's.
    pub fn touch(&mut self) -> Result<(), Error> {
        self.command("PRAGMA user_version = 0")
    }

    pub fn run(&mut self, sql: Sql, params: &[&dyn Param]) -> Result<u64, Error> {
        execute(&mut *self.0.prepare_cached(sql.text())?, sql, params)
    }

    pub fn run_each<'p>(
        &mut self,
        sql: Sql,
        rows: impl IntoIterator<Item = impl AsRef<[&'p dyn Param]>>,
    ) -> Result<u64, Error> {
        let mut statement = self.0.prepare_cached(sql.text())?;
        rows.into_iter().try_fold(0, |changed, row| Ok(changed + execute(&mut statement, sql, row.as_ref())?))
    }

    pub fn add_each<'p, const N: usize>(
        &mut self,
        sql: Sql,
        rows: impl IntoIterator<Item = [&'p dyn Param; N]>,
    ) -> Result<Vec<bool>, Error> {
        let mut statement = self.0.prepare_cached(sql.text())?;
        rows.into_iter().map(|row| Ok(execute(&mut statement, sql, &row)? == 1)).collect()
    }

    pub fn each(
        &mut self,
        sql: Sql,
        params: &[&dyn Param],
        mut take: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let mut statement = self.0.prepare_cached(sql.text())?;
        bind(&mut statement, sql, params)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            if take(&Row(Source::Sqlite(row)))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    pub fn free_pages(&mut self) -> Result<i64, Error> {
        Ok(self.0.query_row("PRAGMA freelist_count", [], |row| row.get(0))?)
    }

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

    /// Whether a page that is given up as a whole is overwritten too.
    pub fn overwrite(&mut self, all: bool) -> Result<(), Error> {
        Ok(self.0.execute_batch(if all {
            "PRAGMA secure_delete = ON"
        } else {
            "PRAGMA secure_delete = FAST"
        })?)
    }
}

/// What a column of SQLite holds. None for a text that is none.
pub fn value(held: ValueRef<'_>) -> Option<Value<'_>> {
    Some(match held {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(std::str::from_utf8(text).ok()?),
        ValueRef::Blob(bytes) => Value::Bytes(bytes),
    })
}

/// A value on its way to SQLite: lent, not copied.
struct Lent<'a>(&'a dyn Param);

impl ToSql for Lent<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0.value() {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(number),
            Value::Real(number) => ValueRef::Real(number),
            Value::Text(text) | Value::List(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
            Value::TooLarge => {
                let error = "a number is larger than a column can hold";
                return Err(rusqlite::Error::ToSqlConversionFailure(error.into()));
            }
        }))
    }
}

/// Binds `params`, runs the statement to its end, and says how many rows it changed.
fn execute(statement: &mut rusqlite::Statement<'_>, sql: Sql, params: &[&dyn Param]) -> Result<u64, Error> {
    bind(statement, sql, params)?;
    Ok(statement.raw_execute()? as u64)
}

/// Binds `params` to what the statement calls `$1`, `$2`, …. SQLite counts names in the order in which they stand: where that is
/// the order of their numbers, none has to be asked for.
pub fn bind(statement: &mut rusqlite::Statement<'_>, sql: Sql, params: &[&dyn Param]) -> Result<(), Error> {
    for place in 1..=statement.parameter_count() {
        let number = if sql.is_in_order { Some(place) } else { number(statement, place) };
        let Some(value) = number.and_then(|number| params.get(number.checked_sub(1)?)) else {
            let name = statement.parameter_name(place).unwrap_or_default().to_owned();
            return Err(rusqlite::Error::InvalidParameterName(name).into());
        };
        statement.raw_bind_parameter(place, Lent(*value))?;
    }
    Ok(())
}

/// The number of the parameter at `place`.
pub fn number(statement: &rusqlite::Statement<'_>, place: usize) -> Option<usize> {
    statement.parameter_name(place)?.strip_prefix('$')?.parse().ok()
}
