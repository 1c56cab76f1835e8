//! The processes: the server under test, or several of them on one PostgreSQL, and the stand-ins; and the folder they live in.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::check::forms::Cut;
use crate::check::links::SHARED_WITH;
use crate::check::{ASKED, CONTRACTS, PINNED, SCARCE};
use crate::cluster::{Cluster, free_port};
use crate::database::Looks;
use crate::deliver::Deliver;
use crate::journal::Journal;
use crate::kill::{GIVE_UP, LOOK};
use crate::options::{Options, Way};
use crate::order::Orders;
use crate::script::content::{CUT_ABOVE, HEADER};
use crate::script::scarce;
use crate::server::{Process, Server, command};
use crate::stands::Stands;

pub const WORKSPACE: &str = "4829105738291047362";
pub const SECRET: &str = "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==";

/// The stand-in's organisation.
const ORG: &str = docket_sandbox::fastio::ORG_ID;

/// How long the stand-ins take to index a file: long enough to be killed in, short enough to get on.
const INDEX_DELAY: &str = "40ms";

/// How long Fastio's AI takes to read a file. One that is not ready when Docket looks is looked at half a minute later.
const READ_DELAY: &str = "15ms";

/// How long a server may take to say whether it is ready.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// In the order in which they end.
pub struct Fleet {
    pub servers: Vec<Server>,
    /// What stands around several servers.
    pub cluster: Option<Cluster>,
    _sandbox: Process,
    folder: Option<TempDir>,
    path: PathBuf,
    pub stands: Stands,
    pub deliver: Deliver,
    pub orders: Orders,
    pub looks: Looks,
    /// What was asked of OpenAI, read along.
    pub journal: Arc<Mutex<Journal>>,
    /// Servers may end by themselves, because what they need is away. Each is started again, as whatever runs servers does.
    pub is_harmed: bool,
    /// How they did.
    pub ended: Vec<String>,
    client: reqwest::Client,
}

