//! The statements on `limit_bucket`.

use crate::database::{Connection, Error, params, statements};

/// The state of this limit, which nobody else changes before the transaction ends; empty at first.
pub fn held(tx: &mut Connection, name: &str) -> Result<String, Error> {
    if let Some(state) = tx.first(HELD, params![name])? {
        return Ok(state);
    }
    tx.run(MAKE, params![name])?;
    tx.one(HELD, params![name])
}

/// The state of this limit as it is now; empty at first.
pub fn seen(connection: &mut Connection, name: &str) -> Result<String, Error> {
    Ok(connection.first(SEEN, params![name])?.unwrap_or_default())
}

pub fn put(tx: &mut Connection, name: &str, state: &str) -> Result<(), Error> {
    tx.run(PUT, params![name, state]).map(drop)
}

statements! {
    HELD = "SELECT state FROM limit_bucket WHERE name = $1",
        postgres: "SELECT state FROM limit_bucket WHERE name = $1 FOR UPDATE";
    SEEN = "SELECT state FROM limit_bucket WHERE name = $1";
    MAKE = "INSERT INTO limit_bucket (name, state) VALUES ($1, '') ON CONFLICT DO NOTHING";
    PUT = "UPDATE limit_bucket SET state = $2 WHERE name = $1";
}
