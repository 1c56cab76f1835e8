//! The work that is left: what waits for what, and what the queue has given up.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::form::{Query, link, quoted};
use super::page::{Cell, Choice, Empty, Frame, Table, TableRow, choices, class, next_link, show};
use super::range::Range;
use super::{Dashboard, ROWS};
use crate::audit;
use crate::database::{Connection, Error};
use crate::listen::problem::Problem;
use crate::operate::guard::Admin;
use crate::operate::words::{mood, stamp};
use crate::queue::store::{self, JobRow, Page as JobPage, PauseRow};
use crate::queue::waiting::{cause, paused};
use crate::sync;

const STATES: [&str; 3] = ["waiting", "running", "dead"];

const DEEDS: u32 = 20;

#[derive(Template)]
#[template(path = "jobs.html")]
struct Page {
    frame: Frame,
    states: Vec<Choice>,
    counts: Vec<(String, i64, String)>,
    table: Table,
    range: Range,
    empty: Option<Empty>,
    next: String,
    which: String,
    /// What all of them died of, where only those are shown.
    cause: String,
}

pub async fn page(
    Admin(who): Admin,
    State(dashboard): State<Dashboard>,
    Query(fields): Query,
) -> Result<Response, Problem> {
    let state = fields.get("state").filter(|state| STATES.contains(state)).unwrap_or_default().to_owned();
    let cause = fields.get("cause").map(cause);
    let range = Range::read(&fields, dashboard.now())?;
    let (after, wanted) = (fields.number("after"), (!state.is_empty()).then(|| state.clone()));
    let wanted_cause = cause.clone();
    let (since, until) = (Some(range.bounds.since), Some(range.bounds.until));
    let read = move |connection: &mut Connection| {
        let after = match after {
            Some(id) => store::get(connection, id)?.map(|job| job.place()),
            None => None,
        };
        let page = JobPage {
            state: wanted.clone(),
            cause: wanted_cause.clone(),
            after,
            since,
            until,
            most: ROWS + 1,
        };
        let jobs = store::page(connection, &page)?;
        let pauses = store::pauses(connection)?;
        let paths = jobs.iter().map(|job| about(connection, job)).collect::<Result<Vec<_>, Error>>()?;
        Ok((jobs, paths, pauses, store::counts(connection)?))
    };
    let (mut jobs, paths, pauses, counts) = dashboard.read(read).await?;
    let more = jobs.len() > ROWS as usize;
    jobs.truncate(ROWS as usize);
    let last = jobs.last().filter(|_| more).map(|job| job.job_id.to_string());
    let cause = cause.unwrap_or_default();
    let pairs = [&[("state", state.as_str()), ("cause", &cause)][..], &range.fields()].concat();
    let empty = jobs.is_empty().then(|| match state.as_str() {
        _ if !range.is_all() => Empty {
            words: "No such job is, or was, due in this time.".to_owned(),
            href: "/jobs".to_owned(),
            label: "See all jobs",
        },
        _ if !cause.is_empty() => Empty {
            words: "No such job died of that.".to_owned(),
            href: "/jobs".to_owned(),
            label: "See all jobs",
        },
        "" => Empty { words: "No job: nothing is left to do.".to_owned(), ..Empty::default() },
        state => Empty {
            words: format!("No {state} job: nothing is left to do there."),
            href: "/jobs".to_owned(),
            label: "See all jobs",
        },
    });
    let state_option = if state.is_empty() { String::new() } else { format!(" --state {state}") };
    let cause_option = if cause.is_empty() { String::new() } else { format!(" --cause {}", quoted(&cause)) };
    let command = format!("docket jobs list{state_option}{cause_option}{}", range.options());
    let count = |(state, jobs): (String, i64)| {
        let href = link("/jobs", &[("state", &state)]);
        (state, jobs, href)
    };
    let now = dashboard.now();
    let line = |(job, about): (&JobRow, &Option<(String, String)>)| TableRow {
        item: job.job_id.to_string(),
        label: format!("job {}", job.job_id),
        cells: vec![
            Cell::link(job.job_id.to_string(), format!("/jobs/{}", job.job_id)),
            Cell::state(&job.state),
            Cell::new(job.attempt.to_string()),
            if job.state == "waiting" { Cell::due(job.due_at, now) } else { Cell::new("–") },
            match about {
                Some((path, id)) => super::file::named(path, id),
                None => Cell::new(&*job.key),
            },
            Cell::new(reason(job, &pauses)),
        ],
    };
    let rows = jobs.iter().zip(&paths).map(line).collect();
    show(&Page {
        frame: dashboard.frame(who, ("/jobs", "Jobs"), command),
        states: choices(STATES, &state),
        counts: counts.into_iter().map(count).collect(),
        next: next_link("/jobs", &pairs, last.as_deref()),
        which: link("", &pairs).trim_start_matches('?').to_owned(),
        table: Table {
            caption: "Jobs: the dead first, then by when they are due",
            head: vec!["job", "state", "tries", "due", "about", "reason"],
            rows,
            chosen: "chosen",
        },
        range,
        empty,
        cause,
    })
}

