//! Turns inbox rows into events and jobs. Events and jobs are one transaction of the database; the rows leave the inbox once
//! that is on disk. So a crash anywhere repeats a pass and never drops one, and a repeated pass makes nothing new.
//!
//! Repeated deliveries fall here: an event that is known makes nothing new. A row that cannot be read becomes an
//! ignored event that says so, because a row that stays would stop all that come after it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::count::{Count, Counters};
use super::inbox::Level;
use super::store::{self, InboxRow, Limits};
use crate::clock::Clock;
use crate::database::{Connection, Database, Error};
use crate::event::payload::{self, Parsed};
use crate::event::{self, Event, Kind, Proof, Report, Source};
use crate::job::Task;
use crate::listen::gate::Gate;

/// What one transaction takes. It holds the database's writer for some milliseconds, which workers wait for and
/// acknowledgements do not.
const LIMITS: Limits = Limits { rows: 256, bytes: 4 * 1024 * 1024 };
const PORTION_EVENTS: usize = payload::MAX_EVENTS;

/// Ignored events of one delivery that are kept, to show what it was like. Of the rest only their number is: rows that ask for
/// nothing must not take many times the space of what was sent.
const IGNORED_KEPT: usize = 8;

/// How long a missed wake-up may leave a delivery lying.
const IDLE: Duration = Duration::from_secs(5);

/// How long to wait after the database refused a pass, so that a full disk is not also a busy one.
const TROUBLE: Duration = Duration::from_secs(1);

/// How many seconds of counts a crash may forget.
const FLUSH: Duration = Duration::from_secs(3);

/// How long the last flush of the counts may hold up a stop.
const LAST_FLUSH: Duration = Duration::from_secs(2);

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Inbox rows that were read.
    pub rows: usize,
    /// Those of them that are gone now.
    pub removed: u64,
    pub new: usize,
    pub duplicate: usize,
    pub jobs: usize,
}

/// One pass over the oldest rows: at most a portion of them. No rows means that the inbox is empty.
pub async fn drain_once(database: &Database, now: i64) -> Result<Drained, Error> {
    let Some(Portion { first, last, rows, reports }) = database.read_inbox(portion).await? else {
        return Ok(Drained::default());
    };
    let recorded = database.write(move |tx| event::record(tx, &reports, now)).await?;
    // A crash before this repeats the pass, and every event of it is known then.
    let removed = database.write_inbox(move |tx| store::delete(tx, first, last)).await?;
    let event::Recorded { new, duplicate, jobs } = recorded;
    Ok(Drained { rows, removed, new, duplicate, jobs })
}

/// The oldest rows, and what they report.
struct Portion {
    first: i64,
    last: i64,
    rows: usize,
    reports: Vec<Report>,
}

fn portion(connection: &mut Connection) -> Result<Option<Portion>, Error> {
    let mut rows = store::oldest(connection, LIMITS)?;
    let reports = read(&mut rows);
    let ends = rows.first().zip(rows.last()).map(|(first, last)| (first.inbox_id, last.inbox_id));
    Ok(ends.map(|(first, last)| Portion { first, last, rows: rows.len(), reports }))
}

/// What `rows` report, at least one of them. Those are left out that would make the transaction too long.
fn read(rows: &mut Vec<InboxRow>) -> Vec<Report> {
    let (mut all, mut taken) = (Vec::new(), 0);
    for row in rows.iter() {
        let reports = reports(row);
        if taken > 0 && all.len() + reports.len() > PORTION_EVENTS {
            break;
        }
        all.extend(reports);
        taken += 1;
    }
    rows.truncate(taken);
    all
}

fn reports(row: &InboxRow) -> Vec<Report> {
    let report = |event, also, payload| Report {
        event: known(event, row.signed_at),
        also,
        source: Source::Webhook,
        received_at: row.received_at,
        proof: Some(Proof {
            scheme: row.scheme.clone(),
            secret_index: u32::try_from(row.secret_index).unwrap_or_default(),
        }),
        payload,
        request_id: row.request_id.clone(),
    };
    match payload::parse(&row.body) {
        Ok(parsed) => few_ignored(parsed)
            .into_iter()
            .map(|parsed| report(parsed.event, parsed.also, Some(parsed.payload)))
            .collect(),
        Err(why) => vec![report(payload::unreadable(&row.body, why), vec![payload::EVERYWHERE], None)],
    }
}

