//! The settings of the public listener and the inbox, with their defaults and why they are what they are.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::http::HeaderName;
use serde::Deserialize;

use super::body;
use super::signature::{Accept, Policy};
use crate::listen;

/// The strictest delivery time-out that a guide on fast.io states is 3 seconds, after which Fastio sends again.
const ACK_CEILING_MS: u32 = 2_900;

/// How long a request may take to be proven when others want its connection. A sender's small body comes with its head.
const REQUEST_TIME: Duration = Duration::from_millis(100);

/// Connections that may wait for their first request, for each that is served. They take a tenth of its memory, and a
/// client that only holds one costs least while it is left in peace.
const WAITING: usize = 8;

/// hyper refuses to read into less.
const SMALLEST_HEADER_BYTES: u32 = 8_192;

/// `[receive]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the public listener listens.
    pub listen: SocketAddr,
    /// Which signature to accept: `auto`, `fastio_v1_base64` or `x_fastio_sha256_hex`. `docket status` shows which one
    /// matches; pin it then.
    pub signature_scheme: Accept,
    /// How far a delivery's time may be from ours before it counts as late. Five minutes is what Fastio's guides say.
    pub tolerance_seconds: u32,
    /// How far the time of a late delivery may be from ours. Whether Fastio signs a repeated delivery afresh is not
    /// documented, and senders go on for days: OpenAI for 72 hours. A wrong clock or time zone is some hours off.
    pub late_hours: u32,
    /// The header with the time, for the scheme whose signature does not carry it. The guide does not show its name.
    pub timestamp_header: String,
    /// The longest body. An event is a few hundred bytes.
    pub max_body_bytes: u32,
    /// The longest request head; at least 8192.
    pub max_header_bytes: u32,
    /// Connections served at once. When more are wanted, the longest silent ones give way. Eight times as many may wait
    /// for their first request.
    pub max_connections: u32,
    /// How long a request's head may take, counted from the opening of the connection or from the last answer; so also
    /// how long a connection may idle.
    pub header_timeout_seconds: u32,
    /// How long a body may take.
    pub body_timeout_seconds: u32,
    /// How long a delivery may wait for its commit before it is refused; below the sender's own patience of 3 seconds.
    pub ack_timeout_milliseconds: u32,
    /// Deliveries that may wait for the drain. A thousand take about a megabyte of disk.
    pub inbox_max_rows: u32,
    /// How long events are kept. A repeat that comes later than this is looked at again.
    pub event_keep_days: u32,
    /// How long requests in hand may take to finish at a stop.
    pub stop_timeout_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            signature_scheme: Accept::Auto,
            tolerance_seconds: 300,
            late_hours: 72,
            timestamp_header: "X-Fastio-Timestamp".to_owned(),
            max_body_bytes: 1024 * 1024,
            max_header_bytes: 16 * 1024,
            max_connections: 1024,
            header_timeout_seconds: 15,
            body_timeout_seconds: 10,
            ack_timeout_milliseconds: 2_500,
            inbox_max_rows: 500_000,
            event_keep_days: 30,
            stop_timeout_seconds: 5,
        }
    }
}

/// A setting that cannot work.
#[derive(Debug, thiserror::Error)]
#[error("receive.{name} = {value}: {why}")]
pub struct BadSetting {
    name: &'static str,
    value: String,
    why: &'static str,
}

