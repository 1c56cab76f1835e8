//! One fault: as it is set, whom it strikes, and with what.

use std::time::Duration;

use serde::Serialize;

use super::check::{Details, NewFault};
use super::kind::FaultKind;
use super::pattern;

/// A fault that is set, as `GET /_sandbox/faults` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    pub id: String,
    pub kind: FaultKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub containing: Option<String>,
    pub probability: f64,
    /// Hits left; null for a fault that stays.
    pub count: Option<u64>,
    pub skip: u64,
    pub seed: u64,
    #[serde(flatten)]
    pub details: Details,
    /// Requests that it was asked about.
    pub matched: u64,
    /// Requests that it spoiled.
    pub hits: u64,
}

/// A request that a fault may strike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// Read only where a fault wants it.
    pub body: Option<&'a [u8]>,
}

/// A fault that strikes: what, and how exactly.
#[derive(Debug, Clone)]
pub struct FaultHit {
    pub id: String,
    pub kind: FaultKind,
    pub details: Details,
    /// How often the fault has struck, this time included.
    pub number: u64,
}

impl FaultHit {
    /// `delay_ms`, or what the caller finds fitting for its kind.
    pub fn delay_or(&self, default: Duration) -> Duration {
        self.details.delay_ms.map_or(default, Duration::from_millis)
    }

    /// The same in milliseconds, as the clock counts.
    pub fn delay_ms_or(&self, default: Duration) -> i64 {
        i64::try_from(self.delay_or(default).as_millis()).unwrap_or(i64::MAX)
    }
}

impl Fault {
    /// A fault that is new under this number.
    pub(super) fn new(number: u64, seed: u64, asked: NewFault) -> Fault {
        Fault {
            id: format!("fault_{number}"),
            kind: asked.kind,
            method: asked.method.map(|method| method.to_ascii_uppercase()),
            path: asked.path,
            containing: asked.containing,
            probability: asked.probability.unwrap_or(1.0),
            count: asked.count,
            skip: asked.skip.unwrap_or(0),
            seed: asked.seed.unwrap_or(seed ^ number),
            details: asked.details,
            matched: 0,
            hits: 0,
        }
    }

    /// Whether it is for such requests, whatever they hold.
    pub(super) fn is_meant(&self, asked: &Asked<'_>) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted == asked.method)
            && self.path.as_deref().is_none_or(|wanted| pattern::matches(wanted, asked.path))
    }

    /// Counts a matching request and decides about it.
    pub(super) fn strikes(&mut self, asked: &Asked<'_>) -> bool {
        let holds = |text: &str| {
            let text = text.as_bytes();
            asked.body.is_some_and(|body| body.windows(text.len().max(1)).any(|part| part == text))
        };
        if !self.is_meant(asked) || !self.containing.as_deref().is_none_or(holds) {
            return false;
        }
        let number = self.matched;
        self.matched += 1;
        number >= self.skip && decide(self.seed, number, self.probability)
    }

    pub(super) fn hit(&mut self) -> FaultHit {
        self.hits += 1;
        self.count = self.count.map(|count| count - 1);
        FaultHit { id: self.id.clone(), kind: self.kind, details: self.details.clone(), number: self.hits }
    }
}

/// The `number`th decision of a fault with this seed.
fn decide(seed: u64, number: u64, probability: f64) -> bool {
    // Multiplying by an odd constant keeps neighbouring numbers from seeding neighbouring generators.
    let mixed = seed ^ number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    fastrand::Rng::with_seed(mixed).f64() < probability
}
