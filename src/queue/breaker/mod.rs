//! Which causes hold work, in the memory of the process that works. A cause may be a service, a workspace, a vector store, or
//! whatever else a job [needs](super::needs).
//!
//! ```text
//!   open ──refused, or struck by several──▶ held ──a probe gets through──▶ resuming ──enough did──▶ open
//!                                           │  ▲                              │
//!                                           └──┘ one probe at a time          └── struck again ──▶ held
//! ```
//!
//! A refusal of the key or the account holds a cause at once: the service says so itself. Silence and 5xx do not, because one
//! file's request may be what the service fails on. So each such failure is a *strike*, and a plain question asked right after
//! it another one if that is not answered either; three in a row, from different jobs or questions, with no answer to any
//! request in between, are an outage. One poisonous job is one strike, however often it fails.
//!
//! A strike costs its job an attempt. When the first probe fails too, the outage is confirmed: what it cost is given
//! back, and from then on nothing that fails costs anything. A service that answers again is not run over by all that
//! waited for it: first two jobs at once, then one more with each that got through, as TCP begins.
//!
//! Each cause that is not open has a row in `pause`, for people and for a restart. Where several servers share the queue, what one holds
//! or opens the others learn from the rows, each time they look for work; a row that both changed is as the later one left it. Which of
//! them probes is decided by the row, and how many may run at once is counted over all. Strikes are each one's own: an outage that
//! each finds by itself costs each two attempts more at most.

mod judge;
mod learn;
mod pause;
pub mod store;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::needs::Needs;
use super::store::Lease;
use super::{Verdict, millis};
use crate::contain::lock;
pub use judge::{Change, Cost, Judgement, Outcome};
pub use pause::Kind;
use pause::Pause;
use store::PauseRow;

/// Strikes in a row that make an outage. Two can be chance: a deploy, a connection that was kept too long.
const STRIKES: usize = 3;

/// How long a strike is remembered: longer than jobs that fail together are apart, shorter than an idle night.
const STRIKE_KEPT: Duration = Duration::from_secs(5 * 60);

/// Jobs that are remembered to be refused for what they are. One that is forgotten may help to hold others for a moment.
const MOST_OWN: usize = 10_000;

/// Rules that share the queue: more than any settings have.
const MOST_SHARES: usize = 10_000;

/// A job that was claimed because a limit has room takes its token within so long: it reads a row first.
const TAKES_WITHIN: Duration = Duration::from_millis(20);

/// How long the job that probes a cause keeps others from doing the same.
const PROBE_LEASE: Duration = Duration::from_secs(60);

/// The breaker of one process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Breaker(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    causes: HashMap<String, Cause>,
    in_hand: HashMap<Lease, Hold>,
    /// What the last process held is known.
    restored: bool,
    /// Counts the changes of what stands in rows.
    revision: u64,
    saved: u64,
    /// The rows as they were last read or written.
    rows: HashMap<String, PauseRow>,
    /// What the jobs need that other servers work on.
    elsewhere: Vec<Needs>,
    /// Jobs that get an attempt back, because another server confirmed the outage that they struck.
    refunds: Vec<i64>,
    gates: Option<Arc<dyn Gates>>,
    /// When whose turn it was last, counted in claims.
    turns: HashMap<String, u64>,
    claims: u64,
}

/// What knows when a limit has room. A cause that is none of its own it does not answer for.
pub trait Gates: Send + Sync + fmt::Debug {
    /// When one more may go on behind `ahead` others. `live` is what does not stand behind live changes.
    fn opens_at(&self, cause: &str, live: bool, ahead: u32) -> Option<i64>;
}

/// What is known of a cause. One that is open and was not struck is not there.
#[derive(Debug, Default)]
struct Cause {
    strikes: Vec<Strike>,
    pause: Option<Pause>,
    /// Jobs that were refused since what the cause refuses was last seen to succeed.
    refused: BTreeSet<i64>,
    /// Jobs that were refused while others succeeded: their refusals are their own.
    own: BTreeSet<i64>,
}

/// A job, or a plain question, that found a service unavailable since it last answered any request.
#[derive(Debug)]
struct Strike {
    /// None for a question.
    job: Option<i64>,
    /// What it cost the job.
    attempts: u32,
    first_at: i64,
    last_at: i64,
}

/// A job that this process works on.
#[derive(Debug)]
struct Hold {
    needs: Needs,
    claimed_at: i64,
    begun: Instant,
    /// It was let through to find out whether what holds it has gone.
    probes: bool,
}

/// What is held, for those who work.
#[derive(Debug, Clone, Default)]
pub struct Causes(Breaker);

/// The job that is worked on.
#[derive(Debug, Clone)]
pub struct Working {
    /// What is held of it lets this job try.
    pub needs: Needs,
    /// It is no backfill.
    pub live: bool,
}

tokio::task_local! {
    static WORKING: Working;
}

/// Does the work of a job.
pub async fn working<F: Future>(job: Working, work: F) -> F::Output {
    WORKING.scope(job, work).await
}

