//! OpenAI's vector store, the files in it, and what a search finds there.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::value::{Fields, text};

use super::attributes::{self, Attributes};
use super::file::FileId;

/// The id of a vector store, such as `vs_abc123`. Opaque.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VectorStoreId(pub String);

impl fmt::Display for VectorStoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct VectorStore {
    pub id: VectorStoreId,
    /// May be null, against the OpenAPI document.
    pub name: Option<String>,
    /// `in_progress`, `completed` or `expired`.
    pub status: Option<String>,
    /// Unix seconds.
    pub expires_at: Option<i64>,
    /// When present the store deletes its files some days after it was last used (OpenAI's guide on retrieval).
    pub expires_after: Option<Value>,
    pub metadata: BTreeMap<String, String>,
    pub file_counts: FileCounts,
    /// Unix seconds.
    pub created_at: Option<i64>,
}

/// How many files a vector store takes (OpenAI's OpenAPI document and guide on retrieval), and took that was made before November 2025.
pub const MOST_FILES: u64 = 100_000_000;
const MOST_FILES_EARLIER: u64 = 10_000;

/// When that changed: the first of November 2025, UTC. Unix seconds. On which day it did is not documented.
const MOST_FILES_SINCE: i64 = 1_761_955_200;

/// How many files a store has in each state; 0 where not said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileCounts {
    pub in_progress: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub total: u64,
}

/// A file's attachment to a vector store. It has the file's id.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreFile {
    pub id: FileId,
    pub status: IndexStatus,
    pub last_error: Option<LastError>,
    pub attributes: Attributes,
    /// What the store keeps of it, which is what is paid for and not what was uploaded. Required by the OpenAPI document.
    pub usage_bytes: Option<u64>,
}

/// How far the indexing of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexStatus {
    InProgress,
    /// The file can be found.
    Completed,
    Failed,
    Cancelled,
    /// A word that came after this was written; empty where none is sent.
    Unknown(String),
}

/// Why indexing failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// `server_error`, `unsupported_file` or `invalid_file` today; codes have been added before.
    pub code: String,
    pub message: String,
}

/// Whether a code of OpenAI's says that a vector store reads nothing in such a file, however often it is tried.
pub fn is_about_content(code: &str) -> bool {
    matches!(code, "unsupported_file" | "invalid_file")
}

/// An attachment, and how long the service wants to be left alone before the next look (header
/// `openai-poll-after-ms`, known from OpenAI's official libraries; at most [`crate::http::MAX_WAIT`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Polled {
    pub file: StoreFile,
    pub poll_after: Option<Duration>,
}

/// One result of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub file_id: FileId,
    pub filename: String,
    /// From 0 to 1; 0 where none is sent.
    pub score: f64,
    pub attributes: Attributes,
    /// The text of its pieces, one per line.
    pub text: String,
}

impl VectorStore {
    /// How many files it takes, by its age.
    pub fn most_files(&self) -> u64 {
        match self.created_at {
            Some(at) if at < MOST_FILES_SINCE => MOST_FILES_EARLIER,
            _ => MOST_FILES,
        }
    }

    /// None where `value` is not an object with an id.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        let metadata = fields.object("metadata").into_iter().flat_map(Fields::entries);
        Some(VectorStore {
            id: VectorStoreId(fields.id("id")?),
            name: fields.text("name"),
            status: fields.id("status"),
            expires_at: fields.signed("expires_at"),
            expires_after: fields.get("expires_after").cloned(),
            metadata: metadata.filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect(),
            file_counts: fields.object("file_counts").map(FileCounts::read).unwrap_or_default(),
            created_at: fields.signed("created_at"),
        })
    }
}

impl FileCounts {
    fn read(fields: Fields<'_>) -> Self {
        let count = |name| fields.unsigned(name).unwrap_or(0);
        FileCounts {
            in_progress: count("in_progress"),
            completed: count("completed"),
            failed: count("failed"),
            cancelled: count("cancelled"),
            total: count("total"),
        }
    }
}

impl StoreFile {
    /// None where `value` is not an object with an id.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        let last_error = fields.object("last_error").map(|error| LastError {
            code: error.text("code").unwrap_or_default(),
            message: error.text("message").unwrap_or_default(),
        });
        Some(StoreFile {
            id: FileId(fields.id("id")?),
            status: IndexStatus::from(fields.text("status").unwrap_or_default()),
            last_error,
            attributes: attributes::read(fields.get("attributes")),
            usage_bytes: fields.unsigned("usage_bytes"),
        })
    }
}

impl From<String> for IndexStatus {
    fn from(word: String) -> Self {
        match word.as_str() {
            "in_progress" => IndexStatus::InProgress,
            "completed" => IndexStatus::Completed,
            "failed" => IndexStatus::Failed,
            "cancelled" => IndexStatus::Cancelled,
            _ => IndexStatus::Unknown(word),
        }
    }
}

impl Hit {
    /// None where `value` is not an object with a file's id.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        let pieces = fields.list("content").unwrap_or_default().iter();
        let texts = pieces.filter_map(|piece| Fields::of(piece)?.text("text"));
        Some(Hit {
            file_id: FileId(fields.id("file_id")?),
            filename: fields.text("filename").unwrap_or_default(),
            score: fields.number("score").unwrap_or(0.0),
            attributes: attributes::read(fields.get("attributes")),
            text: texts.collect::<Vec<_>>().join("\n"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_attachment_is_read_with_codes_and_words_nobody_knows_yet() {
        let value = json!({"id": "file-1", "object": "vector_store.file", "status": "queued", "attributes": null,
            "last_error": {"code": 7, "message": "New."}, "chunking_strategy": {"type": "other"}});
        let file = StoreFile::read(&value).unwrap();
        assert_eq!(file.status, IndexStatus::Unknown("queued".into()));
        assert_eq!(file.last_error, Some(LastError { code: "7".into(), message: "New.".into() }));
        assert_eq!(file.attributes, Attributes::new());
    }

    #[test]
    fn a_finished_attachment_has_no_error() {
        let file =
            StoreFile::read(&json!({"id": "file-1", "status": "completed", "last_error": null})).unwrap();
        assert_eq!((file.status, file.last_error), (IndexStatus::Completed, None));
    }

    #[test]
    fn a_store_without_a_name_and_with_an_expiry_is_read() {
        let store =
            VectorStore::read(&json!({"id": "vs_1", "name": null, "metadata": {"docket": "1", "n": 2},
            "expires_after": {"anchor": "last_active_at", "days": 7}, "file_counts": {"total": "3"}}));
        let store = store.unwrap();
        assert_eq!(store.name, None);
        assert_eq!(store.expires_after.as_ref().unwrap()["days"], 7);
        assert_eq!(store.metadata, [("docket", "1"), ("n", "2")].map(|(k, v)| (k.into(), v.into())).into());
        assert_eq!(store.file_counts, FileCounts { total: 3, ..FileCounts::default() });
        assert_eq!(store.most_files(), MOST_FILES);
        let earlier = json!({"id": "vs_1", "created_at": 1_730_000_000});
        assert_eq!(VectorStore::read(&earlier).unwrap().most_files(), 10_000);
    }

    #[test]
    fn a_hit_joins_its_pieces() {
        let value = json!({"file_id": "file-1", "filename": "a.txt", "score": 0.5, "attributes": {"n": 64.0},
            "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]});
        let hit = Hit::read(&value).unwrap();
        assert_eq!((hit.text.as_str(), hit.score), ("a\nb", 0.5));
    }
}
