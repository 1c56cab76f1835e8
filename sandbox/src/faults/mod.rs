//! Faults: how a stand-in is told to misbehave, and when it does.
//!
//! Decisions are repeatable: a fault decides from its own seed and from how many requests it has matched so far, never from
//! the time. A request that one fault ends is not shown to those behind it. The same faults and the same sequence of requests
//! give the same run.

mod check;
mod fault;
mod kind;
mod pattern;

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::Value;
use tokio::sync::watch;

pub use check::{Details, NewFault, Refused};
pub(super) use fault::Asked;
pub use fault::{Fault, FaultHit};
pub use kind::{FaultKind, StandIn};

/// More than any test sets at once; a client that forgets to remove its faults meets a clear message, not a slow server.
const MAX_FAULTS: usize = 1_000;

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
            let fault =
                check::parse(value).and_then(|fault| check::check(&fault, self.which).map(|()| fault));
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
        check::check(&fault, self.which).expect("a fault written in a test or the demo is a valid one");
        self.set(fault)
    }

    fn set(&self, new: NewFault) -> Fault {
        let mut set = self.lock();
        set.added += 1;
        let fault = Fault::new(set.added, self.seed, new);
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
