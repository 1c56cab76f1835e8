//! What the story acts on and looks at: the two stand-ins over HTTP, and the server's database.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use docket_sandbox::Sandbox;
use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::super::sandbox::{WORKSPACE, control};
use crate::clock::Clock;
use crate::database::{Connection, Database};
use crate::fastio::NodeId;
use crate::openai::{self, Hit, VectorStoreId};
use crate::run::RunId;
use crate::run::store::RunRow;
use crate::sync::listing::{self, Cursor, Filter};
use crate::{own, queue, receive, run};

/// A step takes well below a second. Ten times the slowest machine's guess, and still no one's patience is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the server's tables are looked at. Nothing tells another process's reader that a job has ended.
const LOOK: Duration = Duration::from_millis(5);

/// A request to the stand-ins, which are in this process.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// Results that are asked for: more than there are files.
const HITS: u8 = 10;

/// More files than the story has.
const FILES: u32 = 20;

pub struct World<'a> {
    sandbox: &'a Sandbox,
    database: Database,
    http: reqwest::Client,
    openai: openai::Client,
    clock: Clock,
}

/// When a file could be found in the vector store, by the store's own account.
#[derive(Debug, Clone, Deserialize)]
pub struct Interval {
    pub file_id: String,
    pub attributes: Value,
    pub from_ms: Option<i64>,
    pub until_ms: Option<i64>,
}

impl Interval {
    pub fn path(&self) -> &str {
        self.attributes["path"].as_str().unwrap_or_default()
    }
}

impl<'a> World<'a> {
    pub fn new(sandbox: &'a Sandbox, database: Database) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(REQUEST_LIMIT).no_proxy().build()?;
        let openai =
            openai::Client::new(&sandbox.openai_url(), SecretString::from("demo-key").into(), None, None)?;
        // The stand-ins tell the time by the system's clock too, so their times can be compared with ours.
        Ok(World { sandbox, database, http, openai, clock: Clock::default() })
    }

    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Uploads a file to Fastio as a user would, or its new version.
    pub async fn put(&self, path: &str, text: String) -> anyhow::Result<()> {
        self.fastio(Method::PUT, &format!("files/{WORKSPACE}{path}"), Some(text.into())).await
    }

    /// Moves or renames a file in Fastio.
    pub async fn rename(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let body = json!({"workspace": WORKSPACE, "from": from, "to": to}).to_string();
        self.fastio(Method::POST, "move", Some(body.into())).await
    }

