//! Fastio's hashes are not what they are taken for.

use docket::sync::listing::Standing;
use serde_json::json;

use crate::harness::{Harness, contract, legal};

impl Harness {
    /// How often a file's content was fetched.
    async fn downloads(&self) -> usize {
        let requests = self.sandbox.fastio_core().journal.requests();
        requests.iter().filter(|one| one.method == "GET" && one.path.contains("/read")).count()
    }
}

#[tokio::test]
async fn files_whose_announced_hash_is_wrong_are_synced_under_the_one_that_was_read() {
    for wrong in [json!({}), json!({"put": "d41d8cd98f00b204e9800998ecf8427e"})] {
        let h = Harness::start().await;
        let mut fault = wrong.clone();
        fault["kind"] = json!("wrong_hash");
        h.fastio_fails(fault).await;
        for n in 0..3 {
            h.put(&format!("/{n}.txt"), &format!("text {n}")).await;
        }
        h.work_for_seconds(60).await;
        assert_eq!(h.copies().await.len(), 3, "{wrong}");
        assert_eq!(h.number("SELECT count(*) FROM file WHERE read_agreed_at IS NOT NULL").await, 3);
        // Of the same length, and with the same wrong hash.
        h.put("/0.txt", "text X").await;
        h.converges().await;
        h.rename("/1.txt", "/renamed.txt").await;
        h.converges().await;
        let uploads = h.uploads().await;
        h.sweep().await;
        h.settle().await;
        assert_eq!(h.uploads().await, uploads, "a sweep finds nothing to upload");
        h.finish().await;
    }
}

#[tokio::test]
async fn a_hash_of_the_same_kind_as_docket_computes_may_be_wrong_too() {
    let h = Harness::start().await;
    h.fastio_fails(json!({"kind": "changed_reply", "find": "\"md5\"", "put": "\"sha256\""})).await;
    h.put("/a.txt", "a plain text").await;
    h.work_for_seconds(60).await;
    h.agrees().await;
    assert_eq!(h.number("SELECT count(*) FROM file WHERE read_agreed_at IS NOT NULL").await, 1);
    let standing = h.records().files(&Default::default()).await[0].state;
    assert_eq!(standing, Standing::Current);
    h.finish().await;
}

#[tokio::test]
async fn what_openai_cannot_hold_under_a_wrong_hash_is_read_no_more_often_than_it_takes() {
    let h = Harness::start().await;
    h.fastio_fails(json!({"kind": "wrong_hash"})).await;
    h.put("/blank.txt", " \n ").await;
    h.put("/refused.txt", "a text").await;
    h.openai_fails(json!({"kind": "index_failure", "code": "invalid_file", "count": 1})).await;
    h.work_for_seconds(60).await;
    assert_eq!(h.skipped().await.len(), 2);
    let downloads = h.downloads().await;
    h.rename("/blank.txt", "/empty.txt").await;
    h.rename("/refused.txt", "/renamed.txt").await;
    h.settle().await;
    h.sweep().await;
    h.settle().await;
    assert_eq!(h.downloads().await, downloads);
    assert_eq!(h.skipped().await.len(), 2);
    h.finish_leaving_kinds(&["skipped"]).await;
}

#[tokio::test]
async fn a_run_over_a_file_with_a_wrong_hash_is_made_once() {
    let h = Harness::with(&legal("")).await;
    h.fastio_fails(json!({"kind": "wrong_hash"})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    // What is downloaded again for a rename or a sweep is no new content.
    h.rename("/Contracts/nda.txt", "/Contracts/msa.txt").await;
    h.settle().await;
    h.sweep().await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    assert_eq!(h.responses().await.len(), 1);
    h.finish().await;
}

#[tokio::test]
async fn a_download_that_was_damaged_once_proves_nothing_of_the_hash() {
    let h = Harness::start().await;
    let damaged = json!({"kind": "changed_reply", "find": "plain", "put": "plane", "path": "/current/workspace/*/storage/*/read/**", "count": 1});
    h.fastio_fails(damaged).await;
    h.put("/a.txt", "a plain text").await;
    h.converges().await;
    assert_eq!(h.number("SELECT count(*) FROM file WHERE read_agreed_at IS NOT NULL").await, 0);
    h.finish().await;
}
