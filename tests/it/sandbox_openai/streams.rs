//! Responses as a stream of events.

use std::time::Duration;

use docket_sandbox::Options;
use reqwest::Method;
use serde_json::{Value, json};

use super::{OpenAi, openai, with};

impl OpenAi {
    /// The events of a stream, to its end.
    async fn events(&self, request: reqwest::RequestBuilder) -> Vec<Value> {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        let text = answer.text().await.unwrap();
        let event = |block: &str| {
            let (name, data) = block.split_once('\n').unwrap();
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
            data
        };
        text.split("\n\n").filter(|block| !block.is_empty()).map(event).collect()
    }

    fn streamed(&self, more: Value) -> reqwest::RequestBuilder {
        let mut request = json!({"model": "sandbox-rules", "input": "Hello", "stream": true});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.request(Method::POST, "responses").json(&request)
    }
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_streamed_response_says_in_pieces_what_it_says_in_whole() {
    let openai = openai().await;
    let events = openai.events(openai.streamed(json!({}))).await;
    assert_eq!(kinds(&events)[..2], ["response.created", "response.in_progress"]);
    assert!(events.iter().enumerate().all(|(place, event)| event["sequence_number"] == place));
    let end = &events.last().unwrap()["response"];
    assert_eq!(
        (&events.last().unwrap()["type"], &end["status"]),
        (&json!("response.completed"), &json!("completed"))
    );
    let pieces = events.iter().filter(|event| event["type"] == "response.output_text.delta");
    let text: String = pieces.map(|event| event["delta"].as_str().unwrap()).collect();
    assert_eq!(end["output"][0]["content"][0]["text"], json!(text));
    let id = end["id"].as_str().unwrap();
    assert_eq!(&openai.get(&format!("responses/{id}")).await.1, end);
}

#[tokio::test]
async fn a_stream_of_the_background_ends_when_its_run_does_and_can_be_taken_up_again() {
    let openai = with(Options { index_delay: Duration::from_millis(60), ..Options::default() }).await;
    let events = openai.events(openai.streamed(json!({"background": true}))).await;
    assert_eq!(kinds(&events)[..3], ["response.created", "response.queued", "response.in_progress"]);
    assert_eq!(kinds(&events).last(), Some(&"response.completed"));
    let id = events[0]["response"]["id"].as_str().unwrap();
    let again = openai.request(Method::GET, &format!("responses/{id}?stream=true&starting_after=2"));
    assert_eq!(openai.events(again).await, events[3..]);
}

#[tokio::test]
async fn a_stream_ends_as_its_response_does() {
    let openai = openai().await;
    for (code, kind) in [
        ("server_error", "response.failed"),
        ("max_output_tokens", "response.incomplete"),
        ("refusal", "response.completed"),
    ] {
        openai.fault(json!({"kind": "bad_run", "code": code, "count": 1}));
        let events = openai.events(openai.streamed(json!({}))).await;
        assert_eq!(kinds(&events).last(), Some(&kind));
        assert_eq!(kinds(&events).contains(&"response.refusal.delta"), code == "refusal");
    }
}

#[tokio::test]
async fn what_was_not_begun_as_a_stream_is_none() {
    let openai = openai().await;
    let (_, plain) = openai.post("responses", json!({"model": "sandbox-rules", "input": "Hello"})).await;
    let path = format!("responses/{}?stream=true", plain["id"].as_str().unwrap());
    assert_eq!(openai.get(&path).await.0, 400);
}

#[tokio::test]
async fn the_stream_of_a_run_that_is_cancelled_ends() {
    let openai = openai().await;
    openai.fault(json!({"kind": "slow_run"}));
    let begun = openai.streamed(json!({"background": true})).send().await.unwrap();
    let state = openai.state();
    let id = state["responses"][0]["id"].as_str().unwrap();
    openai.post(&format!("responses/{id}/cancel"), json!({})).await;
    let text = begun.text().await.unwrap();
    assert!(text.contains("response.queued") && !text.contains("response.completed"), "{text}");
}
