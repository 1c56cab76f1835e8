//! A second database is no second bill: one that is empty while OpenAI holds copies of the same files is not begun with.

use docket::sync::founding::Error;
use serde_json::json;

use crate::harness::{Harness, ONE_STORE, Server, contract, legal};

/// Three files, held, and then another, empty database.
async fn second() -> Harness {
    let mut h = Harness::with(ONE_STORE).await;
    for name in ["a", "b", "c"] {
        h.put(&format!("/{name}.txt"), &format!("The file {name}.")).await;
    }
    h.converges().await;
    // What the first database's server is told from now on, it cannot write down any more.
    h.without_webhooks().await;
    h.lose_database(ONE_STORE).await;
    h
}

fn refused(begun: Result<(), Error>) -> String {
    let error = begun.unwrap_err();
    assert!(matches!(error, Error::Second(_)), "{error}");
    error.to_string()
}

#[tokio::test]
async fn an_empty_database_beside_copies_of_ours_is_not_begun_with() {
    let h = second().await;
    let (uploads, requests) = (h.uploads().await, h.openai_requests().await.len());
    let told = refused(h.work.sync.begin(false).await);
    assert!(told.contains("3 copies in vector store vs_") && told.contains("\"all\""), "{told}");
    assert!(told.contains("docket rebuild") && told.contains("--start-anew"), "{told}");
    let asked = &h.openai_requests().await[requests..];
    assert!(asked.iter().all(|request| request["method"] == "GET"), "{asked:#?}");
    // Nor does a job of it make anything, if one should come to be done.
    h.feed.backfill(None, &mut |_| {}).await.unwrap();
    assert!(h.work_one().await);
    assert_eq!(
        (h.uploads().await, h.openai_state().await["vector_stores"].as_array().unwrap().len()),
        (uploads, 1)
    );
    let pauses = h.pauses().await;
    assert!(pauses.iter().any(|pause| format!("{pause:?}").contains("docket rebuild")), "{pauses:#?}");
    h.stop_leaving(&["a pause of openai", "a waiting job: file (3 times)"]).await;
}

#[tokio::test]
async fn a_rule_of_another_name_does_not_hide_the_copies() {
    let mut h = second().await;
    h.lose_database(&ONE_STORE.replace("name = 'all'", "name = 'everything'")).await;
    refused(h.work.sync.begin(false).await);
    // Another workspace's rule has nothing to do with them.
    h.lose_database(&ONE_STORE.replace("4829105738291047362", "1111111111111111111")).await;
    h.work.sync.begin(false).await.unwrap();
    h.finish_leaving(&[
        "a copy that nothing needs: /a.txt",
        "a copy that nothing needs: /b.txt",
        "a copy that nothing needs: /c.txt",
    ])
    .await;
}

#[tokio::test]
async fn a_store_that_is_named_by_its_id_is_looked_into_too() {
    let mut h = second().await;
    let id = h.store_id("all").await;
    h.lose_database(&ONE_STORE.replace("{ create = 'all' }", &format!("'{id}'"))).await;
    refused(h.work.sync.begin(false).await);
    h.finish().await;
}

#[tokio::test]
async fn a_person_may_rebuild_or_begin_anew() {
    let mut h = second().await;
    let uploads = h.uploads().await;
    h.feed.rebuild(&mut |_| {}).await.unwrap();
    h.work.sync.begin(false).await.unwrap();
    h.feed.backfill(None, &mut |_| {}).await.unwrap();
    h.converges().await;
    assert_eq!(h.uploads().await, uploads);
    h.lose_database(ONE_STORE).await;
    h.work.sync.begin(true).await.unwrap();
    h.feed.backfill(None, &mut |_| {}).await.unwrap();
    h.settle().await;
    assert_eq!(h.uploads().await, uploads + 3);
    h.finish_leaving(&["held 2 times: /a.txt", "held 2 times: /b.txt", "held 2 times: /c.txt"]).await;
}

#[tokio::test]
async fn what_others_keep_in_the_store_is_in_nobodys_way() {
    let h = Harness::with(ONE_STORE).await;
    let store = h.stranger(reqwest::Method::POST, "vector_stores", json!({"name": "all"})).await;
    let file = h.upload_as_stranger("theirs.txt", "theirs").await;
    let path = format!("vector_stores/{}/files", store["id"].as_str().unwrap());
    h.stranger(reqwest::Method::POST, &path, json!({"file_id": file, "attributes": {"source_id": "theirs"}}))
        .await;
    h.work.sync.begin(false).await.unwrap();
    h.finish_leaving(&["a copy that nothing needs: theirs.txt"]).await;
}

#[tokio::test]
async fn without_an_answer_nothing_is_uploaded_until_there_is_one() {
    let h = second().await;
    let uploads = h.uploads().await;
    h.openai_fails(json!({"kind": "server_error", "method": "GET"})).await;
    h.work.sync.begin(false).await.unwrap();
    h.feed.backfill(None, &mut |_| {}).await.unwrap();
    while h.work_one().await {}
    assert_eq!(h.uploads().await, uploads);
    h.no_faults().await;
    refused(h.work.sync.begin(false).await);
    h.stop_leaving(&["a pause of openai", "a waiting job: file (3 times)"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_another_database_refuses_to_start_and_a_rebuilt_one_pays_for_nothing() {
    let mut server = Server::with(&legal("")).await;
    for number in 0..5 {
        server.put(&format!("/Contracts/{number}.txt"), &contract(number)).await;
    }
    server.rests().await;
    server.kill();
    let (uploads, responses) = (server.uploads().await, server.responses().await.len());
    server.another_database();
    let run = server.tries(&["serve"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("5 copies in vector store") && run.err.contains("docket rebuild"), "{run:?}");
    // The second time the database is there, and as empty.
    assert_eq!(server.tries(&["serve"]).code, 1);
    server.docket(&["rebuild"]);
    server.start();
    server.docket(&["backfill"]);
    server.rests().await;
    assert_eq!((server.uploads().await, server.responses().await.len()), (uploads, responses));
    let stores = server.openai_state().await["vector_stores"].as_array().unwrap().len();
    assert_eq!(stores, 1);
    server.finish().await;
}
