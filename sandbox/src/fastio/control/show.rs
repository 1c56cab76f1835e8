//! What control shows: the whole state, one node after a change, and a file's content.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Failed, at, missing, profile};
use crate::control::Pretty;
use crate::fastio::file_share::FileShare;
use crate::fastio::id::shown;
use crate::fastio::lock::held;
use crate::fastio::profile::{Profile, ProfileKind};
use crate::fastio::tree::{Key, NodeKind, Tree};
use crate::fastio::upload::Session;
use crate::fastio::{ORG_ID, State, render};

/// Events shown unless asked otherwise; the journal of a long run would be megabytes.
pub const EVENTS_SHOWN: usize = 1_000;

/// What control says of a node.
pub fn summary(tree: &Tree, key: Key) -> Value {
    let Some(node) = tree.node(key) else { return Value::Null };
    json!({
        "workspace": named(&tree.profile),
        "path": tree.path(key),
        "node_id": shown(&node.id),
        "type": node.kind.as_str(),
        "version": node.version().map(|version| shown(&version.id)),
        "size": node.version().map(|version| version.content.size()),
        "md5": node.version().map(|version| version.content.md5().to_owned()),
        "sha256": node.version().map(|version| version.content.sha256().to_owned()),
        "trashed": tree.trashed_at(key).is_some(),
    })
}

/// A profile as control's paths take it.
pub fn named(profile: &Profile) -> String {
    match profile.kind {
        ProfileKind::Workspace => profile.id.clone(),
        ProfileKind::Share => profile.to_string(),
    }
}

/// `GET /_sandbox/files/{workspace}/{path}`: what a person would see who opens the file.
pub async fn content(
    Shared(state): Shared<State>,
    Path((id, path)): Path<(String, String)>,
) -> Result<Response, Failed> {
    let profile = profile(&id)?;
    let (content, kind) = state.look(|world| {
        let key = at(world, &profile, &path)?;
        let node = world.tree(&profile)?.node(key).ok_or_else(|| missing(&path))?;
        let version = node.version().ok_or_else(|| {
            Failed(
                StatusCode::BAD_REQUEST,
                format!("{path} is a folder: GET /_sandbox/state lists what is in it"),
            )
        })?;
        Ok::<_, Failed>((Arc::clone(&version.content), render::mimetype(&node.name, node.kind)))
    })?;
    let pieces = content.chunks().map(Ok::<_, Infallible>);
    Ok(([(CONTENT_TYPE, kind)], Body::from_stream(stream::iter(pieces))).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    events: Option<usize>,
}

/// `GET /_sandbox/state`. It looks at everything, so it is for people and for the end of a test.
pub async fn state(Shared(state): Shared<State>, Query(asked): Query<Shown>) -> Pretty<Value> {
    Pretty(snapshot(&state, asked.events.unwrap_or(EVENTS_SHOWN)))
}

pub fn snapshot(state: &State, events: usize) -> Value {
    state.go_on();
    let now = state.now();
    let mut shown = state.look(|world| {
        let (mut files, mut folders, mut locks) = (Vec::new(), Vec::new(), Vec::new());
        for tree in world.trees() {
            for (key, node) in tree.all() {
                let mut row = summary(tree, key);
                if node.kind == NodeKind::Folder {
                    folders.push(row);
                    continue;
                }
                row["versions"] = node.versions.len().into();
                let hashes = node.versions.iter().map(|version| version.content.sha256());
                row["version_hashes"] = hashes.collect::<Vec<_>>().into();
                row["absences"] = json!(node.absences);
                if let Some(lock) = held(&node.lock, now) {
                    let mut info = lock.info();
                    info["workspace"] = named(&tree.profile).into();
                    info["path"] = tree.path(key).into();
                    info["node_id"] = shown(&node.id).into();
                    locks.push(info);
                }
                files.push(row);
            }
        }
        let first = world.log.head().saturating_sub(events as u64);
        json!({
            "org_id": ORG_ID,
            "profiles": world.trees().map(|tree| named(&tree.profile)).collect::<Vec<String>>(),
            "files": files,
            "folders": folders,
            "locks": locks,
            "turns_asked": world.talks.asked().collect::<Vec<Value>>(),
            "file_shares": world.file_shares.all().map(FileShare::whole).collect::<Vec<Value>>(),
            "talks": world.talks.all().map(|talk| talk.shown(now)).collect::<Vec<Value>>(),
            "web_uploads": world.web.all().map(|import| import.shown(now)).collect::<Vec<Value>>(),
            "uploads": world.uploads.all().map(Session::shown).collect::<Vec<Value>>(),
            "events": world.log.after(first).map(render::event).collect::<Vec<Value>>(),
            "events_total": world.log.head(),
        })
    });
    shown["webhooks"] = state.inner.sender.shown(state);
    shown
}
