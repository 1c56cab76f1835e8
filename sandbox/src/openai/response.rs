//! `/responses`: make (in the foreground or background), look, cancel, delete, input items. What the model says is decided
//! when the response is made; when it is to be seen follows from the clock.

use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use super::super::faults::FaultKind;
use super::super::journal::Trace;
use super::ask::{self, ResponseRequest};
use super::compose;
use super::count;
use super::error::ApiError;
use super::item;
use super::model::Ending;
use super::read::Query;
use super::shelf::{PageRequest, Shelf};
use super::state::{State, World, seconds};
use super::stream;
use super::webhook;

/// How much longer a slowed run takes when the fault does not say: longer than any deadline a test sets.
pub const SLOW_RUN: Duration = Duration::from_secs(3_600);

/// One response.
#[derive(Debug)]
pub struct Run {
    pub id: String,
    asked: ResponseRequest,
    created_ms: i64,
    /// From queued to in progress, and from there to the end.
    started_ms: i64,
    ended_ms: i64,
    cancelled: bool,
    /// Its end was seen, and what follows from it is done: see [`settle`].
    settled: bool,
    ending: Ending,
    output: Vec<Value>,
    input: Shelf<Value>,
}

impl Run {
    pub fn is_stored(&self) -> bool {
        self.asked.store
    }

    /// Everything that was said up to its end.
    pub fn said(&self) -> Vec<Value> {
        self.input.iter().chain(&self.output).cloned().collect()
    }

    pub fn output(&self) -> &[Value] {
        &self.output
    }

    pub fn asked(&self) -> &ResponseRequest {
        &self.asked
    }

    /// Whether nothing more will happen to it.
    pub fn is_over(&self, now: i64) -> bool {
        self.cancelled || self.ended_ms <= now
    }

    pub fn status(&self, now: i64) -> &'static str {
        if self.cancelled {
            return "cancelled";
        }
        if now < self.started_ms {
            return "queued";
        }
        if now < self.ended_ms {
            return "in_progress";
        }
        match self.ending {
            Ending::Completed { .. } | Ending::Refused { .. } => "completed",
            Ending::Incomplete { .. } => "incomplete",
            Ending::Failed { .. } => "failed",
        }
    }

    pub fn show(&self, now: i64) -> Value {
        let status = self.status(now);
        let mut shown = self.asked.echo();
        let ended = !matches!(status, "queued" | "in_progress" | "cancelled");
        let (error, incomplete) = match &self.ending {
            Ending::Failed { code, message } if ended => {
                (json!({"code": code, "message": message}), Value::Null)
            }
            Ending::Incomplete { reason, .. } if ended => (Value::Null, json!({ "reason": reason })),
            _ => (Value::Null, Value::Null),
        };
        let facts = json!({
            "id": self.id, "object": "response", "created_at": seconds(self.created_ms), "status": status,
            "error": error, "incomplete_details": incomplete,
            "output": if ended { self.output.clone() } else { Vec::new() },
            "completed_at": (status == "completed").then(|| seconds(self.ended_ms)),
        });
        merge(&mut shown, facts);
        if ended {
            shown.insert("usage".to_owned(), self.usage());
        }
        Value::Object(shown)
    }

    /// As it is before it has ended, whatever the time is.
    pub fn show_before(&self, now: i64) -> Value {
        let mut shown = self.show((self.ended_ms - 1).min(now));
        shown["status"] = "queued".into();
        shown
    }

    /// As it is at its end, unless it is cancelled before.
    pub fn shown_at_its_end(&self) -> Value {
        self.show(self.ended_ms)
    }

    fn usage(&self) -> Value {
        let texts = self.asked.prompt.texts.iter().map(String::as_str);
        let read = count::tokens(texts.chain(self.documents().map(String::as_str)));
        count::usage(read, count::tokens(item::texts(&self.output)))
    }

    fn documents(&self) -> impl Iterator<Item = &String> {
        self.asked.prompt.documents.iter().map(|document| &document.text)
    }
}

