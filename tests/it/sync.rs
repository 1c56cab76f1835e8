//! Files are added, edited, moved and deleted in Fastio, and OpenAI follows.

use crate::harness::Harness;

#[tokio::test]
async fn a_file_that_is_added_becomes_searchable() {
    let h = Harness::start().await;
    h.put("/Contracts/nda.txt", "The parties keep it confidential.").await;
    h.settle().await;
    println!("{:#}", h.openai_state().await);
    println!("{:#}", h.fastio_state().await);
    println!("{:#?}", h.openai_requests().await);
    h.agrees().await;
}
