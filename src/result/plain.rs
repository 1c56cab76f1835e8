//! What a model writes for its own software and not for a reader: marks of citations, and characters that cannot be seen.
//!
//! Services take their marks out before they show an answer, and now and then they do not: `filecite…turn0file0…` between
//! private characters, the same without them, `【4:0†nda.txt】`. No document says them, so no quote is missed for them.

use std::borrow::Cow;

use serde_json::Value;

/// Between these, and parted by the third, a model writes what its software is to make of it.
const BEGIN: char = '\u{e200}';
const END: char = '\u{e201}';
const PART: char = '\u{e202}';

/// The longest mark, in bytes.
const MOST_BYTES: usize = 400;

/// What a mark without its private characters begins with.
const CITING: [&str; 2] = ["filecite", "cite"];

/// `text` without what is not for readers.
pub fn plain(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| matches!(c, '\n' | '\t') || !(c.is_control() || is_private(c) || c == '【');
    let shown =
        if text.chars().all(is_plain) { Cow::Borrowed(text) } else { Cow::Owned(without_marks(text)) };
    if CITING.iter().any(|word| shown.contains(word)) {
        Cow::Owned(without_bare_marks(&shown))
    } else {
        shown
    }
}

/// The same for each text of a value. Names of fields are the schema's.
pub fn make_plain(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(plain) = plain(text) {
                *text = plain;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(make_plain),
        Value::Object(fields) => fields.values_mut().for_each(make_plain),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn without_marks(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let after = &rest[character.len_utf8()..];
        let mark = match character {
            BEGIN => inner(after, END).map(|mark| (mark, readable(mark))),
            '【' => inner(after, '】').filter(|mark| is_citation(mark)).map(|mark| (mark, "")),
            _ => None,
        };
        rest = after;
        match (character, mark) {
            (_, Some((mark, shown))) => {
                plain.push_str(shown);
                let closed = &after[mark.len()..];
                rest = &closed[closed.chars().next().map_or(0, char::len_utf8)..];
                if shown.is_empty() {
                    close_up(&mut plain, rest);
                }
            }
            ('\r' | '\u{85}', None) if !after.starts_with('\n') => plain.push('\n'),
            ('\n' | '\t', None) => plain.push(character),
            (hidden, None) if hidden.is_control() || is_private(hidden) => {}
            (other, None) => plain.push(other),
        }
    }
    plain
}

/// What stands before `end`, if that comes soon and on the same line.
fn inner(text: &str, end: char) -> Option<&str> {
    let length = text.find([end, '\n']).filter(|length| *length <= MOST_BYTES)?;
    text[length..].starts_with(end).then(|| &text[..length])
}

/// What a mark shows: the name of a thing or of an address that was marked as one. A citation shows nothing.
fn readable(mark: &str) -> &str {
    match mark.split_once(PART) {
        Some(("entity", what)) => {
            let name = what.split("\",\"").nth(1).unwrap_or_default();
            name.split('"').next().unwrap_or_default()
        }
        Some(("url", what)) => what.split(PART).next().unwrap_or_default(),
        _ => "",
    }
}

/// `4:0†nda.txt`, `turn0file0`.
fn is_citation(mark: &str) -> bool {
    mark.contains('†') || turns(mark) == mark.len()
}

/// How many bytes of `text` are `turn0file0` and the like, one after the other.
fn turns(text: &str) -> usize {
    let skip = |text: &str, is: fn(&u8) -> bool| text.bytes().take_while(is).count();
    let mut length = 0;
    while let Some(rest) = text[length..].strip_prefix("turn") {
        let turn = skip(rest, u8::is_ascii_digit);
        let source = skip(&rest[turn..], u8::is_ascii_lowercase);
        let number = skip(&rest[turn + source..], u8::is_ascii_digit);
        if turn == 0 || source == 0 || number == 0 {
            break;
        }
        length += "turn".len() + turn + source + number;
    }
    length
}

fn without_bare_marks(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = CITING.iter().filter_map(|word| rest.find(word)).min() {
        plain.push_str(&rest[..place]);
        let word = CITING.iter().find(|word| rest[place..].starts_with(**word)).map_or(0, |word| word.len());
        let cited = turns(&rest[place + word..]);
        if cited == 0 {
            plain.push_str(&rest[place..place + word]);
        }
        rest = &rest[place + word + cited..];
        if cited > 0 {
            close_up(&mut plain, rest);
        }
    }
    plain + rest
}

/// Takes the space away that stood before what was taken out.
fn close_up(plain: &mut String, rest: &str) {
    let ends = rest.chars().next().is_none_or(|c| c.is_whitespace() || ".,;:!?)".contains(c));
    if ends && plain.ends_with(' ') {
        plain.pop();
    }
}

fn is_private(character: char) -> bool {
    matches!(character, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn marks_of_citations_go_in_all_their_forms() {
        for marked in [
            "The cap is EUR 50,000 \u{e200}filecite\u{e202}turn0file0\u{e201}.",
            "The cap is EUR 50,000\u{e200}filecite\u{e202}turn0file0\u{e202}turn0file12\u{e201}.",
            "The cap is EUR 50,000 \u{e200}cite\u{e202}turn1search3\u{e201}\u{e200}cite\u{e202}turn0view0\u{e201}.",
            "The cap is EUR 50,000 fileciteturn0file0turn0file2.",
            "The cap is EUR 50,000 citeturn0search1.",
            "The cap is EUR 50,000 \u{e200}filecite\u{e202}turn0file0.",
            "The cap is EUR 50,000 【4:0†nda.txt】.",
            "The cap is EUR 50,000【4†source】【12:3†a (2).pdf】.",
            "The cap is EUR 50,000 【turn0file0】.",
            "The \u{e000}cap\u{f8ff} is\u{100000} EUR 50,000\u{0}\u{1b}\u{7f}\u{9b}.",
            "The cap is EUR 50,000\u{e203}.",
        ] {
            assert_eq!(plain(marked), "The cap is EUR 50,000.", "{marked:?}");
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_stays() {
        for text in [
            "第【1】条 責任",
            "【重要】",
            "to cite turn 0",
            "citeturn",
            "filecite",
            "recite it",
            "turn0file0",
            "a\nb\tc",
            "† dagger",
            "【a\n†】",
            "é ✔",
        ] {
            assert_eq!(plain(text), text);
        }
        assert_eq!(plain("a\r\nb\rc\u{85}d"), "a\nb\nc\nd");
        assert_eq!(
            plain("\u{e200}entity\u{e202}[\"company\",\"ACME Ltd.\",\"a firm\"]\u{e201} pays"),
            "ACME Ltd. pays"
        );
        assert_eq!(
            plain("see \u{e200}url\u{e202}our page\u{e202}https://example.com\u{e201}"),
            "see our page"
        );
    }

    #[test]
    fn each_text_of_a_value_is_made_plain() {
        let mut value = json!({"a": ["x【1:2†f】", {"b": "y\u{7}"}], "n": 1, "z": null});
        make_plain(&mut value);
        assert_eq!(value, json!({"a": ["x", {"b": "y"}], "n": 1, "z": null}));
    }
}
