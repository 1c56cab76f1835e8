//! The paths under `/_sandbox/` that only this stand-in has: the whole state, and changes made as a user makes them.
//!
//! | request | does |
//! |---|---|
//! | `GET /_sandbox/state` | everything, as JSON; `?events=N` for the last N events instead of 1000 |
//! | `PUT /_sandbox/profiles/{workspace}` | makes an empty workspace or share exist, or a hidden one be seen again |
//! | `DELETE /_sandbox/profiles/{workspace}` | hides it, as from a key that lost its access |
//! | `PUT /_sandbox/files/{workspace}/{path}` | the body, or `?generate=BYTES&seed=N`, becomes the file's content; `?mimetype=TYPE` is announced as its type; `?kind=note` or `?kind=link` makes one of those, a link called by the share that it leads to |
//! | `GET /_sandbox/files/{workspace}/{path}` | the file's content |
//! | `DELETE /_sandbox/files/{workspace}/{path}` | trashes a file or folder; `?purge=true` removes it without a word |
//! | `PUT /_sandbox/texts/{workspace}/{path}` | the body becomes the text that Fastio's AI reads out of the file as it is; `?state=STATE` for how far it is, else `ready` |
//! | `PUT /_sandbox/folders/{workspace}/{path}` | makes a folder and those above it |
//! | `POST /_sandbox/move` | `{workspace, from, to}`: moves, renames or both, over whatever is at `to` |
//! | `POST /_sandbox/names` | `{workspace, node_id, name}`: calls it so, slashes and all; without a name Fastio sends none |
//! | `POST /_sandbox/copy` | `{workspace, from, to}`, where `to` is the folder to copy into |
//! | `POST /_sandbox/restore` | `{workspace, path}`: takes what was last trashed at that path out of the trash |
//! | `POST /_sandbox/unlock` | `{workspace, path}`: takes a lock away from its holder |
//! | `PUT /_sandbox/web?url=URL` | the body is what Fastio finds at this address when it imports it |
//! | `POST /_sandbox/cloud` | what providers hold (`path`, `text`), which paths are served (`family`), `drives_state`, `source_status`, and `consent` |
//! | `POST /_sandbox/generate` | `{workspace, count, seed}`: that many small files by formula, which take no memory |
//! | `GET /_sandbox/webhooks/idle` | answers when no webhook waits or is in flight |
//! | `GET /_sandbox/webhooks/acknowledged` | the events whose webhooks were answered with success; `?since=N` without the first N |
//!
//! `{workspace}` is a workspace's id, or `workspace:ID`, or `share:ID`.

mod outside;
mod show;
mod text;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde::Deserialize;
use serde_json::{Value, json};

use super::content::{MAX_FILE_BYTES, Stored};
use super::many::{self, Many};
use super::refusal::Refusal;
use super::tree::{Key, ROOT, Tree};
use super::world::World;
use super::{Actor, State};
use crate::content::Generated;
use crate::control::{Pretty, refuse};
use crate::fastio::profile::Profile;
use show::{named, summary};

pub use show::{EVENTS_SHOWN, snapshot};

/// Who makes changes through control: a user of its own, not the holder of any key.
pub(super) const CONTROL_USER: &str = "1000000000000000000";

/// The largest content that is generated: four times what OpenAI takes for one file.
const MAX_GENERATED_BYTES: u64 = 2 * 1024 * 1024 * 1024;

pub fn router(state: &State) -> Router {
    Router::new()
        .route("/_sandbox/state", get(show::state))
        .route("/_sandbox/profiles/{profile}", put(make_profile).delete(hide_profile))
        .route("/_sandbox/files/{profile}/{*path}", put(put_file).get(show::content).delete(delete))
        .route("/_sandbox/texts/{profile}/{*path}", put(text::put))
        .route("/_sandbox/folders/{profile}/{*path}", put(make_folder))
        .route("/_sandbox/move", post(move_node))
        .route("/_sandbox/names", post(call))
        .route("/_sandbox/copy", post(copy))
        .route("/_sandbox/restore", post(restore))
        .route("/_sandbox/unlock", post(unlock))
        .route("/_sandbox/web", put(outside::put_web))
        .route("/_sandbox/cloud", post(outside::set_cloud))
        .route("/_sandbox/generate", post(generate))
        .route("/_sandbox/webhooks/idle", get(idle))
        .route("/_sandbox/webhooks/acknowledged", get(acknowledged))
        // The limit of a content is checked where it can be explained.
        .layer(DefaultBodyLimit::disable())
        .with_state(state.clone())
}

/// A refusal in the words of control.
struct Failed(StatusCode, String);

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Failed {
        Failed(refusal.status, refusal.text)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        refuse(self.0, self.1)
    }
}

type Answer = Result<Pretty<Value>, Failed>;

fn profile(text: &str) -> Result<Profile, Failed> {
    if !text.contains(':') {
        return Ok(Profile::workspace(text));
    }
    text.parse().map_err(|error| Failed(StatusCode::BAD_REQUEST, format!("{error}")))
}

fn control(state: &State) -> Actor {
    Actor { user: CONTROL_USER.to_owned(), now: state.now() }
}

