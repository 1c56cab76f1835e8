//! Notes, Markdown texts that are nodes; and links.

use serde_json::json;

use super::call::Call;
use super::{Answer, nodes, ok};
use crate::fastio::id::{canonical, shown};
use crate::fastio::profile::Profile;
use crate::fastio::refusal::Refusal;
use crate::fastio::render;
use crate::fastio::tree::{Key, NodeKind};
use crate::fastio::world::World;

fn not_a_note() -> Refusal {
    Refusal::input_code(153_548, "Node is not a note")
}

fn note(world: &World, profile: &Profile, id: &str) -> Result<Key, Refusal> {
    let key = world.live(profile, id)?;
    let is_note = world.tree(profile)?.node(key).is_some_and(|node| node.kind == NodeKind::Note);
    if is_note { Ok(key) } else { Err(not_a_note()) }
}

pub fn create(call: &Call, profile: &Profile, parent: &str) -> Answer {
    let (name, text) = (call.form.need("name")?, call.form.need("content")?);
    let node = call.state.change(|world| {
        world.ensure(profile)?;
        let parent = world.folder(profile, parent)?;
        let key = world.make_note(profile, (parent, name), text, call.by())?;
        Ok::<_, Refusal>(render::node(world.tree(profile)?, key, call.output()?, call.now()))
    })?;
    ok(json!({"node": node}))
}

/// A link to a share, the only kind that the official command-line client makes.
pub fn link(call: &Call, profile: &Profile, parent: &str) -> Answer {
    let (kind, share) = (call.form.need("type")?, call.form.need("share")?);
    if kind != "share" {
        return Err(Refusal::input("type: This must be share."));
    }
    let node = call.state.change(|world| {
        let parent = world.folder(profile, parent)?;
        let key = world.make_link(profile, (parent, share), call.by())?;
        Ok::<_, Refusal>(render::node(world.tree(profile)?, key, call.output()?, call.now()))
    })?;
    ok(json!({"node": node}))
}

pub fn update(call: &Call, profile: &Profile, node: &str) -> Answer {
    let (name, text) = (call.form.get("name"), call.form.get("content"));
    if name.is_none() && text.is_none() {
        return Err(Refusal::input("At least one field must be given."));
    }
    let node = call.state.change(|world| {
        let key = note(world, profile, node)?;
        world.check_version(profile, key, call.form.get("if_version_id"))?;
        if let Some(text) = text {
            world.write_note(profile, key, text, call.by())?;
        }
        if let Some(name) = name {
            world.rename(profile, key, name, call.by())?;
        }
        Ok::<_, Refusal>(render::node(world.tree(profile)?, key, call.output()?, call.now()))
    })?;
    ok(json!({"node": node}))
}

/// Two sources contradict each other. The newest reference has the fields flat and 406/153548 for what is no note; the
/// official command-line client, whose newest version still reads it so, has `content` beside the whole `note`, and 400/1605.
/// What a program of Fastio's own reads is answered.
pub fn read(call: &Call, profile: &Profile, node: &str) -> Answer {
    let output = call.output()?;
    call.state.look(|world| {
        let key = nodes::look(call, world, profile, node)?;
        world.live(profile, node)?;
        let tree = world.tree(profile)?;
        let node =
            tree.node(key).filter(|node| node.kind == NodeKind::Note).ok_or_else(Refusal::note_to_read)?;
        let version = match call.query.get("version_id").map(canonical) {
            Some(id) => node.versions.iter().find(|version| version.id == id),
            None => node.version(),
        };
        let version = version.ok_or_else(|| Refusal::not_found("The version"))?;
        let mut note = render::node(tree, key, output, call.now());
        note["version"] = shown(&version.id).into();
        ok(json!({"content": version.content.text().unwrap_or_default(), "note": note}))
    })
}