impl Fleet {
    pub async fn start(options: &Options) -> anyhow::Result<Fleet> {
        let folder = tempfile::Builder::new().prefix("docket-crash-").tempdir()?;
        let path = folder.path().to_owned();
        let cluster = match options.cluster {
            true => Some(Cluster::start(options, &path).await?),
            false => None,
        };
        // The stand-in has to know where to send webhooks before the server is there.
        let port = match &cluster {
            Some(cluster) => cluster.door(),
            None => free_port(),
        };
        let webhook = format!("http://127.0.0.1:{port}/webhooks/fastio");
        let seed = options.seed.to_string();
        let mut arguments = vec!["sandbox", "--fastio", "127.0.0.1:0", "--openai", "127.0.0.1:0", "--json"];
        arguments.extend([
            "--scheme",
            "mixed",
            "--index-delay",
            INDEX_DELAY,
            "--read-delay",
            READ_DELAY,
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
        let mut sandbox = Process(sandbox.context("docket sandbox")?);
        let out = sandbox.0.stdout.take().context("the sandbox's output")?;
        let line = BufReader::new(out).lines().next().context("the sandbox ended")??;
        let shown: Value = serde_json::from_str(&line)?;
        let url = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
        let (fastio, openai) = (url("fastio_base_url"), url("openai_base_url"));
        let (looks, database, servers) = match &cluster {
            Some(cluster) => (cluster.looks(), cluster.settings(), cluster.servers(&path)?),
            None => {
                let looks = Looks::at_file(&path.join("docket.db"));
                (looks, "url = 'sqlite://docket.db'\n".to_owned(), vec![Server::new(&path, "server", port)])
            }
        };
        std::fs::write(path.join("docket.toml"), settings(options, &database, (&fastio, &openai)))?;
        let stands = Stands::new(&fastio, &openai);
        let orders = Orders::new(servers.iter().map(Server::operator).collect())?;
        Ok(Fleet {
            servers,
            cluster,
            _sandbox: sandbox,
            folder: Some(folder),
            journal: Arc::new(Mutex::new(Journal::new(stands.clone()))),
            stands,
            deliver: Deliver::new(&webhook),
            orders,
            looks,
            path,
            is_harmed: false,
            ended: Vec::new(),
            client: reqwest::Client::builder().timeout(READY_WITHIN).no_proxy().build()?,
        })
    }

    /// The server where there is one.
    pub fn server(&mut self) -> &mut Server {
        &mut self.servers[0]
    }

    /// Starts every server, without waiting for them.
    pub fn start_servers(&mut self) -> anyhow::Result<Instant> {
        let began = Instant::now();
        for server in &mut self.servers {
            server.start()?;
        }
        Ok(began)
    }

    /// That all servers still run, or start again because they could not go on.
    pub fn lives(&mut self) -> anyhow::Result<()> {
        for server in &mut self.servers {
            let Some(how) = server.ended()? else { continue };
            anyhow::ensure!(self.is_harmed, "{how}");
            if server.is_to_start_again() {
                self.ended.push(how);
                server.start()?;
            }
        }
        Ok(())
    }

    /// Waits until every server says that it is ready. One of several also has to be among those that work on the database: who was paused
    /// may be ready, and is to find only then that others took its place.
    pub async fn all_ready(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        for server in 0..self.servers.len() {
            while !self.is_ready(server).await? {
                self.lives()?;
                let name = self.servers[server].name();
                anyhow::ensure!(began.elapsed() < GIVE_UP, "{name} is not ready");
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    async fn is_ready(&self, server: usize) -> anyhow::Result<bool> {
        let server = &self.servers[server];
        if self.cluster.is_some() && !self.looks.is_among(server.process()?).await? {
            return Ok(false);
        }
        let url = format!("http://127.0.0.1:{}/readyz", server.port());
        Ok(self.client.get(url).send().await.is_ok_and(|answer| answer.status().is_success()))
    }

    /// Stops the servers, and answers who ended otherwise than well.
    pub async fn stop_servers(&mut self) -> anyhow::Result<Vec<String>> {
        let mut unwell = Vec::new();
        for server in &mut self.servers {
            if !server.stop().await? {
                unwell.push(format!("{} ended with an error", server.name()));
            }
        }
        Ok(unwell)
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

/// How the server under test cuts texts.
pub fn cut(options: &Options) -> Option<Cut> {
    options.has(Way::Segments).then_some(Cut { above: CUT_ABOVE as u64, header: HEADER.len() as u64 })
}

/// For how many of the scarce files there is room: seven of ten.
pub fn room(options: &Options) -> usize {
    scarce(options.files()) * 7 / 10
}

/// A rule for each desk and one for all else; short intervals, so that what no webhook told is found while the test runs. Sweeps only on request: they would
/// hide what a webhook or the feed told in vain.
fn settings(options: &Options, database: &str, (fastio, openai): (&str, &str)) -> String {
    let sweep_minutes = u8::from(options.sweeps());
    let feed = match options.has(Way::Feed) {
        true => format!("[feed]\norg_id = '{ORG}'\npoll_seconds = 2\noverlap_seconds = 5\n"),
        false => String::new(),
    };
    let cut = cut(options).map_or(0, |cut| cut.above);
    let contracts = desk(("liability", "contracts", CONTRACTS), "");
    let escalating =
        "engine = 'fastio'\nescalate = { when = ['no_answer', 'unverified'], to = 'responses' }\n";
    let asked = match options.has(Way::Fastio) {
        true => desk(("asked", "asked", ASKED), escalating),
        false => String::new(),
    };
    let scarce = match options.has(Way::Room) {
        true => format!(
            "[[rule]]\nname = 'scarce'\nworkspace = '{WORKSPACE}'\ninclude = ['{SCARCE}**']\n\
             vector_store = {{ create = 'scarce' }}\nbudget = {{ files = {} }}\npinned = ['{PINNED}**']\n",
            room(options)
        ),
        false => String::new(),
    };
    format!(
        "[database]\n{database}\
         [fastio]\nbase_url = '{fastio}'\n[openai]\nbase_url = '{openai}'\n\
         [sync]\nindex_deadline_seconds = 20\nsplit_text_above_bytes = {cut}\n\
         [limits]\nuploads_per_minute = 1000000\nattaches_per_minute = 300000\nattached_files_per_minute = 1000000\n\
         [sweep]\nevery_minutes = {sweep_minutes}\n\
         [log]\nfilter = 'warn'\nformat = 'json'\n\
         {feed}\
         [[rule]]\nname = 'all'\nworkspace = '{WORKSPACE}'\n\
         exclude = ['{CONTRACTS}**', '{ASKED}**', '{SCARCE}**', '/outside/**']\nvector_store = {{ create = 'all' }}\n\
         {contracts}{asked}{scarce}"
    )
}

/// The rule of a desk.
fn desk((name, store, folder): (&str, &str, &str), engine: &str) -> String {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/legal/liability.schema.json");
    format!(
        "[[rule]]\nname = '{name}'\nworkspace = '{WORKSPACE}'\ninclude = ['{folder}**']\n\
         exclude = ['**/*.analysis.md', '{folder}overview*.csv']\nvector_store = {{ create = '{store}' }}\n\
         [rule.run]\n{engine}model = 'sandbox-rules'\ninstructions = 'You are a contracts analyst.'\n\
         prompt = 'Extract every liability clause.'\nschema = '{schema}'\n\
         write_back = '{{stem}}.analysis.md'\nlock = true\n\
         actions = [{{ do = 'share', with = ['{SHARED_WITH}'] }}]\ndigest = 'overview.csv'\ndigest_quiet_seconds = 1\n\
         max_runs_per_file_hour = 100000\nmax_runs_per_day = 10000000\nmax_tokens_per_day = 100000000000\ndeadline_seconds = 5\n"
    )
}
