//! What a rehearsal makes, and how it is removed again: by what was written down when it was made, and by its name, which
//! finds what a lost answer hid.

use crate::fastio::{self, NodeId, Profile, UploadId};
use crate::openai::{self, ConversationId, FileId, ResponseId, VectorStoreId};

/// How the name of everything begins that a rehearsal makes.
pub const MARK: &str = "docket-rehearsal-";

/// Under this key of a vector store's metadata stands the rehearsal's mark.
pub const KEY: &str = "docket_rehearsal";

/// What is there because of this rehearsal. Folders hold the files.
#[derive(Debug, Default)]
pub struct Made {
    pub folders: Vec<NodeId>,
    pub uploads: Vec<UploadId>,
    pub stores: Vec<VectorStoreId>,
    pub files: Vec<FileId>,
    pub conversations: Vec<ConversationId>,
    pub responses: Vec<ResponseId>,
    /// What was asked for and not answered yet, of which OpenAI has no list.
    pub unanswered: Vec<&'static str>,
}

/// What was removed, and what could not be.
#[derive(Debug, Default)]
pub struct Removed {
    pub count: usize,
    /// Each as a sentence with what to do.
    pub left: Vec<String>,
}

impl Removed {
    fn settle(&mut self, gone: Result<(), String>) {
        match gone {
            Ok(()) => self.count += 1,
            Err(left) => self.left.push(left),
        }
    }
}

impl Made {
    /// Adds what is called by `mark`, which may be that of one rehearsal or of all there ever were.
    pub async fn find_at_fastio(
        &mut self,
        (client, profile): (&fastio::Client, &Profile),
        mark: &str,
        removed: &mut Removed,
    ) {
        let mut cursor = None;
        loop {
            match client.list(profile, &NodeId::root(), cursor.as_deref()).await {
                Ok(page) => {
                    let ours =
                        page.items.into_iter().filter(|node| node.name.starts_with(mark) && !node.trashed);
                    for node in ours {
                        if !self.folders.contains(&node.id) {
                            self.folders.push(node.id);
                        }
                    }
                    cursor = page.next;
                }
                Err(error) => {
                    let left = format!("whether a folder {mark}… is left at the top of {profile}: {error}");
                    removed.left.push(left);
                    return;
                }
            }
            if cursor.is_none() {
                break;
            }
        }
        // Sessions that are open are found only where they are listed.
        if let Ok(open) = client.open_uploads().await {
            for upload in open.into_iter().filter(|upload| upload.name.starts_with(mark)) {
                if !self.uploads.contains(&upload.id) {
                    self.uploads.push(upload.id);
                }
            }
        }
    }

    /// The same at OpenAI. Responses and conversations are on no list.
    pub async fn find_at_openai(&mut self, client: &openai::Client, mark: &str, removed: &mut Removed) {
        // Both lists begin with the newest, and what was made today is on their first pages.
        match client.vector_stores(None).await {
            Ok(page) => {
                let is_ours = |store: &openai::VectorStore| {
                    store.metadata.get(KEY).is_some_and(|marked| marked.starts_with(mark))
                };
                for store in page.items.into_iter().filter(is_ours) {
                    if !self.stores.contains(&store.id) {
                        self.stores.push(store.id);
                    }
                }
            }
            Err(error) => removed.left.push(format!("whether a vector store of {mark}… is left: {error}")),
        }
        match client.files(None).await {
            Ok(page) => {
                for file in page.items.into_iter().filter(|file| file.filename.starts_with(mark)) {
                    if !self.files.contains(&file.id) {
                        self.files.push(file.id);
                    }
                }
            }
            Err(error) => removed.left.push(format!("whether a file {mark}… is left at OpenAI: {error}")),
        }
    }

    pub async fn remove_at_fastio(
        &mut self,
        (client, profile): (&fastio::Client, &Profile),
        removed: &mut Removed,
    ) {
        for upload in self.uploads.drain(..) {
            let gone = gone(client.cancel_upload(&upload).await);
            removed.settle(gone.map_err(|error| {
                format!("the upload session {upload} at Fastio, which ends by itself: {error}")
            }));
        }
        for folder in self.folders.drain(..) {
            // Into the trash first: whether a folder can be purged outside of it is in no document.
            let trashed = gone(client.trash(profile, &folder).await);
            let purged = gone(client.purge(profile, &folder).await);
            removed.settle(match (trashed, purged) {
                (_, Ok(())) => Ok(()),
                (Ok(()), Err(error)) => Err(format!(
                    "the folder {folder} in the trash of {profile}, which you can empty: {error}"
                )),
                (Err(_), Err(error)) => Err(format!("the folder {folder} in {profile}; delete it: {error}")),
            });
        }
    }

    pub async fn remove_at_openai(&mut self, client: &openai::Client, removed: &mut Removed) {
        for what in self.unanswered.drain(..) {
            removed.left.push(format!(
                "{what} that may be at OpenAI: its creation was not answered, and no list shows it"
            ));
        }
        for id in self.responses.drain(..) {
            // One that goes on cannot be deleted.
            let _ = client.cancel_response(&id).await;
            let gone = gone(client.delete_response(&id).await);
            removed.settle(
                gone.map_err(|error| format!("the response {id} at OpenAI, kept for 30 days: {error}")),
            );
        }
        for id in self.conversations.drain(..) {
            let gone = gone(client.delete_conversation(&id).await);
            removed.settle(gone.map_err(|error| format!("the conversation {id} at OpenAI: {error}")));
        }
        for id in self.stores.drain(..) {
            let gone = gone(client.delete_vector_store(&id).await.map(drop));
            removed
                .settle(gone.map_err(|error| format!("the vector store {id} at OpenAI; delete it: {error}")));
        }
        for id in self.files.drain(..) {
            let gone = gone(client.delete_file(&id).await.map(drop));
            removed.settle(gone.map_err(|error| format!("the file {id} at OpenAI; delete it: {error}")));
        }
    }
}

/// What is not there any more is as good as removed.
fn gone<K: crate::http::CallErrorKind>(
    answered: Result<(), crate::http::CallError<K>>,
) -> Result<(), crate::http::CallError<K>> {
    match answered {
        Err(error) if error.is_not_found() => Ok(()),
        answered => answered,
    }
}
