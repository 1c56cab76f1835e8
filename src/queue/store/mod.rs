//! The statements on `job`, by what they are for.

mod claim;
mod enqueue;
mod heads;
mod listing;
mod settle;

pub use super::breaker::store::{PauseRow, pauses};
#[cfg(test)]
pub use claim::looks;
pub(super) use claim::{Claimant, Expiry, Orphan, claim, due, elsewhere, expire, next_due};
pub use claim::{Claimed, Expired, release_all};
pub use enqueue::{Enqueued, NewJob, enqueue};
pub use heads::Heads;
pub use listing::{
    JobRow, Page, Place, counts, discard, discard_about, discard_dead, get, limited, list, named, page,
    remove, retry, retry_dead,
};
pub use settle::{Lease, Settled};
pub(super) use settle::{Renewed, Settling, settle};
