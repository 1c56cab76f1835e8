//! What is outside of the document's ranges is refused, with the place where it stands; and what a response stands on.

use serde_json::{Value, json};

use super::{OpenAi, answered, message, openai};
use reqwest::Method;

impl OpenAi {
    /// A response to this request, which names the model alone where it says nothing.
    async fn respond(&self, more: Value) -> (u16, Value) {
        let mut request = json!({"model": "sandbox-rules", "input": "Hello"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, body) = self.post("responses", request).await;
        (status.as_u16(), body)
    }
}

#[tokio::test]
async fn values_that_the_document_does_not_allow_are_refused_by_place() {
    let openai = openai().await;
    let store = openai.store().await;
    let search = |more: Value| {
        let mut tool = json!({"type": "file_search", "vector_store_ids": [store]});
        tool.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"tools": [{"type": "function", "name": "f", "parameters": {}}, tool]})
    };
    for (request, param, code) in [
        (json!({"temperature": 9}), "temperature", "decimal_above_max_value"),
        (json!({"temperature": -0.1}), "temperature", "decimal_below_min_value"),
        (json!({"top_p": 1.5}), "top_p", "decimal_above_max_value"),
        (json!({"top_logprobs": 21}), "top_logprobs", "integer_above_max_value"),
        (json!({"max_output_tokens": 15}), "max_output_tokens", "integer_below_min_value"),
        (json!({"include": ["file_search_call.results", "all"]}), "include[1]", "invalid_value"),
        (json!({"tools": [{"type": "magic"}]}), "tools[0].type", "invalid_value"),
        (json!({"tools": [{}]}), "tools[0].type", "missing_required_parameter"),
        (
            json!({"tools": [{"type": "code_interpreter"}]}),
            "tools[0].container",
            "missing_required_parameter",
        ),
        (
            json!({"tools": [{"type": "code_interpreter", "container": {"type": "auto", "memory_limit": "2g"}}]}),
            "tools[0].container.memory_limit",
            "invalid_value",
        ),
        (
            json!({"tools": [{"type": "file_search"}]}),
            "tools[0].vector_store_ids",
            "missing_required_parameter",
        ),
        (
            search(json!({"ranking_options": {"ranker": "magic"}})),
            "tools[1].ranking_options.ranker",
            "invalid_value",
        ),
        (
            search(json!({"ranking_options": {"score_threshold": 2}})),
            "tools[1].ranking_options.score_threshold",
            "decimal_above_max_value",
        ),
        (search(json!({"max_num_results": 51})), "tools[1].max_num_results", "integer_above_max_value"),
        (search(json!({"colour": 1})), "tools[1].colour", "unknown_parameter"),
        (
            json!({"input": [{"role": "user", "content": "x"}, {"role": "robot", "content": "x"}]}),
            "input[1].role",
            "invalid_value",
        ),
        (json!({"previous_response_id": "resp_none"}), "previous_response_id", "previous_response_not_found"),
    ] {
        let (status, body) = openai.respond(request.clone()).await;
        let error = &body["error"];
        assert_eq!(
            (status, &error["param"], &error["code"]),
            (400, &json!(param), &json!(code)),
            "{request} {body}"
        );
    }
    let path = format!("vector_stores/{store}/search");
    let (status, body) =
        openai.post(&path, json!({"query": "x", "ranking_options": {"ranker": "magic"}})).await;
    assert_eq!((status.as_u16(), &body["error"]["param"]), (400, &json!("ranking_options.ranker")));
    let fine = json!({"query": "x", "ranking_options": {"ranker": "none", "score_threshold": 0.5}});
    assert_eq!(openai.post(&path, fine).await.0, 200);
}

#[tokio::test]
async fn an_id_of_a_request_has_at_most_512_characters() {
    let openai = openai().await;
    for (length, status) in [(512, 200), (513, 400)] {
        let request = openai.request(Method::GET, "models").header("x-client-request-id", "x".repeat(length));
        assert_eq!(answered(request).await.0, status);
    }
}

#[tokio::test]
async fn every_reply_says_what_is_left_of_the_limits() {
    let openai = openai().await;
    let header = async |name: &str| {
        let answer = openai.request(Method::GET, "models").send().await.unwrap();
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(header("x-ratelimit-remaining-requests").await.as_deref(), Some("9999"));
    openai.fault(json!({"kind": "rate_limit", "retry_after_seconds": 7, "count": 2}));
    assert_eq!(header("x-ratelimit-remaining-requests").await.as_deref(), Some("0"));
    assert_eq!(header("x-ratelimit-reset-requests").await.as_deref(), Some("7s"));
}

#[tokio::test]
async fn a_response_carries_what_was_said_before_it() {
    let openai = openai().await;
    let (_, first) = openai.respond(json!({"input": "One"})).await;
    let (_, second) = openai.respond(json!({"input": "Two", "previous_response_id": first["id"]})).await;
    assert_eq!(second["previous_response_id"], first["id"]);
    let path = format!("responses/{}/input_items?order=asc", second["id"].as_str().unwrap());
    let items = openai.get(&path).await.1["data"].clone();
    let roles: Vec<&Value> = items.as_array().unwrap().iter().map(|item| &item["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    let tokens = |response: &Value| response["usage"]["input_tokens"].as_u64().unwrap();
    assert!(tokens(&second) > tokens(&first));
}

#[tokio::test]
async fn tokens_are_counted_and_what_was_said_is_compacted() {
    let openai = openai().await;
    let asked = json!({"model": "sandbox-rules", "input": "x".repeat(400), "instructions": "y".repeat(40)});
    let (status, counted) = openai.post("responses/input_tokens", asked).await;
    assert_eq!(
        (status.as_u16(), counted),
        (200, json!({"object": "response.input_tokens", "input_tokens": 111}))
    );
    let (_, first) = openai.respond(json!({"input": "One"})).await;
    let asked = json!({"model": "sandbox-rules", "input": "Two", "previous_response_id": first["id"]});
    let (status, compacted) = openai.post("responses/compact", asked).await;
    assert_eq!((status.as_u16(), &compacted["object"]), (200, &json!("response.compaction")));
    let kinds: Vec<&Value> =
        compacted["output"].as_array().unwrap().iter().map(|item| &item["type"]).collect();
    assert_eq!(kinds, ["message", "message", "compaction"]);
}

#[tokio::test]
async fn an_empty_list_has_the_ids_that_the_document_requires() {
    let openai = openai().await;
    let (_, empty) = openai.get("files").await;
    assert_eq!(
        empty,
        json!({"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": false})
    );
    let (status, body) = openai.get("files?limit=0").await;
    assert_eq!((status.as_u16(), message(&body).contains("below minimum")), (400, true));
}
