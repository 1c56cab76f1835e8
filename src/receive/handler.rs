//! The routes of the public listener.
//!
//! A delivery whose signature is right and whose body has the shape of one goes to the inbox, and is acknowledged once it
//! is on disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;
use tracing::Instrument;

use super::count::Count;
use super::current::Current;
use super::hint::{self, Hints};
use super::inbox::{Inbox, Refused};
use super::place;
use super::refusal::Refusal;
use super::request::{RequestReader, Unchecked};
use super::signature::{Signed, Verifier};
use super::store::Delivery;
use crate::event::payload;
use crate::listen::id_of;
use crate::listen::problem::Problem;
use crate::telemetry::trace;

/// How many headers are kept with a delivery, and how much of each. Enough to see who sent it and by which way.
const KEPT_HEADERS: usize = 12;
const KEPT_HEADER_BYTES: usize = 200;

/// How much of a path is written into the log.
const SHOWN_PATH_CHARS: usize = 100;

/// What `docket send` calls itself.
pub const TEST_AGENT: &str = "docket-send";

/// The answer to a delivery that was taken.
#[derive(Serialize)]
struct Taken {
    events: usize,
}

/// Takes Fastio's deliveries.
pub(super) struct DeliveryService {
    pub requests: Arc<RequestReader>,
    pub verifier: Current<Verifier>,
    pub inbox: Inbox,
}

/// What takes webhooks.
#[derive(Clone)]
struct Takers {
    fastio: Arc<DeliveryService>,
    openai: Option<Arc<Hints>>,
}

pub(super) fn router(service: Arc<DeliveryService>, hints: Option<Arc<Hints>>) -> Router {
    let health = Router::new()
        .route("/livez", get(|| async { Json(json!({"status": "alive"})) }))
        .route("/readyz", get(ready))
        .with_state(service.inbox.clone());
    let openai = match hints.clone() {
        Some(hints) => Router::new().route(place::OPENAI, post(hint::openai)).with_state(hints),
        None => Router::new(),
    };
    let takers = Takers { fastio: service.clone(), openai: hints };
    Router::new()
        .route(place::FASTIO, post(fastio))
        .with_state(service)
        .merge(openai)
        .merge(health)
        .method_not_allowed_fallback(wrong_method)
        .fallback_service(any(elsewhere).with_state(takers))
}

async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
}

/// A path that is no route: it may mean one, and else is not found.
async fn elsewhere(State(takers): State<Takers>, request: Request) -> Response {
    let is_post = request.method() == Method::POST;
    match (place::meant(request.uri().path()), takers.openai) {
        (Some(place::FASTIO), _) if is_post => fastio(State(takers.fastio), request).await,
        (Some(place::OPENAI), Some(hints)) if is_post => hint::openai(State(hints), request).await,
        (Some(place::FASTIO), _) | (Some(_), Some(_)) => wrong_method().await.into_response(),
        _ if is_post => takers.fastio.missed(request).await,
        _ => nothing_here(),
    }
}

fn nothing_here() -> Response {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing here").into_response()
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

async fn fastio(State(service): State<Arc<DeliveryService>>, request: Request) -> Response {
    let (begun, span) = (Instant::now(), trace::webhook(id_of(request.extensions())));
    let answer = match service.take(request).instrument(span.clone()).await {
        Ok(events) => {
            service.requests.counters.add(Count::Accepted, 1);
            service.requests.counters.acknowledged(begun.elapsed());
            (StatusCode::ACCEPTED, Json(Taken { events })).into_response()
        }
        Err(refusal) => service.requests.refuse(refusal),
    };
    trace::answered(&span, answer.status().as_u16());
    answer
}

impl DeliveryService {
    /// How many events are in the delivery that is now on disk.
    async fn take(self: &Arc<Self>, request: Request) -> Result<usize, Refusal> {
        let requests = &self.requests;
        let received_at = requests.clock.now();
        let (delivery, signed) = self.proven(request).await?;
        let Unchecked { parts, body, memory, .. } = delivery;
        let events = payload::count(&body)
            .map_err(|why| Refusal::rejected(why.as_str(), StatusCode::BAD_REQUEST, &why.to_string()))?;
        let is_test = parts.headers.get(USER_AGENT).is_some_and(|agent| agent == TEST_AGENT);
        requests.counters.add(Count::Matched(signed.by), 1);
        requests.counters.add(Count::Tested, u64::from(is_test));
        requests.counters.add(Count::Late, u64::from(signed.is_late));
        let delivery = Delivery {
            received_at,
            signed_at: signed.at,
            scheme: signed.by.scheme.as_str(),
            secret_index: u32::try_from(signed.by.secret_index).unwrap_or(u32::MAX),
            headers: kept(&parts.headers),
            body,
            request_id: id_of(&parts.extensions).to_owned(),
        };
        self.inbox.keep(delivery, memory).await?;
        Ok(events)
    }

    /// The request, whose signature is right.
    async fn proven(self: &Arc<Self>, request: Request) -> Result<(Unchecked, Signed), Refusal> {
        let requests = &self.requests;
        let verifier = self.verifier.get();
        let unchecked = requests.read(request, |headers, now| verifier.precheck(headers, now)).await?;
        let service = self.clone();
        let check = move |headers: &HeaderMap, body: &[u8]| {
            verifier.verify(headers, body, service.requests.clock.wall())
        };
        requests.check(unchecked, check).await
    }

    /// Refuses what was posted to another path. It is told apart whether a holder of a secret did so, because then a person
    /// has to correct an address; to others the answer does not say so.
    async fn missed(self: &Arc<Self>, request: Request) -> Response {
        let path: String = request.uri().path().chars().take(SHOWN_PATH_CHARS).collect();
        if self.proven(request).await.is_err() {
            self.requests.counters.add(Count::Rejected("another_path"), 1);
            return nothing_here();
        }
        if let Some(suppressed) = self.requests.gate.pass() {
            tracing::warn!(
                path,
                suppressed,
                "a delivery of Fastio's came to another path than /webhooks/fastio: correct its address at Fastio, or the proxy"
            );
        }
        let words = "deliveries are taken at /webhooks/fastio: correct the address";
        self.requests.refuse(Refusal::rejected("signed_to_another_path", StatusCode::NOT_FOUND, words))
    }
}

/// The headers that tell who sent a delivery and by which way. A signature is left out: with the body beside it, it
/// would be a delivery ready to be replayed for as long as its time is fresh.
fn kept(headers: &HeaderMap) -> String {
    let is_telling = |name: &str| {
        (name.contains("fastio") && !name.contains("signature"))
            || matches!(name, "content-type" | "user-agent" | "traceparent" | "via")
    };
    let kept: BTreeMap<&str, &str> = headers
        .iter()
        .filter(|(name, _)| is_telling(name.as_str()))
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .map(|(name, value)| (name, value.get(..KEPT_HEADER_BYTES).unwrap_or(value)))
        .take(KEPT_HEADERS)
        .collect();
    serde_json::to_string(&kept).expect("texts are JSON")
}
