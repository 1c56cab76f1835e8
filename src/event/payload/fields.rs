//! Finds the fields of an event wherever a payload may keep them, and however it spells them.
//!
//! Fastio's API writes `workspace_id`, the only guide that shows a whole payload writes `workspaceId`, and others put what
//! an event is about under `data`. So keys are compared without case, hyphens and underscores, and every object of an
//! event is a layer. The nearest layer that has a field wins: the object under `event`, the item itself, what is inside
//! them, and the envelope of a batch at last.

use std::borrow::Cow;
use std::collections::VecDeque;

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

/// Objects of one event that are looked into. The richest form that is documented has four.
const MOST_LAYERS: usize = 32;

/// What an event may be about. Its id stands under `NAME_id`, or is the `id` of the object under `NAME`.
const FILES: [&str; 3] = ["object", "node", "file"];
const FOLDERS: [&str; 3] = ["object", "node", "folder"];
const ANYTHING: [&str; 8] = ["object", "node", "file", "folder", "resource", "item", "entity", "target"];

/// Objects that hold what an event is about, under no name of its kind.
const CONTENTS: [&str; 3] = ["data", "payload", "detail"];

/// A text that is shorter is a name rather than an id where either may stand. Fastio's ids of nodes have 30 characters,
/// those of workspaces 19 digits.
const SHORTEST_BARE_ID: usize = 15;

/// One object, with the key that it stands under.
struct Layer<'a> {
    under: String,
    fields: Vec<(String, &'a Value)>,
}

pub struct Fields<'a> {
    layers: Vec<Layer<'a>>,
    /// How many of them describe the event itself, so that their `id` and `type` are the event's.
    own: usize,
    envelope: Layer<'a>,
}

impl<'a> Fields<'a> {
    pub fn new(item: &'a Object, envelope: &'a Object) -> Self {
        let own: Vec<&Object> =
            item.get("event").and_then(Value::as_object).into_iter().chain([item]).collect();
        let mut fields = Fields { layers: Vec::new(), own: own.len(), envelope: Layer::new("", envelope) };
        let mut open: VecDeque<(String, &Object)> = own.into_iter().map(|own| (String::new(), own)).collect();
        while let Some((under, object)) = open.pop_front().filter(|_| fields.layers.len() < MOST_LAYERS) {
            let layer = Layer::new(&under, object);
            let is_item = fields.layers.len() + 1 == fields.own;
            let inside = layer.fields.iter().filter(|(key, _)| !(is_item && key == "event"));
            open.extend(inside.filter_map(|(key, value)| Some((key.clone(), value.as_object()?))));
            fields.layers.push(layer);
        }
        fields
    }

    /// Every text that may be the event's name, likeliest first.
    pub fn names(&self) -> impl Iterator<Item = &'a str> + '_ {
        let (own, inner) = self.layers.split_at(self.own);
        let own = own
            .iter()
            .flat_map(|layer| ["event", "eventtype", "eventname", "type"].map(|key| layer.values(key)))
            .flatten();
        let inner =
            inner.iter().flat_map(|layer| ["event", "eventtype"].map(|key| layer.values(key))).flatten();
        own.chain(inner).filter_map(Value::as_str).map(str::trim).filter(|name| !name.is_empty())
    }