impl Settings {
    /// What to check signatures by, once every setting is known to work.
    pub fn check(&self) -> Result<Policy, BadSetting> {
        let positive = [
            ("max_body_bytes", self.max_body_bytes),
            ("max_connections", self.max_connections),
            ("header_timeout_seconds", self.header_timeout_seconds),
            ("body_timeout_seconds", self.body_timeout_seconds),
            ("ack_timeout_milliseconds", self.ack_timeout_milliseconds),
            ("inbox_max_rows", self.inbox_max_rows),
            ("event_keep_days", self.event_keep_days),
            ("tolerance_seconds", self.tolerance_seconds),
        ];
        if let Some((name, value)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(BadSetting { name, value: value.to_string(), why: "it must be more than 0" });
        }
        if self.ack_timeout_milliseconds > ACK_CEILING_MS {
            let value = self.ack_timeout_milliseconds.to_string();
            let why = "Fastio gives up after 3 seconds, so it must be at most 2900";
            return Err(BadSetting { name: "ack_timeout_milliseconds", value, why });
        }
        // A replay is known by its event, and may come twice the tolerance after it was first taken in.
        if i64::from(self.tolerance_seconds) * 2_000 > self.event_keep_ms() {
            let value = self.tolerance_seconds.to_string();
            let why = "it must be at most half of receive.event_keep_days: what was forgotten cannot be told from a replay";
            return Err(BadSetting { name: "tolerance_seconds", value, why });
        }
        if self.max_header_bytes < SMALLEST_HEADER_BYTES {
            let value = self.max_header_bytes.to_string();
            return Err(BadSetting { name: "max_header_bytes", value, why: "it must be at least 8192" });
        }
        let timestamp_header =
            HeaderName::from_bytes(self.timestamp_header.as_bytes()).map_err(|_| BadSetting {
                name: "timestamp_header",
                // Not shown: it is free text, and may be a secret in the wrong place.
                value: "…".to_owned(),
                why: "it is not a header's name",
            })?;
        let (accept, tolerance_seconds) = (self.signature_scheme, self.tolerance_seconds);
        Ok(Policy { accept, tolerance_seconds, timestamp_header })
    }

    /// How far the time of a late delivery may be from ours. A replay is known by its event, and may come twice as long
    /// after it was first taken in; so at most half as long as events are kept.
    pub(super) fn late_seconds(&self) -> u32 {
        let most = u64::from(self.event_keep_days) * 24 * 60 * 60 / 2;
        u32::try_from(most.min(u64::from(self.late_hours) * 60 * 60)).unwrap_or(u32::MAX)
    }

    pub(super) fn limits(&self) -> listen::Limits {
        let connections = self.max_connections as usize;
        listen::Limits {
            connections,
            waiting: WAITING * connections,
            header_time: Duration::from_secs(self.header_timeout_seconds.into()),
            header_bytes: self.max_header_bytes as usize,
            request_time: REQUEST_TIME,
            stop_time: Duration::from_secs(self.stop_timeout_seconds.into()),
        }
    }

    pub(super) fn body_limits(&self) -> body::Limits {
        let time = Duration::from_secs(self.body_timeout_seconds.into());
        body::Limits { bytes: self.max_body_bytes as usize, time }
    }

    pub(super) fn ack_timeout(&self) -> Duration {
        Duration::from_millis(self.ack_timeout_milliseconds.into())
    }

    /// How old an event is when it may be forgotten, in milliseconds.
    pub fn event_keep_ms(&self) -> i64 {
        i64::from(self.event_keep_days) * 24 * 60 * 60 * 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_left_out_have_their_defaults_and_an_unknown_one_is_an_error() {
        let settings: Settings =
            toml::from_str("signature_scheme = 'fastio_v1_base64'\nlisten = '127.0.0.1:9000'").unwrap();
        assert_eq!(settings.signature_scheme, Accept::FastioV1Base64);
        assert_eq!(settings.tolerance_seconds, 300);
        assert!(settings.check().is_ok());
        assert!(toml::from_str::<Settings>("tolerance = 5").is_err());
        assert_eq!(settings.late_seconds(), 72 * 3600);
        assert_eq!(Settings { event_keep_days: 1, ..settings }.late_seconds(), 12 * 3600);
    }

    #[test]
    fn a_setting_that_cannot_work_is_named() {
        let refused = |settings: Settings| settings.check().unwrap_err().to_string();
        let zero = refused(Settings { inbox_max_rows: 0, ..Settings::default() });
        insta::assert_snapshot!(zero, @"receive.inbox_max_rows = 0: it must be more than 0");
        let slow = refused(Settings { ack_timeout_milliseconds: 5000, ..Settings::default() });
        insta::assert_snapshot!(slow, @"receive.ack_timeout_milliseconds = 5000: Fastio gives up after 3 seconds, so it must be at most 2900");
        let forgets =
            refused(Settings { tolerance_seconds: 43_201, event_keep_days: 1, ..Settings::default() });
        insta::assert_snapshot!(forgets, @"receive.tolerance_seconds = 43201: it must be at most half of receive.event_keep_days: what was forgotten cannot be told from a replay");
        let header = refused(Settings { timestamp_header: "a b".into(), ..Settings::default() });
        insta::assert_snapshot!(header, @"receive.timestamp_header = …: it is not a header's name");
    }
}
