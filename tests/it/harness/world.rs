//! The world around Docket: what a user changes in Fastio, what OpenAI then holds, and what may go wrong between them.

use docket::queue::store::PauseRow;
use docket::receive::signature::{Scheme, sign};
use docket::sync::listing::{Filter, Row, Standing};
use docket_sandbox::judge::{Absences, Sides, StoreCopy, gaps, halves};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Harness, SECRET, WORKSPACE, World};

impl World {
    /// Creates or overwrites a file, as a user would. Answers its node id.
    pub async fn put(&self, path: &str, content: &str) -> String {
        self.put_in(WORKSPACE, path, content).await
    }

    pub async fn put_in(&self, workspace: &str, path: &str, content: &str) -> String {
        self.put_bytes(workspace, path, content.as_bytes().to_vec()).await
    }

    pub async fn put_bytes(&self, workspace: &str, path: &str, content: Vec<u8>) -> String {
        let url = self.fastio_control(&format!("files/{workspace}{path}"));
        let answer = self.client.put(url).body(content).send().await.unwrap();
        let answer = answer.error_for_status().unwrap().json::<Value>().await.unwrap();
        answer["node_id"].as_str().unwrap().to_owned()
    }

    /// Creates a file that Fastio announces as being of this type. The path is encoded.
    pub async fn put_as(&self, mime_type: &str, path: &str, content: Vec<u8>) {
        self.put_bytes(WORKSPACE, &format!("{path}?mimetype={mime_type}"), content).await;
    }

    /// The text that the first vector store read out of the file of this name.
    pub async fn text(&self, filename: &str) -> String {
        let copies = self.copies().await;
        let copy = copies.iter().find(|copy| copy.filename == filename).unwrap();
        let path = format!("vector_stores/{}/files/{}/content", copy.store_id, copy.file_id);
        let content = self.stranger(Method::GET, &path, Value::Null).await;
        let pieces = content["data"].as_array().unwrap().iter();
        pieces.map(|piece| piece["text"].as_str().unwrap()).collect()
    }

    /// Puts a file or folder into the trash.
    pub async fn trash(&self, path: &str) {
        self.control(Method::DELETE, &format!("files/{WORKSPACE}{path}"), Value::Null).await;
    }

    /// Removes a file for good, of which Fastio says nothing.
    pub async fn purge(&self, path: &str) {
        self.control(Method::DELETE, &format!("files/{WORKSPACE}{path}?purge=true"), Value::Null).await;
    }

    /// Moves or renames a file or folder.
    pub async fn rename(&self, from: &str, to: &str) {
        let body = json!({ "workspace": WORKSPACE, "from": from, "to": to });
        self.control(Method::POST, "move", body).await;
    }

    /// Calls a node what no request could; by no name at all without one.
    pub async fn call(&self, node: &str, name: Option<&str>) {
        let body = json!({ "workspace": WORKSPACE, "node_id": node, "name": name });
        self.control(Method::POST, "names", body).await;
    }

    pub async fn make_folder(&self, path: &str) {
        self.control(Method::PUT, &format!("folders/{WORKSPACE}{path}"), Value::Null).await;
    }

    /// The id of the folder that is at `path` now.
    pub async fn folder(&self, path: &str) -> String {
        let state = self.fastio_state().await;
        let folders = state["folders"].as_array().unwrap();
        let folder = folders.iter().find(|folder| folder["path"] == path);
        folder.unwrap_or_else(|| panic!("no {path} in {state:#}"))["node_id"].as_str().unwrap().to_owned()
    }

    pub async fn copy(&self, from: &str, to_folder: &str) {
        let body = json!({ "workspace": WORKSPACE, "from": from, "to": to_folder });
        self.control(Method::POST, "copy", body).await;
    }

    pub async fn restore(&self, path: &str) {
        self.control(Method::POST, "restore", json!({ "workspace": WORKSPACE, "path": path })).await;
    }

