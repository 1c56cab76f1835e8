//! The paths of [`crate::fastio::upload`].

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::call::Call;
use super::{Answer, Reply, ok};
use crate::fastio::content::MAX_FILE_BYTES;
use crate::fastio::id::shown;
use crate::fastio::profile::Profile;
use crate::fastio::refusal::Refusal;
use crate::fastio::upload::{
    MAX_SINGLE_BYTES, MIN_CHUNK_BYTES, Request, Session, Target, check_hash, size_mismatch,
};
use crate::fastio::world::World;
use crate::faults::FaultKind;

/// The longest `wait` that the newest reference allows, in seconds.
const MAX_WAIT_SECONDS: u64 = 60;

/// How often a waiting `details/` looks at the session.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The documented most of a chunk.
const MAX_CHUNK_BYTES: usize = 100 * 1024 * 1024;

const HASHES: [&str; 5] = ["crc32c", "md5", "sha1", "sha256", "sha384"];

/// The names of the limits are inferred.
pub fn limits() -> Answer {
    ok(json!({"limits": {
        "max_file_size": MAX_FILE_BYTES,
        "single_call_max_size": MAX_SINGLE_BYTES,
        "chunk_size": MIN_CHUNK_BYTES,
        "min_chunk_size": MIN_CHUNK_BYTES,
        "max_chunk_size": MAX_CHUNK_BYTES,
        "parallel_chunks": 3,
        "hash_algos": HASHES,
    }}))
}

pub fn algos() -> Answer {
    ok(json!({"algos": HASHES}))
}

fn storage_full(call: &Call) -> Result<(), Refusal> {
    match call.trace().and_then(|trace| trace.hit(FaultKind::StorageFull)) {
        Some(_) => {
            let refusal = Refusal::of_status(axum::http::StatusCode::PAYMENT_REQUIRED);
            Err(refusal.with_params(json!({"reason": "credits_exhausted"})))
        }
        None => Ok(()),
    }
}

pub async fn create(call: &mut Call) -> Answer {
    storage_full(call)?;
    let chunk = read_chunk_form(call).await?;
    let stream = call.form.flag("stream");
    let name = call.form.get("name").unwrap_or_default().to_owned();
    let size = call.form.number::<u64>("size")?;
    if !stream && (name.is_empty() || size.is_none()) {
        return Err(Refusal::missing_field(if name.is_empty() { "name" } else { "size" }));
    }
    if let Some(bytes) = &chunk {
        if bytes.len() > MAX_SINGLE_BYTES {
            return Err(Refusal::too_large("chunk: A single call takes at most 4 MiB."));
        }
        if size.is_some_and(|size| size != bytes.len() as u64) {
            return Err(size_mismatch());
        }
        check_hash(bytes, call.form.get("hash_algo"), call.form.get("hash"))?;
    }
    let max_size = call.form.number("max_size")?;
    let id = call.state.change(|world| {
        let target = target(call, world)?;
        if call.form.get("if_version_id").is_some() {
            return Err(Refusal::bad_request(1605, "if_version_id: This target does not take it."));
        }
        let id = world.open_upload(Request { name, size, target, stream, max_size })?;
        if let Some(bytes) = chunk {
            world.finish_upload(&id, Some(bytes), call.by())?;
        }
        Ok(id)
    })?;
    // Usually null even when the upload is complete: `details/` tells the file.
    ok(json!({"id": shown(&id), "new_file_id": null}))
}

/// Where the upload goes, by `action`, `instance_id`, `profile_type`, `folder_id` and `file_id`.
fn target(call: &Call, world: &World) -> Result<Target, Refusal> {
    let form = &call.form;
    let (Some(action), Some(instance)) = (form.get("action"), form.get("instance_id")) else {
        return Ok(Target::Later);
    };
    let profile = match form.get("profile_type") {
        Some("share") => Profile::share(instance),
        Some("workspace") => Profile::workspace(instance),
        None if world.tree(&Profile::share(instance)).is_ok() => Profile::share(instance),
        None => Profile::workspace(instance),
        Some(_) => return Err(Refusal::input("profile_type: This must be workspace or share.")),
    };
    match action {
        "create" => Ok(Target::Into(profile, form.get("folder_id").unwrap_or("root").to_owned())),
        "update" => Ok(Target::Over(profile, form.need("file_id")?.to_owned())),
        _ => Err(Refusal::input("action: This must be create or update.")),
    }
}

