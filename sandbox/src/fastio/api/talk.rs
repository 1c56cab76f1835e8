//! The paths of [`crate::fastio::talk`].

use serde_json::{Value, json};

use super::call::Call;
use super::{Answer, listing, ok};
use crate::fastio::id::shown;
use crate::fastio::profile::{Profile, ProfileKind};
use crate::fastio::refusal::Refusal;
use crate::fastio::talk::{End, Question};
use crate::faults::FaultKind;

pub async fn answer(call: &mut Call, (method, profile): (&str, &Profile), path: &[&str]) -> Answer {
    match (method, path) {
        ("POST", []) => {
            let (thread, turn) = ask(call, profile, None).await?;
            ok(json!({"thread": {"thread_id": shown(&thread)}, "turn": {"turn_id": shown(&turn)}}))
        }
        ("POST", [thread, "message"]) => {
            let (thread, turn) = ask(call, profile, Some(thread)).await?;
            ok(json!({"thread_id": shown(&thread), "turn_id": shown(&turn), "status": "pending"}))
        }
        ("POST", [thread, "cancel"]) => {
            call.state.change(|world| world.talks.cancel((profile, call.by()), thread))?;
            ok(json!({}))
        }
        ("GET", ["list"]) => {
            let rows = call.state.look(|world| world.talks.list(profile, call.by()));
            listing::page(call, "threads", rows)
        }
        ("GET", [thread, "message", turn, "details"]) => {
            let shown = call.state.look(|world| world.talks.turn((profile, call.by()), (thread, turn)))?;
            // A workspace calls it a message, a share a turn.
            ok(match profile.kind {
                ProfileKind::Workspace => json!({"message": shown}),
                ProfileKind::Share => json!({"turn": shown}),
            })
        }
        ("DELETE", [thread]) => {
            call.state.change(|world| world.talks.delete((profile, call.by()), thread))?;
            ok(json!({}))
        }
        _ => Err(Refusal::no_route()),
    }
}

async fn ask(call: &mut Call, profile: &Profile, thread: Option<&str>) -> Result<(String, String), Refusal> {
    call.read_form().await?;
    let form = &call.form;
    let question = Question {
        text: form.need("question")?.to_owned(),
        name: form.get("name").map(str::to_owned),
        key: form.get("idempotency_key").map(str::to_owned),
        nodes: nodes(form.get("references"))?,
    };
    let hit = call.trace().and_then(|trace| trace.hit(FaultKind::BadTurn));
    let details = hit.map(|hit| hit.details);
    let message = |default: &str| {
        details.as_ref().and_then(|details| details.message.clone()).unwrap_or_else(|| default.to_owned())
    };
    call.state.change(|world| {
        let end = match details.as_ref().map(|details| details.code.as_deref().unwrap_or("failed")) {
            None => None,
            Some("needs_input") => Some(End::NeedsInput(message("Which of the two contracts is meant?"))),
            Some("cancelled") => Some(End::Cancelled),
            Some("lost") => Some(End::Lost),
            Some("answer") => Some(End::Complete { answer: message(""), cited: Vec::new() }),
            Some("invented_quote") => Some(world.invented(profile, &question)?),
            Some(_) => Some(End::Failed(message("The turn could not be run."))),
        };
        world.ask((profile, call.by()), thread, (question, end))
    })
}

/// The ids in `references`: a JSON text, as documented.
fn nodes(references: Option<&str>) -> Result<Vec<String>, Refusal> {
    let Some(text) = references else { return Ok(Vec::new()) };
    let wrong = || Refusal::input("references: This is not a valid list.");
    let list: Vec<Value> = serde_json::from_str(text).map_err(|_| wrong())?;
    list.iter().map(|one| one["id"].as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}
