//! Runs of many files at once, without what is large in them.

use std::collections::HashMap;

use super::super::row::{Outcome, Run, RunId, State};
use super::judgement;
use crate::database::{Connection, Error, from_row, json_list, params, statements};
use crate::fastio::FileKey;
use crate::result::judgement::Said;

/// How one run over a file stands.
#[derive(Debug, Clone)]
pub struct Brief {
    pub id: RunId,
    pub source_id: String,
    pub content_hash: String,
    pub definition: String,
    pub state: State,
    pub outcome: Option<Outcome>,
    /// Why it waits or ended as it did is on record.
    pub has_reason: bool,
    pub ended_at: Option<i64>,
    /// What a person said of it, and when.
    pub judged: Option<(Said, i64)>,
}

from_row!(row => Brief {
    id: RunId(row.get("run_id")?),
    source_id,
    content_hash,
    definition,
    state: super::state(row)?,
    outcome: super::outcome(row)?,
    has_reason,
    ended_at,
    judged: judgement::said(row)?,
});

/// The runs of `rule` over each of these files, by the file's id, oldest first.
pub fn briefs<'k>(
    connection: &mut Connection,
    rule: &str,
    keys: impl Iterator<Item = &'k FileKey>,
) -> Result<HashMap<String, Vec<Brief>>, Error> {
    let keys: Vec<String> = keys.map(FileKey::to_string).collect();
    let mut found: HashMap<String, Vec<Brief>> = HashMap::new();
    for brief in connection.all::<Brief>(BRIEFS, params![rule, json_list(&keys)])? {
        found.entry(brief.source_id.clone()).or_default().push(brief);
    }
    Ok(found)
}

/// These runs, whole.
pub fn those(connection: &mut Connection, ids: &[RunId]) -> Result<Vec<Run>, Error> {
    connection.all(THOSE, params![json_list(ids)])
}

statements! {
    BRIEFS = "
        SELECT run_id, source_id, content_hash, definition, state, outcome, reason IS NOT NULL AS has_reason, ended_at,
               verdict, verdict_at
        FROM run WHERE rule = $1 AND source_id IN (SELECT value FROM json_each($2)) ORDER BY run_id";
    THOSE = "SELECT * FROM run WHERE run_id IN (SELECT CAST(value AS BIGINT) FROM json_each($1))";
}
