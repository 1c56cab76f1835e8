//! Tells a subscriber what happened: takes the events in order, signs and posts each, and tries again what fails.
//!
//! ```text
//! event log ──take (faults: drop, double, delay, reorder)──▶ waiting ──due──▶ in flight ──2xx──▶ delivered
//!                                                              ▲                   │
//!                                                              └──backoff, ≤ 24 h──┘
//! ```
//! Nothing is queued that the log does not hold anyway: the sender is a place in the log and the deliveries it has taken
//! from it. Events are posted one after the other in their order; one that failed does not hold up the next. Only a long
//! backlog is sent several at a time, and then neighbours may overtake each other.

mod payload;
mod sign;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::event::Event;
use super::{State, time};
use crate::Webhook;
use crate::clock::Clock;
use crate::deliver::{self, Recent};
use crate::faults::{FaultKind, Faults};

/// How long the subscriber may take to answer, as one of Fastio's guides has it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// After this a delivery is given up, as documented.
const GIVE_UP: Duration = Duration::from_secs(24 * 60 * 60);

/// How many events are taken from the log before some of them are delivered.
const MAX_WAITING: usize = 10_000;

/// Beyond this backlog order gives way to speed, as a real sender's would.
const LONG_BACKLOG: usize = 1_000;

/// How many are in flight at once while the backlog is long.
const PARALLEL: usize = 16;

/// How long a reordered webhook waits for one that follows it.
const REORDER_PATIENCE: Duration = Duration::from_millis(250);

/// How many acknowledged deliveries are remembered by their event. A long crash test makes a few times a hundred thousand.
const MAX_ACKNOWLEDGED: usize = 1_000_000;

#[derive(Debug)]
pub struct Sender {
    target: Option<Target>,
    faults: Arc<Faults>,
    queue: Mutex<Queue>,
    /// Counts the sender's steps, for those who wait until it is idle.
    steps: watch::Sender<u64>,
}

#[derive(Debug)]
struct Target {
    webhook: Webhook,
    http: reqwest::Client,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Queue {
    /// The last event taken from the log.
    taken: u64,
    waiting: BTreeMap<(Instant, u64), Delivery>,
    /// Where in `waiting` a reordered delivery stands until one overtakes it.
    held: Option<(Instant, u64)>,
    /// Makes places in `waiting` unique and keeps their order.
    placed: u64,
    in_flight: usize,
    stopped: bool,
    delivered: u64,
    /// The events of the newest of them, in the order of their acknowledgements.
    acknowledged: VecDeque<String>,
    attempts: u64,
    dropped: u64,
    given_up: u64,
    recent: Recent,
}

#[derive(Debug, Clone)]
struct Delivery {
    event: Event,
    attempts: u32,
    taken: Instant,
    last: Option<String>,
}

impl Sender {
    pub fn new(webhook: Option<Webhook>, faults: Arc<Faults>, clock: Clock) -> Sender {
        let target = webhook.map(|webhook| Target { webhook, http: deliver::client(TIMEOUT), clock });
        Sender { target, faults, queue: Mutex::default(), steps: watch::Sender::new(0) }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while it holds the webhook queue")
    }

