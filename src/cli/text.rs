//! Words for people on a terminal: shortened and wrapped texts, colours. Pure, but for asking what the terminal is.

use std::env;
use std::io::{self, IsTerminal};

use terminal_size::{Width, terminal_size_of};
use unicode_width::UnicodeWidthStr;

use super::shown::{Shown, reveal};
use super::table::Mood;

pub use crate::operate::words::{bytes, count, dollars, span, when};

/// The widest that is still easy to read.
const WIDEST: usize = 160;

/// How wide standard output is, when it is a terminal.
pub fn terminal_width() -> Option<usize> {
    terminal_size_of(io::stdout()).map(|(Width(width), _)| usize::from(width).min(WIDEST))
}

/// Whether colours are welcome at all (no-color.org).
pub fn colour_wanted() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Colours, where they are shown and welcome.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    on: bool,
}

impl Paint {
    pub fn stdout() -> Self {
        Paint { on: io::stdout().is_terminal() && colour_wanted() }
    }

    #[cfg(feature = "sandbox")]
    pub fn stderr() -> Self {
        Paint { on: io::stderr().is_terminal() && colour_wanted() }
    }

    #[cfg(test)]
    pub const fn off() -> Self {
        Paint { on: false }
    }

    pub fn bold(self, text: impl Into<Shown>) -> Shown {
        self.wrap("1", text)
    }

    pub fn dim(self, text: impl Into<Shown>) -> Shown {
        self.wrap("2", text)
    }

    pub fn good(self, text: impl Into<Shown>) -> Shown {
        self.wrap("32", text)
    }

    pub fn bad(self, text: impl Into<Shown>) -> Shown {
        self.wrap("31", text)
    }

    #[cfg(feature = "sandbox")]
    pub fn mark(self, text: impl Into<Shown>) -> Shown {
        self.wrap("36", text)
    }

    pub fn mood(self, mood: Mood, text: impl Into<Shown>) -> Shown {
        match mood {
            Mood::Plain => text.into(),
            Mood::Good => self.good(text),
            Mood::Waiting => self.wrap("33", text),
            Mood::Bad => self.bad(text),
            Mood::Faint => self.dim(text),
        }
    }

    fn wrap(self, code: &str, text: impl Into<Shown>) -> Shown {
        let text = text.into();
        if self.on && !text.is_empty() { text.styled(code) } else { text }
    }
}

/// The start of a text.
pub fn head(text: &str, width: usize) -> String {
    let text = reveal(text);
    if text.width() <= width {
        return text;
    }
    format!("{}…", start(&text, width.saturating_sub(1)).trim_end())
}

/// The end of a text, where paths differ.
pub fn tail(text: &str, width: usize) -> String {
    let text = reveal(text);
    if text.width() <= width {
        return text;
    }
    format!("…{}", end(&text, width.saturating_sub(1)))
}

/// Both ends of an id: the start says what it is, the end which one.
pub fn ends(text: &str, width: usize) -> String {
    let text = reveal(text);
    if text.width() <= width {
        return text;
    }
    let left = width.saturating_sub(1).div_ceil(2);
    format!("{}…{}", start(&text, left), end(&text, width.saturating_sub(1) - left))
}

/// As much of the start as fits.
fn start(text: &str, width: usize) -> &str {
    let ends = text.char_indices().map(|(place, character)| place + character.len_utf8());
    let last = ends.take_while(|end| text[..*end].width() <= width).last();
    &text[..last.unwrap_or(0)]
}

/// As much of the end as fits.
fn end(text: &str, width: usize) -> &str {
    let begins = text.char_indices().rev().map(|(place, _)| place);
    let first = begins.take_while(|begin| text[*begin..].width() <= width).last();
    &text[first.unwrap_or(text.len())..]
}

/// Words of others on one line: how they were laid out does not matter.
pub fn prose(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A word that is wider than `width`, in pieces where its script has no spaces between words. One in narrow letters, such as an address,
/// stays whole, so that it can be copied.
fn pieces(word: String, width: usize) -> Vec<String> {
    let is_wide = word.width() > word.chars().count();
    if word.width() <= width || !is_wide {
        return vec![word];
    }
    let (mut pieces, mut rest) = (Vec::new(), word.as_str());
    while !rest.is_empty() {
        let piece = start(rest, width);
        // Not one character fits.
        let piece = if piece.is_empty() { rest } else { piece };
        pieces.push(piece.to_owned());
        rest = &rest[piece.len()..];
    }
    pieces
}

/// Lines of whole words, none wider than `width` unless a word is.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut taken = 0;
    for word in text.split_whitespace().flat_map(|word| pieces(reveal(word), width)) {
        let needed = word.width();
        match lines.last_mut() {
            Some(line) if taken + 1 + needed <= width => {
                line.push(' ');
                line.push_str(&word);
                taken += 1 + needed;
            }
            _ => {
                taken = needed;
                lines.push(word);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_without_spaces_is_wrapped_within_its_columns() {
        let text = "契約書には責任の制限に関する条項があります file-abcdefghijklmnop";
        let lines = wrap(text, 12);
        assert_eq!(lines.concat(), text.replace(' ', ""));
        let (wide, narrow) = lines.split_at(lines.len() - 1);
        assert!(wide.iter().all(|line| line.width() <= 12), "{wide:?}");
        assert_eq!(narrow, ["file-abcdefghijklmnop"], "an id stays whole");
        assert_eq!(wrap("契約", 1), ["契約"]);
    }

    #[test]
    fn a_long_text_is_cut_where_it_matters_least() {
        assert_eq!(head("the quick brown fox", 10), "the quick…");
        assert_eq!(tail("/Contracts/2026/nda.txt", 12), "…026/nda.txt");
        assert_eq!(ends("file-abcdefghijkl", 9), "file…ijkl");
        assert_eq!(head("short", 5), "short");
        // Two columns for each: three of them and the mark do not fit into six.
        assert_eq!([head("契約書です", 6), tail("契約書です", 6)], ["契約…", "…です"]);
    }

    #[test]
    fn words_stay_whole() {
        assert_eq!(wrap("the quick  brown\nfox jumps", 10), ["the quick", "brown fox", "jumps"]);
        assert!(wrap(" ", 10).is_empty());
    }
}
