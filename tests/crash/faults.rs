//! Faults that come and go: for a few seconds each, one at a time at OpenAI, in its model, at Fastio and in Fastio's
//! webhooks. All of them pass by themselves, so that at the end nothing may be left of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::options::{Options, Way};
use crate::stands::{Stand, Stands};

/// How often each kind struck.
pub type Struck = BTreeMap<String, u64>;

/// How long a fault stays, and how long it is quiet between two, in milliseconds.
const STAYS: std::ops::Range<u64> = 800..4_000;
const QUIET: std::ops::Range<u64> = 200..2_500;

/// One in this many is of those that stop a service for a quarter of a minute at least.
const PAUSES_ONE_IN: u32 = 20;

fn often(kinds: &[&str], probability: f64) -> Vec<Value> {
    kinds.iter().map(|kind| json!({"kind": kind, "probability": probability})).collect()
}

fn at_openai() -> Vec<Value> {
    let doors = ["rate_limit", "server_error", "reset_before_body", "reset_during_body", "reset_after_body"];
    let mut faults = often(&doors, 0.1);
    faults.extend(often(&["reset_during_reply", "lost_reply", "lost_reply", "delete_conflict"], 0.1));
    faults.push(json!({"kind": "server_error", "status": 502, "html": true, "probability": 0.1}));
    faults.push(json!({"kind": "latency", "delay_ms": 30, "probability": 0.3}));
    faults.push(json!({"kind": "held_reply", "delay_ms": 2_000, "probability": 0.05}));
    faults.push(json!({"kind": "slow_delete", "delay_ms": 3_000, "probability": 0.3}));
    faults.push(json!({"kind": "not_found_after_create", "window_ms": 1_500, "probability": 0.1}));
    faults.push(json!({"kind": "stuck_in_progress", "delay_ms": 4_000, "probability": 0.2}));
    // For good: once, because a second time in vain is a person's work by design. The same with a failing index.
    faults.push(json!({"kind": "stuck_in_progress", "probability": 0.2, "count": 1}));
    faults.push(json!({"kind": "index_failure", "code": "server_error", "probability": 0.2, "count": 2}));
    faults
}

fn in_the_model() -> Vec<Value> {
    let mut faults = vec![json!({"kind": "slow_run", "delay_ms": 1_500})];
    faults.push(json!({"kind": "bad_run", "code": "invented_quote"}));
    faults.push(json!({"kind": "bad_run", "code": "unknown_items"}));
    // A run that fails three times has failed; two faults in a row may be set on one.
    faults.push(json!({"kind": "bad_run", "code": "server_error", "count": 1}));
    faults
}

fn at_fastio(options: &Options) -> Vec<Value> {
    let doors = ["rate_limit", "server_error", "reset_before_body", "reset_during_reply", "lost_reply"];
    let mut faults = often(&doors, 0.1);
    faults.extend(often(&["truncated_download", "wrong_length"], 0.2));
    faults.push(json!({"kind": "latency", "delay_ms": 30, "probability": 0.3}));
    faults.push(json!({"kind": "held_reply", "delay_ms": 2_000, "probability": 0.05}));
    faults.push(json!({"kind": "not_found_after_create", "window_ms": 1_500, "probability": 0.1}));
    if options.has(Way::Imports) {
        faults
            .extend(["silent", "failed", "canceled"].map(|code| json!({"kind": "bad_import", "code": code})));
    }
    if options.has(Way::Fastio) {
        let codes = ["failed", "lost", "needs_input", "invented_quote"];
        faults.extend(codes.map(|code| json!({"kind": "bad_turn", "code": code})));
    }
    faults
}

/// None is dropped where nothing else tells of it: that would stay unknown until a sweep.
fn in_webhooks(has_feed: bool) -> Vec<Value> {
    let mut faults = often(&["webhook_duplicated", "webhook_reordered"], 0.3);
    faults.push(json!({"kind": "webhook_delayed", "delay_ms": 1_500, "probability": 0.3}));
    if has_feed {
        faults.push(json!({"kind": "webhook_dropped", "probability": 0.1}));
    }
    faults
}

/// What pauses a target.
fn pausing(stand: Stand) -> Vec<Value> {
    let kinds: &[&str] = match stand {
        Stand::Openai => &["unauthorized", "forbidden", "insufficient_quota", "storage_full"],
        Stand::Fastio => &["unauthorized", "forbidden"],
    };
    kinds.iter().map(|kind| json!({"kind": kind, "probability": 0.05, "count": 2})).collect()
}

/// Those that are at work at the same time.
#[derive(Debug, Clone, Copy)]
pub enum Lane {
    Openai,
    Model,
    Fastio,
    Webhooks,
}

impl Lane {
    pub const ALL: [Lane; 4] = [Lane::Openai, Lane::Model, Lane::Fastio, Lane::Webhooks];
}

/// Sets faults and takes them away until `stop`; none that pauses a service once `calm` is cancelled.
pub async fn strike(
    stands: Stands,
    (lane, options): (Lane, Options),
    struck: Arc<Mutex<Struck>>,
    (stop, calm): (CancellationToken, CancellationToken),
) -> anyhow::Result<()> {
    let mut random = Rng::with_seed(options.seed ^ lane as u64 ^ 0x6661_756c_7473);
    let (stand, faults, pauses) = match lane {
        Lane::Openai => (Stand::Openai, at_openai(), pausing(Stand::Openai)),
        Lane::Model => (Stand::Openai, in_the_model(), Vec::new()),
        Lane::Fastio => (Stand::Fastio, at_fastio(&options), pausing(Stand::Fastio)),
        Lane::Webhooks => (Stand::Fastio, in_webhooks(options.has(Way::Feed)), Vec::new()),
    };
    while !stop.is_cancelled() {
        let grave = random.u32(0..PAUSES_ONE_IN) == 0 && !pauses.is_empty() && !calm.is_cancelled();
        let choices = if grave { &pauses } else { &faults };
        let mut fault = choices[random.usize(0..choices.len())].clone();
        fault["seed"] = random.u32(..).into();
        let id = stands.fail(stand, &fault).await?;
        rest(random.u64(STAYS), &stop).await;
        let hits = stands.heal(stand, &id).await?;
        let name = fault["kind"].as_str().unwrap_or_default().to_owned();
        *struck.lock().expect("nothing panics while it counts").entry(name).or_default() += hits;
        rest(random.u64(QUIET), &stop).await;
    }
    Ok(())
}

async fn rest(ms: u64, stop: &CancellationToken) {
    tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(Duration::from_millis(ms)) => {} }
}
