//! What must hold at the end, judged from what everybody has on record. Pure, so that it can be tested with records in
//! which something is wrong.

pub mod gaps;
pub mod runs;

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use serde_json::Value;

use runs::Run;

/// How many examples of one kind are shown; the number of all is told.
const EXAMPLES: usize = 5;

/// What Docket has on record.
#[derive(Debug, Default)]
pub struct Rows {
    pub events: HashSet<String>,
    pub jobs: Vec<String>,
    /// What should have come to an end, in words.
    pub unsettled: Vec<String>,
    pub copies: i64,
    /// Conversations whose creation was not answered: OpenAI has no list of them, so they may be there for good.
    pub unanswered_conversations: i64,
    pub runs: Vec<Run>,
}

/// Everything that is looked at.
#[derive(Debug)]
pub struct Seen {
    pub rows: Rows,
    /// The stand-ins' states.
    pub fastio: Value,
    pub openai: Value,
    /// The stand-in's history of what could be found.
    pub searchable: Value,
    /// Events of deliveries that were answered with 202.
    pub acknowledged: HashSet<String>,
    /// Answers that no sender should get.
    pub strange: Vec<String>,
    /// Nodes that left their rule at some time.
    pub wanderers: HashSet<String>,
    /// The number in each contract's text.
    pub contracts: Vec<usize>,
    /// What was written back, by path.
    pub results: BTreeMap<String, String>,
    /// What a sweep still finds.
    pub differences: Vec<String>,
}

/// A promise that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    pub promise: &'static str,
    pub times: usize,
    pub examples: Vec<String>,
}

/// All promises that do not hold.
pub fn broken(seen: &Seen) -> Vec<Broken> {
    let lost = seen.acknowledged.iter().filter(|event| !seen.rows.events.contains(*event)).cloned().collect();
    let found = [
        ("every acknowledged event is on record", lost),
        ("a delivery is answered 202 or 503", seen.strange.clone()),
        ("no job is left", seen.rows.jobs.clone()),
        ("nothing is left half done", seen.rows.unsettled.clone()),
        ("the vector stores hold what Fastio holds", differing(seen, |_| false)),
        ("no file has two copies", duplicates(seen)),
        ("every copy is on record", unrecorded(seen)),
        ("every copy is indexed", unfinished(seen)),
        ("no File object is in no vector store", orphans(seen)),
        ("each vector store is made once", stores(seen)),
        ("no lock is held", listed(&seen.fastio["locks"])),
        ("no upload to Fastio is left", listed(&seen.fastio["uploads"])),
        ("no conversation is left that came to nothing", empty_conversations(seen)),
        ("a file that is there is found all the time", unsearchable(seen)),
        ("each run is made once and its result written once", runs::broken(seen)),
        ("a sweep finds nothing", seen.differences.clone()),
    ];
    found.into_iter().filter_map(|(promise, all)| Broken::of(promise, all)).collect()
}

/// What does not hold before any sweep: all that was told has had its effect. A purge sends nothing, so what it leaves
/// waits for a sweep; what is in the trash was told of.
pub fn broken_before_sweep(seen: &Seen) -> Vec<Broken> {
    let known: HashSet<String> = files(&seen.fastio).map(source_id).collect();
    let is_purged = |source_id: &str| !known.contains(source_id);
    let found = [
        ("before any sweep the vector stores hold what Fastio holds", differing(seen, is_purged)),
        ("before any sweep every copy is indexed", unfinished(seen)),
        ("before any sweep a file that is there is found all the time", unsearchable(seen)),
        ("before any sweep each run is made once and its result written once", runs::broken(seen)),
    ];
    found.into_iter().filter_map(|(promise, all)| Broken::of(promise, all)).collect()
}

impl Broken {
    pub fn of(promise: &'static str, mut all: Vec<String>) -> Option<Broken> {
        let times = all.len();
        all.sort_unstable();
        all.truncate(EXAMPLES);
        (times > 0).then_some(Broken { promise, times, examples: all })
    }
}

/// Where a file's copy is and what it is of: the store's name, the path, the hash of the content.
type Place = (String, String, String);

/// What Fastio holds and a rule covers, by source id.
fn wanted(fastio: &Value) -> BTreeMap<String, Place> {
    let live = files(fastio).filter(|file| file["trashed"] == false);
    live.filter_map(|file| {
        let path = text(&file["path"]);
        let store = store_of(path)?;
        Some((source_id(file), (store.to_owned(), path.to_owned(), text(&file["sha256"]).to_owned())))
    })
    .collect()
}

/// The store of a path, by the rules of the server under test.
fn store_of(path: &str) -> Option<&'static str> {
    match path {
        _ if path.starts_with("/outside/") => None,
        _ if runs::is_result(path) || path.starts_with("/Contracts/overview") => None,
        _ if path.starts_with("/Contracts/") => Some("contracts"),
        _ => Some("all"),
    }
}

