//! What the last sweeps found, and what limits keep things waiting.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{Known, Question, Wrong, ask, most, range};
use crate::database::{Connection, Error};
use crate::feed::sweep::store::{self, SweepRow};
use crate::feed::sweep::{Finding, Pending, pending};
use crate::operate::range::Bounds;
use crate::queue::store::PauseRow;
use crate::run::pace::store::PaceRow;
use crate::run::store::HeldRow;

/// Reasons that are told for what is held.
const REASONS: u32 = 50;

#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Sweeps {
    /// Only those that began since then: `24h`, back from now, or `2026-11-27`, or `2026-11-27T09:30` (UTC), or Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Only those that began before then. `started_at` of the last row leads to the rows behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
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
    /// The only rule that it was about; none where it was about all.
    pub rule: Option<String>,
    /// `approved` or `dismissed`, where it stopped and a person has said so.
    pub decided: Option<String>,
    /// Whether it stopped and waits for a person.
    pub waits: bool,
    #[schema(value_type = Object)]
    pub report: Value,
}

impl SweepView {
    fn of(row: SweepRow, waiting: &[SweepRow]) -> SweepView {
        SweepView {
            waits: waiting.iter().any(|one| one.sweep == row.sweep),
            sweep: row.sweep,
            started_at: row.started_at,
            ended_at: row.ended_at,
            outcome: row.outcome,
            dry_run: row.dry_run,
            rule: row.rule,
            decided: row.decided,
            report: serde_json::from_str(&row.report).unwrap_or_default(),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SweepsPage {
    pub rows: Vec<SweepView>,
    /// Those that were asked for and have not ended.
    pub pending: Vec<Pending>,
}

impl Question for Sweeps {
    type Answer = SweepsPage;

    fn path(&self) -> String {
        "/sweeps".to_owned()
    }

    fn answer(&self, connection: &mut Connection, known: &Known) -> Result<Result<SweepsPage, Wrong>, Error> {
        let Bounds { since, until } = ask!(range(self.since.as_ref(), self.until.as_ref(), known.now));
        let rows = store::newest(connection, (since, until), most(self.limit))?;
        let waiting = store::waiting(connection)?;
        let rows = rows.into_iter().map(|row| SweepView::of(row, &waiting)).collect();
        Ok(Ok(SweepsPage { rows, pending: pending(connection)? }))
    }
}

/// One sweep, with the first of what it found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sweep {
    #[serde(skip)]
    pub sweep: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SweepWhole {
    #[serde(flatten)]
    pub sweep: SweepView,
    /// At most 1000. Those of kind `ghost` of a rule that stopped are still there.
    #[schema(value_type = Vec<Object>)]
    pub differences: Vec<Finding>,
}

impl Question for Sweep {
    type Answer = SweepWhole;

    fn path(&self) -> String {
        format!("/sweeps/{}", self.sweep)
    }

    fn answer(&self, connection: &mut Connection, _: &Known) -> Result<Result<SweepWhole, Wrong>, Error> {
        let Some(row) = store::get(connection, &self.sweep)? else {
            return Ok(Err(Wrong::Nothing(format!("there is no sweep {} any more", self.sweep))));
        };
        let waiting = store::waiting(connection)?;
        let differences = store::findings(connection, &self.sweep)?;
        Ok(Ok(SweepWhole { sweep: SweepView::of(row, &waiting), differences }))
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
