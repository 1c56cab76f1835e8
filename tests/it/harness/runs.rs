//! Runs, as the stand-ins and our tables tell of them.

use docket::database::Connection;
use docket::receive::signature::standard;
use docket::run::store::{self, RunRow};
use serde_json::Value;
use url::Url;

use super::{Harness, WORKSPACE, World};
pub use crate::crash::check::beside::contract;

/// What the stand-in's model makes up when it is told to.
pub const INVENTED: &str = "The Supplier accepts unlimited liability";

/// A rule that analyses `/Contracts` by the example's schema; `more` is added to `[rule.run]`.
pub fn legal(more: &str) -> String {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/legal/liability.schema.json");
    format!(
        "[[rule]]
         name = 'liability'
         workspace = '{WORKSPACE}'
         include = ['/Contracts/**']
         exclude = ['**/*.analysis.md', '/Contracts/overview*.csv']
         vector_store = {{ create = 'contracts' }}
         [rule.run]
         model = 'sandbox-rules'
         instructions = 'You are a contracts analyst.'
         prompt = 'Extract every liability clause.'
         schema = '{schema}'
         write_back = '{{stem}}.analysis.md'
         lock = true
         {more}
        "
    )
}

impl Harness {
    pub async fn runs(&self) -> Vec<RunRow> {
        self.records().runs().await
    }

    /// What running a rule again would take; with `yes` it is done.
    pub async fn again(&self, rule: &str, yes: bool) -> docket::run::Estimate {
        let definition = self.work.runs.definition(rule).unwrap();
        let wanted = definition.clone();
        let estimate = self.database.read(move |connection| docket::run::estimate(connection, &wanted)).await;
        if yes {
            let mut again = docket::run::Again::over(&self.database, definition).await.unwrap();
            while again.bite(&self.database, self.clock.now()).await.unwrap().is_some() {}
        }
        estimate.unwrap()
    }

    /// Stops a run, as `docket runs cancel` does.
    pub async fn cancel(&self, run_id: i64) {
        let now = self.clock.now();
        let cancel = move |tx: &mut Connection| docket::run::cancel(tx, docket::run::RunId(run_id), now);
        assert!(self.database.write(cancel).await.unwrap());
    }

    /// The result on record of the run with this number.
    pub async fn result(&self, run_id: i64) -> Value {
        let get = move |connection: &mut Connection| store::get(connection, docket::run::RunId(run_id));
        self.database.read(get).await.unwrap().unwrap().result.unwrap_or_default()
    }

    /// The outcomes, or states of those that have none, in the order of the runs.
    pub async fn outcomes(&self) -> Vec<String> {
        self.runs().await.into_iter().map(|run| run.outcome.unwrap_or(run.state)).collect()
    }

    /// What runs left behind, and conversations that may exist and cannot be found, by our tables.
    pub async fn leftovers(&self) -> (i64, i64) {
        self.records().leftovers().await
    }
}

impl World {
    /// Responses that took effect at the stand-in.
    pub async fn responses(&self) -> Vec<Value> {
        self.openai_state().await["responses"].as_array().unwrap().clone()
    }

    /// Files that are locked now.
    pub async fn locks(&self) -> usize {
        self.fastio_state().await["locks"].as_array().unwrap().len()
    }

    /// The text of a file in Fastio.
    pub async fn read(&self, path: &str) -> String {
        let state = self.fastio_state().await;
        let mut files = state["files"].as_array().unwrap().iter().filter(|file| file["trashed"] == false);
        let file =
            files.find(|file| file["path"] == path).unwrap_or_else(|| panic!("no {path} in {state:#}"));
        let node = file["node_id"].as_str().unwrap();
        let url =
            self.sandbox.fastio_url().join(&format!("workspace/{WORKSPACE}/storage/{node}/read/")).unwrap();
        let answer = self.client.get(url).bearer_auth("somebody").send().await.unwrap();
        answer.error_for_status().unwrap().text().await.unwrap()
    }

    /// Upload sessions that are at Fastio, finished or not.
    pub async fn uploads_open(&self) -> Vec<Value> {
        self.fastio_state().await["uploads"].as_array().unwrap().clone()
    }

    /// Conversations and threads at OpenAI: how many hold an answer, and how many nothing.
    pub async fn conversations(&self) -> (usize, usize) {
        let state = self.openai_state().await;
        let (full, empty): (Vec<_>, Vec<_>) = state["conversations"]
            .as_array()
            .unwrap()
            .iter()
            .partition(|one| one["items"].as_array().unwrap().iter().any(|item| item["role"] != "user"));
        (full.len(), empty.len())
    }
}

/// What OpenAI tells by a webhook.
impl Harness {
    /// From now on OpenAI's stand-in tells of the end of each response.
    pub fn subscribe_to_openai(&self) {
        let url = self.webhook_url.join("/webhooks/openai").unwrap();
        self.sandbox.openai().subscribe(url, super::SECRET.to_owned().into());
    }

    /// Posts a signed webhook. Answers the status.
    pub async fn openai_webhook(&self, id: &str, kind: &str, response: &str) -> u16 {
        self.openai_tells(&self.webhook_url, (id, kind, response), self.clock.now()).await
    }
}

impl World {
    /// Posts a webhook of OpenAI, signed `now`, to where Fastio's go. Answers the status.
    pub async fn openai_tells(&self, to: &Url, (id, kind, response): (&str, &str, &str), now: i64) -> u16 {
        let body = serde_json::json!({
            "object": "event", "id": format!("evt_{id}"), "type": kind, "created_at": 1, "data": {"id": response},
        });
        let body = body.to_string();
        let secret = super::SECRET.to_owned().into();
        let signed = standard::sign(&secret, id, now / 1000, body.as_bytes()).unwrap();
        let url = to.join("/webhooks/openai").unwrap();
        let mut request = self.client.post(url).header("content-type", "application/json").body(body);
        for (name, value) in signed {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    }
}

/// What another user does with a lock.
impl World {
    /// Locks a file with another user's key, for an hour. Answers the lock's token.
    pub async fn lock_as(&self, user: &str, node: &str) -> String {
        let url = self.lock_url(node);
        let answer =
            self.client.post(url).bearer_auth(user).form(&[("duration", "3600")]).send().await.unwrap();
        let answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
        answer["lock_token"].as_str().unwrap().to_owned()
    }

    pub async fn unlock_as(&self, user: &str, node: &str, token: &str) {
        let url = self.lock_url(node);
        let answer =
            self.client.delete(url).bearer_auth(user).query(&[("lock_token", token)]).send().await.unwrap();
        answer.error_for_status().unwrap();
    }

    fn lock_url(&self, node: &str) -> url::Url {
        self.sandbox.fastio_url().join(&format!("workspace/{WORKSPACE}/storage/{node}/lock/")).unwrap()
    }
}
