//! Runs that may use tools of Fastio's MCP server, which OpenAI asks.

use serde_json::json;

use crate::cli::check::{ENVIRONMENT, Right, failed};
use crate::harness::{Harness, contract, legal};

const NDA: &str = "/Contracts/nda.txt";

#[tokio::test]
async fn a_run_with_fastios_tools_may_read_and_what_else_it_asks_for_goes_to_a_person() {
    let h = Harness::with(&legal("tools = ['fastio']")).await;
    h.put(NDA, &contract(1)).await;
    h.converges().await;
    assert_eq!(h.outcomes().await, ["completed"]);
    let created = h.openai_requests().await.into_iter().find(|one| one["path"] == "/v1/responses").unwrap();
    let tool =
        created["json"]["tools"].as_array().unwrap().iter().find(|tool| tool["type"] == "mcp").unwrap();
    let reading = json!(["storage", "find", "metadata", "event"]);
    assert_eq!(
        (&tool["server_url"], &tool["allowed_tools"]),
        (&json!("https://mcp.fast.io/mcp/tools"), &reading)
    );
    assert_eq!(
        tool["require_approval"],
        json!({"never": {"tool_names": reading}}),
        "anything else is asked for"
    );
    assert!(tool["authorization"].is_string(), "{tool}");
    assert!(!h.openai_state().await.to_string().contains("fastio-reading-key"));

    h.openai_fails(json!({"kind": "bad_run", "code": "approval", "count": 1})).await;
    h.put("/Contracts/more.txt", &contract(2)).await;
    h.converges().await;
    let run = h.runs().await.remove(1);
    assert_eq!(run.outcome.as_deref(), Some("needs_review"));
    assert_eq!(
        run.reason.as_deref(),
        Some("the model asks to use storage_manage of Fastio, which the rule leaves to a person")
    );
    assert!(h.read("/Contracts/more.analysis.md").await.contains("There is no answer yet"));
    h.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_tells_whether_the_key_that_openai_is_given_only_reads() {
    let right = Right::set_up().await;
    let settings =
        right.place.settings(right.sandbox.fastio_url().as_str(), right.sandbox.openai_url().as_str());
    let run = "[rule.run]\nmodel = 'sandbox-rules'\nprompt = 'Look.'\ntools = ['fastio']\n";
    right.place.write("docket.toml", &format!("{settings}{run}"));
    let with = async |key: &str| {
        let run = right.check_with(&[&ENVIRONMENT[..], &[("FASTIO_MCP_KEY", key)]].concat(), &[]).await;
        assert!(!run.out.contains(key), "{run:?}");
        failed(&run)
    };
    assert_eq!(with("read-only-key-of-fastio").await, []);
    let writes = with("fastio-key-that-does-all").await;
    assert!(
        writes.len() == 1 && writes[0].1.contains("OpenAI is given it: make one with the scope"),
        "{writes:?}"
    );
    let none = failed(&right.check(&[]).await);
    assert!(
        none.iter().any(|(_, why)| why.contains("it is not set: make a key of Fastio's that may only read")),
        "{none:?}"
    );
}
