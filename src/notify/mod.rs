//! Tells people elsewhere what happened: results that are ready or need review, what holds Docket up, a sweep that waits for a person, changes
//! that wait longer than was promised. Signed by Standard Webhooks, or as Slack reads it.
//!
//! ```text
//!   a run ends, a pause opens, … ──trigger──▶ news ──▶ one message of a kind ──▶ POST ──▶ 2xx: forgotten
//!        (its own transaction)                 ▲                                  ├──▶ else: again, later and later
//!                                              └── what comes meanwhile waits ◀───┴──▶ 410: closed
//! ```
//!
//! The row is the truth: news are there exactly when what they tell of is, and leave when an endpoint has taken them. So a message may come
//! twice, with the same id, and none is lost by a crash. One message of a kind is under way to an endpoint at a time, and between
//! two to an endpoint some seconds pass: what comes meanwhile goes together. Of several servers on one database one sends.
//!
//! It owns the tables `news`, `news_channel` and `late`. It never tells what is in a document.

mod message;
mod reach;
mod settings;
mod store;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::database::{Connection, Database, Error, spread};
use crate::http::retry_after;
use crate::receive::signature::standard;
use crate::sync::freshness::freshness;

pub use reach::may_be_public;
pub use settings::{Endpoint, Format, Kind, Settings, SettingsError, endpoints};
pub use store::{Channel, channels, open};

/// How old news may be before they are looked at, about.
const LOOK: Duration = Duration::from_secs(2);

/// How often it is looked whether changes wait too long.
const JUDGE_MS: i64 = 15_000;

/// The waits after a failure; the last one again and again, to the end.
const WAITS: [u64; 7] = [5, 30, 120, 600, 1_800, 3_600, 3 * 3_600];

/// How long a message is tried. A weekend and a day: then somebody has looked.
const END_MS: i64 = 3 * 24 * 3_600_000;

/// The longest wait that an endpoint may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 3_600);

/// How much of what went wrong is kept.
const TROUBLE_CHARS: usize = 200;

/// Tells all endpoints.
#[derive(Debug, Clone)]
pub struct Notifier {
    database: Database,
    clock: Clock,
    endpoints: Arc<[Endpoint]>,
    /// To public addresses, and to any.
    clients: [reqwest::Client; 2],
    /// After how long a change should be searchable, if that was promised.
    promised_ms: Option<i64>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    Taken,
    /// The endpoint wants no more.
    Gone,
    /// Why not, and how long it asked us to wait.
    Failed(String, Option<Duration>),
}

