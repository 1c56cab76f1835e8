//! What a statement takes and a column holds, whatever a driver calls it.

use std::borrow::Cow;

use serde::Serialize;

/// One value, lent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Texts and numbers, as JSON has them ([`JsonList`]).
    List(&'a str),
    /// A number that no database holds. It is refused where it would be bound.
    TooLarge,
}

/// A value that a statement takes: numbers, text, bytes, lists, and an option of each.
pub trait Param {
    fn value(&self) -> Value<'_>;
}

/// The parameters of a statement, in order: `params![id, name]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$(&$value as &dyn $crate::database::Param),*][..] };
}
pub use params;

/// A list as one parameter, for `IN (SELECT value FROM json_each($1))`: the text of a statement does not depend on its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonList(String);

impl Default for JsonList {
    fn default() -> Self {
        JsonList("[]".to_owned())
    }
}

pub fn json_list<T: Serialize>(values: &[T]) -> JsonList {
    JsonList(serde_json::to_string(values).expect("texts and numbers are JSON"))
}

impl JsonList {
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

impl Param for JsonList {
    fn value(&self) -> Value<'_> {
        Value::List(&self.0)
    }
}

macro_rules! integers {
    ($($type:ty)+) => { $(
        impl Param for $type {
            fn value(&self) -> Value<'_> {
                i64::try_from(*self).map_or(Value::TooLarge, Value::Integer)
            }
        }

        impl Column for $type {
            fn column(value: Value<'_>) -> Option<Self> {
                match value {
                    Value::Integer(number) => number.try_into().ok(),
                    _ => None,
                }
            }
        }
    )+ };
}
integers! { i64 i32 u64 u32 u16 u8 usize }

impl Param for bool {
    fn value(&self) -> Value<'_> {
        Value::Integer(i64::from(*self))
    }
}

impl Param for f64 {
    fn value(&self) -> Value<'_> {
        Value::Real(*self)
    }
}

impl Param for str {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Param for String {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Param for Cow<'_, str> {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Param for [u8] {
    fn value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl Param for Vec<u8> {
    fn value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl<T: Param + ?Sized> Param for &T {
    fn value(&self) -> Value<'_> {
        (**self).value()
    }
}

impl<T: Param> Param for Option<T> {
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, Param::value)
    }
}

/// A value that a column can be read as.
pub trait Column: Sized {
    /// None when it is of another type.
    fn column(value: Value<'_>) -> Option<Self>;
}

impl Column for bool {
    fn column(value: Value<'_>) -> Option<Self> {
        i64::column(value).map(|number| number != 0)
    }
}

impl Column for f64 {
    fn column(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Real(number) => Some(number),
            Value::Integer(number) => Some(number as f64),
            _ => None,
        }
    }
}

impl Column for String {
    fn column(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl Column for Vec<u8> {
    fn column(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Some(bytes.to_owned()),
            _ => None,
        }
    }
}

impl<T: Column> Column for Option<T> {
    fn column(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::column(value).map(Some),
        }
    }
}

/// One value, kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Kept {
    /// Bytes that it takes, about.
    pub fn size(&self) -> usize {
        match self {
            Kept::Null | Kept::Integer(_) | Kept::Real(_) => size_of::<Kept>(),
            Kept::Text(text) => size_of::<Kept>() + text.len(),
            Kept::Bytes(bytes) => size_of::<Kept>() + bytes.len(),
        }
    }
}

impl Param for Kept {
    fn value(&self) -> Value<'_> {
        match self {
            Kept::Null => Value::Null,
            Kept::Integer(number) => Value::Integer(*number),
            Kept::Real(number) => Value::Real(*number),
            Kept::Text(text) => Value::Text(text),
            Kept::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

impl Column for Kept {
    fn column(value: Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Null => Kept::Null,
            Value::Integer(number) => Kept::Integer(number),
            Value::Real(number) => Kept::Real(number),
            Value::Text(text) => Kept::Text(text.to_owned()),
            Value::Bytes(bytes) => Kept::Bytes(bytes.to_owned()),
            Value::List(_) | Value::TooLarge => return None,
        })
    }
}
