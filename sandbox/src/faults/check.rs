//! What a fault may be asked for, and in which words it is refused.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind::{FaultKind, StandIn};

/// A fault as it is asked for.
#[derive(Debug, Clone, Deserialize)]
pub struct NewFault {
    pub kind: FaultKind,
    /// Only requests with this method.
    pub method: Option<String>,
    /// Only requests whose path matches: a glob (`*` within a segment, `**` across), else a prefix.
    pub path: Option<String>,
    /// Only requests whose body holds this text, or for `bad_run` whose documents hold it.
    pub containing: Option<String>,
    /// How likely each matching request is hit; 1 when absent.
    pub probability: Option<f64>,
    /// Gone after this many hits; without it the fault stays.
    pub count: Option<u64>,
    /// Spares this many matching requests first.
    pub skip: Option<u64>,
    pub seed: Option<u64>,
    #[serde(flatten)]
    pub details: Details,
}

/// What some kinds are told besides; [`FaultKind::takes`] says which.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub param: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub find: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub put: Option<String>,
    /// When there is room again, as OpenAI writes it: `6m0s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset: Option<String>,
}

impl NewFault {
    /// A fault of this kind on every request; set what should differ.
    pub fn of(kind: FaultKind) -> NewFault {
        let details = Details::default();
        NewFault {
            kind,
            method: None,
            path: None,
            containing: None,
            probability: None,
            count: None,
            skip: None,
            seed: None,
            details,
        }
    }
}

/// Why a fault is not accepted, in words for the person who asked for it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Whether this stand-in can do what the fault asks for.
pub(super) fn check(fault: &NewFault, which: StandIn) -> Result<(), Refused> {
    let name = fault.kind.name();
    if !fault.kind.known_to(which) {
        return Err(Refused(format!("{name} means nothing to this stand-in ({which:?})")));
    }
    if fault.probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
        return Err(Refused("probability must be between 0 and 1".to_owned()));
    }
    if fault.count == Some(0) {
        return Err(Refused("count must be at least 1".to_owned()));
    }
    let (least, most) = if fault.kind == FaultKind::Refusal { (400, 499) } else { (500, 599) };
    if fault.details.status.is_some_and(|status| !(least..=most).contains(&status)) {
        return Err(Refused(format!("status must be between {least} and {most}")));
    }
    if fault.containing.is_some() && !fault.kind.is_general() && fault.kind != FaultKind::BadRun {
        return Err(Refused(format!("{name} cannot look into a body: it does not take `containing`")));
    }
    let finds = matches!(fault.kind, FaultKind::ChangedReply | FaultKind::HeadersDropped);
    if finds && fault.details.find.as_deref().unwrap_or_default().is_empty() {
        return Err(Refused("find must be a text that is not empty".to_owned()));
    }
    let codes = ["server_error", "unsupported_file", "invalid_file"];
    if fault.kind == FaultKind::IndexFailure
        && fault.details.code.as_deref().is_some_and(|code| !codes.contains(&code))
    {
        return Err(Refused(format!("code must be one of {}", codes.join(", "))));
    }
    Ok(())
}

/// Reads one fault and refuses fields that its kind would ignore.
pub(super) fn parse(value: Value) -> Result<NewFault, Refused> {
    const EVERY: [&str; 8] = ["kind", "method", "path", "containing", "probability", "count", "skip", "seed"];
    let Value::Object(fields) = &value else {
        return Err(Refused("a fault is a JSON object with a `kind`".to_owned()));
    };
    let kind = fields.get("kind").ok_or_else(|| Refused("`kind` is missing".to_owned()))?;
    let kind: FaultKind = FaultKind::deserialize(kind).map_err(|error| Refused(format!("kind: {error}")))?;
    for name in fields.keys() {
        if !EVERY.contains(&name.as_str()) && !kind.takes().contains(&name.as_str()) {
            let known: Vec<&str> = EVERY.iter().chain(kind.takes()).copied().collect();
            return Err(Refused(format!(
                "{} does not take `{name}`; it takes {}",
                kind.name(),
                known.join(", ")
            )));
        }
    }
    NewFault::deserialize(&value).map_err(|error| Refused(error.to_string()))
}
