//! `docket runs` beside a running server, and how runs stand in `docket status`.

use docket::run::store::RunRow;
use docket_sandbox::Sandbox;
use serde_json::{Value, json};
use tokio_util::sync::DropGuard;

use super::live;
use crate::harness::beside::Beside;
use crate::harness::database::DatabaseFile;
use crate::harness::program::{Place, Program, Run, SECRET, WORKSPACE};
use crate::harness::records::Records;
use crate::harness::{contract, legal};

const ENVIRONMENT: [(&str, &str); 3] =
    [("FASTIO_API_KEY", "fk"), ("OPENAI_API_KEY", "sk"), ("FASTIO_WEBHOOK_SECRET", SECRET)];

/// A server with the legal team's rule between stand-ins.
async fn serve(place: &Place) -> (Sandbox, Program, DropGuard) {
    live::serve(place, &ENVIRONMENT, |fastio, openai| with_rule(place, fastio, openai)).await
}

fn with_rule(place: &Place, fastio: &str, openai: &str) -> String {
    let settings = place.settings(fastio, openai);
    let (settings, _) = settings.split_once("[[rule]]").unwrap();
    format!("{settings}{}", legal(""))
}

async fn put(sandbox: &Sandbox, number: usize) {
    let path = format!("/_sandbox/files/{WORKSPACE}/Contracts/{number}.txt");
    let url = sandbox.fastio_url().join(&path).unwrap();
    let put = reqwest::Client::new().put(url).body(contract(number)).send().await.unwrap();
    put.error_for_status().unwrap();
    sandbox.flush_webhooks().await;
}

fn rows(run: &Run) -> Vec<Value> {
    assert_eq!(run.code, 0, "{run:?}");
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("one array of rows ({error}): {run:?}"))
}

/// The runs, once they stand so; the oldest first.
async fn until(place: &Place, words: &[&str]) -> Vec<Value> {
    let stand = async |records: &Records| {
        let runs = records.runs().await;
        runs.iter().map(RunRow::word).eq(words.iter().copied()).then_some(())
    };
    Beside::of(&place.database_url()).await.until(stand).await;
    let mut runs = rows(&place.with(&ENVIRONMENT).docket(&["runs", "list", "--json"]));
    runs.sort_by_key(|run| run["run_id"].as_i64());
    assert!(runs.iter().map(|run| &run["word"]).eq(words), "{runs:#?}");
    runs
}

