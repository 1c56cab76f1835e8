//! Walks a schema, alone or along a result that was made by it.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::strict::{escape, resolve};
use super::{Cell, Column, MARK, QUOTE, Table};

/// How many `$ref`s and alternatives are followed without going deeper into the result: a schema that refers to itself
/// only would go round for ever. Strict mode nests no deeper than 10.
const MAX_TURNS: usize = 32;

/// Objects within a row are taken apart to this depth; what is deeper stays one column.
const MAX_PATH: usize = 4;

/// More columns than a table that a person reads.
const MAX_COLUMNS: usize = 256;

/// Annotations of ours that mean nothing.
pub fn bad_marks(root: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    each(root, "", &mut |fields, at| {
        let Some(mark) = fields.get(MARK) else { return };
        if mark != QUOTE {
            problems.push(format!("{at}: \"{MARK}\" must be \"{QUOTE}\", not {mark}"));
        } else if !may_be_text(root, fields, 0) {
            problems.push(format!("{at}: only a string can be a quote; it has another type"));
        }
    });
    problems
}

/// Whether any field is a quote.
pub fn any_mark(root: &Value) -> bool {
    let mut found = false;
    each(root, "", &mut |fields, _| found |= fields.contains_key(MARK));
    found
}

/// Visits every schema in a schema.
fn each(schema: &Value, at: &str, visit: &mut impl FnMut(&Map<String, Value>, &str)) {
    let Value::Object(fields) = schema else { return };
    visit(fields, at);
    for group in ["properties", "$defs", "definitions"] {
        for (name, one) in fields.get(group).and_then(Value::as_object).into_iter().flatten() {
            each(one, &format!("{at}/{group}/{}", escape(name)), visit);
        }
    }
    for (place, one) in fields.get("anyOf").and_then(Value::as_array).into_iter().flatten().enumerate() {
        each(one, &format!("{at}/anyOf/{place}"), visit);
    }
    if let Some(items) = fields.get("items") {
        each(items, &format!("{at}/items"), visit);
    }
}

/// Whether a result by it may be of any depth: some schema leads back to itself.
pub fn is_endless(root: &Value) -> bool {
    leads_back(root, root, &mut Vec::new(), &mut HashSet::new())
}

/// `above` are the schemas on the way here, `ended` those that are known to lead back to none of theirs.
fn leads_back<'s>(
    root: &'s Value,
    schema: &'s Value,
    above: &mut Vec<*const Value>,
    ended: &mut HashSet<*const Value>,
) -> bool {
    let Value::Object(fields) = schema else { return false };
    if above.contains(&std::ptr::from_ref(schema)) {
        return true;
    }
    if ended.contains(&std::ptr::from_ref(schema)) {
        return false;
    }
    above.push(schema);
    let referred = fields.get("$ref").and_then(Value::as_str).and_then(|target| resolve(root, target));
    let members = fields.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::values);
    let choices = fields.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    let mut next = referred.into_iter().chain(members).chain(choices).chain(fields.get("items"));
    let found = next.any(|schema| leads_back(root, schema, above, ended));
    above.pop();
    ended.insert(schema);
    found
}

fn may_be_text(root: &Value, fields: &Map<String, Value>, turns: usize) -> bool {
    let is_text = |value: &Value| {
        value == "string" || value.as_array().is_some_and(|all| all.iter().any(|one| one == "string"))
    };
    let further = |schema: &Value| {
        turns < MAX_TURNS && schema.as_object().is_some_and(|fields| may_be_text(root, fields, turns + 1))
    };
    let referred = fields.get("$ref").and_then(Value::as_str).and_then(|target| resolve(root, target));
    fields.get("type").is_some_and(is_text)
        || referred.is_some_and(further)
        || fields.get("anyOf").and_then(Value::as_array).is_some_and(|all| all.iter().any(further))
}

/// The quotes of a result, in the order of the schema.
pub fn quotes<'v>(root: &Value, result: &'v Value) -> Vec<(String, &'v str)> {
    let mut walk = Walk { root, found: Vec::new(), marked: HashSet::new(), seen: HashSet::new() };
    walk.go(root, result, "");
    walk.found
}

struct Walk<'s, 'v> {
    root: &'s Value,
    found: Vec<(String, &'v str)>,
    /// The values that are in `found`.
    marked: HashSet<*const Value>,
    /// Which schema was laid over which value. Once is enough, and a schema that refers to itself ends here: over and
    /// over, two alternatives would double the work with each level of the result.
    seen: HashSet<(*const Value, *const Value)>,
}

impl<'s, 'v> Walk<'s, 'v> {
    /// Every alternative is followed, fitting or not: a string that one of them calls a quote is checked.
    fn go(&mut self, schema: &'s Value, value: &'v Value, at: &str) {
        let Value::Object(fields) = schema else { return };
        if !self.seen.insert((schema, value)) {
            return;
        }
        if let (Some(_), Value::String(text)) = (fields.get(MARK), value)
            && self.marked.insert(value)
        {
            self.found.push((at.to_owned(), text));
        }
        if let Some(target) = fields.get("$ref").and_then(Value::as_str).and_then(|to| resolve(self.root, to))
        {
            self.go(target, value, at);
        }
        for one in fields.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
            self.go(one, value, at);
        }
        match value {
            Value::Object(members) => {
                for (name, property) in properties(fields) {
                    if let Some(member) = members.get(name) {
                        self.go(property, member, &format!("{at}/{}", escape(name)));
                    }
                }
            }
            Value::Array(list) => {
                let Some(items) = fields.get("items") else { return };
                for (place, item) in list.iter().enumerate() {
                    self.go(items, item, &format!("{at}/{place}"));
                }
            }
            _ => {}
        }
    }
}

