//! What the log says of jobs, each thing once and where it is settled.

use super::Verdict;
use super::breaker::{Change, Kind};
use super::store::{Claimed, Orphan, Settled};
use crate::contain::Panicked;

/// A job, as the log says what becomes of it.
pub struct Report {
    id: i64,
    key: String,
    attempt: u16,
    probe: bool,
    /// It is not the world that is at fault, but Docket.
    panicked: bool,
}

impl Report {
    pub fn of(claimed: &Claimed) -> Self {
        Report {
            id: claimed.id,
            key: claimed.key.clone(),
            attempt: claimed.attempt,
            probe: claimed.is_probe(),
            panicked: false,
        }
    }

    /// A panic is a failed attempt: what made it may be gone the next time, and ends with the attempts if not.
    pub fn panicked(&mut self, panicked: &Panicked) -> Verdict {
        self.panicked = true;
        Verdict::Retry { after: None, reason: panicked.to_string() }
    }

    pub fn lost_the_lease(&self) {
        tracing::warn!(job.id = self.id, job.key = self.key, "lost the lease; the job goes on elsewhere");
    }

    /// What became of the job, where it is settled.
    pub fn settled(self, verdict: Option<&Verdict>, settled: Settled) {
        let Report { id, key, attempt, .. } = &self;
        match settled {
            Settled::LeaseLost => {
                tracing::warn!(job.id = id, job.key = key, "settled too late; the job goes on elsewhere");
            }
            Settled::Dead(reason) => {
                report_death(&Orphan { id: *id, key: key.clone(), attempt: (*attempt).into(), reason });
            }
            Settled::Recorded => self.recorded(verdict),
        }
    }

    fn recorded(&self, verdict: Option<&Verdict>) {
        let Report { id, key, attempt, probe, panicked } = self;
        match verdict {
            Some(Verdict::Done) => tracing::debug!(job.id = id, job.key = key, attempt, "job done"),
            Some(Verdict::Later { reason, .. }) => {
                tracing::debug!(job.id = id, job.key = key, reason, "job waits");
            }
            Some(Verdict::NotYet { reason }) => {
                tracing::debug!(job.id = id, job.key = key, attempt, reason, "job looks again soon");
            }
            Some(Verdict::Retry { reason, .. }) if *panicked => {
                tracing::error!(
                    job.id = id,
                    job.key = key,
                    attempt,
                    reason,
                    "job panicked, to be retried: a fault of Docket's"
                );
            }
            Some(Verdict::Retry { reason, .. }) => {
                tracing::warn!(job.id = id, job.key = key, attempt, reason, "job failed, to be retried");
            }
            Some(Verdict::Unavailable { reason, .. }) if !probe => {
                tracing::warn!(
                    job.id = id,
                    job.key = key,
                    attempt,
                    reason,
                    "job got no answer, to be retried"
                );
            }
            Some(Verdict::Refused { reason, .. }) if !probe => {
                tracing::warn!(job.id = id, job.key = key, attempt, reason, "job was refused");
            }
            Some(Verdict::Refused { cause, .. } | Verdict::Waits { cause }) => {
                tracing::debug!(job.id = id, job.key = key, cause, "job waits for what is refused");
            }
            Some(Verdict::Limited { cause, reason }) => {
                tracing::debug!(job.id = id, job.key = key, cause, reason, "job waits for a limit");
            }
            // What is held is said once, when it begins and when it ends.
            Some(Verdict::Hold { reason, .. } | Verdict::Unavailable { reason, .. }) => {
                tracing::debug!(job.id = id, job.key = key, reason, "job waits for its target");
            }
            Some(Verdict::Blocked { reason }) => {
                tracing::warn!(job.id = id, job.key = key, reason, "job stopped by Docket's own database");
            }
            Some(Verdict::Dead { reason }) => {
                tracing::info!(
                    job.id = id,
                    job.key = key,
                    attempt,
                    reason,
                    "job failed for good, but was asked for again"
                );
            }
            None => tracing::info!(job.id = id, job.key = key, "job given back, because this process stops"),
        }
    }
}

/// Every death is reported, however a job came to it: nothing of the job happens any more without a person.
pub fn report_death(dead: &Orphan) {
    let Orphan { id, key, attempt, reason } = dead;
    tracing::error!(job.id = id, job.key = key, attempt, reason, "job is dead: it needs a person");
}

/// Says once that a cause came to be held, and once that it answers again.
pub fn report_change(change: &Change) {
    match change {
        Change::Held { cause, kind: Kind::Refusal, reason } => {
            tracing::error!(service = cause, reason, "target paused: it refuses everything; its jobs wait");
        }
        Change::Held { cause, kind: Kind::Outage, reason } => {
            tracing::error!(service = cause, reason, "target down; its jobs wait and one at a time tries it");
        }
        Change::Resumes { cause, lasted } => {
            let seconds = lasted.as_secs();
            tracing::info!(service = cause, seconds, "target answers again; its jobs resume, a few at first");
        }
    }
}
