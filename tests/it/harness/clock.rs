//! A clock that a test moves.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use docket::clock::{Clock, Reading};

/// Docket's clock over this machine's time, which passes and steps when a test says so too.
#[derive(Clone)]
pub struct TestClock {
    clock: Clock,
    moved: Arc<Moved>,
}

#[derive(Default)]
struct Moved {
    passed_ms: AtomicI64,
    stepped_ms: AtomicI64,
}

impl Default for TestClock {
    fn default() -> Self {
        let (start, moved) = (Instant::now(), Arc::new(Moved::default()));
        let read = Arc::clone(&moved);
        let clock = Clock::new(move || {
            let passed = read.passed_ms.load(Ordering::Relaxed);
            Reading {
                wall_ms: jiff::Timestamp::now().as_millisecond()
                    + passed
                    + read.stepped_ms.load(Ordering::Relaxed),
                passed_ms: i64::try_from(start.elapsed().as_millis()).unwrap() + passed,
            }
        });
        TestClock { clock, moved }
    }
}

impl TestClock {
    /// The clock for what is tested.
    pub fn share(&self) -> Clock {
        self.clock.clone()
    }

    /// Lets time pass.
    pub fn shift(&self, ms: i64) {
        self.moved.passed_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// How much a test has let pass: what was waited for, however long the machine took for the work.
    pub fn shifted_ms(&self) -> i64 {
        self.moved.passed_ms.load(Ordering::Relaxed)
    }

    /// Sets the machine's clock ahead, or back when negative.
    pub fn step(&self, ms: i64) {
        self.moved.stepped_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Deref for TestClock {
    type Target = Clock;

    fn deref(&self) -> &Clock {
        &self.clock
    }
}
