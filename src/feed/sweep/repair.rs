//! What is done about a difference: a belief of ours is corrected where it is wrong, and the file gets its job. Both are
//! one transaction, with the event that tells a person why.

use super::difference::Kind;
use super::{FINDINGS_KEPT, Finding, Sweeper, Tell};
use crate::database::{self, Connection};
use crate::event::{self, Event, Kind as EventKind, Report, Source, Subject};
use crate::fastio::FileKey;
use crate::feed::Error;
use crate::job::Task;
use crate::openai::Attributes;
use crate::queue;
use crate::sync::copy::CopyId;
use crate::sync::survey::{self, Adopted};

/// Jobs added in one transaction, so that the drain and the workers get their turn in between.
const AT_ONCE: usize = 500;

/// A difference and what to do about it.
#[derive(Debug)]
pub struct Repair {
    pub finding: Finding,
    pub key: FileKey,
    pub correction: Option<Correction>,
    /// Whether the file gets its job at once. What may be a ghost waits until it is known how many there are.
    pub job: bool,
}

/// A belief that is wrong.
#[derive(Debug)]
pub enum Correction {
    /// The vector store has these attributes.
    Attributes(CopyId, Attributes),
    /// The vector store does not hold it.
    Attachment(CopyId),
    /// The vector store holds it and does not find it.
    Index(CopyId),
    /// The File object is gone.
    Object(CopyId),
    /// This is ours. With the number of the lost upload that proves it, if that is what does.
    Adopt(Box<Adopted>, Option<i64>),
}

impl Sweeper<'_> {
    /// Does what there is to do about `repairs`, except what a job has in hand.
    pub async fn repair(&mut self, repairs: Vec<Repair>) -> Result<(), Error> {
        let repairs = self.not_in_hand(repairs, |repair| task(&repair.key)).await?;
        for repair in &repairs {
            self.found(&repair.finding, repair.job);
        }
        if self.scope.dry_run {
            return Ok(());
        }
        let mut repairs = repairs.into_iter().peekable();
        while repairs.peek().is_some() {
            self.write(repairs.by_ref().take(AT_ONCE).collect()).await?;
        }
        Ok(())
    }

    /// A difference, and whether a job is asked for: counted and told.
    pub fn found(&mut self, finding: &Finding, job: bool) {
        self.report.count(finding.kind);
        self.report.queued += u64::from(job);
        self.keep(finding.clone());
        (self.tell)(Tell::Found(finding));
    }

    /// Keeps it with the sweep, if it is among the first.
    pub fn keep(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_KEPT {
            self.findings.push(finding);
        }
    }

    /// Those whose task has no job. One that waits or runs sees for itself; a dead one waits for a person, and asking
    /// again with every sweep would only make the same failure again.
    pub async fn not_in_hand<T>(
        &mut self,
        found: Vec<T>,
        task: impl Fn(&T) -> Task,
    ) -> Result<Vec<T>, Error> {
        if found.is_empty() {
            return Ok(found);
        }
        let keys: Vec<String> = found.iter().map(|one| task(one).key()).collect();
        let asked = keys.clone();
        let states = self.feed.database.read(move |c| {
            let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
            queue::presence::states(c, &asked)
        });
        let states = states.await?;
        let mut left = Vec::with_capacity(found.len());
        for (one, key) in found.into_iter().zip(&keys) {
            match states.get(key).map(String::as_str) {
                None => left.push(one),
                Some("dead") => self.report.dead += 1,
                Some(_) => self.report.in_hand += 1,
            }
        }
        Ok(left)
    }

    async fn write(&mut self, repairs: Vec<Repair>) -> Result<(), Error> {
        let now = self.feed.clock.now();
        let reports: Vec<Report> =
            repairs.iter().filter(|repair| repair.job).map(|repair| self.tell_event(repair, now)).collect();
        let started_at = self.started_at;
        let write = self.feed.database.write(move |tx| {
            for correction in repairs.iter().filter_map(|repair| repair.correction.as_ref()) {
                correct(tx, correction, (started_at, now))?;
            }
            event::record(tx, &reports, now)
        });
        write.await?;
        self.feed.wake.notify_waiters();
        Ok(())
    }

    fn tell_event(&mut self, repair: &Repair, now: i64) -> Report {
        self.told += 1;
        let event = Event {
            // In the order of their making, so that their index grows at its end.
            id: format!("sweep:{}:{:08}", self.id, self.told),
            kind: kind(repair.finding.kind),
            subject: Subject::File,
            name: format!("sweep_{}", repair.finding.kind.as_str()),
            profile: Some(repair.key.profile.clone()),
            node: Some(repair.key.node.clone()),
            occurred_at: None,
            ignored_because: None,
        };
        let payload = serde_json::to_string(&repair.finding).ok();
        Report { payload, ..Report::new(event, Source::Sweep, now) }
    }
}

fn correct(
    tx: &mut Connection,
    correction: &Correction,
    (started_at, now): (i64, i64),
) -> Result<(), database::Error> {
    match correction {
        Correction::Attributes(copy, attributes) => survey::store::doubt_attributes(tx, *copy, attributes)?,
        Correction::Attachment(copy) => survey::store::doubt_attachment(tx, *copy, started_at, now)?,
        Correction::Index(copy) => survey::store::doubt_index(tx, *copy, now)?,
        Correction::Object(copy) => survey::store::doubt_object(tx, *copy, now)?,
        Correction::Adopt(adopted, lost) => {
            if lost.is_some() {
                survey::store::forget_lost(tx, *lost, now)?;
            }
            survey::store::adopt(tx, adopted, now)?
        }
    };
    Ok(())
}

pub fn task(key: &FileKey) -> Task {
    Task::File { profile: key.profile.clone(), node: key.node.clone() }
}

/// What a sweep's finding would have been called had Fastio told it.
fn kind(kind: Kind) -> EventKind {
    match kind {
        Kind::Missing | Kind::Unseen => EventKind::Added,
        // The last two are of runs, and make no event.
        Kind::Stale | Kind::Duplicate | Kind::Unknown | Kind::Leftover | Kind::Stalled => EventKind::Modified,
        Kind::Drift => EventKind::Moved,
        Kind::Ghost | Kind::Orphan | Kind::Stray => EventKind::Deleted,
    }
}
