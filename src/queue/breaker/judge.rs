//! What the end of a job says about the causes it needs, and what that means for the job.

use std::time::Duration;

use super::{Breaker, Cause, Kind, Pause, State, Strike};
use crate::contain::lock;
use crate::queue::store::Claimed;
use crate::queue::{STAND_BACK, Verdict, millis};

/// How many jobs may run at once when a probe got through.
const FIRST_ALLOWED: u16 = 2;

/// How a job ended.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// None when it is given back unharmed, because this process stops.
    pub verdict: Option<Verdict>,
    /// The causes that answered any request while it ran.
    pub heard: Vec<String>,
    /// Those whose answers are counted, and that answered none.
    pub unheard: Vec<String>,
    /// The causes whose work was seen to succeed while it ran, by whichever job.
    pub done: Vec<String>,
}

/// What the outcome of a job means beside its own row.
#[derive(Debug, Default)]
pub struct Judgement {
    pub cost: Cost,
    pub changes: Vec<Change>,
    /// Jobs that get an attempt back.
    pub refunds: Vec<i64>,
    /// A job got through where work is held or resumes.
    pub resumes: bool,
}

/// What meeting an unavailable service costs the job that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cost {
    /// Nothing: the service is held.
    #[default]
    Nothing,
    /// An attempt, which may be given back; the job does not die of it.
    Attempt,
    /// It is taken for the job's own failure.
    Own,
}

/// A cause that came to be held, or whose jobs resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Held {
        cause: String,
        kind: Kind,
        reason: String,
    },
    /// It was held for so long.
    Resumes {
        cause: String,
        lasted: Duration,
    },
}

impl Breaker {
    /// Learns from how a job ended. `workers` is how many jobs may run at once when nothing is held.
    pub fn judge(&self, claimed: &Claimed, outcome: &Outcome, now: i64, workers: u16) -> Judgement {
        let mut state = lock(&self.0);
        // From here on its end is known.
        let probes =
            state.in_hand.get_mut(&claimed.lease()).is_some_and(|hold| std::mem::take(&mut hold.probes));
        let mut judging =
            Judging { state: &mut state, claimed, now, probes, judgement: Judgement::default() };
        judging.prove(outcome, workers);
        judging.others_succeeded(outcome, workers);
        match &outcome.verdict {
            Some(Verdict::Refused { cause, several, reason, .. }) => {
                judging.refused_here(cause, reason, *several)
            }
            Some(Verdict::Hold { target, reason }) => judging.refused(target, reason),
            Some(Verdict::Unavailable { target, after, silent, reason }) => {
                judging.unavailable(&Silence { cause: target, reason, asked: *after, silent: *silent });
            }
            Some(Verdict::Done | Verdict::Dead { .. }) => {
                for cause in judging.state.causes.values_mut() {
                    cause.own.remove(&claimed.id);
                    cause.refused.remove(&claimed.id);
                }
            }
            _ => {}
        }
        let mut judgement = judging.judgement;
        judgement.refunds.append(&mut state.refunds);
        state.changed();
        judgement
    }
}

struct Judging<'a> {
    state: &'a mut State,
    claimed: &'a Claimed,
    now: i64,
    /// It was let through to find out whether what holds it has gone.
    probes: bool,
    judgement: Judgement,
}

/// A service's failure to answer a job.
struct Silence<'a> {
    cause: &'a str,
    reason: &'a str,
    /// How long it asked us to stay away.
    asked: Option<Duration>,
    /// A plain question was not answered either.
    silent: bool,
}

