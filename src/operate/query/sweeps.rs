//! What the last sweeps found, and what limits keep things waiting.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{Known, Question, Wrong, most};
use crate::database::{Connection, Error};
use crate::feed;
use crate::queue::store::PauseRow;
use crate::run::pace::store::PaceRow;
use crate::run::store::HeldRow;

/// Reasons that are told for what is held.
const REASONS: u32 = 50;

#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Sweeps {
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SweepView {
    pub sweep: String,
    pub started_at: i64,
    pub ended_at: i64,
    /// `done`, `incomplete` or `stopped`, which is for a person.
    pub outcome: String,
    pub dry_run: bool,
    #[schema(value_type = Object)]
    pub report: Value,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SweepsPage {
    pub rows: Vec<SweepView>,
}

impl Question for Sweeps {
    type Answer = SweepsPage;

    fn path(&self) -> String {
        "/sweeps".to_owned()
    }

    fn answer(&self, connection: &mut Connection, _: &Known) -> Result<Result<SweepsPage, Wrong>, Error> {
        let rows = feed::store::sweeps(connection, most(self.limit))?;
        let view = |row: feed::store::SweepRow| {
            let report: Value = serde_json::from_str(&row.report).unwrap_or_default();
            SweepView {
                sweep: row.sweep,
                started_at: row.started_at,
                ended_at: row.ended_at,
                outcome: row.outcome,
                dry_run: report["dry_run"].as_bool().unwrap_or_default(),
                report,
            }
        };
        Ok(Ok(SweepsPage { rows: rows.into_iter().map(view).collect() }))
    }
}

/// What keeps work waiting.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Limits {}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LimitsView {
    /// What refuses everything, or does not answer.
    pub pauses: Vec<PauseRow>,
    /// Models whose runs begin a few at a time.
    pub paced: Vec<PaceRow>,
    /// What jobs say that wait for a limit of OpenAI's.
    pub limited: Vec<String>,
    /// Runs that a limit of their rule keeps from beginning.
    pub held: Vec<HeldRow>,
}

impl Question for Limits {
    type Answer = LimitsView;

    fn path(&self) -> String {
        "/limits".to_owned()
    }

    fn answer(&self, connection: &mut Connection, _: &Known) -> Result<Result<LimitsView, Wrong>, Error> {
        Ok(Ok(LimitsView {
            pauses: crate::queue::store::pauses(connection)?,
            paced: crate::run::pace::store::list(connection)?,
            limited: crate::queue::store::limited(connection)?,
            held: crate::run::store::held(connection, REASONS)?,
        }))
    }
}
