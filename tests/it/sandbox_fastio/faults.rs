//! Faults that concern Fastio's state or contents; those of any request are tested with the server.

use reqwest::Method;
use serde_json::json;

use super::{Fastio, WS, at, good, refused};

#[tokio::test]
async fn a_download_can_break_in_every_way_a_network_has() {
    let fastio = Fastio::start().await;
    let put = fastio.control(Method::PUT, &format!("files/{WS}/big.txt?generate=500000&seed=1"));
    let node = good(put).await["node_id"].as_str().unwrap().to_owned();
    let read = || async { fastio.api(Method::GET, &at(&node, "read")).send().await.unwrap().bytes().await };
    for kind in ["reset_during_reply", "truncated_download"] {
        fastio.fault(json!({"kind": kind, "count": 1, "path": "/current/**/read/"})).await;
        assert!(read().await.is_err(), "{kind}");
        assert_eq!(read().await.unwrap().len(), 500_000);
    }
    fastio.fault(json!({"kind": "wrong_length", "count": 1})).await;
    assert_eq!(read().await.unwrap().len(), 250_000, "only the size or the hash can tell");
}

#[tokio::test]
async fn a_refusal_by_a_fault_wears_the_envelope() {
    let fastio = Fastio::start().await;
    fastio.fault(json!({"kind": "rate_limit", "count": 1})).await;
    let limited = fastio.api(Method::GET, "user/auth/check/").send().await.unwrap();
    assert_eq!(
        (limited.status().as_u16(), &limited.headers()["x-ve-limit-avail"]),
        (429, &"0".parse().unwrap())
    );
    assert_eq!(limited.json::<serde_json::Value>().await.unwrap()["error"]["code"], 1671);
    fastio.fault(json!({"kind": "unauthorized", "count": 1})).await;
    assert_eq!(refused(fastio.api(Method::GET, "user/auth/check/")).await, (401, 1650));
}

#[tokio::test]
async fn a_new_node_can_be_hidden_and_the_storage_full() {
    let fastio = Fastio::start().await;
    let node = fastio.put_id("a.txt", "x").await;
    fastio.fault(json!({"kind": "not_found_after_create", "window_ms": 5_000})).await;
    assert_eq!(refused(fastio.api(Method::GET, &at(&node, "details"))).await.0, 404);
    assert_eq!(refused(fastio.api(Method::GET, &at(&node, "read"))).await.0, 404);
    good(fastio.control(Method::POST, "clock").json(&json!({"advance_ms": 6_000}))).await;
    fastio.get(&at(&node, "details")).await;
    fastio.fault(json!({"kind": "storage_full", "count": 1})).await;
    let form = [("name", "x"), ("size", "1")];
    assert_eq!(refused(fastio.api(Method::POST, "upload/").form(&form)).await.0, 402);
}
