//! Lets through only so many log lines about what others can cause: a request that is refused must cost no disk space.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Lets one log line through per [`GATE_INTERVAL`] and counts the others, so that a client that can make us log cannot fill
/// the disk with it.
#[derive(Debug)]
pub struct Gate {
    start: Instant,
    /// Milliseconds after `start` from which the next line may pass.
    next: AtomicU64,
    suppressed: AtomicU64,
}

/// A line a second is enough to see what goes on, and 10 MB a day at most.
const GATE_INTERVAL: Duration = Duration::from_secs(1);

impl Default for Gate {
    fn default() -> Self {
        Gate { start: Instant::now(), next: AtomicU64::new(0), suppressed: AtomicU64::new(0) }
    }
}

impl Gate {
    /// `Some` when a line may be written: how many were not since the last one.
    pub fn pass(&self) -> Option<u64> {
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let now = milliseconds(self.start.elapsed());
        let next = self.next.load(Ordering::Relaxed);
        let later = now.saturating_add(milliseconds(GATE_INTERVAL));
        let is_first =
            || self.next.compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if now >= next && is_first() {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_log_lines_is_one_line_and_a_number() {
        let gate = Gate::default();
        assert_eq!(gate.pass(), Some(0));
        assert!((0..1000).all(|_| gate.pass().is_none()));
        assert_eq!(gate.suppressed.load(Ordering::Relaxed), 1000);
    }
}
