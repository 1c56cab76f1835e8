//! What was final has a way back without editing the file.

use serde_json::json;

use crate::harness::{Harness, ONE_STORE, Server};

/// OpenAI itself refuses this content, once.
fn refusal() -> serde_json::Value {
    json!({"kind": "refusal", "status": 413, "message": "The file is too large.", "method": "POST", "path": "/v1/files",
        "count": 1})
}

#[tokio::test]
async fn a_changed_rule_or_another_version_tries_again_what_was_final() {
    let mut h = Harness::start().await;
    h.openai_fails(refusal()).await;
    h.put("/a.txt", "text").await;
    h.settle().await;
    assert_eq!(h.skipped().await.len(), 1);
    h.restart(ONE_STORE).await;
    assert_eq!(h.settle().await, 0, "nothing has changed, so nothing is tried again");
    h.restart(&format!("{ONE_STORE}\nexclude = ['/Private/**']\n")).await;
    h.converges().await;
    assert!(h.skipped().await.is_empty());

    h.openai_fails(refusal()).await;
    h.put("/b.txt", "another text").await;
    h.settle().await;
    assert_eq!(h.skipped().await.len(), 1);
    h.meddle("UPDATE file SET decided_by = '0.0.1 of another version'").await;
    h.restart(&format!("{ONE_STORE}\nexclude = ['/Private/**']\n")).await;
    h.converges().await;
    h.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_files_tried_again_by_path_by_rule_or_all_of_them() {
    let mut server = Server::with(ONE_STORE).await;
    for which in [
        &["/Folder/a.txt"][..],
        &["/Folder"],
        &["Folder/"],
        &["/Folder/*.txt"],
        &["/**/a.txt"],
        &["--rule", "all"],
        &["--all-skipped"],
    ] {
        server.openai_fails(refusal()).await;
        server.put("/Folder/a.txt", &format!("text for {which:?}")).await;
        server.rests().await;
        let run = server.tries(&[&["files", "retry"], which].concat());
        assert!(run.code == 0 && run.out.contains("1 file is tried again"), "{run:?}");
        server.rests().await;
        assert_eq!(server.placed().await, ["all: /Folder/a.txt"], "{which:?}");
    }
    server.openai_fails(refusal()).await;
    server.put("/Vertra\u{308}ge/b.txt", "a text whose folder is called so by a Mac").await;
    server.rests().await;
    let run = server.tries(&["files", "retry", "Vertr\u{e4}ge"]);
    assert!(run.code == 0 && run.out.contains("1 file is tried again"), "{run:?}");
    server.rests().await;
    let run = server.tries(&["files", "retry", "/Folder/a.txt"]);
    assert!(run.code == 1 && run.out.contains("nothing to try again"), "{run:?}");
    assert_eq!(server.tries(&["files", "retry"]).code, 2);
    assert_eq!(server.tries(&["files", "retry", "--rule", "unknown"]).code, 2);
    server.finish().await;
}
