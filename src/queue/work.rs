//! Working on jobs: claim one, hand it to the handler under a heartbeat, settle it. [`Queue::work`] does that for ever,
//! [`Queue::work_one`] once.

use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::pause::Turn;
use super::store::{self, Claimed, Dead, Renewed, Settled, Terms};
use super::{Kind, Settings, Verdict};
use crate::clock::Clock;
use crate::contain::{self, Panicked, lock};
use crate::database::{Connection, Database, Error};

/// How stale an idle worker may be. A missed wake-up costs this much and no more.
const IDLE: Duration = Duration::from_secs(1);

/// How soon to look again when something became due since the last look.
const SOON: Duration = Duration::from_millis(10);

/// How long a worker waits after the database refused it, so that a full disk is not also a busy one.
const TROUBLE: Duration = Duration::from_secs(1);

/// Heartbeats per lease. Two may be missed before a job is taken from a worker that lives.
const BEATS_PER_LEASE: u32 = 3;

/// The work, as far as the queue knows it. The one seam that keeps an arrow from running from the queue to the work.
pub trait Handler: Send + Sync + 'static {
    /// Does the work. It may be dropped at any await, and be called again for the same job later. A panic in it is a
    /// failed attempt of this job.
    fn handle(&self, job: &Claimed) -> impl Future<Output = Verdict> + Send;

    /// How often `target` has answered anybody so far. A held target resumes only when this has grown.
    fn answers(&self, _target: &str) -> u64 {
        0
    }
}

/// The queue of one process. Clones share it.
#[derive(Debug, Clone)]
pub struct Queue {
    database: Database,
    clock: Clock,
    settings: Settings,
    /// Woken when something may be due.
    wake: Arc<Notify>,
    /// The jobs that this process works on now.
    hand: Arc<Mutex<HashSet<i64>>>,
    /// Whether the database refused the last use of it, so that this is said once.
    trouble: Arc<AtomicBool>,
}

/// A job that this process works on.
struct InHand {
    id: i64,
    hand: Arc<Mutex<HashSet<i64>>>,
}

impl InHand {
    fn new(id: i64, hand: &Arc<Mutex<HashSet<i64>>>) -> Self {
        lock(hand).insert(id);
        InHand { id, hand: hand.clone() }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        lock(&self.hand).remove(&self.id);
    }
}

impl Queue {
    pub fn new(database: Database, clock: Clock, settings: Settings) -> Self {
        Queue {
            database,
            clock,
            settings,
            wake: Arc::default(),
            hand: Arc::default(),
            trouble: Arc::default(),
        }
    }

    /// What to notify after a commit that added jobs.
    pub fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    pub fn workers(&self) -> u16 {
        self.settings.workers
    }

    /// Makes the jobs of a server that died due at once. Only for a process that knows it is alone.
    pub async fn recover(&self) -> Result<u64, Error> {
        let (now, max_attempts) = (self.clock.now(), self.settings.max_attempts);
        let expired = self.database.write(move |tx| store::release_all(tx, now, max_attempts)).await?;
        expired.dead.iter().for_each(tell_of_death);
        Ok(expired.released)
    }

