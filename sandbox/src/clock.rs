//! The stand-ins' time: the machine's, moved ahead by a test or by `POST /_sandbox/clock`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Unix time in milliseconds. Clones share one time.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    moved_ms: Arc<AtomicI64>,
}

impl Clock {
    pub fn now(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond() + self.moved_ms.load(Ordering::Relaxed)
    }

    /// Lets time pass for this clock and its clones.
    pub fn shift(&self, ms: i64) {
        self.moved_ms.fetch_add(ms, Ordering::Relaxed);
    }
}