impl Judging<'_> {
    /// What the job's end proves about the causes that it did not complain of.
    fn prove(&mut self, outcome: &Outcome, workers: u16) {
        let blamed = match &outcome.verdict {
            Some(Verdict::Hold { target, .. } | Verdict::Unavailable { target, .. }) => Some(target.as_str()),
            Some(
                Verdict::Refused { cause, .. } | Verdict::Waits { cause } | Verdict::Limited { cause, .. },
            ) => Some(cause.as_str()),
            _ => None,
        };
        let done = |cause: &str| outcome.done.iter().any(|done| done == cause);
        let heard = |cause: &str| outcome.heard.iter().any(|heard| heard == cause);
        let unheard = |cause: &str| outcome.unheard.iter().any(|unheard| unheard == cause);
        let went_well = matches!(outcome.verdict, Some(Verdict::Done | Verdict::Later { .. }));
        for name in self.claimed.causes().filter(|name| Some(*name) != blamed) {
            let Some(cause) = self.state.causes.get_mut(name) else { continue };
            if let Some(pause) = &mut cause.pause {
                // What a job got done does not prove that a service answers: it may never have come to ask.
                let answers = match pause.kind {
                    Kind::Outage => heard(name),
                    // What refuses answers, too.
                    Kind::Refusal => went_well && !unheard(name),
                };
                if answers || done(name) {
                    resume(cause, name, (self.now, workers), &mut self.judgement);
                } else if self.probes && pause.is_held() {
                    // It failed for a reason of its own and proves nothing, so the next job may try at once.
                    pause.probe_at = self.now + millis(STAND_BACK);
                }
            }
            if heard(name) {
                cause.strikes.clear();
            }
        }
    }

    /// What another job got done proves something of causes that this one does not need, or was just refused by: they
    /// refuse some, and not all.
    fn others_succeeded(&mut self, outcome: &Outcome, workers: u16) {
        for name in &outcome.done {
            let Some(cause) = self.state.causes.get_mut(name) else { continue };
            cause.succeeded();
            if cause.pause.as_ref().is_some_and(Pause::is_held) {
                resume(cause, name, (self.now, workers), &mut self.judgement);
            }
        }
    }

    /// `cause` refuses the work of this job.
    fn refused_here(&mut self, name: &str, reason: &str, several: bool) {
        let (job, now) = (self.claimed.id, self.now);
        let cause = self.state.causes.entry(name.to_owned()).or_default();
        if cause.own.contains(&job) {
            self.judgement.cost = Cost::Own;
            return;
        }
        cause.refused.insert(job);
        match &mut cause.pause {
            Some(pause) if pause.is_held() => {
                // One that was not held by it yet is held from now on.
                if self.probes && self.claimed.causes().any(|own| own == name) {
                    pause.goes_on(reason, None, now);
                }
                return;
            }
            _ => {}
        }
        if several {
            cause.strike(job, false, now);
            if cause.outage_since().is_none() {
                self.judgement.cost = Cost::Own;
                return;
            }
        }
        cause.strikes.clear();
        cause.pause = Some(Pause::begun(Kind::Refusal, reason, now));
        self.judgement.changes.push(Change::held(name, Kind::Refusal, reason));
    }

    /// The service refuses everything.
    fn refused(&mut self, name: &str, reason: &str) {
        let cause = self.state.causes.entry(name.to_owned()).or_default();
        match &mut cause.pause {
            Some(pause) if pause.is_held() && pause.kind == Kind::Refusal => {
                pause.goes_on(reason, None, self.now)
            }
            pause => {
                *pause = Some(Pause::begun(Kind::Refusal, reason, self.now));
                self.judgement.changes.push(Change::held(name, Kind::Refusal, reason));
            }
        }
    }

    /// The service did not answer this job.
    fn unavailable(&mut self, silence: &Silence<'_>) {
        let now = self.now;
        let cause = self.state.causes.entry(silence.cause.to_owned()).or_default();
        let held = cause.pause.as_mut().filter(|pause| pause.is_held());
        let doubtful = held.as_ref().is_some_and(|pause| pause.is_doubtful());
        match held {
            Some(pause) if self.probes => {
                pause.goes_on(silence.reason, silence.asked, now);
                let strikes = std::mem::take(&mut cause.strikes);
                if doubtful {
                    pause.confirmed = true;
                    self.judgement.refunds = strikes.iter().flat_map(Strike::cost).collect();
                }
            }
            Some(_) if !doubtful => {}
            held => {
                let is_new = held.is_none();
                cause.strike(self.claimed.id, silence.silent, now);
                self.judgement.cost = match cause.outage_since() {
                    Some(since) if is_new => {
                        let mut pause = Pause::begun(Kind::Outage, silence.reason, now);
                        pause.goes_on(silence.reason, silence.asked, now);
                        cause.pause = Some(Pause { since, ..pause });
                        self.judgement.changes.push(Change::held(
                            silence.cause,
                            Kind::Outage,
                            silence.reason,
                        ));
                        Cost::Attempt
                    }
                    None if is_new => Cost::Own,
                    _ => Cost::Attempt,
                };
            }
        }
    }
}

/// What a cause holds begins to run again, a few jobs at first.
fn resume(cause: &mut Cause, name: &str, (now, workers): (i64, u16), judgement: &mut Judgement) {
    let Some(pause) = &mut cause.pause else { return };
    judgement.resumes = true;
    if pause.is_held() {
        let lasted = Duration::from_millis(u64::try_from(now - pause.since).unwrap_or(0));
        judgement.changes.push(Change::Resumes { cause: name.to_owned(), lasted });
    }
    let allowed = pause.allowed.map_or(FIRST_ALLOWED, |jobs| jobs + 1);
    (pause.allowed, pause.probes) = (Some(allowed), 0);
    if allowed >= workers {
        cause.pause = None;
    }
}

impl Change {
    fn held(cause: &str, kind: Kind, reason: &str) -> Self {
        Change::Held { cause: cause.to_owned(), kind, reason: reason.to_owned() }
    }
}
