//! The work there is: look at a file or at everything under a folder, follow a run, write a rule's table, clear up.

use serde::{Deserialize, Serialize};

use crate::fastio::{FileKey, NodeId, Profile};

/// How the key of a file's job begins; behind it stands the file's `FileKey`.
pub const FILE_JOBS: &str = "file:";

/// How the keys of the jobs begin that look at a folder and at what it lists; behind it stand its workspace or share, a colon and its
/// node.
pub const FOLDER_JOBS: [&str; 2] = ["folder:", "listing:"];

/// How the key of a run's job begins; behind it stand the file's `FileKey`, a colon and the rule's name.
pub const RUN_JOBS: &str = "run:";

/// How the key of the job begins that looks at what OpenAI has read of a file; behind it stands the file's `FileKey`.
pub const READING_JOBS: &str = "reading:";

/// How the key of the job begins that erases what derives from a file; behind it stands the file's `FileKey`.
pub const ERASE_JOBS: &str = "erase:";

/// How the key of the job begins that acts on a run's result; behind it stand the file's `FileKey`, a colon and the run's number.
pub const ACT_JOBS: &str = "act:";

/// What a job holds. Every source of change makes these and nothing else, so there is one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "lowercase")]
pub enum Task {
    /// Bring OpenAI in line with what this file is now.
    File { profile: Profile, node: NodeId },
    /// Look at every file that is, or was, under this folder: Fastio sends no event for each of them.
    Folder { profile: Profile, node: NodeId },
    /// Look at what this one folder lists, and list the folders in it: a part of the former.
    Listing { profile: Profile, node: NodeId },
    /// Look at every file that is, or ever was, under this folder, whose own job is dead.
    Under { profile: Profile, node: NodeId },
    /// List this workspace or share as a whole, or every rule's, and look at each file that differs from what we know:
    /// something happened there, to what is not said.
    Relist { profile: Option<Profile> },
    /// Compare all, or what one rule is about, with what there is, because a person asked; or only say what differs.
    Sweep { rule: Option<String>, dry_run: bool },
    /// Compare again, past the limit that stopped this sweep, as far as a person approved.
    Approved { sweep: String },
    /// Attach the copies that wait for this vector store, together, and see what becomes of them.
    Attach { store: String },
    /// Look at what OpenAI has read of this file.
    Reading { profile: Profile, node: NodeId },
    /// Bring the rule's run over this file a step further, or start it.
    Run { profile: Profile, node: NodeId, rule: String },
    /// Do with this file what its rule lists for the run's result.
    Act { profile: Profile, node: NodeId, run: i64 },
    /// OpenAI says that this response has ended: find the run that it belongs to.
    Response { response: String },
    /// A vector store that a rule's creation made and that is not the one it uses: remove it, if it is empty.
    Stray { store: String },
    /// Write the table over the rule's results, once its files have been quiet for a while.
    Digest { rule: String },
    /// Bring the rule's batch of runs at OpenAI a step further.
    Batch { rule: String },
    /// Erase what derives from this file.
    Erase { profile: Profile, node: NodeId },
    /// Delete what a run made at OpenAI, and what it was asked and answered there.
    Object { kind: String, object: String },
    /// Take away what a run left there.
    Leftover { leftover: i64, at: Service },
    /// Have Fastio fetch what is at an address, and see that it is there.
    Import { import: i64 },
    /// Do what a person asked for to each of many, in our own tables.
    Bulk { bulk: i64 },
}

/// Where something was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    Fastio,
    Openai,
}

impl Task {
    /// Before the first colon of the keys of sweeps that were asked for, of those that only look, and of those that were approved.
    pub const SWEEP_JOBS: &'static str = "sweep";
    pub const LOOK_JOBS: &'static str = "look";
    pub const APPROVED_JOBS: &'static str = "approved";

    /// The rule's run over this file.
    pub fn run(key: FileKey, rule: impl Into<String>) -> Task {
        let FileKey { profile, node } = key;
        Task::Run { profile, node, rule: rule.into() }
    }

    /// Equal for two tasks that must never run at once.
    pub fn key(&self) -> String {
        match self {
            Task::File { profile, node } => format!("{FILE_JOBS}{profile}:{}", node.canonical()),
            Task::Folder { profile, node } => format!("{}{profile}:{}", FOLDER_JOBS[0], node.canonical()),
            Task::Under { profile, node } => format!("under:{profile}:{}", node.canonical()),
            Task::Reading { profile, node } => format!("{READING_JOBS}{profile}:{}", node.canonical()),
            Task::Relist { profile: Some(profile) } => format!("relist:{profile}"),
            Task::Relist { profile: None } => "relist".to_owned(),
            Task::Sweep { rule, dry_run } => {
                let kind = if *dry_run { Task::LOOK_JOBS } else { Task::SWEEP_JOBS };
                format!("{kind}:{}", rule.as_deref().unwrap_or_default())
            }
            Task::Approved { sweep } => format!("{}:{sweep}", Task::APPROVED_JOBS),
            Task::Run { profile, node, rule } => format!("{RUN_JOBS}{profile}:{}:{rule}", node.canonical()),
            Task::Act { profile, node, run } => format!("{ACT_JOBS}{profile}:{}:{run}", node.canonical()),
            Task::Erase { profile, node } => format!("{ERASE_JOBS}{profile}:{}", node.canonical()),
            Task::Object { kind, object } => format!("object:{kind}:{object}"),
            Task::Response { response } => format!("response:{response}"),
            Task::Digest { rule } => format!("digest:{rule}"),
            Task::Batch { rule } => format!("batch:{rule}"),
            Task::Leftover { leftover, .. } => format!("leftover:{leftover}"),
            Task::Stray { store } => format!("stray:{store}"),
            Task::Bulk { bulk } => format!("bulk:{bulk}"),
            Task::Import { import } => format!("import:{import}"),
            Task::Attach { store } => format!("attach:{store}"),
            Task::Listing { profile, node } => format!("{}{profile}:{}", FOLDER_JOBS[1], node.canonical()),
        }
    }

    /// The targets that a job for this cannot do without.
    pub fn needs(&self) -> &'static [&'static str] {
        match self {
            Task::File { .. }
            | Task::Run { .. }
            | Task::Erase { .. }
            | Task::Sweep { .. }
            | Task::Approved { .. } => &["fastio", "openai"],
            Task::Folder { .. }
            | Task::Under { .. }
            | Task::Listing { .. }
            | Task::Relist { .. }
            | Task::Digest { .. }
            | Task::Import { .. }
            | Task::Act { .. }
            | Task::Leftover { at: Service::Fastio, .. } => &["fastio"],
            Task::Reading { .. }
            | Task::Attach { .. }
            | Task::Batch { .. }
            | Task::Response { .. }
            | Task::Object { .. }
            | Task::Stray { .. }
            | Task::Leftover { at: Service::Openai, .. } => &["openai"],
            Task::Bulk { .. } => &[],
        }
    }
}
