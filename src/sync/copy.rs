//! A copy: OpenAI's holding of one version of one file in one vector store, as we recorded it.

use super::form::Claim;
use super::look::Present;
use super::store::{ReadAs, announced};
use crate::fastio::{Hash, Node, VersionId};
use crate::openai::{Attributes, FileId, VectorStoreId};

/// The name of a hash that Docket computed, where the content has another than Fastio announces. Fastio's are never compared
/// with it.
pub const READ_HASH: &str = "read-sha256";

/// Our number for a copy. It exists before OpenAI has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CopyId(pub i64);

/// How far a copy has come. In this order: the further one is the better one.
///
/// ```text
/// uploading ──▶ uploaded ──▶ attached ──▶ indexed
///     │            │            │            │
///     │            └────────────┴────────────┴──▶ retiring ──▶ (forgotten)
///     └── the upload made nothing ──────────────────────────▶ (forgotten)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CopyState {
    /// On its way out. Not to be brought forward again.
    Retiring,
    /// Written down before the upload began. Whether OpenAI has it is not known.
    Uploading,
    /// A File object exists, in no vector store that we know of.
    Uploaded,
    /// The vector store was told, and may still be reading it.
    Attached,
    /// Searchable.
    Indexed,
}

impl CopyState {
    pub const ALL: [CopyState; 5] = [
        CopyState::Retiring,
        CopyState::Uploading,
        CopyState::Uploaded,
        CopyState::Attached,
        CopyState::Indexed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            CopyState::Retiring => "retiring",
            CopyState::Uploading => "uploading",
            CopyState::Uploaded => "uploaded",
            CopyState::Attached => "attached",
            CopyState::Indexed => "indexed",
        }
    }
}

/// How much OpenAI read in a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Text,
    /// So little that most of the document must be pictures, or locked.
    Little,
    Nothing,
}

impl Reading {
    pub const ALL: [Reading; 3] = [Reading::Text, Reading::Little, Reading::Nothing];

    pub fn as_str(self) -> &'static str {
        match self {
            Reading::Text => "text",
            Reading::Little => "little",
            Reading::Nothing => "nothing",
        }
    }

    pub fn of(word: &str) -> Option<Reading> {
        Reading::ALL.into_iter().find(|reading| reading.as_str() == word)
    }
}

/// What the bytes of a copy were, by Fastio's account when they were read.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    pub version: Option<VersionId>,
    pub hash: Option<Hash>,
    /// Bytes at Fastio. What was uploaded may be longer, when it was turned into UTF-8.
    pub size: u64,
    pub modified_at: Option<i64>,
}

impl Source {
    /// The content of `node`, as far as Fastio says.
    pub fn of(node: &Node) -> Self {
        Source {
            version: node.version.clone(),
            hash: node.hash.clone(),
            size: node.size.unwrap_or(0),
            modified_at: node.modified_at,
        }
    }

    /// This, with what it lacks and `known` has. A list of Fastio's may say less than its answer about one file.
    pub fn or(self, known: &Source) -> Self {
        Source {
            version: self.version.or_else(|| known.version.clone()),
            hash: known.hash.clone().or(self.hash),
            size: self.size,
            modified_at: self.modified_at.or(known.modified_at),
        }
    }

    /// This content as it was read, if `read` is of what Fastio announces of it.
    pub fn as_read(self, read: Option<&ReadAs>) -> Self {
        match read.filter(|read| read.of == announced(&self)) {
            Some(ReadAs { sha256, .. }) => {
                let hash = Hash { algorithm: READ_HASH.to_owned(), value: sha256.clone() };
                Source { hash: Some(hash), ..self }
            }
            None => self,
        }
    }

    /// Whether both are the same bytes, by the best evidence that both have.
    pub fn same_content(&self, other: &Source) -> bool {
        match (&self.hash, &other.hash) {
            (Some(one), Some(two)) if one.algorithm == two.algorithm => {
                return self.size == other.size && one.value == two.value;
            }
            _ => {}
        }
        match (&self.version, &other.version) {
            (Some(one), Some(two)) => one == two,
            _ => self.size == other.size && self.modified_at == other.modified_at,
        }
    }
}