    /// Works until `stop`, then finishes what is in hand unless `abandon` comes first.
    pub async fn work<H: Handler>(&self, handler: &H, stop: CancellationToken, abandon: CancellationToken) {
        while !stop.is_cancelled() {
            // Before the claim, or a job added between the claim and the wait would be missed.
            let woken = self.wake.notified();
            match self.work_one(handler, &abandon).await {
                Ok(true) => {}
                Ok(false) => {
                    let idle = self.idle().await;
                    tokio::select! { () = stop.cancelled() => {}, () = woken => {}, () = tokio::time::sleep(idle) => {} }
                }
                Err(error) => {
                    self.stumbled(&error);
                    tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(TROUBLE) => {} }
                }
            }
        }
    }

    /// Does the most urgent job that is due. False when there is none.
    pub async fn work_one<H: Handler>(
        &self,
        handler: &H,
        abandon: &CancellationToken,
    ) -> Result<bool, Error> {
        let Some((claimed, _in_hand)) = self.claim().await? else { return Ok(false) };
        let mut told = Told::of(&claimed);
        let before: Vec<(String, u64)> =
            claimed.targets().map(|target| (target.to_owned(), handler.answers(target))).collect();
        let verdict = tokio::select! {
            verdict = contain::catch(handler.handle(&claimed)) => Some(verdict.unwrap_or_else(|panicked| told.failed(&panicked))),
            () = self.keep(&claimed) => {
                tracing::warn!(job.id = told.id, job.key = told.key, "lost the lease; the job goes on elsewhere");
                return Ok(true);
            }
            () = abandon.cancelled() => None,
        };
        let heard = before.into_iter().filter(|(target, answers)| handler.answers(target) > *answers);
        let heard: Vec<String> = heard.map(|(target, _)| target).collect();
        let (settled, turns) = self.settle(&claimed, (verdict.as_ref(), &heard), abandon).await?;
        report(verdict.as_ref(), settled, &told);
        turns.iter().for_each(announce);
        Ok(true)
    }

    /// Writes down what became of a job. While the database is locked or its disk is full it tries again: the work is
    /// done, and would be done once more.
    async fn settle(
        &self,
        claimed: &Claimed,
        (verdict, heard): (Option<&Verdict>, &[String]),
        abandon: &CancellationToken,
    ) -> Result<(Settled, Vec<Turn>), Error> {
        loop {
            match self.try_settle(claimed, verdict, heard).await {
                Err(error) if error.will_pass() && !abandon.is_cancelled() => {
                    self.stumbled(&error);
                    tokio::select! { () = abandon.cancelled() => {}, () = tokio::time::sleep(TROUBLE) => {} }
                }
                settled => return settled,
            }
        }
    }

    async fn try_settle(
        &self,
        claimed: &Claimed,
        verdict: Option<&Verdict>,
        heard: &[String],
    ) -> Result<(Settled, Vec<Turn>), Error> {
        let (claimed, verdict, heard) = (claimed.again(), verdict.cloned(), heard.to_owned());
        let Settings { max_attempts, workers, .. } = self.settings;
        let now = self.clock.now();
        let settle = move |tx: &mut Connection| {
            let heard: Vec<&str> = heard.iter().map(String::as_str).collect();
            let terms = Terms { now, max_attempts, workers, heard: &heard };
            let (settled, turns) = match &verdict {
                Some(verdict) => claimed.again().settle(tx, verdict, &terms)?,
                None => (claimed.again().release(tx, now)?, Vec::new()),
            };
            Ok((settled, turns, store::is_paused(tx)?))
        };
        let (settled, turns, paced) = self.database.write(settle).await?;
        self.recovered();
        if paced || !turns.is_empty() {
            // A place may have become free at a target that resumes, and nobody else says so.
            self.wake.notify_waiters();
        }
        Ok((settled, turns))
    }

    /// When the next waiting job can be claimed, in Unix milliseconds.
    pub async fn next_due(&self) -> Result<Option<i64>, Error> {
        self.database.read(store::next_due).await
    }

    async fn claim(&self) -> Result<Option<(Claimed, InHand)>, Error> {
        // Most looks find nothing; those must not take the writer from the inbox.
        if !self.something_may_be_due().await? {
            return Ok(None);
        }
        let (now, lease, max_attempts) =
            (self.clock.now(), self.settings.lease(), self.settings.max_attempts);
        let hand = self.hand.clone();
        let claim = move |tx: &mut Connection| {
            let in_hand: Vec<i64> = lock(&hand).iter().copied().collect();
            let expired = store::expire_but(tx, (now, max_attempts), &in_hand)?;
            // In hand before the commit, after which another worker could take it for one whose worker is dead.
            let claimed = store::claim(tx, now, lease)?.map(|claimed| {
                let in_hand = InHand::new(claimed.id, &hand);
                (claimed, in_hand)
            });
            Ok((expired, claimed))
        };
        let (expired, claimed) = self.database.write(claim).await?;
        expired.dead.iter().for_each(tell_of_death);
        self.recovered();
        Ok(claimed)
    }

    /// Says once that the database cannot be used now.
    fn stumbled(&self, error: &Error) {
        if !self.trouble.swap(true, Ordering::Relaxed) {
            tracing::error!(error = %error, "the queue cannot use its database; trying again");
        }
    }

    /// Says once that it can be used again.
    fn recovered(&self) {
        if self.trouble.swap(false, Ordering::Relaxed) {
            tracing::info!("the queue uses its database again");
        }
    }

    async fn something_may_be_due(&self) -> Result<bool, Error> {
        let now = self.clock.now();
        self.database.read(move |c| store::something_due(c, now)).await
    }

    /// Renews the lease again and again; returns when it is lost.
    async fn keep(&self, claimed: &Claimed) {
        let lease = self.settings.lease();
        loop {
            tokio::time::sleep(lease / BEATS_PER_LEASE).await;
            match self.renew(claimed, lease).await {
                Ok(Renewed::Held) => {}
                Ok(Renewed::Lost) => return,
                // This process knows that it works on the job, so nobody here takes it meanwhile.
                Err(error) => self.stumbled(&error),
            }
        }
    }

    async fn renew(&self, claimed: &Claimed, lease: Duration) -> Result<Renewed, Error> {
        let (claimed, now) = (claimed.again(), self.clock.now());
        self.database.write(move |tx| claimed.renew(tx, now, lease)).await
    }

    async fn idle(&self) -> Duration {
        let Ok(Some(due)) = self.next_due().await else { return IDLE };
        match u64::try_from(due - self.clock.now()) {
            Ok(wait) if wait > 0 => Duration::from_millis(wait).min(IDLE),
            // Due since the claim, or taken by another worker.
            _ => SOON,
        }
    }
}

