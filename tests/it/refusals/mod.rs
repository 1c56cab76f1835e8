//! Refusals: who says so, how far they reach, when they are final, and the way back.

mod file;
mod hash;
mod lost_store;
mod model;
mod other_server;
mod table;
mod way_back;
mod work;

use crate::harness::{Harness, WORKSPACE, legal};

/// A rule that runs something over contracts, and one over everything else.
fn contracts_and_plain() -> String {
    let plain = format!(
        "[[rule]]\nname = 'plain'\nworkspace = '{WORKSPACE}'\ninclude = ['/Plain/**']\nvector_store = {{ create = 'plain' }}\n"
    );
    format!("{}\n{plain}", legal(""))
}

/// What is held, by its name.
async fn held(h: &Harness) -> Vec<String> {
    let held = h.pauses().await.into_iter().filter(|pause| pause.allowed.is_none());
    held.map(|pause| pause.target).collect()
}
