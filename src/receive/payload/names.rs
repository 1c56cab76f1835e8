//! What each event name means. The names are those of Fastio's API reference and its official CLI, and the dotted ones
//! that guides on fast.io use for webhooks.

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

/// `None` for a name that nobody documents.
pub fn meaning(name: &str) -> Option<Meaning> {
    let name = name.trim().to_ascii_lowercase();
    let in_storage = name.strip_prefix("workspace_storage_").or_else(|| name.strip_prefix("share_storage_"));
    match in_storage {
        Some(what) => stored(what),
        None => dotted(&name).or_else(|| other(&name)),
    }
}

/// Names after `workspace_storage_` or `share_storage_`.
fn stored(what: &str) -> Option<Meaning> {
    let file = |kind| Some(Meaning::Happened(kind, Subject::File));
    match what {
        // A copy is a new file; a restored one was gone.
        "file_added" | "file_copied" | "file_restored" | "file_sync_added" => file(Kind::Added),
        // `updated` is a new version, a rename or a change of metadata: Fastio uses one name for the three.
        "file_updated" | "file_version_restored" | "file_sync_updated" => file(Kind::Modified),
        "file_moved" => file(Kind::Moved),
        "file_deleted" => file(Kind::Deleted),
        "link_added" => Some(Meaning::NoFile("a link has no content to index")),
        "lock_overridden" => Some(Meaning::NoFile("a lock changes no file")),
        // Docket's own downloads send these too.
        "download_token_created" | "zip_downloaded" => Some(Meaning::NoFile(DOWNLOAD)),
        _ => what.strip_prefix("folder_").map(folder),
    }
}

/// The reference names three folder events and "matching" ones. No event is documented for the files inside, so
/// whatever happened to a folder, looking at what is under it is right.
fn folder(what: &str) -> Meaning {
    let kind = match what {
        "created" | "added" | "copied" | "restored" => Kind::Added,
        "moved" => Kind::Moved,
        "deleted" => Kind::Deleted,
        _ => Kind::Modified,
    };
    Meaning::Happened(kind, Subject::Folder)
}

/// `uploaded`, `added`, `modified`, `updated`, `deleted` and `accessed` are documented; the rest follow from them.
fn dotted(name: &str) -> Option<Meaning> {
    let file = |kind| Some(Meaning::Happened(kind, Subject::File));
    match name.split_once('.')? {
        ("file", "uploaded" | "added" | "created" | "copied" | "restored") => file(Kind::Added),
        ("file", "modified" | "updated") => file(Kind::Modified),
        ("file", "moved" | "renamed") => file(Kind::Moved),
        ("file", "deleted") => file(Kind::Deleted),
        ("file", "accessed" | "viewed" | "downloaded") => Some(Meaning::NoFile("reading changes no file")),
        ("folder", what) => Some(folder(what)),
        ("workspace", "member_added" | "member_removed") => Some(Meaning::NoFile("it is about members")),
        _ => None,
    }
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
