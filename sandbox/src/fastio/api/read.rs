//! Contents: downloads with a key or with a token, and extracted text.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use futures_util::stream;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::call::Call;
use super::{Answer, Reply, nodes, ok};
use crate::fastio::content::Stored;
use crate::fastio::id::{IdKind, canonical, shown};
use crate::fastio::profile::Profile;
use crate::fastio::refusal::Refusal;
use crate::fastio::render::mimetype;
use crate::fastio::tree::{Key, Node, NodeKind, Version};
use crate::fastio::world::World;
use crate::server::Download;

/// What a download token for a file made by formula begins with; its node's id follows.
const MANY_TOKEN: &str = "many.";

/// How many characters an extracted chunk has at most.
const CHUNK_CHARS: usize = 2_000;

/// The documented defaults of `content/`.
const CHUNK_LIMIT: usize = 20;
const CHUNK_MAX_BYTES: usize = 262_144;

/// A file's version, the current one unless another is named.
fn version<'a>(node: &'a Node, id: Option<&str>) -> Result<&'a Version, Refusal> {
    if !node.kind.is_file() {
        return Err(Refusal::input("The node is not a file."));
    }
    let found = match id.map(canonical) {
        Some(id) => node.versions.iter().find(|version| version.id == id),
        None => node.version(),
    };
    found.ok_or_else(|| Refusal::not_found("The version"))
}

fn readable(call: &Call, world: &World, profile: &Profile, id: &str) -> Result<Key, Refusal> {
    nodes::look(call, world, profile, id)?;
    world.live(profile, id)
}

/// Makes a download token. It acts, although it is a GET: it leaves an event.
pub fn request(call: &Call, profile: Profile, node: &str) -> Answer {
    if call.state.look(|world| world.one_of_many(&profile, node).is_some()) {
        return ok(json!({"token": format!("{MANY_TOKEN}{}", canonical(node))}));
    }
    let wanted = call.query.get("version_id");
    let token = call.state.change(|world| {
        let key = readable(call, world, &profile, node)?;
        let node = world.tree(&profile)?.node(key).ok_or_else(Refusal::no_node)?;
        version(node, wanted)?;
        let token = format!("{}.{}", world.ids.make(IdKind::Token), world.ids.make(IdKind::Token));
        world.tokens.grant(token.clone(), profile.clone(), key, wanted.map(canonical), call.now());
        world.token_made(&profile, key, call.by());
        Ok::<String, Refusal>(token)
    })?;
    ok(json!({"token": token}))
}

/// The bytes. A token reads without a key, but only the file, and the version, that it was made for.
pub fn read(call: &Call, profile: Profile, node: &str) -> Answer {
    let many = call.state.look(|world| {
        let (many, number) = world.one_of_many(&profile, node)?;
        let token = call.query.get("token").and_then(|token| token.strip_prefix(MANY_TOKEN));
        (token.is_some_and(|id| id == canonical(node)) || call.bearer().is_some())
            .then(|| (std::sync::Arc::new(many.content(number)), many.name(number)))
    });
    if let Some((content, name)) = many {
        return Ok(whole(&content, &name, NodeKind::File));
    }
    let wanted = call.query.get("version_id").map(canonical);
    let (content, name, kind) = call.state.look(|world| {
        let (key, wanted) = match call.query.get("token") {
            Some(token) => {
                let grant = world.tokens.find(token, call.now()).ok_or_else(Refusal::unauthorized)?;
                let key = readable(call, world, &profile, node)?;
                if grant.profile != profile || grant.key != key {
                    return Err(Refusal::unauthorized());
                }
                (key, grant.version.clone().or(wanted))
            }
            None if call.bearer().is_none() => return Err(Refusal::unauthorized()),
            None => (readable(call, world, &profile, node)?, wanted),
        };
        let node = world.tree(&profile)?.node(key).ok_or_else(Refusal::no_node)?;
        let version = version(node, wanted.as_deref())?;
        Ok((std::sync::Arc::clone(&version.content), node.name.clone(), node.kind))
    })?;
    Ok(whole(&content, &name, kind))
}

/// A content as it is downloaded.
fn whole(content: &Stored, name: &str, kind: NodeKind) -> Reply {
    let chunks = content.chunks().map(Ok::<_, std::convert::Infallible>);
    let mut response = Response::new(Body::from_stream(stream::iter(chunks)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(content.size()));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(mimetype(name, kind)));
    let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let disposition = format!("attachment; filename*=UTF-8''{}", encoded.replace('+', "%20"));
    headers
        .insert(CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).expect("encoded names are ASCII"));
    response.extensions_mut().insert(Download);
    Reply::Whole(response)
}

/// Extracted text, in chunks: what the AI has read, else a text itself. Of a generated content nothing is extracted.
pub fn content(call: &Call, profile: &Profile, node: &str) -> Answer {
    let from = call.query.number::<usize>("chunk_from")?.unwrap_or(0);
    let limit = call.query.number::<usize>("limit")?.unwrap_or(CHUNK_LIMIT);
    let max_bytes = call.query.number::<usize>("max_bytes")?.unwrap_or(CHUNK_MAX_BYTES);
    call.state.look(|world| {
        let key = readable(call, world, profile, node)?;
        let tree = world.tree(profile)?;
        let node = tree.node(key).ok_or_else(Refusal::no_node)?;
        let version = version(node, call.query.get("version_id"))?;
        let (text, of) = match tree.reading(node, call.now()) {
            Some(read) => (read.text, read.version),
            None => (version.content.text().map(Cow::from), version.id.as_str()),
        };
        let Some(text) = text else {
            return ok(json!({"chunks": [], "indexed": false, "complete": false, "next_cursor": null}));
        };
        let chars: Vec<char> = text.chars().collect();
        let all = chars.chunks(CHUNK_CHARS).map(String::from_iter);
        let mut bytes = 0;
        let chunks: Vec<Value> = (all.enumerate().skip(from).take(limit))
            .take_while(|(_, text)| {
                let first = bytes == 0;
                bytes += text.len();
                first || bytes <= max_bytes
            })
            .map(|(place, text)| chunk(place, &text))
            .collect();
        let next = from + chunks.len();
        let complete = next >= chars.len().div_ceil(CHUNK_CHARS);
        ok(json!({
            "chunks": chunks,
            "indexed": true,
            "complete": complete,
            "indexed_version_id": shown(of),
            "next_cursor": (!complete).then(|| next.to_string()),
        }))
    })
}

fn chunk(place: usize, text: &str) -> Value {
    json!({
        "position": place,
        "sequence": place + 1,
        "start_page": 1,
        "end_page": 1,
        "chars": text.chars().count(),
        "chunk_hash": hex::encode(Sha256::digest(text.as_bytes())),
        "text": text,
    })
}
