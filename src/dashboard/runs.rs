//! The runs, those that need a person first, and how they stand by folder.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::file::named;
use super::form::{Fields, Query, link, quoted};
use super::page::{Cell, Choice, Empty, Frame, Table, TableRow, choices, next_link, show};
use super::range::Range;
use super::{Dashboard, ROWS};
use crate::database::{Connection, Error};
use crate::listen::problem::Problem;
use crate::operate::guard::{Role, Viewer};
use crate::operate::range::Bounds;
use crate::operate::status::{RUN_STATES, of};
use crate::operate::words::dollars;
use crate::run::RunId;
use crate::run::store::{self, Page as RunPage, RunRow};

/// Runs of which the table by folder is made: the newest.
const OF_FOLDERS: u32 = 2_000;

#[derive(Template)]
#[template(path = "runs.html")]
struct Page {
    frame: Frame,
    rules: Vec<Choice>,
    states: Vec<Choice>,
    /// How many stand how.
    counts: Vec<Count>,
    table: Table,
    empty: Option<Empty>,
    next: String,
    which: String,
    range: Range,
    export: [String; 3],
}

struct Count {
    href: String,
    words: String,
}

pub async fn page(
    Viewer(who): Viewer,
    State(dashboard): State<Dashboard>,
    Query(fields): Query,
) -> Result<Response, Problem> {
    let wanted = Wanted::read(&fields, dashboard.now())?;
    let after = fields.number("after");
    let Wanted { rule, state, range } = wanted.clone();
    let read = move |connection: &mut Connection| {
        let rows = read(connection, &wanted, after, ROWS + 1)?;
        Ok((rows, store::counts(connection)?))
    };
    let (mut rows, counts) = dashboard.read(read).await?;
    let more = rows.len() > ROWS as usize;
    rows.truncate(ROWS as usize);
    let pairs = [&[("rule", rule.as_str()), ("state", &state)][..], &range.fields()].concat();
    let is_filtered = pairs.iter().any(|(_, value)| !value.is_empty());
    let empty = rows.is_empty().then(|| match is_filtered {
        true => Empty {
            words: "No run passes this filter.".to_owned(),
            href: "/runs".to_owned(),
            label: "Clear the filter",
        },
        false => Empty {
            words: "No run yet. One begins when a file of a rule with [rule.run] is indexed.".to_owned(),
            href: "/files".to_owned(),
            label: "See the files",
        },
    });
    let count = |state: &&str| {
        let runs = of(&counts, state);
        let words = format!("{runs} {}", state.replace('_', " "));
        (runs > 0).then(|| Count { href: link("/runs", &[("rule", &rule), ("state", state)]), words })
    };
    let last = rows.last().filter(|_| more).map(|row| row.run_id.to_string());
    let rule_option = if rule.is_empty() { String::new() } else { format!(" --rule {}", quoted(&rule)) };
    let state_option = if state.is_empty() { String::new() } else { format!(" --state {}", quoted(&state)) };
    let command = format!("docket runs list{rule_option}{state_option}{}", range.options());
    let mut table = table(&rows, dashboard.now());
    if who.role() < Role::Admin {
        table.chosen = "";
    }
    let names = dashboard.definitions.iter().map(|definition| definition.rule.name.as_str());
    let export = |form| link("/runs/export", &[&pairs[..], &[("form", form)]].concat());
    show(&Page {
        frame: dashboard.frame(who, ("/runs", "Runs"), command),
        rules: choices(names, &rule),
        states: choices(RUN_STATES.into_iter().filter(|state| *state != "dead"), &state),
        counts: RUN_STATES.iter().filter_map(count).collect(),
        next: next_link("/runs", &pairs, last.as_deref()),
        which: link("", &pairs).trim_start_matches('?').to_owned(),
        export: ["csv", "json", "md"].map(export),
        range,
        table,
        empty,
    })
}

/// Which runs a person asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub rule: String,
    pub state: String,
    pub range: Range,
}

impl Wanted {
    pub fn read(fields: &Fields, now: i64) -> Result<Wanted, Problem> {
        let range = Range::read(fields, now)?;
        Ok(Wanted { rule: fields.text("rule"), state: fields.text("state"), range })
    }
}

