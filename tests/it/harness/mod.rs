//! A whole Docket between stateful stand-ins of Fastio and OpenAI, driven one step at a time: a test says when the inbox
//! is drained and when jobs are done, and moves time instead of waiting for it.

pub mod between;
mod outside;
pub mod program;
mod runs;
mod world;

use std::collections::BTreeMap;
use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use docket::app::Parts;
use docket::clock::Clock;
use docket::config::{Config, Sources};
use docket::queue::store::JobRow;
use docket::receive::drain::drain_once;
use docket::sandbox::{self, Sandbox, Scheme, Webhook};
use docket::{queue, receive};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use runs::{Dies, INVENTED, Kill, contract, legal};

pub const WORKSPACE: &str = "4829105738291047362";
const SECRET: &str = "whsec_dGVzdC1zZWNyZXQtMTIzNDU2Nzg5MA==";

/// Steps of one settling. A test of a thousand changes with faults takes fewer.
const MOST_STEPS: usize = 60_000;

/// How long the stand-in may take to get its webhooks taken, retries included. A test that waits longer is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// The rules of most tests: everything in one workspace goes to one store.
pub const ONE_STORE: &str = "
    [[rule]]
    name = 'all'
    workspace = '4829105738291047362'
    vector_store = { create = 'all' }
";

pub struct Harness {
    pub sandbox: Sandbox,
    pub database: docket::database::Database,
    pub queue: queue::Queue,
    pub work: std::sync::Arc<docket::app::Work>,
    pub feed: docket::feed::Feed,
    pub clock: Clock,
    pub webhook_url: Url,
    client: reqwest::Client,
    stop: CancellationToken,
    _tasks: JoinSet<()>,
    folder: TempDir,
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
        Harness::between(settings, sandbox::Options { seed, ..sandbox::Options::default() }).await
    }

    /// Starts with this `docket.toml` between stand-ins that are started like this.
    pub async fn between(settings: &str, options: sandbox::Options) -> Harness {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let webhook_url: Url =
            format!("http://{}/webhooks/fastio", listener.local_addr().unwrap()).parse().unwrap();
        let webhook =
            Webhook { url: webhook_url.clone(), secret: SecretString::from(SECRET), scheme: Scheme::Mixed };
        let options = sandbox::Options { webhook: Some(webhook), ..options };
        let sandbox = sandbox::start(options, stop.clone()).await.unwrap();

        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder, &sandbox, settings);
        let clock = Clock::default();
        let Parts { database, queue, work, receive, feed } =
            Parts::build(&config, clock.clone()).await.unwrap();
        let receive::Receive { public, writer, drain } = receive;
        // The test drains, one pass at a time.
        drop(drain);
        let mut tasks = JoinSet::new();
        tasks.spawn(public.serve(listener, stop.clone()));
        let until = stop.clone();
        tasks.spawn(async move { writer.run(until).await });
        let client = reqwest::Client::new();
        Harness {
            sandbox,
            database,
            queue,
            work,
            feed,
            clock,
            webhook_url,
            client,
            stop,
            _tasks: tasks,
            folder,
        }
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
        let mut transaction = self.database.begin().await.unwrap();
        queue::store::retry(&mut transaction, None, self.clock.now()).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Takes in the webhooks that are under way, as events and jobs.
    pub async fn take_in(&self) {
        let flushed = tokio::time::timeout(PATIENCE, self.sandbox.flush_webhooks()).await;
        assert!(flushed.is_ok(), "webhooks are not taken: {:#}", self.fastio_state().await["webhooks"]);
        while drain_once(&self.database, self.clock.now()).await.unwrap().rows > 0 {}
    }

    /// Does the job that is due now, if there is one.
    pub async fn work_one(&self) -> bool {
        self.queue.work_one(&*self.work, &CancellationToken::new()).await.unwrap()
    }

    /// Begins the job that is due now and drops it after this many polls: what a kill does. The job is then held by
    /// nobody until its lease runs out or the next server takes it over.
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

    /// Lets time pass, here and at the stand-ins.
    pub fn pass(&self, ms: i64) {
        if ms > 0 {
            self.clock.shift(ms);
            self.sandbox.fastio_core().clock.shift(ms);
        }
    }

    pub async fn jobs(&self) -> Vec<JobRow> {
        let mut connection = self.database.read().acquire().await.unwrap();
        queue::store::list(&mut connection, None, 10_000).await.unwrap()
    }

    /// The jobs that need a person, with the reason.
    pub async fn dead(&self) -> Vec<String> {
        let jobs = self.jobs().await;
        jobs.into_iter().filter(|job| job.state == "dead").filter_map(|job| job.reason).collect()
    }

    /// Everything that must hold when all is done: the vector stores hold what Fastio holds, OpenAI holds nothing else,
    /// and no job is left.
    pub async fn agrees(&self) {
        let jobs = self.jobs().await;
        assert!(jobs.is_empty(), "jobs are left: {jobs:#?}");
        let (files, copies) = (self.files().await, self.copies().await);
        let wanted: BTreeMap<&str, &str> =
            files.iter().map(|file| (file.path.as_str(), file.sha256.as_str())).collect();
        let held: BTreeMap<&str, &str> =
            copies.iter().map(|copy| (copy.path.as_str(), copy.sha256.as_str())).collect();
        assert_eq!(held, wanted, "what OpenAI holds is not what Fastio holds");
        assert_eq!(copies.len(), wanted.len(), "a file has two copies: {copies:#?}");
        assert!(copies.iter().all(|copy| copy.status == "completed"), "{copies:#?}");
        assert_eq!(self.file_objects().await, copies.len(), "File objects without a vector store");
    }

    /// Settles, then demands that all agrees.
    pub async fn converges(&self) {
        self.settle().await;
        self.agrees().await;
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The settings of a server between the stand-ins.
fn config(folder: &TempDir, sandbox: &Sandbox, settings: &str) -> Config {
    let path = folder.path().join("docket.toml");
    std::fs::write(&path, settings).unwrap();
    let environment = BTreeMap::from(
        [
            ("DATABASE_URL", format!("sqlite://{}/docket.db", folder.path().display())),
            ("FASTIO_BASE_URL", sandbox.fastio_url().to_string()),
            ("OPENAI_BASE_URL", sandbox.openai_url().to_string()),
            ("FASTIO_API_KEY", "fastio-key".to_owned()),
            ("OPENAI_API_KEY", "openai-key".to_owned()),
            ("FASTIO_WEBHOOK_SECRET", SECRET.to_owned()),
            ("OPENAI_WEBHOOK_SECRET", SECRET.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    Config::load(&Sources { path: Some(path), set: vec![], environment }).unwrap()
}
