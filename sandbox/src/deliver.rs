//! What the senders of webhooks of both stand-ins share: one attempt, the wait before the next, and what became of the last.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Serialize;
use serde_json::Value;

/// The documents say exponential, not from where: small, so that a demo and a test do not wait.
const FIRST_RETRY: Duration = Duration::from_millis(50);

/// Inferred too: a subscriber that was away is told within seconds.
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// A delay that is not told how long.
pub const DELAY: Duration = Duration::from_secs(1);

/// How much of an answer is read, so that its connection can be used again.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// How many settled deliveries a state shows.
const MAX_RECENT: usize = 1_000;

/// A client for webhooks alone: no proxy, and a redirect is a failure.
pub fn client(timeout: Duration) -> Client {
    let http = Client::builder().timeout(timeout).redirect(Policy::none()).no_proxy().build();
    http.expect("a client without certificates of its own can be built")
}

/// One attempt: the status that the subscriber answered, or why there is none.
pub async fn post(request: RequestBuilder) -> Result<StatusCode, String> {
    // An error of the client may carry the URL; the URL of a subscriber may carry a token.
    let mut response = request.send().await.map_err(|error| error.without_url().to_string())?;
    let mut read = 0;
    while let (true, Ok(Some(chunk))) = (read < MAX_ANSWER_BYTES, response.chunk().await) {
        read += chunk.len();
    }
    Ok(response.status())
}

/// The same, for which any other status than a 2xx is a failure. Answers the status in words.
pub async fn deliver(request: RequestBuilder) -> Result<String, String> {
    let status = post(request).await?;
    if status.is_success() { Ok(status.to_string()) } else { Err(status.to_string()) }
}

/// How long to wait after so many attempts.
pub fn backoff(attempts: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST_RETRY)
}

/// The deliveries that were settled last, the oldest first.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Recent(VecDeque<Value>);

impl Recent {
    pub fn push(&mut self, settled: Value) {
        if self.0.len() == MAX_RECENT {
            self.0.pop_front();
        }
        self.0.push_back(settled);
    }
}
