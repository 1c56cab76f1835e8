//! Is it well? One word for a person, an exit code and a monitor, and what they have to do when it is not.

use serde::Serialize;

use super::status::{Status, of};
use crate::feed::sweep::store::SweepRow;
use crate::queue::waiting::paused;
use crate::sync::budget::store::Usage;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// What is left to do will be done without a person.
    Well,
    /// Something waits that only a person can put right.
    NeedsPerson,
    /// No server works on this database.
    NoServer,
}

impl Word {
    pub fn as_str(self) -> &'static str {
        match self {
            Word::Well => "well",
            Word::NeedsPerson => "needs_person",
            Word::NoServer => "no_server",
        }
    }

    /// The exit code of `docket status`. 1 and 2 are those of every command.
    pub fn code(self) -> u8 {
        match self {
            Word::Well => 0,
            Word::NeedsPerson => 3,
            Word::NoServer => 4,
        }
    }
}

/// The word, and why it is not `well`, each with what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub verdict: Word,
    pub reasons: Vec<String>,
}

impl Verdict {
    /// Judges what was seen, with or without a server.
    ///
    /// An outage is none of it: it ends by itself, and no person here can shorten it. Neither is a result that needs review, or
    /// a model that declined: those are answers, for their readers, and the same model would give them again.
    pub fn of(seen: &Status, server: bool) -> Verdict {
        let mut reasons = Vec::new();
        if !server {
            reasons.push("no server works on this database: docket serve".to_owned());
        }
        let needs_person = reasons.len();
        reasons.extend(dead(of(&seen.jobs, "dead"), seen.unerased));
        let refusals = seen.pauses.iter().filter(|pause| pause.kind == "refusal" && pause.allowed.is_none());
        reasons.extend(refusals.map(paused));
        for pace in seen.paced.iter().filter(|pace| pace.strikes >= LASTING) {
            reasons.push(format!("no run of model {} goes well: {}", pace.model, pace.reason));
        }
        if seen.sweep.as_ref().is_some_and(SweepRow::waits) {
            reasons.push(
                "a sweep stopped before it removed more than its limit: docket sweep --dry-run, then docket sweep approve or dismiss"
                    .to_owned(),
            );
        }
        reasons.extend(storage(&seen.usage, seen.storage_near.is_some()));
        for held in seen.held.iter().filter(|held| held.until.is_none()) {
            let are = are(held.runs, "run");
            reasons.push(format!("{are} held in rule {}: {}", held.rule, held.reason));
        }
        match of(&seen.runs, "failed") {
            0 => {}
            1 => reasons.push(format!("1 run failed: {FAILED}")),
            runs => reasons.push(format!("{runs} runs failed: {FAILED}")),
        }
        let verdict = match (server, reasons.len() > needs_person) {
            (false, _) => Word::NoServer,
            (true, true) => Word::NeedsPerson,
            (true, false) => Word::Well,
        };
        Verdict { verdict, reasons }
    }
}

/// What to do about what OpenAI may not hold, or not much longer.
pub fn storage(usage: &Usage, is_near: bool) -> impl Iterator<Item = String> {
    let kept_out = usage.rules.iter().filter(|(_, held)| held.wanted.files > 0).map(|(rule, held)| {
        let files = held.wanted.files;
        let them = if files == 1 { "it" } else { "them" };
        format!(
            "{} wanted in rule {rule} and kept out of OpenAI by a budget: docket files --out --rule {rule} says why; raise the \
             budget, pin less, or leave {them} out of the rule",
            are(files, "file")
        )
    });
    is_near.then(|| NEAR.to_owned()).into_iter().chain(kept_out)
}

/// What to do about dead jobs, of which `unerased` are erasures: those are owed to somebody, and may only be tried again.
pub fn dead(jobs: i64, unerased: i64) -> impl Iterator<Item = String> {
    let erasures = (unerased > 0).then(|| {
        format!(
            "{} not done, and what derives from the file is still there: docket jobs list --state dead says why, then \
             docket jobs retry",
            are(unerased, "erasure")
        )
    });
    let others = jobs - unerased;
    let others = (others > 0).then(|| {
        let are = are(others, "job");
        format!("{are} dead: docket jobs list --state dead says why, then docket jobs retry or discard")
    });
    erasures.into_iter().chain(others)
}

fn are(number: i64, what: &str) -> String {
    match number {
        1 => format!("1 {what} is"),
        number => format!("{number} {what}s are"),
    }
}

/// Failures in a row after which a limit does not pass by itself: some two minutes of them.
const LASTING: i64 = 10;

/// What to do before OpenAI takes nothing more.
const NEAR: &str = "the project at OpenAI is near to its storage limit: have it raised and set storage.limit_megabytes, or set budgets; at the \
                    limit less its margin what is used least leaves";

/// What to do about runs that failed.
const FAILED: &str = "docket runs list says why, then docket runs again --rule NAME";
