//! Builds the parts, wires them, runs them until the process is told to stop, and stops them in order.

pub mod rotation;
mod several;

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Config, Shown};
use crate::contain::keep_running;
use crate::dashboard::{self, Dashboard};
use crate::database::{Connection, Database, Role, ServerLock, this_process};
use crate::erase::Eraser;
use crate::fastio::FileKey;
use crate::feed::{self, Feed};
use crate::govern::Governor;
use crate::history::History;
use crate::http::{AnswerCounter, PlainAnswer};
use crate::import::Importer;
use crate::job::Task;
use crate::job::verdict::{FASTIO, OPENAI, call_cause, openai_cause};
use crate::listen;
use crate::notify::Notifier;
use crate::operate::api::{self, Api, SettingView};
use crate::operate::guard::Guard;
use crate::operate::headroom::Headroom;
use crate::operate::mcp::{self, Mcp};
use crate::operate::query::Known;
use crate::operate::query::search::Searcher;
use crate::operate::routes::{Routes, Stated};
use crate::operate::{self, Metrics, Observer, Operate, Served};
use crate::outside::Remover;
use crate::own::Seal;
use crate::queue::{Claimed, Handler, Queue, Verdict};
use crate::receive::{self, Receive, Upkeep};
use crate::retention::Retention;
use crate::rule::Rules;
use crate::run::{self, Runs};
use crate::sync::{self, Sync};
use crate::telemetry::Meters;
use crate::{fastio, openai};
use rotation::Rotation;
use several::{Lead, share};

/// How long parts that were told to let go may take to write that down.
const LET_GO: Duration = Duration::from_secs(3);

/// Everything a server is made of, wired and not yet running. Tests drive these parts one step at a time.
pub struct Parts {
    pub database: Database,
    pub queue: Queue,
    pub governor: Governor,
    pub work: Arc<Work>,
    pub receive: Receive,
    pub feed: Feed,
    pub meters: Meters,
}

/// What a job's task says, done by the part that knows how.
#[derive(Debug)]
pub struct Work {
    pub sync: Sync,
    pub runs: Runs,
    feed: Feed,
    remover: Remover,
    eraser: Eraser,
    importer: Importer,
    database: Database,
    clock: Clock,
    fastio: fastio::Client,
    openai: openai::Client,
    /// Plain questions that were answered, by the service.
    taken: AnswerCounter,
}

impl Handler for Work {
    async fn handle(&self, job: &Claimed) -> Verdict {
        match self.carry_out(job).await {
            // A probe is one question already.
            Verdict::Unavailable { target, after, reason, .. } if !job.is_probe() => {
                let silent = self.plain_question(&target).await == PlainAnswer::Silence;
                Verdict::Unavailable { target, after, silent, reason }
            }
            Verdict::Refused { service, cause, several, reason } => {
                match self.plain_question(&service).await {
                    PlainAnswer::Taken | PlainAnswer::Other => {
                        Verdict::Refused { service, cause, several, reason }
                    }
                    PlainAnswer::Refused => Verdict::Hold { target: service, reason },
                    PlainAnswer::Silence => {
                        Verdict::Unavailable { target: service, after: None, silent: true, reason }
                    }
                }
            }
            verdict => verdict,
        }
    }

    fn answers(&self, target: &str) -> u64 {
        match target {
            FASTIO => self.fastio.answers(),
            OPENAI => self.openai.answers(),
            _ => 0,
        }
    }

    fn done(&self) -> HashMap<String, u64> {
        let fastio =
            self.fastio.done().into_iter().map(|(operation, times)| (call_cause(FASTIO, &operation), times));
        let openai = self.openai.done().into_iter().map(|(what, times)| (openai_cause(&what), times));
        fastio.chain(openai).chain(self.taken.done()).collect()
    }
}

impl Work {
    /// What searches as an assistant does.
    fn searcher(&self) -> Searcher {
        Searcher { database: self.database.clone(), openai: self.openai.clone() }
    }

