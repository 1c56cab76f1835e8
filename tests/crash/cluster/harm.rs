//! What is done to a cluster, one thing after the other, and how long it takes until all is as before.
//!
//! Each time is measured from the moment when what was harmed could be had again: that a database needs some seconds to come up is not
//! the servers' doing. A server that is killed or paused leaves its work to the others, so there the time runs from the harm itself.

use std::time::{Duration, Instant};

use anyhow::Context;
use docket::clock::Clock;
use fastrand::Rng;

use super::postgres::Death;
use crate::check::failover::Failover;
use crate::check::twice::Stop;
use crate::database::Standing;
use crate::fleet::Fleet;
use crate::kill::{Killed, Recovery, back};

/// One thing that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    KillServer,
    /// SIGSTOP, mostly for longer than a lease lasts, and SIGCONT.
    PauseServer,
    KillDatabase,
    FailOver,
    RestartPooler,
    CutConnections,
}

/// How often each comes, of a hundred.
const OFTEN: [(Harm, u32); 6] = [
    (Harm::KillServer, 45),
    (Harm::PauseServer, 15),
    (Harm::KillDatabase, 10),
    (Harm::FailOver, 5),
    (Harm::RestartPooler, 15),
    (Harm::CutConnections, 10),
];

/// How long a server is paused, in milliseconds.
const PAUSE: std::ops::Range<u64> = 1_000..9_000;

/// When others must have noticed that a server is not heard of: its lease lasts for four seconds.
const LEASE: Duration = Duration::from_secs(5);

/// How long the standby may have heard nothing of the primary when that dies, in milliseconds: where commits wait for it, for longer than
/// anybody waits for a commit; where they do not, what was committed then is lost.
const HELD_UP: u64 = 8_000;
const BEHIND: u64 = 2_000;

/// One in so many harms to the database meets a server that is just starting.
const STARTING_ONE_IN: usize = 3;

/// One in so many pauses sees all connections cut.
const CUT_IN_PAUSE_ONE_IN: usize = 3;

impl Harm {
    /// After what.
    pub fn told(self) -> &'static str {
        match self {
            Harm::KillServer => "a server is killed",
            Harm::PauseServer => "a server is paused",
            Harm::KillDatabase => "PostgreSQL is killed",
            Harm::FailOver => "failover",
            Harm::RestartPooler => "the pooler is killed",
            Harm::CutConnections => "connections are cut",
        }
    }

    /// So many, by the seed: each kind once, and then as often as it is to come.
    pub fn plan(random: &mut Rng, most: usize, is_pooled: bool) -> Vec<Harm> {
        let often: Vec<(Harm, u32)> =
            OFTEN.into_iter().filter(|(harm, _)| is_pooled || *harm != Harm::RestartPooler).collect();
        let mut plan: Vec<Harm> = often.iter().map(|(harm, _)| *harm).collect();
        random.shuffle(&mut plan);
        plan.truncate(most);
        let all: u32 = often.iter().map(|(_, times)| times).sum();
        while plan.len() < most {
            let mut choice = random.u32(0..all);
            let chosen = often.iter().find(|(_, times)| {
                let is_this = choice < *times;
                choice = choice.saturating_sub(*times);
                is_this
            });
            plan.extend(chosen.map(|(harm, _)| *harm));
        }
        plan
    }
}

/// Does `harm`, and waits until all is as before.
pub async fn strike(
    fleet: &mut Fleet,
    random: &mut Rng,
    harm: Harm,
    killed: &mut Killed,
) -> anyhow::Result<()> {
    killed.kills += 1;
    // A server that starts needs the database, and one that was slow may find that others took its place.
    fleet.is_harmed = true;
    let mut struck = Struck { fleet, random, killed, harm };
    let done = match harm {
        Harm::KillServer => struck.kill_server().await,
        Harm::PauseServer => struck.pause_server().await,
        _ => struck.harm_database().await,
    };
    done.with_context(|| harm.told())?;
    fleet.is_harmed = false;
    Ok(())
}

struct Struck<'a> {
    fleet: &'a mut Fleet,
    random: &'a mut Rng,
    killed: &'a mut Killed,
    harm: Harm,
}

