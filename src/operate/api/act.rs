//! What a program does to one thing: to a job, a file or a run. With an `Idempotency-Key` it is done once, however often it is told.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, body::Bytes};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::answered::{self, Answered, Key};
use super::{Api, Named};
use crate::audit;
use crate::database::{Connection, Error};
use crate::job::{self, Task};
use crate::listen::problem::Problem;
use crate::operate::act::{self, Action, Deed};
use crate::operate::guard::{Admin, Role, Who};
use crate::operate::routes::Routes;
use crate::operate::unreadable;
use crate::queue::Priority;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that an answer is that of an earlier request with the same key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Characters of a reason, and of a name.
pub(super) const MOST_WHY: usize = 1_000;
const MOST_NAME: usize = 100;

/// Why something is done, and who says so.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Why {
    /// In words, for who reads the result or the audit log.
    pub why: Option<String>,
    /// The person's own name, where a token is several people's.
    pub name: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Done {
    pub action: String,
    /// `job:5`, `run:12`, or `file:` and its id.
    pub about: String,
    pub number: u64,
}

pub fn routes() -> Routes<Api> {
    let all = Role::Admin;
    Routes::default()
        .post(all, "/api/v1/jobs/{id}/retry", retry_job)
        .post(all, "/api/v1/jobs/{id}/discard", discard_job)
        .post(all, "/api/v1/jobs/retry-dead", retry_dead)
        .post(all, "/api/v1/jobs/discard-dead", discard_dead)
        .post(all, "/api/v1/files/{id}/retry", retry_file)
        .post(all, "/api/v1/files/{id}/bring", bring_file)
        .post(all, "/api/v1/files/{id}/sync", sync_file)
        .post(all, "/api/v1/runs/{id}/accept", accept)
        .post(all, "/api/v1/runs/{id}/reject", reject)
        .post(all, "/api/v1/runs/{id}/withdraw", withdraw)
        .post(all, "/api/v1/runs/{id}/start", start)
        .post(all, "/api/v1/runs/{id}/again", again)
        .post(all, "/api/v1/runs/{id}/cancel", cancel)
        .post(all, "/api/v1/relist", relist)
        .post(all, "/api/v1/sweeps", ask_sweep)
        .post(all, "/api/v1/sweeps/{id}/approve", approve_sweep)
        .post(all, "/api/v1/sweeps/{id}/dismiss", dismiss_sweep)
}

/// A client's name for one order: told again under it, the order is carried out once.
pub struct OrderKey(pub(super) String);

impl OrderKey {
    /// # Errors
    /// It cannot be one.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = || {
            let detail = "an idempotency key is a text of 1 to 255 plain characters";
            Problem::new(StatusCode::BAD_REQUEST, detail)
        };
        answered::is_usable(text).then(|| OrderKey(text.to_owned())).ok_or_else(wrong)
    }
}

/// The key that a client gave its request.
pub struct GivenKey(pub Option<OrderKey>);

impl<S: Sync> FromRequestParts<S> for GivenKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let key = parts.headers.get(IDEMPOTENCY_KEY);
        key.map(|key| OrderKey::parse(key.to_str().unwrap_or_default())).transpose().map(GivenKey)
    }
}

/// Who asks for what.
pub struct Order {
    pub who: Who,
    pub key: Option<OrderKey>,
    pub action: Action,
    pub item: String,
    pub why: Why,
}

impl Api {
    /// Does it to one and writes it down, unless it was done for the same key.
    pub async fn act(&self, order: Order) -> Result<Done, Problem> {
        self.acted(order).await.and_then(read)
    }

    async fn acted(&self, order: Order) -> Result<Answered, Problem> {
        let Order { who, key, action, item, why } = order;
        let why = checked(why, action)?;
        let told = serde_json::to_vec(&why).expect("texts");
        let asked = answered::asked(action.as_str(), &item, &told);
        let key = key.map(|OrderKey(key)| Key { who: who.as_str(), key, asked });
        let (definitions, now) = (self.0.definitions.clone(), self.0.clock.now());
        let write = move |tx: &mut Connection| {
            answered::once(tx, (key.as_ref(), now), |tx| {
                let deed = Deed { action, name: why.name.clone(), why: why.why.clone() };
                if let Err(words) = act::apply(tx, &definitions, (&deed, &item), now)? {
                    return Ok(refused(words));
                }
                let about = action.about(&item);
                act::record(tx, who, (&deed, &about, 1), now)?;
                Ok(done(&Done { action: action.as_str().to_owned(), about, number: 1 }))
            })
        };
        self.written(self.0.database.write(write).await)
    }

    /// Done twice it does no harm, so it takes no key.
    async fn all_dead(&self, (who, action): (Who, Action), body: &Bytes) -> Result<Answered, Problem> {
        let why = checked(why(body)?, action)?;
        let deed = Deed { action, name: why.name, why: why.why };
        let changed = act::all_dead(&self.0.database, (who, deed), &self.0.clock).await;
        self.written(changed.map(|number| {
            let about = act::DEAD_JOBS.to_owned();
            Ok(done(&Done { action: action.as_str().to_owned(), about, number }))
        }))
    }

