//! Sweeps find each kind of difference between Fastio, our tables and OpenAI, and repair it; they remove nothing on a
//! doubt.

use std::collections::HashSet;

use docket::feed::backfill::Told;
use docket::feed::sweep::{Report, Scope, Tell};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Harness, SWEEPING, WORKSPACE};

async fn start() -> Harness {
    let h = Harness::with(SWEEPING).await;
    h.without_webhooks().await;
    h
}

/// Three files, held.
async fn with_files() -> Harness {
    let h = start().await;
    for name in ["a", "b", "c"] {
        h.put(&format!("/{name}.txt"), &format!("The file {name}.")).await;
    }
    h.sweep().await;
    h.converges().await;
    h
}

/// What a sweep would do, one word each.
async fn dry(h: &Harness) -> (Report, Vec<String>) {
    let mut found = Vec::new();
    let scope = Scope { dry_run: true, ..Scope::default() };
    let mut tell = |tell: Tell<'_>| {
        if let Tell::Found(finding) = tell {
            found.push(finding.kind.as_str().to_owned());
        }
    };
    let report = h.feed.sweep(scope, &mut tell).await.unwrap();
    found.sort();
    (report, found)
}

fn count(report: &Report, kind: &str) -> u64 {
    report.found[kind]
}

/// The vector stores there are.
async fn stores(h: &Harness) -> Vec<Value> {
    h.openai_state().await["vector_stores"].as_array().unwrap().clone()
}

/// Makes a vector store, as a stranger does. Answers its id.
async fn made(h: &Harness, store: Value) -> String {
    let made = h.stranger(Method::POST, "vector_stores", store).await;
    made["id"].as_str().unwrap().to_owned()
}

/// Nothing differs.
async fn is_clean(h: &Harness) {
    let (report, found) = dry(h).await;
    assert!(found.is_empty() && report.incomplete.is_empty(), "{found:?} {report:#?}");
    h.agrees().await;
}

#[tokio::test]
async fn changes_that_nobody_told_of_are_found() {
    let h = with_files().await;
    is_clean(&h).await;
    h.put("/a.txt", "The file a, changed.").await;
    h.rename("/b.txt", "/moved.txt").await;
    h.purge("/c.txt").await;
    h.put("/d.txt", "The file d.").await;

    let (_, found) = dry(&h).await;
    assert_eq!(found, ["drift", "ghost", "missing", "stale"]);
    assert!(h.jobs().await.is_empty(), "a dry run asks for no job");
    let report = h.sweep().await;
    assert_eq!(report.queued, 4);
    h.converges().await;
    is_clean(&h).await;
    let events = h.number("SELECT count(*) FROM event WHERE source = 'sweep' AND kind = 'deleted'").await;
    assert_eq!(events, 1, "a person can see why the file went");
    h.finish().await;
}

#[tokio::test]
async fn a_touch_that_nobody_told_of_is_found_and_costs_no_upload() {
    let h = with_files().await;
    let uploads = h.uploads().await;
    let versions = async || {
        let copies = h.copies().await;
        copies.into_iter().map(|copy| copy.attributes["version"].to_string()).collect::<HashSet<_>>()
    };
    let before = versions().await;
    h.put("/a.txt", "The file a.").await;
    let report = h.sweep().await;
    assert_eq!((count(&report, "drift"), report.queued), (1, 1), "{report:#?}");
    h.converges().await;
    assert_eq!(h.uploads().await, uploads);
    assert_eq!(versions().await.difference(&before).count(), 1, "the new version is on its copy");
    is_clean(&h).await;
    h.finish().await;
}

#[tokio::test]
async fn a_dry_run_changes_nothing_anywhere() {
    let h = with_files().await;
    h.put("/d.txt", "The file d.").await;
    h.purge("/c.txt").await;
    let id = h.store_id("all").await;
    let held = h.copies().await[0].file_id.clone();
    h.meddle("DELETE FROM copy WHERE filename = 'b.txt'").await;
    h.stranger(Method::DELETE, &format!("vector_stores/{id}/files/{held}"), Value::Null).await;
    let before = (h.held_state().await, h.number("SELECT count(*) FROM copy").await);
    let (requests, sweeps) = (h.openai_requests().await.len(), h.number("SELECT count(*) FROM sweep").await);

    let (report, found) = dry(&h).await;
    assert!(found.len() >= 4, "{found:?} {report:#?}");
    assert_eq!((h.held_state().await, h.number("SELECT count(*) FROM copy").await), before);
    assert_eq!(h.number("SELECT count(*) FROM sweep").await, sweeps);
    assert!(h.jobs().await.is_empty());
    let asked = &h.openai_requests().await[requests..];
    assert!(asked.iter().all(|request| request["method"] == "GET"), "{asked:#?}");
    h.finish_leaving(&["a File object in no vector store: c.txt", "not held: /d.txt"]).await;
}

