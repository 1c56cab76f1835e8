//! The paths of [`crate::fastio::file_share`].

use std::collections::BTreeMap;

use serde_json::json;

use super::call::Call;
use super::{Answer, listing, ok};
use crate::fastio::file_share::FileShare;
use crate::fastio::id::canonical;
use crate::fastio::profile::Profile;
use crate::fastio::refusal::Refusal;

/// Whom a link is for, as documented. Without a word it is for people who are named.
const ACCESS: [&str; 3] = ["named_people", "anyone_with_link", "any_registered"];

const CAPABILITIES: [&str; 3] = ["view", "download", "edit"];

const MAX_TITLE_CHARS: usize = 255;

/// Seconds: a hundred years.
const MAX_EXPIRES: i64 = 3_155_760_000;

pub async fn make(call: &mut Call, workspace: &str) -> Answer {
    call.read_form().await?;
    let profile = Profile::workspace(workspace);
    let node = call.form.need("node")?;
    let title = call.form.get("title").filter(|title| !title.is_empty());
    if title.is_some_and(|title| title.chars().count() > MAX_TITLE_CHARS) {
        return Err(Refusal::input(format!("title: This has more than {MAX_TITLE_CHARS} characters.")));
    }
    let access = call.form.get("access_option").unwrap_or(ACCESS[0]);
    if !ACCESS.contains(&access) {
        return Err(Refusal::input("access_option: This is not a valid option."));
    }
    let seconds = call.form.number::<i64>("expires")?;
    if seconds.is_some_and(|seconds| !(1..=MAX_EXPIRES).contains(&seconds)) {
        return Err(Refusal::input(format!("expires: This must be between 1 and {MAX_EXPIRES}.")));
    }
    let now = call.now();
    let shown = call.state.change(|world| {
        let key = world.live(&profile, node)?;
        if !world.tree(&profile)?.node(key).is_some_and(|node| node.kind.is_file()) {
            return Err(Refusal::input("node: This must be a file."));
        }
        let share = FileShare {
            id: world.file_shares.next_id(),
            profile: profile.clone(),
            node: canonical(node),
            title: title.map(str::to_owned),
            access_option: access.to_owned(),
            created: now,
            expires: seconds.map(|seconds| now + seconds * 1000),
            grants: BTreeMap::new(),
        };
        let shown = share.shown();
        world.file_shares.add(share);
        Ok(shown)
    })?;
    ok(json!({"fileshare": shown}))
}

pub fn list(call: &Call, workspace: &str) -> Answer {
    let profile = Profile::workspace(workspace);
    let all = call.state.look(|world| {
        world.tree(&profile)?;
        Ok::<_, Refusal>(world.file_shares.of(&profile).map(FileShare::shown).collect())
    })?;
    listing::page(call, "fileshares", all)
}

pub async fn answer(call: &mut Call, method: &str, path: &[&str]) -> Answer {
    if method == "POST" {
        call.read_form().await?;
    }
    match (method, path) {
        ("GET", [id, "details"]) => one(call, id, |share| Ok(json!({"fileshare": share.shown()}))),
        ("GET", [id, "grants"]) => one(call, id, |share| Ok(json!({"grants": share.grants()}))),
        ("POST", [id, "grants"]) => grant(call, id),
        ("DELETE", [id, "grants"]) => {
            let email = call.query.need("email")?;
            one(call, id, |share| {
                share.grants.remove(email);
                Ok(json!({}))
            })
        }
        ("DELETE", [id, "delete"]) => {
            one(call, id, |_| Ok(json!({})))?;
            call.state.change(|world| world.file_shares.remove(id));
            ok(json!({}))
        }
        _ => Err(Refusal::no_route()),
    }
}

fn one(
    call: &Call,
    id: &str,
    work: impl FnOnce(&mut FileShare) -> Result<serde_json::Value, Refusal>,
) -> Answer {
    ok(call.state.change(|world| {
        work(world.file_shares.get_mut(id).ok_or_else(|| Refusal::not_found("The File Share"))?)
    })?)
}

/// A capability is raised, never lowered.
fn grant(call: &Call, id: &str) -> Answer {
    let capability = call.form.need("capability")?;
    let rank = |capability: &str| CAPABILITIES.iter().position(|known| *known == capability);
    let wanted = rank(capability).ok_or_else(|| Refusal::input("capability: This is not a valid option."))?;
    let email = match (call.form.get("email"), call.form.get("user")) {
        (Some(email), None) if email.contains('@') => email.to_owned(),
        (None, Some(user)) if !user.is_empty() => format!("{user}@sandbox.invalid"),
        (Some(_), None) => return Err(Refusal::input("email: This is not a valid address.")),
        _ => return Err(Refusal::input("Exactly one of user and email must be given.")),
    };
    one(call, id, |share| {
        let has = share.grants.get(&email).and_then(|has| rank(has));
        if has.is_none_or(|has| has < wanted) {
            share.grants.insert(email.clone(), capability.to_owned());
        }
        Ok(json!({"grant": {"email": email, "capability": share.grants[&email]}}))
    })
}