/// Whether the job that is worked on is a change that comes now, and no backfill.
pub fn is_live() -> bool {
    WORKING.try_with(|job| job.live).unwrap_or(true)
}

impl Causes {
    /// Whether the job that is worked on was held by this cause, and was let through.
    pub fn tries(&self, cause: &str) -> bool {
        WORKING.try_with(|job| job.needs.has(cause)).unwrap_or(false)
    }

    /// Whether this cause keeps the job that is worked on from doing what the cause refuses: it is held, and the job was not
    /// let through to try it.
    ///
    /// # Errors
    /// The verdict on the job, which waits.
    pub fn pass(&self, cause: &str) -> Result<(), Verdict> {
        let tries = self.tries(cause);
        let state = lock(&self.0.0);
        let pause = state.causes.get(cause).and_then(|cause| cause.pause.as_ref());
        match pause.filter(|pause| pause.is_held() && !tries) {
            Some(_) => Err(Verdict::Waits { cause: cause.to_owned() }),
            None => Ok(()),
        }
    }
}

/// A job in hand, until this is dropped.
#[derive(Debug)]
pub struct InHand {
    breaker: Breaker,
    lease: Lease,
    probes: bool,
}

impl InHand {
    pub fn probes(&self) -> bool {
        self.probes
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.breaker.put_down(self.lease);
    }
}

impl Breaker {
    /// Takes over what the last process held, with the reasons it had, and probes it soon. Only the first time.
    pub fn restore(&self, rows: Vec<PauseRow>, now: i64) {
        let mut state = lock(&self.0);
        if std::mem::replace(&mut state.restored, true) {
            return;
        }
        // What is to be probed sooner is to be written.
        state.revision += u64::from(!rows.is_empty());
        for row in rows {
            let cause = Cause { pause: Some(Pause::restored(&row, now)), ..Cause::default() };
            state.causes.insert(row.target.clone(), cause);
            state.rows.insert(row.target.clone(), row);
        }
    }

    pub fn is_restored(&self) -> bool {
        lock(&self.0).restored
    }

    /// For those who work, to ask what is held.
    pub fn causes(&self) -> Causes {
        Causes(self.clone())
    }

    /// Opens what is held and no job needs any more: `waiting` is what the jobs need that wait, and what runs is known here, but
    /// that the job of `ended` is over.
    pub fn open_unneeded(&self, waiting: &[Needs], ended: Lease) {
        let mut state = lock(&self.0);
        let others = state.in_hand.iter().filter(|(lease, _)| **lease != ended);
        let running: Vec<Needs> = others.map(|(_, hold)| hold.needs.clone()).collect();
        for (name, cause) in &mut state.causes {
            let is_needed = waiting.iter().chain(&running).any(|needs| needs.has(name));
            if cause.pause.is_some() && !is_needed {
                cause.pause = None;
            }
        }
        state.changed();
    }

    /// Whether a cause is held or resumes.
    pub fn is_any(&self) -> bool {
        lock(&self.0).pauses().next().is_some()
    }

    /// Asks this for when limits have room.
    pub fn ask(&self, gates: Arc<dyn Gates>) {
        lock(&self.0).gates = Some(gates);
    }

    /// When a job that needs this may be claimed, in Unix milliseconds: long ago if nothing holds it, else when a probe is due or a
    /// limit has room. None while as many run as may: then one of them has to end first.
    pub fn opens_at(&self, needs: &Needs, live: bool) -> Option<i64> {
        let state = lock(&self.0);
        let mut at = i64::MIN;
        if let Some(gates) = &state.gates {
            for cause in needs.causes() {
                at = at.max(gates.opens_at(cause, live, state.just_claimed(cause)).unwrap_or(at));
            }
        }
        for (cause, pause) in state.pauses_of(needs) {
            match pause.allowed {
                None => at = at.max(pause.probe_at),
                Some(allowed) if state.running(cause) >= usize::from(allowed) => return None,
                Some(_) => {}
            }
        }
        Some(at)
    }

    /// When it was last the turn of those whose jobs need this.
    pub fn last_turn(&self, needs: &Needs) -> u64 {
        lock(&self.0).turns.get(needs.share()).copied().unwrap_or(0)
    }

    /// The jobs that struck what is held for an outage which no probe has confirmed yet. Another job's failure proves more.
    pub fn struck(&self) -> Vec<i64> {
        let state = lock(&self.0);
        let doubtful =
            state.causes.values().filter(|cause| cause.pause.as_ref().is_some_and(Pause::is_doubtful));
        doubtful.flat_map(|cause| &cause.strikes).filter_map(|strike| strike.job).collect()
    }

