//! Files are added, edited, moved and deleted in Fastio, and OpenAI follows.

use serde_json::json;

use crate::harness::{Harness, WORKSPACE, hex_sha256};

const NDA: &str = "The parties keep all information confidential for five years.";
const MSA: &str = "Liability is limited to the fees paid in the twelve months before the claim.";

#[tokio::test]
async fn a_file_that_is_added_becomes_searchable() {
    let h = Harness::start().await;
    let node = h.put("/Contracts/nda.txt", NDA).await;
    h.converges().await;
    let copies = h.copies().await;
    assert_eq!(copies.len(), 1);
    assert_eq!((copies[0].store.as_str(), copies[0].filename.as_str()), ("all", "nda.txt"));
    let attributes = &copies[0].attributes;
    let bare: String = node.chars().filter(|c| *c != '-').collect();
    assert_eq!(attributes["source_id"], format!("workspace:{WORKSPACE}:{bare}"));
    assert_eq!(attributes["workspace_id"], WORKSPACE);
    assert_eq!(attributes["path"], "/Contracts/nda.txt");
    assert_eq!(attributes["rule"], "all");
    for name in ["version", "content_hash", "modified_at"] {
        assert!(!attributes[name].is_null(), "{name} is missing in {attributes}");
    }
    h.finish().await;
}

#[tokio::test]
async fn an_edited_file_is_replaced_and_the_old_copy_is_gone() {
    let h = Harness::start().await;
    h.put("/nda.txt", NDA).await;
    h.converges().await;
    let before = h.copies().await;
    h.put("/nda.txt", MSA).await;
    h.converges().await;
    assert_ne!(h.copies().await[0].file_id, before[0].file_id);
    h.finish().await;
}

#[tokio::test]
async fn what_is_held_against_its_hash_is_read_with_one_call() {
    let h = Harness::start().await;
    h.put("/nda.txt", "one version").await;
    h.settle().await;
    let before = h.fastio_requests().await.len();
    h.put("/nda.txt", "another version").await;
    h.converges().await;
    let asked: Vec<String> = h.fastio_requests().await[before..]
        .iter()
        .map(|request| {
            request["path"].as_str().unwrap().trim_end_matches('/').rsplit('/').next().unwrap().to_owned()
        })
        .collect();
    assert_eq!(asked, ["details", "read"]);
    h.finish().await;
}

#[tokio::test]
async fn an_edited_file_is_searchable_all_the_time() {
    let h = Harness::start().await;
    h.put("/nda.txt", NDA).await;
    h.converges().await;
    h.openai_fails(json!({"kind": "stuck_in_progress", "delay_ms": 60_000})).await;
    h.put("/nda.txt", MSA).await;
    h.take_in().await;
    // While the new version is being indexed, for a minute, the old one answers.
    for _ in 0..5 {
        while h.work_one().await {}
        let indexed = h.copies().await.into_iter().filter(|copy| copy.status == "completed").count();
        assert_eq!(indexed, 1);
        h.pass(5_000);
    }
    h.converges().await;
    h.never_unsearchable("/nda.txt").await;
    h.finish().await;
}

#[tokio::test]
async fn a_touched_file_costs_no_upload() {
    let h = Harness::start().await;
    h.put("/nda.txt", NDA).await;
    h.converges().await;
    let version = h.copies().await[0].attributes["version"].clone();
    h.put("/nda.txt", NDA).await;
    h.converges().await;
    assert_eq!(h.uploads().await, 1);
    assert_ne!(h.copies().await[0].attributes["version"], version);
    h.finish().await;
}

#[tokio::test]
async fn a_renamed_or_moved_file_is_relabelled_and_not_uploaded() {
    let h = Harness::start().await;
    h.put("/nda.txt", NDA).await;
    h.converges().await;
    h.rename("/nda.txt", "/Signed/2026/nda final.txt").await;
    h.converges().await;
    assert_eq!(h.held().await, ["/Signed/2026/nda final.txt"]);
    assert_eq!(h.uploads().await, 1);
    h.finish().await;
}

