//! What each event name means. The names are those of Fastio's API reference and its official CLI, the dotted ones that
//! guides on fast.io use for webhooks, and the bare verbs of the only guide that shows a whole payload.
//!
//! A name is a hint: it tells a person what happened, and which events change nothing. Where to look, the ids tell.

use crate::event::{DOWNLOAD, Kind, Subject};

/// What an event name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    Happened(Kind, Subject),
    /// Much may have changed at once, and no event names each file.
    WorkspaceChanged,
    /// Known, and nothing that changes what a file holds; with the reason in words.
    NoFile(&'static str),
}

/// `None` for a name that is not documented.
pub fn meaning(name: &str) -> Option<Meaning> {
    let name = name.trim().to_ascii_lowercase();
    let in_storage = name.strip_prefix("workspace_storage_").or_else(|| name.strip_prefix("share_storage_"));
    match in_storage {
        Some(what) => stored(what),
        None => dotted(&name).or_else(|| other(&name)).or_else(|| verb(&name)),
    }
}

/// Names after `workspace_storage_` or `share_storage_`.
fn stored(what: &str) -> Option<Meaning> {
    let file = |kind| Some(Meaning::Happened(kind, Subject::File));
    match what {
        // A copy is a new file; a restored one was gone.
        "file_added" | "file_copied" | "file_restored" | "file_sync_added" | "link_added" => {
            file(Kind::Added)
        }
        // `updated` is a new version, a rename or a change of metadata: Fastio uses one name for the three.
        "file_updated" | "file_version_restored" | "file_sync_updated" => file(Kind::Modified),
        "file_moved" => file(Kind::Moved),
        "file_deleted" => file(Kind::Deleted),
        "lock_overridden" => Some(Meaning::NoFile("a lock changes no file")),
        // Docket's own downloads send these too.
        "download_token_created" | "zip_downloaded" => Some(Meaning::NoFile(DOWNLOAD)),
        _ => what.strip_prefix("folder_").map(folder),
    }
}

/// The reference names three folder events and "matching" ones. No event is documented for the files inside, so
/// whatever happened to a folder, looking at what is under it is right.
fn folder(what: &str) -> Meaning {
    match verb(what) {
        Some(Meaning::Happened(kind, _)) => Meaning::Happened(kind, Subject::Folder),
        _ => Meaning::Happened(Kind::Modified, Subject::Folder),
    }
}

fn dotted(name: &str) -> Option<Meaning> {
    match name.split_once('.')? {
        ("file", what) => verb(what),
        ("folder", what) => Some(folder(what)),
        ("workspace", "member_added" | "member_removed") => Some(Meaning::NoFile("it is about members")),
        _ => None,
    }
}

/// The guides write `file.uploaded` and `upload`, and in their text `modifications` and `deletions`.
fn verb(what: &str) -> Option<Meaning> {
    let kind = match what {
        "upload" | "uploaded" | "add" | "added" | "create" | "created" | "copy" | "copied" | "restore"
        | "restored" => Kind::Added,
        "modify" | "modified" | "modification" | "update" | "updated" | "edit" | "edited" => Kind::Modified,
        "move" | "moved" | "rename" | "renamed" => Kind::Moved,
        "delete" | "deleted" | "deletion" | "remove" | "removed" => Kind::Deleted,
        "access" | "accessed" | "view" | "viewed" | "download" | "downloaded" => {
            return Some(Meaning::NoFile("reading changes no file"));
        }
        _ => return None,
    };
    Some(Meaning::Happened(kind, Subject::File))
}

fn other(name: &str) -> Option<Meaning> {
    Some(match name {
        "share_imported_to_workspace" => Meaning::WorkspaceChanged,
        "node_ai_summary_created" | "ai_chat_new_message" => Meaning::NoFile("it is about Fastio's own AI"),
        "metadata_kv_extract" | "metadata_kv_update" | "metadata_kv_delete" => {
            Meaning::NoFile("it is about a file's metadata, not its content")
        }
        "file_share_content_updated" => Meaning::NoFile("a file share is not a storage tree"),
        "comment_created" => Meaning::NoFile("a comment changes no file"),
        "import_source_sync_failed" => Meaning::NoFile("a failed cloud sync changed no file"),
        _ => return None,
    })
}
