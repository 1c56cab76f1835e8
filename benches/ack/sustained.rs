//! A load without a break, and what can be held for ever: what is acknowledged less what the inbox grows by. Then four fifths
//! of that in an open loop.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;

use super::burst::On;
use super::{Ack, END, Measured, UNCOVERED};
use crate::database;
use crate::load::{Load, Pace};
use crate::server::Place;

const PART_OF_CEILING: f64 = 0.40;
const PART_OF_HELD: f64 = 0.80;
const P99_MS: f64 = 25.0;

/// Between looks at the inbox.
const LOOK: Duration = Duration::from_millis(500);

/// How much an inbox that does not grow may have more at the end than before, as a part of what came in meanwhile: what lies
/// between two transactions of the drain.
const LEVEL: f64 = 0.01;

impl Ack {
    pub(super) fn sustained(&mut self) -> anyhow::Result<()> {
        let ceiling = self.ceiling()?;
        let (rate, growth) = self.without_break("without a break", Pace::Closed, self.options.sustained)?;
        let held = rate - growth;
        let part = held / ceiling;
        let measured = format!(
            "{:.1} %: {rate:.0} a second at the end, of which the inbox kept {growth:.0}",
            100.0 * part
        );
        self.judge("without a break", "at least 40 % of the bare server", measured, part >= PART_OF_CEILING);

        let pace = PART_OF_HELD * held;
        let (_, growth) =
            self.without_break("80 % of that, open loop", Pace::Open(pace), self.options.seconds * 2)?;
        let measured = format!("{growth:.0} a second of {pace:.0}");
        self.judge("80 %: the inbox", "does not grow", measured, growth <= LEVEL * pace);
        Ok(())
    }

    /// Puts on a load without a break, and answers the rate at its end and by how much the inbox grew a second.
    fn without_break(&mut self, what: &str, pace: Pace, seconds: u64) -> anyhow::Result<(f64, f64)> {
        let place = Place::new(&self.base, &self.stands)?;
        let server = place.serve()?;
        let (name, deliveries) = self.sign(UNCOVERED, seconds);
        let load = Load { duration: Duration::from_secs(seconds), pace, ..self.closed(place.address) };
        let level = Levels::watch(place.path().to_owned());
        let on = On { what, name: &name, place: &place, load: &load };
        let measured = self.load_and_kill(&on, deliveries, server)?;
        let levels = level.end()?;
        let measured = Measured { bare: self.bare.last().copied(), ..measured };
        self.show(&measured);
        if matches!(pace, Pace::Open(_)) {
            let latency = format!("{:.1} ms", measured.p99);
            self.judge("80 %: p99 latency", "below 25 ms", latency, measured.p99 < P99_MS);
        }
        let growth = levels.growth(load.duration.mul_f64(1.0 - END));
        self.report.row(
            &format!("  inbox every second: {}", levels.line()),
            json!({"what": format!("{what}: inbox"), "levels": levels.0.iter().map(|(_, rows)| rows).collect::<Vec<_>>()}),
        );
        Ok((measured.rate_at_end, growth))
    }
}

/// Looks at the inbox while a load is on.
struct Watching {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Levels>>,
}

/// Rows of the inbox, with when that was.
struct Levels(Vec<(Duration, i64)>);

impl Levels {
    fn watch(folder: PathBuf) -> Watching {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let inbox = database::having(&folder, "inbox")?;
            let (began, mut levels) = (Instant::now(), Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                levels.push((began.elapsed(), database::waiting(&inbox)?));
                std::thread::sleep(LOOK);
            }
            Ok(Levels(levels))
        });
        Watching { stop, thread }
    }

    /// Rows a second by which it grew after `from`: the slope of the straight line that fits best.
    fn growth(&self, from: Duration) -> f64 {
        let end: Vec<(f64, f64)> = self
            .0
            .iter()
            .filter(|(at, _)| *at >= from)
            .map(|(at, rows)| (at.as_secs_f64(), *rows as f64))
            .collect();
        let count = end.len() as f64;
        let (x, y) = end.iter().fold((0.0, 0.0), |(x, y), (at, rows)| (x + at / count, y + rows / count));
        let (up, across) = end.iter().fold((0.0, 0.0), |(up, across), (at, rows)| {
            (up + (at - x) * (rows - y), across + (at - x) * (at - x))
        });
        if across > 0.0 { up / across } else { 0.0 }
    }

    fn line(&self) -> String {
        let each: Vec<String> = self.0.iter().step_by(2).map(|(_, rows)| rows.to_string()).collect();
        each.join(" ")
    }
}

impl Watching {
    fn end(self) -> anyhow::Result<Levels> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it does not panic")
    }
}
