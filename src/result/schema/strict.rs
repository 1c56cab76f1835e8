//! What OpenAI's strict mode takes of JSON Schema, checked at start: a schema it refuses would fail every run.
//!
//! The rules are those of OpenAI's guide on structured outputs (supported schemas); where only people's error messages
//! tell them, this says "reported".

use serde_json::{Map, Value};

use super::MARK;

/// How deep objects and arrays may nest. The guide says 10; servers were reported to enforce 5 before.
const MAX_DEPTH: usize = 10;

/// Properties of all objects together.
const MAX_PROPERTIES: usize = 5_000;

/// Values of all enums together.
const MAX_ENUM_VALUES: usize = 1_000;

/// Characters of all names of properties and definitions, enum values and consts together.
const MAX_NAME_CHARS: usize = 120_000;

/// Characters of the values of one enum of more than [`LARGE_ENUM`] values.
const MAX_LARGE_ENUM_CHARS: usize = 15_000;
const LARGE_ENUM: usize = 250;

/// Problems told at once; more would not be read.
const MAX_PROBLEMS: usize = 20;

const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "object", "array", "null"];

const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// Keywords that strict mode knows.
const KNOWN: [&str; 23] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "const",
    "anyOf",
    "$ref",
    "$defs",
    "definitions",
    "title",
    "description",
    "pattern",
    "format",
    "minLength",
    "maxLength",
    "multipleOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
];

/// Keywords that mean nothing to a model, and are left out of what is sent.
pub const NOT_SENT: [&str; 6] = [MARK, "$schema", "$id", "$comment", "examples", "deprecated"];

/// What is said of a keyword that strict mode does not know.
fn advice(keyword: &str) -> &'static str {
    match keyword {
        "oneOf" => "use anyOf",
        "allOf" => "write the merged schema out",
        "not" | "if" | "then" | "else" | "dependentRequired" | "dependentSchemas" => "leave it out",
        "default" => "every property is required, so a default never applies: leave it out",
        "nullable" => "allow null by \"type\": [\"string\", \"null\"]",
        "uniqueItems"
        | "contains"
        | "prefixItems"
        | "patternProperties"
        | "propertyNames"
        | "minProperties"
        | "maxProperties"
        | "unevaluatedProperties"
        | "unevaluatedItems" => "say it in the description instead",
        _ => "leave it out or say it in the description",
    }
}

/// Looks through a schema and collects what is wrong with it.
pub struct Inspector<'s> {
    root: &'s Value,
    problems: Vec<String>,
    properties: usize,
    enum_values: usize,
    name_chars: usize,
}

/// Everything that strict mode would refuse, each as a sentence that says where it is and what to do.
pub fn problems(root: &Value) -> Vec<String> {
    let mut inspector =
        Inspector { root, problems: Vec::new(), properties: 0, enum_values: 0, name_chars: 0 };
    inspector.root();
    inspector.sizes();
    inspector.problems.truncate(MAX_PROBLEMS);
    inspector.problems
}

impl<'s> Inspector<'s> {
    fn say(&mut self, at: &str, what: impl Into<String>) {
        let at = if at.is_empty() { "the schema itself" } else { at };
        self.problems.push(format!("{at}: {}", what.into()));
    }

    fn root(&mut self) {
        let Value::Object(fields) = self.root else {
            return self.say("", "it must be an object with \"type\": \"object\"");
        };
        if fields.contains_key("anyOf") || fields.contains_key("$ref") {
            self.say("", "it must not be an anyOf or a $ref: put that into a property of an object");
        } else if fields.get("type").and_then(Value::as_str) != Some("object") {
            self.say("", "it must have \"type\": \"object\": put a list into a property of an object");
        }
        for group in ["$defs", "definitions"] {
            match fields.get(group) {
                None => {}
                Some(Value::Object(definitions)) => {
                    for (name, definition) in definitions {
                        self.name_chars += name.chars().count();
                        self.schema(definition, &format!("/{group}/{}", escape(name)), 1);
                    }
                }
                Some(_) => self.say(&format!("/{group}"), "it must be an object of schemas"),
            }
        }
        self.schema(self.root, "", 1);
    }

