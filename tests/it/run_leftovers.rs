//! Nothing leaks: whatever a run made at Fastio or OpenAI is taken away when it is not needed any more, wherever the server died and
//! whichever reply was lost; and nothing that others made is.

use docket::feed::sweep::Scope;
use docket_sandbox::Options;
use serde_json::{Value, json};

use crate::harness::{Dies, Harness, contract, fastio, legal, openai};
use crate::openapi;

/// Does what is due, and no more.
async fn work(h: &Harness) {
    h.take_in().await;
    while h.work_one().await {}
}

#[tokio::test]
async fn a_session_is_gone_when_its_file_is_there() {
    let h = Harness::with(&legal("")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    let ended =
        h.fastio_requests().await.into_iter().filter(|one| one["method"] == "DELETE").collect::<Vec<_>>();
    assert!(
        ended.iter().any(|one| one["path"].as_str().unwrap().starts_with("/current/upload/")),
        "{ended:#?}"
    );
    assert_eq!(h.conversations().await, (1, 0), "the analysis waits in its conversation");
    h.finish().await;
}

#[tokio::test]
async fn no_lost_reply_and_no_kill_leaves_a_session() {
    for (method, path) in [
        ("POST", "/current/upload/"),
        ("POST", "/current/upload/*/stream/"),
        ("DELETE", "/current/upload/*/"),
    ] {
        let h = Harness::with(&legal("")).await;
        h.fastio_fails(json!({"kind": "lost_reply", "method": method, "path": path, "count": 2})).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        h.converges().await;
        assert_eq!(h.outcomes().await, ["completed"], "{method} {path}");
        for dies in [Dies::Before, Dies::After] {
            let h = Harness::with(&legal("")).await;
            h.put("/Contracts/nda.txt", &contract(1)).await;
            let kill = fastio(method, path);
            assert!(h.settle_killed(&kill, dies).await, "the server did not die at {kill:?}");
            h.agrees().await;
            assert_eq!(h.paths().await, ["/Contracts/nda.analysis.md", "/Contracts/nda.txt"], "{kill:?}");
            h.finish().await;
        }
        h.finish().await;
    }
}

/// Nobody else would ever try again.
#[tokio::test]
async fn what_may_not_be_taken_away_now_is_taken_away_later() {
    let h = Harness::with(&legal("")).await;
    let ending = json!({"kind": "forbidden", "method": "DELETE", "path": "/current/upload/*/", "count": 3});
    h.fastio_fails(ending).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    assert_eq!(h.uploads_open().await.len(), 0, "{:?}", h.dead().await);
    h.finish().await;
}

#[tokio::test]
async fn somebody_elses_session_stays_whatever_it_is_called() {
    let h = Harness::with(&legal("")).await;
    let url = h.sandbox.fastio_url().join("upload/").unwrap();
    let names = ["nda.analysis.md", "docket-nda.analysis.md", "docket-0123456789abcdef-nda.analysis.md"];
    for name in names {
        let form = [("name", name), ("stream", "true"), ("max_size", "100")];
        // With our own key, as a person may who made it.
        let request = reqwest::Client::new().post(url.clone()).bearer_auth("fastio-key").form(&form);
        request.send().await.unwrap().error_for_status().unwrap();
    }
    h.fastio_fails(json!({"kind": "lost_reply", "method": "POST", "path": "/current/upload/", "count": 1}))
        .await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.settle().await;
    h.sweep().await;
    h.settle().await;
    let left: Vec<Value> = h.uploads_open().await.into_iter().map(|upload| upload["name"].clone()).collect();
    assert_eq!(left, names);
    h.finish_leaving(&["Fastio's uploads (3 times)"]).await;
}

#[tokio::test]
async fn a_run_that_ends_while_it_writes_leaves_nothing() {
    let h = Harness::with(&legal("")).await;
    h.fastio_fails(json!({"kind": "server_error", "path": "/current/workspace/*/storage/*/addfile/"})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    work(&h).await;
    assert_eq!((h.uploads_open().await.len(), h.locks().await), (1, 1), "it holds an upload and the lock");
    h.trash("/Contracts/nda.txt").await;
    h.no_faults().await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["cancelled"]);
    h.finish().await;
}

#[tokio::test]
async fn a_write_that_was_carried_out_and_not_answered_is_ours_though_its_run_has_ended() {
    let h = Harness::with(&legal("").replace("exclude = ['**/*.analysis.md', ", "exclude = [")).await;
    let placing = "/current/workspace/*/storage/*/addfile/";
    h.fastio_fails(json!({"kind": "lost_reply", "method": "POST", "path": placing, "count": 1})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    work(&h).await;
    h.trash("/Contracts/nda.txt").await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["cancelled"]);
    assert_eq!(h.paths().await, ["/Contracts/nda.analysis.md"]);
    let own = h.records().own_files().await;
    assert!(own.len() == 1 && own[0].node.is_some(), "{own:#?}");
    assert!(h.copies().await.is_empty(), "it is in no vector store, although the rule covers it");
    h.finish().await;
}

#[tokio::test]
async fn an_earlier_result_stays_ours_when_a_run_ends_while_it_writes_over_it() {
    let h = Harness::with(&legal("")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    let before = h.read("/Contracts/nda.analysis.md").await;
    h.fastio_fails(json!({"kind": "server_error", "path": "/current/workspace/*/storage/*/update/"})).await;
    h.put("/Contracts/nda.txt", &contract(2)).await;
    work(&h).await;
    h.trash("/Contracts/nda.txt").await;
    h.no_faults().await;
    h.settle().await;
    assert_eq!(h.outcomes().await, ["completed", "cancelled"]);
    let result = h.read("/Contracts/nda.analysis.md").await;
    assert!(result.contains("The document was deleted") && result.contains("EUR 10,000"), "{result}");
    h.restore("/Contracts/nda.txt").await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed", "completed"]);
    assert_eq!(
        h.paths().await,
        ["/Contracts/nda.analysis.md", "/Contracts/nda.txt"],
        "it goes over the earlier one"
    );
    assert_ne!(h.read("/Contracts/nda.analysis.md").await, before);
    h.finish().await;
}

#[tokio::test]
async fn the_conversation_of_a_run_that_came_to_nothing_is_deleted() {
    for (fault, outcome) in [
        (json!({"kind": "slow_run"}), "superseded"),
        (json!({"kind": "bad_run", "code": "invalid_prompt", "count": 1}), "failed"),
    ] {
        let h = Harness::with(&legal("")).await;
        h.openai_fails(fault).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        work(&h).await;
        h.no_faults().await;
        h.put("/Contracts/nda.txt", &contract(2)).await;
        h.converges().await;
        assert_eq!(h.outcomes().await, [outcome, "completed"]);
        assert_eq!(h.conversations().await, (1, 0), "{outcome}");
        openapi::all_valid(&h).await;
        h.finish().await;
    }
}

#[tokio::test]
async fn each_try_of_a_run_takes_the_conversation_of_the_one_before_away() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "bad_run", "code": "server_error", "count": 2})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    assert_eq!((h.responses().await.len(), h.outcomes().await), (3, vec!["completed".to_owned()]));
    assert_eq!(h.conversations().await, (1, 0));
    h.finish().await;
}