/// Reads a form of either kind, with or without a file in `chunk`.
async fn read_chunk_form(call: &mut Call) -> Result<Option<Bytes>, Refusal> {
    if !call.is_multipart() {
        call.read_form().await?;
        return Ok(None);
    }
    let (form, bytes) = call.read_multipart(MAX_CHUNK_BYTES).await?;
    call.form = form;
    // A client may send the bytes as a field without a file name.
    Ok(bytes.or_else(|| call.form.get("chunk").map(|text| Bytes::from(text.to_owned()))))
}

pub async fn stream(call: &mut Call, id: &str) -> Answer {
    storage_full(call)?;
    if !call.state.look(|world| world.uploads.get(id).map(|session| session.is_stream()))? {
        return Err(Refusal::input("The upload session is not a stream."));
    }
    let bytes = call.read_body(MAX_FILE_BYTES).await?;
    check_hash(&bytes, call.query.get("hash_algo"), call.query.get("hash"))?;
    call.state.change(|world| world.finish_upload(id, Some(bytes), call.by()))?;
    session(call, id, axum::http::StatusCode::CREATED)
}

pub async fn chunk(call: &mut Call, id: &str) -> Answer {
    let order = call.query.number::<u32>("order")?.filter(|order| *order > 0);
    let order = order.ok_or_else(|| Refusal::missing_field("order"))?;
    let size = call.query.number::<u64>("size")?.ok_or_else(|| Refusal::missing_field("size"))?;
    let bytes = read_chunk_form(call).await?.ok_or_else(|| Refusal::missing_field("chunk"))?;
    if bytes.len() as u64 != size {
        return Err(size_mismatch());
    }
    check_hash(&bytes, call.query.get("hash_algo"), call.query.get("hash"))?;
    let crc = call.query.get("file_crc32c").map(str::to_owned);
    call.state.change(|world| world.upload_chunk(id, (order, bytes), crc))?;
    session(call, id, axum::http::StatusCode::OK)
}

pub fn complete(call: &Call, id: &str) -> Answer {
    storage_full(call)?;
    call.state.change(|world| world.finish_upload(id, None, call.by()))?;
    session(call, id, axum::http::StatusCode::OK)
}

fn session(call: &Call, id: &str, status: axum::http::StatusCode) -> Answer {
    let session = call.state.look(|world| world.uploads.get(id).map(|session| session.shown()))?;
    Ok(Reply::Status(status, super::envelope(json!({"session": session}))))
}

/// Waits, within limits, for a session that is still open.
pub async fn details(call: &Call, id: &str) -> Answer {
    let wait = call.query.number::<u64>("wait")?.unwrap_or(0).min(MAX_WAIT_SECONDS);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(wait);
    loop {
        let open = call.state.look(|world| world.uploads.get(id).map(|session| session.status.is_open()))?;
        if !open || tokio::time::Instant::now() >= deadline {
            return session(call, id, axum::http::StatusCode::OK);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

pub fn delete(call: &Call, id: &str) -> Answer {
    call.state.change(|world| world.uploads.remove(id))?;
    ok(json!({}))
}

/// The sessions that are still open.
pub fn open(call: &Call) -> Answer {
    let open = call.state.look(|world| {
        let open = world.uploads.all().filter(|session| session.status.is_open());
        open.map(Session::shown).collect::<Vec<Value>>()
    });
    ok(json!({"count": open.len(), "sessions": open}))
}

pub fn cancel_all(call: &Call) -> Answer {
    ok(json!({"cancelled": call.state.change(|world| world.uploads.cancel_open())}))
}

pub fn chunks(call: &Call, id: &str) -> Answer {
    let session = call.state.look(|world| world.uploads.get(id).map(Session::shown))?;
    ok(json!({"chunks": session["chunks"]}))
}

pub fn delete_chunk(call: &Call, id: &str) -> Answer {
    let order = call.query.number("order")?.ok_or_else(|| Refusal::missing_field("order"))?;
    call.state.change(|world| world.uploads.remove_chunk(id, order))?;
    chunks(call, id)
}
