//! Is it well? How fresh each rule is, what needs a person, and what came in.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};

use super::chart::Chart;
use super::jobs::of_cause;
use super::page::{Cell, Frame, Table, TableRow, show, unreadable};
use super::{Dashboard, holds};
use crate::database::{Connection, Error};
use crate::job::FILE_JOBS;
use crate::listen::problem::Problem;
use crate::operate::guard::{Role, Viewer};
use crate::operate::headroom::Remaining;
use crate::operate::status::{Status, of};
use crate::operate::verdict::Word;
use crate::operate::words::{bytes, count, dollars, span, stamp};
use crate::queue::store::{JobRow, Page as JobPage};
use crate::queue::waiting::{Waiting, paused, why};
use crate::queue::{self, presence};
use crate::rule::{Rule, Rules};
use crate::sync;
use crate::sync::budget::{Amount, Of, Plan, Standing};
use crate::sync::store::Chains;

/// The oldest changes that are looked at to say how fresh each rule is.
const OLDEST: u32 = 200;

/// Dead jobs that are looked at to say what they have in common.
const DEAD: u32 = 1_000;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    word: &'static str,
    class: &'static str,
    reasons: Vec<Step>,
    /// Answers that wait for somebody to read them; nothing is wrong with the server by that.
    review: String,
    /// What jobs died of.
    deaths: Vec<Death>,
    fresh: Table,
    causes: Table,
    charts: [Chart; 2],
    limits: Table,
    storage: Table,
    holds: Table,
    numbers: Vec<Number>,
    notes: Vec<String>,
}

/// What a person has to do.
struct Step {
    words: String,
    href: &'static str,
    label: &'static str,
}

/// Jobs that died of one cause.
struct Death {
    cause: String,
    /// How many of those that were looked at, and whether there may be more.
    jobs: String,
    first: i64,
    last: i64,
    href: String,
    /// The filter that leaves them, as a form sends it.
    which: String,
}

struct Number {
    words: String,
    label: &'static str,
    href: &'static str,
}

/// What is read for it besides the status.
struct Read {
    waiting: Vec<(Waiting, Option<String>)>,
    dead: Vec<JobRow>,
    stores: Chains,
    copies: Vec<(String, String, i64)>,
}

pub async fn page(Viewer(who): Viewer, State(dashboard): State<Dashboard>) -> Result<Response, Problem> {
    if who.role() < Role::Admin {
        return Ok((StatusCode::SEE_OTHER, [(LOCATION, "/files")]).into_response());
    }
    let snapshot = dashboard.observer.look().await.map_err(|error| unreadable(&error))?;
    let all = dashboard.rules.clone();
    let Read { waiting, dead, stores, copies } =
        dashboard.read(move |connection| read(connection, &all)).await?;
    let (seen, now) = (&snapshot.seen, dashboard.now());
    let deaths = deaths(&dead);
    let rules: Vec<&Rule> = dashboard.rules.iter().collect();
    let (word, class) = match snapshot.verdict.verdict {
        Word::Well => ("All is well.", "good"),
        Word::NeedsPerson => ("Something needs a person.", "bad"),
        Word::NoServer => ("No server.", "bad"),
    };
    show(&Page {
        frame: dashboard.frame(who, ("/", "Overview"), "docket status").live(),
        word,
        class,
        reasons: snapshot.verdict.reasons.iter().map(|reason| step(reason)).collect(),
        review: match of(&seen.runs, "needs_review") {
            0 => String::new(),
            1 => "1 answer is not proven in all it says".to_owned(),
            runs => format!("{runs} answers are not proven in all they say"),
        },
        fresh: fresh(&rules, &waiting, seen, now),
        causes: causes(seen, &deaths, now),
        deaths,
        charts: dashboard.charts().await?,
        limits: limits(&dashboard.headroom.remaining().await.map_err(|error| unreadable(&error))?, seen),
        storage: storage(&dashboard.storage, seen),
        holds: holds::table(&rules, &stores, &copies, (seen, now)),
        numbers: numbers(seen),
        notes: notes(seen, now),
    })
}

fn read(connection: &mut Connection, rules: &Rules) -> Result<Read, Error> {
    let mut waiting = Vec::new();
    for job in presence::looking(connection, OLDEST)? {
        let rules = match job.key.strip_prefix(FILE_JOBS) {
            Some(source_id) => sync::store::rules_of(connection, source_id)?,
            None => None,
        };
        waiting.push((job, rules));
    }
    let dead = JobPage { state: Some("dead".to_owned()), most: DEAD, ..JobPage::default() };
    Ok(Read {
        waiting,
        dead: queue::store::page(connection, &dead)?,
        stores: sync::store::chains(connection, rules.iter())?,
        copies: sync::store::copies_by_store(connection)?,
    })
}

