//! A vector store that was deleted by others.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::held;
use crate::harness::{Harness, ONE_STORE, contract, legal};

async fn delete_store(h: &Harness, name: &str) -> String {
    let store = h.store_id(name).await;
    h.stranger(Method::DELETE, &format!("vector_stores/{store}"), Value::Null).await;
    store
}

#[tokio::test]
async fn a_store_that_a_rule_creates_is_made_anew_and_all_its_files_are_attached_again() {
    let h = Harness::start().await;
    for n in 0..4 {
        h.put(&format!("/{n}.txt"), &format!("text {n}")).await;
    }
    h.settle().await;
    let (old, uploads) = (delete_store(&h, "all").await, h.uploads().await);
    h.pass(11 * 60 * 1000);
    h.put("/new.txt", "the news that finds it out").await;
    h.converges().await;
    assert_ne!(h.store_id("all").await, old);
    assert_eq!(h.copies().await.len(), 5);
    assert_eq!(h.uploads().await - uploads, 1, "the others' File objects are there still");
    assert!(held(&h).await.is_empty());
    assert_eq!(h.number("SELECT count(*) FROM vector_store WHERE lost_id IS NOT NULL").await, 1);
    h.finish().await;
}

#[tokio::test]
async fn a_store_that_was_sound_a_moment_ago_is_made_anew_too() {
    let h = Harness::start().await;
    h.put("/a.txt", "text").await;
    h.settle().await;
    delete_store(&h, "all").await;
    h.put("/b.txt", "the news that finds it out").await;
    h.converges().await;
    h.finish().await;
}

#[tokio::test]
async fn a_sweep_finds_it_out_and_a_restart_does_not_need_it() {
    let mut h = Harness::start().await;
    h.put("/a.txt", "text").await;
    h.settle().await;
    delete_store(&h, "all").await;
    h.restart(ONE_STORE).await;
    let report = h.sweep().await;
    let report = serde_json::to_value(report).unwrap();
    assert!(report["incomplete"][0]["error"].as_str().unwrap().contains("makes it anew"), "{report:#}");
    h.converges().await;
    h.finish().await;
}

#[tokio::test]
async fn a_store_that_a_sweep_finds_gone_costs_one_walk_over_its_files() {
    let mut h = Harness::start().await;
    for n in 0..8 {
        h.put(&format!("/{n}.txt"), &format!("text {n}")).await;
    }
    h.settle().await;
    delete_store(&h, "all").await;
    h.restart(ONE_STORE).await;
    h.sweep().await;
    let listed = || {
        let requests = h.sandbox.fastio_core().journal.requests();
        requests.iter().filter(|one| one.path.ends_with("/storage/root/list/")).count()
    };
    let before = listed();
    h.settle().await;
    assert_eq!(listed() - before, 1);
    assert_eq!(h.copies().await.len(), 8);
    h.converges().await;
    h.finish().await;
}

#[tokio::test]
async fn a_rebuild_goes_on_without_a_store_that_is_gone() {
    let mut h = Harness::start().await;
    h.put("/a.txt", "text").await;
    h.settle().await;
    let uploads = h.uploads().await;
    let old = delete_store(&h, "all").await;
    // The database is there, and knows the store.
    h.restart(ONE_STORE).await;
    let rebuilt = h.feed.rebuild(&mut |_| {}).await.unwrap();
    assert_eq!((rebuilt.gone, rebuilt.copies), (vec![old], 0));
    h.sweep().await;
    h.converges().await;
    assert_eq!((h.copies().await.len(), h.uploads().await - uploads), (1, 0));
    h.finish().await;
}

