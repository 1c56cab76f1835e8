//! `/webhook_endpoints`: the subscribers that are told when a response in the background has ended. Paths and fields are those of the official
//! libraries of November 2026, the only document that has them.

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::super::deliver;
use super::error::ApiError;
use super::read::{Fields, Query, known_value, wrong_type};
use super::shelf::PageRequest;
use super::state::{State, World, seconds};
use super::webhook::{self, Delivery};

/// The kinds of event that there are, by the official libraries.
const EVENTS: [&str; 27] = [
    "batch.completed",
    "batch.failed",
    "batch.expired",
    "batch.cancelled",
    "response.completed",
    "response.failed",
    "response.cancelled",
    "response.incomplete",
    "eval.run.succeeded",
    "eval.run.failed",
    "eval.run.canceled",
    "fine_tuning.job.succeeded",
    "fine_tuning.job.failed",
    "fine_tuning.job.cancelled",
    "realtime.call.incoming",
    "video.completed",
    "video.failed",
    "agent.environment.ready",
    "agent.environment.failed",
    "agent.environment.suspended",
    "agent.environment.expired",
    "agent.session.created",
    "agent.session.action_required",
    "agent.session.in_progress",
    "agent.session.idle",
    "agent.session.failed",
    "safety.alert.created",
];

/// The kinds that the stand-in ever sends of itself.
const SENT: [&str; 4] =
    ["response.completed", "response.failed", "response.cancelled", "response.incomplete"];

/// How long an old secret may go on signing, as the parameter's name has it.
const OLD_SECRET_MS: i64 = 24 * 60 * 60 * 1000;

/// Letters of a secret that its hint shows.
const HINTED: usize = 4;

#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: String,
    name: String,
    pub url: Url,
    event_types: Vec<String>,
    secret: SecretString,
    /// Signs as well until then.
    old_secret: Option<(SecretString, i64)>,
    created_ms: i64,
    updated_ms: i64,
}

impl Endpoint {
    /// One that is told of every end of a response.
    pub fn of_responses(world: &mut World, (url, secret): (Url, SecretString), now: i64) -> Endpoint {
        Endpoint {
            id: world.ids.hex("we_"),
            name: "responses".to_owned(),
            url,
            event_types: SENT.map(str::to_owned).to_vec(),
            secret,
            old_secret: None,
            created_ms: now,
            updated_ms: now,
        }
    }

    pub fn wants(&self, event: &str) -> bool {
        self.event_types.iter().any(|wanted| wanted == event)
    }

    /// Those that sign now.
    pub fn secrets(&self, now: i64) -> impl Iterator<Item = &SecretString> {
        let old = self.old_secret.as_ref().filter(move |(_, until)| now < *until).map(|(secret, _)| secret);
        std::iter::once(&self.secret).chain(old)
    }

    fn show(&self) -> Value {
        let secret = self.secret.expose_secret();
        let hint = secret.get(secret.len().saturating_sub(HINTED)..).unwrap_or_default();
        json!({
            "id": self.id, "object": "webhook_endpoint", "name": self.name, "url": self.url,
            "event_types": self.event_types, "created_at": seconds(self.created_ms),
            "updated_at": seconds(self.updated_ms), "signing_secret_hint": format!("whsec_...{hint}"),
        })
    }

    /// As it is shown once, when the secret is new.
    fn show_secret(&self) -> Value {
        let mut shown = self.show();
        shown["signing_secret"] = self.secret.expose_secret().into();
        shown
    }
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/webhook_endpoints", post(create).get(list))
        .route("/v1/webhook_endpoints/{endpoint}", get(look).post(change).delete(remove))
        .route("/v1/webhook_endpoints/{endpoint}/rotate_secret", post(rotate))
        .route("/v1/webhook_endpoints/{endpoint}/test", post(test))
        .route("/v1/webhook_event_types", get(event_types))
}

fn fresh_secret(world: &mut World) -> SecretString {
    let random = world.ids.hex("");
    format!("whsec_{}", STANDARD.encode(&random[..32])).into()
}

fn find<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Endpoint, ApiError> {
    let message = format!("Webhook endpoint with id '{id}' not found.");
    world.endpoints.get_mut(id).ok_or_else(|| ApiError::missing("webhook_endpoint_id", message))
}

