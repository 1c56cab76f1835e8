//! Fastio's answers, opened: the one place that knows their oddities.
//!
//! A success is documented as `{"result": true, …fields}`, an error as `{"result": false, "error": {"code", "text",
//! …}}`. Fastio's official client also meets `"yes"` for `true`, the fields under `response`, a code as a string, the
//! message as `message`, a flat error without an object, and `params` as a list or as an object with a `reason`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde_json::Value;

use crate::http::Reply;
use crate::http::value::{Fields, flag, text};

/// A JSON answer. Whether it is a success is for [`Envelope::refusal`] to say.
#[derive(Debug)]
pub(super) struct Envelope {
    value: Value,
}

/// What an error says. Every part of it may be missing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Means something only for the call that was made; Fastio may renumber codes.
    pub code: Option<String>,
    /// A stable word such as `credential_policy_scope`; what to branch on besides the status.
    pub reason: Option<String>,
    pub message: Option<String>,
    /// The version a file is at, said when another was expected.
    pub current_version: Option<String>,
    /// It is worded as Fastio documents it: `result` is false, and an error object has a number and a text. Whatever
    /// stands between us and Fastio words its refusals in its own way.
    pub documented: bool,
    /// It says that it may pass, whatever the status: a call for nodes is a 404 also when all of them failed so.
    pub passing: bool,
}

/// "Transient", said of a node (Fastio's API reference).
const PASSING: &str = "146256";

impl Envelope {
    /// None where the body is not a JSON object, such as a proxy's HTML page.
    pub fn open(reply: &Reply) -> Option<Self> {
        reply.json().filter(Value::is_object).map(|value| Envelope { value })
    }

    pub fn root(&self) -> Fields<'_> {
        Fields::of(&self.value).expect("`open` keeps only objects")
    }

    /// A field of the payload, which sits at the root or under `response`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let nested = self.root().object("response").and_then(|response| response.get(name));
        nested.or_else(|| self.root().get(name))
    }

    /// The payload itself, where it is one thing.
    pub fn whole(&self) -> Option<&Value> {
        self.root().get("response").or(Some(&self.value))
    }

    pub fn object(&self, name: &str) -> Option<Fields<'_>> {
        Fields::of(self.get(name)?)
    }

    pub fn list(&self, name: &str) -> Option<&[Value]> {
        self.get(name)?.as_array().map(Vec::as_slice)
    }

    /// The error this answer carries. None for a success, which a `result` that is missing does not spoil: the HTTP
    /// status and the fields that must be there decide then.
    pub fn refusal(&self) -> Option<Refusal> {
        let failed = self.is_failure();
        let has_error = self.root().get("error").is_some() || self.root().get("error_message").is_some();
        let succeeded = self.root().get("result").and_then(flag) == Some(true);
        (failed || (has_error && !succeeded)).then(|| self.describe())
    }

    /// Whether it calls itself a failure.
    pub fn is_failure(&self) -> bool {
        self.root().get("result").and_then(flag) == Some(false)
    }

    fn describe(&self) -> Refusal {
        let root = self.root();
        let each = self.list("errors").unwrap_or_default();
        let code = |error: &Value| Fields::of(error)?.id("code");
        let mut refusal = match root.get("error") {
            Some(error) => describe_error(error, root.get("params")),
            None => Refusal {
                code: root.id("error_id").or_else(|| root.id("error_code")),
                reason: param(root.get("params"), "reason"),
                message: root.id("error_message").or_else(|| root.id("message")),
                current_version: param(root.get("params"), "current_version_id"),
                ..Refusal::default()
            },
        };
        refusal.documented = self.is_failure() && root.object("error").is_some_and(is_documented);
        refusal.code = refusal.code.or_else(|| each.iter().find_map(code));
        refusal.message =
            refusal.message.or_else(|| each.iter().find_map(|error| Fields::of(error)?.id("message")));
        refusal.passing =
            each.iter().filter_map(code).chain(refusal.code.clone()).any(|code| code == PASSING);
        refusal
    }
}

fn describe_error(error: &Value, outer_params: Option<&Value>) -> Refusal {
    let Some(fields) = Fields::of(error) else {
        return Refusal { message: text(error), ..Refusal::default() };
    };
    let params = fields.get("params").or(outer_params);
    Refusal {
        code: fields.id("code"),
        reason: param(params, "reason").or_else(|| fields.id("reason")),
        message: message(fields, params),
        current_version: param(params, "current_version_id"),
        ..Refusal::default()
    }
}

fn is_documented(error: Fields<'_>) -> bool {
    let numbered = error.id("code").is_some_and(|code| code.bytes().all(|digit| digit.is_ascii_digit()));
    numbered && (error.id("text").is_some() || error.id("message").is_some())
}

/// A field from `{"reason": …}` or `[{"name", "kind", "message", "code", "reason"?}]`.
fn param(params: Option<&Value>, name: &str) -> Option<String> {
    match params? {
        Value::Array(entries) => entries.iter().find_map(|entry| Fields::of(entry)?.id(name)),
        object => Fields::of(object)?.id(name),
    }
}

/// The message, with what is wrong with each parameter: "Invalid input" alone does not help.
fn message(error: Fields<'_>, params: Option<&Value>) -> Option<String> {
    let mut parts: Vec<String> = error.id("text").or_else(|| error.id("message")).into_iter().collect();
    for entry in params.and_then(Value::as_array).into_iter().flatten() {
        let Some(entry) = Fields::of(entry) else { continue };
        let Some(message) = entry.id("message") else { continue };
        parts.push(match entry.id("name") {
            Some(name) if !message.starts_with(&name) => format!("{name}: {message}"),
            _ => message,
        });
    }
    let parts: Vec<_> = parts.iter().map(|part| part.trim_end_matches('.')).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// A point in time as Unix milliseconds.
///
/// Fastio writes `2026-09-25 21:40:11 UTC` (in its change feed). ISO 8601 with a zone, no zone at all (taken as UTC:
/// inferred) and Unix seconds, as numbers or text, are read as well, since the form in a node is not documented.
pub(super) fn time(value: &Value) -> Option<i64> {
    /// Seconds reach this in the year 5138; milliseconds reached it in 1973.
    const FIRST_MILLISECONDS: f64 = 1e11;
    let text = text(value)?;
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        let milliseconds = if number.abs() < FIRST_MILLISECONDS { number * 1000.0 } else { number };
        return Timestamp::from_millisecond(milliseconds as i64).ok().map(Timestamp::as_millisecond);
    }
    let bare = text.strip_suffix("UTC").or_else(|| text.strip_suffix("GMT")).unwrap_or(text).trim_end();
    if let Ok(instant) = bare.parse::<Timestamp>() {
        return Some(instant.as_millisecond());
    }
    let civil = bare.parse::<DateTime>().ok()?;
    Offset::UTC.to_timestamp(civil).ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests;
