//! Jobs as people see them, and what they may do with them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use serde::{Deserialize, Serialize};

use super::claim::{self, First};
use crate::database::{Connection, Error, from_row, json_list, params, statements};
use crate::queue::waiting::{self, Waiting};

/// A job as a person sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobRow {
    pub job_id: i64,
    pub key: String,
    pub state: String,
    pub attempt: i64,
    pub due_at: i64,
    pub reason: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub task: String,
    /// The targets it cannot do without, each between blanks.
    pub needs: String,
    /// The request that asked for it last.
    pub request_id: Option<String>,
}

from_row!(JobRow {
    job_id,
    key,
    state,
    attempt,
    due_at,
    reason,
    created_at,
    updated_at,
    task,
    needs,
    request_id,
});

impl JobRow {
    /// As those see it who wait for what it does.
    pub fn waiting(&self) -> Waiting {
        Waiting {
            job_id: self.job_id,
            key: self.key.clone(),
            state: self.state.clone(),
            reason: self.reason.clone(),
            needs: self.needs.clone(),
            created_at: self.created_at,
        }
    }

    /// What it died of, as others may have died of it too; none where it is not dead.
    pub fn cause(&self) -> Option<String> {
        let reason = self.reason.as_deref().unwrap_or("no reason is on record");
        (self.state == "dead").then(|| waiting::cause(reason))
    }
}

/// The states of jobs in the order of a list.
const ORDER: [&str; 3] = ["dead", "running", "waiting"];

/// A part of a list of jobs: the dead first, then those that run, each by when they are due.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Only those in this state.
    pub state: Option<String>,
    /// Only the dead that died of this: a cause, or the whole reason of one of them.
    pub cause: Option<String>,
    /// The job behind which it begins.
    pub after: Option<Place>,
    /// Only those that are, or were, due from then on, and before then.
    pub since: Option<i64>,
    pub until: Option<i64>,
    pub most: u32,
}

/// Where a job stands in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    state: String,
    due_at: i64,
    id: i64,
}

impl JobRow {
    pub fn place(&self) -> Place {
        Place { state: self.state.clone(), due_at: self.due_at, id: self.job_id }
    }
}

/// The jobs in `state` (all of them when `None`), the dead first, then by when they are due.
pub fn list(connection: &mut Connection, state: Option<&str>, limit: u32) -> Result<Vec<JobRow>, Error> {
    page(connection, &Page { state: state.map(str::to_owned), most: limit, ..Page::default() })
}

/// Dead jobs that are read at once to find those of one cause.
const AT_ONCE: u32 = 1_000;

/// A part of the list. It costs the same wherever it begins and however many jobs there are; of one cause, what it takes to read
/// the dead up to the last that it finds.
pub fn page(connection: &mut Connection, page: &Page) -> Result<Vec<JobRow>, Error> {
    let Some(cause) = &page.cause else { return part(connection, page) };
    let (cause, mut found) = (waiting::cause(cause), Vec::new());
    if page.state.as_ref().is_some_and(|state| state != "dead") {
        return Ok(found);
    }
    let mut step = Page { state: Some("dead".to_owned()), most: AT_ONCE, ..page.clone() };
    while found.len() < page.most as usize {
        let rows = part(connection, &step)?;
        let Some(last) = rows.last() else { break };
        step.after = Some(last.place());
        found.extend(rows.into_iter().filter(|job| job.cause().as_ref() == Some(&cause)));
    }
    found.truncate(page.most as usize);
    Ok(found)
}

fn part(connection: &mut Connection, page: &Page) -> Result<Vec<JobRow>, Error> {
    let Page { state, after, since, until, most, .. } = page;
    let begin = (since.unwrap_or(i64::MIN), i64::MIN);
    let until = until.unwrap_or(i64::MAX);
    let most = usize::try_from(*most).unwrap_or(usize::MAX);
    let begun = after.as_ref().map_or(ORDER[0], |place| place.state.as_str());
    let mut rows: Vec<JobRow> = Vec::new();
    for one in ORDER.into_iter().skip_while(|one| *one != begun) {
        let room = most - rows.len();
        if room == 0 || state.as_ref().is_some_and(|state| state != one) {
            continue;
        }
        let place = after.as_ref().filter(|place| place.state == one);
        let (due_at, id) = place.map_or(begin, |place| begin.max((place.due_at, place.id)));
        rows.extend(match one {
            "dead" => connection.all(DEAD, params![due_at, id, until, room])?,
            "running" => connection.all(RUNNING, params![due_at, id, until, room])?,
            _ => waiting(connection, Due { after: (due_at, id), until }, room)?,
        });
    }
    Ok(rows)
}

/// Behind which time and job, and before which time.
struct Due {
    after: (i64, i64),
    until: i64,
}

