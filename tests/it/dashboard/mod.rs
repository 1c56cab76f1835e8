//! The pages of the operator listener, over real HTTP: who sees which, what stands in them, and what they do.

mod act;
mod behaviours;
mod pages;
mod ranges;
mod sign_in;
mod sweeps;

use docket::app::{Beneath, pages};
use docket::database::Connection;
use docket::job::{self, Task};
use docket::operate::{Observer, Operate, Served, Settings, Tokens};
use docket::queue::Priority;
use reqwest::header::{ACCEPT, ORIGIN};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::{Harness, contract, legal};

pub const ADMIN: &str = "a-token-for-operators";
pub const VIEW: &str = "another-for-who-only-looks";

/// Where the pages of a harness are.
pub struct Site {
    base: String,
    client: reqwest::Client,
    _stop: DropGuard,
}

impl Harness {
    /// Adds so many jobs, each about a response of OpenAI's that there is not.
    pub async fn enqueue_hints(&self, number: usize) {
        let now = self.clock.now();
        let add = move |tx: &mut Connection| {
            (0..number).try_for_each(|number| {
                let task = Task::Response { response: format!("resp_{number:03}") };
                job::enqueue(tx, &task, Priority::Backfill, now).map(drop)
            })
        };
        self.database.write(add).await.unwrap();
    }

    /// Serves its pages; with tokens, or for this machine.
    pub async fn site(&self, with_tokens: bool) -> Site {
        let tokens = match with_tokens {
            true => Tokens { admin: Some(ADMIN.into()), view: Some(VIEW.into()) },
            false => Tokens::default(),
        };
        let settings: Settings = toml::from_str("listen = '127.0.0.1:0'").unwrap();
        let operate = Operate::bind(&settings, tokens).await.unwrap().unwrap();
        let base = format!("http://{}", operate.address());
        let observer = Observer::new(self.database.clone(), self.config.about());
        let clock = self.clock.share();
        let beneath = Beneath {
            database: &self.database,
            clock: &clock,
            queue: &self.queue,
            governor: &self.governor,
            work: &self.work,
        };
        let pages = pages(&self.config, &beneath, (observer.clone(), operate.guard())).unwrap();
        let stop = CancellationToken::new();
        let served =
            Served { observer, pages, dress: docket::dashboard::dress, counters: std::sync::Arc::default() };
        tokio::spawn(operate.serve(served, stop.clone()));
        let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Site { base, client, _stop: stop.drop_guard() }
    }
}

impl Site {
    /// As a browser asks for a page, with this session if there is one.
    pub async fn get(&self, path: &str, cookie: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.base)).header(ACCEPT, "text/html,*/*");
        request.header("cookie", cookie).send().await.unwrap()
    }

    /// The page there, for this machine.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path, "").await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        text
    }

    /// As a browser sends a form of our pages.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)], cookie: &str) -> Response {
        self.post_from(&self.base.clone(), path, (fields, cookie)).await
    }

    pub async fn post_from(
        &self,
        origin: &str,
        path: &str,
        (fields, cookie): (&[(&str, &str)], &str),
    ) -> Response {
        let request = self.client.post(format!("{}{path}", self.base)).header(ACCEPT, "text/html,*/*");
        let request = request.header(ORIGIN, origin).header("cookie", cookie).form(fields);
        request.send().await.unwrap()
    }
}

/// Where an answer sends its browser.
pub fn sent_to(answer: &Response) -> &str {
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    answer.headers()["location"].to_str().unwrap()
}

/// Two contracts that were analysed; of the second a quote is made up.
pub async fn analysed() -> Harness {
    let h = Harness::with(&legal("")).await;
    h.put("/Contracts/a.txt", &contract(1)).await;
    h.settle().await;
    h.openai_fails(json!({"kind": "bad_run", "code": "invented_quote", "count": 1})).await;
    h.put("/Contracts/b.txt", &contract(2)).await;
    h.settle().await;
    h.no_faults().await;
    h
}
