//! The statements on `event`. Recording an event and making its job are one step, in the caller's transaction.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DOWNLOAD, Kind, Report};
use crate::database::{Connection, Error, Param, from_row, json_list, params, statements};
use crate::fastio::{FileKey, Profile};
use crate::job::{self, Task};
use crate::request_id;

/// What recording some reports did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Events that were not known.
    pub new: usize,
    /// Events that were.
    pub duplicate: usize,
    /// Distinct jobs asked for. One that waited already counts too.
    pub jobs: usize,
}

impl AddAssign for Recorded {
    fn add_assign(&mut self, other: Recorded) {
        self.new += other.new;
        self.duplicate += other.duplicate;
        self.jobs += other.jobs;
    }
}

/// Says whether there may be anything to do for a task, by rules and tables. Most of what Fastio tells of is about places that no rule
/// names, and a job that only finds that out costs ten times what asking first does.
pub type Wanted = Arc<dyn Fn(&mut Connection, &Task) -> Result<bool, Error> + Send + Sync>;

/// Keeps the events that are new and asks for their jobs. Reports about one file make one job.
pub fn record(connection: &mut Connection, reports: &[Report], now: i64) -> Result<Recorded, Error> {
    record_wanted(connection, reports, |_, _| Ok(true), now)
}

/// The same, and of the jobs only those that are `wanted`.
pub fn record_wanted(
    connection: &mut Connection,
    reports: &[Report],
    wanted: impl Fn(&mut Connection, &Task) -> Result<bool, Error>,
    now: i64,
) -> Result<Recorded, Error> {
    let mut recorded = Recorded::default();
    let mut asked: BTreeMap<String, (Task, &Report)> = BTreeMap::new();
    for (report, is_new) in reports.iter().zip(insert(connection, reports)?) {
        if !is_new {
            recorded.duplicate += 1;
            continue;
        }
        recorded.new += 1;
        for task in report.event.task().into_iter().chain(report.also.iter().cloned()) {
            if wanted(connection, &task)? {
                asked.insert(task.key(), (task, report));
            }
        }
    }
    for (task, report) in asked.values() {
        let enqueue = || job::enqueue(connection, task, report.source.priority(), now);
        request_id::within(told_by(report), enqueue)?;
    }
    recorded.jobs = asked.len();
    Ok(recorded)
}

/// The request that is behind a report.
fn told_by(report: &Report) -> Option<Arc<str>> {
    report.request_id.as_deref().map(Arc::from).or_else(request_id::current)
}

/// Whether each event was new.
fn insert(connection: &mut Connection, reports: &[Report]) -> Result<Vec<bool>, Error> {
    let request = request_id::current();
    let rows: Vec<NewRow<'_>> = reports.iter().map(|report| NewRow::of(report, request.as_deref())).collect();
    connection.add_together(INSERT, rows.iter().map(NewRow::params))
}

/// A report as a row, with what has to be written out for it.
struct NewRow<'a> {
    report: &'a Report,
    source: &'static str,
    kind: &'static str,
    subject: &'static str,
    profile: Option<String>,
    node: Option<String>,
    because: Option<&'a str>,
    scheme: Option<&'a str>,
    secret_index: Option<u32>,
    request: Option<&'a str>,
}

impl<'a> NewRow<'a> {
    fn of(report: &'a Report, request: Option<&'a str>) -> Self {
        let event = &report.event;
        // An event that names no place cannot ask for work, whatever its kind says. Refusing it here would stop the drain.
        let (kind, because) = match (event.kind, event.task()) {
            (Kind::Ignored, _) => {
                (Kind::Ignored, event.ignored_because.as_deref().or(Some("no reason was given")))
            }
            (_, None) => (Kind::Ignored, Some("it names no place to look at")),
            (kind, Some(_)) => (kind, None),
        };
        NewRow {
            report,
            source: report.source.as_str(),
            kind: kind.as_str(),
            subject: event.subject.as_str(),
            profile: event.profile.as_ref().map(ToString::to_string),
            node: event.node.as_ref().map(ToString::to_string),
            because,
            scheme: report.proof.as_ref().map(|proof| proof.scheme.as_str()),
            secret_index: report.proof.as_ref().map(|proof| proof.secret_index),
            request: report.request_id.as_deref().or(request),
        }
    }

