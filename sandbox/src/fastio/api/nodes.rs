//! Looking at nodes: details, listings, the inventory, versions.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::call::Call;
use super::{Answer, Reply, envelope, ok};
use crate::fastio::profile::Profile;
use crate::fastio::refusal::Refusal;
use crate::fastio::render::{self, Output};
use crate::fastio::tree::{Key, Node, ROOT, Tree};
use crate::fastio::world::World;
use crate::faults::FaultKind;

/// The documented limit of a bulk request.
const MAX_BULK: usize = 25;

/// The documented sizes of a page of `list/`.
const PAGE_SIZES: [usize; 3] = [100, 250, 500];

/// A node that a fault hides is hidden for this long after its creation unless the fault says otherwise.
const HIDDEN_MS: i64 = 2_000;

/// Beyond this age no fault hides a node.
const NEW_MS: i64 = 60 * 60 * 1000;

/// Finds a node to show, unless a fault hides it because it is new.
pub fn look(call: &Call, world: &World, profile: &Profile, id: &str) -> Result<Key, Refusal> {
    let key = world.resolve(profile, id)?;
    let created = world.tree(profile)?.node(key).map_or(i64::MIN, |node| node.created);
    // Asked only about nodes that may count as new, so that a counted fault strikes where it was meant to.
    let age = call.now().saturating_sub(created);
    if age < NEW_MS
        && let Some(hit) = call.trace().and_then(|trace| trace.hit(FaultKind::NotFoundAfterCreate))
    {
        let window = hit.details.window_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(HIDDEN_MS);
        if age < window {
            return Err(Refusal::no_node());
        }
    }
    Ok(key)
}

pub fn details(call: &Call, profile: &Profile, ids: &str) -> Answer {
    let output = call.output()?;
    if ids.contains(',') {
        return bulk(call, profile, ids, output);
    }
    let node = call.state.look(|world| {
        if let Some((many, number)) = world.one_of_many(profile, ids) {
            return Ok(many.node(number));
        }
        let key = look(call, world, profile, ids)?;
        Ok::<Value, Refusal>(render::node(world.tree(profile)?, key, output, call.now()))
    })?;
    ok(json!({"format": "single", "node": node}))
}

fn bulk(call: &Call, profile: &Profile, ids: &str, output: Output) -> Answer {
    let mut wanted: Vec<&str> = Vec::new();
    for id in ids.split(',').filter(|id| !id.is_empty()) {
        if !wanted.iter().any(|known| known.eq_ignore_ascii_case(id)) {
            wanted.push(id);
        }
    }
    if wanted.len() > MAX_BULK {
        return Err(Refusal::bad_request(115_519, "At most 25 nodes can be asked for at once."));
    }
    let (mut nodes, mut errors) = (Vec::new(), Vec::new());
    call.state.look(|world| {
        let tree = world.tree(profile)?;
        for id in wanted {
            if let Some((many, number)) = world.one_of_many(profile, id) {
                nodes.push(many.node(number));
                continue;
            }
            match look(call, world, profile, id) {
                Ok(key) => nodes.push(render::node(tree, key, output, call.now())),
                Err(refusal) => {
                    errors.push(json!({"node_id": id, "code": refusal.code, "message": refusal.text}));
                }
            }
        }
        Ok::<(), Refusal>(())
    })?;
    let none = nodes.is_empty();
    let mut fields = json!({"format": "multi", "nodes": nodes, "errors": errors});
    if !none {
        return ok(fields);
    }
    fields = envelope(fields);
    fields["result"] = false.into();
    fields["error"] = json!({"code": 133_123, "text": "None of the nodes exists."});
    Ok(Reply::Status(StatusCode::NOT_FOUND, fields))
}

pub fn list(call: &Call, profile: &Profile, folder: &str) -> Answer {
    let output = call.output()?;
    let size = call.query.number::<usize>("page_size")?.unwrap_or(PAGE_SIZES[0]);
    if !PAGE_SIZES.contains(&size) {
        return Err(Refusal::input("page_size: This must be 100, 250 or 500."));
    }
    let after = call.query.get("cursor").map(read_cursor).transpose()?;
    let now = call.now();
    let (mut items, next) = call.state.look(|world| {
        let tree = world.tree(profile)?;
        let keys = if folder == "trash" {
            let after = after.as_deref().and_then(|after| after.parse().ok()).unwrap_or(ROOT);
            tree.in_trash().filter(|key| *key > after).take(size + 1).collect()
        } else {
            listed(call, tree, (world.folder(profile, folder)?, after.as_deref()), size + 1)?
        };
        let next = (keys.len() > size).then(|| {
            let last = keys[size - 1];
            if folder == "trash" { last.to_string() } else { place(call, tree, last) }
        });
        let items: Vec<Value> = keys.iter().map(|key| render::node(tree, *key, output, now)).collect();
        Ok::<_, Refusal>((items, next))
    })?;
    items.truncate(size);
    ok(json!({"nodes": {"count": items.len(), "items": items}, "pagination": pagination(size, next)}))
}