    /// Lists all in Fastio once more, behind live traffic.
    pub async fn relist(&self, who: Who, key: Option<OrderKey>) -> Result<Done, Problem> {
        self.relisted(who, key).await.and_then(read)
    }

    async fn relisted(&self, who: Who, key: Option<OrderKey>) -> Result<Answered, Problem> {
        let now = self.0.clock.now();
        let asked = answered::asked("relist", "", &[]);
        let key = key.map(|OrderKey(key)| Key { who: who.as_str(), key, asked });
        let write = move |tx: &mut Connection| {
            answered::once(tx, (key.as_ref(), now), |tx| {
                job::enqueue(tx, &Task::Relist { profile: None }, Priority::Backfill, now)?;
                let entry = audit::Entry {
                    who: who.as_str(),
                    name: None,
                    action: "relist",
                    about: "relist",
                    filter: None,
                    number: 1,
                    why: None,
                };
                audit::record(tx, &entry, now)?;
                Ok(done(&Done { action: "relist".to_owned(), about: "relist".to_owned(), number: 1 }))
            })
        };
        self.written(self.0.database.write(write).await)
    }

    /// Wakes the workers for what was written.
    pub(super) fn written(
        &self,
        written: Result<Result<Answered, Problem>, Error>,
    ) -> Result<Answered, Problem> {
        let answered = written.map_err(|error| unreadable(&error))??;
        self.0.wake.notify_waiters();
        Ok(answered)
    }
}

pub fn done(done: &Done) -> Answered {
    let body = serde_json::to_string(done).expect("texts and a number");
    Answered { status: StatusCode::OK.as_u16(), body, replayed: false }
}

/// Too late, or not as things are.
pub(super) fn refused(words: String) -> Answered {
    Answered { status: StatusCode::CONFLICT.as_u16(), body: words, replayed: false }
}

/// What was done, or why it was not.
pub(super) fn read<T: DeserializeOwned>(Answered { status, body, .. }: Answered) -> Result<T, Problem> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match status {
        StatusCode::OK => serde_json::from_str(&body)
            .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "an earlier answer cannot be read")),
        status => Err(Problem::new(status, body)),
    }
}

pub(super) fn reply(answered: Result<Answered, Problem>) -> Response {
    let replayed = answered.as_ref().is_ok_and(|answered| answered.replayed);
    let mut response = match answered.and_then(read::<Value>) {
        Ok(done) => Json(done).into_response(),
        Err(problem) => problem.into_response(),
    };
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// A reason and a name, as a body has them.
fn why(body: &Bytes) -> Result<Why, Problem> {
    if body.is_empty() {
        return Ok(Why::default());
    }
    let detail = "the body is no JSON object with `why` and `name`, or has something else";
    serde_json::from_slice(body).map_err(|_| Problem::new(StatusCode::BAD_REQUEST, detail))
}

/// The same, checked. A verdict on a run has both in its result, so it needs a reason.
pub fn checked(why: Why, action: Action) -> Result<Why, Problem> {
    let wrong = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
    let trimmed =
        |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let why = Why { why: trimmed(why.why), name: trimmed(why.name) };
    let is_long = |text: &Option<String>, most| text.as_ref().is_some_and(|text| text.chars().count() > most);
    if is_long(&why.why, MOST_WHY) {
        return Err(wrong(format!("`why` has more than {MOST_WHY} characters")));
    }
    if is_long(&why.name, MOST_NAME) {
        return Err(wrong(format!("`name` has more than {MOST_NAME} characters")));
    }
    if action.is_verdict() && why.why.is_none() {
        return Err(wrong("say why: `why` stands in the result beside the verdict".to_owned()));
    }
    Ok(why)
}

macro_rules! handlers {
    ($($(#[$about:meta])* $name:ident $path:literal $tag:literal $id:ty => $action:expr;)+) => { $(
        $(#[$about])*
        #[utoipa::path(post, path = $path, tag = $tag, params(("id" = $id, Path),
            ("Idempotency-Key" = Option<String>, Header, description = "told twice with one key, it is done once")),
            request_body = Why, responses((status = 200, body = Done), (status = 409, description = "it cannot be done as things are")))]
        pub async fn $name(
            Admin(who): Admin,
            State(api): State<Api>,
            Named(id): Named<$id>,
            GivenKey(key): GivenKey,
            body: Bytes,
        ) -> Response {
            let order = |why| Order { who, key, action: $action, item: id.to_string(), why };
            match why(&body) {
                Ok(why) => reply(api.acted(order(why)).await),
                Err(problem) => problem.into_response(),
            }
        }
    )+ };
}
handlers! {
    /// Makes a dead or waiting job due now, with all its attempts.
    retry_job "/api/v1/jobs/{id}/retry" "jobs" i64 => Action::RetryJob;
    /// Forgets a job that no worker has in hand; its file is looked at again with its next event.
    discard_job "/api/v1/jobs/{id}/discard" "jobs" i64 => Action::DiscardJob;
    /// Tries a file again that is skipped, or whose job is dead.
    retry_file "/api/v1/files/{id}/retry" "files" String => Action::RetryFile;
    /// Has a file come back that has left OpenAI to make room: what is used least leaves for it.
    bring_file "/api/v1/files/{id}/bring" "files" String => Action::BringFile;
    /// Has a file looked at now, as if an event had told of it, and tried again what was given up.
    sync_file "/api/v1/files/{id}/sync" "files" String => Action::SyncFile;
    /// Runs a rule over a file as it is now: `workspace:ID:NODE:RULE`. It is paid for.
    start "/api/v1/runs/{id}/start" "runs" String => Action::StartRun;
    /// Says that a run's answer may be relied on.
    accept "/api/v1/runs/{id}/accept" "runs" i64 => Action::Accept;
    /// Says that it may not.
    reject "/api/v1/runs/{id}/reject" "runs" i64 => Action::Reject;
    /// Takes back what was said of a run's answer.
    withdraw "/api/v1/runs/{id}/withdraw" "runs" i64 => Action::Withdraw;
    /// Makes a run that has ended once more, over what its file is now. It is paid for.
    again "/api/v1/runs/{id}/again" "runs" i64 => Action::RunAgain;
    /// Stops a run that goes on.
    cancel "/api/v1/runs/{id}/cancel" "runs" i64 => Action::CancelRun;
    /// Has what a sweep stopped for removed: of each rule as many files' copies as that sweep would have, and no more.
    approve_sweep "/api/v1/sweeps/{id}/approve" "sweeps" String => Action::ApproveSweep;
    /// Leaves what a sweep stopped for as it is. A later one that stops asks again.
    dismiss_sweep "/api/v1/sweeps/{id}/dismiss" "sweeps" String => Action::DismissSweep;
}

