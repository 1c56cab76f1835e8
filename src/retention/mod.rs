//! What only grows gets an end: events, files that are gone with the runs over them, runs that newer ones took the place of,
//! and the records of our own files that are gone. Then the space goes back to the disk.
//!
//! All of it happens in small bites, each a transaction of a few milliseconds, so that no work waits for it. What is
//! found is looked for by readers, and looked at once more in the transaction that removes it. It owns no table: each module
//! says of its own rows which may go. On PostgreSQL the changes of the kept numbers are put together as well.

mod settings;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::database::{Connection, Database, Error, json_list};
use crate::erasure::{self, Because};
use crate::fastio::{FileKey, NodeId};
use crate::job::{self, Task};
use crate::queue::Priority;
use crate::run::RunId;
use crate::run::store::objects;
use crate::{event, history, import, own, run, sync};

pub use settings::Settings;

/// How often it is looked whether anything may go. Days are kept to the minute.
const PAUSE: Duration = Duration::from_secs(60);

/// How often what has gathered of the numbers is put together: whoever asks for one adds up all that has come since.
const FOLDED: Duration = Duration::from_secs(10);

/// Rows of a table that one bite looks at or removes.
const BITE: u32 = 500;

/// Free pages that stay in the file: 8 MB, which the next burst of deliveries takes again without the file growing.
const FREE_PAGES: i64 = 2_000;

/// Pages given back in one bite. Each may have to be moved first, and what is written to the file waits meanwhile.
const PAGES: u32 = 64;

/// Bites of pages in one pass, of each file: a quarter of a gigabyte an hour at most, beside everything else.
const PAGE_BITES: u32 = 16;

/// What is forgotten, and when.
#[derive(Debug, Clone)]
pub struct Retention {
    pub database: Database,
    pub clock: Clock,
    pub settings: Settings,
    pub event_keep_ms: i64,
}

/// How much one pass forgot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    pub events: u64,
    pub files: u64,
    pub runs: u64,
    pub own_files: u64,
    /// Pages of the database's file that the disk has again.
    pub pages: i64,
}

