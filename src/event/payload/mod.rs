//! Turns the JSON of a delivery into events, whatever shape it has. Pure; it trusts nothing and never fails on content.
//!
//! One guide on fast.io prints a complete payload, flat and in camel case. Others give fragments of two more (Fastio's
//! own event names with `event_id`, `workspace_id` and `object_id`; dotted names such as `file.uploaded`), and Fastio's
//! API reference gives the change feed's rows. None is authoritative, so any of these shapes is read, alone, in an
//! array, or under `events`, with every documented key in either spelling at every place:
//!
//! ```json
//! {"eventType": "upload", "eventId": "…", "workspaceId": "…", "fileId": "…", "timestamp": "…"}
//! {"event_id": "…", "event": "workspace_storage_file_added", "workspace_id": "…", "object_id": "…", "created": "…"}
//! {"event": {"event_id": "…", "event": "workspace_storage_file_added"}}
//! {"type": "file.uploaded", "id": "…", "data": {"file_id": "…", "workspace_id": "…"}}
//! ```
//!
//! Fastio signed it because something happened, so only an event whose name is known to change no file is passed
//! over. One that names a place is a look at that place, whatever it is called. One that names a workspace and nothing
//! in it is a look at the workspace. One that names nothing is kept as an ignored event with the reason, for readers
//! of `docket events`, and asks for a look at everything: what was told of is somewhere.

mod count;
mod fields;
mod names;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::event::{Event, Kind, MADE_ID, Subject};
use crate::fastio::{NodeId, Profile};
use crate::job::Task;
use crate::lenient;
pub use count::count;
use fields::Fields;
use names::Meaning;

/// Events in one delivery: as many as the drain takes in one portion. No page documents batches at all.
pub const MAX_EVENTS: usize = 1_000;

/// The longest payload worth keeping for a person to read. An ordinary one is a few hundred bytes.
const MAX_PAYLOAD_BYTES: usize = 16 * 1024;

/// An id longer than this, or with characters that do not print, is replaced by its hash.
const MAX_ID_BYTES: usize = 200;

/// What is asked for when an event does not say where something happened.
pub const EVERYWHERE: Task = Task::Relist { profile: None };

/// The longest event name known has 44 characters.
const MAX_NAME_CHARS: usize = 100;

/// Why a body is not a delivery at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// `serde_json` also refuses nesting deeper than 128, which bounds every recursion over the value.
    #[error("the body is not JSON")]
    NotJson,
    #[error("the body is neither a JSON object nor an array")]
    NotAnObject,
    #[error("the body holds more than {MAX_EVENTS} events")]
    TooManyEvents,
}

impl Unreadable {
    pub fn as_str(self) -> &'static str {
        match self {
            Unreadable::NotJson => "not_json",
            Unreadable::NotAnObject => "not_an_object",
            Unreadable::TooManyEvents => "too_many_events",
        }
    }
}

/// An event and the JSON it was read from, cut to a size worth keeping.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub event: Event,
    /// What it asks for besides the event's own task: where else it may have happened.
    pub also: Vec<Task>,
    pub payload: String,
}

/// Every event in `body`, at least one. The same bytes always give the same events with the same ids.
pub fn parse(body: &[u8]) -> Result<Vec<Parsed>, Unreadable> {
    let value: Value = lenient::parse(body).map_err(|_| Unreadable::NotJson)?;
    let made_id = || format!("{MADE_ID}{}", hex::encode(Sha256::digest(body)));
    let empty = Map::new();
    let (items, envelope) = match &value {
        Value::Array(items) => (items.as_slice(), &empty),
        Value::Object(object) => match object.get("events") {
            Some(Value::Array(items)) => (items.as_slice(), object),
            _ => return Ok(vec![one(&value, &empty, made_id)]),
        },
        _ => return Err(Unreadable::NotAnObject),
    };
    if items.len() > MAX_EVENTS {
        return Err(Unreadable::TooManyEvents);
    }
    if items.is_empty() {
        let event = unnamed(made_id()).ignored("it is an empty list of events");
        return Ok(vec![Parsed { event, also: vec![EVERYWHERE], payload: value.to_string() }]);
    }
    let made_id = made_id();
    let mut parsed: Vec<Parsed> = Vec::with_capacity(items.len());
    let mut seen = std::collections::HashMap::new();
    for (index, item) in items.iter().enumerate() {
        let mut next = one(item, envelope, || format!("{made_id}#{index}"));
        // One id on two different events of a delivery is the delivery's id, not theirs.
        let first = *seen.entry(next.event.id.clone()).or_insert(index);
        if first != index && parsed[first].event != next.event {
            next.event.id = format!("{}#{index}", next.event.id);
        }
        parsed.push(next);
    }
    Ok(parsed)
}

