//! Writing a file into Fastio: an upload is opened, gets its bytes, and then becomes a file or a version.
//!
//! The steps are what keeps a person's edit safe. An upload that names its target overwrites whatever is there in
//! silence; one without a target is placed afterwards, and over a file only if that is still at the version we read.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::Stream;
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::value::{Fields, text};
use crate::http::{Failure, SMALL_CALL_LIMIT, upload};

use super::answer::{Answer, Opened};
use super::client::{Client, storage};
use super::{Error, ErrorKind, Node, NodeId, NodeKind, Profile, VersionId};

/// How long Fastio is asked to hold its answer while an upload is not done. The newest reference allows 60 s, which is
/// also our limit for a small call.
const LONGEST_WAIT: Duration = Duration::from_secs(45);

/// Pages of a folder looked through for a name: 100,000 nodes.
const MAX_PAGES: usize = 200;

/// What a folder, a file or a note stands under in an answer.
pub(super) const NAMES: [&str; 4] = ["node", "folder", "file", "note"];

/// The id of an upload. Opaque.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UploadId(pub String);

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far an upload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadState {
    /// Ask again.
    Underway,
    /// It can be placed.
    Stored,
    /// It never will be; Fastio's words, for a person. Upload again.
    Failed(String),
}

/// An upload session that is still open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    pub id: UploadId,
    pub name: String,
}

/// What a folder's list tells of a node.
pub(super) enum Listed {
    There(Box<Node>),
    /// The whole list was read.
    NotThere,
    /// It may be an entry that cannot be read.
    Unreadable,
}

impl Client {
    /// Opens an upload session called `name`, without a target, for `length` bytes. The session is worth nothing until it
    /// has its bytes and is placed.
    ///
    /// It takes its bytes in a second call, however few they are: one call for both would leave a finished session that no
    /// list shows when its reply is lost.
    ///
    /// # Errors
    /// [`super::ErrorKind::PaymentRequired`] also when the storage is full (inferred), and those of every call. When
    /// [`Error::may_have_happened`], [`Client::open_uploads`] shows whether there is one of that name.
    pub async fn open_upload(&self, name: &str, length: u64) -> Result<UploadId, Error> {
        const OPERATION: &str = "opening an upload";
        let length = length.to_string();
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let form = [("name", name.as_str()), ("stream", "true"), ("max_size", &length)];
        let request = self.request(OPERATION, Method::POST, &["upload"])?.form(&form);
        let opened = self.submit(OPERATION, request.timeout(SMALL_CALL_LIMIT)).await?;
        id(OPERATION, &opened)
    }

