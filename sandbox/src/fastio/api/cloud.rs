//! The paths of [`crate::fastio::cloud`], below `/cloudsync/` and `/imports/`.

use serde_json::{Value, json};

use super::call::Call;
use super::{Answer, listing, ok};
use crate::fastio::cloud::{Family, PROVIDERS, Wanted};
use crate::fastio::refusal::Refusal;

/// The largest request.
const MAX_BODY_BYTES: usize = 64 * 1024;

pub async fn answer(call: &mut Call, (family, method): (Family, &str), path: &[&str]) -> Answer {
    if !call.state.look(|world| world.cloud.serves(family)) {
        return Err(Refusal::no_route());
    }
    let body = if method == "POST" { body(call).await? } else { Value::Null };
    match (method, path) {
        ("GET", ["workspace", _, "providers"]) => ok(json!({"providers": PROVIDERS})),
        ("GET", ["workspace", id, "identities"]) => {
            let rows = call.state.look(|world| world.cloud.identities(id));
            listing::page(call, "identities", rows)
        }
        ("POST", ["workspace", id, "identities", "provision"]) => {
            let provider = text(&body, "provider")?;
            ok(json!({"identity": call.state.change(|world| world.provision(id, &provider))?}))
        }
        ("GET", ["workspace", _, "identities", identity, "drives"]) => {
            ok(call.state.look(|world| world.cloud.drives(identity))?)
        }
        ("POST", ["workspace", _, "identities", identity, "drives", "refresh"]) => {
            call.state.change(|world| world.cloud.refresh_drives(identity))?;
            ok(json!({}))
        }
        ("GET", ["workspace", id, "sources"]) => {
            let rows = call.state.look(|world| world.cloud.sources(id));
            listing::page(call, "sources", rows)
        }
        ("POST", ["workspace", id, "sources", "create"]) => create(call, (family, id), &body),
        ("POST", ["details", source, "update"]) => {
            if body.get("destination_node_id").is_some() {
                return Err(Refusal::bad_request(1605, "destination_immutable"));
            }
            let action = text(&body, "action")?;
            call.state.change(|world| world.cloud.update(source, &action))?;
            ok(json!({}))
        }
        ("POST", ["details", source, "refresh"]) => {
            call.state.change(|world| world.pass_over(source, call.by()))?;
            ok(json!({}))
        }
        ("GET", ["details", source, "jobs"]) => {
            let rows = call.state.change(|world| world.cloud.jobs(source))?;
            listing::page(call, "jobs", rows)
        }
        _ => Err(Refusal::no_route()),
    }
}

fn create(call: &Call, (family, workspace): (Family, &str), body: &Value) -> Answer {
    let other = if family == Family::Cloudsync { Family::Imports } else { Family::Cloudsync };
    if body.get(other.identity()).is_some() {
        let words = format!("{}: This field is not known.", other.identity());
        return Err(Refusal::bad_request(1605, words));
    }
    let said = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let wanted = Wanted {
        workspace: workspace.to_owned(),
        identity: text(body, family.identity())?,
        remote_path: text(body, "remote_path")?,
        access: said("access_mode").unwrap_or_else(|| "read_only".to_owned()),
        drive: said("drive_id"),
        folder: said("destination_node_id"),
    };
    ok(json!({"source": call.state.change(|world| world.add_source(wanted, call.by()))?}))
}

async fn body(call: &mut Call) -> Result<Value, Refusal> {
    let bytes = call.read_body(MAX_BODY_BYTES).await?;
    serde_json::from_slice(&bytes).map_err(|_| Refusal::input("The body is not valid JSON."))
}

fn text(body: &Value, name: &str) -> Result<String, Refusal> {
    let text = body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| Refusal::missing_field(name))
}
