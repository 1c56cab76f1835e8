//! How long a job waits after a failure.

use std::time::Duration;

/// The first wait: long enough for a dropped connection, short enough not to be noticed.
const FIRST: Duration = Duration::from_secs(1);

/// The longest: a service that is back is found within a quarter of an hour.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The longest wait that a remote may ask for. More would look like a job that is lost.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

/// The wait after failure number `attempt` (from 1). `chance` in `0.0..1.0` spreads jobs that failed together over the
/// upper half of the wait. What the remote asked for is the least that is waited.
pub fn wait(attempt: u16, asked: Option<Duration>, chance: f64) -> Duration {
    let doublings = u32::from(attempt.saturating_sub(1)).min(20);
    let full = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let spread = full.mul_f64(0.5 + chance / 2.0);
    match asked {
        // A little more than asked, or all who were refused together come back together.
        Some(asked) => asked.min(LONGEST_ASKED) + spread.min(asked.mul_f64(0.1)),
        None => spread,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_and_has_an_end() {
        assert_eq!(wait(1, None, 0.999_999).as_secs_f64().round(), 1.0);
        assert_eq!(wait(4, None, 0.999_999).as_secs_f64().round(), 8.0);
        assert_eq!(wait(60_000, None, 0.999_999).as_secs_f64().round(), LONGEST.as_secs_f64());
    }

    #[test]
    fn chance_spreads_over_the_upper_half() {
        assert_eq!(wait(3, None, 0.0), Duration::from_secs(2));
        assert!(wait(3, None, 0.9) < Duration::from_secs(4));
    }

    #[test]
    fn what_the_remote_asked_for_is_the_least() {
        let asked = Duration::from_secs(30);
        assert!(wait(1, Some(asked), 0.0) >= asked);
        assert!(wait(1, Some(asked), 1.0) <= asked + Duration::from_secs(3));
        assert!(wait(1, Some(Duration::from_secs(1 << 40)), 0.5) <= LONGEST_ASKED.mul_f64(1.1));
    }
}