impl Notifier {
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(
        database: Database,
        clock: Clock,
        endpoints: Vec<Endpoint>,
        promised: Option<Duration>,
    ) -> reqwest::Result<Notifier> {
        let promised_ms = promised.map(|time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        let clients = [reach::client(false)?, reach::client(true)?];
        Ok(Notifier { database, clock, endpoints: endpoints.into(), clients, promised_ms })
    }

    /// Writes down who wants to be told what, from now on.
    ///
    /// # Errors
    /// The database's.
    pub async fn settle(&self) -> Result<(), Error> {
        let channel =
            |endpoint: &Endpoint, kind: Kind| (endpoint.name.clone(), kind.as_str(), endpoint.address());
        let wanted: Arc<[_]> = self
            .endpoints
            .iter()
            .flat_map(|endpoint| endpoint.kinds.iter().map(|kind| channel(endpoint, *kind)))
            .collect();
        self.database.write(move |tx| store::settle(tx, &wanted)).await
    }

    /// Tells what there is, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let (mut is_failing, mut judged_at) = (false, i64::MIN);
        while !stop.is_cancelled() {
            let now = self.clock.now();
            let judged = match now.saturating_sub(judged_at) >= JUDGE_MS {
                true => self.judge().await.map(|()| judged_at = now),
                false => Ok(()),
            };
            let told = match judged {
                Ok(()) => tokio::select! { () = stop.cancelled() => return, told = self.pass() => told },
                Err(error) => Err(error),
            };
            if let (Err(error), false) = (&told, is_failing) {
                tracing::warn!(%error, "news cannot be read now; trying again");
            }
            is_failing = told.is_err();
            tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(spread(LOOK)) => {} }
        }
    }

    /// Looks whether changes wait longer than was promised.
    ///
    /// # Errors
    /// The database's.
    pub async fn judge(&self) -> Result<(), Error> {
        let Some(promised) = self.promised_ms else { return Ok(()) };
        let before = self.clock.now() - promised;
        let fresh = self.database.observe(freshness).await?;
        self.database.write(move |tx| store::judge(tx, &fresh, before)).await
    }

    /// Tells each endpoint what is due, all at once. Answers when all are through.
    ///
    /// # Errors
    /// The database's.
    pub async fn pass(&self) -> Result<(), Error> {
        let channels = self.database.observe(channels).await?;
        let each = self.endpoints.iter().map(|endpoint| self.tell(endpoint, &channels));
        join_all(each).await.into_iter().collect()
    }

    /// Tells one endpoint the next thing, if its time has come.
    async fn tell(&self, endpoint: &Endpoint, channels: &[Channel]) -> Result<(), Error> {
        let now = self.clock.now();
        let own = || channels.iter().filter(|channel| channel.endpoint == endpoint.name);
        let sent_at = own().map(|channel| channel.sent_at).max().unwrap_or_default();
        if now - sent_at < endpoint.every_ms && sent_at <= now {
            return Ok(());
        }
        // What has waited longest for its turn goes first, or one kind of which there is much would keep the others waiting.
        let mut due: Vec<&Channel> = own()
            .filter(|channel| channel.closed == 0 && channel.waiting > 0 && channel.next_at <= now)
            .collect();
        due.sort_by_key(|channel| (channel.sent_at, channel.next_at));
        let kind =
            due.first().and_then(|channel| endpoint.kinds.iter().find(|kind| kind.as_str() == channel.kind));
        match kind {
            Some(kind) => self.tell_of(endpoint, *kind).await,
            None => Ok(()),
        }
    }

    async fn tell_of(&self, endpoint: &Endpoint, kind: Kind) -> Result<(), Error> {
        let (name, now) = (endpoint.name.clone(), self.clock.now());
        let id = format!("msg_{}", uuid::Uuid::now_v7().simple());
        let taken = self.database.write(move |tx| {
            let Some(channel) = store::take(tx, (&name, kind.as_str()), (&id, now))? else { return Ok(None) };
            let items = store::items(tx, channel.message.as_deref().unwrap_or_default())?;
            Ok(Some((channel, items)))
        });
        let Some((channel, items)) = taken.await? else { return Ok(()) };
        let id = channel.message.clone().unwrap_or_default();
        let body = message::body(endpoint, kind, &items, Timestamp::now());
        let client = &self.clients[usize::from(endpoint.allow_private)];
        let sent = post(client, endpoint, &id, body).await;
        self.record(endpoint, &channel, sent).await
    }

    /// Posts a message that tests whether an endpoint is reached.
    pub async fn test(endpoint: &Endpoint) -> Sent {
        let id = format!("msg_{}", uuid::Uuid::now_v7().simple());
        match reach::client(endpoint.allow_private) {
            Ok(client) => post(&client, endpoint, &id, message::test(endpoint, Timestamp::now())).await,
            Err(error) => Sent::Failed(trouble(&error), None),
        }
    }

    async fn record(&self, endpoint: &Endpoint, channel: &Channel, sent: Sent) -> Result<(), Error> {
        let (name, kind, now) = (channel.endpoint.clone(), channel.kind.clone(), self.clock.now());
        let message = channel.message.clone().unwrap_or_default();
        match sent {
            Sent::Taken => {
                tracing::debug!(endpoint = name, kind, message, "told");
                self.database.write(move |tx| store::told(tx, (&name, &kind, &message), now)).await
            }
            Sent::Gone => {
                tracing::error!(
                    endpoint = name,
                    "the endpoint says that it is gone (410): nothing is told to it any more"
                );
                let words = "answered with 410: docket notify test opens it again";
                self.database.write(move |tx| store::close(tx, &name, words)).await
            }
            Sent::Failed(trouble, _) if now - channel.begun_at >= END_MS => {
                let words = trouble.clone();
                let drop = move |tx: &mut Connection| store::give_up(tx, (&name, &kind), (&words, now));
                let news = self.database.write(drop).await?;
                tracing::error!(
                    endpoint = endpoint.name,
                    kind = channel.kind,
                    news,
                    trouble,
                    "news were not taken for three days, and are dropped"
                );
                Ok(())
            }
            Sent::Failed(trouble, asked) => {
                let wait = wait(channel.attempts).max(asked.unwrap_or_default());
                let next_at = now + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
                tracing::warn!(
                    endpoint = name,
                    kind,
                    trouble,
                    wait_seconds = wait.as_secs(),
                    "news are not taken"
                );
                self.database.write(move |tx| store::failed(tx, (&name, &kind), (&trouble, next_at))).await
            }
        }
    }
}

