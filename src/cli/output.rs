//! What commands print: rows as JSON for programs, words and tables for people.

use std::io::{self, Write};

use serde::Serialize;

/// One JSON array of rows.
pub fn json<T: Serialize>(rows: &[T]) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(rows)?;
    text.push('\n');
    print(&text)
}

/// One JSON object.
pub fn one<T: Serialize>(object: &T) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(object)?;
    text.push('\n');
    print(&text)
}

/// Text to standard output, to its last byte.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// One line to standard output.
pub fn line(text: impl AsRef<str>) -> io::Result<()> {
    print(&format!("{}\n", text.as_ref()))
}
