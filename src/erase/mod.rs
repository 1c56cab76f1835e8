//! Erases what derives from a file: what runs over it made at OpenAI, what stands beside it in Fastio, and every row of ours that tells
//! of it. Its copies and its runs have jobs of their own, which are waited for.
//!
//! ```text
//!   copies gone, runs ended ──▶ objects at OpenAI ──▶ results beside ──▶ tables written anew ──▶ rows ──▶ bytes
//! ```
//!
//! | because | the result beside | may be synced again |
//! |---|---|---|
//! | a person asked | goes, unless a person edited it | when the person says so |
//! | it was purged, or was in the trash for long | as the rule says (`when_gone`) | if it is there again |
//!
//! Each step can be done again, and is on record before the next begins; so a server that takes over goes on where the last one
//! stopped. What could not be erased is on record too ([`crate::erasure`]).

pub mod found;
mod object;
mod open;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::database::{Connection, Database};
use crate::erasure::{self, Because, Erasure, Remains};
use crate::fastio::FileKey;
use crate::job::verdict::fastio_verdict;
use crate::outside::{find, store as outside};
use crate::own::{self, OwnFile};
use crate::queue::Verdict;
use crate::run::store::objects::{self, Object, ObjectKind};
use crate::{event, fastio, openai, run};
use object::{Deleted, delete};
use open::{BACK, Open};

/// Between looks whether what is waited for is done: at first, and of what takes long.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What erases.
#[derive(Debug)]
pub struct Eraser {
    pub database: Database,
    pub clock: Clock,
    pub fastio: fastio::Client,
    pub openai: openai::Client,
    /// What to notify when jobs were added.
    pub wake: Arc<Notify>,
}

impl Eraser {
    /// Goes on with the erasure of what derives from the file, if there is one.
    pub async fn erase(&self, key: &FileKey) -> Verdict {
        self.try_erase(key).await.err().unwrap_or(Verdict::Done)
    }

    /// Deletes one thing that a run made at OpenAI.
    pub async fn object(&self, kind: &str, id: &str) -> Verdict {
        let Some(kind) = ObjectKind::parse(kind) else { return Verdict::Done };
        let object = Object { kind, id: id.to_owned() };
        match delete(&self.openai, &object).await {
            Ok(Deleted::Gone) => {}
            Ok(Deleted::Refused(why)) => {
                tracing::warn!(
                    kind = kind.as_str(),
                    id,
                    why,
                    "the server does not delete it, and it stays there"
                );
            }
            Err(verdict) => return verdict,
        }
        let forgotten = self.database.write(move |tx| objects::forget(tx, &object)).await;
        forgotten.map_err(Verdict::from).err().unwrap_or(Verdict::Done)
    }

    async fn try_erase(&self, key: &FileKey) -> Result<(), Verdict> {
        let source = key.to_string();
        let going = self.database.read(move |connection| erasure::store::going(connection, &source)).await?;
        let Some(mut erasure) = going else { return Ok(()) };
        if erasure.cleared_at.is_none() {
            self.wait_for_work(key, &erasure).await?;
            self.settle(key, &mut erasure).await?;
            self.delete_objects(key, &erasure).await?;
            if erasure.because == Because::Asked {
                self.take_results_away(key, &erasure).await?;
            }
            self.wait_for_tables(key, &erasure).await?;
            self.clear(key, &erasure).await?;
        }
        // Of the others a later pass sees to it for all of them.
        let is_shed = self.database.overwrites() && erasure.because == Because::Asked;
        let left = match (self.database.overwrites(), is_shed) {
            (false, _) => Some(remains_in(ROWS_STAY)),
            (true, true) => self.shed().await?.map(remains_in),
            (true, false) => None,
        };
        let (id, now) = (erasure.erasure_id, self.clock.now());
        let end = move |tx: &mut Connection| {
            if let Some(left) = &left {
                erasure::store::keep(tx, id, left)?;
            }
            erasure::store::end(tx, id, now)?;
            if is_shed { erasure::store::shed(tx, now, now) } else { Ok(()) }
        };
        self.database.write(end).await?;
        tracing::info!(source_id = %key, because = erasure.because.as_str(), "what derives from the file is erased");
        Ok(())
    }

    async fn wait_for_work(&self, key: &FileKey, erasure: &Erasure) -> Result<(), Verdict> {
        let (asked, of, now) = (key.clone(), erasure.clone(), self.clock.now());
        let ask = move |tx: &mut Connection| {
            let Some(open) = Open::of(tx, &asked, &of)? else { return Ok(None) };
            if open.reason == BACK {
                erasure::store::withdraw(tx, of.erasure_id)?;
            }
            open.ask(tx, now)?;
            for own in own::store::of_source(tx, &asked.to_string())?.iter().filter(|own| own.writing) {
                outside::leave_writes(tx, &own.owner, now)?;
            }
            Ok(Some(open.reason))
        };
        let Some(reason) = self.database.write(ask).await? else { return Ok(()) };
        self.wake.notify_waiters();
        Err(self.later(erasure, reason))
    }

    /// Nothing is under way any more. A response whose id was never told can be counted now, and not found.
    async fn settle(&self, key: &FileKey, erasure: &mut Erasure) -> Result<(), Verdict> {
        if erasure.settled_at.is_some() {
            return Ok(());
        }
        let (source, id, now) = (key.to_string(), erasure.erasure_id, self.clock.now());
        let settle = move |tx: &mut Connection| {
            if objects::untold(tx, &source)? > 0 {
                let remains = Remains {
                    what: "response".to_owned(),
                    id: String::new(),
                    why: "its creation was not answered, so its id is not known; OpenAI keeps it for 30 days"
                        .to_owned(),
                };
                erasure::store::keep(tx, id, &remains)?;
            }
            erasure::store::settle(tx, id, now)
        };
        self.database.write(settle).await?;
        erasure.settled_at = Some(now);
        Ok(())
    }

