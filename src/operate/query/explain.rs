//! Why a file is as it is, in words, from the code that decides it: what the rules say of it, how it stands, what was run over it, and how it
//! came to where it is.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::files::Files;
use super::runs::{RunView, views};
use super::{Known, Question, Wrong, ask};
use crate::database::{Connection, Error};
use crate::erasure;
use crate::fastio::FileKey;
use crate::history::{Timeline, timeline};
use crate::rule::{LeftOut, Rule, Rules, UNCOVERED};
use crate::run;
use crate::sync::listing::{self, Cursor, Place, Row, Standing};

/// Runs over one file that are told of: one of each rule, and some that they took the place of.
const RUNS: u32 = 20;

/// Files that are named where a place is that of several.
const NAMED: u32 = 20;

/// Which file: a path or an id.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Explain {
    pub place: String,
}

/// What there is to say of one file, or why there is not.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Explained {
    /// How it stands, in one sentence.
    pub sentence: String,
    /// What else a person should know, each a sentence.
    pub besides: Vec<String>,
    pub rules: Vec<RuleSays>,
    /// One for each of its copies; of several files where the place is that of more than one.
    pub files: Vec<Row>,
    /// What was run over it, the newest first.
    pub runs: Vec<RunView>,
    /// None where nothing is known, or of several.
    #[schema(value_type = Option<Object>)]
    pub timeline: Option<Timeline>,
}

/// What a rule says of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleSays {
    pub rule: String,
    pub covers: bool,
    /// Why not.
    pub why: Option<String>,
}

impl RuleSays {
    fn of(rule: &Rule, path: &str, is_elsewhere: bool) -> RuleSays {
        let why = match rule.left_out(&rule.profile, path) {
            _ if is_elsewhere => Some(format!("it is for {}", rule.profile)),
            None => None,
            Some(LeftOut::Elsewhere) => Some(format!("it is for {}", rule.profile)),
            Some(LeftOut::NotIncluded) => Some("its include names no such path".to_owned()),
            Some(LeftOut::Excluded(line)) => Some(format!("it excludes it by `{line}`")),
            Some(LeftOut::Junk(line)) => {
                Some(format!("it leaves it out by default, by `{line}`; an exclude of `!{line}` takes it in"))
            }
        };
        RuleSays { rule: rule.name.clone(), covers: why.is_none(), why }
    }

    /// What each rule says of the file.
    pub fn all(rules: &Rules, key: Option<&FileKey>, path: &str) -> Vec<RuleSays> {
        let is_elsewhere = |rule: &Rule| key.is_some_and(|key| rule.profile != key.profile);
        rules.iter().map(|rule| RuleSays::of(rule, path, is_elsewhere(rule))).collect()
    }
}

/// How a file stands, in one sentence; `rows` are one file's, one for each of its copies.
pub fn sentence(rows: &[Row]) -> String {
    let Some(row) = rows.first() else { return "Docket knows no such file.".to_owned() };
    let path = row.path.as_deref().unwrap_or(&row.source_id);
    let reason = row.reason.as_deref().unwrap_or_default();
    match row.state {
        Standing::Current => {
            let stores = rows.iter().filter_map(|row| row.copy.vector_store.as_deref());
            format!("{path} is current: what can be searched in {} is what the file is.", listed(stores))
        }
        Standing::Unread => format!("{path} is up to date, and cannot be found: {reason}."),
        Standing::Behind => format!("{path} is not current: {reason}."),
        Standing::Out => format!("{path} is out of OpenAI: {reason}."),
        Standing::Skipped => format!("{path} is skipped: {reason}."),
        Standing::Gone => format!("{path} is gone from Fastio, and nothing of it is left: {reason}."),
    }
}

fn listed<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = all.collect();
    match all.split_last() {
        None => "no vector store".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

impl Question for Explain {
    type Answer = Explained;

    fn path(&self) -> String {
        "/explain".to_owned()
    }

    fn answer(&self, connection: &mut Connection, known: &Known) -> Result<Result<Explained, Wrong>, Error> {
        if self.place.is_empty() {
            return Ok(Err(Wrong::Asked("name a file: `place` is its path or its id".to_owned())));
        }
        let asked = Files { place: Some(self.place.clone()), ..Files::default() };
        let filter = ask!(asked.filter(connection, known)?);
        let mut cursor = Cursor::Start;
        let page = loop {
            let page = listing::page(connection, &filter, &cursor, NAMED)?;
            match &page.next {
                Some(next) if page.files == 0 => cursor = next.clone(),
                _ => break page,
            }
        };
        match page.files {
            0 => return Ok(Ok(unknown(known, &self.place))),
            1 => {}
            _ => return Ok(Ok(several(&self.place, page.rows))),
        }
        one(connection, known, page.rows).map(Ok)
    }
}

/// All there is to say of the file that `rows` are about.
pub fn one(connection: &mut Connection, known: &Known, rows: Vec<Row>) -> Result<Explained, Error> {
    let row = &rows[0];
    let key: Option<FileKey> = row.source_id.parse().ok();
    let rules = match &row.path {
        Some(path) => RuleSays::all(&known.rules, key.as_ref(), path),
        None => Vec::new(),
    };
    let mut besides = Vec::new();
    if let Some(key) = &key
        && erasure::store::is_withheld(connection, &key.to_string())?
    {
        besides.push("A person had it erased, and it is not synced again until that is undone.".to_owned());
    }
    if let (Some(job), Some("dead")) = (row.job_id, row.job_state.as_deref()) {
        besides.push(format!("Remove the cause, then: docket jobs retry {job}"));
    }
    besides.extend(
        rows.iter().filter_map(|row| row.copy.note.as_ref()).map(|note| format!("On the way: {note}.")),
    );
    let over = run::store::over(connection, &row.source_id, RUNS)?;
    let runs = views(connection, over)?;
    let timeline = match &key {
        Some(key) => Some(timeline(connection, key, known.now)?),
        None => None,
    };
    Ok(Explained { sentence: sentence(&rows), besides, rules, files: rows, runs, timeline })
}

fn several(place: &str, rows: Vec<Row>) -> Explained {
    Explained {
        sentence: format!("{place} is the place of several files: name one of them."),
        besides: Vec::new(),
        rules: Vec::new(),
        files: rows,
        runs: Vec::new(),
        timeline: None,
    }
}

/// What can be said of a place at which nothing is known.
fn unknown(known: &Known, place: &str) -> Explained {
    let path = Place::new(place).path();
    let rules = RuleSays::all(&known.rules, None, &path);
    Explained {
        sentence: format!("Docket knows no such file at {place}."),
        besides: vec![unknown_because(&known.rules, &path)],
        rules,
        files: Vec::new(),
        runs: Vec::new(),
        timeline: None,
    }
}

/// Why no file is known at a path.
pub fn unknown_because(rules: &Rules, path: &str) -> String {
    let covers = rules.iter().filter(|rule| rule.covers(&rule.profile, path));
    let names: Vec<&str> = covers.map(|rule| rule.name.as_str()).collect();
    let mut whys: Vec<String> = rules.iter().map(|rule| rules.why_not(&rule.profile, path)).collect();
    whys.dedup();
    whys.retain(|why| why != UNCOVERED);
    if names.is_empty() {
        let whys: Vec<String> = whys.iter().map(|why| format!(": {why}")).collect();
        return format!("No rule covers that path{}.", whys.concat());
    }
    format!(
        "A file there is covered by {}, and no event named one. To compare with Fastio now: docket sweep --dry-run",
        names.join(", ")
    )
}
