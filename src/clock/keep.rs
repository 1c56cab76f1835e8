//! Persists the current time every now and then, and logs when the machine's clock steps.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Clock, WORTH_A_LINE_MS, store};
use crate::database::{Database, Error};

/// What a server that is killed may not know of its own time: waits are that much longer at most when the machine's
/// clock is set back just then.
const EVERY: Duration = Duration::from_secs(30);

impl Clock {
    /// Goes on from the latest time that a server of `database` has written down.
    ///
    /// # Errors
    /// The database's.
    pub async fn go_on(&self, database: &Database) -> Result<(), Error> {
        if let Some(seen) = database.read(store::seen).await? {
            self.advance_to(seen);
        }
        Ok(())
    }

    /// Persists the time until `stop`, and once more then.
    pub async fn persist_until(&self, database: &Database, stop: CancellationToken) {
        let mut behind = false;
        while !stop.is_cancelled() {
            tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(EVERY) => {} }
            behind = self.log_step(behind);
            if let Err(error) = self.persist(database).await {
                tracing::warn!(error = %error, "cannot persist the time; trying again");
            }
        }
    }

    /// Persists the time.
    ///
    /// # Errors
    /// The database's.
    pub async fn persist(&self, database: &Database) -> Result<(), Error> {
        let now = self.now();
        database.write(move |tx| store::see(tx, now)).await
    }

    /// Logs once that the machine's clock went back, and once that it has caught up. Returns whether it is behind.
    fn log_step(&self, behind: bool) -> bool {
        let ahead = self.ahead();
        if !behind && ahead > WORTH_A_LINE_MS {
            let seconds = ahead / 1000;
            tracing::warn!(
                seconds,
                "this machine's clock went back; waits and ages go on as they were, signatures are checked by it"
            );
            return true;
        }
        if behind && ahead <= WORTH_A_LINE_MS {
            tracing::info!("this machine's clock has caught up");
            return false;
        }
        behind
    }
}
