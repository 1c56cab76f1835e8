//! What the engines are asked, and how they are followed: webhooks, what a run sees, files that code makes, assistants.

use docket_sandbox::Options;
use serde_json::json;

use crate::harness::{Dies, Harness, WORKSPACE, contract, legal, openai};
use crate::openapi;

#[tokio::test]
async fn a_webhook_of_openai_makes_the_run_look_at_once() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "slow_run", "delay_ms": 60_000})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.take_in().await;
    while h.work_one().await {}
    // The response ends at OpenAI; by our clock it is not yet time to look again.
    h.sandbox.openai_core().clock.shift(60_000);
    assert!(!h.work_one().await);
    let response = h.runs().await[0].response.clone().unwrap();
    assert_eq!(h.openai_webhook("wh_1", "response.completed", &response).await, 202);
    while h.work_one().await {}
    assert_eq!(h.outcomes().await, ["completed"]);
    // Sent again, it is known; about something else, it is none of ours.
    assert_eq!(h.openai_webhook("wh_1", "response.completed", &response).await, 202);
    assert_eq!(
        h.openai_webhook("wh_2", "response.completed", "resp_00000000000000000000000000000000").await,
        202
    );
    assert_eq!(h.openai_webhook("wh_3", "batch.completed", "batch_1").await, 202);
    h.finish().await;
}

#[tokio::test]
async fn openai_s_own_webhook_ends_the_wait_for_a_run_once() {
    let h = Harness::with(&legal("")).await;
    h.subscribe_to_openai();
    h.openai_fails(json!([{"kind": "slow_run", "delay_ms": 60_000}, {"kind": "webhook_duplicated"}])).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.take_in().await;
    while h.work_one().await {}
    h.sandbox.openai_core().clock.shift(60_000);
    assert!(!h.work_one().await, "by our clock it is not yet time to look again");
    h.sandbox.openai().flush_webhooks().await;
    while h.work_one().await {}
    assert_eq!(h.outcomes().await, ["completed"]);
    let told = h.openai_state().await["webhooks"]["recent"].clone();
    assert_eq!(
        (&told[0]["type"], &told[0]["outcome"]),
        (&json!("response.completed"), &json!("202 Accepted"))
    );
    assert_eq!(told.as_array().unwrap().len(), 1);
    h.finish().await;
}

#[tokio::test]
async fn a_webhook_tells_the_run_whose_reply_was_lost_its_response() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!([
        {"kind": "slow_run", "delay_ms": 60_000},
        {"kind": "lost_reply", "method": "POST", "path": "/v1/responses", "count": 1},
    ]))
    .await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.take_in().await;
    while h.work_one().await {}
    assert_eq!(h.outcomes().await, ["starting"]);
    let response = h.responses().await[0]["id"].as_str().unwrap().to_owned();
    h.sandbox.openai_core().clock.shift(60_000);
    assert_eq!(h.openai_webhook("wh_1", "response.completed", &response).await, 202);
    while h.work_one().await {}
    assert_eq!(h.outcomes().await, ["completed"]);
    assert_eq!(h.runs().await[0].response, Some(response));
    assert_eq!(h.responses().await.len(), 1);
    h.finish().await;
}

#[tokio::test]
async fn a_webhook_that_nobody_signed_is_refused() {
    let h = Harness::with(&legal("")).await;
    let url = h.webhook_url.join("/webhooks/openai").unwrap();
    let answer = reqwest::Client::new().post(url).json(&json!({"type": "response.completed"})).send().await;
    assert_eq!(answer.unwrap().status(), 401);
    h.finish().await;
}

