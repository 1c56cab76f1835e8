//! What a rehearsal makes, and how it is removed again: by what was written down when it was made, and by its name, which
//! finds what a lost answer hid.

use tokio::time::{Instant, sleep};

use super::Patience;
use crate::fastio::{self, FileShareId, NodeId, Profile, UploadId, WebUploadStatus};
use crate::http::{CallError, CallErrorKind};
use crate::openai::{
    self, BatchStatus, ContainerId, ConversationId, FileId, RequestBatch, ResponseId, VectorStoreId,
};

/// How the name of everything begins that a rehearsal makes.
pub const MARK: &str = "docket-rehearsal-";

/// Under this key of a vector store's or a batch's metadata stands the rehearsal's mark.
pub const KEY: &str = "docket_rehearsal";

/// What the thread of a rehearsal's question is called.
pub fn question(mark: &str) -> String {
    format!("{mark} question")
}

/// What the link to a rehearsal's file is called.
pub fn link(mark: &str) -> String {
    format!("{mark} link")
}

/// What is there because of this rehearsal. Folders hold the files.
#[derive(Debug, Default)]
pub struct Made {
    pub folders: Vec<NodeId>,
    pub uploads: Vec<UploadId>,
    /// Imports by address that may go on.
    pub imports: Vec<UploadId>,
    pub shares: Vec<FileShareId>,
    /// Threads of Fastio's AI.
    pub talks: Vec<String>,
    pub stores: Vec<VectorStoreId>,
    pub files: Vec<FileId>,
    pub conversations: Vec<ConversationId>,
    pub responses: Vec<ResponseId>,
    /// Batches that may go on. OpenAI keeps a batch for good: what goes is its files.
    pub batches: Vec<String>,
    /// One whose creation was not answered ends by itself.
    pub containers: Vec<ContainerId>,
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
    /// What was asked for last is answered, unless it may be there in spite of its error.
    pub fn answered(&mut self, answered: &Result<impl Sized, openai::Error>) {
        if !answered.as_ref().is_err_and(openai::Error::may_have_happened) {
            self.unanswered.pop();
        }
    }

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
        self.find_work_at_fastio((client, profile), mark, removed).await;
    }

    /// Imports that go on, links and threads. What a service refuses to list it has not made for us.
    async fn find_work_at_fastio(
        &mut self,
        (client, profile): (&fastio::Client, &Profile),
        mark: &str,
        removed: &mut Removed,
    ) {
        use WebUploadStatus::{Canceled, Complete, Failed};
        match client.web_uploads().await {
            Ok(all) => {
                let goes_on =
                    all.into_iter().filter(|one| !matches!(one.status, Some(Complete | Failed | Canceled)));
                let ours = goes_on.filter(|one| one.name.as_ref().is_some_and(|name| name.starts_with(mark)));
                self.imports.extend(ours.map(|one| one.id));
                once(&mut self.imports);
            }
            Err(error) if is_refused(&error) => {}
            Err(error) => removed.left.push(format!("whether an import {mark}… goes on at Fastio: {error}")),
        }
        match client.file_shares(profile).await {
            Ok(all) => {
                let ours = all.into_iter().filter(|one| one.is_titled_like(mark));
                self.shares.extend(ours.map(|one| one.id));
                once(&mut self.shares);
            }
            Err(error) if is_refused(&error) => {}
            Err(error) => removed.left.push(format!("whether a link {mark}… is left in {profile}: {error}")),
        }
        match client.talks_beginning(profile, mark).await {
            Ok(talks) => {
                self.talks.extend(talks);
                once(&mut self.talks);
            }
            Err(error) if is_refused(&error) => {}
            Err(error) => removed
                .left
                .push(format!("whether a thread {mark}… of Fastio's AI is left in {profile}: {error}")),
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
        self.find_batches(client, mark, removed).await;
    }

    /// Files of requests, and batches with their files.
    async fn find_batches(&mut self, client: &openai::Client, mark: &str, removed: &mut Removed) {
        match client.request_files(None).await {
            Ok(page) => {
                let ours = page.items.into_iter().filter(|file| file.filename.starts_with(mark));
                self.files.extend(ours.map(|file| file.id));
                once(&mut self.files);
            }
            Err(error) if is_refused(&error) => {}
            Err(error) => {
                removed.left.push(format!("whether a file {mark}… of requests is left at OpenAI: {error}"))
            }
        }
        match client.request_batches(None).await {
            Ok(page) => {
                let is_ours = |batch: &RequestBatch| {
                    batch.metadata.get(KEY).is_some_and(|marked| marked.starts_with(mark))
                };
                self.batches.extend(page.items.into_iter().filter(is_ours).map(|batch| batch.id));
                once(&mut self.batches);
            }
            Err(error) if is_refused(&error) => {}
            Err(error) => removed.left.push(format!("whether a batch of {mark}… goes on at OpenAI: {error}")),
        }
    }

    pub async fn remove_at_fastio(
        &mut self,
        (client, profile): (&fastio::Client, &Profile),
        removed: &mut Removed,
    ) {
        for import in self.imports.drain(..) {
            let gone = gone(client.cancel_web_upload(&import).await);
            removed.settle(gone.map_err(|error| {
                format!("the import {import} at Fastio, which may still make a file: {error}")
            }));
        }
        for share in self.shares.drain(..) {
            let gone = gone(client.end_file_share(&share).await);
            removed.settle(
                gone.map_err(|error| {
                    format!("the link {} to a file of {profile}; delete it: {error}", share.0)
                }),
            );
        }
        for thread in self.talks.drain(..) {
            // One that goes on may go on to answer. Whether it can be deleted then is in no document.
            let _ = client.stop_talk(profile, &thread).await;
            let gone = client.delete_talk(profile, &thread).await;
            removed.settle(gone.map_err(|error| {
                format!("the thread {thread} of Fastio's AI in {profile}; delete it: {error}")
            }));
        }
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

    pub async fn remove_at_openai(
        &mut self,
        (client, patience): (&openai::Client, Patience),
        removed: &mut Removed,
    ) {
        for id in &self.batches {
            // One that is over cannot be cancelled.
            let _ = client.cancel_request_batch(id).await;
        }
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
        for id in self.containers.drain(..) {
            let gone = gone(client.delete_container(&id).await);
            removed.settle(gone.map_err(|error| {
                format!("the container {id} at OpenAI, which ends after twenty minutes: {error}")
            }));
        }
        for id in self.batches.drain(..) {
            match over((client, patience), &id).await {
                Ok(Some(batch)) => remove_answers(client, &batch, removed).await,
                Ok(None) => {}
                Err(why) => removed.left.push(why),
            }
        }
    }
}

/// A batch when it is over, none where it is not there, or what is to be said of one that goes on.
async fn over(
    (client, patience): (&openai::Client, Patience),
    id: &str,
) -> Result<Option<RequestBatch>, String> {
    let began = Instant::now();
    loop {
        match client.request_batch(id).await {
            Ok(batch) if batch.status != BatchStatus::Going => return Ok(Some(batch)),
            Ok(_) if began.elapsed() >= patience.for_cancelling => {
                return Err(format!(
                    "the answers of the batch {id} at OpenAI, which is still being cancelled: docket rehearse --clean removes them \
                     in ten minutes"
                ));
            }
            Ok(_) => sleep(patience.next_look(began)).await,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(format!("the batch {id} at OpenAI; cancel it: {error}")),
        }
    }
}

/// The batch itself stays, so it is come across again, and its files may be gone already.
async fn remove_answers(client: &openai::Client, batch: &RequestBatch, removed: &mut Removed) {
    for id in [&batch.output_file, &batch.error_file].into_iter().flatten() {
        match client.delete_file(id).await {
            Err(error) if error.is_not_found() => {}
            answered => removed.settle(answered.map(drop).map_err(|error| {
                format!("the answers {id} of the batch {} at OpenAI; delete them: {error}", batch.id)
            })),
        }
    }
}

/// Keeps the first of those that are the same.
fn once<T: PartialEq>(list: &mut Vec<T>) {
    let mut at = 0;
    while at < list.len() {
        if list[..at].contains(&list[at]) {
            list.remove(at);
        } else {
            at += 1;
        }
    }
}

/// The service answered, and did not do it.
fn is_refused<K: CallErrorKind>(error: &CallError<K>) -> bool {
    error.status.is_some_and(|status| (400..500).contains(&status))
}

/// What is not there any more is as good as removed.
fn gone<K: CallErrorKind>(answered: Result<(), CallError<K>>) -> Result<(), CallError<K>> {
    match answered {
        Err(error) if error.is_not_found() => Ok(()),
        answered => answered,
    }
}
