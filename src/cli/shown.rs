//! Text that is fit to be shown. Names, reasons and answers come from outside, and what a terminal obeys or hides may
//! stand in any of them. Every printer of [`super::output`] takes this type and no other, and only [`super::text::Paint`]
//! adds colours, so no text of others reaches a terminal as they wrote it.

use std::ops::{Add, AddAssign};

use unicode_width::UnicodeWidthStr;

pub use crate::hidden::reveal;

/// One line: what would steer a terminal or deceive its reader is written out, as in `nda\u{202e}fdp.txt`. A line break
/// is too, so a name cannot add a line that looks like ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    text: String,
    /// In columns, without its colours.
    width: usize,
}

impl Shown {
    /// In columns.
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// With spaces behind it, up to `width`.
    pub fn padded(self, width: usize) -> Shown {
        let room = width.saturating_sub(self.width);
        self + " ".repeat(room)
    }

    /// With spaces before it, up to `width`.
    pub fn indented_to(self, width: usize) -> Shown {
        let room = width.saturating_sub(self.width);
        Shown::from(" ".repeat(room)) + self
    }

    pub fn join(parts: impl IntoIterator<Item = Shown>, between: &str) -> Shown {
        let mut parts = parts.into_iter();
        let mut all = parts.next().unwrap_or_default();
        for part in parts {
            all += between;
            all += part;
        }
        all
    }

    /// Without spaces at its end.
    pub fn trimmed(mut self) -> Shown {
        let end = self.text.trim_end_matches(' ').len();
        // Spaces are one column each.
        self.width -= self.text.len() - end;
        self.text.truncate(end);
        self
    }

    /// In a colour or weight of ours. Colours do not nest.
    pub(super) fn styled(self, code: &str) -> Shown {
        Shown { text: format!("\x1b[{code}m{}\x1b[0m", self.text), width: self.width }
    }

    /// What goes to the terminal.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl From<&str> for Shown {
    fn from(text: &str) -> Shown {
        let text = reveal(text);
        Shown { width: text.width(), text }
    }
}

impl From<String> for Shown {
    fn from(text: String) -> Shown {
        Shown::from(text.as_str())
    }
}

impl From<&String> for Shown {
    fn from(text: &String) -> Shown {
        Shown::from(text.as_str())
    }
}

impl<T: Into<Shown>> Add<T> for Shown {
    type Output = Shown;

    fn add(mut self, more: T) -> Shown {
        self += more;
        self
    }
}

impl<T: Into<Shown>> AddAssign<T> for Shown {
    fn add_assign(&mut self, more: T) {
        let more = more.into();
        self.text.push_str(&more.text);
        self.width += more.width;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_steers_a_terminal_or_its_reader_is_written_out() {
        let shown = |text: &str| Shown::from(text).as_str().to_owned();
        assert_eq!(shown("a\x1b[2J\u{9b}31m\u{7f}"), "a\\u{1b}[2J\\u{9b}31m\\u{7f}");
        assert_eq!(shown("nda\u{202e}fdp.\u{2067}x"), "nda\\u{202e}fdp.\\u{2067}x");
        assert_eq!(shown("n\u{200b}da\u{feff}\u{2060}\u{200f}"), "n\\u{200b}da\\u{feff}\\u{2060}\\u{200f}");
        assert_eq!(shown("a\nAll is well\r\t"), "a\\u{a}All is well\\u{d}\\u{9}");
        assert_eq!(shown("Müller & Söhne – שלום 契約 ❤️ 👍🏽"), "Müller & Söhne – שלום 契約 ❤️ 👍🏽");
    }

    #[test]
    fn our_own_colours_are_kept_and_take_no_room() {
        let shown = Shown::from("dead").styled("31") + " since " + Shown::from("\x1b[32mgood");
        assert_eq!(shown.as_str(), "\x1b[31mdead\x1b[0m since \\u{1b}[32mgood");
        assert_eq!(shown.width(), "dead since \\u{1b}[32mgood".len());
        assert_eq!(Shown::from("契約").padded(6).as_str(), "契約  ", "each of the two takes two columns");
        assert_eq!(Shown::from("ab  ").trimmed(), Shown::from("ab"));
    }

    proptest! {
        /// Written with the standard library's own words, not with `is_hidden`.
        #[test]
        fn no_text_of_anybody_holds_a_control_character_when_it_is_shown(text in "\\PC*|[\\x00-\\u{ff}]*|.*") {
            let shown = Shown::from(text);
            prop_assert!(!shown.as_str().chars().any(char::is_control));
            let deceives = shown.as_str().contains(['\u{200b}', '\u{200d}', '\u{202e}', '\u{2066}', '\u{feff}']);
            prop_assert!(!deceives);
        }
    }
}
