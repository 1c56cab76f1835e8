//! Imports by address: Fastio fetches what is at a public URL itself, and no byte of it comes through here.
//!
//! The paths, the form and the words of the status are in Fastio's official client (its notes of August 2026). Where in an answer an
//! import stands, and what else is said of it, was not found: it is read under `web_upload`, `upload` or at the root, and a list
//! under `web_uploads`, `uploads`, `items` or `results` (all inferred).

use reqwest::Method;
use serde_json::Value;

use crate::http::SMALL_CALL_LIMIT;
use crate::http::value::Fields;

use super::answer::Opened;
use super::client::Client;
use super::envelope::Envelope;
use super::{Error, NodeId, Profile, UploadId};

/// Rows of one page of the list, and pages that are looked through: an import that is looked for is among the newest.
const PER_PAGE: usize = 100;
const MOST_PAGES: usize = 10;

/// How far an import is, in Fastio's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebUploadStatus {
    Pending,
    Queued,
    Downloading,
    Uploading,
    /// The end, if the file is there: an import may fail and say this (Fastio's reference).
    Complete,
    Failed,
    Canceled,
}

impl WebUploadStatus {
    pub const ALL: [(WebUploadStatus, &'static str); 7] = [
        (WebUploadStatus::Pending, "pending"),
        (WebUploadStatus::Queued, "queued"),
        (WebUploadStatus::Downloading, "downloading"),
        (WebUploadStatus::Uploading, "uploading"),
        (WebUploadStatus::Complete, "complete"),
        (WebUploadStatus::Failed, "failed"),
        (WebUploadStatus::Canceled, "canceled"),
    ];

    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(status, _)| *status == self).expect("all are there").1
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(status, _)| *status)
    }
}

/// An import as Fastio shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebUpload {
    pub id: UploadId,
    /// None for a word that came after this was written: it goes on.
    pub status: Option<WebUploadStatus>,
    /// What is fetched, where Fastio says so.
    pub url: Option<String>,
    /// What the file is to be called.
    pub name: Option<String>,
    /// The file, where Fastio says which.
    pub node: Option<NodeId>,
    /// Why it failed, in Fastio's words.
    pub message: Option<String>,
}

impl Client {
    /// Has Fastio fetch `url` into `folder` as `name`. A file of that name gets a new version, in silence.
    ///
    /// # Errors
    /// [`super::ErrorKind::Rejected`] for an address that Fastio does not fetch, and those of every call. When
    /// [`Error::may_have_happened`], [`Client::web_uploads`] shows whether it was begun.
    pub async fn web_upload(
        &self,
        profile: &Profile,
        folder: &NodeId,
        (url, name): (&str, &str),
    ) -> Result<WebUpload, Error> {
        const OPERATION: &str = "having an address imported";
        let form = [
            ("source_url", url),
            ("profile_id", &profile.id),
            ("profile_type", profile.kind.as_str()),
            ("folder_id", folder.as_str()),
            ("file_name", name),
        ];
        let request = self.request(OPERATION, Method::POST, &["web_upload"])?.form(&form);
        let opened = self.submit(OPERATION, request.timeout(SMALL_CALL_LIMIT)).await?;
        one(OPERATION, &opened)
    }

    /// How far an import is.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when Fastio has forgotten it, and those of every call.
    pub async fn web_upload_details(&self, id: &UploadId) -> Result<WebUpload, Error> {
        const OPERATION: &str = "looking at an import";
        let opened = self.call(OPERATION, &["web_upload", &id.0, "details"], &[]).await?;
        one(OPERATION, &opened)
    }

    /// The imports of the key's user, as far as they are looked through. In which order Fastio lists them was not found.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn web_uploads(&self) -> Result<Vec<WebUpload>, Error> {
        const OPERATION: &str = "listing imports";
        let (mut all, limit) = (Vec::new(), PER_PAGE.to_string());
        for page in 0..MOST_PAGES {
            let offset = (page * PER_PAGE).to_string();
            let query = [("limit", limit.as_str()), ("offset", &offset)];
            let Opened { head, envelope, .. } = self.call(OPERATION, &["web_upload"], &query).await?;
            let unreadable = |what| Error::unreadable(OPERATION, &head, what);
            let rows = rows(&envelope).ok_or_else(|| unreadable("no list of imports"))?;
            // One that cannot be read may be the one that is looked for.
            let read = rows.iter().map(read).collect::<Option<Vec<_>>>();
            all.extend(read.ok_or_else(|| unreadable("an import without an id"))?);
            if rows.len() < PER_PAGE {
                break;
            }
        }
        Ok(all)
    }
}

fn one(operation: &'static str, opened: &Opened) -> Result<WebUpload, Error> {
    let Opened { head, envelope, .. } = opened;
    let found = ["web_upload", "upload"].iter().find_map(|name| read(envelope.get(name)?));
    let found = found.or_else(|| envelope.whole().and_then(read));
    found.ok_or_else(|| Error::unreadable(operation, head, "no id of the import"))
}

fn rows(envelope: &Envelope) -> Option<&[Value]> {
    ["web_uploads", "uploads", "items", "results"].iter().find_map(|name| envelope.list(name))
}

fn read(value: &Value) -> Option<WebUpload> {
    let fields = Fields::of(value)?;
    let first = |names: &[&str]| names.iter().find_map(|name| fields.id(name));
    Some(WebUpload {
        id: UploadId(first(&["id", "upload_id", "web_upload_id"])?),
        status: fields.text("status").and_then(|word| WebUploadStatus::parse(&word.to_ascii_lowercase())),
        url: first(&["source_url", "url"]),
        name: first(&["file_name", "name"]),
        node: first(&["new_file_id", "node_id", "file_id"]).map(NodeId::new),
        message: first(&["status_message", "error_message", "message"]),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_import_is_read_in_every_form_and_an_unknown_word_goes_on() {
        let whole =
            read(&json!({"id": 7, "status": "Downloading", "source_url": "https://a/b", "file_name": "b"}));
        let whole = whole.unwrap();
        assert_eq!((whole.id.0.as_str(), whole.status), ("7", Some(WebUploadStatus::Downloading)));
        assert_eq!((whole.url.as_deref(), whole.node), (Some("https://a/b"), None));
        let other = read(&json!({"upload_id": "u", "status": "thinking", "node_id": "2a"})).unwrap();
        assert_eq!((other.status, other.node), (None, Some(NodeId::new("2a"))));
        assert_eq!(read(&json!({"status": "complete"})), None);
    }
}
