//! Do both sides agree: does OpenAI hold what Fastio holds, and nothing else? For an application that keeps one copy of
//! each file in a vector store, judged from what the stand-ins show of themselves (`GET /_sandbox/state` of each).
//!
//! A copy says in its attributes what it is of: `source_id` (`workspace:ID:NODE` or `share:ID:NODE`, the node without
//! hyphens), `path` and `version`; `text_by` of a text that stands for the file, and `segment` of `segments` of one that was cut.
//! Nothing else is known of the application. Pure, so that it can be tried with states in
//! which something is wrong.

mod gaps;

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde_json::Value;

pub use gaps::{Absences, Gap, Span, absences, absences_of, gaps, halves, unbroken};

/// A file that is in Fastio and not in its trash.
#[derive(Debug, Clone)]
pub struct FastioFile {
    pub source_id: String,
    pub node_id: String,
    pub path: String,
    pub version: String,
    pub size: u64,
    pub sha256: String,
}

/// A File object in a vector store.
#[derive(Debug, Clone)]
pub struct StoreCopy {
    /// The vector store's name.
    pub store: String,
    pub store_id: String,
    pub file_id: String,
    pub filename: String,
    pub status: String,
    /// Of the bytes that OpenAI got.
    pub sha256: String,
    pub bytes: u64,
    pub attributes: Value,
}

/// Where the copy of a file belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    Nowhere,
    InAnyStore,
    /// In the vector store of this name.
    In(&'a str),
}

/// What both sides hold.
#[derive(Debug, Clone)]
pub struct Sides {
    pub files: Vec<FastioFile>,
    pub copies: Vec<StoreCopy>,
    /// File objects in no vector store, as `ID FILENAME`.
    pub orphans: Vec<String>,
}