fn merge(into: &mut Map<String, Value>, from: Value) {
    if let Value::Object(members) = from {
        into.extend(members);
    }
}

/// Adds what ended runs said to their conversations and tells the subscribers, once.
pub fn settle(world: &mut World, now: i64) {
    let mut ended = Vec::new();
    for run in world.runs.iter_mut().filter(|run| !run.settled && run.is_over(now)) {
        run.settled = true;
        let said = (!run.cancelled).then(|| run.input.iter().chain(&run.output).cloned().collect());
        // OpenAI's guide: its webhooks are about responses in the background.
        let told = run.asked.background.then(|| (run.id.clone(), run.status(now)));
        ended.push((run.asked.conversation.clone().zip(said), told));
    }
    for (said, told) in ended {
        if let Some((conversation, items)) = said {
            let items: Vec<Value> = items;
            world
                .conversations
                .get_mut(&conversation)
                .into_iter()
                .for_each(|found| found.append(items.clone()));
        }
        if let Some((id, status)) = told {
            webhook::tell(world, &format!("response.{status}"), &id, now);
        }
    }
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/responses", post(create))
        .route("/v1/responses/{response}", get(look).delete(remove))
        .route("/v1/responses/{response}/cancel", post(cancel))
        .route("/v1/responses/{response}/input_items", get(input_items))
}

async fn create(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let (mut world, now) = state.world();
    let mut asked = ask::read(&body, &mut world, now)?;
    let model = asked.model().to_owned();
    world.counts.respond(&state.limits, now, &model)?;
    let over = within_the_minute(&state, &mut world, (now, &model, &asked))?;
    let slow = trace.hit(FaultKind::SlowRun).map_or(0, |hit| hit.delay_ms_or(SLOW_RUN));
    let about: Vec<&str> = asked.prompt.documents.iter().map(|document| document.text.as_str()).collect();
    let bad = trace.hit_about(FaultKind::BadRun, &about.join("\n"));
    let (ending, output) = match over {
        Some(ending) => (ending, Vec::new()),
        None => compose::compose(&mut asked, &mut world, (bad.as_ref(), now))?,
    };
    let mut input = Shelf::default();
    for item in asked.history.iter().chain(&asked.input) {
        input.put(&item::id(item), item.clone());
    }
    // A run in the background takes as long as indexing does; one in the foreground answers at once.
    let taken = if asked.background { state.index_delay_ms.saturating_add(slow) } else { 0 };
    let run = Run {
        id: world.ids.hex("resp_"),
        created_ms: now,
        started_ms: now + taken.min(state.index_delay_ms) / 2,
        ended_ms: now.saturating_add(taken),
        cancelled: false,
        settled: false,
        ending,
        output,
        input,
        asked,
    };
    let streamed = run.asked.stream.then(|| stream::Stream::of(&run, stream::Wanted::default()));
    let mut shown = run.show(now);
    if run.asked.background {
        // The reply says so even when the run takes no time: a client must look again.
        shown = run.show_before(now);
    }
    let id = run.id.clone();
    world.runs.put(&id, run);
    settle(&mut world, now);
    let headers = world.counts.tell(&state.limits, now, &model);
    drop(world);
    state.news.notify_one();
    let mut answer = match streamed {
        Some(streamed) => streamed.serve(state),
        None => Json(shown).into_response(),
    };
    answer.headers_mut().extend(headers);
    Ok(answer)
}

