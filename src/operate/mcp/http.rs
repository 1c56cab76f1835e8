//! Streamable HTTP: each message is a POST of its own, and its answer JSON. There is no session and no stream, so any server that the
//! request reaches answers it, and GET and DELETE are not taken. Facts are from the specification, revision 2026-07-28, "Streamable HTTP";
//! of older clients only what they send as well.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Mcp;
use super::message::{
    Call, Era, Fault, HEADER_MISMATCH, Incoming, METHOD_NOT_FOUND, UNSUPPORTED_VERSION, answer,
};
use crate::listen::problem::Problem;
use crate::operate::guard::Viewer;

/// What a request says of itself for those on its way, who do not read its body.
pub const VERSION: &str = "mcp-protocol-version";
pub const METHOD: &str = "mcp-method";
pub const NAME: &str = "mcp-name";

/// Around a value that is no plain ASCII.
const ENCODED: (&str, &str) = ("=?base64?", "?=");

/// What a client sends to the MCP server.
pub async fn post(Viewer(who): Viewer, State(mcp): State<Mcp>, headers: HeaderMap, body: Bytes) -> Response {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case("application/json")) {
        let detail = "send a JSON-RPC message as application/json";
        return Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).into_response();
    }
    let call = match Incoming::read(&body) {
        Ok(Incoming::Call(call)) => call,
        Ok(Incoming::Notification) => return StatusCode::ACCEPTED.into_response(),
        Err((id, fault)) => return reply(&id, Era::Modern, Err(fault)),
    };
    let declared = headers.get(VERSION).and_then(|version| version.to_str().ok());
    let (era, answered) = match agree(&call, &headers).and_then(|()| call.era(declared)) {
        Ok(era) => (era, mcp.answer(&call, era, who).await),
        Err(fault) => (Era::Modern, Err(fault)),
    };
    reply(&call.id, era, answered)
}

/// That the headers of a request whose body says its revision say what the body says. A revision that is not spoken here comes after it:
/// what was on the way took the header's word.
fn agree(call: &Call, headers: &HeaderMap) -> Result<(), Fault> {
    let Some(version) = call.version() else { return Ok(()) };
    for (header, expected) in
        [(VERSION, Some(version)), (METHOD, Some(call.method.as_str())), (NAME, call.name())]
    {
        let Some(expected) = expected else { continue };
        let mut values = headers.get_all(header).iter();
        let said = values.next().and_then(|value| value.to_str().ok()).and_then(decoded);
        if said.as_deref() != Some(expected) || values.next().is_some() {
            let words = format!("Header mismatch: {header} does not say what the body says");
            return Err(Fault::malformed(HEADER_MISMATCH, words));
        }
    }
    Ok(())
}

/// A header's value as it was meant.
fn decoded(value: &str) -> Option<String> {
    let inner = value.strip_prefix(ENCODED.0).and_then(|value| value.strip_suffix(ENCODED.1));
    match inner {
        Some(inner) => String::from_utf8(STANDARD.decode(inner).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

/// As a header's value.
pub fn encoded(value: &str) -> String {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && value.trim() == value
        && !value.starts_with(ENCODED.0);
    match is_plain {
        true => value.to_owned(),
        false => format!("{}{}{}", ENCODED.0, STANDARD.encode(value), ENCODED.1),
    }
}

/// Older revisions tell every error with 200; this one those of the request itself with a status of their own.
fn reply(id: &Value, era: Era, answered: Result<Value, Fault>) -> Response {
    let status = match (&answered, era) {
        (Err(Fault { is_malformed: true, .. }), _) => StatusCode::BAD_REQUEST,
        (Err(Fault { code: UNSUPPORTED_VERSION, .. }), _) => StatusCode::BAD_REQUEST,
        (Err(Fault { code: METHOD_NOT_FOUND, .. }), Era::Modern) => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    };
    (status, Json(answer(id, answered))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_carries_any_name() {
        for name in
            ["is_current", "skill://docket/SKILL.md", " padded ", "世界", "=?base64?literal?=", "a\nb"]
        {
            assert_eq!(decoded(&encoded(name)).as_deref(), Some(name));
        }
        assert_eq!(encoded("is_current"), "is_current");
        assert_eq!(decoded("=?base64?!?="), None);
    }
}