/// Waits until the result of the first contract has these words in the line below its title.
async fn until_it_says(place: &Place, sandbox: &Sandbox, words: &str) {
    let client = reqwest::Client::new();
    let says = async |_: &Records| {
        let state = sandbox.fastio_url().join("/_sandbox/state").unwrap();
        let state: Value = client.get(state).send().await.unwrap().json().await.unwrap();
        let mut files = state["files"].as_array().unwrap().iter();
        let result = files.find(|file| file["path"] == "/Contracts/1.analysis.md").unwrap();
        let read = format!("workspace/{WORKSPACE}/storage/{}/read/", result["node_id"].as_str().unwrap());
        let read = client.get(sandbox.fastio_url().join(&read).unwrap()).bearer_auth("somebody");
        let text = read.send().await.unwrap().text().await.unwrap();
        text.lines().nth(2).is_some_and(|line| line.starts_with(words)).then_some(())
    };
    Beside::of(&place.database_url()).await.until(says).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_listed_and_shown_stopped_and_made_again() {
    let place = Place::new();
    let (sandbox, mut server, _stop) = serve(&place).await;
    let at = place.with(&ENVIRONMENT);
    put(&sandbox, 1).await;
    let runs = until(&place, &["completed"]).await;
    assert_eq!((&runs[0]["rule"], &runs[0]["path"]), (&json!("liability"), &json!("/Contracts/1.txt")));
    assert!(runs[0]["input_tokens"].as_i64().unwrap() > 0, "{runs:#?}");
    let words = at.docket(&["runs", "list", "--rule", "liability"]);
    assert!(words.out.contains("/Contracts/1.txt") && words.out.contains("completed"), "{words:?}");
    assert_eq!(rows(&at.docket(&["runs", "list", "--rule", "another", "--json"])), Vec::<Value>::new());

    let shown = at.docket(&["runs", "show", "1"]);
    assert!(shown.code == 0 && shown.out.contains("limited to EUR 10,000"), "{shown:?}");
    let shown = rows(&at.docket(&["runs", "show", "1", "--json"]));
    assert_eq!((&shown[0]["result"]["quotes"], &shown[0]["result"]["unverified"]), (&json!(2), &json!(0)));

    // One that goes on is told to stop, and stops at OpenAI.
    sandbox.openai_core().faults.add_json(json!({"kind": "slow_run", "count": 1})).unwrap();
    put(&sandbox, 2).await;
    until(&place, &["completed", "running"]).await;
    let told = at.docket(&["runs", "cancel", "2"]);
    assert_eq!(told.out, "Run 2 is told to stop; the server does so with its next look.\n");
    let runs = until(&place, &["completed", "cancelled"]).await;
    assert_eq!(runs[1]["reason"], "a person stopped it");
    let state = reqwest::get(sandbox.openai_url().join("/_sandbox/state").unwrap()).await.unwrap();
    let state: Value = state.json().await.unwrap();
    assert_eq!(state["responses"][1]["status"], "cancelled", "{state:#}");

    // What running again takes is said first, and done only when a person says so.
    let estimate = rows(&at.docket(&["runs", "again", "--rule", "liability", "--json"]));
    let of = |name: &str| estimate[0][name].clone();
    assert_eq!((of("files"), of("runs"), of("begun")), (json!(2), json!(1), json!(0)));
    assert_eq!((of("based_on_runs"), of("input_tokens")), (json!(1), runs[0]["input_tokens"].clone()));
    let words = at.docket(&["runs", "again", "--rule", "liability"]).out;
    assert!(words.starts_with("Rule liability covers 2 files; 1 run would be begun: about "), "{words}");
    assert!(words.contains("from 1 earlier run of this rule") && words.contains("Add --yes"), "{words}");
    let begun = rows(&at.docket(&["runs", "again", "--rule", "liability", "--yes", "--json"]));
    assert_eq!(begun[0]["begun"], 1);
    until(&place, &["completed", "completed"]).await;
    let words = at.docket(&["runs", "again", "--rule", "liability", "--yes"]).out;
    assert!(words.contains("each has a result under its present definition"), "{words}");

    // One file is run over again though it has its result.
    let words = at.docket(&["runs", "again", "--file", "/Contracts/1.txt"]).out;
    assert!(words.starts_with("Rule liability would be run over /Contracts/1.txt: about "), "{words}");
    assert!(words.contains("Nothing was begun"), "{words}");

    // What a person says of an answer stands at the top of the result, in the list and in what is shown.
    let told = at.docket(&["runs", "accept", "1", "--by", "Kim", "--note", "as agreed \u{1b}[2J"]);
    assert_eq!(told.out, "Run 1 is accepted; the server writes it into the result and the rule's table.\n");
    until_it_says(&place, &sandbox, "> **Accepted on ").await;
    until(&place, &["accepted", "completed"]).await;
    let shown = at.docket(&["runs", "show", "1"]).out;
    assert!(
        shown.contains("verdict       Accepted on ") && shown.contains(" by Kim: as agreed \\u{1b}[2J"),
        "{shown}"
    );
    assert!(shown.contains("limited to EUR 10,000"), "{shown}");
    assert!(at.docket(&["runs", "list"]).out.contains("by Kim: as agreed"), "{shown}");
    let words = at.docket(&["runs", "again", "--file", "/Contracts/1.txt"]).out;
    assert!(
        words.contains("Its result was accepted on ") && words.contains("; the new one is not."),
        "{words}"
    );
    let told = at.docket(&["runs", "reject", "1", "--note", "the cap is missing", "--by", "Lee"]).out;
    assert!(told.contains("docket runs again --rule liability --file \"/Contracts/1.txt\" --yes"), "{told}");
    until_it_says(&place, &sandbox, "> **⚠ Rejected on ").await;
    let status = at.docket(&["status"]).out;
    assert!(status.contains("1 rejected") && status.contains("1 by a person: docket runs list"), "{status}");
    let back = rows(&at.docket(&["runs", "withdraw", "1", "--json"]));
    assert_eq!(back, [json!({"run_id": 1, "verdict": null})]);
    until_it_says(&place, &sandbox, "> ✔").await;
    until(&place, &["completed", "completed"]).await;
    for (arguments, why) in [
        (["withdraw", "1", "--json"].as_slice(), "neither accepted nor rejected"),
        (&["accept", "99", "--by", "Kim", "--note", "x"], "there is no run 99"),
    ] {
        let refused = at.docket(&[&["runs"], arguments].concat());
        assert!(refused.code == 1 && refused.err.contains(why), "{refused:?}");
    }
    assert_eq!(at.docket(&["runs", "accept", "1", "--by", "Kim", "--note", " "]).code, 2);
    assert_eq!(at.docket(&["runs", "accept", "1", "--by", "Kim"]).code, 2, "a verdict has its reason");

    let status = rows(&at.docket(&["status", "--json"]));
    let completed = status.iter().find(|row| row["name"] == "run" && row["label"] == "completed").unwrap();
    assert_eq!(completed["value"], 2);
    assert_eq!(server.stop(), 0);
}

#[tokio::test]
async fn a_number_or_a_rule_that_is_not_there_is_said() {
    let place = Place::new();
    place.write("docket.toml", &with_rule(&place, "http://127.0.0.1:9/", "http://127.0.0.1:9/"));
    place.made_database().await;
    let at = place.with(&ENVIRONMENT);
    for command in ["show", "cancel"] {
        let none = at.docket(&["runs", command, "99"]);
        assert_eq!((none.code, none.out.as_str()), (1, ""), "{none:?}");
        assert!(none.err.contains("there is no run 99; `docket runs list`"), "{none:?}");
        let none = at.docket(&["runs", command, "first"]);
        assert!(none.code == 2 && none.err.contains("first"), "{none:?}");
    }
    let none = at.docket(&["runs", "again", "--rule", "nobody"]);
    assert!(none.code == 2 && none.err.contains("those there are: liability"), "{none:?}");
    assert_eq!(at.docket(&["runs", "again"]).code, 2);
    let none = at.docket(&["runs", "again", "--file", "/none.txt"]);
    assert!(none.code == 1 && none.err.contains("no file /none.txt is indexed"), "{none:?}");
    assert_eq!(at.docket(&["runs"]).code, 2);
    let empty = at.docket(&["runs", "list"]);
    assert!(empty.code == 0 && empty.out.starts_with("No run yet."), "{empty:?}");
    let covers = at.docket(&["runs", "again", "--rule", "liability"]);
    assert!(covers.code == 0 && covers.out.contains("covers 0 files"), "{covers:?}");
    // Without the rules' settings nothing can be said about them, and a list needs none.
    let other = Place::new();
    let missing = other.docket(&["runs", "list"]);
    assert!(missing.code == 1 && missing.err.starts_with("docket: there is no database at"), "{missing:?}");
}

/// Puts a run on record that stands so.
async fn record(database: &DatabaseFile, run: i64, stands: &str) {
    let insert = format!(
        "INSERT INTO run (run_id, rule, source_id, profile, node, path, content_hash, bytes, file_id, vector_store,
                          definition, engine, state, outcome, reason, response, lock, held_until, created_at, updated_at,
                          ended_at)
         VALUES ({run}, 'liability', 'workspace:1:2n{run}', 'workspace:1', '2n{run}', '/{run}.txt', 'h', 1, 'file-1',
                 'vs_1', 'd', 'responses', {stands}, 1, 1, 1)"
    );
    database.execute(&insert).await;
}

