//! `docket mcp`: the same over standard input and output, beside the database or through a server.

use serde_json::{Value, json};

use super::Told;
use crate::api::{ADMIN, VIEW, World};

/// Lines as an older client sends them.
fn conversation() -> String {
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let current = json!({"name": "is_current", "arguments": {"file": "/Contracts/1.txt"}});
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
        json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": current}),
        json!("no message"),
    ];
    lines.map(|line| format!("'{line}'")).join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_is_answered_beside_the_database_and_through_a_server() {
    let mut world = World::start().await;
    let operate = world.operate.clone();
    let talk = |environment: &[(&str, &str)], options: &str| {
        let script = format!("printf '%s\\n' {} | docket mcp {options}", conversation());
        let run = world.at(environment).shell(&script);
        assert_eq!(run.code, 0, "{run:?}");
        let answers: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), 4, "a notification is not answered: {answers:#?}");
        assert_eq!(answers[0]["result"]["protocolVersion"], "2025-11-25");
        assert_eq!(answers[3]["error"]["code"], -32_600, "{answers:#?}");
        let told = Told::of(&answers[2]["result"]);
        (answers[1]["result"]["tools"].as_array().unwrap().len(), told.head["sentence"].clone())
    };
    let (tools, sentence) = talk(&[], "");
    assert!(sentence.as_str().unwrap().starts_with("/Contracts/1.txt is current: "), "{sentence}");
    let through = [("DOCKET_SERVER", operate.as_str()), ("DOCKET_ADMIN_TOKEN", ADMIN)];
    assert_eq!(talk(&through, ""), (tools, sentence.clone()));
    let looking = [("DOCKET_SERVER", operate.as_str()), ("DOCKET_VIEW_TOKEN", VIEW)];
    assert_eq!(talk(&looking, ""), (tools - 4, sentence.clone()));
    assert_eq!(talk(&[], "--read-only"), (tools - 4, sentence));
    let wrong = world.at(&through[..1]).shell(&format!("printf '%s\\n' {} | docket mcp", conversation()));
    let first: Value = serde_json::from_str(wrong.out.lines().next().unwrap()).unwrap();
    assert!(first["error"]["message"].as_str().unwrap().contains("DOCKET_ADMIN_TOKEN"), "{first:#}");
    assert_eq!(world.server.stop(), 0);
}
