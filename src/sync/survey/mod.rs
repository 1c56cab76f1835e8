//! What this module tells those who compare everything with everything (sweeps, backfills, a rebuild), and the few
//! things they may put right in its tables. What has to be done at OpenAI they leave to a file's job: a survey corrects
//! what we *believe*, and the job acts on it.

pub mod store;

use super::form::claim;
use super::look::withheld;
use crate::fastio::Node;

pub use store::{Adopted, LostUpload};

/// Whether OpenAI would hold the file, by what Fastio says of it. What is in it can still make it refuse.
pub fn is_holdable(node: &Node) -> bool {
    withheld(node).is_none() && claim(&node.name, node.mimetype.as_deref(), node.size.unwrap_or(0)).is_ok()
}