impl Struck<'_> {
    /// It stays away until the others have taken its work over, or is back at once.
    async fn kill_server(&mut self) -> anyhow::Result<()> {
        let chosen = self.any_server();
        let stays_away = self.random.bool() && !self.is_alone();
        let before = self.in_hand_of(chosen).await?;
        let began = self.killed.end(&mut self.fleet.servers[chosen])?;
        if !stays_away {
            self.start(chosen)?;
        }
        self.back(began, &before).await?;
        if stays_away {
            self.start(chosen)?;
        }
        self.whole(began).await
    }

    /// Others take its work over when its lease is over; a shorter pause nobody may notice.
    async fn pause_server(&mut self) -> anyhow::Result<()> {
        let chosen = self.any_server();
        let pause = Duration::from_millis(self.random.u64(PAUSE));
        let is_noticed = pause > LEASE && !self.is_alone();
        let before = self.in_hand_of(chosen).await?;
        self.fleet.servers[chosen].pause()?;
        let (mut began, from) = (Instant::now(), now());
        let until = began + pause;
        if self.random.usize(0..CUT_IN_PAUSE_ONE_IN) == 0 {
            began = self.strike_database(Harm::CutConnections).await?;
        }
        if is_noticed {
            self.back(began, &before).await?;
        }
        tokio::time::sleep_until(until.into()).await;
        let server = &mut self.fleet.servers[chosen];
        server.resume()?;
        let resumed = Instant::now();
        self.killed.stops.push(Stop { server: server.name().to_owned(), from, until: now() });
        if !is_noticed {
            self.back(resumed, &before).await?;
        }
        self.whole(resumed).await
    }

    async fn harm_database(&mut self) -> anyhow::Result<()> {
        let before =
            self.fleet.looks.standing(Clock::default().now()).await.context("looking at the jobs")?;
        if self.random.usize(0..STARTING_ONE_IN) == 0 {
            let chosen = self.any_server();
            self.killed.end(&mut self.fleet.servers[chosen])?;
            self.start(chosen)?;
            self.killed.early += 1;
        }
        let began = self.strike_database(self.harm).await?;
        self.back(began, &before).await?;
        self.whole(began).await
    }

    /// Answers when the database could be had again.
    async fn strike_database(&mut self, harm: Harm) -> anyhow::Result<Instant> {
        let how = if self.random.bool() { Death::Kill } else { Death::Immediate };
        let is_on_the_way = self.random.bool();
        let cluster = self.fleet.cluster.as_mut().context("there is a cluster")?;
        match (harm, &mut cluster.pooler) {
            (Harm::KillDatabase, _) => cluster.pair.restart(how).await?,
            (Harm::FailOver, _) => {
                let from = now();
                let most = if cluster.world.is_synchronous { HELD_UP } else { BEHIND };
                let behind = Duration::from_millis(self.random.u64(0..most));
                cluster.pair.fail_over(how, behind).await?;
                self.killed.failovers.push(Failover { from, until: now() });
            }
            (Harm::RestartPooler, Some(pooler)) => pooler.restart().await?,
            _ if is_on_the_way => cluster.pair.cut(),
            _ => cluster.pair.terminate().await?,
        }
        Ok(Instant::now())
    }

    fn is_alone(&self) -> bool {
        self.fleet.servers.len() == 1
    }

    fn any_server(&mut self) -> usize {
        self.random.usize(0..self.fleet.servers.len())
    }

    async fn in_hand_of(&self, chosen: usize) -> anyhow::Result<Vec<Standing>> {
        self.fleet
            .looks
            .in_hand_of(self.fleet.servers[chosen].process()?)
            .await
            .context("looking at the jobs")
    }

    fn start(&mut self, chosen: usize) -> anyhow::Result<()> {
        self.fleet.servers[chosen].start().map(drop)
    }

    /// Waits until deliveries are acknowledged and what was in hand goes on.
    async fn back(&mut self, began: Instant, before: &[Standing]) -> anyhow::Result<()> {
        let recovery = back(self.fleet, began, (self.killed.kills, before)).await?;
        self.killed.recoveries.push(Recovery { after: self.harm.told(), ..recovery });
        Ok(())
    }

    /// Waits until every server is ready.
    async fn whole(&mut self, began: Instant) -> anyhow::Result<()> {
        self.fleet.all_ready().await?;
        self.killed.whole = self.killed.whole.max(began.elapsed().as_secs_f64());
        Ok(())
    }
}

/// Unix time in milliseconds.
fn now() -> i64 {
    Clock::default().wall()
}
