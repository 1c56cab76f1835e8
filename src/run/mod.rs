//! Runs: one assistant run over one version of one file under one definition of its rule. Started when the file is
//! indexed, followed, checked against the document, delivered beside it.
//!
//! ```text
//!   wanted ──▶ starting ──▶ running ──▶ answered ──▶ ending ──▶ ended
//!    │  ▲          │           │            │           ▲
//!    │  └──────────┴───────────┘            │           │
//!    │     nothing came of it: again        │           │
//!    └──────────────┴──────────┴────────────┴───────────┘
//!       refused, failed, held, cancelled, superseded
//! ```
//!
//! | state | what is on record | what is left |
//! |---|---|---|
//! | wanted | file, content, definition | budget, lock, conversation, create |
//! | starting | the conversation, and that a response was begun in it | find out whether there is one |
//! | running | the response's id | look until it ends, or cancel it when it is late |
//! | answered | the result, checked | publish it beside the file |
//! | ending | the outcome | stop what still runs, release the lock |
//!
//! Each step writes down what it is about to do and then what came of it, so a server that takes over a run of one that died
//! finds the response, the file or the lock instead of making a second. A response that is being waited for holds no
//! worker: its job comes back later, or at once when OpenAI's webhook says that there is something to see.
//!
//! What follows from a result besides, its rule lists ([`action`]).
//!
//! Fastio's own AI may be asked alone, or before OpenAI is ([`ask`]); the run is `wanted` meanwhile.
//!
//! It reads what [`crate::sync`] has on record of files and copies, and never writes it. What is run over is decided by
//! content: a rename or a touch runs nothing. What stands beside a file is decided in [`publish`], whenever something becomes
//! of the file, of its runs or of its rule.

mod action;
mod admit;
mod again;
mod answer;
mod ask;
pub mod batch;
mod begin;
mod deliver;
mod digest;
mod document;
mod draft;
mod earlier;
mod ended;
mod engine;
pub mod existing;
mod frame;
mod hint;
pub mod identity;
pub mod limit;
mod original;
pub mod pace;
mod produced;
mod publish;
mod question;
mod row;
mod settings;
mod steps;
pub mod store;
mod unread;

use std::sync::Arc;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::compute::Compute;
use crate::database::{Connection, Database};
use crate::outside::Locks;
use crate::own::Seal;
use crate::queue::{Causes, Heir, Verdict};
use crate::{fastio, openai};

use publish::{Looks, Publisher};

pub use action::store::{ActionRow, all as actions};
pub use admit::{cancel, judge};
pub use again::{
    Again, BITE, Bite, Estimate, estimate, estimate_one, file, judgement_of, survey, want_missing, want_one,
};
pub use deliver::{checks, doubtful, said};
pub use row::{Outcome, Run, RunId, State};
pub use settings::{Clash, Definition, Engine, Mcp, Price, SettingsError, ToolServer, definitions};
pub use steps::WORKING;

/// The work on runs: what it needs, shared by all workers.
#[derive(Debug)]
pub struct Runs {
    database: Database,
    clock: Clock,
    fastio: fastio::Client,
    openai: openai::Client,
    definitions: Arc<[Arc<Definition>]>,
    /// Where documents and answers are searched, checked and rendered.
    compute: Compute,
    /// When this server started.
    started_at: i64,
    /// Failures after which the queue gives a job up; a run must let go of its lock before that.
    max_attempts: u16,
    wake: Arc<Notify>,
    causes: Causes,
    publisher: Publisher,
    locks: Locks,
}

/// What a [`Runs`] is made of.
#[derive(Debug)]
pub struct Parts {
    pub database: Database,
    pub clock: Clock,
    pub fastio: fastio::Client,
    pub openai: openai::Client,
    pub definitions: Vec<Definition>,
    pub seal: Seal,
    pub max_attempts: u16,
    /// What to notify when jobs were added.
    pub wake: Arc<Notify>,
    /// What is held.
    pub causes: Causes,
}

impl Runs {
    pub fn new(parts: Parts) -> Self {
        let Parts { database, clock, fastio, openai, definitions, .. } = parts;
        let Parts { seal, max_attempts, wake, causes, .. } = parts;
        let definitions: Arc<[Arc<Definition>]> = definitions.into_iter().map(Arc::new).collect();
        let compute = Compute::default();
        let started_at = clock.now();
        let locks = Locks { database: database.clone(), clock: clock.clone(), fastio: fastio.clone() };
        let publisher = Publisher {
            database: database.clone(),
            clock: clock.clone(),
            fastio: fastio.clone(),
            compute: Compute::clone(&compute),
            seal,
            definitions: definitions.clone(),
            wake: wake.clone(),
        };
        Runs {
            database,
            clock,
            fastio,
            openai,
            definitions,
            compute,
            started_at,
            max_attempts,
            wake,
            causes,
            publisher,
            locks,
        }
    }

    /// Where it computes.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// What is run over the files of `rule`; nothing, when its settings no longer say so.
    pub fn definition(&self, rule: &str) -> Option<&Arc<Definition>> {
        self.definitions.iter().find(|definition| definition.rule.name == rule)
    }

    /// What is run over the rules' files.
    pub fn definitions(&self) -> &[Arc<Definition>] {
        &self.definitions
    }

    /// What has results looked at when the job of their file dies.
    pub fn looks(&self) -> Arc<dyn Heir> {
        Arc::new(Looks(self.definitions.clone()))
    }

    /// Writes `changes` about one run down, all or none.
    async fn record(&self, id: RunId, changes: impl Into<Vec<store::Change>>) -> Result<(), Verdict> {
        let (changes, now) = (changes.into(), self.clock.now());
        let write =
            move |tx: &mut Connection| changes.iter().try_for_each(|change| change.write(tx, id, now));
        self.database.write(write).await.map_err(Verdict::from)
    }
}
