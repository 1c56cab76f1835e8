//! The real paths, under `/current/`: the caller, what is asked for, and the envelope around the answer.
//!
//! Paths are matched by their segments, so that a trailing slash, which Fastio writes and clients forget, does not matter.

mod batch;
mod call;
mod change;
mod cloud;
mod comments;
mod events;
mod file_shares;
mod listing;
mod locks;
mod nodes;
mod notes;
mod read;
mod search;
mod talk;
mod uploads;
mod web;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State as Shared};
use axum::http::Response;
use axum::response::IntoResponse;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::State;
use super::cloud::Family;
use super::refusal::{self, Refusal};
use crate::fastio::profile::{Profile, ProfileKind};
use crate::faults::FaultKind;
use crate::journal::Trace;
use crate::rewrite;
use crate::server::Download;
use call::Call;

/// What a handler answers: JSON for the envelope, or a whole response.
enum Reply {
    Json(Value),
    /// Like `Json` with a status of its own.
    Status(axum::http::StatusCode, Value),
    Whole(Response<Body>),
}

type Answer = Result<Reply, Refusal>;

/// A reply with these fields beside `result` and `status`.
fn ok(fields: Value) -> Answer {
    Ok(Reply::Json(fields))
}

pub fn router(state: &State) -> Router {
    // Each request has a limit of its own, refused in Fastio's words.
    Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(state.clone())
}

async fn answer(Shared(state): Shared<State>, request: Request) -> Response<Body> {
    let trace = request.extensions().get::<Trace>().cloned();
    let response = plain_answer(state, request).await;
    if response.extensions().get::<Download>().is_some() {
        return response;
    }
    match trace.and_then(|trace| trace.hit(FaultKind::WrongHash)) {
        None => response,
        Some(hit) => {
            let wrong = hit.details.put.unwrap_or_else(|| "0".repeat(32));
            let put = &mut |hash: &mut Value| *hash = wrong.clone().into();
            rewrite::reply(response, |body| rewrite::each(body, "hash", put)).await
        }
    }
}

async fn plain_answer(state: State, request: Request) -> Response<Body> {
    state.go_on();
    let resource = refusal::resource(request.method().as_str(), request.uri().path());
    let answer = match Call::new(state, request) {
        Ok((call, segments)) => dispatch(call, segments).await,
        Err(refusal) => Err(refusal),
    };
    match answer {
        Ok(Reply::Json(fields)) => Json(envelope(fields)).into_response(),
        Ok(Reply::Status(status, fields)) => (status, Json(fields)).into_response(),
        Ok(Reply::Whole(response)) => response,
        Err(refusal) => (refusal.status, Json(refusal.envelope(&resource))).into_response(),
    }
}

fn envelope(mut fields: Value) -> Value {
    fields["result"] = true.into();
    fields["status"] = "ok".into();
    fields["current_api_version"] = refusal::API_VERSION.into();
    fields
}

async fn dispatch(mut call: Call, segments: Vec<String>) -> Answer {
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = call.method.clone();
    let (method, path) = match &path[..] {
        ["current", rest @ ..] => (method.as_str(), rest),
        _ => return Err(Refusal::no_route()),
    };
    if let [kind @ ("workspace" | "share"), id, "storage", rest @ ..] = path {
        let kind = if *kind == "share" { ProfileKind::Share } else { ProfileKind::Workspace };
        let profile = Profile { kind, id: (*id).to_owned() };
        // A download token stands for a key.
        if let ("GET", [node, "read"]) = (method, rest) {
            return read::read(&call, profile, node);
        }
        call.authenticate()?;
        return storage(call, method, profile, rest).await;
    }
    // Whether the service is there may be asked without a key.
    if let ("GET", ["ping"] | ["system", "ping" | "status"]) = (method, path) {
        return ok(json!({}));
    }
    call.authenticate()?;
    match (method, path) {
        ("GET", ["user", "auth", "check"]) => ok(json!({"id": call.by().user})),
        ("GET", ["auth", "scopes"]) => {
            // A key that says of itself that it only reads has such a scope.
            let reads = call.bearer().is_some_and(|key| key.starts_with("read-only"));
            let scope = if reads { "user:*:r" } else { "user:*:rw" };
            ok(json!({"auth_type": "api_key", "scopes": [scope], "full_access": !reads}))
        }
        ("GET", [kind @ ("workspace" | "share"), id, "details"]) => events::profile(&call, kind, id),
        ("POST", ["event", id, "ack"]) => events::acknowledge(&call, id),
        (_, [kind @ ("workspace" | "share"), id, "ai", "agent", rest @ ..]) => {
            let profile = if *kind == "share" { Profile::share(*id) } else { Profile::workspace(*id) };
            talk::answer(&mut call, (method, &profile), rest).await
        }
        ("POST", ["workspace", id, "create", "fileshare"]) => file_shares::make(&mut call, id).await,
        ("GET", ["workspace", id, "list", "fileshares"]) => file_shares::list(&call, id),
        (_, ["fileshare", rest @ ..]) => file_shares::answer(&mut call, method, rest).await,
        (_, ["upload", rest @ ..]) => upload(&mut call, method, rest).await,
        (_, ["web_upload", rest @ ..]) => web::answer(&mut call, method, rest).await,
        (_, [root @ ("cloudsync" | "imports"), rest @ ..]) => {
            let family = Family::parse(root).ok_or_else(Refusal::no_route)?;
            cloud::answer(&mut call, (family, method), rest).await
        }
        (_, ["comments", rest @ ..]) => comments::answer(&mut call, method, rest).await,
        ("GET", ["events", "search"]) => events::search(&call),
        ("GET", ["event", id, "details"]) => events::details(&call, id),
        ("GET", ["org", org, "events", "changes"]) => events::changes(&call, org),
        ("GET", ["activity", "poll", id]) => events::poll(&call, id).await,
        ("GET", path) => listing::answer(&call, path),
        _ => Err(Refusal::no_route()),
    }
}

