//! Times as Fastio writes and reads them: whole seconds, UTC.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// `2026-09-25 21:40:11 UTC`
pub fn written(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => String::new(),
    }
}

/// Reads ISO 8601, or `YYYY-MM-DD HH:MM:SS` with or without `UTC`.
pub fn read(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_millisecond());
    }
    let bare = text.strip_suffix("UTC").unwrap_or(text).trim();
    let civil: DateTime = bare.parse().ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::{read, written};

    #[test]
    fn times_read_back_as_they_were_written() {
        let text = "2026-09-25 21:40:11 UTC";
        assert_eq!(written(read(text).unwrap()), text);
        assert_eq!(read("2026-09-25T21:40:11Z"), read(text));
        assert_eq!(read("2026-09-25 21:40:11"), read(text));
        assert_eq!(read("yesterday"), None);
    }
}
