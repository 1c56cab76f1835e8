//! Whatever a service says about waiting gives a wait within the limit, or none.
#![no_main]

use docket::http::wait::{milliseconds, server_now, until_second};
use docket::http::{MAX_WAIT, retry_after};
use ground::pieces;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [after, after_ms, date, expires] = pieces(data);
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("retry-after", after),
        ("retry-after-ms", after_ms),
        ("date", date),
        ("x-ve-limit-expires", expires),
    ] {
        if let Some(value) = HeaderValue::from_bytes(value).ok().filter(|value| !value.is_empty()) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    let now = server_now(&headers);
    for wait in [
        retry_after(&headers, now),
        until_second(&headers, "x-ve-limit-expires", now),
        milliseconds(&headers, "retry-after-ms"),
    ] {
        assert!(wait.is_none_or(|wait| !wait.is_zero() && wait <= MAX_WAIT), "{wait:?}");
    }
});
