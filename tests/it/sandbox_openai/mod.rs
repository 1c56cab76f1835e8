//! The OpenAI stand-in from outside: what it keeps, what it refuses, and how each of its faults looks to a client.
//! The official SDKs against it are in tests/thirdparty.

mod containers;
mod other;
mod ranges;
mod searches;
mod streams;
mod webhooks;

use std::time::Duration;

use docket_sandbox::{Options, Sandbox, start};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

struct OpenAi {
    sandbox: Sandbox,
    http: reqwest::Client,
}

async fn openai() -> OpenAi {
    with(Options::default()).await
}

async fn with(options: Options) -> OpenAi {
    let sandbox = start(options, CancellationToken::new()).await.unwrap();
    // No pool: a connection that a fault cut must not be met again.
    let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    OpenAi { sandbox, http }
}

impl OpenAi {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.sandbox.openai_url().join(path).unwrap();
        self.http.request(method, url).bearer_auth("sk-test")
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        answered(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answered(self.request(Method::POST, path).json(&body)).await
    }

    async fn delete(&self, path: &str) -> (StatusCode, Value) {
        answered(self.request(Method::DELETE, path)).await
    }

    fn upload_request(&self, filename: &str, content: &str) -> RequestBuilder {
        let part = Part::text(content.to_owned()).file_name(filename.to_owned());
        let form = Form::new().text("purpose", "assistants").part("file", part);
        self.request(Method::POST, "files").multipart(form)
    }

    async fn upload(&self, filename: &str, content: &str) -> String {
        let (status, file) = answered(self.upload_request(filename, content)).await;
        assert_eq!(status, 200, "{file}");
        file["id"].as_str().unwrap().to_owned()
    }

    async fn store(&self) -> String {
        self.post("vector_stores", json!({"name": "contracts"})).await.1["id"].as_str().unwrap().to_owned()
    }

    async fn attach(&self, store: &str, file: &str) -> (StatusCode, Value) {
        self.post(&format!("vector_stores/{store}/files"), json!({ "file_id": file })).await
    }

    /// The ids of the files that a search finds, best first.
    async fn found(&self, store: &str, query: &str) -> Vec<String> {
        let (_, page) = self.post(&format!("vector_stores/{store}/search"), json!({ "query": query })).await;
        let hits = page["data"].as_array().unwrap().iter();
        hits.map(|hit| hit["file_id"].as_str().unwrap().to_owned()).collect()
    }

    fn fault(&self, fault: Value) {
        self.sandbox.openai_core().faults.add_json(fault).unwrap();
    }

    fn advance(&self, ms: i64) {
        self.sandbox.openai_core().clock.shift(ms);
    }

    fn state(&self) -> Value {
        self.sandbox.openai().snapshot()
    }
}

async fn answered(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    assert!(response.headers().contains_key("x-request-id"));
    (response.status(), response.json().await.unwrap())
}

fn message(body: &Value) -> &str {
    body["error"]["message"].as_str().unwrap()
}

#[tokio::test]
async fn a_file_is_searchable_from_when_it_is_indexed_until_it_is_detached() {
    let openai = with(Options { index_delay: Duration::from_millis(5_000), ..Options::default() }).await;
    let (store, file) = (openai.store().await, openai.upload("a.md", "The liability is capped.").await);
    let (status, entry) = openai.attach(&store, &file).await;
    assert_eq!((status.as_u16(), &entry["status"]), (200, &json!("in_progress")));
    let path = format!("vector_stores/{store}/files/{file}");
    assert_eq!(openai.get(&path).await.1["status"], "in_progress");
    assert!(openai.found(&store, "liability").await.is_empty());
    openai.advance(5_000);
    assert_eq!(openai.get(&path).await.1["status"], "completed");
    assert_eq!(openai.found(&store, "liability").await, [file.as_str()]);
    openai.delete(&path).await;
    assert!(openai.found(&store, "liability").await.is_empty());
    assert_eq!(openai.delete(&path).await.0, 404);

    let interval = &openai.sandbox.openai().searchable()["intervals"][0];
    assert_eq!(interval["file_id"], file);
    let time = |name: &str| interval[name].as_i64().unwrap();
    assert_eq!(time("from_ms") - time("attached_ms"), 5_000);
    assert!(time("until_ms") >= time("from_ms"));
}

