//! A small life in a folder of its own in Fastio: files come, are edited, renamed, moved, locked, deleted and restored; then
//! the change feed and the event search are asked what they know of it. An address is `fetched` meanwhile, texts are `read`,
//! a file is `shared`, and Fastio's AI is `asked`.

mod asked;
mod fetched;
mod read;
mod shared;

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use md5::{Digest, Md5};
use serde_json::Value;
use sha2::Sha256;
use tokio::time::{Instant, sleep};

use super::assumption as a;
use super::finding::Book;
use super::made::Made;
use super::{Patience, shape};
use crate::event::payload;
use crate::fastio::{
    Absence, Category, Changes, Client, Error, ErrorKind, EventSearch, Hash, Node, NodeId, NodeKind, Profile,
    ProfileKind, UploadId, UploadState, VersionId, Writes,
};

pub use fetched::ADDRESS;

/// What the file says in turn.
const FIRST: &str = "Liability of either party is capped at EUR 50,000 for each claim.\n";
const SECOND: &str = "Liability of either party is capped at EUR 75,000 for each claim.\n";
const THIRD: &str = "Liability of either party is not capped.\n";

/// Its names in turn.
const NAME: &str = "rehearsal.txt";
const RENAMED: &str = "rehearsal renamed.txt";

/// An id that no node has.
const NOWHERE: &str = "2zzzz-zzzzz-zzzzz-zzzzz-zzzzz-zzzz";

/// Pages of the feed that are read for this rehearsal's few changes.
const MOST_PAGES: usize = 50;

const MINUTE_MS: i64 = 60_000;

/// Where it is played, and with what.
pub struct Stage<'a> {
    pub client: &'a Client,
    pub profile: &'a Profile,
    /// From the settings; else Fastio is asked.
    pub org: Option<&'a str>,
    /// What the folder is called.
    pub mark: &'a str,
    pub patience: Patience,
    /// Whether Fastio's AI is asked.
    pub asks: bool,
    /// Unix milliseconds.
    pub began: i64,
}

/// The file, as it was when its life was over.
struct Told {
    file: NodeId,
    purged: NodeId,
    /// Whether the folder above it was moved at last.
    folder_moved: bool,
}

