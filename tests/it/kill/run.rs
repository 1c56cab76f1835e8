//! The life of a run, killed at each step: it ends in one response, one result and no lock.

use std::time::Duration;

use serde_json::json;

use super::both_sides;
use crate::harness::{Dies, Server, Step, contract, fastio, legal, openai};

pub const FILE: &str = "/Contracts/nda.txt";
pub const RESULT: &str = "/Contracts/nda.analysis.md";

const LOCK: Step = fastio("POST", "/current/workspace/*/storage/*/lock/");
const UNLOCK: Step = fastio("DELETE", "/current/workspace/*/storage/*/lock/");
const PLACE: Step = fastio("POST", "/current/workspace/*/storage/*/addfile/");
const REPLACE: Step = fastio("POST", "/current/workspace/*/storage/*/update/");
const UPLOAD: Step = fastio("POST", "/current/upload/");
const CREATE: Step = openai("POST", "/v1/responses");
const LOOK: Step = openai("GET", "/v1/responses/*");
const TRACE: Step = openai("GET", "/v1/conversations/*/items");
const CANCEL: Step = openai("POST", "/v1/responses/*/cancel");

/// How long a slow response takes, and then some: the stand-ins' clock is moved past it.
const SLOW: Duration = Duration::from_secs(60);

pub const HOUR: Duration = Duration::from_secs(60 * 60);

/// What must hold in the end: one result that is written once, one upload, one copy, and nothing held.
pub async fn one_result(server: &mut Server) {
    server.rests().await;
    server.holds_nothing().await;
    assert_eq!(server.outcomes().await, ["completed"]);
    assert!(server.read(RESULT).await.contains("limited to EUR 10,000"));
    assert_eq!(server.versions(RESULT).await, 1, "it was written twice");
    assert_eq!((server.held().await, server.file_objects().await), (vec![FILE.to_owned()], 1));
}

async fn one_response(server: &mut Server) {
    one_result(server).await;
    assert_eq!(server.responses().await.len(), 1, "it ran twice");
}

async fn analysed(step: Step, dies: Dies) {
    let mut server = Server::with(&legal("")).await;
    server.dies_over((&step, dies), (FILE, &contract(1))).await;
    server.start();
    one_response(&mut server).await;
    assert_eq!(server.paths().await, [RESULT, FILE]);
}

#[tokio::test]
async fn killed_while_it_takes_the_lock() {
    both_sides(LOCK, analysed).await;
}

#[tokio::test]
async fn killed_while_it_creates_the_conversation() {
    both_sides(openai("POST", "/v1/conversations"), analysed).await;
}

/// Nothing shows that there is no response, so it is made again only when it would have ended long ago.
#[tokio::test]
async fn killed_before_the_response_is_created() {
    let mut server = Server::with(&legal("")).await;
    server.dies_over((&CREATE, Dies::Before), (FILE, &contract(1))).await;
    assert_eq!(server.responses().await.len(), 0);
    server.was_down_for(HOUR).await;
    server.start();
    one_response(&mut server).await;
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
    one_response(&mut server).await;
}

#[tokio::test]
async fn killed_while_it_looks_for_the_response_whose_reply_was_lost() {
    both_sides(TRACE, async |step, dies| {
        let mut server = Server::with(&legal("")).await;
        server.dies_over((&CREATE, Dies::After), (FILE, &contract(1))).await;
        server.starts_and_dies((&step, dies)).await;
        server.start();
        one_response(&mut server).await;
    })
    .await;
}

#[tokio::test]
async fn killed_while_the_response_runs() {
    both_sides(LOOK, async |step, dies| {
        let mut server = Server::with(&legal("")).await;
        server.openai_fails(json!({"kind": "slow_run", "delay_ms": SLOW.as_millis()})).await;
        server.dies_over((&step, dies), (FILE, &contract(1))).await;
        server.pass(SLOW);
        server.start();
        one_response(&mut server).await;
    })
    .await;
}

#[tokio::test]
async fn killed_while_it_takes_the_answer() {
    both_sides(LOOK, analysed).await;
}

#[tokio::test]
async fn killed_while_it_reads_the_text_that_quotes_are_looked_up_in() {
    both_sides(openai("GET", "/v1/vector_stores/*/files/*/content"), analysed).await;
}

#[tokio::test]
async fn killed_while_it_looks_whether_the_results_name_is_free() {
    both_sides(fastio("GET", "/current/workspace/*/storage/*/list/"), analysed).await;
}

#[tokio::test]
async fn killed_while_it_uploads_the_result() {
    both_sides(UPLOAD, analysed).await;
}

#[tokio::test]
async fn killed_while_it_looks_whether_the_result_is_stored() {
    both_sides(fastio("GET", "/current/upload/*/details/"), analysed).await;
}

#[tokio::test]
async fn killed_while_it_places_the_result() {
    both_sides(PLACE, analysed).await;
}