    /// Takes something out of the trash, if there is anything. Answers where it was to come.
    pub async fn restore_any(&self, choice: usize) -> Option<String> {
        let state = self.fastio_state().await;
        let files = state["files"].as_array().unwrap();
        let trashed: Vec<&Value> = files.iter().filter(|file| file["trashed"] == true).collect();
        if trashed.is_empty() {
            return None;
        }
        let path = trashed[choice % trashed.len()]["path"].as_str().unwrap();
        let body = json!({ "workspace": WORKSPACE, "path": path });
        // What is inside a trashed folder cannot be taken out alone.
        self.client.post(self.fastio_control("restore")).json(&body).send().await.unwrap();
        Some(path.to_owned())
    }

    /// Fastio does not show the workspace to our key any more.
    pub async fn hide_workspace(&self) {
        self.control(Method::DELETE, &format!("profiles/{WORKSPACE}"), Value::Null).await;
    }

    pub async fn show_workspace(&self) {
        self.control(Method::PUT, &format!("profiles/{WORKSPACE}"), Value::Null).await;
    }

    /// Changes a vector store, as its owner would. Answers the status.
    pub async fn change_store(&self, store: &str, change: Value) {
        let url = self.sandbox.openai_url().join(&format!("vector_stores/{store}")).unwrap();
        let request = self.client.post(url).bearer_auth("its owner").json(&change);
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// A stranger deletes every File object and its attachments.
    pub async fn delete_at_openai(&self) {
        for copy in self.copies().await {
            let store = self.openai_state().await["vector_stores"][0]["id"].as_str().unwrap().to_owned();
            let path = format!("vector_stores/{store}/files/{}", copy.file_id);
            self.stranger(Method::DELETE, &path, Value::Null).await;
            self.remove_file_object(&copy.file_id).await;
        }
    }

    pub async fn remove_file_object(&self, file_id: &str) {
        self.stranger(Method::DELETE, &format!("files/{file_id}"), Value::Null).await;
    }

    async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.client.request(method, self.fastio_control(path));
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    fn fastio_control(&self, path: &str) -> String {
        self.sandbox.fastio_url().join("/_sandbox/").unwrap().join(path).unwrap().to_string()
    }

    fn openai_control(&self, path: &str) -> String {
        self.sandbox.openai_url().join("/_sandbox/").unwrap().join(path).unwrap().to_string()
    }

    /// Sets a fault (or several, in an array) at the OpenAI stand-in.
    pub async fn openai_fails(&self, faults: Value) {
        self.set_faults(self.openai_control("faults"), faults).await;
    }

    /// Sets a fault (or several, in an array) at the Fastio stand-in.
    pub async fn fastio_fails(&self, faults: Value) {
        self.set_faults(self.fastio_control("faults"), faults).await;
    }

    async fn set_faults(&self, url: String, faults: Value) {
        let answer = self.client.post(url).json(&faults).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{faults}: {status} {text}");
    }

    /// All is well again, on both sides.
    pub async fn no_faults(&self) {
        for url in [self.fastio_control("faults"), self.openai_control("faults")] {
            self.client.delete(url).send().await.unwrap().error_for_status().unwrap();
        }
    }

    /// The requests that Docket made to OpenAI, in their order.
    pub async fn openai_requests(&self) -> Vec<Value> {
        self.journal(self.openai_control("requests")).await
    }

    async fn journal(&self, url: String) -> Vec<Value> {
        let journal = self.client.get(url).send().await.unwrap().json::<Value>().await.unwrap();
        journal["requests"].as_array().unwrap().clone()
    }

    /// How often OpenAI was asked this.
    pub fn asked(&self, method: &str, path: &str) -> usize {
        let requests = self.sandbox.openai_core().journal.requests();
        requests.iter().filter(|one| one.method == method && one.path == path).count()
    }

    /// How often OpenAI was asked for an upload.
    pub async fn uploads(&self) -> usize {
        self.asked("POST", "/v1/files")
    }

    pub async fn openai_state(&self) -> Value {
        self.client.get(self.openai_control("state")).send().await.unwrap().json().await.unwrap()
    }

    pub async fn fastio_state(&self) -> Value {
        self.client.get(self.fastio_control("state?events=0")).send().await.unwrap().json().await.unwrap()
    }

    /// What both sides hold.
    pub async fn sides(&self) -> Sides {
        Sides::read(&self.fastio_state().await, &self.openai_state().await)
    }

    /// The paths of the files that are in Fastio and not in its trash, sorted.
    pub async fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = self.sides().await.files.into_iter().map(|file| file.path).collect();
        paths.sort();
        paths
    }

