//! Counts what the listeners answer, above all the public one. It lives in memory: a request that is refused must cost no
//! database write.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

use super::signature::Verified;
use crate::contain::lock;
use crate::telemetry::seconds;

/// What is counted. The labels are words of ours, so that no sender can make the table grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// Deliveries answered with 202.
    Accepted,
    /// Those of them whose time is farther from ours than is usual.
    Late,
    /// Those of them that `docket send` posted. They tell nothing of Fastio's secret.
    Tested,
    /// Events that were known already, by the drain.
    Duplicate,
    /// Events that were not.
    New,
    /// The sender's fault: a 4xx, by reason.
    Rejected(&'static str),
    /// Our failure: a 503, by reason.
    Unavailable(&'static str),
    /// Senders that closed the connection, or their side of it, before they were answered. They send again what was taken.
    HungUp,
    /// Requests to the operator listener that panicked.
    OperatorPanic,
    /// What was taken and nothing can come of, by reason.
    Dropped(&'static str),
    /// The scheme, secret and form of key that let a delivery in.
    Matched(Verified),
}

impl Count {
    fn row(self) -> (&'static str, String) {
        match self {
            Count::Accepted => ("accepted", String::new()),
            Count::Late => ("late", String::new()),
            Count::Tested => ("tested", String::new()),
            Count::Duplicate => ("duplicate", String::new()),
            Count::New => ("new", String::new()),
            Count::Rejected(reason) => ("rejected", reason.to_owned()),
            Count::Unavailable(reason) => ("unavailable", reason.to_owned()),
            Count::HungUp => ("hung_up", String::new()),
            Count::OperatorPanic => ("operator", "panic".to_owned()),
            Count::Dropped(reason) => ("dropped", reason.to_owned()),
            Count::Matched(Verified { scheme, secret_index, key_form }) => {
                ("matched", format!("{} secret {secret_index} {}", scheme.as_str(), key_form.as_str()))
            }
        }
    }
}

/// Counts since the last flush.
#[derive(Debug)]
pub struct Counters {
    counts: Mutex<BTreeMap<Count, u64>>,
    /// How long acknowledgements took, of this server and since it started.
    acknowledgements: Histogram,
}

impl Default for Counters {
    fn default() -> Self {
        Counters { counts: Mutex::default(), acknowledgements: seconds() }
    }
}

impl Counters {
    pub fn add(&self, count: Count, by: u64) {
        if by > 0 {
            *lock(&self.counts).entry(count).or_default() += by;
        }
    }

    /// A delivery was acknowledged after so long.
    pub fn acknowledged(&self, after: Duration) {
        self.acknowledgements.observe(after.as_secs_f64());
    }

    pub fn acknowledgements(&self) -> Histogram {
        self.acknowledgements.clone()
    }

    /// Takes what was counted, as rows of `receive_count`.
    pub fn take(&self) -> Taken {
        Taken(std::mem::take(&mut *lock(&self.counts)))
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, taken: Taken) {
        for (count, by) in taken.0 {
            self.add(count, by);
        }
    }
}

/// Counts on their way to the database.
#[derive(Debug, Clone)]
pub struct Taken(BTreeMap<Count, u64>);

impl Taken {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn rows(&self) -> impl Iterator<Item = (&'static str, String, i64)> + '_ {
        self.0.iter().map(|(count, by)| {
            let (name, label) = count.row();
            (name, label, i64::try_from(*by).unwrap_or(i64::MAX))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_could_not_be_written_are_added_to_those_that_came_meanwhile() {
        let counters = Counters::default();
        counters.add(Count::Rejected("not_json"), 2);
        let taken = counters.take();
        counters.add(Count::Rejected("not_json"), 1);
        counters.put_back(taken);
        let rows: Vec<_> = counters.take().rows().collect();
        assert_eq!(rows, [("rejected", "not_json".to_owned(), 3)]);
        assert!(counters.take().is_empty());
    }
}