    /// Asks what has nothing to do with any file: a service that takes it refuses something else than all of it.
    async fn plain_question(&self, target: &str) -> PlainAnswer {
        let answer = match target {
            FASTIO => self.fastio.plain_question().await,
            OPENAI => self.openai.plain_question().await,
            _ => PlainAnswer::Other,
        };
        if answer == PlainAnswer::Taken {
            self.taken.did(target);
        }
        answer
    }

    async fn carry_out(&self, job: &Claimed) -> Verdict {
        match serde_json::from_str(&job.task) {
            Ok(Task::File { profile, node }) => {
                self.sync.file(&FileKey::new(profile, node), job.attempt).await
            }
            Ok(Task::Folder { profile, node }) => self.sync.folder(&profile, &node).await,
            Ok(Task::Under { profile, node }) => self.sync.under(&profile, &node).await,
            Ok(Task::Listing { profile, node }) => self.sync.listing(&profile, &node, job.attempt).await,
            Ok(Task::Reading { profile, node }) => {
                self.sync.read(&FileKey::new(profile, node), job.attempt).await
            }
            Ok(Task::Relist { profile }) => self.feed.relist_told(profile.as_ref()).await,
            Ok(Task::Sweep { rule, dry_run }) => self.feed.sweep_asked(rule, dry_run).await,
            Ok(Task::Approved { sweep }) => self.feed.sweep_approved(&sweep).await,
            Ok(Task::Run { profile, node, rule }) => {
                self.runs.file(&FileKey::new(profile, node), &rule, job.attempt).await
            }
            Ok(Task::Response { response }) => self.runs.hinted(&response, job.attempt).await,
            Ok(Task::Attach { store }) => self.sync.attach_together(&openai::VectorStoreId(store)).await,
            Ok(Task::Stray { store }) => self.sync.stray(&openai::VectorStoreId(store)).await,
            Ok(Task::Digest { rule }) => self.runs.digest(&rule).await,
            Ok(Task::Erase { profile, node }) => self.eraser.erase(&FileKey::new(profile, node)).await,
            Ok(Task::Object { kind, object }) => self.eraser.object(&kind, &object).await,
            Ok(Task::Import { import }) => self.importer.go_on(import).await,
            Ok(Task::Bulk { bulk }) => {
                let definitions = self.runs.definitions();
                operate::bulk::carry_out(&self.database, (definitions, &self.clock), bulk).await
            }
            Ok(Task::Leftover { leftover, .. }) => self.remover.remove(leftover).await,
            Err(error) => {
                Verdict::Dead { reason: format!("this version cannot read the job's task: {error}") }
            }
        }
    }
}