    fn schema(&mut self, schema: &'s Value, at: &str, depth: usize) {
        let Value::Object(fields) = schema else {
            return self.say(at, "a schema must be an object; true and false are not taken");
        };
        for keyword in fields.keys() {
            let known = KNOWN.contains(&keyword.as_str()) || keyword == "maxItems";
            if !known && !NOT_SENT.contains(&keyword.as_str()) {
                self.say(at, format!("strict mode does not take \"{keyword}\": {}", advice(keyword)));
            } else if !at.is_empty() && matches!(keyword.as_str(), "$defs" | "definitions") {
                self.say(at, format!("\"{keyword}\" is taken at the top only"));
            }
        }
        if depth > MAX_DEPTH {
            return self.say(at, format!("objects and arrays nest deeper than {MAX_DEPTH} levels"));
        }
        if let Some(target) = fields.get("$ref") {
            return self.reference(target, at);
        }
        let types = self.types(fields, at);
        self.values(fields, at);
        self.alternatives(fields, at, depth);
        if types.contains(&"object") || fields.contains_key("properties") {
            self.object(fields, at, depth);
        }
        if types.contains(&"array") || fields.contains_key("items") {
            match fields.get("items") {
                Some(items) => self.schema(items, &format!("{at}/items"), depth + 1),
                None => self.say(at, "an array must say what its \"items\" are"),
            }
        }
        if let Some(format) =
            fields.get("format").filter(|format| !FORMATS.iter().any(|known| *known == **format))
        {
            let known = FORMATS.join(", ");
            self.say(at, format!("strict mode does not take the format {format}, only {known}"));
        }
    }

    fn types(&mut self, fields: &'s Map<String, Value>, at: &str) -> Vec<&'s str> {
        let types: Vec<Option<&str>> = match fields.get("type") {
            Some(Value::Array(types)) => types.iter().map(Value::as_str).collect(),
            Some(one) => vec![one.as_str()],
            None => Vec::new(),
        };
        if types.iter().any(|name| !name.is_some_and(|name| TYPES.contains(&name))) {
            self.say(at, format!("\"type\" must be among {}", TYPES.join(", ")));
        }
        let says_otherwise = ["anyOf", "enum", "const"].iter().any(|name| fields.contains_key(*name));
        if types.is_empty() && !says_otherwise {
            self.say(at, "it must have a \"type\", or an anyOf, enum or const");
        }
        types.into_iter().flatten().collect()
    }

    fn values(&mut self, fields: &Map<String, Value>, at: &str) {
        let chars = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
        self.name_chars += fields.get("const").map_or(0, chars);
        match fields.get("enum") {
            None => {}
            Some(Value::Array(values)) if !values.is_empty() => {
                let sum: usize = values.iter().map(chars).sum();
                self.enum_values += values.len();
                self.name_chars += sum;
                if values.len() > LARGE_ENUM && sum > MAX_LARGE_ENUM_CHARS {
                    let limit =
                        format!("more than {LARGE_ENUM} values with over {MAX_LARGE_ENUM_CHARS} characters");
                    self.say(at, format!("the enum has {limit}: shorten it"));
                }
            }
            Some(_) => self.say(at, "\"enum\" must be a list that is not empty"),
        }
    }

    fn alternatives(&mut self, fields: &'s Map<String, Value>, at: &str, depth: usize) {
        match fields.get("anyOf") {
            None => {}
            Some(Value::Array(all)) if !all.is_empty() => {
                for (place, one) in all.iter().enumerate() {
                    self.schema(one, &format!("{at}/anyOf/{place}"), depth);
                }
            }
            Some(_) => self.say(at, "\"anyOf\" must be a list that is not empty"),
        }
    }

    fn object(&mut self, fields: &'s Map<String, Value>, at: &str, depth: usize) {
        if fields.get("additionalProperties") != Some(&Value::Bool(false)) {
            self.say(at, "an object must have \"additionalProperties\": false");
        }
        let Some(properties) = fields.get("properties").and_then(Value::as_object) else {
            return self.say(at, "an object must list its \"properties\"");
        };
        let required: Vec<&str> = fields
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (name, property) in properties {
            if !required.contains(&name.as_str()) {
                let how = "where it may be missing in a document, let it be null";
                self.say(at, format!("every property must be \"required\", and \"{name}\" is not; {how}"));
            }
            self.name_chars += name.chars().count();
            self.properties += 1;
            self.schema(property, &format!("{at}/properties/{}", escape(name)), depth + 1);
        }
        for name in required.into_iter().filter(|name| !properties.contains_key(*name)) {
            self.say(at, format!("\"required\" names \"{name}\", which is no property"));
        }
    }

    fn reference(&mut self, target: &Value, at: &str) {
        let found = target.as_str().and_then(|target| resolve(self.root, target));
        if found.is_none() {
            self.say(
                at,
                format!("$ref {target} leads nowhere; it must be \"#\" or \"#/$defs/…\" of this file"),
            );
        }
    }

    fn sizes(&mut self) {
        for (have, most, what) in [
            (self.properties, MAX_PROPERTIES, "properties"),
            (self.enum_values, MAX_ENUM_VALUES, "enum values"),
            (self.name_chars, MAX_NAME_CHARS, "characters in names and values"),
        ] {
            if have > most {
                self.say("", format!("it has {have} {what}, and strict mode takes {most}"));
            }
        }
    }
}

/// What a `$ref` within the same file leads to.
pub fn resolve<'s>(root: &'s Value, target: &str) -> Option<&'s Value> {
    root.pointer(target.strip_prefix('#')?)
}

/// A name as a part of a JSON pointer.
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
