//! Files that are in the trash as far as we know: those that Fastio does not have any more were purged, and each has a job that makes
//! certain of it. No webhook that tells of this is documented.

use super::Sweeper;
use crate::fastio::{NodeId, Profile};
use crate::feed::Error;
use crate::job::{self, Task};
use crate::queue::Priority;
use crate::sync::store::gone_nodes;

/// Ids that Fastio takes in one request for details (its API reference).
const AT_ONCE: u32 = 25;

impl Sweeper<'_> {
    pub async fn purged(&mut self, profile: &Profile) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let (of, from) = (profile.clone(), after.clone());
            let page = self.feed.database.read(move |c| gone_nodes(c, &of, &from, AT_ONCE)).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            last.clone_into(&mut after);
            let nodes: Vec<NodeId> = page.into_iter().map(|(_, node)| node).collect();
            let there = match self.feed.fastio.nodes(profile, &nodes).await {
                Ok(there) => there,
                Err(error) => {
                    self.incomplete(format!("the trash of {profile}"), &error);
                    return Ok(());
                }
            };
            let lost = nodes.into_iter().filter(|node| there.iter().all(|found| found.id != *node));
            let tasks: Vec<Task> = lost.map(|node| Task::File { profile: profile.clone(), node }).collect();
            let now = self.feed.clock.now();
            let ask = move |tx: &mut crate::database::Connection| {
                tasks.iter().try_for_each(|task| job::enqueue(tx, task, Priority::Backfill, now).map(drop))
            };
            if !self.scope.dry_run {
                self.feed.database.write(ask).await?;
                self.feed.wake.notify_waiters();
            }
        }
    }
}
