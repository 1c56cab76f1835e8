//! The calls about vector stores, and about the files in them.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::http::SMALL_CALL_LIMIT;
use crate::http::reply::exchange;
use crate::http::wait::milliseconds;

use super::client::{ATTACHING, Call, Client, Deletion, Extra};
use super::{Attributes, Error, FileId, Hit, Page, Polled, StoreFile, VectorStore, VectorStoreId};

/// Vector stores asked for at once: the most the OpenAPI document allows.
const STORES_PER_PAGE: &str = "100";

impl Client {
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
        let Call { request, sent, timed } = self.request(ATTACHING, Method::POST, &path).await?;
        let reply = exchange(Extra::Json(&body).put_on(request).timeout(limit), timed).await;
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
        self.search_with(store, &json!({"query": query, "max_num_results": max_results})).await
    }

    /// The best pieces for `query` of what has this value of an attribute.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn search_where(
        &self,
        store: &VectorStoreId,
        query: &str,
        (key, value): (&str, &str),
    ) -> Result<Vec<Hit>, Error> {
        let filter = json!({"type": "eq", "key": key, "value": value});
        self.search_with(store, &json!({"query": query, "max_num_results": 10, "filters": filter})).await
    }

    async fn search_with(&self, store: &VectorStoreId, body: &serde_json::Value) -> Result<Vec<Hit>, Error> {
        let path = ["vector_stores", &store.0, "search"];
        let answer = self.call("searching", Method::POST, &path, Extra::Json(body)).await?;
        answer.page(|fields| {
            let hits = fields.list("data").ok_or("no list")?.iter();
            hits.map(|hit| Hit::read(hit).ok_or("a result without a file")).collect()
        })
    }
}
