//! What other servers do otherwise, played by the stand-in.

use reqwest::Method;
use serde_json::json;

use super::{answered, message, openai};

#[tokio::test]
async fn only_what_is_not_in_a_vector_store_is_answered_with_400() {
    let openai = openai().await;
    let store = openai.store().await;
    openai.fault(json!({"kind": "absent_as_400"}));
    for (path, words) in [
        ("vector_stores/vs_1".to_owned(), "Vector_store 'vs_1' not found.".to_owned()),
        ("vector_stores/vs_1/files".to_owned(), "Vector_store 'vs_1' not found.".to_owned()),
        (
            format!("vector_stores/{store}/files/file-1"),
            format!("File file-1 not found in vector store {store}"),
        ),
    ] {
        let (status, body) = openai.get(&path).await;
        assert_eq!((status.as_u16(), message(&body)), (400, words.as_str()), "{path}");
        assert_eq!(body["error"].as_object().unwrap().len(), 1, "neither type nor code: {body}");
    }
    for path in ["files/file-1", "responses/resp_1", "containers/cntr_1"] {
        assert_eq!(openai.get(path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn names_keep_only_plain_letters_digits_and_three_signs() {
    let openai = openai().await;
    openai.fault(json!({"kind": "names_sanitised"}));
    openai.upload("My file-v2_\u{e9}.final.md", "text").await;
    let (_, files) = answered(openai.request(Method::GET, "files")).await;
    assert_eq!(files["data"][0]["filename"], "My_file-v2__.final.md");
}