impl Retention {
    /// Forgets what is old until `stop`, now and then, and puts the numbers together that are kept as changes.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(self.forget(&stop), self.fold(&stop));
    }

    async fn forget(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            match self.pass(stop).await {
                Ok(Forgotten { events: 0, files: 0, runs: 0, own_files: 0, .. }) => {}
                Ok(Forgotten { events, files, runs, own_files, pages }) => {
                    tracing::debug!(events, files, runs, own_files, pages, "forgot what is old");
                }
                Err(error) => {
                    tracing::warn!(error = %error, "what is old cannot be forgotten now; trying again");
                }
            }
            tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(PAUSE) => {} }
        }
    }

    async fn fold(&self, stop: &CancellationToken) {
        if !self.database.keeps_changes() {
            return;
        }
        while !stop.is_cancelled() {
            if let Err(error) = self.database.fold_counts().await {
                tracing::warn!(error = %error, "the kept numbers cannot be put together now; trying again");
            }
            tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(FOLDED) => {} }
        }
    }

    /// Forgets all that is old, unless it is stopped before.
    ///
    /// # Errors
    /// The database's. What went before it is gone.
    pub async fn pass(&self, stop: &CancellationToken) -> Result<Forgotten, Error> {
        let now = self.clock.now();
        let mut forgotten = Forgotten {
            events: self.bites(stop, now - self.event_keep_ms, event::store::prune).await?,
            ..Forgotten::default()
        };
        self.bites(stop, now - self.event_keep_ms, import::store::prune).await?;
        if let Some(keep) = self.settings.gone_ms() {
            let forget = move |tx: &mut Connection, before, most| forget_gone(tx, before, most, now);
            forgotten.files = self.bites(stop, now - keep, forget).await?;
            forgotten.own_files = self.bites(stop, now - keep, own::store::prune).await?;
        }
        if let Some(keep) = self.settings.history_ms() {
            self.bites(stop, now - keep, history::store::prune).await?;
        }
        if let Some(keep) = self.settings.old_runs_ms() {
            forgotten.runs = self.old_runs(stop, now - keep).await?;
        }
        if let Some(keep) = self.settings.conversation_keep_ms() {
            let end = move |tx: &mut Connection| end_conversations(tx, now - keep, now);
            self.database.write(end).await?;
        }
        self.leave(now).await?;
        if let Some(keep) = self.settings.erasure_record_ms() {
            self.bites(stop, now - keep, erasure::store::prune).await?;
        }
        self.shed(now).await?;
        forgotten.pages = self.give_back(stop).await?;
        Ok(forgotten)
    }

    /// Has files looked at whose time in OpenAI is over.
    async fn leave(&self, now: i64) -> Result<(), Error> {
        let look = move |tx: &mut Connection| {
            for id in sync::store::leaving(tx, now, BITE)? {
                let Ok(FileKey { profile, node }) = id.parse::<FileKey>() else { continue };
                job::enqueue(tx, &Task::File { profile, node }, Priority::Backfill, now)?;
            }
            Ok(())
        };
        self.database.write(look).await
    }

    /// Has `forget` remove what came before `before`, a bite at a time, and answers how much.
    async fn bites<F>(&self, stop: &CancellationToken, before: i64, forget: F) -> Result<u64, Error>
    where
        F: Fn(&mut Connection, i64, u32) -> Result<u64, Error> + Copy + Send + 'static,
    {
        let mut all = 0;
        while !stop.is_cancelled() {
            let gone = self.database.write(move |tx| forget(tx, before, BITE)).await?;
            all += gone;
            if gone < u64::from(BITE) {
                break;
            }
        }
        Ok(all)
    }

    /// Removes the runs that ended before `before` and whose place newer ones took. Most of what is history stays, so all of that is
    /// looked through.
    async fn old_runs(&self, stop: &CancellationToken, before: i64) -> Result<u64, Error> {
        let (mut all, mut after) = (0, RunId(0));
        while !stop.is_cancelled() {
            let page = self.database.read(move |c| run::store::old::page(c, after, before, BITE)).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            let old: Vec<RunId> = page.into_iter().filter(|(_, is_old)| *is_old).map(|(id, _)| id).collect();
            if !old.is_empty() {
                all += self.database.write(move |tx| run::store::old::forget(tx, &old, before)).await?;
            }
        }
        Ok(all)
    }

    /// Sees to it that no byte of what was erased is left in the database's files, where that can be.
    async fn shed(&self, now: i64) -> Result<(), Error> {
        if !self.database.overwrites() {
            return Ok(());
        }
        if self.database.read(erasure::store::is_unshed).await? && self.database.shed().await?.is_folded {
            self.database.write(move |tx| erasure::store::shed(tx, now, now)).await?;
        }
        Ok(())
    }

    /// Gives pages that nothing uses back to the disk. A file that was made without room for it gives none: `docket database compact`.
    async fn give_back(&self, stop: &CancellationToken) -> Result<i64, Error> {
        let mut all = 0;
        for _ in 0..PAGE_BITES {
            if stop.is_cancelled() {
                break;
            }
            let given =
                self.database.write(some_pages).await? + self.database.write_inbox(some_pages).await?;
            all += given;
            if given == 0 {
                break;
            }
        }
        Ok(all)
    }
}

fn some_pages(tx: &mut Connection) -> Result<i64, Error> {
    if tx.free_pages()? > FREE_PAGES { tx.give_back(PAGES) } else { Ok(0) }
}

/// Forgets files that are gone since before `before`, with their runs. What those made at OpenAI goes first, as an erasure. What they
/// wrote beside a file may have gone with it, or be kept by a person: it is looked at once.
fn forget_gone(tx: &mut Connection, before: i64, most: u32, now: i64) -> Result<u64, Error> {
    let mut gone = run::store::old::gone_files(tx, before, most)?;
    let found = gone.len() as u64;
    for (profile, node) in own::store::beside(tx, &json_list(&gone))? {
        let Ok(profile) = profile.parse() else { continue };
        let look = Task::File { profile, node: NodeId::new(node) };
        job::enqueue(tx, &look, Priority::Backfill, now)?;
    }
    let mut erased = Vec::new();
    for id in &gone {
        let Ok(key) = id.parse::<FileKey>() else { continue };
        if objects::any_of(tx, id)? {
            erasure::store::begin(tx, &key, Because::Forgotten, now)?;
            erased.push(id.clone());
        }
    }
    gone.retain(|id| !erased.contains(id));
    let ids = json_list(&gone);
    run::store::old::forget_of(tx, &ids)?;
    sync::store::forget(tx, &ids)?;
    history::store::forget(tx, &ids)?;
    Ok(found)
}

/// Asks for the end of conversations that were last heard of before `before`, a bite of them.
fn end_conversations(tx: &mut Connection, before: i64, now: i64) -> Result<(), Error> {
    for object in objects::old(tx, before, BITE)? {
        let task = Task::Object { kind: object.kind.as_str().to_owned(), object: object.id };
        job::enqueue(tx, &task, Priority::Backfill, now)?;
    }
    Ok(())
}
