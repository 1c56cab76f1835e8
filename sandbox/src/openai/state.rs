//! What the stand-in has been told: files, uploads, vector stores, conversations and responses.
//!
//! One lock, held only while a request reads or changes it and never across an await. Nothing runs in the background:
//! what happens with time (indexing, delayed deletes, running responses) is worked out from the clock at each
//! look.

use std::sync::{Arc, Mutex, MutexGuard};

use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::super::{Core, Options};
use super::container::Container;
use super::conversation::Conversation;
use super::endpoint::Endpoint;
use super::file::File;
use super::history::History;
use super::id::Ids;
use super::limits::{Counts, Limits};
use super::login::{Login, Token};
use super::request_batch::{self, RequestBatch};
use super::response::Run;
use super::shelf::Shelf;
use super::store::Store;
use super::thread::Thread;
use super::upload::Upload;
use super::webhook::{self, Outbox};

/// The OpenAI stand-in. Clones are the same one.
#[derive(Debug, Clone)]
pub struct State {
    pub core: Core,
    pub index_delay_ms: i64,
    /// Whether it plays a compatible server that still serves assistants.
    pub assistants: bool,
    pub limits: Limits,
    pub login: Login,
    /// Wakes the sender of webhooks.
    pub news: Arc<Notify>,
    /// Counts the sender's steps, for those who wait until it is idle.
    pub steps: Arc<watch::Sender<u64>>,
    pub http: reqwest::Client,
    world: Arc<Mutex<World>>,
}

/// Everything it was told.
#[derive(Debug)]
pub struct World {
    pub ids: Ids,
    pub files: Shelf<File>,
    pub uploads: Shelf<Upload>,
    pub stores: Shelf<Store>,
    pub conversations: Shelf<Conversation>,
    pub runs: Shelf<Run>,
    pub batches: Shelf<RequestBatch>,
    pub containers: Shelf<Container>,
    pub threads: Shelf<Thread>,
    pub history: History,
    pub counts: Counts,
    pub endpoints: Shelf<Endpoint>,
    /// Those that were given for a workload's own.
    pub tokens: Vec<Token>,
    /// Webhooks that are still to be sent.
    pub outbox: Outbox,
    /// What will be gone later, although its deletion was answered.
    doomed: Vec<(i64, PendingRemoval)>,
}

/// Something with a delayed end.
#[derive(Debug, Clone)]
pub enum PendingRemoval {
    File(String),
    StoreFile { store: String, file: String },
}

impl State {
    pub fn new(options: &Options, core: Core) -> State {
        let world = World {
            ids: Ids::new(options.seed),
            files: Shelf::default(),
            uploads: Shelf::default(),
            stores: Shelf::default(),
            conversations: Shelf::default(),
            runs: Shelf::default(),
            batches: Shelf::default(),
            containers: Shelf::default(),
            threads: Shelf::default(),
            history: History::default(),
            counts: Counts::default(),
            endpoints: Shelf::default(),
            tokens: Vec::new(),
            outbox: Outbox::default(),
            doomed: Vec::new(),
        };
        let index_delay_ms = i64::try_from(options.index_delay.as_millis()).unwrap_or(i64::MAX);
        let state = State {
            core,
            index_delay_ms,
            assistants: options.assistants,
            limits: options.limits,
            login: options.login,
            news: Arc::default(),
            steps: Arc::new(watch::Sender::new(0)),
            http: webhook::client(),
            world: Arc::new(Mutex::new(world)),
        };
        if let Some(subscriber) = &options.openai_webhook {
            state.subscribe(subscriber.url.clone(), subscriber.secret.clone());
        }
        state
    }

    /// Has every end of a response in the background told to `url`, as an endpoint made by the API would.
    pub fn subscribe(&self, url: Url, secret: SecretString) {
        let (mut world, now) = self.world();
        let endpoint = Endpoint::of_responses(&mut world, (url, secret), now);
        world.endpoints.put(&endpoint.id.clone(), endpoint);
    }