impl Parts {
    /// Opens the database, for the server that holds the lock if there is one, and builds the parts on it.
    ///
    /// # Errors
    /// What stands in the way of starting, and what to do about it.
    pub async fn build(config: &Config, clock: Clock, lock: Option<&ServerLock>) -> anyhow::Result<Parts> {
        let rules = config.rules()?;
        for doubt in rules.iter().flat_map(|rule| &rule.doubts) {
            tracing::warn!("{doubt}");
        }
        let meters = Meters::default();
        let fastio = fastio::Client::new(&config.fastio.base_url, config.secrets.fastio_api_key()?)?;
        let fastio = fastio.measured(&meters);
        let openai = openai_client(config)?.measured(&meters);
        let database = match lock {
            Some(lock) => Database::open_under(&config.database, lock).await?,
            None => Database::open(&config.database).await?,
        };
        clock.go_on(&database).await.context("reading the persisted time")?;
        run::identity::settle(&database, &rules, clock.now()).await.context("writing down the rules")?;
        run::existing::meet(&database, &rules, clock.now()).await.context("writing down the rules")?;
        let queue = Queue::new(database.clone(), clock.clone(), config.queue.clone()).measured(&meters);
        let governor = Governor::sharing(&database, clock.clone(), config.limits.clone());
        queue.ask(Arc::new(governor.clone()));
        let seal = Seal::of(&database).await.context("reading the key of the seals")?;
        let definitions = definitions(config, &rules)?;
        let results = definitions.iter().filter_map(|definition| definition.write_back.clone()).collect();
        let runs = Runs::new(run::Parts {
            database: database.clone(),
            clock: clock.clone(),
            fastio: fastio.clone(),
            openai: openai.clone(),
            definitions,
            seal: seal.clone(),
            max_attempts: config.queue.max_attempts,
            wake: queue.wake(),
            causes: queue.causes(),
        });
        queue.tell(runs.looks());
        queue.watch(Arc::new(History::new(this_process())));
        let sync = Sync::new(sync::Parts {
            database: database.clone(),
            clock: clock.clone(),
            fastio: fastio.clone(),
            openai: openai.clone(),
            rules: rules.clone(),
            results,
            seal,
            settings: config.sync.clone(),
            storage: config.storage.clone(),
            erase_purged: config.retention.erase_purged,
            wake: queue.wake(),
            causes: queue.causes(),
            governor: governor.clone(),
            meters: meters.clone(),
        });
        let heard = Arc::new(tokio::sync::Notify::new());
        let ours = rules.clone();
        let wanted = Arc::new(move |tx: &mut Connection, task: &Task| sync::is_wanted(&ours, tx, task));
        let feed = Feed::new(feed::Parts {
            database: database.clone(),
            clock: clock.clone(),
            fastio: fastio.clone(),
            openai: openai.clone(),
            rules,
            settings: config.feed.clone(),
            sweeps: config.sweep.clone(),
            wake: queue.wake(),
            heard: heard.clone(),
        });
        let remover = Remover {
            database: database.clone(),
            clock: clock.clone(),
            fastio: fastio.clone(),
            openai: openai.clone(),
        };
        let eraser = Eraser {
            database: database.clone(),
            clock: clock.clone(),
            fastio: fastio.clone(),
            openai: openai.clone(),
            wake: queue.wake(),
        };
        let importer = Importer { database: database.clone(), clock: clock.clone(), fastio: fastio.clone() };
        let work = Arc::new(Work {
            sync,
            runs,
            feed: feed.clone(),
            remover,
            eraser,
            importer,
            database: database.clone(),
            clock: clock.clone(),
            fastio,
            openai,
            taken: AnswerCounter::default(),
        });
        work.sync.reconsider().await.context("looking for files that may be taken now")?;
        work.runs.keep_questions().await.context("writing down what the rules ask")?;
        work.runs.review().await.context("looking for results that are to be shown otherwise")?;
        let parts =
            receive::Parts { database: database.clone(), clock, workers: queue.wake(), heard, wanted };
        let mut receive =
            receive::open(config.receive.clone(), &config.secrets.fastio_webhook, parts).await?;
        receive.public.take_openai(&config.secrets.openai_webhook).context("OPENAI_WEBHOOK_SECRET")?;
        Ok(Parts { database, queue, governor, work, receive, feed, meters })
    }
}

/// Every route of the operator listener, with who may ask.
pub fn operator_routes() -> Vec<Stated> {
    let (asked, pages, scraped) = (api::routes(), dashboard::routes(), operate::scraped());
    let agents = mcp::routes();
    [operate::routes().stated(), asked.stated(), agents.stated(), pages.stated(), scraped.stated()].concat()
}

/// What the pages stand on.
pub struct Beneath<'a> {
    pub database: &'a Database,
    pub clock: &'a Clock,
    pub queue: &'a Queue,
    pub governor: &'a Governor,
    pub work: &'a Work,
}