#[tokio::test]
async fn killed_while_it_takes_a_conversation_away() {
    for dies in [Dies::Before, Dies::After] {
        let h = Harness::with(&legal("")).await;
        h.openai_fails(json!({"kind": "bad_run", "code": "invalid_prompt", "count": 1})).await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        let kill = openai("DELETE", "/v1/conversations/*");
        assert!(h.settle_killed(&kill, dies).await, "the server did not die at {kill:?}");
        h.agrees().await;
        assert_eq!((h.outcomes().await, h.conversations().await), (vec!["failed".to_owned()], (0, 0)));
        h.finish().await;
    }
}

#[tokio::test]
async fn an_outage_only_puts_it_off() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!([
        {"kind": "bad_run", "code": "invalid_prompt", "count": 1},
        {"kind": "server_error", "method": "DELETE", "path": "/v1/conversations/*", "count": 2},
    ]))
    .await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    assert_eq!(h.conversations().await, (0, 0), "an outage is waited for");
    h.finish().await;
}

/// A run that takes long.
fn slow() -> Value {
    json!({"kind": "slow_run", "count": 1, "delay_ms": 600_000})
}

/// A run whose creation was not answered and that has been superseded: its response's id is not known.
async fn superseded_while_it_starts(h: &Harness, lost: Value) {
    h.openai_fails(lost).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    work(h).await;
    assert_eq!(h.outcomes().await, ["starting"]);
    h.put("/Contracts/nda.txt", &contract(2)).await;
    for _ in 0..20 {
        work(h).await;
        h.pass(3_000);
    }
    assert_eq!(h.outcomes().await, ["superseded", "completed"], "the newer one does not wait for the older");
}

