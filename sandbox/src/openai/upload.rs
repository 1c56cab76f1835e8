//! `/uploads`: a file in parts, which are measured as they arrive and put together at the end.
//!
//! Parts are not held, so the hash of the whole is only known when they were sent one after the other and are completed
//! in that order; the size always is.

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State as Shared};
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};

use super::super::content::{Content, Measure};
use super::super::form::Form;
use super::super::journal::Trace;
use super::error::ApiError;
use super::file::{File, check_purpose, expiry, storage_room, unreadable};
use super::read::Fields;
use super::state::{State, World, seconds};

/// OpenAI's OpenAPI document: an upload lives for an hour.
const LIFETIME_MS: i64 = 3_600_000;
/// OpenAI's OpenAPI document: an upload has at most 8 GB; a part at most 64 MB.
const MAX_UPLOAD_BYTES: i64 = 8 * 1024 * 1024 * 1024;
const MAX_PART_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Pending,
    Completed,
    Cancelled,
}

#[derive(Debug)]
pub struct Upload {
    id: String,
    filename: String,
    purpose: String,
    mime_type: String,
    bytes: u64,
    lifetime_seconds: Option<i64>,
    created_ms: i64,
    stage: Stage,
    file: Option<Value>,
    /// In the order they were finished.
    parts: Vec<(String, Content)>,
    /// The measure of all parts so far, while they come one after the other. None while one is arriving.
    whole: Option<Measure>,
    parallel: bool,
}

impl Upload {
    fn status(&self, now: i64) -> &'static str {
        match self.stage {
            Stage::Completed => "completed",
            Stage::Cancelled => "cancelled",
            Stage::Pending if now >= self.created_ms + LIFETIME_MS => "expired",
            Stage::Pending => "pending",
        }
    }

    pub fn show(&self, now: i64) -> Value {
        let mut upload = json!({
            "id": self.id, "object": "upload", "bytes": self.bytes, "created_at": seconds(self.created_ms),
            "filename": self.filename, "purpose": self.purpose, "status": self.status(now),
            "expires_at": seconds(self.created_ms + LIFETIME_MS),
        });
        if let Some(file) = &self.file {
            upload["file"] = file.clone();
        }
        upload
    }

    /// The content that these parts make, and only they.
    fn assemble(&self, ids: &[String]) -> Result<Content, ApiError> {
        let mut pieces = Vec::with_capacity(ids.len());
        for id in ids {
            let part = self.parts.iter().find(|(known, _)| known == id).ok_or_else(|| {
                ApiError::invalid("part_ids", format!("No part found with id '{id}' in this upload."))
            })?;
            pieces.push(part.1.clone());
        }
        let in_order = !self.parallel && self.parts.iter().map(|(id, _)| id).eq(ids);
        Ok(match &self.whole {
            Some(whole) if in_order => whole.clone().finish(),
            _ => Content::concat(&pieces),
        })
    }
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/uploads", post(create))
        .route("/v1/uploads/{upload}/parts", post(part).layer(DefaultBodyLimit::disable()))
        .route("/v1/uploads/{upload}/complete", post(complete))
        .route("/v1/uploads/{upload}/cancel", post(cancel))
}

async fn create(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["filename", "purpose", "bytes", "mime_type", "expires_after"])?;
    let (filename, purpose) = (fields.required_text("filename")?, fields.required_text("purpose")?);
    check_purpose(purpose)?;
    fields.required("bytes")?;
    let bytes = fields.integer("bytes", 1, MAX_UPLOAD_BYTES)?.unwrap_or_default();
    let mime_type = fields.required_text("mime_type")?;
    let lifetime_seconds = match fields.value("expires_after") {
        None => None,
        Some(value) => {
            let rule = Fields::of(value.clone(), "expires_after.".to_owned(), &["anchor", "seconds"])?;
            let seconds = rule.required("seconds")?.as_i64();
            Some(expiry(rule.required_text("anchor")?, seconds)?)
        }
    };
    storage_room(&trace)?;
    let (mut world, now) = state.world();
    let id = world.ids.hex("upload_");
    let upload = Upload {
        id: id.clone(),
        filename: filename.to_owned(),
        purpose: purpose.to_owned(),
        mime_type: mime_type.to_owned(),
        bytes: u64::try_from(bytes).expect("checked to be positive"),
        lifetime_seconds,
        created_ms: now,
        stage: Stage::Pending,
        file: None,
        parts: Vec::new(),
        whole: Some(Measure::default()),
        parallel: false,
    };
    let shown = upload.show(now);
    world.uploads.put(&id, upload);
    Ok(Json(shown))
}

