//! The job table: due, held, dead. It knows nothing of the work.
//!
//! ```text
//!              enqueue                 claim                     Done, nothing new asked
//!   (no row) ──────────▶ waiting ────────────────▶ running ────────────────────────────▶ (no row)
//!                         ▲  ▲ ▲                    │ │ │
//!                         │  │ └── Later, Retry, ───┘ │ └── Dead, or out of attempts ──▶ dead
//!                         │  │     Hold, given back   │                                   │
//!                         │  └── Done, but asked ─────┘                                   │
//!                         │      again meanwhile                                          │
//!                         └────────── enqueue, or `docket jobs retry` ────────────────────┘
//! ```
//!
//! One row per key. Asking again for a key that waits changes nothing but its generation; asking while it runs makes it
//! run once more. A claim is a lease with a fencing token (`id` and `lease` together): a worker that settles with an old token
//! writes nothing. A lease that runs out makes the row due again, and that costs an attempt, because a job that kills
//! its worker must not do so for ever.
//!
//! A cause may also be a limit of so much in a time. What has met it waits in a lane that opens when there is room ([`Gates`]), for
//! as many as there is room for.
//!
//! Jobs of one priority are claimed in the order in which they are due; where several share it ([`share`]), as the rules of a
//! backfill do, each has its turn.
//!
//! A job names the causes that may hold it: a service, a workspace, a vector store. While one refuses everything, or is down,
//! the [breaker] holds its jobs: they wait without losing an attempt, and now and then one is let through to find out whether
//! it answers again.

mod backoff;
mod breaker;
mod needs;
pub mod presence;
mod report;
pub mod store;
pub mod trail;
pub mod waiting;
mod witness;
mod work;

use std::time::Duration;

use serde::Deserialize;

pub use breaker::{Causes, Change, Gates, Kind, Outcome, is_live};
pub use needs::share;
pub use store::{Claimed, Enqueued, NewJob, Settled, enqueue};
pub use witness::{Attempt, Ended, Witness};
pub use work::{Death, Handler, Heir, Queue, Settlement};

/// How long a held job stands back, so that another one is the next to probe.
const STAND_BACK: Duration = Duration::from_secs(1);

/// Live changes go before a backfill of what was always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    Live,
    Backfill,
}

impl Priority {
    fn rank(self) -> i64 {
        match self {
            Priority::Live => 0,
            Priority::Backfill => 10,
        }
    }
}

/// What became of a job that was worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is left to do.
    Done,
    /// All is well, and there is nothing to do until `after` has passed. Costs no attempt.
    Later { after: Duration, reason: String },
    /// It failed in a way that may pass. `after` is what the remote asked for; without it the wait doubles each time.
    Retry { after: Option<Duration>, reason: String },
    /// What it is about is not there, as may be for a moment after it was told of. Otherwise as [`Verdict::Retry`]; nothing
    /// failed, so no person has to be told.
    NotYet { reason: String },
    /// The target refuses everything, so no other job that needs it has to find out. Costs no attempt.
    Hold { target: String, reason: String },
    /// `cause` refuses this work, and perhaps only of this job; a plain question tells whether `service` refuses everything. Held at
    /// once, or when `several` jobs met it and none succeeded in between; until then otherwise as [`Verdict::Retry`]. A job that met
    /// it is held with it; one that did not may find out for itself.
    Refused { service: String, cause: String, several: bool, reason: String },
    /// `cause` is held and the job needs it now; nothing was asked. Costs no attempt.
    Waits { cause: String },
    /// A limit of so much in a time is reached, and `cause` names it. It goes on in its turn when there is room. Costs no attempt.
    Limited { cause: String, reason: String },
    /// The target did not answer, or said only that it cannot now. Perhaps it answers no question at all; `silent` when it did not
    /// answer a plain question right afterwards either. Otherwise as [`Verdict::Retry`].
    Unavailable { target: String, after: Option<Duration>, silent: bool, reason: String },
    /// Our own database is locked, or its disk is full. Costs no attempt and proves nothing.
    Blocked { reason: String },
    /// It fails until a person does something about it.
    Dead { reason: String },
}

impl Verdict {
    /// Which one it is, for those who count.
    fn word(&self) -> &'static str {
        match self {
            Verdict::Done => "done",
            Verdict::Later { .. } => "later",
            Verdict::Retry { .. } => "retry",
            Verdict::NotYet { .. } => "not_yet",
            Verdict::Hold { .. } => "hold",
            Verdict::Refused { .. } => "refused",
            Verdict::Waits { .. } => "waits",
            Verdict::Limited { .. } => "limited",
            Verdict::Unavailable { .. } => "unavailable",
            Verdict::Blocked { .. } => "blocked",
            Verdict::Dead { .. } => "dead",
        }
    }

    /// All is well, and it goes on in a while.
    pub fn later(after: Duration, reason: &str) -> Self {
        Verdict::Later { after, reason: reason.to_owned() }
    }
}

/// How jobs are worked on (`[queue]`).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Jobs worked on at once. Each holds a few connections and at most two pieces of a file.
    pub workers: u16,
    /// How long a claim lasts without a heartbeat; a killed worker's job is taken over after this. Seconds.
    pub lease_seconds: u16,
    /// Failures after which a job is dead. With waits that double up to a quarter of an hour, 30 are about four hours. What
    /// fails because Fastio or OpenAI is down does not count.
    pub max_attempts: u16,
    /// How long jobs in hand may take to finish at a stop; what is not done then is given back. Below the half minute
    /// that container engines wait before they kill. Seconds.
    pub stop_seconds: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { workers: 8, lease_seconds: 15, max_attempts: 30, stop_seconds: 20 }
    }
}

impl Settings {
    fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds.into())
    }

    pub fn stop_limit(&self) -> Duration {
        Duration::from_secs(self.stop_seconds.into())
    }
}

/// As times are written down.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
