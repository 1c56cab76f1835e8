//! The Fastio stand-in over real HTTP: a user's stories, and what its own documents promise.

mod accounts;
mod events;
mod faults;
mod files;
mod locks;
mod uploads;
mod webhooks;

use docket_sandbox::{Options, Sandbox, Webhook, start};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

const WS: &str = "4829105738291047362";

/// A running stand-in and a client of it.
struct Fastio {
    sandbox: Sandbox,
    http: reqwest::Client,
    _stop: DropGuard,
}

impl Fastio {
    async fn start() -> Fastio {
        Fastio::with(None).await
    }

    async fn with(webhook: Option<Webhook>) -> Fastio {
        Fastio::of(Options { webhook, ..Options::default() }).await
    }

    async fn of(options: Options) -> Fastio {
        let stop = CancellationToken::new();
        let options = Options { seed: 7, ..options };
        let sandbox = start(options, stop.clone()).await.unwrap();
        Fastio { sandbox, http: reqwest::Client::new(), _stop: stop.drop_guard() }
    }

    /// A request to the real API with a key.
    fn api(&self, method: Method, path: &str) -> RequestBuilder {
        self.api_as("ann", method, path)
    }

    fn api_as(&self, key: &str, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.sandbox.fastio_url().join(path).unwrap()).bearer_auth(key)
    }

    /// A request below `/_sandbox/`.
    fn control(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.sandbox.fastio_url().join("/_sandbox/").unwrap().join(path).unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        good(self.api(Method::GET, path)).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        good(self.api(Method::POST, path).form(form)).await
    }

    async fn delete(&self, path: &str) -> Value {
        good(self.api(Method::DELETE, path)).await
    }

    /// Puts a file by control and says what it became.
    async fn put(&self, path: &str, text: &str) -> Value {
        good(self.control(Method::PUT, &format!("files/{WS}/{path}")).body(text.to_owned())).await
    }

    async fn put_id(&self, path: &str, text: &str) -> String {
        self.put(path, text).await["node_id"].as_str().unwrap().to_owned()
    }

    async fn state(&self) -> Value {
        good(self.control(Method::GET, "state")).await
    }

    async fn fault(&self, fault: Value) {
        let set = self.control(Method::POST, "faults").json(&fault).send().await.unwrap();
        assert_eq!(set.status(), 201, "{}", set.text().await.unwrap());
    }

    /// The names of everything that happened, oldest first.
    async fn events(&self) -> Vec<String> {
        let state = self.state().await;
        let name = |event: &Value| event["event"].as_str().unwrap().to_owned();
        state["events"].as_array().unwrap().iter().map(name).collect()
    }
}

/// The JSON of a reply that succeeds.
async fn good(request: RequestBuilder) -> Value {
    let reply = request.send().await.unwrap();
    let (status, text) = (reply.status(), reply.text().await.unwrap());
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).unwrap()
}

/// Status and error code of a reply that refuses.
async fn refused(request: RequestBuilder) -> (u16, u64) {
    let reply: Response = request.send().await.unwrap();
    let status = reply.status().as_u16();
    let body: Value = reply.json().await.unwrap();
    assert_eq!(body["result"], json!(false), "{body}");
    (status, body["error"]["code"].as_u64().unwrap())
}

/// A node's path below the storage of the workspace.
fn at(node: &str, what: &str) -> String {
    format!("workspace/{WS}/storage/{node}/{what}/")
}