/// One way in which the sides do not agree.
#[derive(Debug, Clone)]
pub enum Difference<'a> {
    Missing(&'a FastioFile),
    /// It has this many copies.
    Repeated(&'a FastioFile, usize),
    /// Its copy is in another store, or of another path, version or content.
    Outdated(&'a FastioFile, &'a StoreCopy),
    /// Fastio has no such file, or it belongs into no store.
    Unwanted(&'a StoreCopy),
    /// A search does not find it.
    NotIndexed(&'a StoreCopy),
    Orphan(&'a str),
}

impl Sides {
    /// From the states of both stand-ins.
    pub fn read(fastio: &Value, openai: &Value) -> Sides {
        let files = rows(&fastio["files"]).filter(|file| file["trashed"] == false).map(FastioFile::read);
        let objects: BTreeMap<&str, &Value> = rows(&openai["files"]).map(|file| (id(file), file)).collect();
        let copies: Vec<StoreCopy> = rows(&openai["vector_stores"])
            .flat_map(|store| rows(&store["files"]).map(move |held| (store, held)))
            .map(|(store, held)| StoreCopy::read(store, held, objects.get(id(held)).copied()))
            .collect();
        let attached: HashSet<&str> = copies.iter().map(|copy| copy.file_id.as_str()).collect();
        let orphans = objects.iter().filter(|(id, _)| !attached.contains(*id));
        let orphans = orphans.map(|(id, file)| format!("{id} {}", text(&file["filename"]))).collect();
        Sides { files: files.collect(), copies, orphans }
    }

    /// Whether this is a copy of the whole file, or the first segment of one of which all are there.
    fn is_first(&self, copy: &StoreCopy) -> bool {
        let Some((number, count)) = copy.segment() else { return true };
        let of_it = |other: &&StoreCopy| {
            other.source_id() == copy.source_id()
                && other.store_id == copy.store_id
                && other.version() == copy.version()
        };
        let parts = self.copies.iter().filter(of_it).filter_map(StoreCopy::segment);
        let there: HashSet<u64> = parts.filter(|part| part.1 == count).map(|part| part.0).collect();
        number == 1 && (1..=count).all(|number| there.contains(&number))
    }

    /// All differences, if each file is `wanted` there. None: the sides agree.
    pub fn differences<'a>(&'a self, wanted: impl Fn(&FastioFile) -> Wanted<'a>) -> Vec<Difference<'a>> {
        let mut wanted: BTreeMap<&str, (&FastioFile, Wanted<'_>, usize)> = self
            .files
            .iter()
            .map(|file| (file.source_id.as_str(), (file, wanted(file), 0)))
            .filter(|(_, (_, place, _))| *place != Wanted::Nowhere)
            .collect();
        let mut differences = Vec::new();
        for copy in &self.copies {
            match wanted.get_mut(copy.source_id()) {
                None => differences.push(Difference::Unwanted(copy)),
                Some((file, place, copies)) => {
                    *copies += usize::from(self.is_first(copy));
                    if !copy.is_of(file) || !copy.is_in(*place) {
                        differences.push(Difference::Outdated(file, copy));
                    }
                }
            }
            if !copy.is_indexed() {
                differences.push(Difference::NotIndexed(copy));
            }
        }
        differences.extend(wanted.into_values().filter_map(|(file, _, copies)| match copies {
            0 => Some(Difference::Missing(file)),
            1 => None,
            more => Some(Difference::Repeated(file, more)),
        }));
        differences.extend(self.orphans.iter().map(|orphan| Difference::Orphan(orphan)));
        differences
    }
}

impl FastioFile {
    fn read(file: &Value) -> FastioFile {
        FastioFile {
            source_id: source_id(file),
            node_id: text(&file["node_id"]).to_owned(),
            path: text(&file["path"]).to_owned(),
            version: text(&file["version"]).to_owned(),
            size: file["size"].as_u64().unwrap_or(0),
            sha256: text(&file["sha256"]).to_owned(),
        }
    }
}

impl StoreCopy {
    fn read(store: &Value, held: &Value, object: Option<&Value>) -> StoreCopy {
        StoreCopy {
            store: text(&store["name"]).to_owned(),
            store_id: id(store).to_owned(),
            file_id: id(held).to_owned(),
            filename: object.map_or("", |object| text(&object["filename"])).to_owned(),
            status: text(&held["status"]).to_owned(),
            sha256: text(&held["sha256"]).to_owned(),
            bytes: held["bytes"].as_u64().unwrap_or(0),
            attributes: held["attributes"].clone(),
        }
    }

    pub fn source_id(&self) -> &str {
        text(&self.attributes["source_id"])
    }

    pub fn path(&self) -> &str {
        text(&self.attributes["path"])
    }

    pub fn version(&self) -> &str {
        text(&self.attributes["version"])
    }

    /// Which segment it is, and of how many, where it is not the whole file.
    pub fn segment(&self) -> Option<(u64, u64)> {
        let number = |name: &str| self.attributes[name].as_f64().map(|number| number as u64);
        number("segment").zip(number("segments"))
    }

    /// Whether it is of what the file is now.
    pub fn is_of(&self, file: &FastioFile) -> bool {
        self.source_id() == file.source_id
            && self.path() == file.path
            && self.version() == file.version
            && (self.sha256 == file.sha256 || self.is_stand_in() || self.segment().is_some())
    }

    /// Whether it says that it is a text in the place of the file's own bytes.
    fn is_stand_in(&self) -> bool {
        !text(&self.attributes["text_by"]).is_empty()
    }

    /// Whether a search finds it.
    pub fn is_indexed(&self) -> bool {
        self.status == "completed"
    }

    /// Whether a search finds in it what the file is now.
    pub fn is_found_as(&self, file: &FastioFile) -> bool {
        self.is_indexed() && self.is_of(file)
    }

    fn is_in(&self, wanted: Wanted<'_>) -> bool {
        match wanted {
            Wanted::Nowhere => false,
            Wanted::InAnyStore => true,
            Wanted::In(store) => self.store == store,
        }
    }
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Missing(file) => write!(f, "{} has no copy: {}", file.path, file.source_id),
            Difference::Repeated(file, copies) => {
                write!(f, "{} has {copies} copies: {}", file.path, file.source_id)
            }
            Difference::Outdated(file, copy) => write!(f, "{file:?} is held as {copy:?}"),
            Difference::Unwanted(copy) => write!(f, "no file of Fastio's belongs to {copy:?}"),
            Difference::NotIndexed(copy) => write!(f, "the copy of {} is {}", copy.path(), copy.status),
            Difference::Orphan(object) => write!(f, "the File object {object} is in no vector store"),
        }
    }
}

/// The id of a file in `GET /_sandbox/state` of Fastio, as a copy's attributes give it.
pub fn source_id(file: &Value) -> String {
    let (workspace, node) = (text(&file["workspace"]), text(&file["node_id"]).replace('-', ""));
    // Shares are shown with their kind.
    if workspace.contains(':') {
        format!("{workspace}:{node}")
    } else {
        format!("workspace:{workspace}:{node}")
    }
}

fn rows(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn id(object: &Value) -> &str {
    text(&object["id"])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
