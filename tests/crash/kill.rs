//! Kills the server and waits until it is back.
//!
//! *Back* means: the new process has answered 202 to a delivery, and has taken up work that the old one left: a job that
//! was in hand or due when it died was claimed anew, or is done. The time runs from the start of the process. Jobs of a
//! target that is paused do not count, because they are not to be worked on.

use std::time::{Duration, Instant};

use anyhow::Context;
use docket::clock::Clock;
use fastrand::Rng;
use serde_json::json;

use crate::database::Standing;
use crate::fleet::{Fleet, WORKSPACE};

/// Between looks whether the server is back.
const LOOK: Duration = Duration::from_millis(5);

/// After this it is not back at all.
const GIVE_UP: Duration = Duration::from_secs(120);

/// One in this many kills hits a server that is still starting.
const EARLY_ONE_IN: usize = 8;

/// How long such a server lives, in milliseconds.
const EARLY: std::ops::Range<u64> = 2..250;

/// A kill and what followed. Seconds from the start of the process.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Recovery {
    pub acknowledges: f64,
    pub works: f64,
    /// Jobs that were in hand when the server died, and that were due.
    pub in_hand: usize,
    pub due: usize,
}

impl Recovery {
    pub fn seconds(&self) -> f64 {
        self.acknowledges.max(self.works)
    }
}

#[derive(Debug, Default)]
pub struct Killed {
    pub kills: usize,
    /// Of these, while it was starting.
    pub early: usize,
    pub recoveries: Vec<Recovery>,
}

impl Killed {
    /// Kills the server, sometimes once more while it comes up, and waits until it is back.
    pub async fn kill(&mut self, fleet: &mut Fleet, random: &mut Rng, most: usize) -> anyhow::Result<()> {
        let before = fleet.looks.standing(Clock::default().now()).await.context("looking at the jobs")?;
        fleet.kill_server()?;
        self.kills += 1;
        let mut began = fleet.start_server()?;
        while self.kills < most && random.usize(0..EARLY_ONE_IN) == 0 {
            tokio::time::sleep(Duration::from_millis(random.u64(EARLY))).await;
            fleet.kill_server()?;
            self.kills += 1;
            self.early += 1;
            began = fleet.start_server()?;
        }
        let number = self.kills;
        self.recoveries.push(back(fleet, began, (number, &before)).await?);
        Ok(())
    }
}

/// Waits until the server is back.
pub async fn back(
    fleet: &mut Fleet,
    began: Instant,
    (number, before): (usize, &[Standing]),
) -> anyhow::Result<Recovery> {
    let id = format!("evt_probe_{number}_{}", began.elapsed().as_nanos());
    let body = json!({"event_id": id, "event": "workspace_storage_file_hummed", "workspace_id": WORKSPACE});
    while !fleet.deliver.once(&id, &body).await {
        fleet.lives()?;
        anyhow::ensure!(began.elapsed() < GIVE_UP, "the server does not acknowledge after a kill");
        tokio::time::sleep(LOOK).await;
    }
    let acknowledges = began.elapsed().as_secs_f64();
    while !before.is_empty() && fleet.looks.untouched(before).await? == before.len() {
        fleet.lives()?;
        anyhow::ensure!(began.elapsed() < GIVE_UP, "the server does no work after a kill: {before:?}");
        tokio::time::sleep(LOOK).await;
    }
    let in_hand = before.iter().filter(|job| job.in_hand).count();
    let works = began.elapsed().as_secs_f64();
    Ok(Recovery { acknowledges, works, in_hand, due: before.len() - in_hand })
}
