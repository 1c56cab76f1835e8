//! A thin typed client of the Fastio API. It knows HTTP, not us.
//!
//! Facts here come from Fastio's API reference and its official command line client, both as stored in October 2026,
//! and are marked where they are inferred or were not found. Every path ends with a slash, as Fastio's do.

mod answer;
mod client;
mod cloud;
mod download;
mod envelope;
mod error;
mod feed;
mod file_share;
mod id;
mod lock;
mod node;
pub mod path;
mod scope;
mod scratch;
mod talk;
mod text;
mod web_upload;
mod write;

pub use client::{Absence, Client, MAX_NODES_PER_CALL};
pub use cloud::{Cloud, CloudSource, Drives, Identity, NewSource, SourceChange, SourceJob};
pub use download::Download;
pub use error::{Error, ErrorKind};
pub use feed::{Category, ChangePage, Changes, EventSearch, FoundEvents, Inventoried};
pub use file_share::{Capability, FileShare, FileShareId, LONGEST_TITLE};
pub use id::{BadFileKey, BadProfile, FileKey, NodeId, Profile, ProfileKind, VersionId};
pub use lock::{LOCK_SECONDS, Lock, LockState};
pub use node::{Extraction, Hash, Node, NodeKind, Page, Version};
pub use scope::{Scopes, Writes};
pub use talk::{LONGEST_QUESTION, Question, Subject, TalkId, TurnAnswer, TurnState};
pub use text::{Extract, Piece};
pub use web_upload::{WebUpload, WebUploadStatus};
pub use write::{OpenUpload, UploadId, UploadState};
