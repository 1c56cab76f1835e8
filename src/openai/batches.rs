//! Many files attached to a vector store with one request.

use std::fmt;

use reqwest::Method;
use serde_json::json;

use crate::http::value::Fields;

use super::client::{ATTACHING_TOGETHER, Client, Extra};
use super::{Attributes, Error, FileId, Page, StoreFile, VectorStoreId};

/// The most files of one request: what one page of the list has room for that tells what became of each (OpenAI's OpenAPI
/// document: a page has 100, a batch up to 2,000; its guides say 500). With 300 requests and 2,000 files a minute more than seven
/// in one attach no faster.
pub const MOST_TOGETHER: usize = 100;

/// The id of a batch, such as `vsfb_abc123`. Opaque.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BatchId(pub String);

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Client {
    /// Attaches up to [`MOST_TOGETHER`] files, each with its own attributes, to a store, which begins to index them. One that
    /// cannot be indexed fails alone, and [`Client::batch_files`] tells. When [`Error::may_have_happened`], each file's own
    /// attachment tells whether it has ([`Client::store_file`]).
    ///
    /// # Errors
    /// That nothing was attached, as for a file that does not exist; and those of every call.
    pub async fn attach_together(
        &self,
        store: &VectorStoreId,
        files: &[(FileId, Attributes)],
    ) -> Result<BatchId, Error> {
        let files: Vec<_> = files
            .iter()
            .map(|(file, attributes)| json!({"file_id": file, "attributes": attributes}))
            .collect();
        let path = ["vector_stores", &store.0, "file_batches"];
        let body = json!({ "files": files });
        let answer = self.call(ATTACHING_TOGETHER, Method::POST, &path, Extra::Json(&body)).await?;
        answer.required(|value| Fields::of(value)?.id("id").map(BatchId))
    }

    /// The files of a batch as the store has them now.
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is no such batch, and those of every call.
    pub async fn batch_files(
        &self,
        store: &VectorStoreId,
        batch: &BatchId,
    ) -> Result<Page<StoreFile, FileId>, Error> {
        let path = ["vector_stores", &store.0, "file_batches", &batch.0, "files"];
        let query = [("limit", "100")];
        let answer = self.call("listing a batch", Method::GET, &path, Extra::Query(&query)).await?;
        answer.page(|fields| Page::read(fields, None, StoreFile::read, |file| &file.id))
    }
}
