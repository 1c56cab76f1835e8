//! A whole Docket between stateful stand-ins of Fastio and OpenAI, driven one step at a time: a test says when the inbox
//! is drained and when jobs are done, and moves time instead of waiting for it.

pub mod beside;
pub mod between;
pub mod clock;
pub mod cluster;
pub mod database;
pub mod ending;
mod kill;
mod outside;
pub mod program;
pub mod records;
mod runs;
mod server;
mod world;

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Deref;
use std::task::Poll;

use docket::app::Parts;
use docket::config::{Config, Sources};
use docket::feed::sweep::{Report, Scope};
use docket::queue::store::JobRow;
use docket::receive::drain::Drain;
use docket::rule::Rules;
use docket::{queue, receive};
use docket_sandbox::{Sandbox, Scheme, Webhook};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use beside::PATIENCE;
use clock::TestClock;
use ending::MustEnd;
pub use kill::{Asked, Dies, Step, fastio, openai};
use records::Records;
pub use runs::{INVENTED, contract, legal};
pub use server::{Server, environment};
pub use world::hex_sha256;

pub const WORKSPACE: &str = "4829105738291047362";
pub const SECRET: &str = "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==";

/// Steps of one settling. A test of a thousand changes with faults takes fewer.
const MOST_STEPS: usize = 60_000;

macro_rules! one_store {
    () => {
        "
        [[rule]]
        name = 'all'
        workspace = '4829105738291047362'
        vector_store = { create = 'all' }
        "
    };
}

/// The rules of most tests: everything in one workspace goes to one store.
pub const ONE_STORE: &str = one_store!();

/// The same, and a page of a listing that fails is not asked for again.
pub const SWEEPING: &str = concat!("[sweep]\npage_tries = 1\n", one_store!());

/// The same, with the change feed.
pub const FOLLOWING: &str =
    concat!("[feed]\norg_id = '3141592653589793238'\n[sweep]\npage_tries = 1\n", one_store!());

/// One rule, which covers what these settings say, and its store; both are called `papers`.
pub fn covering(globs: &str) -> String {
    format!(
        "[[rule]]\nname = 'papers'\nworkspace = '{WORKSPACE}'\nvector_store = {{ create = 'papers' }}\n{globs}\n"
    )
}

/// All that is there without Docket: the stand-ins, and who uses them.
pub struct World {
    pub sandbox: Sandbox,
    client: reqwest::Client,
    stop: CancellationToken,
}

