//! Signals: the first that ends a process asks to stop, the second insists. So nothing but SIGKILL, and a fault of the
//! program itself, ends it out of order.

use std::future::{Future, poll_fn};
use std::io;
use std::task::Poll;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::failure::FAILED;

/// What asks to stop: an engine or a person, a terminal that is closed, a limit that is reached, power that fails.
const STOP: &[Number] = &[
    Number::TERM,
    Number::INT,
    Number::HUP,
    Number::QUIT,
    Number::ABORT,
    Number::XCPU,
    #[cfg(target_os = "linux")]
    Number::POWER,
];

/// What would end the process and means nothing to it. A file that may not grow is an error of its write, as a full disk is.
const NOTHING: &[Number] = &[
    Number::USR1,
    Number::USR2,
    Number::ALARM,
    Number::VTALARM,
    Number::PROF,
    Number::IO,
    Number::XFSZ,
    #[cfg(target_os = "linux")]
    Number::STKFLT,
];

/// Linux's real-time signals. Each ends a process that does not know it.
#[cfg(target_os = "linux")]
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// Those that ask to stop. From [`Signals::listen`] on no signal that can be caught ends the process by itself.
pub struct Signals {
    stop: Vec<Signal>,
}

impl Signals {
    pub fn listen() -> io::Result<Self> {
        let kind = |number: &Number| SignalKind::from_raw(number.as_raw());
        for number in NOTHING {
            drop(signal(kind(number))?);
        }
        #[cfg(target_os = "linux")]
        for number in REAL_TIME {
            match signal(SignalKind::from_raw(number)) {
                // musl keeps the first for itself, and handles it.
                Err(error) if error.kind() != io::ErrorKind::InvalidInput => return Err(error),
                _ => {}
            }
        }
        // With `nohup` it was started to outlive the terminal.
        let wanted = STOP.iter().filter(|number| **number != Number::HUP || !is_hangup_ignored());
        let stop = wanted.map(|number| signal(kind(number))).collect::<io::Result<_>>()?;
        Ok(Signals { stop })
    }

    /// Resolves at the next signal that asks to stop.
    pub async fn next(&mut self) {
        poll_fn(|context| {
            let came = self.stop.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if came { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
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

/// Whether this process was started with SIGHUP ignored. Only Linux says so without unsafe code; elsewhere a closed terminal
/// stops it.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored & (1 << (Number::HUP.as_raw() - 1)) != 0
}
