//! The calls we make to OpenAI. Each is one attempt; the queue decides about another.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::Stream;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use crate::http::reply::{Failure, Head, Reply, Room, exchange};
use crate::http::value::Fields;
use crate::http::wait::milliseconds;
use crate::http::{AnswerCounter, Base, PlainAnswer, SMALL_CALL_LIMIT, Unusable, upload};
use crate::request_id;

use super::connections::Connections;
use super::error;
use super::{
    Attributes, Error, File, FileId, Hit, NewFile, Page, Polled, StoreFile, VectorStore, VectorStoreId,
};

/// What a file is for. `assistants` is what OpenAI's guide on file search and its libraries use with vector stores.
const PURPOSE: &str = "assistants";

/// Files asked for at once, of at most 10,000 (OpenAI's OpenAPI document): a quarter of a megabyte, and a listing that
/// looks for one recent file seldom needs a second page.
const FILES_PER_PAGE: &str = "1000";

/// What two calls are for whose refusals may be about a file's content.
pub const UPLOADING: &str = "uploading a file";
pub const ATTACHING: &str = "attaching a file";

/// What the calls are for that begin a run.
pub const CONVERSING: &str = "creating a conversation";
pub const THREADING: &str = "creating a thread";
pub const STARTING: &str = "starting a run";

/// What a plain question is for.
const PLAIN_QUESTION: &str = "asking";

/// Vector stores asked for at once: the most the OpenAPI document allows.
const STORES_PER_PAGE: &str = "100";

/// OpenAI, or a server compatible with it, with one key. Cheap to clone; the clones share their connections.
#[derive(Clone)]
pub struct Client {
    connections: Connections,
    base: Base,
    /// Key, organization and project; the key is marked sensitive.
    headers: HeaderMap,
    answers: AnswerCounter,
}

