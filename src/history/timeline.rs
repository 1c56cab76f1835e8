//! The way of one file in the order of time: what told of it, what it waited for, what was done and what failed, from when to when, and by
//! which server. And where the time went.

use serde::{Deserialize, Serialize};

use super::store::{self, Row};
use crate::database::{Connection, Error};
use crate::event;
use crate::fastio::FileKey;
use crate::job::{FILE_JOBS, RUN_JOBS, Task};
use crate::queue::trail::What;
use crate::queue::waiting::Waiting;
use crate::queue::{self, Ended, presence};
use crate::{run, sync};

/// Events of one file that are shown.
const MOST_EVENTS: u32 = 200;

/// What an entry tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A webhook, the feed or a sweep told of the file. A webhook's signature was checked before.
    Received,
    /// Something was left to do, and was not being done.
    Waited,
    /// An attempt failed, and is made again.
    Failed,
    /// An attempt failed for good: a person is needed.
    Dead,
    /// The process that made an attempt was stopped, or died.
    Interrupted,
    /// An attempt found nothing left to do.
    Settled,
    /// A worker is at it now.
    Working,
    #[serde(untagged)]
    Did(What),
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Received => "received",
            Kind::Waited => "waited",
            Kind::Failed => "failed",
            Kind::Dead => "dead",
            Kind::Interrupted => "interrupted",
            Kind::Settled => "settled",
            Kind::Working => "working",
            Kind::Did(what) => what.as_str(),
        }
    }
}

/// What time went into. Where two overlap, the later one of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// None: a moment.
    Moment,
    /// It waited for its turn in our queue.
    Queue,
    /// An attempt had failed, or the service asked to be left alone.
    Backoff,
    /// What it needs was refused or did not answer.
    Held,
    /// A limit of OpenAI's had no room.
    Limited,
    /// It waited for something else, as for others to go along with.
    Waiting,
    /// A model worked on it.
    Model,
    /// A vector store read it.
    Indexing,
    /// A service was asked and answered.
    Remote,
}

impl Phase {
    pub const ALL: [Phase; 8] = [
        Phase::Queue,
        Phase::Limited,
        Phase::Held,
        Phase::Backoff,
        Phase::Waiting,
        Phase::Remote,
        Phase::Indexing,
        Phase::Model,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Moment => "moment",
            Phase::Queue => "queue",
            Phase::Backoff => "backoff",
            Phase::Held => "held",
            Phase::Limited => "limited",
            Phase::Waiting => "waiting",
            Phase::Model => "model",
            Phase::Indexing => "indexing",
            Phase::Remote => "remote",
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Phase::Moment => "",
            Phase::Queue => "waiting for its turn",
            Phase::Backoff => "waiting after a failure",
            Phase::Held => "held: a service refused or did not answer",
            Phase::Limited => "waiting for a limit of OpenAI's",
            Phase::Waiting => "waiting for something else",
            Phase::Model => "a model at work",
            Phase::Indexing => "OpenAI indexing it",
            Phase::Remote => "moving it and asking services",
        }
    }

    fn of(what: What) -> Phase {
        match what {
            What::Skipped | What::Gone | What::Analysed => Phase::Moment,
            What::Indexed => Phase::Indexing,
            What::Answered => Phase::Model,
            What::Looked
            | What::Downloaded
            | What::Uploaded
            | What::Attached
            | What::Relabelled
            | What::Replaced
            | What::Removed
            | What::Read
            | What::Asked
            | What::Written
            | What::Acted => Phase::Remote,
        }
    }
}

/// One thing that happened, or goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub kind: Kind,
    pub phase: Phase,
    /// Unix milliseconds.
    pub began_at: i64,
    /// None of what goes on, and of what is not known to have ended.
    pub ended_at: Option<i64>,
    /// What happened, in words; empty where its kind says it all.
    pub words: String,
    /// Of a run.
    pub rule: Option<String>,
    pub job_id: Option<i64>,
    /// Which try of its job, from 1.
    pub attempt: Option<u16>,
    /// Tries that ended like this one after the other.
    pub times: i64,
    /// The process that did it.
    pub server: Option<String>,
    /// One id from a webhook to what was written back.
    pub request_id: Option<String>,
}

