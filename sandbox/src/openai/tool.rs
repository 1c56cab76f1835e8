//! The tools of a response: which the API takes, and the one that the stand-in plays, a file search.

use serde_json::{Value, json};

use super::ask::ResponseRequest;
use super::container;
use super::error::ApiError;
use super::item;
use super::model::Document;
use super::read::Fields;
use super::search::{Ranking, Search, SearchHit};
use super::state::World;
use super::store;

/// The types in OpenAI's OpenAPI document 2.3.0, each with what it must say besides. Those after the first three are taken
/// and never used.
const KNOWN: [(&str, &[&str]); 18] = [
    ("file_search", &["vector_store_ids"]),
    ("code_interpreter", &["container"]),
    ("function", &["name", "parameters"]),
    ("apply_patch", &[]),
    ("computer", &[]),
    ("computer_use_preview", &["environment", "display_width", "display_height"]),
    ("custom", &["name"]),
    ("image_generation", &[]),
    ("local_shell", &[]),
    ("mcp", &["server_label"]),
    ("namespace", &["name", "description", "tools"]),
    ("programmatic_tool_calling", &[]),
    ("shell", &[]),
    ("tool_search", &[]),
    ("web_search", &[]),
    ("web_search_2025_08_26", &[]),
    ("web_search_preview", &[]),
    ("web_search_preview_2025_03_11", &[]),
];

/// Stores of one file search. Not documented; "maximum of 2 vector stores allowed" with a 400 is reported
/// (dimagi/open-chat-studio#3815).
const MOST_STORES: usize = 2;

/// OpenAI's OpenAPI document 2.3.0: the ranking of a file search.
const RANKING: Ranking = Ranking {
    members: &["ranker", "score_threshold", "hybrid_search"],
    rankers: &["auto", "default-2024-11-15"],
};

/// Refuses a tool that the document does not describe. `place` is its place among the tools.
pub fn check(tool: &Value, place: usize, world: &mut World, now: i64) -> Result<(), ApiError> {
    let at = format!("tools[{place}].");
    let any = Fields::any(tool.clone(), at.clone())?;
    let kind = any.one_of_required("type", KNOWN.iter().map(|(name, _)| *name))?;
    let needed = KNOWN.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, needed)| needed);
    needed.iter().try_for_each(|name| any.required(name).map(drop))?;
    match kind {
        "file_search" => {
            let stores = any.texts("vector_store_ids")?.unwrap_or_default();
            if stores.len() > MOST_STORES {
                let message = format!(
                    "Invalid '{at}vector_store_ids': maximum of {MOST_STORES} vector stores allowed."
                );
                return Err(ApiError::invalid(&format!("{at}vector_store_ids"), message));
            }
            for id in stores {
                store::live(world, now, &id)?;
            }
            search(tool, at, &[]).map(drop)
        }
        "code_interpreter" => match any.required("container")? {
            Value::String(id) => container::live(world, id, now).map(drop),
            container => check_container(container, format!("{at}container.")),
        },
        _ => Ok(()),
    }
}

/// What a file search looks for.
fn search(tool: &Value, at: String, queries: &[String]) -> Result<Search, ApiError> {
    let known = ["type", "vector_store_ids", "max_num_results", "ranking_options", "filters"];
    Search::read(queries, &Fields::of(tool.clone(), at, &known)?, &RANKING)
}

fn check_container(container: &Value, at: String) -> Result<(), ApiError> {
    let known = ["type", "file_ids", "memory_limit", "network_policy", "skills"];
    let container = Fields::of(container.clone(), at, &known)?;
    container.one_of_required("type", ["auto"])?;
    container::memory_limit(&container)?;
    container::file_ids(&container).map(drop)
}

/// Plays the tools of this request: a file search shows the model what it finds. Returns the calls as output items, and the
/// documents found.
pub fn play(asked: &mut ResponseRequest, world: &World, now: i64) -> (Vec<Value>, Vec<Document>) {
    let (mut calls, mut found) = (Vec::new(), Vec::new());
    let queries: Vec<String> = item::texts(&asked.input).map(str::to_owned).collect();
    for tool in asked.tools.iter().filter(|tool| tool["type"] == "file_search") {
        let stores = tool["vector_store_ids"].as_array().into_iter().flatten();
        let stores = stores.filter_map(|id| world.stores.get(id.as_str()?));
        let search = search(tool, String::new(), &queries).expect("it was checked when the request was read");
        let hits = search.run(stores, now);
        let mut call =
            json!({"type": "file_search_call", "status": "completed", "queries": queries, "results": null});
        if asked.includes("file_search_call.results") {
            let result = |hit: &SearchHit| {
                json!({
                    "file_id": hit.file_id, "filename": hit.filename, "score": hit.score, "text": hit.text,
                    "attributes": hit.attributes,
                })
            };
            call["results"] = hits.iter().map(result).collect();
        }
        calls.push(call);
        found.extend(hits.into_iter().map(|hit| Document {
            file_id: hit.file_id,
            filename: hit.filename,
            text: hit.text,
        }));
    }
    asked.prompt.documents.extend(found.iter().cloned());
    (calls, found)
}
