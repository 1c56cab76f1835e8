//! What commands print: rows as JSON for programs, words and tables for people. Nothing else in a command writes to
//! standard output, and every line for a person is a [`Shown`].

use std::io::{self, Write};

use serde::Serialize;

use super::shown::{Shown, is_hidden};

/// One JSON array of rows.
pub fn json<T: Serialize>(rows: &[T]) -> io::Result<()> {
    one(&rows)
}

/// One JSON object.
pub fn one<T: Serialize>(object: &T) -> io::Result<()> {
    write(&escaped(&serde_json::to_string_pretty(object)?))
}

/// One JSON object on one line, for a program that reads lines.
#[cfg(feature = "sandbox")]
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

/// JSON whose texts hold nothing that a terminal obeys or hides: `serde_json` escapes C0 and nothing beyond. Outside of
/// texts JSON has no such character but the line breaks of its layout.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if is_hidden(character) && character != '\n' {
            for unit in character.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn json_says_the_same_in_characters_that_are_seen() {
        let row = json!({"path": "/a\u{202e}b\u{9b}\u{200b}\u{e0041}\n\u{7f}é"});
        let text = escaped(&serde_json::to_string_pretty(&row).unwrap());
        assert!(text.contains("/a\\u202eb\\u009b\\u200b\\udb40\\udc41\\n\\u007fé"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), row);
    }
}
