//! SIGTERM and SIGINT: the first asks to stop, the second insists.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::failure::FAILED;

/// Both signals. From [`Signals::listen`] on neither ends the process by itself.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    pub fn listen() -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Signals { terminate, interrupt, hangup: None })
    }

    /// Also the end of the terminal, for a command with something to clear away. A server leaves it alone, so that
    /// `nohup` works.
    #[cfg(feature = "sandbox")]
    pub fn listen_at_terminal() -> io::Result<Self> {
        Ok(Signals { hangup: Some(signal(SignalKind::hangup())?), ..Signals::listen()? })
    }

    /// Resolves at the next signal.
    pub async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = hangup => {}
        }
    }

    /// Runs `work` to its end; the first signal cancels `stop`, a second one ends the process at once.
    pub async fn guard<T>(&mut self, stop: &CancellationToken, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = self.next() => stop.cancel(),
        }
        tokio::select! {
            done = &mut work => done,
            // Leases run out and intents are written down, so this loses nothing but time.
            () = self.next() => std::process::exit(FAILED.into()),
        }
    }
}
