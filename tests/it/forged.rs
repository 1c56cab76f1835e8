//! Attributes that a stranger wrote into our vector store: a key of the project is enough for it. They lead to no
//! deletion of what is theirs, and are not believed against Fastio and the File objects.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Harness, SWEEPING, WORKSPACE};

/// Three files, held.
async fn with_files() -> Harness {
    let h = Harness::with(SWEEPING).await;
    for name in ["a", "b", "c"] {
        h.put(&format!("/{name}.txt"), &format!("The file {name}.")).await;
    }
    h.converges().await;
    h
}

/// The attributes of the copy of the file at `path`.
async fn attributes(h: &Harness, path: &str) -> Value {
    h.copies().await.into_iter().find(|copy| copy.path() == path).unwrap().attributes
}

/// A stranger puts a file with these attributes into our store. Answers its id.
async fn forge(h: &Harness, (name, content): (&str, &str), attributes: Value) -> String {
    let file = h.upload_as_stranger(name, content).await;
    let files = format!("vector_stores/{}/files", h.store_id("all").await);
    h.stranger(Method::POST, &files, json!({"file_id": file, "attributes": attributes})).await;
    file
}

#[tokio::test]
async fn forged_attributes_are_not_restored_and_what_carries_them_stays() {
    let mut h = with_files().await;
    let ours: Vec<String> = h.copies().await.into_iter().map(|copy| copy.file_id).collect();
    let uploads = h.uploads().await;
    let with = |mut attributes: Value, name: &str, value: Value| {
        attributes[name] = value;
        attributes
    };
    let (a, b) = (attributes(&h, "/a.txt").await, attributes(&h, "/b.txt").await);
    let long = "Not the file a, but many more words than that. ".repeat(9);
    let nobody = format!("workspace:{WORKSPACE}:2nobody");
    let theirs = [
        // The current version, and not its size.
        forge(&h, ("a.txt", &long), a.clone()).await,
        // An older version, under a name that the file never had.
        forge(&h, ("theirs.txt", "An older b."), with(b.clone(), "version", json!("3older"))).await,
        // A file that Fastio does not know.
        forge(&h, ("theirs.txt", "Nobody's."), with(a.clone(), "source_id", json!(nobody))).await,
        // No file at all.
        forge(
            &h,
            ("root.txt", "The root."),
            with(a.clone(), "source_id", json!(format!("workspace:{WORKSPACE}:root"))),
        )
        .await,
        // Another workspace, an unknown rule, a hash that is none, and things that are no text.
        forge(&h, ("w.txt", "w"), with(a.clone(), "workspace_id", json!("1"))).await,
        forge(&h, ("r.txt", "r"), with(a.clone(), "rule", json!("theirs"))).await,
        forge(&h, ("h.txt", "h"), with(a.clone(), "content_hash", json!("../../x"))).await,
        forge(&h, ("p.txt", "p"), with(a.clone(), "path", json!(true))).await,
        forge(&h, ("s.txt", "s"), with(a.clone(), "source_id", json!(7))).await,
    ];
    h.lose_database(SWEEPING).await;
    let rebuilt = h.feed.rebuild(&mut |_| {}).await.unwrap();
    assert_eq!((rebuilt.copies, rebuilt.unverified, rebuilt.strangers), (3, 4, 5), "{rebuilt:#?}");

    let swept = h.sweep().await;
    assert!(swept.incomplete.is_empty(), "{swept:#?}");
    h.settle().await;
    assert!(h.jobs().await.is_empty(), "{:#?}", h.jobs().await);
    let mut held: Vec<String> = h.copies().await.into_iter().map(|copy| copy.file_id).collect();
    let mut wanted: Vec<String> = ours.into_iter().chain(theirs).collect();
    held.sort();
    wanted.sort();
    assert_eq!(held, wanted, "nothing was removed, and nothing of ours is missing");
    assert_eq!(h.uploads().await, uploads + 9, "theirs");
    h.finish_leaving(&[
        "a copy that nothing needs: /a.txt (3 times)",
        "held 2 times: /b.txt",
        "held 6 times: /a.txt",
        "held otherwise than it is: /a.txt (5 times)",
        "held otherwise than it is: /b.txt",
    ])
    .await;
}

#[tokio::test]
async fn numbers_beyond_every_number_stop_no_rebuild_and_no_sweep() {
    let mut h = with_files().await;
    let list = "/v1/vector_stores/*/files";
    for (find, put) in [
        ("\"modified_at\":1", "\"modified_at\":1e400,\"was\":1"),
        ("\"modified_at\":1", "\"modified_at\":NaN,\"was\":1"),
    ] {
        h.openai_fails(json!({"kind": "changed_reply", "path": list, "find": find, "put": put})).await;
        h.lose_database(SWEEPING).await;
        let rebuilt = h.feed.rebuild(&mut |_| {}).await.unwrap();
        assert_eq!((rebuilt.copies, rebuilt.unverified), (3, 0), "{rebuilt:#?}");
        h.sweep().await;
        h.no_faults().await;
        h.settle().await;
        h.sweep().await;
        h.converges().await;
    }
    assert_eq!(h.uploads().await, 3);
    h.finish().await;
}
