//! Fastio's node, page and bulk answer, read tolerantly: only an id must be there.

use serde_json::Value;

use crate::http::value::{Fields, flag};

use super::envelope::{Envelope, time};
use super::{NodeId, VersionId};

/// A file, folder, note or link as Fastio shows it now.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub id: NodeId,
    pub kind: NodeKind,
    /// Empty where Fastio sends none.
    pub name: String,
    /// The folder it lies in; None directly under the top folder, which Fastio calls `root`, and for the top folder
    /// itself.
    pub parent: Option<NodeId>,
    /// Bytes of the current version's content.
    pub size: Option<u64>,
    /// The content's hash. Only Fastio's full answer carries it, and not for every node.
    pub hash: Option<Hash>,
    pub mimetype: Option<String>,
    pub version: Option<VersionId>,
    /// Unix milliseconds.
    pub created_at: Option<i64>,
    pub modified_at: Option<i64>,
    /// In the trash: Fastio shows `deleted` only there.
    pub trashed: bool,
    pub restricted: bool,
    pub dmca: bool,
    /// Fastio's virus scan found something (`virus.status` "infected", or `virus.infected`: its values are inferred).
    pub infected: bool,
    pub locked: bool,
    /// With which agent's key its current version was made, as Fastio writes that: nothing to be read, only to be compared. The `actor` of what
    /// is made with a key names the human and the key's agent; its layout is documented nowhere.
    pub agent: Option<String>,
    pub extraction: Extraction,
    /// The share that a link leads to. The official client makes no other links; the field's name is inferred.
    pub share: Option<String>,
}

/// How far Fastio's AI is with the text of a file (`ai.state`; `ai_state` in its newest reference).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Extraction {
    /// Lists say nothing of it.
    #[default]
    Unsaid,
    /// It does not read this one, or failed to.
    None,
    Underway,
    /// The text can be asked for: [`super::Client::text`].
    There,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    File,
    Folder,
    /// A Markdown note that lives in Fastio.
    Note,
    Link,
    /// A kind that came after this was written.
    Other,
    /// Fastio does not say, or not in words.
    Unsaid,
}

/// What is longer says more than who it was.
const LONGEST_ACTOR: usize = 1024;

impl NodeKind {
    /// Whether there is something in it to read.
    pub fn has_content(self) -> bool {
        matches!(self, NodeKind::File | NodeKind::Note | NodeKind::Link)
    }
}

/// A content hash, as Fastio sends it but for the letters' case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hash {
    /// Lower case, such as `md5` or `sha256`.
    pub algorithm: String,
    /// Lower case hexadecimal (inferred from the documented CRC-32C form).
    pub value: String,
}

/// One page of a listing; `next` is the cursor of the page after it, None on the last.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Entries that cannot be read: what they stand for is there, but unknown.
    pub unreadable: u64,
    pub next: Option<String>,
}

/// What a call for several nodes says of one that it does not return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    /// There is no such node here. Which, where it says so.
    NotFound(Option<NodeId>),
    /// Anything else; the code, for a person.
    Failed(String),
}

impl Node {
    /// None where `value` is not an object with an id.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        let parent = fields.id("parent").filter(|id| id != "root").map(NodeId::new);
        let trashed = ["deleted", "deleted_from"].iter().any(|name| fields.get(name).is_some_and(is_said))
            || parent.as_ref().is_some_and(|id| id.as_str() == "trash");
        Some(Node {
            id: NodeId::new(fields.id("id").or_else(|| fields.id("node_id"))?),
            kind: kind(&fields.text("type").unwrap_or_default()),
            name: fields.text("name").unwrap_or_default(),
            parent,
            size: fields.unsigned("size"),
            hash: hash(fields),
            mimetype: fields.id("mimetype"),
            version: version(fields),
            created_at: fields.get("created").and_then(time),
            modified_at: fields.get("modified").and_then(time),
            trashed,
            restricted: fields.flag("restricted").unwrap_or(false),
            dmca: fields.flag("dmca").unwrap_or(false),
            infected: fields.object("virus").is_some_and(infected),
            locked: fields.flag("locked").unwrap_or(false),
            agent: fields.get("actor").and_then(agent),
            extraction: extraction(fields),
            share: fields.object("link").and_then(|link| link.id("share")).or_else(|| fields.id("share")),
        })
    }
}

/// One version of a file, as the list of all has it. Its fields are inferred to be called as a node's.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub id: VersionId,
    pub size: Option<u64>,
    pub hash: Option<Hash>,
}

impl Version {
    /// None where `value` is not an object with an id.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        let id = fields.id("id").or_else(|| fields.id("version_id"))?;
        Some(Version { id: VersionId(id), size: fields.unsigned("size"), hash: hash(fields) })
    }
}

fn kind(name: &str) -> NodeKind {
    match name {
        "file" => NodeKind::File,
        "folder" => NodeKind::Folder,
        "note" => NodeKind::Note,
        "link" => NodeKind::Link,
        "" => NodeKind::Unsaid,
        _ => NodeKind::Other,
    }
}

