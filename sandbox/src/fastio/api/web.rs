//! The paths of [`crate::fastio::web`]. They are those of the official command-line client; where in an answer an import stands
//! is inferred.

use serde_json::{Value, json};

use super::call::Call;
use super::{Answer, listing, ok};
use crate::fastio::profile::Profile;
use crate::fastio::refusal::Refusal;
use crate::fastio::web::{Ending, Wanted, check_address};
use crate::faults::FaultKind;

pub async fn answer(call: &mut Call, method: &str, path: &[&str]) -> Answer {
    match (method, path) {
        ("POST", []) => create(call).await,
        ("GET", []) => list(call),
        ("GET", [id, "details"]) => one(call, id),
        ("DELETE", []) => cancel(call),
        _ => Err(Refusal::no_route()),
    }
}

async fn create(call: &mut Call) -> Answer {
    call.read_form().await?;
    let form = &call.form;
    let url = form.need("source_url")?.to_owned();
    check_address(&url)?;
    let profile = match form.need("profile_type")? {
        "workspace" => Profile::workspace(form.need("profile_id")?),
        "share" => Profile::share(form.need("profile_id")?),
        _ => return Err(Refusal::input("profile_type: This must be workspace or share.")),
    };
    let last = url.split(['?', '#']).next().and_then(|path| path.rsplit('/').next());
    let name = form.get("file_name").or(last).filter(|name| !name.is_empty()).unwrap_or("download");
    let (name, folder) = (name.to_owned(), form.get("folder_id").unwrap_or("root").to_owned());
    let wanted = Wanted { profile, folder, name, url };
    let ending = ending(call);
    let id = call.state.change(|world| world.import(wanted, ending, call.by()))?;
    one(call, &id)
}

/// How a fault has it end.
fn ending(call: &Call) -> Option<Ending> {
    let details = call.trace()?.hit(FaultKind::BadImport)?.details;
    Some(match details.code.as_deref() {
        Some("silent") => Ending::Silent,
        Some("stuck") => Ending::Stuck,
        Some("canceled") => Ending::Canceled,
        _ => Ending::Failed(details.message.unwrap_or_else(|| "The source answered 403.".to_owned())),
    })
}

fn one(call: &Call, id: &str) -> Answer {
    let shown = call.state.look(|world| {
        let import = world.web.get(id)?;
        let is_own = import.is_of(&call.by().user);
        is_own.then(|| import.shown(call.now())).ok_or_else(Refusal::no_upload)
    })?;
    ok(json!({"web_upload": shown}))
}

fn list(call: &Call) -> Answer {
    let status = call.query.get("status");
    let rows: Vec<Value> = call.state.look(|world| {
        let own = world.web.all().filter(|import| import.is_of(&call.by().user));
        let asked = own.filter(|import| status.is_none_or(|status| status == import.status(call.now())));
        asked.map(|import| import.shown(call.now())).collect()
    });
    listing::page(call, "web_uploads", rows)
}

fn cancel(call: &Call) -> Answer {
    let id = call.query.need("id")?;
    call.state.change(|world| world.web.cancel(id))?;
    ok(json!({}))
}