/// An id that was made from the bytes is only the delivery's with the time at which it was signed: the same bytes signed
/// later may tell of another change.
fn known(event: Event, signed_at: Option<i64>) -> Event {
    match signed_at.filter(|_| event.has_made_id()) {
        Some(at) => Event { id: format!("{}@{at}", event.id), ..event },
        None => event,
    }
}

/// The same, but of many ignored events only the first and how many more there were, with all that they ask for.
fn few_ignored(parsed: Vec<Parsed>) -> Vec<Parsed> {
    let (ignored, mut kept): (Vec<_>, Vec<_>) =
        parsed.into_iter().partition(|parsed| parsed.event.kind == Kind::Ignored);
    let mut ignored = ignored.into_iter();
    kept.extend(ignored.by_ref().take(IGNORED_KEPT));
    if let Some(mut next) = ignored.next() {
        let because = format!("this and {} more of its delivery name no file that changed", ignored.len());
        next.event = next.event.ignored(because);
        let asked = next.also.into_iter().chain(ignored.flat_map(|parsed| parsed.also));
        next.also =
            asked.map(|task| (task.key(), task)).collect::<BTreeMap<String, Task>>().into_values().collect();
        kept.push(next);
    }
    kept
}

/// The drain of a running server. Clones share its counts.
#[derive(Clone)]
pub struct Drain {
    pub(super) database: Database,
    pub(super) clock: Clock,
    pub(super) level: Arc<Level>,
    pub(super) counters: Arc<Counters>,
    /// Notified after each commit to the inbox.
    pub(super) wake: Arc<Notify>,
    /// To be notified after a commit that added jobs.
    pub(super) workers: Arc<Notify>,
    /// To be notified when something new was told.
    pub(super) heard: Arc<Notify>,
}

impl Drain {
    /// Drains until `stop`. What is left then is on disk, and the next start goes on with it.
    pub async fn run(self, stop: CancellationToken) {
        let gate = Gate::default();
        let mut flushed = Instant::now();
        while !stop.is_cancelled() {
            let wait = match self.pass(&mut flushed).await {
                Ok(rows) if rows > 0 => continue,
                Ok(_) => self.idle(),
                Err(error) => {
                    if let Some(suppressed) = gate.pass() {
                        tracing::error!(error = %error, suppressed, "the inbox cannot be drained; trying again");
                    }
                    tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(TROUBLE) => {} }
                    continue;
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        let _ = tokio::time::timeout(LAST_FLUSH, self.flush()).await;
    }

    /// Counts that wait are written within seconds, also when nothing else happens.
    fn idle(&self) -> Duration {
        if self.counters.is_empty() { IDLE } else { FLUSH }
    }

    async fn pass(&self, flushed: &mut Instant) -> Result<usize, Error> {
        let drained = drain_once(&self.database, self.clock.now()).await?;
        self.level.drained(drained.removed);
        self.counters.add(Count::New, drained.new as u64);
        self.counters.add(Count::Duplicate, drained.duplicate as u64);
        if drained.new > 0 {
            self.heard.notify_one();
        }
        if drained.jobs > 0 {
            self.workers.notify_waiters();
        }
        if flushed.elapsed() >= FLUSH {
            *flushed = Instant::now();
            self.flush().await?;
        }
        Ok(drained.rows)
    }

    async fn flush(&self) -> Result<(), Error> {
        let taken = self.counters.take();
        if taken.is_empty() {
            return Ok(());
        }
        let counted = taken.clone();
        let result = self.database.write(move |tx| store::add_counts(tx, &counted)).await;
        if result.is_err() {
            self.counters.put_back(taken);
        }
        result
    }
}
