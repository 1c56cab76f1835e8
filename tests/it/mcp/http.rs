//! The server at `/mcp` of the real program, for clients of both ways of the protocol.

use reqwest::header::{CONTENT_TYPE, ORIGIN};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::Told;
use crate::api::{ADMIN, VIEW, World};

const MODERN: &str = "2026-07-28";

/// A client with one token, which keeps nothing from one request to the next.
struct Caller<'a> {
    world: &'a World,
    token: &'a str,
}

impl Caller<'_> {
    async fn send(&self, headers: &[(&str, &str)], message: &Value) -> (StatusCode, Value) {
        let mut request = Client::new().post(format!("{}/mcp", self.world.operate)).bearer_auth(self.token);
        request = request.header("accept", "application/json, text/event-stream").json(message);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// As a client of an older revision asks.
    async fn older(&self, method: &str, params: Value) -> Value {
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let (status, answer) = self.send(&[("mcp-protocol-version", "2025-06-18")], &message).await;
        assert_eq!((status, &answer["id"]), (StatusCode::OK, &json!(7)), "{answer:#}");
        answer
    }

    /// As a client of the newer one does; its headers say what `said` says.
    async fn newer(&self, method: &str, params: Value, said: [&str; 3]) -> (StatusCode, Value) {
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {},
        });
        let message = json!({"jsonrpc": "2.0", "id": "a", "method": method, "params": params});
        let headers = [("mcp-protocol-version", said[0]), ("mcp-method", said[1]), ("mcp-name", said[2])];
        let headers: Vec<(&str, &str)> = headers.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        self.send(&headers, &message).await
    }

    async fn tools(&self) -> Vec<String> {
        let listed = self.older("tools/list", json!({})).await;
        let tools = listed["result"]["tools"].as_array().unwrap();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    async fn call(&self, name: &str, arguments: Value) -> Told {
        let answer = self.older("tools/call", json!({"name": name, "arguments": arguments})).await;
        Told::of(&answer["result"])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_of_both_revisions_are_answered_by_each_request_alone() {
    let mut world = World::start().await;
    let admin = Caller { world: &world, token: ADMIN };
    let hello = admin.older("initialize", json!({"protocolVersion": "2025-06-18", "capabilities": {}})).await;
    assert_eq!(hello["result"]["protocolVersion"], "2025-06-18");
    assert!(hello["result"]["capabilities"]["extensions"]["io.modelcontextprotocol/skills"].is_object());
    let older = admin.older("initialize", json!({"protocolVersion": "2024-11-05"})).await;
    assert_eq!(older["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(admin.older("ping", json!({})).await["result"], json!({}));

    let (status, found) = admin.newer("server/discover", json!({}), [MODERN, "server/discover", ""]).await;
    assert_eq!((status, &found["result"]["resultType"]), (StatusCode::OK, &json!("complete")), "{found:#}");
    assert_eq!(found["result"]["supportedVersions"], json!([MODERN, "2025-11-25", "2025-06-18"]));
    let current = json!({"name": "is_current", "arguments": {"file": "/Contracts/1.txt"}});
    let (status, said) =
        admin.newer("tools/call", current.clone(), [MODERN, "tools/call", "is_current"]).await;
    assert_eq!((status, &said["result"]["isError"]), (StatusCode::OK, &json!(false)), "{said:#}");
    // The words are those of the API.
    let told = Told::of(&said["result"]);
    let explained = world.get("/api/v1/explain?place=/Contracts/1.txt").await;
    assert_eq!(told.head["sentence"], explained["sentence"]);
    assert_eq!(told.head["file"]["content_hash"], explained["files"][0]["content_hash"]);

    for (said, code) in [
        (["2025-06-18", "tools/call", "is_current"], -32_020),
        (["", "tools/call", "is_current"], -32_020),
        ([MODERN, "tools/list", "is_current"], -32_020),
        ([MODERN, "tools/call", "start_run"], -32_020),
        ([MODERN, "tools/call", ""], -32_020),
    ] {
        let (status, answer) = admin.newer("tools/call", current.clone(), said).await;
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "{said:?}");
    }
    let (status, unknown) = admin.newer("prompts/list", json!({}), [MODERN, "prompts/list", ""]).await;
    assert_eq!((status, &unknown["error"]["code"]), (StatusCode::NOT_FOUND, &json!(-32_601)));
    let plain = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let (status, _) = admin.send(&[("mcp-protocol-version", MODERN)], &plain).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "without what each request has to say");
    let (status, other) = admin.send(&[("mcp-protocol-version", "1900-01-01")], &plain).await;
    assert_eq!((status, &other["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(-32_022)), "{other:#}");
    // What was on the way went by the header, so that it says something else is said first.
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "1900-01-01"});
    let apart = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}});
    for (header, code) in [(MODERN, -32_020), ("1900-01-01", -32_022)] {
        let headers = [("mcp-protocol-version", header), ("mcp-method", "tools/list")];
        let (status, answer) = admin.send(&headers, &apart).await;
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "{header}");
    }
    let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(admin.send(&[], &told).await.0, StatusCode::ACCEPTED);
    assert_eq!(world.server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_may_what_its_token_may_and_is_on_record() {
    let mut world = World::start().await;
    let (admin, viewer) = (Caller { world: &world, token: ADMIN }, Caller { world: &world, token: VIEW });
    let (all, seen) = (admin.tools().await, viewer.tools().await);
    let changing: Vec<&String> = all.iter().filter(|tool| !seen.contains(tool)).collect();
    assert_eq!(changing, ["start_run", "sync_now", "import_url", "review"]);
    let verdict =
        json!({"run": 1, "verdict": "accept", "why": "read it", "name": "Ada", "idempotency_key": "k-1"});
    let refused = viewer.call("review", verdict.clone()).await;
    assert!(refused.is_error && refused.head["status"] == 403, "{refused:#?}");
    assert!(refused.head["detail"].as_str().unwrap().contains("this needs DOCKET_ADMIN_TOKEN"));
    assert!(!viewer.call("status", json!({})).await.is_error);

    assert!(!admin.call("review", verdict.clone()).await.is_error);
    assert!(!admin.call("review", verdict).await.is_error, "told again it is answered the same");
    let skipped = admin.call("find_files", json!({"state": "skipped"})).await;
    let id = skipped.head["files"][0]["id"].as_str().unwrap().to_owned();
    assert!(!admin.call("sync_now", json!({"file": id, "idempotency_key": "k-2"})).await.is_error);
    assert!(!admin.call("sync_now", json!({"idempotency_key": "k-3"})).await.is_error);
    let import = |url: &str| json!({"url": url, "idempotency_key": "k-4", "why": "the lease"});
    let inside = admin.call("import_url", import("https://127.0.0.1/lease.txt")).await;
    assert!(inside.is_error && inside.head["status"] == 400, "{inside:#?}");
    for _ in 0..2 {
        let asked = admin.call("import_url", import("https://files.example.com/lease.txt?sig=s3cret")).await;
        assert_eq!(
            (asked.is_error, &asked.head["import"]["name"]),
            (false, &json!("lease.txt")),
            "{asked:#?}"
        );
        assert!(!asked.head.to_string().contains("s3cret"));
    }
    let audit = world.get("/api/v1/audit").await;
    let done: Vec<(&str, &str)> = audit
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["action"].as_str().unwrap(), row["name"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(
        done,
        [("import", ""), ("relist", ""), ("sync file", "an agent (MCP)"), ("accept run", "Ada")],
        "{audit:#}"
    );

    let url = format!("{}/mcp", world.operate);
    let ask = |method: Method, token: &str| Client::new().request(method, &url).bearer_auth(token);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    for (request, status) in [
        (ask(Method::POST, "no-token-of-ours").json(&body), StatusCode::UNAUTHORIZED),
        (ask(Method::POST, ADMIN).json(&body).header(ORIGIN, "http://evil.example"), StatusCode::FORBIDDEN),
        (
            ask(Method::POST, ADMIN).body("{}").header(CONTENT_TYPE, "text/plain"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (ask(Method::GET, ADMIN), StatusCode::METHOD_NOT_ALLOWED),
        (ask(Method::DELETE, ADMIN), StatusCode::METHOD_NOT_ALLOWED),
        (
            ask(Method::POST, ADMIN).body("[]").header(CONTENT_TYPE, "application/json"),
            StatusCode::BAD_REQUEST,
        ),
    ] {
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    assert_eq!(world.server.stop(), 0);
}
