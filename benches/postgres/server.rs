//! A PostgreSQL of its own, from the binaries that are installed, with its defaults: every commit is synced.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;
use tempfile::TempDir;

use crate::load;
use crate::process::{Process, Usage};
use crate::server::free_address;

/// Tries to reach it, and the wait between them.
const TRIES: usize = 200;
const LOOK: Duration = Duration::from_millis(100);

pub struct Postgres {
    process: Process,
    bin: PathBuf,
    port: u16,
    /// Databases that were made.
    made: usize,
    _folder: TempDir,
}

impl Postgres {
    /// Starts one in `folder`, or says why there is none.
    pub fn start(folder: &Path) -> anyhow::Result<Postgres> {
        let bin = bin().context("pg_config is not installed, so there is no PostgreSQL")?;
        let folder = tempfile::Builder::new().prefix("docket-bench-pg-").tempdir_in(folder)?;
        let owner = owner()?;
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let data = folder.path().join("data");
        let command = |name: &str| {
            let mut command = Command::new(bin.join(name));
            command
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            // It refuses to be root's.
            if let Some((user, group)) = owner {
                command.uid(user).gid(group);
            }
            command.arg("-D").arg(&data);
            command
        };
        let made = command("initdb").args(["-U", "bench", "--auth=trust", "-E", "UTF8"]).status()?;
        anyhow::ensure!(made.success(), "initdb failed: {made}");
        let port = free_address()?.port();
        let settings = ["listen_addresses=127.0.0.1", "shared_buffers=256MB", "max_connections=100"];
        let mut server = command("postgres");
        server.args(["-p", &port.to_string(), "-k"]).arg(folder.path());
        let process = Process::start(server.args(settings.iter().flat_map(|setting| ["-c", setting])))?;
        let mut postgres = Postgres { process, bin, port, made: 0, _folder: folder };
        for _ in 0..TRIES {
            postgres.process.lives()?;
            if postgres.query("postgres", "SELECT 1").is_ok() {
                return Ok(postgres);
            }
            sleep(LOOK);
        }
        anyhow::bail!("PostgreSQL does not answer")
    }

    /// The name and the URL of a new, empty database.
    pub fn database(&mut self) -> anyhow::Result<(String, String)> {
        self.made += 1;
        let name = format!("bench{}", self.made);
        self.query("postgres", &format!("CREATE DATABASE {name}"))?;
        let url = format!("postgresql://bench@127.0.0.1:{}/{name}", self.port);
        Ok((name, url))
    }

    /// The first column of all rows, each in a line.
    pub fn query(&self, database: &str, sql: &str) -> anyhow::Result<String> {
        let mut command = Command::new(self.bin.join("psql"));
        command.args(["-X", "-U", "bench", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-d", database]);
        let output = command.args(["-At", "-c", sql]).output()?;
        anyhow::ensure!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Which of so many deliveries, signed as `name`'s, are among the events' ids that this answers.
    pub fn kept(&self, database: &str, sql: &str, (name, count): (&str, usize)) -> anyhow::Result<Vec<bool>> {
        let mut kept = vec![false; count];
        for id in self.query(database, sql)?.lines() {
            load::keep(&mut kept, name, id);
        }
        Ok(kept)
    }

    pub fn usage(&self) -> anyhow::Result<Usage> {
        self.process.usage()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its children end with it; what it leaves behind goes with the folder.
        let _ = self.process.stop();
    }
}

fn bin() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// Whose it is to be when this is root: the user that Debian makes for it.
fn owner() -> anyhow::Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let line =
        users.lines().find(|line| line.starts_with("postgres:")).context("there is no user postgres")?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(user)), Some(Ok(group))) => Ok(Some((user, group))),
        _ => anyhow::bail!("the user postgres has no numbers"),
    }
}
