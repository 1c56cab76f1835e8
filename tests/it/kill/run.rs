//! The life of a run, killed at each step: it ends in one response, one result and no lock.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Dies, Server, Step, contract, fastio, legal, openai};

pub const FILE: &str = "/Contracts/nda.txt";
pub const RESULT: &str = "/Contracts/nda.analysis.md";
const WORDS: &str = "/Contracts/nda.words.csv";
const TABLE: &str = "/Contracts/overview.csv";

const LOCK: Step = fastio("POST", "/current/workspace/*/storage/*/lock/");
const ANY_LOCK: Step = fastio("POST", "/current/workspace/*/storage/*/lock/**");
const UNLOCK: Step = fastio("DELETE", "/current/workspace/*/storage/*/lock/");
const PLACE: Step = fastio("POST", "/current/workspace/*/storage/*/addfile/");
const REPLACE: Step = fastio("POST", "/current/workspace/*/storage/*/update/");
const LIST: Step = fastio("GET", "/current/workspace/*/storage/*/list/");
const UPLOAD: Step = fastio("POST", "/current/upload/");
const STORED: Step = fastio("GET", "/current/upload/*/details/");
const CREATE: Step = openai("POST", "/v1/responses");
const LOOK: Step = openai("GET", "/v1/responses/*");
const TRACE: Step = openai("GET", "/v1/conversations/*/items");
const TEXT: Step = openai("GET", "/v1/vector_stores/*/files/*/content");
const MADE: Step = openai("GET", "/v1/containers/*/files/*/content");
const CANCEL: Step = openai("POST", "/v1/responses/*/cancel");

/// How long a slow response takes, and then some: the stand-ins' clock is moved past it.
const SLOW: Duration = Duration::from_secs(60);

pub const HOUR: Duration = Duration::from_secs(60 * 60);

/// What must hold in the end: one result that is written once, one upload, one copy.
pub async fn one_result(server: &mut Server) {
    server.rests().await;
    assert_eq!(server.outcomes().await, ["completed"]);
    assert!(server.read(RESULT).await.contains("limited to EUR 10,000"));
    assert_eq!(server.versions(RESULT).await, 1, "it was written twice");
    assert_eq!((server.held().await, server.file_objects().await), (vec![FILE.to_owned()], 1));
}

/// The dead server is started again, and comes to its end with one response.
async fn one_response(mut server: Server, paths: &[&str]) {
    server.start();
    ends_with_one_response(server, paths).await;
}

async fn ends_with_one_response(mut server: Server, paths: &[&str]) {
    one_result(&mut server).await;
    assert_eq!(server.responses().await.len(), 1, "it ran twice");
    assert_eq!(server.paths().await, paths);
    server.finish().await;
}

/// The server of `settings` is killed over a new file.
async fn killed(settings: &str, step: Step, dies: Dies) -> Server {
    let mut server = Server::with(settings).await;
    server.dies_over((&step, dies), (FILE, &contract(1))).await;
    server
}

async fn analysed(step: Step, dies: Dies) {
    one_response(killed(&legal(""), step, dies).await, &[RESULT, FILE]).await;
}

/// It dies when its response was made, and the next one dies too, when it looks for it.
async fn looked_for(step: Step, dies: Dies) {
    let mut server = killed(&legal(""), CREATE, Dies::After).await;
    server.starts_and_dies((&step, dies)).await;
    one_response(server, &[RESULT, FILE]).await;
}

async fn analysed_slowly(step: Step, dies: Dies) {
    let mut server = Server::with(&legal("")).await;
    server.openai_fails(json!({"kind": "slow_run", "delay_ms": SLOW.as_millis()})).await;
    server.dies_over((&step, dies), (FILE, &contract(1))).await;
    server.pass(SLOW);
    one_response(server, &[RESULT, FILE]).await;
}

async fn locked_for_long(step: Step, dies: Dies) {
    let mut server = killed(&legal(""), LOOK, Dies::After).await;
    server.was_down_for(Duration::from_secs(120)).await;
    server.starts_and_dies((&step, dies)).await;
    one_response(server, &[RESULT, FILE]).await;
}

async fn analysed_anew(step: Step, dies: Dies) {
    let mut server = Server::with(&legal("")).await;
    server.put(FILE, &contract(2)).await;
    server.rests().await;
    server.dies_over((&step, dies), (FILE, &contract(1))).await;
    server.start();
    server.rests().await;
    assert_eq!(server.outcomes().await, ["completed", "completed"]);
    assert_eq!(server.paths().await, [RESULT, FILE]);
    assert_eq!((server.versions(RESULT).await, server.responses().await.len()), (2, 2));
    assert!(server.read(RESULT).await.contains("limited to EUR 10,000"));
    server.finish().await;
}

async fn listed_in_a_table(step: Step, dies: Dies) {
    let mut server = killed(&legal("digest = 'overview.csv'\ndigest_quiet_seconds = 0"), step, dies).await;
    server.start();
    server.rests().await;
    assert_eq!(server.versions(TABLE).await, 1);
    assert!(server.read(TABLE).await.contains("limited to EUR 10,000"));
    ends_with_one_response(server, &[RESULT, FILE, TABLE]).await;
}

async fn with_a_file_of_its_own(step: Step, dies: Dies) {
    let mut server = killed(&legal("attach = ['code_interpreter']"), step, dies).await;
    server.start();
    server.rests().await;
    assert_eq!(server.versions(WORDS).await, 1);
    ends_with_one_response(server, &[RESULT, FILE, WORDS]).await;
}

