//! What is wrong with a setting, told with its place and what to do, and never with its value: a key that was put
//! into the wrong line must not end up in a log. It knows TOML and serde's messages, and no setting by name.

use std::fmt::Write as _;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

/// The longest name of a setting that is repeated. All of ours are shorter.
const LONGEST_NAME: usize = 40;

/// How alike two names must be for one to be a slip of the other, from 0 to 1.
const ALIKE: f64 = 0.6;

/// What `error` says about `text`: the line, the setting's name, and what to write there.
pub fn in_text(text: &str, error: &Error) -> String {
    let mut told = String::new();
    if let Some(span) = error.span() {
        let before = text.get(..span.start.min(text.len())).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let _ = write!(told, "line {line}");
        match DeTable::parse(text) {
            Ok(table) => {
                if let Some(path) = path(table.get_ref(), span.start) {
                    let _ = write!(told, ", {path}");
                }
            }
            Err(_) => {
                let why = words(error.message());
                // What comes after the comma stood in backticks, and is cut off as a value might have to be.
                let why = why.trim_end_matches("expected").trim_end_matches([',', ' ']);
                return format!("{told}: this is not TOML ({why}): write name = value, and text in quotes");
            }
        }
        told.push_str(": ");
    }
    told + &words(error.message())
}

/// What one of serde's messages says, without the value that it quotes.
pub fn words(message: &str) -> String {
    // What was expected comes last, and is ours; whatever is quoted before it is not.
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let choices: Vec<&str> = expected.map(quoted).unwrap_or_default();
        let end = rest.rfind("`, expected ").or_else(|| rest.rfind("`, there are no fields"));
        let name = &rest[..end.unwrap_or(0)];
        return unknown(name, &choices);
    }
    if message.starts_with("unknown variant `") {
        return format!("this must be {}", expected.map(readable).unwrap_or_default());
    }
    if message.starts_with("invalid type: ") || message.starts_with("invalid value: ") {
        return format!("this must be {}", expected.map(readable).unwrap_or_default());
    }
    if message.starts_with("invalid length ") {
        return "this has the wrong number of entries".to_owned();
    }
    if let Some(name) = message.strip_prefix("missing field ").map(|name| name.trim_matches('`')) {
        return format!("`{name}` is missing: add it");
    }
    // Messages of others may quote the value after their own words.
    let own = message.split(['"', '`']).next().unwrap_or_default();
    match own.trim().trim_end_matches([':', ',']).trim_end() {
        "invalid socket address syntax" => {
            "this must be an address and a port, such as 127.0.0.1:8080 or 0.0.0.0:8080; a name is not taken"
                .to_owned()
        }
        "" => "this cannot be used: compare it with docket.example.toml".to_owned(),
        own => own.replace('\n', " "),
    }
}

/// Whether `name` may be repeated: it looks as our names do, and no key or secret that was ever seen does.
pub fn is_name(name: &str) -> bool {
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    !name.is_empty() && name.len() <= LONGEST_NAME && name.split('.').all(plain)
}

fn unknown(name: &str, choices: &[&str]) -> String {
    let shown = if is_name(name) { format!("unknown key `{name}`") } else { "unknown key".to_owned() };
    let likeness = |choice: &&str| strsim::normalized_damerau_levenshtein(name, choice);
    let nearest = choices.iter().copied().max_by(|one, two| likeness(one).total_cmp(&likeness(two)));
    if let Some(nearest) = nearest.filter(|nearest| likeness(nearest) >= ALIKE) {
        return format!("{shown}: did you mean `{nearest}`?");
    }
    if ["key", "secret", "token", "password"].iter().any(|word| name.to_ascii_lowercase().contains(word)) {
        return format!(
            "{shown}: secrets come from the environment, such as FASTIO_API_KEY or FASTIO_API_KEY_FILE"
        );
    }
    match choices {
        [] => format!("{shown}: remove it"),
        _ => format!("{shown}: remove it, or write one of {}", choices.join(", ")),
    }
}

/// The names between backticks.
fn quoted(list: &str) -> Vec<&str> {
    list.split('`').skip(1).step_by(2).collect()
}

/// A type as a person would say it.
fn readable(expected: &str) -> String {
    let number = |most: u64| format!("a whole number from 0 to {most}");
    match expected {
        "u8" => number(u8::MAX.into()),
        "u16" => number(u16::MAX.into()),
        "u32" => number(u32::MAX.into()),
        "a string" => "text in quotes".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list in brackets".to_owned(),
        "a map" => "a table".to_owned(),
        expected if expected.starts_with("struct ") => "a table".to_owned(),
        expected if expected.starts_with("one of ") => quoted(expected).join(", "),
        expected if expected.starts_with('`') => quoted(expected).join(" or "),
        expected => expected.to_owned(),
    }
}

/// The name of what stands at `place`.
fn path(table: &DeTable<'_>, place: usize) -> Option<String> {
    let mut best: Option<String> = None;
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        if !is_name(name) {
            continue;
        }
        if key.span().contains(&place) {
            return Some(name.to_owned());
        }
        if let Some(inner) = within(value, place) {
            best = Some(if inner.is_empty() { name.to_owned() } else { format!("{name}.{inner}") });
        }
    }
    best
}

/// The name under `value` of what stands at `place`; empty for the value itself.
fn within(value: &Spanned<DeValue<'_>>, place: usize) -> Option<String> {
    let inner = match value.get_ref() {
        DeValue::Table(table) => path(table, place),
        DeValue::Array(array) => array.iter().find_map(|entry| within(entry, place)),
        _ => None,
    };
    // A table's span may be no more than its heading.
    inner.or_else(|| value.span().contains(&place).then(String::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_without_the_value() {
        for (message, told) in [
            ("invalid type: string \"sk-1\", expected u16", "this must be a whole number from 0 to 65535"),
            ("invalid type: string \"x, expected y\", expected a boolean", "this must be true or false"),
            ("unknown variant `sk-1`, expected one of `auto`, `text`", "this must be auto, text"),
            ("unknown variant `sk-1`, expected `text` or `json`", "this must be text or json"),
            ("relative URL without a base: \"sk-1\"", "relative URL without a base"),
            (
                "unknown field `worker`, expected `workers` or `lease_seconds`",
                "unknown key `worker`: did you mean `workers`?",
            ),
            ("unknown field `a`, expected `workers`", "unknown key `a`: remove it, or write one of workers"),
            ("unknown field `Sk-1`, expected `workers`", "unknown key: remove it, or write one of workers"),
            ("unknown field `x`, there are no fields", "unknown key `x`: remove it"),
            ("missing field `name`", "`name` is missing: add it"),
            (
                "invalid socket address syntax",
                "this must be an address and a port, such as 127.0.0.1:8080 or 0.0.0.0:8080; a name is not taken",
            ),
        ] {
            assert_eq!(words(message), told);
        }
        assert!(
            words("unknown field `api_key`, expected `base_url`")
                .contains("secrets come from the environment")
        );
    }
}
