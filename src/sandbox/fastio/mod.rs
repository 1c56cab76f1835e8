//! The Fastio stand-in: not written yet; it answers every path with 404.
//!
//! It is built from a [`Core`] and served through [`service`].

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Response};
use tokio_util::sync::CancellationToken;

use super::server::{Refusal, Service, Stamp};
use super::{Core, Options};

/// Everything Fastio is told. Clones are the same state.
#[derive(Debug, Clone)]
pub struct State {}

impl State {
    pub fn new(_options: &Options, _core: Core) -> State {
        State {}
    }

    /// Sends the webhooks that changes cause, until `stop`.
    pub async fn send_webhooks(self, stop: CancellationToken) {
        stop.cancelled().await;
    }

    /// Resolves when no webhook waits to be sent and none is in flight.
    pub async fn flush_webhooks(&self) {}
}

/// The stand-in as the door serves it: real paths under `/current/`, control paths under `/_sandbox/`.
pub fn service(_state: &State, core: &Core) -> Service {
    Service { core: core.clone(), api: Router::new(), control: Router::new(), refuse, stamp }
}

/// A fault's refusal in Fastio's words.
fn refuse(refusal: &Refusal) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = refusal.status;
    response
}

/// The headers of every reply.
fn stamp(_stamp: &Stamp, _headers: &mut HeaderMap) {}
