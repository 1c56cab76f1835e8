//! Reads JSON in which others wrote something that strict JSON cannot hold: half of a surrogate pair (what a JavaScript
//! sender makes of a cut emoji), bytes that are no UTF-8, a bare control character, a number beyond every machine number.
//!
//! Such a value says nothing about what stands beside it, and must not hide it. So it alone is replaced, and what comes
//! out is read as strictly as ever: `serde_json` refuses what is no JSON, and nesting deeper than 128.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::{Error, Value};

/// Some editors and libraries begin a file with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// From here on a number is kept as a text. A little below the largest float, because `serde_json` rounds while it reads.
const LARGEST_FLOAT: f64 = 1e308;

/// What JavaScript and Python write for numbers that JSON has no words for.
const NO_NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// How many bytes `\u` and its four digits are.
const ESCAPE: usize = 6;

/// The value that `bytes` hold. Half a surrogate pair and bytes that are no UTF-8 become U+FFFD, a number beyond 64 bits
/// or the largest float becomes its own text, and what is no number becomes null.
///
/// # Errors
/// It is no JSON.
pub fn parse(bytes: &[u8]) -> Result<Value, Error> {
    serde_json::from_str(&text(bytes))
}

/// `bytes` as JSON that a strict reader takes, if they are JSON at all. Copies nothing that needs no mending.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes));
    match mended(&text) {
        Some(mended) => Cow::Owned(mended),
        None => text,
    }
}

/// The same JSON without what strict JSON cannot hold; none when nothing has to be replaced.
fn mended(text: &str) -> Option<String> {
    let mut mender = Mender { text, copied: 0, out: String::new() };
    let mut at = 0;
    while let Some(&byte) = text.as_bytes().get(at) {
        at = match byte {
            b'"' => mender.string(at + 1),
            b'-' | b'0'..=b'9' | b'N' | b'I' => mender.number(at),
            _ => at + 1,
        };
    }
    if mender.copied == 0 {
        return None;
    }
    mender.out.push_str(&text[mender.copied..]);
    Some(mender.out)
}

struct Mender<'t> {
    text: &'t str,
    /// Up to where `out` has the text.
    copied: usize,
    out: String,
}

impl Mender<'_> {
    /// Passes a string whose text begins at `at`, and says where it ends.
    fn string(&mut self, mut at: usize) -> usize {
        while let Some(&byte) = self.text.as_bytes().get(at) {
            at += match byte {
                b'"' => return at + 1,
                b'\\' => match (self.unit(at), self.unit(at + ESCAPE)) {
                    (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 2 * ESCAPE,
                    (Some(0xD800..=0xDFFF), _) => {
                        self.replace(at, ESCAPE, "\u{FFFD}");
                        ESCAPE
                    }
                    (Some(_), _) => ESCAPE,
                    // The character after it is escaped, whatever it is.
                    (None, _) => 2,
                },
                0..=0x1F => {
                    self.replace(at, 1, &format!("\\u{byte:04x}"));
                    1
                }
                _ => 1,
            };
        }
        at
    }

    /// The UTF-16 unit that is escaped at `at`.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.as_bytes().get(at..at + ESCAPE)?.strip_prefix(br"\u")?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
        u16::from_str_radix(digits, 16).ok()
    }

    /// Passes what may be a number at `at`, and says where it ends.
    fn number(&mut self, at: usize) -> usize {
        let rest = &self.text[at..];
        if let Some(word) = NO_NUMBERS.into_iter().find(|word| rest.starts_with(word)) {
            self.replace(at, word.len(), "null");
            return at + word.len();
        }
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let number = &rest[..length];
        // Passing over a number checks how it is written and not how large it is.
        if is_beyond(number) && serde_json::from_str::<IgnoredAny>(number).is_ok() {
            self.replace(at, length, &format!("\"{number}\""));
        }
        at + length.max(1)
    }

    fn replace(&mut self, at: usize, length: usize, with: &str) {
        self.out.push_str(&self.text[self.copied..at]);
        self.out.push_str(with);
        self.copied = at + length;
    }
}

/// Whether a number is larger than the machine's; for a whole one, whether it would lose digits.
fn is_beyond(number: &str) -> bool {
    if number.contains(['.', 'e', 'E']) {
        return number.parse::<f64>().is_ok_and(|number| number.abs() >= LARGEST_FLOAT);
    }
    number.parse::<i64>().is_err() && number.parse::<u64>().is_err()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_strict_json_cannot_hold_is_replaced_and_nothing_beside_it_is_lost() {
        for (written, read) in [
            (r#""a\ud83d""#, json!("a\u{FFFD}")),
            (r#""\ude00b""#, json!("\u{FFFD}b")),
            (r#""\ud83d\ud83d\ude00""#, json!("\u{FFFD}😀")),
            (r#""\ud83d\n""#, json!("\u{FFFD}\n")),
            (r#""\\ud83d""#, json!("\\ud83d")),
            (r#""\"\ud83d\"""#, json!("\"\u{FFFD}\"")),
            ("1e400", json!("1e400")),
            ("-1E+400", json!("-1E+400")),
            ("340282366920938463463374607431768211456", json!("340282366920938463463374607431768211456")),
            ("-9223372036854775809", json!("-9223372036854775809")),
            ("18446744073709551615", json!(u64::MAX)),
            ("1e-400", json!(0.0)),
            ("[NaN,Infinity,-Infinity,-1]", json!([null, null, null, -1])),
            ("\"line\none\ttwo\"", json!("line\none\ttwo")),
            ("\u{feff}{\"a\":1}", json!({"a": 1})),
            (r#"{"a":1,"a":2}"#, json!({"a": 2})),
        ] {
            let value = parse(written.as_bytes()).unwrap_or_else(|error| panic!("{written}: {error}"));
            assert_eq!(value, read, "{written}");
            let beside = format!(
                r#"{{"before":"1e400","it":{},"after":[1]}}"#,
                written.trim_start_matches('\u{feff}')
            );
            let whole = json!({"before": "1e400", "it": read, "after": [1]});
            assert_eq!(parse(beside.as_bytes()).unwrap(), whole, "{beside}");
        }
        assert_eq!(parse(b"\"Gr\xfc\xdfe\"").unwrap(), json!("Gr\u{FFFD}\u{FFFD}e"));
    }

    #[test]
    fn what_is_no_json_is_refused_as_ever() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for text in [
            "",
            "{",
            "[1,]",
            "--1",
            "1e",
            "01e400",
            "+1e400",
            ".5",
            "-",
            "\"",
            r#""\x""#,
            r#""\ud8"#,
            r#""\u+123""#,
            "NaNa",
            "null null",
            "\u{feff}\u{feff}1",
            &deep,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_strict_json_reads_is_read(text in r#"[-0-9eE."\\ud8aAfF{}\[\]:, \n]{0,40}"#) {
            prop_assert!(serde_json::from_str::<IgnoredAny>(&text).is_err() || parse(text.as_bytes()).is_ok());
        }

        #[test]
        fn any_text_survives_its_way(text in any::<String>(), number in any::<f64>(), whole in any::<i64>()) {
            let value = json!({text.clone(): [text, whole], "n": if number.abs() < 1e307 { number } else { 0.0 }});
            let strict: Value = serde_json::from_str(&value.to_string()).unwrap();
            prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), strict);
        }
    }
}
