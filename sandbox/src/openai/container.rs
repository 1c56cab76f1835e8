//! Containers: made, listed and deleted, with the files that a person put in (`user`) and those that code made (`assistant`).
//! The stand-in's code interpreter leaves a table of the words that it counted.
//!
//! The paths and fields are those of OpenAI's API reference and official libraries. That a container dies 20 minutes after it
//! was last used, and that only its own record can be read then, is documented; what is answered otherwise is inferred.

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::routing::get;
use serde_json::{Value, json};

use super::ask::ResponseRequest;
use super::container_file::{self, File, Source};
use super::error::ApiError;
use super::model::Document;
use super::read::{Fields, Query};
use super::shelf::{PageRequest, Shelf};
use super::state::{State, World, seconds};

/// OpenAI's guide on code interpreter.
const DIES_AFTER_MINUTES: i64 = 20;

/// The sizes that a container may have, by the official libraries.
const MEMORY: [&str; 4] = ["1g", "4g", "16g", "64g"];

/// OpenAI's OpenAPI document: at most this many files are put into a container that a tool makes.
const MAX_FILES: usize = 50;

/// What the stand-in's code leaves in every container.
const MADE: &str = "words.csv";

/// Files that a run makes which is told to make many: more than one page of a client that asks for the most there may be.
const MANY: usize = 125;

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

/// One container.
#[derive(Debug)]
pub struct Container {
    id: String,
    name: String,
    memory_limit: String,
    lives_ms: i64,
    pub files: Shelf<File>,
    created_ms: i64,
    used_ms: i64,
}

impl Container {
    fn new(world: &mut World, name: String, now: i64) -> Container {
        Container {
            id: world.ids.hex("cntr_"),
            name,
            memory_limit: MEMORY[0].to_owned(),
            lives_ms: DIES_AFTER_MINUTES * 60_000,
            files: Shelf::default(),
            created_ms: now,
            used_ms: now,
        }
    }

    fn is_alive(&self, now: i64) -> bool {
        now - self.used_ms < self.lives_ms
    }

    fn show(&self, now: i64) -> Value {
        json!({
            "id": self.id, "object": "container", "name": self.name, "created_at": seconds(self.created_ms),
            "status": if self.is_alive(now) { "running" } else { "expired" },
            "expires_after": {"anchor": "last_active_at", "minutes": self.lives_ms / 60_000},
            "last_active_at": seconds(self.used_ms), "memory_limit": self.memory_limit,
            "network_policy": {"type": "disabled"},
        })
    }

    /// With its files.
    pub fn inspect(&self, now: i64) -> Value {
        let mut shown = self.show(now);
        shown["files"] = self.files.iter().map(|file| file.show(&self.id)).collect();
        shown
    }

    /// Puts in a File object's content.
    fn mount(&mut self, world: &mut World, id: &str, now: i64) -> Result<(), ApiError> {
        let made = world.ids.hex("cfile_");
        let file = File::of(world.file(id, now).ok_or_else(|| ApiError::no_file(id))?, made, now);
        self.files.put(&file.id.clone(), file);
        Ok(())
    }
}

/// Runs the stand-in's code over what the model is shown, in the container that the tool names or in a new one. `told` is
/// what it was told to make besides. Returns the output item that tells of the code, and the annotation by which the answer
/// names a file.
pub fn run(
    world: &mut World,
    tool: &Value,
    asked: &ResponseRequest,
    (told, now): (Option<&str>, i64),
) -> Result<(Value, Value), ApiError> {
    let named = tool["container"].as_str().and_then(|id| world.containers.take(id));
    let mut container = match named {
        Some(container) => container,
        None => {
            let mut made = Container::new(world, "auto".to_owned(), now);
            asked.shown_files().into_iter().take(MAX_FILES).try_for_each(|id| made.mount(world, id, now))?;
            made
        }
    };
    container.used_ms = now;
    let mut first = None;
    for (name, content) in makes(&asked.prompt.documents, told) {
        let file = File::new(world.ids.hex("cfile_"), (name, content), (Source::Assistant, now));
        first.get_or_insert_with(|| file.id.clone());
        container.files.put(&file.id.clone(), file);
    }
    let call = json!({
        "id": world.ids.hex("ci_"), "type": "code_interpreter_call", "status": "completed",
        "container_id": container.id, "code": "count_words(documents).to_csv('words.csv')", "outputs": null,
    });
    let citation = json!({
        "type": "container_file_citation", "container_id": container.id, "file_id": first, "filename": MADE,
        "start_index": 0, "end_index": 0,
    });
    let id = container.id.clone();
    world.containers.put(&id, container);
    Ok((call, citation))
}

