//! Runs as a person sees them.

use serde::Serialize;

use super::super::row::RunId;
use crate::database::{Connection, Error, from_row, params, statements};
use crate::fastio::FileKey;
use crate::job::Task;

/// A run as a person sees it.
#[derive(Debug, Clone, Serialize)]
pub struct RunRow {
    pub run_id: i64,
    pub rule: String,
    pub source_id: String,
    pub path: String,
    pub state: String,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    /// Until when at most a limit of its rule keeps it from beginning.
    pub held_until: Option<i64>,
    pub engine: String,
    pub model: Option<String>,
    pub definition: String,
    pub content_hash: String,
    pub version: Option<String>,
    pub conversation: Option<String>,
    pub response: Option<String>,
    pub tries: i64,
    pub lock: String,
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub created_at: i64,
    pub begun_at: Option<i64>,
    pub answered_at: Option<i64>,
    pub ended_at: Option<i64>,
}

from_row!(RunRow {
    run_id,
    rule,
    source_id,
    path,
    state,
    outcome,
    reason,
    held_until,
    engine,
    model,
    definition,
    content_hash,
    version,
    conversation,
    response,
    tries,
    lock,
    input_tokens,
    output_tokens,
    created_at,
    begun_at,
    answered_at,
    ended_at,
});

impl RunRow {
    /// How it stands, in one word.
    pub fn word(&self) -> &str {
        match self.outcome.as_deref() {
            Some(outcome) if self.state == "ended" => outcome,
            _ if self.held_until.is_some() => "held",
            _ => &self.state,
        }
    }

    /// Its job's key; none, should its file's id be unreadable.
    pub fn job(&self) -> Option<String> {
        Some(self.task()?.key())
    }

    /// The work on it; none, should its file's id be unreadable.
    pub fn task(&self) -> Option<Task> {
        let FileKey { profile, node } = self.source_id.parse().ok()?;
        Some(Task::Run { profile, node, rule: self.rule.clone() })
    }
}

/// The newest runs first; only those of `rule`, when it is given.
pub fn list(connection: &mut Connection, rule: Option<&str>, limit: u32) -> Result<Vec<RunRow>, Error> {
    connection.all(LIST, params![rule, limit])
}

/// Runs that have not ended.
pub fn unfinished(connection: &mut Connection, most: u32) -> Result<Vec<RunRow>, Error> {
    connection.all(UNFINISHED, params![most])
}

/// One run as a person sees it.
pub fn row(connection: &mut Connection, id: RunId) -> Result<Option<RunRow>, Error> {
    connection.first(ROW, params![id.0])
}

/// How many runs stand how, in the words of [`RunRow::word`]: the last one over each file, as long as that is there.
pub fn counts(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    connection.all(COUNTS, params![])
}

/// Runs that one limit keeps waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldRow {
    pub rule: String,
    pub reason: String,
    pub runs: i64,
    /// When there may be room for one of them; none where a person has to act.
    pub until: Option<i64>,
}

from_row!(HeldRow { rule, reason, runs, until });

/// What is held, by rule and reason, the largest first.
pub fn held(connection: &mut Connection, most: u32) -> Result<Vec<HeldRow>, Error> {
    connection.all(HELD, params![most])
}

/// What is read of a run: all but its result, which may be large.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT run_id, rule, source_id, path, state, outcome, reason, held_until, engine, model, definition, ",
            "content_hash, version, conversation, response, tries, input_tokens, output_tokens, created_at, ",
            "begun_at, answered_at, ended_at, coalesce((
                 SELECT CASE outside.state WHEN 'exists' THEN 'held' ELSE 'asking' END FROM outside
                 WHERE outside.owner = 'run:' || run_id AND kind = 'lock' AND outside.state <> 'unwanted'), 'none') AS lock
             FROM run ",
            $rest
        )
    };
}

statements! {
    UNFINISHED = select!("WHERE state <> 'ended' ORDER BY run_id LIMIT $1");
    ROW = select!("WHERE run_id = $1");
    LIST = select!("WHERE $1 IS NULL OR rule = $1 ORDER BY updated_at DESC, run_id DESC LIMIT $2");
    COUNTS = "
        SELECT CASE WHEN state = 'ended' THEN outcome WHEN held_until IS NOT NULL THEN 'held' ELSE state END AS word, count(*)
        FROM run
        WHERE state <> 'ended'
           OR (outcome IN ('completed', 'superseded', 'cancelled') OR NOT EXISTS (
                   SELECT 1 FROM file WHERE file.source_id = run.source_id AND file.state = 'gone'))
              AND NOT EXISTS (SELECT 1 FROM run AS newer
                              WHERE newer.source_id = run.source_id AND newer.rule = run.rule AND newer.run_id > run.run_id)
        GROUP BY word ORDER BY word";
    HELD = "
        SELECT rule, coalesce(reason, '') AS reason, count(*) AS runs, min(held_until) AS until
        FROM run
        WHERE (state <> 'ended' AND held_until IS NOT NULL)
           OR (state = 'ended' AND outcome = 'held'
               AND NOT EXISTS (SELECT 1 FROM run AS newer
                               WHERE newer.source_id = run.source_id AND newer.rule = run.rule AND newer.run_id > run.run_id)
               AND NOT EXISTS (SELECT 1 FROM file WHERE file.source_id = run.source_id AND file.state = 'gone'))
        GROUP BY rule, reason ORDER BY runs DESC, rule, reason LIMIT $1";
}
