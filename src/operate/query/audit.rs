//! What people did through the operator listener and rules had done with files, the newest first.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::{Known, Question, Wrong, ask, most, range};
use crate::audit::{self, Row};
use crate::database::{Connection, Error};
use crate::operate::range::Bounds;

#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditLog {
    /// Only what was done since then: `24h`, back from now, or `2026-11-27`, or `2026-11-27T09:30` (UTC), or Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Only what was done before then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The number of the last row of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
    /// How many at most; 500 are, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl Question for AuditLog {
    type Answer = Vec<Row>;

    fn path(&self) -> String {
        "/audit".to_owned()
    }

    fn answer(&self, connection: &mut Connection, known: &Known) -> Result<Result<Vec<Row>, Wrong>, Error> {
        let Bounds { since, until } = ask!(range(self.since.as_ref(), self.until.as_ref(), known.now));
        Ok(Ok(audit::page(connection, (since, until), self.after, most(self.limit))?))
    }
}
