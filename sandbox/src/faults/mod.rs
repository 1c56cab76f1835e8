//! Faults: how a stand-in is told to misbehave, and when it does.
//!
//! Decisions are repeatable: a fault decides from its own seed and from how many requests it has matched so far, never
//! from the time or from another fault. The same faults and the same sequence of requests give the same run.

mod kind;
mod pattern;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

pub use kind::{FaultKind, StandIn};

/// More than any test sets at once; a client that forgets to remove its faults meets a clear message, not a slow server.
const MAX_FAULTS: usize = 1_000;

/// A fault as it is asked for.
#[derive(Debug, Clone, Deserialize)]
pub struct NewFault {
    pub kind: FaultKind,
    /// Only requests with this method.
    pub method: Option<String>,
    /// Only requests whose path matches: a glob (`*` within a segment, `**` across), else a prefix.
    pub path: Option<String>,
    /// Only requests whose body holds this text. For faults that strike before a request takes effect.
    pub containing: Option<String>,
    /// How likely each matching request is hit; 1 when absent.
    pub probability: Option<f64>,
    /// Gone after this many hits; without it the fault stays.
    pub count: Option<u64>,
    /// Spares this many matching requests first.
    pub skip: Option<u64>,
    pub seed: Option<u64>,
    #[serde(flatten)]
    pub details: Details,
}

/// What some kinds are told besides; [`FaultKind::takes`] says which.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub param: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub find: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub put: Option<String>,
    /// When there is room again, as OpenAI writes it: `6m0s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset: Option<String>,
}

impl NewFault {
    /// A fault of this kind on every request; set what should differ.
    pub fn of(kind: FaultKind) -> NewFault {
        let details = Details::default();
        NewFault {
            kind,
            method: None,
            path: None,
            containing: None,
            probability: None,
            count: None,
            skip: None,
            seed: None,
            details,
        }
    }
}

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
pub(super) struct Asked<'a> {
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
}

/// Why a fault is not accepted, in words for the person who asked for it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// The faults of one stand-in.
#[derive(Debug)]
pub struct Faults {
    which: StandIn,
    seed: u64,
    set: Mutex<Set>,
    /// How many requests each fault held, as they are or with their replies. Faults that are gone stay in it.
    held: watch::Sender<BTreeMap<String, u64>>,
}

#[derive(Debug, Default)]
struct Set {
    faults: Vec<Fault>,
    /// How many were ever added; makes ids and default seeds.
    added: u64,
}

impl Faults {
    pub fn new(which: StandIn, seed: u64) -> Faults {
        Faults { which, seed, set: Mutex::default(), held: watch::Sender::default() }
    }

    /// Adds one fault (an object) or several (an array); all or none.
    pub fn add_json(&self, body: Value) -> Result<Vec<Fault>, Refused> {
        let asked = match body {
            Value::Array(items) => items,
            one => vec![one],
        };
        let mut faults = Vec::with_capacity(asked.len());
        for (number, value) in asked.into_iter().enumerate() {
            let fault = parse(value).and_then(|fault| self.check(&fault).map(|()| fault));
            faults.push(fault.map_err(|error| Refused(format!("fault {number}: {error}")))?);
        }
        let room = MAX_FAULTS.saturating_sub(self.list().len());
        if faults.len() > room {
            return Err(Refused(format!("no more than {MAX_FAULTS} faults may be set at once")));
        }
        Ok(faults.into_iter().map(|fault| self.set(fault)).collect())
    }

    /// Adds one fault from within the process.
    pub fn add(&self, fault: NewFault) -> Fault {
        self.check(&fault).expect("a fault written in a test or the demo is a valid one");
        self.set(fault)
    }