    /// The event's own id. The envelope's is the batch's and is not looked at.
    pub fn id(&self) -> Option<Cow<'a, str>> {
        self.named_id().or_else(|| self.layers[..self.own].iter().find_map(|layer| layer.text("id")))
    }

    fn named_id(&self) -> Option<Cow<'a, str>> {
        self.layers.iter().find_map(|layer| layer.text("eventid"))
    }

    /// The node the event is about. What an event is called does not decide under which key it stands: only which key
    /// is believed first.
    pub fn node(&self, subject: Subject) -> Option<Cow<'a, str>> {
        let likely = match subject {
            Subject::File => FILES,
            Subject::Folder => FOLDERS,
        };
        self.flat(&likely)
            .or_else(|| self.nested(&likely))
            .or_else(|| self.flat(&ANYTHING))
            .or_else(|| self.nested(&ANYTHING))
            .or_else(|| self.bare(&ANYTHING))
            .or_else(|| self.of_contents())
    }

    fn flat(&self, names: &[&str]) -> Option<Cow<'a, str>> {
        let keys: Vec<String> = names.iter().map(|name| format!("{name}id")).collect();
        self.layers.iter().find_map(|layer| keys.iter().find_map(|key| layer.id(key)))
    }

    fn nested(&self, names: &[&str]) -> Option<Cow<'a, str>> {
        let named = self.layers.iter().skip(self.own).filter(|layer| names.contains(&layer.under.as_str()));
        named.filter_map(|layer| layer.id("id")).next()
    }

    /// An id as the text under a name. A name may stand there as well, so it must look like an id.
    fn bare(&self, names: &[&str]) -> Option<Cow<'a, str>> {
        let found = self.layers.iter().find_map(|layer| names.iter().find_map(|name| layer.id(name)))?;
        (found.len() >= SHORTEST_BARE_ID && found.contains(|c: char| c.is_ascii_digit())).then_some(found)
    }

    /// An `id` that is the thing's, because the event's own stands elsewhere.
    fn of_contents(&self) -> Option<Cow<'a, str>> {
        let (own, inner) = self.layers.split_at(self.own);
        let contents = inner.iter().filter(|layer| CONTENTS.contains(&layer.under.as_str()));
        let inside = contents.filter_map(|layer| layer.id("id")).next();
        let event = self.named_id();
        inside.or_else(|| {
            own.iter()
                .find_map(|layer| layer.id("id"))
                .filter(|id| event.is_some() && Some(id) != event.as_ref())
        })
    }

    /// The trees that the node may be in, the likeliest first. An event that names both a workspace and a share is
    /// believed about the one its own name begins with.
    pub fn profiles(&self, name: &str) -> Vec<Profile> {
        let (workspace, share) = (self.workspace(), self.share());
        let mut profiles: Vec<Profile> = match name.starts_with("share") {
            true => share.into_iter().chain(workspace).collect(),
            false => workspace.into_iter().chain(share).collect(),
        };
        if profiles.is_empty() {
            profiles.extend(self.typed_profile(name));
        }
        profiles
    }

    pub fn workspace(&self) -> Option<Profile> {
        let typed = || self.typed_profile("workspace_").filter(|p| p.kind == ProfileKind::Workspace);
        self.tree("workspace").map(Profile::workspace).or_else(typed)
    }

    fn share(&self) -> Option<Profile> {
        self.tree("share").map(Profile::share)
    }

    fn tree(&self, name: &str) -> Option<Cow<'a, str>> {
        let key = format!("{name}id");
        let flat = self.everywhere().find_map(|layer| layer.id(&key));
        flat.or_else(|| self.nested(&[name]))
            .or_else(|| self.envelope.object(name).and_then(|object| object.id("id")))
            .or_else(|| self.everywhere().find_map(|layer| layer.id(name)).filter(|id| is_number(id)))
    }

    /// `profile_id` with `profile_type`, as in the change feed's rows. Without a type, the event's name tells.
    fn typed_profile(&self, name: &str) -> Option<Profile> {
        let (layer, id) = self.everywhere().find_map(|layer| Some((layer, layer.id("profileid")?)))?;
        match layer.text("profiletype").as_deref() {
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
        let keys = ["created", "createdat", "timestamp", "occurredat", "time"];
        self.layers.iter().find_map(|layer| keys.iter().find_map(|key| layer.values(key).find_map(time)))
    }

    fn everywhere(&self) -> impl Iterator<Item = &Layer<'a>> + '_ {
        self.layers.iter().chain([&self.envelope])
    }
}

impl<'a> Layer<'a> {
    fn new(under: &str, object: &'a Object) -> Layer<'a> {
        let fields = object.iter().map(|(key, value)| (plain(key), value)).collect();
        Layer { under: under.to_owned(), fields }
    }

    fn values<'s>(&'s self, key: &'s str) -> impl Iterator<Item = &'a Value> + use<'a, 's> {
        self.fields.iter().filter(move |(name, _)| name == key).map(|(_, value)| *value)
    }

    fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.values(key).find_map(text)
    }

    /// A text that may become part of a request's path.
    fn id(&self, key: &str) -> Option<Cow<'a, str>> {
        self.values(key).filter_map(text).find(|id| addressable(id))
    }

    fn object(&self, key: &str) -> Option<Layer<'a>> {
        self.values(key).find_map(Value::as_object).map(|object| Layer::new(key, object))
    }
}

/// A key in the one spelling that keys are compared in.
fn plain(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

fn is_number(id: &str) -> bool {
    id.len() >= SHORTEST_BARE_ID && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// A text, or a whole number: a sender may well write a 19-digit id without quotes.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
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
