//! Who speaks in an answer, and how a service takes a question that has nothing to do with any work.

use super::{CallError, CallErrorKind, Retry};

/// Who speaks in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The service, worded as its documents say.
    Service,
    /// The service by the form of it, or a server like it; something on the way could word it so too.
    Likely,
    /// Something on the way: a firewall, a proxy, a captive portal. What it says is about no file and no key.
    Stranger,
}

/// How a service takes a plain question that has nothing to do with any file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainAnswer {
    /// It answers it.
    Taken,
    /// It refuses us: nothing that we ask will do better.
    Refused,
    /// It says something else, and so is there.
    Other,
    /// It does not answer, or something on the way answers for it.
    Silence,
}

impl PlainAnswer {
    pub(crate) fn of<T, K: CallErrorKind>(asked: Result<T, CallError<K>>) -> Self {
        match asked {
            Ok(_) => PlainAnswer::Taken,
            Err(error) if error.speaker == Speaker::Stranger => PlainAnswer::Silence,
            Err(error) if matches!(error.retry(), Retry::Unavailable(_)) => PlainAnswer::Silence,
            Err(error) if error.kind.is_about_us() => PlainAnswer::Refused,
            Err(_) => PlainAnswer::Other,
        }
    }
}
