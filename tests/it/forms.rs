//! A delivery that Fastio signed has its effect whatever it looks like, at once and not with the next sweep: nothing here
//! ever sweeps.

use serde_json::{Value, json};

use crate::harness::{Harness, ONE_STORE, WORKSPACE};

/// What is told of.
struct Told<'a> {
    /// The folder's id.
    node: &'a str,
    deleted: bool,
    /// Of its own, where the form has one.
    id: String,
}

/// A form, with a name for who reads what failed.
type Form = (&'static str, fn(&Told) -> Value);

/// How it may be told. The last ones name less and less of the place.
const FORMS: [Form; 16] = [
    (
        "flat",
        |t| json!({"event_id": t.id, "event": folder(t), "workspace_id": WORKSPACE, "object_id": t.node}),
    ),
    (
        "flat, by the folder's id",
        |t| json!({"event_id": t.id, "event": folder(t), "workspace_id": WORKSPACE, "folder_id": t.node}),
    ),
    (
        "flat, as a file",
        |t| json!({"event_id": t.id, "event": folder(t), "workspace_id": WORKSPACE, "file_id": t.node}),
    ),
    (
        "a file's event about a folder",
        |t| json!({"event_id": t.id, "event": "file.deleted", "workspace_id": WORKSPACE, "file_id": t.node}),
    ),
    (
        "data.file_id",
        |t| json!({"id": t.id, "type": folder(t), "data": {"file_id": t.node, "workspace_id": WORKSPACE}}),
    ),
    (
        "data.folder_id",
        |t| json!({"id": t.id, "type": folder(t), "data": {"folder_id": t.node, "workspace_id": WORKSPACE}}),
    ),
    (
        "data.id",
        |t| json!({"id": t.id, "type": folder(t), "data": {"id": t.node, "workspace_id": WORKSPACE}}),
    ),
    (
        "data.folder.id",
        |t| json!({"id": t.id, "type": folder(t), "data": {"folder": {"id": t.node}, "workspace": {"id": WORKSPACE}}}),
    ),
    (
        "as Fastio prints it",
        |t| json!({"eventId": t.id, "eventType": verb(t), "workspaceId": WORKSPACE, "fileId": t.node}),
    ),
    (
        "as Fastio prints it, of a folder",
        |t| json!({"eventId": t.id, "eventType": verb(t), "workspaceId": WORKSPACE, "folderId": t.node}),
    ),
    (
        "under a name nobody knows",
        |t| json!({"eventId": t.id, "eventType": "tree_shaken", "workspaceId": WORKSPACE, "nodeId": t.node}),
    ),
    (
        "without a name and an id",
        |t| json!({"resource": {"id": t.node}, "workspace": WORKSPACE, "deleted": t.deleted}),
    ),
    (
        "in a list, inside an object",
        |t| json!({"events": [{"payload": {"item": {"id": t.node}, "workspaceId": WORKSPACE}}]}),
    ),
    (
        "an id that is not the folder's",
        |t| json!({"event_id": t.id, "event": folder(t), "workspace_id": WORKSPACE, "object_id": "2none-0f0ur"}),
    ),
    (
        "no place but the workspace",
        |t| json!({"event_id": t.id, "event": folder(t), "workspace_id": WORKSPACE, "where": [t.node]}),
    ),
    ("no place at all", |t| json!({"what": verb(t), "where": [WORKSPACE, t.node]})),
];

fn folder(told: &Told) -> &'static str {
    if told.deleted { "workspace_storage_folder_deleted" } else { "workspace_storage_folder_restored" }
}

fn verb(told: &Told) -> &'static str {
    if told.deleted { "delete" } else { "upload" }
}