    /// Sends OpenAI's webhooks until `stop`.
    pub async fn send_webhooks(self, stop: CancellationToken) {
        webhook::send(&self, stop).await;
    }

    /// Resolves when the end of every response that is over has been told.
    pub async fn flush_webhooks(&self) {
        webhook::idle(self).await;
    }

    /// The world as it is now, and now.
    pub fn world(&self) -> (MutexGuard<'_, World>, i64) {
        let now = self.core.clock.now();
        let mut world = self.world.lock().expect("nothing panics while it holds the world");
        world.settle(now);
        (world, now)
    }

    /// All of it as JSON: `GET /_sandbox/state`.
    pub fn snapshot(&self) -> Value {
        let (world, now) = self.world();
        let files: Vec<Value> = world.files.iter().map(File::inspect).collect();
        let uploads: Vec<Value> = world.uploads.iter().map(|upload| upload.show(now)).collect();
        let stores: Vec<Value> = world
            .stores
            .iter()
            .map(|store| store.inspect(now, |file| world.files.get(file).is_some()))
            .collect();
        let conversations: Vec<Value> = world.conversations.iter().map(Conversation::inspect).collect();
        let responses: Vec<Value> = world.runs.iter().map(|run| run.show(now)).collect();
        let batches: Vec<Value> = world.batches.iter().map(|batch| batch.show(now)).collect();
        let threads: Vec<Value> = world.threads.iter().map(|thread| thread.inspect(now)).collect();
        let containers: Vec<Value> =
            world.containers.iter().map(|container| container.inspect(now)).collect();
        json!({
            "threads": threads, "containers": containers, "webhooks": world.outbox.show(),
            "now_ms": now, "files": files, "uploads": uploads, "vector_stores": stores,
            "conversations": conversations, "responses": responses, "batches": batches,
        })
    }

    /// When which file was searchable: `GET /_sandbox/searchable`.
    pub fn searchable(&self) -> Value {
        let (world, now) = self.world();
        let open = world.stores.iter().flat_map(|store| store.searchable(now)).collect();
        world.history.show(open)
    }
}

impl World {
    /// Lets happen what has become due.
    fn settle(&mut self, now: i64) {
        let (due, later) = self.doomed.drain(..).partition(|(at, _)| *at <= now);
        self.doomed = later;
        let due: Vec<(i64, PendingRemoval)> = due;
        for (at, doomed) in due {
            match doomed {
                PendingRemoval::File(id) => drop(self.files.take(&id)),
                PendingRemoval::StoreFile { store, file } => self.detach(&store, &file, at),
            }
        }
        request_batch::settle(self, now);
        super::response::settle(self, now);
    }

    /// Ends something now or, when a fault slows it, later.
    pub fn doom(&mut self, doomed: PendingRemoval, at: i64) {
        self.doomed.push((at, doomed));
    }

    /// Calls off a file's delayed end in a store, because it was attached anew.
    pub fn spare(&mut self, store: &str, file: &str) {
        self.doomed.retain(|(_, doomed)| {
            !matches!(doomed, PendingRemoval::StoreFile { store: from, file: gone } if from == store && gone == file)
        });
    }

    /// Whether this is only still there because a fault slows its end.
    pub fn is_doomed(&self, file: &str) -> bool {
        self.doomed.iter().any(|(_, doomed)| matches!(doomed, PendingRemoval::File(id) if id == file))
    }

    /// Takes a file out of a store and remembers how long it was searchable.
    pub fn detach(&mut self, store: &str, file: &str, now: i64) {
        let Some(store) = self.stores.get_mut(store) else { return };
        let until = store.searchable_until(now);
        if let Some(entry) = store.files.take(file) {
            self.history.add(entry.interval(&store.id, until));
        }
    }

    /// A file that is there and has not expired.
    pub fn file(&self, id: &str, now: i64) -> Option<&File> {
        self.files.get(id).filter(|file| file.expires_at_ms.is_none_or(|at| now < at))
    }
}

/// OpenAI tells times in whole seconds.
pub fn seconds(ms: i64) -> i64 {
    ms.div_euclid(1000)
}