    fn later(&self, erasure: &Erasure, reason: &str) -> Verdict {
        let age = u64::try_from(self.clock.since(erasure.asked_at) / 8).unwrap_or(0);
        Verdict::later(Duration::from_millis(age).clamp(LOOK_AGAIN.0, LOOK_AGAIN.1), reason)
    }

    async fn delete_objects(&self, key: &FileKey, erasure: &Erasure) -> Result<(), Verdict> {
        let (source, id) = (key.to_string(), erasure.erasure_id);
        let made = self.database.read(move |connection| objects::of_source(connection, &source)).await?;
        for object in made {
            let deleted = delete(&self.openai, &object).await?;
            let write = move |tx: &mut Connection| {
                objects::forget(tx, &object)?;
                match &deleted {
                    Deleted::Gone => erasure::store::add(tx, id, object.kind.as_str(), 1),
                    Deleted::Refused(why) => {
                        let what = object.kind.as_str().to_owned();
                        let remains = Remains { what, id: object.id.clone(), why: why.clone() };
                        erasure::store::keep(tx, id, &remains)
                    }
                }
            };
            self.database.write(write).await?;
        }
        Ok(())
    }

    /// Puts into the trash what stands beside the file and is as we wrote it. What a person edited is theirs.
    async fn take_results_away(&self, key: &FileKey, erasure: &Erasure) -> Result<(), Verdict> {
        let (source, id, now) = (key.to_string(), erasure.erasure_id, self.clock.now());
        let owned = self.database.read(move |connection| own::store::of_source(connection, &source)).await?;
        for own in owned.into_iter().filter(|own| own.gone_since.is_none()) {
            let is_gone = self.take_away(&own).await?;
            let write = move |tx: &mut Connection| {
                let Some(node) = &own.node else { return Ok(()) };
                if is_gone {
                    own::store::lose(tx, &own.profile, node, now)?;
                    return erasure::store::add(tx, id, "result", 1);
                }
                let why = "a person edited it".to_owned();
                let remains = Remains { what: "result".to_owned(), id: node.to_string(), why };
                erasure::store::keep(tx, id, &remains)
            };
            self.database.write(write).await?;
        }
        Ok(())
    }

    /// Whether the file of ours is gone now, and what it replaced elsewhere with it.
    async fn take_away(&self, own: &OwnFile) -> Result<bool, Verdict> {
        let old = own.old.clone().map(|(node, version)| OwnFile {
            node: Some(node),
            version: Some(version),
            ..own.clone()
        });
        let mut all_gone = true;
        for own in old.iter().chain([own]) {
            let Some(node) = find(&self.fastio, &self.clock, (&own.profile, own)).await? else { continue };
            if node.version != own.version {
                all_gone = false;
                continue;
            }
            match self.fastio.trash(&own.profile, &node.id).await {
                Err(error) if !error.is_not_found() => return Err(fastio_verdict(&error)),
                _ => {}
            }
        }
        Ok(all_gone)
    }

    /// Waits until the tables of its rules were written without it.
    async fn wait_for_tables(&self, key: &FileKey, erasure: &Erasure) -> Result<(), Verdict> {
        let (source, settled_at) = (key.to_string(), erasure.settled_at.unwrap_or(self.clock.now()));
        let read = move |connection: &mut Connection| {
            run::store::open::unwritten_tables(connection, &source, settled_at)
        };
        match self.database.read(read).await?.is_empty() {
            true => Ok(()),
            false => Err(self.later(erasure, "the table of its rule is written first")),
        }
    }

    async fn clear(&self, key: &FileKey, erasure: &Erasure) -> Result<(), Verdict> {
        let asked = key.clone();
        // All events are looked through, which no writer may wait for.
        let read = move |connection: &mut Connection| {
            let own = own::store::of_source(connection, &asked.to_string())?;
            let nodes = own.into_iter().filter_map(|own| own.node).chain([asked.node.clone()]);
            let nodes: Vec<String> = nodes.map(|node| node.canonical()).collect();
            event::store::about(connection, &asked.profile, &nodes)
        };
        let events = self.database.read(read).await?;
        let (of, its, now) = (key.clone(), erasure.clone(), self.clock.now());
        let clear = move |tx: &mut Connection| rows::clear(tx, (&of, &its), &events, now);
        match self.database.write(clear).await? {
            true => Ok(()),
            false => Err(Verdict::later(LOOK_AGAIN.0, "something new was told of the file meanwhile")),
        }
    }

    /// Sees to it that no byte of what was deleted is left in the database's files; answers where some are left.
    async fn shed(&self) -> Result<Option<Place>, Verdict> {
        let shed = self.database.shed().await?;
        if !shed.is_folded {
            return Err(Verdict::later(
                LOOK_AGAIN.0,
                "the database's log is being read, and is emptied after that",
            ));
        }
        Ok((shed.free_pages > 0).then_some(FREE_PAGES))
    }
}

/// Where bytes of rows that are gone are left in the database's files, and why.
type Place = (&'static str, &'static str);

const ROWS_STAY: Place = (
    "rows in PostgreSQL's files",
    "it overwrites what is deleted when it uses the space again: VACUUM FULL does so now, but not in its log and backups",
);
const FREE_PAGES: Place = (
    "free pages of the database",
    "its file cannot give them back: stop the server and run docket database compact",
);

fn remains_in((what, why): Place) -> Remains {
    Remains { what: what.to_owned(), id: String::new(), why: why.to_owned() }
}
