//! The stand-ins, as seen by who controls them: changes made as a person makes them, faults, and what they hold.

use std::time::Duration;

use anyhow::Context;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::fleet::WORKSPACE;
use crate::script::content::Content;

/// How long the control of a stand-in may take, its largest state included.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one wait for Fastio's webhooks lasts.
const IDLE: Duration = Duration::from_secs(5);

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    Fastio,
    Openai,
}

#[derive(Debug, Clone)]
pub struct Stands {
    client: Client,
    fastio: String,
    openai: String,
    fastio_base: String,
    openai_base: String,
}

impl Stands {
    pub fn new(fastio: &str, openai: &str) -> Stands {
        // Each asks on a connection of its own: one that rests may just be closed from the other side.
        let client = Client::builder().timeout(PATIENCE).pool_max_idle_per_host(0).no_proxy().build();
        let control = |base: &str| format!("{}/_sandbox", origin(base));
        Stands {
            client: client.expect("a client without certificates of its own can be built"),
            fastio: control(fastio),
            openai: control(openai),
            fastio_base: fastio.to_owned(),
            openai_base: openai.to_owned(),
        }
    }

    fn control(&self, stand: Stand) -> &str {
        if stand == Stand::Fastio { &self.fastio } else { &self.openai }
    }

    /// A change at Fastio; `None` when it makes no sense there any more, such as a file that is gone.
    pub async fn change(&self, method: Method, path: &str, body: Body) -> anyhow::Result<Option<Value>> {
        let request = self.client.request(method, format!("{}/{path}", self.fastio));
        let request = match body {
            Body::None => request,
            Body::Bytes(bytes) => request.body(bytes),
            Body::Json(value) => request.json(&value),
        };
        let answer = request.send().await.context("the sandbox does not answer")?;
        match answer.status() {
            status if status.is_success() => Ok(Some(answer.json().await?)),
            StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST | StatusCode::CONFLICT => Ok(None),
            StatusCode::NOT_ACCEPTABLE => Ok(None),
            status => anyhow::bail!("{path}: {status} {}", answer.text().await?),
        }
    }

    pub async fn put(&self, path: &str, content: Content) -> anyhow::Result<Option<Value>> {
        let kind = content.kind.map(|kind| format!("?kind={kind}")).unwrap_or_default();
        self.change(Method::PUT, &format!("files/{WORKSPACE}{path}{kind}"), Body::Bytes(content.bytes)).await
    }

    /// From now on this is at a public address.
    pub async fn publish(&self, url: &str, content: String) -> anyhow::Result<()> {
        let url: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
        let put =
            self.change(Method::PUT, &format!("web?url={url}"), Body::Bytes(content.into_bytes())).await?;
        put.map(drop).context("the sandbox does not take what is at an address")
    }

    pub async fn rename(&self, from: &str, to: &str) -> anyhow::Result<Option<Value>> {
        let body = json!({"workspace": WORKSPACE, "from": from, "to": to});
        self.change(Method::POST, "move", Body::Json(body)).await
    }

    async fn get(&self, stand: Stand, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}/{path}", self.control(stand));
        Ok(self.client.get(url).send().await?.error_for_status()?.json().await?)
    }

    pub async fn state(&self, stand: Stand, events: usize) -> anyhow::Result<Value> {
        let path = match stand {
            Stand::Fastio => format!("state?events={events}"),
            Stand::Openai => "state".to_owned(),
        };
        self.get(stand, &path).await
    }

    /// When which file could be found.
    pub async fn searchable(&self) -> anyhow::Result<Value> {
        self.get(Stand::Openai, "searchable").await
    }

    /// The events whose webhooks were acknowledged, but the first `since`.
    pub async fn acknowledged(&self, since: u64) -> anyhow::Result<Value> {
        self.get(Stand::Fastio, &format!("webhooks/acknowledged?since={since}")).await
    }

    /// Waits a while until Fastio has told everything. Whether it has.
    pub async fn is_idle(&self) -> anyhow::Result<bool> {
        let url = format!("{}/webhooks/idle", self.fastio);
        match self.client.get(url).timeout(IDLE).send().await {
            Ok(answer) => Ok(answer.error_for_status().is_ok()),
            Err(error) if error.is_timeout() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The requests that the stand-in has received and still knows, but the first `since`.
    pub async fn journal(&self, stand: Stand, since: u64) -> anyhow::Result<Value> {
        self.get(stand, &format!("requests?since={since}")).await
    }

    /// How many requests the stand-in has received.
    pub async fn requests(&self, stand: Stand) -> anyhow::Result<u64> {
        let page = self.journal(stand, u64::MAX / 2).await?;
        Ok(page["newest"].as_u64().unwrap_or(0))
    }

    /// Sets a fault. Answers its id.
    pub async fn fail(&self, stand: Stand, fault: &Value) -> anyhow::Result<String> {
        let url = format!("{}/faults", self.control(stand));
        let answer = self.client.post(url).json(fault).send().await?;
        anyhow::ensure!(answer.status() == StatusCode::CREATED, "{fault}: {}", answer.text().await?);
        let answer: Value = answer.json().await?;
        Ok(answer["faults"][0]["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Takes a fault away. Answers how often it struck.
    pub async fn heal(&self, stand: Stand, id: &str) -> anyhow::Result<u64> {
        let faults = self.get(stand, "faults").await?;
        let listed = faults["faults"].as_array().into_iter().flatten();
        let hits = listed.filter(|fault| fault["id"] == id).filter_map(|fault| fault["hits"].as_u64()).sum();
        let url = format!("{}/faults/{id}", self.control(stand));
        self.client.delete(url).send().await?;
        Ok(hits)
    }

    /// The text of the file at a path, if there is one.
    pub async fn content(&self, path: &str) -> anyhow::Result<Option<String>> {
        let url = format!("{}/files/{WORKSPACE}{path}", self.fastio);
        let answer = self.client.get(url).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(answer.error_for_status()?.text().await?))
    }

    /// The text of a file, read as a user of the API reads it.
    pub async fn read(&self, node: &str) -> anyhow::Result<String> {
        let url = format!("{}/workspace/{WORKSPACE}/storage/{node}/read/", self.fastio_base);
        let answer = self.client.get(url).bearer_auth("somebody").send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }
}

impl Stands {
    /// Deletes a File object, as a user of the API does.
    pub async fn delete_file(&self, id: &str) -> anyhow::Result<()> {
        let url = format!("{}/files/{id}", self.openai_base);
        self.client.delete(url).bearer_auth("somebody").send().await?.error_for_status()?;
        Ok(())
    }
}

/// What a request carries.
pub enum Body {
    None,
    Bytes(Vec<u8>),
    Json(Value),
}

fn origin(base: &str) -> String {
    let url: url::Url = base.parse().expect("the sandbox prints a URL");
    url.origin().ascii_serialization()
}
