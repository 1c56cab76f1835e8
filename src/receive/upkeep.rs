//! What a server that takes deliveries writes down and looks up now and then: its counts, and where other servers take some too, how
//! full the inbox is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::count::Counters;
use super::inbox::Level;
use super::store;
use crate::database::{Database, Error, spread};
use crate::listen::gate::Gate;

/// How many seconds of counts a crash may forget.
const FLUSH: Duration = Duration::from_secs(3);

/// How long the last flush of the counts may hold up a stop.
const LAST_FLUSH: Duration = Duration::from_secs(2);

/// How old what is known of the inbox may be, into which others put deliveries and from which they take them.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub struct Upkeep {
    pub(super) database: Database,
    pub(super) level: Arc<Level>,
    pub(super) counters: Arc<Counters>,
}

impl Upkeep {
    /// Goes on until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let (gate, mut flushed) = (Gate::default(), Instant::now());
        while !stop.is_cancelled() {
            tokio::select! { () = stop.cancelled() => break, () = tokio::time::sleep(spread(LOOK)) => {} }
            let mut done = self.look().await;
            if flushed.elapsed() >= FLUSH {
                flushed = Instant::now();
                done = done.and(self.flush().await);
            }
            if let (Err(error), Some(suppressed)) = (done, gate.pass()) {
                tracing::warn!(%error, suppressed, "what was received cannot be counted now; trying again");
            }
        }
    }

    /// Writes the counts down once more, when nothing is counted any more.
    pub async fn finish(&self) {
        let _ = tokio::time::timeout(LAST_FLUSH, self.flush()).await;
    }

    /// How full the inbox is. Where this server is alone, it knows.
    async fn look(&self) -> Result<(), Error> {
        if self.database.replica().is_some() {
            self.level.is(self.database.read_inbox(store::waiting).await?);
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), Error> {
        let taken = self.counters.take();
        if taken.is_empty() {
            return Ok(());
        }
        let counted = taken.clone();
        let result = self.database.write_unsynced(move |tx| store::add_counts(tx, &counted)).await;
        if result.is_err() {
            self.counters.put_back(taken);
        }
        result
    }
}
