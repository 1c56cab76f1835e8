//! What a vector store reads out of its files, and what a search finds there.

use reqwest::StatusCode;
use serde_json::json;

use super::{message, openai, with};
use crate::full_stores::taking;

#[tokio::test]
async fn a_store_takes_so_many_files_and_a_search_of_a_response_so_many_stores() {
    let openai = with(taking(2)).await;
    let (store, other, third) = (openai.store().await, openai.store().await, openai.store().await);
    let mut files = Vec::new();
    for name in ["a.txt", "b.txt", "c.txt"] {
        files.push(openai.upload(name, "text").await);
    }
    let attach = async |file: &str| {
        openai.post(&format!("vector_stores/{store}/files"), json!({"file_id": file})).await
    };
    assert_eq!(attach(&files[0]).await.0, StatusCode::OK);
    let batch = json!({"file_ids": files});
    let (status, refused) = openai.post(&format!("vector_stores/{store}/file_batches"), batch).await;
    assert_eq!(
        (status, message(&refused).contains("maximum number of files (2)")),
        (StatusCode::BAD_REQUEST, true)
    );
    assert_eq!(attach(&files[1]).await.0, StatusCode::OK);
    assert_eq!(attach(&files[0]).await.0, StatusCode::OK, "one that is there takes no other place");
    assert_eq!(attach(&files[2]).await.0, StatusCode::BAD_REQUEST);
    openai.delete(&format!("vector_stores/{store}/files/{}", files[0])).await;
    assert_eq!(attach(&files[2]).await.0, StatusCode::OK);
    let respond = async |stores: &[&String]| {
        let tools = json!([{"type": "file_search", "vector_store_ids": stores}]);
        openai.post("responses", json!({"model": "sandbox-rules", "input": "text", "tools": tools})).await
    };
    assert_eq!(respond(&[&store, &other]).await.0, StatusCode::OK);
    let (status, refused) = respond(&[&store, &other, &third]).await;
    assert_eq!(
        (status, message(&refused).contains("maximum of 2 vector stores")),
        (StatusCode::BAD_REQUEST, true)
    );
}

#[tokio::test]
async fn what_scores_below_the_threshold_of_a_tool_is_not_found() {
    let openai = openai().await;
    let store = openai.store().await;
    for (name, text) in [("a.txt", "liability liability of the supplier"), ("b.txt", "the supplier pays")] {
        let file = openai.upload(name, text).await;
        openai.attach(&store, &file).await;
    }
    for (threshold, expected) in [(0.0, vec!["a.txt", "b.txt"]), (0.5, vec!["a.txt"])] {
        let tool = json!({
            "type": "file_search", "vector_store_ids": [store], "ranking_options": {"score_threshold": threshold},
        });
        let request = json!({
            "model": "sandbox-rules", "input": "supplier liability", "tools": [tool],
            "include": ["file_search_call.results"],
        });
        let (_, response) = openai.post("responses", request).await;
        let results = response["output"][0]["results"].as_array().unwrap();
        let found: Vec<&str> = results.iter().map(|hit| hit["filename"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{threshold}");
    }
}

#[tokio::test]
async fn the_usage_of_a_text_grows_with_it_and_a_file_without_text_has_none() {
    let openai = openai().await;
    let store = openai.store().await;
    for (name, text, usage) in [
        ("small.txt", "liability".to_owned(), 9),
        ("large.txt", "liability ".repeat(100_000), 1_000_000),
        ("scan.pdf", format!("%PDF-1.4\n{}", "\u{1}".repeat(1_000_000)), 0),
    ] {
        let file = openai.upload(name, &text).await;
        openai.attach(&store, &file).await;
        let (_, entry) = openai.get(&format!("vector_stores/{store}/files/{file}")).await;
        assert_eq!(entry["usage_bytes"], usage, "{name}");
    }
}
