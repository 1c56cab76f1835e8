//! Containers that code runs in, what is put into them, and the files that code made there. They must be fetched at once: a container dies 20 minutes after it was last used.
//!
//! The calls are in OpenAI's API reference and official libraries.

use std::fmt;

use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream, StreamExt};
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, HeaderValue};
use reqwest::multipart::Form;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::reply;
use crate::http::value::Fields;
use crate::http::{Failure, Phase, SMALL_CALL_LIMIT};

use super::client::{Call, Client, Extra, Sent};
use super::file::Page;
use super::{Error, ErrorKind, NewFile};

/// Files asked for at once: the most the API reference allows.
const FILES_PER_PAGE: &str = "100";

/// How long a container lives that nothing is done in. The most that OpenAI's guide on code interpreter names.
const IDLE_MINUTES: u8 = 20;

/// The id of a container, such as `cntr_abc123`. Opaque.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContainerId(pub String);

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerFile {
    pub id: String,
    /// Such as `/mnt/data/chart.csv`; empty where none is sent.
    pub path: String,
    pub bytes: Option<u64>,
    /// `assistant` for what code made, `user` for what was put in.
    pub source: Option<String>,
}

impl ContainerFile {
    fn read(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        Some(ContainerFile {
            id: fields.id("id")?,
            path: fields.text("path").unwrap_or_default(),
            bytes: fields.unsigned("bytes"),
            source: fields.id("source"),
        })
    }

    /// The last part of its path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// A file's content on its way.
pub struct Download {
    /// How many bytes OpenAI announced, if it did.
    pub length: Option<u64>,
    /// The bytes. Ends with an error when more come than were allowed, fewer than announced, or nothing for
    /// [`crate::http::SILENCE_LIMIT`].
    pub body: BoxStream<'static, Result<Bytes, Error>>,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("length", &self.length).finish_non_exhaustive()
    }
}

/// A 404 for a container, in any words and from any server: no document words it, containers are gone after twenty minutes,
/// and nothing is removed because of it.
fn gone(mut error: Error) -> Error {
    if error.status == Some(404) {
        error.kind = ErrorKind::NotFound;
    }
    error
}

impl Client {
    /// Makes a container without a network. It ends by itself [`IDLE_MINUTES`] after it was last used, so that one whose
    /// creation was not answered is nothing that stays.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn create_container(&self, name: &str) -> Result<ContainerId, Error> {
        let body = json!({
            "name": name, "expires_after": {"anchor": "last_active_at", "minutes": IDLE_MINUTES},
            "network_policy": {"type": "disabled"},
        });
        let answer =
            self.call("making a container", Method::POST, &["containers"], Extra::Json(&body)).await?;
        answer.required(|value| Some(ContainerId(Fields::of(value)?.id("id")?)))
    }

    /// Puts a file into a container. The bytes are streamed; memory holds one piece of them.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the container is gone, [`ErrorKind::Content`] when `content` breaks off or is not as long as
    /// announced; and those of every call.
    pub async fn fill_container<S, E>(
        &self,
        container: &ContainerId,
        file: NewFile<'_>,
        content: S,
    ) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let path = ["containers", &container.0, "files"];
        self.put("putting a file into a container", (&path, Form::new()), file, content)
            .await
            .map(drop)
            .map_err(gone)
    }

    /// Deletes a container with the files in it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it is gone, and those of every call.
    pub async fn delete_container(&self, container: &ContainerId) -> Result<(), Error> {
        let path = ["containers", &container.0];
        let deleted = self.call("deleting a container", Method::DELETE, &path, Extra::None).await;
        deleted.map(drop).map_err(gone)
    }

    /// The files in a container. `after` is a page's [`Page::next`].
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the container is gone, and those of every call.
    pub async fn container_files(
        &self,
        container: &ContainerId,
        after: Option<&str>,
    ) -> Result<Page<ContainerFile, String>, Error> {
        let mut query = vec![("order", "asc"), ("limit", FILES_PER_PAGE)];
        query.extend(after.map(|id| ("after", id)));
        let path = ["containers", &container.0, "files"];
        let answer = self.call("listing a container", Method::GET, &path, Extra::Query(&query)).await;
        let answer = answer.map_err(gone)?;
        let after = after.map(str::to_owned);
        answer
            .page(|fields| Page::read(fields, after.as_ref(), ContainerFile::read, |file| &file.id)?.whole())
    }

    /// The content of a file in a container, of at most `max_bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when file or container are gone, [`ErrorKind::TooLarge`] when it is larger, here or in the
    /// stream; and those of every call.
    pub async fn container_file(
        &self,
        container: &ContainerId,
        file: &str,
        max_bytes: u64,
    ) -> Result<Download, Error> {
        let path = ["containers", &container.0, "files", file, "content"];
        self.download("downloading a file from a container", &path, max_bytes).await.map_err(gone)
    }

    /// A content of at most `max_bytes`.
    pub(super) async fn download(
        &self,
        operation: &'static str,
        path: &[&str],
        max_bytes: u64,
    ) -> Result<Download, Error> {
        let Call { request, sent: Sent { id, path: asked, .. }, timed } =
            self.request(operation, Method::GET, path).await?;
        let request = request.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let failed = |failure| Error::failed(operation, failure).sent_as(id.clone());
        let begun = reply::open(request, timed).await.map_err(failed)?;
        let head = begun.head();
        if !head.status.is_success() {
            let read = tokio::time::timeout(SMALL_CALL_LIMIT, reply::read(begun)).await;
            let late =
                || Failure::transport(Phase::ResponseStarted, "the refusal did not end in time".into());
            let refusal = read.map_err(|_| failed(late()))?.map_err(failed)?;
            return Err(Error::refused(operation, &refusal, &asked).sent_as(id));
        }
        let length = begun.content_length();
        let too_large = move || {
            let what = format!("the file is larger than the {max_bytes} bytes that are taken");
            Error::answered(operation, ErrorKind::TooLarge, &head, &what).sent_as(id.clone())
        };
        if length.is_some_and(|length| length > max_bytes) {
            return Err(too_large());
        }
        let mut taken = 0_u64;
        let body = reply::pieces(begun).map(move |piece| {
            let piece = piece.map_err(|failure| Error::failed(operation, failure))?;
            taken = taken.saturating_add(piece.len() as u64);
            if taken > max_bytes { Err(too_large()) } else { Ok(piece) }
        });
        Ok(Download { length, body: body.boxed() })
    }
}
