//! What a page makes of a text that came from outside: no markup, and no character that a reader does not see. Templates put
//! every value through this by themselves.

use std::fmt::{self, Write};

use askama::filters::Escaper;

use crate::hidden::is_hidden;

#[derive(Debug, Clone, Copy, Default)]
pub struct Shown;

impl Escaper for Shown {
    fn write_escaped_str<W: Write>(&self, mut dest: W, string: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, character) in string.char_indices() {
            let entity = match character {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&#39;",
                character if is_hidden(character) => "",
                _ => continue,
            };
            dest.write_str(&string[plain..at])?;
            dest.write_str(entity)?;
            if entity.is_empty() {
                write!(dest, "{}", character.escape_unicode())?;
            }
            plain = at + character.len_utf8();
        }
        dest.write_str(&string[plain..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_text_and_what_is_not_seen_is_written_out() {
        let shown = |text: &str| {
            let mut shown = String::new();
            Shown.write_escaped_str(&mut shown, text).unwrap();
            shown
        };
        assert_eq!(shown("<img src=x onerror='a\"&'>"), "&lt;img src=x onerror=&#39;a&quot;&amp;&#39;&gt;");
        assert_eq!(shown("nda\u{202e}fdp.\ttxt\n"), "nda\\u{202e}fdp.\\u{9}txt\\u{a}");
        assert_eq!(shown("Müller 契約 👍🏽"), "Müller 契約 👍🏽");
    }
}