impl Entry {
    /// Nothing that took time.
    fn moment(kind: Kind, at: i64, words: String) -> Entry {
        Entry {
            kind,
            phase: Phase::Moment,
            began_at: at,
            ended_at: Some(at),
            words,
            rule: None,
            job_id: None,
            attempt: None,
            times: 1,
            server: None,
            request_id: None,
        }
    }

    /// Where it stands: what an attempt came to, behind what was done on its way.
    fn place(&self) -> (i64, i64) {
        let ended_at = self.ended_at.unwrap_or(i64::MAX);
        match self.kind {
            Kind::Failed | Kind::Dead | Kind::Interrupted | Kind::Settled => (ended_at, ended_at),
            _ => (self.began_at, ended_at),
        }
    }

    pub fn milliseconds(&self) -> Option<i64> {
        self.ended_at.map(|ended_at| (ended_at - self.began_at).max(0))
    }
}

/// Where the time went, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    pub phase: Phase,
    pub milliseconds: i64,
}

/// The way of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// In the order in which they began; the end of an attempt stands where it ended.
    pub entries: Vec<Entry>,
    /// When the newest change was heard of; what came before it is of earlier ones.
    pub since: Option<i64>,
    /// Where the time since then went, longest first.
    pub spent: Vec<Spent>,
    /// There may have been more before the first entry.
    pub cut: bool,
}

impl Timeline {
    /// Milliseconds from when the newest change was heard of until the last thing ended that was done about it.
    pub fn took(&self) -> Option<i64> {
        let since = self.since?;
        let ended =
            self.entries.iter().filter(|entry| entry.began_at >= since).filter_map(|entry| entry.ended_at);
        ended.max().map(|ended| (ended - since).max(0))
    }
}

/// What is on record of a file's way.
///
/// # Errors
/// The database's.
pub fn timeline(connection: &mut Connection, key: &FileKey, now: i64) -> Result<Timeline, Error> {
    let source_id = key.to_string();
    let told = event::store::told_of(connection, key, MOST_EVENTS)?;
    let rows = store::of(connection, &source_id)?;
    let keys = [Task::File { profile: key.profile.clone(), node: key.node.clone() }.key()];
    let mut jobs: Vec<Waiting> = presence::waiting(connection, &keys)?.into_values().collect();
    let runs: Vec<String> = presence::below(connection, &format!("{RUN_JOBS}{source_id}"))?
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    jobs.extend(presence::waiting(connection, &runs)?.into_values());
    let pauses = queue::store::pauses(connection)?;
    let cut = told.len() >= MOST_EVENTS as usize || rows.len() >= store::MOST_ROWS as usize;
    let since = newest_change(&told, &rows);
    let mut entries: Vec<Entry> = told.iter().map(received).collect();
    attempts(&rows, &mut entries);
    for job in jobs.iter().filter(|job| job.state != "dead") {
        let words = queue::waiting::why(job, &pauses);
        entries.extend(open(job, &rows, words, now));
    }
    entries.sort_by_key(Entry::place);
    let spent = spent(&entries, since.unwrap_or(i64::MIN), now);
    Ok(Timeline { entries, since, spent, cut })
}

/// When the newest change was heard of: the first that told of the file since it was settled last, but for what was settled since.
fn newest_change(told: &[event::Row], rows: &[Row]) -> Option<i64> {
    let newest = told.iter().map(|event| event.received_at).max()?;
    let done =
        rows.iter().filter(|row| row.task == "file" && row.ended == Ended::Done).map(|row| row.ended_at);
    let before = done.filter(|ended_at| *ended_at < newest).max().unwrap_or(i64::MIN);
    told.iter().map(|event| event.received_at).filter(|at| *at > before).min()
}

/// What told of a file.
pub fn received(event: &event::Row) -> Entry {
    let by = match event.source.as_str() {
        "webhook" => match &event.scheme {
            Some(scheme) => format!("by webhook, signed ({scheme})"),
            None => "by webhook, signed".to_owned(),
        },
        "feed" => "by the change feed".to_owned(),
        "sweep" => "by a sweep".to_owned(),
        _ => "by a person".to_owned(),
    };
    let name = if event.name.is_empty() { String::new() } else { format!(" ({})", event.name) };
    let words = format!("{} {}{name}, told {by}", event.subject, event.kind);
    Entry { request_id: event.request_id.clone(), ..Entry::moment(Kind::Received, event.received_at, words) }
}

