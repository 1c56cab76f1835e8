//! The files of a container: listed in pages, put in, looked at, read and deleted.

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Path, Request, State as Shared};
use axum::http::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::super::content::Content;
use super::super::form::Form;
use super::super::journal::Trace;
use super::container::live;
use super::error::ApiError;
use super::file::{self, MAX_FILE_BYTES, unreadable};
use super::model::Document;
use super::read::{Fields, Query};
use super::shelf::PageRequest;
use super::state::{State, seconds};
use super::text;

/// The largest body that names a file instead of holding one.
const MAX_NAMING_BYTES: usize = 64 * 1024;

/// Who put a file into a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    User,
    Assistant,
}

#[derive(Debug)]
pub struct File {
    pub id: String,
    name: String,
    bytes: u64,
    content: Held,
    source: Source,
    created_ms: i64,
}

/// What code made is held whole; what was uploaded, as far as the stand-in holds uploads at all.
#[derive(Debug)]
enum Held {
    Made(Vec<u8>),
    Uploaded(Content),
}

impl File {
    pub fn new(id: String, (name, content): (String, Vec<u8>), (source, now): (Source, i64)) -> File {
        File { id, name, bytes: content.len() as u64, content: Held::Made(content), source, created_ms: now }
    }

    /// A File object's content as it lies in a container.
    pub fn of(file: &file::File, id: String, now: i64) -> File {
        File::uploaded(id, (file.filename.clone(), file.content.clone()), now)
    }

    fn uploaded(id: String, (name, content): (String, Content), now: i64) -> File {
        let (bytes, source) = (content.size, Source::User);
        File { id, name, bytes, content: Held::Uploaded(content), source, created_ms: now }
    }

    /// As code, and with it the model, sees it: of a picture or a workbook the stand-in reads nothing.
    pub fn document(&self) -> Document {
        let text = match &self.content {
            Held::Made(bytes) => String::from_utf8(bytes.clone()).unwrap_or_default(),
            Held::Uploaded(content) => text::read(&self.name, content).unwrap_or_default(),
        };
        Document { file_id: self.id.clone(), filename: self.name.clone(), text }
    }

    pub fn show(&self, container: &str) -> Value {
        json!({
            "id": self.id, "object": "container.file", "container_id": container, "bytes": self.bytes,
            "created_at": seconds(self.created_ms), "path": format!("/mnt/data/{}", self.name),
            "source": if self.source == Source::User { "user" } else { "assistant" },
        })
    }
}

pub fn routes() -> Router<State> {
    let files = get(list).post(create).layer(DefaultBodyLimit::disable());
    Router::new()
        .route("/v1/containers/{container}/files", files)
        .route("/v1/containers/{container}/files/{file}", get(look).delete(remove))
        .route("/v1/containers/{container}/files/{file}/content", get(content))
}

fn missing(file: &str) -> ApiError {
    ApiError::missing("file_id", format!("No such container file: {file}"))
}

async fn list(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let ask = PageRequest::usual(&query)?;
    let (mut world, now) = state.world();
    live(&mut world, &id, now)?.files.page(&ask, |file| Some(file.show(&id))).map(Json)
}

/// Takes a file in a form, or a File object's id in a form or as JSON.
async fn create(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    Extension(trace): Extension<Trace>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let kind = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    let (named, uploaded) = if kind.is_some_and(|kind| kind.starts_with("multipart/form-data")) {
        let multipart = Multipart::from_request(request, &()).await;
        let multipart = multipart.map_err(|error| ApiError::invalid("file", error.to_string()))?;
        let form = Form::read(multipart, &trace, MAX_FILE_BYTES, |_| {}).await.map_err(unreadable)?;
        let file = form.file("file").map(|file| (file.filename.clone(), file.content.clone()));
        (form.text("file_id").map(str::to_owned), file)
    } else {
        let body = axum::body::to_bytes(request.into_body(), MAX_NAMING_BYTES).await;
        let body = body.map_err(|error| ApiError::invalid("file_id", error.to_string()))?;
        (Fields::parse(&body, &["file_id"])?.text("file_id")?.map(str::to_owned), None)
    };
    let (mut world, now) = state.world();
    live(&mut world, &id, now)?;
    let made = world.ids.hex("cfile_");
    let file = match (named, uploaded) {
        (Some(named), _) => {
            File::of(world.file(&named, now).ok_or_else(|| ApiError::no_file(&named))?, made, now)
        }
        (None, Some(uploaded)) => File::uploaded(made, uploaded, now),
        (None, None) => {
            let message = "Missing required parameter: 'file' or 'file_id'.";
            return Err(ApiError::invalid("file", message).code("missing_required_parameter"));
        }
    };
    let shown = file.show(&id);
    live(&mut world, &id, now)?.files.put(&file.id.clone(), file);
    Ok(Json(shown))
}

async fn look(
    Shared(state): Shared<State>,
    Path((id, file)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    let found = live(&mut world, &id, now)?.files.get(&file).map(|found| Json(found.show(&id)));
    found.ok_or_else(|| missing(&file))
}

async fn remove(
    Shared(state): Shared<State>,
    Path((id, file)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    live(&mut world, &id, now)?.files.take(&file).ok_or_else(|| missing(&file))?;
    Ok(Json(json!({"id": file, "object": "container.file.deleted", "deleted": true})))
}

async fn content(
    Shared(state): Shared<State>,
    Path((id, file)): Path<(String, String)>,
) -> Result<Response<Body>, ApiError> {
    let (mut world, now) = state.world();
    let found = live(&mut world, &id, now)?.files.get(&file).ok_or_else(|| missing(&file))?;
    match &found.content {
        Held::Made(bytes) => Ok(file::served(Body::from(bytes.clone()), found.bytes)),
        Held::Uploaded(content) => file::serve(content),
    }
}
