//! The files that Docket itself writes into Fastio, so that it never reacts to them.
//!
//! A file is ours for as long as it is in the version that we wrote, and so is every copy of it, wherever it was made: a content
//! that we wrote is known by its hash, and a page whose hash is on no record by its [`Seal`]. When a person edits it, it is that person's file: it is never written over, and it is
//! synced like any other if a rule covers it. Our own writes are neither synced nor run over, whatever the rules say: a
//! search that finds an analysis beside its contract would quote itself.
//!
//! A row is written before its file, and an event about the file can come before the write is on record. Such an event
//! waits until the write is settled.

pub mod seal;
pub mod store;

use crate::fastio::{Hash, NodeId, Profile, VersionId};

pub use seal::Seal;
pub use store::{OwnFile, ResultOf, recognise, recognise_all};

/// How long an event waits at most for a write of ours to settle. A write that is older is not under way: its run is
/// dead, and a person's file of that name must not wait with it.
pub const SETTLES_WITHIN_MS: i64 = 60 * 60 * 1000;

/// Whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// A person's, or that of another program.
    Theirs,
    /// In the very version that we wrote.
    Ours,
    /// We are writing it, or one of its name beside it.
    Unsettled,
}

/// A file as it is now, for [`recognise`].
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub profile: &'a Profile,
    pub folder: &'a NodeId,
    pub name: &'a str,
    pub node: &'a NodeId,
    pub version: Option<&'a VersionId>,
    /// What is in it, where Fastio announces that.
    pub content: Option<Content<'a>>,
}

/// A content, as Fastio announces it.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    pub hash: &'a Hash,
    pub size: u64,
}
