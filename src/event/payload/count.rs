//! Counts the events of a delivery without building any of them. What a body becomes in memory is many times what it was,
//! and a handler that only has to know whether to take it needs none of that.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{MAX_EVENTS, Unreadable};
use crate::lenient;

/// How many events [`super::parse`] would find in `body`.
///
/// # Errors
/// A body that is not a delivery at all.
pub fn count(body: &[u8]) -> Result<usize, Unreadable> {
    let events = match serde_json::from_str(&lenient::text(body)).map_err(|_| Unreadable::NotJson)? {
        Shape::Scalar => return Err(Unreadable::NotAnObject),
        Shape::Object(events) => events.unwrap_or(1),
        Shape::Array(events) => events,
    };
    // An empty list is an event too: one that says so.
    if events > MAX_EVENTS { Err(Unreadable::TooManyEvents) } else { Ok(events.max(1)) }
}

/// A value, as far as it tells how many events are in it.
enum Shape {
    Scalar,
    /// The length of the list under `events`, when there is one.
    Object(Option<usize>),
    Array(usize),
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(Outline)
    }
}

struct Outline;

impl<'de> Visitor<'de> for Outline {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
        let mut length = 0;
        while items.next_element::<IgnoredAny>()?.is_some() {
            length += 1;
        }
        Ok(Shape::Array(length))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Shape, A::Error> {
        let mut events = None;
        while let Some(IsEvents(is_events)) = fields.next_key()? {
            if is_events {
                // Of two fields with one name the last one counts, as it does where the whole is parsed.
                events = match fields.next_value()? {
                    Shape::Array(length) => Some(length),
                    Shape::Scalar | Shape::Object(_) => None,
                };
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Shape::Object(events))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_unit<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }
}

/// Whether a field is called `events`.
struct IsEvents(bool);

impl<'de> Deserialize<'de> for IsEvents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<IsEvents, D::Error> {
        // As bytes: a name that is no text is a name of something else, and not a reason to refuse the whole.
        deserializer.deserialize_bytes(Name)
    }
}

struct Name;

impl Visitor<'_> for Name {
    type Value = IsEvents;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<IsEvents, E> {
        Ok(IsEvents(name == b"events"))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<IsEvents, E> {
        Ok(IsEvents(name == "events"))
    }
}
