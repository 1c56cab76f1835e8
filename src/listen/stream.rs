//! A connection as hyper reads and writes it, with what hyper cannot limit.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::{Incident, Tell};

/// How long a sender may leave our answer unread. Answers are a few hundred bytes, so only one that sends request
/// after request and never reads gets here.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long, and for how much, we read on after hanging up: enough for a sender to see the answer.
const HANG_UP: Duration = Duration::from_secs(1);
const DISCARD_BYTES: usize = 16 * 1024 * 1024;

/// A stream that gives up on a peer which does not read what we write, and that reads on for a moment after it closed its own
/// side.
pub struct LingeringStream {
    stream: TcpStream,
    /// What was read of it already, and is to be read first.
    head: io::Cursor<Vec<u8>>,
    /// Runs while a write waits, or while we wait for the peer to hang up too.
    giving_up: Option<Pin<Box<Sleep>>>,
    /// What the peer sent after we hung up.
    discarded: usize,
    /// Is told once when the peer hung up before us.
    tell: Option<Tell>,
}

impl LingeringStream {
    pub fn new(head: Vec<u8>, stream: TcpStream, tell: Tell) -> Self {
        LingeringStream {
            stream,
            head: io::Cursor::new(head),
            giving_up: None,
            discarded: 0,
            tell: Some(tell),
        }
    }

    /// Before an answer is written: whether the peer is still there for it. hyper does not say, because it goes on for those
    /// who close only their side; and what the operating system has told the runtime already costs no system call.
    fn look_for_peer(&mut self) {
        let ready = self.stream.ready(Interest::READABLE).now_or_never();
        if ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
            && let Some(tell) = self.tell.take()
        {
            tell(Incident::HungUp);
        }
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

impl AsyncRead for LingeringStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (position, length) = (self.head.position(), self.head.get_ref().len() as u64);
        if position < length {
            return Pin::new(&mut self.head).poll_read(cx, buf);
        }
        if length > 0 {
            // It is not needed any more, and a connection may be kept for long.
            self.head = io::Cursor::default();
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for LingeringStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.look_for_peer();
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
