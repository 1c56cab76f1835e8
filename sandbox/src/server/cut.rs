//! Replies that end before they are whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue, Response};
use futures_util::StreamExt;

use super::{Cut, content_length};
use crate::faults::FaultHit;

/// Where a body of unknown length is cut when the fault does not say.
pub const CUT_AFTER_BYTES: u64 = 1;

/// hyper writes what it has gathered once the body has nothing more for the moment. Without this pause the cut would take
/// the first half of the reply with it.
const FLUSH: Duration = Duration::from_millis(10);

/// Ends the connection in the middle of the body, with a reset when `reset` is given.
pub fn cut_short(response: Response<Body>, hit: &FaultHit, reset: Option<Arc<AtomicBool>>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let limit = limit(&head.headers, &body, hit);
    // The length stays announced: that is how the client can tell.
    let unannounced =
        !head.headers.contains_key(CONTENT_LENGTH) && !head.headers.contains_key(TRANSFER_ENCODING);
    if let (Some(length), true) = (hyper::body::Body::size_hint(&body).exact(), unannounced) {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let cut = futures_util::stream::once(async move {
        tokio::time::sleep(FLUSH).await;
        if let Some(reset) = reset {
            reset.store(true, Ordering::Relaxed);
        }
        Err::<Bytes, axum::Error>(axum::Error::new(Cut))
    });
    Response::from_parts(head, Body::from_stream(first_bytes(body, limit).chain(cut)))
}

/// Ends the body early as if it were whole.
pub fn end_early(response: Response<Body>, hit: &FaultHit) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let limit = limit(&head.headers, &body, hit);
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from_stream(first_bytes(body, limit)))
}

fn limit(headers: &HeaderMap, body: &Body, hit: &FaultHit) -> u64 {
    let length = content_length(headers).or_else(|| hyper::body::Body::size_hint(body).exact());
    hit.details.after_bytes.or(length.map(|length| length / 2)).unwrap_or(CUT_AFTER_BYTES)
}

fn first_bytes(body: Body, limit: u64) -> impl futures_util::Stream<Item = Result<Bytes, axum::Error>> {
    body.into_data_stream().scan(limit, |left, chunk| {
        let piece = chunk.map(|mut bytes| {
            bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= bytes.len() as u64;
            bytes
        });
        let ended = matches!(&piece, Ok(bytes) if bytes.is_empty());
        futures_util::future::ready((!ended).then_some(piece))
    })
}