/// The first jobs that wait and are due so, by when they are due. No index has all of them in that order, because a claim must
/// not have to keep one: each lane is in order, and the lanes are merged.
fn waiting(connection: &mut Connection, due: Due, most: usize) -> Result<Vec<JobRow>, Error> {
    let lanes = claim::firsts(connection, &[])?;
    let mut next = |lane: usize, (due_at, id): (i64, i64)| -> Result<Option<(i64, i64, usize)>, Error> {
        let First { needs, priority, .. } = &lanes[lane];
        let found = connection.first(NEXT_OF_LANE, params![needs.text(), priority, due_at, id])?;
        Ok(found.map(|(due_at, id)| (due_at, id, lane)))
    };
    let mut firsts = BinaryHeap::new();
    for lane in 0..lanes.len() {
        firsts.extend(next(lane, due.after)?.map(Reverse));
    }
    let mut ids = Vec::new();
    while ids.len() < most
        && let Some(Reverse((due_at, id, lane))) = firsts.pop()
        && due_at < due.until
    {
        ids.push(id);
        firsts.extend(next(lane, (due_at, id))?.map(Reverse));
    }
    connection.all(THOSE, params![json_list(&ids)])
}

/// One job.
pub fn get(connection: &mut Connection, id: i64) -> Result<Option<JobRow>, Error> {
    connection.first(GET, params![id])
}

/// How many jobs are in each state.
pub fn counts(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    connection.all(COUNTS, &[])
}

/// Makes a dead or waiting job due now, with all its attempts. Returns how many that were.
pub fn retry(connection: &mut Connection, id: i64, now: i64) -> Result<u64, Error> {
    connection.run(RETRY, params![id, now])
}

/// As [`retry`], for at most `most` dead jobs.
pub fn retry_dead(connection: &mut Connection, most: u32, now: i64) -> Result<u64, Error> {
    connection.run(RETRY_DEAD, params![most, now])
}

/// Forgets a job that no worker has in hand. Returns how many that were.
pub fn discard(connection: &mut Connection, id: i64) -> Result<u64, Error> {
    connection.run(DISCARD, params![id])
}

/// Forgets the jobs about a file that no worker has in hand: those with these keys, and those whose keys go on behind `below`.
pub fn discard_about(connection: &mut Connection, keys: &[String], below: &str) -> Result<u64, Error> {
    connection.run(DISCARD_ABOUT, params![json_list(keys), below])
}

/// The jobs whose key ends with this name.
pub fn named(connection: &mut Connection, name: &str) -> Result<Vec<JobRow>, Error> {
    connection.all(NAMED, params![name])
}

/// Forgets a job whatever its state, before any worker begins.
pub fn remove(connection: &mut Connection, id: i64) -> Result<(), Error> {
    connection.run(REMOVE, params![id]).map(drop)
}

/// Forgets at most `most` dead jobs. Returns how many.
pub fn discard_dead(connection: &mut Connection, most: u32) -> Result<u64, Error> {
    connection.run(DISCARD_DEAD, params![most])
}

/// What is read of a job.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id AS job_id, key, state, attempt, due_at, reason, created_at, updated_at, task, needs, request_id
             FROM job ",
            $rest
        )
    };
}

/// What jobs say that wait for a limit: the first one's words of each limit.
pub fn limited(connection: &mut Connection) -> Result<Vec<String>, Error> {
    let mut limits = BTreeMap::new();
    for First { id, needs, .. } in claim::firsts(connection, &[])? {
        let Some(cause) = needs.limits().next() else { continue };
        let reason: Option<Option<String>> = connection.first(REASON, params![id])?;
        if let Some(reason) = reason.flatten() {
            limits.entry(cause.to_owned()).or_insert(reason);
        }
    }
    Ok(limits.into_values().collect())
}

statements! {
    NAMED = select!("WHERE substr(key, length(key) - length($1)) = ':' || $1");
    REASON = "SELECT reason FROM job WHERE id = $1";
    REMOVE = "DELETE FROM job WHERE id = $1";
    GET = select!("WHERE id = $1");
    DEAD = select!("WHERE state = 'dead' AND (due_at, id) > ($1, $2) AND due_at < $3 ORDER BY due_at, id LIMIT $4");
    RUNNING = select!("WHERE state = 'running' AND (due_at, id) > ($1, $2) AND due_at < $3 ORDER BY due_at, id LIMIT $4");
    THOSE = select!("WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_each($1)) ORDER BY due_at, id");

    NEXT_OF_LANE = "
        SELECT due_at, id FROM job
        WHERE state = 'waiting' AND needs = $1 AND priority = $2 AND (due_at, id) > ($3, $4)
        ORDER BY due_at, id LIMIT 1";

    COUNTS = "SELECT state, sum(jobs) FROM job_count GROUP BY state HAVING sum(jobs) > 0";

    RETRY = "
        UPDATE job SET state = 'waiting', due_at = $2, attempt = 0, updated_at = $2
        WHERE id = $1 AND state IN ('dead', 'waiting')";

    RETRY_DEAD = "
        UPDATE job SET state = 'waiting', due_at = $2, attempt = 0, updated_at = $2
        WHERE id IN (SELECT id FROM job WHERE state = 'dead' ORDER BY due_at, id LIMIT $1)";

    DISCARD = "DELETE FROM job WHERE id = $1 AND state IN ('dead', 'waiting')";

    DISCARD_ABOUT = "
        DELETE FROM job
        WHERE state <> 'running'
          AND (key IN (SELECT value FROM json_each($1)) OR key BETWEEN $2 || ':' AND $2 || ';')";

    DISCARD_DEAD = "
        DELETE FROM job WHERE id IN (SELECT id FROM job WHERE state = 'dead' ORDER BY due_at, id LIMIT $1)";
}
