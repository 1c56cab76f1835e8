//! Who and what there is: the organisation, its workspaces and shares, and who may use them. One organisation holds all, and
//! every caller is the owner of everything. The paths are those of the official command-line client; the rows are inferred
//! beyond the fields that `details/` has.

use serde_json::{Value, json};

use super::call::Call;
use super::{Answer, events, ok};
use crate::fastio::ORG_ID;
use crate::fastio::profile::{Profile, ProfileKind};
use crate::fastio::refusal::Refusal;

/// The documented range and default of lists that count their rows.
const LIMIT_MAX: usize = 500;
const LIMIT_DEFAULT: usize = 100;

pub fn answer(call: &Call, path: &[&str]) -> Answer {
    match path {
        ["orgs", "list" | "all"] => page(call, "orgs", vec![org()]),
        ["orgs" | "workspaces" | "shares", "available"] => page(call, path[0], Vec::new()),
        ["org", ORG_ID, "details" | "public"] | ["org", ORG_ID, "public", "details"] => {
            ok(json!({"org": org()}))
        }
        ["org", ORG_ID, "list", "workspaces"] | ["workspaces", "all" | "list"] => {
            page(call, "workspaces", all(call, ProfileKind::Workspace))
        }
        ["shares", "all" | "list"] | ["org", ORG_ID, "list", "shares"] => {
            page(call, "shares", all(call, ProfileKind::Share))
        }
        ["workspace", id, "list", "shares"] => {
            // No share here was made from a workspace.
            call.state.look(|world| world.tree(&Profile::workspace(*id)).map(drop))?;
            page(call, "shares", Vec::new())
        }
        ["org", ORG_ID, "members", "list"] => page(call, "members", vec![member(call)]),
        [kind @ ("workspace" | "share"), id, "members", "list"] => {
            let profile = if *kind == "share" { Profile::share(*id) } else { Profile::workspace(*id) };
            call.state.look(|world| world.tree(&profile).map(drop))?;
            page(call, "members", vec![member(call)])
        }
        ["user", "details"] => ok(json!({"user": user(call)})),
        ["org", ..] => {
            Err(Refusal::forbidden(10_545, "Your token does not have sufficient scope for this Org."))
        }
        _ => Err(Refusal::no_route()),
    }
}

/// A page of a list that is cut by `limit` and `offset`.
pub fn page(call: &Call, name: &str, all: Vec<Value>) -> Answer {
    let limit = call.query.number::<usize>("limit")?.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Refusal::input("limit: This must be between 1 and 500."));
    }
    let offset = call.query.number::<usize>("offset")?.unwrap_or(0);
    let total = all.len();
    let rows: Vec<Value> = all.into_iter().skip(offset).take(limit).collect();
    let has_more = total > offset.saturating_add(rows.len());
    let mut fields = json!({
        "pagination": {"total": total, "limit": limit, "offset": offset, "has_more": has_more},
    });
    fields[name] = rows.into();
    ok(fields)
}

fn org() -> Value {
    json!({"id": ORG_ID, "name": "Sandbox", "domain": "sandbox"})
}

fn all(call: &Call, kind: ProfileKind) -> Vec<Value> {
    call.state.look(|world| {
        let profiles = world.trees().map(|tree| &tree.profile).filter(|profile| profile.kind == kind);
        profiles.map(events::described).collect()
    })
}

fn user(call: &Call) -> Value {
    let id = &call.by().user;
    json!({"id": id, "email_address": format!("{id}@sandbox.invalid"), "first_name": "Sandbox", "last_name": "User"})
}

fn member(call: &Call) -> Value {
    let mut member = user(call);
    member["permissions"] = "owner".into();
    member
}
