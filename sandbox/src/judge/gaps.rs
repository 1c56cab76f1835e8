//! Whether a file that was there was ever not found, or found in parts of two versions: from OpenAI's history of what could be found when
//! (`GET /_sandbox/searchable`), and from Fastio's of which file was there when.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::{rows, source_id, text};

/// A time during which no copy of a file could be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub source_id: String,
    pub from_ms: i64,
    pub until_ms: i64,
}

/// From when until when; `i64::MAX` for what goes on.
pub type Span = (i64, i64);

/// When which file was not there.
pub type Absences = BTreeMap<String, Vec<Span>>;

/// The gaps of files in `there`, each from its first copy on. A gap is allowed when the file was gone at some time while
/// its last copies could be found: then they went rightly, and coming back takes a moment.
pub fn gaps(history: &Value, there: &Absences) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for (source_id, mut spans) in spans(history) {
        let Some(absences) = there.get(&source_id) else { continue };
        spans.sort_unstable();
        let (mut since, mut until) = spans[0];
        for (from, to) in spans {
            if from > until {
                let excused = absences.iter().any(|(gone, back)| *gone <= until && *back >= since);
                if !excused {
                    gaps.push(Gap { source_id: source_id.clone(), from_ms: until, until_ms: from });
                }
                since = from;
            }
            until = until.max(to);
        }
    }
    gaps
}

/// One segment of one content, while it could be found.
struct Part<'a> {
    content: &'a str,
    number: u64,
    count: u64,
    span: Span,
}

/// The times at which a search found segments of several contents of a file, and all of none. They are allowed as gaps are: what a file had
/// before it was gone goes piece by piece.
pub fn halves(history: &Value, there: &Absences) -> Vec<Gap> {
    let mut files: BTreeMap<(&str, &str), Vec<Part<'_>>> = BTreeMap::new();
    for interval in rows(&history["intervals"]) {
        let attributes = &interval["attributes"];
        let (Some(source), Some(from)) = (attributes["source_id"].as_str(), interval["from_ms"].as_i64())
        else {
            continue;
        };
        let number = |name: &str| attributes[name].as_f64().map_or(1, |number| number as u64);
        files.entry((source, text(&interval["vector_store_id"]))).or_default().push(Part {
            content: text(&attributes["content_hash"]),
            number: number("segment"),
            count: number("segments"),
            span: (from, interval["until_ms"].as_i64().unwrap_or(i64::MAX)),
        });
    }
    let mut found = Vec::new();
    for ((source, _), parts) in files {
        let Some(absences) = there.get(source).filter(|_| parts.iter().any(|part| part.count > 1)) else {
            continue;
        };
        let mut times: Vec<i64> = parts.iter().flat_map(|part| [part.span.0, part.span.1]).collect();
        times.sort_unstable();
        times.dedup();
        for time in times.windows(2) {
            let shown: Vec<&Part<'_>> =
                parts.iter().filter(|part| part.span.0 <= time[0] && part.span.1 >= time[1]).collect();
            let mut contents: BTreeMap<&str, (HashSet<u64>, u64)> = BTreeMap::new();
            for part in &shown {
                let of = contents.entry(part.content).or_default();
                of.0.insert(part.number);
                of.1 = part.count;
            }
            let is_whole = contents.values().any(|(numbers, count)| numbers.len() as u64 == *count);
            let since = shown.iter().map(|part| part.span.0).min().unwrap_or(time[0]);
            let excused = absences.iter().any(|(gone, back)| *gone <= time[1] && *back >= since);
            if contents.len() > 1 && !is_whole && !excused {
                found.push(Gap { source_id: source.to_owned(), from_ms: time[0], until_ms: time[1] });
            }
        }
    }
    found
}

/// How many files of `there` were found at all times without an excuse.
pub fn unbroken(history: &Value, there: &Absences) -> usize {
    let broken: HashSet<String> = gaps(history, there).into_iter().map(|gap| gap.source_id).collect();
    let always = |source_id: &String| there.get(source_id).is_some_and(Vec::is_empty);
    spans(history).keys().filter(|source_id| always(source_id) && !broken.contains(*source_id)).count()
}

/// When each file could be found whole: by any of its copies, or by all segments of one.
fn spans(history: &Value) -> BTreeMap<String, Vec<Span>> {
    let mut spans: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    let mut cut: BTreeMap<(&str, &str), Segments> = BTreeMap::new();
    for interval in rows(&history["intervals"]) {
        let attributes = &interval["attributes"];
        // Without a beginning it never could be found.
        let (Some(source), Some(from)) = (attributes["source_id"].as_str(), interval["from_ms"].as_i64())
        else {
            continue;
        };
        let span = (from, interval["until_ms"].as_i64().unwrap_or(i64::MAX));
        match (attributes["segment"].as_f64(), attributes["segments"].as_f64()) {
            (Some(number), Some(count)) => {
                let of = cut.entry((source, text(&attributes["content_hash"]))).or_default();
                of.count = count as usize;
                of.spans.entry(number as u64).or_default().push(span);
            }
            _ => spans.entry(source.to_owned()).or_default().push(span),
        }
    }
    for ((source, _), segments) in cut {
        spans.entry(source.to_owned()).or_default().extend(segments.all());
    }
    spans.retain(|_, spans| !spans.is_empty());
    spans
}

