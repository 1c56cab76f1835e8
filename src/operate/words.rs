//! How numbers, times and states are told to people: on a terminal and in a page with the same words. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::run::store::tries::Sum;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// From here on a date says more than "41 days ago".
const LONG_AGO: i64 = 14 * DAY;

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

/// How long something took, as exactly as it matters: `340 ms`, `4.2 s`, and then as [`span`].
pub fn lasted(ms: i64) -> String {
    match ms.max(0) {
        ms @ ..SECOND => format!("{ms} ms"),
        ms @ SECOND..MINUTE => format!("{}.{} s", ms / SECOND, ms % SECOND / 100),
        ms => span(ms),
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

/// The whole time, with its zone: `2026-11-27 09:41:07 UTC`.
pub fn stamp(at: i64) -> String {
    Timestamp::from_millisecond(at).map_or_else(
        |_| at.to_string(),
        |at| at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
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

/// What a cell's colour says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Plain,
    Good,
    Waiting,
    Bad,
    Faint,
}

/// The mood of a state's word, whichever table it is from.
pub fn mood(state: &str) -> Mood {
    match state {
        "indexed" | "completed" | "accepted" | "present" | "current" | "ok" | "yes" => Mood::Good,
        "dead" | "FAIL" | "failed" | "no" | "refused" | "rejected" | "needs_review" | "unread" => Mood::Bad,
        "gone" | "ignored" | "out" | "skipped" | "superseded" | "cancelled" => Mood::Faint,
        "behind" | "wanted" | "starting" | "answered" | "ending" | "held" | "waiting" | "running"
        | "uploading" | "uploaded" | "attached" | "retiring" => Mood::Waiting,
        _ => Mood::Plain,
    }
}

/// What to do about deliveries that are refused for one of these reasons, where that is one thing.
pub fn cure(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "signed_to_another_path" => {
            "signed, but posted to another path than /webhooks/fastio: correct the address at Fastio, or the proxy"
        }
        "another_path" => {
            "posted to a path that is not /webhooks/fastio; if they are Fastio's, correct the address there"
        }
        "signature_mismatch" => {
            "signed with another secret than FASTIO_WEBHOOK_SECRET, or changed on the way: set the one that Fastio shows"
        }
        "timestamp_too_old" | "timestamp_too_new" => {
            "this machine's clock or the sender's is wrong, or receive.late_hours is too few"
        }
        "encoding" => "signed, and compressed in a way that is not read: let the proxy send them as they are",
        _ => return None,
    })
}

/// What a rule's runs took within a day.
pub fn spent_words(spent: &Sum) -> String {
    let responses = count(spent.responses.unsigned_abs(), "response");
    let tokens = spent.input_tokens + spent.output_tokens;
    let cost = match (spent.cost, spent.unpriced) {
        (_, unpriced) if unpriced == spent.responses => String::new(),
        (cost, 0) => format!(", {}", dollars(cost.unsigned_abs())),
        (cost, unpriced) => format!(", {} and {unpriced} without a price", dollars(cost.unsigned_abs())),
    };
    format!("{tokens} tokens in {responses} of {} within 24 hours{cost}", spent.rule)
}

/// How deliveries proved where they come from. The label is `SCHEME secret NUMBER FORM`, as it was counted.
pub fn signed(label: &str) -> String {
    let parts: Vec<&str> = label.split(' ').collect();
    let [scheme, "secret", number, form] = parts[..] else { return label.to_owned() };
    let which = match number {
        "0" => "the first secret".to_owned(),
        "1" => "the second secret".to_owned(),
        other => format!("secret number {}", other.parse::<u32>().map_or(0, |number| number + 1)),
    };
    let form = match form {
        "tail_decoded" => ", decoded from base64 after its prefix",
        "tail_text" => ", as the text after its prefix",
        _ => "",
    };
    format!("{which}{form} (receive.signature_scheme = {scheme})")
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
    fn numbers_agree_with_their_words() {
        assert_eq!(
            [count(1, "job"), count(0, "job"), count(2, "delivery")],
            ["1 job", "0 jobs", "2 deliveries"]
        );
    }
}
