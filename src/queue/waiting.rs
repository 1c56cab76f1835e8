//! What is left to be done and what keeps it from being done, in words for people who wait for it.

use serde::Serialize;

use super::breaker::store::PauseRow;
use crate::database::from_row;

/// A job as those see it who wait for what it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    pub job_id: i64,
    pub key: String,
    pub state: String,
    pub reason: Option<String>,
    /// The targets it cannot do without, each between blanks.
    pub needs: String,
    /// Since when it is left to be done.
    pub created_at: i64,
}

from_row!(Waiting { job_id, key, state, reason, needs, created_at });

impl Waiting {
    /// The paused target that holds it.
    pub fn held_by<'a>(&self, pauses: &'a [PauseRow]) -> Option<&'a PauseRow> {
        let needs = |pause: &&PauseRow| self.needs.split_whitespace().any(|target| target == pause.target);
        let mut held = pauses.iter().filter(|pause| pause.allowed.is_none());
        if self.state == "waiting" { held.rfind(needs) } else { None }
    }
}

/// How the reason of a job begins that says what it waits for, without that anything failed.
const WAITS: &str = "waits ";

/// What it waits for.
pub fn why(job: &Waiting, pauses: &[PauseRow]) -> String {
    let id = job.job_id;
    let reason = job.reason.as_deref();
    if let Some(pause) = job.held_by(pauses) {
        return format!("job {id} is held, because {}", paused(pause));
    }
    match (job.state.as_str(), reason) {
        ("dead", reason) => format!("job {id} is dead: {}", reason.unwrap_or("no reason is on record")),
        ("running", _) => format!("job {id} works on it now"),
        (_, Some(reason)) if reason.starts_with(WAITS) => format!("job {id} {reason}"),
        (_, Some(reason)) => format!("job {id} tries again: {reason}"),
        (_, None) => format!("job {id} waits for its turn"),
    }
}

/// A reason without what is one file's own: numbers, ids, and what has a slash in it. That of a cause is the cause itself.
pub fn cause(reason: &str) -> String {
    let words = reason.split_whitespace().map(|word| {
        let own = word.len() > 5 && word.chars().any(|c| c.is_ascii_digit()) || word.contains('/');
        if own { "…" } else { word }
    });
    let mut cause: Vec<&str> = words.collect();
    cause.dedup();
    cause.join(" ")
}

/// What is paused and why.
pub fn paused(pause: &PauseRow) -> String {
    let target = target(&pause.target);
    let what = if pause.kind == "outage" { "does not answer" } else { "refuses" };
    format!("{target} {what}: {}", pause.reason)
}

/// A target as people call it.
pub fn target(target: &str) -> String {
    match target.split_once('/').map(|(service, part)| (service, part.split_once(':'), part)) {
        Some((service, Some(("call", operation)), _)) => {
            format!("{} ({})", self::target(service), operation.replace('_', " "))
        }
        Some((_, Some(("model", model)), _)) => format!("OpenAI (runs with the model {model})"),
        Some((_, Some(("rule", rule)), _)) => format!("OpenAI (runs of rule {rule})"),
        Some(("openai", _, store)) => format!("the vector store {store}"),
        Some(("fastio", _, profile)) => format!("the {}", profile.replacen(':', " ", 1)),
        _ => match target {
            "openai" => "OpenAI".to_owned(),
            "fastio" => "Fastio".to_owned(),
            other => other.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(state: &str, reason: Option<&str>) -> Waiting {
        Waiting {
            job_id: 4,
            key: "file:workspace:1:2a".to_owned(),
            state: state.to_owned(),
            reason: reason.map(str::to_owned),
            needs: " fastio openai openai/vs_1 ".to_owned(),
            created_at: 1,
        }
    }

    fn pause(target: &str, kind: &str) -> PauseRow {
        let (target, kind, reason) = (target.to_owned(), kind.to_owned(), "the key was refused".to_owned());
        PauseRow { target, kind, reason, since: 1, probe_at: 2, allowed: None, probes: 0, is_confirmed: true }
    }

    #[test]
    fn what_is_one_files_own_is_left_out_of_a_cause() {
        assert_eq!(
            cause("gave up after 30 attempts: OpenAI answers 500"),
            "gave up after 30 attempts: OpenAI answers 500"
        );
        let gone = cause("no such file file-8a7b6c5d in vs_123456");
        assert_eq!(gone, "no such file … in …");
        assert_eq!(cause(&gone), gone);
        assert_eq!(cause("cannot read /Contracts/a.txt"), cause("cannot read /Other/b.txt"));
    }

    #[test]
    fn the_cause_is_said_that_keeps_the_work_from_being_done() {
        let dead = job("dead", Some("gave up after 30 attempts: 500"));
        assert_eq!(why(&dead, &[]), "job 4 is dead: gave up after 30 attempts: 500");
        let waits = job("waiting", Some("500"));
        assert_eq!(why(&waits, &[]), "job 4 tries again: 500");
        let limited =
            job("waiting", Some("waits for OpenAI's limit of 1,000 uploads a minute until 04:31:07 UTC"));
        assert_eq!(
            why(&limited, &[]),
            "job 4 waits for OpenAI's limit of 1,000 uploads a minute until 04:31:07 UTC"
        );
        let held = why(&waits, &[pause("fastio/share:2", "refusal"), pause("openai", "refusal")]);
        assert_eq!(held, "job 4 is held, because OpenAI refuses: the key was refused");
        let held = why(&waits, &[pause("openai/vs_1", "outage")]);
        assert_eq!(held, "job 4 is held, because the vector store vs_1 does not answer: the key was refused");
        assert_eq!(why(&job("waiting", None), &[]), "job 4 waits for its turn");
        let told = |target: &str| paused(&pause(target, "refusal"));
        assert_eq!(
            told("openai/call:creating_a_conversation"),
            "OpenAI (creating a conversation) refuses: the key was refused"
        );
        assert_eq!(told("openai/model:old"), "OpenAI (runs with the model old) refuses: the key was refused");
    }
}
