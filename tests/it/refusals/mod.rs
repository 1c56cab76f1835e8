//! Refusals: who says so, how far they reach, when they are final, and the way back.

mod file;
mod hash;
mod lost_store;
mod model;
mod other_server;
mod table;
mod way_back;
mod work;

use serde_json::Value;

use crate::harness::{Harness, WORKSPACE, legal};

/// A rule that runs something over contracts, and one over everything else.
fn contracts_and_plain() -> String {
    let plain = format!(
        "[[rule]]\nname = 'plain'\nworkspace = '{WORKSPACE}'\ninclude = ['/Plain/**']\nvector_store = {{ create = 'plain' }}\n"
    );
    format!("{}\n{plain}", legal(""))
}

/// Lets this much time pass, in which what is due is done. What is held is tried now and then.
async fn live(h: &Harness, seconds: i64) {
    let end = h.clock.now() + seconds * 1000;
    while h.clock.now() < end {
        h.take_in().await;
        if !h.work_one().await {
            h.pass(1_000);
        }
    }
}

/// How often OpenAI was asked this.
async fn asked(h: &Harness, method: &str, path: &str) -> usize {
    let requests = h.openai_requests().await;
    let is_meant = |one: &&Value| one["method"] == method && one["path"] == path;
    requests.iter().filter(is_meant).count()
}

/// What is held, by its name.
async fn held(h: &Harness) -> Vec<String> {
    let held = h.pauses().await.into_iter().filter(|pause| pause.allowed.is_none());
    held.map(|pause| pause.target).collect()
}
