//! Changing nodes: everything but notes, locks and uploads.

use std::sync::Arc;

use serde_json::{Value, json};

use super::call::{Call, Fields};
use super::{Answer, ok};
use crate::fastio::content::Stored;
use crate::fastio::id::{canonical, shown};
use crate::fastio::profile::Profile;
use crate::fastio::refusal::Refusal;
use crate::fastio::render;
use crate::fastio::tree::{Key, ROOT};
use crate::fastio::world::World;

/// Runs a change of one live node and shows the node after it.
fn changed(call: &Call, profile: &Profile, work: impl FnOnce(&mut World) -> Result<Key, Refusal>) -> Answer {
    let output = call.output()?;
    let node = call.state.change(|world| {
        let key = work(world)?;
        Ok::<Value, Refusal>(render::node(world.tree(profile)?, key, output, call.now()))
    })?;
    ok(json!({"node": node}))
}

pub fn create_folder(call: &Call, profile: &Profile, parent: &str) -> Answer {
    let name = call.form.need("name")?;
    changed(call, profile, |world| {
        world.ensure(profile)?;
        let parent = world.folder(profile, parent)?;
        world.make_folder(profile, (parent, name), call.form.flag("force"), call.by())
    })
}

/// A content that is at Fastio already.
enum Source {
    Upload(String),
    /// Algorithm and hex digest. The shape is the official command-line client's.
    Hash(String, String),
}

impl Source {
    fn read(form: &Fields) -> Result<Source, Refusal> {
        let wrong = || {
            Refusal::input(
                r#"from: This must be {"type":"upload","upload":{"id":"…"}} or {"type":"hash","hash":{"hash":"…","hash_type":"…"}}."#,
            )
        };
        let from: Value = serde_json::from_str(form.need("from")?).map_err(|_| wrong())?;
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(wrong);
        match from["type"].as_str() {
            Some("upload") => text(&from["upload"]["id"]).map(Source::Upload),
            Some("hash") => {
                let hash = &from["hash"];
                Ok(Source::Hash(text(&hash["hash_type"])?, text(&hash["hash"])?.to_ascii_lowercase()))
            }
            _ => Err(wrong()),
        }
    }

    /// The content, and the name that was given with it.
    fn find(&self, world: &World) -> Result<(Arc<Stored>, Option<String>), Refusal> {
        match self {
            Source::Upload(id) => world.uploads.content(id).map(|(content, name)| (content, Some(name))),
            Source::Hash(algorithm, hash) => {
                let found = world.by_hash(algorithm, hash).map(|content| (content, None));
                found.ok_or_else(|| Refusal::not_found("A content of that hash"))
            }
        }
    }
}

pub fn add_file(call: &Call, profile: &Profile, parent: &str) -> Answer {
    let source = Source::read(&call.form)?;
    changed(call, profile, |world| {
        world.ensure(profile)?;
        let parent = world.folder(profile, parent)?;
        let (content, name) = source.find(world)?;
        let given = call.form.get("name").filter(|name| !name.is_empty()).map(str::to_owned);
        let name = given.or(name).ok_or_else(|| Refusal::missing_field("name"))?;
        world.put_file(profile, (parent, &name), content, call.by())
    })
}

pub fn update(call: &Call, profile: &Profile, node: &str) -> Answer {
    let name = call.form.get("name").filter(|name| !name.is_empty());
    let source = call.form.get("from").map(|_| Source::read(&call.form)).transpose()?;
    let described = (call.form.get("metadata_title"), call.form.get("metadata_short"));
    if name.is_none() && source.is_none() && described == (None, None) {
        return Err(Refusal::input("At least one field must be given."));
    }
    changed(call, profile, |world| {
        let key = world.live(profile, node)?;
        world.check_version(profile, key, call.form.get("if_version_id"))?;
        if let Some(source) = &source {
            let (content, _) = source.find(world)?;
            world.put_version(profile, key, content, call.by())?;
        }
        if described != (None, None) {
            world.describe(profile, key, described, call.by())?;
        }
        if let Some(name) = name {
            world.rename(profile, key, name, call.by())?;
        }
        Ok(key)
    })
}

pub fn move_node(call: &Call, profile: &Profile, node: &str) -> Answer {
    let parent = call.form.need("parent")?;
    changed(call, profile, |world| {
        let (key, parent) = (world.live(profile, node)?, world.folder(profile, parent)?);
        world.move_into(profile, key, parent, call.by())?;
        Ok(key)
    })
}

pub fn copy(call: &Call, profile: &Profile, node: &str) -> Answer {
    let parent = call.form.need("parent")?;
    changed(call, profile, |world| {
        let (key, parent) = (world.live(profile, node)?, world.folder(profile, parent)?);
        world.copy_into(profile, key, parent, call.by())
    })
}

pub fn restore(call: &Call, profile: &Profile, node: &str) -> Answer {
    changed(call, profile, |world| {
        let key = world.resolve(profile, node)?;
        world.restore(profile, key, call.by())?;
        Ok(key)
    })
}

pub fn restore_version(call: &Call, profile: &Profile, node: &str) -> Answer {
    let version = call.form.need("version_id")?;
    changed(call, profile, |world| {
        let key = world.live(profile, node)?;
        world.restore_version(profile, key, version, call.by())?;
        Ok(key)
    })
}

pub fn delete(call: &Call, profile: &Profile, node: &str) -> Answer {
    changed(call, profile, |world| {
        let key = world.live(profile, node)?;
        world.trash(profile, key, call.by())?;
        Ok(key)
    })
}

/// Inferred: a node may be purged without having been in the trash, and then no event tells of it at all.
pub fn purge(call: &Call, profile: &Profile, node: &str) -> Answer {
    call.state.change(|world| match world.resolve(profile, node)? {
        ROOT => Err(Refusal::input("The root cannot be purged.")),
        key => world.purge(profile, key),
    })?;
    ok(json!({"node_id": shown(&canonical(node))}))
}