    pub async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.fastio(Method::DELETE, &format!("files/{WORKSPACE}{path}"), None).await
    }

    async fn fastio(&self, method: Method, path: &str, body: Option<reqwest::Body>) -> anyhow::Result<()> {
        let url = control(&self.sandbox.fastio_url()).join(path)?;
        let request = self.http.request(method, url);
        let request = body.into_iter().fold(request, |request, body| request.body(body));
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// Waits until every webhook has arrived and all work that follows from them is done. Webhooks tell of what the work
    /// itself changes too, so nothing may be left both before and after the last of them.
    ///
    /// # Errors
    /// Work that died, or that does not end within [`PATIENCE`].
    pub async fn settle(&self) -> anyhow::Result<()> {
        let (begin, mut was_idle) = (Instant::now(), false);
        loop {
            let told = tokio::time::timeout(PATIENCE, self.sandbox.flush_webhooks()).await;
            told.context("Docket did not take the webhooks in time")?;
            let (left, dead) = self.work().await?;
            if dead > 0 {
                bail!("a job is dead: {}", self.reason().await?);
            }
            if left == 0 && was_idle {
                return Ok(());
            }
            was_idle = left == 0;
            if begin.elapsed() > PATIENCE {
                bail!("{left} jobs are not done after {} s: {}", PATIENCE.as_secs(), self.reason().await?);
            }
            if left > 0 {
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// Jobs and deliveries that are not done, and jobs that are dead.
    pub async fn work(&self) -> Result<(i64, i64), crate::database::Error> {
        let waiting = self.database.read_inbox(receive::waiting).await?;
        let read = move |connection: &mut Connection| {
            let (mut left, mut dead) = (waiting, 0);
            for (state, number) in queue::store::counts(connection)? {
                if state == "dead" { dead += number } else { left += number }
            }
            Ok((left, dead))
        };
        self.database.read(read).await
    }

    async fn reason(&self) -> anyhow::Result<String> {
        let jobs = self.database.read(|connection| queue::store::list(connection, None, 1)).await?;
        let reason = jobs.into_iter().next().and_then(|job| job.reason);
        Ok(reason.unwrap_or_else(|| "it has not been tried yet".to_owned()))
    }

    /// Every interval in which a file could be found.
    pub async fn searchable(&self) -> anyhow::Result<Vec<Interval>> {
        let mut shown = self.look(&self.sandbox.openai_url(), "searchable").await?;
        Ok(serde_json::from_value(shown["intervals"].take())?)
    }

    /// The whole state of a stand-in.
    pub async fn fastio_state(&self) -> anyhow::Result<Value> {
        self.look(&self.sandbox.fastio_url(), "state").await
    }

    pub async fn openai_state(&self) -> anyhow::Result<Value> {
        self.look(&self.sandbox.openai_url(), "state").await
    }

    async fn look(&self, base: &Url, what: &str) -> anyhow::Result<Value> {
        let answer = self.http.get(control(base).join(what)?).send().await?.error_for_status()?;
        Ok(serde_json::from_str(&answer.text().await?)?)
    }

    /// How many files were uploaded to OpenAI so far.
    pub fn uploads(&self) -> usize {
        let requests = self.sandbox.openai_core().journal.requests();
        requests.iter().filter(|request| request.method == "POST" && request.path == "/v1/files").count()
    }

    /// How many responses were asked for so far.
    pub fn responses(&self) -> usize {
        let requests = self.sandbox.openai_core().journal.requests();
        requests.iter().filter(|request| request.method == "POST" && request.path == "/v1/responses").count()
    }

    /// What was run over the files, each with its result, by path.
    pub async fn runs(&self) -> anyhow::Result<Vec<(RunRow, Value)>> {
        let read = |connection: &mut Connection| {
            let mut runs = Vec::new();
            for row in run::store::list(connection, None, FILES)? {
                let found = run::store::get(connection, RunId(row.run_id))?;
                runs.push((row, found.and_then(|run| run.result).unwrap_or_default()));
            }
            Ok(runs)
        };
        let mut runs: Vec<(RunRow, Value)> = self.database.read(read).await?;
        runs.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
        Ok(runs)
    }

    /// The nodes of the files that Docket wrote, as the stand-in shows ids, without hyphens.
    pub async fn own(&self) -> anyhow::Result<Vec<NodeId>> {
        let own = self.database.read(own::store::list).await?;
        Ok(own.into_iter().filter_map(|file| file.node).collect())
    }

    /// Whether a lock was asked for and released as often.
    pub fn was_locked(&self) -> bool {
        let requests = self.sandbox.fastio_core().journal.requests();
        let made = |method: &str| {
            requests.iter().filter(|one| one.method == method && one.path.ends_with("/lock/")).count()
        };
        made("POST") > 0 && made("POST") == made("DELETE")
    }

    /// The text of a file in Fastio.
    pub async fn content(&self, path: &str) -> anyhow::Result<String> {
        let state = self.fastio_state().await?;
        let mut files = state["files"].as_array().into_iter().flatten();
        let file = files.find(|file| file["path"] == path && file["trashed"] == false);
        let node =
            file.and_then(|file| file["node_id"].as_str()).with_context(|| format!("there is no {path}"))?;
        let url = self.sandbox.fastio_url().join(&format!("workspace/{WORKSPACE}/storage/{node}/read/"))?;
        let answer = self.http.get(url).bearer_auth("demo-key").send().await?.error_for_status()?;
        Ok(answer.text().await?)
    }

    /// Asks the vector store as an application would.
    pub async fn search(&self, query: &str) -> anyhow::Result<Vec<Hit>> {
        let store = self.store().await?;
        Ok(self.openai.search(&store, query, HITS).await?)
    }

    /// The vector store that the rule had made.
    pub async fn store(&self) -> anyhow::Result<VectorStoreId> {
        let read = |connection: &mut Connection| {
            listing::page(connection, &Filter::default(), &Cursor::default(), FILES)
        };
        let files = self.database.read(read).await?;
        let store = files.rows.into_iter().find_map(|row| row.copy.vector_store);
        store.map(VectorStoreId).context("no vector store has been made")
    }
}
