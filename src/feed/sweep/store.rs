//! The statements on `sweep`: what sweeps found, and what a person says of one that stopped.

use serde::{Deserialize, Serialize};

use super::{Finding, Report, Scope};
use crate::database::{Connection, Error, from_row, params, statements};

/// Sweeps that are kept for a person to look back at.
const SWEEPS_KEPT: i64 = 100;

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// A list could not be read to its end.
    Incomplete,
    /// More would go than the limit allows.
    Stopped,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Incomplete => "incomplete",
            Outcome::Stopped => "stopped",
        }
    }
}

/// What a person says of a sweep that stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// What it would have removed may go, and no more.
    Approved,
    /// It stays, until a later sweep asks again.
    Dismissed,
}

impl Decision {
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::Approved => "approved",
            Decision::Dismissed => "dismissed",
        }
    }
}

/// A sweep as a person looks back at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepRow {
    pub sweep: String,
    pub started_at: i64,
    pub ended_at: i64,
    pub dry_run: bool,
    pub outcome: String,
    /// The only rule that it was about; none where it was about all.
    pub rule: Option<String>,
    /// `approved` or `dismissed`, where it stopped and a person has said so.
    pub decided: Option<String>,
    /// A [`Report`], JSON.
    pub report: String,
}

from_row!(SweepRow { sweep, started_at, ended_at, dry_run, outcome, rule, decided, report });

impl SweepRow {
    /// Whether it stopped, and nobody has said what is to become of that.
    pub fn waits(&self) -> bool {
        self.outcome == Outcome::Stopped.as_str() && !self.dry_run && self.decided.is_none()
    }

    /// None where another version wrote it in words that this one does not know.
    pub fn report(&self) -> Option<Report> {
        serde_json::from_str(&self.report).ok()
    }
}

pub fn record(
    connection: &mut Connection,
    (scope, report): (&Scope, &Report),
    findings: &[Finding],
) -> Result<(), Error> {
    let Report { sweep, started_at, ended_at, dry_run, .. } = report;
    let text = serde_json::to_string(report).expect("numbers and texts");
    let findings = serde_json::to_string(findings).expect("texts only");
    let outcome = report.outcome().as_str();
    connection
        .run(RECORD, params![sweep, started_at, ended_at, dry_run, outcome, text, scope.rule, findings])?;
    connection.run(FORGET, params![SWEEPS_KEPT]).map(drop)
}

/// The newest sweep of everything.
pub fn last(connection: &mut Connection) -> Result<Option<SweepRow>, Error> {
    connection.first(LAST, &[])
}

/// The newest sweeps, dry runs and those of one rule too: those that began before `before`, and at `since` or later.
pub fn newest(
    connection: &mut Connection,
    (since, before): (i64, i64),
    most: u32,
) -> Result<Vec<SweepRow>, Error> {
    connection.all(NEWEST, params![since, before, most])
}

pub fn get(connection: &mut Connection, sweep: &str) -> Result<Option<SweepRow>, Error> {
    connection.first(GET, params![sweep])
}

/// The first of what it found.
pub fn findings(connection: &mut Connection, sweep: &str) -> Result<Vec<Finding>, Error> {
    let text: Option<Option<String>> = connection.first(FINDINGS, params![sweep])?;
    Ok(text.flatten().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Those that stopped and wait for a person, whom no later sweep of the same has told how it is by now. The newest first.
pub fn waiting(connection: &mut Connection) -> Result<Vec<SweepRow>, Error> {
    connection.all(WAITING, &[])
}

/// False where it does not wait for a person.
pub fn decide(connection: &mut Connection, sweep: &str, decision: Decision) -> Result<bool, Error> {
    Ok(connection.run(DECIDE, params![sweep, decision.as_str()])? == 1)
}

macro_rules! select {
    ($($rest:tt)+) => {
        concat!("SELECT sweep, started_at, ended_at, dry_run, outcome, rule, decided, report FROM sweep ", $($rest)+)
    };
}

/// Of a row that waits for a person.
macro_rules! waits {
    () => {
        "sweep.outcome = 'stopped' AND sweep.dry_run = 0 AND sweep.decided IS NULL AND NOT EXISTS (
            SELECT 1 FROM sweep AS later
            WHERE later.started_at > sweep.started_at AND later.dry_run = 0
              AND (later.rule IS NULL OR later.rule = sweep.rule))"
    };
}

statements! {
    RECORD = "
        INSERT INTO sweep (sweep, started_at, ended_at, dry_run, outcome, report, rule, findings)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    FORGET = "
        DELETE FROM sweep WHERE sweep NOT IN (SELECT sweep FROM sweep ORDER BY started_at DESC LIMIT $1)";
    NEWEST = select!("WHERE started_at >= $1 AND started_at < $2 ORDER BY started_at DESC LIMIT $3");
    LAST = select!("WHERE dry_run = 0 AND rule IS NULL ORDER BY started_at DESC LIMIT 1");
    GET = select!("WHERE sweep = $1");
    FINDINGS = "SELECT findings FROM sweep WHERE sweep = $1";
    WAITING = select!("WHERE ", waits!(), " ORDER BY started_at DESC");
    DECIDE = concat!("UPDATE sweep SET decided = $2 WHERE sweep = $1 AND ", waits!());
}