#[tokio::test]
async fn indexing_that_takes_no_time_is_still_in_progress_in_the_reply() {
    let openai = openai().await;
    let (store, file) = (openai.store().await, openai.upload("a.txt", "text").await);
    assert_eq!(openai.attach(&store, &file).await.1["status"], "in_progress");
    assert_eq!(
        openai.attach(&store, &file).await.1["status"],
        "completed",
        "attaching again changes nothing"
    );
    assert_eq!(openai.state()["vector_stores"][0]["file_counts"]["total"], 1);
}

#[tokio::test]
async fn a_deleted_file_stays_listed_in_its_store_until_it_is_detached() {
    let openai = openai().await;
    let (store, file) = (openai.store().await, openai.upload("a.txt", "liability").await);
    openai.attach(&store, &file).await;
    assert_eq!(openai.delete(&format!("files/{file}")).await.1["deleted"], true);
    assert_eq!(openai.get(&format!("files/{file}")).await.0, 404);
    let (_, listed) = openai.get(&format!("vector_stores/{store}/files")).await;
    assert_eq!(listed["data"][0]["id"], file);
    assert_eq!(openai.state()["vector_stores"][0]["files"][0]["file_exists"], false);
    assert_eq!(openai.delete(&format!("vector_stores/{store}/files/{file}")).await.0, 200);
}

#[tokio::test]
async fn an_upload_that_is_cut_short_creates_nothing() {
    let openai = openai().await;
    let address = openai.sandbox.openai_url();
    let address = (address.host_str().unwrap(), address.port().unwrap());
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = "POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-length: 1000\r\n\
                content-type: multipart/form-data; boundary=b\r\n\r\n--b\r\n\
                content-disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n--b\r\n\
                content-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhalf a fi";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(openai.state()["files"], json!([]));
}

#[tokio::test]
async fn what_the_real_service_refuses_is_refused() {
    let openai = openai().await;
    let (store, csv) = (openai.store().await, openai.upload("table.csv", "a,b").await);
    let (status, body) = openai.attach(&store, &csv).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (400, &json!("unsupported_file")));
    assert!(message(&body).starts_with("Files with extensions [.csv] are not supported for retrieval."));
    let (status, body) = openai.attach(&store, "file-unknown").await;
    assert_eq!((status.as_u16(), message(&body)), (404, "No such File object: file-unknown"));
    let (status, body) = openai.attach("vs_unknown", &csv).await;
    assert_eq!((status.as_u16(), message(&body)), (404, "No vector store found with id 'vs_unknown'."));
    let (status, body) = openai.attach("store", &csv).await;
    assert_eq!(status, 400);
    assert!(message(&body).ends_with("Expected an ID that begins with 'vs_'."));
    let (status, body) = openai.get(&format!("vector_stores/{store}/files/file-x")).await;
    let expected = format!("No file found with id 'file-x' in vector store '{store}'.");
    assert_eq!((status.as_u16(), message(&body)), (404, expected.as_str()));
    let (status, body) = answered(openai.upload_request("empty.txt", "")).await;
    assert_eq!((status.as_u16(), message(&body)), (400, "File is empty."));
    let (status, body) = openai.post("assistants", json!({})).await;
    assert_eq!((status.as_u16(), message(&body)), (404, "Invalid URL (POST /v1/assistants)"));
    let keyless = openai.http.get(openai.sandbox.openai_url().join("files").unwrap());
    let (status, body) = answered(keyless).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (401, &Value::Null));
}

#[tokio::test]
async fn a_store_that_expired_says_so() {
    let openai = openai().await;
    let rule = json!({"expires_after": {"anchor": "last_active_at", "days": 1}});
    let store = openai.post("vector_stores", rule).await.1["id"].as_str().unwrap().to_owned();
    let file = openai.upload("a.txt", "text").await;
    openai.attach(&store, &file).await;
    openai.advance(86_400_001);
    assert_eq!(openai.get(&format!("vector_stores/{store}")).await.1["status"], "expired");
    let (status, body) = openai.attach(&store, &file).await;
    assert_eq!(
        (status.as_u16(), message(&body)),
        (400, format!("Vector store '{store}' has expired.").as_str())
    );
}