async fn upload(call: &mut Call, method: &str, path: &[&str]) -> Answer {
    match (method, path) {
        ("GET", ["limits"]) => uploads::limits(),
        ("GET", ["algos"]) => uploads::algos(),
        ("GET", ["details"]) => uploads::open(call),
        ("DELETE", []) => uploads::cancel_all(call),
        ("POST", []) => uploads::create(call).await,
        ("POST", ["batch"]) => batch::upload(call).await,
        ("GET", [id, "chunk"]) => uploads::chunks(call, id),
        ("DELETE", [id, "chunk"]) => uploads::delete_chunk(call, id),
        ("POST", [id, "stream"]) => uploads::stream(call, id).await,
        ("POST", [id, "chunk"]) => uploads::chunk(call, id).await,
        ("POST", [id, "complete"]) => uploads::complete(call, id),
        ("GET", [id, "details"]) => uploads::details(call, id).await,
        ("DELETE", [id]) => uploads::delete(call, id),
        _ => Err(Refusal::no_route()),
    }
}

async fn storage(mut call: Call, method: &str, profile: Profile, path: &[&str]) -> Answer {
    match (method, path) {
        ("GET", ["inventory"]) => nodes::inventory(&call, &profile),
        ("GET", ["recent"]) => search::recent(&call, &profile),
        ("GET", ["search"]) => search::search(&call, &profile),
        ("GET", [ids, "details"]) => nodes::details(&call, &profile, ids),
        ("GET", [folder, "list"]) => nodes::list(&call, &profile, folder),
        ("GET", [node, "versions"]) => nodes::versions(&call, &profile, node),
        ("GET", [node, "content"]) => read::content(&call, &profile, node),
        ("GET", [node, "requestread"]) => read::request(&call, profile, node),
        ("GET", [node, "readnote"]) => notes::read(&call, &profile, node),
        ("GET", [node, "lock"]) => locks::status(&call, &profile, node),
        ("DELETE", [node, "lock"]) => locks::release(&call, &profile, node),
        ("DELETE", [node, "delete"]) => change::delete(&call, &profile, node),
        ("DELETE", [node, "purge"]) => change::purge(&call, &profile, node),
        ("POST", path) => {
            call.read_form().await?;
            post(&call, &profile, path)
        }
        _ => Err(Refusal::no_route()),
    }
}

fn post(call: &Call, profile: &Profile, path: &[&str]) -> Answer {
    match path {
        [parent, "createfolder"] => change::create_folder(call, profile, parent),
        [parent, "addfile"] => change::add_file(call, profile, parent),
        [parent, "createnote"] => notes::create(call, profile, parent),
        [parent, "addlink"] => notes::link(call, profile, parent),
        [node, "updatenote"] => notes::update(call, profile, node),
        [node, "update"] => change::update(call, profile, node),
        [node, "move"] => change::move_node(call, profile, node),
        [node, "copy"] => change::copy(call, profile, node),
        [node, "restore"] => change::restore(call, profile, node),
        [node, "restore-version"] => change::restore_version(call, profile, node),
        [node, "lock"] => locks::acquire(call, profile, node),
        [node, "lock", "heartbeat"] => locks::heartbeat(call, profile, node),
        _ => Err(Refusal::no_route()),
    }
}
