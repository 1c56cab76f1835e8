//! What commands print: rows as JSON for programs, words and tables for people. Nothing else in a command writes to
//! standard output, and every line for a person is a [`Shown`].

use std::io::{self, Write};

use serde::Serialize;

use super::shown::Shown;
use crate::hidden::escaped;

/// One JSON array of rows.
pub fn json<T: Serialize>(rows: &[T]) -> io::Result<()> {
    one(&rows)
}

/// One JSON object.
pub fn one<T: Serialize>(object: &T) -> io::Result<()> {
    write(&escaped(&serde_json::to_string_pretty(object)?))
}

/// One JSON array whose rows come one after the other, of which there may be a million.
#[derive(Debug, Default)]
pub struct Rows {
    begun: bool,
}

impl Rows {
    pub fn push<T: Serialize>(&mut self, row: &T) -> io::Result<()> {
        let row = escaped(&serde_json::to_string_pretty(row)?);
        let before = if self.begun { ",\n" } else { "[\n" };
        self.begun = true;
        write!(io::stdout().lock(), "{before}{row}")
    }

    pub fn end(self) -> io::Result<()> {
        write(if self.begun { "\n]" } else { "[]" })
    }
}

/// One JSON object on one line, for a program that reads lines.
pub fn one_line<T: Serialize>(object: &T) -> io::Result<()> {
    write(&escaped(&serde_json::to_string(object)?))
}

/// One line to standard output.
pub fn line(text: impl Into<Shown>) -> io::Result<()> {
    write(text.into().as_str())
}

/// Several lines to standard output.
pub fn lines<T: Into<Shown>>(lines: impl IntoIterator<Item = T>) -> io::Result<()> {
    lines.into_iter().try_for_each(line)
}

/// One line to standard error. When that is gone too, the exit code says enough.
pub fn complain(text: impl Into<Shown>) {
    let _ = error_line(text);
}

/// One line to standard error.
pub fn error_line(text: impl Into<Shown>) -> io::Result<()> {
    writeln!(io::stderr(), "{}", text.into().as_str())
}

/// To standard output, to its last byte.
fn write(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