#[tokio::test]
async fn a_deleted_file_is_gone_and_a_restored_one_is_back() {
    let h = Harness::start().await;
    h.put("/nda.txt", NDA).await;
    h.converges().await;
    h.trash("/nda.txt").await;
    h.converges().await;
    assert!(h.held().await.is_empty());
    h.restore("/nda.txt").await;
    h.converges().await;
    assert_eq!(h.held().await, ["/nda.txt"]);
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_one_of_fastios_servers_does_not_know_yet_keeps_its_copy() {
    let h = Harness::start().await;
    let node = h.put("/nda.txt", NDA).await;
    h.converges().await;
    h.fastio_fails(json!({"kind": "not_found_after_create", "window_ms": 60_000, "count": 1})).await;
    h.webhook("workspace_storage_file_updated", &node).await;
    h.converges().await;
    h.never_unsearchable("/nda.txt").await;
    h.finish().await;
}

#[tokio::test]
async fn a_folder_that_one_of_fastios_servers_does_not_know_yet_costs_no_copy() {
    let h = Harness::start().await;
    let node = h.put("/Drafts/nda.txt", NDA).await;
    h.converges().await;
    // The file is shown, the folder above it is not.
    let fault = json!({"kind": "not_found_after_create", "window_ms": 60_000, "skip": 1, "count": 1});
    h.fastio_fails(fault).await;
    h.webhook("workspace_storage_file_updated", &node).await;
    h.converges().await;
    h.never_unsearchable("/Drafts/nda.txt").await;
    h.finish().await;
}

#[tokio::test]
async fn a_copied_folder_is_listed_even_if_fastio_does_not_show_it_at_first() {
    let h = Harness::start().await;
    h.put("/Drafts/nda.txt", NDA).await;
    h.converges().await;
    // The copy's own event is all there is: nothing tells of the file in it.
    h.put("/Archive/other.txt", "other").await;
    h.converges().await;
    h.copy("/Drafts", "/Archive").await;
    h.fastio_fails(json!({"kind": "not_found_after_create", "window_ms": 60_000, "count": 1})).await;
    h.converges().await;
    assert_eq!(h.held().await, ["/Archive/Drafts/nda.txt", "/Archive/other.txt", "/Drafts/nda.txt"]);
    h.finish().await;
}

#[tokio::test]
async fn a_purged_file_is_gone_when_somebody_asks_for_a_look() {
    let h = Harness::start().await;
    h.put("/nda.txt", NDA).await;
    h.converges().await;
    h.purge("/nda.txt").await;
    h.webhook("share_imported_to_workspace", "root").await;
    h.converges().await;
    assert!(h.held().await.is_empty());
    h.finish().await;
}

#[tokio::test]
async fn a_copied_file_is_a_file_of_its_own() {
    let h = Harness::start().await;
    h.put("/nda.txt", NDA).await;
    h.copy("/nda.txt", "/Archive").await;
    h.converges().await;
    assert_eq!(h.held().await, ["/Archive/nda.txt", "/nda.txt"]);
    h.finish().await;
}

#[tokio::test]
async fn a_folder_that_moves_takes_its_files_along() {
    let h = Harness::start().await;
    for name in ["a.txt", "deep/er/b.txt"] {
        h.put(&format!("/Drafts/{name}"), name).await;
    }
    h.converges().await;
    h.rename("/Drafts", "/Contracts").await;
    h.converges().await;
    assert_eq!(h.held().await, ["/Contracts/a.txt", "/Contracts/deep/er/b.txt"]);
    assert_eq!(h.uploads().await, 2);
    h.finish().await;
}

#[tokio::test]
async fn a_folder_that_is_deleted_and_restored_takes_its_files_along() {
    let h = Harness::start().await;
    for name in ["a.txt", "deep/b.txt"] {
        h.put(&format!("/Drafts/{name}"), name).await;
    }
    h.converges().await;
    h.trash("/Drafts").await;
    h.converges().await;
    assert!(h.held().await.is_empty());
    h.restore("/Drafts").await;
    h.converges().await;
    assert_eq!(h.held().await, ["/Drafts/a.txt", "/Drafts/deep/b.txt"]);
    h.finish().await;
}

const TWO_STORES: &str = "
    [[rule]]
    name = 'contracts'
    workspace = '4829105738291047362'
    include = ['/Contracts/**']
    exclude = ['**/*.analysis.md']
    vector_store = { create = 'contracts' }

    [[rule]]
    name = 'signed'
    workspace = '4829105738291047362'
    include = ['/Contracts/Signed/**']
    vector_store = { create = 'signed' }

    [[rule]]
    name = 'portal'
    share = '5510392857104938271'
    vector_store = { create = 'contracts' }
";

#[tokio::test]
async fn rules_say_which_files_go_to_which_stores() {
    let h = Harness::with(TWO_STORES).await;
    h.put("/Contracts/a.txt", "a").await;
    h.put("/Contracts/Signed/b.txt", "b").await;
    h.put("/Contracts/b.analysis.md", "ours").await;
    h.put("/Private/c.txt", "c").await;
    h.put_in("9999999999999999999", "/Contracts/d.txt", "a workspace without a rule").await;
    h.put_in("share:5510392857104938271", "/e.txt", "e").await;
    h.settle().await;
    assert_eq!(
        h.placed().await,
        [
            "contracts: /Contracts/Signed/b.txt",
            "contracts: /Contracts/a.txt",
            "contracts: /e.txt",
            "signed: /Contracts/Signed/b.txt",
        ]
    );
    assert!(h.jobs().await.is_empty());
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_leaves_or_enters_a_rule_leaves_or_enters_its_store() {
    let h = Harness::with(TWO_STORES).await;
    h.put("/Contracts/a.txt", "a").await;
    h.put("/Private/b.txt", "b").await;
    h.settle().await;
    assert_eq!(h.placed().await, ["contracts: /Contracts/a.txt"]);
    h.rename("/Contracts/a.txt", "/Private/a.txt").await;
    h.rename("/Private/b.txt", "/Contracts/Signed/b.txt").await;
    h.settle().await;
    assert_eq!(h.placed().await, ["contracts: /Contracts/Signed/b.txt", "signed: /Contracts/Signed/b.txt"]);
    assert_eq!(h.file_objects().await, 2);
    h.finish().await;
}

#[tokio::test]
async fn a_store_is_created_once() {
    let h = Harness::start().await;
    for n in 0..5 {
        h.put(&format!("/{n}.txt"), "text").await;
    }
    // The store is made, and the answer lost: it is found again by what was left on it.
    h.openai_fails(json!({"kind": "lost_reply", "method": "POST", "path": "/v1/vector_stores", "count": 2}))
        .await;
    h.converges().await;
    assert_eq!(h.openai_state().await["vector_stores"].as_array().unwrap().len(), 1);
    h.finish().await;
}

#[tokio::test]
async fn what_openai_cannot_hold_is_skipped_with_a_reason() {
    let h = Harness::start().await;
    h.put("/photo.png", "not really").await;
    h.put("/empty.txt", "").await;
    h.put("/blank.txt", " \n\t\n").await;
    h.put_bytes(WORKSPACE, "/report.PDF", b"%PDF-1.7 a report".to_vec()).await;
    h.put("/table.csv", "party,cap\nAcme,100\n").await;
    h.put_bytes(WORKSPACE, "/old.txt", b"caf\xe9 au lait, d\xe9j\xe0 vu".to_vec()).await;
    h.settle().await;
    assert!(h.jobs().await.is_empty());
    let mut names: Vec<String> = h.copies().await.into_iter().map(|copy| copy.filename).collect();
    names.sort();
    assert_eq!(names, ["old.txt", "report.pdf", "table.csv.txt"]);
    assert_eq!(
        h.skipped().await,
        [
            "/blank.txt: the file holds only white space",
            "/empty.txt: the file is empty",
            "/photo.png: OpenAI's file search does not read .png files, and Fastio has read no text out of it",
        ]
    );
    let old = h.copies().await.into_iter().find(|copy| copy.filename == "old.txt").unwrap();
    assert_eq!(old.sha256, hex_sha256("café au lait, déjà vu".as_bytes()), "uploaded in UTF-8");
    h.finish_leaving(&[
        "held otherwise than it is: /old.txt",
        "skipped: /blank.txt",
        "skipped: /empty.txt",
        "skipped: /photo.png",
    ])
    .await;
}

#[tokio::test]
async fn an_edit_that_empties_a_file_takes_the_old_version_away() {
    let h = Harness::start().await;
    h.put("/nda.txt", NDA).await;
    h.converges().await;
    h.put("/nda.txt", "").await;
    h.settle().await;
    assert!(h.held().await.is_empty());
    h.put("/nda.txt", MSA).await;
    h.finish().await;
}

#[tokio::test]
async fn a_store_that_expires_is_not_filled_and_says_why() {
    let h = Harness::start().await;
    let policy = json!({"anchor": "last_active_at", "days": 7});
    h.put("/first.txt", "makes the store").await;
    h.converges().await;
    let store = h.openai_state().await["vector_stores"][0]["id"].as_str().unwrap().to_owned();
    h.change_store(&store, json!({"expires_after": policy})).await;
    // The store was found sound a moment ago; that is believed for a while.
    h.pass(11 * 60 * 1000);
    h.put("/nda.txt", NDA).await;
    h.take_in().await;
    assert!(h.work_one().await);
    let pauses = h.pauses().await;
    assert_eq!(pauses.len(), 1);
    assert_eq!(pauses[0].target, format!("openai/{store}"));
    assert!(pauses[0].reason.contains("has an expiry policy"), "{}", pauses[0].reason);
    assert_eq!(h.uploads().await, 1);
    // The policy is removed, and the work goes on by itself.
    h.change_store(&store, json!({"expires_after": null})).await;
    h.converges().await;
    assert!(h.pauses().await.is_empty());
    h.finish().await;
}

#[tokio::test]
async fn a_file_deleted_while_it_is_being_indexed_is_gone() {
    let h = Harness::start().await;
    h.openai_fails(json!({"kind": "stuck_in_progress", "delay_ms": 120_000})).await;
    h.put("/nda.txt", NDA).await;
    h.take_in().await;
    while h.work_one().await {}
    h.trash("/nda.txt").await;
    h.converges().await;
    assert_eq!(h.file_objects().await, 0);
    h.finish().await;
}

#[tokio::test]
async fn a_file_edited_while_it_is_being_indexed_ends_with_its_last_version() {
    let h = Harness::start().await;
    h.openai_fails(json!({"kind": "stuck_in_progress", "delay_ms": 120_000, "count": 2})).await;
    for text in ["one", "two", "three"] {
        h.put("/nda.txt", text).await;
        h.take_in().await;
        while h.work_one().await {}
    }
    h.finish().await;
}

#[tokio::test]
async fn late_news_cannot_bring_a_deleted_file_back() {
    let h = Harness::start().await;
    let node = h.put("/nda.txt", NDA).await;
    h.converges().await;
    h.trash("/nda.txt").await;
    h.converges().await;
    assert_eq!(h.webhook("workspace_storage_file_updated", &node).await, 202);
    assert_eq!(h.webhook("workspace_storage_file_deleted", &node).await, 202);
    h.converges().await;
    assert!(h.held().await.is_empty());
    assert_eq!(h.uploads().await, 1);
    h.finish().await;
}

#[tokio::test]
async fn webhooks_twice_and_out_of_order_end_right() {
    let h = Harness::start().await;
    h.fastio_fails(json!([
        {"kind": "webhook_duplicated", "probability": 0.5, "seed": 1},
        {"kind": "webhook_reordered", "probability": 0.5, "seed": 2},
    ]))
    .await;
    for n in 0..6 {
        h.put(&format!("/{n}.txt"), "first").await;
        h.put(&format!("/{n}.txt"), &format!("second {n}")).await;
    }
    h.trash("/0.txt").await;
    h.rename("/1.txt", "/one.txt").await;
    h.finish().await;
}

#[tokio::test]
async fn fifty_saves_are_one_upload() {
    let h = Harness::start().await;
    for n in 0..50 {
        h.put("/nda.txt", &format!("draft {n}")).await;
    }
    h.converges().await;
    assert_eq!(h.uploads().await, 1);
    h.finish().await;
}

#[tokio::test]
async fn a_workspace_that_cannot_be_reached_is_not_a_workspace_that_was_emptied() {
    let h = Harness::start().await;
    let node = h.put("/nda.txt", NDA).await;
    h.converges().await;
    h.hide_workspace().await;
    h.webhook("workspace_storage_file_updated", &node).await;
    h.take_in().await;
    while h.work_one().await {}
    assert_eq!(h.held().await, ["/nda.txt"], "nothing was deleted on that word");
    assert_eq!(h.pauses().await.len(), 1);
    h.show_workspace().await;
    h.finish().await;
}
