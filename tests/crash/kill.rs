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

use crate::check::failover::Failover;
use crate::check::twice::Stop;
use crate::database::Standing;
use crate::fleet::{Fleet, WORKSPACE};
use crate::server::Server;

/// Between looks whether the server is back.
pub const LOOK: Duration = Duration::from_millis(5);

/// After this it is not back at all.
pub const GIVE_UP: Duration = Duration::from_secs(120);

/// How long after a kill a request may arrive that was sent before, in milliseconds. A server that starts takes longer to ask anything.
const ON_ITS_WAY: i64 = 100;

/// One in this many kills hits a server that is still starting.
const EARLY_ONE_IN: usize = 8;

/// How long such a server lives, in milliseconds.
const EARLY: std::ops::Range<u64> = 2..250;

/// What followed a kill, or another harm. Seconds from the start of the process, or as [`crate::cluster::harm`] has it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Recovery {
    /// After what.
    pub after: &'static str,
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
    /// When which server of several did nothing.
    pub stops: Vec<Stop>,
    pub failovers: Vec<Failover>,
    /// The longest time until every server was ready again, in seconds.
    pub whole: f64,
}

impl Killed {
    /// Kills the server, sometimes once more while it comes up, and waits until it is back.
    pub async fn kill(&mut self, fleet: &mut Fleet, random: &mut Rng, most: usize) -> anyhow::Result<()> {
        let before = fleet.looks.standing(Clock::default().now()).await.context("looking at the jobs")?;
        self.end(fleet.server())?;
        self.kills += 1;
        let mut began = fleet.server().start()?;
        while self.kills < most && random.usize(0..EARLY_ONE_IN) == 0 {
            tokio::time::sleep(Duration::from_millis(random.u64(EARLY))).await;
            self.end(fleet.server())?;
            self.kills += 1;
            self.early += 1;
            began = fleet.server().start()?;
        }
        let number = self.kills;
        self.recoveries.push(back(fleet, began, (number, &before)).await?);
        Ok(())
    }

    /// Kills a server. What it had under way is over, whatever it was.
    pub fn end(&mut self, server: &mut Server) -> anyhow::Result<Instant> {
        let from = Clock::default().wall();
        server.kill()?;
        let ended = Instant::now();
        self.stops.push(Stop {
            server: server.name().to_owned(),
            from,
            until: Clock::default().wall() + ON_ITS_WAY,
        });
        Ok(ended)
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
    Ok(Recovery { after: "a kill", acknowledges, works, in_hand, due: before.len() - in_hand })
}
