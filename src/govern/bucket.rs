//! One limit of so many a minute. Pure: it is given the time.
//!
//! A token comes back a minute after it was used. So within any sixty seconds no more are used than the limit has, however the
//! service counts its minutes; a bucket that refills evenly from full would allow twice as many in the first one.
//!
//! That alone would let a backfill take all of them in the first seconds, and what comes then would wait for the rest of the
//! minute. So a backfill may take a tenth at once, and more only evenly; what comes now may take all there is. After a refusal
//! everything goes evenly, and slower.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60_000;

/// Tokens that come back within so long are one entry.
const GRAIN_MS: i64 = 100;

/// The part of a minute's tokens that a backfill may take at once.
const AT_ONCE: f64 = 0.1;

/// Of the limit, what a backfill takes evenly; the rest is for what comes meanwhile.
const EVENLY: f64 = 0.98;

/// What is left of the limit after a refusal, and at least.
const AFTER_REFUSAL: f64 = 0.7;
const LEAST: f64 = 0.05;

/// The part of the limit that comes back with each minute without a refusal.
const BACK_PER_MINUTE: f64 = 0.1;

/// The first wait where the service does not say how long, how it grows, and its end.
const FIRST_WAIT_MS: f64 = 1_000.0;
const GROWTH: f64 = 2.0;
const LONGEST_WAIT_MS: f64 = 60_000.0;

/// When to look again while all tokens are in use.
const IN_USE_MS: i64 = 250;

#[derive(Debug, Serialize, Deserialize)]
pub struct Bucket {
    limit: u32,
    /// In calls that go on.
    in_use: u32,
    /// When how many come back, in that order.
    back: VecDeque<(i64, u32)>,
    /// In `back`.
    resting: u32,
    /// When the last token is due that was taken, if all are taken evenly. Milliseconds.
    even: f64,
    closed_until: i64,
    refusals: i32,
    refused_at: i64,
    /// Of the limit, when it was last refused.
    part: f64,
}

impl Bucket {
    pub fn new(limit: u32) -> Self {
        Bucket {
            limit: limit.max(1),
            in_use: 0,
            back: VecDeque::new(),
            resting: 0,
            even: 0.0,
            closed_until: i64::MIN,
            refusals: 0,
            refused_at: i64::MIN,
            part: 1.0,
        }
    }

    /// The limit is another from now on.
    pub fn resize(&mut self, limit: u32) {
        self.limit = limit.max(1);
    }

    /// Until when nothing is asked.
    pub fn closed_until(&self) -> i64 {
        self.closed_until
    }

    /// Takes so many, or says when there may be room for them.
    pub fn take(&mut self, count: u32, live: bool, now: i64) -> Result<(), i64> {
        let opens = self.opens_at(count, live, now);
        if opens > now {
            return Err(opens);
        }
        self.in_use += count;
        self.even = self.even.max(now as f64) + f64::from(count) * self.pace(now);
        Ok(())
    }

    /// How many there are now, of up to `most`.
    pub fn room(&mut self, most: u32, live: bool, now: i64) -> u32 {
        let (mut least, mut beyond) = (0, most + 1);
        while beyond - least > 1 {
            let middle = least + (beyond - least) / 2;
            if self.opens_at(middle, live, now) <= now { least = middle } else { beyond = middle }
        }
        least
    }

    /// When so many can be taken, in so far as it is known now; never later than is certain.
    pub fn opens_at(&mut self, count: u32, live: bool, now: i64) -> i64 {
        self.return_due(now);
        let part = self.part(now);
        let limit = ((f64::from(self.limit) * part) as u32).max(1);
        let count = count.clamp(1, limit);
        let mut at = now.max(self.closed_until);
        if !live || part < 1.0 {
            let ahead = if part < 1.0 { 0.0 } else { AT_ONCE * f64::from(limit) * self.pace(now) };
            // The last of them may be as early as this.
            let first = self.even - ahead + f64::from(count - 1) * self.pace(now);
            at = at.max(first.ceil() as i64);
        }
        let mut used = self.in_use + self.resting;
        if used + count > limit {
            let mut returns = now + IN_USE_MS;
            for (back_at, tokens) in &self.back {
                used -= tokens;
                returns = *back_at;
                if used + count <= limit {
                    break;
                }
            }
            if used + count > limit {
                returns = returns.max(now + IN_USE_MS);
            }
            at = at.max(returns);
        }
        at
    }

    /// A call has ended that so many were taken for.
    pub fn used(&mut self, count: u32, now: i64) {
        if count == 0 {
            return;
        }
        self.in_use = self.in_use.saturating_sub(count);
        self.resting += count;
        let at = now + MINUTE_MS;
        match self.back.back_mut() {
            Some((last, tokens)) if *last + GRAIN_MS > at && *last >= at => *tokens += count,
            _ => self.back.push_back((at + GRAIN_MS, count)),
        }
    }

    /// So many were taken and not needed.
    pub fn unused(&mut self, count: u32, now: i64) {
        self.in_use = self.in_use.saturating_sub(count);
        self.even -= f64::from(count) * self.pace(now);
    }

