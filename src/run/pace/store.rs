//! The statements on `model_pace`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::room::{self, Begun, Wanted};
use super::{Pace, Turn};
use crate::database::{Connection, Error, from_row, params, statements};
use crate::openai::ModelLimits;

/// The pace of a model's runs; none while they begin as they come.
pub(super) fn get(connection: &mut Connection, model: &str) -> Result<Option<Pace>, Error> {
    connection.first(GET, params![model])
}

pub(super) fn put(connection: &mut Connection, model: &str, pace: &Pace, now: i64) -> Result<(), Error> {
    let Pace { reason, struck_at, strikes, until, allowed } = pace;
    connection.run(PUT, params![model, reason, now, struck_at, strikes, until, allowed]).map(drop)
}

pub(super) fn forget(connection: &mut Connection, model: &str) -> Result<(), Error> {
    connection.run(FORGET, params![model]).map(drop)
}

/// How long a run of the model has to wait for its turn, if it has to.
pub(in crate::run) fn turn(
    connection: &mut Connection,
    model: &str,
    now: i64,
) -> Result<Option<Turn>, Error> {
    let Some(pace) = get(connection, model)? else { return Ok(None) };
    let counts = connection.one(COUNTS, params![model])?;
    Ok(pace.turn(counts, now))
}

/// How long a run has to wait until the account's limits leave room for it, if it has to.
pub(in crate::run) fn room(
    connection: &mut Connection,
    wanted: &Wanted<'_>,
    now: i64,
) -> Result<Option<Turn>, Error> {
    let begun: Vec<Begun> = connection.all(BEGUN, params![wanted.model, now - room::MINUTE_MS])?;
    Ok(room::turn(&begun, wanted, now))
}

/// What is left of the model's limits; nothing of those that OpenAI has not told.
pub fn left(connection: &mut Connection, model: &str, now: i64) -> Result<Vec<room::Left>, Error> {
    let Some(told) = told(connection, model)? else { return Ok(Vec::new()) };
    let begun: Vec<Begun> = connection.all(BEGUN, params![model, now - room::MINUTE_MS])?;
    Ok(room::left(&begun, told))
}

/// What OpenAI last said of the model's limits, to whichever server.
pub(in crate::run) fn told(connection: &mut Connection, model: &str) -> Result<Option<ModelLimits>, Error> {
    let told: Option<(Option<i64>, Option<i64>)> = connection.first(TOLD, params![model])?;
    let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    Ok(told.map(|(requests, tokens)| ModelLimits { requests: number(requests), tokens: number(tokens) }))
}

pub(in crate::run) fn tell(
    connection: &mut Connection,
    model: &str,
    limits: ModelLimits,
) -> Result<(), Error> {
    let number = |number: Option<u64>| number.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    connection.run(TELL, params![model, number(limits.requests), number(limits.tokens)]).map(drop)
}

from_row!(row => Begun { begun_at, tokens, goes_on: row.get::<i64>("goes_on")? != 0 });

/// A model whose runs are paced, as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaceRow {
    /// Empty where an assistant has its own.
    pub model: String,
    pub reason: String,
    pub since: i64,
    pub strikes: i64,
    /// Until then none begins.
    pub until: i64,
    /// And from then on so many at once.
    pub allowed: i64,
}

from_row!(PaceRow { model, reason, since, strikes, until, allowed });

/// All that are.
pub fn list(connection: &mut Connection) -> Result<Vec<PaceRow>, Error> {
    connection.all(LIST, params![])
}

from_row!(Pace { reason, struck_at, strikes, until, allowed });

statements! {
    GET = "SELECT reason, struck_at, strikes, until, allowed FROM model_pace WHERE model = $1";
    PUT = "
        INSERT INTO model_pace (model, reason, since, struck_at, strikes, until, allowed) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (model) DO UPDATE SET
            reason = excluded.reason, struck_at = excluded.struck_at, strikes = excluded.strikes, until = excluded.until,
            allowed = excluded.allowed";
    BEGUN = "
        SELECT begun_at, 1 AS goes_on,
               CASE WHEN input_tokens IS NOT NULL THEN input_tokens + coalesce(output_tokens, 0) ELSE expected END AS tokens
        FROM run_try INDEXED BY run_try_going WHERE model = $1 AND ended IS NULL
        UNION ALL
        SELECT begun_at, 0,
               CASE WHEN input_tokens IS NOT NULL THEN input_tokens + coalesce(output_tokens, 0) ELSE expected END
        FROM run_try INDEXED BY run_try_begun WHERE begun_at > $2 AND model = $1 AND ended IS NOT NULL
        ORDER BY begun_at";
    TOLD = "SELECT requests, tokens FROM model_limit WHERE model = $1";
    TELL = "
        INSERT INTO model_limit (model, requests, tokens) VALUES ($1, $2, $3)
        ON CONFLICT (model) DO UPDATE SET requests = excluded.requests, tokens = excluded.tokens";
    LIST = "SELECT model, reason, since, strikes, until, allowed FROM model_pace ORDER BY model";
    FORGET = "DELETE FROM model_pace WHERE model = $1";
    COUNTS = "
        SELECT (SELECT count(*) FROM run_try WHERE model = $1 AND ended IS NULL),
               (SELECT count(*) FROM run WHERE coalesce(model, '') = $1 AND state = 'wanted')";
}
