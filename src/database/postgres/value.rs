//! Values on their way to PostgreSQL and back.
//!
//! They go as text, from which the server makes what it found each parameter to be; bytes go as they are. So nothing here has to know
//! the types of a statement's parameters, and a statement that was never prepared can be run: behind a pooler there is no other.
//! Only the columns of many rows go as the server keeps them, `bigint[]`, `text[]` or `bytea[]`, because they are long.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use tokio_postgres::Row;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type};

use crate::database::error::Error;
use crate::database::value::{Param, Value};

/// PostgreSQL's texts hold every character but this one; what has it is written with the sign for what cannot be shown.
const NUL: char = '\0';
const NUL_SHOWN: &str = "\u{FFFD}";

/// A parameter, as it goes over the wire.
#[derive(Debug)]
pub enum Sent<'a> {
    Null,
    Integer(i64),
    Text(String),
    /// A text that can go as it is.
    Lent(&'a str),
    Bytes(&'a [u8]),
    /// One parameter of many rows, which are run as one statement.
    Column(Vec<Sent<'a>>),
}

impl<'a> Sent<'a> {
    pub fn of(param: &'a dyn Param) -> Result<Sent<'a>, Error> {
        Ok(match param.value() {
            Value::Null => Sent::Null,
            Value::Integer(number) => Sent::Integer(number),
            Value::Real(number) => Sent::Text(number.to_string()),
            Value::Text(text) if text.contains(NUL) => Sent::Text(text.replace(NUL, NUL_SHOWN)),
            Value::Text(text) => Sent::Lent(text),
            Value::Bytes(bytes) => Sent::Bytes(bytes),
            Value::List(json) => Sent::Text(array(json)?),
            Value::TooLarge => return Err(Error::bug("a number is larger than a column can hold")),
        })
    }

    /// What its elements are to the server, which takes no others. None where there is nothing to tell by.
    fn element(&self) -> Option<Type> {
        match self {
            Sent::Null => None,
            Sent::Integer(_) => Some(Type::INT8),
            Sent::Text(_) | Sent::Lent(_) => Some(Type::TEXT),
            Sent::Bytes(_) => Some(Type::BYTEA),
            Sent::Column(column) => column.iter().find_map(Sent::element),
        }
    }

    fn write(&self, out: &mut BytesMut) -> IsNull {
        match self {
            Sent::Null => return IsNull::Yes,
            Sent::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Sent::Text(text) => out.extend_from_slice(text.as_bytes()),
            Sent::Lent(text) => out.extend_from_slice(text.as_bytes()),
            Sent::Bytes(bytes) => out.extend_from_slice(bytes),
            Sent::Column(column) => match self.element() {
                Some(element) => write_column(column, &element, out),
                None => {
                    out.extend_from_slice(format!("{{{}}}", vec!["NULL"; column.len()].join(",")).as_bytes())
                }
            },
        }
        IsNull::No
    }
}

/// An array of one dimension, as the server keeps it: how many dimensions, whether any element is missing, of what type they are, how
/// many, from which index; then each with its length.
fn write_column(column: &[Sent<'_>], element: &Type, out: &mut BytesMut) {
    let long = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
    out.put_i32(1);
    out.put_i32(1);
    out.put_u32(element.oid());
    out.put_i32(long(column.len()));
    out.put_i32(1);
    for one in column {
        match one {
            Sent::Null | Sent::Column(_) => out.put_i32(-1),
            Sent::Integer(number) => {
                out.put_i32(8);
                out.put_i64(*number);
            }
            Sent::Text(_) | Sent::Lent(_) | Sent::Bytes(_) => {
                let at = out.len();
                out.put_i32(0);
                one.write(out);
                let length = long(out.len() - at - 4);
                out[at..at + 4].copy_from_slice(&length.to_be_bytes());
            }
        }
    }
}

/// A JSON array of texts and numbers as PostgreSQL writes arrays: `{"a","b"}`.
fn array(json: &str) -> Result<String, Error> {
    let values: Vec<serde_json::Value> =
        serde_json::from_str(json).map_err(|_| Error::bug("a list is no array of JSON"))?;
    let mut array = "{".to_owned();
    for value in values {
        if array.len() > 1 {
            array.push(',');
        }
        let text = match value {
            serde_json::Value::String(text) => text.replace(NUL, NUL_SHOWN),
            other => other.to_string(),
        };
        array.push('"');
        for character in text.chars() {
            if matches!(character, '"' | '\\') {
                array.push('\\');
            }
            array.push(character);
        }
        array.push('"');
    }
    array.push('}');
    Ok(array)
}

impl ToSql for Sent<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        Ok(self.write(out))
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(
        &self,
        of: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.to_sql(of, out)
    }

    fn encode_format(&self, _: &Type) -> Format {
        match self {
            Sent::Bytes(_) => Format::Binary,
            Sent::Column(_) if self.element().is_some() => Format::Binary,
            _ => Format::Text,
        }
    }
}

/// The value of the column `name`. None for one of a type that no table of ours has.
pub fn named<'r>(row: &'r Row, name: &str) -> Result<Option<Value<'r>>, Error> {
    let place = row.columns().iter().position(|column| column.name() == name);
    match place {
        Some(place) => at(row, place),
        None => Err(Error::told_bug(format!("the answer has no column {name}"))),
    }
}

/// The value of the column at `index`, from 0.
pub fn at(row: &Row, index: usize) -> Result<Option<Value<'_>>, Error> {
    match row.try_get::<_, Held<'_>>(index) {
        Ok(Held(value)) => Ok(value),
        Err(_) => Err(Error::told_bug(format!("the answer has no column {index}"))),
    }
}

