//! A thin typed client of OpenAI's Files and vector store APIs. It knows HTTP, not us.
//!
//! Facts here come from OpenAI's OpenAPI document 2.3.0, its guides and its official libraries, and are marked where they
//! are seen only in issue threads, inferred, or were not found. Nothing is closed: unknown fields are ignored and unknown
//! values kept, because OpenAI and the servers compatible with it add both without notice.

mod attributes;
mod client;
mod error;
mod file;
mod listing;
mod store;

pub use attributes::{AttributeValue, Attributes};
pub use client::Client;
pub use error::{Error, ErrorKind};
pub use file::{File, FileId, NewFile, Page};
pub use store::{FileCounts, Hit, IndexStatus, LastError, Polled, StoreFile, VectorStore, VectorStoreId};