/// The upload, if it still takes parts. The wording of both refusals is inferred.
fn pending<'a>(world: &'a mut World, now: i64, id: &str) -> Result<&'a mut Upload, ApiError> {
    let upload = world
        .uploads
        .get_mut(id)
        .ok_or_else(|| ApiError::missing("upload_id", format!("No upload found with id '{id}'.")))?;
    match upload.status(now) {
        "pending" => Ok(upload),
        status => Err(ApiError::invalid("upload_id", format!("Upload '{id}' is {status}."))),
    }
}

async fn part(
    Shared(state): Shared<State>,
    Extension(trace): Extension<Trace>,
    Path(id): Path<String>,
    multipart: Multipart,
) -> Result<Json<Value>, ApiError> {
    let before = {
        let (mut world, now) = state.world();
        let upload = pending(&mut world, now, &id)?;
        let whole = upload.whole.take();
        upload.parallel |= whole.is_none();
        whole
    };
    // Gives the measure back in the state it was in when the part does not arrive whole, also when the client leaves.
    let mut whole = Borrowed { state: &state, upload: &id, measure: before };
    let mut after = whole.measure.clone();
    let watch = |bytes: &[u8]| after.iter_mut().for_each(|measure| measure.update(bytes));
    let form = Form::read(multipart, &trace, MAX_PART_BYTES, watch).await.map_err(unreadable)?;
    let Some(data) = form.file("data") else {
        return Err(ApiError::invalid("data", "Missing required parameter: 'data'.")
            .code("missing_required_parameter"));
    };
    if data.content.size == 0 {
        return Err(ApiError::invalid("data", "The part is empty."));
    }
    whole.measure = after;
    drop(whole);
    let (mut world, now) = state.world();
    let part_id = world.ids.hex("part_");
    pending(&mut world, now, &id)?.parts.push((part_id.clone(), data.content.clone()));
    Ok(Json(json!({
        "id": part_id, "object": "upload.part", "created_at": seconds(now), "upload_id": id,
    })))
}

/// An upload's running measure while a part arrives.
struct Borrowed<'a> {
    state: &'a State,
    upload: &'a str,
    measure: Option<Measure>,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let (mut world, _) = self.state.world();
        if let (Some(upload), Some(measure)) = (world.uploads.get_mut(self.upload), self.measure.take()) {
            upload.whole = Some(measure);
        }
    }
}

async fn complete(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::parse(&body, &["part_ids", "md5"])?;
    fields.required("part_ids")?;
    let part_ids = fields.texts("part_ids")?.unwrap_or_default();
    let (mut world, now) = state.world();
    let upload = pending(&mut world, now, &id)?;
    let content = upload.assemble(&part_ids)?;
    if content.size != upload.bytes {
        let message = format!(
            "The number of bytes uploaded ({}) does not match the expected number of bytes ({}).",
            content.size, upload.bytes
        );
        return Err(ApiError::invalid("part_ids", message));
    }
    // Whether md5 is hex or base64 is not stated; hex is the convention.
    if let (Some(expected), Some(md5)) = (fields.text("md5")?, &content.md5)
        && !expected.eq_ignore_ascii_case(md5)
    {
        let message = "The MD5 checksum of the uploaded content does not match 'md5'.";
        return Err(ApiError::invalid("md5", message).status(StatusCode::BAD_REQUEST));
    }
    let mut file = File {
        id: String::new(),
        filename: upload.filename.clone(),
        purpose: upload.purpose.clone(),
        content_type: Some(upload.mime_type.clone()),
        content,
        created_ms: now,
        expires_at_ms: upload.lifetime_seconds.map(|seconds| now + seconds * 1000),
    };
    file.id = world.ids.file();
    let file_id = file.id.clone();
    let upload = pending(&mut world, now, &id)?;
    (upload.stage, upload.file) = (Stage::Completed, Some(file.show()));
    let shown = upload.show(now);
    world.files.put(&file_id, file);
    Ok(Json(shown))
}

async fn cancel(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    let upload = pending(&mut world, now, &id)?;
    upload.stage = Stage::Cancelled;
    Ok(Json(upload.show(now)))
}
