//! The routes of the public listener.
//!
//! A delivery is checked in the order of what it costs us: media type, length, whether its head claims a signature that is
//! readable and timely; only then is its body read, and checked for its signature and shape. Then it goes to the inbox, and
//! is acknowledged once it is on disk. Nobody may have a delivery's bytes before its signature is right.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::body::{self, Unread};
use super::count::{Count, Counters};
use super::hint::{self, Hints};
use super::inbox::{Inbox, Refused};
use super::memory::{Memory, Share, TooLittle};
use super::settings::Settings;
use super::signature::{Rejected, Verifier};
use super::store::Delivery;
use crate::clock::Clock;
use crate::event::payload;
use crate::listen::gate::Gate;
use crate::listen::problem::Problem;
use crate::listen::{self, Visitor};

/// How many headers are kept with a delivery, and how much of each. Enough to see who sent it and by which way.
const KEPT_HEADERS: usize = 12;
const KEPT_HEADER_BYTES: usize = 200;

/// A body longer than this is hashed beside the runtime. Ordinary ones are a few hundred bytes, and hashing this much with
/// every reading of two secrets takes less than a millisecond.
const SHORT_BYTES: usize = 32 * 1024;

/// How long a long body may wait for its turn to be hashed. The acknowledgement has to follow within the sender's patience.
const HASH_WAIT: Duration = Duration::from_secs(1);

/// What is left of a body up to this length has arrived with the head, so that a connection can go on after a refusal.
const AT_HAND_BYTES: u64 = 4 * 1024;

/// What handling a delivery needs.
pub(super) struct Door {
    pub verifier: Verifier,
    pub inbox: Inbox,
    pub counters: Arc<Counters>,
    pub clock: Clock,
    pub settings: Settings,
    pub memory: Memory,
    /// Turns for long bodies to be hashed: one, so that bodies without a right signature take one core at most.
    pub hashing: Arc<Semaphore>,
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
    let counters = door.counters.clone();
    let router = Router::new()
        .route("/webhooks/fastio", post(fastio))
        .with_state(door)
        .merge(openai)
        .merge(health)
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is nothing here") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
        });
    listen::harden(router, move || counters.add(Count::Unavailable("panic"), 1))
}

/// Ready means that a delivery sent now would be kept.
async fn ready(State(inbox): State<Inbox>) -> Response {
    let mut reasons = Vec::new();
    if inbox.is_full() {
        reasons.push("the inbox is full".to_owned());
    }
    if !inbox.is_writable().await {
        reasons.push("the database cannot be written".to_owned());
    }
    if let Err(why) = inbox.in_place() {
        reasons.push(why.to_string());
    }
    if reasons.is_empty() {
        return Json(json!({"status": "ready"})).into_response();
    }
    Problem::unavailable(reasons.join("; "), Refused::Busy.retry_after()).into_response()
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

    /// Whatever is wrong with a signature, the sender is told the same.
    pub fn unsigned(why: Rejected) -> Refusal {
        Refusal::rejected(why.as_str(), StatusCode::UNAUTHORIZED, "the signature is missing or wrong")
    }

    pub fn refused(why: Refused) -> Refusal {
        Refusal::unavailable(why.as_str(), Problem::unavailable(why.to_string(), why.retry_after()))
    }

    pub fn rejected(reason: &'static str, status: StatusCode, detail: &str) -> Refusal {
        Refusal { count: Count::Rejected(reason), problem: Problem::new(status, detail), hang_up: false }
    }
}

/// A request that was read and whose signature is yet to be checked.
pub(super) struct Unchecked {
    pub parts: Parts,
    pub body: Vec<u8>,
    /// The share of memory that the body holds.
    pub memory: Share,
    visitor: Visitor,
}

impl Unchecked {
    /// Checks it; a long body beside the runtime, so that nobody else's request waits while it is hashed.
    pub async fn check<T: Send + 'static>(
        self,
        hashing: &Arc<Semaphore>,
        check: impl FnOnce(&Self) -> Result<T, Rejected> + Send + 'static,
    ) -> Result<(Self, T), Refusal> {
        if self.body.len() > SHORT_BYTES {
            let turn = tokio::select! {
                turn = hashing.clone().acquire_owned() => turn.expect("the semaphore is never closed"),
                () = self.memory.gives_way() => return Err(Refusal::unread(TooLittle.into())),
                () = tokio::time::sleep(HASH_WAIT) => return Err(Refusal::refused(Refused::Busy)),
            };
            let hashed = tokio::task::spawn_blocking(move || {
                let checked = check(&self);
                drop(turn);
                (self, checked)
            });
            let (unchecked, checked) = hashed.await.unwrap_or_else(|error| resume_unwind(error.into_panic()));
            return unchecked.proven(checked);
        }
        let checked = check(&self);
        self.proven(checked)
    }

    /// What was proven holds its memory and its connection until it is answered.
    fn proven<T>(mut self, checked: Result<T, Rejected>) -> Result<(Self, T), Refusal> {
        let checked = checked.map_err(Refusal::unsigned)?;
        self.memory.keep().map_err(|little| Refusal::unread(little.into()))?;
        if self.visitor.vouch() { Ok((self, checked)) } else { Err(Refusal::refused(Refused::Busy)) }
    }
}

impl Door {
    /// How many events are in the delivery that is now on disk.
    async fn take(self: &Arc<Self>, request: Request) -> Result<usize, Refusal> {
        let unchecked = self.read(request, |headers, now| self.verifier.precheck(headers, now)).await?;
        let received_at = self.clock.now();
        let door = self.clone();
        let check = move |delivery: &Unchecked| {
            door.verifier.verify(&delivery.parts.headers, &delivery.body, door.clock.wall())
        };
        let (delivery, signed) = unchecked.check(&self.hashing, check).await?;
        let Unchecked { parts, body, memory, .. } = delivery;
        let events = payload::count(&body)
            .map_err(|why| Refusal::rejected(why.as_str(), StatusCode::BAD_REQUEST, &why.to_string()))?;
        self.counters.add(Count::Matched(signed.by), 1);
        let delivery = Delivery {
            received_at,
            signed_at: signed.at,
            scheme: signed.by.scheme.as_str(),
            secret_index: u32::try_from(signed.by.secret_index).unwrap_or(u32::MAX),
            headers: kept(&parts.headers),
            body,
        };
        self.inbox.keep(delivery, memory).await.map_err(Refusal::refused)?;
        Ok(events)
    }

    /// Reads a request whose head passes every check, `precheck` of its signature among them. Nobody else's body is read.
    pub async fn read(
        &self,
        request: Request,
        precheck: impl FnOnce(&HeaderMap, i64) -> Result<(), Rejected>,
    ) -> Result<Unchecked, Refusal> {
        let (parts, body) = request.into_parts();
        check_media_type(&parts.headers)?;
        let bytes = self.settings.max_body_bytes as usize;
        let promised = promised(&parts.headers);
        if promised.is_some_and(|length| length > bytes as u64) {
            return Err(Refusal::unread(body::too_large(bytes)));
        }
        precheck(&parts.headers, self.clock.wall()).map_err(|why| Refusal {
            hang_up: promised.is_none_or(|length| length > AT_HAND_BYTES),
            ..Refusal::unsigned(why)
        })?;
        let visitor: Visitor =
            parts.extensions.get().cloned().expect("the listener adds it to every request");
        let mut memory = self.memory.share(visitor.is_known());
        let limits = body::Limits { bytes, time: self.settings.body_timeout() };
        let body = body::read(body, &limits, &mut memory).await.map_err(Refusal::unread)?;
        Ok(Unchecked { parts, body, memory, visitor })
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
