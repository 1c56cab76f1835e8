//! A failed call, whichever service it was made to.

use std::fmt;

use super::reply::{Cause, excerpt};
use super::{Failure, Head, Phase, Retry, Speaker, Unusable};

/// What the callers of one service tell apart, and what each of it means.
pub trait CallErrorKind: fmt::Debug + Clone + PartialEq {
    /// What people call the service.
    const SERVICE: &'static str;
    /// The header that holds the service's name for a request.
    const REQUEST_ID: &'static str;
    /// The service itself says that there is no such thing.
    const NOT_FOUND: Self;
    /// An answer that is not what was asked for.
    const UNREADABLE: Self;

    /// For want of a complete answer.
    fn of(cause: Cause) -> Self;

    /// What it means for a job.
    fn retry(&self) -> Retry;

    /// The service refuses the key or the account, and so would refuse whatever is asked.
    fn is_about_us(&self) -> bool;

    /// What the service does, as it stands in a sentence after its name.
    fn does(&self) -> &'static str;
}

/// A failed call. Displays as one sentence for a person, without URL, key, token or body.
#[derive(Debug, Clone)]
pub struct CallError<K> {
    pub kind: K,
    /// What we were doing, as in "listing a folder".
    pub operation: &'static str,
    /// The HTTP status, if an answer came.
    pub status: Option<u16>,
    /// The name of the request, for the service's support.
    pub request_id: Option<String>,
    pub phase: Phase,
    /// The service's error code where it is for people only: codes that are branched on are part of the kind.
    pub code: Option<Box<str>>,
    /// Who says so.
    pub speaker: Speaker,
    /// The service's own words for it, where it has some. In a box, because nearly every call can fail.
    pub(crate) words: Option<Box<Words>>,
    /// What the service says of it, or what went wrong before it could.
    pub(crate) message: Box<str>,
}

/// How a service calls what is wrong.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    pub code: Option<String>,
    /// The part of the request that it is about.
    pub param: Option<String>,
}

impl<K: CallErrorKind> CallError<K> {
    /// What this failure means for a job.
    pub fn retry(&self) -> Retry {
        self.kind.retry()
    }

    pub fn is_not_found(&self) -> bool {
        self.kind == K::NOT_FOUND
    }

    /// Whether the service may have done what was asked in spite of this error.
    pub fn may_have_happened(&self) -> bool {
        self.phase.may_have_happened(self.status)
    }

    /// An answer came, and `message` says what is wrong with it.
    pub(crate) fn answered(operation: &'static str, kind: K, head: &Head, message: &str) -> Self {
        CallError {
            kind,
            operation,
            status: Some(head.status.as_u16()),
            request_id: request_id::<K>(head),
            phase: Phase::ResponseStarted,
            code: None,
            speaker: Speaker::Service,
            words: None,
            message: message.into(),
        }
    }

    /// The same, said by `speaker`.
    pub(crate) fn said_by(self, speaker: Speaker) -> Self {
        CallError { speaker, ..self }
    }

    /// A success that does not hold what it must.
    pub(crate) fn unreadable(operation: &'static str, head: &Head, what: &str) -> Self {
        CallError::answered(operation, K::UNREADABLE, head, what)
    }

    /// A success that is a page for people: something on the way sent it.
    pub(crate) fn page(operation: &'static str, head: &Head) -> Self {
        CallError::unreadable(operation, head, "it sent a page").said_by(Speaker::Stranger)
    }

    /// No complete answer came.
    pub(crate) fn failed(operation: &'static str, failure: Failure) -> Self {
        CallError {
            kind: K::of(failure.cause),
            operation,
            status: failure.head.as_ref().map(|head| head.status.as_u16()),
            request_id: failure.head.as_deref().and_then(request_id::<K>),
            phase: failure.phase,
            code: None,
            speaker: Speaker::Service,
            words: None,
            message: failure.detail.into(),
        }
    }

    /// We stopped asking.
    pub(crate) fn gave_up(operation: &'static str, why: &str) -> Self {
        let failure = Failure::transport(Phase::ResponseStarted, why.to_owned());
        CallError { kind: K::UNREADABLE, ..CallError::failed(operation, failure) }
    }

    pub(crate) fn unusable(operation: &'static str, error: Unusable) -> Self {
        CallError::failed(operation, error.into())
    }
}

fn request_id<K: CallErrorKind>(head: &Head) -> Option<String> {
    head.header(K::REQUEST_ID).map(excerpt).filter(|id| !id.is_empty())
}

impl<K: CallErrorKind> fmt::Display for CallError<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = K::SERVICE;
        match self.speaker {
            Speaker::Service | Speaker::Likely => {
                write!(f, "{service} {} ({})", self.kind.does(), self.operation)?
            }
            Speaker::Stranger => write!(
                f,
                "something between Docket and {service} refused or answered in its place ({})",
                self.operation
            )?,
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        let status = self.status.map(|status| format!("status {status}"));
        let code = self.code.as_ref().map(|code| format!("code {code}"));
        let request = self.request_id.as_ref().map(|id| format!("request {id}"));
        let facts: Vec<String> = [status, code, request].into_iter().flatten().collect();
        if !facts.is_empty() {
            write!(f, " [{}]", facts.join(", "))?;
        }
        Ok(())
    }
}

impl<K: CallErrorKind> std::error::Error for CallError<K> {}