    /// The service said that it is too much. Says until when nothing is asked.
    pub fn refused(&mut self, wait: Option<Duration>, now: i64) -> i64 {
        let asked = wait.map(|wait| i64::try_from(wait.as_millis()).unwrap_or(MINUTE_MS));
        // What was asked before the last refusal was known says nothing new, but for a longer wait.
        if now < self.closed_until {
            self.closed_until = self.closed_until.max(now + asked.unwrap_or(0));
            return self.closed_until;
        }
        self.part = (self.part(now) * AFTER_REFUSAL).max(LEAST);
        let long_ago = self.refused_at < now - 2 * MINUTE_MS;
        self.refusals = if long_ago { 1 } else { self.refusals + 1 };
        self.refused_at = now;
        let own = (FIRST_WAIT_MS * GROWTH.powi(self.refusals - 1)).min(LONGEST_WAIT_MS) as i64;
        self.closed_until = now + asked.unwrap_or(own);
        self.even = self.closed_until as f64;
        self.closed_until
    }

    /// Whether it is as it was at first.
    pub fn is_idle(&mut self, now: i64) -> bool {
        self.return_due(now);
        self.in_use == 0 && self.resting == 0 && self.part(now) >= 1.0 && self.closed_until <= now
    }

    fn return_due(&mut self, now: i64) {
        while let Some((_, tokens)) = self.back.front().filter(|(at, _)| *at <= now) {
            self.resting -= tokens;
            self.back.pop_front();
        }
    }

    /// Of the limit, what is used now.
    fn part(&self, now: i64) -> f64 {
        let minutes = now.saturating_sub(self.refused_at) as f64 / MINUTE_MS as f64;
        (self.part + BACK_PER_MINUTE * minutes).min(1.0)
    }

    /// Between two tokens that are taken evenly. Milliseconds.
    fn pace(&self, now: i64) -> f64 {
        MINUTE_MS as f64 / (f64::from(self.limit) * EVENLY * self.part(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of so many is taken by whoever takes each as soon as it can be, with calls of this length.
    fn times(bucket: &mut Bucket, count: usize, (live, call_ms): (bool, i64)) -> Vec<i64> {
        let (mut now, mut times, mut calls) = (1_000_000_i64, Vec::new(), VecDeque::new());
        while times.len() < count {
            while let Some(end) = calls.front().copied().filter(|end| *end <= now) {
                bucket.used(1, end);
                calls.pop_front();
            }
            match bucket.take(1, live, now) {
                Ok(()) => {
                    times.push(now);
                    calls.push_back(now + call_ms);
                }
                Err(until) => now = until.min(calls.front().copied().unwrap_or(until)).max(now + 1),
            }
        }
        times
    }

    fn most_in_a_minute(times: &[i64]) -> usize {
        let within =
            |from: usize| times[from..].iter().take_while(|at| **at < times[from] + MINUTE_MS).count();
        (0..times.len()).map(within).max().unwrap_or(0)
    }

    #[test]
    fn within_any_minute_no_more_are_used_than_the_limit_and_nearly_as_many() {
        for (live, call_ms) in [(true, 0), (true, 700), (false, 0), (false, 700)] {
            let times = times(&mut Bucket::new(1_000), 10_000, (live, call_ms));
            assert!(most_in_a_minute(&times) <= 1_000, "live: {live}, calls of {call_ms} ms");
            let took = times[9_999] - times[0];
            assert!(
                took <= 630_000,
                "ten minutes and five hundredths: {took} ms, live: {live}, {call_ms} ms"
            );
        }
    }

    #[test]
    fn a_backfill_leaves_room_for_what_comes_now() {
        let mut bucket = Bucket::new(1_000);
        let start = times(&mut bucket, 500, (false, 10));
        let now = start[499];
        assert!(now - start[0] > 20_000, "evenly after a tenth");
        assert_eq!(bucket.take(1, true, now), Ok(()));
        assert!(bucket.room(1_000, true, now) > 300 && bucket.room(1_000, false, now) < 5);
    }

    #[test]
    fn what_was_not_needed_is_there_again_at_once() {
        let mut bucket = Bucket::new(2);
        assert_eq!((bucket.take(2, true, 1_000), bucket.room(2, true, 1_000)), (Ok(()), 0));
        bucket.unused(2, 1_000);
        assert_eq!(bucket.room(2, true, 1_000), 2);
        assert_eq!(bucket.take(1, false, 1_000), Ok(()), "and the turn of what goes evenly is not lost");
    }

    #[test]
    fn after_a_refusal_nothing_is_asked_and_then_little_and_evenly() {
        let mut bucket = Bucket::new(600);
        let now = 1_000_000;
        assert_eq!(bucket.refused(Some(Duration::from_secs(30)), now), now + 30_000);
        assert_eq!(bucket.refused(None, now + 5), now + 30_000, "what was under way says nothing new");
        assert_eq!(bucket.take(1, true, now + 29_999), Err(now + 30_000));
        let at_opening = bucket.room(600, true, now + 30_000);
        assert!(at_opening <= 1, "not all that waited at once: {at_opening}");
        let in_ten_seconds = (0..10_000).filter(|ms| bucket.take(1, true, now + 30_000 + ms).is_ok()).count();
        assert!((50..90).contains(&in_ten_seconds), "seven tenths of a hundred: {in_ten_seconds}");
        assert!(bucket.part(now + 5 * MINUTE_MS) >= 1.0, "and in minutes all of it again");
        let closed = bucket.refused(None, now + 60_000) - (now + 60_000);
        assert_eq!(closed, 2_000, "the wait grows where the service does not say");
    }
}