#[tokio::test]
async fn files_that_were_deleted_with_it_are_uploaded_when_a_person_says_so() {
    let mut h = Harness::start().await;
    h.put("/a.txt", "text").await;
    h.settle().await;
    let file = h.copies().await[0].file_id.clone();
    let old = delete_store(&h, "all").await;
    h.remove_file_object(&file).await;
    h.restart(ONE_STORE).await;
    h.put("/b.txt", "the news that finds it out").await;
    h.work_for_seconds(60).await;
    assert_eq!(held(&h).await, [format!("openai/{old}")], "it may be a key of another project");
    assert!(h.pauses().await[0].reason.contains("docket files retry"));
    let rule = h.rules().iter().next().unwrap().clone();
    let give_up = move |tx: &mut docket::database::Connection| {
        let stores = docket::sync::store::chain(tx, &rule)?;
        docket::sync::again::store::give_up_stores(tx, &stores)
    };
    h.database.write(give_up).await.unwrap();
    h.converges().await;
    assert_eq!(h.copies().await.len(), 2);
    h.finish().await;
}

#[tokio::test]
async fn files_that_were_deleted_with_it_under_the_eyes_of_a_server_are_uploaded() {
    let h = Harness::start().await;
    h.put("/a.txt", "text").await;
    h.settle().await;
    let file = h.copies().await[0].file_id.clone();
    delete_store(&h, "all").await;
    h.remove_file_object(&file).await;
    h.pass(11 * 60 * 1000);
    h.put("/b.txt", "the news that finds it out").await;
    h.converges().await;
    assert_eq!(h.copies().await.len(), 2);
    h.finish().await;
}

#[tokio::test]
async fn a_store_that_a_rule_names_is_held_with_the_cure() {
    let mut h = Harness::start().await;
    h.put("/a.txt", "text").await;
    h.settle().await;
    let store = h.store_id("all").await;
    let fixed = ONE_STORE.replace("{ create = 'all' }", &format!("'{store}'"));
    h.restart(&fixed).await;
    delete_store(&h, "all").await;
    h.put("/b.txt", "news").await;
    h.work_for_seconds(60).await;
    assert_eq!(held(&h).await, [format!("openai/{store}")]);
    assert!(h.pauses().await[0].reason.contains("put the right id into the rule"));
    h.restart(ONE_STORE).await;
    h.converges().await;
    h.finish().await;
}

#[tokio::test]
async fn a_store_that_one_rule_creates_and_another_names_is_made_anew_for_the_one_and_held_for_the_other() {
    let mut h = Harness::start().await;
    h.put("/a.txt", "text").await;
    h.settle().await;
    let store = h.store_id("all").await;
    let by_id = ONE_STORE
        .replace("name = 'all'", "name = 'by_id'")
        .replace("{ create = 'all' }", &format!("'{store}'"));
    h.restart(&format!("{by_id}{ONE_STORE}")).await;
    h.put("/b.txt", "more").await;
    h.settle().await;
    delete_store(&h, "all").await;
    h.put("/c.txt", "the news that finds it out").await;
    let found_out = tokio::time::timeout(Duration::from_secs(60), h.work_for_seconds(60)).await;
    assert!(found_out.is_ok(), "the look at the store does not end");
    assert_eq!(held(&h).await, [format!("openai/{store}")]);
    assert!(h.pauses().await[0].reason.contains("put the right id into the rule"));
    assert_ne!(h.store_id("all").await, store);
    h.restart(ONE_STORE).await;
    h.converges().await;
    h.finish().await;
}

#[tokio::test]
async fn a_run_that_waits_searches_the_new_store() {
    let h = Harness::with(&legal("attach = ['file_search']")).await;
    h.openai_fails(
        serde_json::json!({"kind": "unauthorized", "method": "POST", "path": "/v1/conversations"}),
    )
    .await;
    h.put("/Contracts/a.txt", &contract(1)).await;
    h.work_for_seconds(20).await;
    delete_store(&h, "contracts").await;
    h.put("/Contracts/b.txt", &contract(2)).await;
    h.work_for_seconds(20).await;
    h.no_faults().await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed"; 2]);
    h.finish().await;
}
