//! Reads a webhook's request, of Fastio's or of OpenAI's: in the order of what each check costs us. Length, and whether its
//! head claims a signature that is readable and timely; only then is its body read, and its signature checked. What the body
//! is called (its media type) decides nothing: a sender that has the secret means what it sends.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::body::{self, Limits};
use super::count::{Count, Counters};
use super::encoding::Encoding;
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
    /// As it was sent, until its signature is right; then as the JSON that was meant.
    pub body: Vec<u8>,
    encoding: Encoding,
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
        let encoding = Encoding::of(&parts.headers, &body);
        if encoding.is_compressed() {
            memory.grow(self.limits.bytes)?;
        }
        Ok(Unchecked { parts, body, encoding, memory, visitor })
    }

    /// Checks the signature; that of a long body beside the runtime, so that no other request waits while it is hashed.
    pub async fn check<T: Send + 'static>(
        &self,
        mut unchecked: Unchecked,
        check: impl Fn(&HeaderMap, &[u8]) -> Result<T, Rejected> + Send + 'static,
    ) -> Result<(Unchecked, T), Refusal> {
        let limit = self.limits.bytes;
        if unchecked.body.len() <= SHORT_BYTES && !unchecked.encoding.is_compressed() {
            let checked = unchecked.judge(check, limit);
            return unchecked.proven(checked);
        }
        let turn = tokio::select! {
            turn = self.hashing.clone().acquire_owned() => turn.expect("the semaphore is never closed"),
            () = unchecked.memory.gives_way() => return Err(TooLittle.into()),
            () = tokio::time::sleep(HASH_WAIT) => return Err(Refused::Busy.into()),
        };
        let hashed = blocking(move || {
            let checked = unchecked.judge(check, limit);
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
    /// Whether the signature is right, of the body as it was sent or, where a proxy compressed it on its way, of what it
    /// was. Then the body becomes the JSON that was meant, of at most `limit` bytes.
    fn judge<T>(
        &mut self,
        check: impl Fn(&HeaderMap, &[u8]) -> Result<T, Rejected>,
        limit: usize,
    ) -> Result<T, Refusal> {
        let headers = &self.parts.headers;
        match check(headers, &self.body) {
            Ok(checked) => {
                if let Some(plain) = self.encoding.decode(&self.body, limit)? {
                    self.body = plain;
                }
                Ok(checked)
            }
            Err(Rejected::Mismatch) if self.encoding.is_compressed() => {
                let wrong = || Refusal::unsigned(Rejected::Mismatch);
                // What cannot be read proves nothing, whatever is wrong with it.
                let plain =
                    self.encoding.decode(&self.body, limit).map_err(|_| wrong())?.ok_or_else(wrong)?;
                let checked = check(headers, &plain).map_err(Refusal::unsigned)?;
                self.body = plain;
                Ok(checked)
            }
            Err(why) => Err(Refusal::unsigned(why)),
        }
    }

    /// What was proven holds its memory and its connection until it is answered.
    fn proven<T>(mut self, checked: Result<T, Refusal>) -> Result<(Self, T), Refusal> {
        let checked = checked?;
        self.memory.keep()?;
        if self.visitor.vouch() { Ok((self, checked)) } else { Err(Refused::Busy.into()) }
    }
}

fn promised(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