    /// What the vector stores hold.
    pub async fn copies(&self) -> Vec<StoreCopy> {
        self.sides().await.copies
    }

    /// How many File objects OpenAI keeps.
    pub async fn file_objects(&self) -> usize {
        self.openai_state().await["files"].as_array().unwrap().len()
    }

    /// `store: path` of the copies, sorted.
    pub async fn placed(&self) -> Vec<String> {
        let copies = self.copies().await;
        let mut placed: Vec<String> =
            copies.into_iter().map(|copy| format!("{}: {}", copy.store, copy.path())).collect();
        placed.sort();
        placed
    }

    /// From when it was first indexed until now, some copy of the file at `path` answered at every moment.
    pub async fn never_unsearchable(&self, path: &str) {
        let url = self.openai_control("searchable");
        let history = self.client.get(url).send().await.unwrap().json::<Value>().await.unwrap();
        let sides = self.sides().await;
        let file = sides.files.iter().find(|file| file.path == path);
        let file = file.unwrap_or_else(|| panic!("{path} is not in Fastio"));
        // That it was gone for a while excuses nothing here.
        let there = Absences::from([(file.source_id.clone(), Vec::new())]);
        assert_eq!(gaps(&history, &there), [], "{path} did not always answer");
        assert_eq!(halves(&history, &there), [], "parts of two versions of {path} were found");
        let answers = sides.copies.iter().any(|copy| copy.source_id() == file.source_id && copy.is_indexed());
        assert!(answers, "{path} does not answer now");
    }

    /// The paths of the copies, sorted.
    pub async fn held(&self) -> Vec<String> {
        let mut paths: Vec<String> =
            self.copies().await.into_iter().map(|copy| copy.path().to_owned()).collect();
        paths.sort();
        paths
    }
}

/// The hash by which the OpenAI stand-in shows a content.
pub fn hex_sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// What Docket itself has on record of it, and its own listener.
impl Harness {
    /// Posts a webhook about a node of the workspace, in a delivery of its own. Answers the status.
    pub async fn webhook(&self, event: &str, node: &str) -> u16 {
        let id = uuid::Uuid::now_v7().to_string();
        let body = json!({"event_id": id, "event": event, "workspace_id": WORKSPACE, "object_id": node});
        self.deliver(&serde_json::to_vec(&body).unwrap()).await
    }

    /// Posts a body that Fastio signed now. Answers the status.
    pub async fn deliver(&self, body: &[u8]) -> u16 {
        let now = self.clock.wall() / 1000;
        let signed = sign(Scheme::FastioV1Base64, &SecretString::from(SECRET), now, body);
        let mut request = self.client.post(self.webhook_url.clone()).body(body.to_vec());
        for (name, value) in signed {
            request = request.header(name, value);
        }
        request.header("content-type", "application/json").send().await.unwrap().status().as_u16()
    }

    /// `path: reason` of the files that are not synced, sorted.
    pub async fn skipped(&self) -> Vec<String> {
        let skipped = Filter { standing: Some(Standing::Skipped), ..Filter::default() };
        let rows = self.records().files(&skipped).await;
        let words = |row: Row| format!("{}: {}", row.path.unwrap(), row.reason.unwrap());
        let mut skipped: Vec<String> = rows.into_iter().map(words).collect();
        skipped.sort();
        skipped
    }

    /// The targets that are paused.
    pub async fn pauses(&self) -> Vec<PauseRow> {
        self.records().pauses().await
    }
}