#[tokio::test]
async fn a_copy_in_no_table_is_taken_in_and_not_uploaded_again() {
    let h = with_files().await;
    let uploads = h.uploads().await;
    h.meddle("DELETE FROM copy WHERE filename = 'b.txt'").await;
    let report = h.sweep().await;
    assert_eq!((count(&report, "missing"), count(&report, "unknown")), (0, 1), "{report:#?}");
    h.converges().await;
    assert_eq!(h.uploads().await, uploads);
    is_clean(&h).await;
    h.finish().await;
}

#[tokio::test]
async fn a_second_copy_goes() {
    let h = with_files().await;
    let node = h.node("/b.txt").await;
    h.meddle("DELETE FROM copy WHERE filename = 'b.txt'").await;
    h.webhook("workspace_storage_file_updated", &node).await;
    h.settle().await;
    assert_eq!(h.copies().await.len(), 4, "a job that does not know of the copy makes another");
    let report = h.sweep().await;
    assert_eq!((count(&report, "unknown"), count(&report, "duplicate")), (1, 1), "{report:#?}");
    h.converges().await;
    is_clean(&h).await;
    h.finish().await;
}

/// As after a failover that lost commits: it has neither the name of its file now nor the one that its attributes tell.
#[tokio::test]
async fn an_old_version_that_no_table_knows_goes_whatever_its_file_is_called_since() {
    let h = with_files().await;
    h.rename("/b.txt", "/renamed.txt").await;
    h.sweep().await;
    h.converges().await;
    h.meddle("DELETE FROM copy WHERE filename = 'b.txt'").await;
    h.put("/renamed.txt", "another text").await;
    h.rename("/renamed.txt", "/once more.txt").await;
    let report = h.sweep().await;
    assert_eq!((count(&report, "unknown"), report.strangers), (1, 0), "{report:#?}");
    h.converges().await;
    is_clean(&h).await;
    h.finish().await;
}

#[tokio::test]
async fn a_ghost_that_no_table_knows_is_removed() {
    let h = with_files().await;
    h.meddle("DELETE FROM copy WHERE filename = 'b.txt'").await;
    h.meddle("DELETE FROM file WHERE path = '/b.txt'").await;
    h.purge("/b.txt").await;
    let report = h.sweep().await;
    assert_eq!((count(&report, "unknown"), count(&report, "ghost")), (1, 1), "{report:#?}");
    h.converges().await;
    is_clean(&h).await;
    h.finish().await;
}

