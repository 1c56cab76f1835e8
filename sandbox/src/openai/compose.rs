//! What a response answers: the calls of its tools, and the message with what it cites.

use serde_json::{Value, json};

use super::super::faults::FaultHit;
use super::ask::ResponseRequest;
use super::container::{self, HOSTILE_FILES, LARGE_FILE, MANY_FILES};
use super::error::ApiError;
use super::model::{self, Document, Ending, Prompt};
use super::state::World;
use super::tool;

/// How the response ends and what it says, when the model is done. `bad` is the fault that spoils it.
pub fn compose(
    asked: &mut ResponseRequest,
    world: &mut World,
    (bad, now): (Option<&FaultHit>, i64),
) -> Result<(Ending, Vec<Value>), ApiError> {
    let (calls, hits) = tool::play(asked, world, now);
    let ending = bad.map_or_else(|| model::answer(&asked.prompt), |hit| bad_ending(hit, &asked.prompt));
    let mut output = Vec::new();
    let told = bad.and_then(|hit| hit.details.code.as_deref());
    if told == Some(UNKNOWN_ITEMS) {
        output.push(json!({"type": "hologram", "id": world.ids.hex("holo_"), "beams": [1, 2, 3]}));
    }
    for mut call in calls {
        call["id"] = world.ids.hex("fs_").into();
        output.push(call);
    }
    let is_silent = matches!(told, Some(NO_MESSAGE | APPROVAL));
    let mut said = message(&ending, &hits, world.ids.hex("msg_")).filter(|_| !is_silent);
    if told == Some(APPROVAL) {
        output.push(json!({
            "type": "mcp_approval_request", "id": world.ids.hex("mcpr_"), "server_label": "fastio",
            "name": "storage_manage", "arguments": "{\"action\":\"delete\"}",
        }));
    }
    if let Some(tool) = asked.code_interpreter() {
        let (call, citation) = container::run(world, tool, asked, (told, now))?;
        output.push(call);
        let annotations = said.as_mut().and_then(|said| said["content"][0]["annotations"].as_array_mut());
        annotations.into_iter().for_each(|annotations| annotations.push(citation.clone()));
    }
    if told == Some(DOUBLED) {
        output.extend(said.clone());
    }
    output.extend(said);
    Ok((ending, output))
}

/// The code of a spoiled run whose answer comes among items of a type that OpenAI's documents do not name.
const UNKNOWN_ITEMS: &str = "unknown_items";

/// The code of one whose message stands in the output twice.
const DOUBLED: &str = "doubled";

/// The code of one that has completed without a message.
const NO_MESSAGE: &str = "no_message";

/// The code of one that asks whether it may use a tool of a server, and says nothing else.
const APPROVAL: &str = "approval";

/// How a run ends that a fault spoils: `code` is `refusal`, a reason to be incomplete, what is wrong with the answer, or
/// the code of an error.
pub fn bad_ending(hit: &FaultHit, prompt: &Prompt) -> Ending {
    let message = |default: &str| hit.details.message.clone().unwrap_or_else(|| default.to_owned());
    match hit.details.code.as_deref().unwrap_or("server_error") {
        UNKNOWN_ITEMS | DOUBLED | NO_MESSAGE | APPROVAL | MANY_FILES | LARGE_FILE | HOSTILE_FILES => {
            model::answer(prompt)
        }
        "doubled_text" => model::changed(model::answer(prompt), |text| text.repeat(2)),
        "broken_json" => model::changed(model::answer(prompt), |text| text.replacen("\",\"", "\":\"", 1)),
        "empty" => model::changed(model::answer(prompt), |_| String::new()),
        "invented_quote" => model::invent(model::answer(prompt)),
        "answer" => {
            Ending::Completed { text: message("I have nothing to say."), cited: prompt.documents.clone() }
        }
        "refusal" => Ending::Refused { refusal: message("I'm sorry, but I can't help with that.") },
        reason @ ("max_output_tokens" | "content_filter") => Ending::Incomplete {
            text: message("This is the sandbox's stand-in for"),
            reason: reason.to_owned(),
        },
        code => {
            let message = message("The model failed to generate a response. (sandbox fault)");
            Ending::Failed { code: code.to_owned(), message }
        }
    }
}

/// The output message of an ending; a failed run has none.
fn message(ending: &Ending, hits: &[Document], id: String) -> Option<Value> {
    let (status, part) = match ending {
        Ending::Completed { text, cited } => {
            let mut cited: Vec<&Document> = cited.iter().chain(hits).collect();
            cited.dedup_by(|one, other| one.file_id == other.file_id);
            let annotations: Vec<Value> = cited
                .into_iter()
                .map(|document| {
                    json!({
                        "type": "file_citation", "index": text.len(), "file_id": document.file_id,
                        "filename": document.filename,
                    })
                })
                .collect();
            (
                "completed",
                json!({"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}),
            )
        }
        Ending::Incomplete { text, .. } => {
            ("incomplete", json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}))
        }
        Ending::Refused { refusal } => ("completed", json!({"type": "refusal", "refusal": refusal})),
        Ending::Failed { .. } => return None,
    };
    Some(json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": [part]}))
}
