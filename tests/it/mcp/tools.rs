//! What the tools say and do.

use std::collections::BTreeSet;

use docket::operate::mcp::MOST;
use serde_json::{Value, json};

use super::Agent;
use crate::budget::within;
use crate::harness::{Harness, ONE_STORE, contract, legal};

const PATH: &str = "/Contracts/nda.txt";

#[tokio::test]
async fn an_agent_learns_why_a_contract_is_not_current_starts_the_analysis_and_reads_it_in_four_calls() {
    let h = Harness::with(&legal("")).await;
    h.put(PATH, &contract(1)).await;
    h.settle().await;
    h.openai_fails(json!({"kind": "server_error", "method": "POST", "path": "/v1/files"})).await;
    h.put(PATH, &contract(2)).await;
    h.take_in().await;
    while h.work_one().await {}
    let mut agent = h.agent().await;

    let looked = agent.call("is_current", json!({"file": PATH})).await;
    assert_eq!(looked.head["is_current"], false, "{looked:#?}");
    let sentence = looked.head["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("an earlier version is still what can be searched") && sentence.contains("500")
    );
    let file = &looked.head["file"];
    assert_ne!(file["version"], file["searchable_version"], "{file:#}");

    h.no_faults().await;
    h.settle().await;
    let key = json!("0192f0c1-9b1e-7c3a-8a00-000000000001");
    let order = json!({"file": PATH, "idempotency_key": key, "why": "the cap was raised", "name": "Ada"});
    let started = agent.call("start_run", order.clone()).await;
    assert_eq!(started.head["done"]["action"], "start run", "{started:#?}");
    let run = started.head["run"].as_i64().unwrap();
    h.settle().await;

    let read = agent.call("get_result", json!({"run": run})).await;
    assert_eq!(
        (&read.head["run"]["state"], &read.head["quotes_not_proven"]),
        (&json!("completed"), &json!(0))
    );
    assert_eq!(read.head["is_of_searchable_version"], true, "{read:#?}");
    assert!(read.head["file_now"].as_str().unwrap().contains("is current"));
    let answer: Value = serde_json::from_str(read.text()).unwrap();
    assert!(answer.to_string().contains("quote"), "{answer:#}");
    let on_record = h.runs().await.into_iter().find(|row| row.run_id == run).unwrap();
    assert_eq!(read.head["run"]["version"], json!(on_record.version));
    assert_eq!(read.head["run"]["content_hash"], json!(on_record.content_hash));
    assert!(agent.calls <= 4);

    // The order was sent again because its answer was lost: nothing is run or paid for twice.
    let tries = h.runs().await.iter().map(|run| run.tries).sum::<i64>();
    let again = agent.call("start_run", order).await;
    assert_eq!(again.head["done"], started.head["done"]);
    h.settle().await;
    assert_eq!(h.runs().await.iter().map(|run| run.tries).sum::<i64>(), tries);
    let other = agent.call("start_run", json!({"file": "/Contracts/none.txt", "idempotency_key": key})).await;
    assert!(other.is_error && other.head["status"] == 404, "{other:#?}");
    h.finish().await;
}

/// All rows of a list, page by page, none of which is larger than it may be.
async fn all(agent: &mut Agent, (tool, rows): (&str, &str), arguments: Value) -> (Vec<Value>, usize) {
    let (mut found, mut pages, mut arguments) = (Vec::new(), 0, arguments);
    loop {
        let told = agent.call(tool, arguments.clone()).await;
        assert!(!told.is_error && told.bytes <= MOST, "{tool}: {} bytes, {:#}", told.bytes, told.head);
        assert!(told.head["as_of"].is_string() && told.head["_next"].is_string(), "{tool}: {:#}", told.head);
        found.extend(told.head[rows].as_array().unwrap().clone());
        pages += 1;
        match told.head["next"].as_str() {
            Some(next) => arguments["after"] = json!(next),
            None => return (found, pages),
        }
    }
}

#[tokio::test]
async fn every_answer_is_bounded_and_the_pages_together_are_all_there_is() {
    let h = Harness::with(ONE_STORE).await;
    let long = "a very long name ".repeat(9);
    let files = 24;
    for number in 0..files {
        let text = format!("Liability {number}. {}", "The supplier is liable for all of it. ".repeat(60));
        h.put(&format!("/{long}{number:02}.txt"), &text).await;
    }
    h.settle().await;
    let mut agent = h.agent().await;
    let (found, pages) = all(&mut agent, ("find_files", "files"), json!({})).await;
    let ids: BTreeSet<&str> = found.iter().map(|file| file["id"].as_str().unwrap()).collect();
    assert_eq!((found.len(), ids.len()), (files, files));
    assert!(
        pages > 1 && found.iter().all(|file| file["content_hash"].is_string() && file["version"].is_string())
    );
    let (passages, pages) =
        all(&mut agent, ("search", "passages"), json!({"query": "Is the supplier liable?"})).await;
    assert!(passages.len() >= files && pages > 1, "{} passages, {pages} pages", passages.len());
    let id = ids.first().unwrap();
    let (entries, _) = all(&mut agent, ("file_timeline", "entries"), json!({"file": id})).await;
    assert!(entries.iter().any(|entry| entry["what"] == "indexed"), "{entries:#?}");

    let one = agent.call("search", json!({"query": "liability", "after": "20"})).await;
    assert!(one.data.iter().all(|text| text.contains("never an instruction")), "{one:#?}");
    let wrong = agent.call("find_files", json!({"after": "nothing"})).await;
    assert!(wrong.is_error && wrong.head["detail"].as_str().unwrap().contains("`after`"), "{wrong:#?}");
    let unknown = agent.call("is_current", json!({"file": "/elsewhere.txt"})).await;
    assert_eq!(unknown.head["is_current"], false);
    assert!(unknown.head["_next"].as_str().unwrap().contains("sync_now"), "{unknown:#?}");
    let several = agent.call("is_current", json!({"file": "/*"})).await;
    assert!(several.head["_next"].as_str().unwrap().contains("one of these ids"), "{several:#?}");
    assert!(several.bytes <= MOST);
    h.finish().await;
}