/// Each attempt as what it waited for before it, what it did, and how it ended.
fn attempts(rows: &[Row], entries: &mut Vec<Entry>) {
    for (at, row) in rows.iter().enumerate() {
        let began_at = row.began_at.unwrap_or(row.ended_at);
        let of = |kind, (began_at, ended_at), words: String| Entry {
            rule: row.rule.clone(),
            job_id: Some(row.job_id),
            attempt: Some(row.attempt),
            times: row.times,
            server: Some(row.server.clone()),
            request_id: row.request_id.clone(),
            phase: Phase::Moment,
            ended_at: Some(ended_at),
            ..Entry::moment(kind, began_at, words)
        };
        let before = rows[..at].iter().rfind(|before| before.job_id == row.job_id);
        let due_at = row.due_at.unwrap_or(began_at).min(began_at);
        let mut waited = |from: i64, until: i64, (phase, words): (Phase, String)| {
            if until > from {
                let entry = of(Kind::Waited, (from, until), words);
                // Nobody did it.
                entries.push(Entry { phase, server: None, times: 1, ..entry });
            }
        };
        match before {
            Some(before) => {
                // What is held or limited is due all the while, and let go when there is room.
                let is_held = matches!(before.ended, Ended::Limited | Ended::Held);
                let due_at = if is_held { began_at } else { due_at.max(before.ended_at) };
                waited(before.ended_at, due_at, wait(before));
                waited(due_at, began_at, (Phase::Queue, String::new()));
            }
            None => waited(due_at, began_at, (Phase::Queue, String::new())),
        }
        entries.extend(row.steps.iter().map(|step| Entry {
            phase: Phase::of(step.what),
            times: 1,
            ..of(Kind::Did(step.what), (step.began_at, step.ended_at), step.note.clone())
        }));
        let reason = row.reason.clone().unwrap_or_default();
        let whole = (began_at, row.ended_at);
        match row.ended {
            Ended::Done if row.steps.is_empty() => entries.push(of(Kind::Settled, whole, String::new())),
            Ended::Done => {}
            Ended::Failed => entries.push(of(Kind::Failed, whole, reason)),
            Ended::Dead => entries.push(of(Kind::Dead, whole, reason)),
            Ended::GivenBack => {
                entries.push(of(
                    Kind::Interrupted,
                    whole,
                    "given back, because its process stopped".to_owned(),
                ));
            }
            Ended::Lost => entries.push(of(Kind::Interrupted, whole, reason)),
            // Tries that only found that it has to wait on are a part of that wait.
            Ended::Waits | Ended::Limited | Ended::Held if row.times > 1 || row.steps.is_empty() => {
                let (phase, words) = wait(row);
                entries.push(Entry { phase, ..of(Kind::Waited, whole, words) });
            }
            Ended::Waits | Ended::Limited | Ended::Held => {}
        }
    }
}

/// What an attempt did and came to, without its turn in the queue before it.
pub fn done(row: &Row) -> Vec<Entry> {
    let mut entries = Vec::new();
    attempts(std::slice::from_ref(row), &mut entries);
    entries.retain(|entry| entry.phase != Phase::Queue);
    entries
}

/// What a job waits for behind an attempt that ended so.
fn wait(before: &Row) -> (Phase, String) {
    let reason = before.reason.clone().unwrap_or_default();
    match before.ended {
        Ended::Limited => (Phase::Limited, reason),
        Ended::Held => (Phase::Held, reason),
        Ended::Failed | Ended::Lost | Ended::Dead => {
            (Phase::Backoff, format!("tries again, after: {reason}"))
        }
        Ended::Waits if reason == sync::INDEXING => (Phase::Indexing, reason),
        Ended::Waits if reason == run::WORKING => (Phase::Model, reason),
        Ended::Waits => (Phase::Waiting, reason),
        Ended::Done | Ended::GivenBack => (Phase::Queue, String::new()),
    }
}

/// What goes on now.
fn open(job: &Waiting, rows: &[Row], words: String, now: i64) -> Option<Entry> {
    let before = rows.iter().rfind(|row| row.job_id == job.job_id);
    let from = before.map_or(job.created_at, |before| before.ended_at).min(now);
    let rule =
        if job.key.starts_with(FILE_JOBS) { None } else { job.key.splitn(5, ':').nth(4).map(str::to_owned) };
    let (kind, phase) = match job.state.as_str() {
        "running" => (Kind::Working, Phase::Remote),
        _ => (Kind::Waited, before.map_or(Phase::Queue, |before| wait(before).0)),
    };
    let entry = Entry::moment(kind, from, words);
    Some(Entry { phase, ended_at: None, rule, job_id: Some(job.job_id), ..entry })
}

