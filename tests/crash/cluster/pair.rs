//! A primary and the standby that follows it, behind one address. When the primary is lost the standby takes its place, the old
//! primary never comes back, and a new standby is made.

use std::path::PathBuf;
use std::time::Duration;

use super::postgres::{Death, Postgres};
use super::way::Way;

/// The database of the servers under test.
pub const NAME: &str = "docket";

pub struct Pair {
    primary: Postgres,
    standby: Postgres,
    folder: PathBuf,
    /// Servers made up to now.
    made: usize,
    /// Leads everybody to the primary.
    way: Way,
    /// Leads the standby there.
    follows: Way,
}

impl Pair {
    /// Makes both in `folder`. `is_synchronous` says whether commits wait for the standby.
    pub async fn start(folder: PathBuf, is_synchronous: bool) -> anyhow::Result<Pair> {
        let primary = Postgres::new(&folder, &name(1), is_synchronous).await?;
        let (way, follows) = (Way::open().await?, Way::open().await?);
        way.lead(vec![primary.port()]);
        follows.lead(vec![primary.port()]);
        let standby = primary.standby(follows.port(), &folder, &name(2)).await?;
        primary.sql("postgres", &format!("CREATE DATABASE {NAME}")).await?;
        Ok(Pair { primary, standby, folder, made: 2, way, follows })
    }

    /// Where PostgreSQL is for everybody.
    pub fn port(&self) -> u16 {
        self.way.port()
    }

    /// The primary dies and is started again.
    pub async fn restart(&mut self, how: Death) -> anyhow::Result<()> {
        self.primary.die(how).await?;
        self.primary.start().await?;
        self.primary.is_followed().await
    }

    /// The primary dies for good, and the standby takes its place, which has heard nothing of it for the time `behind`.
    pub async fn fail_over(&mut self, how: Death, behind: Duration) -> anyhow::Result<()> {
        self.follows.lead(Vec::new());
        tokio::time::sleep(behind).await;
        self.primary.die(how).await?;
        self.standby.promote().await?;
        self.way.lead(vec![self.standby.port()]);
        self.follows.lead(vec![self.standby.port()]);
        self.made += 1;
        let next = self.standby.standby(self.follows.port(), &self.folder, &name(self.made)).await?;
        let primary = std::mem::replace(&mut self.standby, next);
        std::mem::replace(&mut self.primary, primary).remove()
    }

    /// The connections of everybody break off, on their way.
    pub fn cut(&self) {
        self.way.cut();
    }

    /// PostgreSQL ends the connections of everybody.
    pub async fn terminate(&self) -> anyhow::Result<()> {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = '{NAME}' AND pid <> pg_backend_pid()"
        );
        self.sql(&sql).await.map(drop)
    }

    /// The first column of what statements answer in the servers' database.
    pub async fn sql(&self, sql: &str) -> anyhow::Result<Vec<String>> {
        self.primary.sql(NAME, sql).await
    }
}

fn name(number: usize) -> String {
    format!("postgres-{number}")
}