/// The properties of an object in the order of its `required`: a JSON object has none, a list has.
fn properties(fields: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    let all = fields.get("properties").and_then(Value::as_object);
    let required = fields.get("required").and_then(Value::as_array).into_iter().flatten();
    required.filter_map(move |name| Some((name.as_str()?, all?.get(name.as_str()?)?)))
}

/// The lists of objects that are no part of a list.
pub fn tables(root: &Value) -> Vec<Table> {
    let mut search = TableSearch { root, tables: Vec::new(), above: Vec::new() };
    search.look(root, "");
    search.tables
}

/// The whole result as one row.
pub fn whole(root: &Value) -> Table {
    let mut columns = Vec::new();
    find_columns(root, root, &mut Vec::new(), &mut columns);
    Table { pointer: String::new(), columns }
}

/// The fields of a result that are no objects.
pub fn members<'v>(root: &Value, result: &'v Value) -> Vec<(Vec<String>, Cell<'v>)> {
    let mut search = MemberSearch { root, path: Vec::new(), found: Vec::new(), known: HashSet::new() };
    search.look(root, result);
    search.found
}

/// Looks for the members of a result.
struct MemberSearch<'s, 'v> {
    root: &'s Value,
    path: Vec<String>,
    found: Vec<(Vec<String>, Cell<'v>)>,
    /// Those that were found, and the objects that a schema was laid over.
    known: HashSet<(*const Value, *const Value)>,
}

impl<'s, 'v> MemberSearch<'s, 'v> {
    fn look(&mut self, schema: &'s Value, value: &'v Value) {
        let Value::Object(object) = value else {
            if !self.path.is_empty() && self.known.insert((std::ptr::null(), value)) {
                let pointer = self.path.iter().map(|name| format!("/{}", escape(name))).collect();
                self.found.push((self.path.clone(), Cell { pointer, value: Some(value) }));
            }
            return;
        };
        if !self.known.insert((schema, value)) {
            return;
        }
        for (name, property) in shapes(self.root, schema).into_iter().flat_map(properties) {
            if let Some(member) = object.get(name) {
                self.path.push(name.to_owned());
                self.look(property, member);
                self.path.pop();
            }
        }
    }
}

/// Looks for the tables of a schema.
struct TableSearch<'s> {
    root: &'s Value,
    tables: Vec<Table>,
    /// The objects on the way here: a tree's branches lead back to one of them and hold no further tables.
    above: Vec<&'s Map<String, Value>>,
}

impl<'s> TableSearch<'s> {
    fn look(&mut self, schema: &'s Value, at: &str) {
        for fields in shapes(self.root, schema) {
            if self.above.iter().any(|known| std::ptr::eq(*known, fields)) {
                continue;
            }
            self.above.push(fields);
            if let Some(items) = fields.get("items") {
                let is_object = shapes(self.root, items).iter().any(|item| item.contains_key("properties"));
                if is_object && !self.tables.iter().any(|table| table.pointer == at) {
                    let mut columns = Vec::new();
                    find_columns(self.root, items, &mut Vec::new(), &mut columns);
                    self.tables.push(Table { pointer: at.to_owned(), columns });
                }
            }
            for (name, property) in properties(fields) {
                self.look(property, &format!("{at}/{}", escape(name)));
            }
            self.above.pop();
        }
    }
}

fn find_columns(root: &Value, schema: &Value, path: &mut Vec<String>, columns: &mut Vec<Column>) {
    if columns.len() >= MAX_COLUMNS {
        return;
    }
    let shapes = shapes(root, schema);
    let objects: Vec<_> = shapes.iter().filter(|fields| fields.contains_key("properties")).collect();
    if objects.is_empty() || path.len() >= MAX_PATH {
        let items = shapes
            .iter()
            .filter_map(|fields| fields.get("items"))
            .flat_map(|items| self::shapes(root, items));
        let quote = shapes.iter().copied().chain(items).any(|fields| fields.contains_key(MARK));
        let number = is_number(&shapes);
        match columns.iter_mut().find(|known| known.path == *path) {
            Some(known) => (known.quote, known.number) = (known.quote || quote, known.number && number),
            None if path.is_empty() => {}
            None => columns.push(Column { name: path.join("."), path: path.clone(), quote, number }),
        }
        return;
    }
    for (name, property) in objects.into_iter().flat_map(|fields| properties(fields)) {
        path.push(name.to_owned());
        find_columns(root, property, path, columns);
        path.pop();
    }
}

/// Whether what fits a schema is a number, or nothing.
fn is_number(shapes: &[&Map<String, Value>]) -> bool {
    let types = shapes.iter().filter_map(|fields| fields.get("type")).flat_map(|named| match named {
        Value::Array(several) => several.as_slice(),
        one => std::slice::from_ref(one),
    });
    let types: Vec<&str> = types.filter_map(Value::as_str).filter(|name| *name != "null").collect();
    !types.is_empty() && types.iter().all(|name| matches!(*name, "number" | "integer"))
}

/// A schema with what it refers to and its alternatives, flat.
fn shapes<'s>(root: &'s Value, schema: &'s Value) -> Vec<&'s Map<String, Value>> {
    let (mut shapes, mut waiting, mut turns) = (Vec::new(), vec![schema], 0);
    while let Some(schema) = waiting.pop() {
        turns += 1;
        let Value::Object(fields) = schema else { continue };
        if turns > MAX_TURNS {
            break;
        }
        shapes.push(fields);
        waiting.extend(fields.get("anyOf").and_then(Value::as_array).into_iter().flatten().rev());
        waiting.extend(fields.get("$ref").and_then(Value::as_str).and_then(|to| resolve(root, to)));
    }
    shapes
}
