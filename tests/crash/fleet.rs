//! The processes: the server under test and the stand-ins, and the folder they live in.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;

use crate::database::Looks;
use crate::deliver::Deliver;
use crate::options::{Options, Way};
use crate::stands::Stands;

pub const WORKSPACE: &str = "4829105738291047362";
pub const SECRET: &str = "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==";

/// The stand-in's organisation.
const ORG: &str = docket_sandbox::fastio::ORG_ID;

/// How long the stand-ins take to index a file: long enough to be killed in, short enough to get on.
const INDEX_DELAY: &str = "40ms";

/// How long a stop may take: what Docket's settings give jobs in hand, and some for a slow machine.
const STOPS_WITHIN: Duration = Duration::from_secs(40);

/// Between looks whether it has stopped.
const LOOK: Duration = Duration::from_millis(20);

/// A process that does not outlive its handle.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct Fleet {
    folder: Option<TempDir>,
    path: PathBuf,
    _sandbox: Killed,
    server: Option<Killed>,
    pub stands: Stands,
    pub deliver: Deliver,
    pub looks: Looks,
}

impl Fleet {
    pub fn start(options: &Options) -> anyhow::Result<Fleet> {
        let folder = tempfile::Builder::new().prefix("docket-crash-").tempdir()?;
        let path = folder.path().to_owned();
        // The stand-in has to know where to send webhooks before the server is there.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let webhook = format!("http://127.0.0.1:{port}/webhooks/fastio");
        let seed = options.seed.to_string();
        let mut arguments = vec!["sandbox", "--fastio", "127.0.0.1:0", "--openai", "127.0.0.1:0", "--json"];
        arguments.extend([
            "--scheme",
            "mixed",
            "--index-delay",
            INDEX_DELAY,
            "--seed",
            &seed,
            "--limits",
            "1000",
        ]);
        if options.has(Way::Webhooks) {
            arguments.extend(["--webhook", &webhook]);
        }
        let log = File::create(path.join("sandbox.log"))?;
        let sandbox = command(&arguments, &path).stdout(Stdio::piped()).stderr(log).spawn();
        let mut sandbox = Killed(sandbox.context("docket sandbox")?);
        let out = sandbox.0.stdout.take().context("the sandbox's output")?;
        let line = BufReader::new(out).lines().next().context("the sandbox ended")??;
        let shown: Value = serde_json::from_str(&line)?;
        let url = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
        let (fastio, openai) = (url("fastio_base_url"), url("openai_base_url"));
        std::fs::write(path.join("docket.toml"), settings(options, port, (&fastio, &openai)))?;
        Ok(Fleet {
            folder: Some(folder),
            _sandbox: sandbox,
            server: None,
            stands: Stands::new(&fastio, &openai),
            deliver: Deliver::new(&webhook),
            looks: Looks::new(&path.join("docket.db")),
            path,
        })
    }

    /// Starts the server, without waiting for it.
    pub fn start_server(&mut self) -> anyhow::Result<Instant> {
        let log = OpenOptions::new().create(true).append(true).open(self.path.join("server.log"))?;
        let began = Instant::now();
        let server = command(&["serve", "--config", "docket.toml"], &self.path)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("docket serve")?;
        self.server = Some(Killed(server));
        Ok(began)
    }

    /// SIGKILL, and the process is gone. An error when it had ended before.
    pub fn kill_server(&mut self) -> anyhow::Result<()> {
        let mut server = self.server.take().context("there is no server to kill")?;
        self.ended(&mut server)?;
        server.0.kill()?;
        server.0.wait()?;
        Ok(())
    }

    /// That the server still runs.
    pub fn lives(&mut self) -> anyhow::Result<()> {
        let mut server = self.server.take().context("there is no server")?;
        self.ended(&mut server)?;
        self.server = Some(server);
        Ok(())
    }

    fn ended(&self, server: &mut Killed) -> anyhow::Result<()> {
        match server.0.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("the server ended by itself: {status}; {}", self.last_words()),
        }
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.path.join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Stops the server as a container engine does, and answers whether it ended well.
    pub async fn stop_server(&mut self) -> anyhow::Result<bool> {
        let mut server = self.server.take().context("there is no server to stop")?;
        Command::new("/bin/kill").args(["-TERM", &server.0.id().to_string()]).status()?;
        let began = Instant::now();
        loop {
            if let Some(status) = server.0.try_wait()? {
                return Ok(status.success());
            }
            anyhow::ensure!(began.elapsed() < STOPS_WITHIN, "the server does not stop");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Runs a command beside the server. Answers its exit code and what it printed.
    pub async fn docket(&self, arguments: &[&str]) -> anyhow::Result<(i32, String)> {
        let all = [arguments, &["--config", "docket.toml"]].concat();
        let mut command = command(&all, &self.path);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let code = output.status.code().unwrap_or(-1);
        Ok((code, String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// Leaves what was seen in the folder, to find out what went wrong.
    pub fn leave(&self, name: &str, value: &Value) -> anyhow::Result<()> {
        Ok(std::fs::write(self.path.join(name), value.to_string())?)
    }

    /// Keeps the folder, and says where it is.
    pub fn keep(&mut self) {
        if let Some(folder) = self.folder.take() {
            eprintln!("database, settings and logs are kept in {}", folder.keep().display());
        }
    }
}

/// The binary in the folder, with an environment of its own, killed when the handle is dropped.
fn command(arguments: &[&str], folder: &std::path::Path) -> Command {
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

/// Two rules; short intervals, so that what no webhook told is found while the test runs. Sweeps only on request: they would
/// hide what a webhook or the feed told in vain.
fn settings(options: &Options, port: u16, (fastio, openai): (&str, &str)) -> String {
    let sweep_minutes = u8::from(options.sweeps());
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/legal/liability.schema.json");
    let feed = match options.has(Way::Feed) {
        true => format!("[feed]\norg_id = '{ORG}'\npoll_seconds = 2\noverlap_seconds = 5\n"),
        false => String::new(),
    };
    format!(
        "[database]\nurl = 'sqlite://docket.db'\n\
         [fastio]\nbase_url = '{fastio}'\n[openai]\nbase_url = '{openai}'\n\
         [receive]\nlisten = '127.0.0.1:{port}'\n[operate]\nlisten = 'off'\n\
         [sync]\nindex_deadline_seconds = 20\n\
         [limits]\nuploads_per_minute = 1000000\nattaches_per_minute = 300000\nattached_files_per_minute = 1000000\n\
         [sweep]\nevery_minutes = {sweep_minutes}\n\
         [log]\nfilter = 'warn'\nformat = 'json'\n\
         {feed}\
         [[rule]]\nname = 'all'\nworkspace = '{WORKSPACE}'\n\
         exclude = ['/Contracts/**', '/outside/**']\nvector_store = {{ create = 'all' }}\n\
         [[rule]]\nname = 'liability'\nworkspace = '{WORKSPACE}'\ninclude = ['/Contracts/**']\n\
         exclude = ['**/*.analysis.md', '/Contracts/overview*.csv']\nvector_store = {{ create = 'contracts' }}\n\
         [rule.run]\nmodel = 'sandbox-rules'\ninstructions = 'You are a contracts analyst.'\n\
         prompt = 'Extract every liability clause.'\nschema = '{schema}'\n\
         write_back = '{{stem}}.analysis.md'\nlock = true\ndigest = 'overview.csv'\ndigest_quiet_seconds = 1\n\
         max_runs_per_file_hour = 100000\nmax_runs_per_day = 10000000\nmax_tokens_per_day = 100000000000\ndeadline_seconds = 5\n"
    )
}
