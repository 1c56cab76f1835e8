//! The paths under `/_sandbox/` that both stand-ins have: faults, journal and clock.
//!
//! They go through no fault and stand in no journal, so that a test can always look and always undo.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Core;

/// The longest that `faults/held` waits before it answers how things are; a client may ask again.
const HELD_WAIT: Duration = Duration::from_secs(60);

/// `/_sandbox/faults`, `/_sandbox/requests` and `/_sandbox/clock` of the stand-in with this core.
pub fn router(core: &Core) -> Router {
    Router::new()
        .route("/_sandbox/faults", get(list_faults).post(add_faults).delete(clear_faults))
        .route("/_sandbox/faults/held", get(held))
        .route("/_sandbox/faults/{id}", delete(remove_fault))
        .route("/_sandbox/requests", get(requests).delete(clear_requests))
        .route("/_sandbox/clock", get(clock).post(advance_clock))
        .with_state(core.clone())
        .fallback(unknown)
}

/// JSON as a person reads it in a terminal: indented, with a line's end after it.
pub struct Pretty<T>(pub T);

impl<T: Serialize> IntoResponse for Pretty<T> {
    fn into_response(self) -> Response {
        let mut text = serde_json::to_string_pretty(&self.0).expect("what control shows has text as keys");
        text.push('\n');
        ([(CONTENT_TYPE, "application/json")], text).into_response()
    }
}

/// A refusal of the control API, in one member.
pub fn refuse(status: StatusCode, message: impl Into<String>) -> Response {
    (status, Pretty(json!({ "error": message.into() }))).into_response()
}

async fn unknown() -> Response {
    refuse(StatusCode::NOT_FOUND, "the sandbox has no such control path or method")
}

async fn list_faults(State(core): State<Core>) -> Pretty<Value> {
    Pretty(json!({ "faults": core.faults.list() }))
}

async fn add_faults(State(core): State<Core>, body: Bytes) -> Response {
    let value = match serde_json::from_slice(&body) {
        Ok(value) => value,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}")),
    };
    match core.faults.add_json(value) {
        Ok(faults) => (StatusCode::CREATED, Pretty(json!({ "faults": faults }))).into_response(),
        Err(refused) => refuse(StatusCode::BAD_REQUEST, refused.to_string()),
    }
}

async fn clear_faults(State(core): State<Core>) -> Pretty<Value> {
    Pretty(json!({ "removed": core.faults.clear() }))
}

async fn remove_fault(State(core): State<Core>, Path(id): Path<String>) -> Response {
    if core.faults.remove(&id) {
        Pretty(json!({ "removed": 1 })).into_response()
    } else {
        refuse(StatusCode::NOT_FOUND, format!("no fault {id} is set"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoreThan {
    more_than: Option<u64>,
}

/// How many requests faults have held. With `?more_than=N` it answers when there are more.
async fn held(State(core): State<Core>, Query(MoreThan { more_than }): Query<MoreThan>) -> Pretty<Value> {
    if let Some(before) = more_than {
        // Answers as it is when the wait is over.
        let _ = tokio::time::timeout(HELD_WAIT, core.faults.held_more_than(before)).await;
    }
    Pretty(json!({ "held": core.faults.held() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    since: Option<u64>,
}

async fn requests(State(core): State<Core>, Query(Since { since }): Query<Since>) -> Response {
    Pretty(core.journal.since(since.unwrap_or(0))).into_response()
}

async fn clear_requests(State(core): State<Core>) -> StatusCode {
    core.journal.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_ms: i64,
}

async fn clock(State(core): State<Core>) -> Pretty<Value> {
    Pretty(json!({ "now_ms": core.clock.now() }))
}

async fn advance_clock(State(core): State<Core>, body: Bytes) -> Response {
    match serde_json::from_slice::<Advance>(&body) {
        Ok(Advance { advance_ms }) => {
            core.clock.shift(advance_ms);
            clock(State(core)).await.into_response()
        }
        Err(error) => {
            refuse(StatusCode::BAD_REQUEST, format!("expected {{\"advance_ms\": number}}: {error}"))
        }
    }
}