#[tokio::test]
async fn a_superseded_run_that_nobody_saw_begin_is_cancelled_when_a_webhook_tells_of_it() {
    let h = Harness::with(&legal("")).await;
    superseded_while_it_starts(
        &h,
        json!([slow(), {"kind": "lost_reply", "method": "POST", "path": "/v1/responses", "count": 1}]),
    )
    .await;
    let response = h.responses().await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(h.responses().await[0]["status"], "in_progress");
    assert_eq!(h.openai_webhook("wh_1", "response.completed", &response).await, 202);
    work(&h).await;
    assert_eq!(h.responses().await[0]["status"], "cancelled");
    h.converges().await;
    assert_eq!(h.conversations().await, (1, 0));
    h.finish().await;
}

#[tokio::test]
async fn without_a_webhook_it_is_looked_for_until_it_has_ended_and_what_it_answered_stays() {
    let h = Harness::with(&legal("")).await;
    superseded_while_it_starts(
        &h,
        json!([slow(), {"kind": "lost_reply", "method": "POST", "path": "/v1/responses", "count": 1}]),
    )
    .await;
    assert_eq!(h.leftovers().await, (1, 0));
    h.converges().await;
    // OpenAI shows nothing of it before its end, so there was nothing to cancel; its conversation holds an answer.
    assert_eq!(h.conversations().await, (2, 0));
    h.finish().await;
}

#[tokio::test]
async fn a_superseded_creation_that_made_nothing_leaves_no_conversation() {
    let h = Harness::with(&legal("deadline_seconds = 120")).await;
    superseded_while_it_starts(
        &h,
        json!({"kind": "reset_after_body", "method": "POST", "path": "/v1/responses", "count": 1}),
    )
    .await;
    assert_eq!(h.conversations().await, (1, 1));
    h.converges().await;
    assert_eq!((h.conversations().await, h.responses().await.len()), ((1, 0), 1));
    h.finish().await;
}

#[tokio::test]
async fn a_superseded_run_of_an_assistant_is_found_in_its_thread_and_cancelled() {
    let settings =
        legal("engine = 'assistants'\nassistant = 'asst_1'").replace("model = 'sandbox-rules'", "");
    let h = Harness::between(&settings, Options { assistants: true, ..Options::default() }).await;
    superseded_while_it_starts(
        &h,
        json!([slow(), {"kind": "lost_reply", "method": "POST", "path": "/v1/threads/*/runs", "count": 1}]),
    )
    .await;
    h.converges().await;
    let cancelled = h
        .openai_requests()
        .await
        .into_iter()
        .filter(|one| one["path"].as_str().unwrap().ends_with("/cancel"));
    assert_eq!(cancelled.count(), 1);
    // The thread went with it; that of the newer run stays with its answer.
    let threads = h.openai_state().await["threads"].as_array().unwrap().clone();
    assert_eq!((threads.len(), &threads[0]["runs"][0]["status"]), (1, &json!("completed")));
    openapi::all_valid(&h).await;
    h.finish().await;
}

