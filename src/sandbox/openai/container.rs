//! Containers, in which the stand-in's code interpreter leaves a table of the words that it counted: their files, listed
//! and downloaded, until they die.
//!
//! The paths are those of OpenAI's API reference. That a container dies 20 minutes after it was last used is documented;
//! what is answered then is inferred.

use axum::Json;
use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::routing::get;
use serde_json::{Value, json};

use super::error::ApiError;
use super::model::Document;
use super::state::{State, World, seconds};

/// OpenAI's guide on code interpreter.
const DIES_AFTER_MS: i64 = 20 * 60 * 1000;

/// What the stand-in's code leaves in every container.
const MADE: &str = "words.csv";

/// One container, with the one file that was made in it.
#[derive(Debug)]
pub struct Container {
    id: String,
    file_id: String,
    content: String,
    created_ms: i64,
    used_ms: i64,
}

impl Container {
    /// Runs the stand-in's code over the documents.
    pub fn run(world: &mut World, documents: &[Document], now: i64) -> Container {
        let rows = documents.iter().map(|document| {
            let words = document.text.split_whitespace().count();
            format!("\"{}\",{words}\n", document.filename.replace('"', "\"\""))
        });
        let content = std::iter::once("file,words\n".to_owned()).chain(rows).collect();
        let (id, file_id) = (world.ids.hex("cntr_"), world.ids.hex("cfile_"));
        Container { id, file_id, content, created_ms: now, used_ms: now }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// The output item that tells of the code.
    pub fn call(&self, id: String) -> Value {
        json!({
            "id": id, "type": "code_interpreter_call", "status": "completed", "container_id": self.id,
            "code": "count_words(documents).to_csv('words.csv')", "outputs": null,
        })
    }

    /// The annotation by which the answer names the file.
    pub fn citation(&self) -> Value {
        json!({
            "type": "container_file_citation", "container_id": self.id, "file_id": self.file_id, "filename": MADE,
            "start_index": 0, "end_index": 0,
        })
    }

    fn file(&self) -> Value {
        json!({
            "id": self.file_id, "object": "container.file", "container_id": self.id, "bytes": self.content.len(),
            "created_at": seconds(self.created_ms), "path": format!("/mnt/data/{MADE}"), "source": "assistant",
        })
    }
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/containers/{container}/files", get(list))
        .route("/v1/containers/{container}/files/{file}/content", get(content))
}

fn live<'a>(world: &'a mut World, id: &str, now: i64) -> Result<&'a mut Container, ApiError> {
    let missing = || ApiError::missing("container_id", format!("Container with id '{id}' not found."));
    let found = world.containers.get_mut(id).filter(|found| now - found.used_ms < DIES_AFTER_MS);
    let found = found.ok_or_else(missing)?;
    found.used_ms = now;
    Ok(found)
}

async fn list(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, now) = state.world();
    let found = live(&mut world, &id, now)?;
    Ok(Json(json!({
        "object": "list", "data": [found.file()], "first_id": found.file_id, "last_id": found.file_id,
        "has_more": false,
    })))
}

async fn content(
    Shared(state): Shared<State>,
    Path((id, file)): Path<(String, String)>,
) -> Result<String, ApiError> {
    let (mut world, now) = state.world();
    let found = live(&mut world, &id, now)?;
    if found.file_id != file {
        return Err(ApiError::missing("file_id", format!("No such container file: {file}")));
    }
    Ok(found.content.clone())
}
