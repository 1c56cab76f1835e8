//! The one clock. Everything that asks the time is given it, so that a test moves time instead of waiting for it.
//!
//! A machine's clock may step: it was wrong at the start, a person sets it, a virtual machine is moved. So there are two
//! times. The *wall clock* is what the machine says, and what others' times are compared with: a signature's, a File
//! object's. *Docket's time* is what is written down and what everything waits by. It is the wall clock's, but it never
//! goes back: when the wall clock does, it runs on at nine tenths of the speed until that has caught up. An hour is made
//! up for in ten, and meanwhile a wait is a tenth longer and never an hour. When the wall clock leaps ahead, Docket's
//! time does too, and ages that would kill something leave the leap out.
//!
//! Where several servers share a database, its clock is the wall clock of each ([`Timed`]), and between two times that it tells the time
//! that passed: a machine's that is ten minutes off, or steps, is so nowhere.

mod keep;
pub mod store;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::contain::lock;
use crate::database::Timed;

/// How far the wall clock must run ahead of the time that passed to have leapt: more than a busy machine's hiccup.
const LEAP_MS: i64 = 2_000;

/// How far the two may be apart in agreement: how exactly both can be read, and how finely clocks are kept right.
const AGREE_MS: i64 = 50;

/// What a clock may be wrong by without a line in the log. Smaller steps are how clocks are kept right.
const WORTH_A_LINE_MS: i64 = 5_000;

/// Leaps that are remembered. A clock that leaps more often is right at none of them.
const LEAPS: usize = 64;

/// Unix time in milliseconds. Clones share one time.
#[derive(Clone)]
pub struct Clock {
    shared: Arc<Shared>,
}

struct Shared {
    machine: Box<dyn Fn() -> Reading + Send + Sync>,
    state: Mutex<State>,
}

/// What a machine's clocks say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Unix time in milliseconds. It may step, ahead or back.
    pub wall_ms: i64,
    /// Milliseconds since some moment. It never goes back.
    pub passed_ms: i64,
}

#[derive(Debug)]
struct State {
    /// Docket's time when the wall clock last agreed, and how much time had passed since the start then.
    at: i64,
    passed: i64,
    /// The wall clock is to be waited for.
    behind: bool,
    leaps: VecDeque<Leap>,
    /// What the database's clock said when no time had passed; `None` where none is gone by.
    database: Option<i64>,
}

/// The wall clock ran ahead of the time that passed.
#[derive(Debug)]
struct Leap {
    /// Docket's time after it.
    at: i64,
    by: i64,
}

impl Default for Clock {
    /// By this machine's clocks.
    fn default() -> Self {
        let start = Instant::now();
        Clock::new(move || Reading {
            wall_ms: jiff::Timestamp::now().as_millisecond(),
            passed_ms: i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX),
        })
    }
}

impl Shared {
    fn read(&self, state: &State) -> Reading {
        let Reading { wall_ms, passed_ms } = (self.machine)();
        Reading { wall_ms: state.database.map_or(wall_ms, |database| database + passed_ms), passed_ms }
    }
}

impl Timed for Clock {
    fn passed(&self) -> i64 {
        (self.shared.machine)().passed_ms
    }

    fn told(&self, (before, after): (i64, i64), said: i64) {
        let mut state = lock(&self.shared.state);
        let (least, most) = (said - after, said - before);
        if let Some(known) = state.database {
            // What agrees with what is known changes nothing, so the time that an answer takes is not seen.
            state.database = Some(known.clamp(least, most));
            return;
        }
        let Reading { wall_ms, passed_ms: passed } = (self.shared.machine)();
        let database = least + (most - least) / 2;
        let ahead = wall_ms - (database + passed);
        if ahead.abs() > WORTH_A_LINE_MS {
            let seconds = ahead / 1000;
            tracing::warn!(
                seconds,
                "this machine's clock is not the database's (ahead of it, or behind where negative); Docket goes by that one"
            );
        }
        // Nobody has gone by the machine's clock yet.
        (state.at, state.passed, state.behind) = (database + passed, passed, false);
        state.database = Some(database);
        state.leaps.clear();
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("state", &self.shared.state).finish_non_exhaustive()
    }
}

