//! The server dies at each step of a run's life: there is one result, one file and no lock in the end.

use serde_json::json;

use crate::harness::{Dies, Harness, Kill, contract, legal};

const ANYWHERE: &str = "/**";

async fn ends_in_one(h: &Harness, kill: &Kill) {
    h.is_at_rest().await;
    assert_eq!(h.outcomes().await, ["completed"], "{kill:?}");
    assert_eq!(h.responses().await.len(), 1, "it ran twice: {kill:?}");
    assert_eq!(h.paths().await, ["/Contracts/nda.analysis.md", "/Contracts/nda.txt"], "{kill:?}");
    assert!(h.read("/Contracts/nda.analysis.md").await.contains("limited to EUR 10,000"));
    assert_eq!(h.held().await, ["/Contracts/nda.txt"], "{kill:?}");
}

async fn killed(openai: bool, dies: Dies, (method, path): (&'static str, &'static str)) {
    let h = Harness::with(&legal("")).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    let kill = Kill { dies, openai, method: Some(method), path, skip: 0 };
    assert!(h.settle_killed(&kill).await, "the server did not die at {kill:?}");
    ends_in_one(&h, &kill).await;
}

#[tokio::test]
async fn killed_while_it_takes_the_lock() {
    for dies in [Dies::Before, Dies::After] {
        killed(false, dies, ("POST", "/current/workspace/*/storage/*/lock/")).await;
    }
}

#[tokio::test]
async fn killed_before_the_response_is_created() {
    killed(true, Dies::Before, ("POST", "/v1/conversations")).await;
    killed(true, Dies::After, ("POST", "/v1/conversations")).await;
    killed(true, Dies::Before, ("POST", "/v1/responses")).await;
}

#[tokio::test]
async fn killed_when_the_response_exists_and_its_reply_is_lost() {
    killed(true, Dies::After, ("POST", "/v1/responses")).await;
}

#[tokio::test]
async fn killed_while_the_response_runs() {
    let h = Harness::with(&legal("")).await;
    h.openai_fails(json!({"kind": "slow_run", "delay_ms": 60_000})).await;
    h.put("/Contracts/nda.txt", &contract(1)).await;
    let kill =
        Kill { dies: Dies::After, openai: true, method: Some("GET"), path: "/v1/responses/*", skip: 2 };
    assert!(h.settle_killed(&kill).await);
    ends_in_one(&h, &kill).await;
}

#[tokio::test]
async fn killed_before_the_result_is_written() {
    killed(true, Dies::After, ("GET", "/v1/vector_stores/*/files/*/content")).await;
    killed(false, Dies::Before, ("POST", "/current/upload/")).await;
    killed(false, Dies::After, ("POST", "/current/upload/")).await;
    killed(false, Dies::Before, ("POST", "/current/workspace/*/storage/*/addfile/")).await;
}

#[tokio::test]
async fn killed_after_the_result_is_written_and_before_the_lock_is_released() {
    killed(false, Dies::After, ("POST", "/current/workspace/*/storage/*/addfile/")).await;
    killed(false, Dies::Before, ("DELETE", "/current/workspace/*/storage/*/lock/")).await;
    killed(false, Dies::After, ("DELETE", "/current/workspace/*/storage/*/lock/")).await;
}

#[tokio::test]
async fn killed_while_it_writes_a_new_version_of_its_result() {
    let update = "/current/workspace/*/storage/*/update/";
    for dies in [Dies::Before, Dies::After] {
        let h = Harness::with(&legal("")).await;
        h.put("/Contracts/nda.txt", &contract(2)).await;
        h.settle().await;
        h.put("/Contracts/nda.txt", &contract(1)).await;
        let kill = Kill { dies, openai: false, method: Some("POST"), path: update, skip: 0 };
        assert!(h.settle_killed(&kill).await);
        h.is_at_rest().await;
        assert_eq!(h.paths().await, ["/Contracts/nda.analysis.md", "/Contracts/nda.txt"]);
        assert!(h.read("/Contracts/nda.analysis.md").await.contains("limited to EUR 10,000"));
        assert_eq!(h.responses().await.len(), 2);
    }
}

/// Whatever request the server was waiting for when it died.
#[tokio::test]
async fn killed_at_any_request() {
    for openai in [true, false] {
        for dies in [Dies::Before, Dies::After] {
            for skip in 0.. {
                let h = Harness::with(&legal("")).await;
                h.put("/Contracts/nda.txt", &contract(1)).await;
                let kill = Kill { dies, openai, method: None, path: ANYWHERE, skip };
                let died = h.settle_killed(&kill).await;
                ends_in_one(&h, &kill).await;
                if !died {
                    assert!(skip > 5, "a run is more than {skip} requests");
                    break;
                }
            }
        }
    }
}
