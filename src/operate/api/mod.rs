//! `/api/v1` for programs: all that the commands show, and what they do to one thing. Its description is made from this code.

mod act;
mod again;
mod answered;
mod bulk;
mod document;
mod imports;

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use utoipa::ToSchema;

use super::guard::{Admin, Role, Viewer};
use super::query::audit::AuditLog;
use super::query::events::{Events, EventsPage};
use super::query::explain::{Explain, Explained};
use super::query::files::{FileCount, Files, FilesPage};
use super::query::jobs::{Job, JobView, Jobs, JobsPage};
use super::query::runs::{Run, RunWhole, Runs, RunsPage};
use super::query::search::{Results, Search, Searcher, Unanswered};
use super::query::status::{Overview, OverviewView};
use super::query::sweeps::{Limits, LimitsView, Sweep, SweepWhole, Sweeps, SweepsPage};
use super::query::watch::{SeenPage, Watch};
use super::query::{Known, Question, Wrong};
use super::routes::Routes;
use super::unreadable;
use crate::audit;
use crate::clock::Clock;
use crate::database::{Connection, Database};
use crate::listen::problem::Problem;
use crate::receive;
use crate::run::Definition;
use crate::sync::listing::Number;

pub use act::{Done, Order, OrderKey, SweepOrder, Why};
pub use again::{Again, AgainView};
pub use bulk::{BulkOrder, BulkView, Preview};

/// What the handlers share.
#[derive(Clone)]
pub struct Api(Arc<ApiParts>);

/// What it is made of.
pub struct ApiParts {
    pub database: Database,
    pub searcher: Searcher,
    pub clock: Clock,
    pub known: Known,
    pub definitions: Vec<Arc<Definition>>,
    /// What to notify when a job may be due.
    pub wake: Arc<Notify>,
    /// As loaded, without a secret.
    pub settings: Vec<SettingView>,
}

/// A setting as it was loaded.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SettingView {
    /// `section.name`, or the variable of a secret.
    pub name: String,
    /// Of a secret only whether it is set.
    pub value: String,
    /// The file, a variable, a flag, or `default`.
    pub from: String,
}

impl Api {
    pub fn new(parts: ApiParts) -> Self {
        Api(Arc::new(parts))
    }

    pub(super) fn now(&self) -> i64 {
        self.0.clock.now()
    }

    /// What is run over the rules' files.
    pub(super) fn definitions(&self) -> &[Arc<Definition>] {
        &self.0.definitions
    }

    /// What is known besides the database, as of now.
    fn known(&self) -> Known {
        Known { now: self.0.clock.now(), ..self.0.known.clone() }
    }

    async fn answer<Q: Question>(&self, question: Q) -> Response {
        match self.ask(question).await {
            Ok(answer) => Json(answer).into_response(),
            Err(problem) => problem.into_response(),
        }
    }

    /// The answer, or what is told instead.
    pub(super) async fn ask<Q: Question>(&self, question: Q) -> Result<Q::Answer, Problem> {
        let known = self.known();
        let answer = move |connection: &mut Connection| question.answer(connection, &known);
        let answered = self.0.database.observe(answer).await.map_err(|error| unreadable(&error))?;
        answered.map_err(Problem::from)
    }

    /// All numbers there are.
    pub(super) async fn overview(&self) -> Result<OverviewView, Problem> {
        Overview::read(&self.0.database, &self.known()).await.map_err(|error| unreadable(&error))
    }

    pub(super) async fn search(&self, asked: &Search) -> Result<Results, Problem> {
        let found = self.0.searcher.find(asked, &self.0.known.rules, self.0.clock.now()).await;
        found.map_err(Problem::from)
    }
}

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Nothing(words) => Problem::new(StatusCode::NOT_FOUND, words),
            Wrong::Asked(words) => Problem::new(StatusCode::BAD_REQUEST, words),
        }
    }
}

impl From<Unanswered> for Problem {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Wrong(wrong) => wrong.into(),
            Unanswered::Database(error) => unreadable(&error),
            // Somebody else did not answer us, or not with what was asked for.
            Unanswered::OpenAi { .. } => Problem::new(StatusCode::BAD_GATEWAY, unanswered.to_string()),
        }
    }
}

