//! Nothing is removed or forgotten because something says "not found": the service itself has to say it, in its own words,
//! and its lists have to agree.

use serde_json::{Value, json};

use crate::harness::{Harness, ONE_STORE, WORKSPACE};

/// What gateways, proxies and frameworks answer to what they do not know or cannot reach.
const OTHERS: [&str; 17] = [
    "",
    "Not Found",
    "<html><h1>404 Not Found</h1></html>",
    "{}",
    "[]",
    r#"{"error":"Not Found"}"#,
    r#"{"error":"Not Found","status":404,"path":"/x","timestamp":"2026-11-26T00:00:00Z"}"#,
    r#"{"message":"Not Found"}"#,
    r#"{"message":"no Route matched with those values","request_id":"0a"}"#,
    r#"{"detail":"Not Found"}"#,
    r#"{"error":{"message":"tenant unknown"}}"#,
    r#"{"error":{"code":"404","message":"Resource not found"}}"#,
    r#"{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND"}}"#,
    r#"{"code":"NoSuchKey","message":"The specified key does not exist."}"#,
    r#"{"errors":[{"code":7003,"message":"Could not route to /x"}],"success":false,"result":null}"#,
    r#"{"kind":"Status","status":"Failure","message":"not found","reason":"NotFound","code":404}"#,
    r#"{"result":false,"error":"Not Found"}"#,
];

/// Something that says it exactly as Fastio does, and is not Fastio.
const AS_FASTIO: &str = r#"{"result":false,"error":{"code":133123,"text":"The node does not exist."}}"#;

/// The same for OpenAI.
const AS_OPENAI: &str =
    r#"{"error":{"message":"No such File object.","type":"invalid_request_error","param":"id","code":null}}"#;

fn settings() -> String {
    format!("[queue]\nmax_attempts = 4\n{ONE_STORE}")
}

fn not_found(method: &str, path: &str, body: &str) -> Value {
    json!({"kind": "not_found", "method": method, "path": path, "body": body})
}

/// Two files in a folder, held.
async fn with_files() -> (Harness, String) {
    let h = Harness::with(&settings()).await;
    h.put("/Contracts/msa.txt", "Liability is limited.").await;
    let node = h.put("/Contracts/nda.txt", "The parties keep silent.").await;
    h.converges().await;
    (h, node)
}

#[tokio::test]
async fn a_gateways_404_for_a_file_of_fastios_costs_no_copy() {
    let (h, node) = with_files().await;
    let nodes = format!("/current/workspace/{WORKSPACE}/storage/2*/details/");
    for body in OTHERS.iter().chain([&AS_FASTIO]) {
        h.fastio_fails(not_found("GET", &nodes, body)).await;
        h.webhook("workspace_storage_file_updated", &node).await;
        h.settle_to_dead().await;
        assert_eq!(h.held().await.len(), 2, "{body}");
        h.no_faults().await;
        h.retry_dead().await;
        h.converges().await;
    }
    h.never_unsearchable("/Contracts/nda.txt").await;
    h.finish().await;
}

#[tokio::test]
async fn a_gateway_that_answers_404_to_everything_costs_no_copy() {
    let (h, node) = with_files().await;
    for body in [OTHERS[5], OTHERS[7], AS_FASTIO] {
        h.fastio_fails(not_found("GET", "/current/workspace/", body)).await;
        h.webhook("workspace_storage_file_updated", &node).await;
        h.webhook("workspace_storage_folder_deleted", &h.folder("/Contracts").await).await;
        for _ in 0..50 {
            if !h.work_one().await {
                h.pass(10_000);
            }
            h.take_in().await;
        }
        assert_eq!(h.held().await.len(), 2, "{body}");
        h.no_faults().await;
        h.retry_dead().await;
        h.converges().await;
    }
    h.finish().await;
}