#[tokio::test]
async fn attributes_that_somebody_changed_are_put_right() {
    let h = with_files().await;
    let (id, copy) = (h.store_id("all").await, h.copies().await.remove(0));
    let path = format!("vector_stores/{id}/files/{}", copy.file_id);
    h.stranger(Method::POST, &path, json!({"attributes": {"mine": true}})).await;
    assert_eq!(count(&h.sweep().await, "drift"), 1);
    h.converges().await;
    let now = h.copies().await.into_iter().find(|one| one.file_id == copy.file_id).unwrap();
    assert_eq!(now.attributes, copy.attributes);
    is_clean(&h).await;
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_somebody_took_out_of_the_store_comes_back() {
    let h = with_files().await;
    h.pass(1_000);
    let uploads = h.uploads().await;
    let (id, copy) = (h.store_id("all").await, h.copies().await.remove(0));
    h.stranger(Method::DELETE, &format!("vector_stores/{id}/files/{}", copy.file_id), Value::Null).await;
    assert_eq!(count(&h.sweep().await, "missing"), 1);
    h.converges().await;
    assert_eq!(h.uploads().await, uploads, "its File object was still there");
    is_clean(&h).await;
    h.finish().await;
}

#[tokio::test]
async fn a_file_object_that_somebody_deleted_is_replaced() {
    let h = with_files().await;
    h.pass(1_000);
    let copy = h.copies().await.remove(0);
    h.stranger(Method::DELETE, &format!("files/{}", copy.file_id), Value::Null).await;
    let report = h.sweep().await;
    assert_eq!(count(&report, "missing"), 1, "{report:#?}");
    h.converges().await;
    is_clean(&h).await;
    h.finish().await;
}

#[tokio::test]
async fn an_upload_that_lands_after_we_gave_it_up_is_found() {
    let h = start().await;
    h.put("/late.txt", "It comes late.").await;
    h.sweep().await;
    h.openai_fails(json!({"kind": "reset_after_body", "method": "POST", "path": "/v1/files", "count": 1}))
        .await;
    h.converges().await;
    assert_eq!(h.number("SELECT count(*) FROM lost_upload").await, 1);

    let late = h.upload_as_stranger("late.txt", "It comes late.").await;
    let report = h.sweep().await;
    assert_eq!(count(&report, "orphan"), 1, "{report:#?}");
    h.converges().await;
    assert!(!h.copies().await.iter().any(|copy| copy.file_id == late));
    is_clean(&h).await;
    h.finish().await;
}

/// Two that were given up have one name and one size, and nothing at OpenAI says whose text the one is that landed.
#[tokio::test]
async fn what_may_be_of_either_of_two_uploads_is_found_and_attached_for_neither() {
    let h = start().await;
    let fails = json!({"kind": "reset_after_body", "method": "POST", "path": "/v1/files", "count": 1});
    for (path, text) in [("/a/late.txt", "It comes late."), ("/b/late.txt", "It goes early.")] {
        h.openai_fails(fails.clone()).await;
        h.put(path, text).await;
        h.sweep().await;
        h.converges().await;
    }
    assert_eq!(h.number("SELECT count(*) FROM lost_upload").await, 2);

    let late = h.upload_as_stranger("late.txt", "It comes late.").await;
    let report = h.sweep().await;
    assert_eq!(count(&report, "orphan"), 1, "{report:#?}");
    assert_eq!(h.number("SELECT count(*) FROM copy WHERE state = 'retiring'").await, 1);
    h.converges().await;
    assert!(!h.copies().await.iter().any(|copy| copy.file_id == late));
    h.finish().await;
}

#[tokio::test]
async fn a_vector_store_that_is_made_late_is_found_and_removed_while_it_is_empty() {
    let h = with_files().await;
    let metadata = stores(&h).await[0]["metadata"].clone();
    // What a creation leaves that was not answered, was made again, and is carried out after all.
    let late = made(&h, json!({"name": "all", "metadata": metadata})).await;
    let used = made(&h, json!({"name": "all", "metadata": metadata})).await;
    let theirs = made(&h, json!({"name": "all"})).await;
    let of_another =
        json!({"name": "all", "metadata": {"docket_intent": "01990000-0000-7000-8000-000000000000"}});
    let of_another = made(&h, of_another).await;
    let file = h.upload_as_stranger("notes.txt", "Not Docket's.").await;
    h.stranger(Method::POST, &format!("vector_stores/{used}/files"), json!({"file_id": file})).await;

    let (_, found) = dry(&h).await;
    assert_eq!(found, ["stray"]);
    assert_eq!(stores(&h).await.len(), 5, "a dry run removes nothing");
    let report = h.sweep().await;
    assert_eq!(count(&report, "stray"), 1, "{report:#?}");
    h.settle().await;
    let left: Vec<String> =
        stores(&h).await.iter().map(|store| store["id"].as_str().unwrap().to_owned()).collect();
    assert!(!left.contains(&late) && left.len() == 4, "{left:?}");
    assert!([&used, &theirs, &of_another].iter().all(|store| left.contains(store)), "{left:?}");
    assert_eq!(h.copies().await.len(), 4, "three in the store in use, and what a stranger put into another");
    h.finish_leaving(&["a copy that nothing needs: notes.txt"]).await;
}

#[tokio::test]
async fn a_stray_store_that_somebody_fills_before_its_job_comes_stays() {
    let h = with_files().await;
    let metadata = stores(&h).await[0]["metadata"].clone();
    let late = made(&h, json!({"name": "all", "metadata": metadata})).await;
    assert_eq!(count(&h.sweep().await, "stray"), 1);
    let file = h.upload_as_stranger("notes.txt", "Not Docket's.").await;
    h.stranger(Method::POST, &format!("vector_stores/{late}/files"), json!({"file_id": file})).await;
    h.settle().await;
    assert_eq!(stores(&h).await.len(), 2, "what is not empty is left to a person");
    h.finish_leaving(&["a copy that nothing needs: notes.txt"]).await;
}

#[tokio::test]
async fn objects_that_could_be_somebody_elses_stay() {
    let h = start().await;
    h.put("/late.txt", "It comes late.").await;
    h.sweep().await;
    h.openai_fails(json!({"kind": "reset_after_body", "method": "POST", "path": "/v1/files", "count": 1}))
        .await;
    h.converges().await;
    // One of them may be our lost upload. Which one cannot be told.
    h.upload_as_stranger("late.txt", "It comes late.").await;
    h.upload_as_stranger("late.txt", "It comes, later.").await;
    h.upload_as_stranger("late.txt", "It comes early").await;
    let before = h.file_objects().await;
    let report = h.sweep().await;
    assert_eq!((count(&report, "orphan"), report.ambiguous), (0, 2), "{report:#?}");
    h.settle().await;
    assert_eq!(h.file_objects().await, before);
    h.finish_leaving(&["a File object in no vector store: late.txt (3 times)"]).await;
}

#[tokio::test]
async fn what_is_not_ours_is_never_touched() {
    let h = with_files().await;
    let id = h.store_id("all").await;
    let own = h.upload_as_stranger("theirs.txt", "A stranger's.").await;
    let alike = h.upload_as_stranger("alike.txt", "It looks like ours.").await;
    let loose = h.upload_as_stranger("a.txt", "The file a.").await;
    let attach = format!("vector_stores/{id}/files");
    h.stranger(Method::POST, &attach, json!({"file_id": own, "attributes": {"source_id": "workspace:1:2x"}}))
        .await;
    // Another Docket's, under a rule that is none of ours.
    let attributes = json!({"source_id": format!("workspace:{WORKSPACE}:2other"), "workspace_id": WORKSPACE,
        "path": "/other.txt", "rule": "theirs", "content_hash": "ab".repeat(32)});
    h.stranger(Method::POST, &attach, json!({"file_id": alike, "attributes": attributes})).await;
    let store = h.stranger(Method::POST, "vector_stores", json!({"name": "all"})).await["id"].clone();
    let theirs = format!("vector_stores/{}/files", store.as_str().unwrap());
    h.stranger(Method::POST, &theirs, json!({"file_id": loose})).await;

    let before = h.held_state().await;
    let report = h.sweep().await;
    assert_eq!((report.strangers, report.queued), (2, 0), "{report:#?}");
    h.settle().await;
    assert_eq!(h.held_state().await, before);
    h.finish_leaving(&[
        "a copy that nothing needs: /other.txt",
        "a copy that nothing needs: a.txt",
        "a copy that nothing needs: theirs.txt",
    ])
    .await;
}

#[tokio::test]
async fn an_incomplete_list_removes_nothing() {
    let h = with_files().await;
    h.purge("/b.txt").await;
    let inventory = format!("/current/workspace/{WORKSPACE}/storage/inventory/");
    h.fastio_fails(json!({"kind": "server_error", "path": inventory, "count": 1})).await;
    let report = h.sweep().await;
    assert_eq!((report.incomplete.len(), report.queued), (1, 0), "{report:#?}");
    h.settle().await;
    assert_eq!(h.held().await.len(), 3);

    // Nor is a vector store's list a reason to upload anything when it breaks off.
    h.openai_fails(json!({"kind": "server_error", "path": "/v1/vector_stores/*/files", "count": 1})).await;
    let report = h.sweep().await;
    assert_eq!((report.incomplete.len(), count(&report, "missing"), count(&report, "ghost")), (1, 0, 1));
    h.converges().await;
    is_clean(&h).await;
    h.finish().await;
}

#[tokio::test]
async fn a_workspace_out_of_sight_is_not_an_empty_one() {
    let h = with_files().await;
    h.hide_workspace().await;
    let report = h.sweep().await;
    assert_eq!((report.incomplete.len(), report.queued), (1, 0), "{report:#?}");
    h.settle().await;
    assert_eq!(h.held().await.len(), 3);
    h.finish_leaving(&[
        "a copy that nothing needs: /a.txt",
        "a copy that nothing needs: /b.txt",
        "a copy that nothing needs: /c.txt",
    ])
    .await;
}

#[tokio::test]
async fn where_the_inventory_is_not_served_folders_are_listed() {
    let h = with_files().await;
    h.put("/deep/down/d.txt", "Deep down.").await;
    h.purge("/a.txt").await;
    h.fastio_refuses(&format!("/current/workspace/{WORKSPACE}/storage/inventory/")).await;
    let report = h.sweep().await;
    assert_eq!((count(&report, "missing"), count(&report, "ghost")), (1, 1), "{report:#?}");
    h.finish().await;
}

#[tokio::test]
async fn too_many_ghosts_stop_for_a_person() {
    let h = start().await;
    for number in 0..15 {
        h.put(&format!("/{number}.txt"), &format!("Number {number}.")).await;
    }
    h.sweep().await;
    h.converges().await;
    for number in 0..12 {
        h.purge(&format!("/{number}.txt")).await;
    }
    h.put("/new.txt", "New.").await;
    let report = h.sweep().await;
    assert_eq!(report.stopped.len(), 1);
    assert_eq!((report.stopped[0].would_lose, report.stopped[0].of, report.queued), (12, 15, 1));
    h.settle().await;
    assert_eq!(h.held().await.len(), 16, "what is new is held all the same");

    let scope = Scope { beyond_limit: true, ..Scope::default() };
    let report = h.feed.sweep(scope, &mut |_| {}).await.unwrap();
    assert_eq!((report.stopped.len(), count(&report, "ghost")), (0, 12));
    h.finish().await;
}

#[tokio::test]
async fn a_dead_job_waits_for_its_person() {
    let h = with_files().await;
    h.put("/d.txt", "The file d.").await;
    h.sweep().await;
    h.meddle("UPDATE job SET state = 'dead', reason = 'as a test'").await;
    let report = h.sweep().await;
    assert_eq!((report.dead, report.queued), (1, 0));
    assert_eq!(h.dead().await, ["as a test"]);
    h.finish_leaving(&["a dead job: file", "not held: /d.txt"]).await;
}

#[tokio::test]
async fn a_rebuilt_database_uploads_nothing_again() {
    let mut h = with_files().await;
    let uploads = h.uploads().await;
    h.lose_database(SWEEPING).await;
    h.put("/b.txt", "The file b, changed without a webhook.").await;
    h.purge("/c.txt").await;
    h.upload_as_stranger("theirs.txt", "A stranger's.").await;

    let rebuilt = h.feed.rebuild(&mut |_| {}).await.unwrap();
    assert_eq!((rebuilt.copies, rebuilt.stores.len(), rebuilt.strangers), (3, 1, 0));
    h.sweep().await;
    h.settle().await;
    assert_eq!(h.uploads().await, uploads + 2, "the changed file, and the stranger's own");
    assert_eq!(h.held().await, ["/a.txt", "/b.txt"]);
    let (_, found) = dry(&h).await;
    assert!(found.is_empty(), "{found:?}");
    h.finish_leaving(&["a File object in no vector store: theirs.txt"]).await;
}

#[tokio::test]
async fn a_backfill_queues_what_is_missing_behind_live_traffic() {
    let h = start().await;
    for number in 0..5 {
        h.put(&format!("/{number}.txt"), &format!("Number {number}.")).await;
    }
    let done = h.feed.backfill(None, &mut |_| {}).await.unwrap();
    assert_eq!((done.listed, done.queued, done.incomplete.len()), (5, 5, 0));
    assert_eq!(h.number("SELECT count(*) FROM job WHERE priority > 0").await, 5);
    h.converges().await;
    let again = h.feed.backfill(Some("all"), &mut |_| {}).await.unwrap();
    assert_eq!((again.listed, again.queued), (5, 0));
    let error = h.feed.backfill(Some("none"), &mut |_| {}).await.unwrap_err();
    assert_eq!(error.to_string(), "no rule is called `none`");
    h.finish().await;
}

#[tokio::test]
async fn a_backfill_goes_on_where_it_was_stopped() {
    let h = start().await;
    h.generate(1_200).await;
    let inventory = format!("/current/workspace/{WORKSPACE}/storage/inventory/");
    h.fastio_fails(json!({"kind": "server_error", "path": inventory, "skip": 1, "count": 1})).await;
    let stopped = h.feed.backfill(None, &mut |_| {}).await.unwrap();
    assert_eq!((stopped.listed, stopped.queued, stopped.incomplete.len()), (500, 500, 1));
    let before = h.fastio_requests().await.len();
    let mut told = Vec::new();
    let done = h.feed.backfill(None, &mut |one| told.push(one)).await.unwrap();
    assert_eq!((done.listed, done.queued, done.incomplete.len()), (1_200, 1_200, 0));
    assert!(matches!(told[0], Told::Begun { listed: 500, .. }));
    assert_eq!(h.fastio_requests().await.len() - before, 2, "only the pages that were left");
    assert_eq!(h.number("SELECT count(*) FROM job").await, 1_200);
    h.finish_leaving(&["a copy that nothing needs (1200 times)"]).await;
}

#[tokio::test]
async fn a_file_by_formula_is_a_file_like_any_other() {
    let h = start().await;
    h.generate(3).await;
    h.sweep().await;
    h.settle().await;
    assert_eq!(h.held().await, ["/file-00000000.txt", "/file-00000001.txt", "/file-00000002.txt"]);
    assert!(dry(&h).await.1.is_empty());
    h.finish_leaving(&[
        "a copy that nothing needs: /file-00000000.txt",
        "a copy that nothing needs: /file-00000001.txt",
        "a copy that nothing needs: /file-00000002.txt",
    ])
    .await;
}