/// What a reason's command is called here.
fn step(reason: &str) -> Step {
    let places = [
        ("docket jobs", "/jobs?state=dead", "See the dead jobs"),
        ("docket runs", "/runs?state=failed", "See the failed runs"),
        ("docket sweep", "/sweeps", "See the sweeps"),
        ("docket files --out", "/files?state=out", "See what is out"),
        ("in rule ", "/runs?state=held", "See what is held"),
    ];
    let found = places.into_iter().find(|(words, ..)| reason.contains(words));
    let (_, href, label) = found.unwrap_or(("", "/settings", "See the settings"));
    Step { words: reason.to_owned(), href, label }
}

/// The oldest change of each rule that cannot be searched yet.
fn fresh(rules: &[&Rule], waiting: &[(Waiting, Option<String>)], seen: &Status, now: i64) -> Table {
    let is_of = |rule: &Rule, (job, rules): &(Waiting, Option<String>)| match rules {
        Some(rules) if !rules.is_empty() => rules.split(',').any(|name| name.trim() == rule.name),
        // What has not been looked at may be any of its workspace's rules'.
        _ => job.key.split_once(':').is_some_and(|(_, rest)| rest.starts_with(&format!("{}:", rule.profile))),
    };
    let row = |rule: &&Rule| {
        let (age, what) = match waiting.iter().find(|one| is_of(rule, one)) {
            Some((job, _)) => {
                let age = Cell {
                    title: stamp(job.created_at),
                    mood: "waiting",
                    ..Cell::new(span(now - job.created_at))
                };
                let what = why(job, &seen.pauses);
                (age, Cell::link(what, format!("/jobs/{}", job.job_id)))
            }
            None if waiting.len() == OLDEST as usize => {
                let newest = waiting.last().map_or(0, |(job, _)| now - job.created_at);
                (
                    Cell::new(format!("below {}", span(newest))),
                    Cell::new("older changes of other rules come first"),
                )
            }
            None => (
                Cell { mood: "good", ..Cell::new("fresh") },
                Cell::new("every change that is known can be searched"),
            ),
        };
        let files = super::form::link("/files", &[("rule", &rule.name), ("state", "behind")]);
        TableRow::new([Cell::link(&rule.name, files), age, what])
    };
    Table {
        caption: "How old the oldest change is that cannot be searched yet",
        head: vec!["rule", "oldest change", "what it waits for"],
        rows: rules.iter().map(row).collect(),
        chosen: "",
    }
}

/// Causes that are told at most, those of most jobs.
const CAUSES: usize = 10;

/// What several died of, once.
fn deaths(dead: &[JobRow]) -> Vec<Death> {
    let mut groups: BTreeMap<String, (usize, i64, i64)> = BTreeMap::new();
    for job in dead {
        let Some(cause) = job.cause() else { continue };
        let (number, first, last) = groups.entry(cause).or_insert((0, i64::MAX, i64::MIN));
        *number += 1;
        *first = (*first).min(job.updated_at);
        *last = (*last).max(job.updated_at);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (number, ..))| std::cmp::Reverse(*number));
    let or_more = if dead.len() == DEAD as usize { " or more" } else { "" };
    let death = |(cause, (number, first, last)): (String, (usize, i64, i64))| {
        let href = of_cause(&cause);
        Death {
            jobs: format!("{}{or_more}", count(number as u64, "job")),
            which: href.trim_start_matches("/jobs?").to_owned(),
            first,
            last,
            href,
            cause,
        }
    };
    groups.into_iter().take(CAUSES).map(death).collect()
}

/// What several things fail for, once.
fn causes(seen: &Status, deaths: &[Death], now: i64) -> Table {
    let mut rows: Vec<TableRow> = Vec::new();
    for pause in &seen.pauses {
        let state = if pause.kind == "outage" { "outage" } else { "refused" };
        rows.push(TableRow::new([
            Cell { mood: "bad", ..Cell::new(state) },
            Cell::new(paused(pause)),
            Cell::past(pause.since, now),
            Cell::due(pause.probe_at, now),
            Cell::link("see what waits", "/jobs?state=waiting"),
        ]));
    }
    for death in deaths {
        rows.push(TableRow::new([
            Cell { mood: "bad", ..Cell::new(format!("{} dead", death.jobs)) },
            Cell::new(&*death.cause),
            Cell::past(death.first, now),
            Cell::past(death.last, now),
            Cell::link("see them", &*death.href),
        ]));
    }
    Table {
        caption: "Causes",
        head: vec!["what", "cause", "first", "last, or next try", "then"],
        rows,
        chosen: "",
    }
}