/// What a column holds.
struct Held<'a>(Option<Value<'a>>);

impl<'a> FromSql<'a> for Held<'a> {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        let value = match *of {
            Type::INT8 => Value::Integer(i64::from_sql(of, raw)?),
            Type::INT4 => Value::Integer(i32::from_sql(of, raw)?.into()),
            Type::INT2 => Value::Integer(i16::from_sql(of, raw)?.into()),
            Type::BOOL => Value::Integer(bool::from_sql(of, raw)?.into()),
            Type::FLOAT8 => Value::Real(f64::from_sql(of, raw)?),
            Type::NUMERIC => return Ok(Held(numeric(raw))),
            Type::TEXT | Type::VARCHAR | Type::NAME | Type::UNKNOWN => Value::Text(std::str::from_utf8(raw)?),
            Type::BYTEA => Value::Bytes(raw),
            _ => return Ok(Held(None)),
        };
        Ok(Held(Some(value)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Held(Some(Value::Null)))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A number of any length, which sums and means are: whole where it is, else as near as a float comes.
fn numeric(raw: &[u8]) -> Option<Value<'static>> {
    const NEGATIVE: u16 = 0x4000;
    let mut words = raw.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    let (count, weight) = (words.next()?, words.next()? as i16);
    let (sign, scale) = (words.next()?, words.next()?);
    if sign != 0 && sign != NEGATIVE {
        return None;
    }
    let mut digits: Vec<u16> = words.take(count.into()).collect();
    let whole = usize::try_from(i32::from(weight) + 1).unwrap_or(0);
    if scale == 0 {
        digits.resize(whole, 0);
        let number = digits
            .iter()
            .try_fold(0_i64, |number, digit| number.checked_mul(10_000)?.checked_add(i64::from(*digit)))?;
        return Some(Value::Integer(if sign == NEGATIVE { -number } else { number }));
    }
    let number = digits
        .iter()
        .zip(0_i32..)
        .map(|(digit, place)| f64::from(*digit) * 10_000_f64.powi(i32::from(weight) - place))
        .sum::<f64>();
    Some(Value::Real(if sign == NEGATIVE { -number } else { number }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::json_list;

    #[test]
    fn a_list_is_written_as_an_array_whatever_is_in_it() {
        let list = json_list(&["a,b", "\"q\"", "\\", "{}", "", "n\0l", "NULL"]);
        let Sent::Text(text) = Sent::of(&list).unwrap() else { panic!("a list goes as text") };
        assert_eq!(text, r#"{"a,b","\"q\"","\\","{}","","n�l","NULL"}"#);
        let Sent::Text(numbers) = Sent::of(&json_list(&[1, -2])).unwrap() else { panic!() };
        assert_eq!(numbers, r#"{"1","-2"}"#);
    }

    #[test]
    fn sums_and_means_are_numbers() {
        let raw = |words: &[u16]| -> Vec<u8> { words.iter().flat_map(|word| word.to_be_bytes()).collect() };
        // 12345678, -3, 0, 1.5, and more than a column holds.
        assert_eq!(numeric(&raw(&[2, 1, 0, 0, 1234, 5678])), Some(Value::Integer(12_345_678)));
        assert_eq!(numeric(&raw(&[1, 1, 0, 0, 1])), Some(Value::Integer(10_000)));
        assert_eq!(numeric(&raw(&[1, 0, 0x4000, 0, 3])), Some(Value::Integer(-3)));
        assert_eq!(numeric(&raw(&[0, 0, 0, 0])), Some(Value::Integer(0)));
        assert_eq!(numeric(&raw(&[2, 0, 0, 1, 1, 5000])), Some(Value::Real(1.5)));
        assert_eq!(numeric(&raw(&[6, 5, 0, 0, 9, 9, 9, 9, 9, 9])), None);
        assert_eq!(numeric(&raw(&[0, 0, 0xC000, 0])), None, "not a number");
    }
}
