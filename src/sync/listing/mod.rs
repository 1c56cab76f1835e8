//! Files as a person asks about them: is what can be searched what the file is now? If not, since when and why?
//!
//! It reads and never writes, and it says only what is on record: what Fastio was last seen to hold, what OpenAI was last
//! told, and which job is left to bring the two in line.

mod line;
#[macro_use]
mod sql;
mod found;
mod store;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::copy::Reading;
use super::reading::in_words;
use crate::database::{JsonList, json_list};
use crate::queue::store::PauseRow;
use crate::queue::waiting::{Waiting, why};

pub use found::{Found, Over, found};
pub use store::{Number, Page, count, page};

/// How a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// What can be searched is what the file is.
    Current,
    /// OpenAI holds what the file is, and can read nothing in it, or next to nothing.
    Unread,
    /// Something is left to be done about it.
    Behind,
    /// OpenAI could hold it, and does not now: its rule keeps it out until it is needed, or it has left to keep within a budget.
    Out,
    /// OpenAI cannot hold it, or is not to.
    Skipped,
    /// It is gone from Fastio, and nothing of it is left at OpenAI.
    Gone,
}

impl Standing {
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Current => "current",
            Standing::Unread => "unread",
            Standing::Behind => "behind",
            Standing::Out => "out",
            Standing::Skipped => "skipped",
            Standing::Gone => "gone",
        }
    }

    fn read(word: &str) -> Standing {
        match word {
            "current" => Standing::Current,
            "unread" => Standing::Unread,
            "out" => Standing::Out,
            "skipped" => Standing::Skipped,
            "gone" => Standing::Gone,
            _ => Standing::Behind,
        }
    }
}

/// Which files.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub standing: Option<Standing>,
    /// Without a standing: those that are gone too.
    pub gone: bool,
    /// A rule's name, and the workspace or share whose files it covers.
    pub rule: Option<(String, String)>,
    pub place: Option<Place>,
    /// Only those that were changed at Fastio from then on, and before then, in Unix milliseconds: the last change first.
    pub changed: Option<(i64, i64)>,
}

/// `/**/` in one glob. Each doubles what is compared; what is left of them still matches most.
const MOST_DEPTHS: usize = 3;

/// A path, a folder, a glob over paths, or a file's id: whatever of these `text` names.
#[derive(Debug, Clone)]
pub struct Place {
    text: String,
}

impl Place {
    pub fn new(text: &str) -> Self {
        Place { text: text.to_owned() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// From the root, without a slash at its end.
    pub fn path(&self) -> String {
        format!("/{}", self.text.trim_matches('/'))
    }

    /// As SQLite's GLOB, in which `*` stands for slashes too, a JSON array of them. `/**/`, as rules have it, may stand for
    /// one slash.
    pub fn globs(&self) -> Option<JsonList> {
        if !self.text.contains(['*', '?', '[']) {
            return None;
        }
        let mut globs = vec![self.path()];
        for _ in 0..MOST_DEPTHS {
            globs = globs
                .into_iter()
                .flat_map(|glob| match glob.split_once("/**/") {
                    Some((before, after)) => vec![format!("{before}/{after}"), format!("{before}/*/{after}")],
                    None => vec![glob],
                })
                .collect();
        }
        Some(json_list(&globs))
    }

    /// Between which paths everything lies that it may name: the first, and what comes behind the last.
    fn range(&self) -> (String, String) {
        let path = self.path();
        match path.find(['*', '?', '[']) {
            // What is in a folder begins with a slash behind it, after which comes `0`.
            None => (path.clone(), format!("{path}0")),
            Some(special) => (path[..special].to_owned(), behind(&path[..special])),
        }
    }

    /// As ids are written in `source_id`.
    pub fn node(&self) -> String {
        let node = self.text.rsplit(':').next().unwrap_or(&self.text);
        crate::fastio::NodeId::new(node).canonical()
    }
}

/// The first text behind all that begin with `begin`.
fn behind(begin: &str) -> String {
    let mut text = begin.to_owned();
    while let Some(last) = text.pop() {
        if let Some(next) = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
            text.push(next);
            return text;
        }
    }
    char::MAX.to_string()
}

/// What a listing has shown last: the next page begins behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cursor {
    #[default]
    Start,
    /// This file.
    Files { path: String, source_id: String },
    /// This file, in the order of changes.
    Changed { at: i64, source_id: String },
    /// This one of the files that only a job knows of.
    Unseen(String),
}

impl Cursor {
    /// Before the files at `path`, with or without its first slash.
    pub fn before(path: &str) -> Self {
        Cursor::Files { path: Place::new(path).path(), source_id: String::new() }
    }
}

/// A file and one of its copies.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = File)]
pub struct Row {
    pub source_id: String,
    /// None until it has been looked at.
    pub path: Option<String>,
    pub state: Standing,
    /// Why it is not current, in words.
    pub reason: Option<String>,
    /// Since when it is behind, or out.
    pub since: Option<i64>,
    pub rules: String,
    /// What Fastio was last seen to hold.
    pub version: Option<String>,
    pub hash: Option<String>,
    pub size: Option<i64>,
    pub modified_at: Option<i64>,
    pub seen_at: Option<i64>,
    /// The job that is left to be done about it.
    pub job_id: Option<i64>,
    pub job_state: Option<String>,
    /// The target for which that job is held.
    pub held_by: Option<String>,
    #[serde(flatten)]
    pub copy: CopyRow,
}

