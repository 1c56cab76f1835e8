//! How much came in, as bars that are drawn on the server.

use crate::database::{Connection, Error};
use crate::event::store::received_between;
use crate::operate::words::{count, stamp};

pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;

/// Counted in one bar at most: more than a person tells apart, and as long as a page may take.
const MOST: u32 = 50_000;

/// How many events came in hours that are over, by the hour: they change no more.
#[derive(Debug, Default)]
pub struct Hours(Vec<(i64, i64)>);

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub x: i64,
    pub y: i64,
    pub height: i64,
    pub title: String,
}

#[derive(Debug, Clone, Default)]
pub struct Chart {
    pub label: String,
    pub bars: Vec<Bar>,
    pub width: i64,
}

/// How high a chart is, in its own units.
pub const HEIGHT: i64 = 48;

/// How far bars are apart, of which they leave one free.
const STEP: i64 = 8;

impl Chart {
    /// Of numbers from `begin` on, each of a time of `step`.
    pub fn of(what: &str, numbers: &[i64], (begin, step): (i64, i64)) -> Chart {
        let most = numbers.iter().copied().max().unwrap_or(0).max(1);
        let bars = numbers.iter().enumerate().map(|(place, number)| {
            let place = i64::try_from(place).unwrap_or(0);
            // What is more than nothing is seen.
            let height = if *number == 0 { 0 } else { (number * HEIGHT / most).max(2) };
            let title =
                format!("{} from {}", count(number.unsigned_abs(), "event"), stamp(begin + place * step));
            Bar { x: place * STEP, y: HEIGHT - height, height, title }
        });
        let all: i64 = numbers.iter().sum();
        Chart {
            label: format!("{what}: {}", count(all.unsigned_abs(), "event")),
            bars: bars.collect(),
            width: i64::try_from(numbers.len()).unwrap_or(0) * STEP,
        }
    }
}

/// How many came in each minute of the last hour, and when that began.
pub fn last_hour(connection: &mut Connection, now: i64) -> Result<(Vec<i64>, i64), Error> {
    let begin = (now / MINUTE - 59) * MINUTE;
    let mut minutes = vec![0; 60];
    for (minute, events) in crate::event::store::by_step(connection, (begin, MINUTE), MOST)? {
        if let Some(counted) = usize::try_from(minute).ok().and_then(|minute| minutes.get_mut(minute)) {
            *counted += events;
        }
    }
    Ok((minutes, begin))
}

/// What came in a day.
#[derive(Debug)]
pub struct Day {
    begin: i64,
    /// Of each hour.
    hours: Vec<i64>,
    /// Those of them that are over, by their begin.
    over: Vec<(i64, i64)>,
}

/// How many came in each of the last 24 hours. `known` are hours that were counted when they were over.
pub fn last_day(connection: &mut Connection, known: &[(i64, i64)], now: i64) -> Result<Day, Error> {
    let begin = (now / HOUR - 23) * HOUR;
    let (mut hours, mut over) = (Vec::new(), Vec::new());
    for hour in (0..24).map(|place| begin + place * HOUR) {
        let events = match known.iter().find(|(known, _)| *known == hour) {
            Some((_, events)) => *events,
            None => received_between(connection, (hour, hour + HOUR), MOST)?,
        };
        hours.push(events);
        // A delivery is written down within seconds; after a minute the hour is told.
        if hour + HOUR + MINUTE < now {
            over.push((hour, events));
        }
    }
    Ok(Day { begin, hours, over })
}

impl super::Dashboard {
    /// Both charts.
    pub async fn charts(&self) -> Result<[Chart; 2], crate::listen::problem::Problem> {
        let now = self.now();
        let known = crate::contain::lock(&self.0.hours).0.clone();
        let read = move |connection: &mut Connection| {
            Ok((last_hour(connection, now)?, last_day(connection, &known, now)?))
        };
        let ((minutes, hour), day) = self.read(read).await?;
        crate::contain::lock(&self.0.hours).0 = day.over;
        Ok([
            Chart::of("The last hour, by minute", &minutes, (hour, MINUTE)),
            Chart::of("The last 24 hours, by hour", &day.hours, (day.begin, HOUR)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_high_as_its_number_and_seen_when_it_is_not_nothing() {
        let chart = Chart::of("Events", &[0, 1, 1000], (0, MINUTE));
        let heights: Vec<i64> = chart.bars.iter().map(|bar| bar.height).collect();
        assert_eq!(heights, [0, 2, HEIGHT]);
        assert_eq!(chart.label, "Events: 1001 events");
        assert_eq!(chart.bars[1].title, "1 event from 1970-01-01 00:01:00 UTC");
        assert!(Chart::of("Events", &[0, 0], (0, MINUTE)).bars.iter().all(|bar| bar.height == 0));
    }
}