/// What the stores hold.
fn held(openai: &Value) -> Vec<(String, Place)> {
    let stores = openai["vector_stores"].as_array().into_iter().flatten();
    let entry = |store: &Value, file: &Value| {
        let attributes = &file["attributes"];
        let place = (&store["name"], &attributes["path"], &file["sha256"]);
        let place = (text(place.0).to_owned(), text(place.1).to_owned(), text(place.2).to_owned());
        (text(&attributes["source_id"]).to_owned(), place)
    };
    stores.flat_map(|store| files(store).map(move |file| entry(store, file))).collect()
}

fn differing(seen: &Seen, excused: impl Fn(&str) -> bool) -> Vec<String> {
    let mut wanted = wanted(&seen.fastio);
    let mut differing = Vec::new();
    for (source_id, place) in held(&seen.openai) {
        match wanted.remove(&source_id) {
            Some(right) if right == place => {}
            Some(right) => differing.push(format!("{source_id} is held as {place:?} and is {right:?}")),
            None if excused(&source_id) => {}
            None => differing
                .push(format!("{source_id} {place:?} is held and is not in Fastio, or is held twice")),
        }
    }
    differing
        .extend(wanted.into_iter().map(|(source_id, place)| format!("{source_id} {place:?} is not held")));
    differing
}

fn duplicates(seen: &Seen) -> Vec<String> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for (source_id, _) in held(&seen.openai) {
        *times.entry(source_id).or_default() += 1;
    }
    times
        .into_iter()
        .filter(|(_, times)| *times > 1)
        .map(|(id, times)| format!("{id} {times} times"))
        .collect()
}

fn unrecorded(seen: &Seen) -> Vec<String> {
    let held = held(&seen.openai).len();
    let words = || format!("{} copies are on record, {held} are held", seen.rows.copies);
    if usize::try_from(seen.rows.copies) == Ok(held) { Vec::new() } else { vec![words()] }
}

fn unfinished(seen: &Seen) -> Vec<String> {
    let stores = seen.openai["vector_stores"].as_array().into_iter().flatten();
    let bad = stores.flat_map(files).filter(|file| file["status"] != "completed");
    bad.map(|file| format!("{} is {}", text(&file["attributes"]["path"]), text(&file["status"]))).collect()
}

fn orphans(seen: &Seen) -> Vec<String> {
    let stores = seen.openai["vector_stores"].as_array().into_iter().flatten();
    let attached: HashSet<&str> = stores.flat_map(files).map(|file| text(&file["id"])).collect();
    let loose = files(&seen.openai).filter(|file| !attached.contains(text(&file["id"])));
    loose.map(|file| format!("{} {}", text(&file["id"]), text(&file["filename"]))).collect()
}

fn stores(seen: &Seen) -> Vec<String> {
    let stores = seen.openai["vector_stores"].as_array().into_iter().flatten();
    let mut names: Vec<&str> = stores.map(|store| text(&store["name"])).collect();
    names.sort_unstable();
    if names == ["all", "contracts"] { Vec::new() } else { vec![format!("there are {names:?}")] }
}

fn listed(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(Value::to_string).collect()
}

/// Conversations without an answer, unless nobody can know of them.
fn empty_conversations(seen: &Seen) -> Vec<String> {
    let all = seen.openai["conversations"].as_array().into_iter().flatten();
    let answered =
        |one: &&Value| one["items"].as_array().into_iter().flatten().any(|item| item["role"] != "user");
    let empty = all.filter(|one| !answered(one)).count();
    let unanswered = usize::try_from(seen.rows.unanswered_conversations).unwrap_or(0);
    let words = || format!("{empty} hold no answer, and the creation of {unanswered} was not answered");
    if empty > unanswered { vec![words()] } else { Vec::new() }
}

fn unsearchable(seen: &Seen) -> Vec<String> {
    if seen.searchable["dropped"] != 0 {
        return vec!["the sandbox forgot part of the history, so nobody can tell".to_owned()];
    }
    let there = gaps::absences(&seen.fastio, &seen.wanderers);
    let gaps = gaps::gaps(&seen.searchable, &there);
    let words = |gap: gaps::Gap| {
        format!("{} was not found for {} ms from {}", gap.source_id, gap.until_ms - gap.from_ms, gap.from_ms)
    };
    gaps.into_iter().map(words).collect()
}

/// The files of a state or of a store.
pub fn files(of: &Value) -> impl Iterator<Item = &Value> {
    of["files"].as_array().into_iter().flatten()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub fn node(file: &Value) -> &str {
    text(&file["node_id"])
}

/// As Docket names a file of the workspace.
pub fn source_id(file: &Value) -> String {
    format!("workspace:{}:{}", text(&file["workspace"]), node(file).replace('-', ""))
}
