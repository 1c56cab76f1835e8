//! `docket status` and the same over HTTP: the verdict, its exit code, and what it costs to ask.

use serde_json::{Value, json};

use crate::harness::program::{At, KEYS, Place, Program, Run};

async fn place(rows: &[&str]) -> Place {
    let place = Place::alone();
    place.made_database().await.execute(&rows.join(";")).await;
    place
}

/// Starts a server, and answers where its operator listener is.
fn serve(at: &At<'_>) -> (Program, String) {
    let (server, listens) =
        at.serve(&["--set", "operate.listen=127.0.0.1:0", "--set", "sweep.every_minutes=0"]);
    (server, listens.operate_url("/api/v1"))
}

fn verdict(run: &Run) -> Value {
    let rows: Vec<Value> = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    assert_eq!(rows[0]["name"], "verdict");
    assert_eq!(rows[0]["value"], run.code, "the exit code is the verdict's");
    rows[0].clone()
}

const DEAD: &str =
    "INSERT INTO job (key, task, needs, state, priority, due_at, reason, created_at, updated_at)
    VALUES ('file:workspace:1:2a', '{}', ' fastio ', 'dead', 0, 1, 'it has no text', 1, 1)";
const REFUSED: &str = "INSERT INTO pause (target, kind, reason, since, probe_at)
    VALUES ('openai', 'refusal', 'the key was refused', 1, 9000000000000)";
const DOWN: &str = "INSERT INTO pause (target, kind, reason, since, probe_at)
    VALUES ('fastio', 'outage', 'no answer', 1, 9000000000000)";
const STOPPED: &str = "INSERT INTO sweep (sweep, started_at, ended_at, dry_run, outcome, report)
    VALUES ('s1', 1, 2, 0, 'stopped', '{}')";
const TRIED_DRY: &str = "INSERT INTO sweep (sweep, started_at, ended_at, dry_run, outcome, report)
    VALUES ('s2', 3, 4, 1, 'done', '{}')";
const FILE: &str = "INSERT INTO file (source_id, profile, node, state, path, ancestors, rules, size, seen_at)
    VALUES ('workspace:1:2a', 'workspace:1', '2a', 'present', '/a.txt', '', 'r', 1, 1)";

/// A run over that file, the newest of those there are.
fn run(number: u32, outcome: &str) -> String {
    format!(
        "INSERT INTO run (run_id, rule, source_id, profile, node, path, content_hash, bytes, file_id, vector_store,
                          definition, engine, state, outcome, reason, created_at, updated_at, ended_at)
         VALUES ({number}, 'r', 'workspace:1:2a', 'workspace:1', '2a', '/a.txt', 'h{number}', 1, 'file-1', 'vs_1', 'd',
                 'responses', 'ended', '{outcome}', 'the model does not exist', 1, 1, 1)"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_whether_it_is_well_and_whether_anybody_works() {
    let place = place(&[FILE, DOWN, &run(1, "failed"), &run(2, "needs_review"), &run(3, "completed")]).await;
    let at = place.with(&KEYS);
    let none = at.docket(&["status", "--json"]);
    assert_eq!((none.code, &verdict(&none)["label"]), (4, &json!("no_server")));
    let words = at.docket(&["status"]);
    assert!(words.code == 4 && words.out.starts_with("No server.\n"), "{words:?}");

    let (mut server, url) = serve(&at);
    // An outage passes, and what failed once was run over well since.
    let well = at.docket(&["status", "--json"]);
    assert_eq!(
        (well.code, &verdict(&well)["label"], &verdict(&well)["reasons"]),
        (0, &json!("well"), &json!([]))
    );
    let words = at.docket(&["status"]);
    assert!(words.out.starts_with("All is well.\n"), "{words:?}");
    let path = place.path("docket.db").canonicalize().unwrap();
    for part in [path.to_str().unwrap(), env!("CARGO_PKG_VERSION"), "contracts", "1 completed"] {
        assert!(words.out.contains(part), "{part} in {words:?}");
    }
    assert!(!words.out.contains("failed") && !words.out.contains("review"), "{words:?}");
    let health = reqwest::get(format!("{url}/health")).await.unwrap();
    assert_eq!(health.status(), 200);
    assert_eq!(health.json::<Value>().await.unwrap(), json!({"verdict": "well", "reasons": []}));
    assert_eq!(server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_needs_a_person_is_named_with_what_to_do() {
    for (rows, reason) in [
        (&[DEAD][..], "1 job is dead: docket jobs list --state dead"),
        (&[&DEAD.replace("file:", "erase:")], "1 erasure is not done"),
        (&[REFUSED], "OpenAI refuses: the key was refused"),
        (&[STOPPED, TRIED_DRY], "docket sweep --dry-run"),
        (&[FILE, &run(1, "completed"), &run(2, "failed")], "1 run failed"),
        (&[FILE, &run(1, "held")], "1 run is held in rule r: the model does not exist"),
    ] {
        let place = place(rows).await;
        let at = place.with(&KEYS);
        let (mut server, url) = serve(&at);
        let run = at.docket(&["status", "--json"]);
        let reasons = &verdict(&run)["reasons"];
        assert_eq!(run.code, 3, "{reason}: {run:?}");
        assert!(reasons[0].as_str().unwrap().contains(reason) && reasons[1] == Value::Null, "{reasons}");
        let words = at.docket(&["status"]);
        assert!(words.code == 3 && words.out.contains(reason), "{words:?}");
        let health = reqwest::get(format!("{url}/health")).await.unwrap();
        assert_eq!(health.status(), 503, "{reason}");
        let told: Value = health.json().await.unwrap();
        assert_eq!((&told["verdict"], &told["reasons"]), (&json!("needs_person"), reasons));
        let status: Value = reqwest::get(format!("{url}/status")).await.unwrap().json().await.unwrap();
        assert_eq!(status, serde_json::from_str::<Value>(&run.out).unwrap());
        assert_eq!(server.stop(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_change_that_cannot_be_searched_is_told_with_what_it_waits_for() {
    let place =
        place(&[REFUSED, &DEAD.replace("' fastio '", "' fastio openai '").replace("'dead'", "'waiting'")])
            .await;
    let run = place.docket(&["status", "--json"]);
    let rows: Vec<Value> = serde_json::from_str(&run.out).unwrap();
    let oldest =
        rows.iter().find(|row| row["name"] == "oldest_change").unwrap_or_else(|| panic!("{rows:#?}"));
    assert_eq!(oldest["value"], 1);
    let label = oldest["label"].as_str().unwrap();
    assert!(label.contains("is held, because OpenAI refuses: the key was refused"), "{label}");
    let words = place.docket(&["status"]);
    assert!(words.out.contains(label), "{words:?}");
}
