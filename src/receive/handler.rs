//! The routes of the public listener.
//!
//! A delivery is checked in the order of what it costs us: media type, length, signature, shape; then it goes to the
//! inbox, and is acknowledged once it is on disk. Nobody may have a delivery's bytes before its signature is right.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::body::{self, Unread};
use super::count::{Count, Counters, Gate};
use super::hint::{self, Hints};
use super::inbox::Inbox;
use super::payload;
use super::settings::Settings;
use super::signature::Verifier;
use super::store::Delivery;
use crate::clock::Clock;
use crate::listen::problem::Problem;

/// How many headers are kept with a delivery, and how much of each. Enough to see who sent it and by which way.
const KEPT_HEADERS: usize = 12;
const KEPT_HEADER_BYTES: usize = 200;

/// What handling a delivery needs.
pub(super) struct Door {
    pub verifier: Verifier,
    pub inbox: Inbox,
    pub counters: Arc<Counters>,
    pub clock: Clock,
    pub settings: Settings,
    pub memory: Arc<Semaphore>,
    pub gate: Gate,
}

pub(super) fn router(door: Arc<Door>, hints: Option<Arc<Hints>>) -> Router {
    let health = Router::new()
        .route("/livez", get(|| async { Json(json!({"status": "alive"})) }))
        .route("/readyz", get(ready))
        .with_state(door.inbox.clone());
    let openai = match hints {
        Some(hints) => Router::new().route("/webhooks/openai", post(hint::openai)).with_state(hints),
        None => Router::new(),
    };
    Router::new()
        .route("/webhooks/fastio", post(fastio))
        .with_state(door)
        .merge(openai)
        .merge(health)
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is nothing here") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
        })
}

/// Ready means that a delivery sent now would be kept.
async fn ready(State(inbox): State<Inbox>) -> Response {
    let mut reasons = Vec::new();
    if inbox.is_full() {
        reasons.push("the inbox is full");
    }
    if !inbox.is_writable().await {
        reasons.push("the database cannot be written");
    }
    if reasons.is_empty() {
        return Json(json!({"status": "ready"})).into_response();
    }
    Problem::unavailable(reasons.join("; "), super::inbox::Refused::Busy.retry_after()).into_response()
}

async fn fastio(State(door): State<Arc<Door>>, request: Request) -> Response {
    match door.take(request).await {
        Ok(events) => {
            door.counters.add(Count::Accepted, 1);
            (StatusCode::ACCEPTED, Json(json!({"events": events}))).into_response()
        }
        Err(refusal) => door.refuse(refusal),
    }
}

/// Why a delivery was not taken.
pub(super) struct Refusal {
    count: Count,
    problem: Problem,
    /// The rest of the request has not been read, and nobody should have to.
    hang_up: bool,
}

impl Refusal {
    fn unread((reason, problem): Unread) -> Refusal {
        let count = if reason == "memory" { Count::Unavailable(reason) } else { Count::Rejected(reason) };
        Refusal { count, problem, hang_up: true }
    }

    pub fn unavailable(reason: &'static str, problem: Problem) -> Refusal {
        Refusal { count: Count::Unavailable(reason), problem, hang_up: false }
    }

    pub fn rejected(reason: &'static str, status: StatusCode, detail: &str) -> Refusal {
        Refusal { count: Count::Rejected(reason), problem: Problem::new(status, detail), hang_up: false }
    }
}

impl Door {
    /// How many events are in the delivery that is now on disk.
    async fn take(&self, request: Request) -> Result<usize, Refusal> {
        let (parts, body, memory) = self.read(request).await?;
        let received_at = self.clock.now();
        let verified = self.verifier.verify(&parts.headers, &body, self.clock.wall()).map_err(|why| {
            Refusal::rejected(why.as_str(), StatusCode::UNAUTHORIZED, "the signature is missing or wrong")
        })?;
        let parsed = payload::parse(&body)
            .map_err(|why| Refusal::rejected(why.as_str(), StatusCode::BAD_REQUEST, &why.to_string()))?;
        self.counters.add(Count::Matched(verified), 1);
        let delivery = Delivery {
            received_at,
            scheme: verified.scheme.as_str(),
            secret_index: u32::try_from(verified.secret_index).unwrap_or(u32::MAX),
            headers: kept(&parts.headers),
            body,
        };
        self.inbox.keep(delivery, memory).await.map_err(|refused| Refusal {
            count: Count::Unavailable(refused.as_str()),
            problem: Problem::unavailable(refused.to_string(), refused.retry_after()),
            hang_up: false,
        })?;
        Ok(parsed.len())
    }

    /// The request's head, and its body with the share of memory that it holds.
    pub async fn read(&self, request: Request) -> Result<(Parts, Vec<u8>, OwnedSemaphorePermit), Refusal> {
        let (parts, body) = request.into_parts();
        check_media_type(&parts.headers)?;
        let bytes = self.settings.max_body_bytes as usize;
        if promised(&parts.headers).is_some_and(|length| length > bytes as u64) {
            return Err(Refusal::unread(body::too_large(bytes)));
        }
        let limits = body::Limits { bytes, time: self.settings.body_timeout(), memory: &self.memory };
        let (body, memory) = body::read(body, &limits).await.map_err(Refusal::unread)?;
        Ok((parts, body, memory))
    }

    /// The answer to a delivery that is not taken.
    pub fn refuse(&self, refusal: Refusal) -> Response {
        self.report(refusal.count);
        let mut response = refusal.problem.into_response();
        if refusal.hang_up {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn report(&self, count: Count) {
        self.counters.add(count, 1);
        let (Count::Rejected(reason) | Count::Unavailable(reason)) = count else { return };
        if let Some(suppressed) = self.gate.pass() {
            tracing::warn!(reason, suppressed, "a delivery was refused");
        }
    }
}

/// Fastio's media type is not documented, so a request without one is read as JSON.
fn check_media_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse = |detail| {
        let refusal = Refusal::rejected("media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
        Err(Refusal { hang_up: true, ..refusal })
    };
    let is_json = |value: &HeaderValue| {
        let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
    };
    if headers.get(CONTENT_TYPE).is_some_and(|value| !is_json(value)) {
        return refuse("the body must be application/json");
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity") {
        return refuse("the body must not be compressed");
    }
    Ok(())
}

fn promised(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The headers that tell who sent a delivery and by which way. A signature is left out: with the body beside it, it
/// would be a delivery ready to be replayed for as long as its time is fresh.
fn kept(headers: &HeaderMap) -> String {
    let is_telling = |name: &str| {
        (name.contains("fastio") && !name.contains("signature"))
            || matches!(name, "content-type" | "user-agent" | "x-request-id" | "traceparent" | "via")
    };
    let kept: Map<String, Value> = headers
        .iter()
        .filter(|(name, _)| is_telling(name.as_str()))
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?)))
        .map(|(name, value)| (name, Value::from(value.get(..KEPT_HEADER_BYTES).unwrap_or(value))))
        .take(KEPT_HEADERS)
        .collect();
    Value::Object(kept).to_string()
}