    fn params(&self) -> [&dyn Param; 14] {
        let Report { event, received_at, payload, .. } = self.report;
        [
            &event.id,
            &self.source,
            &self.kind,
            &self.subject,
            &event.name,
            &self.profile,
            &self.node,
            &event.occurred_at,
            received_at,
            &self.because,
            &self.scheme,
            &self.secret_index,
            payload,
            &self.request,
        ]
    }
}

/// One event, as `docket events` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Event)]
pub struct Row {
    pub event_id: String,
    pub kind: String,
    pub subject: String,
    pub name: String,
    pub profile: Option<String>,
    pub node: Option<String>,
    /// Unix milliseconds, by Fastio's clock.
    pub occurred_at: Option<i64>,
    /// Unix milliseconds, by ours.
    pub received_at: i64,
    pub source: String,
    pub ignored_because: Option<String>,
    /// The id of the request that told of it.
    pub request_id: Option<String>,
    /// By which scheme a webhook that told of it was signed.
    pub scheme: Option<String>,
}

from_row!(Row {
    event_id,
    kind,
    subject,
    name,
    profile,
    node,
    occurred_at,
    received_at,
    source,
    ignored_because,
    request_id,
    scheme,
});

/// Where an event stands among all: when it was received, and its id.
pub type Place = (i64, String);

impl Row {
    pub fn place(&self) -> Place {
        (self.received_at, self.event_id.clone())
    }
}

/// The first `limit` events that came since `since`, but downloads.
pub fn since(connection: &mut Connection, since: i64, limit: u32) -> Result<Vec<Row>, Error> {
    connection.all(SINCE, params![since, limit])
}

/// Where the event of this id stands.
pub fn place(connection: &mut Connection, event_id: &str) -> Result<Option<Place>, Error> {
    connection.first(PLACE, params![event_id])
}

/// The newest events that told of this file and asked for something, at most `limit`, the newest first.
pub fn told_of(connection: &mut Connection, key: &FileKey, limit: u32) -> Result<Vec<Row>, Error> {
    connection.all(TOLD_OF, params![key.profile.to_string(), key.node.canonical(), limit])
}

/// Which events, of those that came from `since` on and before `until`.
#[derive(Debug, Clone)]
pub struct Page {
    /// Those of downloads too.
    pub downloads: bool,
    /// The event behind which it begins.
    pub after: Option<Place>,
    pub since: i64,
    pub until: i64,
    pub most: u32,
}

impl Page {
    /// The first of all, without those of downloads.
    pub fn first(most: u32) -> Self {
        Page { downloads: false, after: None, since: i64::MIN, until: i64::MAX, most }
    }
}

/// The newest events first.
pub fn newest(connection: &mut Connection, page: Page) -> Result<Vec<Row>, Error> {
    let Page { downloads, after, since, until, most } = page;
    let end = (until, String::new());
    let before = after.map_or_else(|| end.clone(), |after| after.min(end.clone()));
    connection.all(if downloads { NEWEST } else { NEWEST_SHOWN }, params![before.0, before.1, since, most])
}

/// How many of the last `most` events since `since` are downloads, and whether there are more events.
pub fn downloads(connection: &mut Connection, since: i64, most: u32) -> Result<(i64, bool), Error> {
    connection.one(DOWNLOADS, params![since, DOWNLOAD, most])
}

/// How many events there are of each kind.
pub fn counts(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    connection.all(COUNTS, &[])
}

/// How many events were received from `from` on and before `to`; no more than `most` are counted.
pub fn received_between(
    connection: &mut Connection,
    (from, to): (i64, i64),
    most: u32,
) -> Result<i64, Error> {
    connection.one(BETWEEN, params![from, to, most])
}

/// How many events were received since `from` in each time of `step`, by its number; of the newest `most`.
pub fn by_step(
    connection: &mut Connection,
    (from, step): (i64, i64),
    most: u32,
) -> Result<Vec<(i64, i64)>, Error> {
    connection.all(BY_STEP, params![from, step, most])
}

