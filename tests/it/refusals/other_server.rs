//! Servers that are not OpenAI and speak its language.

use serde_json::json;

use crate::harness::Harness;

#[tokio::test]
async fn a_server_that_says_400_for_what_is_not_there_holds_up_no_edit_and_no_removal() {
    let h = Harness::start().await;
    h.openai_fails(json!({"kind": "absent_as_400"})).await;
    h.put("/a.txt", "first").await;
    h.put("/b.txt", "other").await;
    h.settle().await;
    for text in ["second", "third", "fourth"] {
        h.put("/a.txt", text).await;
        h.converges().await;
    }
    h.rename("/a.txt", "/moved.txt").await;
    h.converges().await;
    h.trash("/moved.txt").await;
    h.converges().await;
    h.restore("/moved.txt").await;
    h.openai_fails(
        json!({"kind": "lost_reply", "method": "POST", "path": "/v1/vector_stores/*/files", "count": 1}),
    )
    .await;
    h.put("/c.txt", "its attach is not answered").await;
    h.trash("/b.txt").await;
    h.converges().await;
    assert!(h.dead().await.is_empty());
    h.finish().await;
}
