//! What can go wrong in a call to Fastio, and what it means for a job.

use std::time::Duration;

use crate::http::reply::{Cause, excerpt};
use crate::http::wait::{server_now, until_second};
use crate::http::{CallError, CallErrorKind, Head, Retry, Speaker, retry_after};

use super::VersionId;
use super::answer::Answer;
use super::envelope::Refusal;

/// How long to wait after a 429 that does not say. Fastio's official client waits this long.
const UNSAID_RATE_LIMIT: Duration = Duration::from_secs(60);

/// The router's code for "no such route", which comes as a 404 (Fastio's API reference).
const NO_SUCH_ROUTE: &str = "9992";

/// The reason of a 409 to a write that named a version which is not the current one (Fastio's API reference).
const VERSION_MISMATCH: &str = "conflict_version_mismatch";

/// A failed call to Fastio.
pub type Error = CallError<ErrorKind>;

/// What callers tell apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// Fastio says in its own documented words that there is no such thing. A 404 from anything else is [`ErrorKind::Unreadable`],
    /// since a wrong base URL must not look like deleted files.
    NotFound,
    /// 401: the key is wrong, expired or revoked. Fastio documents its class "denied" as 401 too.
    Unauthorized,
    /// 403: not this key, or not this file. `reason` is Fastio's word for it, such as `credential_policy_scope`.
    Forbidden { reason: Option<String> },
    /// 429. `wait` comes from `Retry-After` or `x-ve-limit-expires`.
    RateLimited { wait: Option<Duration> },
    /// 402: no subscription, or its credits are used up.
    PaymentRequired,
    /// 423: the file is locked.
    Locked,
    /// 409.
    Conflict,
    /// 409 because the file is not at the version that was named. `current` is the one it is at, where Fastio says.
    Stale { current: Option<VersionId> },
    /// A permanent error of input: 400, 406, 412, 422 and other 4xx, an unknown route, an id no path can hold.
    Rejected,
    /// 5xx, 408, and everything below HTTP: no connection, a broken one, silence.
    Unavailable { wait: Option<Duration> },
    /// An answer that is not what was asked for: no JSON, a field missing, too large, a redirect, a refusal under
    /// status 200.
    Unreadable,
    /// Any other 4xx that is not in Fastio's form: something on the way refused, and what it says is final for nothing.
    Stranger,
}

impl CallErrorKind for ErrorKind {
    const SERVICE: &'static str = "Fastio";
    const REQUEST_ID: &'static str = "x-ve-reqid";
    const NOT_FOUND: ErrorKind = ErrorKind::NotFound;
    const UNREADABLE: ErrorKind = ErrorKind::Unreadable;

    fn of(cause: Cause) -> Self {
        match cause {
            Cause::Request | Cause::Content => ErrorKind::Rejected,
            Cause::Transport => ErrorKind::Unavailable { wait: None },
            Cause::Oversize => ErrorKind::Unreadable,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            ErrorKind::Unauthorized | ErrorKind::PaymentRequired => Retry::Pause,
            ErrorKind::Forbidden { reason } if reason.as_deref().is_some_and(concerns_every_call) => {
                Retry::Pause
            }
            ErrorKind::RateLimited { wait } => Retry::After(wait.unwrap_or(UNSAID_RATE_LIMIT)),
            ErrorKind::Unavailable { wait } => Retry::Unavailable(*wait),
            ErrorKind::Locked | ErrorKind::Conflict | ErrorKind::Unreadable | ErrorKind::Stranger => {
                Retry::Backoff
            }
            ErrorKind::NotFound
            | ErrorKind::Forbidden { .. }
            | ErrorKind::Rejected
            | ErrorKind::Stale { .. } => Retry::Never,
        }
    }

    fn is_about_us(&self) -> bool {
        matches!(self, ErrorKind::Unauthorized | ErrorKind::Forbidden { .. } | ErrorKind::PaymentRequired)
    }