/// The pages of the operator listener.
///
/// # Errors
/// Rules that cannot work.
pub fn pages(
    config: &Config,
    beneath: &Beneath<'_>,
    (observer, guard): (Observer, Guard),
) -> anyhow::Result<Routes> {
    let Beneath { database, clock, queue, work, .. } = *beneath;
    let dashboard = Dashboard::new(dashboard::Parts {
        database: database.clone(),
        observer,
        searcher: work.searcher(),
        clock: clock.clone(),
        headroom: headroom(config, beneath)?,
        guard,
        rules: config.rules()?,
        definitions: work.runs.definitions().to_vec(),
        environment: config.operate.environment.as_str().to_owned(),
        settings: settings_shown(config),
        storage: config.about().storage,
        wake: queue.wake(),
    });
    Ok(dashboard::routes().with_state(dashboard))
}

/// What says how much is left of OpenAI's limits.
fn headroom(config: &Config, beneath: &Beneath<'_>) -> anyhow::Result<Headroom> {
    Ok(Headroom {
        clock: beneath.clock.clone(),
        database: beneath.database.clone(),
        governor: beneath.governor.clone(),
        rules: config.rules()?,
        definitions: beneath.work.runs.definitions().to_vec(),
    })
}

/// The settings as the operator listener tells them.
fn settings_shown(config: &Config) -> Vec<SettingView> {
    let shown = config.shown().into_iter();
    shown.map(|Shown { name, value, from }| SettingView { name, value, from }).collect()
}

/// What asks OpenAI, as the settings say.
///
/// # Errors
/// A key or an address that cannot be used.
pub fn openai_client(config: &Config) -> anyhow::Result<openai::Client> {
    let settings = &config.openai;
    let names = (settings.organization.as_deref(), settings.project.as_deref());
    let key = config.secrets.openai_api_key()?;
    Ok(openai::Client::new(&settings.base_url, key, names.0, names.1)?)
}

/// What programs ask, for a command beside a server.
///
/// # Errors
/// Settings or keys that cannot work.
pub fn api_beside(config: &Config, database: &Database, known: Known) -> anyhow::Result<Api> {
    let definitions = config.runs(&known.rules)?;
    Ok(Api::new(api::ApiParts {
        database: database.clone(),
        searcher: Searcher { database: database.clone(), openai: openai_client(config)? },
        clock: Clock::default(),
        known,
        definitions: definitions.into_iter().map(Arc::new).collect(),
        wake: Arc::default(),
        settings: settings_shown(config),
    }))
}

/// What compares and lists, for a command beside a server.
///
/// # Errors
/// Settings or keys that cannot work.
pub fn feed(config: &Config, database: Database) -> anyhow::Result<Feed> {
    Ok(Feed::new(feed::Parts {
        database,
        clock: Clock::default(),
        fastio: fastio::Client::new(&config.fastio.base_url, config.secrets.fastio_api_key()?)?,
        openai: openai_client(config)?,
        rules: config.rules()?,
        settings: config.feed.clone(),
        sweeps: config.sweep.clone(),
        wake: Arc::default(),
        heard: Arc::default(),
    }))
}

/// What is run over the rules' files; says once what a person should know about it.
fn definitions(config: &Config, rules: &Rules) -> anyhow::Result<Vec<run::Definition>> {
    let definitions = config.runs(rules)?;
    for warning in definitions.iter().filter_map(run::Definition::warning) {
        tracing::warn!("{warning}");
    }
    Ok(definitions)
}

/// How a server starts.
#[derive(Debug, Default)]
pub struct Start {
    /// Listens here: the address had to be known beforehand.
    pub listener: Option<TcpListener>,
    /// Begins with an empty database although OpenAI holds copies that another one made.
    pub anew: bool,
}

/// A running server.
pub struct App {
    parts: JoinSet<&'static str>,
    /// No new requests, no new claims.
    stop: CancellationToken,
    /// Let go of what is in hand.
    abandon: CancellationToken,
    stop_limit: Duration,
    address: SocketAddr,
    operate_address: Option<SocketAddr>,
    database: Database,
    upkeep: Upkeep,
    lock: ServerLock,
}

