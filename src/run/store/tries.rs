//! The statements on `run_try`: each response that was begun, and what it took.

use super::super::row::RunId;
use super::number;
use crate::database::{Connection, Error, from_row, params, statements};
use serde::{Deserialize, Serialize};

/// A response that is about to be begun.
#[derive(Debug)]
pub struct NewTry {
    /// As configured; empty where an assistant has its own.
    pub model: String,
    /// Tokens, as far as they can be guessed.
    pub expected: u64,
}

/// What a response took, as far as it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Spent {
    /// How it ended, in one word.
    pub ended: &'static str,
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    /// Millionths of a US dollar.
    pub cost: Option<u64>,
}

/// What a rule's responses took within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Took {
    pub begun_at: i64,
    /// Read and written together: as OpenAI says, or as was expected until it does.
    pub tokens: i64,
}

from_row!(Took { begun_at, tokens });

pub(super) fn begin(connection: &mut Connection, id: RunId, new: &NewTry, now: i64) -> Result<(), Error> {
    connection.run(BEGIN, params![id.0, new.model, now, number(new.expected)]).map(drop)
}

/// It was not begun, for certain.
pub(super) fn forget(connection: &mut Connection, id: RunId) -> Result<(), Error> {
    connection.run(FORGET, params![id.0]).map(drop)
}

/// It has ended, and its run has one more to pay for.
pub(super) fn spend(connection: &mut Connection, id: RunId, spent: &Spent) -> Result<(), Error> {
    let Spent { ended, input_tokens, output_tokens, cost } = spent;
    let (input, output, cost) = (input_tokens.map(number), output_tokens.map(number), cost.map(number));
    connection.run(END, params![id.0, ended, input, output, cost])?;
    connection.run(ADD_UP, params![id.0, input, output, cost]).map(drop)
}

/// It is not followed any more, and what it took is not known.
pub(super) fn leave(connection: &mut Connection, id: RunId) -> Result<(), Error> {
    connection.run(END, params![id.0, "left", None::<i64>, None::<i64>, None::<i64>]).map(drop)
}

/// What the rule's responses that were begun since then took, oldest first.
pub fn since(connection: &mut Connection, rule: &str, since: i64) -> Result<Vec<Took>, Error> {
    connection.all(SINCE, params![rule, since])
}

/// What the responses of one rule took within a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    pub rule: String,
    pub responses: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    /// Millionths of a US dollar.
    pub cost: i64,
    /// Responses whose tokens are known and whose cost is not, for want of a price.
    pub unpriced: i64,
}

from_row!(Sum { rule, responses, input_tokens, output_tokens, cost, unpriced });

/// What all responses that were begun within 24 hours took, by rule. By the machine's clock: a command has no other.
pub fn last_day(connection: &mut Connection) -> Result<Vec<Sum>, Error> {
    connection.all(LAST_DAY, params![])
}

/// Responses whose use of tokens is looked at.
const MEAN_OF: u32 = 200;

/// The mean use of tokens by the last responses of a rule: input, output, and over how many.
pub fn mean(connection: &mut Connection, rule: &str) -> Result<(Option<f64>, Option<f64>, i64), Error> {
    connection.one(MEAN, params![rule, MEAN_OF])
}

statements! {
    BEGIN = "
        INSERT INTO run_try (run_id, rule, model, begun_at, expected) SELECT run_id, rule, $2, $3, $4 FROM run WHERE run_id = $1";
    FORGET = "DELETE FROM run_try WHERE run_id = $1 AND ended IS NULL";
    END = "
        UPDATE run_try SET ended = $2, input_tokens = $3, output_tokens = $4, cost = $5 WHERE run_id = $1 AND ended IS NULL";
    ADD_UP = "
        UPDATE run SET input_tokens = CASE WHEN CAST($2 AS BIGINT) IS NULL THEN input_tokens ELSE coalesce(input_tokens, 0) + $2 END,
                       output_tokens = CASE WHEN CAST($3 AS BIGINT) IS NULL THEN output_tokens ELSE coalesce(output_tokens, 0) + $3 END,
                       cost = CASE WHEN CAST($4 AS BIGINT) IS NULL THEN cost ELSE coalesce(cost, 0) + $4 END
        WHERE run_id = $1";
    /// What ended without saying what it took, failed or not, is counted as it was expected: no document says that it is free.
    SINCE = "
        SELECT begun_at,
               CASE WHEN input_tokens IS NOT NULL THEN input_tokens + coalesce(output_tokens, 0)
                    ELSE expected END AS tokens
        FROM run_try WHERE rule = $1 AND begun_at > $2 ORDER BY begun_at";
    LAST_DAY = "
        SELECT rule, count(*) AS responses, coalesce(sum(input_tokens), 0) AS input_tokens,
               coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(cost), 0) AS cost,
               count(*) FILTER (WHERE input_tokens IS NOT NULL AND cost IS NULL) AS unpriced
        FROM run_try INDEXED BY run_try_begun WHERE begun_at > (unixepoch('subsec') - 24 * 60 * 60) * 1000 GROUP BY rule ORDER BY rule", postgres: "
        SELECT rule, count(*) AS responses, coalesce(sum(input_tokens), 0) AS input_tokens,
               coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(cost), 0) AS cost,
               count(*) FILTER (WHERE input_tokens IS NOT NULL AND cost IS NULL) AS unpriced
        FROM run_try WHERE begun_at > ((extract(epoch FROM clock_timestamp()) - 24 * 60 * 60) * 1000)::bigint GROUP BY rule ORDER BY rule";
    /// Of the last ones: what they take changes with the model and the files.
    MEAN = "
        SELECT avg(input_tokens), avg(output_tokens), count(*)
        FROM (SELECT input_tokens, output_tokens FROM run_try
              WHERE rule = $1 AND input_tokens > 0 ORDER BY begun_at DESC LIMIT $2) AS last";
}
