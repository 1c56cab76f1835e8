//! The one clock. Everything that asks the time is given it, so that a test moves time instead of waiting for it.
//!
//! A machine's clock may step: it was wrong at the start, somebody sets it, a virtual machine is moved. So there are two
//! times. The *wall clock* is what the machine says, and what others' times are compared with: a signature's, a File
//! object's. *Docket's time* is what is written down and what everything waits by. It is the wall clock's, but it never
//! goes back: when the wall clock does, it runs on at nine tenths of the speed until that has caught up. An hour is made
//! up for in ten, and meanwhile a wait is a tenth longer and never an hour. When the wall clock leaps ahead, Docket's
//! time does too, and ages that would kill something leave the leap out.

mod keep;
pub mod store;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::contain::lock;

/// How far the wall clock must run ahead of the time that passed to have leapt: more than a busy machine's hiccup.
const LEAP_MS: i64 = 2_000;

/// How far the two may be apart in agreement: how exactly both can be read, and how finely clocks are kept right.
const AGREE_MS: i64 = 50;

/// Leaps that are remembered. A clock that leaps more often is right at none of them.
const LEAPS: usize = 64;

/// Unix time in milliseconds. Clones share one time.
#[derive(Debug, Clone)]
pub struct Clock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    start: Instant,
    /// What a test moved all time by.
    moved: AtomicI64,
    /// What a test set the wall clock ahead by.
    set: AtomicI64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Docket's time when the wall clock last agreed, and how much time had passed since the start then.
    at: i64,
    passed: i64,
    /// The wall clock is to be waited for.
    behind: bool,
    leaps: VecDeque<Leap>,
}

/// The wall clock ran ahead of the time that passed.
#[derive(Debug)]
struct Leap {
    /// Docket's time after it.
    at: i64,
    by: i64,
}

impl Default for Clock {
    fn default() -> Self {
        let state = State { at: machine(), passed: 0, behind: false, leaps: VecDeque::new() };
        Clock {
            shared: Arc::new(Shared {
                start: Instant::now(),
                moved: AtomicI64::new(0),
                set: AtomicI64::new(0),
                state: Mutex::new(state),
            }),
        }
    }
}

impl Clock {
    /// Docket's time: never earlier than it was, whatever becomes of the machine's clock.
    pub fn now(&self) -> i64 {
        let mut state = lock(&self.shared.state);
        let (wall, passed) = (self.wall(), self.passed());
        let since = passed - state.passed;
        let lead = wall - (state.at + since);
        let slow = state.at + since - since / 10;
        let now = match () {
            () if state.behind && wall < slow => return slow,
            () if state.behind => wall,
            () if lead > AGREE_MS => wall,
            () if lead >= -AGREE_MS => state.at + since,
            () => {
                state.behind = true;
                return slow;
            }
        };
        if lead > LEAP_MS {
            state.leaps.push_back(Leap { at: now, by: lead });
            if state.leaps.len() > LEAPS {
                state.leaps.pop_front();
            }
        }
        (state.at, state.passed, state.behind) = (now, passed, false);
        now
    }

    /// What the machine's clock says: to compare with what others say, never to wait by.
    pub fn wall(&self) -> i64 {
        machine() + self.shared.moved.load(Ordering::Relaxed) + self.shared.set.load(Ordering::Relaxed)
    }

    /// How far Docket's time is ahead of the wall clock.
    pub fn ahead(&self) -> i64 {
        (self.now() - self.wall()).max(0)
    }

    /// How much time has passed since `at`, without what the wall clock leapt over. Never negative.
    pub fn since(&self, at: i64) -> i64 {
        let now = self.now();
        let leapt: i64 =
            lock(&self.shared.state).leaps.iter().filter(|leap| leap.at > at).map(|leap| leap.by).sum();
        (now - at - leapt).max(0)
    }

    /// It is at least this late.
    pub fn not_before(&self, at: i64) {
        let now = self.now();
        let mut state = lock(&self.shared.state);
        if at > now {
            (state.at, state.passed) = (at, self.passed());
        }
    }

    /// Lets time pass for this clock and its clones; the machine's too.
    pub fn shift(&self, ms: i64) {
        self.shared.moved.fetch_add(ms, Ordering::Relaxed);
    }

    /// Sets the machine's clock ahead, or back when negative, as this clock and its clones see it.
    pub fn step(&self, ms: i64) {
        self.shared.set.fetch_add(ms, Ordering::Relaxed);
    }

    /// Milliseconds since the start.
    fn passed(&self) -> i64 {
        let passed = i64::try_from(self.shared.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        passed.saturating_add(self.shared.moved.load(Ordering::Relaxed))
    }
}

fn machine() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60 * 1000;

    /// Two readings of a clock are some milliseconds apart.
    fn about(value: i64, wanted: i64) {
        assert!((value - wanted).abs() < 1_000, "{value} is not about {wanted}");
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing_and_is_caught_up_with() {
        let clock = Clock::default();
        let begun = clock.now();
        clock.step(-HOUR);
        about(clock.now(), begun);
        about(clock.ahead(), HOUR);
        clock.shift(HOUR);
        about(clock.now(), begun + HOUR - HOUR / 10);
        clock.shift(9 * HOUR);
        about(clock.now(), begun + 9 * HOUR);
        about(clock.ahead(), 0);
        about(clock.since(begun), 9 * HOUR);
    }

    #[test]
    fn a_leap_ahead_makes_nothing_older() {
        let clock = Clock::default();
        let begun = clock.now();
        clock.shift(1_000);
        clock.step(HOUR);
        about(clock.now(), begun + HOUR + 1_000);
        about(clock.since(begun), 1_000);
        clock.shift(5_000);
        about(clock.since(begun), 6_000);
        let later = clock.now();
        about(clock.since(later), 0);
    }

    #[test]
    fn time_that_is_let_pass_is_no_leap() {
        let clock = Clock::default();
        let begun = clock.now();
        clock.shift(HOUR);
        about(clock.since(begun), HOUR);
    }

    #[test]
    fn a_server_goes_on_where_the_last_one_was() {
        let clock = Clock::default();
        let late = clock.now() + HOUR;
        clock.not_before(late);
        assert!(clock.now() >= late);
        clock.not_before(late - 2 * HOUR);
        assert!(clock.now() >= late);
        about(clock.wall() + HOUR, clock.now());
    }
}