impl App {
    /// Starts a server.
    ///
    /// # Errors
    /// What stands in the way of starting, and what to do about it.
    pub async fn start(config: &Config, clock: Clock, start: Start) -> anyhow::Result<App> {
        let Start { listener, anew } = start;
        // Before a file is made.
        config.usable()?;
        let lock = ServerLock::serve(&config.database, clock.clone()).await?;
        let built = Parts::build(config, clock.clone(), Some(&lock)).await?;
        let rotation = Rotation::of(config, &built);
        let Parts { database, queue, governor, work, receive, feed, meters } = built;
        let place = || config.database.place();
        work.sync.begin(anew).await.with_context(place)?;
        clock.persist(&database).await.context("persisting the time")?;
        let recovered = queue.recover().await.context("taking over a dead server's jobs")?;
        let listener = match listener {
            Some(listener) => listener,
            None => listen::bind(config.receive.listen)
                .with_context(|| format!("cannot listen on receive.listen = {}", config.receive.listen))?,
        };
        let address = listener.local_addr().context("listening")?;
        let operate = Operate::bind(&config.operate, config.secrets.tokens.clone()).await?;

        let (stop, abandon) = (CancellationToken::new(), CancellationToken::new());
        let mut parts = JoinSet::new();
        let (lost, until) = (lock.lost(), stop.clone());
        parts.spawn(async move {
            tokio::select! {
                () = lost.cancelled() => {}
                () = until.cancelled() => {}
            }
            "place among the servers"
        });
        if let Some(rotation) = rotation {
            let until = stop.clone();
            parts.spawn(async move {
                keep_running("secrets", &until, || rotation.clone().run(until.clone())).await;
                "secrets"
            });
        }
        let Receive { public, drain, upkeep } = receive;
        let counters = public.counters();
        let until = stop.clone();
        parts.spawn(async move {
            public.serve(listener, until).await;
            "public listener"
        });
        let operate_address = operate.as_ref().map(Operate::address);
        if let Some(operate) = operate {
            let (observer, until) = (Observer::new(database.clone(), config.about()), stop.clone());
            let asked = Api::new(api::ApiParts {
                database: database.clone(),
                searcher: work.searcher(),
                clock: clock.clone(),
                known: Known {
                    about: config.about(),
                    rules: config.rules()?,
                    server: Some(lock.words()),
                    now: clock.now(),
                },
                definitions: work.runs.definitions().to_vec(),
                wake: queue.wake(),
                settings: settings_shown(config),
            });
            let beneath = Beneath {
                database: &database,
                clock: &clock,
                queue: &queue,
                governor: &governor,
                work: &work,
            };
            let metrics = Metrics::new(operate::Sources {
                database: database.clone(),
                clock: clock.clone(),
                headroom: headroom(config, &beneath)?,
                meters,
                counters: counters.clone(),
                about: config.about(),
            });
            let pages = pages(config, &beneath, (observer.clone(), operate.guard()))?
                .merge(mcp::routes().with_state(Mcp::new(asked.clone())))
                .merge(api::routes().with_state(asked))
                .merge(operate::scraped().with_state(metrics));
            let served = Served { observer, pages, dress: dashboard::dress, counters };
            parts.spawn(async move {
                operate.serve(served, until).await;
                "operator listener"
            });
        }
        let (own, until) = (upkeep.clone(), stop.clone());
        parts.spawn(async move {
            keep_running("upkeep of the inbox", &until, || own.clone().run(until.clone())).await;
            "upkeep of the inbox"
        });
        let mut lead = Lead { parts: &mut parts, database: &database, stop: &stop };
        lead.spawn(Role::Drain, move |stop| drain.clone().run(stop));
        let endpoints = config.endpoints.clone()?;
        let is_anybody_told = !endpoints.is_empty();
        let notifier = Notifier::new(database.clone(), clock.clone(), endpoints, config.sync.promised())?;
        notifier.settle().await.context("writing down who is told what")?;
        if is_anybody_told {
            lead.spawn(Role::Notify, move |stop| notifier.clone().run(stop));
        }
        let retention = Retention {
            database: database.clone(),
            clock: clock.clone(),
            settings: config.retention.clone(),
            event_keep_ms: config.receive.event_keep_ms(),
        };
        lead.spawn(Role::Retention, move |stop| retention.clone().run(stop));
        let rotating = work.clone();
        lead.spawn(Role::Rotation, move |stop| {
            let rotating = rotating.clone();
            async move { rotating.sync.rotate_for_ever(stop).await }
        });
        let follower = feed.clone();
        lead.spawn(Role::ChangeFeed, move |stop| {
            let follower = follower.clone();
            async move { follower.follow(stop).await }
        });
        lead.spawn(Role::Sweep, move |stop| {
            let feed = feed.clone();
            async move { feed.sweep_for_ever(stop).await }
        });
        let (kept, until) = (database.clone(), stop.clone());
        parts.spawn(async move {
            keep_running("clock", &until, || clock.persist_until(&kept, until.clone())).await;
            "clock"
        });
        if database.replica().is_some() {
            let (queue, until) = (queue.clone(), stop.clone());
            parts.spawn(async move {
                let share = || share(&queue, &governor, &until);
                keep_running("what the servers share", &until, share).await;
                "what the servers share"
            });
        }
        for _ in 0..queue.workers() {
            let (queue, work, stop, abandon) = (queue.clone(), work.clone(), stop.clone(), abandon.clone());
            parts.spawn(async move {
                keep_running("worker", &stop, || queue.work(&*work, stop.clone(), abandon.clone())).await;
                "worker"
            });
        }
        let operate = operate_address.map(tracing::field::display);
        tracing::info!(listen = %address, operate, recovered, workers = queue.workers(), "docket is ready");
        let stop_limit = config.queue.stop_limit();
        Ok(App { parts, stop, abandon, stop_limit, address, operate_address, database, upkeep, lock })
    }

