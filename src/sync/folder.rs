//! A folder was moved, renamed, deleted or restored: Fastio tells of the folder and of none of the files in it. So each
//! file that is under it, and each that was, gets a job of its own and is looked at like any other. Whether a node is a
//! folder, Fastio and our tables say, and not what told of it.
//!
//! Each folder in it is listed by a job of its own too. A tree of any size is then done in small parts, of which a
//! failure repeats one.

use super::absence::LOOKS_FOR_NEW;
use super::look::Located;
use super::{Sync, store};
use crate::database;
use crate::fastio::{Node, NodeId, NodeKind, Profile, path};
use crate::http::pages::Pages;
use crate::job::verdict::database_verdict;
use crate::job::{self, Task};
use crate::queue::{Priority, Verdict};

/// Jobs added in one transaction, so that the drain and the workers get their turn in between.
const AT_ONCE: usize = 500;

impl Sync {
    /// Makes a job for each file that was under a folder, and begins to list what is there now.
    pub async fn folder(&self, profile: &Profile, folder: &NodeId) -> Verdict {
        if !self.rules.concern(profile) {
            return Verdict::Done;
        }
        let known = match self.files_under(profile, folder, false).await {
            Ok(known) => known,
            Err(error) => return database_verdict(&error),
        };
        let files = known.into_iter().map(|node| Task::File { profile: profile.clone(), node });
        let listing = Task::Listing { profile: profile.clone(), node: folder.clone() };
        self.add(files.chain([listing]).collect()).await.err().unwrap_or(Verdict::Done)
    }

    /// Makes a job for each file that is, or ever was, under a folder whose own job is dead: a listing would have found those that are
    /// there again.
    pub async fn under(&self, profile: &Profile, folder: &NodeId) -> Verdict {
        let known = match self.files_under(profile, folder, true).await {
            Ok(known) => known,
            Err(error) => return database_verdict(&error),
        };
        let files = known.into_iter().map(|node| Task::File { profile: profile.clone(), node });
        self.add(files.collect()).await.err().unwrap_or(Verdict::Done)
    }

    /// Makes a job for each covered file that a folder lists, and for each folder in it.
    /// `attempt` counts from 1.
    pub async fn listing(&self, profile: &Profile, folder: &NodeId, attempt: u16) -> Verdict {
        if !self.rules.concern(profile) {
            return Verdict::Done;
        }
        self.try_listing(profile, folder, attempt).await.err().unwrap_or(Verdict::Done)
    }

    async fn try_listing(&self, profile: &Profile, folder: &NodeId, attempt: u16) -> Result<(), Verdict> {
        let path = match self.looker.locate(profile, folder).await {
            Ok(Located::At(path)) => path,
            Ok(Located::NoFolder) => {
                let file = Task::File { profile: profile.clone(), node: folder.clone() };
                return self.add(vec![file]).await;
            }
            // A copy's files have no other event than the folder's, and the folder is as new as they are.
            Ok(Located::Unknown) if attempt <= LOOKS_FOR_NEW => {
                let reason = "Fastio reported a folder that it does not show yet".to_owned();
                return Err(Verdict::NotYet { reason });
            }
            // What was told of may be known to Fastio by another id.
            Ok(Located::Unknown) => {
                return self.add(vec![Task::Relist { profile: Some(profile.clone()) }]).await;
            }
            // What was under it has its jobs already.
            Ok(Located::Gone) => return Ok(()),
            Err(error) => return Err(self.unseen(profile, &error).await),
        };
        let task = |node: &Node| {
            let (profile, id) = (profile.clone(), node.id.clone());
            let covered = || !self.rules.covering(&profile, &path::below(&path, &node.name)).is_empty();
            match node.kind {
                NodeKind::Folder => Some(Task::Listing { profile, node: id }),
                kind if kind.has_content() && covered() => Some(Task::File { profile, node: id }),
                _ => None,
            }
        };
        let (mut pages, mut cursor, mut unreadable) = (Pages::default(), None::<String>, 0);
        loop {
            let page = match self.fastio.list(profile, folder, cursor.as_deref()).await {
                Ok(page) => page,
                // Deleted since it was located; its own event says so too.
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(self.unseen(profile, &error).await),
            };
            self.add(page.items.iter().filter_map(task).collect()).await?;
            unreadable += page.unreadable;
            let Some(next) = page.next else { break };
            let turned = pages.turn(page.items.len(), page.items.first().map(|node| node.id.as_str()));
            turned.map_err(|endless| Verdict::Retry { after: None, reason: endless.to_string() })?;
            cursor = Some(next);
        }
        if unreadable > 0 {
            tracing::warn!(%profile, folder = %folder, unreadable, "entries of a folder's list cannot be read");
        }
        Ok(())
    }

    /// Whether files that we know are, or were, under this node: then it is a folder, though Fastio knows it no more.
    pub(super) async fn was_folder(&self, profile: &Profile, node: &NodeId) -> Result<bool, Verdict> {
        let known = self.files_under(profile, node, false).await.map_err(|error| database_verdict(&error))?;
        Ok(!known.is_empty())
    }

    pub(super) async fn add(&self, tasks: Vec<Task>) -> Result<(), Verdict> {
        for tasks in tasks.chunks(AT_ONCE) {
            let (tasks, now) = (tasks.to_vec(), self.clock.now());
            let added = self.database.write(move |tx| {
                for task in &tasks {
                    job::enqueue(tx, task, Priority::Live, now)?;
                }
                Ok(())
            });
            added.await.map_err(|error| database_verdict(&error))?;
            self.wake.notify_waiters();
        }
        Ok(())
    }

    async fn files_under(
        &self,
        profile: &Profile,
        folder: &NodeId,
        gone: bool,
    ) -> Result<Vec<NodeId>, database::Error> {
        let (profile, folder) = (profile.clone(), folder.clone());
        self.database.read(move |c| store::files_under(c, &profile, &folder, gone)).await
    }
}
