//! Deliveries that the test signs and posts itself, beside those of the stand-in: repeats, old news, names that are
//! not known. Like Fastio, it sends each again until it is acknowledged; only then does it count.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use docket::clock::Clock;
use docket::receive::signature::{Scheme, sign};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::fleet::SECRET;

/// Deliveries in the air at once, as from one busy sender.
const AT_ONCE: usize = 16;

/// Between tries of one delivery. A server that was killed is back within about a second.
const AGAIN: Duration = Duration::from_millis(50);

/// How long one try may take: Fastio's patience by its stricter guide.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub struct Deliver {
    client: Client,
    url: String,
    room: Arc<Semaphore>,
    told: Arc<Mutex<Told>>,
}

/// What was acknowledged, and what never may have been.
#[derive(Debug, Default, Clone)]
pub struct Told {
    /// The events of deliveries that were answered with 202, and when that was first known, in Unix milliseconds.
    pub acknowledged: HashMap<String, i64>,
    /// Answers of 202, repeats included.
    pub answers: u64,
    /// Tries that were not answered, or with 503.
    pub tries_in_vain: u64,
    /// Answers that should not be there.
    pub strange: Vec<String>,
}

impl Told {
    /// The event `id` was answered with 202 just now.
    pub fn took(&mut self, id: &str) {
        self.answers += 1;
        self.acknowledged.entry(id.to_owned()).or_insert_with(|| Clock::default().wall());
    }
}

impl Deliver {
    pub fn new(url: &str) -> Deliver {
        // A connection of a killed server is worth nothing, and finding that out is part of a sender's life.
        let client = Client::builder().timeout(PATIENCE).no_proxy().build();
        Deliver {
            client: client.expect("a client without certificates of its own can be built"),
            url: url.to_owned(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
            told: Arc::default(),
        }
    }

    /// Sends the delivery in the background, until it is acknowledged.
    pub async fn post(&self, tasks: &mut JoinSet<()>, id: String, body: Value) {
        let room = self.room.clone().acquire_owned().await.expect("it is never closed");
        let this = self.clone();
        tasks.spawn(async move {
            while !this.once(&id, &body).await {
                tokio::time::sleep(AGAIN).await;
            }
            drop(room);
        });
        while let Some(ended) = tasks.try_join_next() {
            ended.expect("a delivery or an order is not refused");
        }
    }

    /// One try. Whether it was acknowledged.
    pub async fn once(&self, id: &str, body: &Value) -> bool {
        let bytes = body.to_string();
        let now = Clock::default().now() / 1000;
        let mut request = self.client.post(&self.url).header("content-type", "application/json");
        for (name, value) in sign(Scheme::FastioV1Base64, &SECRET.into(), now, bytes.as_bytes()) {
            request = request.header(name, value);
        }
        let status = request.body(bytes).send().await.map(|answer| answer.status());
        let mut told = self.told();
        match status {
            Ok(StatusCode::ACCEPTED) => {
                told.took(id);
                return true;
            }
            Ok(StatusCode::SERVICE_UNAVAILABLE) | Err(_) => told.tries_in_vain += 1,
            Ok(status) => told.strange.push(format!("{id} was answered {status}")),
        }
        false
    }

    /// What was told up to now.
    pub fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().expect("nothing panics while it holds what was told")
    }
}
