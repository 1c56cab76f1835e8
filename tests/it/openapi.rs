//! Every request that Docket makes to OpenAI is valid by OpenAI's own OpenAPI document, of which
//! `tests/openai-openapi.json` is the part about the endpoints that Docket uses (version 2.3.0, MIT).

use std::sync::LazyLock;

use docket_sandbox::Options;
use serde_json::{Map, Value, json};

use crate::harness::{Harness, contract, legal};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openai-openapi.json");
    let mut document = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    any_of(&mut document);
    document
});

/// Reads `oneOf` as `anyOf`: the document's choices overlap (a message with a role and a content fits three of them), and
/// are told apart by a discriminator, which JSON Schema does not know.
fn any_of(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(choices) = members.remove("oneOf") {
                members.insert("anyOf".to_owned(), choices);
            }
            members.values_mut().for_each(any_of);
        }
        Value::Array(items) => items.iter_mut().for_each(any_of),
        _ => {}
    }
}

/// Requests that the cut document does not describe: it was cut before containers were read from. They are in OpenAI's API
/// reference and its official libraries; and where tokens are given is no part of the API.
const UNDOCUMENTED: [&str; 6] = [
    "get /containers/{container_id}/files",
    "get /containers/{container_id}/files/{file_id}/content",
    "post /containers",
    "post /containers/{container_id}/files",
    "post /oauth/token",
    "post /{tenant}/oauth2/v2.0/token",
];

/// Whether the document has an operation for such a request.
pub fn is_documented(method: &str, path: &str) -> bool {
    let (method, path) = (method.to_lowercase(), path.strip_prefix("/v1").unwrap_or(path));
    let known = UNDOCUMENTED.iter().any(|known| fits(known, &format!("{method} {path}")));
    known || operation(&method, path).is_some()
}

/// What is wrong with a request of the journal, by the document.
pub fn faults(request: &Value) -> Vec<String> {
    let method = request["method"].as_str().unwrap().to_lowercase();
    let path = request["path"].as_str().unwrap().strip_prefix("/v1").unwrap();
    if UNDOCUMENTED.iter().any(|known| fits(known, &format!("{method} {path}"))) {
        return Vec::new();
    }
    let Some(operation) = operation(&method, path) else {
        return vec![format!("{method} {path} is not in the document")];
    };
    let mut faults = query_faults(operation, &request["query"]);
    let Some(content) = operation["requestBody"]["content"].as_object() else {
        if request["body_bytes"] != 0 {
            faults.push("it carries a body that the document does not know".to_owned());
        }
        return faults;
    };
    if let Some(schema) = content.get("application/json").map(|content| &content["schema"]) {
        faults.extend(schema_faults(schema, &request["json"]));
    } else if let Some(schema) = content.get("multipart/form-data").map(|content| &content["schema"]) {
        // The parts of a form that a fault refused at once were not read.
        if request["outcome"] == 200 || request["faults"].is_null() {
            faults.extend(schema_faults(schema, &multipart(&request["parts"])));
        }
    }
    faults
}

/// The operation for a path with its ids filled in.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let mut found: Vec<_> =
        DOCUMENT["paths"].as_object()?.iter().filter(|(template, _)| fits(template, path)).collect();
    // `/responses/compact` before `/responses/{id}`.
    found.sort_by_key(|(path, _)| path.matches('{').count());
    found.first().and_then(|(_, operations)| operations.get(method))
}

/// Whether `path` is `template` with its ids filled in.
fn fits(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && template.zip(path).all(|(part, given)| part.starts_with('{') && !given.is_empty() || part == given)
}

