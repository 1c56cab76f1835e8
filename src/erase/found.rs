//! What there is that derives from a file, by our records; and whether it is still there, by what Fastio and OpenAI show.

use std::time::Duration;

use serde::Serialize;

use crate::database::{Connection, Error};
use crate::erasure::{self, Erasure};
use crate::fastio::FileKey;
use crate::openai::{
    Client, ContainerId, ConversationId, FileId, Listed, Order, ResponseId, ThreadId, VectorStoreId,
};
use crate::own::{self, OwnFile};
use crate::run::store::objects::{self, Object, ObjectKind};
use crate::{fastio, openai, run, sync};

/// Searches of one store before what it still answers counts: what was removed may be found for a short while (OpenAI's guide on
/// retrieval).
const SEARCHES: u32 = 10;

/// Between them.
const SEARCH_AGAIN: Duration = Duration::from_secs(2);

/// What derives from one file.
#[derive(Debug, Serialize)]
pub struct Found {
    pub source_id: String,
    /// None where no job ever looked at it.
    pub path: Option<String>,
    pub copies: Vec<FoundCopy>,
    /// What runs over it made at OpenAI.
    pub objects: Vec<Object>,
    /// What stands beside it.
    pub results: Vec<FoundResult>,
    pub runs: u64,
    /// The last erasure of it.
    pub erasure: Option<Erasure>,
}

/// A copy at OpenAI.
#[derive(Debug, Clone, Serialize)]
pub struct FoundCopy {
    pub vector_store: VectorStoreId,
    pub file_id: Option<FileId>,
    pub state: &'static str,
}

/// A file that Docket wrote.
#[derive(Debug, Clone, Serialize)]
pub struct FoundResult {
    pub name: String,
    pub node: Option<String>,
    /// A person edited it, so it stays. None until it was looked at.
    pub is_edited: Option<bool>,
    #[serde(skip)]
    own: OwnFile,
}

impl Found {
    /// By our records.
    ///
    /// # Errors
    /// The database's.
    pub fn read(connection: &mut Connection, key: &FileKey) -> Result<Found, Error> {
        let source_id = key.to_string();
        let copies = sync::store::copies(connection, key)?.into_iter();
        let owned = own::store::of_source(connection, &source_id)?.into_iter();
        Ok(Found {
            path: sync::store::path(connection, &source_id)?,
            copies: copies
                .map(|copy| FoundCopy {
                    vector_store: copy.store,
                    file_id: copy.file_id,
                    state: copy.state.as_str(),
                })
                .collect(),
            objects: objects::of_source(connection, &source_id)?,
            results: owned
                .filter(|own| own.gone_since.is_none())
                .map(|own| FoundResult {
                    name: own.name.clone(),
                    node: own.node.as_ref().map(ToString::to_string),
                    is_edited: None,
                    own,
                })
                .collect(),
            runs: run::store::open::count(connection, &source_id)?,
            erasure: erasure::store::last(connection, &source_id)?,
            source_id,
        })
    }

    /// Whether anything derives from the file.
    pub fn is_nothing(&self) -> bool {
        self.path.is_none() && self.copies.is_empty() && self.objects.is_empty() && self.results.is_empty()
    }

    /// Finds out which of the results a person has edited; those that are gone are left out.
    ///
    /// # Errors
    /// Fastio's.
    pub async fn look(&mut self, fastio: &fastio::Client) -> Result<(), fastio::Error> {
        for mut result in std::mem::take(&mut self.results) {
            let Some(node) = &result.own.node else { continue };
            match fastio.node(&result.own.profile, node).await {
                Ok(found) if found.trashed => {}
                Ok(found) => {
                    result.is_edited = Some(found.version != result.own.version);
                    self.results.push(result);
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Asks Fastio and OpenAI whether what was found is still there.
    pub async fn verify(&self, fastio: &fastio::Client, openai: &Client) -> Vec<Seen> {
        let mut seen = Vec::new();
        for copy in &self.copies {
            let Some(file) = &copy.file_id else { continue };
            seen.push(Seen::of("File object", &file.0, absent(openai.file(file).await)));
            seen.push(Seen::of("entry of the files", &file.0, not_listed(openai.lists_file(file).await)));
            let held = openai.lists_store_file(&copy.vector_store, file).await;
            let id = format!("{file} in {}", copy.vector_store);
            seen.push(Seen::of("entry of a vector store", &id, not_listed(held)));
        }
        let mut stores: Vec<&VectorStoreId> = self.copies.iter().map(|copy| &copy.vector_store).collect();
        stores.dedup();
        for store in stores {
            seen.push(Seen::of("search", &store.0, self.is_not_found(openai, store).await));
        }
        for object in &self.objects {
            seen.push(Seen::of(object.kind.as_str(), &object.id, is_gone(openai, object).await));
        }
        for result in self.results.iter().filter(|result| result.is_edited == Some(false)) {
            let Some(node) = &result.own.node else { continue };
            let (is_gone, error) = match fastio.node(&result.own.profile, node).await {
                Ok(node) => (Some(node.trashed), None),
                Err(error) if error.is_not_found() => (Some(true), None),
                Err(error) => (None, Some(error.to_string())),
            };
            seen.push(Seen { what: "result", id: result.name.clone(), is_gone, error });
        }
        seen
    }

    /// Whether a search of the store for the file finds nothing of it.
    async fn is_not_found(&self, openai: &Client, store: &VectorStoreId) -> Result<bool, openai::Error> {
        let name = self.path.as_deref().and_then(|path| path.rsplit('/').next()).unwrap_or("document");
        for _ in 0..SEARCHES {
            match openai.search_where(store, name, ("source_id", &self.source_id)).await {
                Ok(hits) if hits.is_empty() => return Ok(true),
                Ok(_) => tokio::time::sleep(SEARCH_AGAIN).await,
                Err(error) if error.is_not_found() => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

/// What a look at one thing saw.
#[derive(Debug, Serialize)]
pub struct Seen {
    pub what: &'static str,
    pub id: String,
    /// None where it could not be found out.
    pub is_gone: Option<bool>,
    pub error: Option<String>,
}

impl Seen {
    fn of(what: &'static str, id: &str, looked: Result<bool, openai::Error>) -> Seen {
        let (is_gone, error) = match looked {
            Ok(is_gone) => (Some(is_gone), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Seen { what, id: id.to_owned(), is_gone, error }
    }
}

fn absent<T>(looked: Result<T, openai::Error>) -> Result<bool, openai::Error> {
    match looked {
        Ok(_) => Ok(false),
        Err(error) if error.is_not_found() => Ok(true),
        Err(error) => Err(error),
    }
}

fn not_listed(listed: Result<Listed, openai::Error>) -> Result<bool, openai::Error> {
    match listed {
        Ok(listed) => Ok(listed == Listed::NotThere),
        // The whole store is gone.
        Err(error) if error.is_not_found() => Ok(true),
        Err(error) => Err(error),
    }
}

async fn is_gone(openai: &Client, object: &Object) -> Result<bool, openai::Error> {
    let id = object.id.clone();
    match object.kind {
        ObjectKind::Conversation => {
            absent(openai.conversation_items(&ConversationId(id), Order::OldestFirst, None).await)
        }
        ObjectKind::Thread => absent(openai.threads().runs(&ThreadId(id)).await),
        ObjectKind::Response => absent(openai.response(&ResponseId(id)).await),
        ObjectKind::Container => absent(openai.container_files(&ContainerId(id), None).await),
    }
}
