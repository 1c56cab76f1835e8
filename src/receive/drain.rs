//! Turns inbox rows into events and jobs. Events and jobs are one transaction of the database; the rows leave the inbox once
//! that is on disk. So a crash anywhere repeats a pass and never drops one, and a repeated pass makes nothing new.
//!
//! Repeated deliveries fall here: an event that is known makes nothing new. A row that cannot be read becomes an
//! ignored event that says so, because a row that stays would stop all that come after it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::ahead::Ahead;
use super::count::{Count, Counters};
use super::inbox::Level;
use super::store::{self, InboxRow, Limits};
use crate::clock::Clock;
use crate::database::{Connection, Database, Error, spread};
use crate::event::payload::{self, Parsed};
use crate::event::{self, Event, Kind, Proof, Recorded, Report, Source, Wanted};
use crate::job::Task;
use crate::listen::gate::Gate;

/// What one pass takes.
const LIMITS: Limits = Limits { rows: 1_000, bytes: 4 * 1024 * 1024 };
const PORTION_EVENTS: usize = payload::MAX_EVENTS;

/// Events recorded before it is asked whether others wait for the database: some tenths of a millisecond.
const STRETCH: usize = 32;

/// Ignored events of one delivery that are kept, to show what it was like. Of the rest only their number is: rows that ask for
/// nothing must not take many times the space of what was sent.
const IGNORED_KEPT: usize = 8;

/// Workers that are woken at once: one for each job, because all of them looking for one job keep it waiting.
const WOKEN: usize = 64;

/// How long a missed wake-up may leave a delivery lying.
const IDLE: Duration = Duration::from_secs(5);

/// The same, where other servers take deliveries too, which wake nobody here.
const IDLE_SHARED: Duration = Duration::from_millis(250);

/// How long to wait after the database refused a pass, so that a full disk is not also a busy one.
const TROUBLE: Duration = Duration::from_secs(1);

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
    let wanted: Wanted = Arc::new(|_, _| Ok(true));
    let Some(portion) = database.read_inbox(|c| oldest(c, &Ahead::default())).await? else {
        return Ok(Drained::default());
    };
    portion.record(database, &wanted, now).await
}

/// Some rows, and what they report.
struct Portion {
    /// Their numbers. One that is missing between them may be a row that is not committed yet, and is to stay.
    ranges: Vec<RangeInclusive<i64>>,
    last: i64,
    rows: usize,
    reports: Vec<Report>,
    /// The last row there is.
    newest: i64,
}

impl Portion {
    /// Records what they report, and removes them.
    async fn record(self, database: &Database, wanted: &Wanted, now: i64) -> Result<Drained, Error> {
        let Portion { ranges, rows, reports, .. } = self;
        let recorded = record(database, reports, wanted, now).await?;
        // A crash before this repeats the pass, and every event of it is known then.
        let removed = database.write_inbox(move |tx| store::delete(tx, &ranges)).await?;
        let event::Recorded { new, duplicate, jobs } = recorded;
        Ok(Drained { rows, removed, new, duplicate, jobs })
    }
}

/// Records reports in stretches, between which the workers' writes get their turn. Only the last commit waits for the disk, and takes
/// all before it along.
async fn record(
    database: &Database,
    reports: Vec<Report>,
    wanted: &Wanted,
    now: i64,
) -> Result<Recorded, Error> {
    let (reports, mut recorded, mut done) = (Arc::new(reports), Recorded::default(), 0);
    while reports.len() - done > STRETCH {
        let (all, wanted) = (reports.clone(), wanted.clone());
        let some = move |tx: &mut Connection, others_wait: &dyn Fn() -> bool| {
            let (mut some, mut until) = (Recorded::default(), done);
            for stretch in all[done..all.len() - STRETCH].chunks(STRETCH) {
                some += event::record_wanted(tx, stretch, &*wanted, now)?;
                until += stretch.len();
                if others_wait() {
                    break;
                }
            }
            Ok((some, until))
        };
        let (some, until) = database.write_behind(some).await?;
        recorded += some;
        done = until;
    }
    let wanted = wanted.clone();
    recorded += database.write(move |tx| event::record_wanted(tx, &reports[done..], &*wanted, now)).await?;
    Ok(recorded)
}

fn oldest(connection: &mut Connection, ahead: &Ahead) -> Result<Option<Portion>, Error> {
    let mut rows = store::oldest(connection, LIMITS)?;
    let reports = read(&mut rows, ahead);
    let Some(last) = rows.last().map(|row| row.inbox_id) else { return Ok(None) };
    let ranges = store::ranges(rows.iter().map(|row| row.inbox_id));
    Ok(Some(Portion { ranges, last, rows: rows.len(), reports, newest: store::last(connection)? }))
}

