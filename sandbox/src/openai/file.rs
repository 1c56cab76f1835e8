//! `/files`: upload (streamed and measured, never held), list, look, delete, content.

use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State as Shared};
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::super::content::Content;
use super::super::faults::FaultKind;
use super::super::form::{self, Form};
use super::super::journal::Trace;
use super::super::server::Download;
use super::error::ApiError;
use super::other;
use super::read::Query;
use super::shelf::PageRequest;
use super::state::{PendingRemoval, State, World, seconds};

/// OpenAI's OpenAPI document: "512 MB" for one file. Whether that is 10^6 or 2^20 is not stated; the stand-in takes the
/// outermost reading and leaves a client that reads it more narrowly alone.
pub const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;

/// OpenAI's OpenAPI document: `limit` of the list is 1 to 10,000, and 10,000 when absent.
const MAX_LISTED: u32 = 10_000;

/// OpenAI's OpenAPI document.
const PURPOSES: [&str; 6] = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"];

/// OpenAI's OpenAPI document: a file expires between an hour and thirty days after it was made.
const EXPIRY_SECONDS: std::ops::RangeInclusive<i64> = 3_600..=2_592_000;

/// How long after its creation something may still be answered with 404; users report seconds, a minute is generous.
const FRESH_MS: i64 = 60_000;

/// How long a slowed delete takes when the fault does not say.
pub const SLOW_DELETE: Duration = Duration::from_secs(3);

#[derive(Debug, Clone)]
pub struct File {
    pub id: String,
    pub filename: String,
    pub purpose: String,
    pub content_type: Option<String>,
    pub content: Content,
    pub created_ms: i64,
    pub expires_at_ms: Option<i64>,
}

impl File {
    pub fn show(&self) -> Value {
        let mut file = json!({
            "object": "file", "id": self.id, "purpose": self.purpose, "filename": self.filename,
            "bytes": self.content.size, "created_at": seconds(self.created_ms), "status": "processed",
        });
        if let Some(at) = self.expires_at_ms {
            file["expires_at"] = seconds(at).into();
        }
        file
    }

    /// With what only the sandbox knows.
    pub fn inspect(&self) -> Value {
        let mut file = self.show();
        file["sha256"] = json!(self.content.sha256);
        file["content_type"] = json!(self.content_type);
        file["kept"] = json!(self.content.chunks().is_some());
        file
    }
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/files", post(create).layer(DefaultBodyLimit::disable()).get(list))
        .route("/v1/files/{file}", get(look).delete(remove))
        .route("/v1/files/{file}/content", get(content))
}

async fn create(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    multipart: Multipart,
) -> Result<Json<Value>, ApiError> {
    {
        let (mut world, now) = state.world();
        world.counts.upload(&state.limits, now)?;
    }
    let form = Form::read(multipart, &trace, MAX_FILE_BYTES, |_| {}).await.map_err(unreadable)?;
    let known = ["file", "purpose", "expires_after[anchor]", "expires_after[seconds]"];
    let names = form.texts.iter().map(|(name, _)| name).chain(form.files.iter().map(|(name, _)| name));
    for name in names {
        if !known.contains(&name.as_str()) {
            let message = format!("Unknown parameter: '{name}'.");
            return Err(ApiError::invalid(name, message).code("unknown_parameter"));
        }
    }
    let missing = |name: &str| {
        let message = format!("Missing required parameter: '{name}'.");
        ApiError::invalid(name, message).code("missing_required_parameter")
    };
    let upload = form.file("file").ok_or_else(|| missing("file"))?;
    let purpose = form.text("purpose").ok_or_else(|| missing("purpose"))?;
    check_purpose(purpose)?;
    if upload.content.size == 0 {
        return Err(ApiError::plain("File is empty."));
    }
    storage_room(&trace)?;
    let lifetime = form_expiry(&form)?;
    let (mut world, now) = state.world();
    let id = world.ids.file();
    let file = File {
        id: id.clone(),
        filename: other::name(&upload.filename, &trace),
        purpose: purpose.to_owned(),
        content_type: upload.content_type.clone(),
        content: upload.content.clone(),
        created_ms: now,
        expires_at_ms: lifetime.map(|seconds| now + seconds * 1000),
    };
    let shown = file.show();
    world.files.put(&id, file);
    Ok(Json(shown))
}

/// As reported of the real service (its list of purposes is in the message).
pub fn check_purpose(purpose: &str) -> Result<(), ApiError> {
    if PURPOSES.contains(&purpose) {
        return Ok(());
    }
    let message = format!("'{purpose}' is not one of {PURPOSES:?} - 'purpose'").replace('"', "'");
    Err(ApiError::invalid("purpose", message))
}

/// The help centre's message; it does not say the status, so 400 is inferred.
pub fn storage_room(trace: &Trace) -> Result<(), ApiError> {
    let Some(hit) = trace.hit(FaultKind::StorageFull) else { return Ok(()) };
    let message = hit.details.message.unwrap_or_else(|| {
        "You have exceeded your file storage quota. Projects are limited to 2.5 TB of files. (sandbox fault)"
            .to_owned()
    });
    Err(ApiError::plain(message))
}

