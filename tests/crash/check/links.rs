//! What must hold of the links that the rules of contracts have made for each result that needs no review: one for each, for whom the
//! rule names, and none that is not on record.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Seen, text};

/// Who gets each.
pub const SHARED_WITH: &str = "legal@example.com";

/// What is to be done because of a run, as Docket has it on record.
#[derive(Debug, Clone)]
pub struct Link {
    pub run: i64,
    pub state: String,
    /// The link, where one was made.
    pub object: String,
}

pub fn broken(seen: &Seen) -> Vec<String> {
    let shares = seen.fastio["file_shares"].as_array().into_iter().flatten();
    let mut shares: HashMap<&str, &Value> = shares.map(|share| (text(&share["id"]), share)).collect();
    let mut wrong = Vec::new();
    for Link { run, state, object } in &seen.rows.links {
        let share = shares.remove(object.as_str());
        match (state.as_str(), share) {
            ("done", Some(share)) if is_for_who_is_named(share) => {}
            ("left", None) if object.is_empty() => {}
            _ => wrong.push(format!("the link of run {run} is {state}, and Fastio has {share:?}")),
        }
    }
    let completed = seen.rows.runs.iter().filter(|run| run.outcome == "completed");
    for run in completed.filter(|run| seen.rows.links.iter().all(|link| link.run != run.id)) {
        wrong.push(format!("no link was made over the result of run {}", run.id));
    }
    // What was made just before a failover may be forgotten, and made once more.
    if !seen.has_forgotten() {
        wrong.extend(shares.into_values().map(|share| format!("nobody knows of {share}")));
    }
    wrong
}

fn is_for_who_is_named(share: &Value) -> bool {
    share["access_option"] == "named_people"
        && share["grants"] == json!([{"email": SHARED_WITH, "capability": "view"}])
}