/// What stands in the path.
struct Named<T>(T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let wrong = |_| Problem::new(StatusCode::BAD_REQUEST, "what is named in the path is no number");
        Path::from_request_parts(parts, state).await.map(|Path(named)| Named(named)).map_err(wrong)
    }
}

/// What stands behind the `?`.
struct Asked<Q>(Q);

impl<Q: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let wrong = |_| {
            let detail = "a parameter is none of those there are, or has a wrong value: /api/v1/openapi.json";
            Problem::new(StatusCode::BAD_REQUEST, detail)
        };
        Query::try_from_uri(&parts.uri).map(|Query(asked)| Asked(asked)).map_err(wrong)
    }
}

pub fn routes() -> Routes<Api> {
    let (see, all) = (Role::Viewer, Role::Admin);
    let seen = Routes::default()
        .get(see, "/api/v1/files", files)
        .get(see, "/api/v1/files/count", files_count)
        .get(see, "/api/v1/files/{id}", file)
        .get(see, "/api/v1/explain", explain)
        .get(see, "/api/v1/search", search)
        .get(see, "/api/v1/runs", runs)
        .get(see, "/api/v1/runs/{id}", run)
        .get(see, "/api/v1/openapi.json", openapi)
        .get(all, "/api/v1/again", again::estimate)
        .get(all, "/api/v1/overview", overview)
        .get(all, "/api/v1/events", events)
        .get(all, "/api/v1/deliveries", deliveries)
        .get(all, "/api/v1/jobs", jobs)
        .get(all, "/api/v1/jobs/{id}", job)
        .get(all, "/api/v1/sweeps", sweeps)
        .get(all, "/api/v1/sweeps/{id}", sweep)
        .get(all, "/api/v1/limits", limits)
        .get(all, "/api/v1/settings", settings)
        .get(all, "/api/v1/audit", audit_log)
        .get(all, "/api/v1/watch", watch);
    seen.merge(act::routes()).merge(bulk::routes()).merge(imports::routes())
}

/// The files, each with its copies at OpenAI.
#[utoipa::path(get, path = "/api/v1/files", tag = "files", params(Files), responses((status = 200, body = FilesPage)))]
async fn files(_: Viewer, State(api): State<Api>, Asked(asked): Asked<Files>) -> Response {
    api.answer(asked).await
}

/// How many files there are, as far as one look says.
#[utoipa::path(get, path = "/api/v1/files/count", tag = "files", params(Files), responses((status = 200, body = Number)))]
async fn files_count(_: Viewer, State(api): State<Api>, Asked(asked): Asked<FileCount>) -> Response {
    api.answer(asked).await
}

/// One file: why it is as it is, and how it came to that.
#[utoipa::path(get, path = "/api/v1/files/{id}", tag = "files", params(("id" = String, Path,
    description = "as `source_id` has it: `workspace:ID:NODE`")), responses((status = 200, body = Explained)))]
async fn file(_: Viewer, State(api): State<Api>, Named(id): Named<String>) -> Response {
    match api.ask(Explain { place: id }).await {
        Ok(Explained { files, sentence, .. }) if files.is_empty() => {
            Problem::new(StatusCode::NOT_FOUND, sentence).into_response()
        }
        Ok(explained) => Json(explained).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// Why the file at a path is as it is, or why none is known there.
#[utoipa::path(get, path = "/api/v1/explain", tag = "files", params(Explain), responses((status = 200, body = Explained)))]
async fn explain(_: Viewer, State(api): State<Api>, Asked(asked): Asked<Explain>) -> Response {
    api.answer(asked).await
}

/// What an assistant would find, with what is known of each file. OpenAI is asked, once for each vector store.
#[utoipa::path(get, path = "/api/v1/search", tag = "files", params(Search), responses((status = 200, body = Results),
    (status = 502, description = "OpenAI did not search")))]
