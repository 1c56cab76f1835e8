//! Words for people: times, sizes, counts and shortened texts. Pure, but for asking what the terminal is.

use std::env;
use std::io::{self, IsTerminal};

use jiff::Timestamp;
use jiff::tz::TimeZone;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// From here on a date says more than "41 days ago".
const LONG_AGO: i64 = 14 * DAY;

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
    pub fn off() -> Self {
        Paint { on: false }
    }

    pub fn is_on(self) -> bool {
        self.on
    }

    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    #[cfg(feature = "sandbox")]
    pub fn mark(self, text: &str) -> String {
        self.wrap("36", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
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
fn span(ms: i64) -> String {
    match ms {
        ..MINUTE => format!("{}s", ms / SECOND),
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

fn plural(one: &str) -> String {
    match one.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{one}s"),
    }
}

/// The start of a text, on one line.
pub fn head(text: &str, width: usize) -> String {
    let line = one_line(text);
    if line.chars().count() <= width {
        return line;
    }
    let cut: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// The end of a text, where paths differ.
pub fn tail(text: &str, width: usize) -> String {
    let line = one_line(text);
    let length = line.chars().count();
    if length <= width {
        return line;
    }
    let cut: String = line.chars().skip(length - width.saturating_sub(1)).collect();
    format!("…{cut}")
}

/// Both ends of an id: the start says what it is, the end which one.
pub fn ends(text: &str, width: usize) -> String {
    let line = one_line(text);
    let length = line.chars().count();
    if length <= width {
        return line;
    }
    let left = width.saturating_sub(1).div_ceil(2);
    let right = width.saturating_sub(1) - left;
    let start: String = line.chars().take(left).collect();
    let end: String = line.chars().skip(length - right).collect();
    format!("{start}…{end}")
}

/// Lines of whole words, none longer than `width` unless a word is.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Names come from outside: a line break or an escape in one must not reach the terminal.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' | '\r' => line.push(' '),
            control if control.is_control() => line.push('\u{fffd}'),
            other => line.push(other),
        }
    }
    line
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
    }

    #[test]
    fn words_stay_whole() {
        assert_eq!(wrap("the quick  brown\nfox jumps", 10), ["the quick", "brown fox", "jumps"]);
        assert!(wrap(" ", 10).is_empty());
    }

    #[test]
    fn what_comes_from_outside_cannot_steer_the_terminal() {
        assert_eq!(head("a\x1b[2J\nb", 20), "a\u{fffd}[2J b");
    }

    #[test]
    fn numbers_agree_with_their_words() {
        assert_eq!(
            [count(1, "job"), count(0, "job"), count(2, "delivery")],
            ["1 job", "0 jobs", "2 deliveries"]
        );
    }
}