/// What a body that cannot be read is answered with. 413 for a file that is too large is inferred.
pub fn unreadable(error: form::Error) -> ApiError {
    let status = match &error {
        form::Error::FileTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    let message = match &error {
        form::Error::FileTooLarge(_) => "The file is too large. The maximum size is 512 MB.".to_owned(),
        other => format!("There was an error parsing the body: {other}"),
    };
    ApiError::plain(message).status(status)
}

fn form_expiry(form: &Form) -> Result<Option<i64>, ApiError> {
    let (anchor, seconds) = (form.text("expires_after[anchor]"), form.text("expires_after[seconds]"));
    let (anchor, seconds) = match (anchor, seconds) {
        (None, None) => return Ok(None),
        (anchor, seconds) => (anchor.unwrap_or_default(), seconds.unwrap_or_default()),
    };
    expiry(anchor, seconds.parse().ok()).map(Some)
}

/// Checks the two halves of `expires_after`.
pub fn expiry(anchor: &str, seconds: Option<i64>) -> Result<i64, ApiError> {
    if anchor != "created_at" {
        let message = "Invalid value for 'expires_after[anchor]'. Supported values are: 'created_at'.";
        return Err(ApiError::invalid("expires_after[anchor]", message).code("invalid_value"));
    }
    seconds.filter(|seconds| EXPIRY_SECONDS.contains(seconds)).ok_or_else(|| {
        let message = format!(
            "Invalid 'expires_after[seconds]': expected an integer between {} and {}.",
            EXPIRY_SECONDS.start(),
            EXPIRY_SECONDS.end()
        );
        ApiError::invalid("expires_after[seconds]", message).code("invalid_value")
    })
}

async fn list(Shared(state): Shared<State>, query: Query) -> Result<Json<Value>, ApiError> {
    let ask = PageRequest::read(&query, MAX_LISTED, MAX_LISTED)?;
    let purpose = query.get("purpose");
    let (world, now) = state.world();
    let show = |file: &File| {
        let wanted = purpose.is_none_or(|purpose| file.purpose == purpose);
        (wanted && world.file(&file.id, now).is_some()).then(|| file.show())
    };
    world.files.page(&ask, show).map(Json)
}

/// The file, unless it is not there or a fault hides it while it is fresh.
pub fn find<'a>(world: &'a World, now: i64, trace: &Trace, id: &str) -> Result<&'a File, ApiError> {
    let file = world.file(id, now).ok_or_else(|| ApiError::no_file(id))?;
    match fresh(now - file.created_ms, trace) {
        true => Err(ApiError::no_file(id)),
        false => Ok(file),
    }
}

/// Whether something of this age is still hidden by a fault.
pub fn fresh(age_ms: i64, trace: &Trace) -> bool {
    // Asked only of what is young enough for any window, so that old things do not use up a fault's count.
    age_ms < FRESH_MS
        && trace.hit(FaultKind::NotFoundAfterCreate).is_some_and(|hit| {
            hit.details.window_ms.is_none_or(|window| age_ms < i64::try_from(window).unwrap_or(i64::MAX))
        })
}

async fn look(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let (world, now) = state.world();
    find(&world, now, &trace, &id).map(|file| Json(file.show()))
}

/// The documents say that deleting a file also removes it from all vector stores. In practice (an observation of September
/// 2026 in appsmithorg/appsmith-docs#3038) the stores go on listing it until it is detached, and so they do here, unless a
/// fault has it as documented.
async fn remove(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    world.file(&id, now).ok_or_else(|| ApiError::no_file(&id))?;
    if trace.hit(FaultKind::DeleteConflict).is_some() {
        let message = "File is still processing. Check back later.";
        return Err(ApiError::plain(message).status(StatusCode::CONFLICT));
    }
    if trace.hit(FaultKind::DeleteDetaches).is_some() {
        let stores: Vec<String> = world.stores.iter().map(|store| store.id.clone()).collect();
        stores.iter().for_each(|store| world.detach(store, &id, now));
    }
    if !world.is_doomed(&id) {
        match trace.hit(FaultKind::SlowDelete) {
            Some(hit) => {
                let delay = hit.delay_ms_or(SLOW_DELETE);
                world.doom(PendingRemoval::File(id.clone()), now.saturating_add(delay));
            }
            None => drop(world.files.take(&id)),
        }
    }
    Ok(Json(json!({ "id": id, "object": "file", "deleted": true })))
}

/// OpenAI is reported to refuse this for files of purpose `assistants`; reading back is allowed here only for the others.
async fn content(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    Path(id): Path<String>,
) -> Result<Response<Body>, ApiError> {
    let (world, now) = state.world();
    let file = find(&world, now, &trace, &id)?;
    if file.purpose == "assistants" {
        let message = "Not allowed to download files of purpose: assistants";
        return Err(ApiError::plain(message));
    }
    serve(&file.content)
}

/// A content that is downloaded. One of which the stand-in keeps only the opening is refused.
pub fn serve(content: &Content) -> Result<Response<Body>, ApiError> {
    let chunks = content.chunks().ok_or_else(|| {
        let message = "The sandbox keeps no content this large.";
        ApiError::plain(message)
    })?;
    let body = Body::from_stream(futures_util::stream::iter(chunks.map(Ok::<_, std::io::Error>)));
    Ok(served(body, content.size))
}

/// The reply to a download of so many bytes.
pub fn served(body: Body, bytes: u64) -> Response<Body> {
    let head = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, bytes.to_string()),
    ];
    (head, Extension(Download), body).into_response()
}
