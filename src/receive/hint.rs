//! OpenAI's webhooks: `POST /webhooks/openai`. One says that a response has ended, and nothing more. It is a hint: what is
//! kept of it is a job that looks at the response, made in the transaction that remembers the webhook's id, so that one
//! sent twice is worked on once.
//!
//! They come a few an hour, so unlike Fastio's each is a transaction of its own and needs no inbox.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;

use super::count::Count;
use super::current::Current;
use super::inbox::Refused;
use super::refusal::Refusal;
use super::request::RequestReader;
use super::signature::standard::{BadSecret, Signed, TOLERANCE_SECONDS, Verifier};
use super::store;
use crate::database::{self, Connection, Database};
use crate::job::{self, Task};
use crate::lenient;
use crate::listen::problem::Problem;
use crate::queue::Priority;

/// How far the time of a late webhook may be from ours. OpenAI sends again for up to 72 hours (its guide on webhooks).
pub(super) const LATE_SECONDS: u32 = 72 * 60 * 60;

/// How long an id is remembered: a replay may come twice [`LATE_SECONDS`] after it was first taken in, and a day more is for
/// clocks.
const REMEMBERED_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Ids are opaque; one that is longer is none of OpenAI's.
const LONGEST_ID: usize = 128;

/// What taking hints needs.
pub(super) struct Hints {
    pub requests: Arc<RequestReader>,
    pub verifier: Current<Verifier>,
    pub database: Database,
    pub workers: Arc<Notify>,
}

/// The part of a webhook that we read.
#[derive(Deserialize)]
struct Webhook {
    r#type: String,
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    id: Option<String>,
}

/// The response that a webhook with this body is about; none when it is about something else.
///
/// # Errors
/// The body is not an event in JSON.
pub fn response(body: &[u8]) -> Result<Option<String>, serde_json::Error> {
    let webhook: Webhook = serde_json::from_value(lenient::parse(body)?)?;
    let id = webhook.data.and_then(|data| data.id).filter(|id| !id.is_empty());
    Ok(id.filter(|_| webhook.r#type.starts_with("response.")))
}

/// Whether it may be the id of a response. One that cannot stand in a request to OpenAI must make no job, which would only
/// die.
fn is_id(response: &str) -> bool {
    response.len() <= LONGEST_ID
        && response.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// What checks signatures by `secrets`.
///
/// # Errors
/// One that cannot be used.
pub(super) fn verifier(secrets: &[SecretString]) -> Result<Verifier, BadSecret> {
    Ok(Verifier::new(secrets, TOLERANCE_SECONDS)?.taking_late(LATE_SECONDS))
}

pub(super) async fn openai(State(hints): State<Arc<Hints>>, request: Request) -> Response {
    match hints.take(request).await {
        Ok(jobs) => {
            hints.requests.counters.add(Count::Accepted, 1);
            (StatusCode::ACCEPTED, Json(json!({"jobs": jobs}))).into_response()
        }
        Err(refusal) => hints.requests.refuse(refusal),
    }
}

impl Hints {
    /// How many jobs it made: none for a repeat, or for an event about something else.
    async fn take(&self, request: Request) -> Result<u32, Refusal> {
        let verifier = self.verifier.get();
        let unchecked = self.requests.read(request, |headers, now| verifier.precheck(headers, now)).await?;
        let now = self.requests.clock.now();
        let wall = self.requests.clock.wall();
        let check = move |headers: &HeaderMap, body: &[u8]| verifier.verify(headers, body, wall);
        let (told, signed) = self.requests.check(unchecked, check).await?;
        self.requests.counters.add(Count::Late, u64::from(signed.is_late));
        let response = response(&told.body).map_err(|_| {
            Refusal::rejected("not_json", StatusCode::BAD_REQUEST, "the body is not an event in JSON")
        })?;
        let Some(response) = response else { return Ok(0) };
        if !is_id(&response) {
            self.requests.counters.add(Count::Dropped("response_id"), 1);
            return Ok(0);
        }
        let recorded = self.record(&signed, response, now).await;
        let jobs = recorded.map_err(|error| {
            tracing::error!(error = %error, "a webhook of OpenAI could not be kept");
            let retry_after = Refused::Busy.retry_after();
            let problem = Problem::unavailable("the database cannot be written", retry_after);
            Refusal::unavailable("database", problem)
        })?;
        // As the inbox does: where the next start will not find it, it is not kept.
        self.database.in_place().map_err(Refused::Displaced)?;
        Ok(jobs)
    }

    async fn record(&self, signed: &Signed, response: String, now: i64) -> Result<u32, database::Error> {
        let (id, task) = (signed.id.clone(), Task::Response { response });
        let record = move |tx: &mut Connection| {
            store::forget_webhooks(tx, now - REMEMBERED_MS)?;
            if !store::remember_webhook(tx, &id, now)? {
                return Ok(0);
            }
            job::enqueue(tx, &task, Priority::Live, now)?;
            Ok(1)
        };
        let jobs = self.database.write(record).await?;
        if jobs > 0 {
            self.workers.notify_one();
        }
        Ok(jobs)
    }
}
