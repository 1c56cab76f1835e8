//! A file in a vector store: how it is attached, and what indexing it comes to. It takes the time that
//! [`super::super::Options::index_delay`] says; faults make it stick or fail.

use serde_json::{Map, Value, json};

use super::super::content::Content;
use super::super::faults::FaultKind;
use super::super::journal::Trace;
use super::chunking::Chunking;
use super::error::ApiError;
use super::history::Interval;
use super::kinds;
use super::shelf::Shelf;
use super::state::{State, World, seconds};
use super::store::find;
use super::text::{self, Failure};

/// One file in one store.
#[derive(Debug)]
pub struct StoreFile {
    pub file_id: String,
    pub filename: String,
    pub attributes: Option<Map<String, Value>>,
    pub content: Content,
    /// How indexing ends: with how many bytes of text, or why not.
    ending: Result<u64, Failure>,
    pub chunking: Chunking,
    pub attached_ms: i64,
    /// None while it is stuck.
    pub ready_ms: Option<i64>,
    pub cancelled: bool,
    pub batch: Option<String>,
    /// It was deleted, although a fault lets it linger.
    pub deleted: bool,
}

/// What an attach asks for.
#[derive(Debug, Clone)]
pub struct Attach {
    pub file_id: String,
    pub attributes: Option<Map<String, Value>>,
    pub chunking: Chunking,
    pub batch: Option<String>,
}

impl StoreFile {
    /// A file that is indexed.
    pub fn indexed(
        (file_id, filename): (&str, &str),
        attributes: Map<String, Value>,
        content: Content,
        now: i64,
    ) -> StoreFile {
        StoreFile {
            file_id: file_id.to_owned(),
            filename: filename.to_owned(),
            attributes: Some(attributes),
            ending: text_bytes(filename, &content),
            content,
            chunking: Chunking::default(),
            attached_ms: now,
            ready_ms: Some(now),
            cancelled: false,
            batch: None,
            deleted: false,
        }
    }

    pub fn status(&self, now: i64) -> &'static str {
        match &self.ending {
            _ if self.cancelled => "cancelled",
            _ if self.ready_ms.is_none_or(|ready| now < ready) => "in_progress",
            Ok(_) => "completed",
            Err(_) => "failed",
        }
    }

    pub fn usage_bytes(&self, now: i64) -> u64 {
        // What the index takes, not what the file has (OpenAI's OpenAPI document): nothing without text. How much it is with
        // text is not documented, and is taken as that.
        match self.ending {
            Ok(bytes) if self.status(now) == "completed" => bytes,
            _ => 0,
        }
    }

    pub fn show(&self, store: &str, now: i64) -> Value {
        let status = self.status(now);
        let failure = self.ending.as_ref().err().filter(|_| status == "failed");
        json!({
            "id": self.file_id, "object": "vector_store.file", "usage_bytes": self.usage_bytes(now),
            "created_at": seconds(self.attached_ms), "vector_store_id": store, "status": status,
            "last_error": failure.map(|failure| json!({"code": failure.code, "message": failure.message})),
            "chunking_strategy": self.chunking.show(),
            "attributes": self.attributes.clone().unwrap_or_default(),
        })
    }

    /// With what only the sandbox knows.
    pub fn inspect(&self, store: &str, now: i64) -> Value {
        let mut shown = self.show(store, now);
        shown["filename"] = json!(self.filename);
        shown["bytes"] = json!(self.content.size);
        shown["sha256"] = json!(self.content.sha256);
        shown["chunks"] =
            json!(if self.status(now) == "completed" { self.chunking.cut(&self.text()).len() } else { 0 });
        shown["deleted"] = json!(self.deleted);
        shown
    }

    /// When it could be found, if it ends at `until`.
    pub fn interval(&self, store: &str, until: i64) -> Interval {
        let found = self.ending.is_ok() && !self.cancelled;
        Interval {
            vector_store_id: store.to_owned(),
            file_id: self.file_id.clone(),
            filename: self.filename.clone(),
            attributes: json!(self.attributes),
            attached_ms: self.attached_ms,
            from_ms: self.ready_ms.filter(|ready| found && *ready <= until),
            until_ms: Some(until),
        }
    }

    /// The text that was indexed; nothing of a failed file.
    pub fn text(&self) -> String {
        text::read(&self.filename, &self.content).unwrap_or_default()
    }
}

