//! The life of a run on a compatible server that still serves assistants, killed at each step.

use docket_sandbox::Options;
use serde_json::json;

use super::both_sides;
use super::run::{FILE, HOUR, RESULT, one_result};
use crate::harness::{Dies, Server, Step, contract, legal, openai};

const START: Step = openai("POST", "/v1/threads/*/runs");
const RUNS: Step = openai("GET", "/v1/threads/*/runs");
const LOOK: Step = openai("GET", "/v1/threads/*/runs/*");

async fn with_assistants() -> Server {
    let settings =
        legal("engine = 'assistants'\nassistant = 'asst_1'").replace("model = 'sandbox-rules'", "");
    Server::between(&settings, Options { assistants: true, ..Options::default() }).await
}

/// The statuses of the runs in all threads.
async fn statuses(server: &Server) -> Vec<String> {
    let state = server.openai_state().await;
    let threads = state["threads"].as_array().unwrap().iter();
    let runs = threads.flat_map(|thread| thread["runs"].as_array().unwrap());
    runs.map(|run| run["status"].as_str().unwrap().to_owned()).collect()
}

async fn one_run(server: &mut Server) {
    one_result(server).await;
    assert_eq!(statuses(server).await, ["completed"], "it ran twice");
    assert_eq!(server.paths().await, [RESULT, FILE]);
}

async fn analysed(step: Step, dies: Dies) {
    let mut server = with_assistants().await;
    server.dies_over((&step, dies), (FILE, &contract(1))).await;
    server.start();
    one_run(&mut server).await;
}

#[tokio::test]
async fn killed_while_it_creates_the_thread() {
    both_sides(openai("POST", "/v1/threads"), analysed).await;
}

/// A new thread may not show its run at once, so it is made again only when it would be there for certain.
#[tokio::test]
async fn killed_before_the_assistants_run_is_created() {
    let mut server = with_assistants().await;
    server.dies_over((&START, Dies::Before), (FILE, &contract(1))).await;
    assert!(statuses(&server).await.is_empty());
    server.was_down_for(HOUR).await;
    server.start();
    one_run(&mut server).await;
}

#[tokio::test]
async fn killed_when_the_assistants_run_exists_and_its_reply_is_lost() {
    analysed(START, Dies::After).await;
}

#[tokio::test]
async fn killed_while_it_looks_for_the_assistants_run_whose_reply_was_lost() {
    both_sides(RUNS, async |step, dies| {
        let mut server = with_assistants().await;
        server.dies_over((&START, Dies::After), (FILE, &contract(1))).await;
        server.starts_and_dies((&step, dies)).await;
        server.start();
        one_run(&mut server).await;
    })
    .await;
}

#[tokio::test]
async fn killed_while_it_looks_at_the_assistants_run() {
    both_sides(LOOK, analysed).await;
}

#[tokio::test]
async fn killed_while_it_reads_what_the_assistant_said() {
    both_sides(openai("GET", "/v1/threads/*/messages"), analysed).await;
}

#[tokio::test]
async fn killed_while_it_cancels_the_assistants_run() {
    both_sides(openai("POST", "/v1/threads/*/runs/*/cancel"), async |step, dies| {
        let mut server = with_assistants().await;
        server.openai_fails(json!({"kind": "slow_run", "count": 1})).await;
        let runs = server.sees(&LOOK);
        let held = server.hold(&step, dies);
        server.put(FILE, &contract(2)).await;
        runs.await;
        server.put(FILE, &contract(1)).await;
        server.dies_when(held).await;
        server.start();
        server.rests().await;
        server.holds_nothing().await;
        assert_eq!(server.outcomes().await, ["superseded", "completed"]);
        // The thread of what was cancelled may be gone.
        let going_on = |status: &&String| *status != "cancelled";
        let statuses = statuses(&server).await;
        assert_eq!(statuses.iter().filter(going_on).collect::<Vec<_>>(), ["completed"]);
        assert_eq!(server.paths().await, [RESULT, FILE]);
    })
    .await;
}
