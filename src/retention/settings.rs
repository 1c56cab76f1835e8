//! How long what only grows is kept, and why so long.

use serde::Deserialize;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// `[retention]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long a file that is gone from Fastio is remembered, with the runs over it and their results. It is for people who
    /// ask what became of it, a quarter of a year later at most; Fastio's trash is emptied sooner. 0 for ever.
    pub gone_days: u32,
    /// How long a run is kept whose place a newer one took: long enough to compare with last year's. The newest run of each
    /// rule over a file that is there, the newest result, and one over the file's present content are always kept. 0 for ever.
    pub old_runs_days: u32,
    /// How long it is kept what was tried for a file: the question why something was late is asked within weeks. Of one file the newest
    /// 200 attempts are kept. 0 for as long as the file is remembered.
    pub history_days: u32,
    /// Whether what derives from a file goes when Fastio has purged it: a person who empties the trash wants the file to be nowhere.
    pub erase_purged: bool,
    /// How long a conversation with an answer is kept at OpenAI, with its response. 0 for as long as its file is remembered: it is how
    /// a person goes on asking about a document, and it tells nothing that the file does not tell.
    pub conversation_keep_days: u32,
    /// How long it is on record what was erased. What a person asked for stays on record until it is undone. 0 for ever.
    pub erasure_record_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            gone_days: 90,
            old_runs_days: 400,
            history_days: 30,
            erase_purged: true,
            conversation_keep_days: 0,
            erasure_record_days: 1095,
        }
    }
}

impl Settings {
    pub(super) fn gone_ms(&self) -> Option<i64> {
        days(self.gone_days)
    }

    pub(super) fn old_runs_ms(&self) -> Option<i64> {
        days(self.old_runs_days)
    }

    pub(super) fn history_ms(&self) -> Option<i64> {
        days(self.history_days)
    }

    pub(super) fn conversation_keep_ms(&self) -> Option<i64> {
        days(self.conversation_keep_days)
    }

    pub(super) fn erasure_record_ms(&self) -> Option<i64> {
        days(self.erasure_record_days)
    }
}

fn days(days: u32) -> Option<i64> {
    (days > 0).then(|| i64::from(days) * DAY_MS)
}