/// How the request to delete something was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// OpenAI says that it deleted it.
    Said,
    /// A success that says nothing of it. Whether it is gone, a list tells.
    Unsaid,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("openai::Client").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Client {
    /// `base_url` is `https://api.openai.com/v1`, a regional host or a stand-in, with or without a slash at its end.
    /// `organization` and `project` are needed only by keys that belong to several.
    ///
    /// # Errors
    /// [`super::ErrorKind::Rejected`] for a base URL, key or name that cannot be used, or when TLS cannot be set up.
    pub fn new(
        base_url: &Url,
        api_key: SecretString,
        organization: Option<&str>,
        project: Option<&str>,
    ) -> Result<Self, Error> {
        const OPERATION: &str = "setting up";
        let unusable = |error| Error::unusable(OPERATION, error);
        let base = Base::new(base_url).map_err(unusable)?;
        let failed = |failure| Error::failed(OPERATION, failure);
        let connections = Connections::new(&base).map_err(failed)?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, crate::http::bearer(&api_key).map_err(failed)?);
        for (name, value) in [("openai-organization", organization), ("openai-project", project)] {
            let Some(value) = value else { continue };
            let value = HeaderValue::from_str(value).map_err(|_| unusable(Unusable::Header))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(Client { connections, base, headers, answers: AnswerCounter::default() })
    }

    /// Whether this is OpenAI itself, as far as the address tells, and not a server compatible with it.
    pub fn is_openai(&self) -> bool {
        self.base.host().is_some_and(|host| host.ends_with(".openai.com"))
    }

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
        const OPERATION: &str = UPLOADING;
        let (body, progress) = upload::measured(content, file.length);
        // reqwest would put a line break in a name into the part's header as it is.
        let filename: String = file.filename.chars().filter(|c| !c.is_control()).collect();
        let mime_type = Some(file.mime_type).filter(|text| Part::text("").mime_str(text).is_ok());
        let part = Part::stream_with_length(body, file.length).file_name(filename);
        let part = part.mime_str(mime_type.unwrap_or(OCTETS));
        let part = part.map_err(|error| Error::failed(OPERATION, Failure::sending(error)))?;
        let form = Form::new().text("purpose", PURPOSE).part("file", part);

        let call = self.request(OPERATION, Method::POST, &["files"])?;
        let request = call.request.multipart(form).timeout(upload::total_limit(file.length));
        let reply = upload::send(request, &progress).await;
        let answer = self.accept(OPERATION, reply, call.sent)?;
        answer.required(File::read)
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

    /// Creates a vector store that does not expire. There is no idempotency key: put what identifies it into `metadata`
    /// (at most 16 entries) and look for it in [`Client::vector_stores`] when [`Error::may_have_happened`].
    ///
    /// # Errors
    /// Those of every call.
    pub async fn create_vector_store(
        &self,
        name: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<VectorStore, Error> {
        let body = json!({"name": name, "metadata": metadata});
        let path = ["vector_stores"];
        let answer = self.call("creating a vector store", Method::POST, &path, Extra::Json(&body)).await?;
        answer.required(VectorStore::read)
    }

    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is no such store, and those of every call.
    pub async fn vector_store(&self, id: &VectorStoreId) -> Result<VectorStore, Error> {
        let path = ["vector_stores", &id.0];
        self.call("reading a vector store", Method::GET, &path, Extra::None)
            .await?
            .required(VectorStore::read)
    }

    /// The project's vector stores, newest first. `after` is a page's [`Page::next`].
    ///
    /// # Errors
    /// [`super::ErrorKind::Unreadable`] also when the listing cannot go on; and those of every call.
    pub async fn vector_stores(
        &self,
        after: Option<&VectorStoreId>,
    ) -> Result<Page<VectorStore, VectorStoreId>, Error> {
        let mut query = vec![("order", "desc"), ("limit", STORES_PER_PAGE)];
        query.extend(after.map(|id| ("after", id.0.as_str())));
        let path = ["vector_stores"];
        let answer = self.call("listing vector stores", Method::GET, &path, Extra::Query(&query)).await?;
        answer.page(|fields| Page::read(fields, after, VectorStore::read, |store| &store.id))
    }

    /// Deletes a store. Files that were in it stay, as File objects.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is no such store, and those of every call.
    pub async fn delete_vector_store(&self, id: &VectorStoreId) -> Result<Deletion, Error> {
        let path = ["vector_stores", &id.0];
        self.call("deleting a vector store", Method::DELETE, &path, Extra::None).await?.deleted()
    }

    /// Attaches a file to a store, which begins to index it. Store and file together are the key: when
    /// [`Error::may_have_happened`], [`Client::store_file`] says whether it has. What a second attach of one file does
    /// was not found.
    ///
    /// # Errors
    /// [`super::ErrorKind::Rejected`] with code `unsupported_file` for an extension the store does not take;
    /// [`super::ErrorKind::NotFound`] also, for a while, for a file just uploaded (seen in issue threads); and those of
    /// every call.
    pub async fn attach(
        &self,
        store: &VectorStoreId,
        file: &FileId,
        attributes: &Attributes,
    ) -> Result<StoreFile, Error> {
        self.attach_within(SMALL_CALL_LIMIT, (store, file), attributes).await
    }

    /// The same, waiting up to `limit`: some servers index the file before they answer.
    ///
    /// # Errors
    /// As [`Client::attach`].
    pub async fn attach_within(
        &self,
        limit: Duration,
        (store, file): (&VectorStoreId, &FileId),
        attributes: &Attributes,
    ) -> Result<StoreFile, Error> {
        let body = json!({"file_id": file, "attributes": attributes});
        let path = ["vector_stores", &store.0, "files"];
        let Call { request, sent } = self.request(ATTACHING, Method::POST, &path)?;
        let reply = exchange(Extra::Json(&body).put_on(request).timeout(limit)).await;
        self.accept(ATTACHING, reply, sent)?.required(StoreFile::read)
    }

    /// How far a file's indexing is, and its attributes.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when the file is not in that store, and for a while after an attach (seen in issue
    /// threads); and those of every call.
    pub async fn store_file(&self, store: &VectorStoreId, file: &FileId) -> Result<Polled, Error> {
        let path = ["vector_stores", &store.0, "files", &file.0];
        let answer = self.call("reading a file's state", Method::GET, &path, Extra::None).await?;
        let poll_after = milliseconds(&answer.head.headers, "openai-poll-after-ms");
        Ok(Polled { file: answer.required(StoreFile::read)?, poll_after })
    }

    /// Replaces a file's attributes (that it replaces rather than merges is inferred from the OpenAPI document).
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when the file is not in that store, and those of every call.
    pub async fn relabel(
        &self,
        store: &VectorStoreId,
        file: &FileId,
        attributes: &Attributes,
    ) -> Result<StoreFile, Error> {
        let body = json!({"attributes": attributes});
        let path = ["vector_stores", &store.0, "files", &file.0];
        self.call("relabelling a file", Method::POST, &path, Extra::Json(&body))
            .await?
            .required(StoreFile::read)
    }

    /// Takes a file out of a store; the File object stays. Searches may still find it for a short while (OpenAI's guide
    /// on retrieval).
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when it is not in that store, and those of every call.
    pub async fn detach(&self, store: &VectorStoreId, file: &FileId) -> Result<Deletion, Error> {
        let path = ["vector_stores", &store.0, "files", &file.0];
        self.call("detaching a file", Method::DELETE, &path, Extra::None).await?.deleted()
    }

    /// The best `max_results` (1 to 50) pieces for `query`.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn search(
        &self,
        store: &VectorStoreId,
        query: &str,
        max_results: u8,
    ) -> Result<Vec<Hit>, Error> {
        let body = json!({"query": query, "max_num_results": max_results});
        let path = ["vector_stores", &store.0, "search"];
        let answer = self.call("searching", Method::POST, &path, Extra::Json(&body)).await?;
        answer.page(|fields| {
            let hits = fields.list("data").ok_or("no list")?.iter();
            hits.map(|hit| Hit::read(hit).ok_or("a result without a file")).collect()
        })
    }

    /// Where it asks, to tell one server from another.
    pub fn server(&self) -> String {
        self.base.text()
    }

    /// How often OpenAI has answered this client and its clones so far.
    pub fn answers(&self) -> u64 {
        self.answers.count()
    }

    /// What OpenAI has done for this client and its clones, and how often: calls by what they are for, and models that began
    /// to answer.
    pub fn done(&self) -> BTreeMap<String, u64> {
        self.answers.done()
    }

    /// A response with this model was begun.
    pub(super) fn did(&self, what: &str) {
        self.answers.did(what);
    }

    /// How OpenAI takes a plain question that has nothing to do with any file.
    pub async fn plain_question(&self) -> PlainAnswer {
        let query = [("limit", "1")];
        let asked = self.call(PLAIN_QUESTION, Method::GET, &["vector_stores"], Extra::Query(&query)).await;
        PlainAnswer::of(asked)
    }

    /// A small call that must succeed.
    pub(super) async fn call(
        &self,
        operation: &'static str,
        method: Method,
        path: &[&str],
        extra: Extra<'_>,
    ) -> Result<Answer, Error> {
        let Call { request, sent } = self.request(operation, method, path)?;
        let reply = exchange(extra.put_on(request).timeout(SMALL_CALL_LIMIT)).await;
        self.accept(operation, reply, sent)
    }

    pub(super) fn request(
        &self,
        operation: &'static str,
        method: Method,
        path: &[&str],
    ) -> Result<Call, Error> {
        let url = self.base.join(path).map_err(|error| Error::unusable(operation, error))?;
        let id = unique_id();
        let request = self.connections.http().request(method, url).headers(self.headers.clone());
        let path = path.iter().map(ToString::to_string).collect();
        Ok(Call { request: request.header("x-client-request-id", &id), sent: Sent { id, path } })
    }

    pub(super) fn accept(
        &self,
        operation: &'static str,
        reply: Result<Reply, Failure>,
        Sent { id, path }: Sent,
    ) -> Result<Answer, Error> {
        let reply = reply.map_err(|failure| Error::failed(operation, failure).sent_as(id.clone()))?;
        self.answers.heard(&reply.head, error::speaks(&reply, &path));
        if !reply.head.status.is_success() {
            let error = Error::refused(operation, &reply, &path).sent_as(id);
            self.connections.refused(&error);
            return Err(error);
        }
        match reply.json() {
            Some(body) => {
                self.answers.did(operation);
                Ok(Answer { operation, head: reply.head, body, id, _room: reply.room })
            }
            None => Err(Error::no_json(operation, &reply).sent_as(id)),
        }
    }
}