    /// Takes a job in hand that was just claimed. If something holds it, it is the probe, and keeps others from being one.
    pub fn take(&self, lease: Lease, needs: &Needs, now: i64) -> InHand {
        let mut state = lock(&self.0);
        let mut probes = false;
        for pause in state.pauses_of_mut(needs).filter(|pause| pause.is_held()) {
            pause.probe_at = Breaker::probe_lease(now);
            pause.probes += 1;
            probes = true;
        }
        state.revision += u64::from(probes);
        state.claims += 1;
        let claims = state.claims;
        if state.turns.len() >= MOST_SHARES {
            state.turns.clear();
        }
        state.turns.insert(needs.share().to_owned(), claims);
        state
            .in_hand
            .insert(lease, Hold { needs: needs.clone(), claimed_at: now, begun: Instant::now(), probes });
        InHand { breaker: self.clone(), lease, probes }
    }

    /// A job is no longer in hand, as when its claim is dropped.
    pub fn put_down(&self, lease: Lease) {
        lock(&self.0).put_down(lease);
    }

    /// The jobs that this process works on.
    pub fn in_hand(&self) -> Vec<i64> {
        lock(&self.0).in_hand.keys().map(|lease| lease.id).collect()
    }

    /// Opens what resumes and no job waits for any more: `due` is what those need that could be claimed.
    pub fn open_unawaited(&self, due: &[Needs]) {
        let mut state = lock(&self.0);
        for (name, cause) in &mut state.causes {
            let resumes = cause.pause.as_ref().is_some_and(|pause| !pause.is_held());
            if resumes && !due.iter().any(|needs| needs.has(name)) {
                cause.pause = None;
            }
        }
        state.changed();
    }
}

impl State {
    fn pauses(&self) -> impl Iterator<Item = (&str, &Pause)> {
        self.causes.iter().filter_map(|(name, cause)| Some((name.as_str(), cause.pause.as_ref()?)))
    }

    fn pauses_of<'a>(&'a self, needs: &'a Needs) -> impl Iterator<Item = (&'a str, &'a Pause)> {
        needs.causes().filter_map(|name| Some((name, self.causes.get(name)?.pause.as_ref()?)))
    }

    fn pauses_of_mut(&mut self, needs: &Needs) -> impl Iterator<Item = &mut Pause> {
        let needed = self.causes.iter_mut().filter(|(name, _)| needs.has(name));
        needed.filter_map(|(_, cause)| cause.pause.as_mut())
    }

    /// How many were claimed so recently that they may not have taken what `cause` limits.
    fn just_claimed(&self, cause: &str) -> u32 {
        let since = |hold: &&Hold| hold.begun.elapsed() < TAKES_WITHIN && hold.needs.has(cause);
        u32::try_from(self.in_hand.values().filter(since).count()).unwrap_or(u32::MAX)
    }

    /// How many jobs in hand need `cause`, here and elsewhere.
    fn running(&self, cause: &str) -> usize {
        let needs = self.in_hand.values().map(|hold| &hold.needs).chain(&self.elsewhere);
        needs.filter(|needs| needs.has(cause)).count()
    }

    /// Forgets what is open and was not struck, so that no more is kept than there is.
    fn changed(&mut self) {
        self.causes.retain(|_, cause| !cause.is_idle());
        self.revision += 1;
    }

    /// A job is no longer in hand. A probe that came to no end is due again.
    fn put_down(&mut self, lease: Lease) {
        let Some(hold) = self.in_hand.remove(&lease).filter(|hold| hold.probes) else { return };
        for pause in self.pauses_of_mut(&hold.needs).filter(|pause| pause.is_held()) {
            pause.probe_at = hold.claimed_at;
        }
        self.revision += 1;
    }
}

impl Strike {
    /// The job, once for each attempt that it lost.
    fn cost(&self) -> impl Iterator<Item = i64> {
        std::iter::repeat_n(self.job, self.attempts as usize).flatten()
    }
}

impl Cause {
    fn is_idle(&self) -> bool {
        self.pause.is_none() && self.strikes.is_empty() && self.refused.is_empty() && self.own.is_empty()
    }

    /// What it refuses was seen to succeed, so it is those who were refused.
    fn succeeded(&mut self) {
        self.strikes.clear();
        let mut refused = std::mem::take(&mut self.refused);
        if self.own.len() + refused.len() <= MOST_OWN {
            self.own.append(&mut refused);
        }
    }

    fn strike(&mut self, job: i64, silent: bool, now: i64) {
        self.strikes.retain(|strike| strike.last_at >= now - millis(STRIKE_KEPT));
        match self.strikes.iter_mut().find(|strike| strike.job == Some(job)) {
            Some(strike) => (strike.attempts, strike.last_at) = (strike.attempts + 1, now),
            None => self.strikes.push(Strike { job: Some(job), attempts: 1, first_at: now, last_at: now }),
        }
        if silent {
            self.strikes.push(Strike { job: None, attempts: 0, first_at: now, last_at: now });
        }
    }

    /// Since when it is an outage, if it is one.
    fn outage_since(&self) -> Option<i64> {
        let since = self.strikes.iter().map(|strike| strike.first_at).min();
        since.filter(|_| self.strikes.len() >= STRIKES)
    }
}