#[tokio::test]
async fn status_says_how_the_runs_stand_and_what_holds_them() {
    let place = Place::new();
    place.write("docket.toml", &with_rule(&place, "http://127.0.0.1:9/", "http://127.0.0.1:9/"));
    let database = place.made_database().await;
    let now = docket::clock::Clock::default().now();
    let held = format!(
        "'wanted', NULL, 'max_runs_per_day = 2 is reached; held until there is room', NULL, 'none', {}",
        now + 7_200_000 + 60_000
    );
    record(&database, 1, &held).await;
    record(&database, 2, &held).await;
    record(
        &database,
        3,
        "'ended', 'needs_review', '1 of 2 quotes are not proven to be in the document', 'r3', 'none', NULL",
    )
    .await;
    record(&database, 4, "'running', NULL, NULL, 'r4', 'none', NULL").await;
    record(&database, 5, "'running', NULL, NULL, 'r5', 'none', NULL").await;
    record(&database, 6, "'wanted', NULL, 'another user holds the lock on the file', NULL, 'none', NULL")
        .await;
    database
        .execute(
            "INSERT INTO job (key, task, needs, state, priority, due_at, reason, created_at, updated_at)
             VALUES ('run:workspace:1:2n5:liability', '{}', ' fastio ', 'dead', 0, 1, 'its worker stopped without a word', 1, 1);
             INSERT INTO outside (kind, state, owner, since) VALUES ('conversation', 'intended', 'run:4', 1)",
        )
        .await;

    let status: Vec<Value> = serde_json::from_str(&place.docket(&["status", "--json"]).out).unwrap();
    let value = |name: &str, label: &str| {
        let row = status.iter().find(|row| row["name"] == name && row["label"] == label);
        row.unwrap_or_else(|| panic!("{name} {label} in {status:?}"))["value"].as_i64().unwrap()
    };
    let runs =
        ["held", "needs_review", "running", "dead", "wanted", "completed"].map(|word| value("run", word));
    assert_eq!(runs, [2, 1, 2, 1, 1, 0]);
    assert_eq!((value("leftover", "left"), value("leftover", "unanswered")), (0, 1));
    let words = place.docket(&["status"]).out;
    for part in [
        "1 wanted · 2 running · 2 held · 1 needs review · 1 dead",
        "2 of liability: max_runs_per_day = 2 is reached; held until there is room (in 2h)",
        "1 empty conversation may be at OpenAI",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }

    let list = rows(&place.docket(&["runs", "list", "--json"]));
    let word = |run: i64| list.iter().find(|row| row["run_id"] == run).unwrap()["word"].clone();
    assert_eq!([1, 3, 4, 5, 6].map(word), ["held", "needs_review", "running", "dead", "wanted"]);
    let words = place.docket(&["runs", "list"]).out;
    assert!(words.contains("its job is dead"), "{words}");
}

