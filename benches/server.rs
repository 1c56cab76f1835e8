//! `docket serve` under measurement, in a folder of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use tempfile::TempDir;

use crate::database::DATABASE;
use crate::http;
use crate::load::SECRET;
use crate::process::Process;
use crate::stands::Stands;

/// The workspace that the rule covers, and one that no rule does.
pub const COVERED: &str = "4829105738291047362";
pub const UNCOVERED: &str = "4829105738291047363";

/// How long a start may take, before something is wrong: a database of many gigabytes is looked through once.
const STARTS_WITHIN: Duration = Duration::from_secs(600);

/// Between looks whether it is ready: what a start is measured to.
const LOOK: Duration = Duration::from_millis(1);

/// The folder of one Docket: its settings, its database, its log.
pub struct Place {
    folder: TempDir,
    /// The URL of its database.
    database: String,
    binary: PathBuf,
    pub address: SocketAddr,
    /// Where the operator listener listens.
    pub operator: SocketAddr,
}

impl Place {
    /// A place with one rule over [`COVERED`], between the stand-ins, for an account whose limits are out of the way: `drain`
    /// measures those.
    pub fn new(base: &Base, stands: &Stands) -> anyhow::Result<Place> {
        let folder = folder(base)?;
        let database = format!("sqlite://{}", folder.path().join(DATABASE).display());
        Place::within(folder, base, stands, database)
    }

    /// The same, on the database at this URL.
    pub fn on(base: &Base, stands: &Stands, database: &str) -> anyhow::Result<Place> {
        Place::within(folder(base)?, base, stands, database.to_owned())
    }

    fn within(folder: TempDir, base: &Base, stands: &Stands, database: String) -> anyhow::Result<Place> {
        let (address, operator) = (free_address()?, free_address()?);
        let settings = format!(
            "[database]\nurl = '{database}'\n\
             [fastio]\nbase_url = '{}'\n[openai]\nbase_url = '{}'\n\
             [receive]\nlisten = '{address}'\n[operate]\nlisten = '{operator}'\n\
             [sync]\nsplit_text_above_bytes = 0\n\
             [log]\nfilter = 'warn'\n[sweep]\nevery_minutes = 0\n\
             [limits]\nuploads_per_minute = 1000000\nattaches_per_minute = 300000\nattached_files_per_minute = 1000000\n\
             [[rule]]\nname = 'all'\nworkspace = '{COVERED}'\nvector_store = {{ create = 'all' }}\n",
            stands.fastio_url, stands.openai_url
        );
        std::fs::write(folder.path().join("docket.toml"), settings)?;
        Ok(Place { folder, database, binary: base.binary.clone(), address, operator })
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the server, and returns when it is ready.
    pub fn serve(&self) -> anyhow::Result<Process> {
        let log = File::options().create(true).append(true).open(self.path().join("server.log"))?;
        let began = Instant::now();
        let mut process =
            Process::start(self.command(&["serve", "--start-anew"]).stdout(Stdio::null()).stderr(log))?;
        loop {
            // Refused until it listens, 503 until it would keep what it is sent.
            if matches!(http::request(self.address, "GET", "/readyz", ""), Ok((200, _))) {
                return Ok(process);
            }
            process.lives().with_context(|| self.last_words())?;
            anyhow::ensure!(
                began.elapsed() < STARTS_WITHIN,
                "the server is not ready: {}",
                self.last_words()
            );
            std::thread::sleep(LOOK);
        }
    }

    /// Runs another command of Docket to its end and answers what it printed. That something needs a person is no failure.
    pub fn docket(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(
            matches!(output.status.code(), Some(0 | 3)),
            "docket {} failed: {said}",
            arguments.join(" ")
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).args(["--config", "docket.toml"]).current_dir(self.path());
        command.env_clear().stdin(Stdio::null()).env("FASTIO_WEBHOOK_SECRET", SECRET);
        command.env("FASTIO_API_KEY", "key").env("OPENAI_API_KEY", "key");
        command
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.path().join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// Which docket is measured, and where.
#[derive(Debug, Args)]
pub struct BaseOptions {
    /// The docket to measure; by default the one that was built with this
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Where the databases are made; their disk is part of what is measured
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,
}

/// What every server of a run has in common.
pub struct Base {
    /// Where the folders of databases are made: on the disk that is measured.
    pub folder: PathBuf,
    pub binary: PathBuf,
}

impl BaseOptions {
    /// The binary that is named or that cargo built with this, and the folder or a place under target/.
    pub fn open(&self) -> anyhow::Result<Base> {
        let binary = self.binary.as_deref().unwrap_or(Path::new(env!("CARGO_BIN_EXE_docket")));
        let folder = self.folder.as_deref().unwrap_or(Path::new(env!("CARGO_TARGET_TMPDIR")));
        std::fs::create_dir_all(folder)?;
        Ok(Base { folder: folder.canonicalize()?, binary: binary.canonicalize()? })
    }
}

/// For one Docket.
fn folder(base: &Base) -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("docket-bench-").tempdir_in(&base.folder)
}

/// An address that nothing listens at, and nothing else will be given by the system at once.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Starts a process that prints the address it listens on as its first line.
pub fn listening(command: &mut Command) -> anyhow::Result<(Process, String)> {
    let mut process = Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let line = BufReader::new(process.stdout()?).lines().next().context("it ended before it listened")??;
    Ok((process, line))
}
