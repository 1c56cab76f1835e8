//! The ledger of what Docket makes at Fastio and OpenAI and has to take away again, and the work of taking it away.
//!
//! ```text
//!   intended ──▶ exists ──▶ unwanted ──▶ (gone there, and here)
//!      └────────────────────────▲
//! ```
//!
//! | state | means |
//! |---|---|
//! | intended | about to be asked for; whether it exists is not known |
//! | exists | it is there, and is needed |
//! | unwanted | it is not needed: its job takes it away |
//!
//! | kind | is found by | is taken away |
//! |---|---|---|
//! | session | its mark, in the name of the upload | by cancelling it |
//! | file | its folder and name, and its content | never: what our write made is on record as ours, or that it made nothing |
//! | lock | acquiring it once more | by releasing it |
//! | talk | its key, which is its name in Fastio's list | by stopping it and removing it |
//! | conversation, thread | nothing: OpenAI has no list of them (its OpenAPI document) | when it holds no answer |
//!
//! What is unwanted has its job from the same transaction on; a sweep asks for one that was lost. A conversation whose
//! creation was not answered stays `intended`: nothing was begun in it. Its row is counted for a while and forgotten.
//!
//! Copies have a ledger of their own, since they are found by name, size and time ([`crate::sync::copy`]); and the row of a
//! vector store that a rule created is not one of something to go, but of where the rule's files are.

mod file;
mod lock;
mod remove;
pub mod store;

use crate::job::{Service, Task};

pub use file::{find, is_that_write, not_shown};
pub use lock::Locks;
pub use remove::Remover;

/// How the name of an upload of ours begins at Fastio. Its file gets another name when it is placed.
const PREFIX: &str = "docket-";

/// What the name of an upload keeps of its file's. With the mark it is a name that Fastio takes.
const LONGEST_NAME: usize = 200;

/// How long after its creation OpenAI may still say that something does not exist. Seen in the issue trackers of two of
/// its clients; nothing documents it.
pub const FRESH_MS: i64 = 60 * 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An upload at Fastio that has no place yet.
    Session,
    /// A write of one of our own files.
    File,
    Lock,
    /// A thread of Fastio's own AI.
    Talk,
    /// Of the Responses API.
    Conversation,
    /// Of the Assistants API.
    Thread,
}

impl Kind {
    const ALL: [(Kind, &'static str); 6] = [
        (Kind::Session, "session"),
        (Kind::File, "file"),
        (Kind::Lock, "lock"),
        (Kind::Talk, "talk"),
        (Kind::Conversation, "conversation"),
        (Kind::Thread, "thread"),
    ];

    fn as_str(self) -> &'static str {
        Kind::ALL.iter().find(|(kind, _)| *kind == self).expect("all are there").1
    }
}

/// One thing that was made outside, or may have been.
#[derive(Debug, Clone)]
pub struct Thing {
    pub id: i64,
    pub kind: Kind,
    /// Who needs it: of a session or file an owner as in `own_file`, else `run:NUMBER`.
    pub owner: String,
    pub mark: Option<String>,
    /// None: its creation was not answered.
    pub object: Option<String>,
    /// What may still go on in a conversation.
    pub response: Option<String>,
    /// When something was begun in a conversation that may still go on, and how long it may take to show; or when Fastio was told to make
    /// a new file of a session's bytes.
    pub begun_at: Option<i64>,
    pub patience_ms: Option<i64>,
    /// When it was asked for, made, or last lengthened.
    pub since: i64,
}

impl Thing {
    /// The work of taking it away.
    pub fn task(&self) -> Task {
        let at = match self.kind {
            Kind::Session | Kind::File | Kind::Lock | Kind::Talk => Service::Fastio,
            Kind::Conversation | Kind::Thread => Service::Openai,
        };
        Task::Leftover { leftover: self.id, at }
    }

    /// In words, without a secret.
    pub fn words(&self) -> &'static str {
        match self.kind {
            Kind::Session => "an upload session at Fastio that no write of ours needs",
            Kind::File => "a write into Fastio that its run left in the middle",
            Kind::Lock => "a lock at Fastio whose run is over",
            Kind::Talk => "a thread of Fastio's AI whose run is over",
            Kind::Conversation => "a conversation at OpenAI whose run came to nothing",
            Kind::Thread => "a thread whose run came to nothing",
        }
    }
}

/// The owner of what a run needs for itself.
pub fn of_run(run: impl std::fmt::Display) -> String {
    format!("run:{run}")
}

/// The name of an upload: ours provably, whatever its file will be called.
pub fn marked(mark: &str, name: &str) -> String {
    format!("{PREFIX}{mark}-{}", &name[..name.floor_char_boundary(LONGEST_NAME)])
}
