//! What stands beside a file when the job is dead that was to find out what the file is now: it says that it does not know.

use serde_json::{Value, json};

use crate::harness::{Harness, WORKSPACE, contract, legal};
use crate::publish::{analysed, top};

/// Fastio refuses to say anything of this node, and lists nothing that is in it.
fn refused(node: &str) -> Value {
    json!({"kind": "forbidden", "path": format!("/current/workspace/{WORKSPACE}/storage/{node}/**")})
}

/// The row of a file in the table.
async fn row(h: &Harness, path: &str) -> String {
    let table = h.read("/Contracts/overview.csv").await;
    table.lines().find(|line| line.starts_with(path)).unwrap_or_else(|| panic!("{table}")).to_owned()
}

#[tokio::test]
async fn a_result_says_so_when_the_job_that_was_to_bring_the_present_version_is_dead() {
    let h = analysed(&legal("")).await;
    h.fastio_fails(json!({"kind": "forbidden", "path": "/current/workspace/*/storage/*/read/**"})).await;
    h.put("/Contracts/a.txt", &contract(2)).await;
    h.settle_to_dead().await;
    h.no_faults().await;
    let told = top(&h, "/Contracts/a.analysis.md").await;
    assert!(told.contains("earlier version") && told.contains("could not be brought to OpenAI"), "{told}");
    h.retry_dead().await;
    h.converges().await;
    let result = h.read("/Contracts/a.analysis.md").await;
    assert!(result.contains("EUR 20,000") && !result.contains("earlier version"), "{result}");
    h.finish().await;
}

#[tokio::test]
async fn a_result_says_so_when_its_file_could_not_be_looked_at() {
    let h = analysed(&legal("digest = 'overview.csv'")).await;
    let node = h.node("/Contracts/a.txt").await;
    h.fastio_fails(refused(&node)).await;
    h.put("/Contracts/a.txt", &contract(2)).await;
    h.settle_to_dead().await;
    let told = top(&h, "/Contracts/a.analysis.md").await;
    assert!(
        told.contains("may be about an earlier version") && told.contains("could not be looked at"),
        "{told}"
    );
    let told = row(&h, "/Contracts/a.txt").await;
    assert!(told.contains("could not be looked at"), "{told}");
    // It is there as it was, which nobody knew.
    h.put("/Contracts/a.txt", &contract(1)).await;
    h.no_faults().await;
    h.retry_dead().await;
    h.converges().await;
    let result = h.read("/Contracts/a.analysis.md").await;
    assert!(result.contains("EUR 10,000") && !result.contains("earlier version"), "{result}");
    assert!(
        !row(&h, "/Contracts/a.txt").await.contains("could not"),
        "{}",
        row(&h, "/Contracts/a.txt").await
    );
    assert_eq!(h.responses().await.len(), 1);
    h.finish().await;
}

#[tokio::test]
async fn a_result_of_a_deleted_file_says_so_when_it_may_be_there_again() {
    let h = analysed(&legal("")).await;
    let node = h.node("/Contracts/a.txt").await;
    h.trash("/Contracts/a.txt").await;
    h.settle().await;
    h.fastio_fails(refused(&node)).await;
    h.restore("/Contracts/a.txt").await;
    h.settle_to_dead().await;
    let told = top(&h, "/Contracts/a.analysis.md").await;
    assert!(told.contains("could not be looked at") && !told.contains("was deleted:"), "{told}");
    h.no_faults().await;
    h.trash("/Contracts/a.txt").await;
    h.retry_dead().await;
    h.converges().await;
    let told = top(&h, "/Contracts/a.analysis.md").await;
    assert!(told.contains("was deleted") && !told.contains("could not be looked at"), "{told}");
    h.finish().await;
}

#[tokio::test]
async fn files_in_a_folder_that_could_not_be_listed_are_looked_at_one_by_one() {
    let h = Harness::with(&legal("digest = 'overview.csv'")).await;
    h.put("/Contracts/Deep/a.txt", &contract(1)).await;
    h.settle().await;
    let folder = h.folder("/Contracts/Deep").await;
    h.trash("/Contracts/Deep").await;
    h.settle().await;
    assert!(!h.read("/Contracts/overview.csv").await.contains("Deep"));
    let list = format!("/current/workspace/{WORKSPACE}/storage/{folder}/list/**");
    h.fastio_fails(json!({"kind": "forbidden", "path": list})).await;
    h.restore("/Contracts/Deep").await;
    h.settle_to_dead().await;
    assert_eq!(h.held().await, ["/Contracts/Deep/a.txt"]);
    assert!(row(&h, "/Contracts/Deep/a.txt").await.contains("EUR 10,000"));
    h.no_faults().await;
    h.retry_dead().await;
    h.converges().await;
    h.finish().await;
}
