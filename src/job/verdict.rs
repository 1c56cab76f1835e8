//! What a failure of Fastio, OpenAI or the database means for the job that met it.

use std::time::Duration;

use super::refusal::{self, About, Call, Follows, Row, Said};
use crate::fastio::Profile;
use crate::http::Retry;
use crate::openai::VectorStoreId;
use crate::queue::Verdict;
use crate::{database, fastio, openai};

/// The targets that every file's job needs.
pub const FASTIO: &str = "fastio";
pub const OPENAI: &str = "openai";

/// How long a job waits where OpenAI asks to slow down and does not say for how long.
const SLOW_DOWN: Duration = Duration::from_secs(10);

/// The target for one vector store, such as `openai/vs_abc123`.
pub fn store_target(id: &VectorStoreId) -> String {
    format!("{OPENAI}/{id}")
}

/// The target for one workspace or share, such as `fastio/workspace:4829105738291047362`.
pub fn profile_target(profile: &Profile) -> String {
    format!("{FASTIO}/{profile}")
}

/// The cause that holds what needs one kind of call, such as `openai/call:uploading_a_file`.
pub fn call_cause(service: &str, operation: &str) -> String {
    format!("{service}/call:{}", one_word(operation))
}

/// The cause that holds the runs with a model, such as `openai/model:gpt-6`.
pub fn model_cause(model: &str) -> String {
    format!("{OPENAI}/model:{}", one_word(model))
}

/// The cause of what OpenAI's client counts as done.
pub fn openai_cause(done: &str) -> String {
    match done.strip_prefix(openai::MODEL_DONE) {
        Some(model) => model_cause(model),
        None => call_cause(OPENAI, done),
    }
}

/// The cause that holds the runs of a rule, such as `openai/rule:contracts`.
pub fn rule_cause(rule: &str) -> String {
    format!("{OPENAI}/rule:{}", one_word(rule))
}

/// Causes stand between blanks.
fn one_word(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join("_")
}

pub fn fastio_verdict(error: &fastio::Error) -> Verdict {
    let cause = call_cause(FASTIO, error.operation);
    verdict(
        refusal::fastio(error),
        error.retry(),
        &Refusal { service: FASTIO, cause, reason: error.to_string() },
    )
}

pub fn openai_verdict(error: &openai::Error) -> Verdict {
    let cause = call_cause(OPENAI, error.operation);
    let row = refusal::openai(call(error), error, None);
    verdict(row, error.retry(), &Refusal { service: OPENAI, cause, reason: error.to_string() })
}

/// What it means that a run could not begin. `rule` and `model` are what it was to be begun with.
pub fn begin_verdict(error: &openai::Error, (rule, model): (&str, Option<&str>)) -> Verdict {
    let row = refusal::openai(Call::Run, error, model);
    let (cause, cure) = match (row.about, model) {
        (About::Model, Some(model)) if error.is_about_background() => (
            model_cause(model),
            format!(
                "; runs need responses in the background: let the project use them with {model}, or set another rule.run.model"
            ),
        ),
        (About::Model, Some(model)) => (
            model_cause(model),
            format!("; set rule.run.model to another than {model}, or let the project use it"),
        ),
        (About::Rule, _) => {
            let setting = error.refused_setting().unwrap_or_default();
            (
                rule_cause(rule),
                format!("; correct `{setting}` as rule `{rule}` sets it, or use another model"),
            )
        }
        _ => {
            let cure = match row.said {
                Said::Money => "add credit to the OpenAI account, or raise its limit",
                Said::Storage => "make room in the project's storage at OpenAI, or raise its limit",
                _ => "let the key make conversations and responses, or use one that may",
            };
            let meanwhile = format!("; {cure}: until then runs wait, and files go on being synced");
            (call_cause(OPENAI, error.operation), meanwhile)
        }
    };
    let held = matches!(row.follows, Follows::Held);
    let reason = if held { format!("{error}{cure}") } else { error.to_string() };
    verdict(row, error.retry(), &Refusal { service: OPENAI, cause, reason })
}

/// What OpenAI was asked for.
fn call(error: &openai::Error) -> Call {
    match error.operation {
        openai::UPLOADING => Call::Upload,
        openai::ATTACHING => Call::Attach,
        _ => Call::Other,
    }
}

/// Whether OpenAI itself says that it will not hold this content.
pub fn is_final(error: &openai::Error) -> bool {
    refusal::openai(call(error), error, None).follows == Follows::Final
}

/// What OpenAI has, or `None` where it says that there is no such thing.
///
/// # Errors
/// What any other failure means for the job.
pub fn openai_has<T>(result: Result<T, openai::Error>) -> Result<Option<T>, Verdict> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(openai_verdict(&error)),
    }
}

/// A database that fails now may work soon: the disk has room again, the lock is free. That is no fault of the job's.
pub fn database_verdict(error: &database::Error) -> Verdict {
    let reason = format!("Docket's own database: {error}");
    if error.will_pass() { Verdict::Blocked { reason } } else { Verdict::Retry { after: None, reason } }
}

impl From<database::Error> for Verdict {
    fn from(error: database::Error) -> Self {
        database_verdict(&error)
    }
}

/// A refusal, put in words.
struct Refusal {
    service: &'static str,
    /// What refuses, where it is not the whole service.
    cause: String,
    reason: String,
}

fn verdict(row: &Row, retry: Retry, refusal: &Refusal) -> Verdict {
    let (service, reason) = (refusal.service.to_owned(), refusal.reason.clone());
    let after = match retry {
        Retry::After(wait) => Some(wait),
        Retry::Unavailable(wait) => wait,
        _ => None,
    };
    match row.follows {
        Follows::Retry => Verdict::Retry { after: None, reason },
        // A limit is waited for, and not all that met it come back at once.
        Follows::Wait if refusal.service == OPENAI => {
            let wait = after.unwrap_or(SLOW_DOWN);
            Verdict::Later { after: wait + wait.mul_f64(fastrand::f64() / 4.0), reason }
        }
        Follows::Wait => Verdict::Retry { after, reason },
        Follows::Outage => Verdict::Unavailable { target: service, after, silent: false, reason },
        Follows::Held if row.about == About::Account => Verdict::Hold { target: service, reason },
        Follows::Held | Follows::HeldBySeveral => Verdict::Refused {
            service,
            cause: refusal.cause.clone(),
            several: row.follows == Follows::HeldBySeveral,
            reason,
        },
        Follows::Final | Follows::NotThere | Follows::Dead => Verdict::Dead { reason },
    }
}

/// The verdict on a job from those on its parts. What can still be done decides when it is tried again; it is dead only
/// when nothing else is left.
pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Done => 0,
        Verdict::Dead { .. } => 1,
        Verdict::Hold { .. } | Verdict::Refused { .. } | Verdict::Waits { .. } => 2,
        Verdict::Unavailable { .. } => 3,
        Verdict::Retry { .. } | Verdict::NotYet { .. } => 4,
        Verdict::Blocked { .. } => 5,
        Verdict::Limited { .. } => 6,
        Verdict::Later { .. } => 7,
    };
    verdicts.into_iter().max_by_key(rank).unwrap_or(Verdict::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_dead_only_when_nothing_else_is_left() {
        let dead = Verdict::Dead { reason: "no".to_owned() };
        let later = Verdict::Later { after: Duration::ZERO, reason: "being indexed".to_owned() };
        assert_eq!(worst([dead.clone(), later.clone()]), later);
        assert_eq!(worst([Verdict::Done, dead.clone()]), dead);
        assert_eq!(worst([]), Verdict::Done);
    }
}
