//! What there is besides files: the organisation, who may use what, comments, and what a file is said to be.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Fastio, WS, at, good, refused};

const SHARE: &str = "5510392857104938271";

fn ids(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn organisation_workspaces_shares_and_members_are_listed() {
    let fastio = Fastio::start().await;
    fastio.put("a.txt", "x").await;
    good(fastio.control(Method::PUT, &format!("profiles/share:{SHARE}"))).await;
    let orgs = fastio.get("orgs/list/").await;
    let org = orgs["orgs"][0]["id"].as_str().unwrap();
    assert_eq!(fastio.get(&format!("org/{org}/details/")).await["org"]["id"], orgs["orgs"][0]["id"]);
    assert_eq!(ids(&fastio.get(&format!("org/{org}/list/workspaces/")).await["workspaces"]), [WS]);
    assert_eq!(ids(&fastio.get("workspaces/all/").await["workspaces"]), [WS]);
    assert_eq!(ids(&fastio.get("shares/all/?limit=1").await["shares"]), [SHARE]);
    let members = fastio.get(&format!("workspace/{WS}/members/list/")).await;
    assert_eq!(members["members"][0]["permissions"], "owner");
    assert_eq!(members["pagination"], json!({"total": 1, "limit": 100, "offset": 0, "has_more": false}));
    let other = fastio.api(Method::GET, "org/1111111111111111111/details/");
    assert_eq!(refused(other).await, (403, 10_545));
    assert_eq!(refused(fastio.api(Method::GET, "workspace/1/members/list/")).await.0, 404);
}

#[tokio::test]
async fn a_comment_is_its_author_s_own() {
    let fastio = Fastio::start().await;
    let node = fastio.put_id("a.txt", "x").await;
    let path = format!("comments/workspace/{WS}/{node}/");
    let comment = |key: &str, body: Value| fastio.api_as(key, Method::POST, &path).json(&body);
    let first = good(comment("ann", json!({"body": "Is this signed?"}))).await["comment"].clone();
    let id = first["id"].as_str().unwrap();
    assert!(id.starts_with("ca"), "{id}");
    good(comment("bob", json!({"body": "Yes.", "parent_id": id}))).await;
    let listed = fastio.get(&path).await;
    assert_eq!(listed["comments"].as_array().unwrap().len(), 2);
    assert_eq!(listed["comments"][1]["parent_id"], first["id"]);
    let change = fastio.api_as("bob", Method::POST, &format!("comments/{id}/update/"));
    assert_eq!(refused(change.json(&json!({"body": "No"}))).await.0, 403);
    assert_eq!(refused(comment("ann", json!({"body": " "}))).await, (406, 205_516));
    fastio.delete(&format!("comments/{id}/delete/")).await;
    assert_eq!(
        fastio.get(&format!("comments/workspace/{WS}/")).await["comments"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_file_that_is_described_is_updated_without_a_new_version() {
    let fastio = Fastio::start().await;
    let put = fastio.put("a.txt", "x").await;
    let node = put["node_id"].as_str().unwrap();
    let form = [("metadata_title", "Master agreement"), ("metadata_short", "Signed in May")];
    let updated = fastio.post(&at(node, "update"), &form).await["node"].clone();
    assert_eq!(updated["version"], put["version"]);
    assert_eq!(
        updated["summary"],
        json!({"title": "Master agreement", "short": "Signed in May", "long": null})
    );
    assert!(updated["previews"].is_object() && updated["file_attributes"].is_object());
    let events = fastio.events().await;
    assert_eq!(events, ["workspace_storage_file_added", "workspace_storage_file_updated"]);
    let cleared = fastio.post(&at(node, "update"), &[("metadata_title", "null")]).await;
    assert_eq!(cleared["node"]["summary"]["title"], Value::Null);
}

#[tokio::test]
async fn whether_the_service_is_there_is_asked_without_a_key() {
    let fastio = Fastio::start().await;
    let url = fastio.sandbox.fastio_url().join("system/ping/").unwrap();
    assert_eq!(fastio.http.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_refusal_for_haste_says_when_to_come_back_in_fastio_s_own_header_alone() {
    let fastio = Fastio::start().await;
    fastio.fault(json!({"kind": "rate_limit", "retry_after_seconds": 3, "count": 1})).await;
    let reply = fastio.api(Method::GET, "orgs/list/").send().await.unwrap();
    assert_eq!(reply.status(), 429);
    assert!(
        reply.headers().contains_key("x-ve-limit-expires") && !reply.headers().contains_key("retry-after")
    );
    let body: Value = reply.json().await.unwrap();
    assert_eq!(body["error"]["resource"], "GET Orgs List");
}

#[tokio::test]
async fn a_hit_shows_the_text_as_it_is_written() {
    let fastio = Fastio::start().await;
    fastio.put("a.txt", "The SUPPLIER's Liability is capped.").await;
    let found = fastio.get(&format!("workspace/{WS}/storage/search/?search=liability")).await;
    let row = found["files"].as_object().unwrap().values().next().unwrap();
    assert_eq!(row["content_snippet"], "The SUPPLIER's Liability is capped.");
    assert_eq!((&row["raw_score"], &row["best_chunk"]["position"]), (&row["relevance_score"], &json!(0)));
}

#[tokio::test]
async fn a_parent_event_is_searched_for_alone() {
    let fastio = Fastio::start().await;
    let search = |query: &str| fastio.api(Method::GET, &format!("events/search/?{query}"));
    assert_eq!(good(search("parent_event_id=x&limit=5")).await["events"], json!([]));
    assert_eq!(refused(search(&format!("parent_event_id=x&workspace_id={WS}"))).await.0, 406);
    let long = "x".repeat(101);
    assert_eq!(refused(search(&format!("workspace_id={WS}&event={long}"))).await.0, 406);
}
