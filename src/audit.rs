//! What people did through the operator listener, and what rules had done with files, on record: who, when, to what, by which filter, how
//! many and why.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::database::{Connection, Error, from_row, params, statements};

/// Rows that are kept: years of what a few people do.
const KEPT: i64 = 100_000;

/// What was done, to be written down in the transaction that does it.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// `admin token`, `view token`, `this machine`, or `a rule`.
    pub who: &'a str,
    /// As the person says; a rule's is its own.
    pub name: Option<&'a str>,
    pub action: &'a str,
    /// `job:5`, `run:12`, `file:` and its id, `sweep:` and its, `rule:` and its name, `bulk:3`, `import:4`.
    pub about: &'a str,
    /// Of many: which ones were meant.
    pub filter: Option<&'a str>,
    pub number: i64,
    pub why: Option<&'a str>,
}

/// The same as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditRow)]
pub struct Row {
    pub audit_id: i64,
    /// Unix milliseconds.
    pub at: i64,
    pub who: String,
    pub name: Option<String>,
    pub action: String,
    pub about: String,
    pub filter: Option<String>,
    pub number: i64,
    pub why: Option<String>,
}

from_row!(Row { audit_id, at, who, name, action, about, filter, number, why });

/// Writes it down, and forgets what came so long before.
pub fn record(tx: &mut Connection, entry: &Entry<'_>, now: i64) -> Result<(), Error> {
    let Entry { who, name, action, about, filter, number, why } = entry;
    let id: i64 = tx.one(RECORD, params![now, who, name, action, about, filter, number, why])?;
    tx.run(FORGET, params![id - KEPT]).map(drop)
}

/// The newest from `since` on and before `until` first; behind `after`, when it is given.
pub fn page(
    connection: &mut Connection,
    (since, until): (i64, i64),
    after: Option<i64>,
    most: u32,
) -> Result<Vec<Row>, Error> {
    connection.all(PAGE, params![after.unwrap_or(i64::MAX), since, until, most])
}

/// What was done to this one, the newest first.
pub fn about(connection: &mut Connection, about: &str, most: u32) -> Result<Vec<Row>, Error> {
    connection.all(ABOUT, params![about, most])
}

statements! {
    RECORD = "
        INSERT INTO audit (at, who, name, action, about, filter, number, why) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        RETURNING audit_id";
    FORGET = "DELETE FROM audit WHERE audit_id <= $1";
    PAGE = "
        SELECT audit_id, at, who, name, action, about, filter, number, why FROM audit
        WHERE audit_id < $1 AND at >= $2 AND at < $3 ORDER BY audit_id DESC LIMIT $4";
    ABOUT = "
        SELECT audit_id, at, who, name, action, about, filter, number, why FROM audit
        WHERE about = $1 ORDER BY audit_id DESC LIMIT $2";
}