    /// Where the public listener listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the operator listener listens, if there is one.
    pub fn operate_address(&self) -> Option<SocketAddr> {
        self.operate_address
    }

    /// The server's database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Runs until `signal`, then stops: no new requests and claims, what is in hand is finished within the limit, what
    /// is not is given back.
    ///
    /// # Errors
    /// A part that ended on its own. That is a bug: the process fails, to be started whole again.
    pub async fn run_until(mut self, signal: impl Future<Output = ()>) -> anyhow::Result<()> {
        let broken = tokio::select! {
            () = signal => None,
            Some(part) = self.parts.join_next() => Some(part),
        };
        tracing::info!("stopping");
        self.stop.cancel();
        let is_followed = self.lock.lost().is_cancelled();
        if is_followed {
            // What is in hand others do already.
            self.abandon.cancel();
        }
        if tokio::time::timeout(self.stop_limit, join_all(&mut self.parts)).await.is_err() {
            tracing::warn!("giving back the jobs that are still in hand");
            self.abandon.cancel();
            let _ = tokio::time::timeout(LET_GO, join_all(&mut self.parts)).await;
        }
        self.upkeep.finish().await;
        self.database.close().await;
        match broken {
            _ if is_followed => anyhow::bail!(
                "other servers have taken over what this one did, because it was not heard of for some seconds; start it anew"
            ),
            None => Ok(()),
            Some(Ok(part)) => anyhow::bail!("the {part} ended on its own"),
            Some(Err(error)) => Err(error).context("a part of the server failed"),
        }
    }
}

async fn join_all(parts: &mut JoinSet<&'static str>) {
    while parts.join_next().await.is_some() {}
}
