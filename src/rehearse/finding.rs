//! What was found of each assumption, and the book in which it is kept while the rehearsal goes on.

use serde::Serialize;

use super::assumption::{ALL, Assumption};
use crate::http::witness::{Seen, Witness};
use crate::http::{CallError, CallErrorKind, Retry};

/// How the service took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Holds,
    Differs,
    /// It could not be tried, or what was answered decides nothing.
    Unknown,
}

/// An assumption, and what is known of it now.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    pub id: String,
    pub assumption: &'static str,
    pub answer: Answer,
    /// What the service did.
    pub seen: String,
    /// What follows for the settings; empty for nothing.
    pub follows: String,
    pub source: &'static str,
    /// The files of Docket that rely on it.
    pub code: &'static [&'static str],
}

/// Who is told of each finding as it is made.
pub type Tell<'a> = &'a mut (dyn FnMut(&Finding) + Send);

/// What is known so far. The calls are looked on at meanwhile.
pub struct Book<'a> {
    pub witness: Witness,
    findings: Vec<Finding>,
    tell: Tell<'a>,
}

impl<'a> Book<'a> {
    pub fn new(tell: Tell<'a>) -> Self {
        Book { witness: Witness::default(), findings: Vec::new(), tell }
    }

    /// Writes down what the service did.
    pub fn note(&mut self, assumption: &'static Assumption, holds: bool, seen: impl Into<String>) {
        let answer = if holds { Answer::Holds } else { Answer::Differs };
        self.write(assumption, answer, seen.into(), None);
    }

    /// The same with what follows from just this.
    pub fn note_so(
        &mut self,
        assumption: &'static Assumption,
        holds: bool,
        (seen, follows): (String, String),
    ) {
        let answer = if holds { Answer::Holds } else { Answer::Differs };
        self.write(assumption, answer, seen, Some(follows));
    }

    pub fn unknown(&mut self, assumption: &'static Assumption, why: impl Into<String>) {
        self.write(assumption, Answer::Unknown, why.into(), None);
    }

    /// Judges by what was answered to one call. A service that is down, or asks to slow down, says nothing of it; one that
    /// refuses does otherwise.
    pub fn judge<T, K: CallErrorKind>(
        &mut self,
        assumption: &'static Assumption,
        answered: Result<T, CallError<K>>,
        judge: impl FnOnce(&T) -> (bool, String),
    ) -> Option<T> {
        match answered {
            Ok(value) => {
                let (holds, seen) = judge(&value);
                self.note(assumption, holds, seen);
                Some(value)
            }
            Err(error) => {
                self.refused(assumption, &error);
                None
            }
        }
    }

    /// A call failed on which an assumption hangs.
    pub fn refused<K: CallErrorKind>(&mut self, assumption: &'static Assumption, error: &CallError<K>) {
        match decides(error) {
            true => self.note(assumption, false, error.to_string()),
            false => self.unknown(assumption, error.to_string()),
        }
    }

    /// A call failed that a plan or a key need not be allowed, and on which all of these hang. Who may not make it finds no
    /// difference, and has to do without.
    pub fn barred<K: CallErrorKind>(&mut self, assumptions: &[&'static Assumption], error: &CallError<K>) {
        for (place, assumption) in assumptions.iter().enumerate() {
            if error.kind.is_about_us() {
                let follows = Some(assumption.otherwise.to_owned());
                self.write(assumption, Answer::Unknown, error.to_string(), follows);
            } else if place == 0 {
                self.refused(assumption, error);
            } else {
                self.unknown(assumption, error.to_string());
            }
        }
    }

    /// None of these can be tried.
    pub fn none_of(&mut self, assumptions: &[&'static Assumption], why: &str) {
        for assumption in assumptions {
            self.unknown(assumption, why);
        }
    }

    /// The last call, as it was answered.
    pub fn last(&self) -> Option<Seen> {
        self.witness.last()
    }

    /// All assumptions; those that nothing was found of are unknown because of `why`.
    pub fn close(mut self, why: &str) -> (Vec<Finding>, Witness) {
        for assumption in ALL {
            if !self.findings.iter().any(|finding| finding.id == id(assumption)) {
                self.unknown(assumption, why);
            }
        }
        let place = |finding: &Finding| ALL.iter().position(|one| id(one) == finding.id);
        self.findings.sort_by_key(place);
        (self.findings, self.witness)
    }

    /// The first word about an assumption stands.
    fn write(
        &mut self,
        assumption: &'static Assumption,
        answer: Answer,
        seen: String,
        follows: Option<String>,
    ) {
        if self.findings.iter().any(|finding| finding.id == id(assumption)) {
            return;
        }
        let follows = follows.unwrap_or_else(|| {
            let follows = match answer {
                Answer::Holds => assumption.holds,
                Answer::Differs => assumption.otherwise,
                Answer::Unknown => "",
            };
            follows.to_owned()
        });
        let finding = Finding {
            id: id(assumption),
            assumption: assumption.says,
            answer,
            seen,
            follows,
            source: assumption.source,
            code: assumption.code,
        };
        (self.tell)(&finding);
        self.findings.push(finding);
    }
}

/// As people write it.
fn id(assumption: &Assumption) -> String {
    assumption.id.to_ascii_lowercase()
}

/// Whether a failed call says something of the service's ways.
fn decides<K: CallErrorKind>(error: &CallError<K>) -> bool {
    let refused = error.status.is_some_and(|status| (400..500).contains(&status));
    let unreadable = error.status.is_some_and(|status| (200..300).contains(&status));
    let is_our_fault = error.kind.is_about_us() && error.status != Some(403);
    (refused || unreadable)
        && !is_our_fault
        && !matches!(error.retry(), Retry::After(_) | Retry::Unavailable(_))
}
