//! Words for people: times, sizes, counts and shortened texts. Pure, but for asking what the terminal is.

use std::env;
use std::io::{self, IsTerminal};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use terminal_size::{Width, terminal_size_of};
use unicode_width::UnicodeWidthStr;

use super::shown::{Shown, reveal};
use super::table::Mood;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// From here on a date says more than "41 days ago".
const LONG_AGO: i64 = 14 * DAY;

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

/// `12s ago`, `in 3m`, and a date when it is long past.
pub fn when(at: i64, now: i64) -> String {
    let distance = at - now;
    match distance.abs() {
        ..SECOND => "now".to_owned(),
        LONG_AGO.. => date(at),
        length if distance < 0 => format!("{} ago", span(length)),
        length => format!("in {}", span(length)),
    }
}

/// One unit is enough to see how long it is: `41s`, `7m`, `3h`, `5d`.
pub fn span(ms: i64) -> String {
    match ms.max(0) {
        ms @ ..MINUTE => format!("{}s", ms / SECOND),
        MINUTE..HOUR => format!("{}m", ms / MINUTE),
        HOUR..DAY => format!("{}h", ms / HOUR),
        _ => format!("{}d", ms / DAY),
    }
}

fn date(at: i64) -> String {
    Timestamp::from_millisecond(at)
        .map_or_else(|_| at.to_string(), |at| at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string())
}

/// Bytes as people say them: `812 B`, `3.4 KB`, `512 MB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut size = count as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be shown as 1024.0.
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if size < 9.95 { format!("{size:.1} {}", UNITS[unit]) } else { format!("{size:.0} {}", UNITS[unit]) }
}

/// `1 job`, `2 jobs`.
pub fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {}", plural(one)) }
}

/// A sum of money that is kept in millionths of a US dollar.
pub fn dollars(millionths: u64) -> String {
    let dollars = millionths as f64 / 1_000_000.0;
    // Of what costs next to nothing the cents say nothing.
    if dollars < 0.1 { format!("${dollars:.4}") } else { format!("${dollars:.2}") }
}

fn plural(one: &str) -> String {
    match one.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{one}s"),
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

/// Lines of whole words, none wider than `width` unless a word is.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut taken = 0;
    for word in text.split_whitespace().map(reveal) {
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
    fn a_time_is_told_from_now() {
        let now = 1_790_000_000_000;
        let told = |distance| when(now + distance, now);
        assert_eq!([told(0), told(-999), told(-41 * SECOND)], ["now", "now", "41s ago"]);
        assert_eq!([told(-90 * SECOND), told(5 * HOUR), told(-3 * DAY)], ["1m ago", "in 5h", "3d ago"]);
        assert_eq!(told(-100 * DAY), "2026-06-13");
    }

    #[test]
    fn sizes_have_at_most_three_digits() {
        let shown = [0, 1023, 1024, 3500, 10 * 1024, 1024 * 1024 - 1, 512 << 20].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KB", "3.4 KB", "10 KB", "1.0 MB", "512 MB"]);
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

    #[test]
    fn numbers_agree_with_their_words() {
        assert_eq!(
            [count(1, "job"), count(0, "job"), count(2, "delivery")],
            ["1 job", "0 jobs", "2 deliveries"]
        );
    }
}
