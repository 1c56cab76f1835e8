//! Targets that are held: those that refuse everything, and those that are down.
//!
//! ```text
//!   open ──refused, or struck by several──▶ held ──a probe gets through──▶ resuming ──enough did──▶ open
//!                                           │  ▲                              │
//!                                           └──┘ one probe at a time          └── struck again ──▶ held
//! ```
//!
//! A refusal of the key or the account holds a target at once: it says so itself. Silence and 5xx do not, because one
//! file's request may be what the service cannot stomach. So each such failure is a *strike*, and a plain question asked
//! right after it another one if that is not answered either; three in a row, from different jobs or questions, with no
//! answer to anybody in between, are an outage. One poisonous job is one strike, however often it fails.
//!
//! A strike costs its job an attempt. When the first probe fails too, the outage is confirmed: what it cost is given
//! back, and from then on nothing that fails costs anything. A target that answers again is not run over by all that
//! waited for it: first two jobs at once, then one more with each that got through, as TCP begins.

pub(super) mod store;

use std::time::Duration;

use super::{Verdict, millis};
use crate::database::{Connection, Error};
use store::{NewPause, Pause, Strike};

pub use store::PauseRow;

/// Strikes in a row that make an outage. Two can be chance: a deploy, a connection that was kept too long.
const STRIKES: i64 = 3;

/// How long a strike is remembered: longer than jobs that fail together are apart, shorter than an idle night.
const STRIKE_KEPT: Duration = Duration::from_secs(5 * 60);

/// How soon a target that is down is tried again, doubled with each try in vain up to a minute: what waits resumes soon,
/// and an outage of a day costs some 1,500 tries.
const OUTAGE_PROBES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// How soon a target that refuses us is tried again. An operator who renews a key or fills an account sees work resume
/// within the longer one.
const REFUSAL_PROBES: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(5 * 60));

/// The most that a service which is down may ask us to stay away.
const LONGEST_ASKED: Duration = REFUSAL_PROBES.1;

/// How long the job that probes a target keeps others from doing the same.
pub(super) const PROBE_LEASE: Duration = Duration::from_secs(60);

/// How long a held job stands back, so that another one is the next to probe.
pub(super) const STAND_BACK: Duration = Duration::from_secs(1);

/// How many jobs may run at once when a probe got through.
const FIRST_ALLOWED: i64 = 2;

/// Why a target is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It refuses the key or the account.
    Refusal,
    /// It does not answer.
    Outage,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Refusal => "refusal",
            Kind::Outage => "outage",
        }
    }

    fn probe_after(self, probes: i64) -> Duration {
        let (first, longest) = match self {
            Kind::Refusal => REFUSAL_PROBES,
            Kind::Outage => OUTAGE_PROBES,
        };
        first.saturating_mul(1 << u32::try_from(probes).unwrap_or(0).min(10)).min(longest)
    }
}

/// A target that came to be held, or that answers again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    Began {
        target: String,
        kind: Kind,
        reason: String,
    },
    /// It was held for so long.
    Ended {
        target: String,
        lasted: Duration,
    },
}

/// What a failure costs the job that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// Nothing: the target is held.
    Nothing,
    /// An attempt, which may be given back; it does not die of it.
    Attempt,
    /// It is taken for the job's own failure.
    Own,
}

/// The job that is being settled.
pub(super) struct Settling<'a> {
    pub id: i64,
    pub lease: i64,
    pub needs: &'a str,
    /// It was let through to find out whether its held targets answer.
    pub probes: bool,
    /// The targets that answered anybody while it ran.
    pub heard: &'a [&'a str],
    pub workers: u16,
    pub now: i64,
}

