//! `pgbouncer` in transaction mode before PostgreSQL.

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::spawn_blocking;

use super::installed::{self, Tended, free_port};

pub struct Pooler {
    port: u16,
    to: u16,
    running: Option<Tended>,
}

impl Pooler {
    /// One before the port `to`.
    pub async fn start(to: u16) -> anyhow::Result<Pooler> {
        let mut pooler = Pooler { port: free_port(), to, running: None };
        pooler.run().await?;
        Ok(pooler)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// It dies, and another one takes its place.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        let running = self.running.take().context("there is a pooler")?;
        let process = Pid::from_raw(running.said.parse()?).context("no process has the id 0")?;
        kill_process(process, Signal::KILL)?;
        spawn_blocking(move || drop(running)).await?;
        self.run().await
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        let (to, port) = (self.to, self.port);
        self.running = Some(spawn_blocking(move || installed::pooler(to, port)).await?);
        Ok(())
    }
}
