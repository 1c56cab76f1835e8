//! A streamed request body of known length, watched while it is sent.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream, StreamExt, TryStreamExt};
use reqwest::{Body, RequestBuilder};

use super::reply::{Cause, Failure, Reply, excerpt, exchange};
use super::{Phase, SILENCE_LIMIT};
use crate::contain::lock;
use crate::telemetry::Call;

/// How long an upload may stand still. Longer than [`SILENCE_LIMIT`], so that a download which stalls while it feeds an
/// upload is named as the cause. Progress is looked at once per this time, so a standstill costs up to twice as much.
pub const STALL_LIMIT: Duration = Duration::from_secs(SILENCE_LIMIT.as_secs() + 30);

/// How long a service may think after the last byte. Storing half a gigabyte takes it seconds; OpenAI's official
/// libraries allow 600 s for a whole call. An upload given up here may have happened, so this is generous.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(300);

/// The slowest upload that is let run, in bytes per second: eight at once on a line of 4 Mbit/s. It only bounds a body
/// that drips just fast enough not to stall: 512 MB may take 2 h 15 min.
pub const MIN_BYTES_PER_SECOND: u64 = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The total time allowed for a body of `length` bytes.
pub fn total_limit(length: u64) -> Duration {
    ANSWER_LIMIT + Duration::from_secs(length / MIN_BYTES_PER_SECOND)
}

/// How far a body has got. Shared with the body itself.
#[derive(Debug, Default)]
pub struct Progress {
    handed_over: AtomicU64,
    complete: AtomicBool,
    broken: Mutex<Option<String>>,
}

impl Progress {
    /// The content was handed to the connection to its last byte. Before that the service cannot have all of the
    /// request, because what closes it comes after.
    fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// Why the content could not be read, in words.
    fn broken(&self) -> Option<String> {
        lock(&self.broken).clone()
    }
}

/// Makes `content` a request body that fails unless it is exactly `length` bytes: a body that outgrows its announced
/// length would be cut in silence, and a shorter one would leave the service waiting.
pub fn measured<S, E>(content: S, length: u64) -> (Body, Arc<Progress>)
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    let progress = Arc::new(Progress::default());
    let content = content.map_err(Into::into).boxed();
    let body = Measured { content, length, progress: Arc::clone(&progress), ended: false };
    (Body::wrap_stream(body), progress)
}

struct Measured {
    content: BoxStream<'static, Result<Bytes, BoxError>>,
    length: u64,
    progress: Arc<Progress>,
    ended: bool,
}

impl Measured {
    fn fail(&mut self, why: String) -> Poll<Option<Result<Bytes, BoxError>>> {
        self.ended = true;
        *lock(&self.progress.broken) = Some(why.clone());
        Poll::Ready(Some(Err(why.into())))
    }
}

impl Stream for Measured {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let before = self.progress.handed_over.load(Ordering::Relaxed);
        match ready!(self.content.poll_next_unpin(context)) {
            Some(Ok(piece)) => {
                let after = before + piece.len() as u64;
                if after > self.length {
                    let length = self.length;
                    return self.fail(format!("the content is longer than the {length} bytes announced"));
                }
                self.progress.handed_over.store(after, Ordering::Relaxed);
                Poll::Ready(Some(Ok(piece)))
            }
            Some(Err(error)) => self.fail(excerpt(&error.to_string())),
            None if before < self.length => {
                let length = self.length;
                self.fail(format!("the content ended after {before} of {length} bytes"))
            }
            None => {
                self.ended = true;
                self.progress.complete.store(true, Ordering::Release);
                Poll::Ready(None)
            }
        }
    }
}

/// Sends `request`, whose body is the one `progress` watches, and reads the answer.
///
/// # Errors
/// When no complete answer came, with the phase told by how far the body got, and [`Cause::Content`] when the content
/// itself was at fault.
pub async fn send(request: RequestBuilder, (progress, call): (&Progress, Call)) -> Result<Reply, Failure> {
    let counted = call.counted();
    let sent = tokio::select! {
        reply = exchange(request, call) => reply,
        detail = standstill(progress) => Err(Failure::transport(Phase::BeforeBody, detail)),
    };
    counted.uploaded(progress.handed_over.load(Ordering::Relaxed));
    sent.map_err(|failure| match progress.broken() {
        Some(detail) => Failure { phase: Phase::BeforeBody, cause: Cause::Content, detail, head: None },
        None if failure.head.is_some() => failure,
        None if progress.is_complete() => Failure { phase: Phase::BodySent, ..failure },
        None => Failure { phase: Phase::BeforeBody, ..failure },
    })
}

/// Resolves, with what to say, when the upload has stood still for too long.
async fn standstill(progress: &Progress) -> String {
    loop {
        let before = progress.handed_over.load(Ordering::Relaxed);
        tokio::time::sleep(STALL_LIMIT).await;
        if progress.is_complete() {
            tokio::time::sleep(ANSWER_LIMIT).await;
            return format!("no answer came for {} s after the last byte", ANSWER_LIMIT.as_secs());
        }
        if progress.handed_over.load(Ordering::Relaxed) == before {
            return format!("nothing was taken for {} s", STALL_LIMIT.as_secs());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_an_upload_grows_with_its_size() {
        assert_eq!(total_limit(0), ANSWER_LIMIT);
        assert_eq!(total_limit(MIN_BYTES_PER_SECOND * 60), ANSWER_LIMIT + Duration::from_secs(60));
    }
}