impl State {
    /// Puts a file into a store and starts to index it. A file that is already there stays as it is: what the real service
    /// does is not documented.
    pub fn attach(
        &self,
        world: &mut World,
        now: i64,
        store: &str,
        attach: Attach,
        trace: &Trace,
    ) -> Result<Value, ApiError> {
        let file = world.file(&attach.file_id, now).ok_or_else(|| ApiError::no_file(&attach.file_id))?;
        if !kinds::supported(&file.filename) && attach.batch.is_none() {
            let message = kinds::unsupported(&file.filename);
            return Err(ApiError::invalid("file_id", message).code("unsupported_file"));
        }
        let (filename, content) = (file.filename.clone(), file.content.clone());
        let entries = &find(world, store)?.files;
        if let Some(entry) = entries.get(&attach.file_id).filter(|entry| !entry.deleted) {
            return Ok(entry.show(store, now));
        }
        if store_is_full(entries, 1, self.limits.store_files) {
            return Err(ApiError::store_full(store, self.limits.store_files));
        }
        let delay = match trace.hit(FaultKind::StuckInProgress) {
            Some(hit) => hit.details.delay_ms.map(|delay| i64::try_from(delay).unwrap_or(i64::MAX)),
            None => Some(self.index_delay_ms),
        };
        let entry = StoreFile {
            ending: ending((&filename, &content), self.limits.file_tokens, trace),
            file_id: attach.file_id.clone(),
            filename,
            attributes: attach.attributes,
            content,
            chunking: attach.chunking,
            attached_ms: now,
            ready_ms: delay.map(|delay| now.saturating_add(delay)),
            cancelled: false,
            batch: attach.batch,
            deleted: false,
        };
        // The reply says so even when indexing takes no time: a client must look again.
        let mut shown = entry.show(store, now.min(entry.attached_ms) - 1);
        shown["status"] = "in_progress".into();
        world.detach(store, &attach.file_id, now);
        world.spare(store, &attach.file_id);
        let store = find(world, store)?;
        store.files.put(&attach.file_id, entry);
        store.last_active_ms = now;
        Ok(shown)
    }
}

/// Whether so many more files are too many for a store.
pub fn store_is_full(entries: &Shelf<StoreFile>, more: u64, most: u64) -> bool {
    entries.iter().filter(|entry| !entry.deleted).count() as u64 + more > most
}

/// How much text is read out of a file. Of a large one only the opening is held, and the rest is taken to be like it.
fn text_bytes(filename: &str, content: &Content) -> Result<u64, Failure> {
    let text = text::read(filename, content)?;
    let is_all = content.bytes().is_some() || text.is_empty();
    Ok(if is_all { text.len() as u64 } else { content.size })
}

/// About as many bytes are a token of English (OpenAI's guide on tokens: four letters).
const TOKEN_BYTES: u64 = 4;

/// How indexing will end. The messages are those that users report.
fn ending((filename, content): (&str, &Content), tokens: u64, trace: &Trace) -> Result<u64, Failure> {
    if !kinds::supported(filename) {
        let code = "unsupported_file".to_owned();
        return Err(Failure { code, message: "The file type is not supported.".to_owned() });
    }
    let Some(hit) = trace.hit(FaultKind::IndexFailure) else {
        let text = text_bytes(filename, content)?;
        if text / TOKEN_BYTES <= tokens {
            return Ok(text);
        }
        let message = "The file could not be parsed because it is too large.".to_owned();
        return Err(Failure { code: "invalid_file".to_owned(), message });
    };
    let code = hit.details.code.unwrap_or_else(|| "server_error".to_owned());
    let message = hit.details.message.unwrap_or_else(|| {
        let message = match code.as_str() {
            "unsupported_file" => "The file type is not supported.",
            "invalid_file" => "The file could not be parsed because it is too large.",
            _ => "An internal error occurred.",
        };
        message.to_owned()
    });
    Err(Failure { code, message })
}
