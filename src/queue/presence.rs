//! Which jobs there are, for those who would ask for many and need not ask for one that is there.

use std::collections::HashMap;

use crate::database::{Connection, Error};

/// The states of those of `keys` that have a job: `waiting`, `running` or `dead`.
pub async fn states(connection: &mut Connection, keys: &[&str]) -> Result<HashMap<String, String>, Error> {
    let keys = serde_json::to_string(keys).expect("texts only");
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT key, state FROM job WHERE key IN (SELECT value FROM json_each($1))")
            .bind(keys)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

/// How many dead jobs have a key that begins so.
pub async fn dead(connection: &mut Connection, begins: &str) -> Result<i64, Error> {
    sqlx::query_scalar("SELECT count(*) FROM job WHERE state = 'dead' AND substr(key, 1, length($1)) = $1")
        .bind(begins)
        .fetch_one(connection)
        .await
}

/// How many jobs wait or run behind live traffic: what is left of backfills and sweeps.
pub async fn behind_live(connection: &mut Connection) -> Result<i64, Error> {
    sqlx::query_scalar("SELECT count(*) FROM job WHERE state <> 'dead' AND priority > 0")
        .fetch_one(connection)
        .await
}
