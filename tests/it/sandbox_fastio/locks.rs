//! Locks.

use reqwest::Method;
use serde_json::json;

use super::{Fastio, at, good, refused};

#[tokio::test]
async fn a_lock_is_held_shown_extended_and_released_with_its_token_in_the_query() {
    let fastio = Fastio::start().await;
    let node = fastio.put_id("a.txt", "text").await;
    let info = r#"{"device_name":"docket"}"#;
    let lock = fastio.post(&at(&node, "lock"), &[("duration", "60"), ("client_info", info)]).await;
    let token = lock["lock"]["lock_token"].as_str().unwrap();
    let details = fastio.get(&at(&node, "details")).await;
    assert_eq!(details["node"]["locked"], true);
    assert_eq!(details["node"]["lock_info"]["client_info"]["device_name"], "docket");
    assert!(!details.to_string().contains(token));
    assert_eq!(refused(fastio.api_as("bob", Method::POST, &at(&node, "lock"))).await.0, 423);

    good(fastio.control(Method::POST, "clock").json(&json!({"advance_ms": 50_000}))).await;
    fastio.post(&at(&node, "lock/heartbeat"), &[("lock_token", token)]).await;
    good(fastio.control(Method::POST, "clock").json(&json!({"advance_ms": 50_000}))).await;
    assert_eq!(fastio.get(&at(&node, "lock")).await["locked"], true, "the heartbeat extended it");

    let in_body = fastio.api(Method::DELETE, &at(&node, "lock")).form(&[("lock_token", token)]);
    assert_eq!(refused(in_body).await, (406, 205_516), "a body of a DELETE is not read");
    assert_eq!(fastio.state().await["locks"].as_array().unwrap().len(), 1);
    fastio.delete(&format!("{}?lock_token={token}", at(&node, "lock"))).await;
    assert!(fastio.state().await["locks"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_lock_runs_out_or_is_overridden() {
    let fastio = Fastio::start().await;
    let node = fastio.put_id("a.txt", "text").await;
    fastio.post(&at(&node, "lock"), &[("duration", "60")]).await;
    good(fastio.control(Method::POST, "clock").json(&json!({"advance_ms": 61_000}))).await;
    good(fastio.api_as("bob", Method::POST, &at(&node, "lock"))).await;
    let unlock = json!({"workspace": super::WS, "path": "a.txt"});
    good(fastio.control(Method::POST, "unlock").json(&unlock)).await;
    assert_eq!(fastio.events().await.last().unwrap(), "workspace_storage_lock_overridden");
    fastio.post(&at(&node, "lock"), &[]).await;
    let folder = fastio.post(&at("root", "createfolder"), &[("name", "F")]).await;
    let folder = folder["node"]["id"].as_str().unwrap();
    assert_eq!(refused(fastio.api(Method::POST, &at(folder, "lock"))).await.0, 406, "files only");
}