impl Stage<'_> {
    /// # Errors
    /// A call failed without which nothing more can be tried; what was found before stands in `book`.
    pub async fn play(&self, book: &mut Book<'_>, made: &mut Made) -> Result<(), Error> {
        self.client.check_auth().await?;
        self.look_around(book).await;
        let cursor = self.open_feed(book).await;
        let told = self.live(book, made).await?;
        if let Some((org, cursor)) = cursor {
            self.read_feed(book, (&org, cursor), &told).await;
        }
        self.search(book).await;
        Ok(())
    }

    /// What can be asked without making anything.
    async fn look_around(&self, book: &mut Book<'_>) {
        let limits = book.last().and_then(|seen| seen.head);
        let said = limits.as_ref().and_then(|head| head.header("x-ve-limit-expires"));
        let most = limits.as_ref().and_then(|head| head.header("x-ve-limit-max")).unwrap_or("no number");
        let seen = match said {
            Some(_) => format!("x-ve-limit-max: {most}, and x-ve-limit-expires is there"),
            None => "the header is not there".to_owned(),
        };
        book.note(&a::LIMITS_ARE_IN_HEADERS, said.is_some(), seen);
        book.judge(&a::KEY_SAYS_ITS_SCOPES, self.client.scopes().await, |scopes| {
            match scopes.write(self.profile) {
                Writes::Yes => (true, "they say that the key may write here".to_owned()),
                Writes::No => (true, "they say that the key may only read here".to_owned()),
                Writes::Unsaid => {
                    (false, "none is of the form entity:id:mode and about this place".to_owned())
                }
            }
        });
        match self.client.no_such_route().await {
            Err(error)
                if matches!(error.kind, ErrorKind::Unavailable { .. } | ErrorKind::RateLimited { .. }) =>
            {
                book.unknown(&a::ROUTE_ABSENT_IS_9992, error.to_string());
            }
            answered => {
                let error = answered.err();
                let code = error.as_ref().and_then(|error| error.code.as_deref()).unwrap_or("no code");
                let status = error.as_ref().and_then(|error| error.status).unwrap_or(200);
                let holds = code == "9992" && status == 404;
                book.note(&a::ROUTE_ABSENT_IS_9992, holds, format!("status {status} with {code}"));
            }
        }
        match self.client.node(self.profile, &NodeId::new(NOWHERE)).await {
            Ok(_) => book.note(&a::NODE_ABSENT_IS_404, false, "a node that nobody made was shown"),
            Err(error) if error.is_not_found() => {
                book.note(&a::NODE_ABSENT_IS_404, true, "status 404 in the documented form");
            }
            Err(error) => book.refused(&a::NODE_ABSENT_IS_404, &error),
        }
        self.list_sources(book).await;
    }

    /// Where the feed is now, so that it tells of the life that follows.
    async fn open_feed(&self, book: &mut Book<'_>) -> Option<(String, String)> {
        let org = match self.org {
            Some(org) => Some(org.to_owned()),
            None => self.client.organisation(self.profile).await.ok().flatten(),
        };
        let Some(org) = org else {
            book.unknown(
                &a::FEED_IS_PERMITTED,
                "Fastio does not say the organisation: set feed.org_id and rehearse again",
            );
            return None;
        };
        let opened = self.client.changes(&org, None).await;
        let seen = |page: &Changes| {
            let is_page = matches!(page, Changes::Page(_));
            (is_page, format!("it answers; the organisation is {org}"))
        };
        match book.judge(&a::FEED_IS_PERMITTED, opened, seen) {
            Some(Changes::Page(page)) => Some((org, page.cursor)),
            Some(Changes::CursorLost) | None => None,
        }
    }

    async fn live(&self, book: &mut Book<'_>, made: &mut Made) -> Result<Told, Error> {
        let folder = self.folder(made, &NodeId::root(), self.mark).await?;
        let import = self.begin_import(book, made, &folder).await;
        let file = self.come(book, made, &folder).await?;
        let edited = self.edit(book, made, &file).await?;
        let moved = self.rename_and_move(book, &edited, &folder).await?;
        let written = self.lock(book, made, &moved.file).await?;
        self.share(book, made, &written).await;
        self.read_texts(book, (&written, &folder)).await;
        self.ask(book, made, &written).await;
        self.delete_and_restore(book, &written, &moved.folder).await?;
        let other = self.client.create_folder(self.profile, &folder, "other").await?;
        let folder_moved = self.client.move_to(self.profile, &moved.folder, &other.id).await.is_ok();
        let purged = self.purge(book, made, &folder).await?;
        if let Some(import) = import {
            self.end_import(book, made, (&folder, &import)).await;
        }
        Ok(Told { file: written.id, purged, folder_moved })
    }

    /// The folder that everything lies in. It is looked for by its name when the rehearsal is over, so no answer that is lost
    /// can hide it.
    async fn folder(&self, made: &mut Made, parent: &NodeId, name: &str) -> Result<NodeId, Error> {
        let folder = self.client.create_folder(self.profile, parent, name).await?;
        made.folders.push(folder.id.clone());
        Ok(folder.id)
    }

    /// A new file.
    async fn come(&self, book: &mut Book<'_>, made: &mut Made, folder: &NodeId) -> Result<Node, Error> {
        let upload = self.client.open_upload(&self.upload_name(), FIRST.len() as u64).await?;
        made.uploads.push(upload.clone());
        book.judge(&a::UPLOADS_ARE_LISTED, self.client.open_uploads().await, |open| {
            (open.iter().any(|one| one.id == upload), format!("{} listed", open.len()))
        });
        self.send(&upload, FIRST).await?;
        let ended = self.ended(&upload).await;
        let status = book.last().and_then(|seen| word(&seen.body?, "status"));
        let is_stored = matches!(ended, Ok(UploadState::Stored));
        match ended {
            Ok(_) => {
                let seen = format!("its status is {}", status.unwrap_or_else(|| "not said".to_owned()));
                book.note(&a::UPLOAD_ENDS_STORED, is_stored, seen);
            }
            Err(error) => book.refused(&a::UPLOAD_ENDS_STORED, &error),
        }
        let added = self.client.add_file(self.profile, folder, NAME, &upload).await?;
        let again = self.client.add_file(self.profile, folder, "rehearsal again.txt", &upload).await;
        let seen = match &again {
            Ok(_) => "a second file was made of it".to_owned(),
            Err(error) => error.to_string(),
        };
        book.note(&a::UPLOAD_IS_PLACED_ONCE, again.is_err(), seen);
        let child = self.client.child(self.profile, folder, NAME).await;
        book.judge(&a::FILE_SHOWS_AT_ONCE, child, |child| match child {
            Some(_) => (true, "it was in the first list".to_owned()),
            None => (false, "it was not in the first list".to_owned()),
        });
        let node = self.client.node(self.profile, &added.id).await?;
        self.judge_details(book, &node);
        self.judge_download(book, &node.id).await;
        self.judge_inventory(book).await;
        Ok(node)
    }

    fn judge_details(&self, book: &mut Book<'_>, node: &Node) {
        let times = node.created_at.is_some() && node.modified_at.is_some();
        let of = |body: &Value| shape::of(body.get("node").unwrap_or(body));
        let shown = book.last().and_then(|seen| seen.body).map_or(Value::Null, |body| of(&body));
        let seen = format!("created: {}, modified: {}", shown["created"], shown["modified"]);
        book.note(&a::TIMES_ARE_READ, times, seen);
        let Some(hash) = &node.hash else {
            book.note(
                &a::HASH_IS_SAID,
                false,
                format!("hash: {}, hash_algo: {}", shown["hash"], shown["hash_algo"]),
            );
            book.unknown(&a::HASH_IS_OF_THE_CONTENT, "there is none");
            return;
        };
        book.note(&a::HASH_IS_SAID, true, format!("the algorithm is {}", hash.algorithm));
        match is_hash_of(hash, FIRST) {
            Some(true) => book.note(
                &a::HASH_IS_OF_THE_CONTENT,
                true,
                format!("it is the {} of the bytes", hash.algorithm),
            ),
            Some(false) => {
                let looks = shape::looks(&hash.value);
                book.note(
                    &a::HASH_IS_OF_THE_CONTENT,
                    false,
                    format!("{looks} that are not the {} of the bytes", hash.algorithm),
                );
            }
            None => {
                let seen = format!(
                    "Docket does not compute {}; a file of that hash is read once more",
                    hash.algorithm
                );
                book.note(&a::HASH_IS_OF_THE_CONTENT, false, seen);
            }
        }
    }

    async fn judge_download(&self, book: &mut Book<'_>, node: &NodeId) {
        let download = match self.client.download(self.profile, node, None).await {
            Ok(download) => download,
            Err(error) => return book.refused(&a::CONTENT_COMES_WHOLE, &error),
        };
        let announced = download.length;
        match collect(download.body).await {
            Ok(bytes) => {
                let holds = announced == Some(FIRST.len() as u64) && bytes == FIRST.as_bytes();
                let length = announced.map_or("no length".to_owned(), |length| format!("{length} bytes"));
                book.note(
                    &a::CONTENT_COMES_WHOLE,
                    holds,
                    format!("{length} announced, {} came", bytes.len()),
                );
            }
            Err(error) => book.unknown(&a::CONTENT_COMES_WHOLE, error.to_string()),
        }
    }

    async fn judge_inventory(&self, book: &mut Book<'_>) {
        let page = self.client.inventory(self.profile, None).await;
        book.judge(&a::INVENTORY_TELLS_PATHS, page, |page| {
            let files = || page.items.iter().filter(|row| row.node.kind == NodeKind::File);
            let (placed, rows) = (files().filter(|row| row.path.is_some()).count(), files().count());
            let holds = rows > 0 && placed == rows && page.unreadable == 0;
            (
                holds,
                format!(
                    "{rows} rows, {placed} of them with id, type, size and path; {} unreadable",
                    page.unreadable
                ),
            )
        });
    }

    /// New content, and an edit that comes too late.
    async fn edit(&self, book: &mut Book<'_>, made: &mut Made, file: &Node) -> Result<Node, Error> {
        let Some(first) = file.version.clone() else {
            book.note(&a::VERSION_FOLLOWS_CONTENT, false, "the file's details name no version");
            return Ok(file.clone());
        };
        let upload = self.upload(made, SECOND).await?;
        if let Err(error) = self.client.add_version(self.profile, &file.id, &first, &upload).await {
            book.refused(&a::VERSION_FOLLOWS_CONTENT, &error);
            return Ok(file.clone());
        }
        let node = self.client.node(self.profile, &file.id).await?;
        let is_new = node.version.as_ref() != Some(&first);
        let seen = format!(
            "it is called {}, and its version is {}",
            node.name,
            if is_new { "new" } else { "as before" }
        );
        book.note(&a::VERSION_FOLLOWS_CONTENT, is_new && node.name == file.name, seen);
        let upload = self.upload(made, THIRD).await?;
        match self.client.add_version(self.profile, &file.id, &first, &upload).await {
            Ok(_) => book.note(&a::STALE_WRITE_IS_REFUSED, false, "it was written over the newer version"),
            Err(Error { kind: ErrorKind::Stale { current }, .. }) => {
                let named = if current == node.version { " and names the present version" } else { "" };
                book.note(&a::STALE_WRITE_IS_REFUSED, true, format!("409 conflict_version_mismatch{named}"));
            }
            Err(error) => book.refused(&a::STALE_WRITE_IS_REFUSED, &error),
        }
        self.judge_old_version(book, (&file.id, &first)).await;
        Ok(node)
    }

    async fn judge_old_version(&self, book: &mut Book<'_>, (file, version): (&NodeId, &VersionId)) {
        match self.client.download(self.profile, file, Some(version)).await {
            Ok(download) => match collect(download.body).await {
                Ok(bytes) if bytes == FIRST.as_bytes() => {
                    book.note(&a::OLD_VERSION_IS_READ, true, "the first version's bytes came");
                }
                Ok(_) => {
                    book.note(&a::OLD_VERSION_IS_READ, false, "other bytes than the first version's came")
                }
                Err(error) => book.unknown(&a::OLD_VERSION_IS_READ, error.to_string()),
            },
            Err(error) => book.refused(&a::OLD_VERSION_IS_READ, &error),
        }
    }

    async fn rename_and_move(
        &self,
        book: &mut Book<'_>,
        file: &Node,
        folder: &NodeId,
    ) -> Result<Moved, Error> {
        match self.client.rename(self.profile, &file.id, RENAMED).await {
            Ok(_) => {
                let node = self.client.node(self.profile, &file.id).await?;
                let same = (node.version == file.version, node.hash == file.hash);
                let holds = same == (true, true) && node.name == RENAMED;
                let word = |same| if same { "kept" } else { "changed" };
                let seen = format!("the version is {}, the hash {}", word(same.0), word(same.1));
                book.note(&a::RENAME_KEEPS_VERSION, holds, seen);
            }
            Err(error) => book.refused(&a::RENAME_KEEPS_VERSION, &error),
        }
        let before = self.client.node(self.profile, &file.id).await?;
        let sub = self.client.create_folder(self.profile, folder, "sub").await?;
        match self.client.move_to(self.profile, &file.id, &sub.id).await {
            Ok(moved) => {
                let node = self.client.node(self.profile, &moved.id).await?;
                let holds = node.id == file.id && node.version == before.version;
                let seen = if node.id == file.id { "the id is kept" } else { "it has a new id" };
                book.note(&a::MOVE_KEEPS_ID, holds, seen);
                Ok(Moved { file: node, folder: sub.id })
            }
            Err(error) => {
                book.refused(&a::MOVE_KEEPS_ID, &error);
                Ok(Moved { file: before, folder: folder.clone() })
            }
        }
    }

    /// A lock, and a result that is written under it.
    async fn lock(&self, book: &mut Book<'_>, made: &mut Made, file: &Node) -> Result<Node, Error> {
        const SECONDS: u32 = 60;
        const DEVICE: &str = "docket rehearse";
        let taken = self.client.lock(self.profile, &file.id, SECONDS, DEVICE).await;
        let seen = book
            .last()
            .and_then(|seen| seen.body)
            .map(|body| format!("it is at {}", places(&body).join(", ")));
        let Some(lock) = book.judge(&a::LOCK_GIVES_A_TOKEN, taken, |_| (true, seen.unwrap_or_default()))
        else {
            return Ok(file.clone());
        };
        let state = self.client.lock_state(self.profile, &file.id).await;
        let renewed = self.client.renew_lock(self.profile, &file.id, &lock.token).await;
        match (state, renewed) {
            (Ok(state), Ok(until)) => {
                let runs_out = if until.is_some() { "says" } else { "does not say" };
                let seen = format!("shown as locked: {}; renewing {runs_out} until when", state.locked);
                book.note(&a::LOCK_IS_RENEWED_AND_TOLD, state.locked, seen);
            }
            (Err(error), _) | (_, Err(error)) => book.refused(&a::LOCK_IS_RENEWED_AND_TOLD, &error),
        }
        if let Some(version) = &file.version {
            let upload = self.upload(made, THIRD).await?;
            let written = self.client.add_version(self.profile, &file.id, version, &upload).await;
            book.judge(&a::LOCK_LETS_ITS_USER_WRITE, written, |_| (true, "a version was written".to_owned()));
        }
        let again = self.client.lock(self.profile, &file.id, SECONDS, DEVICE).await;
        let again =
            book.judge(&a::LOCK_CAN_BE_TAKEN_AGAIN, again, |_| (true, "it was given again".to_owned()));
        let token = again.map_or(lock.token, |again| again.token);
        match self.client.unlock(self.profile, &file.id, &token).await {
            Ok(()) => match self.client.unlock(self.profile, &file.id, &token).await {
                Ok(()) => book.note(&a::LOCK_GONE_IS_404, false, "a second release is a success, too"),
                Err(error) if error.is_not_found() => book.note(&a::LOCK_GONE_IS_404, true, "status 404"),
                Err(error) => book.refused(&a::LOCK_GONE_IS_404, &error),
            },
            Err(error) => book.unknown(&a::LOCK_GONE_IS_404, format!("it could not be released: {error}")),
        }
        self.client.node(self.profile, &file.id).await
    }

    async fn delete_and_restore(
        &self,
        book: &mut Book<'_>,
        file: &Node,
        folder: &NodeId,
    ) -> Result<(), Error> {
        if let Err(error) = self.client.trash(self.profile, &file.id).await {
            book.refused(&a::TRASH_IS_SHOWN, &error);
            return Ok(());
        }
        let shown = self.client.node(self.profile, &file.id).await;
        let listed = self.client.in_list(self.profile, folder, &file.id).await?;
        book.judge(&a::TRASH_IS_SHOWN, shown, |node| {
            let said = if node.trashed { "shown as deleted" } else { "shown as if nothing had happened" };
            let seen = if listed { "still in its folder's list" } else { "gone from its folder's list" };
            (node.trashed && !listed, format!("{said}, and {seen}"))
        });
        match self.client.restore(self.profile, &file.id).await {
            Ok(_) => {
                let node = self.client.node(self.profile, &file.id).await;
                book.judge(&a::RESTORE_KEEPS_ID, node, |node| {
                    let holds = !node.trashed && node.version == file.version;
                    let seen = if node.version == file.version {
                        "the version is kept"
                    } else {
                        "it has another version"
                    };
                    (holds, seen.to_owned())
                });
            }
            Err(error) => book.refused(&a::RESTORE_KEEPS_ID, &error),
        }
        Ok(())
    }

    async fn purge(&self, book: &mut Book<'_>, made: &mut Made, folder: &NodeId) -> Result<NodeId, Error> {
        let upload = self.upload(made, SECOND).await?;
        let node = self.client.add_file(self.profile, folder, "rehearsal purged.txt", &upload).await?;
        let purged = match self.client.trash(self.profile, &node.id).await {
            Ok(()) => self.client.purge(self.profile, &node.id).await,
            Err(error) => Err(error),
        };
        if let Err(error) = purged {
            book.unknown(&a::PURGE_IS_NAMED, format!("nothing could be purged: {error}"));
            return Ok(node.id);
        }
        let absence = self.client.absence(self.profile, &node.id, folder).await;
        let by_list = book.last().is_some_and(|seen| seen.path.ends_with("/list/"));
        book.judge(&a::PURGE_IS_NAMED, absence, |absence| {
            let seen = if by_list { "only its folder's list shows it" } else { "it is named as missing" };
            (*absence == Absence::Proven && !by_list, seen.to_owned())
        });
        Ok(node.id)
    }

    async fn read_feed(&self, book: &mut Book<'_>, (org, mut cursor): (&str, String), told: &Told) {
        const WANTED: [&str; 5] =
            ["file_added", "file_updated", "file_moved", "file_deleted", "file_restored"];
        let deadline = Instant::now() + self.patience.for_news;
        let mut rows: Vec<payload::Parsed> = Vec::new();
        let has = |rows: &[payload::Parsed], node: &NodeId, what: &str| {
            rows.iter().any(|row| row.event.node.as_ref() == Some(node) && row.event.name.ends_with(what))
        };
        for _ in 0..MOST_PAGES {
            match self.client.changes(org, Some(&cursor)).await {
                Ok(Changes::Page(page)) => {
                    rows.extend(page.changes.iter().map(payload::read_row));
                    cursor = page.cursor;
                    // What was done last is told last.
                    let is_there = WANTED.iter().all(|what| has(&rows, &told.file, what));
                    if is_there || Instant::now() >= deadline {
                        break;
                    }
                    if !page.has_more || page.changes.is_empty() {
                        sleep(self.patience.between_looks).await;
                    }
                }
                Ok(Changes::CursorLost) => break,
                Err(error) => {
                    book.refused(&a::FEED_TELLS_EVERY_CHANGE, &error);
                    break;
                }
            }
        }
        let missing: Vec<&str> = WANTED.into_iter().filter(|what| !has(&rows, &told.file, what)).collect();
        let mut names: Vec<&str> = rows.iter().map(|row| row.event.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let seen = match missing.is_empty() {
            true => format!("it tells {}", names.join(", ")),
            false => format!("it tells {}, and nothing of {}", names.join(", "), missing.join(", ")),
        };
        book.note(&a::FEED_TELLS_EVERY_CHANGE, missing.is_empty(), seen);
        if rows.is_empty() {
            return;
        }
        let purges = rows
            .iter()
            .filter(|row| row.event.node.as_ref() == Some(&told.purged) && row.event.name.contains("purge"));
        let purges = purges.count();
        book.note(&a::FEED_TELLS_NO_PURGE, purges == 0, format!("{purges} events of a purge"));
        if told.folder_moved {
            let moves = rows.iter().filter(|row| {
                row.event.node.as_ref() == Some(&told.file) && row.event.name.ends_with("file_moved")
            });
            // The first is its own.
            let others = moves.count().saturating_sub(1);
            book.note(
                &a::FOLDER_MOVE_IS_ONE_EVENT,
                others == 0,
                format!("{others} events of the file in it"),
            );
        }
    }

    async fn search(&self, book: &mut Book<'_>) {
        let category = match self.profile.kind {
            ProfileKind::Workspace => Category::Workspace,
            ProfileKind::Share => Category::Share,
        };
        let since = self.began - MINUTE_MS;
        let found =
            self.client.search_events(&EventSearch { profile: self.profile, category, since }, None).await;
        book.judge(&a::EVENTS_CAN_BE_SEARCHED, found, |found| {
            (true, format!("{} events on the first page", found.events.len()))
        });
    }

    fn upload_name(&self) -> String {
        format!("{} upload.txt", self.mark)
    }

    /// An upload that is ready to be placed.
    async fn upload(&self, made: &mut Made, content: &'static str) -> Result<UploadId, Error> {
        let upload = self.client.open_upload(&self.upload_name(), content.len() as u64).await?;
        made.uploads.push(upload.clone());
        self.send(&upload, content).await?;
        self.ended(&upload).await?;
        Ok(upload)
    }

    async fn send(&self, upload: &UploadId, content: &'static str) -> Result<(), Error> {
        let pieces = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(content.as_bytes()))]);
        self.client.send_upload(upload, content.len() as u64, pieces).await
    }

    /// What became of an upload, which may take a moment.
    async fn ended(&self, upload: &UploadId) -> Result<UploadState, Error> {
        let deadline = Instant::now() + self.patience.for_news;
        loop {
            let state = self.client.upload_state(upload, Duration::from_secs(5)).await?;
            if state != UploadState::Underway || Instant::now() >= deadline {
                return Ok(state);
            }
            sleep(self.patience.between_looks).await;
        }
    }
}

