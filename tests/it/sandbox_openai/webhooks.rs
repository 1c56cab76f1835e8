//! OpenAI's webhooks: who is told of what, signed how, and how often.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::{OpenAi, answered, openai};

/// Takes webhooks; the first `refusals` are answered with 503.
#[derive(Clone, Default)]
struct Subscriber {
    refusals: Arc<Mutex<usize>>,
    taken: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

async fn take(State(to): State<Subscriber>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut refusals = to.refusals.lock().await;
    if *refusals > 0 {
        *refusals -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    to.taken.lock().await.push((headers, serde_json::from_slice(&body).unwrap()));
    StatusCode::OK
}

impl Subscriber {
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let app = Router::new().route("/hooks", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }
}

impl OpenAi {
    async fn endpoint(&self, url: &str, events: &[&str]) -> Value {
        let asked = json!({"name": "mine", "url": url, "event_types": events});
        let (status, made) = self.post("webhook_endpoints", asked).await;
        assert_eq!(status, 200, "{made}");
        made
    }

    async fn run_in_background(&self) -> String {
        let asked = json!({"model": "sandbox-rules", "input": "Hello", "background": true});
        self.post("responses", asked).await.1["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn an_endpoint_is_told_once_of_each_end_that_it_asked_for() {
    let (openai, subscriber) = (openai().await, Subscriber::default());
    *subscriber.refusals.lock().await = 2;
    let url = subscriber.listen().await;
    let made = openai.endpoint(&url, &["response.completed", "response.cancelled"]).await;
    assert!(made["signing_secret"].as_str().unwrap().starts_with("whsec_"));
    let first = openai.run_in_background().await;
    // A response in the foreground sends no webhook, and the endpoint did not ask for failures.
    openai.post("responses", json!({"model": "sandbox-rules", "input": "Hello"})).await;
    openai.fault(json!({"kind": "bad_run", "count": 1}));
    openai.run_in_background().await;
    openai.fault(json!({"kind": "slow_run", "count": 1}));
    let slow = openai.run_in_background().await;
    openai.post(&format!("responses/{slow}/cancel"), json!({})).await;
    openai.sandbox.openai().flush_webhooks().await;
    let taken = subscriber.taken.lock().await;
    let mut told: Vec<(&str, &str)> = taken
        .iter()
        .map(|(_, body)| (body["type"].as_str().unwrap(), body["data"]["id"].as_str().unwrap()))
        .collect();
    told.sort_unstable();
    assert_eq!(told, [("response.cancelled", slow.as_str()), ("response.completed", first.as_str())]);
    let (headers, body) = &taken[0];
    assert!(headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
    assert!(headers.contains_key("webhook-id") && headers.contains_key("webhook-timestamp"));
    assert_eq!(body["object"], "event");
}

#[tokio::test]
async fn endpoints_are_listed_changed_tested_and_deleted() {
    let (openai, subscriber) = (openai().await, Subscriber::default());
    let url = subscriber.listen().await;
    let made = openai.endpoint(&url, &["response.completed"]).await;
    let path = format!("webhook_endpoints/{}", made["id"].as_str().unwrap());
    let (_, listed) = openai.get("webhook_endpoints").await;
    assert_eq!(listed["data"][0]["id"], made["id"]);
    assert!(listed["data"][0].get("signing_secret").is_none(), "it is shown once");
    let changed = openai.post(&path, json!({"event_types": ["response.failed"]})).await.1;
    assert_eq!(changed["event_types"], json!(["response.failed"]));
    let rotated = openai
        .post(&format!("{path}/rotate_secret"), json!({"keep_old_secret_active_for_24_hours": true}))
        .await
        .1;
    assert_ne!(rotated["signing_secret"], made["signing_secret"]);
    let (_, tested) = openai.post(&format!("{path}/test"), json!({"event_type": "response.failed"})).await;
    assert_eq!((&tested["status_code"], &tested["success"]), (&json!(200), &json!(true)));
    let signatures = subscriber.taken.lock().await[0].0["webhook-signature"].to_str().unwrap().to_owned();
    assert_eq!(signatures.split(' ').count(), 2, "both secrets sign for a day");
    assert_eq!(openai.delete(&path).await.1["object"], "webhook_endpoint.deleted");
    assert_eq!(openai.get(&path).await.0, 404);
    let refused = json!({"name": "x", "url": "http://example.com/", "event_types": ["response.completed"]});
    assert_eq!(openai.post("webhook_endpoints", refused).await.0, 400);
    let (_, kinds) = answered(openai.request(Method::GET, "webhook_event_types")).await;
    assert!(kinds["data"].as_array().unwrap().contains(&json!("response.completed")));
}
