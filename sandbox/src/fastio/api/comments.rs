//! The paths of [`crate::fastio::comment`].

use serde_json::{Value, json};

use super::call::Call;
use super::{Answer, listing, ok};
use crate::fastio::comment::Comment;
use crate::fastio::id::{IdKind, canonical};
use crate::fastio::profile::{Profile, ProfileKind};
use crate::fastio::refusal::Refusal;

/// The largest body of a request: a comment of 8,192 characters and what goes with it.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The most characters of a comment, as the official command-line client has it.
const MAX_CHARS: usize = 8_192;

/// Comments are written in JSON, unlike everything else.
pub async fn answer(call: &mut Call, method: &str, path: &[&str]) -> Answer {
    let body = match method {
        "POST" => serde_json::from_slice(&call.read_body(MAX_BODY_BYTES).await?).unwrap_or(Value::Null),
        _ => Value::Null,
    };
    match (method, path) {
        ("GET", [id, "details"]) => one(call, id, |comment| Ok(comment.shown())),
        ("POST", [id, "update"]) => update(call, id, &body),
        ("DELETE", [id, "delete"]) => delete(call, id),
        ("GET", [kind, id]) => list(call, &profile(kind, id)?, None),
        ("GET", [kind, id, node]) => list(call, &profile(kind, id)?, Some(node)),
        ("POST", [kind, id, node]) => add(call, &profile(kind, id)?, node, &body),
        _ => Err(Refusal::no_route()),
    }
}

fn profile(kind: &str, id: &str) -> Result<Profile, Refusal> {
    let kind = match kind {
        "workspace" => ProfileKind::Workspace,
        "share" => ProfileKind::Share,
        _ => return Err(Refusal::no_route()),
    };
    Ok(Profile { kind, id: id.to_owned() })
}

fn text(body: &Value) -> Result<String, Refusal> {
    let text = body["body"].as_str().map(str::trim).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Refusal::missing_field("body"))?;
    match text.chars().count() {
        length if length > MAX_CHARS => {
            Err(Refusal::input_code(162_417, format!("body: A comment has at most {MAX_CHARS} characters.")))
        }
        _ => Ok(text.to_owned()),
    }
}

fn list(call: &Call, profile: &Profile, node: Option<&str>) -> Answer {
    let newest_first = call.query.get("sort") == Some("desc");
    let all = call.state.look(|world| {
        if let Some(node) = node {
            world.resolve(profile, node)?;
        }
        world.tree(profile)?;
        let node = node.map(canonical);
        let found = world.comments.of(profile, node.as_deref()).map(Comment::shown);
        Ok::<Vec<Value>, Refusal>(if newest_first { found.rev().collect() } else { found.collect() })
    })?;
    listing::page(call, "comments", all)
}

fn add(call: &Call, profile: &Profile, node: &str, body: &Value) -> Answer {
    let (text, now) = (text(body)?, call.now());
    let shown = call.state.change(|world| {
        world.live(profile, node)?;
        let parent = body["parent_id"].as_str().map(canonical);
        if parent.as_ref().is_some_and(|parent| world.comments.get_mut(parent).is_none()) {
            return Err(Refusal::not_found("The comment"));
        }
        let comment = Comment {
            id: world.ids.make(IdKind::Comment),
            profile: profile.clone(),
            node: canonical(node),
            parent,
            body: text,
            author: call.by().user.clone(),
            created: now,
            updated: now,
        };
        let shown = comment.shown();
        world.comments.add(comment);
        Ok(shown)
    })?;
    ok(json!({"comment": shown}))
}

fn one(call: &Call, id: &str, change: impl FnOnce(&mut Comment) -> Result<Value, Refusal>) -> Answer {
    let missing = || Refusal::not_found("The comment");
    let shown = call.state.change(|world| {
        let comment = world.comments.get_mut(&canonical(id)).ok_or_else(missing)?;
        change(comment)
    })?;
    ok(json!({"comment": shown}))
}

fn authors_own(call: &Call, comment: &Comment) -> Result<(), Refusal> {
    if comment.author == call.by().user {
        return Ok(());
    }
    Err(Refusal::forbidden(1680, "Only its author may change a comment."))
}

fn update(call: &Call, id: &str, body: &Value) -> Answer {
    let text = text(body)?;
    one(call, id, |comment| {
        authors_own(call, comment)?;
        comment.body = text;
        comment.updated = call.now();
        Ok(comment.shown())
    })
}

fn delete(call: &Call, id: &str) -> Answer {
    let answer = one(call, id, |comment| authors_own(call, comment).map(|()| comment.shown()));
    if answer.is_ok() {
        call.state.change(|world| world.comments.remove(&canonical(id)));
    }
    answer
}
