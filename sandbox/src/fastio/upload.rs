//! Upload sessions: single call, stream and chunks all end in one content that is then placed in a tree.
//!
//! Contents arrive whole in memory up to [`MAX_FILE_BYTES`]; larger ones are refused as over the plan's limit.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384};

use crate::fastio::profile::Profile;

use super::content::{MAX_FILE_BYTES, Stored};
use super::id::{IdKind, canonical, shown};
use super::refusal::Refusal;
use super::world::{Actor, World};

/// The documented limit of an upload in one call.
pub const MAX_SINGLE_BYTES: usize = 4 * 1024 * 1024;

/// The documented least size of a chunk, but for the last.
pub const MIN_CHUNK_BYTES: usize = 1024 * 1024;

/// How many sessions are kept; the oldest go first.
const MAX_SESSIONS: usize = 10_000;

/// Where the content goes when the upload is complete.
#[derive(Debug, Clone)]
pub enum Target {
    /// Nowhere yet: `addfile/` or `update/` will take it.
    Later,
    /// Into a folder, given by its id.
    Into(Profile, String),
    /// Over a file, given by its id.
    Over(Profile, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Ready,
    Uploading,
    AssemblyFailed,
    StoreFailed,
    /// The documents disagree whether this or `stored` is the end; the newest say this.
    Complete,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ready => "ready",
            Status::Uploading => "uploading",
            Status::AssemblyFailed => "assembly_failed",
            Status::StoreFailed => "store_failed",
            Status::Complete => "complete",
        }
    }

    pub fn is_open(self) -> bool {
        matches!(self, Status::Ready | Status::Uploading)
    }
}

/// What a new session is told.
#[derive(Debug)]
pub struct Request {
    pub name: String,
    pub size: Option<u64>,
    pub target: Target,
    pub stream: bool,
    pub max_size: Option<u64>,
}

#[derive(Debug)]
pub struct Session {
    pub id: String,
    asked: Request,
    chunks: BTreeMap<u32, Bytes>,
    file_crc32c: Option<String>,
    pub status: Status,
    message: Option<String>,
    new_file: Option<String>,
    content: Option<Arc<Stored>>,
}

#[derive(Debug, Default)]
pub struct Uploads {
    sessions: HashMap<String, Session>,
    order: VecDeque<String>,
}

impl Uploads {
    pub fn open(&mut self, id: String, asked: Request) -> Result<(), Refusal> {
        if asked.size.is_some_and(|size| size > MAX_FILE_BYTES as u64) {
            return Err(Refusal::too_large(format!(
                "size: The plan takes files of at most {MAX_FILE_BYTES} bytes."
            )));
        }
        let session = Session {
            id: id.clone(),
            asked,
            chunks: BTreeMap::new(),
            file_crc32c: None,
            status: Status::Ready,
            message: None,
            new_file: None,
            content: None,
        };
        self.sessions.insert(id.clone(), session);
        self.order.push_back(id);
        if self.order.len() > MAX_SESSIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.sessions.remove(&oldest);
        }
        Ok(())
    }

    pub fn all(&self) -> impl Iterator<Item = &Session> {
        self.order.iter().filter_map(|id| self.sessions.get(id))
    }

    pub fn get(&self, id: &str) -> Result<&Session, Refusal> {
        self.sessions.get(&canonical(id)).ok_or_else(Refusal::no_upload)
    }

    fn get_mut(&mut self, id: &str) -> Result<&mut Session, Refusal> {
        self.sessions.get_mut(&canonical(id)).ok_or_else(Refusal::no_upload)
    }

    pub fn remove(&mut self, id: &str) -> Result<(), Refusal> {
        let id = self.get(id)?.id.clone();
        self.sessions.remove(&id);
        self.order.retain(|other| *other != id);
        Ok(())
    }

    /// Ends every session that is still open, and says how many there were.
    pub fn cancel_open(&mut self) -> usize {
        let before = self.sessions.len();
        self.sessions.retain(|_, session| !session.status.is_open());
        self.order.retain(|id| self.sessions.contains_key(id));
        before - self.sessions.len()
    }

    /// Takes a chunk back.
    pub fn remove_chunk(&mut self, id: &str, order: u32) -> Result<(), Refusal> {
        let removed = self.get_mut(id)?.chunks.remove(&order);
        removed.map(|_| ()).ok_or_else(|| Refusal::not_found("The chunk"))
    }

    /// Hands out the content of a finished session that has no target of its own.
    pub fn content(&self, id: &str) -> Result<(Arc<Stored>, String), Refusal> {
        let session = self.get(id)?;
        match (&session.content, &session.asked.target) {
            (Some(content), Target::Later) => Ok((Arc::clone(content), session.asked.name.clone())),
            (Some(_), _) => Err(Refusal::conflict(1660, "from: The upload has been placed already.")),
            (None, _) => Err(Refusal::input("from: The upload is not complete.")),
        }
    }
}

