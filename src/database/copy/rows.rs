//! Rows on their way from one database to another: some at a time, in the order of their keys, so that what is held in memory does not
//! depend on how many there are.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::tables::{Place, Statements, Table};
use crate::database::error::Error;
use crate::database::row::{FromRow, Row};
use crate::database::statement::Sql;
use crate::database::value::{Kept, Param};
use crate::database::{Connection, Database};

/// Rows that are read at once at most, and bytes after which no more of them are.
const MOST_ROWS: usize = 1_000;
const MOST_BYTES: usize = 4 << 20;

/// Rows that are read first, when nobody knows how long they are.
const FIRST_ROWS: usize = 50;

/// One row of a table, its values in the order of the columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Record(pub Vec<Kept>);

impl FromRow for Record {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        (0..row.columns()).map(|place| row.at(place)).collect::<Result<_, _>>().map(Record)
    }
}

impl Record {
    fn size(&self) -> usize {
        self.0.iter().map(Kept::size).sum()
    }

    /// Its key, for people: never what else it holds.
    pub fn key(&self, statements: &Statements) -> String {
        let words = statements.key.iter().map(|place| match &self.0[*place] {
            Kept::Text(text) => text.clone(),
            Kept::Integer(number) => number.to_string(),
            Kept::Bytes(bytes) => hex::encode(bytes),
            Kept::Null | Kept::Real(_) => String::new(),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Reads the rows of one table from its first to its last.
#[derive(Debug)]
pub struct Reader<'d> {
    database: &'d Database,
    table: Table,
    statements: Arc<Statements>,
    after: Option<Vec<Kept>>,
    /// How many are read next.
    rows: usize,
}

impl<'d> Reader<'d> {
    pub fn new(database: &'d Database, table: Table, statements: Arc<Statements>) -> Self {
        Reader { database, table, statements, after: None, rows: FIRST_ROWS }
    }

    /// The next rows; none when there are no more.
    pub async fn next(&mut self) -> Result<Vec<Record>, Error> {
        let page = self.peek().await?;
        if let Some(last) = page.last() {
            self.go_behind(last);
        }
        Ok(page)
    }

    /// The next rows, which stay the next ones.
    pub async fn peek(&mut self) -> Result<Vec<Record>, Error> {
        let (statements, after, rows) = (self.statements.clone(), self.after.clone(), self.rows);
        let read = move |connection: &mut Connection| match &after {
            None => page(connection, statements.first, &[], rows),
            Some(key) => page(connection, statements.after, key, rows),
        };
        let page = match self.table.place {
            Place::Database => self.database.read(read).await?,
            Place::Inbox => self.database.read_inbox(read).await?,
        };
        let bytes: usize = page.iter().map(Record::size).sum();
        if let Some(mean) = bytes.checked_div(page.len()) {
            self.rows = (MOST_BYTES / mean.max(1)).clamp(1, MOST_ROWS);
        }
        Ok(page)
    }

    /// From now on the next rows are those behind this one.
    pub fn go_behind(&mut self, last: &Record) {
        self.after = Some(self.statements.key.iter().map(|place| last.0[*place].clone()).collect());
    }
}

fn page(connection: &mut Connection, sql: Sql, key: &[Kept], rows: usize) -> Result<Vec<Record>, Error> {
    let mut params: Vec<&dyn Param> = key.iter().map(|value| value as &dyn Param).collect();
    params.push(&rows);
    let (mut page, mut bytes) = (Vec::new(), 0);
    connection.each(sql, &params, |row: Record| {
        bytes += row.size();
        page.push(row);
        Ok(if bytes < MOST_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(page)
}

/// Writes rows of a table.
pub async fn write(
    database: &Database,
    table: Table,
    statements: &Arc<Statements>,
    rows: Vec<Record>,
) -> Result<(), Error> {
    let statements = statements.clone();
    let write = move |tx: &mut Connection| {
        let values = rows.iter().map(|row| {
            statements.inserted.iter().map(|place| &row.0[*place] as &dyn Param).collect::<Vec<_>>()
        });
        tx.run_each(statements.insert, values).map(drop)
    };
    match table.place {
        Place::Database => database.claim(write).await,
        Place::Inbox => database.write_inbox(write).await,
    }
}

/// Deletes all rows of a table.
pub async fn clear(database: &Database, table: Table, statements: &Statements) -> Result<(), Error> {
    let sql = statements.clear;
    let clear = move |tx: &mut Connection| tx.run(sql, &[&MOST_ROWS]);
    loop {
        let cleared = match table.place {
            Place::Database => database.claim(clear).await?,
            Place::Inbox => database.write_inbox(clear).await?,
        };
        if cleared == 0 {
            return Ok(());
        }
    }
}

/// How many rows a table has.
pub async fn count(database: &Database, table: Table, statements: &Statements) -> Result<u64, Error> {
    let sql = statements.count;
    let count = move |connection: &mut Connection| connection.one(sql, &[]);
    match table.place {
        Place::Database => database.read(count).await,
        Place::Inbox => database.read_inbox(count).await,
    }
}

/// Whether what was written is what was read, in so many first columns. PostgreSQL's texts hold every character but one, which is written
/// there as the sign for what cannot be shown.
pub fn is_same(read: &Record, written: &Record, columns: usize) -> bool {
    let mut pairs = read.0.iter().zip(&written.0).take(columns);
    pairs.all(|pair| match pair {
        (Kept::Text(read), Kept::Text(written)) if read.contains('\0') => {
            read == written || read.replace('\0', "\u{FFFD}") == *written
        }
        (read, written) => read == written,
    })
}