/// The names and contents that the code makes.
fn makes(documents: &[Document], told: Option<&str>) -> Vec<(String, Vec<u8>)> {
    let rows = documents.iter().map(|document| {
        let words = document.text.split_whitespace().count();
        format!("\"{}\",{words}\n", document.filename.replace('"', "\"\""))
    });
    let content: String = std::iter::once("file,words\n".to_owned()).chain(rows).collect();
    let mut made = vec![(MADE.to_owned(), content.into_bytes())];
    match told {
        Some(MANY_FILES) => {
            let part = |number| (format!("part {number}.txt"), format!("{number}\n").into_bytes());
            made.extend((1..MANY).map(part));
        }
        Some(LARGE_FILE) => {
            made.push(("large.txt".to_owned(), b"0123456789abcde\n".repeat(LARGE_BYTES / 16)))
        }
        Some(HOSTILE_FILES) => made.extend(hostile()),
        _ => {}
    }
    made
}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/v1/containers", get(list).post(create))
        .route("/v1/containers/{container}", get(look).delete(remove))
        .merge(container_file::routes())
}

fn missing(id: &str) -> ApiError {
    ApiError::missing("container_id", format!("Container with id '{id}' not found."))
}

/// A container that can be used, which this counts as.
pub fn live<'a>(world: &'a mut World, id: &str, now: i64) -> Result<&'a mut Container, ApiError> {
    let found =
        world.containers.get_mut(id).filter(|found| found.is_alive(now)).ok_or_else(|| missing(id))?;
    found.used_ms = now;
    Ok(found)
}

/// The `memory_limit` of a request.
pub fn memory_limit(fields: &Fields) -> Result<Option<&str>, ApiError> {
    fields.one_of("memory_limit", MEMORY)
}

/// The `file_ids` of a request.
pub fn file_ids(fields: &Fields) -> Result<Vec<String>, ApiError> {
    let ids = fields.texts("file_ids")?.unwrap_or_default();
    if ids.len() > MAX_FILES {
        return Err(ApiError::too_many(&fields.param("file_ids"), MAX_FILES));
    }
    Ok(ids)
}

async fn create(Shared(state): Shared<State>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let known = ["name", "expires_after", "file_ids", "memory_limit", "network_policy", "skills"];
    let fields = Fields::parse(&body, &known)?;
    let name = fields.required_text("name")?.to_owned();
    let (memory, files) = (memory_limit(&fields)?, file_ids(&fields)?);
    let minutes = expires_after(&fields)?.unwrap_or(DIES_AFTER_MINUTES);
    let (mut world, now) = state.world();
    let mut made = Container::new(&mut world, name, now);
    made.lives_ms = minutes * 60_000;
    memory.unwrap_or(MEMORY[0]).clone_into(&mut made.memory_limit);
    files.iter().try_for_each(|id| made.mount(&mut world, id, now))?;
    let (id, shown) = (made.id.clone(), made.show(now));
    world.containers.put(&id, made);
    Ok(Json(shown))
}

/// That a container lives for at most as long as it would without this is inferred.
fn expires_after(fields: &Fields) -> Result<Option<i64>, ApiError> {
    let Some(value) = fields.value("expires_after") else { return Ok(None) };
    let rule = Fields::of(value.clone(), "expires_after.".to_owned(), &["anchor", "minutes"])?;
    rule.one_of_required("anchor", ["last_active_at"])?;
    rule.required("minutes")?;
    rule.integer("minutes", 1, DIES_AFTER_MINUTES)
}

async fn list(Shared(state): Shared<State>, query: Query) -> Result<Json<Value>, ApiError> {
    let ask = PageRequest::usual(&query)?;
    let name = query.get("name");
    let (world, now) = state.world();
    let shown = |one: &Container| name.is_none_or(|name| name == one.name).then(|| one.show(now));
    world.containers.page(&ask, shown).map(Json)
}

async fn look(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (world, now) = state.world();
    world.containers.get(&id).map(|found| Json(found.show(now))).ok_or_else(|| missing(&id))
}

async fn remove(Shared(state): Shared<State>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let (mut world, _) = state.world();
    world.containers.take(&id).ok_or_else(|| missing(&id))?;
    Ok(Json(json!({"id": id, "object": "container.deleted", "deleted": true})))
}
