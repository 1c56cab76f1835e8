//! Runs as a person sees them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::row::RunId;
use crate::database::{Connection, Error, from_row, params, statements};
use crate::job::Task;
use crate::result::judgement::{Judgement, Said};

/// A run as a person sees it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
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
    /// What it was made in, as long as that is at OpenAI.
    pub conversation: Option<String>,
    pub response: Option<String>,
    pub tries: i64,
    pub lock: String,
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    /// Over all its tries, as the tokens: millionths of a US dollar.
    pub cost: Option<i64>,
    /// What a person says of its answer, who it was, why, and when.
    pub verdict: Option<String>,
    pub verdict_by: Option<String>,
    pub verdict_note: Option<String>,
    pub verdict_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
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
    cost,
    verdict,
    verdict_by,
    verdict_note,
    verdict_at,
    created_at,
    updated_at,
    begun_at,
    answered_at,
    ended_at,
});

/// Where a run stands in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    updated_at: i64,
    run_id: i64,
}

impl RunRow {
    pub fn place(&self) -> Place {
        Place { updated_at: self.updated_at, run_id: self.run_id }
    }

    /// How it stands, in one word.
    pub fn word(&self) -> &str {
        match self.outcome.as_deref() {
            Some(outcome) if self.state == "ended" => self.verdict.as_deref().unwrap_or(outcome),
            _ if self.held_until.is_some() => "held",
            _ => &self.state,
        }
    }

    /// What a person says of its answer.
    pub fn judgement(&self) -> Option<Judgement> {
        let said = Said::parse(self.verdict.as_deref()?)?;
        let (by, note) = (self.verdict_by.clone()?, self.verdict_note.clone()?);
        Some(Judgement { said, by, note, at: self.verdict_at? })
    }

    /// Its job's key; none, should its file's id be unreadable.
    pub fn job(&self) -> Option<String> {
        Some(self.task()?.key())
    }

    /// The work on it; none, should its file's id be unreadable.
    pub fn task(&self) -> Option<Task> {
        Some(Task::run(self.source_id.parse().ok()?, &self.rule))
    }
}

/// Which runs, of those that changed from `since` on and before `until`.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    pub rule: Option<&'a str>,
    /// Only those that stand so, in the words of [`RunRow::word`]: the last one over each file, as long as that is there.
    pub word: Option<&'a str>,
    /// The run behind which it begins.
    pub after: Option<Place>,
    pub since: i64,
    pub until: i64,
    pub most: u32,
}

impl Page<'_> {
    /// The first of all.
    pub fn first(most: u32) -> Self {
        Page { rule: None, word: None, after: None, since: i64::MIN, until: i64::MAX, most }
    }
}

/// Those that changed last first; only those of `rule`, when it is given.
pub fn list(connection: &mut Connection, rule: Option<&str>, limit: u32) -> Result<Vec<RunRow>, Error> {
    page(connection, &Page { rule, ..Page::first(limit) })
}

/// Those that changed last first.
pub fn page(connection: &mut Connection, page: &Page<'_>) -> Result<Vec<RunRow>, Error> {
    let Page { rule, word, after, since, until, most } = page;
    let end = Place { updated_at: *until, run_id: i64::MIN };
    let Place { updated_at, run_id } = after.map_or(end, |after| after.min(end));
    match (word, rule) {
        (Some(word), rule) => {
            connection.all(LIST_OF_WORD, params![updated_at, run_id, since, most, word, rule])
        }
        (None, Some(rule)) => connection.all(LIST_OF_RULE, params![updated_at, run_id, since, most, rule]),
        (None, None) => connection.all(LIST, params![updated_at, run_id, since, most]),
    }
}

/// The newest runs over a file, at most `limit`.
pub fn over(connection: &mut Connection, source_id: &str, limit: u32) -> Result<Vec<RunRow>, Error> {
    connection.all(OVER, params![source_id, limit])
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
            "content_hash, version, response, tries, input_tokens, output_tokens, cost, verdict, ",
            "verdict_by, verdict_note, verdict_at, created_at, updated_at, begun_at, answered_at, ended_at, coalesce((
                 SELECT CASE outside.state WHEN 'exists' THEN 'held' ELSE 'asking' END FROM outside
                 WHERE outside.owner = 'run:' || run_id AND kind = 'lock' AND outside.state <> 'unwanted'), 'none') AS lock,
                 CASE WHEN EXISTS (
                     SELECT 1 FROM run_object WHERE kind IN ('conversation', 'thread') AND object = run.conversation
                 ) THEN conversation END AS conversation
             FROM run ",
            $rest
        )
    };
}

statements! {
    UNFINISHED = select!("INDEXED BY run_unfinished WHERE state <> 'ended' ORDER BY run_id LIMIT $1");
    OVER = select!("WHERE source_id = $1 ORDER BY run_id DESC LIMIT $2");
    ROW = select!("WHERE run_id = $1");
    LIST = select!(
        "WHERE (updated_at, run_id) < ($1, $2) AND updated_at >= $3 ORDER BY updated_at DESC, run_id DESC LIMIT $4"
    );
    LIST_OF_RULE = select!(
        "WHERE rule = $5 AND (updated_at, run_id) < ($1, $2) AND updated_at >= $3
         ORDER BY updated_at DESC, run_id DESC LIMIT $4"
    );
    LIST_OF_WORD = select!(
        "WHERE counted = $5 AND (CAST($6 AS TEXT) IS NULL OR rule = $6) AND (updated_at, run_id) < ($1, $2)
               AND updated_at >= $3
         ORDER BY updated_at DESC, run_id DESC LIMIT $4"
    );
    COUNTS = "SELECT word, sum(runs) FROM run_count GROUP BY word HAVING sum(runs) > 0 ORDER BY word";
    HELD = "
        SELECT rule, reason, runs, (SELECT min(held_until) FROM run INDEXED BY run_held
                                    WHERE run.counted = 'held' AND run.rule = held.rule AND run.reason = held.reason) AS until
        FROM run_count AS held WHERE word = 'held' AND runs > 0 ORDER BY runs DESC, rule, reason LIMIT $1";
}
