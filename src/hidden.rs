//! Characters that a reader does not see, or that change what is seen: one list for terminals and for results.

use std::fmt::Write as _;

/// Whether a character steers a terminal, changes the order of what stands beside it, or cannot be seen: control
/// characters (C0, DEL, C1), line separators, and what Unicode calls default-ignorable. Its variation selectors are left:
/// they belong to the character before them, as in emoji.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The text with everything in it that [`is_hidden`] written out.
pub fn reveal(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// JSON whose texts hold nothing that is hidden: `serde_json` escapes C0 and nothing beyond. Outside of
/// texts JSON has no such character but the line breaks of its layout.
pub fn escaped(json: &str) -> String {
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
