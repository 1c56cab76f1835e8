//! A cause that is held, or that resumes.

use std::time::Duration;

use super::store::PauseRow;
use crate::queue::millis;

/// How soon a service that is down is tried again, doubled with each try in vain up to a minute: what waits resumes soon,
/// and an outage of a day costs some 1,500 tries.
const OUTAGE_PROBES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// How soon a service that refuses us is tried again. An operator who renews a key or fills an account sees work resume
/// within the longer one.
const REFUSAL_PROBES: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(5 * 60));

/// The most that a service which is down may ask us to stay away.
const LONGEST_ASKED: Duration = REFUSAL_PROBES.1;

/// Why a cause is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It refuses the key or the account.
    Refusal,
    /// It does not answer.
    Outage,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Refusal => "refusal",
            Kind::Outage => "outage",
        }
    }

    /// When to try again after so many probes in vain, if the service itself asked for `asked`.
    fn probe_after(self, probes: u32, asked: Option<Duration>) -> Duration {
        let (first, longest) = match self {
            Kind::Refusal => REFUSAL_PROBES,
            Kind::Outage => OUTAGE_PROBES,
        };
        let own = first.saturating_mul(1 << probes.min(10)).min(longest);
        own.max(asked.unwrap_or_default().min(LONGEST_ASKED))
    }
}

#[derive(Debug, Clone)]
pub struct Pause {
    pub kind: Kind,
    pub reason: String,
    pub since: i64,
    pub probe_at: i64,
    /// Since it is held.
    pub probes: u32,
    /// A probe has found that the outage lasts.
    pub confirmed: bool,
    /// None while it is held. Otherwise it answers again, and so many of its jobs may run at once.
    pub allowed: Option<u16>,
}

impl Pause {
    pub fn begun(kind: Kind, reason: &str, now: i64) -> Self {
        let mut pause = Pause {
            kind,
            reason: String::new(),
            since: now,
            probe_at: now,
            probes: 0,
            confirmed: false,
            allowed: None,
        };
        pause.goes_on(reason, None, now);
        pause
    }

    /// It lasts, as another failure has shown. The service may have asked us to stay away for a while.
    pub fn goes_on(&mut self, reason: &str, asked: Option<Duration>, now: i64) {
        reason.clone_into(&mut self.reason);
        self.probe_at = now + millis(self.kind.probe_after(self.probes, asked));
    }

    /// As another server has it.
    pub fn learnt(row: &PauseRow) -> Self {
        Pause {
            kind: if row.kind == Kind::Outage.as_str() { Kind::Outage } else { Kind::Refusal },
            reason: row.reason.clone(),
            since: row.since,
            probe_at: row.probe_at,
            probes: row.probes.try_into().unwrap_or(0),
            confirmed: row.is_confirmed,
            allowed: row.allowed.map(|jobs| jobs.try_into().unwrap_or(u16::MAX)),
        }
    }

    /// What the last process had on record, to be probed as soon as what was just held. Its outages have lasted for a restart.
    pub fn restored(row: &PauseRow, now: i64) -> Self {
        let known = Pause::learnt(row);
        let probe_at = known.probe_at.min(now + millis(known.kind.probe_after(0, None)));
        Pause { probe_at, probes: 0, confirmed: true, ..known }
    }

    pub fn row(&self, cause: &str) -> PauseRow {
        PauseRow {
            target: cause.to_owned(),
            kind: self.kind.as_str().to_owned(),
            reason: self.reason.clone(),
            since: self.since,
            probe_at: self.probe_at,
            allowed: self.allowed.map(i64::from),
            probes: self.probes.into(),
            is_confirmed: self.confirmed,
        }
    }

    pub fn is_held(&self) -> bool {
        self.allowed.is_none()
    }

    /// It is held for an outage that no probe has confirmed yet.
    pub fn is_doubtful(&self) -> bool {
        self.is_held() && self.kind == Kind::Outage && !self.confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_further_apart_each_time_and_never_far() {
        let seconds =
            |kind: Kind| [0, 1, 2, 3, 4, 1000].map(|probes| kind.probe_after(probes, None).as_secs());
        assert_eq!(seconds(Kind::Outage), [5, 10, 20, 40, 60, 60]);
        assert_eq!(seconds(Kind::Refusal), [15, 30, 60, 120, 240, 300]);
    }
}
