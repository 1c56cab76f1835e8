//! What a server does because there may be others on its database.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::contain::keep_running;
use crate::database::{Database, Role, spread};
use crate::govern::Governor;
use crate::queue::Queue;

/// How old what a server knows of the others may be, about, while its workers have no time to look.
const SHARE: Duration = Duration::from_secs(1);

/// Learns what other servers hold and tells them what was used of their limits, until `stop`.
pub async fn share(queue: &Queue, governor: &Governor, stop: &CancellationToken) {
    let mut is_failing = false;
    loop {
        tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(spread(SHARE)) => {} }
        let shared = queue.next_due().await.map(drop).and(governor.tell().await);
        if let (Err(error), false) = (&shared, is_failing) {
            tracing::warn!(%error, "what other servers share cannot be learnt now; trying again");
        }
        is_failing = shared.is_err();
    }
}

/// Spawns what one of the servers does at a time that share a database.
pub struct Lead<'a> {
    pub parts: &'a mut JoinSet<&'static str>,
    pub database: &'a Database,
    pub stop: &'a CancellationToken,
}

impl Lead<'_> {
    pub fn spawn<F: Future<Output = ()> + Send>(
        &mut self,
        role: Role,
        run: impl Fn(CancellationToken) -> F + Send + Sync + 'static,
    ) {
        let (database, stop) = (self.database.clone(), self.stop.clone());
        self.parts.spawn(async move {
            let lead = || database.lead(role, &stop, || run(stop.clone()));
            keep_running(role.as_str(), &stop, lead).await;
            role.as_str()
        });
    }
}
