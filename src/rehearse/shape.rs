//! The form of what was answered, without its contents: a report is sent to others, and names, texts and ids are nobody's
//! business.

use serde_json::{Map, Value, json};

/// Members whose words are the service's own and few.
const WORDS: [&str; 13] = [
    "type",
    "status",
    "event",
    "event_type",
    "eventType",
    "kind",
    "object",
    "hash_algo",
    "profile_type",
    "state",
    "code",
    "reason",
    "category",
];

/// Members of one object that are shown.
const MOST: usize = 60;

/// The deepest that is looked.
const DEEPEST: usize = 8;

/// What stands where a value stood: its type, and of a text what it looks like.
pub fn of(value: &Value) -> Value {
    at("", value, 0)
}

fn at(name: &str, value: &Value, depth: usize) -> Value {
    match value {
        _ if depth > DEEPEST => json!("…"),
        Value::Null => Value::Null,
        Value::Bool(_) => json!("true or false"),
        Value::Number(number) if number.is_f64() => json!("number with a fraction"),
        Value::Number(_) if name == "code" => value.clone(),
        Value::Number(_) => json!("number"),
        Value::String(text) if WORDS.contains(&name) && is_word(text) => json!(text),
        Value::String(text) => json!(looks(text)),
        Value::Array(items) => match items.first() {
            None => json!([]),
            Some(first) => json!([at(name, first, depth + 1)]),
        },
        Value::Object(members) => {
            let shown =
                members.iter().take(MOST).map(|(name, value)| (key(name), at(name, value, depth + 1)));
            Value::Object(shown.collect::<Map<String, Value>>())
        }
    }
}

/// A member's name, unless it is an id.
fn key(name: &str) -> String {
    let is_name = name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphabetic() || c == '_' || c == '-');
    if is_name { name.to_owned() } else { format!("<{}>", looks(name)) }
}

fn is_word(text: &str) -> bool {
    let of_word = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '.' | '-');
    (1..=60).contains(&text.len()) && text.chars().all(of_word)
}

/// What a text looks like, such as `32 hex digits`.
pub fn looks(text: &str) -> String {
    let length = text.chars().count();
    let all = |of: fn(char) -> bool| text.chars().all(of);
    match () {
        () if text.is_empty() => "empty".to_owned(),
        () if all(|c| c.is_ascii_digit()) => format!("{length} digits"),
        () if length >= 8 && all(|c| c.is_ascii_hexdigit()) => format!("{length} hex digits"),
        () if is_time(text) => format!("time like {}", text.replace(|c: char| c.is_ascii_digit(), "0")),
        () if all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) => {
            format!("id of {length} characters")
        }
        () => format!("text of {length} characters"),
    }
}

fn is_time(text: &str) -> bool {
    let (date, rest) = text.split_at_checked(10).unwrap_or(("", ""));
    let digits: Vec<bool> = date.chars().map(|c| c.is_ascii_digit()).collect();
    let of_date = [true, true, true, true, false, true, true, false, true, true];
    digits == of_date
        && rest.len() <= 20
        && rest.chars().all(|c| c.is_ascii_digit() || "TZUC:.+- ".contains(c))
}

/// A header's value with what may be secret in it replaced: `t=<10 digits>,v1=<text of 44 characters>`.
pub fn masked(value: &str) -> String {
    let parts = value.split(',').map(|part| match part.trim().split_once('=') {
        Some((name, value)) if name.len() <= 12 && is_plain(name) => format!("{name}=<{}>", looks(value)),
        _ => format!("<{}>", looks(part.trim())),
    });
    parts.collect::<Vec<_>>().join(",")
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// A path with `{id}` for each of its parts that is one.
pub fn path(path: &str) -> String {
    let is_id = |part: &str| {
        part.len() > 24 || part.contains(',') || part.chars().filter(char::is_ascii_digit).count() > 2
    };
    let parts = path.split('/').map(|part| if is_id(part) { "{id}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_content_is_left_in_its_form() {
        let answer = json!({
            "result": true, "node": {"id": "2abcd-efghj", "name": "Secret deal.txt", "size": 5, "type": "file",
                "hash": "d41d8cd98f00b204e9800998ecf8427e", "created": "2026-09-25 21:40:11 UTC", "lock": null},
            "rows": [{"event": "workspace_storage_file_added"}, {"event": "x"}], "4829105738291047362": 1,
        });
        let expected = json!({
            "result": "true or false", "node": {"id": "id of 11 characters", "name": "text of 15 characters",
                "size": "number", "type": "file", "hash": "32 hex digits",
                "created": "time like 0000-00-00 00:00:00 UTC", "lock": null},
            "rows": [{"event": "workspace_storage_file_added"}], "<19 digits>": "number",
        });
        assert_eq!(of(&answer), expected);
    }

    #[test]
    fn a_signature_is_told_by_its_form() {
        assert_eq!(masked("t=1694206100,v1=8RWQedacQ1/x="), "t=<10 digits>,v1=<text of 13 characters>");
        assert_eq!(masked("sha256=f1159079d69c"), "sha256=<12 hex digits>");
        assert_eq!(masked("whsec"), "<id of 5 characters>");
    }

    #[test]
    fn a_path_names_no_id() {
        let shown = path(
            "/current/workspace/4829105738291047362/storage/2abcd-efghj-kmnpq-rstuv-wxyz3-4567/details/",
        );
        assert_eq!(shown, "/current/workspace/{id}/storage/{id}/details/");
        assert_eq!(path("/v1/vector_stores/vs_0a1b2c/files"), "/v1/vector_stores/{id}/files");
    }
}
