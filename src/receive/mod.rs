//! HTTP in: a webhook's signature is checked, its bytes are put in the inbox, and only then it is acknowledged. The
//! drain turns the inbox into events and jobs afterwards.
//!
//! ```text
//!   listener ──▶ handler ──▶ request ──▶ signature ──▶ payload ──▶ inbox ──▶ 202
//!                                                                   │
//!                                                                   └──▶ drain ──▶ events and jobs
//! ```
//!
//! It owns the tables `inbox`, `receive_count` and `openai_webhook`. It never asks Fastio or OpenAI anything, and never believes a webhook
//! about anything but which file to look at.

mod ahead;
mod body;
mod count;
mod current;
pub mod drain;
mod encoding;
mod handler;
pub mod hint;
pub mod inbox;
mod memory;
mod place;
mod refusal;
mod request;
mod settings;
pub mod signature;
mod store;
mod upkeep;

use std::sync::Arc;

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::database::{self, Database};
use crate::event::Wanted;
use crate::listen::gate::Gate;
use crate::listen::{self, Incident, Offer, Tell, files};
use current::Current;
use drain::Drain;
use handler::DeliveryService;
use hint::Hints;
use inbox::Limits;
use memory::Memory;
use request::RequestReader;
use signature::{NoSecret, Policy, Verifier, standard};

pub use count::{Count, Counters};
pub use current::{BadSecrets, Keys};
pub use handler::TEST_AGENT;
pub use inbox::Level;
pub use settings::{BadSetting, Settings};
pub use store::{counts, waiting, waiting_since};
pub use upkeep::Upkeep;

/// Why deliveries cannot be received at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    NoSecret(#[from] NoSecret),
    #[error(transparent)]
    BadSetting(#[from] BadSetting),
    #[error("the inbox cannot be read: {0}")]
    Database(#[from] database::Error),
}

/// What receiving is built on.
pub struct Parts {
    pub database: Database,
    pub clock: Clock,
    /// Notified when jobs were added.
    pub workers: Arc<Notify>,
    /// Notified when a delivery told something: the change feed may tell more.
    pub heard: Arc<Notify>,
    /// Which jobs there may be anything to do for.
    pub wanted: Wanted,
}

/// The things that run.
pub struct Receive {
    pub public: Public,
    pub drain: Drain,
    pub upkeep: Upkeep,
}

/// The public listener's side.
pub struct Public {
    service: Arc<DeliveryService>,
    limits: listen::Limits,
    /// What the settings say of signatures, and of late ones.
    signed: (Policy, u32),
    hints: Option<Arc<Hints>>,
    database: Database,
    workers: Arc<Notify>,
}

/// Checks the settings and opens the inbox.
///
/// # Errors
/// No secret to check signatures with, a setting that cannot work, or a database that cannot be read.
pub async fn open(settings: Settings, secrets: &[SecretString], parts: Parts) -> Result<Receive, Error> {
    let Parts { database, clock, workers, heard, wanted } = parts;
    let (policy, late_seconds) = (settings.check()?, settings.late_seconds());
    let verifier = Current::new(Verifier::new(secrets, policy.clone())?.taking_late(late_seconds));
    let limits = Limits { rows: settings.inbox_max_rows, ack_timeout: settings.ack_timeout() };
    let (wake, counters) = (Arc::new(Notify::new()), Arc::new(Counters::default()));
    let public = (database.clone(), workers.clone());
    let inbox = inbox::open(database.clone(), limits, wake.clone()).await?;
    let upkeep = Upkeep { database: database.clone(), level: inbox.level(), counters: counters.clone() };
    let drain = Drain {
        database,
        clock: clock.clone(),
        wanted,
        level: inbox.level(),
        counters: counters.clone(),
        wake,
        workers,
        heard,
    };
    let requests = RequestReader {
        counters,
        clock,
        limits: settings.body_limits(),
        memory: Memory::new(body::MEMORY_BYTES),
        hashing: Arc::new(Semaphore::new(1)),
        gate: Gate::default(),
    };
    let service = DeliveryService { requests: Arc::new(requests), verifier, inbox };
    let (database, workers) = public;
    let limits = settings.limits();
    let signed = (policy, late_seconds);
    let public = Public { service: Arc::new(service), limits, signed, hints: None, database, workers };
    Ok(Receive { public, drain, upkeep })
}

impl Public {
    /// Takes OpenAI's webhooks too, signed with one of `secrets`. Without any it does not, and that path is not found.
    ///
    /// # Errors
    /// A secret that cannot be used.
    pub fn take_openai(&mut self, secrets: &[SecretString]) -> Result<(), standard::BadSecret> {
        if secrets.is_empty() {
            return Ok(());
        }
        let verifier = Current::new(hint::verifier(secrets)?);
        let requests = self.service.requests.clone();
        let (database, workers) = (self.database.clone(), self.workers.clone());
        self.hints = Some(Arc::new(Hints { requests, verifier, database, workers }));
        Ok(())
    }

    /// By which its secrets are replaced, once those of OpenAI's webhooks are known.
    pub fn keys(&self) -> Keys {
        let (policy, late_seconds) = self.signed.clone();
        Keys { service: self.service.clone(), hints: self.hints.clone(), policy, late_seconds }
    }

    /// Serves the public listener until `stop`, and what is in hand then.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let counters = self.counters();
        let router = handler::router(self.service, self.hints);
        let limits = files::fitting(self.limits);
        let tell: Tell = Arc::new(move |incident| match incident {
            Incident::Panicked => counters.add(Count::Unavailable("panic"), 1),
            Incident::HungUp => counters.add(Count::HungUp, 1),
        });
        listen::serve(listener, Offer { router, limits, tell }, stop).await;
    }

    /// What the listeners count.
    pub fn counters(&self) -> Arc<Counters> {
        self.service.requests.counters.clone()
    }

    /// Numbers about the inbox.
    pub fn level(&self) -> Arc<Level> {
        self.service.inbox.level()
    }
}