/// Forgets at most `limit` events that arrived before `before`, and says how many. An event told again after that is
/// new again, which costs a look.
pub fn prune(connection: &mut Connection, before: i64, limit: u32) -> Result<u64, Error> {
    connection.run(PRUNE, params![before, limit])
}

/// The events about these nodes that have a name or a payload.
pub fn about(connection: &mut Connection, profile: &Profile, nodes: &[String]) -> Result<Vec<String>, Error> {
    connection.all(ABOUT, params![profile.to_string(), json_list(nodes)])
}

/// Takes names and payloads out of these events, and says of how many. The events stay, so that none counts as new when it is told
/// again.
pub fn blank(connection: &mut Connection, event_ids: &[String]) -> Result<u64, Error> {
    connection.run(BLANK, params![json_list(event_ids)])
}

/// What is read of an event.
macro_rules! columns {
    () => {
        "SELECT event_id, kind, subject, name, profile, node, occurred_at, received_at, source, ignored_because, request_id,
                scheme
         FROM event"
    };
}

macro_rules! newest {
    () => {
        " ORDER BY received_at DESC, event_id DESC LIMIT $4"
    };
}

statements! {
    INSERT = "
        INSERT INTO event (event_id, source, kind, subject, name, profile, node, occurred_at, received_at,
                           ignored_because, scheme, secret_index, payload, request_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (event_id) DO NOTHING", postgres: "
        INSERT INTO event (event_id, source, kind, subject, name, profile, node, occurred_at, received_at,
                           ignored_because, scheme, secret_index, payload, request_id)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
                             $9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::text[], $14::text[])
        ON CONFLICT (event_id) DO NOTHING RETURNING event_id";

    NEWEST = concat!(columns!(), " WHERE (received_at, event_id) < ($1, $2) AND received_at >= $3", newest!());

    /// By an index without downloads, whose text that of [`DOWNLOAD`] has to be.
    NEWEST_SHOWN = concat!(
        columns!(),
        " INDEXED BY event_shown
          WHERE ignored_because IS DISTINCT FROM 'a download changes no file' AND (received_at, event_id) < ($1, $2)
                AND received_at >= $3",
        newest!()
    );

    TOLD_OF = concat!(
        columns!(),
        " INDEXED BY event_node
          WHERE lower(replace(node, '-', '')) = $2 AND kind <> 'ignored' AND profile = $1
          ORDER BY received_at DESC LIMIT $3"
    );

    SINCE = concat!(
        columns!(),
        " INDEXED BY event_shown
          WHERE ignored_because IS DISTINCT FROM 'a download changes no file' AND received_at >= $1
          ORDER BY received_at, event_id LIMIT $2"
    );

    PLACE = "SELECT received_at, event_id FROM event WHERE event_id = $1";

    DOWNLOADS = "
        SELECT count(*) FILTER (WHERE ignored_because = $2), count(*) = $3 FROM (
            SELECT ignored_because FROM event WHERE received_at >= $1 ORDER BY received_at DESC LIMIT $3) AS newest";

    COUNTS = "SELECT kind, events FROM event_count WHERE events > 0 ORDER BY kind";

    BETWEEN = "
        SELECT count(*) FROM (
            SELECT received_at FROM event WHERE received_at >= $1 AND received_at < $2 LIMIT $3) AS counted";
    BY_STEP = "
        SELECT (received_at - $1) / $2 AS step, count(*) FROM (
            SELECT received_at FROM event WHERE received_at >= $1 ORDER BY received_at DESC LIMIT $3) AS newest
        GROUP BY 1";

    ABOUT = "
        SELECT event_id FROM event
        WHERE profile = $1 AND lower(replace(node, '-', '')) IN (SELECT value FROM json_each($2))
          AND (name <> '' OR payload IS NOT NULL)";
    BLANK = "UPDATE event SET name = '', payload = NULL WHERE event_id IN (SELECT value FROM json_each($1))";
    PRUNE = "
        DELETE FROM event WHERE event_id IN
            (SELECT event_id FROM event WHERE received_at < $1 ORDER BY received_at LIMIT $2)";
}
