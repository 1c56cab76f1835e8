//! The calls about File objects.

use bytes::Bytes;
use futures_util::stream::Stream;
use reqwest::Method;
use reqwest::multipart::{Form, Part};

use crate::http::reply::Failure;
use crate::http::upload;

use super::client::{Answer, Client, Deletion, Extra, UPLOADING};
use super::{Error, File, FileId, NewFile, Page};

/// What a file is for. `assistants` is what OpenAI's guide on file search and its libraries use with vector stores.
const PURPOSE: &str = "assistants";

/// Files asked for at once, of at most 10,000 (OpenAI's OpenAPI document): a quarter of a megabyte, and a listing that
/// looks for one recent file seldom needs a second page.
const FILES_PER_PAGE: &str = "1000";

const OCTETS: &str = "application/octet-stream";

impl Client {
    /// Uploads `content` as a new File object with the purpose `assistants`. The bytes are streamed; memory holds one
    /// piece of them.
    ///
    /// There is no idempotency key: when [`Error::may_have_happened`] the file may exist, and is found by its name in
    /// [`Client::files`].
    ///
    /// # Errors
    /// [`super::ErrorKind::Content`] when `content` breaks off or is not as long as announced, with its own words; and
    /// those of every call.
    pub async fn upload<S, E>(&self, file: NewFile<'_>, content: S) -> Result<File, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let answer =
            self.put(UPLOADING, (&["files"], Form::new().text("purpose", PURPOSE)), file, content).await?;
        answer.required(File::read)
    }

    /// Sends `content` as the file of a form.
    pub(super) async fn put<S, E>(
        &self,
        operation: &'static str,
        (path, form): (&[&str], Form),
        file: NewFile<'_>,
        content: S,
    ) -> Result<Answer, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let (body, progress) = upload::measured(content, file.length);
        // reqwest would put a line break in a name into the part's header as it is.
        let filename: String = file.filename.chars().filter(|c| !c.is_control()).collect();
        let mime_type = Some(file.mime_type).filter(|text| Part::text("").mime_str(text).is_ok());
        let part = Part::stream_with_length(body, file.length).file_name(filename);
        let part = part.mime_str(mime_type.unwrap_or(OCTETS));
        let part = part.map_err(|error| Error::failed(operation, Failure::sending(error)))?;

        let call = self.request(operation, Method::POST, path).await?;
        let request =
            call.request.multipart(form.part("file", part)).timeout(upload::total_limit(file.length));
        let reply = upload::send(request, (&progress, call.timed)).await;
        self.accept(operation, reply, call.sent)
    }

    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is no such file, and those of every call.
    pub async fn file(&self, id: &FileId) -> Result<File, Error> {
        self.call("reading a file", Method::GET, &["files", &id.0], Extra::None).await?.required(File::read)
    }

    /// Our kind of files (purpose `assistants`) of the whole project, newest first. `after` is a page's [`Page::next`].
    ///
    /// # Errors
    /// [`super::ErrorKind::Unreadable`] also when the listing cannot go on; and those of every call.
    pub async fn files(&self, after: Option<&FileId>) -> Result<Page<File, FileId>, Error> {
        let mut query = vec![("purpose", PURPOSE), ("order", "desc"), ("limit", FILES_PER_PAGE)];
        query.extend(after.map(|id| ("after", id.0.as_str())));
        let answer = self.call("listing files", Method::GET, &["files"], Extra::Query(&query)).await?;
        answer.page(|fields| Page::read(fields, after, File::read, |file| &file.id))
    }

    /// Deletes the File object. Its attachments must be gone before: against the OpenAPI document, stores were seen to
    /// keep listing a deleted file.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when it is gone already, [`super::ErrorKind::StillProcessing`] too soon after
    /// upload, and those of every call.
    pub async fn delete_file(&self, id: &FileId) -> Result<Deletion, Error> {
        self.call("deleting a file", Method::DELETE, &["files", &id.0], Extra::None).await?.deleted()
    }
}