async fn search(_: Viewer, State(api): State<Api>, Asked(asked): Asked<Search>) -> Response {
    match api.search(&asked).await {
        Ok(results) => Json(results).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// What was run over the files, the newest first. Without results: those are with each run.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", params(Runs), responses((status = 200, body = RunsPage)))]
async fn runs(_: Viewer, State(api): State<Api>, Asked(asked): Asked<Runs>) -> Response {
    api.answer(asked).await
}

/// One run with its result.
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs", params(("id" = i64, Path)), responses((status = 200, body = RunWhole)))]
async fn run(_: Viewer, State(api): State<Api>, Named(id): Named<i64>) -> Response {
    api.answer(Run { id }).await
}

/// All numbers there are, as `docket status` shows them.
#[utoipa::path(get, path = "/api/v1/overview", tag = "server", responses((status = 200, body = Object)))]
async fn overview(_: Admin, State(api): State<Api>) -> Response {
    match api.overview().await {
        Ok(view) => Json(view).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// What was said to have happened, the newest first.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(Events), responses((status = 200, body = EventsPage)))]
async fn events(_: Admin, State(api): State<Api>, Asked(asked): Asked<Events>) -> Response {
    api.answer(asked).await
}

/// How often something was received, by what came of it.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryCount {
    name: String,
    label: String,
    value: i64,
}

/// What deliveries came to, in numbers.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "events", responses((status = 200, body = Vec<DeliveryCount>)))]
async fn deliveries(_: Admin, State(api): State<Api>) -> Response {
    match api.0.database.observe(receive::counts).await {
        Ok(rows) => {
            let rows = rows.into_iter().map(|(name, label, value)| DeliveryCount { name, label, value });
            Json(rows.collect::<Vec<_>>()).into_response()
        }
        Err(error) => unreadable(&error).into_response(),
    }
}

/// The work that is left: the dead first.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", params(Jobs), responses((status = 200, body = JobsPage)))]
async fn jobs(_: Admin, State(api): State<Api>, Asked(asked): Asked<Jobs>) -> Response {
    api.answer(asked).await
}

/// One job.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs", params(("id" = i64, Path)), responses((status = 200, body = JobView)))]
async fn job(_: Admin, State(api): State<Api>, Named(id): Named<i64>) -> Response {
    api.answer(Job { id }).await
}

/// What the last sweeps found.
#[utoipa::path(get, path = "/api/v1/sweeps", tag = "sweeps", params(Sweeps), responses((status = 200, body = SweepsPage)))]
async fn sweeps(_: Admin, State(api): State<Api>, Asked(asked): Asked<Sweeps>) -> Response {
    api.answer(asked).await
}

/// One sweep, with the first of what it found.
#[utoipa::path(get, path = "/api/v1/sweeps/{id}", tag = "sweeps", params(("id" = String, Path)), responses((status = 200, body = SweepWhole)))]
async fn sweep(_: Admin, State(api): State<Api>, Named(sweep): Named<String>) -> Response {
    api.answer(Sweep { sweep }).await
}

/// What keeps work waiting.
#[utoipa::path(get, path = "/api/v1/limits", tag = "server", responses((status = 200, body = LimitsView)))]
async fn limits(_: Admin, State(api): State<Api>) -> Response {
    api.answer(Limits::default()).await
}

/// The settings as loaded, each with where its value came from, and no secret.
#[utoipa::path(get, path = "/api/v1/settings", tag = "server", responses((status = 200, body = Vec<SettingView>)))]
async fn settings(_: Admin, State(api): State<Api>) -> Response {
    Json(&api.0.settings).into_response()
}

/// What people did here and rules had done with files, the newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "server", params(AuditLog), responses((status = 200, body = Vec<audit::Row>)))]
async fn audit_log(_: Admin, State(api): State<Api>, Asked(asked): Asked<AuditLog>) -> Response {
    api.answer(asked).await
}

/// What happened since it was asked last. Some of it may have been told then: rows have an `id`.
#[utoipa::path(get, path = "/api/v1/watch", tag = "server", params(Watch), responses((status = 200, body = SeenPage)))]
async fn watch(_: Admin, State(api): State<Api>, Asked(asked): Asked<Watch>) -> Response {
    api.answer(asked).await
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "server", responses((status = 200, body = Object)))]
async fn openapi(_: Viewer) -> Response {
    Json(document::document()).into_response()
}