async fn post(client: &reqwest::Client, endpoint: &Endpoint, id: &str, body: Vec<u8>) -> Sent {
    let mut request = client.post(endpoint.url.clone()).header(CONTENT_TYPE, "application/json");
    // The world's time, as the receiver compares it.
    let at = Timestamp::now().as_second();
    if let Some(secret) = &endpoint.secret {
        match standard::sign(secret, id, at, &body) {
            Ok(headers) => {
                for (name, value) in headers {
                    request = request.header(name, value);
                }
            }
            Err(error) => return Sent::Failed(error.to_string(), None),
        }
    }
    match request.body(body).send().await {
        Ok(answer) if answer.status().is_success() => Sent::Taken,
        Ok(answer) if answer.status() == reqwest::StatusCode::GONE => Sent::Gone,
        Ok(answer) => Sent::Failed(
            format!("answered with {}", answer.status().as_u16()),
            asked_wait(answer.headers(), at),
        ),
        Err(error) => Sent::Failed(trouble(&error), None),
    }
}

/// How long an endpoint asks us to wait. A service that Docket works with is tried after a quarter of an hour whatever it says; who is told
/// news may ask for a day.
fn asked_wait(headers: &HeaderMap, now: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    match text.and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(seconds) => Some(Duration::from_secs(seconds).min(LONGEST_ASKED)),
        None => retry_after(headers, now),
    }
}

/// How long to wait after so many failures before this one; never twice the same.
fn wait(failures: i64) -> Duration {
    let place = usize::try_from(failures).unwrap_or_default().min(WAITS.len() - 1);
    spread(Duration::from_secs(WAITS[place]))
}

/// What went wrong, without the address.
fn trouble(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let words = match () {
        () if error.is_timeout() => "no answer in time".to_owned(),
        () if innermost.is::<reqwest::Error>() => "no answer".to_owned(),
        () if error.is_connect() => format!("no connection ({innermost})"),
        () => format!("no answer ({innermost})"),
    };
    words.chars().take(TROUBLE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_grow_to_hours_and_are_spread() {
        for (failures, seconds) in [(0, 5), (1, 30), (6, 10_800), (40, 10_800)] {
            let waits: Vec<Duration> = (0..20).map(|_| wait(failures)).collect();
            let about = Duration::from_secs(seconds);
            assert!(waits.iter().all(|wait| *wait >= about.mul_f64(0.8) && *wait <= about.mul_f64(1.2)));
            assert!(waits.iter().any(|wait| *wait != waits[0]));
        }
    }
}
