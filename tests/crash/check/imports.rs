//! What must hold of imports: whatever is lost, Fastio is asked for each as often as it was ordered at most, and fetches it once.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{IMPORTS, Seen, files, text};

/// An import as Docket has it on record.
#[derive(Debug, Clone)]
pub struct Import {
    pub name: String,
    pub state: String,
    pub reason: String,
}

pub fn broken(seen: &Seen) -> Vec<String> {
    // What was ordered just before a failover may be lost, or be made once more.
    if seen.has_forgotten() {
        return Vec::new();
    }
    let mut rows: BTreeMap<&str, Vec<&Import>> = BTreeMap::new();
    for row in &seen.rows.imports {
        rows.entry(&row.name).or_default().push(row);
    }
    let mut wrong = Vec::new();
    for (name, times) in &seen.imported {
        match rows.get(name.as_str()).map_or(&[][..], Vec::as_slice) {
            [row] => wrong.extend(one(seen, row, *times)),
            other => wrong.push(format!("{name} was ordered, and on record is {other:?}")),
        }
    }
    wrong
}

fn one(seen: &Seen, row: &Import, times: u64) -> Option<String> {
    let name = &row.name;
    let all = seen.fastio["web_uploads"].as_array().into_iter().flatten();
    let asked: Vec<&Value> = all.filter(|upload| text(&upload["file_name"]) == name).collect();
    let fetched = asked.iter().filter(|upload| !upload["new_file_id"].is_null()).count();
    let path = format!("{IMPORTS}{name}");
    let there: Vec<&Value> = files(&seen.fastio).filter(|file| text(&file["path"]) == path).collect();
    let words = |what: &str| {
        Some(format!(
            "{name}, ordered {times} times, is {} ({}): {what}; Fastio was asked {} times, fetched it {fetched} times and has {there:?}",
            row.state,
            row.reason,
            asked.len()
        ))
    };
    match (row.state.as_str(), there.as_slice()) {
        _ if asked.len() as u64 > times || fetched > 1 => words("it was asked for once too often"),
        ("complete", [file]) if file["versions"] == 1 => None,
        ("failed" | "canceled", []) => None,
        // Whether Fastio was reached shows after two minutes, which nobody waits for here.
        ("asked", []) if asked.is_empty() => None,
        _ => words("that is not so"),
    }
}
