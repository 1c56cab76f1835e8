//! One entry that cannot be read is one entry: what stands beside it is seen, and nothing is removed because of it.

use serde_json::{Value, json};

use crate::harness::{FOLLOWING, Harness, SWEEPING, WORKSPACE};

/// What a service may make of `"name":"odd.txt"`, and of the fields around it.
const SPOILT: [(&str, &str); 9] = [
    ("\"name\":\"odd.txt\"", "\"name\":\"\\ud83d.txt\""),
    ("\"name\":\"odd.txt\"", "\"name\":{\"de\":\"odd.txt\"}"),
    ("\"name\":\"odd.txt\"", "\"label\":\"odd.txt\""),
    ("\"name\":\"odd.txt\"", "\"name\":null"),
    ("\"size\":11,", "\"size\":1e400,"),
    ("\"size\":11,", "\"size\":\"many\","),
    ("\"size\":11,", "\"size\":-1,"),
    ("\"type\":\"file\"", "\"type\":[\"file\"]"),
    ("\"id\":\"2", "\"id\":null,\"was\":\"2"),
];

/// Three files, one of them odd, held.
async fn with_files() -> Harness {
    let h = Harness::with(&format!("[queue]\nmax_attempts = 6\n{SWEEPING}")).await;
    h.without_webhooks().await;
    h.put("/a.txt", "The file a.").await;
    h.put("/odd.txt", "It is odd..").await;
    h.put("/b.txt", "The file b.").await;
    h.sweep().await;
    h.converges().await;
    h
}

fn changed(path: &str, (find, put): (&str, &str)) -> Value {
    json!({"kind": "changed_reply", "method": "GET", "path": path, "find": find, "put": put})
}

#[tokio::test]
async fn a_row_of_the_inventory_that_cannot_be_read_hides_nothing_and_loses_nothing() {
    for spoilt in SPOILT {
        let h = with_files().await;
        let node = h.node("/odd.txt").await;
        h.put("/new.txt", "The file n.").await;
        // Everything that Fastio says of nodes is spoilt, or only what it says of this one.
        h.fastio_fails(changed("/current/workspace/", spoilt)).await;
        let report = h.sweep().await;
        assert!(report.incomplete.is_empty() && report.stopped.is_empty(), "{spoilt:?}: {report:#?}");
        h.webhook("workspace_storage_file_updated", &node).await;
        h.settle().await;
        let held = h.held().await;
        assert!(held.len() >= 3, "{spoilt:?}: {held:?}");
        h.no_faults().await;
        h.without_webhooks().await;
        h.retry_dead().await;
        h.settle().await;
        h.sweep().await;
        h.converges().await;
        h.never_unsearchable("/a.txt").await;
        h.finish().await;
    }
}

#[tokio::test]
async fn an_unreadable_row_is_counted_and_the_others_are_compared() {
    let h = with_files().await;
    let odd = h.node("/odd.txt").await;
    h.put("/new.txt", "The file n.").await;
    h.purge("/b.txt").await;
    let inventory = format!("/current/workspace/{WORKSPACE}/storage/inventory/");
    h.fastio_fails(changed(&inventory, (&format!("\"{odd}\""), "17.5e999e"))).await;
    // That is no JSON at all, so nothing is known, and nothing removed.
    let report = h.sweep().await;
    assert_eq!((report.incomplete.len(), report.queued), (1, 0), "{report:#?}");
    h.no_faults().await;
    h.without_webhooks().await;
    h.fastio_fails(changed(&inventory, (&format!("\"{odd}\""), "[]"))).await;
    let report = h.sweep().await;
    assert_eq!((report.unreadable, report.incomplete.len()), (1, 0), "{report:#?}");
    assert_eq!((report.found["missing"], report.found["ghost"]), (1, 2), "{report:#?}");
    h.settle().await;
    assert_eq!(h.held().await, ["/a.txt", "/new.txt", "/odd.txt"]);
    h.finish().await;
}

