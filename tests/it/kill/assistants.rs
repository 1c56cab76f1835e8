//! The life of a run on a compatible server that still serves assistants, killed at each step.

use docket_sandbox::Options;
use serde_json::json;

use super::run::{FILE, HOUR, RESULT, one_result};
use crate::harness::{Dies, Server, Step, contract, legal, openai};

const START: Step = openai("POST", "/v1/threads/*/runs");
const RUNS: Step = openai("GET", "/v1/threads/*/runs");
const LOOK: Step = openai("GET", "/v1/threads/*/runs/*");
const CANCEL: Step = openai("POST", "/v1/threads/*/runs/*/cancel");

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

/// The dead server is started again, and comes to its end with one run.
async fn one_run(mut server: Server) {
    server.start();
    one_result(&mut server).await;
    assert_eq!(statuses(&server).await, ["completed"], "it ran twice");
    assert_eq!(server.paths().await, [RESULT, FILE]);
    server.finish().await;
}

async fn killed(step: Step, dies: Dies) -> Server {
    let mut server = with_assistants().await;
    server.dies_over((&step, dies), (FILE, &contract(1))).await;
    server
}

async fn analysed(step: Step, dies: Dies) {
    one_run(killed(step, dies).await).await;
}

/// It dies when its run was made, and the next one dies too, when it looks for it.
async fn looked_for(step: Step, dies: Dies) {
    let mut server = killed(START, Dies::After).await;
    server.starts_and_dies((&step, dies)).await;
    one_run(server).await;
}

async fn stopped_by_an_edit(step: Step, dies: Dies) {
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
    assert_eq!(server.outcomes().await, ["superseded", "completed"]);
    // The thread of what was cancelled may be gone.
    let mut statuses = statuses(&server).await;
    statuses.retain(|status| status != "cancelled");
    assert_eq!(statuses, ["completed"]);
    assert_eq!(server.paths().await, [RESULT, FILE]);
    server.finish().await;
}

killed! {
    fn killed_while_it_creates_the_thread(): openai("POST", "/v1/threads") => analysed;
    fn killed_while_it_looks_for_the_assistants_run_whose_reply_was_lost(): RUNS => looked_for;
    fn killed_while_it_looks_at_the_assistants_run(): LOOK => analysed;
    fn killed_while_it_reads_what_the_assistant_said(): openai("GET", "/v1/threads/*/messages") => analysed;
    fn killed_while_it_cancels_the_assistants_run(): CANCEL => stopped_by_an_edit;
}

/// A new thread may not show its run at once, so it is made again only when it would be there for certain.
#[tokio::test]
async fn killed_before_the_assistants_run_is_created() {
    let server = killed(START, Dies::Before).await;
    assert!(statuses(&server).await.is_empty());
    server.was_down_for(HOUR).await;
    one_run(server).await;
}

#[tokio::test]
async fn killed_when_the_assistants_run_exists_and_its_reply_is_lost() {
    analysed(START, Dies::After).await;
}