    fn check(&self, fault: &NewFault) -> Result<(), Refused> {
        let name = fault.kind.name();
        if !fault.kind.known_to(self.which) {
            return Err(Refused(format!("{name} means nothing to this stand-in ({:?})", self.which)));
        }
        if fault.probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
            return Err(Refused("probability must be between 0 and 1".to_owned()));
        }
        if fault.count == Some(0) {
            return Err(Refused("count must be at least 1".to_owned()));
        }
        let (least, most) = if fault.kind == FaultKind::Refusal { (400, 499) } else { (500, 599) };
        if fault.details.status.is_some_and(|status| !(least..=most).contains(&status)) {
            return Err(Refused(format!("status must be between {least} and {most}")));
        }
        if fault.containing.is_some() && !fault.kind.is_general() && fault.kind != FaultKind::BadRun {
            return Err(Refused(format!("{name} cannot look into a body: it does not take `containing`")));
        }
        if fault.kind == FaultKind::ChangedReply
            && fault.details.find.as_deref().unwrap_or_default().is_empty()
        {
            return Err(Refused("find must be a text that is not empty".to_owned()));
        }
        let codes = ["server_error", "unsupported_file", "invalid_file"];
        if fault.kind == FaultKind::IndexFailure
            && fault.details.code.as_deref().is_some_and(|code| !codes.contains(&code))
        {
            return Err(Refused(format!("code must be one of {}", codes.join(", "))));
        }
        Ok(())
    }

    fn set(&self, new: NewFault) -> Fault {
        let mut set = self.lock();
        set.added += 1;
        let fault = Fault {
            id: format!("fault_{}", set.added),
            kind: new.kind,
            method: new.method.map(|method| method.to_ascii_uppercase()),
            path: new.path,
            containing: new.containing,
            probability: new.probability.unwrap_or(1.0),
            count: new.count,
            skip: new.skip.unwrap_or(0),
            seed: new.seed.unwrap_or(self.seed ^ set.added),
            details: new.details,
            matched: 0,
            hits: 0,
        };
        set.faults.push(fault.clone());
        fault
    }

    pub fn list(&self) -> Vec<Fault> {
        self.lock().faults.clone()
    }

    /// Removes all of them and says how many there were.
    pub fn clear(&self) -> usize {
        std::mem::take(&mut self.lock().faults).len()
    }

    /// Removes one; false when there is none of that id.
    pub fn remove(&self, id: &str) -> bool {
        let mut set = self.lock();
        let before = set.faults.len();
        set.faults.retain(|fault| fault.id != id);
        set.faults.len() < before
    }

    /// Notes that a request has come to where `hit` holds it.
    pub(super) fn hold(&self, hit: &FaultHit) {
        self.held.send_modify(|held| *held.entry(hit.id.clone()).or_default() += 1);
    }

    /// Resolves when the fault `id` holds a request, or has: a test that kills a client there waits for this.
    pub async fn held_by(&self, id: &str) {
        self.until(|held| held.contains_key(id)).await;
    }

    /// Resolves when more than `before` requests have been held, by whichever fault.
    pub async fn held_more_than(&self, before: u64) {
        self.until(|held| held.values().sum::<u64>() > before).await;
    }

    async fn until(&self, enough: impl Fn(&BTreeMap<String, u64>) -> bool) {
        let mut held = self.held.subscribe();
        let found = held.wait_for(|held| enough(held)).await;
        drop(found.expect("the sender is in self, which is borrowed"));
    }

    /// How many requests have been held so far.
    pub fn held(&self) -> u64 {
        self.held.borrow().values().sum()
    }

    /// Asks the faults of `kind`, in the order they were set, whether one strikes here. The first that does, does.
    pub fn hit(&self, kind: FaultKind, method: &str, path: &str) -> Option<FaultHit> {
        self.strike(&Asked { method, path, body: None }, |candidate| candidate == kind)
    }

    /// The same where it may depend on what the request is about: `containing` is looked for in `about`.
    pub fn hit_about(&self, kind: FaultKind, (method, path): (&str, &str), about: &str) -> Option<FaultHit> {
        self.strike(&Asked { method, path, body: Some(about.as_bytes()) }, |candidate| candidate == kind)
    }

    /// Whether a fault that may strike this request looks into its body.
    pub(super) fn want_body(&self, method: &str, path: &str) -> bool {
        let asked = Asked { method, path, body: None };
        let looks = |fault: &Fault| fault.containing.is_some() && fault.kind.is_general();
        self.lock().faults.iter().any(|fault| looks(fault) && fault.is_meant(&asked))
    }

    /// The general faults that strike this request: all that leave room for others up to the first that does not, and that
    /// one.
    pub(super) fn general_hits(&self, asked: &Asked<'_>) -> Vec<FaultHit> {
        let mut hits = Vec::new();
        let mut set = self.lock();
        for fault in &mut set.faults {
            if fault.kind.is_general() && fault.strikes(asked) {
                hits.push(fault.hit());
                if !fault.kind.leaves_room() {
                    break;
                }
            }
        }
        set.faults.retain(|fault| fault.count != Some(0));
        hits
    }

    fn strike(&self, asked: &Asked<'_>, wanted: impl Fn(FaultKind) -> bool) -> Option<FaultHit> {
        let mut set = self.lock();
        let hit = set
            .faults
            .iter_mut()
            .find_map(|fault| (wanted(fault.kind) && fault.strikes(asked)).then(|| fault.hit()));
        set.faults.retain(|fault| fault.count != Some(0));
        hit
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Set> {
        self.set.lock().expect("nothing panics while it holds the faults")
    }
}

impl Fault {
    /// Whether it is for such requests, whatever they hold.
    fn is_meant(&self, asked: &Asked<'_>) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted == asked.method)
            && self.path.as_deref().is_none_or(|wanted| pattern::matches(wanted, asked.path))
    }

