//! The one clock. Everything that asks the time is given it, so that a test moves time instead of waiting for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Unix time in milliseconds. Clones share one time.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    shift_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Unix milliseconds. May step backwards when the machine's clock does: nothing may rely on it only growing.
    pub fn now(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond() + self.shift_ms.load(Ordering::Relaxed)
    }

    /// Moves this clock and its clones by `ms`, backwards when negative.
    pub fn shift(&self, ms: i64) {
        self.shift_ms.fetch_add(ms, Ordering::Relaxed);
    }
}
