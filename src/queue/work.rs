//! Working on jobs: claim one, hand it to the handler under a heartbeat, settle it. [`Queue::work`] does that for ever,
//! [`Queue::work_one`] once.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::breaker::{self, Breaker, Causes, Change, Gates, Judgement, Outcome};
use super::report::{Report, report_change, report_death};
use super::store::{self, Claimant, Claimed, Expired, Expiry, Heads, Renewed, Settled, Settling};
use super::witness::{Attempt, Ended, Witness};
use super::{Settings, Verdict};
use crate::clock::Clock;
use crate::contain;
use crate::database::{Connection, Database, Error, claimed, spread};
use crate::queue::trail::{self, Trail};
use crate::request_id;
use crate::telemetry::{Meters, trace};

/// How stale an idle worker may be, about. A missed wake-up costs this much and no more.
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

    /// How often `cause` has answered any request so far, where that is counted. What is held resumes only when this has grown.
    fn answers(&self, _cause: &str) -> Option<u64> {
        None
    }

    /// How often the work was done so far that a cause may refuse, for each cause of which it is counted.
    fn done(&self) -> HashMap<String, u64> {
        HashMap::new()
    }
}

/// What follows when a job dies, in the transaction in which it does.
pub trait Heir: fmt::Debug + Send + Sync + 'static {
    /// # Errors
    /// The database's.
    fn died(&self, connection: &mut Connection, death: &Death<'_>) -> Result<(), Error>;
}

/// A job that dies.
#[derive(Debug, Clone, Copy)]
pub struct Death<'a> {
    pub key: &'a str,
    /// When its last attempt began, if that is known: of a worker that stopped without a word it is not.
    pub begun_at: Option<i64>,
    pub now: i64,
}

/// The queue of one process. Clones share it.
#[derive(Debug, Clone)]
pub struct Queue {
    database: Database,
    clock: Clock,
    settings: Settings,
    /// Woken when something may be due.
    wake: Arc<Notify>,
    /// What holds work, and the jobs that this process works on.
    breaker: Breaker,
    heads: Heads,
    heir: Arc<OnceLock<Arc<dyn Heir>>>,
    witness: Arc<OnceLock<Arc<dyn Witness>>>,
    /// The number of this server, where several share the queue.
    replica: Option<i64>,
    /// Whether the database refused the last use of it, so that this is said once.
    trouble: Arc<AtomicBool>,
    meters: Meters,
}

/// What is known before a claim.
#[derive(Debug, Clone, Copy)]
enum Look {
    /// Nothing: it is looked first whether anything is due.
    First,
    /// A job was added, or there was one just now.
    Told,
}

/// What settling a job did.
#[derive(Debug)]
pub struct Settlement {
    pub settled: Settled,
    pub changes: Vec<Change>,
}

/// The end of a job in hand.
struct End {
    claimed: Claimed,
    outcome: Outcome,
    judgement: Judgement,
    trail: Trail,
}

impl Queue {
    pub fn new(database: Database, clock: Clock, settings: Settings) -> Self {
        Queue {
            replica: database.replica(),
            database,
            clock,
            settings,
            wake: Arc::default(),
            breaker: Breaker::default(),
            heads: Heads::default(),
            heir: Arc::default(),
            witness: Arc::default(),
            trouble: Arc::default(),
            meters: Meters::default(),
        }
    }

    /// Attempts are measured with `meters` from now on.
    #[must_use]
    pub fn measured(mut self, meters: &Meters) -> Self {
        self.meters = meters.clone();
        self
    }

    /// What to notify after a commit that added jobs.
    pub fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    /// Asks this for when limits have room.
    pub fn ask(&self, gates: Arc<dyn Gates>) {
        self.breaker.ask(gates);
    }

    /// Tells this of each job that dies. The first one is told.
    pub fn tell(&self, heir: Arc<dyn Heir>) {
        self.heir.get_or_init(|| heir);
    }

    /// Tells this of each attempt that ends. The first one is told.
    pub fn watch(&self, witness: Arc<dyn Witness>) {
        self.witness.get_or_init(|| witness);
    }

    /// What is held, for those who work.
    pub fn causes(&self) -> Causes {
        self.breaker.causes()
    }

    pub fn workers(&self) -> u16 {
        self.settings.workers
    }

    /// Makes the jobs of servers that died due at once. Only before this one works, and holds the database's file if it is one.
    pub async fn recover(&self) -> Result<u64, Error> {
        let (now, max_attempts, replica) = (self.clock.now(), self.settings.max_attempts, self.replica);
        let told = self.told();
        let release = move |tx: &mut Connection| {
            let expired = store::release_all(tx, (now, max_attempts), replica)?;
            told.expired(tx, (&expired, now))?;
            Ok(expired)
        };
        let expired = self.database.write(release).await?;
        expired.dead.iter().for_each(report_death);
        Ok(expired.released.len() as u64)
    }

