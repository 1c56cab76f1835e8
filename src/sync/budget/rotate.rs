//! What follows when a budget is another than it was, or there is room again: now and then, by one server.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::scope::Of;
use super::store::{self, Usage};
use super::{Budgets, Sync};
use crate::database::{Connection, Error};

/// How often it is looked at. What is wanted now does not wait for it.
const PAUSE: Duration = Duration::from_secs(60);

/// Files in one transaction, so that others get their turn in between.
const AT_ONCE: u32 = 100;

/// The project is near to its limit from so many hundredths of it on, and no more below the second.
const NEAR: (i64, i64) = (80, 75);

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Files that leave, because less may be held than is.
    pub leaving: usize,
    /// Files that come back, because there is room.
    pub back: usize,
}

impl Sync {
    /// Rotates until `stop`, now and then.
    pub async fn rotate_for_ever(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.rotate().await {
                Ok(Rotated { leaving: 0, back: 0 }) => {}
                Ok(Rotated { leaving, back }) => {
                    tracing::info!(leaving, back, "files leave OpenAI by its budgets, and others come back");
                }
                Err(error) => {
                    tracing::warn!(error = %error, "budgets cannot be looked at now; trying again");
                }
            }
            tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(PAUSE) => {} }
        }
    }

    /// Has leave what is more than a budget allows, brings back what there is room for, and writes down whether the project is near to its
    /// limit.
    ///
    /// # Errors
    /// The database's. What was done before it is done.
    pub async fn rotate(&self) -> Result<Rotated, Error> {
        let mut rotated = Rotated::default();
        for place in 0..self.budgets.scopes().len() {
            loop {
                let (budgets, now) = (self.budgets.clone(), self.clock.now());
                let shrink = move |tx: &mut Connection| {
                    store::shrink(tx, &budgets, (&budgets.scopes()[place], AT_ONCE as usize), now)
                };
                let leaving = self.database.write(shrink).await?;
                rotated.leaving += leaving;
                if leaving < AT_ONCE as usize {
                    break;
                }
            }
        }
        for rule in self.database.read(store::rules_with_out).await? {
            let (budgets, now) = (self.budgets.clone(), self.clock.now());
            let refill = move |tx: &mut Connection| store::refill(tx, &budgets, (&rule, AT_ONCE), now);
            rotated.back += self.database.write(refill).await?;
        }
        self.look_how_near().await?;
        if rotated != Rotated::default() {
            self.wake.notify_waiters();
        }
        Ok(rotated)
    }

    async fn look_how_near(&self) -> Result<(), Error> {
        let (usage, was_near) = self.database.read(|c| Ok((store::usage(c)?, store::near(c)?))).await?;
        let share = self.budgets.share(&usage);
        let is_near = share >= if was_near.is_some() { NEAR.1 } else { NEAR.0 };
        if is_near != was_near.is_some() {
            let now = self.clock.now();
            self.database.write(move |tx| store::set_near(tx, is_near, now)).await?;
        }
        Ok(())
    }
}

impl Budgets {
    /// What the project may hold by OpenAI's limit, and what it holds, in bytes.
    pub fn project(&self, usage: &Usage) -> (i64, i64) {
        let limit = i64::from(self.settings.limit_megabytes) * 1_000_000;
        let project = self.scopes().iter().find(|scope| scope.of == Of::Project);
        (limit, project.map_or(0, |scope| usage.of(scope).held().bytes))
    }

    /// How many hundredths of OpenAI's limit the project holds.
    fn share(&self, usage: &Usage) -> i64 {
        let (limit, held) = self.project(usage);
        held.saturating_mul(100) / limit.max(1)
    }
}
