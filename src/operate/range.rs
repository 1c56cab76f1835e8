//! The time that a list is about, as people and programs write it: back from now (`24h`), or a day or a moment (`2026-11-27`,
//! `2026-11-27T09:30`, `2026-11-27T09:30:00+01:00`). Pure.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Units of times back from now, in milliseconds.
const UNITS: [(char, i64); 5] =
    [('s', 1000), ('m', 60_000), ('h', 3_600_000), ('d', 86_400_000), ('w', 7 * 86_400_000)];

/// In Unix milliseconds: from the first on, and before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub since: i64,
    pub until: i64,
}

impl Bounds {
    /// All there is.
    pub const ALL: Bounds = Bounds { since: i64::MIN, until: i64::MAX };
}

/// What lies between `since` and `until`, each of which may be left out.
///
/// # Errors
/// In words, what is no time.
pub fn bounds((since, until): (Option<&str>, Option<&str>), now: i64) -> Result<Bounds, String> {
    let read = |name: &str, text: Option<&str>, otherwise: i64| match text {
        Some(text) => moment(text, now).ok_or_else(|| {
            format!("`{name}` is no time: write 24h or 7d, back from now, or 2026-11-27, or 2026-11-27T09:30")
        }),
        None => Ok(otherwise),
    };
    let (since, until) = (read("since", since, i64::MIN)?, read("until", until, i64::MAX)?);
    if since >= until {
        return Err("`since` is not before `until`: no time lies between them".to_owned());
    }
    Ok(Bounds { since, until })
}

/// When that is, in Unix milliseconds.
fn moment(text: &str, now: i64) -> Option<i64> {
    let text = text.trim();
    if let Some((number, unit)) = text.char_indices().last().map(|(at, _)| text.split_at(at))
        && let Some((_, length)) = UNITS.iter().find(|(name, _)| unit == name.to_string())
    {
        let number: u32 = number.parse().ok()?;
        return now.checked_sub(i64::from(number).checked_mul(*length)?);
    }
    if let Ok(milliseconds) = text.parse::<i64>() {
        return Some(milliseconds);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_millisecond());
    }
    let at = text.parse::<Date>().map(|day| day.to_datetime(jiff::civil::Time::midnight()));
    let at = if text.contains(['T', ' ']) { text.parse::<DateTime>() } else { at };
    Some(at.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-27 10:00 UTC.
    const NOW: i64 = 1_795_773_600_000;

    #[test]
    fn a_time_is_back_from_now_or_a_day_or_a_moment() {
        for (text, at) in [
            ("24h", NOW - 86_400_000),
            (" 7d ", NOW - 7 * 86_400_000),
            ("90m", NOW - 5_400_000),
            ("2026-11-27", NOW - 10 * 3_600_000),
            ("2026-11-27T10:00", NOW),
            ("2026-11-27 10:00:00", NOW),
            ("2026-11-27T11:00:00+01:00", NOW),
            ("1795773600000", NOW),
        ] {
            assert_eq!(moment(text, NOW), Some(at), "{text}");
        }
        for wrong in ["", "h", "-1h", "yesterday", "2026-13-01", "99999999999999999999d"] {
            assert_eq!(moment(wrong, NOW), None, "{wrong}");
        }
    }

    #[test]
    fn both_ends_may_be_open_and_nothing_lies_between_ends_that_are_turned_round() {
        let range = |since: &'static str, until: &'static str| {
            bounds(
                (Some(since).filter(|text| !text.is_empty()), Some(until).filter(|text| !text.is_empty())),
                NOW,
            )
        };
        assert_eq!(range("", ""), Ok(Bounds::ALL));
        assert_eq!(range("", "1h"), Ok(Bounds { since: i64::MIN, until: NOW - 3_600_000 }));
        assert!(
            range("1h", "2h").is_err() && range("soon", "").unwrap_err().starts_with("`since` is no time")
        );
    }
}
