//! What a failure of Fastio, OpenAI or the database means for the job that met it.

use crate::fastio::Profile;
use crate::http::Retry;
use crate::openai::VectorStoreId;
use crate::queue::Verdict;
use crate::{database, fastio, openai};

/// The targets that every file's job needs.
pub const FASTIO: &str = "fastio";
pub const OPENAI: &str = "openai";

/// The target for one vector store, such as `openai/vs_abc123`.
pub fn store_target(id: &VectorStoreId) -> String {
    format!("{OPENAI}/{id}")
}

/// The target for one workspace or share, such as `fastio/workspace:4829105738291047362`.
pub fn profile_target(profile: &Profile) -> String {
    format!("{FASTIO}/{profile}")
}

pub fn fastio_verdict(error: &fastio::Error) -> Verdict {
    verdict(error.retry(), FASTIO, error.to_string())
}

pub fn openai_verdict(error: &openai::Error) -> Verdict {
    verdict(error.retry(), OPENAI, error.to_string())
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

fn verdict(retry: Retry, target: &str, reason: String) -> Verdict {
    match retry {
        Retry::Backoff => Verdict::Retry { after: None, reason },
        Retry::After(wait) => Verdict::Retry { after: Some(wait), reason },
        Retry::Unavailable(after) => {
            Verdict::Unavailable { target: target.to_owned(), after, silent: false, reason }
        }
        Retry::Never => Verdict::Dead { reason },
        Retry::Pause => Verdict::Hold { target: target.to_owned(), reason },
    }
}

/// The verdict on a job from those on its parts. What can still be done decides when it is tried again; it is dead only
/// when nothing else is left.
pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Done => 0,
        Verdict::Dead { .. } => 1,
        Verdict::Hold { .. } => 2,
        Verdict::Unavailable { .. } => 3,
        Verdict::Retry { .. } | Verdict::NotYet { .. } => 4,
        Verdict::Blocked { .. } => 5,
        Verdict::Later { .. } => 6,
    };
    verdicts.into_iter().max_by_key(rank).unwrap_or(Verdict::Done)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