impl Settling<'_> {
    /// What the job's end proves about the targets that it did not complain of.
    pub fn prove(&self, connection: &mut Connection, verdict: &Verdict) -> Result<Vec<Turn>, Error> {
        let blamed = match verdict {
            Verdict::Hold { target, .. } | Verdict::Unavailable { target, .. } => Some(target.as_str()),
            _ => None,
        };
        let went_well = matches!(verdict, Verdict::Done | Verdict::Later { .. });
        let mut turns = Vec::new();
        for pause in store::of(connection, self.needs)? {
            if blamed == Some(pause.target.as_str()) {
                continue;
            }
            let answers = if pause.is_outage() { self.heard.contains(&&*pause.target) } else { went_well };
            if answers {
                turns.extend(self.resume(connection, &pause)?);
            } else if self.probes && pause.is_held() {
                // It failed for a reason of its own and proves nothing, so the next job may try at once.
                store::probe_at(connection, &pause.target, self.now + millis(STAND_BACK))?;
            }
        }
        for target in self.heard.iter().filter(|target| blamed != Some(**target)) {
            store::forget_strikes(connection, target, None)?;
        }
        Ok(turns)
    }

    /// One more job got through.
    fn resume(&self, connection: &mut Connection, pause: &Pause) -> Result<Option<Turn>, Error> {
        let allowed = pause.allowed.map_or(FIRST_ALLOWED, |jobs| jobs + 1);
        let enough = allowed >= i64::from(self.workers);
        if enough || !store::is_awaited(connection, &pause.target, self.now)? {
            store::end(connection, &pause.target)?;
        } else {
            store::allow(connection, &pause.target, allowed)?;
        }
        let lasted = Duration::from_millis(u64::try_from(self.now - pause.since).unwrap_or(0));
        Ok(pause.is_held().then(|| Turn::Ended { target: pause.target.clone(), lasted }))
    }

    /// The target refuses everything.
    pub fn refused(
        &self,
        connection: &mut Connection,
        (target, reason): (&str, &str),
    ) -> Result<Option<Turn>, Error> {
        let known = self.pause(connection, target)?;
        if let Some(pause) = known.filter(|pause| pause.is_held() && !pause.is_outage()) {
            let probe_at = self.now + millis(Kind::Refusal.probe_after(pause.probes));
            store::go_on(connection, target, (reason, probe_at))?;
            return Ok(None);
        }
        self.hold(connection, (target, Kind::Refusal, reason), None).map(Some)
    }

    /// The target did not answer this job.
    pub fn unavailable(
        &self,
        connection: &mut Connection,
        silence: &Silence<'_>,
    ) -> Result<(Cost, Option<Turn>), Error> {
        let target = silence.target;
        let pause = self.pause(connection, target)?.filter(Pause::is_held);
        if let Some(pause) = &pause
            && (self.probes || pause.confirmed || !pause.is_outage())
        {
            if self.probes {
                self.still(connection, pause, silence)?;
            }
            return Ok((Cost::Nothing, None));
        }
        let struck = self.strike(connection, silence)?;
        match (pause, struck) {
            (Some(_), _) => Ok((Cost::Attempt, None)),
            (None, None) => Ok((Cost::Own, None)),
            (None, Some(since)) => {
                let held = (target, Kind::Outage, silence.reason);
                let turn = self.hold(connection, held, Some((since, silence.asked)))?;
                Ok((Cost::Attempt, Some(turn)))
            }
        }
    }

    /// A probe was in vain.
    fn still(&self, connection: &mut Connection, pause: &Pause, silence: &Silence<'_>) -> Result<(), Error> {
        let kind = if pause.is_outage() { Kind::Outage } else { Kind::Refusal };
        let wait = kind.probe_after(pause.probes).max(silence.asked.unwrap_or_default().min(LONGEST_ASKED));
        store::go_on(connection, &pause.target, (silence.reason, self.now + millis(wait)))?;
        if pause.is_outage() && !pause.confirmed {
            store::refund(connection, &pause.target)?;
            store::confirm(connection, &pause.target)?;
        }
        store::forget_strikes(connection, &pause.target, None)
    }

    /// Since when it is an outage, if it is one.
    fn strike(&self, connection: &mut Connection, silence: &Silence<'_>) -> Result<Option<i64>, Error> {
        let target = silence.target;
        store::forget_strikes(connection, target, Some(self.now - millis(STRIKE_KEPT)))?;
        let (job, question) =
            (format!("job {}", self.id), format!("asked by job {} {}", self.id, self.lease));
        let by_job = Strike { target, source: &job, job_id: Some(self.id), cost: 1 };
        store::strike(connection, &by_job, self.now)?;
        if silence.silent {
            let by_question = Strike { target, source: &question, job_id: None, cost: 0 };
            store::strike(connection, &by_question, self.now)?;
        }
        let (strikes, since) = store::strikes(connection, target)?;
        Ok(since.filter(|_| strikes >= STRIKES))
    }

    fn hold(
        &self,
        connection: &mut Connection,
        (target, kind, reason): (&str, Kind, &str),
        outage: Option<(i64, Option<Duration>)>,
    ) -> Result<Turn, Error> {
        let (since, asked) = outage.unwrap_or((self.now, None));
        let wait = kind.probe_after(0).max(asked.unwrap_or_default().min(LONGEST_ASKED));
        let probe_at = self.now + millis(wait);
        store::begin(connection, &NewPause { target, kind, reason, since, probe_at })?;
        Ok(Turn::Began { target: target.to_owned(), kind, reason: reason.to_owned() })
    }

    fn pause(&self, connection: &mut Connection, target: &str) -> Result<Option<Pause>, Error> {
        let pauses = store::of(connection, &format!(" {target} "))?;
        Ok(pauses.into_iter().find(|pause| pause.target == target))
    }
}

/// A target's failure to answer a job.
pub(super) struct Silence<'a> {
    pub target: &'a str,
    pub reason: &'a str,
    /// How long it asked us to stay away.
    pub asked: Option<Duration>,
    /// A plain question was not answered either.
    pub silent: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_further_apart_each_time_and_never_far() {
        let seconds = |kind: Kind| [0, 1, 2, 3, 4, 1000].map(|probes| kind.probe_after(probes).as_secs());
        assert_eq!(seconds(Kind::Outage), [5, 10, 20, 40, 60, 60]);
        assert_eq!(seconds(Kind::Refusal), [15, 30, 60, 120, 240, 300]);
    }
}