    fn does(&self) -> &'static str {
        match self {
            ErrorKind::NotFound => "has no such thing",
            ErrorKind::Unauthorized => "does not accept the API key",
            ErrorKind::Forbidden { .. } => "refuses access",
            ErrorKind::RateLimited { .. } => "asks us to slow down",
            ErrorKind::PaymentRequired => "wants a subscription or credits",
            ErrorKind::Locked => "says the file is locked",
            ErrorKind::Conflict => "reports a conflict",
            ErrorKind::Stale { .. } => "has another version of the file than the one named",
            ErrorKind::Rejected => "does not take the request",
            ErrorKind::Unavailable { .. } => "is not available",
            ErrorKind::Unreadable => "sent an answer we cannot use",
            ErrorKind::Stranger => "was not reached",
        }
    }
}

impl Error {
    /// Whether Fastio's own message holds `word`, in any case.
    pub(super) fn mentions(&self, word: &str) -> bool {
        self.message.to_ascii_lowercase().contains(word)
    }

    /// An answer that is not a success.
    pub(super) fn refused(operation: &'static str, answer: &Answer) -> Self {
        let refusal = answer.envelope.as_ref().map(|envelope| envelope.refusal().unwrap_or_default());
        let speaker = answer.speaker();
        let kind = kind(&answer.head, (refusal.as_ref(), speaker));
        let Refusal { code, reason, message, .. } = refusal.unwrap_or_default();
        let message = match speaker {
            Speaker::Stranger if answer.is_page => "it sent a page".to_owned(),
            Speaker::Stranger => "its answer is not in Fastio's form".to_owned(),
            _ => [reason, message].into_iter().flatten().collect::<Vec<_>>().join(": "),
        };
        let error = Error::answered(operation, kind, &answer.head, &excerpt(&message)).said_by(speaker);
        Error { code: code.map(|code| excerpt(&code).into()), ..error }
    }

    /// An answer lacks something without which nothing can be concluded from it.
    pub fn unsaid(what: &str) -> Self {
        Error::gave_up("reading a node", &format!("it does not say {what}"))
    }
}

/// Which reasons of a 403 are about the key or the account rather than about what was asked for (Fastio's API
/// reference). A key that lacks a scope is not among them: it may still be good for the next file.
fn concerns_every_call(reason: &str) -> bool {
    reason.starts_with("credential_policy_")
        || matches!(reason, "sso_required" | "geo_restricted" | "mcp_access_denied")
}

/// The one place that says what a status means. `refusal` is what Fastio says of it; None where something else spoke.
fn kind(head: &Head, (refusal, speaker): (Option<&Refusal>, Speaker)) -> ErrorKind {
    let now = server_now(&head.headers);
    let wait = retry_after(&head.headers, now);
    match head.status.as_u16() {
        400..=403 | 405..=407 | 409..=428 | 430..=499 if speaker == Speaker::Stranger => ErrorKind::Stranger,
        401 => ErrorKind::Unauthorized,
        402 => ErrorKind::PaymentRequired,
        403 => ErrorKind::Forbidden { reason: refusal.and_then(|refusal| refusal.reason.clone()) },
        404 => match refusal {
            Some(refusal) if refusal.passing => ErrorKind::Unavailable { wait },
            Some(refusal) if refusal.code.as_deref() == Some(NO_SUCH_ROUTE) => ErrorKind::Rejected,
            Some(refusal) if refusal.documented => ErrorKind::NotFound,
            // Copies are deleted on the strength of a 404, so it counts only in Fastio's documented words.
            _ => ErrorKind::Unreadable,
        },
        408 | 500..=599 => ErrorKind::Unavailable { wait },
        409 => match refusal {
            Some(refusal) if refusal.reason.as_deref() == Some(VERSION_MISMATCH) => {
                ErrorKind::Stale { current: refusal.current_version.clone().map(VersionId) }
            }
            _ => ErrorKind::Conflict,
        },
        423 => ErrorKind::Locked,
        429 => ErrorKind::RateLimited { wait: wait.or_else(|| window_ends(head, now)) },
        400..=499 => ErrorKind::Rejected,
        // "Always check `result`": a refusal under 200 does not say whether it lasts, so it is not taken as final.
        _ => ErrorKind::Unreadable,
    }
}

/// The rate limit's end in Unix seconds, under its name and its older one.
fn window_ends(head: &Head, now: i64) -> Option<Duration> {
    ["x-ve-limit-expires", "x-rate-limit-expiry"]
        .into_iter()
        .find_map(|name| until_second(&head.headers, name, now))
}

#[cfg(test)]
mod tests;
