//! Nodes and versions as Fastio writes them, by level of output.

use serde_json::{Value, json};

use super::control::CONTROL_USER;
use super::event::Event;
use super::id::shown;
use super::lock::held;
use super::time::written;
use super::tree::{Key, Node, NodeKind, ROOT, Tree, Version};

/// `?output=`; without it everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Output {
    Terse,
    Standard,
    Full,
}

impl Output {
    pub fn read(text: Option<&str>) -> Option<Output> {
        // `markdown` may follow; the stand-in answers JSON all the same.
        match text.map(|text| text.split(',').next().unwrap_or_default()) {
            None | Some("full" | "") => Some(Output::Full),
            Some("standard") => Some(Output::Standard),
            Some("terse") => Some(Output::Terse),
            Some(_) => None,
        }
    }
}

/// The root as `details/` shows it.
pub fn root() -> Value {
    json!({"id": "root", "name": "root", "type": "folder", "parent": null})
}

pub fn node(tree: &Tree, key: Key, output: Output, now: i64) -> Value {
    let Some(found) = tree.node(key) else { return root() };
    let mut value = json!({
        "id": shown(&found.id),
        "name": found.name,
        "type": found.kind.as_str(),
        "parent": parent(tree, found),
        "modified": written(found.modified),
    });
    if found.name.is_empty() {
        value.as_object_mut().expect("it was just made").remove("name");
    }
    if let Some(version) = found.version() {
        value["size"] = version.content.size().into();
        value["version"] = shown(&version.id).into();
    }
    if let Some(share) = &found.share {
        // Inferred: the documents name no field for where a link leads to; these are the fields it is made with.
        value["link"] = json!({"type": "share", "share": share});
    }
    if let Some(at) = tree.trashed_at(key) {
        value["deleted"] = written(at).into();
        value["deleted_from"] = place(tree, found.parent).into();
    }
    if output >= Output::Standard {
        value["created"] = written(found.created).into();
        value["restricted"] = false.into();
        value["dmca"] = false.into();
        if found.kind.is_file() {
            let by_name = || mimetype(&found.name, found.kind);
            let mimetype = found.announced.as_deref().unwrap_or_else(by_name);
            value["mimetype"] = mimetype.into();
            value["mimecategory"] = category(mimetype).into();
            value["locked"] = held(&found.lock, now).is_some().into();
        }
    }
    if output == Output::Full {
        full(&mut value, (tree, found), now);
    }
    value
}

fn full(value: &mut Value, (tree, node): (&Tree, &Node), now: i64) {
    if let Some(version) = node.version() {
        value["actor"] = actor(&version.creator);
    }
    value["origin"] = json!({"type": "user", "creator": node.creator});
    let (title, short) = &node.described;
    value["summary"] = json!({"title": title, "short": short, "long": null});
    let Some(version) = node.version() else { return };
    value["hash"] = version.content.md5().into();
    value["hash_algo"] = "md5".into();
    value["crc32c"] = version.content.crc32c().into();
    value["lock_info"] = held(&node.lock, now).map_or(Value::Null, |lock| lock.info());
    value["virus"] = json!({"status": "clean", "infected": false});
    let state = tree.reading(node, now).map_or("disabled", |reading| reading.state);
    value["ai"] = json!({"state": state, "attach": false});
    value["is_imported"] = false.into();
    // Nothing is made of a file here: no preview, no metadata.
    value["previews"] = json!({});
    value["metadata"] = json!({});
    value["file_attributes"] = json!({});
}

/// Who made something: of what a key makes, the human and the agent that the key is named after. That an `actor` names both is
/// documented, and how is not: this layout is made up.
fn actor(user: &str) -> Value {
    if user == CONTROL_USER {
        return json!({"human": {"id": user}});
    }
    json!({"human": {"id": user}, "agent": {"name": format!("agent of {user}"), "verified": false}})
}

/// A row of `inventory/`. Its fields are inferred: the documents name none.
pub fn row(tree: &Tree, key: Key, with_path: bool, now: i64) -> Value {
    let mut value = node(tree, key, Output::Standard, now);
    if let Some(version) = tree.node(key).and_then(Node::version) {
        value["hash"] = version.content.md5().into();
        value["hash_algo"] = "md5".into();
        value["crc32c"] = version.content.crc32c().into();
    }
    if with_path {
        value["path"] = tree.path(key).into();
        value["path_complete"] = true.into();
    }
    value
}

pub fn version(version: &Version, current: bool) -> Value {
    json!({
        "id": shown(&version.id),
        "size": version.content.size(),
        "hash": version.content.md5(),
        "hash_algo": "md5",
        "crc32c": version.content.crc32c(),
        "created": written(version.created),
        "creator": version.creator,
        "current": current,
    })
}

/// An event as event search shows it. The row's fields beyond those of the change feed are inferred.
pub fn event(event: &Event) -> Value {
    let mut value = change(event);
    let id = event.profile.id.as_str();
    value[format!("{}_id", event.profile.kind.as_str())] = id.into();
    value["category"] = event.category().into();
    value["subcategory"] = event.subcategory().into();
    value["calling_user_id"] = event.user.as_str().into();
    value["visibility"] = "external".into();
    value["acknowledged"] = event.acknowledged.into();
    value
}

/// An event as the change feed shows it.
pub fn change(event: &Event) -> Value {
    json!({
        "event_id": event.id,
        "event": event.name(),
        "profile_id": event.profile.id,
        "profile_type": event.profile.kind.as_str(),
        "object_id": shown(&event.object),
        "created": written(event.at),
    })
}

/// Inferred: a node in the trash has the trash for its parent, and `deleted_from` says where it was.
fn parent(tree: &Tree, node: &Node) -> String {
    if node.trashed.is_some() { "trash".to_owned() } else { place(tree, node.parent) }
}

fn place(tree: &Tree, key: Key) -> String {
    match tree.node(key) {
        Some(folder) if key != ROOT => shown(&folder.id),
        _ => "root".to_owned(),
    }
}

pub fn mimetype(name: &str, kind: NodeKind) -> &'static str {
    if kind == NodeKind::Note {
        return "text/markdown";
    }
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref().unwrap_or_default() {
        "txt" | "log" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "mp4" => "video/mp4",
        "mp3" => "audio/mpeg",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

fn category(mimetype: &str) -> &'static str {
    match mimetype.split('/').next().unwrap_or_default() {
        "image" => "image",
        "video" => "video",
        "audio" => "audio",
        _ if mimetype.contains("zip") => "archive",
        _ if mimetype == "application/octet-stream" => "unknown",
        _ => "document",
    }
}
