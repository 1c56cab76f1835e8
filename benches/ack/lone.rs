//! One delivery at a time, beside one synced commit: what a webhook waits for when nothing else is going on.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Ack, UNCOVERED};
use crate::database::{OneCommit, durable};
use crate::load::{Latencies, Lone};
use crate::server::Place;

const TIMES_A_COMMIT: f64 = 1.5;

/// Deliveries, and as many commits.
const MANY: usize = 500;
const FEW: usize = 50;

/// Between two of them: the drain has done with the last one.
const PAUSE: Duration = Duration::from_millis(10);

impl Ack {
    pub(super) fn lone(&mut self) -> anyhow::Result<()> {
        let count = if self.options.short { FEW } else { MANY };
        let place = Place::new(&self.base, &self.stands)?;
        let mut server = place.serve()?;
        let (_, deliveries) = self.sign(UNCOVERED, 1);
        let database = durable(place.path())?;
        let mut commit = OneCommit::new(&database, deliveries.body_bytes())?;
        let (mut sent, mut committed) = (Vec::new(), Vec::new());
        let mut lone = Lone::open(place.address, deliveries)?;
        for _ in 0..count {
            committed.push(micros(commit.commit()?));
            std::thread::sleep(PAUSE);
            let began = Instant::now();
            let status = lone.send()?;
            sent.push(micros(began.elapsed()));
            anyhow::ensure!(status == 202, "a lone delivery was answered {status}");
            std::thread::sleep(PAUSE);
        }
        server.stop()?;
        let (sent, committed) = (Latencies::new(sent), Latencies::new(committed));
        for (what, found) in [("one synced commit", &committed), ("a lone delivery", &sent)] {
            let (p50, p99) = (found.ms(0.5), found.ms(0.99));
            self.report.row(
                &format!(
                    "{what:<30} {:>8} {:>6} {:>7} {p50:>7.2} {p99:>7.2} {:>8.2}",
                    "",
                    "",
                    "",
                    found.ms(0.999)
                ),
                json!({"what": what, "p50_ms": p50, "p99_ms": p99, "p999_ms": found.ms(0.999)}),
            );
        }
        let times = sent.ms(0.5) / committed.ms(0.5);
        let goal = "below 1.5 times one synced commit";
        self.judge("a lone delivery", goal, format!("{times:.2} times"), times < TIMES_A_COMMIT);
        Ok(())
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