/// What a Word document says of its own changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Draft {
    /// Insertions, deletions and moves that are neither accepted nor rejected.
    pub changes: u32,
    pub comments: u32,
}

impl Draft {
    /// Whether it is as all who read it agreed to it, for what it says.
    pub fn is_clean(self) -> bool {
        self == Draft::default()
    }
}

/// Which part of a text that was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// From 1.
    pub number: u32,
    /// How many there are. Known once all of them are uploaded, and the file has proved to be what was announced.
    pub count: Option<u32>,
}

/// One row of `copy`.
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    pub id: CopyId,
    pub store: VectorStoreId,
    pub state: CopyState,
    pub source: Source,
    /// SHA-256 of the file's bytes at Fastio, in hex. Known once they were read to the end; until then, of a segment, that of its own.
    pub content_hash: Option<String>,
    /// The name and size of the File object: how an upload whose reply was lost is found again.
    pub filename: String,
    pub bytes: u64,
    /// What name and type said it is when it was uploaded. Of an earlier version's copies, and of those that a rebuild
    /// found, it is not known.
    pub claim: Option<String>,
    /// None of the whole file.
    pub segment: Option<Segment>,
    /// How much OpenAI read in it, once that is known.
    pub reading: Option<Reading>,
    /// Known from `uploaded` on.
    pub file_id: Option<FileId>,
    /// As the vector store was last told.
    pub attributes: Option<Attributes>,
    /// How often it was attached; a store that does not get it indexed is not asked for ever.
    pub attaches: u16,
    /// What the vector store gave back, where it keeps attributes otherwise than they were sent.
    pub given: Option<Attributes>,
    /// When an attach ended without an answer after a long wait. Unix milliseconds.
    pub unanswered_at: Option<i64>,
    /// When OpenAI first answered that it is deleted, if it was shown all the same. Unix milliseconds.
    pub deleted_at: Option<i64>,
    /// What its store is to be told of it, while it waits to be attached with others.
    pub awaits: Option<Attributes>,
    /// The batch that it was attached in, until that has told what became of it.
    pub batch: Option<String>,
    /// When it came into its state. Unix milliseconds.
    pub since: i64,
}

impl Copy {
    /// Whether the vector store shows of it what it was told, as far as the store keeps that.
    pub fn is_shown_as(&self, shown: &Attributes) -> bool {
        [&self.attributes, &self.given].into_iter().any(|known| known.as_ref() == Some(shown))
    }

    /// Whether a search may find it. The store may have indexed what we last saw unfinished, and may have been told of
    /// it by a request whose answer was lost.
    pub fn may_answer(&self) -> bool {
        match self.state {
            CopyState::Indexed | CopyState::Attached => true,
            CopyState::Uploaded => self.attaches > 0,
            CopyState::Uploading | CopyState::Retiring => false,
        }
    }

    /// Whether this copy's content is the file's content now, sent as what the file claims to be now.
    pub fn holds(&self, present: &Present, claim: &Claim) -> bool {
        self.source.same_content(&present.source) && claim.is_met_by(self.claim.as_deref(), &self.filename)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(version: &str, hash: Option<(&str, &str)>) -> Source {
        Source {
            version: Some(VersionId(version.to_owned())),
            hash: hash
                .map(|(algorithm, value)| Hash { algorithm: algorithm.to_owned(), value: value.to_owned() }),
            size: 3,
            modified_at: Some(1),
        }
    }

    #[test]
    fn a_touched_file_has_a_new_version_and_the_same_content() {
        let old = source("v1", Some(("md5", "aa")));
        assert!(old.same_content(&source("v2", Some(("md5", "aa")))));
        assert!(!old.same_content(&source("v2", Some(("md5", "bb")))));
    }

    #[test]
    fn without_a_common_hash_the_version_decides() {
        assert!(source("v1", None).same_content(&source("v1", Some(("md5", "aa")))));
        assert!(!source("v1", Some(("sha1", "aa"))).same_content(&source("v2", Some(("md5", "aa")))));
    }

    #[test]
    fn without_a_version_either_size_and_time_decide() {
        let bare = Source { version: None, hash: None, size: 3, modified_at: Some(1) };
        assert!(bare.same_content(&bare.clone()));
        assert!(!bare.same_content(&Source { modified_at: Some(2), ..bare.clone() }));
    }
}