/// Inferred: the documents demand HTTPS; a stand-in also tells a program on its own machine.
fn url(fields: &Fields) -> Result<Option<Url>, ApiError> {
    let Some(text) = fields.text("url")? else { return Ok(None) };
    let here =
        |url: &Url| url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "localhost"));
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "https" || here(url));
    url.map(Some).ok_or_else(|| {
        ApiError::invalid("url", "Invalid 'url': expected an HTTPS URL.").code("invalid_value")
    })
}

fn events(fields: &Fields) -> Result<Option<Vec<String>>, ApiError> {
    let events = fields.texts("event_types")?;
    for (place, event) in events.iter().flatten().enumerate() {
        known_value(&format!("event_types[{place}]"), event, EVENTS)?;
    }
    Ok(events)
}

async fn create(Shared(state): Shared<State>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["event_types", "name", "url"])?;
    let name = fields.required_text("name")?.to_owned();
    fields.required("url")?;
    fields.required("event_types")?;
    let url = url(&fields)?.ok_or_else(|| wrong_type("url", "a string", &Value::Null))?;
    let events = events(&fields)?.unwrap_or_default();
    let (mut world, now) = state.world();
    let secret = fresh_secret(&mut world);
    let mut made = Endpoint::of_responses(&mut world, (url, secret), now);
    (made.name, made.event_types) = (name, events);
    let shown = made.show_secret();
    world.endpoints.put(&made.id.clone(), made);
    Ok(Json(shown))
}

async fn list(Shared(state): Shared<State>, query: Query) -> Result<Json<Value>, ApiError> {
    let ask = PageRequest::usual(&query)?;
    let (world, _) = state.world();
    world.endpoints.page(&ask, |endpoint| Some(endpoint.show())).map(Json)
}

async fn look(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, _) = state.world();
    find(&mut world, &id).map(|found| Json(found.show()))
}

async fn change(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["event_types", "name", "url"])?;
    let (name, url, events) = (fields.text("name")?, url(&fields)?, events(&fields)?);
    let (mut world, now) = state.world();
    let found = find(&mut world, &id)?;
    let before = found.show();
    name.into_iter().for_each(|name| name.clone_into(&mut found.name));
    url.into_iter().for_each(|url| found.url = url);
    events.into_iter().for_each(|events| found.event_types = events);
    if found.show() != before {
        found.updated_ms = now;
    }
    Ok(Json(found.show()))
}

async fn remove(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, _) = state.world();
    find(&mut world, &id)?;
    world.endpoints.take(&id);
    Ok(Json(json!({"id": id, "object": "webhook_endpoint.deleted", "deleted": true})))
}

async fn rotate(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["keep_old_secret_active_for_24_hours"])?;
    let keeps = fields.flag("keep_old_secret_active_for_24_hours")?.unwrap_or(false);
    let (mut world, now) = state.world();
    let secret = fresh_secret(&mut world);
    let found = find(&mut world, &id)?;
    let old = std::mem::replace(&mut found.secret, secret);
    found.old_secret = keeps.then_some((old, now + OLD_SECRET_MS));
    found.updated_ms = now;
    Ok(Json(found.show_secret()))
}

/// Sends a sample at once and tells what was answered.
async fn test(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["event_type"])?;
    let event = fields.one_of_required("event_type", EVENTS)?;
    let (endpoint, sample) = {
        let (mut world, now) = state.world();
        let endpoint = find(&mut world, &id)?.clone();
        let about = world.ids.hex("resp_");
        let sample = Delivery::new(&mut world, &endpoint, (event, &about), now);
        (endpoint, sample)
    };
    let sample = webhook::signed(&state, &endpoint, &sample);
    let status = deliver::post(sample).await.map_err(|why| {
        // What the real service answers then is not documented.
        let message = format!("The webhook endpoint could not be reached: {why}");
        ApiError::plain(message).status(StatusCode::BAD_GATEWAY)
    })?;
    Ok(Json(json!({
        "object": "webhook_endpoint.test", "event_type": event, "status_code": status.as_u16(),
        "success": status.is_success(), "webhook_endpoint_id": id,
    })))
}

async fn event_types() -> Json<Value> {
    Json(json!({"object": "list", "data": EVENTS}))
}
