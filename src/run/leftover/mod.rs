//! What runs make at Fastio and OpenAI and take away again: upload sessions, locks, conversations that came to nothing.
//!
//! ```text
//!   asked ──▶ used ──▶ left ──▶ (gone there, and here)
//!     └──────────────────▲
//! ```
//!
//! | state | means |
//! |---|---|
//! | asked | about to be asked for; whether it exists, nobody knows |
//! | used | it exists, and a write of ours needs it |
//! | left | nobody needs it: its job takes it away |
//!
//! What is `left` has its job from the same transaction on. A lock and a conversation that are in use stand in their run's
//! row; they come here when the run lets go of them.
//!
//! A conversation whose creation was not answered cannot be found: OpenAI has no list of them (its OpenAPI document), and
//! nothing was begun in it. Its row is counted for a while and forgotten.

pub mod store;
mod tidy;

use secrecy::SecretString;

use crate::fastio::{FileKey, UploadId};
use crate::job::{Service, Task};
use crate::result::name::cut;

/// How the name of an upload of ours begins at Fastio. Its file gets another name when it is placed.
const PREFIX: &str = "docket-";

/// What the name of an upload keeps of its file's. With the mark it is a name that Fastio takes.
const LONGEST_NAME: usize = 200;

/// One thing to take away.
#[derive(Debug)]
pub struct Leftover {
    pub id: i64,
    /// Whose it is: an owner as in `own_file`, or `run:NUMBER`.
    pub owner: String,
    pub rule: Option<String>,
    pub since: i64,
    pub what: What,
}

/// What it is.
#[derive(Debug)]
pub enum What {
    /// Without an id it is found by its mark.
    Upload { mark: String, id: Option<UploadId> },
    /// Without a token it is acquired once more first.
    Lock { key: FileKey, token: Option<SecretString> },
    /// Of the Responses API.
    Conversation(Made),
    /// Of the Assistants API.
    Thread(Made),
}

/// What a run was made in.
#[derive(Debug)]
pub struct Made {
    /// None: its creation was not answered.
    pub id: Option<String>,
    /// What may still go on in it.
    pub response: Option<String>,
    /// When something was begun in it that may still go on.
    pub begun_at: Option<i64>,
}

impl Leftover {
    /// The work of taking it away.
    pub fn task(&self) -> Task {
        let at = match self.what {
            What::Upload { .. } | What::Lock { .. } => Service::Fastio,
            What::Conversation(_) | What::Thread(_) => Service::Openai,
        };
        Task::Leftover { leftover: self.id, at }
    }

    /// In words, without a secret.
    pub fn words(&self) -> &'static str {
        match self.what {
            What::Upload { .. } => "an upload session at Fastio that no write of ours needs",
            What::Lock { .. } => "a lock at Fastio whose run is over",
            What::Conversation(_) => "a conversation at OpenAI whose run came to nothing",
            What::Thread(_) => "a thread whose run came to nothing",
        }
    }
}

/// The name of an upload: ours provably, whatever its file will be called.
pub(super) fn marked(mark: &str, name: &str) -> String {
    format!("{PREFIX}{mark}-{}", cut(name, LONGEST_NAME))
}
