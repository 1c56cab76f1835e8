//! How a command ends: its exit code, and what a person reads when it did not work.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use super::output;
use crate::config::ConfigError;
use crate::database::OpenError;
use crate::http::Phase;
use crate::rule::RuleError;
use crate::{fastio, openai, operate, receive, run};

pub const FAILED: u8 = 1;
pub const USAGE: u8 = 2;

/// How a command ended that could be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// It worked, and the answer is no. What was printed says why.
    Bad,
    /// It worked, and this code is the answer.
    Code(u8),
}

/// Why a command could not be carried out.
#[derive(Debug)]
pub enum Failure {
    /// The program that reads our output has ended, as `head` does. Nothing went wrong.
    ReaderGone,
    /// The settings or the arguments are wrong.
    Usage(String),
    Failed(String),
}

impl Failure {
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Failure::Usage(sentence(error.into().as_ref()))
    }

    /// Sorts an error by what lies at its root.
    pub fn from_error(error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        let text = sentence(error.as_ref());
        if error.chain().any(is_usage) { Failure::Usage(text) } else { Failure::Failed(text) }
    }

    /// What a person reads.
    pub fn words(&self) -> &str {
        match self {
            Failure::ReaderGone => "nobody reads what is said",
            Failure::Usage(text) | Failure::Failed(text) => text,
        }
    }

    pub fn report(self) -> ExitCode {
        let (text, code) = match self {
            Failure::ReaderGone => return ExitCode::SUCCESS,
            Failure::Usage(text) => (text, USAGE),
            Failure::Failed(text) => (text, FAILED),
        };
        let mut lines = text.lines();
        output::complain(format!("docket: {}", lines.next().unwrap_or_default()));
        // Such as a line of the settings, with a mark at what is wrong in it.
        lines.for_each(output::complain);
        ExitCode::from(code)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ReaderGone,
            _ => Failure::Failed(error.to_string()),
        }
    }
}

impl From<crate::database::Error> for Failure {
    fn from(error: crate::database::Error) -> Self {
        if matches!(error, crate::database::Error::Locked(_)) {
            return Failure::Failed(
                "another program holds the lock of Docket's database (a backup, or a shell with an open \
                 transaction): let it finish, then try again"
                    .to_owned(),
            );
        }
        Failure::Failed(format!("Docket's database: {error}"))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::from_error(error)
    }
}

/// Whether the person at the keyboard can put it right by writing something else.
fn is_usage(error: &(dyn Error + 'static)) -> bool {
    let receive = error.downcast_ref::<receive::Error>();
    error.is::<ConfigError>()
        || error.is::<RuleError>()
        || error.is::<run::SettingsError>()
        || error.is::<receive::signature::standard::BadSecret>()
        || error.is::<receive::BadSetting>()
        || error.is::<receive::signature::NoSecret>()
        || matches!(receive, Some(receive::Error::NoSecret(_) | receive::Error::BadSetting(_)))
        || error.downcast_ref::<OpenError>().is_some_and(OpenError::is_usage)
        || error.downcast_ref::<operate::Error>().is_some_and(operate::Error::is_usage)
        || error.downcast_ref::<fastio::Error>().is_some_and(|error| {
            error.kind == fastio::ErrorKind::Rejected && error.phase == Phase::BeforeBody
        })
        || error.downcast_ref::<openai::Error>().is_some_and(|error| {
            matches!(error.kind, openai::ErrorKind::Rejected { .. }) && error.phase == Phase::BeforeBody
        })
}

/// An error and its causes as one line of text, each said once: many errors quote their cause already.
fn sentence(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let error = OpenError::Lock { path: "x.db".into(), source: io::Error::other("no room") };
        let error = Err::<(), _>(error).context("starting").unwrap_err();
        assert_eq!(sentence(error.as_ref()), "starting: cannot lock x.db: no room");
    }

    #[test]
    fn wrong_settings_are_told_from_bad_luck() {
        let missing = crate::config::Secrets::default().fastio_api_key().unwrap_err();
        assert!(
            matches!(Failure::from_error(missing), Failure::Usage(text) if text.contains("FASTIO_API_KEY"))
        );
        let in_use = OpenError::InUse { path: "docket.db".into(), holder: "process 1".into() };
        assert!(matches!(Failure::from_error(in_use), Failure::Failed(_)));
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(matches!(Failure::from(pipe), Failure::ReaderGone));
    }
}