/// What a request of a batch is answered with. It is kept only where it is to be stored.
pub fn of_a_batch(world: &mut World, (body, trace): (&Value, &Trace), now: i64) -> Result<Value, ApiError> {
    let mut asked = ask::read(body.to_string().as_bytes(), world, now)?;
    if asked.background || asked.stream {
        let what = if asked.background { "background" } else { "stream" };
        let message = format!("'{what}' is not supported in a batch.");
        return Err(ApiError::invalid(what, message).code("unsupported_parameter"));
    }
    let about: Vec<&str> = asked.prompt.documents.iter().map(|document| document.text.as_str()).collect();
    let bad = trace.hit_about(FaultKind::BadRun, &about.join("\n"));
    let (ending, output) = compose::compose(&mut asked, world, (bad.as_ref(), now))?;
    let run = Run {
        id: world.ids.hex("resp_"),
        created_ms: now,
        started_ms: now,
        ended_ms: now,
        cancelled: false,
        settled: true,
        ending,
        output,
        input: Shelf::default(),
        asked,
    };
    let shown = run.shown_at_its_end();
    if run.is_stored() {
        world.runs.put(&run.id.clone(), run);
    }
    Ok(shown)
}

/// Takes what the response is to read from what is left of the model's tokens. One in the background is taken all the same and
/// fails when its turn comes, as people report; in the foreground it is refused at once. That a failed one takes none is inferred.
fn within_the_minute(
    state: &State,
    world: &mut World,
    (now, model, asked): (i64, &str, &ResponseRequest),
) -> Result<Option<Ending>, ApiError> {
    let texts = asked.prompt.texts.iter().map(String::as_str);
    let documents = asked.prompt.documents.iter().map(|document| document.text.as_str());
    let tokens = count::tokens(texts.chain(documents)) as u64;
    if tokens > state.limits.tokens {
        let message = format!(
            "Request too large for {model} on tokens per min (TPM): Limit {}, Requested {tokens}. The input or output tokens must \
             be reduced in order to run successfully.",
            state.limits.tokens
        );
        let refused = ApiError::plain(message).status(StatusCode::TOO_MANY_REQUESTS);
        return Err(refused.code("rate_limit_exceeded"));
    }
    match world.counts.spend(&state.limits, now, (model, tokens)) {
        Ok(()) => Ok(None),
        Err((message, _)) if asked.background => {
            Ok(Some(Ending::Failed { code: "rate_limit_exceeded".to_owned(), message }))
        }
        Err((message, wait)) => Err(ApiError::plain(message).slow_down(wait)),
    }
}

fn find<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Run, ApiError> {
    ApiError::check_id("response_id", id, "resp")?;
    let message = format!("Response with id '{id}' not found.");
    let missing = ApiError::plain(message).status(StatusCode::NOT_FOUND);
    world.runs.get_mut(id).filter(|run| run.asked.store).ok_or(missing)
}

async fn look(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    let (mut world, now) = state.world();
    let run = find(&mut world, &id)?;
    if query.get("stream") != Some("true") {
        return Ok(Json(run.show(now)).into_response());
    }
    if !run.asked.stream {
        // OpenAI's guide on background mode: only what was begun as a stream can be streamed again. The words are inferred.
        let message = "This response was not created with 'stream' set to true.";
        return Err(ApiError::invalid("stream", message).code("invalid_value"));
    }
    let streamed = stream::Stream::of(run, stream::Wanted::read(&query)?);
    drop(world);
    Ok(streamed.serve(state))
}

/// Idempotent; what has ended stays as it ended.
async fn cancel(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    let run = find(&mut world, &id)?;
    if !run.asked.background {
        let message = "Cannot cancel a synchronous response.";
        return Err(ApiError::plain(message));
    }
    run.cancelled |= now < run.ended_ms;
    let shown = run.show(now);
    settle(&mut world, now);
    drop(world);
    state.news.notify_one();
    Ok(Json(shown))
}

async fn remove(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, _) = state.world();
    find(&mut world, &id)?;
    world.runs.take(&id);
    Ok(Json(json!({ "id": id, "object": "response", "deleted": true })))
}

async fn input_items(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let ask = PageRequest::usual(&query)?;
    let (mut world, _) = state.world();
    find(&mut world, &id)?.input.page(&ask, |item| Some(item.clone())).map(Json)
}
