//! Finds the fields of an event wherever a payload may keep them.
//!
//! An event has up to four layers: the object under `event`, when that is an object; the item itself; the `data` of
//! either; and the envelope of a batch. The nearest layer that has a field wins.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::addressable;
use crate::event::Subject;
use crate::fastio::{Profile, ProfileKind};

type Object = Map<String, Value>;

/// A number above this is milliseconds: as seconds it would be the year 5138.
const LARGEST_SECONDS: f64 = 1e11;

pub struct Fields<'a> {
    /// `event`, then the item: these describe the event.
    own: Vec<&'a Object>,
    /// `data` of each: these describe what it is about, so their `id` and `type` mean something else.
    data: Vec<&'a Object>,
    envelope: &'a Object,
}

impl<'a> Fields<'a> {
    pub fn new(item: &'a Object, envelope: &'a Object) -> Self {
        let own: Vec<&Object> =
            item.get("event").and_then(Value::as_object).into_iter().chain([item]).collect();
        let data = own.iter().filter_map(|layer| layer.get("data")?.as_object()).collect();
        Fields { own, data, envelope }
    }

    /// Every text that may be the event's name, likeliest first.
    pub fn names(&self) -> impl Iterator<Item = &'a str> + '_ {
        let own = self
            .own
            .iter()
            .flat_map(|layer| ["event", "event_type", "event_name", "type"].map(|key| layer.get(key)));
        let data = self.data.iter().flat_map(|layer| ["event", "event_type"].map(|key| layer.get(key)));
        own.chain(data).flatten().filter_map(Value::as_str).map(str::trim).filter(|name| !name.is_empty())
    }

    /// The event's own id. The envelope's is the batch's and is not looked at.
    pub fn id(&self) -> Option<Cow<'a, str>> {
        self.layers()
            .find_map(|layer| text(layer.get("event_id")))
            .or_else(|| self.own.iter().find_map(|layer| text(layer.get("id"))))
    }

    /// The node the event is about.
    pub fn node(&self, subject: Subject) -> Option<Cow<'a, str>> {
        let (id_key, object_key) = match subject {
            Subject::File => ("file_id", "file"),
            Subject::Folder => ("folder_id", "folder"),
        };
        let flat = ["object_id", "node_id", id_key];
        self.layers().find_map(|layer| flat.iter().find_map(|key| text(layer.get(*key)))).or_else(|| {
            self.layers()
                .find_map(|layer| [object_key, "node", "object"].iter().find_map(|key| nested_id(layer, key)))
        })
    }

    /// The tree the node is in. An event that names both is believed about the one its own name begins with.
    pub fn profile(&self, name: &str) -> Option<Profile> {
        if name.starts_with("share_") {
            self.share().or_else(|| self.workspace()).or_else(|| self.typed_profile(name))
        } else {
            self.workspace().or_else(|| self.share()).or_else(|| self.typed_profile(name))
        }
    }

    pub fn workspace(&self) -> Option<Profile> {
        let typed = || self.typed_profile("workspace_").filter(|p| p.kind == ProfileKind::Workspace);
        self.named("workspace_id", "workspace").map(Profile::workspace).or_else(typed)
    }

    fn share(&self) -> Option<Profile> {
        self.named("share_id", "share").map(Profile::share)
    }

    fn named(&self, id_key: &str, object_key: &str) -> Option<Cow<'a, str>> {
        self.everywhere()
            .find_map(|layer| text(layer.get(id_key)).or_else(|| nested_id(layer, object_key)))
            .filter(|id| addressable(id))
    }

    /// `profile_id` with `profile_type`, as in the change feed's rows. Without a type, the event's name tells.
    fn typed_profile(&self, name: &str) -> Option<Profile> {
        let layer = self.everywhere().find(|layer| text(layer.get("profile_id")).is_some())?;
        let id = text(layer.get("profile_id")).filter(|id| addressable(id))?;
        match text(layer.get("profile_type")).as_deref() {
            Some("workspace") => Some(Profile::workspace(id)),
            Some("share") => Some(Profile::share(id)),
            Some(_) => None,
            None if name.starts_with("workspace_") => Some(Profile::workspace(id)),
            None if name.starts_with("share_") => Some(Profile::share(id)),
            None => None,
        }
    }

    /// When it happened, in Unix milliseconds.
    pub fn time(&self) -> Option<i64> {
        self.layers().find_map(|layer| {
            ["created", "created_at", "timestamp", "occurred_at", "time"]
                .iter()
                .find_map(|key| time(layer.get(*key)?))
        })
    }

    fn layers(&self) -> impl Iterator<Item = &'a Object> + '_ {
        self.own.iter().chain(&self.data).copied()
    }

    fn everywhere(&self) -> impl Iterator<Item = &'a Object> + '_ {
        self.layers().chain([self.envelope])
    }
}

/// The id of the object under `key`. A bare text there may be a name as well, and is not taken for an id.
fn nested_id<'a>(layer: &'a Object, key: &str) -> Option<Cow<'a, str>> {
    let object = layer.get(key)?.as_object()?;
    text(object.get("id")).or_else(|| text(object.get("node_id")))
}

/// A text, or a whole number: a sender may well write a 19-digit id without quotes.
fn text(value: Option<&Value>) -> Option<Cow<'_, str>> {
    match value? {
        Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(Cow::Borrowed),
        Value::Number(number) if !number.is_f64() => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

fn time(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => unix(number.as_f64()?),
        Value::String(text) => {
            let text = text.trim();
            if let Ok(number) = text.parse::<f64>() {
                return unix(number);
            }
            if let Ok(timestamp) = text.parse::<Timestamp>() {
                return Some(timestamp.as_millisecond());
            }
            // `2026-09-25 21:40:11 UTC`, as Fastio writes times; without a zone they are UTC too.
            let civil: DateTime = text.strip_suffix("UTC").unwrap_or(text).trim_end().parse().ok()?;
            Some(TimeZone::UTC.to_timestamp(civil).ok()?.as_millisecond())
        }
        _ => None,
    }
}

/// Seconds or milliseconds since 1970. A number that is no date at all is no time.
fn unix(number: f64) -> Option<i64> {
    let milliseconds = if number.abs() > LARGEST_SECONDS { number } else { number * 1000.0 };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float that does not fit saturates, and then is no date"
    )]
    Timestamp::from_millisecond(milliseconds as i64)
        .ok()
        .filter(|_| number.is_finite())
        .map(|t| t.as_millisecond())
}