/// A name for one request, by which OpenAI's support finds it. It begins with the id of the request that it is made for, if
/// there is one. OpenAI takes up to 512 ASCII characters and wants each to be unique (its API reference).
fn unique_id() -> String {
    let id = request_id::new();
    match request_id::current() {
        Some(origin) => format!("{origin}.{id}"),
        None => id.to_string(),
    }
}

const OCTETS: &str = "application/octet-stream";

/// A request begun.
pub(super) struct Call {
    pub request: RequestBuilder,
    pub sent: Sent,
}

/// What tells a request from others.
pub(super) struct Sent {
    /// The id we gave it.
    pub id: String,
    /// What it is made to: ids are every second part, as in `vector_stores/{store}/files/{file}`.
    pub path: Vec<String>,
}

/// What a small call carries.
pub(super) enum Extra<'a> {
    None,
    Query(&'a [(&'a str, &'a str)]),
    Json(&'a Value),
    /// JSON already written down.
    Text(String),
}

impl Extra<'_> {
    pub fn put_on(self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Extra::None => request,
            Extra::Query(query) => request.query(query),
            Extra::Json(body) => request.json(body),
            Extra::Text(body) => request.header(CONTENT_TYPE, "application/json").body(body),
        }
    }
}

/// A success, yet to be read.
pub(super) struct Answer {
    operation: &'static str,
    head: Head,
    body: Value,
    id: String,
    _room: Option<Room>,
}

impl Answer {
    pub fn required<T>(self, read: impl Fn(&Value) -> Option<T>) -> Result<T, Error> {
        read(&self.body).ok_or_else(|| self.unreadable("no object with an id"))
    }

    pub(super) fn page<T>(self, read: impl Fn(Fields<'_>) -> Result<T, &'static str>) -> Result<T, Error> {
        let fields = Fields::of(&self.body).ok_or("not an object");
        fields.and_then(read).map_err(|what| self.unreadable(what))
    }

    fn deleted(self) -> Result<Deletion, Error> {
        match Fields::of(&self.body).and_then(|fields| fields.flag("deleted")) {
            Some(false) => Err(self.unreadable("a success that says it deleted nothing")),
            Some(true) => Ok(Deletion::Said),
            None => Ok(Deletion::Unsaid),
        }
    }

    fn unreadable(&self, what: &str) -> Error {
        Error::unreadable(self.operation, &self.head, what).sent_as(self.id.clone())
    }
}
