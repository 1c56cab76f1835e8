//! Sweeps that a person asks a server for: now, to see what differs, or past the limit that stopped one. Each is a job, which whichever
//! server carries out, and what it found is kept for that person.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::store::{self, Decision, Outcome};
use super::{Report, Scope};
use crate::database::{Connection, Error as DatabaseError};
use crate::feed::relist::verdict;
use crate::feed::{Error, Feed};
use crate::job::{self, Task};
use crate::queue::{Priority, Verdict, presence};

/// A sweep that a person asked for and that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pending {
    /// The only rule that it is about; none where it is about all, or goes past a limit.
    pub rule: Option<String>,
    pub dry_run: bool,
    /// It goes past the limit that stopped another, as far as a person approved.
    pub is_approved: bool,
    /// Its job's: `waiting`, `running` or, where it failed too often, `dead`.
    pub state: String,
}

/// Asks for a sweep, of one rule or of all. One that waits already is the same.
pub fn ask(
    tx: &mut Connection,
    (rule, dry_run): (Option<String>, bool),
    now: i64,
) -> Result<(), DatabaseError> {
    job::enqueue(tx, &Task::Sweep { rule, dry_run }, Priority::Live, now).map(drop)
}

/// Says what is to become of what a sweep stopped for. Approved, it is swept again, and each rule may lose as many files as it would
/// have lost then. The inner error says why there is nothing to decide.
pub fn decide(
    tx: &mut Connection,
    (sweep, decision): (&str, Decision),
    now: i64,
) -> Result<Result<(), String>, DatabaseError> {
    if !store::decide(tx, sweep, decision)? {
        return Ok(Err(match store::get(tx, sweep)? {
            Some(row) if row.dry_run => "it was a dry run, which removes nothing".to_owned(),
            Some(row) => match row.decided {
                Some(decided) => format!("it was {decided} already"),
                None if row.waits() => "a later sweep has looked at the same".to_owned(),
                None => "it did not stop for a person".to_owned(),
            },
            None => "there is no such sweep any more".to_owned(),
        }));
    }
    if decision == Decision::Approved {
        job::enqueue(tx, &Task::Approved { sweep: sweep.to_owned() }, Priority::Live, now)?;
    }
    Ok(Ok(()))
}

/// Those that were asked for and have not ended.
pub fn pending(connection: &mut Connection) -> Result<Vec<Pending>, DatabaseError> {
    let mut pending = Vec::new();
    for kind in [Task::SWEEP_JOBS, Task::LOOK_JOBS, Task::APPROVED_JOBS] {
        for (key, state) in presence::below(connection, kind)? {
            let rest = key.split_once(':').map(|(_, rest)| rest.to_owned()).filter(|rest| !rest.is_empty());
            let is_approved = kind == Task::APPROVED_JOBS;
            pending.push(Pending {
                rule: rest.filter(|_| !is_approved),
                dry_run: kind == Task::LOOK_JOBS,
                is_approved,
                state,
            });
        }
    }
    Ok(pending)
}

impl Feed {
    /// Sweeps as a person asked. A list that was not complete is told in what is kept of it, and not tried again.
    pub async fn sweep_asked(&self, rule: Option<String>, dry_run: bool) -> Verdict {
        let scope = Scope { rule, dry_run, is_asked: true, ..Scope::default() };
        match self.sweep(scope, &mut |_| {}).await {
            Ok(_) => Verdict::Done,
            Err(error) => verdict(error),
        }
    }

    /// Sweeps past the limit that stopped `sweep`, as far as a person approved.
    pub async fn sweep_approved(&self, sweep: &str) -> Verdict {
        match self.sweep_past(sweep).await {
            Ok(Some(report)) if report.outcome() == Outcome::Incomplete => {
                let gap = report.incomplete.first().map(|gap| gap.error.as_str()).unwrap_or_default();
                Verdict::Retry { after: None, reason: format!("a list is not complete: {gap}") }
            }
            Ok(_) => Verdict::Done,
            Err(error) => verdict(error),
        }
    }

    /// None where nothing is on record of that sweep any more.
    async fn sweep_past(&self, sweep: &str) -> Result<Option<Report>, Error> {
        let sweep = sweep.to_owned();
        let row = self.database.read(move |connection| store::get(connection, &sweep)).await?;
        let Some((row, report)) = row.and_then(|row| row.report().map(|report| (row, report))) else {
            return Ok(None);
        };
        let approved = report.stopped.into_iter().map(|stopped| (stopped.rule, stopped.would_lose));
        let scope =
            Scope { rule: row.rule, approved: approved.collect(), is_asked: true, ..Scope::default() };
        self.sweep(scope, &mut |_| {}).await.map(Some)
    }
}