/// Which sweep, and why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SweepOrder {
    /// Only what this rule is about.
    pub rule: Option<String>,
    /// Only say what differs.
    pub dry_run: bool,
    pub why: Option<String>,
    pub name: Option<String>,
}

/// Asks for a sweep, which a server makes next. What it found is listed with the others then.
#[utoipa::path(post, path = "/api/v1/sweeps", tag = "sweeps", request_body = SweepOrder, params(
    ("Idempotency-Key" = Option<String>, Header, description = "told twice with one key, it is done once")),
    responses((status = 200, body = Done)))]
pub async fn ask_sweep(
    Admin(who): Admin,
    State(api): State<Api>,
    GivenKey(key): GivenKey,
    body: Bytes,
) -> Response {
    let wrong = |words: String| Problem::new(StatusCode::BAD_REQUEST, words).into_response();
    let order: Result<SweepOrder, _> = match body.is_empty() {
        true => Ok(SweepOrder::default()),
        false => serde_json::from_slice(&body),
    };
    let Ok(SweepOrder { rule, dry_run, why, name }) = order else {
        return wrong(
            "the body is no JSON object with `rule`, `dry_run`, `why` and `name`, or has something else"
                .to_owned(),
        );
    };
    if let Some(rule) = rule.as_ref().filter(|rule| api.0.known.rules.named(rule).is_none()) {
        return wrong(format!("no rule is called `{rule}`"));
    }
    let action = if dry_run { Action::DrySweep } else { Action::Sweep };
    let order = Order { who, key, action, item: rule.unwrap_or_default(), why: Why { why, name } };
    reply(api.acted(order).await)
}

/// Makes every dead job due now.
#[utoipa::path(post, path = "/api/v1/jobs/retry-dead", tag = "jobs", request_body = Why, responses((status = 200, body = Done)))]
pub async fn retry_dead(Admin(who): Admin, State(api): State<Api>, body: Bytes) -> Response {
    reply(api.all_dead((who, Action::RetryJob), &body).await)
}

/// Forgets every dead job.
#[utoipa::path(post, path = "/api/v1/jobs/discard-dead", tag = "jobs", request_body = Why, responses((status = 200, body = Done)))]
pub async fn discard_dead(Admin(who): Admin, State(api): State<Api>, body: Bytes) -> Response {
    reply(api.all_dead((who, Action::DiscardJob), &body).await)
}

/// Lists all in Fastio once more, and looks at each file that differs from what is known. Behind live traffic.
#[utoipa::path(post, path = "/api/v1/relist", tag = "server", responses((status = 200, body = Done)))]
pub async fn relist(Admin(who): Admin, State(api): State<Api>, GivenKey(key): GivenKey) -> Response {
    reply(api.relisted(who, key).await)
}