/// The event in a row of the change feed or of an event search, which is worded as a webhook's is.
pub fn read_row(row: &Value) -> Parsed {
    one(row, &Map::new(), || format!("{MADE_ID}{}", hex::encode(Sha256::digest(row.to_string()))))
}

/// The event that stands for a delivery whose bytes are in the inbox and cannot be read (any more).
pub fn unreadable(body: &[u8], why: Unreadable) -> Event {
    unnamed(format!("{MADE_ID}{}", hex::encode(Sha256::digest(body)))).ignored(why.to_string())
}

fn unnamed(id: String) -> Event {
    Event {
        id,
        kind: Kind::Ignored,
        subject: Subject::File,
        name: String::new(),
        profile: None,
        node: None,
        occurred_at: None,
        ignored_because: None,
    }
}

fn one(item: &Value, envelope: &Map<String, Value>, made_id: impl FnOnce() -> String) -> Parsed {
    let (event, also) = match item {
        Value::Object(object) => read_fields(&Fields::new(object, envelope), made_id),
        _ => (unnamed(made_id()).ignored("it is not a JSON object"), vec![EVERYWHERE]),
    };
    let mut payload = item.to_string();
    if payload.len() > MAX_PAYLOAD_BYTES {
        payload = serde_json::json!({"left_out": "too long to keep", "bytes": payload.len()}).to_string();
    }
    Parsed { event, also, payload }
}

/// The event, and what it asks for besides the event's own task.
fn read_fields(fields: &Fields<'_>, made_id: impl FnOnce() -> String) -> (Event, Vec<Task>) {
    let name = fields.names().find(|name| names::meaning(name).is_some()).or(fields.names().next());
    let name: String =
        name.unwrap_or_default().chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    let meaning = names::meaning(&name);
    let (kind, subject) = match meaning {
        Some(Meaning::Happened(kind, subject)) => (kind, subject),
        Some(Meaning::WorkspaceChanged) => (Kind::Modified, Subject::Folder),
        Some(Meaning::NoFile(_)) | None => (Kind::Modified, Subject::File),
    };
    let (node, profiles) = match meaning {
        Some(Meaning::WorkspaceChanged) => (Some("root".into()), fields.workspace().into_iter().collect()),
        _ => (fields.node(subject), fields.profiles(&name)),
    };
    // An id that is the file's own would make every later event of that file a repeat.
    let is_events = |id: &str| node.as_deref() != Some(id) && profiles.iter().all(|profile| profile.id != id);
    let id = fields.id().filter(|id| is_events(id)).map_or_else(made_id, |id| printable_id(&id));
    let event = Event {
        id,
        kind,
        subject,
        name,
        profile: profiles.first().cloned(),
        node: node.as_deref().map(NodeId::new),
        occurred_at: fields.time(),
        ignored_because: None,
    };
    if let Some(Meaning::NoFile(because)) = meaning {
        return (event.ignored(because), Vec::new());
    }
    let placed = |profile: &Profile| Event { profile: Some(profile.clone()), ..event.clone() }.task();
    let whole = |profile: &Profile| Some(Task::Relist { profile: Some(profile.clone()) });
    match (profiles.as_slice(), &event.node) {
        ([], _) if event.name.is_empty() => {
            (event.ignored("it has no event name and names no workspace or share"), vec![EVERYWHERE])
        }
        ([], _) => (event.ignored("it names no workspace or share"), vec![EVERYWHERE]),
        // Something did happen there, only to what cannot be read.
        (all, None) => {
            let also = all.iter().filter_map(whole).collect();
            (event.ignored("it does not say to what: its workspace is listed as a whole"), also)
        }
        // In which of two trees the node is, it does not say.
        ([_, others @ ..], Some(_)) => {
            let also = others.iter().filter_map(placed).collect();
            (event, also)
        }
    }
}

/// Whether a text may become part of a request's path. Fastio's ids are letters, digits and hyphens; a slash, a comma
/// or a dot in one would ask Fastio about something else.
fn addressable(id: &str) -> bool {
    const LONGEST: usize = 100;
    (1..=LONGEST).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn printable_id(id: &str) -> String {
    if id.len() <= MAX_ID_BYTES && !id.chars().any(char::is_control) {
        return id.to_owned();
    }
    // Not `MADE_ID`: the payload did name the event, only in a way we do not keep.
    format!("long-sha256:{}", hex::encode(Sha256::digest(id)))
}
