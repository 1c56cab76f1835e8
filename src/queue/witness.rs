//! Who is told of the end of each attempt, in the transaction that writes it down.

use std::fmt;

use super::Verdict;
use super::store::Settled;
use crate::database::{Connection, Error};
use crate::queue::trail::Trail;

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Nothing was left to do.
    Done,
    /// It goes on in a while.
    Waits,
    /// A limit of so much in a time is reached.
    Limited,
    /// What it needs refuses everything, does not answer, or our own database is locked.
    Held,
    /// It is made again.
    Failed,
    /// A person is needed.
    Dead,
    /// The process stops.
    GivenBack,
    /// The worker stopped without a word.
    Lost,
}

impl Ended {
    const ALL: [Ended; 8] = [
        Ended::Done,
        Ended::Waits,
        Ended::Limited,
        Ended::Held,
        Ended::Failed,
        Ended::Dead,
        Ended::GivenBack,
        Ended::Lost,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Ended::Done => "done",
            Ended::Waits => "waits",
            Ended::Limited => "limited",
            Ended::Held => "held",
            Ended::Failed => "failed",
            Ended::Dead => "dead",
            Ended::GivenBack => "given_back",
            Ended::Lost => "lost",
        }
    }

    /// What is on record.
    pub fn read(word: &str) -> Ended {
        Ended::ALL.into_iter().find(|ended| ended.as_str() == word).unwrap_or(Ended::Failed)
    }

    /// Nothing failed, and nothing is done.
    pub fn waits(self) -> bool {
        matches!(self, Ended::Waits | Ended::Limited | Ended::Held)
    }

    /// What settling made of a verdict, and why in words. Nothing where another has the job by now.
    pub(super) fn of<'a>(
        verdict: Option<&'a Verdict>,
        settled: &'a Settled,
    ) -> Option<(Ended, Option<&'a str>)> {
        let verdict = match settled {
            Settled::LeaseLost => return None,
            Settled::Dead(reason) => return Some((Ended::Dead, Some(reason))),
            Settled::Recorded => verdict,
        };
        let (ended, reason) = match verdict {
            None => return Some((Ended::GivenBack, None)),
            Some(Verdict::Done) => return Some((Ended::Done, None)),
            Some(Verdict::Waits { .. }) => (Ended::Held, "it waits with others for what is refused"),
            Some(Verdict::Later { reason, .. }) => (Ended::Waits, reason.as_str()),
            Some(Verdict::Limited { reason, .. }) => (Ended::Limited, reason.as_str()),
            Some(Verdict::Hold { reason, .. } | Verdict::Blocked { reason }) => (Ended::Held, reason.as_str()),
            Some(
                Verdict::Retry { reason, .. }
                | Verdict::NotYet { reason }
                | Verdict::Refused { reason, .. }
                | Verdict::Unavailable { reason, .. }
                // It was asked for again meanwhile, and lives on.
                | Verdict::Dead { reason },
            ) => (Ended::Failed, reason.as_str()),
        };
        Some((ended, Some(reason)))
    }
}

/// An attempt that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    pub job_id: i64,
    pub key: &'a str,
    /// Among those that failed, from 1.
    pub number: u16,
    /// When it could have begun, and when it did. Of a worker that stopped without a word neither is known.
    pub due_at: Option<i64>,
    pub began_at: Option<i64>,
    pub ended_at: i64,
    pub ended: Ended,
    /// In words.
    pub reason: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub trail: &'a Trail,
}

/// Is told of each attempt. It writes rows of its own and nothing else.
pub trait Witness: fmt::Debug + Send + Sync + 'static {
    /// # Errors
    /// The database's.
    fn ended(&self, connection: &mut Connection, attempt: &Attempt<'_>) -> Result<(), Error>;
}
