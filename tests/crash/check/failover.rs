//! What a failover may lose: where commits do not wait for the standby, what was acknowledged just before, if `docket check` had said so.

use serde_json::Value;

use super::text;

/// How far a standby may be behind, in milliseconds. On one machine it is far less; a machine that is busy stops it for longer.
const BEHIND: i64 = 5_000;

/// How long after an acknowledgement the test may learn of it, in milliseconds.
const LEARNT: i64 = 2_000;

/// A primary was lost and another server took its place, in Unix milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Failover {
    pub from: i64,
    pub until: i64,
}

impl Failover {
    /// Whether what was known to be acknowledged at `at` may be lost by it.
    pub fn may_lose(&self, at: i64) -> bool {
        (self.from - BEHIND..self.until + LEARNT).contains(&at)
    }
}

/// What is wrong with what `docket check --json` says of failovers.
pub fn unsaid(check: &Value, is_synchronous: bool) -> Vec<String> {
    let rows = check.as_array().into_iter().flatten().filter(|row| row["check"] == "durability");
    let said: Vec<&str> = rows.map(|row| text(&row["message"])).collect();
    let warns = said.iter().any(|said| said.contains("a failover to one can lose"));
    let promises = said.iter().any(|said| said.contains("nor a failover to a synchronous standby"));
    match (warns, promises) {
        (false, true) if is_synchronous => Vec::new(),
        (true, false) if !is_synchronous => Vec::new(),
        _ => vec![format!("where commits wait for the standby is {is_synchronous} it says {said:?}")],
    }
}