/// Those that pass the filter, those that changed last first. Without a filter those that need a person come before them on the first
/// page.
pub fn read(
    connection: &mut Connection,
    wanted: &Wanted,
    after: Option<i64>,
    most: u32,
) -> Result<Vec<RunRow>, Error> {
    let Wanted { rule, state, range } = wanted;
    let place = match after {
        Some(id) => store::row(connection, RunId(id))?.map(|row| row.place()),
        None => None,
    };
    let Bounds { since, until } = range.bounds;
    let rule = (!rule.is_empty()).then_some(rule.as_str());
    let page = RunPage { rule, word: None, after: place, since, until, most };
    if !state.is_empty() {
        return store::page(connection, &RunPage { word: Some(state), ..page });
    }
    let mut rows = match place {
        // Half of a page at most, so that the newest are seen there too.
        None => store::page(connection, &RunPage { word: Some("needs_review"), most: most / 2, ..page })?,
        Some(_) => Vec::new(),
    };
    let first: Vec<i64> = rows.iter().map(|row| row.run_id).collect();
    let rest = store::page(connection, &page)?;
    rows.extend(rest.into_iter().filter(|row| !first.contains(&row.run_id)));
    rows.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Ok(rows)
}

fn table(rows: &[RunRow], now: i64) -> Table {
    let line = |row: &RunRow| {
        let tokens = row.input_tokens.map(|input| (input + row.output_tokens.unwrap_or(0)).to_string());
        let tokens = match (tokens, row.cost) {
            (Some(tokens), Some(cost)) => format!("{tokens} ({})", dollars(cost.unsigned_abs())),
            (tokens, _) => tokens.unwrap_or_else(|| "–".to_owned()),
        };
        let judged = row.judgement().map(|judgement| judgement.sentence());
        let reason =
            judged.iter().map(String::as_str).chain(row.reason.as_deref()).collect::<Vec<_>>().join("; ");
        let since = row.ended_at.or(row.answered_at).or(row.begun_at).unwrap_or(row.created_at);
        TableRow {
            item: row.run_id.to_string(),
            label: format!("run {} over {}", row.run_id, row.path),
            cells: vec![
                Cell::link(row.run_id.to_string(), format!("/runs/{}", row.run_id)),
                Cell::new(&*row.rule),
                named(&row.path, &row.source_id),
                Cell::state(row.word()),
                Cell::new(tokens),
                Cell::past(since, now),
                Cell::new(reason),
            ],
        }
    };
    Table {
        caption: "Runs",
        head: vec!["run", "rule", "file", "state", "tokens", "changed", "reason"],
        rows: rows.iter().map(line).collect(),
        chosen: "chosen",
    }
}

#[derive(Template)]
#[template(path = "plain_list.html")]
struct Folders {
    frame: Frame,
    about: String,
    table: Table,
    empty: Option<Empty>,
}

/// How the newest runs stand, by the folder of their files.
pub async fn folders(
    Viewer(who): Viewer,
    State(dashboard): State<Dashboard>,
    Query(fields): Query,
) -> Result<Response, Problem> {
    let rule = fields.text("rule");
    let wanted = (!rule.is_empty()).then(|| rule.clone());
    let rows =
        dashboard.read(move |connection| store::list(connection, wanted.as_deref(), OF_FOLDERS)).await?;
    let mut folders: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for row in &rows {
        let folder = row.path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        *folders.entry(folder).or_default().entry(row.word()).or_default() += 1;
    }
    let line = |(folder, words): (&&str, &BTreeMap<&str, usize>)| {
        let number = |word: &str| Cell::new(words.get(word).copied().unwrap_or(0).to_string());
        let all: usize = words.values().sum();
        TableRow::new([
            Cell::link(if folder.is_empty() { "/" } else { folder }, link("/files", &[("path", folder)])),
            Cell::new(all.to_string()),
            number("needs_review"),
            number("completed"),
            number("accepted"),
            number("rejected"),
            number("failed"),
        ])
    };
    let table = Table {
        caption: "Runs by folder",
        head: vec!["folder", "runs", "need review", "completed", "accepted", "rejected", "failed"],
        rows: folders.iter().map(line).collect(),
        chosen: "",
    };
    let empty = rows.is_empty().then(|| Empty {
        words: "No run yet. One begins when a file of a rule with [rule.run] is indexed.".to_owned(),
        href: "/files".to_owned(),
        label: "See the files",
    });
    let about = format!("Of the newest {} runs.", rows.len());
    show(&Folders {
        frame: dashboard.frame(who, ("/runs", "Runs by folder"), "docket runs list"),
        about,
        table,
        empty,
    })
}
