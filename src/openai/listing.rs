//! The listing of what a vector store holds, and whether something is on a list.

use std::future::Future;

use reqwest::Method;

use super::client::Extra;
use super::{Client, Error, File, FileId, Page, StoreFile, VectorStore, VectorStoreId};
use crate::http::pages::Pages;

/// Whether something is on a list of OpenAI's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    There,
    /// The whole list was read.
    NotThere,
    /// It may be an entry that cannot be read.
    Unreadable,
}

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

    /// Whether a File object is on the project's list of them. No list can be asked for one entry, so all of it is read.
    ///
    /// # Errors
    /// Those of every call, and a list that does not end.
    pub async fn lists_file(&self, file: &FileId) -> Result<Listed, Error> {
        let list = |after: Option<FileId>| async move { self.files(after.as_ref()).await };
        look_through(list, |one: &File| &one.id.0, &file.0).await
    }

    /// Whether a file is on the list of a store. As [`Client::lists_file`].
    ///
    /// # Errors
    /// As [`Client::store_files`], and a list that does not end.
    pub async fn lists_store_file(&self, store: &VectorStoreId, file: &FileId) -> Result<Listed, Error> {
        let list = |after: Option<FileId>| async move { self.store_files(store, after.as_ref()).await };
        look_through(list, |one: &StoreFile| &one.id.0, &file.0).await
    }

    /// Whether a store is on the project's list of them. As [`Client::lists_file`].
    ///
    /// # Errors
    /// As [`Client::lists_file`].
    pub async fn lists_store(&self, store: &VectorStoreId) -> Result<Listed, Error> {
        let list = |after: Option<VectorStoreId>| async move { self.vector_stores(after.as_ref()).await };
        look_through(list, |one: &VectorStore| &one.id.0, &store.0).await
    }
}

async fn look_through<T, Id, F>(
    list: impl Fn(Option<Id>) -> F,
    id: impl Fn(&T) -> &String,
    wanted: &String,
) -> Result<Listed, Error>
where
    F: Future<Output = Result<Page<T, Id>, Error>>,
{
    let (mut pages, mut after, mut unreadable) = (Pages::default(), None, 0);
    loop {
        let page = list(after).await?;
        if page.items.iter().any(|one| id(one) == wanted) {
            return Ok(Listed::There);
        }
        unreadable += page.unreadable;
        let Some(next) = page.next else {
            return Ok(if unreadable == 0 { Listed::NotThere } else { Listed::Unreadable });
        };
        let first = page.items.first().map(|one| id(one).as_str());
        let turned = pages.turn(page.items.len(), first);
        turned.map_err(|endless| Error::gave_up("looking through a list", &endless.to_string()))?;
        after = Some(next);
    }
}
