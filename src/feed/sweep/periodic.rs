//! Sweeps from time to time. When the last one ended stands in the database, so a server that is started often does not
//! sweep more often.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Report, Scope};
use crate::feed::store::{self, Way};
use crate::feed::{Error, Feed};

/// How often is looked whether a sweep is due.
const LOOK: Duration = Duration::from_secs(60);

/// A server that starts first does what it was asked.
const START: Duration = Duration::from_secs(10);

/// How soon a sweep with an incomplete list is tried again, when they are further apart.
const AGAIN_MS: i64 = 15 * 60 * 1000;

impl Feed {
    /// Sweeps if it is time, or nobody ever did.
    ///
    /// # Errors
    /// Our database's.
    pub async fn sweep_if_due(&self) -> Result<Option<Report>, Error> {
        if self.sweeps.every_minutes == 0 {
            return Ok(None);
        }
        let mut connection = self.database.read().acquire().await?;
        let last = store::last_sweep(&mut connection).await?;
        let alone = self.settings.org_id.is_some()
            && store::state(&mut connection).await?.is_some_and(|state| state.way() == Way::Sweeps);
        drop(connection);
        let minutes = match alone && self.sweeps.alone_minutes > 0 {
            true => self.sweeps.every_minutes.min(self.sweeps.alone_minutes),
            false => self.sweeps.every_minutes,
        };
        let every = i64::from(minutes) * 60_000;
        let due = last.is_none_or(|last| {
            let wait = if last.outcome == "incomplete" { every.min(AGAIN_MS) } else { every };
            // A clock that stepped back must not put sweeps off for years.
            let since = self.clock.now() - last.ended_at;
            since >= wait || since < 0
        });
        if !due {
            return Ok(None);
        }
        self.sweep(Scope::default(), &mut |_| {}).await.map(Some)
    }

    /// Sweeps whenever it is time, until `stop`.
    pub async fn sweep_for_ever(self, stop: CancellationToken) {
        let mut wait = START;
        loop {
            tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(wait) => {} }
            wait = LOOK;
            let swept =
                tokio::select! { () = stop.cancelled() => return, swept = self.sweep_if_due() => swept };
            if let Err(error) = swept {
                tracing::error!(error = %error, "a sweep failed");
            }
        }
    }
}
