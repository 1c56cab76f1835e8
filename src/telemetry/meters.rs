//! Counters and histograms. Each costs a hash and two atomic operations, beside work that takes a call over the network or a commit.

use std::borrow::Cow;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// A series: names of ours, and words of ours.
pub type Labels<const N: usize> = [(&'static str, Cow<'static, str>); N];

/// From half a millisecond, in which a webhook is acknowledged, to the ten minutes of a large upload. Factors of about 2.5.
const BOUNDS: [f64; 16] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0];

/// A histogram of times. All have the same bounds, so that they can be laid on top of each other.
pub fn seconds() -> Histogram {
    Histogram::new(BOUNDS)
}

type Times<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// The meters of one server. Clones share them.
#[derive(Debug, Clone)]
pub struct Meters {
    /// Calls to another service, by service and what they are for.
    pub(super) calls: Times<2>,
    /// How they were answered.
    pub(super) answers: Family<Labels<3>, Counter>,
    /// Bytes of files, by where from or where to.
    pub(super) bytes: Family<Labels<2>, Counter>,
    attempts: Family<Labels<2>, Counter>,
    work: Times<1>,
    avoided: Family<Labels<1>, Counter>,
    /// Files that were uploaded.
    pub uploads: Counter,
}

impl Default for Meters {
    fn default() -> Self {
        Meters {
            calls: Family::new_with_constructor(seconds),
            answers: Family::default(),
            bytes: Family::default(),
            attempts: Family::default(),
            work: Family::new_with_constructor(seconds),
            avoided: Family::default(),
            uploads: Counter::default(),
        }
    }
}

impl Meters {
    /// An attempt at a job of this kind ended so.
    pub fn attempt(&self, kind: &str, outcome: &'static str, took: Duration) {
        let kind: Cow<'static, str> = Cow::Owned(kind.to_owned());
        self.work.get_or_create(&[("kind", kind.clone())]).observe(took.as_secs_f64());
        self.attempts.get_or_create(&[("kind", kind), ("outcome", Cow::Borrowed(outcome))]).inc();
    }

    /// A vector store was brought in line with a file without sending its content.
    pub fn upload_avoided(&self, why: &'static str) {
        self.avoided.get_or_create(&[("why", Cow::Borrowed(why))]).inc();
    }

    /// Adds all of them to what a scraper gets.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "docket_remote_call_seconds",
            "How long calls to Fastio and OpenAI took, by what they are for",
            self.calls.clone(),
        );
        registry.register(
            "docket_remote_calls",
            "How calls to Fastio and OpenAI were answered: a status, or none; left: not waited for",
            self.answers.clone(),
        );
        registry.register(
            "docket_transferred_bytes",
            "Bytes of files that came from Fastio or went out",
            self.bytes.clone(),
        );
        registry.register(
            "docket_job_attempts",
            "Attempts at jobs, by how they ended",
            self.attempts.clone(),
        );
        registry.register("docket_job_seconds", "How long attempts at jobs took", self.work.clone());
        registry.register("docket_uploads", "Files that were uploaded to OpenAI", self.uploads.clone());
        registry.register(
            "docket_uploads_avoided",
            "Changes that were brought in line without an upload",
            self.avoided.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_in_the_text() {
        let meters = Meters::default();
        meters.attempt("file", "done", Duration::from_millis(3));
        meters.upload_avoided("relabelled");
        let (mut registry, mut text) = (Registry::default(), String::new());
        meters.register(&mut registry);
        prometheus_client::encoding::prometheus_text::encode(&mut text, &registry).unwrap();
        for line in [
            "docket_job_attempts_total{kind=\"file\",outcome=\"done\"} 1",
            "docket_job_seconds_bucket{kind=\"file\",le=\"0.005\"} 1",
            "docket_uploads_avoided_total{why=\"relabelled\"} 1",
            "docket_uploads_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