struct Moved {
    file: Node,
    folder: NodeId,
}

async fn collect<S>(mut body: S) -> Result<Vec<u8>, Error>
where
    S: StreamExt<Item = Result<Bytes, Error>> + Unpin,
{
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

/// The word of the session's, or the answer's own, member.
fn word(body: &Value, name: &str) -> Option<String> {
    let session = body.get("session").or_else(|| body.get("response")?.get("session"));
    Some(session.unwrap_or(body).get(name)?.as_str()?.to_owned())
}

/// Where a lock's token stands in an answer.
fn places(body: &Value) -> Vec<String> {
    let mut places = Vec::new();
    for (name, value) in body.as_object().into_iter().flatten() {
        if name.ends_with("token") {
            places.push(name.clone());
        }
        let inner = value.as_object().into_iter().flatten();
        places.extend(
            inner.filter(|(inner, _)| inner.ends_with("token")).map(|(inner, _)| format!("{name}.{inner}")),
        );
    }
    places
}

/// None for an algorithm that Docket does not compute.
fn is_hash_of(hash: &Hash, content: &str) -> Option<bool> {
    let computed = match hash.algorithm.as_str() {
        "md5" => hex::encode(Md5::digest(content)),
        "sha256" => hex::encode(Sha256::digest(content)),
        _ => return None,
    };
    Some(computed == hash.value)
}
