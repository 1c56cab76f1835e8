//! What must hold of runs: one response each, one result for what each contract is now, one file of it, and nothing made
//! over what Docket wrote itself.

use std::collections::BTreeMap;

use docket_sandbox::judge::source_id;
use serde_json::Value;

use super::{Seen, files, text};

/// A run as Docket has it on record.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: i64,
    pub source_id: String,
    pub path: String,
    pub content_hash: String,
    pub state: String,
    pub outcome: String,
    /// An answer of OpenAI's was judged, so a result may have been written before anything else ended the run.
    pub answered: bool,
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
        if path.ends_with(".analysis.md") || path.starts_with("/Contracts/overview") {
            wrong.push(format!("run {id} is over our own {path}"));
        }
    }
    for (run, times) in responses(&seen.openai) {
        if times > 1 {
            wrong.push(format!("run {run} was made {times} times at OpenAI"));
        }
    }
    for (number, content) in seen.contracts.iter().enumerate() {
        wrong.extend(contract(seen, (number, *content)));
    }
    let expected: usize = seen.contracts.len();
    let results: Vec<&str> =
        live(&seen.fastio).map(|file| text(&file["path"])).filter(|path| is_result(path)).collect();
    if results.len() > expected {
        wrong.push(format!("{} results stand beside {expected} contracts: {results:?}", results.len()));
    }
    wrong
}

/// What is wrong with one contract that holds `content` now.
fn contract(seen: &Seen, (number, content): (usize, usize)) -> Vec<String> {
    let path = format!("/Contracts/contract {number}.txt");
    let Some(file) = live(&seen.fastio).find(|file| file["path"] == path.as_str()) else {
        return vec![format!("{path} is not in Fastio")];
    };
    let (id, hash) = (source_id(file), text(&file["sha256"]));
    let of_file: Vec<&Run> = seen.rows.runs.iter().filter(|run| run.source_id == id).collect();
    let mut wrong = Vec::new();
    match of_file.iter().find(|run| run.content_hash == hash) {
        None => wrong.push(format!("no run was made over what {path} is now")),
        Some(run) if !run.has_result() => {
            wrong.push(format!("the run over what {path} is now ended as {}: {}", run.outcome, run.reason));
        }
        Some(_) => {}
    }
    let result_path = format!("/Contracts/contract {number}.analysis.md");
    let result = live(&seen.fastio).find(|file| file["path"] == result_path.as_str());
    let versions: Vec<&Value> =
        result.and_then(|file| file["version_hashes"].as_array()).into_iter().flatten().collect();
    // A server that dies between writing a result and recording that may find a newer contract: then the run ends as
    // superseded, and what it wrote was right when it was written. The same bytes twice are one result written twice.
    let answers = of_file.iter().filter(|run| run.answered).count();
    if versions.is_empty() || versions.len() > answers {
        wrong.push(format!("{result_path} has {} versions of {answers} answers", versions.len()));
    }
    if versions.windows(2).any(|pair| pair[0] == pair[1]) {
        wrong.push(format!("{result_path} was written twice: {versions:?}"));
    }
    let words = format!("under contract {content}.");
    if !seen.results.get(&result_path).is_some_and(|text| text.contains(&words)) {
        wrong.push(format!("{result_path} is not about what {path} is now"));
    }
    wrong
}

/// How many responses OpenAI made for each run. One that failed at OpenAI is rightly followed by another.
fn responses(openai: &Value) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for response in openai["responses"].as_array().into_iter().flatten() {
        if response["status"] == "failed" {
            continue;
        }
        *times.entry(text(&response["metadata"]["docket_run"]).to_owned()).or_default() += 1;
    }
    times
}

fn live(fastio: &Value) -> impl Iterator<Item = &Value> {
    files(fastio).filter(|file| file["trashed"] == false)
}

/// Whether a file is a result of a run, under whatever name.
pub fn is_result(path: &str) -> bool {
    path.starts_with("/Contracts/") && path.contains(".analysis")
}