impl World {
    /// Starts the stand-ins.
    pub async fn start(options: docket_sandbox::Options) -> World {
        let stop = CancellationToken::new();
        let sandbox = docket_sandbox::start(options, stop.clone()).await.unwrap();
        World { sandbox, client: reqwest::Client::new(), stop }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Docket's parts in the middle of its world.
pub struct Harness {
    world: World,
    pub database: docket::database::Database,
    pub queue: queue::Queue,
    pub work: std::sync::Arc<docket::app::Work>,
    drain: Drain,
    pub feed: docket::feed::Feed,
    pub clock: TestClock,
    pub webhook_url: Url,
    _tasks: JoinSet<()>,
    folder: TempDir,
    pub governor: docket::govern::Governor,
    /// What it was first started with.
    pub config: docket::config::Config,
    /// By the settings that it was last started with.
    rules: Rules,
    must_end: MustEnd,
}

impl Harness {
    pub async fn start() -> Harness {
        Harness::with(ONE_STORE).await
    }

    /// Starts with this `docket.toml`.
    pub async fn with(settings: &str) -> Harness {
        Harness::with_seed(settings, 0).await
    }

    pub async fn with_seed(settings: &str, seed: u64) -> Harness {
        Harness::between(settings, docket_sandbox::Options { seed, ..docket_sandbox::Options::default() })
            .await
    }

    /// Starts with this `docket.toml` between stand-ins that are started like this.
    pub async fn between(settings: &str, options: docket_sandbox::Options) -> Harness {
        Harness::in_world(settings, options, async |_: &World| {}).await
    }

    /// The same after `before` has happened there, of which no webhook tells.
    pub async fn in_world(
        settings: &str,
        options: docket_sandbox::Options,
        before: impl AsyncFnOnce(&World),
    ) -> Harness {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let webhook_url: Url =
            format!("http://{}/webhooks/fastio", listener.local_addr().unwrap()).parse().unwrap();
        let webhook =
            Webhook { url: webhook_url.clone(), secret: SecretString::from(SECRET), scheme: Scheme::Mixed };
        let options = docket_sandbox::Options { webhook: Some(webhook), ..options };
        let world = World::start(options).await;
        world.without_webhooks().await;
        before(&world).await;
        world.sandbox.flush_webhooks().await;
        world.no_faults().await;
        let stop = world.stop.clone();

        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder, &world.sandbox, settings);
        let rules = config.rules().unwrap();
        let clock = TestClock::default();
        let Parts { database, queue, governor, work, receive, feed, .. } =
            Parts::build(&config, clock.share(), None).await.unwrap();
        let receive::Receive { public, drain, .. } = receive;
        let mut tasks = JoinSet::new();
        tasks.spawn(public.serve(listener, stop));
        let must_end = MustEnd::default();
        Harness {
            world,
            database,
            queue,
            work,
            drain,
            feed,
            clock,
            webhook_url,
            _tasks: tasks,
            folder,
            governor,
            config,
            rules,
            must_end,
        }
    }

    /// Where the settings and, in SQLite, the database are.
    pub fn kept_in(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Drains the inbox and does jobs until nothing is left, moving time to when the next one is due. Returns how many
    /// times a job was worked on.
    pub async fn settle(&self) -> usize {
        let mut worked = 0;
        for _ in 0..MOST_STEPS {
            self.take_in().await;
            if self.work_one().await {
                worked += 1;
                continue;
            }
            let Some(due) = self.queue.next_due().await.unwrap() else { return worked };
            self.pass(due - self.clock.now());
        }
        panic!("the work does not end: {:#?}", self.jobs().await);
    }

    /// Settles what can be settled; jobs that need a person are left.
    pub async fn settle_to_dead(&self) {
        self.settle().await;
        assert!(!self.dead().await.is_empty(), "nothing died: {:#?}", self.jobs().await);
    }

    /// What `docket jobs retry --all` does.
    pub async fn retry_dead(&self) {
        let now = self.clock.now();
        self.database.write(move |tx| queue::store::retry_dead(tx, u32::MAX, now)).await.unwrap();
    }

    /// Takes in the webhooks that are under way, as events and jobs.
    pub async fn take_in(&self) {
        let flushed = tokio::time::timeout(PATIENCE, self.sandbox.flush_webhooks()).await;
        assert!(flushed.is_ok(), "webhooks are not taken: {:#}", self.fastio_state().await["webhooks"]);
        while self.drain.once().await.unwrap() > 0 {}
    }

    /// Does the job that is due now, if there is one.
    pub async fn work_one(&self) -> bool {
        self.queue.work_one(&*self.work, &CancellationToken::new()).await.unwrap()
    }

    /// Begins the job that is due now and drops it after this many polls: what a kill does. The job then has
    /// no worker until its lease runs out or the next server takes it over.
    pub async fn work_for(&self, polls: u32) {
        let never = CancellationToken::new();
        let mut work = std::pin::pin!(self.queue.work_one(&*self.work, &never));
        let mut left = polls;
        std::future::poll_fn(|cx| {
            left -= 1;
            let done = work.as_mut().poll(cx).is_ready();
            if done || left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Lets so many seconds pass, in which what is due is taken in and done.
    pub async fn work_for_seconds(&self, seconds: i64) {
        for _ in 0..seconds {
            self.take_in().await;
            while self.work_one().await {}
            self.pass(1_000);
        }
    }

    /// A whole sweep, as `docket sweep` does it.
    pub async fn sweep(&self) -> Report {
        self.feed.sweep(Scope::default(), &mut |_| {}).await.unwrap()
    }

    /// Lets time pass, here and at the stand-ins.
    pub fn pass(&self, ms: i64) {
        if ms > 0 {
            self.clock.shift(ms);
            self.sandbox.fastio_core().clock.shift(ms);
        }
    }

    /// Where its database is, for a command beside it.
    pub fn database_url(&self) -> String {
        database::url_in(self.folder.path())
    }

    /// By the settings that it was last started with.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    pub fn records(&self) -> Records {
        Records::new(self.database.clone())
    }

    pub async fn jobs(&self) -> Vec<JobRow> {
        self.records().jobs().await
    }

    /// The jobs that need a person, with the reason.
    pub async fn dead(&self) -> Vec<String> {
        let jobs = self.jobs().await;
        jobs.into_iter().filter(|job| job.state == "dead").filter_map(|job| job.reason).collect()
    }

    /// Settles, then demands that all agrees.
    pub async fn converges(&self) {
        self.settle().await;
        self.agrees().await;
    }
}

impl Deref for Harness {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

/// The settings of a server between the stand-ins.
/// What stands for the OpenAI stand-in in settings, which are written before it listens.
pub const OPENAI_HOST: &str = "http://openai.test";

fn config(folder: &TempDir, sandbox: &Sandbox, settings: &str) -> Config {
    let path = folder.path().join("docket.toml");
    let settings = settings.replace(OPENAI_HOST, &sandbox.openai_url().origin().ascii_serialization());
    std::fs::write(&path, settings).unwrap();
    let environment = BTreeMap::from(
        [
            ("DATABASE_URL", database::url_in(folder.path())),
            ("DOCKET_DATABASE__POOLER", database::is_pooled().to_string()),
            ("FASTIO_BASE_URL", sandbox.fastio_url().to_string()),
            ("OPENAI_BASE_URL", sandbox.openai_url().to_string()),
            ("FASTIO_API_KEY", "fastio-key".to_owned()),
            ("FASTIO_MCP_KEY", "fastio-reading-key".to_owned()),
            ("OPENAI_API_KEY", "openai-key".to_owned()),
            ("FASTIO_WEBHOOK_SECRET", SECRET.to_owned()),
            ("OPENAI_WEBHOOK_SECRET", SECRET.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    Config::load(&Sources { path: Some(path), set: vec![], environment }).unwrap()
}