    /// Counts a matching request and decides about it.
    fn strikes(&mut self, asked: &Asked<'_>) -> bool {
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

    fn hit(&mut self) -> FaultHit {
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

/// Reads one fault and refuses fields that its kind would ignore.
fn parse(value: Value) -> Result<NewFault, Refused> {
    const EVERY: [&str; 8] = ["kind", "method", "path", "containing", "probability", "count", "skip", "seed"];
    let Value::Object(fields) = &value else {
        return Err(Refused("a fault is a JSON object with a `kind`".to_owned()));
    };
    let kind = fields.get("kind").ok_or_else(|| Refused("`kind` is missing".to_owned()))?;
    let kind: FaultKind = FaultKind::deserialize(kind).map_err(|error| Refused(format!("kind: {error}")))?;
    for name in fields.keys() {
        if !EVERY.contains(&name.as_str()) && !kind.takes().contains(&name.as_str()) {
            let known: Vec<&str> = EVERY.iter().chain(kind.takes()).copied().collect();
            return Err(Refused(format!(
                "{} does not take `{name}`; it takes {}",
                kind.name(),
                known.join(", ")
            )));
        }
    }
    NewFault::deserialize(&value).map_err(|error| Refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Asked, FaultKind, Faults, StandIn};

    fn openai() -> Faults {
        Faults::new(StandIn::OpenAi, 1)
    }

    fn get(path: &str) -> Asked<'_> {
        Asked { method: "GET", path, body: None }
    }

    #[test]
    fn a_fault_can_be_for_requests_that_hold_a_text() {
        let faults = openai();
        faults
            .add_json(json!({"kind": "refusal", "status": 403, "containing": "poison", "count": 1}))
            .unwrap();
        let struck =
            |body: &[u8]| !faults.general_hits(&Asked { body: Some(body), ..get("/v1/files") }).is_empty();
        assert!(faults.want_body("POST", "/v1/files"));
        assert!(!struck(b"sound") && !struck(b"") && struck(b"some poison here") && !struck(b"poison"));
        assert!(!faults.want_body("POST", "/v1/files"));
    }

    #[test]
    fn unknown_kinds_and_fields_are_refused_in_words() {
        let faults = openai();
        let refused = |body| faults.add_json(body).unwrap_err().to_string();
        assert!(refused(json!({"kind": "earthquake"})).contains("unknown variant `earthquake`"));
        assert!(refused(json!({"kind": "latency", "retry_after_seconds": 1})).contains("does not take"));
        assert!(refused(json!({"kind": "latency", "probabilty": 1})).contains("does not take `probabilty`"));
        assert!(refused(json!({"kind": "webhook_reordered"})).contains("means nothing to this stand-in"));
        assert!(
            refused(json!([{"kind": "latency"}, {"kind": "rate_limit", "probability": 2}]))
                .starts_with("fault 1")
        );
        assert!(faults.list().is_empty(), "all or none");
    }

    #[test]
    fn a_counted_fault_is_gone_after_its_hits() {
        let faults = openai();
        faults
            .add_json(json!({"kind": "index_failure", "method": "post", "path": "/v1/*", "count": 2}))
            .unwrap();
        let hit = |method, path| faults.hit(FaultKind::IndexFailure, method, path).is_some();
        assert!(!hit("GET", "/v1/x") && !hit("POST", "/v2/x"));
        assert!(hit("POST", "/v1/x") && hit("POST", "/v1/x") && !hit("POST", "/v1/x"));
        assert!(faults.list().is_empty());
    }

    #[test]
    fn the_same_seed_and_sequence_give_the_same_decisions() {
        let decisions = |seed: u64| {
            let faults = openai();
            faults.add_json(json!({"kind": "rate_limit", "probability": 0.3, "seed": seed})).unwrap();
            (0..200).map(|_| !faults.general_hits(&get("/v1/files")).is_empty()).collect::<Vec<bool>>()
        };
        assert_eq!(decisions(5), decisions(5));
        assert_ne!(decisions(5), decisions(6));
        let hits = decisions(5).into_iter().filter(|hit| *hit).count();
        assert!((30..90).contains(&hits), "{hits} of 200 at 0.3");
    }

    #[test]
    fn latency_adds_to_what_follows_and_the_first_other_fault_ends_it() {
        let faults = openai();
        faults
            .add_json(json!([
                {"kind": "latency"}, {"kind": "lost_reply", "skip": 1}, {"kind": "rate_limit", "count": 1}
            ]))
            .unwrap();
        let kinds =
            || faults.general_hits(&get("/")).into_iter().map(|hit| hit.kind).collect::<Vec<FaultKind>>();
        assert_eq!(kinds(), [FaultKind::Latency, FaultKind::RateLimit]);
        assert_eq!(kinds(), [FaultKind::Latency, FaultKind::LostReply]);
    }
}
