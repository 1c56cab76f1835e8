//! The life of a file, killed at each step.

use crate::harness::{Dies, ONE_STORE, Server, Step, fastio, openai};

const FILE: &str = "/Contracts/nda.txt";

const LOOK: Step = fastio("GET", "/current/workspace/*/storage/*/details/");
const READ: Step = fastio("GET", "/current/workspace/*/storage/*/read/");
const LIST: Step = fastio("GET", "/current/workspace/*/storage/*/list/");
const UPLOAD: Step = openai("POST", "/v1/files");
const FILES: Step = openai("GET", "/v1/files");
const STORE: Step = openai("POST", "/v1/vector_stores");
const STORES: Step = openai("GET", "/v1/vector_stores");
const LOOK_AT_STORE: Step = openai("GET", "/v1/vector_stores/*");
const ATTACH: Step = openai("POST", "/v1/vector_stores/*/files");
const ATTACH_TOGETHER: Step = openai("POST", "/v1/vector_stores/*/file_batches");
const LOOK_AT_BATCH: Step = openai("GET", "/v1/vector_stores/*/file_batches/*/files");
const LOOK_AT_COPY: Step = openai("GET", "/v1/vector_stores/*/files/*");
const RELABEL: Step = openai("POST", "/v1/vector_stores/*/files/*");
const DETACH: Step = openai("DELETE", "/v1/vector_stores/*/files/*");
const DELETE: Step = openai("DELETE", "/v1/files/*");
const LOOK_FOR_DELETED: Step = openai("GET", "/v1/files/*");

/// The dead server is started again. What must hold in the end, beside what must hold always: there is one store, and each
/// version was uploaded once.
async fn in_line(server: &mut Server, versions: usize) {
    server.start();
    server.rests().await;
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
    in_line(&mut server, 1).await;
    server.finish().await;
}

/// The server dies, and the next one dies too, when it looks for what the first has made.
async fn killed_again(first: Step, step: Step, dies: Dies) {
    let mut server = Server::with(ONE_STORE).await;
    server.dies_over((&first, Dies::After), (FILE, "the first version")).await;
    server.starts_and_dies((&step, dies)).await;
    in_line(&mut server, 1).await;
    server.finish().await;
}

async fn store_looked_for(step: Step, dies: Dies) {
    killed_again(STORE, step, dies).await;
}

async fn upload_looked_for(step: Step, dies: Dies) {
    killed_again(UPLOAD, step, dies).await;
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
    in_line(&mut server, 2).await;
    server.never_unsearchable(FILE).await;
    server.finish().await;
}

/// A file is put into Fastio and edited, and each time its copy goes with all others that wait.
async fn together(step: Step, dies: Dies) {
    let mut server = Server::with(&format!("[sync]\nattach_together_from = 1\n{ONE_STORE}")).await;
    server.dies_over((&step, dies), (FILE, "the first version")).await;
    in_line(&mut server, 1).await;
    server.dies_over((&step, dies), (FILE, "the second version")).await;
    server.never_unsearchable(FILE).await;
    in_line(&mut server, 2).await;
    server.never_unsearchable(FILE).await;
    server.finish().await;
}

async fn renamed(step: Step, dies: Dies) {
    let mut server = with_file().await;
    let held = server.hold(&step, dies);
    server.rename(FILE, "/Contracts/signed.txt").await;
    server.dies_when(held).await;
    in_line(&mut server, 1).await;
    assert_eq!(server.held().await, ["/Contracts/signed.txt"]);
    server.finish().await;
}

async fn folder_moved(step: Step, dies: Dies) {
    let mut server = with_file().await;
    let held = server.hold(&step, dies);
    server.rename("/Contracts", "/Archive").await;
    server.dies_when(held).await;
    in_line(&mut server, 1).await;
    assert_eq!(server.held().await, ["/Archive/nda.txt"]);
    server.finish().await;
}

async fn deleted(step: Step, dies: Dies) {
    let mut server = with_file().await;
    let held = server.hold(&step, dies);
    server.trash(FILE).await;
    server.dies_when(held).await;
    in_line(&mut server, 1).await;
    assert_eq!(server.file_objects().await, 0);
    server.finish().await;
}

killed! {
    fn killed_while_it_asks_what_a_file_is(): LOOK => added;
    fn killed_while_it_asks_where_a_file_is(): LOOK.after(1) => added;
    fn killed_while_it_begins_to_download(): READ => added;
    fn killed_while_it_creates_the_vector_store(): STORE => added;
    fn killed_while_it_looks_for_the_vector_store_that_it_created(): STORES => store_looked_for;
    fn killed_while_it_looks_whether_the_vector_store_is_sound(): LOOK_AT_STORE => added;
    fn killed_while_it_uploads(): UPLOAD => added;
    fn killed_while_it_looks_for_the_upload_whose_answer_it_did_not_get(): FILES => upload_looked_for;
    fn killed_while_it_attaches(): ATTACH => added;
    fn killed_while_it_attaches_files_together(): ATTACH_TOGETHER => together;
    fn killed_while_it_looks_what_became_of_a_batch(): LOOK_AT_BATCH => together;
    fn killed_while_it_waits_for_the_index(): LOOK_AT_COPY => added;
    fn killed_while_it_relabels_a_renamed_file(): RELABEL => renamed;
    fn killed_while_it_lists_a_folder_that_was_moved(): LIST => folder_moved;
    fn killed_while_it_uploads_an_edited_file(): UPLOAD => edited;
    fn killed_while_it_attaches_an_edited_file(): ATTACH => edited;
    fn killed_while_it_waits_for_the_index_of_an_edited_file(): LOOK_AT_COPY => edited;
    fn killed_while_it_detaches_the_old_version(): DETACH => edited;
    fn killed_while_it_deletes_the_old_version(): DELETE => edited;
    fn killed_while_it_detaches_a_deleted_file(): DETACH => deleted;
    fn killed_while_it_deletes_a_deleted_files_object(): DELETE => deleted;
    fn killed_while_it_looks_whether_the_store_has_forgotten_a_deleted_file(): LOOK_AT_COPY => deleted;
    fn killed_while_it_looks_whether_openai_has_forgotten_a_deleted_file(): LOOK_FOR_DELETED => deleted;
}
