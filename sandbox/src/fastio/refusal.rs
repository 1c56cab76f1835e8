//! Why Fastio refuses a request, in its own numbers.
//!
//! A number in Fastio belongs to a place in its code, and a client is told to look at the status and the reason first.
//! Numbers that Fastio's documents or its official command-line client name are used as they are; where none is known
//! the stand-in uses the class number of the status (1605 and so on), which no real answer carries.

use axum::http::StatusCode;
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: u32,
    pub text: String,
    pub params: Option<Value>,
}

impl Refusal {
    fn new(status: StatusCode, code: u32, text: impl Into<String>) -> Refusal {
        Refusal { status, code, text: text.into(), params: None }
    }

    pub fn with_params(mut self, params: Value) -> Refusal {
        self.params = Some(params);
        self
    }

    /// 406: something in the request is wrong and will stay wrong.
    pub fn input(text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_ACCEPTABLE, 1605, text)
    }

    pub fn input_code(code: u32, text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_ACCEPTABLE, code, text)
    }

    pub fn missing_field(name: &str) -> Refusal {
        Refusal::input_code(205_516, format!("{name}: This field is missing."))
    }

    pub fn no_node() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, 133_123, "The node does not exist.")
    }

    pub fn bad_id() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, 191_878, "The node id is not valid.")
    }

    pub fn not_found(what: &str) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, 1609, format!("{what} was not found."))
    }

    pub fn no_upload() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, 10_508, "The upload session does not exist.")
    }

    pub fn no_route() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, 9992, "There is no such route.")
    }

    pub fn unauthorized() -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, 1650, "Authentication is required.")
    }

    pub fn forbidden(code: u32, text: &str) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, code, text)
    }

    pub fn conflict(code: u32, text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::CONFLICT, code, text)
    }

    pub fn stale_version(current: &str) -> Refusal {
        Refusal::conflict(1660, "The file has changed since the version you read.")
            .with_params(json!([{"reason": "conflict_version_mismatch", "current_version_id": current}]))
    }

    pub fn locked() -> Refusal {
        Refusal::new(StatusCode::LOCKED, 1677, "The file is locked by another user.")
    }

    /// As the official command-line client expects it, and unlike `updatenote/`, of which the newest reference says 153548.
    pub fn note_to_read() -> Refusal {
        Refusal::bad_request(1605, "Node is not a note")
    }

    pub fn too_large(text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, 1656, text)
    }

    pub fn bad_request(code: u32, text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, code, text)
    }

    /// A fault that the stand-in was told to show.
    pub fn of_status(status: StatusCode) -> Refusal {
        let code = match status.as_u16() {
            401 => 1650,
            402 => 1696,
            403 => 1670,
            404 => 1609,
            409 => 1660,
            412 => 1685,
            413 => 1656,
            423 => 1677,
            429 => 1671,
            400..=499 => 1605,
            _ => 1654,
        };
        Refusal::new(status, code, format!("The stand-in was told to answer {status}."))
    }

    /// The documented error envelope, with the name that [`resource`] gives the request.
    pub fn envelope(&self, resource: &str) -> Value {
        let mut error = json!({
            "code": self.code,
            "text": self.text,
            "documentation_url": "https://api.fast.io/llms.txt",
            "resource": resource,
        });
        if let Some(params) = &self.params {
            error["params"] = params.clone();
        }
        json!({"result": false, "error": error, "current_api_version": API_VERSION})
    }
}

/// What production adds to every envelope, as the official command-line client shows by taking it out. The number is inferred.
pub const API_VERSION: &str = "1.0";

/// How an error names its request. Two sources contradict each other: the documents' example is `POST /current/user/`, and a
/// body that the official command-line client's authors measured says `GET Org [param] Events Changes`. The measured one
/// counts.
pub fn resource(method: &str, path: &str) -> String {
    let segments =
        path.split('/').filter(|segment| !segment.is_empty()).skip_while(|name| *name == "current");
    let words = segments.map(|segment| match segment {
        "root" | "trash" => "[param]".to_owned(),
        name if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') => {
            let mut letters = name.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
                .unwrap_or_default()
        }
        _ => "[param]".to_owned(),
    });
    std::iter::once(method.to_owned()).chain(words).collect::<Vec<String>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::resource;

    #[test]
    fn a_request_is_named_as_it_was_measured() {
        let path = "/current/org/3141592653589793238/events/changes/";
        assert_eq!(resource("GET", path), "GET Org [param] Events Changes");
        let path = "/current/workspace/4829105738291047362/storage/root/list/";
        assert_eq!(resource("GET", path), "GET Workspace [param] Storage [param] List");
    }
}
