use serde_json::json;

use super::*;
use crate::result::quote::Proof;

fn liability() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Liability clauses",
        "type": "object",
        "properties": {
            "summary": {"type": "string"},
            "findings": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "clause": {"type": "string", "enum": ["cap", "indemnity", "x-docket"]},
                        "quote": {"type": "string", "description": "Word for word.", "x-docket": "quote"},
                        "party": {
                            "type": ["object", "null"],
                            "properties": {"name": {"type": "string"}, "x-docket": {"type": "string"}},
                            "required": ["name", "x-docket"],
                            "additionalProperties": false
                        },
                        "also": {"type": "array", "items": {"$ref": "#/$defs/quote"}},
                        "a/b": {"anyOf": [{"$ref": "#/$defs/quote"}, {"type": "null"}]}
                    },
                    "required": ["clause", "quote", "party", "also", "a/b"],
                    "additionalProperties": false
                }
            }
        },
        "required": ["summary", "findings"],
        "additionalProperties": false,
        "$defs": {"quote": {"type": "string", "x-docket": "quote"}}
    })
}

fn parse(schema: &Value) -> Result<Schema, Problems> {
    Schema::parse("schemas/liability.json", &schema.to_string())
}

fn problems(schema: &Value) -> String {
    parse(schema).unwrap_err().to_string()
}

fn result() -> Value {
    json!({"summary": "One.", "findings": [{
        "clause": "cap", "quote": "The cap is EUR 10 in total", "party": {"name": "A", "x-docket": "B"},
        "also": ["", "All claims are excluded"], "a/b": null}]})
}

