//! A JSON schema, sent in the order its author wrote it in.
//!
//! A model writes the fields of its answer in the order of the schema's properties (OpenAI's guide on structured outputs), so
//! the order is part of what is asked: a quote before its judgement, not after. A JSON object read here has lost it, but
//! `required` names every property in strict mode, and a list keeps its order.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};

/// Serialises as the schema it holds, with properties in the order of `required`.
pub(super) struct Ordered<'a>(pub &'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (keyword, value) in fields {
                    match (keyword.as_str(), value) {
                        ("properties", Value::Object(properties)) => {
                            let order = fields.get("required").and_then(Value::as_array);
                            let order = order.map(Vec::as_slice).unwrap_or_default();
                            map.serialize_entry(keyword, &Properties { properties, order })?;
                        }
                        // Data, whatever it looks like.
                        ("enum" | "const", value) => map.serialize_entry(keyword, value)?,
                        (_, value) => map.serialize_entry(keyword, &Ordered(value))?,
                    }
                }
                map.end()
            }
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&Ordered(item)))?;
                list.end()
            }
            value => value.serialize(serializer),
        }
    }
}

struct Properties<'a> {
    properties: &'a Map<String, Value>,
    order: &'a [Value],
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut names: Vec<&str> = self.order.iter().filter_map(Value::as_str).collect();
        names.extend(self.properties.keys().map(String::as_str));
        let mut map = serializer.serialize_map(Some(self.properties.len()))?;
        for (place, name) in names.iter().enumerate() {
            if let Some(schema) = self.properties.get(*name).filter(|_| !names[..place].contains(name)) {
                map.serialize_entry(name, &Ordered(schema))?;
            }
        }
        map.end()
    }
}

/// An object with one more field, which holds an [`Ordered`] schema somewhere.
pub(super) struct With<'a, T> {
    pub object: &'a Value,
    pub name: &'static str,
    pub value: Option<T>,
}

impl<T: Serialize> With<'_, T> {
    /// As the body of a request.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("keys are strings and numbers are finite")
    }
}

impl<T: Serialize> Serialize for With<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.object.as_object().into_iter().flatten() {
            map.serialize_entry(name, value)?;
        }
        if let Some(value) = &self.value {
            map.serialize_entry(self.name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn properties_go_out_in_the_order_of_required_at_every_depth() {
        let row = json!({"type": "object", "required": ["quote", "clause", "a"],
            "properties": {"a": {"type": "null"}, "clause": {"type": "string"}, "quote": {"type": "string"}}});
        let schema = json!({"type": "object", "required": ["z", "b", "z"],
            "properties": {"b": {"enum": [{"required": ["y"], "properties": {"x": 1, "y": 2}}]},
                "z": {"type": "array", "items": row}}});
        let text = serde_json::to_string(&Ordered(&schema)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), schema);
        let at = |what: &str| text.find(what).unwrap();
        assert!(at("\"quote\":{") < at("\"clause\":{") && at("\"clause\":{") < at("\"a\":{"), "{text}");
        assert!(at("\"z\":{") < at("\"b\":{") && at("\"x\":1") < at("\"y\":2"), "{text}");
    }
}