#[tokio::test]
async fn an_unreadable_entry_of_openais_lists_hides_nothing_and_loses_nothing() {
    for path in ["/v1/vector_stores/*/files", "/v1/file*", "/v1/vector_store*"] {
        let h = with_files().await;
        h.pass(1_000);
        let odd = h.copies().await.into_iter().find(|copy| copy.path() == "/odd.txt").unwrap();
        let id = if path == "/v1/vector_store*" { h.store_id("all").await } else { odd.file_id.clone() };
        h.purge("/b.txt").await;
        h.openai_fails(changed(path, (&format!("\"id\":\"{id}\""), "\"id\":{}"))).await;
        let report = h.sweep().await;
        assert_eq!((report.unreadable > 0, report.incomplete.len()), (true, 0), "{path}: {report:#?}");
        assert_eq!(report.found["ghost"], 1, "{path}: {report:#?}");
        h.settle().await;
        h.no_faults().await;
        h.converges().await;
        assert!(h.copies().await.iter().any(|copy| copy.file_id == odd.file_id), "{path}");
        h.finish().await;
    }
}

#[tokio::test]
async fn an_entry_of_the_change_feed_that_cannot_be_read_hides_nothing() {
    let h = Harness::with(FOLLOWING).await;
    h.without_webhooks().await;
    h.feed.follow_once().await.unwrap();
    let odd = h.put("/odd.txt", "It is odd.").await;
    h.put("/a.txt", "The file a.").await;
    for put in ["\"\\ud83d\"", "1e400", "{}", "null"] {
        let spoilt = changed("/current/org/*/events/changes/", (&format!("\"{odd}\""), put));
        h.fastio_fails(spoilt).await;
        h.feed.follow_once().await.unwrap();
        h.settle().await;
        assert!(h.held().await.contains(&"/a.txt".to_owned()), "{put}");
        h.no_faults().await;
        h.without_webhooks().await;
    }
    h.finish().await;
}

/// Pages without end, in three ways.
const ENDLESS: [&str; 3] = [
    r#"{"result":true,"nodes":{"items":[]},"pagination":{"has_more":true,"next_cursor":"c{n}"}}"#,
    r#"{"result":true,"nodes":{"items":[{"id":"2same","type":"file","name":"s.txt","size":1}]},
        "pagination":{"has_more":true,"next_cursor":"c{n}"}}"#,
    r#"{"result":true,"nodes":{"items":[{"id":"2folder","type":"folder","name":"f"}]},"pagination":{"has_more":false}}"#,
];

#[tokio::test]
async fn a_listing_that_does_not_end_is_an_incomplete_one() {
    let h = with_files().await;
    for body in ENDLESS {
        for inventory in [true, false] {
            let path = if inventory {
                "/current/workspace/*/storage/inventory/"
            } else {
                "/current/workspace/*/storage/*/list/"
            };
            if !inventory {
                h.fastio_refuses("/current/workspace/*/storage/inventory/").await;
            }
            h.fastio_fails(json!({"kind": "canned_reply", "path": path, "body": body})).await;
            let report = h.sweep().await;
            let ends = inventory && body == ENDLESS[2];
            assert_eq!(
                (report.incomplete.len(), report.found["ghost"]),
                if ends { (0, 3) } else { (1, 0) },
                "{report:#?}"
            );
            h.no_faults().await;
            h.without_webhooks().await;
            h.settle().await;
        }
    }
    let list = r#"{"object":"list","data":[{"id":"file-{n}","status":"completed"}],"has_more":true}"#;
    let list = list.replace("{n}", "same\"},{\"id\":\"file-{n}");
    h.openai_fails(json!({"kind": "canned_reply", "path": "/v1/vector_stores/*/files", "body": list})).await;
    let report = h.sweep().await;
    assert_eq!(report.incomplete.len(), 1, "{report:#?}");
    h.no_faults().await;
    h.converges().await;
    assert_eq!(h.held().await, ["/a.txt", "/b.txt", "/odd.txt"]);
    h.finish().await;
}
