//! What those who watch from outside see of a server that works: numbers for Prometheus, traces for a collector.

mod collector;
mod metrics;
mod traces;

use docket::receive::signature::{Scheme, sign};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::beside::Beside;
use crate::harness::program::{KEYS, Listens, Place, Program, Run, SECRET, WORKSPACE};
use crate::harness::records::Records;
use crate::harness::{contract, legal};

/// A server between the stand-ins that runs something over contracts.
pub struct Watched {
    pub place: Place,
    pub server: Program,
    pub listens: Listens,
    sandbox: docket_sandbox::Sandbox,
    _stop: DropGuard,
}

impl Watched {
    pub async fn start(environment: &[(&str, &str)]) -> Watched {
        Watched::with(environment, "").await
    }

    /// With more settings.
    pub async fn with(environment: &[(&str, &str)], more: &str) -> Watched {
        let stop = CancellationToken::new();
        let _stop = stop.clone().drop_guard();
        let sandbox = docket_sandbox::start(docket_sandbox::Options::default(), stop).await.unwrap();
        let place = Place::beside(&sandbox);
        let settings = format!(
            "[database]\nurl = '{}'\n[receive]\nlisten = '127.0.0.1:0'\n[operate]\nlisten = '127.0.0.1:0'\n[fastio]\nbase_url = '{}'\n\
             [openai]\nbase_url = '{}'\n{}{more}",
            place.database_url(),
            sandbox.fastio_url(),
            sandbox.openai_url(),
            legal("")
        );
        place.write("docket.toml", &settings);
        let keys = [&KEYS[..], environment].concat();
        let (server, listens) = tokio::task::block_in_place(|| place.with(&keys).serve(&[]));
        Watched { place, server, listens, sandbox, _stop }
    }

    /// Runs a command beside the server.
    pub fn docket(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Run {
        self.place.with(&[&KEYS[..], environment].concat()).docket(arguments)
    }

    /// A contract comes, Fastio tells of it in a request of this id, and its result stands beside it.
    pub async fn analyses(&self, request_id: &str) {
        let client = reqwest::Client::new();
        let url =
            self.sandbox.fastio_url().join(&format!("/_sandbox/files/{WORKSPACE}/Contracts/secret-deal.txt"));
        let put =
            client.put(url.unwrap()).body(contract(1)).send().await.unwrap().json::<Value>().await.unwrap();
        let event = json!({"event_id": "evt_1", "event": "workspace_storage_file_added", "workspace_id": WORKSPACE,
            "object_id": put["node_id"]});
        let body = serde_json::to_vec(&event).unwrap();
        let now = jiff::Timestamp::now().as_second();
        let mut request =
            client.post(self.listens.url("/webhooks/fastio")).header("x-request-id", request_id);
        for (name, value) in sign(Scheme::FastioV1Base64, &SECRET.into(), now, &body) {
            request = request.header(name, value);
        }
        assert_eq!(request.body(body).send().await.unwrap().status(), 202);
        let ended = async |records: &Records| {
            let ended = records.runs().await.iter().any(|run| run.state == "ended");
            (ended && records.jobs().await.is_empty()).then_some(())
        };
        Beside::of(&self.place.database_url()).await.until(ended).await;
    }
}