#[tokio::test]
async fn a_run_is_shown_with_the_quotes_that_are_not_proven_and_nothing_that_steers_a_terminal() {
    let place = Place::new();
    place.write("docket.toml", &with_rule(&place, "http://127.0.0.1:9/", "http://127.0.0.1:9/"));
    let database = place.made_database().await;
    record(&database, 1, "'ended', 'needs_review', 'two quotes', 'r1', 'none', NULL").await;
    let result = json!({
        "data": {"summary": "\u{1b}]0;owned\u{7} \u{9b}2J \u{202e}"},
        "checks": [
            {"pointer": "/clauses/0/quote", "quote": "The cap is EUR 10,000", "proof": "found", "offset": 0, "length": 1, "line": 1},
            {"pointer": "/clauses/1/quote", "quote": "\u{1b}[2JUnlimited liability", "proof": "not_found"},
            {"pointer": "/clauses/2/quote", "quote": "the", "proof": "too_short"},
            {"pointer": "/clauses/3/quote", "quote": "Whatever", "proof": "unchecked"},
        ],
    });
    let answered = "UPDATE run SET result = $1, path = '/a\u{1b}[31mb'";
    database.execute_with(answered, [result.to_string()]).await;
    let shown = place.docket(&["runs", "show", "1"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    for line in [
        "UNVERIFIED    /clauses/1/quote: it is not in the document as it stands here",
        "UNVERIFIED    /clauses/2/quote: it is too short to prove anything",
        "UNVERIFIED    /clauses/3/quote: it was not looked up",
    ] {
        assert!(shown.out.contains(line), "{line} in {}", shown.out);
    }
    assert!(
        shown.out.contains("Unlimited liability") && !shown.out.contains("/clauses/0/quote:"),
        "{}",
        shown.out
    );
    let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!shown.out.contains(steers), "{:?}", shown.out);
}