/// An object schema with these properties, all of them required.
fn object(properties: Value) -> Value {
    let required: Vec<&String> = properties.as_object().unwrap().keys().collect();
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

#[test]
fn what_is_sent_is_the_schema_without_what_strict_mode_does_not_know() {
    let schema = parse(&liability()).unwrap();
    assert_eq!(schema.name(), "Liability_clauses");
    let sent = schema.sent();
    assert_eq!(sent.get("$schema"), None);
    let row = &sent["properties"]["findings"]["items"]["properties"];
    assert_eq!(row["quote"], json!({"type": "string", "description": "Word for word."}));
    assert_eq!(sent["$defs"]["quote"], json!({"type": "string"}));
    // A property and a value of that name are no annotations.
    assert_eq!(row["party"]["properties"]["x-docket"], json!({"type": "string"}));
    assert_eq!(row["clause"]["enum"][2], "x-docket");
}

#[test]
fn a_schema_without_a_title_is_sent_under_its_file_s_name() {
    let schema = object(json!({"a": {"type": "string"}}));
    assert_eq!(parse(&schema).unwrap().name(), "liability");
    assert_eq!(Schema::parse("…", &schema.to_string()).unwrap().name(), "result");
    assert_eq!(Schema::parse("a b.c.json", &schema.to_string()).unwrap().name(), "a_b_c");
}

#[test]
fn a_schema_that_strict_mode_refuses_says_where_and_what_to_do() {
    let mut schema = liability();
    schema["additionalProperties"] = json!(true);
    let row = &mut schema["properties"]["findings"]["items"];
    row["required"] = json!(["clause", "quote", "party", "also", "missing"]);
    row["properties"]["clause"] = json!({"type": "string", "default": "cap", "format": "uri"});
    row["properties"]["party"] = json!({"oneOf": [{"type": "string"}]});
    row["properties"]["also"] = json!({"type": "array", "uniqueItems": true});
    row["properties"]["quote"] = json!({"$ref": "other.json#/quote"});
    insta::assert_snapshot!(problems(&schema), @r##"
    the schema itself: an object must have "additionalProperties": false
    /properties/findings/items: every property must be "required", and "a/b" is not; where it may be missing in a document, let it be null
    /properties/findings/items/properties/also: strict mode does not take "uniqueItems": say it in the description instead
    /properties/findings/items/properties/also: an array must say what its "items" are
    /properties/findings/items/properties/clause: strict mode does not take "default": every property is required, so a default never applies: leave it out
    /properties/findings/items/properties/clause: strict mode does not take the format "uri", only date-time, time, date, duration, email, hostname, ipv4, ipv6, uuid
    /properties/findings/items/properties/party: strict mode does not take "oneOf": use anyOf
    /properties/findings/items/properties/party: it must have a "type", or an anyOf, enum or const
    /properties/findings/items/properties/quote: $ref "other.json#/quote" leads nowhere; it must be "#" or "#/$defs/…" of this file
    /properties/findings/items: "required" names "missing", which is no property
    "##);
}

#[test]
fn the_root_must_be_a_plain_object() {
    for (schema, what) in [
        (json!({"type": "array", "items": {"type": "string"}}), "\"type\": \"object\""),
        (json!({"anyOf": [object(json!({}))]}), "must not be an anyOf"),
        (json!({"$ref": "#/$defs/a", "$defs": {"a": object(json!({}))}}), "must not be an anyOf or a $ref"),
        (json!([]), "must be an object"),
        (json!(true), "must be an object"),
    ] {
        assert!(problems(&schema).contains(what), "{schema}: {}", problems(&schema));
    }
    assert!(Schema::parse("a", "{").unwrap_err().to_string().starts_with("it is not JSON"));
}

#[test]
fn sizes_have_strict_mode_s_limits() {
    let mut deep = json!({"type": "string"});
    for _ in 0..10 {
        deep = json!({"type": "array", "items": deep});
    }
    assert!(problems(&object(json!({ "a": deep }))).contains("nest deeper than 10 levels"));
    let many: Map<String, Value> = (0..5_001).map(|n| (format!("p{n}"), json!({"type": "null"}))).collect();
    assert!(problems(&object(Value::Object(many))).contains("5001 properties, and strict mode takes 5000"));
    let values: Vec<String> = (0..1_001).map(|n| format!("v{n}")).collect();
    assert!(problems(&object(json!({"a": {"enum": values}}))).contains("1001 enum values"));
    assert!(problems(&object(json!({"a": {"enum": []}}))).contains("not empty"));
}

#[test]
fn only_a_string_can_be_a_quote() {
    let schema = object(
        json!({"a": {"type": "number", "x-docket": "quote"}, "b": {"type": "string", "x-docket": "place"}}),
    );
    insta::assert_snapshot!(problems(&schema), @r#"
    /properties/a: only a string can be a quote; it has another type
    /properties/b: "x-docket" must be "quote", not "place"
    "#);
    let nullable = object(json!({"a": {"type": ["string", "null"], "x-docket": "quote"}}));
    assert!(parse(&nullable).unwrap().has_quotes());
    assert!(!parse(&object(json!({"a": {"type": "string"}}))).unwrap().has_quotes());
}

#[test]
fn quotes_are_found_wherever_the_schema_has_them() {
    let schema = parse(&liability()).unwrap();
    let mut result = result();
    result["findings"][0]["a/b"] = json!("No warranty");
    let expected = [
        ("/findings/0/quote", "The cap is EUR 10 in total"),
        ("/findings/0/also/0", ""),
        ("/findings/0/also/1", "All claims are excluded"),
        ("/findings/0/a~1b", "No warranty"),
    ];
    assert_eq!(schema.quotes(&result), expected.map(|(pointer, text)| (pointer.to_owned(), text)));
    for (pointer, text) in schema.quotes(&result) {
        assert_eq!(result.pointer(&pointer), Some(&json!(text)));
    }
    let checks = schema.check(&result, &Document::new("…\nThe cap is EUR 10 in\ntotal."));
    let verified: Vec<bool> = checks.iter().map(|check| check.proof.is_verified()).collect();
    assert_eq!(verified, [true, false, false, false]);
    assert_eq!(checks[1].proof, Proof::TooShort);
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let node = object(json!({
        "quote": {"type": "string", "x-docket": "quote"},
        "left": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        "right": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
    }));
    let mut root = object(json!({"tree": {"$ref": "#/$defs/node"}}));
    root["$defs"] = json!({"node": node, "void": {"$ref": "#/$defs/void"}});
    let schema = parse(&root).unwrap();
    let leaf = json!({"quote": "b", "left": null, "right": null, "children": []});
    let result = json!({"tree": {"quote": "a", "left": leaf, "right": null, "children": [leaf]}});
    schema.validate(&result).unwrap();
    let pointers: Vec<String> = schema.quotes(&result).into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(pointers, ["/tree/children/0/quote", "/tree/left/quote", "/tree/quote"]);
    assert_eq!(schema.tables()[0].pointer, "/tree/children");
    assert!(schema.tables()[0].columns.len() <= 256);
}

#[test]
fn an_answer_that_is_made_to_be_deep_or_long_is_walked_once() {
    let node = |quote: &str| {
        object(json!({
            quote: {"type": "string", "x-docket": "quote"},
            "next": {"anyOf": [{"$ref": "#/$defs/one"}, {"$ref": "#/$defs/other"}, {"type": "null"}]},
        }))
    };
    let mut root = object(json!({
        "tree": {"anyOf": [{"$ref": "#/$defs/one"}, {"$ref": "#/$defs/other"}]},
        "quotes": {"type": "array", "items": {"type": "string", "x-docket": "quote"}},
    }));
    root["$defs"] = json!({"one": node("first"), "other": node("second")});
    let schema = parse(&root).unwrap();
    // Over both alternatives at each level this would be 2^60 looks.
    let tree = (0..60).fold(Value::Null, |next, _| json!({"first": "a", "second": "b", "next": next}));
    let result = json!({"tree": tree, "quotes": vec![""; 60_000]});
    assert_eq!(schema.quotes(&result).len(), 60 * 2 + 60_000);
    assert_eq!(schema.members(&result).len(), 60 * 2 + 2);
    let problems = schema.validate(&result).unwrap_err();
    assert!(problems.to_string().contains("nested more than 16 deep"), "{problems}");
}

#[test]
fn a_result_that_does_not_fit_says_where_and_nothing_of_what_it_holds() {
    let schema = parse(&liability()).unwrap();
    schema.validate(&result()).unwrap();
    let mut wrong = result();
    wrong["findings"][0]["clause"] = json!("secret text of a contract");
    wrong["extra"] = json!(1);
    let problems = schema.validate(&wrong).unwrap_err();
    assert_eq!(problems.0.len(), 2, "{problems}");
    assert!(problems.to_string().contains("/findings/0/clause"), "{problems}");
    assert!(!problems.to_string().contains("secret"), "{problems}");
}

#[test]
fn a_table_has_its_columns_in_the_order_of_required() {
    let schema = parse(&liability()).unwrap();
    let [table] = schema.tables() else { panic!("{:?}", schema.tables()) };
    assert_eq!(table.pointer, "/findings");
    let columns: Vec<(&str, bool)> =
        table.columns.iter().map(|column| (column.name.as_str(), column.quote)).collect();
    let expected = [
        ("clause", false),
        ("quote", true),
        ("party.name", false),
        ("party.x-docket", false),
        ("also", true),
        ("a/b", true),
    ];
    assert_eq!(columns, expected);
    let result = result();
    let rows = schema.rows(table, &result);
    assert_eq!(rows[0].pointer, "/findings/0");
    assert_eq!(rows[0].cells[2], Cell { pointer: "/findings/0/party/name".into(), value: Some(&json!("A")) });
    assert_eq!(rows[0].cells[5].pointer, "/findings/0/a~1b");
    assert_eq!(schema.rows(table, &json!({"findings": null})), []);
    let without = json!({"findings": [{"party": null}]});
    assert!(schema.rows(table, &without)[0].cells.iter().all(|cell| cell.value.is_none()));
}