impl Session {
    pub fn is_stream(&self) -> bool {
        self.asked.stream
    }

    /// The node that it made or changed.
    pub fn new_file(&self) -> Option<&str> {
        self.new_file.as_deref()
    }

    /// As `details/` shows it.
    pub fn shown(&self) -> Value {
        json!({
            "id": shown(&self.id),
            "name": self.asked.name,
            "size": self.asked.size,
            "status": self.status.as_str(),
            "status_message": self.message,
            "new_file_id": self.new_file.as_deref().map(shown),
            "chunks": self.chunks.iter().map(|(order, bytes)| (order.to_string(), bytes.len().into()))
                .collect::<serde_json::Map<String, Value>>(),
        })
    }

    pub fn chunk(&mut self, order: u32, bytes: Bytes, file_crc32c: Option<String>) -> Result<(), Refusal> {
        if !self.status.is_open() || self.asked.stream {
            return Err(Refusal::input("The upload session is not in a valid state."));
        }
        let others = self.chunks.iter().filter(|(known, _)| **known != order).map(|(_, bytes)| bytes.len());
        let total = others.sum::<usize>() + bytes.len();
        if self.asked.size.is_some_and(|size| total as u64 > size) {
            return Err(size_mismatch());
        }
        if total > MAX_FILE_BYTES {
            return Err(Refusal::too_large("The upload is larger than the plan allows."));
        }
        if let Some(crc) = file_crc32c {
            if self.file_crc32c.as_ref().is_some_and(|known| *known != crc) {
                let text = "A different whole-file CRC-32C is already set for this upload session.";
                return Err(Refusal::conflict(10_779, text));
            }
            self.file_crc32c = Some(crc);
        }
        self.chunks.insert(order, bytes);
        self.status = Status::Uploading;
        Ok(())
    }

    fn fail(&mut self, status: Status, refusal: Refusal) -> Refusal {
        self.status = status;
        self.message = Some(refusal.text.clone());
        self.chunks.clear();
        refusal
    }

    /// Puts the chunks together, or takes `bytes` for the whole.
    fn assemble(&mut self, bytes: Option<Bytes>) -> Result<Arc<Stored>, Refusal> {
        if !self.status.is_open() {
            return Err(Refusal::input("The upload session is not in a valid state."));
        }
        let whole = match bytes {
            Some(bytes) => bytes,
            None => self.join()?,
        };
        if self.asked.size.is_some_and(|size| size != whole.len() as u64) {
            return Err(self.fail(Status::AssemblyFailed, size_mismatch()));
        }
        if self.asked.max_size.is_some_and(|most| whole.len() as u64 > most) {
            return Err(
                self.fail(Status::AssemblyFailed, Refusal::too_large("The stream is larger than max_size."))
            );
        }
        let content = Arc::new(Stored::kept(whole));
        if self.file_crc32c.as_ref().is_some_and(|crc| *crc != content.crc32c()) {
            return Err(self.fail(Status::AssemblyFailed, crc_mismatch()));
        }
        self.chunks.clear();
        self.content = Some(Arc::clone(&content));
        Ok(content)
    }