/// The result was right when it was written, and the server died before it could record that. So each version of it is
/// written once, and the first run has none on record.
#[tokio::test]
async fn killed_when_the_result_is_written_and_the_file_has_a_newer_version_afterwards() {
    let mut server = Server::with(&legal("")).await;
    server.dies_over((&PLACE, Dies::After), (FILE, &contract(1))).await;
    server.put(FILE, &contract(2)).await;
    server.start();
    server.rests().await;
    server.holds_nothing().await;
    assert_eq!(server.outcomes().await, ["superseded", "completed"]);
    assert_eq!(server.versions(RESULT).await, 2);
}

#[tokio::test]
async fn killed_after_it_has_written_and_before_it_lets_go_of_the_lock() {
    both_sides(UNLOCK, analysed).await;
}

#[tokio::test]
async fn killed_while_it_lengthens_the_lock() {
    both_sides(LOCK, async |step, dies| {
        let mut server = Server::with(&legal("")).await;
        server.dies_over((&LOOK, Dies::After), (FILE, &contract(1))).await;
        server.was_down_for(Duration::from_secs(120)).await;
        server
            .starts_and_dies((&Step { path: "/current/workspace/*/storage/*/lock/**", ..step }, dies))
            .await;
        server.start();
        one_response(&mut server).await;
    })
    .await;
}

#[tokio::test]
async fn killed_while_it_writes_a_new_version_of_the_result() {
    both_sides(REPLACE, async |step, dies| {
        let mut server = Server::with(&legal("")).await;
        server.put(FILE, &contract(2)).await;
        server.rests().await;
        server.dies_over((&step, dies), (FILE, &contract(1))).await;
        server.start();
        server.rests().await;
        server.holds_nothing().await;
        assert_eq!(server.outcomes().await, ["completed", "completed"]);
        assert_eq!(server.paths().await, [RESULT, FILE]);
        assert_eq!((server.versions(RESULT).await, server.responses().await.len()), (2, 2));
        assert!(server.read(RESULT).await.contains("limited to EUR 10,000"));
    })
    .await;
}

#[tokio::test]
async fn killed_while_it_writes_the_table() {
    const TABLE: &str = "/Contracts/overview.csv";
    both_sides(PLACE.after(1), async |step, dies| {
        let mut server = Server::with(&legal("digest = 'overview.csv'\ndigest_quiet_seconds = 0")).await;
        server.dies_over((&step, dies), (FILE, &contract(1))).await;
        server.start();
        one_response(&mut server).await;
        assert_eq!(server.paths().await, [RESULT, FILE, TABLE]);
        assert_eq!(server.versions(TABLE).await, 1);
        assert!(server.read(TABLE).await.contains("limited to EUR 10,000"));
    })
    .await;
}

#[tokio::test]
async fn killed_while_it_fetches_a_file_that_code_made() {
    both_sides(openai("GET", "/v1/containers/*/files/*/content"), async |step, dies| {
        let mut server = Server::with(&legal("attach = ['code_interpreter']")).await;
        server.dies_over((&step, dies), (FILE, &contract(1))).await;
        server.start();
        one_response(&mut server).await;
        assert_eq!(server.paths().await, [RESULT, FILE, "/Contracts/nda.words.csv"]);
        assert_eq!(server.versions("/Contracts/nda.words.csv").await, 1);
    })
    .await;
}

/// The response takes longer than anybody waits, once, and is looked at before `stop` is done.
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
    server.holds_nothing().await;
    server
}

#[tokio::test]
async fn killed_while_it_cancels_the_run_of_an_older_version() {
    both_sides(CANCEL, async |step, dies| {
        let edit = async |server: &mut Server| drop(server.put(FILE, &contract(1)).await);
        let server = stopped((step, dies), edit).await;
        assert_eq!(server.outcomes().await, ["superseded", "completed"]);
        assert_eq!(server.statuses().await, ["cancelled", "completed"]);
        assert!(server.read(RESULT).await.contains("limited to EUR 10,000"));
        assert_eq!(server.versions(RESULT).await, 1);
    })
    .await;
}

#[tokio::test]
async fn killed_while_it_cancels_what_a_person_stopped() {
    both_sides(CANCEL, async |step, dies| {
        let cancel = async |server: &mut Server| server.docket(&["runs", "cancel", "1"]);
        let server = stopped((step, dies), cancel).await;
        assert_eq!(server.outcomes().await, ["cancelled"]);
        assert_eq!(server.statuses().await, ["cancelled"]);
        assert_eq!(server.paths().await, [FILE]);
    })
    .await;
}

#[tokio::test]
async fn killed_while_it_cancels_a_run_that_takes_too_long() {
    both_sides(CANCEL, async |step, dies| {
        let mut server = Server::with(&legal("")).await;
        server.openai_fails(json!({"kind": "slow_run"})).await;
        server.dies_over((&LOOK, Dies::After), (FILE, &contract(1))).await;
        server.was_down_for(HOUR).await;
        server.starts_and_dies((&step, dies)).await;
        server.start();
        server.rests().await;
        server.holds_nothing().await;
        assert_eq!(server.outcomes().await, ["failed"]);
        assert_eq!(server.statuses().await, ["cancelled"]);
        assert_eq!(server.paths().await, [FILE]);
    })
    .await;
}
