//! Whether anything was done twice at the same time: from what the stand-in noted of each request, and when each server was stopped.

use std::collections::BTreeMap;

use serde_json::Value;

use super::text;

/// A request that makes something. Unix time in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doing {
    /// What is made, of what: two that are the same must not be under way at the same time.
    pub what: String,
    pub server: String,
    pub from: i64,
    pub until: i64,
}

/// A server did nothing, and nobody who waited for it got anything: what it had under way then is another's by right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    pub server: String,
    pub from: i64,
    /// When it went on; when it began anew, it has nothing under way.
    pub until: i64,
}

/// What a request to OpenAI makes, as its journal has it: an upload, one or several attached files, or a response.
pub fn doings(entry: &Value) -> Vec<Doing> {
    let path: Vec<&str> = text(&entry["path"]).trim_start_matches("/v1/").split('/').collect();
    let json = &entry["json"];
    let whats = match (text(&entry["method"]), path.as_slice()) {
        ("POST", ["files"]) => uploaded(entry).into_iter().collect(),
        ("POST", ["vector_stores", store, "files"]) => vec![attached(store, json)],
        ("POST", ["vector_stores", store, "file_batches"]) => {
            let files = json["files"].as_array().into_iter().flatten();
            files.map(|file| attached(store, file)).collect()
        }
        ("POST", ["responses"]) => {
            vec![format!("the response of run {}", text(&json["metadata"]["docket_run"]))]
        }
        _ => Vec::new(),
    };
    let ms = |name: &str| entry[name].as_i64().unwrap_or(0);
    // Nothing is made of a body before all of it is there, and of an upload the last of it is held back.
    let (from, until) = (ms("at_ms") + ms("body_ms"), ms("at_ms") + ms("duration_ms"));
    let headers = entry["headers"].as_array().into_iter().flatten();
    let project =
        headers.filter(|header| header[0] == "openai-project").map(|header| text(&header[1])).next();
    let server = project.unwrap_or_default();
    whats.into_iter().map(|what| Doing { what, server: server.to_owned(), from, until }).collect()
}

/// Two of one name and size cannot be told from each other, so they are never under way together.
fn uploaded(entry: &Value) -> Option<String> {
    let parts = entry["parts"].as_array().into_iter().flatten();
    let mut files = parts.filter(|part| part["filename"].is_string());
    files.next().map(|file| format!("the upload of {} bytes as {}", file["bytes"], text(&file["filename"])))
}

fn attached(store: &str, file: &Value) -> String {
    let attributes = &file["attributes"];
    let (source, version) = (text(&attributes["source_id"]), text(&attributes["version"]));
    let segment =
        attributes["segment"].as_f64().map(|number| format!("segment {number} of ")).unwrap_or_default();
    format!("{segment}version {version} of {source} attached to {store}")
}

/// What was done twice at the same time, in words.
pub fn overlaps(doings: &[Doing], stops: &[Stop]) -> Vec<String> {
    let mut by_what: BTreeMap<&str, Vec<Doing>> = BTreeMap::new();
    for doing in doings {
        by_what.entry(&doing.what).or_default().push(until_stopped(doing, stops));
    }
    let mut wrong = Vec::new();
    for (what, mut times) in by_what {
        times.sort_unstable_by_key(|doing| (doing.from, doing.until));
        let mut last: Option<&Doing> = None;
        for doing in &times {
            if let Some(other) = last.filter(|last| last.until > doing.from) {
                wrong.push(format!(
                    "{what} by {} from {} to {}, and by {} from {} to {}",
                    other.server, other.from, other.until, doing.server, doing.from, doing.until
                ));
            }
            last = last.filter(|last| last.until > doing.until).or(Some(doing));
        }
    }
    wrong
}

/// What was under way when its server was stopped ended then.
fn until_stopped(doing: &Doing, stops: &[Stop]) -> Doing {
    let during =
        |stop: &&Stop| stop.server == doing.server && stop.from < doing.until && stop.until >= doing.from;
    let stopped = stops.iter().filter(during).map(|stop| stop.from).min();
    let until = stopped.map_or(doing.until, |stopped| stopped.max(doing.from));
    Doing { until, ..doing.clone() }
}