impl Clock {
    /// By the clocks that `machine` reads.
    pub fn new(machine: impl Fn() -> Reading + Send + Sync + 'static) -> Self {
        let Reading { wall_ms: at, passed_ms: passed } = machine();
        let state = State { at, passed, behind: false, leaps: VecDeque::new(), database: None };
        Clock { shared: Arc::new(Shared { machine: Box::new(machine), state: Mutex::new(state) }) }
    }

    /// Docket's time: never earlier than it was, whatever becomes of the machine's clock.
    pub fn now(&self) -> i64 {
        let mut state = lock(&self.shared.state);
        let Reading { wall_ms: wall, passed_ms: passed } = self.shared.read(&state);
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

    /// What the machine's clock says, or the database's: to compare with what others say, never to wait by.
    pub fn wall(&self) -> i64 {
        self.shared.read(&lock(&self.shared.state)).wall_ms
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

    /// Sets Docket's time to `at`, unless it is later already.
    pub fn advance_to(&self, at: i64) {
        let now = self.now();
        let mut state = lock(&self.shared.state);
        if at > now {
            (state.at, state.passed) = (at, (self.shared.machine)().passed_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60 * 1000;

    /// Clocks that a test moves.
    #[derive(Clone)]
    struct Machine(Arc<Mutex<Reading>>);

    impl Machine {
        fn new() -> (Machine, Clock) {
            let machine = Machine(Arc::new(Mutex::new(Reading { wall_ms: 1_000 * HOUR, passed_ms: 0 })));
            let read = machine.clone();
            (machine, Clock::new(move || *lock(&read.0)))
        }

        /// Time passes.
        fn pass(&self, ms: i64) {
            let mut reading = lock(&self.0);
            reading.wall_ms += ms;
            reading.passed_ms += ms;
        }

        /// The wall clock is set ahead, or back when negative.
        fn step(&self, ms: i64) {
            lock(&self.0).wall_ms += ms;
        }
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing_and_is_caught_up_with() {
        let (machine, clock) = Machine::new();
        let begun = clock.now();
        machine.step(-HOUR);
        assert_eq!(clock.now(), begun);
        assert_eq!(clock.ahead(), HOUR);
        machine.pass(HOUR);
        assert_eq!(clock.now(), begun + HOUR - HOUR / 10);
        machine.pass(9 * HOUR);
        assert_eq!(clock.now(), begun + 9 * HOUR);
        assert_eq!(clock.ahead(), 0);
        assert_eq!(clock.since(begun), 9 * HOUR);
    }

    #[test]
    fn a_leap_ahead_makes_nothing_older() {
        let (machine, clock) = Machine::new();
        let begun = clock.now();
        machine.pass(1_000);
        machine.step(HOUR);
        assert_eq!(clock.now(), begun + HOUR + 1_000);
        assert_eq!(clock.since(begun), 1_000);
        machine.pass(5_000);
        assert_eq!(clock.since(begun), 6_000);
        let later = clock.now();
        assert_eq!(clock.since(later), 0);
    }

    #[test]
    fn time_that_is_let_pass_is_no_leap() {
        let (machine, clock) = Machine::new();
        let begun = clock.now();
        machine.pass(HOUR);
        assert_eq!(clock.since(begun), HOUR);
    }

    #[test]
    fn a_machines_clock_that_is_off_or_steps_is_so_nowhere_where_the_databases_is_gone_by() {
        let (machine, clock) = Machine::new();
        let right = clock.wall() - HOUR / 6;
        clock.told((-10, 10), right);
        assert_eq!((clock.wall(), clock.now()), (right, right));
        machine.pass(1_000);
        machine.step(HOUR);
        // An answer that took long says nothing against it.
        clock.told((100, 1_000), right + 200);
        assert_eq!((clock.wall(), clock.now(), clock.since(right)), (right + 1_000, right + 1_000, 1_000));
        clock.told((1_000, 1_000), right + 1_020);
        assert_eq!(clock.wall(), right + 1_020);
    }

    #[test]
    fn a_server_goes_on_where_the_last_one_was() {
        let (_, clock) = Machine::new();
        let late = clock.now() + HOUR;
        clock.advance_to(late);
        assert_eq!(clock.now(), late);
        clock.advance_to(late - 2 * HOUR);
        assert_eq!(clock.now(), late);
        assert_eq!(clock.wall() + HOUR, clock.now());
    }
}
