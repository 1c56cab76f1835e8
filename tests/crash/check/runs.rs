//! What must hold of runs: one response each, one result for what each contract is now, one file of it, and nothing made
//! over what Docket wrote itself.

use std::collections::{BTreeMap, HashSet};

use docket_sandbox::judge::{Span, absences_of, source_id};
use serde_json::Value;

use super::beside::EDITED;
use super::{ASKED, CONTRACTS, Seen, files, text};

/// A run as Docket has it on record.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: i64,
    pub source_id: String,
    pub path: String,
    pub content_hash: String,
    pub state: String,
    pub outcome: String,
    pub lock: String,
    pub reason: String,
}

impl Run {
    fn has_result(&self) -> bool {
        ["completed", "needs_review"].contains(&self.outcome.as_str())
    }
}

pub fn broken(seen: &Seen) -> Vec<String> {
    let runs = &seen.rows.runs;
    let mut wrong = Vec::new();
    for run in runs {
        let (id, path) = (run.id, &run.path);
        if run.state != "ended" || run.lock != "none" {
            wrong.push(format!("run {id} over {path} is {} with lock {}", run.state, run.lock));
        }
        if is_our_own(path) {
            wrong.push(format!("run {id} is over our own {path}"));
        }
    }
    let away = Away::of(&seen.fastio);
    for (run, Made { of_file, at }) in responses(&seen.openai) {
        if !seen.has_forgotten() && at.windows(2).any(|pair| !away.was(of_file, pair[0], pair[1])) {
            wrong.push(format!("run {run} was made {} times at OpenAI", at.len()));
        }
    }
    wrong.extend(asked_of_fastio(seen, &away));
    for file in live(&seen.fastio).filter(|file| is_contract(text(&file["path"]))) {
        wrong.extend(contract(seen, file));
    }
    wrong.extend(written(seen));
    wrong
}

/// What Fastio's AI was asked more often than once: under one key, or about what a file was while it stayed where it was.
fn asked_of_fastio(seen: &Seen, away: &Away) -> Vec<String> {
    if seen.has_forgotten() {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    let mut keys = HashSet::new();
    let mut of_files: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for asked in seen.fastio["turns_asked"].as_array().into_iter().flatten() {
        if !keys.insert(text(&asked["key"])) {
            wrong.push(format!("Fastio's AI was asked twice under one key: {asked}"));
        }
        let at = asked["at"].as_i64().unwrap_or_default();
        of_files.entry(text(&asked["nodes"][0])).or_default().push(at);
    }
    for (node, at) in of_files {
        let Some(file) = files(&seen.fastio).find(|file| file["node_id"] == node) else { continue };
        let id = source_id(file);
        let runs = seen.rows.runs.iter().filter(|run| run.source_id == id).count();
        let again = at.windows(2).filter(|pair| away.was(&id, pair[0], pair[1])).count();
        if at.len() > runs + again {
            let path = &file["path"];
            wrong.push(format!("Fastio's AI was asked {} times about {path} for {runs} runs", at.len()));
        }
    }
    wrong
}

/// When each file was in the trash.
struct Away(BTreeMap<String, Vec<Span>>);

impl Away {
    fn of(fastio: &Value) -> Away {
        Away(files(fastio).map(|file| (source_id(file), absences_of(file))).collect())
    }

    /// A file that was away between two moments is run over again when it is back, unless its result was there by then.
    fn was(&self, of_file: &str, from: i64, until: i64) -> bool {
        let away = self.0.get(of_file).map_or(&[][..], Vec::as_slice);
        away.iter().any(|&(left, back)| left < until && back > from)
    }
}

/// What is wrong with the run over what a contract is now.
fn contract(seen: &Seen, file: &Value) -> Option<String> {
    let (path, id, hash) = (text(&file["path"]), source_id(file), text(&file["sha256"]));
    let mut of_file = seen.rows.runs.iter().filter(|run| run.source_id == id);
    match of_file.find(|run| run.content_hash == hash) {
        None => Some(format!("no run was made over what {path} is now")),
        Some(run) if !run.has_result() => {
            Some(format!("the run over what {path} is now ended as {}: {}", run.outcome, run.reason))
        }
        Some(_) => None,
    }
}

/// Whether results were written more often than there was a reason for. An answer is one, and so is a run that comes to none, which may
/// have an earlier answer marked; each thing that people do to a contract or a result has at most one result renamed, marked or
/// written elsewhere. The same bytes twice are one result written twice: those of people differ.
fn written(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let (mut versions, mut beside) = (0, 0);
    let all = files(&seen.fastio).filter(|file| is_result(text(&file["path"])));
    for file in all {
        let (path, hashes) = (text(&file["path"]), file["version_hashes"].as_array());
        let hashes = hashes.map_or(&[][..], Vec::as_slice);
        if hashes.windows(2).any(|pair| pair[0] == pair[1]) {
            wrong.push(format!("{path} was written twice: {hashes:?}"));
        }
        versions += hashes.len();
        let is_edited = seen.desk.get(path).is_some_and(|text| text.starts_with(EDITED));
        beside += usize::from(file["trashed"] == false && !is_edited);
    }
    let (runs, moves) = (seen.rows.runs.len(), seen.moves);
    if versions > runs + moves {
        wrong.push(format!("{versions} versions of results come of {runs} runs and {moves} moves"));
    }
    let contracts = files(&seen.fastio).filter(|file| is_contract(text(&file["path"]))).count();
    let copied = seen.copied;
    if beside > contracts + copied {
        wrong.push(format!("{beside} results stand beside {contracts} contracts, and {copied} were copied"));
    }
    wrong
}

/// The responses that OpenAI made for a run.
#[derive(Default)]
struct Made<'a> {
    of_file: &'a str,
    /// When each was made, in Unix milliseconds.
    at: Vec<i64>,
}

/// The responses of each run. One that failed at OpenAI is rightly followed by another.
fn responses(openai: &Value) -> BTreeMap<&str, Made<'_>> {
    let mut made: BTreeMap<&str, Made<'_>> = BTreeMap::new();
    for response in openai["responses"].as_array().into_iter().flatten() {
        if response["status"] == "failed" {
            continue;
        }
        let run = made.entry(text(&response["metadata"]["docket_run"])).or_default();
        run.of_file = text(&response["metadata"]["source_id"]);
        run.at.push(1_000 * response["created_at"].as_i64().unwrap_or_default());
    }
    made
}

fn live(fastio: &Value) -> impl Iterator<Item = &Value> {
    files(fastio).filter(|file| file["trashed"] == false)
}

fn is_contract(path: &str) -> bool {
    is_at_a_desk(path) && path.ends_with(".txt")
}

/// Whether a file is a result of a run, under whatever name.
pub fn is_result(path: &str) -> bool {
    is_at_a_desk(path) && path.contains(".analysis")
}

/// Whether Docket has written it: a result, or a table of them.
pub fn is_our_own(path: &str) -> bool {
    is_result(path) || [CONTRACTS, ASKED].iter().any(|desk| path.starts_with(&format!("{desk}overview")))
}

pub fn is_at_a_desk(path: &str) -> bool {
    path.starts_with(CONTRACTS) || path.starts_with(ASKED)
}
