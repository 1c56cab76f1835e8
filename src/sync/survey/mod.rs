//! What this module tells those who compare everything with everything (sweeps, backfills, a rebuild), and the few
//! things they may put right in its tables. What has to be done at OpenAI they leave to a file's job: a survey corrects
//! what we *believe*, and the job acts on it.

pub mod store;

use super::form::{Offer, claim};
use super::look::withheld;
use crate::fastio::Node;

pub use store::{Adopted, LostUpload};

/// How long after an upload was given up its File object may appear, in milliseconds. Nothing documents it; a proxy's longest patience.
pub const LANDS_WITHIN_MS: i64 = 60 * 60 * 1000;

/// How a File object is called, beside the name that a file was sent under. The first is the surest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Called {
    AsSent,
    /// The same but for what a server drops that keeps plain letters only.
    Alike,
    Otherwise,
}

impl Called {
    pub fn of(theirs: &str, sent: &str) -> Called {
        let plain =
            |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        match theirs == sent {
            true => Called::AsSent,
            false if plain(theirs) == plain(sent) => Called::Alike,
            false => Called::Otherwise,
        }
    }
}

/// Whether OpenAI would hold the file, by what Fastio says of it. What is in it can still make it refuse.
pub fn is_holdable(node: &Node) -> bool {
    let offer = Offer {
        kind: node.kind,
        name: &node.name,
        mime_type: node.mimetype.as_deref(),
        size: node.size.unwrap_or(0),
        extraction: node.extraction,
    };
    withheld(node).is_none() && claim(&offer).is_ok()
}
