//! Changing nodes: everything but notes, locks and uploads.

use serde_json::{Value, json};

use super::call::{Call, Fields};
use super::{Answer, ok};
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

/// Which upload `from` names.
fn uploaded(form: &Fields) -> Result<String, Refusal> {
    let wrong = || Refusal::input(r#"from: This must be {"type":"upload","upload":{"id":"…"}}."#);
    let from: Value = serde_json::from_str(form.need("from")?).map_err(|_| wrong())?;
    if from["type"] != "upload" {
        return Err(wrong());
    }
    from["upload"]["id"].as_str().map(str::to_owned).ok_or_else(wrong)
}

pub fn add_file(call: &Call, profile: &Profile, parent: &str) -> Answer {
    let upload = uploaded(&call.form)?;
    changed(call, profile, |world| {
        world.ensure(profile)?;
        let parent = world.folder(profile, parent)?;
        let (content, name) = world.uploads.content(&upload)?;
        let name = call.form.get("name").filter(|name| !name.is_empty()).map_or(name, str::to_owned);
        world.put_file(profile, (parent, &name), content, call.by())
    })
}

pub fn update(call: &Call, profile: &Profile, node: &str) -> Answer {
    let name = call.form.get("name").filter(|name| !name.is_empty());
    let upload = call.form.get("from").map(|_| uploaded(&call.form)).transpose()?;
    let described = call.form.get("metadata_title").is_some() || call.form.get("metadata_short").is_some();
    if name.is_none() && upload.is_none() && !described {
        return Err(Refusal::input("At least one field must be given."));
    }
    changed(call, profile, |world| {
        let key = world.live(profile, node)?;
        world.check_version(profile, key, call.form.get("if_version_id"))?;
        if let Some(upload) = &upload {
            let (content, _) = world.uploads.content(upload)?;
            world.put_version(profile, key, content, call.by())?;
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
