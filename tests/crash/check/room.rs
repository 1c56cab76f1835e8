//! What must hold where there is room for some files only: never more of them are held at once, each that is not held is on record as out,
//! and those that are pinned are in.

use std::collections::{BTreeMap, HashSet};

use docket_sandbox::judge::{Sides, source_id};

use super::{PINNED, SCARCE, Seen, files, text};

/// Whether a file is one of those that there may not be room for.
pub fn is_scarce(path: &str) -> bool {
    path.starts_with(SCARCE)
}

pub fn broken(seen: &Seen, sides: &Sides) -> Vec<String> {
    let Some(most) = seen.room else { return Vec::new() };
    let held: HashSet<&str> = sides.copies.iter().map(|copy| copy.source_id()).collect();
    let mut wrong = Vec::new();
    for file in sides.files.iter().filter(|file| is_scarce(&file.path)) {
        let (id, path) = (file.source_id.as_str(), &file.path);
        match (held.contains(id), seen.rows.out.contains(id)) {
            (false, true) if path.starts_with(PINNED) => wrong.push(format!("{path} is pinned, and out")),
            (true, true) => wrong.push(format!("{path} is on record as out, and held")),
            // What is held of it, and whether it should be, is judged like that of all others.
            _ => {}
        }
    }
    wrong.extend(too_many(seen, most));
    wrong
}

/// The moments at which more files than that were in the vector store.
fn too_many(seen: &Seen, most: usize) -> Option<String> {
    let scarce: HashSet<String> =
        files(&seen.fastio).filter(|file| is_scarce(text(&file["path"]))).map(source_id).collect();
    let intervals = seen.searchable["intervals"].as_array().into_iter().flatten();
    let mut changes: Vec<(i64, bool, &str)> = Vec::new();
    for interval in intervals {
        let source = text(&interval["attributes"]["source_id"]);
        let attached = &interval["attached_ms"];
        let is_counted = scarce.contains(source) && !seen.may_have_forgotten(attached);
        let Some(from) = attached.as_i64().filter(|_| is_counted) else { continue };
        changes.push((from, true, source));
        changes.extend(interval["until_ms"].as_i64().map(|until| (until, false, source)));
    }
    // What goes goes before what comes in the same millisecond.
    changes.sort_unstable();
    let mut there: BTreeMap<&str, usize> = BTreeMap::new();
    let mut worst = (0, 0);
    for (at, comes, source) in changes {
        let copies = there.entry(source).or_default();
        *copies = if comes { *copies + 1 } else { copies.saturating_sub(1) };
        if *copies == 0 {
            there.remove(source);
        }
        worst = worst.max((there.len(), at));
    }
    let (files, at) = worst;
    (files > most).then(|| format!("{files} files were held at {at}, and there is room for {most}"))
}