#[tokio::test]
async fn a_conversation_whose_creation_was_not_answered_is_counted_and_said() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "lost_reply", "method": "POST", "path": "/v1/conversations", "count": 1}))
        .await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.converges().await;
    assert_eq!((h.outcomes().await, h.conversations().await), (vec!["completed".to_owned()], (1, 1)));
    assert_eq!(h.leftovers().await, (0, 1));
    assert_eq!(h.sweep().await.unanswered, 1);
    // One that was refused in so many words was not made.
    h.openai_fails(json!({"kind": "rate_limit", "method": "POST", "path": "/v1/conversations", "count": 1}))
        .await;
    h.put("/Contracts/nda.txt", &contract(2)).await;
    h.settle().await;
    assert_eq!(h.leftovers().await, (0, 1));
    h.pass(31 * 24 * 3_600_000);
    h.sweep().await;
    assert_eq!(h.leftovers().await, (0, 0), "after a month it is no news any more");
    h.finish_leaving(&["a conversation without an answer"]).await;
}

#[tokio::test]
async fn a_lock_that_could_not_be_released_is_released_by_a_job_of_its_own() {
    let h = Harness::with(&legal("")).await;
    // A refusal that no retry would help, so that the run ends with the lock in its hands.
    h.fastio_fails(json!({"kind": "forbidden", "method": "DELETE", "path": "/current/workspace/*/storage/*/lock/", "count": 1}))
        .await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    h.take_in().await;
    let mut was_left = false;
    while h.work_one().await {
        was_left |= h.runs().await.iter().any(|run| run.state == "ended") && h.locks().await == 1;
    }
    assert!(was_left, "the run did not end before its lock was released");
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    h.finish().await;
}

#[tokio::test]
async fn a_sweep_takes_up_what_lost_its_job_and_leaves_strangers_alone() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "slow_run"})).await;
    let node = h.put("/Contracts/kim.txt", &contract(7)).await;
    let kims = h.lock_as("kim", &node).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    work(&h).await;
    assert_eq!(h.locks().await, 2);
    // Every job is discarded: the run goes on at OpenAI, and is not looked at.
    h.meddle("DELETE FROM job").await;
    h.no_faults().await;
    let dry = h.feed.sweep(Scope { dry_run: true, ..Scope::default() }, &mut |_| {}).await.unwrap();
    assert_eq!((dry.found["stalled"], h.jobs().await.len()), (2, 0), "{dry:#?}");
    assert_eq!(h.sweep().await.found["stalled"], 2);
    assert_eq!(h.sweep().await.found["stalled"], 0, "it has its job");
    h.trash("/Contracts/nda.txt").await;
    work(&h).await;
    h.meddle("DELETE FROM job").await;
    assert_eq!(h.locks().await, 1, "Kim's lock stays");
    // What the run left has lost its job too.
    h.meddle("INSERT INTO outside (kind, state, owner, mark, since) VALUES ('session', 'intended', 'digest:gone', '00', 1)").await;
    let report = h.sweep().await;
    assert!(report.found["leftover"] >= 1, "{report:#?}");
    h.unlock_as("kim", &node, &kims).await;
    h.converges().await;
    assert_eq!(h.conversations().await, (1, 0));
    h.finish().await;
}

#[tokio::test]
async fn a_rule_without_runs_any_more_stops_those_that_go_on() {
    let mut h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "slow_run"})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    work(&h).await;
    assert_eq!(h.outcomes().await, ["running"]);
    let settings = legal("");
    let (rule, _) = settings.split_once("[rule.run]").unwrap();
    h.restart(rule).await;
    h.converges().await;
    assert_eq!(
        (h.outcomes().await, h.responses().await[0]["status"].clone()),
        (vec!["cancelled".to_owned()], json!("cancelled"))
    );
    assert_eq!(h.conversations().await, (0, 0));
    h.finish().await;
}