/// The path and the id of the file that a job is about.
fn about(connection: &mut Connection, job: &JobRow) -> Result<Option<(String, String)>, Error> {
    let Some((_, rest)) = job.key.split_once(':') else { return Ok(None) };
    // A workspace or share, its id and a node; of a run the rule's name stands behind them.
    let id: Vec<&str> = rest.splitn(4, ':').take(3).collect();
    let id = id.join(":");
    Ok(sync::store::path(connection, &id)?.map(|path| (path, id)))
}

/// Where all jobs are that died of this.
pub fn of_cause(cause: &str) -> String {
    link("/jobs", &[("state", "dead"), ("cause", cause)])
}

/// Why it is not done yet.
fn reason(job: &JobRow, pauses: &[PauseRow]) -> String {
    match job.waiting().held_by(pauses) {
        Some(pause) => format!("held: {}", paused(pause)),
        None => job.reason.clone().unwrap_or_default(),
    }
}

#[derive(Template)]
#[template(path = "job.html")]
struct One {
    frame: Frame,
    id: i64,
    state: String,
    class: &'static str,
    reason: String,
    path: String,
    file: String,
    facts: Vec<(&'static str, String)>,
    may_act: bool,
    /// Where all are that died of the same.
    of_cause: String,
    deeds: Table,
}

pub async fn one(
    Admin(who): Admin,
    State(dashboard): State<Dashboard>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let read = move |connection: &mut Connection| {
        let Some(job) = store::get(connection, id)? else { return Ok(None) };
        let about = about(connection, &job)?;
        let deeds = audit::about(connection, &format!("job:{id}"), DEEDS)?;
        Ok(Some((job, about, store::pauses(connection)?, deeds)))
    };
    let Some((job, about, pauses, deeds)) = dashboard.read(read).await? else {
        let words = format!("there is no job {id}: it is done, or was discarded");
        return Err(Problem::new(StatusCode::NOT_FOUND, words));
    };
    let title = format!("Job {id}");
    let (path, file) = about.map(|(path, id)| (path, super::files::place(&id))).unwrap_or_default();
    show(&One {
        frame: dashboard.frame(who, ("/jobs", &title), format!("docket jobs show {id}")).live(),
        id,
        class: class(mood(&job.state)),
        reason: reason(&job, &pauses),
        path,
        file,
        facts: vec![
            ("due", stamp(job.due_at)),
            ("attempts", job.attempt.to_string()),
            ("asked for", stamp(job.created_at)),
            ("changed", stamp(job.updated_at)),
            ("needs", job.needs.trim().to_owned()),
            ("key", job.key.clone()),
            ("request", job.request_id.clone().unwrap_or_else(|| "–".to_owned())),
        ],
        may_act: job.state != "running",
        of_cause: job.cause().map(|cause| of_cause(&cause)).unwrap_or_default(),
        state: job.state,
        deeds: super::log::table(&deeds, dashboard.now()),
    })
}
