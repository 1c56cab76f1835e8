//! Which rows of the inbox were recorded before their turn. They stay in it until the drain has come to them, so that what is in the
//! inbox is one row of numbers without a gap, and only have to be removed then. A crash forgets this, and has them told again.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::store::InboxRow;

/// How often it is looked for what has just come, while it comes without a break. Much of it is then too much to go first.
const PAUSE: Duration = Duration::from_millis(4);

/// Ranges that are remembered. While so many wait to be removed, what comes waits for its turn.
const RANGES: usize = 4_096;

/// Where a pass of the drain came to.
#[derive(Debug, Clone, Copy)]
pub struct Front {
    /// The last row that it took.
    pub last: i64,
    /// The last row that there was.
    pub newest: i64,
    /// It took as much as it may.
    pub is_full: bool,
}

/// Rows that are recorded already, in ranges that grow upwards.
#[derive(Debug, Clone, Default)]
pub struct Ahead {
    ranges: Vec<RangeInclusive<i64>>,
    /// What came after this row may go first; nothing may while nothing else waits.
    after: Option<i64>,
    /// Something came since the last look.
    pub is_told: bool,
    looked_at: Option<Instant>,
}

impl Ahead {
    /// Rows that are taken at once. When so many have come since the last look, none of them is.
    pub const AT_ONCE: u32 = 64;

    /// Whether so much waits that what comes now goes first.
    pub fn may_go(&self) -> bool {
        self.after.is_some() && self.ranges.len() < RANGES
    }

    /// How long it is until the next look.
    pub fn rest(&self) -> Duration {
        self.looked_at.map_or(Duration::ZERO, |at| PAUSE.saturating_sub(at.elapsed()))
    }

    /// The drain has come so far: what was recorded before and stood up to there is removed now.
    pub fn go_on(&mut self, front: &Front) {
        self.ranges.retain(|range| *range.end() > front.last);
        let after = self.after.filter(|after| *after > front.last).unwrap_or(front.newest);
        self.after = front.is_full.then_some(after);
    }

    pub fn has(&self, id: i64) -> bool {
        let at = self.ranges.partition_point(|range| *range.end() < id);
        self.ranges.get(at).is_some_and(|range| range.contains(&id))
    }

    /// After which row something new may be, at a look now.
    pub fn look(&mut self) -> Option<i64> {
        (self.is_told, self.looked_at) = (false, Some(Instant::now()));
        self.after
    }

    /// Whether `rows`, the newest first, are few enough to be recorded now. Then they count as recorded.
    pub fn take(&mut self, rows: &[InboxRow]) -> bool {
        let Some((first, last)) = rows.last().zip(rows.first()) else { return false };
        self.after = Some(last.inbox_id);
        let is_little = rows.len() < Self::AT_ONCE as usize;
        if is_little {
            self.ranges.push(first.inbox_id..=last.inbox_id);
        }
        is_little
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with these numbers, the newest first.
    fn rows(ids: std::ops::RangeInclusive<i64>) -> Vec<InboxRow> {
        let row = |inbox_id| InboxRow {
            inbox_id,
            received_at: 0,
            signed_at: None,
            scheme: String::new(),
            secret_index: 0,
            body: Vec::new(),
            request_id: None,
        };
        ids.rev().map(row).collect()
    }

    #[test]
    fn what_came_after_the_drain_began_goes_first_unless_it_is_much() {
        let mut ahead = Ahead::default();
        assert!(!ahead.may_go());
        let front = |last, newest| Front { last, newest, is_full: true };
        ahead.go_on(&front(1_000, 5_000));
        assert_eq!((ahead.may_go(), ahead.rest(), ahead.look()), (true, Duration::ZERO, Some(5_000)));
        assert!(ahead.rest() > Duration::ZERO, "it is looked without a break");
        assert!(!ahead.take(&[]));
        assert!(ahead.take(&rows(5_001..=5_003)));
        assert!(!ahead.take(&rows(5_004..=5_003 + i64::from(Ahead::AT_ONCE))), "a flood waits");
        assert!(ahead.take(&rows(5_100..=5_100)));
        let known: Vec<i64> = (4_990..5_200).filter(|id| ahead.has(*id)).collect();
        assert_eq!(known, [5_001, 5_002, 5_003, 5_100]);
        // The next portions change nothing of where news begins, until the drain has come to it.
        ahead.go_on(&front(2_000, 5_150));
        assert_eq!(ahead.after, Some(5_100));
        ahead.go_on(&front(5_050, 5_150));
        assert_eq!(ahead.ranges, [5_100..=5_100]);
        ahead.go_on(&front(5_150, 6_000));
        assert_eq!((ahead.after, ahead.ranges.len()), (Some(6_000), 0));
        ahead.go_on(&Front { is_full: false, ..front(6_000, 6_000) });
        assert!(!ahead.may_go());
    }
}
