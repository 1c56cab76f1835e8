//! Random changes under every fault, in turn and mixed, with the worker killed in the middle now and then: at the end
//! OpenAI holds what Fastio holds, and nothing is left over. The seed makes the changes and the faults repeatable;
//! `DOCKET_TEST_SEED` sets another one for the long test.

use docket::queue::store::release_all;
use serde_json::{Value, json};

use crate::harness::Harness;

/// Faults that pass by themselves, at OpenAI.
fn openai_faults() -> Vec<Value> {
    let often = |kind: &str| json!({"kind": kind, "probability": 0.15});
    let mut faults: Vec<Value> = [
        "rate_limit",
        "server_error",
        "reset_before_body",
        "reset_during_body",
        "reset_after_body",
        "reset_during_reply",
        "lost_reply",
        "not_found_after_create",
        "delete_conflict",
        "stuck_in_progress",
    ]
    .map(often)
    .to_vec();
    // These pause everything for a while, so they strike less.
    faults.extend(
        ["unauthorized", "forbidden", "insufficient_quota", "storage_full"]
            .map(|kind| json!({"kind": kind, "probability": 0.03})),
    );
    faults.push(json!({"kind": "server_error", "status": 502, "html": true, "probability": 0.1}));
    faults.push(json!({"kind": "latency", "delay_ms": 3, "probability": 0.2}));
    faults.push(json!({"kind": "slow_delete", "delay_ms": 5_000, "probability": 0.3}));
    faults.push(json!({"kind": "index_failure", "code": "server_error", "probability": 0.1}));
    faults
}

/// Faults that pass by themselves, at Fastio.
fn fastio_faults() -> Vec<Value> {
    let mut faults: Vec<Value> = [
        "rate_limit",
        "server_error",
        "reset_before_body",
        "reset_during_reply",
        "lost_reply",
        "truncated_download",
        "wrong_length",
        "not_found_after_create",
        "webhook_duplicated",
        "webhook_reordered",
    ]
    .map(|kind| json!({"kind": kind, "probability": 0.15}))
    .to_vec();
    faults.extend(["unauthorized", "forbidden"].map(|kind| json!({"kind": kind, "probability": 0.03})));
    faults.push(json!({"kind": "latency", "delay_ms": 3, "probability": 0.2}));
    faults.push(json!({"kind": "webhook_delayed", "delay_ms": 20, "probability": 0.2}));
    faults.push(json!({"kind": "webhook_dropped", "probability": 0.1}));
    faults
}

/// The same fault, striking less often.
fn rarer(fault: &Value, times: f64) -> Value {
    let mut fault = fault.clone();
    fault["probability"] = (fault["probability"].as_f64().unwrap_or(1.0) / times).into();
    fault
}

struct Chaos {
    h: Harness,
    random: fastrand::Rng,
    made: u32,
}

impl Chaos {
    async fn start(seed: u64) -> Chaos {
        let h = Harness::with_seed(crate::harness::ONE_STORE, seed).await;
        Chaos { h, random: fastrand::Rng::with_seed(seed), made: 0 }
    }

    /// A file that is there. What stands in the folder of the steady is only ever edited.
    async fn any_file(&mut self) -> Option<String> {
        let mut loose = self.h.paths().await;
        loose.retain(|path| !path.starts_with("/steady/"));
        self.random.choice(loose)
    }

    fn content(&mut self) -> String {
        self.made += 1;
        // Of one size, so that uploads can be mistaken for one another.
        format!("Clause {:06}: liability is limited.", self.made)
    }

    async fn change(&mut self) {
        match self.random.u32(0..20) {
            0..=5 => {
                let path = format!("/{}/{}/same name.txt", self.random.u32(0..4), self.random.u32(0..6));
                self.write(path).await;
            }
            6..=9 => {
                let Some(path) = self.any_file().await else { return };
                self.write(path).await;
            }
            10..=11 => {
                let path = format!("/steady/{}.txt", self.random.u32(0..5));
                self.write(path).await;
            }
            12..=14 => {
                let Some(from) = self.any_file().await else { return };
                self.made += 1;
                let to = format!("/{}/renamed {}.txt", self.random.u32(0..4), self.made);
                self.h.rename(&from, &to).await;
            }
            15..=16 => {
                let Some(path) = self.any_file().await else { return };
                self.h.trash(&path).await;
            }
            17 => drop(self.h.restore_any(self.random.usize(0..100)).await),
            18 => {
                let Some(path) = self.any_file().await else { return };
                let Some((folder, _)) = path.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) else {
                    return;
                };
                self.made += 1;
                let under = self.random.u32(4..6);
                self.h.rename(folder, &format!("/{under}/moved {}", self.made)).await;
            }
            _ => {
                // Fastio sends no word of a purge.
                let Some(path) = self.any_file().await else { return };
                self.h.purge(&path).await;
            }
        }
    }

    async fn write(&mut self, path: String) {
        let content = self.content();
        self.h.put(&path, &content).await;
    }

    /// Some work between two changes; now and then the worker is killed in the middle of it.
    async fn work(&mut self) {
        self.h.take_in().await;
        for _ in 0..self.random.u32(0..4) {
            if self.random.u32(0..8) == 0 {
                self.h.work_for(self.random.u32(1..60)).await;
                let now = self.h.clock.now();
                self.h.database.write(move |tx| release_all(tx, (now, 30), None)).await.unwrap();
            } else if !self.h.work_one().await {
                self.h.pass(700);
            }
        }
    }

    async fn run(&mut self, changes: u32) {
        for _ in 0..changes {
            self.change().await;
            self.work().await;
        }
    }

    /// Everything settles, with the faults still on. One look over the whole workspace at the end makes up for the news
    /// that was not sent.
    async fn finish(self) {
        self.h.settle().await;
        self.h.webhook("share_imported_to_workspace", "root").await;
        self.h.converges().await;
        for path in self.h.paths().await.iter().filter(|path| path.starts_with("/steady/")) {
            self.h.never_unsearchable(path).await;
        }
        self.h.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_in_turn() {
    for (seed, fault) in openai_faults().into_iter().enumerate() {
        let mut chaos = Chaos::start(seed as u64).await;
        chaos.h.openai_fails(fault).await;
        chaos.run(20).await;
        chaos.finish().await;
    }
    for (seed, fault) in fastio_faults().into_iter().enumerate() {
        let mut chaos = Chaos::start(100 + seed as u64).await;
        chaos.h.fastio_fails(fault).await;
        chaos.run(20).await;
        chaos.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_changes_under_all_faults_at_once() {
    let seed = std::env::var("DOCKET_TEST_SEED").map_or(7, |seed| seed.parse().unwrap());
    let mut chaos = Chaos::start(seed).await;
    chaos.h.openai_fails(openai_faults().iter().map(|fault| rarer(fault, 6.0)).collect()).await;
    chaos.h.fastio_fails(fastio_faults().iter().map(|fault| rarer(fault, 6.0)).collect()).await;
    chaos.run(1000).await;
    chaos.finish().await;
}