fn missing(path: &str) -> Failed {
    Failed(StatusCode::NOT_FOUND, format!("there is nothing at {path}"))
}

/// Splits off the last name of a path.
fn parted(path: &str) -> (&str, &str) {
    let path = path.trim_matches('/');
    path.rsplit_once('/').unwrap_or(("", path))
}

async fn make_profile(Shared(state): Shared<State>, Path(id): Path<String>) -> Answer {
    let profile = profile(&id)?;
    state.change(|world| world.ensure(&profile))?;
    Ok(Pretty(json!({"workspace": named(&profile)})))
}

async fn hide_profile(Shared(state): Shared<State>, Path(id): Path<String>) -> Answer {
    let profile = profile(&id)?;
    state.change(|world| world.hide(&profile))?;
    Ok(Pretty(json!({"workspace": named(&profile), "hidden": true})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    generate: Option<u64>,
    seed: Option<u64>,
    mimetype: Option<String>,
    kind: Option<Kind>,
}

/// What is put, where it is no file with bytes of its own.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Note,
    Link,
}

async fn put_file(
    Shared(state): Shared<State>,
    Path((id, path)): Path<(String, String)>,
    Query(asked): Query<Content>,
    request: axum::extract::Request,
) -> Answer {
    let profile = profile(&id)?;
    let content = match asked.generate {
        Some(bytes) if bytes > MAX_GENERATED_BYTES => {
            let words = format!("at most {MAX_GENERATED_BYTES} bytes are generated");
            return Err(Failed(StatusCode::PAYLOAD_TOO_LARGE, words));
        }
        Some(bytes) => {
            let generated = Generated::new(bytes, asked.seed.unwrap_or(0));
            let made = tokio::task::spawn_blocking(move || Stored::generated(generated.content())).await;
            made.map_err(|_| Failed(StatusCode::INTERNAL_SERVER_ERROR, "generating failed".to_owned()))?
        }
        None => Stored::kept(body(request).await?),
    };
    let by = control(&state);
    let (folder, name) = parted(&path);
    state.change(|world| {
        world.ensure(&profile)?;
        let parent = world.make_folders(&profile, folder, &by)?;
        let there = world.tree(&profile)?.child(parent, name);
        let text = || content.text().ok_or(Failed(StatusCode::BAD_REQUEST, "a note is text".to_owned()));
        let key = match (asked.kind, there) {
            (None, _) => world.put_file(&profile, (parent, name), Arc::new(content), &by)?,
            (Some(Kind::Note), None) => world.make_note(&profile, (parent, name), text()?, &by)?,
            (Some(Kind::Note), Some(key)) => {
                world.write_note(&profile, key, text()?, &by)?;
                key
            }
            (Some(Kind::Link), None) => world.make_link(&profile, (parent, name), &by)?,
            (Some(Kind::Link), Some(_)) => {
                return Err(Failed(StatusCode::CONFLICT, format!("there is something at {path} already")));
            }
        };
        if let (Some(announced), Some(node)) = (asked.mimetype, world.tree_mut(&profile)?.node_mut(key)) {
            node.announced = Some(announced);
        }
        Ok(Pretty(summary(world.tree(&profile)?, key)))
    })
}

async fn body(request: axum::extract::Request) -> Result<Bytes, Failed> {
    axum::body::to_bytes(request.into_body(), MAX_FILE_BYTES).await.map_err(|_| {
        let words = format!(
            "the plan takes files of at most {MAX_FILE_BYTES} bytes; ?generate=BYTES&seed=N makes larger ones"
        );
        Failed(StatusCode::PAYLOAD_TOO_LARGE, words)
    })
}

async fn make_folder(Shared(state): Shared<State>, Path((id, path)): Path<(String, String)>) -> Answer {
    let (profile, by) = (profile(&id)?, control(&state));
    state.change(|world| {
        world.ensure(&profile)?;
        let key = world.make_folders(&profile, &path, &by)?;
        Ok(Pretty(summary(world.tree(&profile)?, key)))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deletion {
    #[serde(default)]
    purge: bool,
}

fn at(world: &World, profile: &Profile, path: &str) -> Result<Key, Failed> {
    let key = world.tree(profile)?.at_path(path).filter(|key| *key != ROOT);
    key.ok_or_else(|| missing(path))
}

async fn delete(
    Shared(state): Shared<State>,
    Path((id, path)): Path<(String, String)>,
    Query(Deletion { purge }): Query<Deletion>,
) -> Answer {
    let (profile, by) = (profile(&id)?, control(&state));
    state.change(|world| {
        // A purge also reaches what is in the trash already.
        let key = match at(world, &profile, &path) {
            Err(failed) if purge => last_trashed(world.tree(&profile)?, &path).ok_or(failed)?,
            found => found?,
        };
        let mut shown = summary(world.tree(&profile)?, key);
        if purge {
            world.purge(&profile, key)?;
        } else {
            world.trash(&profile, key, &by)?;
            shown["trashed"] = true.into();
        }
        shown["purged"] = purge.into();
        Ok(Pretty(shown))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FromTo {
    workspace: String,
    from: String,
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    workspace: String,
    path: String,
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failed> {
    serde_json::from_slice(body)
        .map_err(|error| Failed(StatusCode::BAD_REQUEST, format!("the body: {error}")))
}

/// A rename is an update and a move is a move, so both together are two events, as with two requests of a user.
async fn move_node(Shared(state): Shared<State>, body: Bytes) -> Answer {
    let asked: FromTo = parse(&body)?;
    let (profile, by) = (profile(&asked.workspace)?, control(&state));
    let (folder, name) = parted(&asked.to);
    state.change(|world| {
        let key = at(world, &profile, &asked.from)?;
        let parent = world.make_folders(&profile, folder, &by)?;
        let tree = world.tree(&profile)?;
        if tree.upwards(parent).any(|(above, _)| above == key) {
            return Err(Failed(StatusCode::BAD_REQUEST, "a folder cannot be moved into itself".to_owned()));
        }
        let node = tree.node(key).ok_or_else(|| missing(&asked.from))?;
        let (old_parent, old_name) = (node.parent, node.name.clone());
        if tree.child(parent, name).is_some_and(|there| there != key) {
            world.clear_place(&profile, parent, name, &by)?;
        }
        if old_name != name && old_parent != parent {
            // The new name may be taken where the node is, and the old one where it goes: pass through a free name.
            let free = world.tree(&profile)?.free_name(old_parent, name);
            world.rename(&profile, key, &free, &by)?;
            world.move_into(&profile, key, parent, &by)?;
            if free != name {
                world.rename(&profile, key, name, &by)?;
            }
        } else if old_name != name {
            world.rename(&profile, key, name, &by)?;
        } else {
            world.move_into(&profile, key, parent, &by)?;
        }
        Ok(Pretty(summary(world.tree(&profile)?, key)))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Called {
    workspace: String,
    node_id: String,
    name: Option<String>,
}

async fn call(Shared(state): Shared<State>, body: Bytes) -> Answer {
    let asked: Called = parse(&body)?;
    let (profile, by) = (profile(&asked.workspace)?, control(&state));
    state.change(|world| {
        let key = world.live(&profile, &asked.node_id)?;
        world.call(&profile, key, asked.name.as_deref().unwrap_or_default(), &by)?;
        Ok(Pretty(summary(world.tree(&profile)?, key)))
    })
}

async fn copy(Shared(state): Shared<State>, body: Bytes) -> Answer {
    let asked: FromTo = parse(&body)?;
    let (profile, by) = (profile(&asked.workspace)?, control(&state));
    state.change(|world| {
        let key = at(world, &profile, &asked.from)?;
        let parent = world.make_folders(&profile, &asked.to, &by)?;
        let copy = world.copy_into(&profile, key, parent, &by)?;
        Ok(Pretty(summary(world.tree(&profile)?, copy)))
    })
}

async fn restore(Shared(state): Shared<State>, body: Bytes) -> Answer {
    let asked: At = parse(&body)?;
    let (profile, by) = (profile(&asked.workspace)?, control(&state));
    state.change(|world| {
        let key = last_trashed(world.tree(&profile)?, &asked.path).ok_or_else(|| missing(&asked.path))?;
        world.restore(&profile, key, &by)?;
        Ok(Pretty(summary(world.tree(&profile)?, key)))
    })
}

/// What was last put into the trash itself from this path.
fn last_trashed(tree: &Tree, path: &str) -> Option<Key> {
    let path = format!("/{}", path.trim_matches('/'));
    let there = tree.in_trash().filter(|key| tree.path(*key) == path);
    there.max_by_key(|key| tree.node(*key).and_then(|node| node.trashed))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    workspace: String,
    count: u64,
    #[serde(default)]
    seed: u64,
}

async fn generate(Shared(state): Shared<State>, body: Bytes) -> Answer {
    let Amount { workspace, count, seed } = parse(&body)?;
    if count > many::MOST {
        let words = format!("at most {} files are made by formula", many::MOST);
        return Err(Failed(StatusCode::PAYLOAD_TOO_LARGE, words));
    }
    let (profile, at) = (profile(&workspace)?, state.now());
    state.change(|world| world.generate(&profile, Many { count, seed, at }))?;
    Ok(Pretty(json!({"workspace": workspace, "count": count})))
}

async fn unlock(Shared(state): Shared<State>, body: Bytes) -> Answer {
    let asked: At = parse(&body)?;
    let (profile, by) = (profile(&asked.workspace)?, control(&state));
    state.change(|world| {
        let key = at(world, &profile, &asked.path)?;
        world.override_lock(&profile, key, &by)?;
        Ok(Pretty(summary(world.tree(&profile)?, key)))
    })
}

async fn idle(Shared(state): Shared<State>) -> Pretty<Value> {
    state.flush_webhooks().await;
    Pretty(json!({"idle": true}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    since: Option<u64>,
}

async fn acknowledged(Shared(state): Shared<State>, Query(asked): Query<Since>) -> Pretty<Value> {
    Pretty(state.inner.sender.acknowledged(asked.since.unwrap_or(0)))
}
