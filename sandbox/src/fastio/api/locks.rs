//! The paths of [`crate::fastio::lock`].

use serde_json::{Value, json};

use super::call::Call;
use super::{Answer, ok};
use crate::fastio::id::IdKind;
use crate::fastio::lock::{self, Lock, held};
use crate::fastio::profile::Profile;
use crate::fastio::refusal::Refusal;
use crate::fastio::tree::{Node, NodeKind};
use crate::fastio::world::World;

/// Finds a live file; folders and notes cannot be locked.
fn file<'a>(world: &'a mut World, profile: &Profile, id: &str) -> Result<&'a mut Node, Refusal> {
    let key = world.live(profile, id)?;
    let node = world.tree_mut(profile)?.node_mut(key).ok_or_else(Refusal::no_node)?;
    if node.kind == NodeKind::File { Ok(node) } else { Err(Refusal::input("Only files can be locked.")) }
}

fn granted(node: &Node) -> Answer {
    let lock = node.lock.as_ref().map_or(Value::Null, |lock: &Lock| lock.granted(&node.id));
    ok(json!({"lock_token": lock["lock_token"], "lock": lock}))
}

pub fn acquire(call: &Call, profile: &Profile, node: &str) -> Answer {
    let client_info = call.form.get("client_info").map(serde_json::from_str).transpose();
    let client_info = client_info.map_err(|_| Refusal::input("client_info: This is not JSON."))?;
    let asked = lock::Request { duration_seconds: call.form.number("duration")?, client_info };
    call.state.change(|world| {
        let token = world.ids.make(IdKind::Token);
        let node = file(world, profile, node)?;
        lock::acquire(&mut node.lock, asked, token, call.by())?;
        granted(node)
    })
}

pub fn status(call: &Call, profile: &Profile, node: &str) -> Answer {
    call.state.change(|world| {
        let node = file(world, profile, node)?;
        let held = held(&node.lock, call.now());
        ok(json!({"locked": held.is_some(), "lock_info": held.map(Lock::info)}))
    })
}

pub fn heartbeat(call: &Call, profile: &Profile, node: &str) -> Answer {
    let token = call.form.need("lock_token")?;
    call.state.change(|world| {
        let node = file(world, profile, node)?;
        lock::heartbeat(&mut node.lock, token, call.now())?;
        granted(node)
    })
}

/// The token counts in the query alone: Fastio reads no body of a DELETE.
pub fn release(call: &Call, profile: &Profile, node: &str) -> Answer {
    let token = call.query.need("lock_token")?;
    call.state.change(|world| {
        let node = file(world, profile, node)?;
        lock::release(&mut node.lock, token, call.now())?;
        ok(json!({"released": true}))
    })
}