    /// Sends until `stop`. Without a subscriber there is nothing to do.
    pub async fn run(&self, state: &State, stop: CancellationToken) {
        let Some(target) = &self.target else { return stop.cancelled().await };
        let mut news = state.news();
        loop {
            news.borrow_and_update();
            self.take(state);
            let (batch, next) = self.due();
            if !batch.is_empty() {
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = self.send(target, batch) => continue,
                }
            }
            let far = Instant::now() + GIVE_UP;
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(next.unwrap_or(far)) => {}
                _ = news.changed() => {}
            }
        }
        self.queue().stopped = true;
        self.steps.send_modify(|step| *step += 1);
    }

    /// Resolves when every event is told, or no webhook is subscribed.
    pub async fn idle(&self, state: &State) {
        let mut steps = self.steps.subscribe();
        while !self.is_idle(state) {
            if steps.changed().await.is_err() {
                return;
            }
        }
    }

    fn is_idle(&self, state: &State) -> bool {
        if self.target.is_none() {
            return true;
        }
        let head = state.look(|world| world.log.head());
        let queue = self.queue();
        queue.stopped || (queue.taken == head && queue.waiting.is_empty() && queue.in_flight == 0)
    }

    /// Takes events from the log and decides what becomes of their webhooks.
    fn take(&self, state: &State) {
        let Some(target) = &self.target else { return };
        let (taken, room) = {
            let queue = self.queue();
            (queue.taken, MAX_WAITING.saturating_sub(queue.waiting.len()))
        };
        let events: Vec<Event> = state.look(|world| world.log.after(taken).take(room).cloned().collect());
        let mut queue = self.queue();
        for event in events {
            queue.taken = event.seq;
            let strikes = |kind| self.faults.hit(kind, "POST", target.webhook.url.path());
            if strikes(FaultKind::WebhookDropped).is_some() {
                queue.dropped += 1;
                queue.settled(&event, 0, "dropped by a fault");
                continue;
            }
            let now = Instant::now();
            let copies = if strikes(FaultKind::WebhookDuplicated).is_some() { 2 } else { 1 };
            let delay =
                strikes(FaultKind::WebhookDelayed).map_or(Duration::ZERO, |hit| hit.delay_or(deliver::DELAY));
            let reordered = strikes(FaultKind::WebhookReordered).is_some();
            for _ in 0..copies {
                let delivery = Delivery { event: event.clone(), attempts: 0, taken: now, last: None };
                queue
                    .place(now + delay + if reordered { REORDER_PATIENCE } else { Duration::ZERO }, delivery);
            }
            queue.overtaken(now, reordered);
        }
        drop(queue);
        self.steps.send_modify(|step| *step += 1);
    }

    /// What is to be sent now, and when the next is.
    fn due(&self) -> (Vec<Delivery>, Option<Instant>) {
        let mut queue = self.queue();
        let many = if queue.waiting.len() > LONG_BACKLOG { PARALLEL } else { 1 };
        let mut batch = Vec::new();
        let now = Instant::now();
        while batch.len() < many {
            match queue.waiting.first_key_value() {
                Some(((due, _), _)) if *due <= now => {
                    batch.extend(queue.waiting.pop_first().map(|(_, one)| one))
                }
                _ => break,
            }
        }
        queue.in_flight = batch.len();
        (batch, queue.waiting.first_key_value().map(|((due, _), _)| *due))
    }

    async fn send(&self, target: &Target, batch: Vec<Delivery>) {
        join_all(batch.into_iter().map(|delivery| self.attempt(target, delivery))).await;
        self.steps.send_modify(|step| *step += 1);
    }

    async fn attempt(&self, target: &Target, mut delivery: Delivery) {
        let outcome = post(target, &delivery.event).await;
        delivery.attempts += 1;
        let mut queue = self.queue();
        queue.in_flight -= 1;
        queue.attempts += 1;
        match outcome {
            Ok(status) => {
                queue.acknowledged(&delivery.event);
                queue.settled(&delivery.event, delivery.attempts, &status);
            }
            Err(reason) if delivery.taken.elapsed() > GIVE_UP => {
                queue.given_up += 1;
                queue.settled(&delivery.event, delivery.attempts, &format!("given up: {reason}"));
            }
            Err(reason) => {
                delivery.last = Some(reason);
                queue.place(Instant::now() + deliver::backoff(delivery.attempts), delivery);
            }
        }
    }

    /// The events whose deliveries were acknowledged, without the first `since` of them.
    pub fn acknowledged(&self, since: u64) -> Value {
        let queue = self.queue();
        let first = queue.delivered - queue.acknowledged.len() as u64;
        let skipped = usize::try_from(since.saturating_sub(first)).unwrap_or(usize::MAX);
        let events: Vec<&String> = queue.acknowledged.iter().skip(skipped).collect();
        json!({ "newest": queue.delivered, "forgotten": first, "events": events })
    }

    /// For `/_sandbox/state`. The secret is not in it.
    pub fn shown(&self, state: &State) -> Value {
        let head = state.look(|world| world.log.head());
        let queue = self.queue();
        let now = Instant::now();
        let pending = queue.waiting.iter().map(|((due, _), delivery)| {
            json!({
                "event_id": delivery.event.id,
                "event": delivery.event.name(),
                "attempts": delivery.attempts,
                "last_outcome": delivery.last,
                "next_attempt_in_ms": u64::try_from(due.saturating_duration_since(now).as_millis()).unwrap_or(u64::MAX),
            })
        });
        json!({
            "url": self.target.as_ref().map(|target| target.webhook.url.as_str()),
            "not_taken": if self.target.is_some() { head - queue.taken } else { 0 },
            "pending": pending.collect::<Vec<Value>>(),
            "in_flight": queue.in_flight,
            "attempts": queue.attempts,
            "delivered": queue.delivered,
            "dropped": queue.dropped,
            "given_up": queue.given_up,
            "recent": queue.recent,
        })
    }
}

impl Queue {
    fn place(&mut self, due: Instant, delivery: Delivery) {
        self.placed += 1;
        self.waiting.insert((due, self.placed), delivery);
    }

    /// After a delivery was placed: one that was held back for it follows it, and a reordered one is held in turn.
    fn overtaken(&mut self, now: Instant, reordered: bool) {
        if let Some(place) = self.held.take()
            && let Some(delivery) = self.waiting.remove(&place)
        {
            self.place(now, delivery);
        }
        if reordered {
            self.held = self.waiting.keys().find(|(_, number)| *number == self.placed).copied();
        }
    }

    fn acknowledged(&mut self, event: &Event) {
        self.delivered += 1;
        self.acknowledged.push_back(event.id.clone());
        if self.acknowledged.len() > MAX_ACKNOWLEDGED {
            self.acknowledged.pop_front();
        }
    }

    fn settled(&mut self, event: &Event, attempts: u32, outcome: &str) {
        self.recent.push(json!({
            "event_id": event.id,
            "event": event.name(),
            "created": time::written(event.at),
            "attempts": attempts,
            "outcome": outcome,
        }));
    }
}

/// One attempt: the status in words when the subscriber took it, else why not.
async fn post(target: &Target, event: &Event) -> Result<String, String> {
    let now = target.clock.now() / 1000;
    let body = payload::body(event, target.webhook.scheme);
    let headers = sign::headers(&target.webhook, event.seq, now, &body);
    deliver::deliver(target.http.post(target.webhook.url.clone()).headers(headers).body(body)).await
}