#[tokio::test]
async fn a_folder_that_is_deleted_and_restored_is_so_in_whatever_form_it_is_told() {
    let h = Harness::with(ONE_STORE).await;
    let files: Vec<String> = (0..5).map(|number| format!("/Old/{number}.txt")).collect();
    for file in &files {
        h.put(file, file).await;
    }
    h.put("/other.txt", "stays").await;
    h.converges().await;
    let node = h.node("/Old").await;
    // Only the forms below tell of what happens now.
    h.fastio_fails(json!({"kind": "webhook_dropped"})).await;
    for (place, (name, form)) in FORMS.iter().enumerate() {
        let tell = async |deleted: bool| {
            let told = Told { node: &node, deleted, id: format!("evt_{place}_{deleted}") };
            assert_eq!(h.deliver(form(&told).to_string().as_bytes()).await, 202, "{name}");
            h.settle().await;
            // Signed in another second: what has no id is another event then.
            h.pass(1_000);
        };
        h.trash("/Old").await;
        tell(true).await;
        assert_eq!(h.held().await, ["/other.txt"], "{name}: deleted");
        h.restore("/Old").await;
        tell(false).await;
        assert_eq!(h.held().await.len(), 6, "{name}: restored");
        h.agrees().await;
    }
    h.finish().await;
}

#[tokio::test]
async fn what_strict_json_refuses_is_taken_and_has_its_effect() {
    let h = Harness::with(ONE_STORE).await;
    h.fastio_fails(json!({"kind": "webhook_dropped"})).await;
    for (number, odd) in
        [r#""\ud83d""#, "1e400", "-1E+999", "99999999999999999999999999999", "\"\t\"", "\"\u{fffd}\""]
            .into_iter()
            .enumerate()
    {
        let node = h.put(&format!("/{number}.txt"), odd).await;
        let body = format!(
            "\u{feff}{{\"odd\":{odd},\"event\":\"file.added\",\"workspace_id\":\"{WORKSPACE}\",\"file_id\":\"{node}\"}}"
        );
        assert_eq!(h.deliver(body.as_bytes()).await, 202, "{odd}");
        h.converges().await;
    }
    let node = h.put("/latin.txt", "x").await;
    let tail =
        format!("\",\"event\":\"file.added\",\"workspace_id\":\"{WORKSPACE}\",\"file_id\":\"{node}\"}}");
    let body = [&b"{\"name\":\"Gr\xfc\xdfe"[..], tail.as_bytes()].concat();
    assert_eq!(h.deliver(&body).await, 202);
    h.finish().await;
}

#[tokio::test]
async fn deliveries_that_name_no_place_cost_a_listing_now_and_then() {
    let h = Harness::with(ONE_STORE).await;
    h.put("/a.txt", "x").await;
    h.converges().await;
    h.fastio_fails(json!({"kind": "webhook_dropped"})).await;
    let (before, begun) = (h.fastio_requests().await.len(), h.clock.now());
    for number in 0..50 {
        h.put("/b.txt", &number.to_string()).await;
        let body = json!({"event_id": format!("evt_{number}"), "event": "moon_landed"}).to_string();
        assert_eq!(h.deliver(body.as_bytes()).await, 202);
        h.take_in().await;
        while h.work_one().await {}
    }
    let asked = h.fastio_requests().await.len() - before;
    assert!(asked < 10, "{asked} requests for 50 deliveries");
    // What was told of meanwhile is found after the rest.
    h.converges().await;
    assert!(h.clock.now() - begun >= 5 * 60 * 1000, "it did not rest");
    h.finish().await;
}

#[tokio::test]
async fn odd_ids_in_openais_webhooks_leave_no_job() {
    let h = Harness::with(ONE_STORE).await;
    let long = "r".repeat(300);
    let odd =
        ["..", ".", "a/b", "resp_?x=1", "resp_ü", "resp_\n", "x", "resp_unknown", "resp_", "%2e%2e", &long];
    for (number, response) in odd.into_iter().enumerate() {
        assert_eq!(h.openai_webhook(&format!("wh_{number}"), "response.completed", response).await, 202);
    }
    h.settle().await;
    assert!(h.jobs().await.is_empty(), "{:#?}", h.jobs().await);
    h.finish().await;
}