#[tokio::test]
async fn a_purged_file_is_gone_when_fastio_names_it_as_missing_beside_one_that_is_there() {
    let (h, node) = with_files().await;
    h.put("/top.txt", "At the top.").await;
    h.converges().await;
    let top = h.node("/top.txt").await;
    h.purge("/Contracts/nda.txt").await;
    h.purge("/top.txt").await;
    h.webhook("workspace_storage_file_updated", &node).await;
    h.webhook("workspace_storage_file_updated", &top).await;
    h.converges().await;
    assert_eq!(h.held().await, ["/Contracts/msa.txt"]);
    let asked = h.fastio_requests().await;
    let both = asked.iter().filter(|request| request["path"].as_str().unwrap().contains(','));
    assert_eq!(both.count(), 2, "it costs one call for each");
    h.finish().await;
}

#[tokio::test]
async fn a_refusal_that_passes_while_an_absence_is_proven_kills_no_job() {
    let (h, node) = with_files().await;
    h.purge("/Contracts/nda.txt").await;
    let both = format!("/current/workspace/{WORKSPACE}/storage/*,*/details/");
    h.fastio_fails(json!({"kind": "forbidden", "path": both, "count": 1})).await;
    h.webhook("workspace_storage_file_updated", &node).await;
    h.settle().await;
    assert_eq!(h.held().await, ["/Contracts/msa.txt"]);
    h.finish().await;
}

#[tokio::test]
async fn a_file_purged_with_its_folder_is_gone() {
    let (h, node) = with_files().await;
    h.purge("/Contracts").await;
    h.webhook("workspace_storage_file_updated", &node).await;
    h.settle().await;
    assert_eq!(h.held().await, ["/Contracts/msa.txt"], "no webhook told of the other one");
    h.finish_leaving(&["a copy that nothing needs: /Contracts/msa.txt"]).await;
}

#[tokio::test]
async fn a_purged_file_is_gone_also_where_fastio_does_not_answer_about_several_nodes() {
    let (h, node) = with_files().await;
    h.purge("/Contracts/nda.txt").await;
    let both = format!("/current/workspace/{WORKSPACE}/storage/*,*/details/");
    h.fastio_fails(not_found("GET", &both, AS_FASTIO)).await;
    h.webhook("workspace_storage_file_updated", &node).await;
    h.settle().await;
    assert_eq!(h.held().await, ["/Contracts/msa.txt"], "its folder is listed without it");
    assert!(h.jobs().await.is_empty());
    h.finish().await;
}

#[tokio::test]
async fn a_gateways_404_at_openai_forgets_nothing_that_is_to_be_deleted() {
    let (h, _) = with_files().await;
    for body in OTHERS.iter().chain([&AS_OPENAI]) {
        h.put("/Contracts/nda.txt", &format!("It goes: {body}")).await;
        h.converges().await;
        h.openai_fails(json!([
            not_found("DELETE", "/v1/", body),
            not_found("GET", "/v1/files/*", body),
            not_found("GET", "/v1/vector_stores/*/files/*", body),
        ]))
        .await;
        h.trash("/Contracts/nda.txt").await;
        h.settle_to_dead().await;
        h.no_faults().await;
        h.retry_dead().await;
        h.converges().await;
        assert_eq!(h.held().await, ["/Contracts/msa.txt"], "{body}");
    }
    h.finish().await;
}

#[tokio::test]
async fn a_deletion_whose_reply_is_lost_is_found_out_by_the_lists() {
    let (h, _) = with_files().await;
    h.openai_fails(json!({"kind": "lost_reply", "method": "DELETE", "count": 2})).await;
    h.trash("/Contracts/nda.txt").await;
    h.converges().await;
    // So is one that was deleted before us, and its store with it.
    h.delete_at_openai().await;
    h.trash("/Contracts/msa.txt").await;
    h.converges().await;
    assert!(h.held().await.is_empty());
    h.finish().await;
}

#[tokio::test]
async fn a_deletion_that_is_answered_costs_no_list() {
    let (h, _) = with_files().await;
    let before = h.openai_requests().await.len();
    h.trash("/Contracts/nda.txt").await;
    h.converges().await;
    let asked = h.openai_requests().await.split_off(before);
    let asked: Vec<String> =
        asked.iter().map(|request| request["method"].as_str().unwrap().to_owned()).collect();
    assert_eq!(asked, ["DELETE", "DELETE", "GET", "GET"]);
    h.finish().await;
}