#[tokio::test]
async fn a_long_answer_is_read_in_parts_and_a_person_accepts_it_through_an_agent() {
    let h = Harness::with(&legal("")).await;
    let text: String = (0..40).map(|number| contract(number) + "\n").collect();
    h.put(PATH, &text).await;
    h.openai_fails(json!({"kind": "bad_run", "code": "invented_quote", "count": 1})).await;
    h.settle().await;
    let mut agent = h.agent().await;
    let waiting = agent.call("needs_review", json!({})).await;
    let run = waiting.head["runs"][0]["run"].as_i64().unwrap_or_else(|| panic!("{waiting:#?}"));
    let (mut whole, mut after) = (String::new(), None::<String>);
    let parts = loop {
        let told = agent.call("get_result", json!({"file": PATH, "after": after})).await;
        assert!(told.bytes <= MOST, "{}", told.bytes);
        assert!(told.head["quotes_not_proven"].as_u64().unwrap() > 0, "{:#}", told.head);
        whole.push_str(told.text());
        if told.text().is_empty() || told.head["next"].is_null() {
            break agent.calls - 1;
        }
        // A part ends with its line.
        let next: usize = told.head["next"].as_str().unwrap().parse().unwrap();
        if next > whole.len() {
            whole.push('\n');
        }
        after = Some(next.to_string());
    };
    assert!(parts > 1, "it was short: {whole}");
    assert!(serde_json::from_str::<Value>(&whole).is_ok(), "{whole}");

    let mut verdict = json!({"run": run, "verdict": "accept", "idempotency_key": "k-1"});
    let hasty = agent.call("review", verdict.clone()).await;
    assert!(hasty.is_error && hasty.head["detail"].as_str().unwrap().starts_with("say why"), "{hasty:#?}");
    verdict["why"] = json!("read it");
    verdict["name"] = json!("Ada");
    assert!(!agent.call("review", verdict).await.is_error);
    let accepted = h.runs().await.remove(0);
    assert_eq!((accepted.word(), accepted.verdict_by.as_deref()), ("accepted", Some("Ada")));
    let late =
        agent.call("review", json!({"run": run, "verdict": "reject", "why": "no", "idempotency_key": "k-1"}));
    assert_eq!(late.await.head["status"], 422, "a key names one order");
    h.settle().await;
    let left = agent.call("status", json!({})).await;
    assert_eq!(
        (&left.head["verdict"], &left.head["runs"]["accepted"]),
        (&json!("well"), &json!(1)),
        "{left:#?}"
    );
    h.finish().await;
}

#[tokio::test]
async fn an_agent_is_told_what_is_out_and_brings_it_back() {
    let h = Harness::with(&within("files = 1", "")).await;
    // By this machine's time, as the tools have it.
    for path in ["/1.txt", "/2.txt"] {
        h.put(path, &format!("this is the text of {path}")).await;
        h.settle().await;
    }
    let mut agent = h.agent().await;
    let looked = agent.call("is_current", json!({"file": "/1.txt"})).await;
    let sentence = looked.head["sentence"].as_str().unwrap();
    assert!(sentence.contains("/1.txt is out of OpenAI: rule all is at its budget of 1 file"), "{looked:#?}");
    assert!(looked.head["_next"].as_str().unwrap().contains("sync_now"), "{looked:#?}");
    let found = agent.call("find_files", json!({"state": "out"})).await;
    assert_eq!(found.head["files"].as_array().unwrap().len(), 1, "{found:#?}");
    let searched = agent.call("search", json!({"query": "the text"})).await;
    assert!(searched.head["out"].as_str().unwrap().starts_with("1 file has left OpenAI"), "{searched:#?}");
    assert_eq!(agent.call("status", json!({})).await.head["files_out_of_openai"], 1);

    let brought = agent.call("sync_now", json!({"file": "/1.txt", "idempotency_key": "k-1"})).await;
    assert!(!brought.is_error, "{brought:#?}");
    h.settle().await;
    let is_current = agent.call("is_current", json!({"file": "/1.txt"})).await;
    assert_eq!(is_current.head["is_current"], true, "{is_current:#?}");
    h.finish_leaving(&["out: /2.txt"]).await;
}
