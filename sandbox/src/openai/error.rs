//! OpenAI's error envelope, and the refusals that several endpoints share.
//!
//! Messages are those that OpenAI's documents or people's reports of the real service show; the rest is worded alike and
//! inferred. Clients should not match on any of them.

use axum::Json;
use axum::body::Body;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::super::faults::FaultKind;
use super::super::server::FaultRefusal;

/// A refusal, `{"error": {message, type, param, code}}`.
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub message: String,
    /// OpenAI's `type`.
    pub family: &'static str,
    pub param: Option<String>,
    pub code: Option<String>,
    /// Of a limit: when there is room again.
    pub wait_ms: Option<i64>,
}

impl ApiError {
    /// The request is wrong: 400.
    pub fn invalid(param: &str, message: impl Into<String>) -> ApiError {
        ApiError {
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
            family: "invalid_request_error",
            param: Some(param.to_owned()),
            code: None,
            wait_ms: None,
        }
    }

    /// The same where no one parameter is to blame.
    pub fn plain(message: impl Into<String>) -> ApiError {
        ApiError { param: None, ..ApiError::invalid("", message) }
    }

    /// A list that is longer than the documents allow.
    pub fn too_many(param: &str, most: usize) -> ApiError {
        let message = format!("Invalid '{param}': expected at most {most} items.");
        ApiError::invalid(param, message).code("array_above_max_length")
    }

    /// What the request names is not there: 404.
    pub fn missing(param: &str, message: impl Into<String>) -> ApiError {
        ApiError { status: StatusCode::NOT_FOUND, ..ApiError::invalid(param, message) }
    }

    pub fn code(self, code: &str) -> ApiError {
        ApiError { code: Some(code.to_owned()), ..self }
    }

    pub fn status(self, status: StatusCode) -> ApiError {
        ApiError { status, ..self }
    }

    /// A limit is reached, for so long: 429 with `Retry-After`, in whole seconds and at least one (OpenAI's OpenAPI document).
    pub fn slow_down(self, wait_ms: i64) -> ApiError {
        let refused = self.status(StatusCode::TOO_MANY_REQUESTS).code("rate_limit_exceeded");
        ApiError { family: "requests", wait_ms: Some(wait_ms), ..refused }
    }

    /// As projects' test fixtures and matchers quote it.
    pub fn no_file(id: &str) -> ApiError {
        ApiError::missing("id", format!("No such File object: {id}"))
    }

    /// As projects' test fixtures and matchers quote it.
    pub fn no_store(id: &str) -> ApiError {
        ApiError::missing("vector_store_id", format!("No vector store found with id '{id}'."))
    }

    /// A vector store holds as many files as it may. The limit is documented; status and words are inferred.
    pub fn store_full(id: &str, most: u64) -> ApiError {
        let message = format!("Vector store '{id}' has reached the maximum number of files ({most}).");
        ApiError::invalid("vector_store_id", message)
    }

    /// As users of the SDKs report it.
    pub fn no_store_file(store: &str, file: &str) -> ApiError {
        ApiError::missing("file_id", format!("No file found with id '{file}' in vector store '{store}'."))
    }

    /// OpenAI refuses ids of the wrong kind before it looks for them, as client libraries' matchers show.
    pub fn check_id(param: &str, id: &str, prefix: &str) -> Result<(), ApiError> {
        if id.starts_with(prefix) {
            return Ok(());
        }
        let message = format!("Invalid '{param}': '{id}'. Expected an ID that begins with '{prefix}'.");
        Err(ApiError::invalid(param, message).code("invalid_value"))
    }
}

impl ApiError {
    /// As it stands in a reply.
    pub fn body(&self) -> Value {
        let error = json!({
            "message": self.message, "type": self.family, "param": self.param, "code": self.code,
        });
        json!({ "error": error })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(wait) = self.wait_ms {
            let seconds = u64::try_from(wait).unwrap_or(0).div_ceil(1000).max(1);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A fault's refusal, worded as OpenAI words it.
pub fn refuse(refusal: &FaultRefusal) -> Response<Body> {
    let (family, code, message) = match refusal.kind {
        FaultKind::RateLimit => (
            // Reports of the real service show the unit that ran out.
            if refusal.message.as_deref().is_some_and(|said| said.contains("tokens per")) {
                "tokens"
            } else {
                "requests"
            },
            Some("rate_limit_exceeded"),
            "Rate limit reached for requests. Please try again later. (sandbox fault)",
        ),
        FaultKind::InsufficientQuota => (
            "insufficient_quota",
            Some("insufficient_quota"),
            "You exceeded your current quota, please check your plan and billing details. (sandbox fault)",
        ),
        FaultKind::Unauthorized => (
            "invalid_request_error",
            Some("invalid_api_key"),
            "Incorrect API key provided. You can find your API key at \
             https://platform.openai.com/account/api-keys. (sandbox fault)",
        ),
        FaultKind::Forbidden => (
            "invalid_request_error",
            None,
            "You have insufficient permissions for this operation. (sandbox fault)",
        ),
        FaultKind::Refusal => ("invalid_request_error", None, "The request is refused. (sandbox fault)"),
        _ => (
            "server_error",
            None,
            "The server had an error while processing your request. Sorry about that! (sandbox fault)",
        ),
    };
    let error = ApiError {
        status: refusal.status,
        message: refusal.message.clone().unwrap_or_else(|| message.to_owned()),
        family,
        param: refusal.param.clone(),
        code: refusal.code.clone().or_else(|| code.map(str::to_owned)),
        wait_ms: None,
    };
    let mut response = error.into_response();
    let reset = refusal.reset.as_deref().and_then(|reset| HeaderValue::from_str(reset).ok());
    if let Some(reset) = reset {
        // As OpenAI's guide on rate limits shows them.
        let headers = response.headers_mut();
        headers.insert("x-ratelimit-limit-tokens", HeaderValue::from_static("30000"));
        headers.insert("x-ratelimit-remaining-tokens", HeaderValue::from_static("0"));
        headers.insert("x-ratelimit-reset-tokens", reset);
    }
    response
}
