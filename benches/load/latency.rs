//! Latencies, all of them kept and sorted: no bucket rounds a percentile.

/// In ascending order.
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// From microseconds.
    pub fn new(mut micros: Vec<u32>) -> Latencies {
        micros.sort_unstable();
        Latencies(micros)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Milliseconds within which the share `part` of all lies; 0 when there is none.
    pub fn ms(&self, part: f64) -> f64 {
        let rank = (part * self.0.len() as f64).ceil() as usize;
        let micros = self.0.get(rank.saturating_sub(1)).or(self.0.last());
        f64::from(micros.copied().unwrap_or(0)) / 1000.0
    }
}
