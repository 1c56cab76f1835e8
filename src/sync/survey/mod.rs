//! What this module tells those who compare everything with everything (sweeps, backfills, a rebuild), and the few
//! things they may put right in its tables. What has to be done at OpenAI they leave to a file's job: a survey corrects
//! what we *believe*, and the job acts on it.

pub mod store;

use super::form::form;
use super::look::withheld;
use crate::fastio::Node;

pub use store::{Adopted, FileRow, Indexed, LostUpload};

/// Why OpenAI would hold nothing of the file, in words. What is in the file can still make it refuse.
pub fn skipped(node: &Node) -> Option<String> {
    withheld(node)
        .map(str::to_owned)
        .or_else(|| form(&node.name, node.mimetype.as_deref(), node.size.unwrap_or(0)).err())
}
