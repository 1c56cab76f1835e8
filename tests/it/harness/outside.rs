//! What others do at OpenAI, and what happens to Docket's own database.

use docket::app::Parts;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::database::DatabaseFile;
use super::{Harness, World, config};

/// Longer than a lease lasts.
const LEASE_MS: i64 = 20_000;

impl World {
    /// No webhook arrives from now on.
    pub async fn without_webhooks(&self) {
        self.fastio_fails(json!({ "kind": "webhook_dropped" })).await;
    }

    /// Fastio refuses what is asked at `path`.
    pub async fn fastio_refuses(&self, path: &str) {
        self.fastio_fails(json!({ "kind": "forbidden", "path": path })).await;
    }

    /// The id of the vector store called `name`.
    pub async fn store_id(&self, name: &str) -> String {
        let state = self.openai_state().await;
        let stores = state["vector_stores"].as_array().unwrap();
        let store = stores.iter().find(|store| store["name"] == name).unwrap();
        store["id"].as_str().unwrap().to_owned()
    }

    /// Everything OpenAI holds, without the time.
    pub async fn held_state(&self) -> Value {
        let state = self.openai_state().await;
        json!([state["files"], state["vector_stores"]])
    }

    /// A request to OpenAI by a stranger who has a key of the same project.
    pub async fn stranger(&self, method: Method, path: &str, body: Value) -> Value {
        let url = self.sandbox.openai_url().join(path).unwrap();
        let request = self.client.request(method, url).bearer_auth("a stranger");
        let request = if body.is_null() { request } else { request.json(&body) };
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Uploads a file that is none of ours. Answers its id.
    pub async fn upload_as_stranger(&self, name: &str, content: &str) -> String {
        let part = Part::text(content.to_owned()).file_name(name.to_owned());
        let form = Form::new().text("purpose", "assistants").part("file", part);
        let url = self.sandbox.openai_url().join("files").unwrap();
        let request = self.client.post(url).bearer_auth("a stranger").multipart(form);
        let answer: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        answer["id"].as_str().unwrap().to_owned()
    }
}

impl Harness {
    /// Asks our database one number.
    pub async fn number(&self, sql: &str) -> i64 {
        self.database_file().number(sql).await
    }

    /// Changes our database behind Docket's back.
    pub async fn meddle(&self, sql: &str) {
        self.database_file().execute(sql).await;
    }

    fn database_file(&self) -> DatabaseFile {
        DatabaseFile::of(&self.database_url())
    }

    /// The server is killed, and another one starts on its database. Webhooks still come in where they did.
    pub async fn restart(&mut self, settings: &str) {
        self.build(settings).await;
        self.queue.recover().await.unwrap();
        let is_in_hand = self.jobs().await.iter().any(|job| job.state == "running");
        if is_in_hand {
            // Another server may have it, so it is taken over when its lease has ended.
            self.pass(LEASE_MS);
        }
    }

    /// Starts anew with an empty database. Webhooks still go to the old one.
    pub async fn lose_database(&mut self, settings: &str) {
        self.folder = tempfile::tempdir().unwrap();
        self.build(settings).await;
    }

    async fn build(&mut self, settings: &str) {
        let config = config(&self.folder, &self.sandbox, settings);
        self.rules = config.rules().unwrap();
        let parts = Parts::build(&config, self.clock.share(), None).await.unwrap();
        let Parts { database, queue, work, receive, feed, .. } = parts;
        (self.database, self.queue, self.work, self.feed) = (database, queue, work, feed);
        self.drain = receive.drain;
    }
}

impl World {
    /// Fills the workspace with files by formula.
    pub async fn generate(&self, count: u64) {
        let url = self.sandbox.fastio_url().join("/_sandbox/generate").unwrap();
        let body = json!({ "workspace": super::WORKSPACE, "count": count, "seed": 1 });
        self.client.post(url).json(&body).send().await.unwrap().error_for_status().unwrap();
    }
}

impl World {
    /// The requests that Docket made to Fastio, in their order.
    pub async fn fastio_requests(&self) -> Vec<Value> {
        let url = self.sandbox.fastio_url().join("/_sandbox/requests").unwrap();
        let journal: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        journal["requests"].as_array().unwrap().clone()
    }

    /// The id of the file or folder that is at `path` now.
    pub async fn node(&self, path: &str) -> String {
        let state = self.fastio_state().await;
        let mut nodes = ["files", "folders"].iter().flat_map(|kind| state[*kind].as_array().unwrap());
        let node = nodes.find(|node| node["path"] == path).unwrap();
        node["node_id"].as_str().unwrap().to_owned()
    }
}
