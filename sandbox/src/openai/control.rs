//! The OpenAI stand-in's own control paths, beside those that both have ([`super::super::control`]):
//!
//! | path | |
//! |---|---|
//! | `GET /_sandbox/state` | everything it holds |
//! | `GET /_sandbox/searchable` | when which file could be found |
//! | `GET /_sandbox/webhooks/idle` | answers when every response that is over has been told of |
//! | `POST /_sandbox/copies` | `{vector_store, copies: [{filename, text, attributes}]}`: files that were uploaded and indexed long ago |

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::content::Content;
use super::super::control::{Pretty, refuse};
use super::MAX_JSON_BYTES;
use super::file::File;
use super::indexing::StoreFile;
use super::state::State;
use super::store;

pub fn routes() -> Router<State> {
    Router::new()
        .route("/_sandbox/state", get(snapshot))
        .route("/_sandbox/searchable", get(searchable))
        .route("/_sandbox/webhooks/idle", get(idle))
        .route("/_sandbox/copies", post(put_copies).layer(DefaultBodyLimit::max(MAX_JSON_BYTES)))
}

async fn snapshot(Shared(state): Shared<State>) -> Pretty<Value> {
    Pretty(state.snapshot())
}

async fn searchable(Shared(state): Shared<State>) -> Pretty<Value> {
    Pretty(state.searchable())
}

async fn idle(Shared(state): Shared<State>) -> Pretty<Value> {
    state.flush_webhooks().await;
    Pretty(json!({"idle": true}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Copies {
    vector_store: String,
    copies: Vec<NewCopy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCopy {
    filename: String,
    text: String,
    attributes: Map<String, Value>,
}

/// A million uploads take an hour, and what is there already takes a minute: so that a sweep over many can be measured.
async fn put_copies(Shared(state): Shared<State>, body: Bytes) -> Response {
    let asked: Copies = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, format!("expected copies: {error}")),
    };
    let (mut world, now) = state.world();
    if store::live(&mut world, now, &asked.vector_store).is_err() {
        return refuse(StatusCode::NOT_FOUND, format!("no vector store {}", asked.vector_store));
    }
    let many = asked.copies.len();
    for NewCopy { filename, text, attributes } in asked.copies {
        let (id, content) = (world.ids.file(), Content::of(text.as_bytes()));
        let entry = StoreFile::indexed((&id, &filename), attributes, content.clone(), now);
        let file = File {
            id: id.clone(),
            filename,
            purpose: "assistants".to_owned(),
            content_type: None,
            content,
            created_ms: now,
            expires_at_ms: None,
        };
        world.files.put(&id, file);
        let store =
            store::find(&mut world, &asked.vector_store).expect("it was there, and the world is locked");
        store.files.put(&id, entry);
    }
    Pretty(json!({"copies": many})).into_response()
}
