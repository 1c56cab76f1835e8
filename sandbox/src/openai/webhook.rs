//! OpenAI's webhooks: says to each endpoint that a response in the background has ended, signed as the Standard Webhooks
//! specification and OpenAI's guide have it, and says it again while the endpoint does not take it.
//!
//! What is to be told is written down when the world settles; the sender only carries it. It sends one after the other.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::deliver::{self, Recent};
use super::super::faults::FaultKind;
use super::endpoint::Endpoint;
use super::state::{State, World, seconds};

/// OpenAI's guide: an endpoint answers "within a few seconds".
const TIMEOUT: Duration = Duration::from_secs(10);

/// How often the sender looks whether a run has ended: the clock that says so is moved by tests.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// OpenAI's guide: for up to 72 hours.
const GIVE_UP: Duration = Duration::from_secs(72 * 60 * 60);

/// More than any test leaves untaken; the oldest go first.
const MAX_WAITING: usize = 10_000;

/// One event on its way to one endpoint.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Of the webhook: the same at each try.
    id: String,
    endpoint: String,
    kind: String,
    body: String,
    attempts: u32,
    due: Instant,
    made: Instant,
}

impl Delivery {
    /// `what` is the kind of event and the id of what it is about.
    pub fn new(world: &mut World, endpoint: &Endpoint, (kind, about): (&str, &str), now: i64) -> Delivery {
        let body = json!({
            "object": "event", "id": world.ids.hex("evt_"), "type": kind, "created_at": seconds(now),
            "data": {"id": about},
        });
        Delivery {
            id: world.ids.hex("wh_"),
            endpoint: endpoint.id.clone(),
            kind: kind.to_owned(),
            body: body.to_string(),
            attempts: 0,
            due: Instant::now(),
            made: Instant::now(),
        }
    }
}

/// What is still to be sent, and what became of the rest.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Delivery>,
    in_flight: usize,
    stopped: bool,
    recent: Recent,
}

impl Outbox {
    fn put(&mut self, delivery: Delivery) {
        if self.waiting.len() == MAX_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(delivery);
    }

    fn settled(&mut self, delivery: &Delivery, outcome: String) {
        self.recent.push(json!({
            "id": delivery.id, "endpoint": delivery.endpoint, "type": delivery.kind,
            "attempts": delivery.attempts, "outcome": outcome,
        }));
    }

    pub fn show(&self) -> Value {
        json!({"waiting": self.waiting.len(), "in_flight": self.in_flight, "recent": self.recent})
    }
}

/// Has an event told to all who asked for its kind.
pub fn tell(world: &mut World, kind: &str, about: &str, now: i64) {
    let asked: Vec<Endpoint> =
        world.endpoints.iter().filter(|endpoint| endpoint.wants(kind)).cloned().collect();
    for endpoint in asked {
        let delivery = Delivery::new(world, &endpoint, (kind, about), now);
        world.outbox.put(delivery);
    }
}

/// A client that waits no longer than OpenAI does.
pub fn client() -> reqwest::Client {
    deliver::client(TIMEOUT)
}

/// Sends what is due, until `stop`.
pub async fn send(state: &State, stop: CancellationToken) {
    loop {
        let (due, wait) = next(state);
        if let Some(delivery) = due {
            tokio::select! {
                () = stop.cancelled() => break,
                () = attempt(state, delivery) => continue,
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = state.news.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    state.world().0.outbox.stopped = true;
    state.steps.send_modify(|step| *step += 1);
}

/// The delivery that is due, or how long to wait.
fn next(state: &State) -> (Option<Delivery>, Duration) {
    let (mut world, now) = state.world();
    let at = Instant::now();
    if let Some(place) = world.outbox.waiting.iter().position(|delivery| delivery.due <= at) {
        world.outbox.in_flight = 1;
        return (world.outbox.waiting.remove(place), Duration::ZERO);
    }
    let runs = !world.endpoints.is_empty() && world.runs.iter().any(|run| !run.is_over(now));
    let busy = runs || !world.outbox.waiting.is_empty();
    (None, if busy { LOOK_AGAIN } else { GIVE_UP })
}

async fn attempt(state: &State, mut delivery: Delivery) {
    let endpoint = state.world().0.endpoints.get(&delivery.endpoint).cloned();
    let outcome = match endpoint {
        None => Err(None),
        Some(endpoint) => spoiled(state, &endpoint, &mut delivery).await,
    };
    delivery.attempts += 1;
    let (mut world, _) = state.world();
    world.outbox.in_flight = 0;
    match outcome {
        Ok(outcome) => world.outbox.settled(&delivery, outcome),
        Err(None) => world.outbox.settled(&delivery, "the endpoint is gone".to_owned()),
        Err(Some(why)) if delivery.made.elapsed() > GIVE_UP => {
            world.outbox.settled(&delivery, format!("given up: {why}"));
        }
        Err(Some(_)) => {
            delivery.due = Instant::now() + deliver::backoff(delivery.attempts);
            world.outbox.put(delivery);
        }
    }
    drop(world);
    state.steps.send_modify(|step| *step += 1);
}

/// Posts it, unless a fault has it lost; a doubled one is posted twice, and a late one waits.
async fn spoiled(
    state: &State,
    endpoint: &Endpoint,
    delivery: &mut Delivery,
) -> Result<String, Option<String>> {
    let strikes = |kind| state.core.faults.hit(kind, "POST", endpoint.url.path());
    if delivery.attempts == 0 {
        if strikes(FaultKind::WebhookDropped).is_some() {
            return Ok("dropped by a fault".to_owned());
        }
        if let Some(hit) = strikes(FaultKind::WebhookDelayed) {
            tokio::time::sleep(hit.delay_or(deliver::DELAY)).await;
        }
        if strikes(FaultKind::WebhookDuplicated).is_some() {
            let _ = deliver::post(signed(state, endpoint, delivery)).await;
        }
    }
    deliver::deliver(signed(state, endpoint, delivery)).await.map_err(Some)
}

/// Resolves when nothing that has ended is still to be told.
pub async fn idle(state: &State) {
    let mut steps = state.steps.subscribe();
    state.news.notify_one();
    loop {
        {
            let (world, _) = state.world();
            let outbox = &world.outbox;
            if outbox.stopped || (outbox.waiting.is_empty() && outbox.in_flight == 0) {
                return;
            }
        }
        if steps.changed().await.is_err() {
            return;
        }
    }
}

/// The delivery as a request to the endpoint, signed now.
pub fn signed(state: &State, endpoint: &Endpoint, delivery: &Delivery) -> RequestBuilder {
    let now = state.core.clock.now();
    let at = seconds(now).to_string();
    let signatures: Vec<String> =
        endpoint.secrets(now).map(|secret| sign(secret, (&delivery.id, &at), &delivery.body)).collect();
    (state.http.post(endpoint.url.clone()))
        .header("content-type", "application/json")
        .header("user-agent", "docket-sandbox")
        .header("webhook-id", &delivery.id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", signatures.join(" "))
        .body(delivery.body.clone())
}

/// `v1,` and the base64 of the HMAC over id, time and body. A secret that begins with `whsec_` is base64 after it.
fn sign(secret: &SecretString, (id, at): (&str, &str), body: &str) -> String {
    let secret = secret.expose_secret();
    let key = match secret.strip_prefix("whsec_").map(|tail| STANDARD.decode(tail)) {
        Some(Ok(key)) => key,
        _ => secret.as_bytes().to_vec(),
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn a_signature_agrees_with_the_standard_s_own_vector() {
        // From the Standard Webhooks specification's repository, as its libraries test it.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into();
        let signed = sign(&secret, ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"), r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
