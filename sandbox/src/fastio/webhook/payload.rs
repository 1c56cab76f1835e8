//! Bodies of webhooks. One guide prints a whole one, and another describes the flat event whose names agree with the API
//! reference; a mixed subscription takes turns in these and in every shape that the guides hint at.

use serde_json::{Map, Value, json};

use crate::Scheme;
use crate::fastio::event::{Event, EventKind};
use crate::fastio::id::shown;
use crate::fastio::time::written;
use crate::fastio::tree::NodeKind;

/// The forms that a mixed subscription takes turns in.
const FORMS: [fn(&Event) -> Value; 8] = [
    flat,
    |event| json!({"event": flat(event)}),
    dotted,
    |event| json!({"events": [flat(event)]}),
    guide,
    inside,
    resource,
    |event| json!({"eventType": event.name(), "data": guide(event)}),
];

/// The same event always has the same body, so that a repeated delivery is the same bytes.
pub fn body(event: &Event, scheme: Scheme) -> String {
    let form = match scheme {
        Scheme::Mixed => FORMS[usize::try_from(event.seq % FORMS.len() as u64).expect("less than eight")],
        Scheme::Guide => guide,
        Scheme::FastioBase64 | Scheme::FastioHex | Scheme::XFastioSha256 => flat,
    };
    form(event).to_string()
}

fn flat(event: &Event) -> Value {
    let mut value = json!({
        "event_id": event.id,
        "event": event.name(),
        "created": written(event.at),
        "object_id": shown(&event.object),
    });
    value[profile_field(event)] = event.profile.id.as_str().into();
    value
}

/// With the guides' own names where they have one.
fn dotted(event: &Event) -> Value {
    let mut data = json!({
        "file_id": shown(&event.object),
        "version": event.version.as_deref().map(shown),
        "user_id": event.user,
    });
    data[profile_field(event)] = event.profile.id.as_str().into();
    let name = event.guide_name().map_or_else(|| event.name(), str::to_owned);
    json!({"id": event.id, "type": name, "timestamp": event.at / 1000, "data": data})
}

fn profile_field(event: &Event) -> String {
    format!("{}_id", event.profile.kind.as_str())
}

/// As the guide on Temporal prints it. It has no word for what is moved or restored.
fn guide(event: &Event) -> Value {
    let what = match event.what {
        EventKind::Added | EventKind::Copied | EventKind::Restored => "upload",
        EventKind::Updated | EventKind::VersionRestored | EventKind::Moved | EventKind::LockOverridden => {
            "modify"
        }
        EventKind::Deleted => "delete",
        EventKind::DownloadTokenCreated => "access",
    };
    let node = if event.kind == NodeKind::Folder { "folderId" } else { "fileId" };
    let profile = format!("{}Id", event.profile.kind.as_str());
    let mut body = Map::new();
    let mut put = |key: &str, value: &str| body.insert(key.to_owned(), value.into());
    put("eventType", what);
    put(&profile, &event.profile.id);
    put(node, &shown(&event.object));
    put("userId", &event.user);
    put("timestamp", &written(event.at));
    put("eventId", &event.id);
    Value::Object(body)
}

/// What it is about as the content of an object, by its bare `id`.
fn inside(event: &Event) -> Value {
    json!({
        "eventId": event.id,
        "type": event.name(),
        "createdAt": event.at,
        "data": {"id": shown(&event.object), event.profile.kind.as_str(): {"id": event.profile.id}},
    })
}

/// What it is about under a name that does not tell what that is.
fn resource(event: &Event) -> Value {
    json!({
        "event_id": event.id,
        "event_type": event.name(),
        "resource": {"type": "node", "id": shown(&event.object)},
        "profile_type": event.profile.kind.as_str(),
        "profile_id": event.profile.id,
    })
}