#[tokio::test]
async fn the_limits_of_attach_and_scope_reach_the_request() {
    let all = "attach = ['file_search', 'code_interpreter']";
    let h = Harness::with(&legal(all)).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    let request = h.openai_requests().await.into_iter().find(|one| one["path"] == "/v1/responses").unwrap();
    let tools = &request["json"]["tools"];
    let filters = tools[0]["filters"]["filters"].as_array().unwrap();
    let keys: Vec<_> = filters.iter().map(|filter| filter["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["content_hash", "source_id"]);
    assert_eq!(tools[1]["type"], "code_interpreter");
    assert_eq!(openapi::faults(&request), Vec::<String>::new());
    h.finish().await;

    let h = Harness::with(&legal("attach = ['file_search']\nscope = 'store'")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    let request = h.openai_requests().await.into_iter().find(|one| one["path"] == "/v1/responses").unwrap();
    assert!(request["json"]["tools"][0]["filters"].is_null());
    h.finish().await;
}

/// What is put into containers, as `NAME: BYTES`, sorted.
async fn put_in(h: &Harness) -> Vec<String> {
    let state = h.openai_state().await;
    let containers = state["containers"].as_array().unwrap().iter();
    let files = containers.flat_map(|container| container["files"].as_array().unwrap());
    let put = files.filter(|file| file["source"] == "user");
    let mut put: Vec<String> =
        put.map(|file| format!("{}: {}", file["path"].as_str().unwrap(), file["bytes"])).collect();
    put.sort();
    put
}

#[tokio::test]
async fn code_is_given_the_file_itself_where_a_search_reads_another_text() {
    let mut book = rust_xlsxwriter::Workbook::new();
    book.add_worksheet().write(0, 0, contract(2)).unwrap();
    let book = book.save_to_buffer().unwrap();
    let h = Harness::with(&legal("attach = ['code_interpreter']")).await;
    h.put("/Contracts/nda.csv", &contract(1)).await;
    h.put_bytes(WORKSPACE, "/Contracts/rates.xlsx", book.clone()).await;
    h.put("/Contracts/plain.txt", &contract(3)).await;
    // The server dies when the first of them is in its container.
    assert!(h.settle_killed(&openai("POST", "/v1/containers/*/files"), Dies::After).await);
    h.converges().await;
    assert!(h.read("/Contracts/nda.analysis.md").await.contains("limited to EUR 10,000"));
    assert_eq!(h.responses().await.len(), 3, "none ran twice");
    let mut put = put_in(&h).await;
    put.dedup();
    let (nda, plain) = (contract(1).len(), contract(3).len());
    let expected = [
        format!("/mnt/data/nda.csv: {nda}"),
        format!("/mnt/data/plain.txt: {plain}"),
        format!("/mnt/data/rates.xlsx: {}", book.len()),
    ];
    assert_eq!(put, expected);
    h.finish().await;
}

#[tokio::test]
async fn what_code_makes_is_delivered_before_its_container_dies() {
    let h = Harness::with(&legal("attach = ['code_interpreter']")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    assert_eq!(
        h.paths().await,
        ["/Contracts/nda.analysis.md", "/Contracts/nda.txt", "/Contracts/nda.words.csv"]
    );
    assert!(h.read("/Contracts/nda.words.csv").await.starts_with("file,words"));
    assert!(h.read("/Contracts/nda.analysis.md").await.contains("nda.words.csv"));
    assert_eq!(h.held().await, ["/Contracts/nda.txt"]);
    h.finish().await;
}

#[tokio::test]
async fn a_container_that_died_costs_its_files_and_not_the_run() {
    // It died before its files were listed, or after that and before they were fetched.
    for (path, made) in [("/v1/containers/*/files", true), ("/v1/containers/*/files/*/content", false)] {
        let h = Harness::with(&legal("attach = ['code_interpreter']")).await;
        h.openai_fails(json!({"kind": "server_error", "method": "GET", "path": path, "count": 1})).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        h.take_in().await;
        while h.work_one().await {}
        h.pass(25 * 60 * 1000);
        h.converges().await;
        assert_eq!(h.outcomes().await, ["completed"], "{path}");
        assert_eq!(h.paths().await, ["/Contracts/nda.analysis.md", "/Contracts/nda.txt"]);
        let analysis = h.read("/Contracts/nda.analysis.md").await;
        assert!(analysis.contains("words.csv, which could not be had"), "{analysis}");
        assert_eq!(analysis.contains("could not be listed"), made, "{analysis}");
        assert!(h.result(1).await["notes"].to_string().contains("could not be had"));
        h.finish().await;
    }
}

#[tokio::test]
async fn more_files_than_are_taken_are_said() {
    let h = Harness::with(&legal("attach = ['code_interpreter']")).await;
    h.openai_fails(json!({"kind": "bad_run", "code": "many_files", "count": 1})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    let paths = h.paths().await;
    assert_eq!(paths.len(), 22, "the contract, its analysis and twenty files: {paths:#?}");
    assert_eq!(h.read("/Contracts/nda.part 19.txt").await, "19\n");
    let analysis = h.read("/Contracts/nda.analysis.md").await;
    assert!(analysis.contains("The run made more than 20 files; the first 20 were taken"), "{analysis}");
    // None of them is synced or run over, and none is made again.
    assert_eq!((h.held().await, h.responses().await.len()), (vec!["/Contracts/nda.txt".to_owned()], 1));
    h.finish().await;
}

#[tokio::test]
async fn files_that_code_made_are_found_behind_a_page_of_those_that_were_put_in() {
    let h = Harness::with(&legal("attach = ['code_interpreter']")).await;
    h.openai_fails(json!([
        {"kind": "bad_run", "code": "many_files", "count": 1},
        {"kind": "changed_reply", "method": "GET", "path": "/v1/containers/*/files", "find": "\"assistant\"", "put": "\"user\"", "count": 1},
    ]))
    .await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    let paths = h.paths().await;
    assert_eq!(paths.len(), 22, "the contract, its analysis and twenty files: {paths:#?}");
    assert_eq!(h.read("/Contracts/nda.part 110.txt").await, "110\n");
    h.finish().await;
}

#[tokio::test]
async fn a_file_that_fastio_does_not_take_in_one_call_is_delivered_whole() {
    let h = Harness::with(&legal("attach = ['code_interpreter']")).await;
    h.openai_fails(json!({"kind": "bad_run", "code": "large_file", "count": 1})).await;
    h.fastio_fails(json!({"kind": "reset_during_body", "method": "POST", "path": "/current/upload/*/stream/", "skip": 1, "count": 1})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    let large = h.read("/Contracts/nda.large.txt").await;
    assert_eq!(
        (large.len(), large.matches("0123456789abcde\n").count()),
        (5 * 1024 * 1024, 5 * 1024 * 1024 / 16)
    );
    h.finish().await;
}

#[tokio::test]
async fn files_of_a_rule_that_writes_nothing_are_named_in_its_result() {
    let settings = legal("attach = ['code_interpreter']").replace("write_back", "# write_back");
    let h = Harness::with(&settings).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    assert_eq!(h.paths().await, ["/Contracts/nda.txt"]);
    let notes = h.result(1).await["notes"].to_string();
    assert!(notes.contains("words.csv; it was not kept, because the rule has no write_back"), "{notes}");
    assert_eq!(h.number("SELECT count(*) FROM run_file").await, 0);
    h.finish().await;
}

/// The rule for a compatible server that still serves assistants.
async fn with_assistants() -> Harness {
    let settings =
        legal("engine = 'assistants'\nassistant = 'asst_1'").replace("model = 'sandbox-rules'", "");
    Harness::between(&settings, Options { assistants: true, ..Options::default() }).await
}

#[tokio::test]
async fn an_assistant_of_a_compatible_server_analyses_too() {
    let h = with_assistants().await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    assert!(h.read("/Contracts/nda.analysis.md").await.contains("EUR 10,000"));
    assert_eq!(h.responses().await.len(), 0);
    openapi::all_valid(&h).await;
    h.finish().await;
}

#[tokio::test]
async fn an_assistants_run_whose_reply_was_lost_is_found_and_a_late_one_is_cancelled() {
    let h = with_assistants().await;
    h.openai_fails(json!({"kind": "lost_reply", "method": "POST", "path": "/v1/threads/*/runs", "count": 1}))
        .await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    h.openai_fails(json!({"kind": "slow_run"})).await;
    h.put("/Contracts/nda.txt", &contract(2)).await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed", "failed"]);
    let asked = async |path: &str| {
        let path = path.to_owned();
        let requests = h.openai_requests().await.into_iter();
        requests
            .filter(|one| one["method"] == "POST" && one["path"].as_str().unwrap().ends_with(&path))
            .count()
    };
    assert_eq!((asked("/runs").await, asked("/cancel").await), (2, 1));
    // The thread of the late one held no answer, and is gone.
    let threads = h.openai_state().await["threads"].as_array().unwrap().clone();
    assert_eq!((threads.len(), &threads[0]["runs"][0]["status"]), (1, &json!("completed")));
    h.finish().await;
}