fn numbers(seen: &Status) -> Vec<Number> {
    let number = |number: i64, label, href| Number { words: number.to_string(), label, href };
    vec![
        number(of(&seen.files, "present"), "files", "/files"),
        number(of(&seen.jobs, "waiting") + of(&seen.jobs, "running"), "jobs left", "/jobs"),
        number(of(&seen.jobs, "dead"), "dead jobs", "/jobs?state=dead"),
        number(of(&seen.runs, "needs_review"), "runs to review", "/runs?state=needs_review"),
        number(of(&seen.files, "out"), "files kept out of OpenAI", "/files?state=out"),
        number(of(&seen.files, "skipped"), "skipped files", "/files?state=skipped"),
        number(
            seen.usage.rules.values().map(|held| held.all_out().files).sum(),
            "files out to make room",
            "/files?state=out",
        ),
        number(seen.unread, "files nothing can be read in", "/files?state=unread"),
    ]
}

fn notes(seen: &Status, now: i64) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(oldest) = &seen.oldest {
        notes.push(format!("The oldest change is {} old: {}.", span(now - oldest.since), oldest.why));
    }
    if seen.inbox > 0 {
        notes.push(format!(
            "{} in the inbox, not yet turned into jobs.",
            count(seen.inbox.unsigned_abs(), "delivery")
        ));
    }
    for full in &seen.full_stores {
        let words = full.words();
        let first = words.chars().next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        notes.push(format!("{first}{}.", words.chars().skip(1).collect::<String>()));
    }
    for held in &seen.held {
        notes.push(format!(
            "{} of rule {}: {}.",
            count(held.runs.unsigned_abs(), "run"),
            held.rule,
            held.reason
        ));
    }
    notes
}

/// What OpenAI holds, what is out, and of what budget.
fn storage(plan: &Plan, seen: &Status) -> Table {
    let amount = |amount: Amount| {
        let size = bytes(amount.bytes.unsigned_abs());
        Cell::new(format!("{}, {size}", count(amount.files.unsigned_abs(), "file")))
    };
    let row = |one: &Standing<'_>| {
        let mood = match (one.held.wanted.files > 0, one.percent()) {
            (true, _) => "bad",
            (false, 100..) => "waiting",
            (false, _) => "",
        };
        let out = match (&one.scope.of, one.held.all_out()) {
            (Of::Rule(rule), out) => {
                let files = super::form::link("/files", &[("rule", rule.as_str()), ("state", "out")]);
                Cell::link(amount(out).words, files)
            }
            (_, out) => amount(out),
        };
        TableRow::new([
            Cell::new(one.scope.whose()),
            amount(one.held.held()),
            out,
            Cell { mood, ..Cell::new(format!("{} % of {}", one.percent(), one.scope.limits())) },
            Cell::new(dollars(one.cost)),
            Cell::new(one.why_out().unwrap_or("nothing is out")),
        ])
    };
    Table {
        caption: "What OpenAI holds, and what is out to keep within a budget",
        head: vec!["whose", "in", "out", "budget", "a day", "why"],
        rows: plan.standings(&seen.usage).iter().map(row).collect(),
        chosen: "",
    }
}

/// What is left of OpenAI's limits, and what waits for one.
fn limits(remaining: &[Remaining], seen: &Status) -> Table {
    let left = |limit: &Remaining| {
        let mood = if limit.left == 0 { "waiting" } else { "" };
        TableRow::new([
            Cell::new(&limit.what),
            Cell { mood, ..Cell::new(limit.left.to_string()) },
            Cell::new(limit.most.to_string()),
        ])
    };
    let mut rows: Vec<TableRow> = remaining.iter().map(left).collect();
    for reason in &seen.limited {
        rows.push(TableRow::new([
            Cell::new(reason.as_str()),
            Cell { mood: "waiting", ..Cell::new("0") },
            Cell::new(""),
        ]));
    }
    for pace in &seen.paced {
        let what = format!("runs at once of model {}: {}", pace.model, pace.reason);
        rows.push(TableRow::new([Cell::new(what), Cell::new(pace.allowed.to_string()), Cell::new("")]));
    }
    Table {
        caption: "Limits of OpenAI, within this minute",
        head: vec!["limit", "left", "of"],
        rows,
        chosen: "",
    }
}