/// What the log tells of a job.
struct Told {
    id: i64,
    key: String,
    attempt: u16,
    probe: bool,
    /// It is not the world that is at fault, but Docket.
    panicked: bool,
}

impl Told {
    fn of(claimed: &Claimed) -> Self {
        Told {
            id: claimed.id,
            key: claimed.key.clone(),
            attempt: claimed.attempt,
            probe: claimed.is_probe(),
            panicked: false,
        }
    }

    /// A panic is a failed attempt: what made it may be gone the next time, and ends with the attempts if not.
    fn failed(&mut self, panicked: &Panicked) -> Verdict {
        self.panicked = true;
        Verdict::Retry { after: None, reason: panicked.to_string() }
    }
}

/// Says once what became of a job, where it is settled.
fn report(verdict: Option<&Verdict>, settled: Settled, told: &Told) {
    let Told { id, key, attempt, probe, panicked } = told;
    match settled {
        Settled::LeaseLost => {
            tracing::warn!(job.id = id, job.key = key, "settled too late; the job goes on elsewhere");
            return;
        }
        Settled::Dead(reason) => {
            return tell_of_death(&Dead { id: *id, key: key.clone(), attempt: (*attempt).into(), reason });
        }
        Settled::Recorded => {}
    }
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
            tracing::warn!(job.id = id, job.key = key, attempt, reason, "job got no answer, to be retried");
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

/// Every death is told, however a job came to it: nothing of the job happens any more without a person.
fn tell_of_death(dead: &Dead) {
    let Dead { id, key, attempt, reason } = dead;
    tracing::error!(job.id = id, job.key = key, attempt, reason, "job is dead: it needs a person");
}

/// Says once that a target came to be held, and once that it answers again.
fn announce(turn: &Turn) {
    match turn {
        Turn::Began { target, kind: Kind::Refusal, reason } => {
            tracing::error!(service = target, reason, "target paused: it refuses everything; its jobs wait");
        }
        Turn::Began { target, kind: Kind::Outage, reason } => {
            tracing::error!(
                service = target,
                reason,
                "target down; its jobs wait and one at a time tries it"
            );
        }
        Turn::Ended { target, lasted } => {
            let seconds = lasted.as_secs();
            tracing::info!(
                service = target,
                seconds,
                "target answers again; its jobs resume, a few at first"
            );
        }
    }
}
