//! The characters of text that others wrote, so that a reader sees what is there: what is invisible or turns a line
//! round is shown, and no sign that looks like a mark of ours is left.

use std::borrow::Cow;

use crate::hidden::is_hidden;

/// Our own mark of a proven quote, and what a reader would take for it.
const TICKS: &str = "✔✓✅☑🗸🗹⍻🮱𐄂ꪜ";
const NO_TICK: &str = "(tick)";

/// Our own mark of what is not proven.
const WARNING: char = '⚠';
const NO_WARNING: &str = "(warning)";

/// The word that stands behind a quote that is not proven. Written like this it is ours alone.
const UNVERIFIED: &str = "UNVERIFIED";
const NOT_OURS: &str = "unverified";

/// `text` with every character visible: `‹U+202E›` stands for one that is not. Line ends and tabs are the caller's.
pub fn shown(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii() && (!c.is_ascii_control() || matches!(c, '\n' | '\t'));
    let text = if text.chars().all(plain) { Cow::Borrowed(text) } else { Cow::Owned(each_shown(text)) };
    if text.contains(UNVERIFIED) { Cow::Owned(text.replace(UNVERIFIED, NOT_OURS)) } else { text }
}

fn each_shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let (mut before, mut characters) = (None, text.chars().peekable());
    while let Some(character) = characters.next() {
        match character {
            '\n' | '\t' => shown.push(character),
            tick if TICKS.contains(tick) => shown.push_str(NO_TICK),
            WARNING => shown.push_str(NO_WARNING),
            hidden if is_unseen(hidden) && !has_a_place(before, hidden, characters.peek().copied()) => {
                shown.push_str(&format!("‹U+{:04X}›", u32::from(hidden)));
            }
            other => shown.push(other),
        }
        before = Some(character);
    }
    shown
}

/// In a file a selector cannot be told from a mark with which text is hidden, nor an empty Braille cell from a space.
fn is_unseen(character: char) -> bool {
    is_hidden(character) || matches!(character, '\u{2800}' | '\u{fe00}'..='\u{fe0f}')
}

/// What a hidden character is for, where it is ordinary writing: joining letters of Arabic and Indic scripts or not, and
/// colouring a symbol.
fn has_a_place(before: Option<char>, hidden: char, after: Option<char>) -> bool {
    let joins = |c: Option<char>| matches!(c, Some('\u{600}'..='\u{dff}'));
    match hidden {
        '\u{200c}' | '\u{200d}' => joins(before) && joins(after),
        // Behind a sign that was put into words there is nothing to colour, and it is left out with that sign's colour.
        '\u{fe0e}' | '\u{fe0f}' => {
            before.is_some_and(|c| !c.is_ascii() && !c.is_alphanumeric() && !is_unseen(c))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(
            shown("a\u{202e}b\u{200b}c\u{feff}\u{7}\u{9b}"),
            "a‹U+202E›b‹U+200B›c‹U+FEFF›‹U+0007›‹U+009B›"
        );
        assert_eq!(shown("a\nb\tc"), "a\nb\tc");
        assert_eq!(shown("م\u{200c}خ a\u{200c}b ☀\u{fe0f}"), "م\u{200c}خ a‹U+200C›b ☀\u{fe0f}");
    }

    #[test]
    fn text_of_others_has_no_mark_of_ours() {
        assert_eq!(shown("✔ ✓ ✅ ☑ ⚠ UNVERIFIED"), "(tick) (tick) (tick) (tick) (warning) unverified");
        assert_eq!(shown("UNVER\u{ad}IFIED"), "UNVER‹U+00AD›IFIED");
    }
}
