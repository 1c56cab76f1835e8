//! Runs the parts of a server until the process is told to stop, and stops them in order. `build` makes and wires them, `work` has each job's
//! task done by the part that knows how, `operator` is what people and programs are shown, `beside` serves commands.

mod beside;
mod build;
mod operator;
pub mod rotation;
mod several;
mod work;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::contain::keep_running;
use crate::database::{Database, Role, ServerLock};
use crate::notify::Notifier;
use crate::operate::api::{self, Api};
use crate::operate::mcp::{self, Mcp};
use crate::operate::query::Known;
use crate::operate::{self, Metrics, Observer, Operate, Served};
use crate::receive::{Receive, Upkeep};
use crate::retention::Retention;
use crate::{dashboard, listen};
use operator::{headroom, settings_shown};
use rotation::Rotation;
use several::{Lead, share};

pub use beside::{api_beside, feed, openai_client};
pub use build::Parts;
pub use operator::{Beneath, operator_routes, pages};
pub use work::Work;

/// How long parts that were told to let go may take to write that down.
const LET_GO: Duration = Duration::from_secs(3);

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
        let (counters, inbox) = (public.counters(), public.level());
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
                inbox,
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
