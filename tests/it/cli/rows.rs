//! The commands that read the database, on an empty one and on a filled one.

use docket::clock::{Clock, Reading};
use docket::database::Database;
use docket::event::{Event, Kind, Report, Source, Subject, record};
use docket::fastio::{NodeId, Profile};
use docket::queue::{Outcome, Queue, Settings, Verdict};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::harness::program::{Place, Run, WORKSPACE};

const NOW: i64 = 1_790_000_000_000;

fn rows(run: &Run) -> Vec<Value> {
    assert_eq!(run.code, 0, "{run:?}");
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("one array of rows ({error}): {run:?}"))
}

/// No server works here, and the exit code says so.
fn status(place: &Place) -> Vec<Value> {
    let run = place.docket(&["status", "--json"]);
    assert_eq!(run.code, 4, "{run:?}");
    serde_json::from_str(&run.out).unwrap()
}

/// A place whose docket.toml names a database that is there.
async fn place() -> (Place, Database) {
    let place = Place::alone();
    let database = Database::open(&place.database_url()).await.unwrap();
    (place, database)
}

fn event(id: &str, node: &str, kind: Kind) -> Event {
    Event {
        id: id.to_owned(),
        kind,
        subject: Subject::File,
        name: "workspace_storage_file_added".to_owned(),
        profile: Some(Profile::workspace(WORKSPACE)),
        node: Some(NodeId::new(node)),
        occurred_at: Some(NOW),
        ignored_because: (kind == Kind::Ignored).then(|| "a lock changes no file".to_owned()),
    }
}

/// Two events that made jobs, one that was ignored; one of the jobs is dead.
async fn fill(database: &Database) {
    let reports = [
        Report::new(event("evt_1", "2aaaa", Kind::Added), Source::Webhook, NOW),
        Report::new(event("evt_2", "2bbbb", Kind::Modified), Source::Webhook, NOW + 1),
        Report::new(event("evt_3", "2cccc", Kind::Ignored), Source::Feed, NOW + 2),
    ];
    database.write(move |tx| record(tx, &reports, NOW)).await.unwrap();
    settle(database, Verdict::Dead { reason: "OpenAI does not take the file".to_owned() }).await;
}

/// Claims the job that is due and settles it so.
async fn settle(database: &Database, verdict: Verdict) {
    let clock = Clock::new(|| Reading { wall_ms: NOW, passed_ms: 0 });
    let queue = Queue::new(database.clone(), clock, Settings::default());
    let claimed = queue.claim().await.unwrap().unwrap();
    let outcome = Outcome { verdict: Some(verdict), ..Outcome::default() };
    queue.settle(claimed, outcome, &CancellationToken::new()).await.unwrap();
}

#[tokio::test]
async fn an_empty_database_is_empty_rows_and_words() {
    let (place, database) = place().await;
    database.close().await;
    for command in [&["files"][..], &["events"], &["jobs", "list"], &["jobs", "list", "--state", "dead"]] {
        assert_eq!(rows(&place.docket(&[command, &["--json"]].concat())), Vec::<Value>::new());
        let words = place.docket(command);
        assert!(words.out.starts_with("No "), "{words:?}");
    }
    let status = status(&place);
    let of = |name: &str| status.iter().filter(|row| row["name"] == name).collect::<Vec<_>>();
    assert!(
        ["job", "file", "copy", "run", "inbox"]
            .iter()
            .all(|name| of(name).iter().all(|row| row["value"] == 0)),
        "{status:?}"
    );
    assert_eq!((&of("verdict")[0]["label"], of("oldest_change").len()), (&"no_server".into(), 0));
    assert!(status.iter().any(|row| row["name"] == "job" && row["label"] == "dead"), "{status:?}");
}

