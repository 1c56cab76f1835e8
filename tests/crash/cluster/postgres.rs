//! One server of PostgreSQL: its data, and the processes that work on them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::spawn_blocking;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::installed::{Tended, binaries, command, free_port};

/// Runs a server until its input ends. It says the process id of the first of its processes.
const RUN: &str = r#"
    set -eu
    bin=$1 data=$2 port=$3; shift 3
    "$bin/postgres" -D "$data" -p "$port" "$@" >>"$data.log" 2>&1 &
    server=$!
    until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do
        kill -0 "$server" 2>/dev/null || exit 1
        sleep 0.02
    done
    echo "$server"
    read -r _ || true
    # The shell tells of who was killed.
    exec 2>/dev/null
    kill -INT "$server" 2>/dev/null || true
    wait "$server" || true
"#;

/// Nothing is left out that keeps what was committed. A standby comes back at once, and finds all that it missed.
const SET: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=64MB",
    "autovacuum_naptime=5s",
    "wal_keep_size=512MB",
    "wal_retrieve_retry_interval=100ms",
    "wal_receiver_timeout=10s",
];

/// How long a server may take to start: one that was killed first has to see that none of its processes is left.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// How long a standby may take to follow.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(60);

/// Between looks.
const LOOK: Duration = Duration::from_millis(20);

/// How PostgreSQL dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// All its processes at once, as with its machine.
    Kill,
    /// As an operator in haste has it: no process finishes anything.
    Immediate,
}

pub struct Postgres {
    data: PathBuf,
    port: u16,
    /// Commits wait for the standby.
    is_synchronous: bool,
    running: Option<Tended>,
}

impl Postgres {
    /// A server with new data in `folder`.
    pub async fn new(folder: &Path, name: &str, is_synchronous: bool) -> anyhow::Result<Postgres> {
        let data = folder.join(name);
        let mut init = command(binaries().join("initdb"));
        init.arg("-D").arg(&data).args(["-U", "docket", "-E", "UTF8", "-A", "trust", "-N"]);
        init.args(["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"]);
        done(init).await?;
        let mut made = Postgres { data, port: free_port(), is_synchronous, running: None };
        made.start().await?;
        Ok(made)
    }

    /// A new standby in `folder`, which follows this server from now on, by way of the port `by`.
    pub async fn standby(&self, by: u16, folder: &Path, name: &str) -> anyhow::Result<Postgres> {
        let data = folder.join(name);
        let mut copy = command(binaries().join("pg_basebackup"));
        copy.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-U", "docket", "-R", "-c", "fast", "--no-sync"]);
        copy.arg("-p").arg(by.to_string());
        done(copy).await?;
        let mut standby =
            Postgres { data, port: free_port(), is_synchronous: self.is_synchronous, running: None };
        standby.start().await?;
        self.is_followed().await?;
        Ok(standby)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it, and waits until it takes connections.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        let names = if self.is_synchronous { "*" } else { "" };
        let names = format!("synchronous_standby_names={names}");
        let set = SET.into_iter().chain([&*names]).flat_map(|set| ["-c".into(), set.into()]);
        let own = [binaries().into(), self.data.clone().into(), self.port.to_string().into()];
        let arguments: Vec<OsString> = own.into_iter().chain(set).collect();
        while self.running.is_none() {
            anyhow::ensure!(began.elapsed() < STARTS_WITHIN, "PostgreSQL does not start: {}", self.log());
            let arguments = arguments.clone();
            self.running = spawn_blocking(move || Tended::start(RUN, arguments)).await?;
        }
        Ok(())
    }

    /// It dies.
    pub async fn die(&mut self, how: Death) -> anyhow::Result<()> {
        let running = self.running.take().context("PostgreSQL does not run")?;
        let first: i32 = running.said.parse()?;
        match how {
            Death::Kill => {
                let children = std::fs::read_to_string(format!("/proc/{first}/task/{first}/children"))?;
                // The first one first, which would start others.
                kill(first, Signal::KILL)?;
                for child in children.split_whitespace() {
                    kill(child.parse()?, Signal::KILL)?;
                }
            }
            Death::Immediate => kill(first, Signal::QUIT)?,
        }
        // Waits for it.
        Ok(spawn_blocking(move || drop(running)).await?)
    }

    /// Makes a primary of a standby.
    pub async fn promote(&self) -> anyhow::Result<()> {
        let promoted = self.sql("postgres", "SELECT pg_promote()").await?;
        anyhow::ensure!(promoted == ["t"], "the standby is not promoted: {}", self.log());
        Ok(())
    }

    /// Waits until a standby follows; where commits wait for one, until they need not any more.
    pub async fn is_followed(&self) -> anyhow::Result<()> {
        let sql = match self.is_synchronous {
            true => "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'",
            false => "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'",
        };
        let began = Instant::now();
        while self.sql("postgres", sql).await?.is_empty() {
            anyhow::ensure!(began.elapsed() < FOLLOWS_WITHIN, "no standby follows: {}", self.log());
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// The first column of what a statement answers.
    pub async fn sql(&self, database: &str, sql: &str) -> anyhow::Result<Vec<String>> {
        let url = format!("postgres://docket@127.0.0.1:{}/{database}", self.port);
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        let connection = tokio::spawn(connection);
        let answer = client.simple_query(sql).await.with_context(|| sql.to_owned())?;
        drop(client);
        connection.await??;
        let first = |message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        Ok(answer.into_iter().filter_map(first).collect())
    }

    /// Throws its data away; it runs no more.
    pub fn remove(self) -> anyhow::Result<()> {
        drop(self.running);
        Ok(std::fs::remove_dir_all(self.data)?)
    }

    /// The last that it said.
    fn log(&self) -> String {
        let log = std::fs::read_to_string(format!("{}.log", self.data.display())).unwrap_or_default();
        log.lines().rev().take(5).collect::<Vec<_>>().join("; ")
    }
}

fn kill(process: i32, signal: Signal) -> anyhow::Result<()> {
    let process = Pid::from_raw(process).context("no process has the id 0")?;
    match kill_process(process, signal) {
        // It has ended meanwhile.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Runs a program to its end.
async fn done(mut program: Command) -> anyhow::Result<()> {
    let output = spawn_blocking(move || program.current_dir("/").output()).await??;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "PostgreSQL's programs: {said}");
    Ok(())
}
