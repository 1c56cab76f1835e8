//! The statements on `run_action`: what follows from a run's result, and what became of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::row::RunId;
use super::Action;
use crate::database::{Connection, Error, from_row, params, statements};

/// An action that is to be done.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub action: String,
    /// It was begun, and whether it was done is not known.
    pub begun: bool,
}

from_row!(Open { action, begun });

/// An action as people see it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ActionRow {
    /// As the rule listed it: JSON.
    pub action: String,
    /// `wanted`, `done` or `left`.
    pub state: String,
    /// What was done, or why it was left.
    pub reason: Option<String>,
    /// What it made at Fastio.
    pub object: Option<String>,
    /// When it got this state. Unix milliseconds.
    pub at: i64,
}

from_row!(ActionRow { action, state, reason, object, at });

impl ActionRow {
    /// `lock it for 60 minutes, because there is a result: done`.
    pub fn words(&self) -> String {
        let what = serde_json::from_str(&self.action)
            .map_or_else(|_| self.action.clone(), |one: Action| one.words());
        match &self.reason {
            Some(reason) => format!("{what}: {} ({reason})", self.state),
            None => format!("{what}: {}", self.state),
        }
    }
}

/// Has it done, unless it was. What was left is tried again. Whether there is something to do.
pub(super) fn want(
    connection: &mut Connection,
    id: RunId,
    (position, action): (i64, &str),
    now: i64,
) -> Result<bool, Error> {
    Ok(connection.run(WANT, params![id.0, action, position, now])? == 1)
}

/// Those that are to be done, in that order.
pub(super) fn open(connection: &mut Connection, id: RunId) -> Result<Vec<Open>, Error> {
    connection.all(OPEN, params![id.0])
}

/// Writes down that it is about to be asked for.
pub(super) fn begin(connection: &mut Connection, id: RunId, action: &str, now: i64) -> Result<(), Error> {
    connection.run(BEGIN, params![id.0, action, now]).map(drop)
}

/// What became of an action.
#[derive(Debug)]
pub(super) enum End {
    Done { reason: String, object: Option<String> },
    Left { reason: String },
}

/// Writes down what became of it. False where that was known.
pub(super) fn end(
    connection: &mut Connection,
    id: RunId,
    (action, end): (&str, &End),
    now: i64,
) -> Result<bool, Error> {
    let (state, reason, object) = match end {
        End::Done { reason, object } => ("done", reason, object.as_deref()),
        End::Left { reason } => ("left", reason, None),
    };
    Ok(connection.run(END, params![id.0, action, state, reason, object, now])? == 1)
}

/// All of a run, in the order in which they are done.
pub fn all(connection: &mut Connection, id: RunId) -> Result<Vec<ActionRow>, Error> {
    connection.all(ALL, params![id.0])
}

statements! {
    WANT = "
        INSERT INTO run_action (run_id, action, position, state, at) VALUES ($1, $2, $3, 'wanted', $4)
        ON CONFLICT (run_id, action) DO UPDATE SET state = 'wanted', begun = 0, reason = NULL, at = excluded.at
        WHERE run_action.state = 'left'";
    OPEN = "SELECT action, begun FROM run_action WHERE run_id = $1 AND state = 'wanted' ORDER BY position";
    BEGIN = "UPDATE run_action SET begun = 1, at = $3 WHERE run_id = $1 AND action = $2";
    END = "
        UPDATE run_action SET state = $3, reason = $4, object = $5, at = $6
        WHERE run_id = $1 AND action = $2 AND state = 'wanted'";
    ALL = "SELECT action, state, reason, object, at FROM run_action WHERE run_id = $1 ORDER BY position";
}