#[tokio::test]
async fn a_lost_reply_leaves_a_file_behind() {
    let openai = openai().await;
    openai.fault(json!({"kind": "lost_reply", "method": "POST", "path": "/v1/files", "count": 1}));
    assert!(openai.upload_request("a.txt", "text").send().await.is_err());
    assert_eq!(openai.get("files").await.1["data"][0]["filename"], "a.txt");
    openai.fault(json!({"kind": "reset_after_body", "method": "POST", "path": "/v1/files", "count": 1}));
    assert!(openai.upload_request("b.txt", "text").send().await.is_err());
    assert_eq!(openai.get("files").await.1["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_fresh_can_be_hidden_for_a_while() {
    let openai = openai().await;
    let (store, file) = (openai.store().await, openai.upload("a.txt", "text").await);
    let attach = "/v1/vector_stores/*/files";
    openai.fault(json!({"kind": "not_found_after_create", "method": "POST", "path": attach, "count": 1}));
    assert_eq!(openai.attach(&store, &file).await.0, 404);
    assert_eq!(openai.attach(&store, &file).await.0, 200);
    openai.fault(json!({"kind": "not_found_after_create", "method": "GET"}));
    let path = format!("vector_stores/{store}/files/{file}");
    assert_eq!(openai.get(&path).await.0, 404);
    assert_eq!(openai.get(&format!("files/{file}")).await.0, 404);
    openai.advance(60_000);
    assert_eq!(openai.get(&path).await.0, 200);
}

#[tokio::test]
async fn indexing_sticks_or_fails_when_told_to() {
    let openai = openai().await;
    let store = openai.store().await;
    openai.fault(json!([
        {"kind": "stuck_in_progress", "count": 1},
        {"kind": "index_failure", "count": 1, "skip": 1, "code": "server_error"}
    ]));
    let mut shown = Vec::new();
    for name in ["stuck.txt", "failed.txt", "fine.txt"] {
        let file = openai.upload(name, "text").await;
        openai.attach(&store, &file).await;
        openai.advance(3_600_000);
        let (_, entry) = openai.get(&format!("vector_stores/{store}/files/{file}")).await;
        shown.push((entry["status"].clone(), entry["last_error"]["code"].clone()));
    }
    let expected = [
        (json!("in_progress"), Value::Null),
        (json!("failed"), json!("server_error")),
        (json!("completed"), Value::Null),
    ];
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn deletes_conflict_or_take_their_time_when_told_to() {
    let openai = openai().await;
    let (store, file) = (openai.store().await, openai.upload("a.txt", "liability").await);
    openai.attach(&store, &file).await;
    openai.fault(json!([{"kind": "delete_conflict", "count": 1}, {"kind": "slow_delete", "delay_ms": 4000}]));
    let (status, body) = openai.delete(&format!("files/{file}")).await;
    assert_eq!((status.as_u16(), message(&body)), (409, "File is still processing. Check back later."));
    let entry = format!("vector_stores/{store}/files/{file}");
    assert_eq!(openai.delete(&entry).await.1["deleted"], true);
    assert_eq!(openai.get(&entry).await.0, 200);
    assert_eq!(openai.found(&store, "liability").await.len(), 1);
    openai.advance(4_000);
    assert_eq!(openai.get(&entry).await.0, 404);
    openai.delete(&format!("files/{file}")).await;
    assert_eq!(openai.get(&format!("files/{file}")).await.0, 200);
    openai.advance(4_000);
    assert_eq!(openai.get(&format!("files/{file}")).await.0, 404);
}

#[tokio::test]
async fn a_deleted_file_leaves_its_stores_when_told_to() {
    let openai = openai().await;
    let store = openai.store().await;
    for (fault, status) in [(None, 200), (Some("delete_detaches"), 404)] {
        let file = openai.upload("a.txt", "liability").await;
        openai.attach(&store, &file).await;
        fault.into_iter().for_each(|kind| openai.fault(json!([{"kind": kind}])));
        openai.delete(&format!("files/{file}")).await;
        assert_eq!(openai.get(&format!("vector_stores/{store}/files/{file}")).await.0, status);
    }
}

#[tokio::test]
async fn refusals_have_openai_s_words() {
    let openai = openai().await;
    for (kind, status, family, code) in [
        ("rate_limit", 429, "requests", json!("rate_limit_exceeded")),
        ("insufficient_quota", 429, "insufficient_quota", json!("insufficient_quota")),
        ("unauthorized", 401, "invalid_request_error", json!("invalid_api_key")),
        ("forbidden", 403, "invalid_request_error", Value::Null),
        ("server_error", 500, "server_error", Value::Null),
    ] {
        openai.fault(json!({"kind": kind, "count": 1}));
        let (answered, body) = openai.get("files").await;
        assert_eq!(
            (answered.as_u16(), &body["error"]["type"], &body["error"]["code"]),
            (status, &json!(family), &code)
        );
    }
    openai.fault(json!({"kind": "storage_full", "count": 1}));
    let (status, body) = answered(openai.upload_request("a.txt", "text")).await;
    assert_eq!(status, 400);
    assert!(message(&body).starts_with("You have exceeded your file storage quota."));
}

#[tokio::test]
async fn runs_end_badly_or_late_when_told_to_and_can_be_cancelled() {
    let openai = openai().await;
    let run = json!({"model": "sandbox-rules", "background": true, "input": "Hello"});
    openai.fault(json!([
        {"kind": "slow_run", "count": 1},
        {"kind": "bad_run", "skip": 1, "count": 1, "code": "refusal"},
        {"kind": "bad_run", "skip": 1, "count": 1, "code": "max_output_tokens"},
        {"kind": "bad_run", "skip": 1, "count": 1}
    ]));
    let mut ids = Vec::new();
    for _ in 0..4 {
        let (_, response) = openai.post("responses", run.clone()).await;
        assert_eq!(response["status"], "queued");
        ids.push(format!("responses/{}", response["id"].as_str().unwrap()));
    }
    let (_, slow) = openai.get(&ids[0]).await;
    assert_eq!(slow["status"], "in_progress");
    for _ in 0..2 {
        assert_eq!(openai.post(&format!("{}/cancel", ids[0]), json!({})).await.1["status"], "cancelled");
    }
    let refused = openai.get(&ids[1]).await.1;
    assert_eq!(refused["output"][0]["content"][0]["type"], "refusal");
    let cut = openai.get(&ids[2]).await.1;
    assert_eq!(
        (&cut["status"], &cut["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    let failed = openai.get(&ids[3]).await.1;
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("failed"), &json!("server_error")));
}

#[tokio::test]
async fn the_control_paths_are_outside_of_faults_and_journal() {
    let openai = openai().await;
    openai.upload("a.txt", "text").await;
    let control = |path: &str| openai.sandbox.openai_url().join(path).unwrap();
    let faults = control("/_sandbox/faults");
    let all = json!([{"kind": "reset_before_body"}, {"kind": "latency", "delay_ms": 1}]);
    let added: Value =
        openai.http.post(faults.clone()).json(&all).send().await.unwrap().json().await.unwrap();
    assert_eq!(added["faults"][1]["id"], "fault_2");
    assert!(openai.request(Method::GET, "files").send().await.is_err());
    let removed = openai.http.delete(control("/_sandbox/faults/fault_1")).send().await.unwrap();
    assert_eq!(removed.status(), 200);
    assert_eq!(openai.get("files").await.0, 200);
    let page: Value =
        openai.http.get(control("/_sandbox/requests?since=1")).send().await.unwrap().json().await.unwrap();
    let told: Vec<(&Value, &Value)> = page["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (&entry["outcome"], &entry["faults"]))
        .collect();
    assert_eq!(told, [(&json!("reset"), &json!(["reset_before_body"])), (&json!(200), &json!(["latency"]))]);
    let first = &openai.sandbox.openai_core().journal.requests()[0];
    let parts = serde_json::to_value(&first.parts).unwrap();
    assert_eq!((&parts[0]["value"], &parts[1]["filename"]), (&json!("assistants"), &json!("a.txt")));
    let state: Value =
        openai.http.get(control("/_sandbox/state")).send().await.unwrap().json().await.unwrap();
    assert_eq!(state["files"][0]["filename"], "a.txt");
}

#[tokio::test]
async fn the_same_seed_and_requests_give_the_same_ids() {
    let (one, other) = (openai().await, openai().await);
    assert_eq!(one.upload("a.txt", "text").await, other.upload("a.txt", "text").await);
    assert_eq!(one.store().await, other.store().await);
}