    /// Sends exactly `length` bytes as they come into a session.
    ///
    /// # Errors
    /// [`super::ErrorKind::Rejected`] when `content` breaks off or is not as long as announced, with its own words; and as
    /// [`Client::open_upload`]. A session whose bytes may have arrived cannot be sent them again: open another.
    pub async fn send_upload<S, E>(&self, upload: &UploadId, length: u64, content: S) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        const OPERATION: &str = "uploading a file";
        let (body, progress) = upload::measured(content, length);
        let request = self
            .request(OPERATION, Method::POST, &["upload", &upload.0, "stream"])?
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, length)
            .body(body)
            .timeout(upload::total_limit(length));
        let failed = |failure: Failure| Error::failed(OPERATION, failure);
        let reply = upload::send(request, (&progress, self.calls.begin(OPERATION))).await.map_err(failed)?;
        Answer::read(reply).accept(OPERATION)?;
        Ok(())
    }

    /// The sessions of the key's user that are still open, Docket's or not.
    ///
    /// The path is in Fastio's official client, without the answer's shape: a list under `sessions`, `uploads` or
    /// `results` is read (inferred). Whether a session that has its bytes is listed was not found.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn open_uploads(&self) -> Result<Vec<OpenUpload>, Error> {
        const OPERATION: &str = "listing uploads";
        let Opened { head, envelope, .. } = self.call(OPERATION, &["upload", "details"], &[]).await?;
        let named = ["sessions", "uploads", "results"].iter().find_map(|name| envelope.get(name));
        // What is read as none would leave a session of ours where it is.
        let list = match named {
            Some(Value::Array(list)) => list.as_slice(),
            Some(Value::Null) => &[],
            _ => return Err(Error::unreadable(OPERATION, &head, "no list of uploads")),
        };
        let read = |value: &Value| {
            let fields = Fields::of(value)?;
            let fields = fields.object("session").unwrap_or(fields);
            let name = ["name", "filename"].iter().find_map(|name| fields.text(name))?;
            Some(OpenUpload { id: UploadId(fields.id("id")?), name })
        };
        list.iter()
            .map(|session| {
                read(session)
                    .ok_or_else(|| Error::unreadable(OPERATION, &head, "an upload without id or name"))
            })
            .collect()
    }

    /// Ends one session. Open, its bytes are dropped; placed, its file stays (Fastio's official client).
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is none, and those of every call.
    pub async fn cancel_upload(&self, upload: &UploadId) -> Result<(), Error> {
        const OPERATION: &str = "ending an upload";
        let request = self.request(OPERATION, Method::DELETE, &["upload", &upload.0])?;
        match self.submit(OPERATION, request.timeout(SMALL_CALL_LIMIT)).await {
            Ok(_) => Ok(()),
            // Its official client takes these two codes for a session that is gone, whatever the status.
            Err(mut error) => {
                if error.code.as_deref().is_some_and(|code| ["10507", "10508"].contains(&code)) {
                    error.kind = ErrorKind::NotFound;
                }
                Err(error)
            }
        }
    }

    /// How far an upload without a target is. Fastio holds its answer up to `wait`, so this may be called in a loop.
    ///
    /// Old documents call `complete` put together but not stored, newer ones the end; `stored` is the end in both. Since
    /// there is no target, no new file's id can tell, and placing it is what shows: both are taken as the end, and
    /// [`Client::add_file`] or [`Client::add_version`] refuse an upload that is not there yet.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when Fastio has forgotten it, and those of every call.
    pub async fn upload_state(&self, upload: &UploadId, wait: Duration) -> Result<UploadState, Error> {
        const OPERATION: &str = "looking at an upload";
        let wait = wait.min(LONGEST_WAIT).as_secs().to_string();
        let path = ["upload", &upload.0, "details"];
        let Opened { head, envelope, .. } = self.call(OPERATION, &path, &[("wait", &wait)]).await?;
        let session = envelope.object("session").unwrap_or(envelope.root());
        let status = session.id("status").ok_or_else(|| Error::unreadable(OPERATION, &head, "no status"))?;
        Ok(match status.as_str() {
            "complete" | "stored" => UploadState::Stored,
            failed if failed.ends_with("_failed") || failed == "failed" => {
                let why = session.id("status_message").unwrap_or_default();
                UploadState::Failed(crate::http::reply::excerpt(&format!("{failed}: {why}")))
            }
            // A word that came after this was written counts as not done; the caller's patience ends it.
            _ => UploadState::Underway,
        })
    }

    /// Makes an upload a file called `name` in `folder`.
    ///
    /// Fastio overwrites a file of that name in silence, so look with [`Client::child`] before. A folder or link of that
    /// name makes it `name (2)`: the answer tells the name it got.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when the folder or the upload is gone; [`super::ErrorKind::Conflict`] when the upload was placed
    /// already (inferred); and those of every call. When [`Error::may_have_happened`], [`Client::child`] tells.
    pub async fn add_file(
        &self,
        profile: &Profile,
        folder: &NodeId,
        name: &str,
        upload: &UploadId,
    ) -> Result<Node, Error> {
        const OPERATION: &str = "adding a file";
        let path = storage(profile, &[folder.as_str(), "addfile"]);
        self.place(OPERATION, &path, &[("name", name), ("from", &from(upload))]).await
    }

    /// Makes an upload the new version of a file, if that is still at `read`, the version the caller last read. The file
    /// keeps its name, whatever the upload was called: the call has a field of its own for a name (inferred).
    ///
    /// # Errors
    /// [`super::ErrorKind::Stale`] when it is at another version; [`super::ErrorKind::NotFound`] when the file or the upload is gone;
    /// and those of every call. When [`Error::may_have_happened`], the node's version tells.
    pub async fn add_version(
        &self,
        profile: &Profile,
        node: &NodeId,
        read: &VersionId,
        upload: &UploadId,
    ) -> Result<Node, Error> {
        const OPERATION: &str = "writing a new version";
        let path = storage(profile, &[node.as_str(), "update"]);
        self.place(OPERATION, &path, &[("from", &from(upload)), ("if_version_id", &read.0)]).await
    }

    async fn place(
        &self,
        operation: &'static str,
        path: &[&str],
        form: &[(&str, &str)],
    ) -> Result<Node, Error> {
        self.change(operation, path, form, &["node", "file"]).await
    }

    /// Asks for a change of one node, and answers what it is then: it stands under one of `names`, or is the whole answer.
    pub(super) async fn change(
        &self,
        operation: &'static str,
        path: &[&str],
        form: &[(&str, &str)],
        names: &[&str],
    ) -> Result<Node, Error> {
        let request = self.request(operation, Method::POST, path)?.form(form).timeout(SMALL_CALL_LIMIT);
        let Opened { head, envelope, .. } = self.submit(operation, request).await?;
        let node = names.iter().find_map(|name| Node::read(envelope.get(name)?));
        node.or_else(|| envelope.whole().and_then(Node::read))
            .ok_or_else(|| Error::unreadable(operation, &head, "no node with an id"))
    }

    /// Puts a node into the trash, from which a person can take it back.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when it is gone, and those of every call.
    pub async fn trash(&self, profile: &Profile, node: &NodeId) -> Result<(), Error> {
        const OPERATION: &str = "putting a file into the trash";
        let request =
            self.request(OPERATION, Method::DELETE, &storage(profile, &[node.as_str(), "delete"]))?;
        self.submit(OPERATION, request.timeout(SMALL_CALL_LIMIT)).await.map(drop)
    }

    /// Puts a node into another folder of its workspace or share. What has its name there goes into the trash (Fastio's API reference).
    ///
    /// # Errors
    /// Those of every call. When [`Error::may_have_happened`], the node says where it is.
    pub async fn move_to(&self, profile: &Profile, node: &NodeId, folder: &NodeId) -> Result<Node, Error> {
        let form = [("parent", folder.as_str())];
        self.change("moving a node", &storage(profile, &[node.as_str(), "move"]), &form, &NAMES).await
    }

    /// What is called `name` in `folder`, if anything is: exactly so, in this case, and not in the trash.
    ///
    /// The folder is listed rather than searched: a search may lag behind, and a name missed here is a file overwritten.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when the folder is gone; [`super::ErrorKind::Unreadable`] also when the folder is larger than is
    /// looked through (100,000 nodes); and those of every call.
    pub async fn child(&self, profile: &Profile, folder: &NodeId, name: &str) -> Result<Option<Node>, Error> {
        const OPERATION: &str = "looking for a name";
        let is_it = |node: &Node| node.name == name && !node.trashed;
        match self.in_folder(profile, folder, is_it).await? {
            Listed::There(node) => Ok(Some(*node)),
            Listed::NotThere => Ok(None),
            Listed::Unreadable => {
                Err(Error::gave_up(OPERATION, "an entry of the folder's list cannot be read"))
            }
        }
    }

    /// The folder at a path such as `/Contracts/2026`; none where there is no such folder.
    ///
    /// # Errors
    /// As [`Client::child`], but for a workspace that is gone.
    pub async fn folder_at(&self, profile: &Profile, path: &str) -> Result<Option<NodeId>, Error> {
        let mut folder = NodeId::root();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            folder = match self.child(profile, &folder, name).await {
                Ok(Some(node)) if node.kind == NodeKind::Folder => node.id,
                Ok(_) => return Ok(None),
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        Ok(Some(folder))
    }

    /// The first node in a folder's list that `is_it`.
    pub(super) async fn in_folder(
        &self,
        profile: &Profile,
        folder: &NodeId,
        is_it: impl Fn(&Node) -> bool,
    ) -> Result<Listed, Error> {
        let (mut cursor, mut unreadable) = (None::<String>, 0);
        for _ in 0..MAX_PAGES {
            let page = self.list(profile, folder, cursor.as_deref()).await?;
            if let Some(node) = page.items.into_iter().find(&is_it) {
                return Ok(Listed::There(Box::new(node)));
            }
            unreadable += page.unreadable;
            match page.next {
                Some(next) => cursor = Some(next),
                None if unreadable > 0 => return Ok(Listed::Unreadable),
                None => return Ok(Listed::NotThere),
            }
        }
        Err(Error::gave_up("looking through a folder", "it is too large"))
    }
}

fn id(operation: &'static str, opened: &Opened) -> Result<UploadId, Error> {
    let nested = |name| opened.envelope.object(name).and_then(|fields| fields.id("id"));
    let plain = opened.envelope.get("id").and_then(text).filter(|id| !id.is_empty());
    let id = plain.or_else(|| nested("upload")).or_else(|| nested("session"));
    id.map(UploadId).ok_or_else(|| Error::unreadable(operation, &opened.head, "no id of the upload"))
}

fn from(upload: &UploadId) -> String {
    json!({"type": "upload", "upload": {"id": upload}}).to_string()
}
