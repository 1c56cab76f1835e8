//! What stands around several servers that share a PostgreSQL: a balancer before them, a primary with a standby behind them, and in
//! some worlds a pooler in between. All of it can be harmed: [`harm`].

mod audit;
pub mod harm;
#[path = "../../it/harness/installed.rs"]
mod installed;
mod pair;
pub mod person;
mod pooler;
mod postgres;
mod way;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

use crate::database::Looks;
use crate::options::Options;
use crate::server::Server;
use pair::{NAME, Pair};
use pooler::Pooler;
use way::Way;

pub use installed::free_port;

/// How wrong the clock of the last server is.
const WRONG_BY: &str = "10m";

/// What is the same all the time, by the seed.
#[derive(Debug, Clone, Copy)]
pub struct World {
    /// Commits wait for the standby, so that a failover loses nothing.
    pub is_synchronous: bool,
    pub is_pooled: bool,
    /// The wrong clock is ahead; else it is behind.
    pub is_ahead: bool,
}

impl World {
    /// Four seeds in a row are four worlds, and eight also with both wrong clocks.
    pub fn of(seed: u64) -> World {
        World { is_synchronous: seed & 1 != 0, is_pooled: seed & 2 != 0, is_ahead: seed & 4 != 0 }
    }

    /// In words.
    pub fn told(self) -> String {
        format!(
            "{}, {}, the clock of the last server ten minutes {}",
            if self.is_synchronous { "commits wait for the standby" } else { "the standby follows behind" },
            if self.is_pooled { "a pooler before PostgreSQL" } else { "no pooler" },
            if self.is_ahead { "ahead" } else { "behind" },
        )
    }
}

pub struct Cluster {
    pub world: World,
    /// The balancer.
    door: Way,
    ports: Vec<u16>,
    pooler: Option<Pooler>,
    pair: Pair,
}

impl Cluster {
    /// Starts all but the servers themselves, in `folder`.
    pub async fn start(options: &Options, folder: &Path) -> anyhow::Result<Cluster> {
        let world = World::of(options.seed);
        eprintln!("{} servers: {}", options.replicas, world.told());
        // PostgreSQL does not run as root, whose folder this may be.
        let data = folder.join("postgres");
        std::fs::create_dir(&data)?;
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o711))?;
        std::fs::set_permissions(&data, PermissionsExt::from_mode(0o777))?;
        let pair = Pair::start(data, world.is_synchronous).await?;
        let pooler = match world.is_pooled {
            true => Some(Pooler::start(pair.port()).await?),
            false => None,
        };
        let ports: Vec<u16> = (0..options.replicas).map(|_| free_port()).collect();
        let door = Way::open().await?;
        door.lead(ports.clone());
        Ok(Cluster { world, door, ports, pooler, pair })
    }

    /// Where deliveries go.
    pub fn door(&self) -> u16 {
        self.door.port()
    }

    /// Has the database note what no row shows afterwards, once it has its tables.
    pub async fn audit(&self) -> anyhow::Result<()> {
        self.pair.sql(audit::INSTALL).await.map(drop)
    }

    /// What it noted.
    pub async fn audited(&self) -> anyhow::Result<Vec<String>> {
        self.pair.sql(audit::FOUND).await
    }

    pub fn looks(&self) -> Looks {
        Looks::at(&self.url(self.pair.port()))
    }

    fn url(&self, port: u16) -> String {
        format!("postgres://docket@127.0.0.1:{port}/{NAME}")
    }

    /// `[database]`
    pub fn settings(&self) -> String {
        let direct = self.url(self.pair.port());
        match &self.pooler {
            Some(pooler) => {
                let url = self.url(pooler.port());
                format!("url = '{url}'\nmigration_url = '{direct}'\npooler = true\n")
            }
            None => format!("url = '{direct}'\n"),
        }
    }

    /// The servers, of which none runs yet. The last of several has a wrong clock.
    pub fn servers(&self, folder: &Path) -> anyhow::Result<Vec<Server>> {
        let named = |(number, port): (usize, &u16)| Server::new(folder, &format!("server-{number}"), *port);
        let mut servers: Vec<Server> = (1..).zip(&self.ports).map(named).collect();
        if servers.len() > 1
            && let Some(last) = servers.pop()
        {
            let sign = if self.world.is_ahead { '+' } else { '-' };
            servers.push(last.with(vec![
                ("LD_PRELOAD", libfaketime()?),
                ("FAKETIME", format!("{sign}{WRONG_BY}")),
                // What has passed is right, as on a machine that was set wrong.
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ]));
        }
        Ok(servers)
    }
}

/// Where Debian has what tells a program another time than it is, for whatever machine.
fn libfaketime() -> anyhow::Result<String> {
    let machines = std::fs::read_dir("/usr/lib")?.flatten().map(|machine| machine.path());
    let found =
        machines.map(|machine| machine.join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
    let found = found.context("libfaketime is not installed: apt-get install libfaketime")?;
    Ok(found.display().to_string())
}
