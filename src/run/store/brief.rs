//! Runs of many files at once, without what is large in them.

use std::collections::HashMap;

use sqlx::Row;

use super::super::row::{Outcome, Run, RunId, State};
use crate::database::{Connection, Error};
use crate::fastio::FileKey;

/// How one run over a file stands.
#[derive(Debug, Clone)]
pub struct Brief {
    pub id: RunId,
    pub content_hash: String,
    pub definition: String,
    pub state: State,
    pub outcome: Option<Outcome>,
    /// Why it waits or ended as it did is on record.
    pub has_reason: bool,
    pub ended_at: Option<i64>,
}

/// The runs of `rule` over each of these files, by the file's id, oldest first.
pub async fn briefs<'k>(
    connection: &mut Connection,
    rule: &str,
    keys: impl Iterator<Item = &'k FileKey>,
) -> Result<HashMap<String, Vec<Brief>>, Error> {
    let keys: Vec<String> = keys.map(FileKey::to_string).collect();
    let rows = sqlx::query(BRIEFS).bind(rule).bind(json(&keys)).fetch_all(connection).await?;
    let mut found: HashMap<String, Vec<Brief>> = HashMap::new();
    for row in rows {
        let state: String = row.try_get("state")?;
        let outcome: Option<String> = row.try_get("outcome")?;
        let brief = Brief {
            id: RunId(row.try_get("run_id")?),
            content_hash: row.try_get("content_hash")?,
            definition: row.try_get("definition")?,
            state: super::state(&state)?,
            outcome: outcome.as_deref().and_then(Outcome::parse),
            has_reason: row.try_get::<i64, _>("has_reason")? != 0,
            ended_at: row.try_get("ended_at")?,
        };
        found.entry(row.try_get("source_id")?).or_default().push(brief);
    }
    Ok(found)
}

const BRIEFS: &str = "
    SELECT run_id, source_id, content_hash, definition, state, outcome, reason IS NOT NULL AS has_reason, ended_at
    FROM run WHERE rule = $1 AND source_id IN (SELECT value FROM json_each($2)) ORDER BY run_id";

/// These runs, whole.
pub async fn those(connection: &mut Connection, ids: &[RunId]) -> Result<Vec<Run>, Error> {
    let rows = sqlx::query("SELECT * FROM run WHERE run_id IN (SELECT value FROM json_each($1))")
        .bind(json(ids))
        .fetch_all(connection)
        .await?;
    rows.iter().map(super::run).collect()
}

fn json<T: serde::Serialize>(list: &[T]) -> String {
    serde_json::to_string(list).expect("a list of texts or numbers is JSON")
}
