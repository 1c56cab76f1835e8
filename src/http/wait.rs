//! How long a service asks us to wait. Pure, but for [`server_now`]'s last resort.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The longest wait we take from a service. OpenAI's guide on errors wants a rate held for 15 minutes after a 503
/// "Slow Down", the longest wait documented anywhere here; after it we ask again and may be told again.
pub const MAX_WAIT: Duration = Duration::from_secs(15 * 60);

/// What `retry-after-ms` (milliseconds, possibly a fraction) or else `retry-after` (seconds, possibly a fraction, or an
/// HTTP date) asks for, at most [`MAX_WAIT`].
///
/// None where neither can be read or the wait is nothing: then our own backoff decides, since "at once" said by a
/// service in trouble would make us hammer it. OpenAI's official libraries read the headers in this order; the
/// millisecond form is documented only by them.
pub fn retry_after(headers: &HeaderMap, now: i64) -> Option<Duration> {
    if let Some(milliseconds) = text(headers, "retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return bounded(milliseconds / 1000.0);
    }
    let text = text(headers, RETRY_AFTER.as_str())?;
    match text.parse::<f64>() {
        Ok(seconds) => bounded(seconds),
        Err(_) => bounded((http_date(text)? - now) as f64 / 1000.0),
    }
}

/// The time until the Unix second named by header `name`, at most [`MAX_WAIT`].
pub fn until_second(headers: &HeaderMap, name: &str, now: i64) -> Option<Duration> {
    let second = text(headers, name)?.parse::<f64>().ok()?;
    bounded(second - now as f64 / 1000.0)
}

/// A duration in milliseconds given by header `name`, at most [`MAX_WAIT`].
pub fn milliseconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    bounded(text(headers, name)?.parse::<f64>().ok()? / 1000.0)
}

/// How long until there is room again under a rate limit, by OpenAI's `x-ratelimit-remaining-*` and `x-ratelimit-reset-*` (its
/// guide on rate limits): the longest of those that are used up. None where none is said to be.
pub fn rate_limit_reset(headers: &HeaderMap) -> Option<Duration> {
    ["requests", "tokens"]
        .into_iter()
        .filter(|unit| {
            let left = text(headers, &format!("x-ratelimit-remaining-{unit}"));
            left.and_then(|left| left.parse::<f64>().ok()).is_some_and(|left| left < 1.0)
        })
        .filter_map(|unit| span(text(headers, &format!("x-ratelimit-reset-{unit}"))?))
        .max()
}

/// How long a sentence asks to wait, as in "Please try again in 18.642s" (issue threads of OpenAI's clients).
pub fn wait_in(sentence: &str) -> Option<Duration> {
    let (_, after) = sentence.split_once("try again in ")?;
    let written: String =
        after.chars().take_while(|c| c.is_ascii_digit() || *c == '.' || c.is_ascii_lowercase()).collect();
    span(written.trim_end_matches('.'))
}

/// A span of time as OpenAI writes it, such as `1s`, `6m0s`, `1h2m3.5s` or `644ms`; a bare number counts seconds.
fn span(written: &str) -> Option<Duration> {
    if let Ok(seconds) = written.parse::<f64>() {
        return bounded(seconds);
    }
    let (mut seconds, mut rest) = (0.0, written);
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(unit_at);
        let number: f64 = number.parse().ok()?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        seconds += number
            * match unit {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return None,
            };
        rest = after;
    }
    bounded(seconds)
}

/// The answering server's own idea of the time (its `Date` header), so that an instant it names is not bent by the
/// difference between its clock and ours. Unix milliseconds.
pub fn server_now(headers: &HeaderMap) -> i64 {
    text(headers, DATE.as_str()).and_then(http_date).unwrap_or_else(|| Timestamp::now().as_millisecond())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// The one form of HTTP date that servers may still send (RFC 9110 §5.6.7). Unix milliseconds.
fn http_date(text: &str) -> Option<i64> {
    DateTimeParser::new().parse_timestamp(text).ok().map(Timestamp::as_millisecond)
}

fn bounded(seconds: f64) -> Option<Duration> {
    // Also false for NaN.
    if seconds > 0.0 { Some(Duration::from_secs_f64(seconds.min(MAX_WAIT.as_secs_f64()))) } else { None }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    /// 1994-11-06 08:49:37 UTC, the example of RFC 9110.
    const NOW: i64 = 784_111_777_000;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn wait(pairs: &[(&'static str, &str)]) -> Option<Duration> {
        retry_after(&headers(pairs), NOW)
    }

    #[test]
    fn every_form_of_retry_after_is_read() {
        assert_eq!(wait(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(wait(&[("retry-after", "0.25")]), Some(Duration::from_millis(250)));
        assert_eq!(wait(&[("retry-after-ms", "1500.5")]), Some(Duration::from_micros(1_500_500)));
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")]), Some(Duration::from_secs(60)));
    }

    #[test]
    fn the_finer_header_wins() {
        assert_eq!(wait(&[("retry-after", "7"), ("retry-after-ms", "10")]), Some(Duration::from_millis(10)));
    }

    #[test]
    fn a_wait_is_capped() {
        assert_eq!(wait(&[("retry-after", "86400")]), Some(MAX_WAIT));
        assert_eq!(wait(&[("retry-after", "1e300")]), Some(MAX_WAIT));
        assert_eq!(wait(&[("retry-after", "inf")]), Some(MAX_WAIT));
    }

    #[test]
    fn nonsense_and_no_wait_leave_it_to_the_backoff() {
        for value in ["", "0", "-3", "soon", "NaN", "Sun, 06 Nov 1994 08:49:00 GMT"] {
            assert_eq!(wait(&[("retry-after", value)]), None, "{value}");
        }
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn a_rate_limit_says_when_there_is_room_again() {
        let reset = |pairs| rate_limit_reset(&headers(pairs));
        let used_up = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "1m2.5s")];
        assert_eq!(reset(&used_up), Some(Duration::from_millis(62_500)));
        assert_eq!(
            reset(&[("x-ratelimit-remaining-tokens", "7"), ("x-ratelimit-reset-tokens", "6m0s")]),
            None
        );
        assert_eq!(
            reset(&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "soon")]),
            None
        );
        assert_eq!(wait_in("Please try again in 644ms. Visit …"), Some(Duration::from_millis(644)));
        assert_eq!(wait_in("try again in 20s."), Some(Duration::from_secs(20)));
        assert_eq!(wait_in("try again in 1h30m"), Some(MAX_WAIT), "capped");
        assert_eq!(wait_in("try again in a while"), None);
    }

    #[test]
    fn an_epoch_second_is_a_wait_measured_on_the_servers_clock() {
        let headers =
            headers(&[("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("x-ve-limit-expires", "784111787")]);
        let now = server_now(&headers);
        assert_eq!(now, NOW);
        assert_eq!(until_second(&headers, "x-ve-limit-expires", now), Some(Duration::from_secs(10)));
        assert_eq!(until_second(&headers, "x-ve-limit-expires", now + 20_000), None);
    }
}
