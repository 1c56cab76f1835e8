//! The JSON schema of a run's result: what is asked of the model, which of its fields are quotes, which of its lists are
//! tables.
//!
//! A schema is an ordinary JSON Schema file with one annotation of ours, `"x-docket": "quote"`, on the strings (or on the
//! `$defs` entry they refer to) that must stand in the document word for word. JSON Schema keeps names that begin with
//! `x-` free for such use. OpenAI's strict mode refuses keywords it does not know, so the annotation is left out of what
//! is sent; tell the model in the `description` to quote exactly.

mod strict;
#[cfg(test)]
mod tests;
mod walk;

use jsonschema::Validator;
use serde_json::{Map, Value};

use super::quote::{self, Check, Document};

/// Our annotation, and its only value.
const MARK: &str = "x-docket";
const QUOTE: &str = "quote";

/// The name under which a schema is sent has at most this many characters (OpenAI's OpenAPI document).
const MAX_NAME_CHARS: usize = 64;

/// What a schema is called that has neither a title nor a file name that can be sent.
const UNNAMED: &str = "result";

/// Levels of a result whose schema refers to itself. Where it has two alternatives that do, each level more may take twice
/// the time to check.
const MOST_DEPTH: usize = 16;

/// Differences from its schema that are told of one result; more would not be read.
const MAX_DIFFERENCES: usize = 10;

/// A schema that strict mode takes.
pub struct Schema {
    name: String,
    whole: Value,
    sent: Value,
    tables: Vec<Table>,
    /// It refers to itself, so a result may be as deep as it likes.
    endless: bool,
    validator: Validator,
}

/// Why a schema cannot be used, or a result does not fit it: sentences for a person, each with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Problems(pub Vec<String>);

/// A list of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Where the list stands in a result: a JSON pointer, such as `/findings`.
    pub pointer: String,
    /// In the order of the schema's `required`, which every property is in.
    pub columns: Vec<Column>,
}

/// One field of a table's objects. Objects within them are taken apart: `party.name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// The names that lead to it.
    pub path: Vec<String>,
    /// It is a quote, or a list of quotes.
    pub quote: bool,
    /// Its values are numbers. The number of a section is none: `3.2` is not a little more than three.
    pub number: bool,
}

/// One object of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row<'v> {
    /// Such as `/findings/3`.
    pub pointer: String,
    /// One for each column.
    pub cells: Vec<Cell<'v>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Cell<'v> {
    /// Such as `/findings/3/quote`.
    pub pointer: String,
    /// None where the object has none.
    pub value: Option<&'v Value>,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schema")
            .field("name", &self.name)
            .field("tables", &self.tables)
            .finish_non_exhaustive()
    }
}

impl Schema {
    /// Reads a schema. It is sent under its `title`, or else under `name`, which is its file's.
    ///
    /// # Errors
    /// With everything that strict mode would refuse and what to do about it.
    pub fn parse(name: &str, text: &str) -> Result<Schema, Problems> {
        let whole: Value =
            serde_json::from_str(text).map_err(|error| Problems(vec![format!("it is not JSON: {error}")]))?;
        let mut problems = strict::problems(&whole);
        problems.extend(walk::bad_marks(&whole));
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let sent = without_marks(&whole);
        let validator = jsonschema::validator_for(&sent)
            .map_err(|error| Problems(vec![format!("it is not a valid schema: {error}")]))?;
        let title = whole.get("title").and_then(Value::as_str).map(sendable).filter(|name| !name.is_empty());
        let name = title.unwrap_or_else(|| sendable(name));
        let name = if name.is_empty() { UNNAMED.to_owned() } else { name };
        let (tables, endless) = (walk::tables(&whole), walk::is_endless(&whole));
        Ok(Schema { name, whole, sent, tables, endless, validator })
    }

    /// The name it is sent under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is sent: without annotations that mean nothing to a model.
    pub fn sent(&self) -> &Value {
        &self.sent
    }

