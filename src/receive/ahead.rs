//! Which rows of the inbox were recorded before their turn. They stay in it until the drain has come to them, so that what is in the
//! inbox is one row of numbers without a gap, and only have to be removed then. A crash forgets this, and has them told again.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::store::InboxRow;

/// How often it is looked for what has just come, while it comes without a break. Much of it is then too much to go first.
const PAUSE: Duration = Duration::from_millis(4);

/// Ranges that are remembered. While so many wait to be removed, what comes waits for its turn.
const RANGES: usize = 4_096;

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

    /// The drain takes the rows up to `last` now, of which there are some up to `newest`.
    pub fn go_on(&mut self, last: i64, newest: i64) {
        self.ranges.retain(|range| *range.end() > last);
        let after = self.after.filter(|after| *after > last).unwrap_or(newest);
        self.after = (newest > last).then_some(after);
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

    /// What of `rows`, the newest first, is to be recorded now: all of them, unless they are too many. They are not looked at again.
    pub fn take(&mut self, rows: &[InboxRow]) -> Option<Vec<RangeInclusive<i64>>> {
        self.after = Some(rows.first()?.inbox_id);
        (rows.len() < Self::AT_ONCE as usize)
            .then(|| super::store::ranges(rows.iter().rev().map(|row| row.inbox_id)))
    }

    /// The rows of `ranges` are recorded: their turn only removes them.
    pub fn recorded(&mut self, ranges: Vec<RangeInclusive<i64>>) {
        self.ranges.extend(ranges);
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
        ahead.go_on(1_000, 5_000);
        assert_eq!((ahead.may_go(), ahead.rest(), ahead.look()), (true, Duration::ZERO, Some(5_000)));
        assert!(ahead.rest() > Duration::ZERO, "it is looked without a break");
        assert_eq!(ahead.take(&[]), None);
        let range = ahead.take(&rows(5_001..=5_003)).unwrap();
        assert!(!ahead.has(5_002), "nothing is left out before it is recorded");
        ahead.recorded(range);
        let gap: Vec<InboxRow> =
            rows(5_004..=5_006).into_iter().filter(|row| row.inbox_id != 5_005).collect();
        assert_eq!(
            ahead.clone().take(&gap).unwrap(),
            [5_004..=5_004, 5_006..=5_006],
            "5,005 may be committed yet"
        );
        let flood = rows(5_004..=5_003 + i64::from(Ahead::AT_ONCE));
        assert_eq!(ahead.take(&flood), None, "a flood waits");
        let range = ahead.take(&rows(5_100..=5_100)).unwrap();
        ahead.recorded(range);
        let known: Vec<i64> = (4_990..5_200).filter(|id| ahead.has(*id)).collect();
        assert_eq!(known, [5_001, 5_002, 5_003, 5_100]);
        // The next portions change nothing of where news begins, until the drain has come to it.
        ahead.go_on(2_000, 5_150);
        assert_eq!(ahead.after, Some(5_100));
        ahead.go_on(5_050, 5_150);
        assert_eq!(ahead.ranges, [5_100..=5_100]);
        ahead.go_on(5_150, 6_000);
        assert_eq!((ahead.after, ahead.ranges.len()), (Some(6_000), 0));
        ahead.go_on(6_000, 6_000);
        assert!(!ahead.may_go());
    }
}
