//! The life of a file, killed at each step.

use super::both_sides;
use crate::harness::{Dies, ONE_STORE, Server, Step, fastio, openai};

const FILE: &str = "/Contracts/nda.txt";

const LOOK: Step = fastio("GET", "/current/workspace/*/storage/*/details/");
const UPLOAD: Step = openai("POST", "/v1/files");
const FILES: Step = openai("GET", "/v1/files");
const STORE: Step = openai("POST", "/v1/vector_stores");
const STORES: Step = openai("GET", "/v1/vector_stores");
const ATTACH: Step = openai("POST", "/v1/vector_stores/*/files");
const LOOK_AT_COPY: Step = openai("GET", "/v1/vector_stores/*/files/*");
const RELABEL: Step = openai("POST", "/v1/vector_stores/*/files/*");
const DETACH: Step = openai("DELETE", "/v1/vector_stores/*/files/*");
const DELETE: Step = openai("DELETE", "/v1/files/*");
const LOOK_FOR_DELETED: Step = openai("GET", "/v1/files/*");

/// What must hold in the end: both sides agree, in the one store there is, after one upload for each version.
async fn in_line(server: &mut Server, versions: usize) {
    server.rests().await;
    server.sides_agree().await;
    assert_eq!(server.openai_state().await["vector_stores"].as_array().unwrap().len(), 1);
    let requests = server.openai_requests().await;
    let made = requests.iter().filter(|request| {
        request["method"] == "POST" && request["path"] == "/v1/files" && request["outcome"] == 200
    });
    assert_eq!(made.count(), versions, "uploads that took effect");
}

/// A file is put into Fastio.
async fn added(step: Step, dies: Dies) {
    let mut server = Server::with(ONE_STORE).await;
    server.dies_over((&step, dies), (FILE, "the first version")).await;
    server.start();
    in_line(&mut server, 1).await;
}

/// The server dies, and the next one dies too, when it looks for what the first has made.
async fn added_and_killed_again(first: Step, then: (Step, Dies)) {
    let mut server = Server::with(ONE_STORE).await;
    server.dies_over((&first, Dies::After), (FILE, "the first version")).await;
    server.starts_and_dies((&then.0, then.1)).await;
    server.start();
    in_line(&mut server, 1).await;
}

/// A server with a file that is searchable.
async fn with_file() -> Server {
    let mut server = Server::with(ONE_STORE).await;
    server.put(FILE, "the first version").await;
    server.rests().await;
    server
}

/// A file is edited: at every moment one of its versions is found.
async fn edited(step: Step, dies: Dies) {
    let mut server = with_file().await;
    server.dies_over((&step, dies), (FILE, "the second version")).await;
    server.never_unsearchable(FILE).await;
    server.start();
    in_line(&mut server, 2).await;
    server.never_unsearchable(FILE).await;
}

async fn renamed(step: Step, dies: Dies) {
    let mut server = with_file().await;
    let held = server.hold(&step, dies);
    server.rename(FILE, "/Contracts/signed.txt").await;
    server.dies_when(held).await;
    server.start();
    in_line(&mut server, 1).await;
    assert_eq!(server.held().await, ["/Contracts/signed.txt"]);
}

async fn folder_moved(step: Step, dies: Dies) {
    let mut server = with_file().await;
    let held = server.hold(&step, dies);
    server.rename("/Contracts", "/Archive").await;
    server.dies_when(held).await;
    server.start();
    in_line(&mut server, 1).await;
    assert_eq!(server.held().await, ["/Archive/nda.txt"]);
}

async fn deleted(step: Step, dies: Dies) {
    let mut server = with_file().await;
    let held = server.hold(&step, dies);
    server.trash(FILE).await;
    server.dies_when(held).await;
    server.start();
    in_line(&mut server, 1).await;
    assert_eq!(server.file_objects().await, 0);
}

#[tokio::test]
async fn killed_while_it_asks_what_a_file_is() {
    both_sides(LOOK, added).await;
}

#[tokio::test]
async fn killed_while_it_asks_where_a_file_is() {
    both_sides(LOOK.after(1), added).await;
}

#[tokio::test]
async fn killed_while_it_asks_leave_to_download() {
    both_sides(fastio("GET", "/current/workspace/*/storage/*/requestread/"), added).await;
}

#[tokio::test]
async fn killed_while_it_begins_to_download() {
    both_sides(fastio("GET", "/current/workspace/*/storage/*/read/"), added).await;
}

#[tokio::test]
async fn killed_while_it_creates_the_vector_store() {
    both_sides(STORE, added).await;
}

#[tokio::test]
async fn killed_while_it_looks_for_the_vector_store_that_it_created() {
    both_sides(STORES, async |step, dies| added_and_killed_again(STORE, (step, dies)).await).await;
}

#[tokio::test]
async fn killed_while_it_looks_whether_the_vector_store_is_sound() {
    both_sides(openai("GET", "/v1/vector_stores/*"), added).await;
}

#[tokio::test]
async fn killed_while_it_uploads() {
    both_sides(UPLOAD, added).await;
}

#[tokio::test]
async fn killed_while_it_looks_for_the_upload_whose_answer_it_did_not_get() {
    both_sides(FILES, async |step, dies| added_and_killed_again(UPLOAD, (step, dies)).await).await;
}

#[tokio::test]
async fn killed_while_it_attaches() {
    both_sides(ATTACH, added).await;
}

#[tokio::test]
async fn killed_while_it_waits_for_the_index() {
    both_sides(LOOK_AT_COPY, added).await;
}

#[tokio::test]
async fn killed_while_it_relabels_a_renamed_file() {
    both_sides(RELABEL, renamed).await;
}

#[tokio::test]
async fn killed_while_it_lists_a_folder_that_was_moved() {
    both_sides(fastio("GET", "/current/workspace/*/storage/*/list/"), folder_moved).await;
}

#[tokio::test]
async fn killed_while_it_uploads_an_edited_file() {
    both_sides(UPLOAD, edited).await;
}

#[tokio::test]
async fn killed_while_it_attaches_an_edited_file() {
    both_sides(ATTACH, edited).await;
}

#[tokio::test]
async fn killed_while_it_waits_for_the_index_of_an_edited_file() {
    both_sides(LOOK_AT_COPY, edited).await;
}

#[tokio::test]
async fn killed_while_it_detaches_the_old_version() {
    both_sides(DETACH, edited).await;
}

#[tokio::test]
async fn killed_while_it_deletes_the_old_version() {
    both_sides(DELETE, edited).await;
}

#[tokio::test]
async fn killed_while_it_detaches_a_deleted_file() {
    both_sides(DETACH, deleted).await;
}

#[tokio::test]
async fn killed_while_it_deletes_a_deleted_files_object() {
    both_sides(DELETE, deleted).await;
}

#[tokio::test]
async fn killed_while_it_looks_whether_the_store_has_forgotten_a_deleted_file() {
    both_sides(LOOK_AT_COPY, deleted).await;
}

#[tokio::test]
async fn killed_while_it_looks_whether_openai_has_forgotten_a_deleted_file() {
    both_sides(LOOK_FOR_DELETED, deleted).await;
}
