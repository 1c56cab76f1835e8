//! Imports, which are ordered from a server's operator API as a program does it: each again, under its key, until it is answered.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use crate::check::IMPORTS;

/// Between tries. A server that was killed is back within about a second.
const AGAIN: Duration = Duration::from_millis(50);

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Orders {
    client: Client,
    /// The operator listeners of all servers.
    ports: Vec<u16>,
}

impl Orders {
    pub fn new(ports: Vec<u16>) -> anyhow::Result<Orders> {
        Ok(Orders { client: Client::builder().timeout(PATIENCE).no_proxy().build()?, ports })
    }

    /// Orders in the background what is at `url`, for the `times`th time.
    pub fn import(&self, tasks: &mut JoinSet<()>, (url, name): (String, String), times: u64) {
        let this = self.clone();
        tasks.spawn(async move {
            let key = format!("{name} for the {times}. time");
            let body = json!({"url": url, "folder": IMPORTS.trim_end_matches('/'), "name": name});
            for port in this.ports.iter().cycle() {
                let api = format!("http://127.0.0.1:{port}/api/v1/imports");
                let order = this.client.post(api).header("Idempotency-Key", &key).json(&body);
                match order.send().await.map(|answer| answer.status()) {
                    Ok(StatusCode::OK) => return,
                    // Nobody is there, or who is there cannot have it written down now.
                    Err(_) => {}
                    Ok(status) if status.is_server_error() => {}
                    Ok(status) => panic!("the order of {name} is answered {status}"),
                }
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
}
