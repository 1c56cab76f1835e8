//! Serves HTTP/1 on an address, with the limits that stand between a stranger and the rest of the program. It knows no
//! route; the public and the operator listener bring theirs.
//!
//! `axum::serve` can set none of them, so the loop is ours: how many connections, how long and how large a request's
//! head may be, how long a sender may leave an answer unread, and how long a stop may take.
//!
//! Connections over the limit stay in the operating system's backlog. Answering them 503 would need the very thing that
//! has run out (a task, a buffer, and the time to read a request, because closing unread ones loses the answer), and the
//! sender would only come again. In the backlog a waiting delivery costs nothing here and is served when a connection
//! ends, which every limit below makes sure of within seconds.

pub mod problem;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

/// How long a sender may leave our answer unread. Answers are a few hundred bytes, so only one that sends request
/// after request and never reads gets here.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long, and for how much, we read on after hanging up: enough for a sender to see the answer.
const HANG_UP: Duration = Duration::from_secs(1);
const DISCARD_BYTES: usize = 16 * 1024 * 1024;

/// How long to wait after the operating system could not give us a connection (too many open files, as a rule).
const ACCEPT_TROUBLE: Duration = Duration::from_millis(200);

/// What a listener puts up with.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections served at once.
    pub connections: usize,
    /// How long a request's head may take, and how long a connection may idle.
    pub header_time: Duration,
    pub header_bytes: usize,
    /// How long requests in hand may take to finish at a stop.
    pub stop_time: Duration,
}

/// Serves `router` on `listener` until `stop`, then finishes the requests in hand within the limit.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes)
        // A sender that closes its side after the request still gets its answer.
        .half_close(true);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, slot)) => {
                let service = TowerToHyperService::new(router.clone());
                let connection = http.serve_connection(TokioIo::new(Patient::new(stream)), service);
                let stop = stop.clone();
                connections.spawn(async move {
                    let _slot = slot;
                    let mut connection = std::pin::pin!(connection);
                    // A connection that fails is its sender's affair; what it delivered is counted by the handler.
                    let _ = tokio::select! {
                        result = connection.as_mut() => result,
                        () = stop.cancelled() => {
                            connection.as_mut().graceful_shutdown();
                            connection.await
                        }
                    };
                });
            }
            // The peer went away before it was served: nothing of ours is wrong.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept a connection; trying again");
                tokio::time::sleep(ACCEPT_TROUBLE).await;
            }
        }
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.stop_time, finish).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "stopped without waiting longer for open connections"
        );
    }
}

/// Takes a slot first, so that a connection without one is never accepted.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
    let (stream, _) = listener.accept().await?;
    // Answers are one small write each. A connection that cannot be told so is only slower.
    let _ = stream.set_nodelay(true);
    Ok((stream, slot))
}

/// A stream that gives up on a peer which does not take what we write, and that hangs up gently.
struct Patient {
    stream: TcpStream,
    /// Runs while a write waits, or while we wait for the peer to hang up too.
    giving_up: Option<Pin<Box<Sleep>>>,
    /// What the peer sent after we hung up.
    discarded: usize,
}

impl Patient {
    fn new(stream: TcpStream) -> Self {
        Patient { stream, giving_up: None, discarded: 0 }
    }

    /// Whether waiting has taken `limit`, counted from the first call that waited.
    fn waited(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        self.giving_up.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx)
    }

    fn limit<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.giving_up = None;
            return written;
        }
        self.waited(cx, WRITE_TIMEOUT).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.limit(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.limit(cx, flushed)
    }

    /// Closes our side and then reads on for a moment. Closing a socket with unread bytes resets the connection, and
    /// the reset can overtake the answer: a sender of too long a body would never learn why it was refused.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        let mut scratch = [0; 4096];
        while self.discarded < DISCARD_BYTES {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Pending => return self.waited(cx, HANG_UP).map(Ok),
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => self.discarded += buf.filled().len(),
                Poll::Ready(_) => return Poll::Ready(Ok(())),
            }
        }
        Poll::Ready(Ok(()))
    }
}
