//! The OpenAI stand-in: files, uploads, vector stores with their files, batches, content and search, conversations,
//! responses (streamed too), containers, webhooks and models, under `/v1/`, after OpenAI's OpenAPI document 2.3.0 and
//! people's reports of the real service.
//!
//! It is a stand-in: its search matches words, its model follows plain rules, of documents it sees only what stands there as
//! plain text, and it keeps only small contents whole. Where the documents are silent the code says "inferred". It has threads only when it is
//! told to play a compatible server: OpenAI shut them down on 2026-08-26, and unknown paths are answered with 404 as
//! there.

mod ask;
mod batch;
mod catalog;
mod chunking;
mod compose;
mod container;
mod container_file;
mod control;
mod conversation;
mod count;
mod endpoint;
mod error;
mod file;
mod filter;
mod history;
mod id;
mod indexing;
mod item;
mod kinds;
mod limits;
mod login;
pub(crate) mod model;
mod other;
mod read;
mod request_batch;
mod response;
mod search;
mod shelf;
mod state;
mod store;
mod store_file;
mod stream;
mod text;
mod thread;
mod tool;
mod upload;
mod webhook;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::IntoResponse;

use super::Core;
use super::server::{Service, Stamp};
use error::{ApiError, refuse};

pub use limits::Limits;
pub use login::Login;
pub use state::State;

/// The largest JSON body: a batch of 2,000 files with all the attributes they may have is below it.
const MAX_JSON_BYTES: usize = 32 * 1024 * 1024;

/// OpenAI's API reference: what `X-Client-Request-Id` may have.
const MAX_REQUEST_ID: usize = 512;

/// What the rate-limit headers of replies that are about no model say one may do in a minute. [`limits`] has those that are kept.
const RATE_LIMIT_REQUESTS: u32 = 10_000;
const RATE_LIMIT_TOKENS: u32 = 2_000_000;

/// What the stand-in serves: real paths under `/v1/`, control paths under `/_sandbox/`.
pub fn service(state: &State, core: &Core) -> Service {
    let threads = if state.assistants { thread::routes() } else { Router::new() };
    let api = Router::new()
        .merge(threads)
        .merge(file::routes())
        .merge(upload::routes())
        .merge(store::routes())
        .merge(store_file::routes())
        .merge(batch::routes())
        .merge(request_batch::routes())
        .merge(search::routes())
        .merge(conversation::routes())
        .merge(response::routes())
        .merge(count::routes())
        .merge(container::routes())
        .merge(endpoint::routes())
        .merge(catalog::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(other::play))
        .layer(from_fn_with_state(state.clone(), admitted))
        .merge(login::routes())
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .with_state(state.clone());
    let control = control::routes().with_state(state.clone());
    Service { core: core.clone(), api, control, refuse, stamp }
}

/// What lets a request in says [`Login`]; and what a request may say of itself has its length.
async fn admitted(Shared(state): Shared<State>, request: Request, next: Next) -> Response<Body> {
    match refusal(&state, request.headers()) {
        None => next.run(request).await,
        Some(error) => error.into_response(),
    }
}

fn refusal(state: &State, headers: &HeaderMap) -> Option<ApiError> {
    if let Some(refused) = login::refusal(state, headers) {
        return Some(refused);
    }
    // Documented, without the words.
    let id = headers.get("x-client-request-id")?.as_bytes();
    let message = "X-Client-Request-Id must be at most 512 ASCII characters.";
    (id.len() > MAX_REQUEST_ID || !id.is_ascii()).then(|| ApiError::plain(message))
}

async fn unknown_path(method: Method, uri: Uri) -> ApiError {
    ApiError::plain(format!("Invalid URL ({method} {})", uri.path())).status(StatusCode::NOT_FOUND)
}

async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    let message = format!("Not allowed to {method} on {}.", uri.path());
    ApiError::plain(message).status(StatusCode::METHOD_NOT_ALLOWED)
}

/// The headers of every reply.
fn stamp(stamp: &Stamp, headers: &mut HeaderMap) {
    let request_id = format!("req_{:032x}", stamp.seq);
    headers.insert("x-request-id", HeaderValue::from_str(&request_id).expect("hex digits are a header"));
    headers.insert("openai-processing-ms", HeaderValue::from(stamp.elapsed_ms));
    headers.insert("openai-version", HeaderValue::from_static("2020-10-01"));
    headers.insert("openai-organization", HeaderValue::from_static("sandbox"));
    budget(headers);
}

/// What is left of the requests and the tokens of a minute. A budget that never runs short: a refusal that says when to
/// come back says it here as well, and one that has put its own numbers there keeps them. Inferred: that replies about
/// files and vector stores carry these headers too.
fn budget(headers: &mut HeaderMap) {
    let wait = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let (left, reset) = match wait {
        Some(seconds) => (0, format!("{seconds}s")),
        None => (RATE_LIMIT_REQUESTS - 1, "6ms".to_owned()),
    };
    let pairs = [
        ("x-ratelimit-limit-requests", RATE_LIMIT_REQUESTS.to_string()),
        ("x-ratelimit-remaining-requests", left.to_string()),
        ("x-ratelimit-reset-requests", reset),
        ("x-ratelimit-limit-tokens", RATE_LIMIT_TOKENS.to_string()),
        ("x-ratelimit-remaining-tokens", RATE_LIMIT_TOKENS.to_string()),
        ("x-ratelimit-reset-tokens", "0s".to_owned()),
    ];
    for (name, value) in pairs {
        let value = HeaderValue::from_str(&value).expect("digits and letters are a header");
        headers.entry(name).or_insert(value);
    }
}
