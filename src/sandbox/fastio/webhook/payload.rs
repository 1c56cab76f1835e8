//! Bodies of webhooks. No document shows a whole one; the plain schemes send the flat event that one guide describes and
//! whose names agree with the API reference, and a mixed subscription takes turns in every shape that the guides hint at.

use serde_json::{Value, json};

use crate::sandbox::Scheme;
use crate::sandbox::fastio::event::Event;
use crate::sandbox::fastio::id::shown;
use crate::sandbox::fastio::time::written;

/// The same event always has the same body, so that a repeated delivery is the same bytes.
pub fn body(event: &Event, scheme: Scheme) -> String {
    let value = match (scheme, event.seq % 4) {
        (Scheme::Mixed, 1) => json!({"event": flat(event)}),
        (Scheme::Mixed, 2) => dotted(event),
        (Scheme::Mixed, 3) => json!({"events": [flat(event)]}),
        _ => flat(event),
    };
    value.to_string()
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