    fn join(&mut self) -> Result<Bytes, Refusal> {
        if self.chunks.is_empty() || self.chunks.keys().copied().ne(1..=self.chunks.len() as u32) {
            return Err(Refusal::input("A chunk of the upload is missing."));
        }
        let last = self.chunks.len() as u32;
        if self.chunks.iter().any(|(order, bytes)| *order != last && bytes.len() < MIN_CHUNK_BYTES) {
            return Err(self.fail(Status::AssemblyFailed, Refusal::input("A chunk is smaller than 1 MB.")));
        }
        let mut whole = BytesMut::new();
        self.chunks.values().for_each(|chunk| whole.extend_from_slice(chunk));
        Ok(whole.freeze())
    }
}

impl World {
    /// Opens a session and gives its id.
    pub fn open_upload(&mut self, asked: Request) -> Result<String, Refusal> {
        if let Target::Into(profile, folder) = &asked.target {
            self.ensure(profile)?;
            self.folder(profile, folder)?;
        }
        if let Target::Over(profile, file) = &asked.target {
            self.live(profile, file)?;
        }
        let id = self.ids.make(IdKind::Upload);
        self.uploads.open(id.clone(), asked)?;
        Ok(id)
    }

    pub fn upload_chunk(
        &mut self,
        id: &str,
        chunk: (u32, Bytes),
        file_crc32c: Option<String>,
    ) -> Result<(), Refusal> {
        self.uploads.get_mut(id)?.chunk(chunk.0, chunk.1, file_crc32c)
    }

    /// Ends a session: with `bytes` for a single call or a stream, without for chunks.
    pub fn finish_upload(&mut self, id: &str, bytes: Option<Bytes>, by: &Actor) -> Result<(), Refusal> {
        let session = self.uploads.get_mut(id)?;
        let content = session.assemble(bytes)?;
        let (target, name) = (session.asked.target.clone(), session.asked.name.clone());
        let placed = match target {
            Target::Later => Ok(None),
            Target::Into(profile, folder) => self.folder(&profile, &folder).and_then(|folder| {
                let key = self.put_file(&profile, (folder, &name), content, by)?;
                Ok(Some((profile, key)))
            }),
            Target::Over(profile, file) => self.live(&profile, &file).and_then(|key| {
                self.put_version(&profile, key, content, by)?;
                Ok(Some((profile, key)))
            }),
        };
        let node = placed.and_then(|placed| match placed {
            Some((profile, key)) => Ok(self.tree(&profile)?.node(key).map(|node| node.id.clone())),
            None => Ok(None),
        });
        let session = self.uploads.get_mut(id)?;
        match node {
            Ok(node) => {
                session.status = Status::Complete;
                session.new_file = node;
                Ok(())
            }
            Err(refusal) => Err(session.fail(Status::StoreFailed, refusal)),
        }
    }
}

pub fn size_mismatch() -> Refusal {
    Refusal::input_code(10_522, "The size of the upload does not match the size that was announced.")
}

fn crc_mismatch() -> Refusal {
    let text = "The uploaded file did not match its whole-file CRC-32C, so it was not saved. Upload the file again in a new session.";
    Refusal::input_code(10_778, text)
}

/// Checks bytes against a hash that was sent with them.
pub fn check_hash(bytes: &[u8], algorithm: Option<&str>, expected: Option<&str>) -> Result<(), Refusal> {
    let Some(expected) = expected else { return Ok(()) };
    let actual = match algorithm.unwrap_or("crc32c") {
        "crc32c" => format!("{:08x}", crc32c::crc32c(bytes)),
        "md5" => hex::encode(md5::Md5::digest(bytes)),
        "sha1" => hex::encode(Sha1::digest(bytes)),
        "sha256" => hex::encode(Sha256::digest(bytes)),
        "sha384" => hex::encode(Sha384::digest(bytes)),
        _ => return Err(Refusal::input("hash_algo: This is not a known algorithm.")),
    };
    if actual.eq_ignore_ascii_case(expected) { Ok(()) } else { Err(crc_mismatch()) }
}
