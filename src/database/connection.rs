//! What a statement runs on. Which engine it is, is known in this folder only.

use std::ops::ControlFlow;

use super::error::Error;
use super::row::{FromRow, Row};
use super::statement::Sql;
use super::value::Param;
use super::{postgres, sqlite};

/// What a statement runs on: inside [`Database::write`](super::Database::write) a transaction, inside
/// [`Database::read`](super::Database::read) one view of all tables.
#[derive(Debug)]
pub struct Connection(pub(super) Session);

/// A session with one of the engines.
#[derive(Debug)]
pub enum Session {
    Sqlite(sqlite::Session),
    Postgres(Box<postgres::Session>),
}

impl Connection {
    pub(super) fn sqlite(raw: rusqlite::Connection) -> Self {
        Connection(Session::Sqlite(sqlite::Session::new(raw)))
    }

    pub(super) fn postgres(session: postgres::Session) -> Self {
        Connection(Session::Postgres(Box::new(session)))
    }

    /// Runs a statement and says how many rows it changed.
    ///
    /// # Errors
    /// The database's.
    pub fn run(&mut self, sql: Sql, params: &[&dyn Param]) -> Result<u64, Error> {
        match &mut self.0 {
            Session::Sqlite(session) => session.run(sql, params),
            Session::Postgres(session) => session.run(sql, params),
        }
    }

    /// Runs one statement for each of `rows` and says how many rows were changed. It is compiled once, so a thousand rows cost
    /// one look at the text.
    ///
    /// # Errors
    /// The database's.
    pub fn run_each<'p>(
        &mut self,
        sql: Sql,
        rows: impl IntoIterator<Item = impl AsRef<[&'p dyn Param]>>,
    ) -> Result<u64, Error> {
        match &mut self.0 {
            Session::Sqlite(session) => session.run_each(sql, rows),
            Session::Postgres(session) => session.run_each(sql, rows),
        }
    }

    /// As [`Connection::run_each`], for what comes in masses: PostgreSQL is asked once, with a text of its own that takes each parameter
    /// of all rows as an array.
    ///
    /// # Errors
    /// The database's.
    pub fn run_together<'p, const N: usize>(
        &mut self,
        sql: Sql,
        rows: impl IntoIterator<Item = [&'p dyn Param; N]>,
    ) -> Result<u64, Error> {
        match &mut self.0 {
            Session::Sqlite(session) => session.run_each(sql, rows),
            Session::Postgres(session) => session.run_together(sql, rows),
        }
    }

    /// As [`Connection::run_together`], of a statement that adds each row whose key, the first parameter, is not there yet. Says which
    /// were added; PostgreSQL's text answers their keys.
    ///
    /// # Errors
    /// The database's.
    pub fn add_together<'p, const N: usize>(
        &mut self,
        sql: Sql,
        rows: impl IntoIterator<Item = [&'p dyn Param; N]>,
    ) -> Result<Vec<bool>, Error> {
        match &mut self.0 {
            Session::Sqlite(session) => session.add_each(sql, rows),
            Session::Postgres(session) => session.add_together(sql, rows),
        }
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
        let take = |row: &Row<'_>| take(T::from_row(row)?);
        match &mut self.0 {
            Session::Sqlite(session) => session.each(sql, params, take),
            Session::Postgres(session) => session.each(sql, params, take),
        }
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

    /// The only row of the answer.
    ///
    /// # Errors
    /// The database's; a bug when there is no row.
    pub fn one<T: FromRow>(&mut self, sql: Sql, params: &[&dyn Param]) -> Result<T, Error> {
        self.first(sql, params)?.ok_or_else(|| Error::bug("an answer that has a row had none"))
    }

    /// Pages of the file that nothing uses. PostgreSQL uses what is free in its files again by itself.
    ///
    /// # Errors
    /// The database's.
    pub fn free_pages(&mut self) -> Result<i64, Error> {
        match &mut self.0 {
            Session::Sqlite(session) => session.free_pages(),
            Session::Postgres(_) => Ok(0),
        }
    }

    /// Gives at most `most` pages that nothing uses back to the disk, and says how many.
    ///
    /// # Errors
    /// The database's.
    pub fn give_back(&mut self, most: u32) -> Result<i64, Error> {
        match &mut self.0 {
            Session::Sqlite(session) => session.give_back(most),
            Session::Postgres(_) => Ok(0),
        }
    }

    /// Has `work` overwrite in the file what it deletes, where a page is given up as a whole, too. In PostgreSQL what is deleted stays
    /// in the file until it is vacuumed and overwritten, and in its log.
    ///
    /// # Errors
    /// Those of `work`, and the database's.
    pub fn overwriting<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Session::Sqlite(session) = &mut self.0 {
            session.overwrite(true)?;
        }
        let done = work(self);
        if let Session::Sqlite(session) = &mut self.0 {
            session.overwrite(false)?;
        }
        done
    }
}
