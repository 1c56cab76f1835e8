//! A folder was moved, renamed, deleted or restored: Fastio tells of the folder and of none of the files in it. So each
//! file that is under it, and each that was, gets a job of its own and is looked at like any other.

use super::verdict::{FASTIO, OPENAI, database_verdict, fastio_verdict};
use super::{Sync, store};
use crate::database;
use crate::event::Task;
use crate::fastio::{Node, NodeId, NodeKind, Profile};
use crate::queue::{self, NewJob, Priority, Verdict};

/// Folders inside folders. Deeper than anybody nests, and an end for a tree that Fastio reports as a circle.
const DEEPEST: usize = 64;

/// Jobs added in one transaction, so that the inbox gets its turn in between.
const AT_ONCE: usize = 500;

/// A folder still to be listed.
struct Open {
    node: NodeId,
    path: String,
    depth: usize,
}

impl Sync {
    /// Makes a job for each file that is, or was, under a folder.
    pub async fn folder(&self, profile: &Profile, folder: &NodeId) -> Verdict {
        if !self.rules.concern(profile) {
            return Verdict::Done;
        }
        self.try_folder(profile, folder).await.err().unwrap_or(Verdict::Done)
    }

    async fn try_folder(&self, profile: &Profile, folder: &NodeId) -> Result<(), Verdict> {
        let known = self.files_under(profile, folder).await.map_err(|error| database_verdict(&error))?;
        self.look_at(profile, &known).await?;
        let located = self.looker.locate(profile, folder).await.map_err(|error| fastio_verdict(&error))?;
        let Some(located) = located else { return Ok(()) };
        let mut open = vec![Open { node: folder.clone(), path: located.path, depth: 0 }];
        while let Some(next) = open.pop() {
            self.list(profile, &next, &mut open).await?;
        }
        Ok(())
    }

    /// Looks at the files of one folder, and adds its folders to `open`.
    async fn list(&self, profile: &Profile, folder: &Open, open: &mut Vec<Open>) -> Result<(), Verdict> {
        let mut cursor = None;
        loop {
            let page = match self.fastio.list(profile, &folder.node, cursor.as_deref()).await {
                Ok(page) => page,
                // Deleted since it was listed; its own event says so too.
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(fastio_verdict(&error)),
            };
            let path = |node: &Node| format!("{}/{}", folder.path, node.name);
            let files: Vec<NodeId> = page
                .items
                .iter()
                .filter(|node| node.kind == NodeKind::File)
                .filter(|node| !self.rules.covering(profile, &path(node)).is_empty())
                .map(|node| node.id.clone())
                .collect();
            self.look_at(profile, &files).await?;
            let folders = page.items.iter().filter(|node| node.kind == NodeKind::Folder);
            if folder.depth < DEEPEST {
                open.extend(folders.map(|node| Open {
                    node: node.id.clone(),
                    path: path(node),
                    depth: folder.depth + 1,
                }));
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn look_at(&self, profile: &Profile, nodes: &[NodeId]) -> Result<(), Verdict> {
        for nodes in nodes.chunks(AT_ONCE) {
            self.add_jobs(profile, nodes).await.map_err(|error| database_verdict(&error))?;
            self.wake.notify_waiters();
        }
        Ok(())
    }

    async fn add_jobs(&self, profile: &Profile, nodes: &[NodeId]) -> Result<(), database::Error> {
        let mut transaction = self.database.begin().await?;
        let now = self.clock.now();
        for node in nodes {
            let task = Task::File { profile: profile.clone(), node: node.clone() };
            let job = NewJob {
                key: &task.key(),
                task: &serde_json::to_string(&task).map_err(|error| database::Error::Encode(error.into()))?,
                needs: &[FASTIO, OPENAI],
                priority: Priority::Live,
            };
            queue::enqueue(&mut transaction, &job, now).await?;
        }
        transaction.commit().await
    }

    async fn files_under(&self, profile: &Profile, folder: &NodeId) -> Result<Vec<NodeId>, database::Error> {
        store::files_under(&mut *self.database.read().acquire().await?, profile, folder).await
    }
}