impl Row {
    /// Bytes at Fastio. A rebuilt row has none until a job has looked at the file, and an empty file is skipped.
    pub fn known_size(&self) -> Option<u64> {
        let size = self.size.map(i64::unsigned_abs);
        size.filter(|size| *size > 0 || self.state == Standing::Skipped)
    }
}

/// What OpenAI holds, in the names that a row has had from the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CopyRow {
    pub vector_store: Option<String>,
    /// How far it has come; searchable when it is `indexed`.
    #[serde(rename = "copy")]
    pub state: Option<String>,
    #[serde(rename = "copy_since")]
    pub since: Option<i64>,
    /// The version and hash at Fastio of what was uploaded.
    #[serde(rename = "copy_version")]
    pub version: Option<String>,
    #[serde(rename = "copy_hash")]
    pub hash: Option<String>,
    /// SHA-256 of that version's bytes at Fastio.
    pub content_hash: Option<String>,
    pub file_id: Option<String>,
    /// The form in which it was uploaded.
    pub filename: Option<String>,
    pub bytes: Option<i64>,
    /// What was left out or mended on the way, in words.
    #[serde(rename = "copy_note")]
    pub note: Option<String>,
    /// Of a PDF, where they can be counted.
    pub pages: Option<i64>,
    /// How many characters OpenAI can read, without white space, and whether that is `text`, `little` or `nothing`.
    pub characters: Option<i64>,
    pub reading: Option<String>,
}

impl CopyRow {
    /// What is to be said of what OpenAI can read, unless it is text.
    fn unread(&self) -> Option<String> {
        let reading = Reading::of(self.reading.as_deref()?)?;
        let number = |number: Option<i64>| number.map_or(0, i64::unsigned_abs);
        in_words(reading, number(self.characters), number(self.bytes))
    }
}

/// What is on record of a file, before it is put into words.
#[derive(Debug, Clone)]
struct Facts {
    standing: Standing,
    /// None when only a job knows of it.
    state: Option<String>,
    reason: Option<String>,
    /// Why it has left OpenAI, or is about to.
    out: Option<String>,
    /// Whether something of it can be searched, and whether all that can be is of its present content.
    searchable: bool,
    same: bool,
    job: Option<Waiting>,
}

impl Facts {
    /// Why it is not current.
    fn words(&self, pauses: &[PauseRow]) -> Option<String> {
        match self.standing {
            // What there is to say of it stands with its copy.
            Standing::Current | Standing::Unread => None,
            Standing::Skipped | Standing::Gone => self.reason.clone(),
            Standing::Out => self.out.clone().or_else(|| self.reason.clone()),
            Standing::Behind => {
                let left = match &self.job {
                    Some(job) => why(job, pauses),
                    None => "no job is on it; the next sweep asks for one, or now: docket sweep".to_owned(),
                };
                Some(format!("{}; {left}", self.difference()))
            }
        }
    }

    /// What differs.
    fn difference(&self) -> String {
        let reason = self.reason.as_deref().unwrap_or_default();
        if let (Some(out), false) = (&self.out, self.searchable) {
            return format!("it leaves OpenAI, because {out}");
        }
        match (self.state.as_deref(), self.searchable, self.same) {
            (None, ..) => "an event named it, and Docket has not looked at it yet".to_owned(),
            (Some("present"), false, _) => "nothing of it can be searched yet".to_owned(),
            (Some("present"), true, false) => "an earlier version is still what can be searched".to_owned(),
            (Some("present"), true, true) => {
                "an event said that it changed, and Docket has not looked at it yet".to_owned()
            }
            (Some(_), true, _) => format!("it can still be searched, though {reason}"),
            (Some(_), false, _) => format!("{reason}, and something is left to clear up"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_path_a_folder_a_glob_or_an_id() {
        let place = Place::new("Contracts/2026/");
        assert_eq!((place.path().as_str(), place.globs()), ("/Contracts/2026", None));
        assert_eq!(
            Place::new("/**/*.pdf").globs().as_ref().map(JsonList::as_json),
            Some(r#"["/*.pdf","/*/*.pdf"]"#)
        );
        assert_eq!(
            Place::new("Contracts/**").globs().as_ref().map(JsonList::as_json),
            Some(r#"["/Contracts/**"]"#)
        );
        assert_eq!(Place::new("workspace:48:2ABC-d").node(), "2abcd");
    }

    #[test]
    fn what_a_place_names_lies_in_its_range() {
        let names = |place: &str, path: &str| {
            let (first, behind) = Place::new(place).range();
            (first.as_str()..behind.as_str()).contains(&path)
        };
        for (place, path) in [
            ("a.txt", "/a.txt"),
            ("/a", "/a/b/c.txt"),
            ("/a/*.pdf", "/a/b.pdf"),
            ("/*", "/\u{10FFFF}.txt"),
            ("/a[1].txt", "/a[1].txt"),
            ("/\u{10FFFF}*", "/\u{10FFFF}\u{10FFFF}"),
            ("/\u{D7FF}?", "/\u{D7FF}x"),
            ("/**/a.txt", "/a.txt"),
        ] {
            assert!(names(place, path), "{place} {path}");
        }
        assert!(!names("/a", "/b") && !names("/a/*", "/b/c") && !names("/a/*", "/a"));
    }
}
