//! What a handler leaves unread of a request's body. It is read to its end before the answer goes out, as a real service's
//! front end does: a client that is still sending when the connection closes never reads why it was refused.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::Request;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

/// How much is read for nothing, at most: more than anything sends that is refused here.
const MOST_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// The body that was not read to its end, when its reader let go of it.
#[derive(Clone, Default)]
pub struct Leftover(Arc<Mutex<Option<Body>>>);

impl Leftover {
    /// The request with a body that comes back here.
    pub fn of(request: Request<Body>) -> (Request<Body>, Leftover) {
        let left = Leftover::default();
        let lent = left.clone();
        (request.map(|body| Body::new(Lent { body: Some(body), to: lent })), left)
    }

    pub async fn read(self) {
        let left = self.0.lock().expect("nothing panics while it holds a body").take();
        let Some(mut body) = left else { return };
        let mut read = 0;
        while let (true, Some(Ok(frame))) = (read < MOST_BYTES, body.frame().await) {
            read += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
    }
}

struct Lent {
    /// None: it ended.
    body: Option<Body>,
    to: Leftover,
}

impl hyper::body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(hyper::body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), hyper::body::Body::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Ok(mut left)) = (self.body.take(), self.to.0.lock()) {
            *left = Some(body);
        }
    }
}
