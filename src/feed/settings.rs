//! `[feed]` and `[sweep]`.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// How changes are learnt besides webhooks (`[feed]`).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The Fastio organisation whose change feed is followed. Without it there are webhooks and sweeps.
    #[serde(deserialize_with = "id")]
    pub org_id: Option<String>,
    /// How often the feed is asked when no webhook nudges it. Seconds.
    pub poll_seconds: u32,
    /// How far back each poll begins, because Fastio may commit a change later than it happened. Fastio's API reference
    /// names ten seconds; what is later than this is found by a sweep. Seconds.
    pub overlap_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { org_id: None, poll_seconds: 30, overlap_seconds: 120 }
    }
}

impl Settings {
    pub fn poll(&self) -> Duration {
        // Fastio limits event searches to 120 in ten minutes; the feed needs no more than one a second.
        Duration::from_secs(u64::from(self.poll_seconds.max(1)))
    }

    pub fn overlap_ms(&self) -> i64 {
        i64::from(self.overlap_seconds) * 1000
    }
}

/// The periodic comparison of everything with everything (`[sweep]`).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SweepSettings {
    /// How often a sweep begins; 0 for never. Minutes.
    pub every_minutes: u32,
    /// How often when `org_id` is set and Fastio refuses both change feed and event search. Minutes.
    pub alone_minutes: u32,
    /// A sweep removes no copies of a rule's files when more than this share of them would go. Percent.
    pub limit_percent: u8,
    /// Up to this many may go whatever share that is. Files.
    pub limit_files: u32,
    /// How often a page of a listing is asked for before the listing counts as incomplete.
    pub page_tries: u16,
    /// How long an upload that OpenAI did not answer is remembered, in case it lands late. Days.
    pub keep_lost_uploads_days: u16,
}

impl Default for SweepSettings {
    fn default() -> Self {
        SweepSettings {
            every_minutes: 24 * 60,
            alone_minutes: 60,
            limit_percent: 20,
            limit_files: 10,
            page_tries: 5,
            keep_lost_uploads_days: 30,
        }
    }
}

impl SweepSettings {
    /// Whether so many of a rule's files may not lose their copies before a person has looked.
    pub fn is_too_many(&self, losing: u64, all: u64) -> bool {
        losing > u64::from(self.limit_files) && losing * 100 > all * u64::from(self.limit_percent)
    }

    pub fn keep_lost_ms(&self) -> i64 {
        i64::from(self.keep_lost_uploads_days) * 24 * 60 * 60 * 1000
    }
}

/// An id that is written without quotes is an id all the same.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "write the organisation's id, in quotes")]
    enum Written {
        Text(String),
        Number(u64),
    }
    Ok(Option::<Written>::deserialize(deserializer)?
        .map(|written| match written {
            Written::Text(text) => text,
            Written::Number(number) => number.to_string(),
        })
        .filter(|id| !id.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_may_be_written_with_and_without_quotes() {
        let org = |text: &str| toml::from_str::<Settings>(text).unwrap().org_id;
        assert_eq!(org("org_id = '3141592653589793238'").as_deref(), Some("3141592653589793238"));
        assert_eq!(org("org_id = 3141592653589793238").as_deref(), Some("3141592653589793238"));
        assert_eq!(org("org_id = ''"), None);
        assert_eq!(org("poll_seconds = 5"), None);
    }
}
