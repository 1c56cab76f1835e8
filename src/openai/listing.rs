//! The listing of what a vector store holds.

use reqwest::Method;

use super::client::Extra;
use super::{Client, Error, FileId, Page, StoreFile, VectorStoreId};

/// The most the OpenAPI document allows.
const PER_PAGE: &str = "100";

impl Client {
    /// The files of a store with their attributes, oldest first, so that what is attached meanwhile comes at the end.
    /// `after` is a page's [`Page::next`].
    ///
    /// # Errors
    /// [`super::ErrorKind::NotFound`] when there is no such store; [`super::ErrorKind::Unreadable`] also when the listing
    /// cannot go on; and those of every call.
    pub async fn store_files(
        &self,
        store: &VectorStoreId,
        after: Option<&FileId>,
    ) -> Result<Page<StoreFile, FileId>, Error> {
        let mut query = vec![("order", "asc"), ("limit", PER_PAGE)];
        query.extend(after.map(|id| ("after", id.0.as_str())));
        let path = ["vector_stores", &store.0, "files"];
        let answer = self.call("listing a vector store", Method::GET, &path, Extra::Query(&query)).await?;
        answer.page(|fields| Page::read(fields, after, StoreFile::read, |file| &file.id))
    }
}
