//! One `docket serve`, in a process that does not outlive its handle.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::free_port;
use crate::fleet::SECRET;

/// How long a stop may take: what Docket's settings give jobs in hand, and some for a slow machine.
const STOPS_WITHIN: Duration = Duration::from_secs(40);

/// Between starts of one that cannot start.
const STARTS_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Between looks whether it has stopped.
const LOOK: Duration = Duration::from_millis(20);

/// How many lines of a log are repeated.
const LAST_WORDS: usize = 5;

/// A process that does not outlive its handle.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server, whether it runs or not.
pub struct Server {
    folder: PathBuf,
    name: String,
    port: u16,
    /// Where its operator listener is.
    operator: u16,
    environment: Vec<(&'static str, String)>,
    process: Option<Process>,
    started: Option<Instant>,
}

impl Server {
    /// One that is to work in `folder`, listen at `port` and write `NAME.log`.
    pub fn new(folder: &Path, name: &str, port: u16) -> Server {
        let (folder, name, operator) = (folder.to_owned(), name.to_owned(), free_port());
        Server { folder, name, port, operator, environment: Vec::new(), process: None, started: None }
    }

    /// The same with this in its environment.
    pub fn with(self, environment: Vec<(&'static str, String)>) -> Server {
        Server { environment, ..self }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn operator(&self) -> u16 {
        self.operator
    }

    /// The process id.
    pub fn process(&self) -> anyhow::Result<u32> {
        Ok(self.process.as_ref().context("there is no server")?.0.id())
    }

    /// Starts it, without waiting for it.
    pub fn start(&mut self) -> anyhow::Result<Instant> {
        let log = OpenOptions::new().create(true).append(true).open(self.log())?;
        let began = Instant::now();
        let listen = format!("receive.listen=127.0.0.1:{}", self.port);
        // Nothing changes by it for the stand-in, whose journal then says who asked.
        let project = format!("openai.project={}", self.name);
        let operate = format!("operate.listen=127.0.0.1:{}", self.operator);
        let arguments =
            ["serve", "--config", "docket.toml", "--set", &listen, "--set", &project, "--set", &operate];
        let process = command(&arguments, &self.folder)
            .envs(self.environment.iter().cloned())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("docket serve")?;
        (self.process, self.started) = (Some(Process(process)), Some(began));
        Ok(began)
    }

    /// SIGKILL, and the process is gone. An error when it had ended before.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.lives()?;
        let mut process = self.process.take().context("there is no server to kill")?;
        process.0.kill()?;
        process.0.wait()?;
        Ok(())
    }

    /// SIGSTOP: it does nothing until it is told to go on, and nobody can tell it from one that is slow.
    pub fn pause(&mut self) -> anyhow::Result<()> {
        self.lives()?;
        self.signal(Signal::STOP)
    }

    pub fn resume(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    /// That the server has not ended by itself.
    fn lives(&mut self) -> anyhow::Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(how) => anyhow::bail!("{how}"),
        }
    }

    /// How it ended by itself, if it did.
    pub fn ended(&mut self) -> anyhow::Result<Option<String>> {
        let Some(process) = self.process.as_mut() else { return Ok(None) };
        let status = process.0.try_wait()?;
        Ok(status.map(|status| format!("{} ended by itself: {status}; {}", self.name, self.last_words())))
    }

    /// Whether one that ended has waited for long enough.
    pub fn is_to_start_again(&self) -> bool {
        self.started.is_none_or(|started| started.elapsed() > STARTS_AGAIN_AFTER)
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(LAST_WORDS).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Stops it as a container engine does, and answers whether it ended well.
    pub async fn stop(&mut self) -> anyhow::Result<bool> {
        self.signal(Signal::TERM)?;
        let mut process = self.process.take().context("there is no server to stop")?;
        let began = Instant::now();
        loop {
            if let Some(status) = process.0.try_wait()? {
                return Ok(status.success());
            }
            anyhow::ensure!(began.elapsed() < STOPS_WITHIN, "{} does not stop", self.name);
            tokio::time::sleep(LOOK).await;
        }
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let process = self.process.as_ref().context("there is no server")?;
        Ok(kill_process(Pid::from_child(&process.0), signal)?)
    }

    fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }
}

/// The binary in the folder, with an environment of its own.
pub fn command(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    command.env("FASTIO_API_KEY", "a-key-of-fastio").env("OPENAI_API_KEY", "a-key-of-openai");
    command.env("FASTIO_WEBHOOK_SECRET", SECRET).env("RUST_BACKTRACE", "1");
    command
}

/// The binary that cargo built with this test, or the one that `CRASH_TEST_BINARY` names.
fn binary() -> std::ffi::OsString {
    std::env::var_os("CRASH_TEST_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_docket").into())
}
