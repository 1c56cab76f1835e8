//! The other ways a change is learnt: Fastio's change feed, its event search, sweeps and backfills.
//!
//! Webhooks get lost, and some changes send none. Whatever is learnt here becomes the same event and the same job as a
//! webhook's, so there is one path and duplicates fall where they always do.
//!
//! ```text
//!   change feed ──refused──▶ event search ──refused──▶ sweeps alone
//!        │                        │                        │
//!        └── cursor lost ──▶ relist (Fastio against our tables)
//! ```
//!
//! It owns the tables `feed`, `feed_cursor`, `feed_trail`, `feed_search`, `relist`, `backfill`, `sweep` and `swept_rule`. It changes
//! nothing at Fastio or OpenAI: what it finds it leaves to a file's job.

mod adopt;
pub mod backfill;
pub mod changed;
pub mod coverage;
pub mod follow;
mod losses;
mod objects;
mod patience;
pub mod rebuild;
mod relist;
mod search;
mod settings;
pub mod store;
pub mod sweep;
mod walk;
pub mod ways;

use std::sync::Arc;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::contain::Panicked;
use crate::database::{self, Database};
use crate::http::pages::Endless;
use crate::rule::Rules;
use crate::{fastio, openai};

use follow::Follower;

pub use settings::{Settings, SweepSettings};

/// Everything that learns of changes without a webhook. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Feed {
    database: Database,
    clock: Clock,
    fastio: fastio::Client,
    openai: openai::Client,
    rules: Rules,
    settings: Settings,
    sweeps: SweepSettings,
    wake: Arc<Notify>,
    heard: Arc<Notify>,
    rested: Arc<relist::Rested>,
    follower: Follower,
}

/// What a [`Feed`] is made of.
#[derive(Debug)]
pub struct Parts {
    pub database: Database,
    pub clock: Clock,
    pub fastio: fastio::Client,
    pub openai: openai::Client,
    pub rules: Rules,
    pub settings: Settings,
    pub sweeps: SweepSettings,
    /// What to notify when jobs were added.
    pub wake: Arc<Notify>,
    /// Notified when a webhook told something.
    pub heard: Arc<Notify>,
}

/// Why a step could not be done. The next one begins where this one did.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Fastio(#[from] fastio::Error),
    #[error(transparent)]
    Openai(#[from] openai::Error),
    #[error("Docket's own database: {0}")]
    Database(#[from] database::Error),
    #[error(transparent)]
    Endless(#[from] Endless),
    /// A fault of Docket's.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    #[error("no rule is called `{0}`")]
    NoRule(String),
    #[error("{0}")]
    Refused(String),
}

impl Feed {
    pub fn new(parts: Parts) -> Self {
        let Parts { database, clock, fastio, openai, rules, settings, sweeps, wake, heard } = parts;
        let follower = Follower {
            database: database.clone(),
            clock: clock.clone(),
            fastio: fastio.clone(),
            rules: rules.clone(),
            settings: settings.clone(),
            wake: wake.clone(),
        };
        let rested = Arc::default();
        Feed { database, clock, fastio, openai, rules, settings, sweeps, wake, heard, rested, follower }
    }

    /// The workspaces and shares of the rules, each once; of one rule when `rule` names it.
    fn profiles(&self, rule: Option<&str>) -> Result<Vec<fastio::Profile>, Error> {
        let Some(name) = rule else { return Ok(self.rules.profiles()) };
        let named = self.rules.named(name);
        named.map(|one| vec![one.profile.clone()]).ok_or_else(|| Error::NoRule(name.to_owned()))
    }
}