    /// Works until `stop`, then finishes what is in hand unless `abandon` comes first.
    pub async fn work<H: Handler>(&self, handler: &H, stop: CancellationToken, abandon: CancellationToken) {
        let mut look = Look::First;
        while !stop.is_cancelled() {
            // Before the claim, or a job added between the claim and the wait would be missed.
            let woken = self.wake.notified();
            match self.work_next(handler, &abandon, look).await {
                Ok(true) => look = Look::Told,
                Ok(false) => {
                    let idle = self.idle().await;
                    look = tokio::select! {
                        () = stop.cancelled() => return,
                        () = woken => Look::Told,
                        () = tokio::time::sleep(idle) => Look::First,
                    };
                }
                Err(error) => {
                    self.database_fails(&error);
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
        self.work_next(handler, abandon, Look::First).await
    }

    fn told(&self) -> Told {
        Told { heir: self.heir.clone(), witness: self.witness.clone() }
    }

    async fn work_next<H: Handler>(
        &self,
        handler: &H,
        abandon: &CancellationToken,
        look: Look,
    ) -> Result<bool, Error> {
        let claimed = match look {
            Look::First => self.claim().await?,
            Look::Told => self.claim_told().await?,
        };
        let Some(claimed) = claimed else { return Ok(false) };
        let request = claimed.request_id.clone();
        // In a box of its own: without, each of what is around it takes as much of a thread's stack once more.
        let work = Box::pin(self.work_on(handler, claimed, abandon));
        request_id::scope(request.as_deref(), work).await?;
        Ok(true)
    }

    /// Does a job, and what it asks for on the way for the request that asked for it.
    async fn work_on<H: Handler>(
        &self,
        handler: &H,
        claimed: Claimed,
        abandon: &CancellationToken,
    ) -> Result<(), Error> {
        let mut report = Report::of(&claimed);
        let kind = claimed.kind().to_owned();
        let span = trace::job(claimed.request_id.as_deref(), &kind, claimed.attempt);
        let begun = Instant::now();
        let count = |cause: &str| Some((cause.to_owned(), handler.answers(cause)?));
        let before: Vec<(String, u64)> = claimed.causes().filter_map(count).collect();
        let done_before = handler.done();
        // In a box too: it is the largest of what is nested here.
        let work = Box::pin(claimed::scope(claimed.claim(), handler.handle(&claimed)));
        let work = breaker::working(claimed.working(), work).instrument(span.clone());
        let trail = Trail::default();
        let work = trail::scope(trail.clone(), work);
        let verdict = tokio::select! {
            verdict = contain::catch(work) => Some(verdict.unwrap_or_else(|panicked| report.panicked(&panicked))),
            () = self.keep(&claimed) => {
                report.lost_the_lease();
                self.meters.attempt(&kind, "lease_lost", begun.elapsed());
                trace::settled(&span, "lease_lost");
                return Ok(());
            }
            () = abandon.cancelled() => None,
        };
        let (heard, unheard): (Vec<_>, Vec<_>) =
            before.into_iter().partition(|(cause, answers)| handler.answers(cause) > Some(*answers));
        let [heard, unheard] =
            [heard, unheard].map(|causes| causes.into_iter().map(|(cause, _)| cause).collect());
        let grew =
            |(cause, times): &(String, u64)| done_before.get(cause).is_none_or(|before| before < times);
        let done = handler.done().into_iter().filter(grew).map(|(cause, _)| cause).collect();
        let outcome = Outcome { verdict, heard, unheard, done };
        let Settlement { settled, changes } =
            self.settle_on(claimed, (outcome.clone(), trail), abandon).await?;
        let word = ended(outcome.verdict.as_ref(), &settled);
        self.meters.attempt(&kind, word, begun.elapsed());
        trace::settled(&span, word);
        report.settled(outcome.verdict.as_ref(), settled);
        changes.iter().for_each(report_change);
        Ok(())
    }

    /// Takes the most urgent job that is due and that nothing holds. [`Queue::settle`] ends the claim, or its lease does once
    /// it is dropped.
    ///
    /// # Errors
    /// The database's.
    pub async fn claim(&self) -> Result<Option<Claimed>, Error> {
        // Most looks find nothing; those must not take the writer from the drain.
        if self.next_due().await?.is_none_or(|due| due > self.clock.now()) {
            return Ok(None);
        }
        self.claim_told().await
    }

    async fn claim_told(&self) -> Result<Option<Claimed>, Error> {
        let (now, lease, max_attempts) =
            (self.clock.now(), self.settings.lease(), self.settings.max_attempts);
        let replica = self.replica;
        let (breaker, heads, told) = (self.breaker.clone(), self.heads.clone(), self.told());
        let claim = move |tx: &mut Connection| {
            breaker::store::look(tx, &breaker, (replica, now))?;
            let expiry = Expiry { now, max_attempts, replica, in_hand: &breaker.in_hand() };
            let claimant = Claimant { now, lease, replica, heads: &heads };
            // Where many have the queue, a look at what they have in hand may cost much more than a claim.
            if replica.is_some()
                && !heads.is_time_for_leases()
                && let Some(claimed) = store::claim(tx, &breaker, &claimant)?
            {
                return Ok((Expired::default(), Some(claimed), breaker::store::save(tx, &breaker)?));
            }
            let expired = heads.at_leases(|| store::expire(tx, &expiry))?;
            told.expired(tx, (&expired, now))?;
            let claimed = store::claim(tx, &breaker, &claimant)?;
            Ok((expired, claimed, breaker::store::save(tx, &breaker)?))
        };
        // What is lost of a file with the power loses its worker too: then the job waits as before. PostgreSQL has it on the disk.
        let (expired, claimed, saved) = self.database.claim(claim).await?;
        saved.into_iter().for_each(|saved| self.breaker.saved(saved));
        expired.dead.iter().for_each(report_death);
        self.database_works();
        Ok(claimed)
    }

    /// Writes down what became of a job, and what that says about the causes it needs. While the database is locked or its
    /// disk is full it tries again, unless `abandon` comes first: the work is done, and would be done once more.
    ///
    /// # Errors
    /// The database's.
    pub async fn settle(
        &self,
        claimed: Claimed,
        outcome: Outcome,
        abandon: &CancellationToken,
    ) -> Result<Settlement, Error> {
        self.settle_on(claimed, (outcome, Trail::default()), abandon).await
    }

    async fn settle_on(
        &self,
        claimed: Claimed,
        (outcome, trail): (Outcome, Trail),
        abandon: &CancellationToken,
    ) -> Result<Settlement, Error> {
        let mut judgement = self.breaker.judge(&claimed, &outcome, self.clock.now(), self.settings.workers);
        let changes = std::mem::take(&mut judgement.changes);
        let end = Arc::new(End { claimed, outcome, judgement, trail });
        let settled = loop {
            match self.try_settle(end.clone()).await {
                Ok(settled) => break settled,
                Err(error) if error.will_pass() && !abandon.is_cancelled() => {
                    self.database_fails(&error);
                    tokio::select! { () = abandon.cancelled() => {}, () = tokio::time::sleep(TROUBLE) => {} }
                }
                Err(error) => return Err(error),
            }
        };
        self.database_works();
        self.breaker.put_down(end.claimed.lease());
        if self.breaker.is_any() || !changes.is_empty() {
            // A place may have become free at a service that resumes, and nothing else says so.
            self.wake.notify_waiters();
        }
        Ok(Settlement { settled, changes })
    }

    async fn try_settle(&self, end: Arc<End>) -> Result<Settled, Error> {
        let (breaker, told) = (self.breaker.clone(), self.told());
        let (now, max_attempts, replica) = (self.clock.now(), self.settings.max_attempts, self.replica);
        let settle = move |tx: &mut Connection| {
            let End { claimed, outcome, judgement, trail } = &*end;
            let lost = Verdict::Blocked { reason: "the database was started anew meanwhile".to_owned() };
            let verdict = match &outcome.verdict {
                // It may have lost what was written on the way.
                Some(Verdict::Done) if !tx.is_alive_since(claimed.claim())? => Some(&lost),
                verdict => verdict.as_ref(),
            };
            let settled = store::settle(tx, &Settling { claimed, verdict, judgement, now, max_attempts })?;
            if matches!(settled, Settled::Dead(_)) {
                let death = Death { key: &claimed.key, begun_at: Some(claimed.claimed_at), now };
                told.died(tx, &death)?;
            }
            if let Some((ended, reason)) = Ended::of(verdict, &settled) {
                told.ended(
                    tx,
                    &Attempt {
                        job_id: claimed.id,
                        key: &claimed.key,
                        number: claimed.attempt,
                        due_at: Some(claimed.due_at),
                        began_at: Some(claimed.claimed_at),
                        ended_at: now,
                        ended,
                        reason,
                        request_id: claimed.request_id.as_deref(),
                        trail,
                    },
                )?;
            }
            if judgement.resumes {
                breaker.open_unawaited(&store::due(tx, now)?);
            }
            if matches!(verdict, Some(Verdict::Done | Verdict::Dead { .. })) && breaker.is_any() {
                let mut needed = store::due(tx, i64::MAX)?;
                needed.extend(store::elsewhere(tx, replica)?);
                breaker.open_unneeded(&needed, claimed.lease());
            }
            Ok((settled, breaker::store::save(tx, &breaker)?))
        };
        // A job that is done is done again, should the power fail.
        let (settled, saved) = self.database.write_unsynced(settle).await?;
        saved.into_iter().for_each(|saved| self.breaker.saved(saved));
        Ok(settled)
    }

    /// When the next job can be claimed, in Unix milliseconds.
    ///
    /// # Errors
    /// The database's.
    pub async fn next_due(&self) -> Result<Option<i64>, Error> {
        let (breaker, heads) = (self.breaker.clone(), self.heads.clone());
        let (now, lease, replica) = (self.clock.now(), self.settings.lease(), self.replica);
        self.database
            .read(move |c| {
                breaker::store::look(c, &breaker, (replica, now))?;
                store::next_due(c, &breaker, &Claimant { now, lease, replica, heads: &heads })
            })
            .await
    }

    /// Says once that the database cannot be used now.
    fn database_fails(&self, error: &Error) {
        if !self.trouble.swap(true, Ordering::Relaxed) {
            tracing::error!(error = %error, "the queue cannot use its database; trying again");
        }
    }

    /// Says once that it can be used again.
    fn database_works(&self) {
        if self.trouble.swap(false, Ordering::Relaxed) {
            tracing::info!("the queue uses its database again");
        }
    }

    /// Renews the lease again and again; returns when it is lost. Where several servers share the queue, it is this one's own lease that
    /// counts.
    async fn keep(&self, claimed: &Claimed) {
        if self.replica.is_some() {
            return std::future::pending().await;
        }
        let lease = self.settings.lease();
        loop {
            tokio::time::sleep(lease / BEATS_PER_LEASE).await;
            match self.renew(claimed, lease).await {
                Ok(Renewed::Held) => {}
                Ok(Renewed::Lost) => return,
                // This process knows that it works on the job, so no worker here takes it meanwhile.
                Err(error) => self.database_fails(&error),
            }
        }
    }

    async fn renew(&self, claimed: &Claimed, lease: Duration) -> Result<Renewed, Error> {
        let (held, now) = (claimed.lease(), self.clock.now());
        self.database.write_unsynced(move |tx| held.renew(tx, now, lease)).await
    }

    async fn idle(&self) -> Duration {
        let most = spread(IDLE);
        let Ok(Some(due)) = self.next_due().await else { return most };
        match u64::try_from(due - self.clock.now()) {
            Ok(wait) if wait > 0 => Duration::from_millis(wait).min(most),
            // Due since the claim, or taken by another worker.
            _ => SOON,
        }
    }
}

/// How an attempt ended, in one word.
fn ended(verdict: Option<&Verdict>, settled: &Settled) -> &'static str {
    match (settled, verdict) {
        (Settled::LeaseLost, _) => "lease_lost",
        (Settled::Dead(_), _) => "dead",
        (Settled::Recorded, None) => "given_back",
        (Settled::Recorded, Some(verdict)) => verdict.word(),
    }
}

/// Who hears of what becomes of jobs, in the transaction that writes it down.
struct Told {
    heir: Arc<OnceLock<Arc<dyn Heir>>>,
    witness: Arc<OnceLock<Arc<dyn Witness>>>,
}

impl Told {
    fn died(&self, connection: &mut Connection, death: &Death<'_>) -> Result<(), Error> {
        self.heir.get().map_or(Ok(()), |heir| heir.died(connection, death))
    }

    fn ended(&self, connection: &mut Connection, attempt: &Attempt<'_>) -> Result<(), Error> {
        self.witness.get().map_or(Ok(()), |witness| witness.ended(connection, attempt))
    }

    /// Of the jobs whose workers stopped without a word.
    fn expired(&self, connection: &mut Connection, (expired, now): (&Expired, i64)) -> Result<(), Error> {
        for dead in &expired.dead {
            self.died(connection, &Death { key: &dead.key, begun_at: None, now })?;
        }
        let lost = expired.released.iter().map(|orphan| (Ended::Lost, orphan));
        for (ended, orphan) in lost.chain(expired.dead.iter().map(|orphan| (Ended::Dead, orphan))) {
            self.ended(
                connection,
                &Attempt {
                    job_id: orphan.id,
                    key: &orphan.key,
                    number: orphan.attempt.try_into().unwrap_or(u16::MAX),
                    due_at: None,
                    began_at: None,
                    ended_at: now,
                    ended,
                    reason: Some(&orphan.reason),
                    request_id: None,
                    trail: &Trail::default(),
                },
            )?;
        }
        Ok(())
    }
}
