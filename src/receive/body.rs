//! Reads a request's body within its limits: its own length, its time, and the memory that all bodies share.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::listen::problem::Problem;

/// Bodies being read and deliveries waiting for their commit hold at most this much together, whatever many connections
/// send. It is many thousands of ordinary deliveries.
pub const MEMORY_BYTES: usize = 64 * 1024 * 1024;

/// When memory is short, the commits that free it are milliseconds away.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What is set aside for a body before any of it has come. A length that is only promised takes no memory.
const FIRST_BYTES: usize = 4 * 1024;

/// What one body may take.
pub struct Limits<'a> {
    pub bytes: usize,
    pub time: Duration,
    pub memory: &'a Arc<Semaphore>,
}

/// Why a body was not read: what to count, and what to answer.
pub type Unread = (&'static str, Problem);

/// The whole body, and the share of memory it holds.
pub async fn read(body: Body, limits: &Limits<'_>) -> Result<(Vec<u8>, OwnedSemaphorePermit), Unread> {
    match tokio::time::timeout(limits.time, read_all(body, limits)).await {
        Ok(result) => result,
        Err(_) => Err((
            "body_too_slow",
            Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive"),
        )),
    }
}

async fn read_all(mut body: Body, limits: &Limits<'_>) -> Result<(Vec<u8>, OwnedSemaphorePermit), Unread> {
    let mut bytes = Vec::with_capacity(FIRST_BYTES.min(limits.bytes));
    let mut memory = take(limits.memory, 0)?;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            ("body_cut_off", Problem::new(StatusCode::BAD_REQUEST, "the body is not complete"))
        })?;
        // Trailers carry nothing that is signed.
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limits.bytes {
            return Err(too_large(limits.bytes));
        }
        memory.merge(take(limits.memory, data.len())?);
        bytes.extend_from_slice(&data);
    }
    Ok((bytes, memory))
}

pub fn too_large(limit: usize) -> Unread {
    let detail = format!("the body is longer than {limit} bytes");
    ("body_too_large", Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail))
}

fn take(memory: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Unread> {
    let share = u32::try_from(bytes).unwrap_or(u32::MAX);
    memory
        .clone()
        .try_acquire_many_owned(share)
        .map_err(|_| ("memory", Problem::unavailable("too much arrives at once", RETRY_AFTER)))
}