/// One page of a folder's children and one more. By name it costs no more than the page; the other orders sort first.
fn listed(call: &Call, tree: &Tree, at: (Key, Option<&str>), most: usize) -> Result<Vec<Key>, Refusal> {
    let (folder, after) = at;
    let by = call.query.get("sort_by").unwrap_or("name");
    let descending = match call.query.get("sort_dir").unwrap_or("asc") {
        "asc" => false,
        "desc" => true,
        _ => return Err(Refusal::input("sort_dir: This must be asc or desc.")),
    };
    if !["name", "updated", "created", "type"].contains(&by) {
        return Err(Refusal::input("sort_by: This must be name, updated, created or type."));
    }
    if by == "name" && !descending {
        return Ok(tree.children_after(folder, after).take(most).collect());
    }
    let mut all: Vec<(String, Key)> =
        tree.children_after(folder, None).map(|key| (place(call, tree, key), key)).collect();
    all.sort();
    if descending {
        all.reverse();
    }
    let beyond = |place: &String| match after {
        Some(after) if descending => place.as_str() < after,
        Some(after) => place.as_str() > after,
        None => true,
    };
    Ok(all.into_iter().filter(|(place, _)| beyond(place)).map(|(_, key)| key).take(most).collect())
}

/// Where a node stands in the order asked for; what a cursor remembers.
fn place(call: &Call, tree: &Tree, key: Key) -> String {
    let Some(node) = tree.node(key) else { return String::new() };
    match call.query.get("sort_by") {
        Some("updated") => format!("{:020} {}", node.modified, node.name),
        Some("created") => format!("{:020} {}", node.created, node.name),
        Some("type") => format!("{} {}", node.kind.as_str(), node.name),
        _ => node.name.clone(),
    }
}

pub fn pagination(size: usize, next: Option<String>) -> Value {
    let next = next.map(|place| URL_SAFE_NO_PAD.encode(place));
    json!({"has_more": next.is_some(), "next_cursor": next, "page_size": size})
}

pub fn read_cursor(text: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Refusal::input("cursor: Invalid cursor."))
}

/// Every live node, flat, in the order of creation (the order is inferred).
pub fn inventory(call: &Call, profile: &Profile) -> Answer {
    if call.query.get("output").is_some() {
        return Err(Refusal::input("output: This field is not allowed."));
    }
    let size = call.query.number::<usize>("page_size")?.unwrap_or(PAGE_SIZES[0]);
    if !(1..=500).contains(&size) {
        return Err(Refusal::input("page_size: This must be between 1 and 500."));
    }
    let after = call.query.get("cursor").map(read_cursor).transpose()?;
    let wrong = || Refusal::input("cursor: Invalid cursor.");
    // Those made by formula come after all others.
    let (after, begun): (Key, Option<u64>) = match &after {
        Some(text) => match text.strip_prefix('n') {
            Some(number) => (Key::MAX, Some(number.parse().map_err(|_| wrong())?)),
            None => (text.parse().map_err(|_| wrong())?, None),
        },
        None => (ROOT, None),
    };
    let kind = call.query.get("type");
    let with_path = call.query.get("include").is_some_and(|list| list.split(',').any(|one| one == "path"));
    let now = call.now();
    let (items, next) = call.state.look(|world| {
        let tree = world.tree(profile)?;
        let wanted = |node: &Node| kind.is_none_or(|kind| kind == node.kind.as_str());
        let mut rows = tree.live_after(after).filter(|(_, node)| wanted(node)).map(|(key, _)| key);
        let page: Vec<Key> = rows.by_ref().take(size).collect();
        let mut next = rows.next().and(page.last()).map(Key::to_string);
        let mut items: Vec<Value> = page.iter().map(|key| render::row(tree, *key, with_path, now)).collect();
        let many = world.many(profile).filter(|_| next.is_none() && kind.is_none_or(|kind| kind == "file"));
        if let Some(many) = many {
            let from = begun.unwrap_or(0);
            let until = many.count.min(from + (size - items.len()) as u64);
            items.extend((from..until).map(|number| many.row(number, with_path)));
            next = (until < many.count).then(|| format!("n{until}"));
        }
        Ok::<_, Refusal>((items, next))
    })?;
    ok(json!({"nodes": {"count": items.len(), "items": items}, "pagination": pagination(size, next)}))
}

pub fn versions(call: &Call, profile: &Profile, node: &str) -> Answer {
    let versions = call.state.look(|world| {
        let key = world.resolve(profile, node)?;
        let node = world.tree(profile)?.node(key).ok_or_else(Refusal::no_node)?;
        let newest_first = node.versions.iter().enumerate().rev();
        Ok::<Vec<Value>, Refusal>(
            newest_first.map(|(place, version)| render::version(version, place == node.current)).collect(),
        )
    })?;
    ok(json!({"count": versions.len(), "versions": versions}))
}
