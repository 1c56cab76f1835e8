//! What must hold of files that do not go to OpenAI as they are: of a text that is cut exactly the segments of its present version are
//! there, and a text that stands for a file is that of what the file is now.

use std::collections::HashMap;

use docket_sandbox::judge::{FastioFile, Sides, StoreCopy};

/// How the server under test cuts.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// Texts with more bytes are.
    pub above: u64,
    /// Bytes of the line that stands in each part of a table.
    pub header: u64,
}

pub fn broken(sides: &Sides, cut: Option<Cut>, stand_ins: &HashMap<String, String>) -> Vec<String> {
    let mut copies: HashMap<&str, Vec<&StoreCopy>> = HashMap::new();
    for copy in &sides.copies {
        copies.entry(copy.source_id()).or_default().push(copy);
    }
    let mut wrong = Vec::new();
    for file in &sides.files {
        let Some(held) = copies.get(file.source_id.as_str()) else { continue };
        if let Some(what) = cut.and_then(|cut| segments(file, held, cut)) {
            wrong.push(format!("{} of {} bytes {what}: {held:?}", file.path, file.size));
        }
        let other = |copy: &&&StoreCopy| stand_ins.get(&file.sha256).is_some_and(|text| copy.sha256 != *text);
        if let Some(copy) = held.iter().find(other) {
            wrong.push(format!("what stands for {} is not what it is now: {copy:?}", file.path));
        }
    }
    wrong
}

/// What is wrong with the segments of a file. Whether they are of its present version is judged of every copy.
fn segments(file: &FastioFile, held: &[&StoreCopy], cut: Cut) -> Option<String> {
    let mut numbers: Vec<(u64, u64)> = held.iter().filter_map(|copy| copy.segment()).collect();
    let is_table = file.path.ends_with(".csv");
    let is_text = is_table || [".txt", ".jsonl"].iter().any(|extension| file.path.ends_with(extension));
    if !is_text || file.size <= cut.above {
        return (!numbers.is_empty()).then(|| format!("is cut into {numbers:?}"));
    }
    numbers.sort_unstable();
    let count = held.len() as u64;
    if numbers != (1..=count).map(|number| (number, count)).collect::<Vec<_>>() {
        return Some(format!("has the segments {numbers:?}"));
    }
    if let Some(large) = held.iter().find(|copy| copy.bytes > cut.above / 2) {
        return Some(format!("has one of {} bytes", large.bytes));
    }
    let bytes: u64 = held.iter().map(|copy| copy.bytes).sum();
    let whole = file.size + if is_table { (count - 1) * cut.header } else { 0 };
    // Prose goes on with the end of the segment before.
    let is_whole = if file.path.ends_with(".txt") { bytes >= whole } else { bytes == whole };
    (!is_whole).then(|| format!("has {bytes} bytes in {count} segments"))
}
