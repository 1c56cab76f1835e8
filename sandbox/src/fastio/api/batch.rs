//! Many small files in one request: `POST /upload/batch/`. Limits, manifest and answer are those of the official command-line
//! client, whose authors measured that production answers flat, and that `node_id: null` is a success.

use std::collections::HashMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::{Answer, ok};
use crate::fastio::id::{IdKind, shown};
use crate::fastio::profile::Profile;
use crate::fastio::refusal::Refusal;
use crate::fastio::tree::{ROOT, segments};
use crate::fastio::upload::{MAX_SINGLE_BYTES, Request, Target, check_hash};
use crate::fastio::world::World;

const MAX_FILES: usize = 200;
const MAX_BYTES: usize = 100 * 1024 * 1024;

#[derive(Deserialize)]
struct Entry {
    index: usize,
    filename: String,
    relative_path: Option<String>,
    hash: Option<String>,
    hash_algo: Option<String>,
}

pub async fn upload(call: &mut Call) -> Answer {
    let (form, files) = call.read_files(MAX_BYTES).await?;
    call.form = form;
    let entries: Vec<Entry> = serde_json::from_str(call.form.need("manifest")?)
        .map_err(|error| Refusal::input(format!("manifest: {error}")))?;
    if entries.is_empty() || entries.len() > MAX_FILES {
        return Err(Refusal::input(format!("manifest: A batch has between 1 and {MAX_FILES} files.")));
    }
    let profile = Profile::workspace(call.form.need("instance_id")?);
    let folder = call.form.get("folder_id").unwrap_or("root").to_owned();
    call.state.change(|world| {
        world.ensure(&profile)?;
        world.folder(&profile, &folder).map(drop)
    })?;
    let results: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let placed = call.state.change(|world| place(call, world, (&profile, &folder), (entry, &files)));
            let mut row = json!({"index": entry.index, "filename": entry.filename});
            match placed {
                Ok((upload, node)) => {
                    row["status"] = "ok".into();
                    row["upload_id"] = shown(&upload).into();
                    row["node_id"] = node.as_deref().map(shown).into();
                }
                Err(refusal) => {
                    row["status"] = "error".into();
                    row["error_code"] = refusal.code.into();
                    row["error_message"] = refusal.text.into();
                }
            }
            row
        })
        .collect();
    let succeeded = results.iter().filter(|row| row["status"] == "ok").count();
    let batch = call.state.change(|world| world.ids.make(IdKind::Upload));
    ok(json!({
        "batch_id": shown(&batch),
        "count_total": results.len(),
        "count_succeeded": succeeded,
        "count_errored": results.len() - succeeded,
        "results": results,
    }))
}

/// Puts one file of the batch in its place. Returns its session and its node.
fn place(
    call: &Call,
    world: &mut World,
    (profile, folder): (&Profile, &str),
    (entry, files): (&Entry, &HashMap<String, Bytes>),
) -> Result<(String, Option<String>), Refusal> {
    let name = format!("file_{}", entry.index);
    let bytes = files.get(&name).ok_or_else(|| Refusal::missing_field(&name))?;
    if bytes.len() > MAX_SINGLE_BYTES {
        return Err(Refusal::too_large("A file of a batch has at most 4 MiB."));
    }
    check_hash(bytes, entry.hash_algo.as_deref(), entry.hash.as_deref())?;
    let mut into = world.folder(profile, folder)?;
    if let Some(path) = &entry.relative_path {
        if path.starts_with('/') || !path.ends_with('/') || segments(path).any(|name| name == "..") {
            return Err(Refusal::input(
                "relative_path: This must be a path below the folder that ends in /.",
            ));
        }
        for name in segments(path) {
            into = world.make_folder(profile, (into, name), false, call.by())?;
        }
    }
    let into = match world.tree(profile)?.node(into) {
        Some(folder) if into != ROOT => folder.id.clone(),
        _ => "root".to_owned(),
    };
    let asked = Request {
        name: entry.filename.clone(),
        size: Some(bytes.len() as u64),
        target: Target::Into(profile.clone(), into),
        stream: false,
        max_size: None,
    };
    let upload = world.open_upload(asked)?;
    world.finish_upload(&upload, Some(bytes.clone()), call.by())?;
    let node = world.uploads.get(&upload)?.new_file().map(str::to_owned);
    Ok((upload, node))
}
