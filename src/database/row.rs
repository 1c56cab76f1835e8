//! What a statement answers.

use super::error::Error;
use super::value::{Column, Value};

/// A row of an answer.
pub struct Row<'r>(pub(super) Source<'r>);

/// Whose row it is.
pub enum Source<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

impl Row<'_> {
    /// The value of the column `name`.
    ///
    /// # Errors
    /// A bug: there is no such column, or it holds a value of another type.
    pub fn get<T: Column>(&self, name: &str) -> Result<T, Error> {
        let value = match self.0 {
            Source::Sqlite(row) => super::sqlite::value(row.get_ref(name)?),
            Source::Postgres(row) => super::postgres::named(row, name)?,
        };
        read(value, || format!("the column {name}"))
    }

    /// How many columns it has.
    pub(super) fn columns(&self) -> usize {
        match self.0 {
            Source::Sqlite(row) => row.as_ref().column_count(),
            Source::Postgres(row) => row.len(),
        }
    }

    /// The value of the column at `index`, from 0.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub fn at<T: Column>(&self, index: usize) -> Result<T, Error> {
        let value = match self.0 {
            Source::Sqlite(row) => super::sqlite::value(row.get_ref(index)?),
            Source::Postgres(row) => super::postgres::at(row, index)?,
        };
        read(value, || format!("the column at {index}"))
    }
}

fn read<T: Column>(value: Option<Value<'_>>, name: impl FnOnce() -> String) -> Result<T, Error> {
    value
        .and_then(T::column)
        .ok_or_else(|| Error::told_bug(format!("{} holds something else than is read from it", name())))
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