fn query_faults(operation: &'static Value, query: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for pair in query.as_array().into_iter().flatten() {
        let (name, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let known = parameters
            .map(resolved)
            .find(|known| known["in"] == "query" && known["name"] == name.trim_end_matches("[]"));
        match known {
            None => faults.push(format!("the query parameter {name} is not in the document")),
            Some(known) => {
                let number = value.parse::<i64>().map(Value::from).ok();
                let value =
                    number.filter(|_| known["schema"]["type"] == "integer").unwrap_or_else(|| json!(value));
                faults.extend(schema_faults(&known["schema"], &value));
            }
        }
    }
    faults
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// The fields of a form as the object that the document describes; of a file only that it is there.
fn multipart(parts: &Value) -> Value {
    let mut fields = Map::new();
    for part in parts.as_array().into_iter().flatten() {
        let value = part.get("value").cloned().unwrap_or_else(|| json!("bytes"));
        fields.insert(part["name"].as_str().unwrap().to_owned(), value);
    }
    Value::Object(fields)
}

fn schema_faults(schema: &Value, value: &Value) -> Vec<String> {
    let whole = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
    let validator = jsonschema::options().build(&whole).expect("the document's schemas are sound");
    validator.iter_errors(value).map(|error| format!("{error} at {}", error.instance_path())).collect()
}

/// Demands that every request in the journal is valid.
pub async fn all_valid(h: &Harness) {
    let requests = h.openai_requests().await;
    assert!(!requests.is_empty());
    for request in requests {
        let faults = faults(&request);
        assert!(faults.is_empty(), "{} {}: {faults:#?}\n{request:#}", request["method"], request["path"]);
    }
}

#[tokio::test]
async fn every_request_is_valid_by_openais_document() {
    let h = Harness::start().await;
    h.openai_fails(json!({"kind": "lost_reply", "probability": 0.3, "seed": 11})).await;
    for n in 0..4 {
        h.put(&format!("/{n}.txt"), &format!("text {n}")).await;
    }
    h.put("/table.csv", "a,b\n1,2\n").await;
    h.converges().await;
    h.put("/0.txt", "an edit").await;
    h.rename("/1.txt", "/a folder/\"quoted\" ünï.txt").await;
    h.trash("/2.txt").await;
    h.converges().await;
    all_valid(&h).await;
    h.finish().await;
}

/// Which operations a journal holds, as the document names them.
fn operations(requests: &[Value]) -> std::collections::BTreeSet<String> {
    let templates: Vec<&String> = DOCUMENT["paths"].as_object().unwrap().keys().collect();
    let undocumented = UNDOCUMENTED.iter().map(|known| known.split_once(' ').unwrap().1.to_owned());
    let templates: Vec<String> = templates.into_iter().cloned().chain(undocumented).collect();
    let name = |request: &Value| {
        let path = request["path"].as_str().unwrap().strip_prefix("/v1").unwrap();
        let mut fitting: Vec<&String> = templates.iter().filter(|template| fits(template, path)).collect();
        fitting.sort_by_key(|template| template.matches('{').count());
        format!("{} {}", request["method"].as_str().unwrap(), fitting.first().map_or(path, |name| name))
    };
    requests.iter().map(name).collect()
}

#[tokio::test]
async fn every_request_of_a_run_is_valid_by_openais_document() {
    let everything = "attach = ['input_file', 'file_search', 'code_interpreter']\nmax_output_tokens = 5000";
    let h = Harness::with(&legal(everything)).await;
    h.openai_fails(json!([
        {"kind": "lost_reply", "method": "POST", "path": "/v1/responses", "count": 1},
        {"kind": "slow_run", "skip": 2, "count": 1},
    ]))
    .await;
    for number in 1..=3 {
        h.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
    }
    h.converges().await;
    all_valid(&h).await;
    let mut made = operations(&h.openai_requests().await);
    made.retain(|one| ["responses", "conversations", "containers"].iter().any(|part| one.contains(part)));
    let expected = [
        "DELETE /conversations/{conversation_id}",
        "GET /containers/{container_id}/files",
        "GET /containers/{container_id}/files/{file_id}/content",
        "GET /conversations/{conversation_id}/items",
        "GET /responses/{response_id}",
        "POST /conversations",
        "POST /responses",
        "POST /responses/{response_id}/cancel",
    ];
    assert_eq!(
        made.iter().map(String::as_str).collect::<Vec<_>>(),
        expected,
        "what was not asked was not checked"
    );

    let settings =
        legal("engine = 'assistants'\nassistant = 'asst_1'\nattach = ['file_search', 'code_interpreter']")
            .replace("model = 'sandbox-rules'", "");
    h.finish().await;

    let h = Harness::between(&settings, Options { assistants: true, ..Options::default() }).await;
    h.openai_fails(json!([
        {"kind": "lost_reply", "method": "POST", "path": "/v1/threads/*/runs", "count": 1},
        {"kind": "slow_run", "skip": 1, "count": 1},
    ]))
    .await;
    for number in 1..=2 {
        h.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
    }
    h.converges().await;
    all_valid(&h).await;
    let mut made = operations(&h.openai_requests().await);
    made.retain(|one| one.contains("threads"));
    let expected = [
        "DELETE /threads/{thread_id}",
        "GET /threads/{thread_id}/messages",
        "GET /threads/{thread_id}/runs",
        "GET /threads/{thread_id}/runs/{run_id}",
        "POST /threads",
        "POST /threads/{thread_id}/runs",
        "POST /threads/{thread_id}/runs/{run_id}/cancel",
    ];
    assert_eq!(
        made.iter().map(String::as_str).collect::<Vec<_>>(),
        expected,
        "what was not asked was not checked"
    );
    h.finish().await;
}

#[test]
fn an_invalid_request_is_found() {
    let request = json!({"method": "POST", "path": "/v1/vector_stores/vs_1/files", "query": [], "body_bytes": 9,
                         "json": {"file_id": 7}});
    assert!(!faults(&request).is_empty());
    let request =
        json!({"method": "GET", "path": "/v1/files", "query": [["order", "sideways"]], "body_bytes": 0});
    assert!(!faults(&request).is_empty());
    let request = json!({"method": "GET", "path": "/v1/filez", "query": [], "body_bytes": 0});
    assert!(!faults(&request).is_empty());
}