/// What `rows` report, at least one of them. Those are left out that would make the pass too long.
fn read(rows: &mut Vec<InboxRow>, ahead: &Ahead) -> Vec<Report> {
    let (mut all, mut taken) = (Vec::new(), 0);
    for row in rows.iter() {
        let reports = if ahead.has(row.inbox_id) { Vec::new() } else { reports(row) };
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
    pub(super) wanted: Wanted,
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
        let mut ahead = Ahead::default();
        while !stop.is_cancelled() {
            let wait = match self.pass(&mut ahead).await {
                Ok(rows) if rows > 0 => continue,
                Ok(_) if self.database.replica().is_some() => spread(IDLE_SHARED),
                Ok(_) => IDLE,
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
    }

    /// One pass over the oldest rows, as [`drain_once`], but without jobs that are not wanted. Answers how many rows it took.
    ///
    /// # Errors
    /// The database's.
    pub async fn once(&self) -> Result<usize, Error> {
        self.pass(&mut Ahead::default()).await
    }

    async fn pass(&self, ahead: &mut Ahead) -> Result<usize, Error> {
        let known = ahead.clone();
        let Some(portion) = self.database.read_inbox(move |c| oldest(c, &known)).await? else { return Ok(0) };
        ahead.go_on(portion.last, portion.newest);
        let recording = portion.record(&self.database, &self.wanted, self.clock.now());
        tokio::pin!(recording);
        let drained = loop {
            tokio::select! {
                biased;
                drained = &mut recording => break drained?,
                () = self.wake.notified(), if ahead.may_go() && !ahead.is_told => ahead.is_told = true,
                () = tokio::time::sleep(ahead.rest()), if ahead.may_go() && ahead.is_told => {
                    if let Err(error) = self.look_ahead(ahead).await {
                        tracing::debug!(%error, "what has just come waits for its turn");
                    }
                }
            }
        };
        self.level.drained(drained.removed);
        self.tell(drained.new, drained.duplicate, drained.jobs);
        Ok(drained.rows)
    }

    /// Records what has just come before its turn, unless that is much: a change that a person makes now does not wait for the
    /// hundred thousands of an outage or a flood. Its row stays until the pass that removes those before it, and where this fails it is
    /// recorded by that pass.
    async fn look_ahead(&self, ahead: &mut Ahead) -> Result<(), Error> {
        let Some(after) = ahead.look() else { return Ok(()) };
        let rows = self.database.read_inbox(move |c| store::newest(c, after, Ahead::AT_ONCE)).await?;
        let Some(ranges) = ahead.take(&rows) else { return Ok(()) };
        let reports: Vec<Report> = rows.iter().rev().flat_map(reports).collect();
        let Recorded { new, duplicate, jobs } =
            record(&self.database, reports, &self.wanted, self.clock.now()).await?;
        ahead.recorded(ranges);
        self.tell(new, duplicate, jobs);
        Ok(())
    }

    /// Counts what was recorded, and wakes those for whom there is work.
    fn tell(&self, new: usize, duplicate: usize, jobs: usize) {
        self.counters.add(Count::New, new as u64);
        self.counters.add(Count::Duplicate, duplicate as u64);
        if new > 0 {
            self.heard.notify_one();
        }
        for _ in 0..jobs.min(WOKEN) {
            self.workers.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use secrecy::SecretString;

    use super::*;
    use crate::database::{params, statements};
    use crate::receive::{self, Parts, Settings};

    statements! {
        EVENTS = "SELECT count(*) FROM event";
    }

    async fn deliver(database: &Database, ids: std::ops::RangeInclusive<u32>) {
        let delivery = |id| {
            store::Delivery {
            received_at: 1,
            signed_at: 1,
            scheme: "fastio_v1_base64",
            secret_index: 0,
            headers: "{}".to_owned(),
            body: format!(
                r#"{{"event_id":"{id}","event":"workspace_storage_file_added","workspace_id":"7","object_id":"2n{id}"}}"#
            )
            .into_bytes(),
            request_id: String::new(),
        }
        };
        let deliveries: Vec<_> = ids.map(delivery).collect();
        database.write_inbox(move |tx| store::insert(tx, &deliveries)).await.unwrap();
    }

    #[tokio::test]
    async fn what_could_not_be_recorded_before_its_turn_is_recorded_at_its_turn() {
        let folder = tempfile::tempdir().unwrap();
        let database =
            Database::open(&format!("sqlite://{}/docket.db", folder.path().display())).await.unwrap();
        let is_down = Arc::new(AtomicBool::new(false));
        let down = is_down.clone();
        let parts = Parts {
            database: database.clone(),
            clock: Clock::default(),
            workers: Arc::default(),
            heard: Arc::default(),
            wanted: Arc::new(move |_, _| match down.load(Ordering::SeqCst) {
                true => Err(Error::passing("the disk is full")),
                false => Ok(true),
            }),
        };
        let secret = SecretString::from("a-secret-that-is-long-enough-for-a-test");
        let drain = receive::open(Settings::default(), &[secret], parts).await.unwrap().drain;
        let mut ahead = Ahead::default();
        deliver(&database, 1..=LIMITS.rows + 1).await;
        assert_eq!(drain.pass(&mut ahead).await.unwrap(), LIMITS.rows as usize);
        deliver(&database, 5_000..=5_001).await;
        is_down.store(true, Ordering::SeqCst);
        drain.look_ahead(&mut ahead).await.unwrap_err();
        is_down.store(false, Ordering::SeqCst);
        assert_eq!(drain.pass(&mut ahead).await.unwrap(), 3);
        let events: i64 = database.read(|c| c.one(EVENTS, params![])).await.unwrap();
        assert_eq!(events, i64::from(LIMITS.rows) + 3);
    }
}
