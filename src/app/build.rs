//! Builds the parts of a server on a database and wires them.

use std::sync::Arc;

use anyhow::Context;

use super::beside::openai_client;
use super::work::Work;
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{Connection, Database, ServerLock, this_process};
use crate::erase::Eraser;
use crate::fastio;
use crate::feed::{self, Feed};
use crate::govern::Governor;
use crate::history::History;
use crate::http::AnswerCounter;
use crate::import::Importer;
use crate::job::Task;
use crate::outside::Remover;
use crate::own::Seal;
use crate::queue::Queue;
use crate::receive::{self, Receive};
use crate::rule::Rules;
use crate::run::{self, Runs};
use crate::sync::{self, Sync};
use crate::telemetry::Meters;

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

/// What is run over the rules' files; says once what a person should know about it.
fn definitions(config: &Config, rules: &Rules) -> anyhow::Result<Vec<run::Definition>> {
    let definitions = config.runs(rules)?;
    for warning in definitions.iter().flat_map(run::Definition::warnings) {
        tracing::warn!("{warning}");
    }
    Ok(definitions)
}
