//! Reads a webhook's request, of Fastio's or of OpenAI's: in the order of what each check costs us. Media type, length, and whether
//! its head claims a signature that is readable and timely; only then is its body read, and its signature checked.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::body::{self, Limits};
use super::count::{Count, Counters};
use super::inbox::Refused;
use super::memory::{Memory, Share, TooLittle};
use super::refusal::Refusal;
use super::signature::Rejected;
use crate::clock::Clock;
use crate::contain::blocking;
use crate::listen::Visitor;
use crate::listen::gate::Gate;

/// A body longer than this is hashed beside the runtime. Ordinary ones are a few hundred bytes, and hashing this much with
/// every reading of two secrets takes less than a millisecond.
const SHORT_BYTES: usize = 32 * 1024;

/// How long a long body may wait for its turn to be hashed. The acknowledgement has to follow within the sender's patience.
const HASH_WAIT: Duration = Duration::from_secs(1);

/// What is left of a body up to this length has arrived with the head, so that a connection can go on after a refusal.
const AT_HAND_BYTES: u64 = 4 * 1024;

/// Reads requests and refuses them, for every route that takes webhooks.
pub(super) struct RequestReader {
    pub counters: Arc<Counters>,
    pub clock: Clock,
    pub limits: Limits,
    pub memory: Memory,
    /// Turns for long bodies to be hashed: one, so that bodies without a right signature take one core at most.
    pub hashing: Arc<Semaphore>,
    pub gate: Gate,
}

/// A request that was read and whose signature is yet to be checked. Its bytes go nowhere before that.
pub(super) struct Unchecked {
    pub parts: Parts,
    pub body: Vec<u8>,
    /// The share of memory that the body holds.
    pub memory: Share,
    visitor: Visitor,
}

impl RequestReader {
    /// Reads a request whose head passes every check, `precheck` of its signature among them; of any other the body is not
    /// read.
    pub async fn read(
        &self,
        request: Request,
        precheck: impl FnOnce(&HeaderMap, i64) -> Result<(), Rejected>,
    ) -> Result<Unchecked, Refusal> {
        let (parts, body) = request.into_parts();
        check_media_type(&parts.headers)?;
        let promised = promised(&parts.headers);
        if promised.is_some_and(|length| length > self.limits.bytes as u64) {
            return Err(body::too_large(self.limits.bytes));
        }
        precheck(&parts.headers, self.clock.wall()).map_err(|why| {
            let is_at_hand = promised.is_some_and(|length| length <= AT_HAND_BYTES);
            let refusal = Refusal::unsigned(why);
            if is_at_hand { refusal } else { refusal.hanging_up() }
        })?;
        let visitor: Visitor =
            parts.extensions.get().cloned().expect("the listener adds it to every request");
        let mut memory = self.memory.share(visitor.is_known());
        let body = body::read(body, &self.limits, &mut memory).await?;
        Ok(Unchecked { parts, body, memory, visitor })
    }

    /// Checks the signature; that of a long body beside the runtime, so that no other request waits while it is hashed.
    pub async fn check<T: Send + 'static>(
        &self,
        unchecked: Unchecked,
        check: impl FnOnce(&Unchecked) -> Result<T, Rejected> + Send + 'static,
    ) -> Result<(Unchecked, T), Refusal> {
        if unchecked.body.len() <= SHORT_BYTES {
            let checked = check(&unchecked);
            return unchecked.proven(checked);
        }
        let turn = tokio::select! {
            turn = self.hashing.clone().acquire_owned() => turn.expect("the semaphore is never closed"),
            () = unchecked.memory.gives_way() => return Err(TooLittle.into()),
            () = tokio::time::sleep(HASH_WAIT) => return Err(Refused::Busy.into()),
        };
        let hashed = blocking(move || {
            let checked = check(&unchecked);
            drop(turn);
            (unchecked, checked)
        });
        let (unchecked, checked) = hashed.await;
        unchecked.proven(checked)
    }

    /// The answer to a request that is not taken. It is counted, and now and then logged.
    pub fn refuse(&self, refusal: Refusal) -> Response {
        self.counters.add(refusal.count, 1);
        if let Count::Rejected(reason) | Count::Unavailable(reason) = refusal.count
            && let Some(suppressed) = self.gate.pass()
        {
            tracing::warn!(reason, suppressed, "a delivery was refused");
        }
        refusal.into_response()
    }
}

impl Unchecked {
    /// What was proven holds its memory and its connection until it is answered.
    fn proven<T>(mut self, checked: Result<T, Rejected>) -> Result<(Self, T), Refusal> {
        let checked = checked.map_err(Refusal::unsigned)?;
        self.memory.keep()?;
        if self.visitor.vouch() { Ok((self, checked)) } else { Err(Refused::Busy.into()) }
    }
}

/// Fastio's media type is not documented, so a request without one is read as JSON.
fn check_media_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse = |detail| {
        Err(Refusal::rejected("media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).hanging_up())
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