#[tokio::test]
async fn events_are_listed_the_newest_first() {
    let (place, database) = place().await;
    fill(&database).await;
    let events = rows(&place.docket(&["events", "--json"]));
    let ids: Vec<_> = events.iter().map(|row| row["event_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["evt_3", "evt_2", "evt_1"]);
    assert_eq!(events[2]["source_id"], format!("workspace:{WORKSPACE}:2aaaa"));
    assert_eq!((&events[2]["received_at"], &events[2]["kind"]), (&NOW.into(), &"added".into()));
    assert_eq!(rows(&place.docket(&["events", "--json", "--limit", "1"])).len(), 1);
    let words = place.docket(&["events"]);
    assert!(words.out.contains("a lock changes no file"), "{words:?}");
}

#[tokio::test]
async fn downloads_are_left_out_of_the_events_unless_they_are_asked_for() {
    let (place, database) = place().await;
    fill(&database).await;
    let downloads = (4..10).map(|number| {
        let event = event(&format!("evt_{number}"), "2aaaa", Kind::Added);
        let event = Event { name: "workspace_storage_download_token_created".to_owned(), ..event };
        Report::new(event.ignored(docket::event::DOWNLOAD), Source::Webhook, NOW + number)
    });
    let downloads: Vec<_> = downloads.collect();
    database.write(move |tx| record(tx, &downloads, NOW)).await.unwrap();
    let run = place.docket(&["events", "--json"]);
    assert_eq!(rows(&run).len(), 3);
    assert_eq!(run.err, "6 downloads, nearly all Docket's own, not shown; --all shows them.\n");
    let all = place.docket(&["events", "--all", "--json"]);
    assert_eq!((rows(&all).len(), all.err.as_str()), (9, ""));
    let few = place.docket(&["events", "--limit", "2"]);
    assert!(few.err.contains("The newest 2 events shown; --limit shows more."), "{few:?}");
}

#[tokio::test]
async fn a_dead_job_is_shown_retried_and_discarded() {
    let (place, database) = place().await;
    fill(&database).await;
    let dead = rows(&place.docket(&["jobs", "list", "--state", "dead", "--json"]));
    assert_eq!(dead.len(), 1);
    assert_eq!((&dead[0]["state"], &dead[0]["task"]["task"]), (&"dead".into(), &"file".into()));
    assert!(dead[0]["source_id"].as_str().unwrap().starts_with("workspace:"), "{dead:?}");
    let words = place.docket(&["jobs", "list"]);
    assert!(words.out.contains("OpenAI does not take the file"), "{words:?}");

    let id = dead[0]["job_id"].to_string();
    assert_eq!(place.docket(&["jobs", "retry", &id]).out, "1 job made due now.\n");
    assert_eq!(rows(&place.docket(&["jobs", "list", "--state", "waiting", "--json"])).len(), 2);
    assert_eq!(rows(&place.docket(&["jobs", "discard", &id, "--json"]))[0]["changed"], 1);
    assert_eq!(rows(&place.docket(&["jobs", "list", "--json"])).len(), 1);

    let none = place.docket(&["jobs", "retry", &id]);
    assert_eq!(none.code, 1);
    assert!(none.err.contains(&format!("the number {id};")), "{none:?}");
    assert_eq!(place.docket(&["jobs", "discard", "--all"]).out, "0 jobs discarded.\n");
}

#[tokio::test]
async fn status_tells_what_waits_and_what_is_paused() {
    let (place, database) = place().await;
    fill(&database).await;
    let reason = "the key was refused".to_owned();
    settle(&database, Verdict::Hold { target: "openai".to_owned(), reason }).await;
    let status = status(&place);
    let value = |name: &str, label: &str| {
        let row = status.iter().find(|row| row["name"] == name && row["label"] == label);
        row.unwrap_or_else(|| panic!("{name} {label} in {status:?}")).clone()
    };
    assert_eq!((&value("job", "dead")["value"], &value("job", "waiting")["value"]), (&1.into(), &1.into()));
    assert_eq!(value("event", "ignored")["value"], 1);
    let pause = value("pause", "openai");
    assert_eq!((&pause["reason"], &pause["since"]), (&"the key was refused".into(), &NOW.into()));
    let words = place.docket(&["status"]);
    for part in ["1 dead", "openai", "the key was refused", "jobs retry"] {
        assert!(words.out.contains(part), "{part} in {words:?}");
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure() {
    use std::process::{Command, Stdio};

    let (place, database) = place().await;
    fill(&database).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_docket"));
    command.args(["events", "--json"]).current_dir(place.path("")).env_clear();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && words.is_empty(), "{words}");
}
