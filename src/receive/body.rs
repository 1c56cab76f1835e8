//! Reads a request's body within its limits: its own length, its time, and the memory that all bodies share.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use http_body_util::BodyExt;

use super::memory::{Share, TooLittle};
use super::refusal::Refusal;

/// Bodies being read and deliveries waiting for their commit hold at most this much together, whatever many connections
/// send. It is many thousands of ordinary deliveries.
pub const MEMORY_BYTES: usize = 64 * 1024 * 1024;

/// What a delivery takes besides its body: the headers that are kept of it and its place in the queue.
const BESIDES_BYTES: usize = 4 * 1024;

/// What is set aside for a body before any of it has come. A length that is only promised takes no memory.
const FIRST_BYTES: usize = 4 * 1024;

/// What one body may take.
pub(super) struct Limits {
    pub bytes: usize,
    pub time: Duration,
}

/// The whole body. `memory` grows with it, and ends the reading when it has to give way.
pub(super) async fn read(body: Body, limits: &Limits, memory: &mut Share) -> Result<Vec<u8>, Refusal> {
    match tokio::time::timeout(limits.time, read_all(body, limits.bytes, memory)).await {
        Ok(result) => result,
        Err(_) => {
            Err(unread("body_too_slow", StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive"))
        }
    }
}

async fn read_all(mut body: Body, limit: usize, memory: &mut Share) -> Result<Vec<u8>, Refusal> {
    memory.grow(BESIDES_BYTES + FIRST_BYTES)?;
    let promised = usize::try_from(body.size_hint().lower()).unwrap_or(FIRST_BYTES);
    let (mut bytes, mut held) = (Vec::with_capacity(promised.min(FIRST_BYTES)), FIRST_BYTES);
    loop {
        let frame = tokio::select! {
            // What has come is taken before anything is waited for.
            biased;
            frame = body.frame() => frame,
            () = memory.gives_way() => return Err(TooLittle.into()),
        };
        let Some(frame) = frame else { return Ok(bytes) };
        let frame =
            frame.map_err(|_| unread("body_cut_off", StatusCode::BAD_REQUEST, "the body is not complete"))?;
        // Trailers carry nothing that is signed.
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > limit {
            return Err(too_large(limit));
        }
        if length > held {
            let capacity = length.max(2 * held).min(limit);
            memory.grow(capacity - held)?;
            bytes.reserve_exact(capacity - bytes.len());
            held = capacity;
        }
        bytes.extend_from_slice(&data);
    }
}

pub(super) fn too_large(limit: usize) -> Refusal {
    let detail = format!("the body is longer than {limit} bytes");
    unread("body_too_large", StatusCode::PAYLOAD_TOO_LARGE, &detail)
}

fn unread(reason: &'static str, status: StatusCode, detail: &str) -> Refusal {
    Refusal::rejected(reason, status, detail).hanging_up()
}