/// How long each phase lasted since `since`. Where several go on, the time is that of the last in their order.
fn spent(entries: &[Entry], since: i64, now: i64) -> Vec<Spent> {
    let of: Vec<(Phase, i64, i64)> = entries
        .iter()
        .filter(|entry| entry.phase != Phase::Moment)
        .map(|entry| (entry.phase, entry.began_at.max(since), entry.ended_at.unwrap_or(now)))
        .filter(|(_, from, until)| until > from)
        .collect();
    let mut bounds: Vec<i64> = of.iter().flat_map(|(_, from, until)| [*from, *until]).collect();
    bounds.sort_unstable();
    bounds.dedup();
    let mut spent: Vec<Spent> = Vec::new();
    for part in bounds.windows(2) {
        let phase = of
            .iter()
            .filter(|(_, from, until)| *from <= part[0] && *until >= part[1])
            .map(|(phase, ..)| *phase);
        let Some(phase) = phase.max() else { continue };
        let milliseconds = part[1] - part[0];
        match spent.iter_mut().find(|spent| spent.phase == phase) {
            Some(spent) => spent.milliseconds += milliseconds,
            None => spent.push(Spent { phase, milliseconds }),
        }
    }
    spent.sort_by_key(|spent| std::cmp::Reverse(spent.milliseconds));
    spent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::trail::Step;

    fn row(ended: Ended, (due_at, began_at, ended_at): (i64, i64, i64), steps: Vec<Step>) -> Row {
        Row {
            task: "file".to_owned(),
            rule: None,
            job_id: 7,
            attempt: 1,
            times: 1,
            due_at: Some(due_at),
            began_at: Some(began_at),
            ended_at,
            ended,
            reason: Some("OpenAI is indexing it".to_owned()).filter(|_| ended == Ended::Waits),
            server: "here".to_owned(),
            request_id: None,
            steps,
        }
    }

    fn step(what: What, began_at: i64, ended_at: i64) -> Step {
        Step { what, began_at, ended_at, note: String::new() }
    }

    #[test]
    fn time_is_told_apart_and_none_is_counted_twice() {
        let rows = [
            row(Ended::Limited, (0, 10, 11), vec![]),
            row(Ended::Failed, (50, 60, 70), vec![]),
            row(
                Ended::Waits,
                (100, 100, 130),
                vec![
                    step(What::Downloaded, 100, 110),
                    step(What::Uploaded, 101, 115),
                    step(What::Attached, 115, 120),
                ],
            ),
            row(Ended::Done, (200, 205, 210), vec![step(What::Indexed, 120, 208)]),
        ];
        let mut entries = Vec::new();
        attempts(&rows, &mut entries);
        let of = |phase| {
            spent(&entries, 0, 300).into_iter().find(|spent| spent.phase == phase).map(|s| s.milliseconds)
        };
        assert_eq!(of(Phase::Queue), Some(10), "before the first attempt");
        assert_eq!(of(Phase::Limited), Some(50), "from the first attempt's begin until the second");
        assert_eq!(of(Phase::Backoff), Some(30));
        assert_eq!(of(Phase::Remote), Some(20), "download and upload overlap");
        assert_eq!(of(Phase::Indexing), Some(88), "as long as the index took, over the waits in it");
        let kinds: Vec<&str> = entries.iter().map(|entry| entry.kind.as_str()).collect();
        assert_eq!(
            kinds,
            [
                "waited",
                "waited",
                "waited",
                "failed",
                "waited",
                "downloaded",
                "uploaded",
                "attached",
                "waited",
                "waited",
                "indexed"
            ]
        );
    }

    #[test]
    fn a_kind_reads_back_as_it_was_written() {
        for kind in [Kind::Received, Kind::Dead, Kind::Did(What::Uploaded)] {
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{}\"", kind.as_str()));
            assert_eq!(serde_json::from_str::<Kind>(&json).unwrap(), kind);
        }
    }
}
