//! Settings that cannot work, numbers above all: a server with `queue.workers = 0` would say that it is ready and do nothing.
//! What reads the settings takes them; a server and what changes something refuse them, and `docket check` tells all.

use std::ops::RangeInclusive;

use super::{Config, ConfigError};
use crate::http::Base;
use crate::receive::signature::NoSecret;

/// One number, and what it may be.
struct Range {
    name: &'static str,
    value: u64,
    range: RangeInclusive<u64>,
    why: &'static str,
}

const DAY: u64 = 24 * 60 * 60;
const YEAR_MINUTES: u64 = 366 * 24 * 60;

impl Config {
    /// The settings that cannot work, each with its range and the reason.
    pub fn unusable(&self) -> Vec<String> {
        let (queue, sweep) = (&self.queue, &self.sweep);
        let range = |name, value: u32, range, why| Range { name, value: value.into(), range, why };
        let ranges = [
            range(
                "queue.workers",
                queue.workers.into(),
                1..=256,
                "none does no work, and each holds pieces of a file",
            ),
            range(
                "queue.lease_seconds",
                queue.lease_seconds.into(),
                2..=3600,
                "it is renewed three times in its length",
            ),
            range("queue.max_attempts", queue.max_attempts.into(), 1..=1_000, "the first attempt counts"),
            range(
                "queue.stop_seconds",
                queue.stop_seconds.into(),
                0..=3600,
                "a stop of the server waits for it",
            ),
            range(
                "sync.index_deadline_seconds",
                self.sync.index_deadline_seconds,
                5..=DAY,
                "OpenAI takes seconds to index a file, and a file that is late is given up",
            ),
            range(
                "sync.attach_limit_seconds",
                self.sync.attach_limit_seconds,
                1..=3600,
                "a worker waits for it, and a server that is late is not asked again at once",
            ),
            range(
                "sync.attach_together_from",
                self.sync.attach_together_from.into(),
                0..=10_000,
                "0 is never",
            ),
            range(
                "sync.split_text_above_bytes",
                self.sync.split_text_above_bytes,
                0..=512_000_000,
                "0 is never, and a vector store takes 512 MB in one file",
            ),
            range(
                "storage.limit_megabytes",
                self.storage.limit_megabytes,
                1..=4_000_000_000,
                "what holds nothing needs no Docket",
            ),
            range(
                "storage.margin_percent",
                self.storage.margin_percent.into(),
                0..=90,
                "it is what stays free of it",
            ),
            range(
                "sync.store_files",
                self.sync.store_files,
                0..=1_000_000_000,
                "0 is as OpenAI documents it",
            ),
            range("sync.promised_minutes", self.sync.promised_minutes, 0..=YEAR_MINUTES, "0 is no promise"),
            range(
                "limits.uploads_per_minute",
                self.limits.uploads_per_minute,
                1..=1_000_000,
                "none uploads nothing",
            ),
            range(
                "limits.attaches_per_minute",
                self.limits.attaches_per_minute,
                1..=1_000_000,
                "none attaches nothing",
            ),
            range(
                "limits.attached_files_per_minute",
                self.limits.attached_files_per_minute,
                1..=1_000_000,
                "none attaches nothing",
            ),
            range(
                "limits.transfer_megabytes",
                self.limits.transfer_megabytes,
                1..=1_000_000,
                "a file that is larger goes alone",
            ),
            range(
                "feed.poll_seconds",
                self.feed.poll_seconds,
                1..=DAY,
                "Fastio limits how often it may be asked",
            ),
            range(
                "feed.overlap_seconds",
                self.feed.overlap_seconds,
                1..=DAY,
                "Fastio may commit a change later than it happened",
            ),
            range("sweep.every_minutes", sweep.every_minutes, 0..=YEAR_MINUTES, "0 is never"),
            range(
                "sweep.alone_minutes",
                sweep.alone_minutes,
                0..=YEAR_MINUTES,
                "0 is as often as every_minutes",
            ),
            range("sweep.limit_percent", sweep.limit_percent.into(), 0..=100, "it is a share"),
            range("sweep.page_tries", sweep.page_tries.into(), 1..=100, "the first try counts"),
            range(
                "sweep.keep_lost_uploads_days",
                sweep.keep_lost_uploads_days.into(),
                1..=3_650,
                "an upload may land a day late",
            ),
            range("retention.gone_days", self.retention.gone_days, 0..=3_650, "0 is for ever"),
            range("retention.old_runs_days", self.retention.old_runs_days, 0..=3_650, "0 is for ever"),
            range(
                "retention.conversation_keep_days",
                self.retention.conversation_keep_days,
                0..=3_650,
                "0 is for as long as its file is remembered",
            ),
            range(
                "retention.erasure_record_days",
                self.retention.erasure_record_days,
                0..=36_500,
                "0 is for ever",
            ),
        ];
        let outside = ranges.into_iter().filter(|range| !range.range.contains(&range.value));
        let budgets = self.rules().map_or_else(|_| Vec::new(), |rules| self.storage.faults(&rules));
        outside.map(|range| range.told()).chain(self.tool_faults()).chain(budgets).collect()
    }

