//! The Fastio stand-in: storage of workspaces and shares, locks, uploads, imports, events, the change feed, and the webhooks.
//!
//! `world` is what Fastio knows and how each change alters it, pure and tested alone. `api` serves the real paths
//! over it, `control` the paths under `/_sandbox/`, and `webhook` tells a subscriber what happened. A change through
//! control is a change like a user's: the same method of the world, the same events, the same webhooks.
//!
//! A workspace or share exists when it was made at the start or by control, or once something was written to it; until then
//! it is 404. One organisation ([`ORG_ID`]) holds all of them. Any non-empty bearer token is a key, and each key is another
//! user.

mod api;
mod change;
mod cloud;
mod comment;
mod content;
mod control;
mod event;
mod file_share;
mod id;
mod lock;
mod many;
mod profile;
mod reading;
mod refusal;
mod render;
mod talk;
mod time;
mod token;
mod tree;
mod upload;
mod web;
mod webhook;
mod world;

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::body::Body;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::server::{Service, Stamp};
use super::{Core, Options, server};

pub use change::is_name;
use profile::Profile;
use refusal::Refusal;
use webhook::Sender;
use world::{Actor, World};

/// The organisation that holds every workspace and share; its number means nothing.
pub const ORG_ID: &str = "3141592653589793238";

/// What the rate-limit headers say: a budget that never runs short. Faults make 429s.
const RATE_LIMIT: u32 = 120;

/// When that budget is said to be full again.
const RATE_WINDOW_SECONDS: i64 = 60;

/// Everything Fastio is told. Clones are the same state.
#[derive(Debug, Clone)]
pub struct State {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Core,
    world: Mutex<World>,
    /// The newest event's place, for requests that wait for news.
    head: watch::Sender<u64>,
    sender: Sender,
}

impl State {
    pub fn new(options: &Options, core: Core) -> State {
        let sender = Sender::new(options.webhook.clone(), Arc::clone(&core.faults), core.clock.clone());
        let read_delay = options.read_delay.map(|delay| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        let world = Mutex::new(World::new(core.seed, read_delay));
        State { inner: Arc::new(Inner { core, world, head: watch::Sender::new(0), sender }) }
    }

    /// Makes a workspace exist, as `PUT /_sandbox/profiles/…` does: one that is well named, among few.
    pub fn make_workspace(&self, id: &str) {
        self.change(|world| world.ensure(&Profile::workspace(id)))
            .expect("it is well named and there is room");
    }

    /// Everything, as `GET /_sandbox/state` answers it.
    pub fn snapshot(&self) -> serde_json::Value {
        control::snapshot(self, control::EVENTS_SHOWN)
    }

    /// Sends the webhooks that changes cause, until `stop`.
    pub async fn send_webhooks(self, stop: CancellationToken) {
        self.inner.sender.run(&self, stop).await;
    }

    /// Resolves when no webhook waits to be sent (a failed one waits for its retry) and none is in flight.
    pub async fn flush_webhooks(&self) {
        self.inner.sender.idle(self).await;
    }

    fn now(&self) -> i64 {
        self.inner.core.clock.now()
    }

    /// Has done what Fastio does by itself as time passes.
    fn go_on(&self) {
        if self.look(|world| world.web.has_open()) {
            self.change(|world| world.go_on_importing(self.now()));
        }
    }

    fn look<T>(&self, read: impl FnOnce(&World) -> T) -> T {
        read(&self.inner.world.lock().expect("nothing panics while it holds the world"))
    }

    fn change<T>(&self, write: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.inner.world.lock().expect("nothing panics while it holds the world");
        let result = write(&mut world);
        // While the world is held, so that the head never steps back.
        let head = world.log.head();
        self.inner.head.send_if_modified(|known| std::mem::replace(known, head) != head);
        result
    }

    fn news(&self) -> watch::Receiver<u64> {
        self.inner.head.subscribe()
    }
}

/// What the stand-in serves: real paths under `/current/`, control paths under `/_sandbox/`.
pub fn service(state: &State, core: &Core) -> Service {
    Service { core: core.clone(), api: api::router(state), control: control::router(state), refuse, stamp }
}

/// A fault's refusal in Fastio's words.
fn refuse(fault: &server::FaultRefusal) -> Response<Body> {
    let mut ours = Refusal::of_status(fault.status);
    if let Some(message) = &fault.message {
        ours.text.clone_from(message);
    }
    let resource = refusal::resource(&fault.method, &fault.path);
    (ours.status, Json(ours.envelope(&resource))).into_response()
}

/// The headers of every reply.
fn stamp(stamp: &Stamp, headers: &mut HeaderMap) {
    // Fastio says in headers of its own when to come back. What stands before it may say so for a 5xx in `Retry-After`.
    let wait = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    if stamp.status == StatusCode::TOO_MANY_REQUESTS {
        headers.remove(RETRY_AFTER);
    }
    let mut put = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    put("x-ve-reqid", format!("sandbox-{:08}", stamp.seq));
    put("x-ve-limit-max", RATE_LIMIT.to_string());
    put("x-ve-limit-avail", if wait.is_some() { 0 } else { RATE_LIMIT }.to_string());
    let window = wait.unwrap_or(RATE_WINDOW_SECONDS);
    put("x-ve-limit-expires", (jiff::Timestamp::now().as_second() + window).to_string());
}