/// One response takes longer than any deadline, and is looked at before `stop` is done.
async fn stopped(step: (Step, Dies), stop: impl AsyncFnOnce(&mut Server)) -> Server {
    let mut server = Server::with(&legal("")).await;
    server.openai_fails(json!({"kind": "slow_run", "count": 1})).await;
    let runs = server.sees(&LOOK);
    let held = server.hold(&step.0, step.1);
    server.put(FILE, &contract(2)).await;
    runs.await;
    stop(&mut server).await;
    server.dies_when(held).await;
    server.start();
    server.rests().await;
    server
}

async fn stopped_by_an_edit(step: Step, dies: Dies) {
    let edit = async |server: &mut Server| drop(server.put(FILE, &contract(1)).await);
    let server = stopped((step, dies), edit).await;
    assert_eq!(server.outcomes().await, ["superseded", "completed"]);
    assert_eq!(server.statuses().await, ["cancelled", "completed"]);
    assert!(server.read(RESULT).await.contains("limited to EUR 10,000"));
    assert_eq!(server.versions(RESULT).await, 1);
    server.finish().await;
}

async fn stopped_by_a_person(step: Step, dies: Dies) {
    let cancel = async |server: &mut Server| server.docket(&["runs", "cancel", "1"]);
    ends_cancelled(stopped((step, dies), cancel).await, "cancelled").await;
}

async fn stopped_by_its_deadline(step: Step, dies: Dies) {
    let mut server = Server::with(&legal("")).await;
    server.openai_fails(json!({"kind": "slow_run"})).await;
    server.dies_over((&LOOK, Dies::After), (FILE, &contract(1))).await;
    server.was_down_for(HOUR).await;
    server.starts_and_dies((&step, dies)).await;
    server.start();
    server.rests().await;
    ends_cancelled(server, "failed").await;
}

async fn ends_cancelled(server: Server, outcome: &str) {
    assert_eq!(server.outcomes().await, [outcome]);
    assert_eq!(server.statuses().await, ["cancelled"]);
    assert_eq!(server.paths().await, [FILE]);
    server.finish().await;
}

killed! {
    fn killed_while_it_takes_the_lock(): LOCK => analysed;
    fn killed_while_it_creates_the_conversation(): openai("POST", "/v1/conversations") => analysed;
    fn killed_while_it_looks_for_the_response_whose_reply_was_lost(): TRACE => looked_for;
    fn killed_while_the_response_runs(): LOOK => analysed_slowly;
    fn killed_while_it_takes_the_answer(): LOOK => analysed;
    fn killed_while_it_reads_the_text_that_quotes_are_looked_up_in(): TEXT => analysed;
    fn killed_while_it_looks_whether_the_results_name_is_free(): LIST => analysed;
    fn killed_while_it_uploads_the_result(): UPLOAD => analysed;
    fn killed_while_it_looks_whether_the_result_is_stored(): STORED => analysed;
    fn killed_while_it_places_the_result(): PLACE => analysed;
    fn killed_after_it_has_written_and_before_it_lets_go_of_the_lock(): UNLOCK => analysed;
    fn killed_while_it_lengthens_the_lock(): ANY_LOCK => locked_for_long;
    fn killed_while_it_writes_a_new_version_of_the_result(): REPLACE => analysed_anew;
    fn killed_while_it_writes_the_table(): PLACE.after(1) => listed_in_a_table;
    fn killed_while_it_fetches_a_file_that_code_made(): MADE => with_a_file_of_its_own;
    fn killed_while_it_cancels_the_run_of_an_older_version(): CANCEL => stopped_by_an_edit;
    fn killed_while_it_cancels_what_a_person_stopped(): CANCEL => stopped_by_a_person;
    fn killed_while_it_cancels_a_run_that_takes_too_long(): CANCEL => stopped_by_its_deadline;
}

/// Nothing shows that there is no response, so it is made again only when it would have ended long ago.
#[tokio::test]
async fn killed_before_the_response_is_created() {
    let server = killed(&legal(""), CREATE, Dies::Before).await;
    assert_eq!(server.responses().await.len(), 0);
    server.was_down_for(HOUR).await;
    one_response(server, &[RESULT, FILE]).await;
}

#[tokio::test]
async fn killed_when_the_response_has_ended_and_its_reply_is_lost() {
    analysed(CREATE, Dies::After).await;
}

/// Its conversation shows nothing yet. OpenAI's webhook tells of it when it has ended.
#[tokio::test]
async fn killed_when_the_response_goes_on_and_its_reply_is_lost() {
    let mut server = Server::with(&legal("")).await;
    server.openai_fails(json!({"kind": "slow_run", "delay_ms": SLOW.as_millis()})).await;
    server.dies_over((&CREATE, Dies::After), (FILE, &contract(1))).await;
    let traced = server.sees(&TRACE);
    server.start();
    traced.await;
    server.pass(SLOW);
    let response = server.responses().await[0]["id"].as_str().unwrap().to_owned();
    server.hear_of(&response).await;
    ends_with_one_response(server, &[RESULT, FILE]).await;
}

/// The result was right when it was written, and the server died before it could record that. So each version of it is
/// written once, and the first run has none on record.
#[tokio::test]
async fn killed_when_the_result_is_written_and_the_file_has_a_newer_version_afterwards() {
    let mut server = killed(&legal(""), PLACE, Dies::After).await;
    server.put(FILE, &contract(2)).await;
    server.start();
    server.rests().await;
    assert_eq!(server.outcomes().await, ["superseded", "completed"]);
    assert_eq!(server.versions(RESULT).await, 2);
    server.finish().await;
}