/// When each segment of one content could be found.
#[derive(Default)]
struct Segments {
    count: usize,
    spans: BTreeMap<u64, Vec<Span>>,
}

impl Segments {
    /// When all of them could be.
    fn all(self) -> Vec<Span> {
        if self.spans.len() < self.count {
            return Vec::new();
        }
        let both = |all: Vec<Span>, one: Vec<Span>| {
            let pairs = all.iter().flat_map(|a| one.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
            pairs.filter(|(from, until)| from < until).collect()
        };
        self.spans.into_values().reduce(both).unwrap_or_default()
    }
}

/// The absences of each file that is in Fastio at the end, without those whose nodes are in `left_out`.
pub fn absences(fastio: &Value, left_out: &HashSet<String>) -> Absences {
    let judged = |file: &&Value| file["trashed"] == false && !left_out.contains(text(&file["node_id"]));
    rows(&fastio["files"]).filter(judged).map(|file| (source_id(file), absences_of(file))).collect()
}

/// When one file was in the trash, whether it is there now or not.
pub fn absences_of(file: &Value) -> Vec<Span> {
    let span = |span: &Value| Some((span[0].as_i64()?, span[1].as_i64().unwrap_or(i64::MAX)));
    rows(&file["absences"]).filter_map(span).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_that_was_cut_is_found_while_all_of_it_is() {
        let segment = |hash: &str, number: u64, from: i64, until: Option<i64>| {
            let attributes = json!({"source_id": "workspace:1:2a", "content_hash": hash, "segment": number, "segments": 2});
            json!({ "attributes": attributes, "from_ms": from, "until_ms": until })
        };
        let found = |second: i64| {
            let old = [segment("a", 1, 10, Some(40)), segment("a", 2, 12, Some(50))];
            let new = [segment("b", 1, 20, None), segment("b", 2, second, None)];
            let intervals = [old, new].concat();
            let history = json!({ "intervals": intervals });
            gaps(&history, &Absences::from([("workspace:1:2a".to_owned(), Vec::new())])).len()
        };
        assert_eq!((found(35), found(45)), (0, 1), "half of each is not one");
    }

    #[test]
    fn parts_of_two_contents_are_none_unless_one_of_them_is_whole_or_the_file_was_gone() {
        let segment = |hash: &str, number: u64, from: i64, until: Option<i64>| {
            let attributes = json!({"source_id": "workspace:1:2a", "content_hash": hash, "segment": number, "segments": 2});
            json!({ "attributes": attributes, "from_ms": from, "until_ms": until })
        };
        let found = |until: i64, absences: &[Span]| {
            let old = [segment("a", 1, 10, Some(until)), segment("a", 2, 12, Some(50))];
            let new = [segment("b", 1, 20, None), segment("b", 2, 40, None)];
            let intervals = [old, new].concat();
            let history = json!({ "intervals": intervals });
            halves(&history, &Absences::from([("workspace:1:2a".to_owned(), absences.to_vec())]))
        };
        let half = Gap { source_id: "workspace:1:2a".to_owned(), from_ms: 35, until_ms: 40 };
        assert_eq!((found(45, &[]), found(35, &[])), (Vec::new(), vec![half]));
        assert_eq!(found(35, &[(30, 33)]), []);
    }

    #[test]
    fn a_gap_is_a_gap_unless_the_file_was_gone_while_its_last_copy_answered() {
        let fastio = |absences: Value| {
            let file = json!({"workspace": "1", "node_id": "2-a", "trashed": false, "absences": absences});
            json!({ "files": [file] })
        };
        let interval = |from: i64, until: Option<i64>| {
            let attributes = json!({"source_id": "workspace:1:2a"});
            json!({ "attributes": attributes, "from_ms": from, "until_ms": until })
        };
        let history =
            json!({"intervals": [interval(10, Some(30)), interval(40, Some(60)), interval(60, None)]});
        let found = |shown: Value| gaps(&history, &absences(&fastio(shown), &HashSet::new()));
        let gap = Gap { source_id: "workspace:1:2a".to_owned(), from_ms: 30, until_ms: 40 };
        assert_eq!(found(json!([])), std::slice::from_ref(&gap));
        assert_eq!(found(json!([[28, 35]])), []);
        assert_eq!(found(json!([[15, 20]])), [], "it was taken out for that, and came back late");
        assert_eq!(found(json!([[28, null]])), []);
        assert_eq!(
            found(json!([[2, 5]])),
            std::slice::from_ref(&gap),
            "that was before it could be found at all"
        );
        assert_eq!(found(json!([[32, 50]])), [gap], "it went after the gap began");
        // What left its rule is not judged.
        let wandered = absences(&fastio(json!([])), &HashSet::from(["2-a".to_owned()]));
        assert_eq!(gaps(&history, &wandered), []);
    }
}
