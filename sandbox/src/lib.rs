//! Stand-ins for Fastio and OpenAI: real HTTP servers on real ports that keep state, for `docket sandbox`, `docket demo`
//! and the tests.
//!
//! Nothing here is the real thing and nothing here may be relied on as documentation of it: where the services'
//! documents are silent the code says "inferred". The stand-ins never call out, except to send webhooks, and
//! keep only small contents whole ([`content`]).
//!
//! Each server is a [`server::Service`]: the real paths (`api`), the paths under `/_sandbox/` that control the stand-in
//! (`control`), and how that service words a refusal (`refuse`). In front of both stands one [`server`] that
//! writes the [`journal`] and applies the [`faults`], so that a handler only ever knows the well-behaved case and the few
//! faults that concern its state. [`openai`] and [`fastio`] fill in the rest from a [`Core`] and know nothing of each
//! other.

pub mod clock;
pub mod content;
pub mod control;
mod deliver;
pub mod fastio;
pub mod faults;
pub mod form;
pub mod journal;
pub mod judge;
mod leftover;
pub mod openai;
mod rewrite;
pub mod server;
mod trace;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use clock::Clock;
use faults::{Faults, StandIn};
use journal::Journal;

/// What to start, and how the stand-ins behave before a fault is set.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the Fastio stand-in listens; port 0 lets the system choose.
    pub fastio: SocketAddr,
    /// Where the OpenAI stand-in listens; port 0 lets the system choose.
    pub openai: SocketAddr,
    /// Where Fastio's webhooks go. None: changes send nothing.
    pub webhook: Option<Webhook>,
    /// The subscriber that is told when a response in the background has ended. More endpoints can be made by the API.
    pub openai_webhook: Option<Subscriber>,
    /// How long a vector store takes to index a file that was attached.
    pub index_delay: Duration,
    /// How long Fastio's AI takes to read a file. None: it reads what a test says that it does.
    pub read_delay: Option<Duration>,
    /// Ids, faults and generated contents follow from it: the same seed and the same requests give the same run.
    pub seed: u64,
    /// Serve the Assistants API, version 2, as compatible servers do and OpenAI no longer does.
    pub assistants: bool,
    /// What an account at OpenAI may do in a minute.
    pub limits: openai::Limits,
    /// What the OpenAI stand-in lets in.
    pub login: openai::Login,
}

impl Default for Options {
    fn default() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Options {
            fastio: any,
            openai: any,
            webhook: None,
            openai_webhook: None,
            index_delay: Duration::ZERO,
            read_delay: None,
            seed: 0,
            assistants: false,
            limits: openai::Limits::default(),
            login: openai::Login::default(),
        }
    }
}

/// A subscription to Fastio's webhooks.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub url: Url,
    pub secret: SecretString,
    pub scheme: Scheme,
}

/// Where OpenAI's webhooks go.
#[derive(Debug, Clone)]
pub struct Subscriber {
    pub url: Url,
    pub secret: SecretString,
}

/// How a webhook is signed and written; Fastio's own documents describe more than one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scheme {
    /// `Fastio-Signature: t=…,v1=<base64>`
    #[default]
    FastioBase64,
    /// `Fastio-Signature: t=…,v1=<hex>`
    FastioHex,
    /// `X-Fastio-Signature: sha256=<hex>`
    XFastioSha256,
    /// As the first, with the body that Fastio's guide on Temporal prints.
    Guide,
    /// All of these in turn, with every documented key and payload shape: what a tolerant receiver must take.
    Mixed,
}

/// What one stand-in is built from. Clones share everything.
#[derive(Debug, Clone)]
pub struct Core {
    pub faults: Arc<Faults>,
    pub journal: Arc<Journal>,
    /// Moved by tests and by `POST /_sandbox/clock`; both stand-ins share one.
    pub clock: Clock,
    pub seed: u64,
}

impl Core {
    pub fn new(which: StandIn, clock: Clock, seed: u64) -> Core {
        let faults = Arc::new(Faults::new(which, seed));
        Core { faults, journal: Arc::new(Journal::default()), clock, seed }
    }
}

/// Two running stand-ins. Dropping it ends them at once.
#[derive(Debug)]
pub struct Sandbox {
    fastio_address: SocketAddr,
    openai_address: SocketAddr,
    fastio_core: Core,
    openai_core: Core,
    fastio: fastio::State,
    openai: openai::State,
    parts: JoinSet<()>,
}

/// Starts both stand-ins; they serve until `stop` is cancelled.
pub async fn start(options: Options, stop: CancellationToken) -> std::io::Result<Sandbox> {
    let clock = Clock::default();
    let fastio_core = Core::new(StandIn::Fastio, clock.clone(), options.seed);
    let openai_core = Core::new(StandIn::OpenAi, clock, options.seed);
    let fastio_listener = TcpListener::bind(options.fastio).await?;
    let openai_listener = TcpListener::bind(options.openai).await?;
    let (fastio_address, openai_address) = (fastio_listener.local_addr()?, openai_listener.local_addr()?);

    let mut parts = JoinSet::new();
    let fastio = fastio::State::new(&options, fastio_core.clone());
    parts.spawn(fastio.clone().send_webhooks(stop.clone()));
    parts.spawn(server::serve(fastio_listener, fastio::service(&fastio, &fastio_core), stop.clone()));
    let openai = openai::State::new(&options, openai_core.clone());
    parts.spawn(openai.clone().send_webhooks(stop.clone()));
    parts.spawn(server::serve(openai_listener, openai::service(&openai, &openai_core), stop));
    Ok(Sandbox { fastio_address, openai_address, fastio_core, openai_core, fastio, openai, parts })
}

impl Sandbox {
    /// The base of Fastio's API, such as `http://127.0.0.1:9101/current/`.
    pub fn fastio_url(&self) -> Url {
        base(self.fastio_address, "current")
    }

    /// The base of OpenAI's API, such as `http://127.0.0.1:9102/v1/`.
    pub fn openai_url(&self) -> Url {
        base(self.openai_address, "v1")
    }

    /// Faults, journal and clock of the Fastio stand-in.
    pub fn fastio_core(&self) -> &Core {
        &self.fastio_core
    }

    /// Faults, journal and clock of the OpenAI stand-in.
    pub fn openai_core(&self) -> &Core {
        &self.openai_core
    }

    /// The OpenAI stand-in's state, for tests that look without a request.
    pub fn openai(&self) -> &openai::State {
        &self.openai
    }

    /// The Fastio stand-in's state, for tests that look without a request.
    pub fn fastio(&self) -> &fastio::State {
        &self.fastio
    }

    /// Resolves when no webhook waits to be sent and none is in flight.
    pub async fn flush_webhooks(&self) {
        self.fastio.flush_webhooks().await;
    }

    /// Serves until the token given to [`start`] is cancelled.
    pub async fn run_until_stopped(mut self) {
        while self.parts.join_next().await.is_some() {}
    }
}

fn base(address: SocketAddr, path: &str) -> Url {
    Url::parse(&format!("http://{address}/{path}/")).expect("an address and a word make a URL")
}