    /// That a server could begin with these settings and secrets.
    ///
    /// # Errors
    /// Everything that is in the way, so that it need not be found out one start after the other.
    pub fn usable(&self) -> Result<(), ConfigError> {
        let mut wrong = self.unusable();
        match self.rules() {
            Ok(rules) => wrong.extend(self.runs(&rules).err().map(|error| error.to_string())),
            Err(error) => wrong.push(error.to_string()),
        }
        for (name, url) in
            [("fastio.base_url", &self.fastio.base_url), ("openai.base_url", &self.openai.base_url)]
        {
            wrong.extend(Base::new(url).err().map(|error| format!("{name}: {error}")));
        }
        let keys = [self.secrets.fastio_api_key().err(), self.openai_login().err()];
        wrong.extend(keys.into_iter().flatten().map(|error| error.to_string()));
        if self.secrets.fastio_webhook.is_empty() {
            wrong.push(NoSecret.to_string());
        }
        wrong.extend(self.endpoints.as_ref().err().map(ToString::to_string));
        wrong.extend(self.webhook_faults().iter().map(ToString::to_string));
        wrong.extend(self.token_fault().map(|fault| fault.to_string()));
        if wrong.is_empty() { Ok(()) } else { Err(ConfigError::Unusable(wrong)) }
    }
}

impl Range {
    fn told(&self) -> String {
        let Range { name, value, range, why } = self;
        format!("{name} = {value}: it must be from {} to {}; {why}", range.start(), range.end())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sources;
    use super::*;

    const RULE: &str = "[[rule]]\nname = 'r'\nworkspace = '1'\nvector_store = 'vs_1'\n";

    fn load(text: &str) -> Config {
        Config::from_text(&format!("{text}\n{RULE}"), None, &Sources::default()).unwrap()
    }

    #[test]
    fn a_number_that_cannot_work_is_told_with_its_range() {
        assert_eq!(load("").unusable(), Vec::<String>::new(), "the defaults work");
        for (text, told) in [
            ("[queue]\nworkers = 0", "queue.workers = 0: it must be from 1 to 256"),
            ("[queue]\nlease_seconds = 0", "queue.lease_seconds = 0"),
            ("[queue]\nmax_attempts = 0", "queue.max_attempts = 0"),
            ("[sync]\nindex_deadline_seconds = 0", "sync.index_deadline_seconds = 0"),
            ("[feed]\npoll_seconds = 0", "feed.poll_seconds = 0"),
            ("[sweep]\npage_tries = 0", "sweep.page_tries = 0"),
            ("[sweep]\nlimit_percent = 101", "sweep.limit_percent = 101: it must be from 0 to 100"),
        ] {
            let wrong = load(text).unusable();
            assert!(wrong.len() == 1 && wrong[0].starts_with(told), "{wrong:?}");
        }
    }

    #[test]
    fn everything_that_is_in_the_way_is_told_at_once() {
        let told = load("[queue]\nworkers = 0").usable().unwrap_err().to_string();
        for word in ["queue.workers", "FASTIO_API_KEY", "OPENAI_API_KEY", "FASTIO_WEBHOOK_SECRET"] {
            assert!(told.contains(word), "{told}");
        }
    }
}