    /// Whether a result fits. Strict mode promises that it does; an answer that was cut off, or another server, may not.
    ///
    /// # Errors
    /// With the first differences.
    pub fn validate(&self, result: &Value) -> Result<(), Problems> {
        if self.endless && depth(result) > MOST_DEPTH {
            return Err(Problems(vec![format!("it is nested more than {MOST_DEPTH} deep")]));
        }
        let differences: Vec<String> = self
            .validator
            .iter_errors(result)
            .take(MAX_DIFFERENCES)
            .map(|error| {
                // The message itself may quote the whole result.
                let at = error.instance_path().to_string();
                let at = if at.is_empty() { "the result itself" } else { &at };
                format!("{at}: it does not fit {}", error.schema_path())
            })
            .collect();
        if differences.is_empty() { Ok(()) } else { Err(Problems(differences)) }
    }

    /// Whether the field `name` of a result may be `value`; none where a result has no such field.
    pub fn takes(&self, name: &str, value: &Value) -> Option<bool> {
        let field = self.sent.get("properties")?.get(name)?;
        let mut whole = serde_json::json!({"allOf": [field]});
        for shared in ["$defs", "definitions"] {
            if let Some(theirs) = self.sent.get(shared) {
                whole[shared] = theirs.clone();
            }
        }
        Some(jsonschema::validator_for(&whole).is_ok_and(|validator| validator.is_valid(value)))
    }

    /// Whether any field is a quote.
    pub fn has_quotes(&self) -> bool {
        walk::any_mark(&self.whole)
    }

    /// The quotes of a result with their JSON pointers, in the order of the schema. A quote that is null is none; one
    /// that is empty is one.
    pub fn quotes<'v>(&self, result: &'v Value) -> Vec<(String, &'v str)> {
        walk::quotes(&self.whole, result)
    }

    /// Looks up the quotes of a result.
    pub fn check(&self, result: &Value, document: &Document) -> Vec<Check> {
        quote::look_up_all(document, self.quotes(result))
    }

    /// The lists of objects, in the order of the schema. Lists within them are no tables of their own.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The result as a table of one row, for a schema without lists of objects.
    pub fn whole(&self) -> Table {
        walk::whole(&self.whole)
    }

    /// The fields of a result in the order of the schema, each with the names that lead to it. Objects are taken apart,
    /// lists are not.
    pub fn members<'v>(&self, result: &'v Value) -> Vec<(Vec<String>, Cell<'v>)> {
        walk::members(&self.whole, result)
    }

    /// The rows of a table in a result.
    pub fn rows<'v>(&self, table: &Table, result: &'v Value) -> Vec<Row<'v>> {
        let row = |pointer: String, object: &'v Value| {
            let cell = |column: &Column| {
                let path: String =
                    column.path.iter().map(|name| format!("/{}", strict::escape(name))).collect();
                Cell { pointer: format!("{pointer}{path}"), value: object.pointer(&path) }
            };
            Row { cells: table.columns.iter().map(cell).collect(), pointer }
        };
        match result.pointer(&table.pointer) {
            Some(Value::Array(list)) => {
                let at = |place| format!("{}/{place}", table.pointer);
                list.iter().enumerate().map(|(place, object)| row(at(place), object)).collect()
            }
            Some(object @ Value::Object(_)) => vec![row(table.pointer.clone(), object)],
            _ => Vec::new(),
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// What may be sent as a name: letters, digits, `_` and `-`.
fn sendable(name: &str) -> String {
    let stem = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = stem.strip_suffix(".json").unwrap_or(stem);
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    stem.trim().chars().map(allowed).take(MAX_NAME_CHARS).collect::<String>().trim_matches('_').to_owned()
}

/// The schema without what is not sent. Names of properties and values are no keywords and stay.
fn without_marks(schema: &Value) -> Value {
    let Value::Object(fields) = schema else { return schema.clone() };
    let mut kept = Map::new();
    for (keyword, value) in fields {
        let value = match (keyword.as_str(), value) {
            (keyword, _) if strict::NOT_SENT.contains(&keyword) => continue,
            ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                named.iter().map(|(name, schema)| (name.clone(), without_marks(schema))).collect()
            }
            ("anyOf", Value::Array(all)) => all.iter().map(without_marks).collect(),
            ("items", schema) => without_marks(schema),
            (_, value) => value.clone(),
        };
        kept.insert(keyword.clone(), value);
    }
    Value::Object(kept)
}