fn extraction(fields: Fields<'_>) -> Extraction {
    let nested = fields.object("ai").and_then(|ai| ai.text("state"));
    match nested.or_else(|| fields.text("ai_state")).as_deref() {
        None | Some("") => Extraction::Unsaid,
        Some("pending" | "in_progress") => Extraction::Underway,
        // Older documents say `ready` and then `indexed`.
        Some("ready" | "indexed") => Extraction::There,
        Some(_) => Extraction::None,
    }
}

/// A hash whose algorithm is not said cannot be checked against bytes, so it is none.
fn hash(fields: Fields<'_>) -> Option<Hash> {
    let algorithm = fields.id("hash_algo")?.to_ascii_lowercase();
    Some(Hash { algorithm, value: fields.id("hash")?.to_ascii_lowercase() })
}

/// The version's id, documented only as a field `version`; an object with an id is read too (inferred).
fn version(fields: Fields<'_>) -> Option<VersionId> {
    let nested = |version: Fields<'_>| version.id("id").or_else(|| version.id("version_id"));
    let id = fields.id("version").or_else(|| fields.object("version").and_then(nested));
    id.or_else(|| fields.id("version_id")).map(VersionId)
}

/// Nothing where a person did it, whose `actor` names no agent.
fn agent(actor: &Value) -> Option<String> {
    let is_named = |value: &Value| match value {
        Value::String(name) => !name.is_empty(),
        Value::Object(fields) => {
            fields.values().any(|field| field.as_str().is_some_and(|text| !text.is_empty()))
        }
        _ => false,
    };
    let names_agent =
        actor.as_object()?.iter().any(|(key, value)| key.starts_with("agent") && is_named(value));
    Some(actor.to_string()).filter(|text| names_agent && text.len() <= LONGEST_ACTOR)
}

fn infected(virus: Fields<'_>) -> bool {
    virus.flag("infected").unwrap_or(false)
        || virus.text("status").is_some_and(|status| status.eq_ignore_ascii_case("infected"))
}

/// Whether a field that stands only where it applies does apply: a time, an id or a flag that is set.
fn is_said(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(entries) => !entries.is_empty(),
        value => flag(value).unwrap_or(true),
    }
}

/// A page of a listing: `nodes: {items: […]}` (seen in the official client's tests), `nodes: […]` or `items: […]`.
///
/// # Errors
/// With what is wrong, when there is no list, or more is promised without a cursor: a listing read in part must never
/// look complete. An entry without an id is counted, and hides nothing but itself.
pub(super) fn page(envelope: &Envelope) -> Result<Page<Node>, &'static str> {
    page_of(envelope, Node::read)
}

/// The same of rows that are read as something else.
///
/// # Errors
/// As [`page`].
pub(super) fn page_of<T>(
    envelope: &Envelope,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Page<T>, &'static str> {
    let nested = envelope.object("nodes").and_then(|nodes| nodes.list("items"));
    let list = nested.or_else(|| envelope.list("nodes")).or_else(|| envelope.list("items"));
    let list = list.ok_or("no list of nodes")?;
    let items: Vec<T> = list.iter().filter_map(read).collect();
    let unreadable = (list.len() - items.len()) as u64;

    let pagination = envelope.object("pagination");
    let more = pagination.and_then(|pagination| pagination.flag("has_more"));
    let cursor = pagination.and_then(|pagination| pagination.id("next_cursor"));
    match (more, cursor) {
        (Some(true), None) => Err("more nodes promised, but no cursor"),
        (Some(false), _) => Ok(Page { items, unreadable, next: None }),
        (Some(true) | None, next) => Ok(Page { items, unreadable, next }),
    }
}

/// The nodes of a call for several: `node` where one was asked for, else `nodes`; and what it says of each that it does
/// not return. What cannot be read is in neither.
///
/// # Errors
/// With what is wrong.
pub(super) fn several(envelope: &Envelope) -> Result<(Vec<Node>, Vec<Missing>), &'static str> {
    let missing: Vec<_> = envelope.list("errors").unwrap_or_default().iter().map(missing).collect();
    let nodes = match (envelope.get("node"), envelope.list("nodes")) {
        (Some(node), _) => std::slice::from_ref(node),
        (None, Some(nodes)) => nodes,
        (None, None) if missing.is_empty() => return Err("no nodes"),
        (None, None) => &[],
    };
    Ok((nodes.iter().filter_map(Node::read).collect(), missing))
}

fn missing(error: &Value) -> Missing {
    let said = |name| Fields::of(error).and_then(|error| error.id(name));
    let code = said("code").unwrap_or_default();
    match code.as_str() {
        // Not found or in another workspace; not an id at all (codes of this call, from Fastio's API reference).
        "133123" | "191878" => Missing::NotFound(said("node_id").map(NodeId::new)),
        _ => Missing::Failed(code),
    }
}

#[cfg(test)]
mod tests;
