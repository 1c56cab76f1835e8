//! A thin typed client of OpenAI's Files and vector store APIs. It knows HTTP, not us.
//!
//! Facts here come from OpenAI's OpenAPI document 2.3.0, its guides and its official libraries, and are marked where they
//! are seen only in issue threads, inferred, or were not found. Nothing is closed: unknown fields are ignored and unknown
//! values kept, because OpenAI and the servers compatible with it add both without notice.

mod assistants;
mod attributes;
mod batches;
mod client;
mod connections;
mod container;
mod content;
mod conversation;
mod error;
mod failure;
mod file;
mod files;
mod heard;
mod listing;
mod login;
mod message;
mod model;
mod ordered;
mod output;
mod request;
mod request_batch;
mod response;
mod store;
mod stores;

pub use assistants::{
    AssistantId, Attachment, LEAST_TOKENS, NewRun, NewThread, Run, RunId, RunStatus, ThreadId, Threads,
};
pub use attributes::{AttributeValue, Attributes};
pub use batches::{BatchId, MOST_TOGETHER};
pub use client::{ATTACHING, CONVERSING, Client, Deletion, STARTING, THREADING, UPLOADING, is_azure};
pub use container::{ContainerFile, ContainerId, Download};
pub use content::StoreText;
pub use conversation::{ConversationId, Item, Order};
pub use error::{Error, ErrorKind};
pub use failure::{About, Failure};
pub use file::{File, FileId, NewFile, Page};
pub use heard::ModelLimits;
pub use listing::Listed;
pub use login::{Exchange, KeyHeader, Login, TokenType, Workload};
pub use model::Model;
pub use output::{Citation, MadeFile, Output};
pub use request::{Format, MOST_SEARCHED, NewResponse, RemoteMcp, Tool};
pub use request_batch::{
    BATCHING, BatchLine, BatchStatus, MOST_REQUESTS, RequestBatch, batch_line, response_of_line,
};
pub use response::{MODEL_DONE, Response, ResponseId, Status, Usage};
pub use store::{
    FileCounts, Hit, IndexStatus, LastError, MOST_FILES, Polled, StoreFile, VectorStore, VectorStoreId,
    is_about_content,
};
